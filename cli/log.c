/* nascent log: what happened to one trial: its end and cause, events, what its strategy said, lines of the ranks' logs.
 */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/db.h"

enum { LINE_MAX_BYTES = 1 << 16 };

typedef struct trial_log {
  nas_rows trial, events, messages;
  json_t *lines; /* of the ranks' logs */
} trial_log;

static void free_log(trial_log *l) {
  nas_rows_free(&l->trial);
  nas_rows_free(&l->events);
  nas_rows_free(&l->messages);
  json_decref(l->lines);
}

/* ---- the table ---- */

static nas_status ask(nas_db *db, nas_rows *out, nas_err *err, const char *sql, int64_t trial) {
  nas_str text = {0};
  const char *mark = strchr(sql, '?');
  nas_str_add_n(&text, sql, (size_t)(mark - sql));
  nas_str_fmt(&text, "%lld%s", (long long)trial, mark + 1);
  nas_status status = nas_str_check(&text, err);
  if (status == NAS_OK) status = nas_db_sql(db, nas_str_text(&text), nas_rows_sink(out), err);
  nas_str_free(&text);
  return status;
}

static nas_status read_table(nas_db *db, const char *path, int64_t trial, trial_log *l, nas_err *err) {
  NAS_TRY(ask(db, &l->trial, err,
              "SELECT trial, campaign, number, arch, dataset, recipe, seed, attempt, worker, outcome, cause, epochs,"
              " train_loss, valid_accuracy, seconds, peak_bytes FROM result WHERE trial = ?",
              trial));
  if (!l->trial.n)
    return nas_fail(err, NAS_E_NOT_FOUND, path,
                    "no trial %lld; `nascent db sql %s 'select trial, outcome, arch from "
                    "result'` lists them",
                    (long long)trial, path);
  NAS_TRY(ask(db, &l->events, err, "SELECT time, kind, worker, text FROM event WHERE trial = ? ORDER BY id", trial));
  return ask(db, &l->messages, err,
             "SELECT m.kind, m.tokens, m.seconds, m.text FROM message m JOIN trial t ON t.campaign = m.campaign AND"
             " t.number = m.number WHERE t.id = ? ORDER BY m.part",
             trial);
}

/* While a campaign writes the table, its copy for readers serves. */
static nas_status open_table(const nas_cli *cli, const char *path, nas_db **db, nas_err *err) {
  char copy[1024];
  nas_status status = nas_db_open(path, NAS_DB_READ, db, err);
  if (status != NAS_E_DB_BUSY || !nas_text_put(copy, sizeof copy, "%s.snapshot", path) || !nas_file_exists(copy))
    return status;
  if (!cli->quiet) fprintf(stderr, "nascent: %s is being written; this is from its copy %s\n", path, copy);
  return nas_db_open(copy, NAS_DB_READ, db, err);
}

/* ---- the logs of the ranks ---- */

static void keep_lines_of(const char *path, int64_t trial, json_t *out) {
  static char line[LINE_MAX_BYTES];
  FILE *f = fopen(path, "r");
  while (f && fgets(line, sizeof line, f)) {
    json_t *o = json_loads(line, 0, NULL); /* a line that was cut when its process died is none */
    if (o && json_integer_value(json_object_get(o, "trial")) == trial) json_array_append(out, o);
    json_decref(o);
  }
  if (f) fclose(f);
}

static int by_time(const void *a, const void *b) {
  const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
  double s = json_number_value(json_object_get(x, "time")), t = json_number_value(json_object_get(y, "time"));
  return (s > t) - (s < t);
}

static nas_status read_logs(const char *folder, int64_t trial, trial_log *l, nas_err *err) {
  char path[1024];
  DIR *d = opendir(folder);
  if (!d) return nas_fail(err, NAS_E_NOT_FOUND, folder, "no such folder of logs (the campaign's run.log)");
  json_t *all = json_array();
  for (struct dirent *e; all && (e = readdir(d));)
    if (strstr(e->d_name, ".jsonl") && nas_text_put(path, sizeof path, "%s/%s", folder, e->d_name))
      keep_lines_of(path, trial, all);
  closedir(d);
  size_t n = json_array_size(all);
  json_t **order = calloc(n + 1, sizeof(*order));
  l->lines = json_array();
  for (size_t i = 0; order && i < n; i++) order[i] = json_array_get(all, i);
  if (order) qsort(order, n, sizeof(*order), by_time);
  for (size_t i = 0; order && i < n; i++) json_array_append(l->lines, order[i]);
  json_decref(all);
  bool whole = order && l->lines && json_array_size(l->lines) == n;
  free(order);
  return whole ? NAS_OK : nas_fail_memory(err, "the lines of the logs");
}

/* ---- printing ---- */

static nas_status print_facts(const trial_log *l, nas_err *err) {
  nas_str out = {0};
  for (int i = 0; i < l->trial.n_columns; i++) {
    const nas_value *v = &l->trial.values[i];
    if (v->kind == NAS_VALUE_NULL) continue;
    nas_str_fmt(&out, "%-16s", l->trial.names[i]);
    nas_value_text(v, &out);
    nas_str_add(&out, "\n");
  }
  const nas_value *outcome = nas_rows_at(&l->trial, 0, "outcome");
  if (!outcome || outcome->kind == NAS_VALUE_NULL) nas_str_add(&out, "outcome         not finished\n");
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

static nas_status print_part(const nas_cli *cli, const char *title, const nas_rows *rows, nas_err *err) {
  if (!rows->n) return NAS_OK;
  NAS_TRY(nas_cli_print(title, err));
  return nas_db_print_people(cli, rows, NULL, err);
}

static nas_status print_lines(const nas_cli *cli, const trial_log *l, nas_err *err) {
  static const char *const columns[] = {"time", "rank", "kind", "text"};
  size_t n = json_array_size(l->lines);
  if (!n) return NAS_OK;
  NAS_TRY(nas_cli_print("\nlogs of the ranks\n", err));
  nas_table *t = nas_table_new("nascent.log", columns, "rrll", 4);
  for (size_t i = 0; i < n; i++) {
    const json_t *o = json_array_get(l->lines, i);
    const char *kind = json_string_value(json_object_get(o, "kind")),
               *text = json_string_value(json_object_get(o, "text"));
    nas_table_cell(t, "%.3f", json_number_value(json_object_get(o, "time")));
    nas_table_cell(t, "%lld", (long long)json_integer_value(json_object_get(o, "rank")));
    nas_table_cell(t, "%s", kind ? kind : "");
    nas_table_cell(t, "%s", text ? text : "");
  }
  return nas_table_print(t, cli, err);
}

static nas_status print_people(const nas_cli *cli, const trial_log *l, nas_err *err) {
  NAS_TRY(print_facts(l, err));
  NAS_TRY(print_part(cli, "\nevents\n", &l->events, err));
  NAS_TRY(print_part(cli, "\nmessages of the strategy\n", &l->messages, err));
  return print_lines(cli, l, err);
}

static nas_status print_json(const trial_log *l, nas_err *err) {
  nas_str out = {0};
  nas_str_add(&out, "{\"schema\": \"nascent.log\", \"rows\": ");
  nas_db_json_rows(&l->trial, &out);
  nas_str_add(&out, ",\n\"events\": ");
  nas_db_json_rows(&l->events, &out);
  nas_str_add(&out, ",\n\"messages\": ");
  nas_db_json_rows(&l->messages, &out);
  char *lines = l->lines ? json_dumps(l->lines, JSON_COMPACT) : NULL;
  nas_str_fmt(&out, ",\n\"lines\": ");
  nas_str_add(&out, lines ? lines : "[]");
  nas_str_add(&out, "}\n");
  free(lines);
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

/* ---- the command ---- */

nas_status nas_cmd_log(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *logs = NULL;
  bool done;
  int64_t trial;
  nas_db *db;
  trial_log l = {0};
  const nas_flag flags[] = {
      {"logs", 0, NAS_FLAG_TEXT, &logs, "FOLDER", "also lines of the ranks' logs (the campaign's run.log)"}, {0}};
  const nas_usage usage = {
      "DB TRIAL", 2, 2, flags,
      "What is known of one trial: how it ended and why, losses and second attempts, what its strategy\n"
      "said about it. A table that is being written is read through its copy, DB.snapshot."};
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  if (!nas_text_int(cli->args[1], &trial) || trial <= 0)
    return nas_fail(err, NAS_E_USAGE, NULL, "a trial is a number from 1, not '%s'", cli->args[1]);
  NAS_TRY(open_table(cli, cli->args[0], &db, err));
  nas_status status = read_table(db, cli->args[0], trial, &l, err);
  nas_db_close(db);
  if (status == NAS_OK && logs) status = read_logs(logs, trial, &l, err);
  if (status == NAS_OK) status = cli->json ? print_json(&l, err) : print_people(cli, &l, err);
  free_log(&l);
  return status;
}
