#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "bench-db/query.h"
#include "cli/status.h"

static const double silence_seconds = 15;
enum { HEARTBEAT_MAX = 64 << 20 };

/* ---- the heartbeat ---- */

static double real_at(const json_t *o, const char *key) {
  const json_t *v = json_object_get(o, key);
  return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static int64_t count_at(const json_t *o, const char *key) {
  return (int64_t)json_integer_value(json_object_get(o, key));
}

static void text_at(const json_t *o, const char *key, char *out, size_t size) {
  const char *text = json_string_value(json_object_get(o, key));
  nas_text_put(out, size, "%s", text ? text : "");
}

static void read_trial(const json_t *o, nas_status_trial *t) {
  *t = (nas_status_trial){.trial = count_at(o, "trial"),
                          .attempt = count_at(o, "attempt"),
                          .worker = count_at(o, "worker"),
                          .epoch = count_at(o, "epoch"),
                          .share = real_at(o, "share"),
                          .train_loss = real_at(o, "train_loss"),
                          .valid_accuracy = real_at(o, "valid_accuracy"),
                          .seconds = real_at(o, "seconds")};
  text_at(o, "arch", t->arch, sizeof t->arch);
}

static void read_worker(const json_t *o, double seconds, nas_status_worker *w) {
  double busy = real_at(o, "busy_seconds");
  *w = (nas_status_worker){.worker = count_at(o, "worker"),
                           .pid = count_at(o, "pid"),
                           .utilisation = seconds > 0 ? fmin(busy / seconds, 1) : 0};
  text_at(o, "host", w->host, sizeof w->host);
  text_at(o, "state", w->state, sizeof w->state);
}

static nas_status read_lists(const json_t *root, double seconds, nas_status_report *r, nas_err *err) {
  const json_t *running = json_object_get(root, "running"), *workers = json_object_get(root, "workers");
  r->n_running = json_array_size(running);
  r->n_workers = json_array_size(workers);
  r->running = calloc(r->n_running + 1, sizeof *r->running);
  r->workers = calloc(r->n_workers + 1, sizeof *r->workers);
  if (!r->running || !r->workers) return nas_fail_memory(err, "the state of a campaign");
  double busy = 0;
  for (size_t i = 0; i < r->n_running; i++) read_trial(json_array_get(running, i), &r->running[i]);
  for (size_t i = 0; i < r->n_workers; i++) {
    read_worker(json_array_get(workers, i), seconds, &r->workers[i]);
    busy += r->workers[i].utilisation;
  }
  r->utilisation = r->n_workers ? busy / (double)r->n_workers : 0;
  return NAS_OK;
}

static nas_status read_heartbeat(const json_t *root, nas_status_report *r, nas_err *err) {
  double seconds = real_at(root, "seconds");
  r->campaign = count_at(root, "campaign");
  r->pid = count_at(root, "pid");
  r->done = count_at(root, "done");
  r->failed = count_at(root, "failed");
  r->budget = count_at(root, "budget_trials");
  r->best = real_at(root, "best");
  text_at(root, "name", r->name, sizeof r->name);
  text_at(root, "state", r->state, sizeof r->state);
  text_at(root, "why", r->why, sizeof r->why);
  text_at(root, "best_arch", r->best_arch, sizeof r->best_arch);
  const json_t *outcomes = json_object_get(root, "outcomes");
  for (int i = 0; i < NAS_OUTCOME_COUNT; i++) r->outcomes[i] = count_at(outcomes, nas_outcome_text((nas_outcome)i));
  double fresh = (double)(r->done - count_at(root, "told_before"));
  r->rate = seconds > 0 ? fresh / seconds : (double)NAN;
  if (r->budget > 0 && r->rate > 0) r->eta = (double)(r->budget - r->done) / r->rate;
  return read_lists(root, seconds, r, err);
}

/* ---- the table ---- */

static nas_status ask(nas_db *db, const char *sql, nas_rows *rows, nas_err *err) {
  nas_rows_free(rows);
  *rows = (nas_rows){0};
  return nas_db_sql(db, sql, nas_rows_sink(rows), err);
}

static int64_t integer_of(const nas_rows *rows, size_t row, const char *column) {
  const nas_value *v = nas_rows_at(rows, row, column);
  return v && v->kind == NAS_VALUE_INTEGER ? v->integer : 0;
}

static const char *text_of(const nas_rows *rows, size_t row, const char *column) {
  const nas_value *v = nas_rows_at(rows, row, column);
  return v && v->kind == NAS_VALUE_TEXT ? v->text : "";
}

static nas_status read_outcomes(nas_db *db, nas_status_report *r, nas_rows *rows, nas_err *err) {
  NAS_TRY(ask(
      db, "SELECT outcome, count(*) AS n FROM trial WHERE campaign = (SELECT max(id) FROM campaign) GROUP BY outcome",
      rows, err));
  for (size_t i = 0; i < rows->n; i++) {
    int64_t n = integer_of(rows, i, "n");
    const char *outcome = text_of(rows, i, "outcome");
    if (!outcome[0]) r->unfinished = n;
    for (int k = 0; k < NAS_OUTCOME_COUNT; k++)
      if (strcmp(outcome, nas_outcome_text((nas_outcome)k)) == 0) {
        r->outcomes[k] = n;
        r->done += n;
        if (k != NAS_OUTCOME_OK) r->failed += n;
      }
  }
  return NAS_OK;
}

static nas_status read_best(nas_db *db, nas_status_report *r, nas_rows *rows, nas_err *err) {
  NAS_TRY(
      ask(db,
          "SELECT arch, valid_accuracy FROM result WHERE outcome = 'ok' AND valid_accuracy IS NOT NULL AND campaign ="
          " (SELECT max(id) FROM campaign) ORDER BY valid_accuracy DESC, trial LIMIT 1",
          rows, err));
  if (!rows->n) return NAS_OK;
  r->best = nas_rows_at(rows, 0, "valid_accuracy")->real;
  nas_text_put(r->best_arch, sizeof r->best_arch, "%s", text_of(rows, 0, "arch"));
  return NAS_OK;
}

static nas_status read_campaign(nas_db *db, const char *path, nas_status_report *r, nas_rows *rows, nas_err *err) {
  NAS_TRY(ask(db,
              "SELECT id, name, (SELECT kind FROM event WHERE campaign = c.id AND kind IN ('finished', 'preempted',"
              " 'begun', 'resumed') ORDER BY id DESC LIMIT 1) AS last FROM campaign c ORDER BY id DESC LIMIT 1",
              rows, err));
  if (!rows->n) return nas_fail(err, NAS_E_NOT_FOUND, path, "the table has no campaign yet");
  r->campaign = integer_of(rows, 0, "id");
  nas_text_put(r->name, sizeof r->name, "%s", text_of(rows, 0, "name"));
  const char *last = text_of(rows, 0, "last");
  bool ended = strcmp(last, "finished") == 0 || strcmp(last, "preempted") == 0;
  nas_text_put(r->state, sizeof r->state, "%s", ended ? last : last[0] ? "broken off" : "recorded");
  return NAS_OK;
}

static nas_status read_table(const char *path, nas_status_report *r, nas_err *err) {
  nas_db *db;
  nas_rows rows = {0};
  NAS_TRY(nas_db_open(path, NAS_DB_READ, &db, err));
  nas_status status = read_campaign(db, path, r, &rows, err);
  if (status == NAS_OK) status = read_outcomes(db, r, &rows, err);
  if (status == NAS_OK) status = read_best(db, r, &rows, err);
  nas_rows_free(&rows);
  nas_db_close(db);
  return status;
}

/* ---- which of the two ---- */

static bool is_here(const char *host) {
  char mine[65] = "";
  gethostname(mine, sizeof mine - 1);
  return strcmp(host, mine) == 0;
}

/* A killed process that nobody has waited for yet is dead all the same. */
static bool is_zombie(pid_t pid) {
  char path[64], text[512];
  nas_text_put(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *f = fopen(path, "r");
  if (!f) return false;
  size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  text[n] = '\0';
  const char *after = strrchr(text, ')'); /* the name before it may hold anything */
  return after && (strncmp(after, ") Z", 3) == 0 || strncmp(after, ") X", 3) == 0);
}

static bool has_died(const json_t *root) {
  const char *host = json_string_value(json_object_get(root, "host"));
  pid_t pid = (pid_t)count_at(root, "pid");
  if (!host || !is_here(host) || pid <= 0) return false;
  return (kill(pid, 0) != 0 && errno == ESRCH) || is_zombie(pid);
}

nas_status nas_status_read(const char *db, const char *folder, nas_status_report *r, nas_err *err) {
  char path[700];
  char *bytes = NULL;
  size_t n;
  json_t *root = NULL;
  r->best = r->rate = r->eta = r->age = NAN;
  if (folder) nas_text_put(path, sizeof path, "%s/heartbeat.json", folder);
  else nas_text_put(path, sizeof path, "%s.work/heartbeat.json", db);
  if (nas_file_exists(path) && nas_file_read(path, HEARTBEAT_MAX, &bytes, &n, err) == NAS_OK)
    root = json_loadb(bytes, n, 0, NULL);
  free(bytes);
  if (!root) return read_table(db, r, err);
  r->age = nas_clock_wall() - real_at(root, "time");
  r->live = r->age < silence_seconds && !has_died(root);
  nas_status status = read_heartbeat(root, r, err);
  json_decref(root);
  if (r->live || status != NAS_OK) return status;
  nas_status_report recorded = {.best = NAN, .rate = NAN, .eta = NAN, .age = r->age};
  nas_err busy;
  if (read_table(db, &recorded, &busy) == NAS_OK) {
    nas_status_free(r);
    *r = recorded;
    nas_text_put(r->state, sizeof r->state, "broken off");
  } else nas_text_put(r->state, sizeof r->state, "silent");
  return NAS_OK;
}

void nas_status_free(nas_status_report *r) {
  free(r->running);
  free(r->workers);
  r->running = NULL;
  r->workers = NULL;
  r->n_running = r->n_workers = 0;
}
