/* Pictures of a table: learning curves and Pareto fronts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/db.h"
#include "cli/plot.h"

enum { WIDTH = 620, HEIGHT = 340, LINE = 18 };

static void begin_page(nas_str *out, int lines) {
  int height = HEIGHT + LINE * lines;
  nas_str_fmt(out,
              "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d' "
              "font-family='sans-serif' font-size='12'>\n<style>.grid{stroke:#e5e5e5}.frame{fill:none;stroke:#888}"
              ".title{font-weight:600;font-size:14px}</style>\n<rect width='100%%' height='100%%' fill='#fff'/>\n"
              "<svg x='0' y='0' width='%d' height='%d'>\n",
              WIDTH, height, WIDTH, height, WIDTH, HEIGHT);
}

static nas_status end_page(nas_str *out, const char *path, nas_err *err) {
  nas_str_add(out, "</svg>\n");
  nas_status status = nas_str_check(out, err);
  if (status == NAS_OK) status = nas_file_write_atomic(path, nas_str_text(out), out->len, err);
  nas_str_free(out);
  return status;
}

static void add_legend(nas_str *out, int line, const char *colour, const char *text) {
  int y = HEIGHT + LINE * line + 12;
  nas_str_fmt(out, "<line x1='62' x2='86' y1='%d' y2='%d' stroke='%s' stroke-width='3'/><text x='94' y='%d'>", y - 4,
              y - 4, colour, y);
  nas_html_text(out, text);
  nas_str_add(out, "</text>\n");
}

static double number_at(const nas_rows *rows, size_t row, const char *column) {
  const nas_value *v = nas_rows_at(rows, row, column);
  return v && v->kind != NAS_VALUE_NULL && v->kind != NAS_VALUE_TEXT ? v->real : (double)NAN;
}

/* ---- curves ---- */

/* What fits the width of the picture: a cell by its index where it has one. */
static void add_name(const nas_rows *rows, size_t row, nas_str *out) {
  enum { ARCH_SHOWN = 40 };
  const nas_value *dataset = nas_rows_at(rows, row, "dataset"), *arch = nas_rows_at(rows, row, "arch");
  const nas_value *seed = nas_rows_at(rows, row, "seed");
  double index = number_at(rows, row, "index");
  nas_str_fmt(out, "trial %.0f", number_at(rows, row, "trial"));
  if (dataset && dataset->text) nas_str_fmt(out, ", %s", dataset->text);
  if (seed && seed->kind == NAS_VALUE_NULL) nas_str_add(out, ", published mean");
  else if (seed) nas_str_fmt(out, ", seed %lld", (long long)seed->integer);
  if (isfinite(index)) nas_str_fmt(out, ", cell %.0f", index);
  else if (arch && arch->text)
    nas_str_fmt(out, ", %.*s%s", ARCH_SHOWN, arch->text, strlen(arch->text) > ARCH_SHOWN ? "..." : "");
}

/* One line for each trial: rows come trial by trial. */
nas_status nas_db_curve_svg(const nas_rows *rows, const char *metric, const char *path, nas_err *err) {
  char unit[96];
  nas_text_put(unit, sizeof unit, "%s%s", metric, strstr(metric, "accuracy") ? ", percent" : "");
  nas_plot plot = {.title = "Learning curves", .x_label = "epoch", .y_label = unit, .whole_x = true};
  size_t n = rows->n, trials = 0;
  double *x = malloc((n + 1) * sizeof *x), *y = malloc((n + 1) * sizeof *y);
  if (!x || !y) {
    free(x);
    free(y);
    return nas_fail_memory(err, "a picture");
  }
  nas_plot_reset(&plot);
  for (size_t i = 0; i < n; i++) {
    x[i] = number_at(rows, i, "epoch");
    y[i] = number_at(rows, i, metric);
    nas_plot_hold(&plot, x[i], y[i]);
    trials += i == 0 || number_at(rows, i, "trial") != number_at(rows, i - 1, "trial");
  }
  nas_str out = {0}, legend = {0};
  begin_page(&out, (int)trials + 1);
  nas_plot_begin(&plot, &out);
  trials = 0;
  for (size_t i = 0, end; i < n; i = end) {
    for (end = i; end < n && number_at(rows, end, "trial") == number_at(rows, i, "trial"); end++) {
    }
    nas_str name = {0};
    add_name(rows, i, &name);
    nas_plot_line(&plot, &out, x + i, y + i, end - i, nas_plot_colour(trials), false, NULL);
    add_legend(&legend, (int)trials, nas_plot_colour(trials), nas_str_text(&name));
    nas_str_free(&name);
    trials++;
  }
  nas_plot_end(&out);
  nas_str_add(&out, "</svg>\n");
  nas_str_add(&out, nas_str_text(&legend));
  nas_str_free(&legend);
  free(x);
  free(y);
  return end_page(&out, path, err);
}

/* ---- fronts ---- */

nas_status nas_db_front_svg(const char *metrics, const nas_rows *rows, const char *path, nas_err *err) {
  char words[256], *rest = NULL;
  nas_text_put(words, sizeof words, "%s", metrics);
  const char *first = strtok_r(words, ", ", &rest), *second = strtok_r(NULL, ", ", &rest);
  bool two = !strtok_r(NULL, ", ", &rest);
  nas_plot plot = {.title = "Pareto front", .x_label = second, .y_label = first};
  double *x = malloc((rows->n + 1) * sizeof *x), *y = malloc((rows->n + 1) * sizeof *y);
  if (!x || !y) {
    free(x);
    free(y);
    return nas_fail_memory(err, "a picture");
  }
  nas_plot_reset(&plot);
  /* The best that is to be had at a price: rows come the best first figure, and so the worst second one, first. */
  for (size_t i = 0; i < rows->n; i++) {
    size_t row = rows->n - 1 - i;
    x[i] = number_at(rows, row, second);
    y[i] = number_at(rows, row, first);
    nas_plot_hold(&plot, x[i], y[i]);
  }
  nas_str out = {0};
  begin_page(&out, 0);
  nas_plot_begin(&plot, &out);
  if (two) nas_plot_line(&plot, &out, x, y, rows->n, nas_plot_colour(0), true, NULL);
  for (size_t i = 0; i < rows->n; i++) {
    const nas_value *arch = nas_rows_at(rows, rows->n - 1 - i, "arch");
    nas_plot_point(&plot, &out, x[i], y[i], nas_plot_colour(1), arch && arch->text ? arch->text : "");
  }
  nas_plot_end(&out);
  nas_str_add(&out, "</svg>\n");
  free(x);
  free(y);
  return end_page(&out, path, err);
}
