/* nascent db correlate: do two figures order the cells alike? */
#include <math.h>
#include <stdlib.h>

#include "bench-db/rank.h"
#include "cli/db.h"
#include "cli/db_figure.h"

static void add_rank(nas_table *t, const char *name, const nas_ranks *all, const nas_rank *r, const nas_figure f[2]) {
  nas_table_cell(t, "%s", name);
  nas_table_cell(t, "%.6f", r->value);
  nas_table_cell(t, "%.6f", r->low);
  nas_table_cell(t, "%.6f", r->high);
  nas_table_cell(t, "%zu", all->n);
  for (int i = 0; i < 2; i++) nas_table_cell(t, "%s", f[i].text);
}

static int descending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x < y) - (x > y);
}

/* Leaves out (NaN) all but the `top` best by y. */
static nas_status keep_top(const double *y, size_t n, int64_t top, bool more, double **out, nas_err *err) {
  double *kept = malloc((n + 1) * sizeof *kept), *sorted = malloc((n + 1) * sizeof *sorted);
  size_t m = 0;
  *out = kept;
  if (!kept || !sorted) {
    free(sorted);
    return nas_fail_memory(err, "the best cells");
  }
  for (size_t i = 0; i < n; i++)
    if (!isnan(y[i])) sorted[m++] = more ? y[i] : -y[i];
  qsort(sorted, m, sizeof *sorted, descending);
  double least = m && (size_t)top <= m ? sorted[top - 1] : -INFINITY;
  for (size_t i = 0; i < n; i++) kept[i] = (more ? y[i] : -y[i]) >= least ? y[i] : (double)NAN;
  free(sorted);
  return NAS_OK;
}

static nas_status run(const nas_cli *cli, const nas_figure_defaults *d, int64_t top, int64_t resamples, nas_err *err) {
  static const char *const columns[] = {"correlation", "value", "low", "high", "cells", "a", "b"};
  nas_figure f[2];
  const double *values[2];
  nas_bench *b = NULL;
  nas_ranks ranks;
  double *kept = NULL;
  for (int i = 0; i < 2; i++) NAS_TRY(nas_figure_read(cli->args[1 + i], d, &f[i], err));
  NAS_TRY(nas_bench_open(cli->args[0], d->campaign, &b, err));
  nas_status status = NAS_OK;
  for (int i = 0; i < 2 && status == NAS_OK; i++) status = nas_figure_column(b, &f[i], &values[i], err);
  size_t n = nas_bench_cells(b);
  if (status == NAS_OK && top) status = keep_top(values[1], n, top, nas_db_more_is_better(f[1].metric), &kept, err);
  if (status == NAS_OK)
    status = nas_rank_correlate(values[0], kept ? kept : values[1], n, (size_t)resamples, 0, &ranks, err);
  nas_bench_close(b);
  free(kept);
  if (status != NAS_OK) return status;
  nas_table *t = nas_table_new("nascent.db-correlate", columns, "lrrrrll", 7);
  add_rank(t, "spearman", &ranks, &ranks.spearman, f);
  add_rank(t, "kendall", &ranks, &ranks.kendall, f);
  add_rank(t, "pearson", &ranks, &ranks.pearson, f);
  return nas_table_print(t, cli, err);
}

nas_status nas_db_correlate_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  nas_figure_defaults d = {0};
  int64_t top = 0, resamples = 1000;
  const nas_flag flags[] = {NAS_FIGURE_FLAGS(d),
                            {"top", 'n', NAS_FLAG_INT, &top, "K", "only the K best cells by B (and ties)"},
                            {"resamples", 0, NAS_FLAG_INT, &resamples, "N", "of the bootstrap (default 1000; 0: none)"},
                            {0}};
  const nas_usage usage = {
      "FILE A B", 3, 3, flags,
      "Correlates two figures over the cells that have both: Spearman's rho, Kendall's tau-b (ties\n"
      "count as in its definition) and Pearson's r, each with a 95 % bootstrap interval. A figure is\n"
      "METRIC[,dataset=D][,epochs=E][,epoch=K][,seed=S|mean][,recipe=R]; the flags are the defaults of\n"
      "both, as in `db correlate nb201.db valid_accuracy,epochs=12 test_accuracy,epochs=200 -d cifar10-valid`."};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  if (top < 0 || resamples < 0 || resamples > 1000000)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "--top and --resamples are whole numbers from 0 on");
  return run(cli, &d, top, resamples, err);
}
