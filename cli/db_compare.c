/* nascent db compare: two architectures of a table, or two tables. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench-db/rank.h"
#include "cli/db.h"
#include "cli/db_figure.h"

static const char *const metrics[] = {"train_loss",     "train_accuracy", "valid_loss",
                                      "valid_accuracy", "test_loss",      "test_accuracy",
                                      "seconds",        "params",         "macs"};
enum { METRICS = sizeof metrics / sizeof *metrics };

/* The split that a figure is from. */
static const char *split_of(const nas_bench_slice *s, const char *metric) {
  if (strncmp(metric, "train_", 6) == 0) return s->splits[0];
  if (strncmp(metric, "valid_", 6) == 0) return s->splits[1];
  return strncmp(metric, "test_", 5) == 0 ? s->splits[2] : "";
}

/* The next run, seeds aside; slices come ordered by data set and epochs. */
static bool same_run(const nas_bench_slice *a, const nas_bench_slice *b) {
  return strcmp(a->dataset, b->dataset) == 0 && strcmp(a->recipe, b->recipe) == 0 && a->epochs == b->epochs;
}

static bool wanted(const nas_bench_slice *s, size_t i, const nas_figure_defaults *d) {
  for (size_t k = i; k-- > 0;)
    if (same_run(&s[k], &s[i])) return false;
  size_t n = d->dataset ? strlen(d->dataset) : 0;
  bool named =
      !d->dataset || (strncmp(s[i].dataset, d->dataset, n) == 0 && (s[i].dataset[n] == '\0' || s[i].dataset[n] == '@'));
  return named && (!d->epochs || s[i].epochs == d->epochs);
}

static nas_bench_where where_of(const nas_bench_slice *s) {
  return (nas_bench_where){.dataset = s->dataset, .recipe = s->recipe, .epochs = s->epochs, .seed = NAS_BENCH_MEAN};
}

/* ---- two architectures ---- */

static nas_status find_cell(nas_bench *b, const char *text, size_t *cell, nas_err *err) {
  nas_arch genes;
  if (nas_bench_find_text(b, text, cell)) return NAS_OK;
  if (nas_bench_space(b) && nas_space_parse(nas_bench_space(b), text, &genes, NULL) == NAS_OK &&
      nas_bench_find_arch(b, &genes, cell))
    return NAS_OK;
  return nas_bench_find(b, text, cell, err);
}

static void say_difference(const nas_cli *cli, nas_bench *b, size_t x, size_t y) {
  const nas_bench_cell *a = nas_bench_cell_at(b, x), *c = nas_bench_cell_at(b, y);
  const nas_space *space = nas_bench_space(b);
  if (cli->quiet) return;
  fprintf(stderr, "a  %s\nb  %s\n", a->arch, c->arch);
  if (strcmp(a->canonical, c->canonical) == 0) fputs("the same network\n", stderr);
  for (uint8_t g = 0; space && g < a->genes.n; g++) {
    uint8_t from, to;
    if (a->genes.gene[g] == c->genes.gene[g]) continue;
    const char *one = nas_space_choice_name(space, g, a->genes.gene[g]);
    const char *other = nas_space_choice_name(space, g, c->genes.gene[g]);
    if (nas_space_edge(space, g, &from, &to)) fprintf(stderr, "edge %d-%d: %s, %s\n", from, to, one, other);
    else fprintf(stderr, "position %d: %s, %s\n", g, one, other);
  }
}

static nas_status compare_run(nas_bench *b, const nas_bench_slice *s, size_t x, size_t y, nas_table *t, nas_err *err) {
  const nas_bench_where mean = where_of(s);
  nas_bench_where deviation = mean;
  deviation.seed = NAS_BENCH_STD;
  for (int k = 0; k < METRICS; k++) {
    const double *v, *std;
    NAS_TRY(nas_bench_column(b, metrics[k], &mean, &v, err));
    NAS_TRY(nas_bench_column(b, metrics[k], &deviation, &std, err));
    if (isnan(v[x]) && isnan(v[y])) continue;
    nas_table_cell(t, "%s", s->dataset);
    nas_table_cell(t, "%s", s->recipe);
    nas_table_cell(t, "%lld", (long long)s->epochs);
    nas_table_cell(t, "%s", metrics[k]);
    nas_table_cell(t, "%s", split_of(s, metrics[k]));
    const double cells[] = {v[x], std[x], v[y], std[y], v[x] - v[y]};
    for (int i = 0; i < 5; i++) nas_table_cell(t, "%.10g", cells[i]);
  }
  return NAS_OK;
}

static nas_status compare_cells(const nas_cli *cli, const nas_figure_defaults *d, nas_err *err) {
  static const char *const columns[] = {"dataset", "recipe", "epochs", "figure", "split",
                                        "a",       "a_std",  "b",      "b_std",  "difference"};
  nas_bench *b;
  const nas_bench_slice *slices;
  size_t x = 0, y = 0, n = 0;
  NAS_TRY(nas_bench_open(cli->args[0], d->campaign, &b, err));
  nas_table *t = nas_table_new("nascent.db-compare", columns, "llrllrrrrr", 10);
  nas_status status = find_cell(b, cli->args[1], &x, err);
  if (status == NAS_OK) status = find_cell(b, cli->args[2], &y, err);
  if (status == NAS_OK) status = nas_bench_slices(b, &slices, &n, err);
  for (size_t i = 0; i < n && status == NAS_OK; i++)
    if (wanted(slices, i, d)) status = compare_run(b, &slices[i], x, y, t, err);
  if (status == NAS_OK) say_difference(cli, b, x, y);
  if (status == NAS_OK) status = nas_table_print(t, cli, err);
  else nas_table_free(t);
  nas_bench_close(b);
  return status;
}

/* ---- two tables ---- */

typedef struct common {
  size_t *x, *y, n; /* cells of both tables, by their texts */
  double *a, *b;
} common;

static nas_status match(nas_bench *one, nas_bench *other, common *c, nas_err *err) {
  size_t n = nas_bench_cells(one), y;
  *c = (common){calloc(n + 1, sizeof *c->x), calloc(n + 1, sizeof *c->y), 0, calloc(n + 1, sizeof *c->a),
                calloc(n + 1, sizeof *c->b)};
  if (!c->x || !c->y || !c->a || !c->b) return nas_fail_memory(err, "the common cells");
  for (size_t x = 0; x < n; x++) {
    if (!nas_bench_find_text(other, nas_bench_cell_at(one, x)->arch, &y)) continue;
    c->x[c->n] = x;
    c->y[c->n++] = y;
  }
  return NAS_OK;
}

static nas_status compare_metric(nas_bench *one, nas_bench *other, const nas_bench_where *where, const char *metric,
                                 const char *split, common *c, nas_table *t, nas_err *err) {
  const double *a, *b;
  double sum = 0, largest = 0;
  size_t n = 0;
  nas_ranks ranks;
  NAS_TRY(nas_bench_column(one, metric, where, &a, err));
  NAS_TRY(nas_bench_column(other, metric, where, &b, err));
  for (size_t i = 0; i < c->n; i++) {
    c->a[i] = a[c->x[i]];
    c->b[i] = b[c->y[i]];
    if (isnan(c->a[i]) || isnan(c->b[i])) continue;
    sum += c->a[i] - c->b[i];
    largest = fmax(largest, fabs(c->a[i] - c->b[i]));
    n++;
  }
  if (!n) return NAS_OK;
  NAS_TRY(nas_rank_correlate(c->a, c->b, c->n, 0, 0, &ranks, err));
  nas_table_cell(t, "%s", where->dataset);
  nas_table_cell(t, "%s", where->recipe);
  nas_table_cell(t, "%lld", (long long)where->epochs);
  nas_table_cell(t, "%s", metric);
  nas_table_cell(t, "%s", split);
  nas_table_cell(t, "%zu", n);
  nas_table_cell(t, "%.10g", sum / (double)n);
  nas_table_cell(t, "%.10g", largest);
  nas_table_cell(t, "%.6f", ranks.spearman.value);
  nas_table_cell(t, "%.6f", ranks.kendall.value);
  return NAS_OK;
}

static nas_status compare_slices(nas_bench *one, nas_bench *other, const nas_figure_defaults *d, common *c,
                                 nas_table *t, nas_err *err) {
  const nas_bench_slice *a, *b;
  size_t n, m;
  NAS_TRY(nas_bench_slices(one, &a, &n, err));
  NAS_TRY(nas_bench_slices(other, &b, &m, err));
  for (size_t i = 0; i < n; i++) {
    bool both = false;
    for (size_t k = 0; k < m; k++) both = both || same_run(&a[i], &b[k]);
    if (!both || !wanted(a, i, d)) continue;
    const nas_bench_where where = where_of(&a[i]);
    for (int k = 0; k < METRICS; k++)
      NAS_TRY(compare_metric(one, other, &where, metrics[k], split_of(&a[i], metrics[k]), c, t, err));
  }
  return NAS_OK;
}

static nas_status compare_tables(const nas_cli *cli, const nas_figure_defaults *d, nas_err *err) {
  static const char *const columns[] = {"dataset", "recipe",          "epochs",         "figure",   "split",
                                        "cells",   "mean_difference", "max_difference", "spearman", "kendall"};
  nas_bench *one, *other = NULL;
  common c = {0};
  NAS_TRY(nas_bench_open(cli->args[0], d->campaign, &one, err));
  nas_table *t = nas_table_new("nascent.db-compare", columns, "llrllrrrrr", 10);
  nas_status status = nas_bench_open(cli->args[1], d->campaign, &other, err);
  if (status == NAS_OK) status = match(one, other, &c, err);
  if (status == NAS_OK) status = compare_slices(one, other, d, &c, t, err);
  if (status == NAS_OK && !cli->quiet)
    fprintf(stderr, "%zu architectures in both, %zu only in %s, %zu only in %s\n", c.n, nas_bench_cells(one) - c.n,
            cli->args[0], nas_bench_cells(other) - c.n, cli->args[1]);
  if (status == NAS_OK) status = nas_table_print(t, cli, err);
  else nas_table_free(t);
  free(c.x);
  free(c.y);
  free(c.a);
  free(c.b);
  nas_bench_close(one);
  nas_bench_close(other);
  return status;
}

nas_status nas_db_compare_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  nas_figure_defaults d = {0};
  const nas_flag flags[] = {
      {"dataset", 'd', NAS_FLAG_TEXT, &d.dataset, "NAME", "only this data set"},
      {"epochs", 'e', NAS_FLAG_INT, &d.epochs, "E", "only runs of so many epochs"},
      {"campaign", 0, NAS_FLAG_INT, &d.campaign, "N", "the space of this campaign (default: the only one)"},
      {0}};
  const nas_usage usage = {
      "FILE A B | FILE FILE", 2, 3, flags,
      "Two architectures of a table, by text or index: every figure of both (means over seeds, with\n"
      "standard deviations) and the difference a - b. Or two tables: how far the figures of the\n"
      "architectures in both agree, with the rank correlation of each run."};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  return cli->n_args == 3 ? compare_cells(cli, &d, err) : compare_tables(cli, &d, err);
}
