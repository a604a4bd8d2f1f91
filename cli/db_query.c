/* nascent db query, curve: one architecture, one trial. */
#include <stdio.h>
#include <string.h>

#include "cli/db.h"

/* ---- query ---- */

static void add_value(nas_str *out, const char *label, const nas_rows *rows, const char *column) {
  const nas_value *v = nas_rows_at(rows, 0, column);
  if (!v || v->kind == NAS_VALUE_NULL) return;
  nas_str_fmt(out, "%-12s", label);
  nas_value_text(v, out);
  nas_str_add(out, "\n");
}

static void add_heading(const nas_db_arch_report *r, nas_str *out) {
  static const char *const columns[] = {"space", "arch", "index", "canonical", "class"};
  for (int i = 0; i < 5; i++) add_value(out, columns[i], &r->architectures, columns[i]);
  if (r->architectures.n > 1) nas_str_fmt(out, "%-12s%zu more in this table\n", "equal", r->architectures.n - 1);
}

static nas_status print_part(const nas_cli *cli, const char *title, const nas_rows *rows, const char *const *columns,
                             nas_err *err) {
  if (rows->n == 0) return NAS_OK;
  NAS_TRY(nas_cli_print(title, err));
  return nas_db_print_people(cli, rows, columns, err);
}

static nas_status query_people(const nas_cli *cli, const nas_db_arch_report *r, nas_err *err) {
  static const char *const means[] = {"arch",
                                      "dataset",
                                      "recipe",
                                      "epochs",
                                      "mean_of",
                                      "seeds",
                                      "valid_accuracy_mean",
                                      "valid_accuracy_std",
                                      "test_accuracy_mean",
                                      "test_accuracy_std",
                                      "seconds_mean",
                                      "params",
                                      "macs",
                                      NULL};
  static const char *const trials[] = {
      "trial",         "dataset",    "recipe",  "seed",   "epochs", "train_accuracy", "valid_accuracy", "valid_split",
      "test_accuracy", "test_split", "seconds", "params", "macs",   "outcome",        "cause",          NULL};
  static const char *const epochs[] = {"trial",      "seed",           "epoch",     "train_loss",    "train_accuracy",
                                       "valid_loss", "valid_accuracy", "test_loss", "test_accuracy", "seconds",
                                       NULL};
  nas_str out = {0};
  add_heading(r, &out);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  bool several = r->means.n > 1;
  if (status == NAS_OK)
    status = print_part(cli, "\nmean and standard deviation over seeds\n", &r->means, several ? means : means + 1, err);
  if (status == NAS_OK) status = print_part(cli, "\neach trial\n", &r->trials, trials, err);
  if (status == NAS_OK) status = print_part(cli, "\neach epoch\n", &r->epochs, epochs, err);
  return status;
}

static nas_status query_json(const nas_db_arch_report *r, nas_err *err) {
  nas_str out = {0};
  nas_str_add(&out, "{\"schema\": \"nascent.db-query\", \"architectures\": ");
  nas_db_json_rows(&r->architectures, &out);
  nas_str_add(&out, ",\n\"means\": ");
  nas_db_json_rows(&r->means, &out);
  nas_str_add(&out, ",\n\"rows\": ");
  nas_db_json_rows(&r->trials, &out);
  nas_str_add(&out, ",\n\"epochs\": ");
  nas_db_json_rows(&r->epochs, &out);
  nas_str_add(&out, "}\n");
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

static nas_status query_print(const nas_cli *cli, const nas_db_arch_query *q, const nas_db_arch_report *r,
                              nas_err *err) {
  if (cli->json && !cli->json_lines) return query_json(r, err);
  if (!cli->json && !cli->csv) return query_people(cli, r, err);
  return nas_db_print(cli, "nascent.db-query", q->epochs ? &r->epochs : &r->trials, NULL, err);
}

nas_status nas_db_query_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  nas_db_arch_query q = {.index = -1};
  int64_t seed = -1;
  const nas_flag flags[] = {
      {"arch", 'a', NAS_FLAG_TEXT, &q.arch, "ARCH", "the architecture in its space's grammar"},
      {"index", 'i', NAS_FLAG_INT, &q.index, "I", "its published index"},
      {"hash", 0, NAS_FLAG_TEXT, &q.hash, "H", "its canonical form"},
      {"dataset", 'd', NAS_FLAG_TEXT, &q.dataset, "NAME", "only trials on this data set"},
      {"seed", 0, NAS_FLAG_INT, &seed, "S", "only trials with this seed"},
      {"epochs", 'e', NAS_FLAG_INT, &q.run_epochs, "E", "only runs of so many epochs"},
      {"mean", 0, NAS_FLAG_SWITCH, &q.mean, NULL, "only means over seeds, no single seeds"},
      {"curves", 0, NAS_FLAG_SWITCH, &q.epochs, NULL, "list every epoch too (JSON always has them)"},
      {0}};
  const nas_usage usage = {
      "FILE", 1, 1, flags,
      "Shows every trial of an architecture, with the mean and the standard deviation over seeds.\n"
      "No seed is ever picked at random. CSV lists the trials, or with --curves their epochs."};
  bool done;
  nas_db *db;
  NAS_TRY(nas_db_verb_open(cli, argc, argv, &usage, &db, &done, err));
  if (done) return NAS_OK;
  if (seed >= 0 && q.mean) {
    nas_db_close(db);
    return nas_fail(err, NAS_E_USAGE, "--mean", "--mean and --seed exclude each other");
  }
  q.by_seed = seed >= 0;
  q.seed = (uint64_t)seed;
  bool listed = q.epochs;
  q.epochs = q.epochs || (cli->json && !cli->json_lines);
  nas_db_arch_report report;
  nas_status status = nas_db_arch(db, &q, &report, err);
  q.epochs = listed;
  if (status == NAS_OK) status = query_print(cli, &q, &report, err);
  nas_db_arch_report_free(&report);
  nas_db_close(db);
  return status;
}

/* ---- curve ---- */

static nas_status trial_curves(nas_db *db, const nas_cli *cli, nas_rows *rows, nas_err *err) {
  nas_status status = NAS_OK;
  for (int i = 1; i < cli->n_args && status == NAS_OK; i++) {
    nas_rows one = {0};
    int64_t trial;
    if (!nas_text_int(cli->args[i], &trial))
      return nas_fail(err, NAS_E_USAGE, NULL, "the trial '%s' is not a whole number", cli->args[i]);
    status = nas_db_curve(db, trial, &one, err);
    if (status == NAS_OK && one.n == 0 && !cli->quiet) fprintf(stderr, "trial %lld has no epochs\n", (long long)trial);
    nas_row_sink sink = nas_rows_sink(rows);
    if (status == NAS_OK && !rows->names)
      status = sink.names(sink.arg, one.n_columns, (const char *const *)one.names, err);
    for (size_t r = 0; r < one.n && status == NAS_OK; r++)
      status = sink.row(sink.arg, one.n_columns, one.values + r * (size_t)one.n_columns, err);
    nas_rows_free(&one);
  }
  return status;
}

static nas_status arch_curves(nas_db *db, nas_db_arch_query *q, nas_rows *rows, nas_err *err) {
  nas_db_arch_report report;
  q->epochs = true;
  nas_status status = nas_db_arch(db, q, &report, err);
  if (status == NAS_OK && report.epochs.n == 0)
    status = nas_fail(err, NAS_E_NOT_FOUND, NULL, "the table has no learning curves of that architecture and run");
  *rows = report.epochs;
  report.epochs = (nas_rows){0};
  nas_db_arch_report_free(&report);
  return status;
}

static nas_status check_metric(const nas_rows *rows, const char *metric, nas_err *err) {
  nas_guess guess = nas_guess_for(metric);
  for (int c = 0; c < rows->n_columns; c++) {
    if (strcmp(rows->names[c], metric) == 0) return NAS_OK;
    nas_guess_add(&guess, rows->names[c]);
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, "--metric", "curves have no '%s'%s", metric, nas_guess_text(&guess));
}

nas_status nas_db_curve_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const char *const people[] = {"trial",      "dataset",        "seed",       "epoch",
                                       "train_loss", "train_accuracy", "valid_loss", "valid_accuracy",
                                       "test_loss",  "test_accuracy",  "seconds",    NULL};
  nas_db_arch_query q = {.index = -1};
  int64_t seed = -1;
  const char *svg = NULL, *metric = "valid_accuracy";
  const nas_flag flags[] = {{"arch", 'a', NAS_FLAG_TEXT, &q.arch, "ARCH", "curves of this architecture"},
                            {"index", 'i', NAS_FLAG_INT, &q.index, "I", "the same by its published index"},
                            {"hash", 0, NAS_FLAG_TEXT, &q.hash, "H", "the same by its canonical form"},
                            {"dataset", 'd', NAS_FLAG_TEXT, &q.dataset, "NAME", "only on this data set"},
                            {"epochs", 'e', NAS_FLAG_INT, &q.run_epochs, "E", "only runs of so many epochs"},
                            {"seed", 0, NAS_FLAG_INT, &seed, "S", "only with this seed"},
                            {"svg", 0, NAS_FLAG_TEXT, &svg, "FILE", "draw the curves"},
                            {"metric", 'm', NAS_FLAG_TEXT, &metric, "NAME", "what is drawn (default valid_accuracy)"},
                            {0}};
  const nas_usage usage = {"FILE [TRIAL...]", 1, -1, flags,
                           "Every epoch of trials, named by their numbers or by an architecture."};
  bool done;
  nas_db *db;
  NAS_TRY(nas_db_verb_open(cli, argc, argv, &usage, &db, &done, err));
  if (done) return NAS_OK;
  nas_rows rows = {0};
  bool by_arch = q.arch || q.hash || q.index >= 0;
  q.by_seed = seed >= 0;
  q.seed = (uint64_t)seed;
  nas_status status = NAS_OK;
  if (by_arch == (cli->n_args > 1))
    status = nas_fail(err, NAS_E_USAGE, NULL,
                      "name trials by their numbers, or one architecture with --arch, --index "
                      "or --hash");
  if (status == NAS_OK) status = by_arch ? arch_curves(db, &q, &rows, err) : trial_curves(db, cli, &rows, err);
  if (status == NAS_OK && svg) status = check_metric(&rows, metric, err);
  if (status == NAS_OK && svg) status = nas_db_curve_svg(&rows, metric, svg, err);
  bool single = !by_arch && cli->n_args == 2;
  if (status == NAS_OK) status = nas_db_print(cli, "nascent.db-curve", &rows, single ? people + 3 : people, err);
  nas_rows_free(&rows);
  nas_db_close(db);
  return status;
}
