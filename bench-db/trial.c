/* Recording trials: ask, start, finish. */
#include <math.h>
#include <string.h>

#include "bench-db/internal/curve.h"
#include "bench-db/internal/db.h"

/* A space without canonical forms has none but the text itself. */
static const char *canonical_of(const nas_db_ask *ask) { return ask->canonical ? ask->canonical : ask->arch; }

/* The architecture's row. The same text must always come with the same canonical form, index and class: otherwise
 * equal networks would no longer share a name. */
static nas_status architecture_id(nas_db *db, const nas_db_ask *ask, int64_t *id, nas_err *err) {
  sqlite3_stmt *find, *add;
  NAS_TRY(nas_db_prepare(db,
                         "SELECT id, canonical, \"index\", class FROM architecture WHERE arch = ? AND space = (SELECT "
                         "space FROM campaign WHERE id = ?)",
                         &find, err));
  nas_db_bind_text(find, 1, ask->arch);
  sqlite3_bind_int64(find, 2, ask->campaign);
  bool row;
  NAS_TRY(nas_db_step_row(db, find, &row, "record the architecture", err));
  if (row) {
    *id = sqlite3_column_int64(find, 0);
    const char *canonical = (const char *)sqlite3_column_text(find, 1);
    bool same = canonical && strcmp(canonical, canonical_of(ask)) == 0 && nas_db_column_count(find, 2) == ask->index &&
                nas_db_column_count(find, 3) == ask->class_id;
    sqlite3_reset(find);
    return same ? NAS_OK
                : nas_fail(err, NAS_E_MISMATCH, db->path,
                           "the table knows the architecture '%s' with another canonical form, index or class; a "
                           "program with another version of the space wrote it",
                           ask->arch);
  }
  NAS_TRY(nas_db_prepare(db,
                         "INSERT INTO architecture (space, arch, \"index\", canonical, class) SELECT space, ?, ?, ?, ? "
                         "FROM campaign WHERE id = ?",
                         &add, err));
  nas_db_bind_text(add, 1, ask->arch);
  nas_db_bind_count(add, 2, ask->index);
  nas_db_bind_text(add, 3, canonical_of(ask));
  nas_db_bind_count(add, 4, ask->class_id);
  sqlite3_bind_int64(add, 5, ask->campaign);
  NAS_TRY(nas_db_step_done(db, add, "record the architecture", err));
  if (sqlite3_changes(db->sqlite) == 0)
    return nas_fail(err, NAS_E_NOT_FOUND, db->path, "the table holds no campaign %lld", (long long)ask->campaign);
  *id = sqlite3_last_insert_rowid(db->sqlite);
  return NAS_OK;
}

static nas_status add_trial(nas_db *db, const nas_db_ask *ask, int64_t *trial, nas_err *err) {
  int64_t architecture = 0;
  NAS_TRY(architecture_id(db, ask, &architecture, err));
  sqlite3_stmt *add;
  NAS_TRY(nas_db_prepare(
      db,
      "INSERT INTO trial (campaign, number, asked_after, architecture, dataset, recipe, seed, "
      "params, macs, attempt, worker) SELECT id, ?, ?, ?, dataset, recipe, ?, ?, ?, ?, ? FROM campaign WHERE id = "
      "?",
      &add, err));
  sqlite3_bind_int64(add, 1, (int64_t)ask->number);
  sqlite3_bind_int64(add, 2, (int64_t)ask->asked_after);
  sqlite3_bind_int64(add, 3, architecture);
  sqlite3_bind_int64(add, 4, (int64_t)ask->seed);
  nas_db_bind_count(add, 5, ask->params);
  nas_db_bind_count(add, 6, ask->macs);
  sqlite3_bind_int(add, 7, ask->attempt);
  if (ask->attempt) sqlite3_bind_int(add, 8, ask->worker);
  sqlite3_bind_int64(add, 9, ask->campaign);
  nas_status status = nas_db_step_done(db, add, "record the trial", err);
  if (status == NAS_E_MISMATCH && sqlite3_extended_errcode(db->sqlite) == SQLITE_CONSTRAINT_UNIQUE)
    return nas_fail(err, NAS_E_MISMATCH, db->path, "campaign %lld has a trial number %llu already",
                    (long long)ask->campaign, (unsigned long long)ask->number);
  *trial = sqlite3_last_insert_rowid(db->sqlite);
  return status;
}

nas_status nas_db_trial_add(nas_db *db, const nas_db_ask *ask, int64_t *trial, nas_err *err) {
  NAS_TRY(nas_db_check_range(ask->seed, "seed", err));
  NAS_TRY(nas_db_check_range(ask->number, "trial number", err));
  NAS_TRY(nas_db_check_range(ask->asked_after, "number of tells", err));
  if (!ask->arch || !*ask->arch) return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the architecture of a trial is empty");
  bool own;
  NAS_TRY(nas_db_write_begin(db, &own, err));
  return nas_db_write_end(db, own, add_trial(db, ask, trial, err), err);
}

static nas_status unknown_trial(nas_db *db, int64_t trial, nas_err *err) {
  return nas_fail(err, NAS_E_NOT_FOUND, db->path, "the table holds no trial %lld", (long long)trial);
}

static nas_status start_trial(nas_db *db, int64_t trial, int32_t worker, int32_t *attempt, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db,
                         "UPDATE trial SET attempt = attempt + 1, worker = ? WHERE id = ? AND outcome IS NULL "
                         "RETURNING attempt",
                         &s, err));
  nas_db_bind_count(s, 1, worker);
  sqlite3_bind_int64(s, 2, trial);
  bool row;
  NAS_TRY(nas_db_step_row(db, s, &row, "start the trial", err));
  if (row) {
    *attempt = sqlite3_column_int(s, 0);
    return nas_db_step_row(db, s, &row, "start the trial", err);
  }
  NAS_TRY(nas_db_prepare(db, "SELECT 1 FROM trial WHERE id = ?", &s, err));
  sqlite3_bind_int64(s, 1, trial);
  NAS_TRY(nas_db_step_row(db, s, &row, "start the trial", err));
  sqlite3_reset(s);
  if (!row) return unknown_trial(db, trial, err);
  return nas_fail(err, NAS_E_MISMATCH, db->path, "trial %lld is finished and cannot be started again",
                  (long long)trial);
}

nas_status nas_db_trial_start(nas_db *db, int64_t trial, int32_t worker, int32_t *attempt, nas_err *err) {
  bool own;
  NAS_TRY(nas_db_write_begin(db, &own, err));
  return nas_db_write_end(db, own, start_trial(db, trial, worker, attempt, err), err);
}

/* ---- finish ---- */

static nas_status check_epochs(nas_db *db, int64_t trial, const nas_result *r, nas_err *err) {
  for (size_t i = 0; i < r->n_epochs; i++)
    if (r->epochs[i].epoch != (int64_t)i + 1)
      return nas_fail(err, NAS_E_BAD_INPUT, db->path, "epoch %d of trial %lld stands at place %zu of its curve",
                      r->epochs[i].epoch, (long long)trial, i + 1);
  return NAS_OK;
}

nas_status nas_db_add_curve(nas_db *db, int64_t trial, const nas_epoch *epochs, size_t n, nas_err *err) {
  if (n == 0) return NAS_OK;
  sqlite3_stmt *s;
  nas_str data = {0};
  nas_curve_pack(epochs, n, &data);
  nas_status status = nas_str_check(&data, err);
  if (status == NAS_OK) status = nas_db_prepare(db, "INSERT INTO learning_curve (trial, data) VALUES (?, ?)", &s, err);
  if (status == NAS_OK) {
    sqlite3_bind_int64(s, 1, trial);
    sqlite3_bind_blob64(s, 2, data.s, data.len, SQLITE_STATIC);
    status = nas_db_step_done(db, s, "record the curve", err);
    sqlite3_clear_bindings(s);
  }
  nas_str_free(&data);
  return status;
}

/* What the trial's own row repeats of its curve: the last epoch's figures and the seconds of training. */
void nas_db_bind_last(sqlite3_stmt *s, int first, const nas_epoch *epochs, size_t n) {
  if (n == 0) return;
  const nas_epoch *last = &epochs[n - 1];
  double seconds = 0;
  bool timed = false;
  for (size_t i = 0; i < n; i++) {
    if (isnan(epochs[i].seconds)) continue;
    seconds += epochs[i].seconds;
    timed = true;
  }
  for (int k = 0; k < 6; k++) sqlite3_bind_double(s, first + k, nas_epoch_figure_of(last, k)); /* NaN becomes NULL */
  if (timed) sqlite3_bind_double(s, first + 6, seconds);
  sqlite3_bind_double(s, first + 7, last->valid_seconds);
}

/* The guard: only the newest attempt of an unfinished trial may end it. */
static nas_status end_trial(nas_db *db, int64_t trial, int32_t attempt, const nas_result *r, bool *ended,
                            nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db,
                         "UPDATE trial SET outcome = ?, cause_code = ?, cause_where = ?, cause = ?, epochs = ?, "
                         "train_loss = ?8, train_accuracy = ?9, valid_loss = ?10, valid_accuracy = ?11, test_loss = "
                         "?12, test_accuracy = ?13, train_seconds = ?14, valid_seconds = ?15 WHERE id = ?6 AND attempt "
                         "= ?7 AND outcome IS NULL",
                         &s, err));
  nas_db_bind_text(s, 1, nas_outcome_text(r->outcome));
  if (r->cause.code != 0) sqlite3_bind_int(s, 2, r->cause.code);
  if (r->cause.where[0]) nas_db_bind_text(s, 3, r->cause.where);
  if (r->cause.msg[0]) nas_db_bind_text(s, 4, r->cause.msg);
  sqlite3_bind_int64(s, 5, (int64_t)r->n_epochs);
  sqlite3_bind_int64(s, 6, trial);
  sqlite3_bind_int(s, 7, attempt);
  nas_db_bind_last(s, 8, r->epochs, r->n_epochs);
  NAS_TRY(nas_db_step_done(db, s, "finish the trial", err));
  *ended = sqlite3_changes(db->sqlite) == 1;
  if (*ended) return NAS_OK;
  bool row;
  NAS_TRY(nas_db_prepare(db, "SELECT 1 FROM trial WHERE id = ?", &s, err));
  sqlite3_bind_int64(s, 1, trial);
  NAS_TRY(nas_db_step_row(db, s, &row, "finish the trial", err));
  sqlite3_reset(s);
  return row ? NAS_OK : unknown_trial(db, trial, err);
}

static nas_status add_metrics(nas_db *db, int64_t trial, const nas_result *r, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, "INSERT INTO metric (trial, name, value) VALUES (?, ?, ?)", &s, err));
  for (size_t i = 0; i < r->n_metrics; i++) {
    sqlite3_bind_int64(s, 1, trial);
    nas_db_bind_text(s, 2, r->metrics[i].name);
    sqlite3_bind_double(s, 3, r->metrics[i].value);
    NAS_TRY(nas_db_step_done(db, s, "record the metrics", err));
  }
  return NAS_OK;
}

static nas_status finish_trial(nas_db *db, int64_t trial, int32_t attempt, const nas_result *r, bool *recorded,
                               nas_err *err) {
  bool ended;
  NAS_TRY(check_epochs(db, trial, r, err));
  NAS_TRY(end_trial(db, trial, attempt, r, &ended, err));
  if (!ended) return NAS_OK;
  NAS_TRY(nas_db_add_curve(db, trial, r->epochs, r->n_epochs, err));
  NAS_TRY(add_metrics(db, trial, r, err));
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db,
                         "INSERT INTO tell (campaign, told, trial) SELECT t.campaign, coalesce((SELECT max(told) + 1 "
                         "FROM tell WHERE campaign = t.campaign), 0), t.id FROM trial t WHERE t.id = ?",
                         &s, err));
  sqlite3_bind_int64(s, 1, trial);
  NAS_TRY(nas_db_step_done(db, s, "record the order of results", err));
  *recorded = true;
  return NAS_OK;
}

nas_status nas_db_trial_finish(nas_db *db, int64_t trial, int32_t attempt, const nas_result *result, bool *recorded,
                               nas_err *err) {
  *recorded = false;
  if ((unsigned)result->outcome >= NAS_OUTCOME_COUNT)
    return nas_fail(err, NAS_E_BAD_INPUT, db->path, "%d is no outcome of a trial", (int)result->outcome);
  bool own;
  NAS_TRY(nas_db_write_begin(db, &own, err));
  nas_status status = nas_db_write_end(db, own, finish_trial(db, trial, attempt, result, recorded, err), err);
  if (status != NAS_OK) *recorded = false;
  return status;
}
