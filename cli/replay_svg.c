/* The picture of a replay: anytime regret, validation above test, on logarithmic axes. */
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "cli/plot.h"
#include "cli/replay.h"

enum { PANEL_WIDTH = 620, PANEL_HEIGHT = 340, LEGEND_LINE = 18 };

static const nas_replay_quartiles *quartiles_of(const nas_replay_point *p, bool test) {
  return test ? &p->test : &p->valid;
}

/* Regret 0 has no place on a logarithmic axis: it is drawn at the least regret that the table can show. */
static double floor_of(const nas_replay_session *s, bool test) {
  const nas_replay_table *t = s->recorded.table;
  const double *column = test ? t->report_test : t->report_valid;
  double best = test ? t->best_test : t->best_valid, least = INFINITY;
  for (size_t i = 0; i < t->n; i++)
    if (column[i] < best) least = fmin(least, best - column[i]);
  return isfinite(least) ? least / 2 : 0.01;
}

/* x, low, median and high of one strategy, as far as they are finite. */
typedef struct lines {
  double *x, *low, *median, *high;
  size_t n;
} lines;

static void take_lines(const nas_replay_session *s, const nas_contender *c, bool test, double least, lines *out) {
  out->n = 0;
  for (size_t k = 0; k < s->n_moments; k++) {
    const nas_replay_quartiles *q = quartiles_of(&c->curve[k], test);
    if (!isfinite(q->high)) continue;
    out->x[out->n] = c->curve[k].x;
    out->low[out->n] = fmax(q->low, least);
    out->median[out->n] = fmax(q->median, least);
    out->high[out->n++] = fmax(q->high, least);
  }
}

/* Colours come again after some; the lines of the second round are dashed, those of the third dotted. */
enum { COLOURS = 6, DASHES = 3 };
static const char *dash_of(size_t k) {
  static const char *const dashes[DASHES] = {"none", "7 3", "2 2"};
  return dashes[k / COLOURS % DASHES];
}

static void add_panel(const nas_replay_session *s, bool test, lines *l, nas_str *out) {
  nas_plot plot = {.title = test ? "Test regret of the choice" : "Validation regret of the choice",
                   .x_label = s->curve_axis == NAS_REPLAY_SECONDS ? "simulated seconds" : "evaluations",
                   .y_label = "regret, percentage points",
                   .log_x = true,
                   .log_y = true};
  double least = floor_of(s, test);
  nas_plot_reset(&plot);
  for (size_t i = 0; i < s->n_contenders; i++) {
    take_lines(s, &s->contenders[i], test, least, l);
    for (size_t k = 0; k < l->n; k++) {
      nas_plot_hold(&plot, l->x[k], l->low[k]);
      nas_plot_hold(&plot, l->x[k], l->high[k]);
    }
  }
  nas_str_fmt(out, "<svg x='0' y='%d' width='%d' height='%d'>\n", test ? PANEL_HEIGHT : 0, PANEL_WIDTH, PANEL_HEIGHT);
  nas_plot_begin(&plot, out);
  for (size_t i = 0; i < s->n_contenders && s->n_contenders <= COLOURS; i++) { /* of more, nobody can tell them apart */
    take_lines(s, &s->contenders[i], test, least, l);
    nas_plot_band(&plot, out, l->x, l->low, l->high, l->n, nas_plot_colour(i));
  }
  for (size_t i = 0; i < s->n_contenders; i++) {
    take_lines(s, &s->contenders[i], test, least, l);
    nas_str_fmt(out, "<g stroke-dasharray='%s'>", dash_of(i));
    nas_plot_line(&plot, out, l->x, l->median, l->n, nas_plot_colour(i), true, NULL);
    nas_str_add(out, "</g>\n");
  }
  nas_plot_end(out);
  nas_str_add(out, "</svg>\n");
}

static void add_legend(const nas_replay_session *s, nas_str *out) {
  for (size_t i = 0; i < s->n_contenders; i++) {
    int y = 2 * PANEL_HEIGHT + LEGEND_LINE * ((int)i + 1);
    nas_str_fmt(out,
                "<line x1='62' x2='86' y1='%d' y2='%d' stroke='%s' stroke-width='3' stroke-dasharray='%s'/><text "
                "x='94' y='%d'>",
                y - 4, y - 4, nas_plot_colour(i), dash_of(i), y);
    nas_html_text(out, s->contenders[i].name);
    nas_str_add(out, "</text>\n");
  }
  nas_str_fmt(out, "<text x='62' y='%d'>%s of %lld runs</text>\n",
              2 * PANEL_HEIGHT + LEGEND_LINE * ((int)s->n_contenders + 1),
              s->n_contenders <= COLOURS ? "median and quartiles" : "median", (long long)s->runs);
}

nas_status nas_replay_svg(const nas_replay_session *s, const char *path, nas_err *err) {
  size_t n = s->n_moments + 1;
  int height = 2 * PANEL_HEIGHT + LEGEND_LINE * ((int)s->n_contenders + 2);
  double *numbers = calloc(4 * n, sizeof *numbers);
  if (!numbers) return nas_fail_memory(err, "a picture");
  lines l = {numbers, numbers + n, numbers + 2 * n, numbers + 3 * n, 0};
  nas_str out = {0};
  nas_str_fmt(&out,
              "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d' "
              "font-family='sans-serif' font-size='12'>\n<style>.grid{stroke:#e5e5e5}.frame{fill:none;stroke:#888}"
              ".title{font-weight:600;font-size:14px}</style>\n<rect width='100%%' height='100%%' fill='#fff'/>\n",
              PANEL_WIDTH, height, PANEL_WIDTH, height);
  add_panel(s, false, &l, &out);
  if (isfinite(s->recorded.table->best_test)) add_panel(s, true, &l, &out);
  add_legend(s, &out);
  nas_str_add(&out, "</svg>\n");
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_file_write_atomic(path, nas_str_text(&out), out.len, err);
  nas_str_free(&out);
  free(numbers);
  return status;
}
