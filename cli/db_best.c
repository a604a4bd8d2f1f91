/* nascent db best: the leaderboard. */
#include <stdio.h>
#include <string.h>

#include "cli/db.h"

static nas_status print_best(const nas_cli *cli, const nas_db_best_query *q, const char *pareto, const nas_rows *rows,
                             nas_err *err) {
  static const char *const usual[] = {"valid_accuracy", "test_accuracy", "params", "macs",  "seconds",
                                      "epochs",         "seed",          "index",  "trial", NULL};
  const char *columns[24] = {"place"};
  int n = 1;
  char front[256] = "", *rest = NULL;
  if (pareto) nas_text_put(front, sizeof front, "%s", pareto);
  for (char *w = strtok_r(front, ", ", &rest); w && n < 8; w = strtok_r(NULL, ", ", &rest)) {
    bool common = false;
    for (int i = 0; usual[i]; i++) common = common || strcmp(usual[i], w) == 0;
    if (!common) columns[n++] = w;
  }
  bool shown = false;
  for (int i = 0; usual[i]; i++) shown = shown || strcmp(usual[i], q->metric) == 0;
  if (!shown && !pareto) {
    columns[n++] = q->metric;
    columns[n++] = "metric"; /* where the metric is no column of its own */
  }
  for (int i = 0; usual[i]; i++) columns[n++] = usual[i];
  columns[n++] = "arch";
  return nas_db_print(cli, "nascent.db-best", rows, columns, err);
}

static void add_notes(const nas_cli *cli, const nas_db_best_query *q, const nas_rows *rows) {
  if (cli->quiet) return;
  if (strncmp(q->metric, "test_", 5) == 0)
    fprintf(stderr, "note: ordered by a test figure; choose architectures by a validation figure\n");
  if (rows->n == 0) fprintf(stderr, "no trial with outcome ok matches\n");
}

nas_status nas_db_best_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  nas_db_best_query q = {.metric = "valid_accuracy", .top = 10};
  const char *pareto = NULL, *svg = NULL;
  const nas_flag flags[] = {
      {"metric", 'm', NAS_FLAG_TEXT, &q.metric, "NAME", "figure to order by (default valid_accuracy)"},
      {"where", 'w', NAS_FLAG_TEXT, &q.where, "EXPR", "only trials of which this SQL expression is true"},
      {"top", 'n', NAS_FLAG_INT, &q.top, "K", "at most so many rows; 0: all (default 10)"},
      {"pareto", 0, NAS_FLAG_TEXT, &pareto, "A,B,...", "the Pareto front of these figures instead of a list"},
      {"svg", 0, NAS_FLAG_TEXT, &svg, "FILE", "draw the front: its first figure over the second"},
      {"dataset", 0, NAS_FLAG_TEXT, &q.dataset, "NAME", "only trials on this data set"},
      {"campaign", 0, NAS_FLAG_INT, &q.campaign, "N", "only trials of this campaign"},
      {0}};
  const nas_usage usage = {
      "FILE", 1, 1, flags,
      "Lists finished trials, the best first: the largest accuracy, or the smallest loss, time or\n"
      "size. Figures are those of a trial's last epoch. The figure is a column of the view `result`\n"
      "or a name in the table `metric`. EXPR is over the columns of `result`, such as\n"
      "\"params < 5e5 AND epochs = 12\". With --pareto: the trials of which none other is at least as\n"
      "good in every figure and better in one; accuracies are better when large, the rest when small."};
  bool done;
  nas_db *db;
  NAS_TRY(nas_db_verb_open(cli, argc, argv, &usage, &db, &done, err));
  if (done) return NAS_OK;
  nas_rows rows = {0};
  if (svg && !pareto) {
    nas_db_close(db);
    return nas_fail(err, NAS_E_USAGE, "--svg", "what is drawn is a front: name its figures with --pareto");
  }
  nas_status status = pareto ? nas_db_front(db, pareto, &q, &rows, err) : nas_db_best(db, &q, &rows, err);
  if (status == NAS_OK && svg) status = nas_db_front_svg(pareto, &rows, svg, err);
  if (status == NAS_OK) add_notes(cli, &q, &rows);
  if (status == NAS_OK) status = print_best(cli, &q, pareto, &rows, err);
  nas_rows_free(&rows);
  nas_db_close(db);
  return status;
}
