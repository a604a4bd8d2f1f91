/* What happened to a campaign besides results. */
#include <string.h>

#include "base/file.h"
#include "bench-db/internal/db.h"

nas_status nas_db_event_add(nas_db *db, const nas_db_event *e, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, "INSERT INTO event (campaign, time, kind, trial, worker, text) VALUES (?, ?, ?, ?, ?, ?)",
                         &s, err));
  sqlite3_bind_int64(s, 1, e->campaign);
  sqlite3_bind_double(s, 2, nas_clock_wall());
  nas_db_bind_text(s, 3, e->kind);
  if (e->trial) sqlite3_bind_int64(s, 4, e->trial);
  nas_db_bind_count(s, 5, e->worker);
  nas_db_bind_text(s, 6, e->text);
  bool own;
  NAS_TRY(nas_db_write_begin(db, &own, err));
  return nas_db_write_end(db, own, nas_db_step_done(db, s, "record an event", err), err);
}

static nas_status one_number(nas_db *db, sqlite3_stmt *s, int64_t *out, nas_err *err) {
  bool row;
  NAS_TRY(nas_db_step_row(db, s, &row, "read the events", err));
  *out = row ? sqlite3_column_int64(s, 0) : 0;
  sqlite3_reset(s);
  return NAS_OK;
}

nas_status nas_db_event_count(nas_db *db, int64_t campaign, const char *kind, int64_t trial, int64_t *n, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, "SELECT count(*) FROM event WHERE campaign = ?1 AND kind = ?2 AND (?3 = 0 OR trial = ?3)",
                         &s, err));
  sqlite3_bind_int64(s, 1, campaign);
  nas_db_bind_text(s, 2, kind);
  sqlite3_bind_int64(s, 3, trial);
  return one_number(db, s, n, err);
}

nas_status nas_db_standing_read(nas_db *db, nas_db_standing *out, nas_err *err) {
  sqlite3_stmt *s;
  bool row;
  *out = (nas_db_standing){0};
  NAS_TRY(nas_db_prepare(
      db,
      "SELECT c.id, (SELECT count(*) FROM trial WHERE campaign = c.id), (SELECT count(*) FROM tell WHERE campaign = "
      "c.id), (SELECT count(*) FROM trial WHERE campaign = c.id AND outcome <> 'ok'), (SELECT kind FROM event WHERE "
      "id = e.id), coalesce(e.id, 0) FROM campaign c LEFT JOIN (SELECT campaign, max(id) AS id FROM event WHERE kind "
      "IN "
      "('begun', 'resumed', 'finished', 'preempted') GROUP BY campaign) e ON e.campaign = c.id WHERE c.id = "
      "(SELECT max(id) FROM campaign)",
      &s, err));
  NAS_TRY(nas_db_step_row(db, s, &row, "read the table", err));
  if (!row) return NAS_OK;
  int64_t *const numbers[] = {&out->campaign, &out->trials, &out->told, &out->failed};
  for (int i = 0; i < 4; i++) *numbers[i] = sqlite3_column_int64(s, i);
  const char *kind = (const char *)sqlite3_column_text(s, 4);
  out->finished = kind && strcmp(kind, "finished") == 0;
  out->preempted = kind && strcmp(kind, "preempted") == 0;
  out->turn = sqlite3_column_int64(s, 5);
  sqlite3_reset(s);
  return NAS_OK;
}
