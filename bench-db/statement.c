/* Prepared statements, transactions and the translation of SQLite's errors. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench-db/internal/db.h"

nas_status nas_db_fail_busy(const char *path, nas_err *err) {
  char snapshot[4096];
  if (nas_text_put(snapshot, sizeof snapshot, "%s.snapshot", path) && nas_file_exists(snapshot))
    return nas_fail(err, NAS_E_DB_BUSY, path,
                    "another process, such as a running campaign, holds the table; read its snapshot '%s' instead",
                    snapshot);
  return nas_fail(err, NAS_E_DB_BUSY, path,
                  "another process, such as a running campaign, holds the table; try again when it has ended");
}

nas_status nas_db_fail_sqlite(sqlite3 *sqlite, const char *path, nas_err *err, const char *doing) {
  int extended = sqlite ? sqlite3_extended_errcode(sqlite) : SQLITE_NOMEM;
  const char *text = sqlite ? sqlite3_errmsg(sqlite) : "no memory left";
  int number = sqlite ? sqlite3_system_errno(sqlite) : 0;
  switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return nas_db_fail_busy(path, err);
    case SQLITE_FULL:
      return nas_fail(err, NAS_E_NO_SPACE, path,
                      "cannot %s: the disk is full; nothing recorded before is lost: free some space and go on", doing);
    case SQLITE_NOMEM: return nas_fail(err, NAS_E_NO_MEMORY, path, "cannot %s: no memory left", doing);
    case SQLITE_NOTADB: return nas_fail(err, NAS_E_DB_UNREADABLE, path, "this is not a SQLite database");
    case SQLITE_CORRUPT:
      return nas_fail(err, NAS_E_DB_UNREADABLE, path,
                      "cannot %s: the table is damaged (%s); restore it from a copy or a snapshot", doing, text);
    case SQLITE_READONLY:
      return nas_fail(err, NAS_E_IO, path, "cannot %s: the file, its folder or the medium is read-only", doing);
    case SQLITE_CONSTRAINT: return nas_fail(err, NAS_E_MISMATCH, path, "cannot %s: %s", doing, text);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_PERM:
      if (number == ENOSPC || number == EDQUOT)
        return nas_fail(err, NAS_E_NO_SPACE, path,
                        "cannot %s: the disk is full; nothing recorded before is lost: free some space and go on",
                        doing);
      if (extended == SQLITE_IOERR_SHORT_READ)
        return nas_fail(err, NAS_E_DB_UNREADABLE, path, "cannot %s: the file is cut short", doing);
      return nas_fail(err, number == ENOENT ? NAS_E_NOT_FOUND : NAS_E_IO, path, "cannot %s: %s%s%s", doing, text,
                      number ? ": " : "", number ? strerror(number) : "");
    default: return nas_fail(err, NAS_E_INTERNAL, path, "cannot %s: %s", doing, text);
  }
}

nas_status nas_db_fail(nas_db *db, nas_err *err, const char *doing) {
  return nas_db_fail_sqlite(db->sqlite, db->path, err, doing);
}

/* A text could not be bound for lack of memory: the statement would write NULL in its place. */
static _Thread_local bool unbound;

nas_status nas_db_prepare(nas_db *db, const char *sql, sqlite3_stmt **out, nas_err *err) {
  unbound = false;
  for (int i = 0; i < db->n_statements; i++) {
    if (db->statements[i].sql != sql) continue;
    *out = db->statements[i].stmt;
    sqlite3_reset(*out);
    sqlite3_clear_bindings(*out);
    return NAS_OK;
  }
  if (db->n_statements == NAS_DB_STATEMENTS_MAX)
    return nas_fail(err, NAS_E_INTERNAL, db->path, "more than %d prepared statements", NAS_DB_STATEMENTS_MAX);
  sqlite3_stmt *stmt = NULL;
  if (sqlite3_prepare_v3(db->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
    return nas_db_fail(db, err, "prepare a statement");
  db->statements[db->n_statements].sql = sql;
  db->statements[db->n_statements++].stmt = stmt;
  *out = stmt;
  return NAS_OK;
}

nas_status nas_db_exec(nas_db *db, const char *sql, const char *doing, nas_err *err) {
  return sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? NAS_OK : nas_db_fail(db, err, doing);
}

static nas_status check_bound(sqlite3_stmt *stmt, const nas_db *db, const char *doing, nas_err *err) {
  if (!unbound) return NAS_OK;
  unbound = false;
  sqlite3_reset(stmt);
  return nas_fail(err, NAS_E_NO_MEMORY, db->path, "cannot %s: no memory left", doing);
}

nas_status nas_db_step_done(nas_db *db, sqlite3_stmt *stmt, const char *doing, nas_err *err) {
  NAS_TRY(check_bound(stmt, db, doing, err));
  nas_status status = sqlite3_step(stmt) == SQLITE_DONE ? NAS_OK : nas_db_fail(db, err, doing);
  sqlite3_reset(stmt);
  return status;
}

nas_status nas_db_step_row(nas_db *db, sqlite3_stmt *stmt, bool *row, const char *doing, nas_err *err) {
  *row = false;
  NAS_TRY(check_bound(stmt, db, doing, err));
  int code = sqlite3_step(stmt);
  *row = code == SQLITE_ROW;
  if (*row) return NAS_OK;
  nas_status status = code == SQLITE_DONE ? NAS_OK : nas_db_fail(db, err, doing);
  sqlite3_reset(stmt);
  return status;
}

void nas_db_bind_text(sqlite3_stmt *stmt, int i, const char *text) {
  if (sqlite3_bind_text(stmt, i, text ? text : "", -1, SQLITE_TRANSIENT) == SQLITE_NOMEM) unbound = true;
}

void nas_db_bind_count(sqlite3_stmt *stmt, int i, int64_t value) {
  if (value == -1) sqlite3_bind_null(stmt, i);
  else sqlite3_bind_int64(stmt, i, value);
}

int64_t nas_db_column_count(sqlite3_stmt *stmt, int i) {
  return sqlite3_column_type(stmt, i) == SQLITE_NULL ? -1 : sqlite3_column_int64(stmt, i);
}

double nas_db_column_real(sqlite3_stmt *stmt, int i) {
  return sqlite3_column_type(stmt, i) == SQLITE_NULL ? (double)__builtin_nan("") : sqlite3_column_double(stmt, i);
}

char *nas_db_column_text(sqlite3_stmt *stmt, int i) {
  bool null = sqlite3_column_type(stmt, i) == SQLITE_NULL;
  const unsigned char *text = sqlite3_column_text(stmt, i);
  if (!text && !null) return NULL;
  return strdup(text ? (const char *)text : "");
}

nas_status nas_db_check_range(uint64_t value, const char *what, nas_err *err) {
  if (value <= INT64_MAX) return NAS_OK;
  return nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "the %s %llu does not fit into a table; use one of at most %lld", what,
                  (unsigned long long)value, (long long)INT64_MAX);
}

/* ---- transactions ---- */

nas_status nas_db_begin(nas_db *db, nas_err *err) {
  if (db->in_transaction) return nas_fail(err, NAS_E_INTERNAL, db->path, "transactions do not nest");
  NAS_TRY(nas_db_exec(db, "BEGIN IMMEDIATE", "begin a transaction", err));
  db->in_transaction = true;
  db->spoiled = false;
  return NAS_OK;
}

void nas_db_rollback(nas_db *db) {
  if (!sqlite3_get_autocommit(db->sqlite)) sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
  db->in_transaction = db->spoiled = false;
}

nas_status nas_db_commit(nas_db *db, nas_err *err) {
  if (!db->in_transaction) return nas_fail(err, NAS_E_INTERNAL, db->path, "no transaction is open");
  if (db->spoiled) {
    nas_db_rollback(db);
    return nas_fail(err, NAS_E_IO, db->path, "a write of this transaction failed, so that all of it was rolled back");
  }
  nas_status status = nas_db_exec(db, "COMMIT", "commit a transaction", err);
  if (status != NAS_OK) nas_db_rollback(db);
  db->in_transaction = false;
  return status;
}

nas_status nas_db_write_begin(nas_db *db, bool *own, nas_err *err) {
  *own = false;
  if (db->mode == NAS_DB_READ) return nas_fail(err, NAS_E_INTERNAL, db->path, "the table was opened for reading only");
  if (db->spoiled)
    return nas_fail(err, NAS_E_IO, db->path, "an earlier write of this transaction failed and rolled it back");
  if (db->in_transaction) return NAS_OK;
  NAS_TRY(nas_db_exec(db, "BEGIN IMMEDIATE", "begin a transaction", err));
  *own = true;
  return NAS_OK;
}

nas_status nas_db_write_end(nas_db *db, bool own, nas_status status, nas_err *err) {
  if (status == NAS_OK && own) status = nas_db_exec(db, "COMMIT", "commit a transaction", err);
  if (status == NAS_OK) return NAS_OK;
  if (!sqlite3_get_autocommit(db->sqlite)) sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
  db->spoiled = db->in_transaction;
  return status;
}

nas_status nas_db_read_begin(nas_db *db, bool *own, nas_err *err) {
  *own = sqlite3_get_autocommit(db->sqlite);
  return *own ? nas_db_exec(db, "BEGIN", "read the table", err) : NAS_OK;
}

void nas_db_read_end(nas_db *db, bool own) {
  if (!own) return;
  /* Statements that an error left in the middle of their rows would hold the transaction open. */
  for (int i = 0; i < db->n_statements; i++) sqlite3_reset(db->statements[i].stmt);
  sqlite3_exec(db->sqlite, "COMMIT", NULL, NULL, NULL);
}
