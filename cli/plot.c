#include "cli/plot.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 620, HEIGHT = 340, LEFT = 62, RIGHT = 20, TOP = 34, BOTTOM = 46 };

void nas_plot_reset(nas_plot *p) {
  p->x_min = p->y_min = INFINITY;
  p->x_max = p->y_max = -INFINITY;
}

void nas_plot_hold(nas_plot *p, double x, double y) {
  if (!isfinite(x) || !isfinite(y) || (p->log_x && x <= 0) || (p->log_y && y <= 0)) return;
  p->x_min = fmin(p->x_min, x);
  p->x_max = fmax(p->x_max, x);
  p->y_min = fmin(p->y_min, y);
  p->y_max = fmax(p->y_max, y);
}

static double x_scale(const nas_plot *p, double x) { return p->log_x ? log10(x) : x; }

static double y_scale(const nas_plot *p, double y) { return p->log_y ? log10(y) : y; }

static double at_x(const nas_plot *p, double x) {
  double low = x_scale(p, p->x_min), high = x_scale(p, p->x_max);
  return LEFT + (WIDTH - LEFT - RIGHT) * (x_scale(p, x) - low) / (high - low);
}

static double at_y(const nas_plot *p, double y) {
  double low = y_scale(p, p->y_min), high = y_scale(p, p->y_max);
  return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y_scale(p, y) - low) / (high - low);
}

/* The step of 1, 2 or 5 times a power of ten that gives about five ticks. */
static double tick_step(double range) {
  double raw = range / 5, power = pow(10, floor(log10(raw))), lead = raw / power;
  return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

static void widen(nas_plot *p) {
  if (!(p->x_min <= p->x_max)) p->x_min = 1, p->x_max = 10, p->y_min = p->log_y ? 0.1 : 0, p->y_max = 1;
  double margin = p->y_max > p->y_min ? 0.06 * (p->y_max - p->y_min) : 1;
  if (p->log_y) {
    double factor = pow(p->y_max / p->y_min, 0.06) * 1.02;
    p->y_min = p->y_min / factor;
    p->y_max *= factor;
  } else {
    p->y_min -= margin;
    p->y_max += margin;
  }
  if (p->log_x) {
    double factor = pow(p->x_max / p->x_min, 0.05) * 1.02;
    p->x_min /= factor;
    p->x_max *= factor;
  } else {
    margin = p->x_max > p->x_min ? 0.03 * (p->x_max - p->x_min) : 1;
    p->x_min -= margin;
    p->x_max += margin;
  }
}

static void add_x_tick(const nas_plot *p, nas_str *out, double x) {
  char text[32];
  if (fabs(x) >= 1e6) snprintf(text, sizeof text, "%gM", x / 1e6);
  else if (fabs(x) >= 1e4) snprintf(text, sizeof text, "%gk", x / 1e3);
  else snprintf(text, sizeof text, "%g", x);
  nas_str_fmt(out, "<line class='grid' x1='%.1f' x2='%.1f' y1='%d' y2='%d'/>", at_x(p, x), at_x(p, x), TOP,
              HEIGHT - BOTTOM);
  nas_str_fmt(out, "<text x='%.1f' y='%d' text-anchor='middle'>%s</text>\n", at_x(p, x), HEIGHT - BOTTOM + 16, text);
}

static void add_x_ticks(const nas_plot *p, nas_str *out) {
  if (p->log_x && p->x_max > 8 * p->x_min) {
    static const double leads[] = {1, 2, 5};
    for (double power = pow(10, floor(log10(p->x_min))); power <= p->x_max; power *= 10)
      for (int i = 0; i < 3; i++)
        if (power * leads[i] >= p->x_min && power * leads[i] <= p->x_max) add_x_tick(p, out, power * leads[i]);
    return;
  }
  double step = tick_step(p->x_max - p->x_min);
  if (p->whole_x) step = fmax(step, 1);
  for (int64_t k = (int64_t)ceil(p->x_min / step); (double)k * step <= p->x_max; k++)
    add_x_tick(p, out, (double)k * step);
}

static void add_y_tick(const nas_plot *p, nas_str *out, double value) {
  double y = at_y(p, value);
  nas_str_fmt(out, "<line class='grid' x1='%d' x2='%d' y1='%.1f' y2='%.1f'/>", LEFT, WIDTH - RIGHT, y, y);
  nas_str_fmt(out, "<text x='%d' y='%.1f' text-anchor='end'>%.6g</text>\n", LEFT - 6, y + 4, value);
}

static void add_y_ticks(const nas_plot *p, nas_str *out) {
  if (p->log_y && p->y_max > 8 * p->y_min) {
    static const double leads[] = {1, 2, 5};
    for (double power = pow(10, floor(log10(p->y_min))); power <= p->y_max; power *= 10)
      for (int i = 0; i < 3; i++)
        if (power * leads[i] >= p->y_min && power * leads[i] <= p->y_max) add_y_tick(p, out, power * leads[i]);
    return;
  }
  double step = tick_step(p->y_max - p->y_min);
  for (int64_t k = (int64_t)ceil(p->y_min / step); (double)k * step <= p->y_max; k++)
    add_y_tick(p, out, (double)k * step);
}

void nas_plot_begin(nas_plot *p, nas_str *out) {
  widen(p);
  nas_str_fmt(out, "<svg class='plot' viewBox='0 0 %d %d' role='img'>\n", WIDTH, HEIGHT);
  nas_str_fmt(out, "<text class='title' x='%d' y='18'>", LEFT);
  nas_html_text(out, p->title);
  nas_str_add(out, "</text>\n");
  add_x_ticks(p, out);
  add_y_ticks(p, out);
  nas_str_fmt(out, "<rect class='frame' x='%d' y='%d' width='%d' height='%d'/>\n", LEFT, TOP, WIDTH - LEFT - RIGHT,
              HEIGHT - TOP - BOTTOM);
  nas_str_fmt(out, "<text x='%d' y='%d' text-anchor='middle'>", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10);
  nas_html_text(out, p->x_label);
  nas_str_fmt(out, "</text>\n<text transform='translate(14,%d) rotate(-90)' text-anchor='middle'>",
              (TOP + HEIGHT - BOTTOM) / 2);
  nas_html_text(out, p->y_label);
  nas_str_add(out, "</text>\n");
}

void nas_plot_point(const nas_plot *p, nas_str *out, double x, double y, const char *colour, const char *tip) {
  if (!isfinite(x) || !isfinite(y) || (p->log_x && x <= 0)) return;
  nas_str_fmt(out, "<circle cx='%.1f' cy='%.1f' r='4' fill='%s' fill-opacity='0.75'><title>", at_x(p, x), at_y(p, y),
              colour);
  nas_html_text(out, tip);
  nas_str_add(out, "</title></circle>\n");
}

void nas_plot_line(const nas_plot *p, nas_str *out, const double *x, const double *y, size_t n, const char *colour,
                   bool step, const char *name) {
  double last_x = 0, last_y = 0;
  bool any = false;
  nas_str_fmt(out, "<polyline fill='none' stroke='%s' stroke-width='2' points='", colour);
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(x[i]) || !isfinite(y[i])) continue;
    if (any && step) nas_str_fmt(out, "%.1f,%.1f ", at_x(p, x[i]), last_y);
    last_x = at_x(p, x[i]);
    last_y = at_y(p, y[i]);
    nas_str_fmt(out, "%.1f,%.1f ", last_x, last_y);
    any = true;
  }
  nas_str_add(out, "'/>\n");
  if (!any || !name) return;
  nas_str_fmt(out, "<text x='%.1f' y='%.1f' text-anchor='end' fill='%s'>", last_x - 4, last_y - 5, colour);
  nas_html_text(out, name);
  nas_str_add(out, "</text>\n");
}

void nas_plot_band(const nas_plot *p, nas_str *out, const double *x, const double *low, const double *high, size_t n,
                   const char *colour) {
  nas_str_fmt(out, "<polygon stroke='none' fill='%s' fill-opacity='0.15' points='", colour);
  for (size_t i = 0; i < n; i++) nas_str_fmt(out, "%.1f,%.1f ", at_x(p, x[i]), at_y(p, low[i]));
  for (size_t i = n; i-- > 0;) nas_str_fmt(out, "%.1f,%.1f ", at_x(p, x[i]), at_y(p, high[i]));
  nas_str_add(out, "'/>\n");
}

void nas_plot_end(nas_str *out) { nas_str_add(out, "</svg>\n"); }

void nas_html_text(nas_str *out, const char *text) {
  for (const char *c = text; *c; c++) {
    if (*c == '&') nas_str_add(out, "&amp;");
    else if (*c == '<') nas_str_add(out, "&lt;");
    else if (*c == '>') nas_str_add(out, "&gt;");
    else if (*c == '\'') nas_str_add(out, "&#39;");
    else if (*c == '"') nas_str_add(out, "&quot;");
    else nas_str_add_n(out, c, 1);
  }
}

const char *nas_plot_colour(size_t k) {
  static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"};
  return colours[k % (sizeof colours / sizeof *colours)];
}
