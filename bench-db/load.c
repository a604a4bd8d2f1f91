/* Reading trials back, to the bits they were recorded with. */
#include <stdlib.h>
#include <string.h>

#include "bench-db/internal/curve.h"
#include "bench-db/internal/db.h"

nas_status nas_db_load_epochs(nas_db *db, int64_t trial, nas_result *result, nas_err *err) {
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_db_prepare(db,
                         "SELECT t.epochs, l.data FROM learning_curve l JOIN trial t ON t.id = l.trial WHERE l.trial = "
                         "?",
                         &s, err));
  sqlite3_bind_int64(s, 1, trial);
  NAS_TRY(nas_db_step_row(db, s, &row, "read a curve", err));
  if (!row) return NAS_OK;
  const void *bytes = sqlite3_column_blob(s, 1);
  nas_status status =
      nas_curve_unpack(bytes, (size_t)sqlite3_column_bytes(s, 1), (size_t)sqlite3_column_int64(s, 0), result, err);
  sqlite3_reset(s);
  if (status != NAS_E_BAD_INPUT) return status;
  return nas_fail(err, NAS_E_DB_UNREADABLE, db->path,
                  "the learning curve of trial %lld is damaged; restore the table from a copy or a snapshot",
                  (long long)trial);
}

nas_status nas_db_load_curve(nas_db *db, int64_t trial, nas_result *result, nas_err *err) {
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_db_load_epochs(db, trial, result, err));
  NAS_TRY(nas_db_prepare(db, "SELECT name, value FROM metric WHERE trial = ? ORDER BY name", &s, err));
  sqlite3_bind_int64(s, 1, trial);
  for (;;) {
    NAS_TRY(nas_db_step_row(db, s, &row, "read the metrics", err));
    if (!row) return NAS_OK;
    const char *name = (const char *)sqlite3_column_text(s, 0);
    nas_status status =
        name ? nas_result_set_metric(result, name, nas_db_column_real(s, 1), err) : nas_fail_memory(err, "a metric");
    if (status != NAS_OK) {
      sqlite3_reset(s);
      return status;
    }
  }
}

#define TRIAL_COLUMNS                                                                                                \
  "SELECT t.id, t.campaign, number, asked_after, t.seed, told, attempt, worker, arch, canonical, \"index\", class, " \
  "params, macs, outcome, cause_code, cause_where, cause FROM trial t JOIN architecture a ON a.id = t.architecture " \
  "LEFT JOIN tell w ON w.trial = t.id "

static void read_cause(sqlite3_stmt *s, nas_err *cause) {
  cause->code = sqlite3_column_int(s, 15);
  const char *where = (const char *)sqlite3_column_text(s, 16), *msg = (const char *)sqlite3_column_text(s, 17);
  nas_text_put(cause->where, sizeof cause->where, "%s", where ? where : "");
  nas_text_put(cause->msg, sizeof cause->msg, "%s", msg ? msg : "");
}

static nas_status read_trial(nas_db *db, sqlite3_stmt *s, nas_db_trial *t, nas_err *err) {
  t->id = sqlite3_column_int64(s, 0);
  t->campaign = sqlite3_column_int64(s, 1);
  t->number = (uint64_t)sqlite3_column_int64(s, 2);
  t->asked_after = (uint64_t)sqlite3_column_int64(s, 3);
  t->seed = (uint64_t)sqlite3_column_int64(s, 4);
  t->mean = sqlite3_column_type(s, 4) == SQLITE_NULL;
  t->told = nas_db_column_count(s, 5);
  t->attempt = sqlite3_column_int(s, 6);
  t->worker = (int32_t)nas_db_column_count(s, 7);
  t->arch = nas_db_column_text(s, 8);
  t->canonical = nas_db_column_text(s, 9);
  t->index = nas_db_column_count(s, 10);
  t->class_id = nas_db_column_count(s, 11);
  t->params = nas_db_column_count(s, 12);
  t->macs = nas_db_column_count(s, 13);
  if (!t->arch || !t->canonical) return nas_fail_memory(err, "a trial");
  const char *outcome = (const char *)sqlite3_column_text(s, 14);
  t->finished = outcome != NULL;
  if (outcome && !nas_outcome_from_text(outcome, &t->result.outcome))
    return nas_fail(err, NAS_E_DB_UNREADABLE, db->path, "trial %lld has the unknown outcome '%s'", (long long)t->id,
                    outcome);
  read_cause(s, &t->result.cause);
  return NAS_OK;
}

static void clear_trial(nas_db_trial *t) {
  free(t->arch);
  free(t->canonical);
  nas_result_free(&t->result);
}

void nas_db_trials_free(nas_db_trial *rows, size_t n) {
  for (size_t i = 0; i < n; i++) clear_trial(&rows[i]);
  free(rows);
}

void nas_db_trial_free(nas_db_trial *row) { nas_db_trials_free(row, row ? 1 : 0); }

/* All rows of a bound statement, without curves. */
static nas_status collect(nas_db *db, sqlite3_stmt *s, nas_db_trial **rows, size_t *n, nas_err *err) {
  size_t cap = 0;
  for (;;) {
    bool row;
    NAS_TRY(nas_db_step_row(db, s, &row, "read the trials", err));
    if (!row) return NAS_OK;
    if (*n == cap) {
      nas_db_trial *grown = realloc(*rows, (cap = cap ? 2 * cap : 16) * sizeof **rows);
      if (!grown) return nas_fail_memory(err, "the trials");
      *rows = grown;
    }
    nas_db_trial *t = &(*rows)[(*n)++];
    *t = (nas_db_trial){0};
    NAS_TRY(read_trial(db, s, t, err));
  }
}

static nas_status load_bound(nas_db *db, sqlite3_stmt *s, nas_db_trial **rows, size_t *n, nas_err *err) {
  *rows = NULL;
  *n = 0;
  bool own;
  NAS_TRY(nas_db_read_begin(db, &own, err));
  nas_status status = collect(db, s, rows, n, err);
  for (size_t i = 0; status == NAS_OK && i < *n; i++)
    status = nas_db_load_curve(db, (*rows)[i].id, &(*rows)[i].result, err);
  sqlite3_reset(s);
  nas_db_read_end(db, own);
  if (status == NAS_OK) return NAS_OK;
  nas_db_trials_free(*rows, *n);
  *rows = NULL;
  *n = 0;
  return status;
}

nas_status nas_db_trials(nas_db *db, int64_t campaign, nas_db_trial **rows, size_t *n, nas_err *err) {
  *rows = NULL;
  *n = 0;
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, TRIAL_COLUMNS "WHERE t.campaign = ? ORDER BY number", &s, err));
  sqlite3_bind_int64(s, 1, campaign);
  return load_bound(db, s, rows, n, err);
}

nas_status nas_db_trial_load(nas_db *db, int64_t trial, nas_db_trial **out, nas_err *err) {
  *out = NULL;
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, TRIAL_COLUMNS "WHERE t.id = ?", &s, err));
  sqlite3_bind_int64(s, 1, trial);
  size_t n;
  NAS_TRY(load_bound(db, s, out, &n, err));
  if (n == 1) return NAS_OK;
  return nas_fail(err, NAS_E_NOT_FOUND, db->path, "the table holds no trial %lld", (long long)trial);
}
