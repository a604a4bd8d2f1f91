/* Opening and closing. While it is written a table is in WAL mode under an exclusive lock, so that no -shm file
 * exists; closing turns it back into a single file in rollback mode, which any SQLite reads from any medium. A table
 * that a killed process left in WAL mode is turned back by the next reader or writer, whoever comes first. */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "bench-db/internal/header.h"

#define READER_PATIENCE_MS 300
#define WRITER_PATIENCE_MS 2000

/* SQLite takes "", ":memory:" and "file:..." for something else than a file of that name. */
static nas_status safe_path(const char *path, char out[4096], nas_err *err) {
  if (!path || !*path) return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path of the table is empty");
  bool special = *path == ':' || strncmp(path, "file:", 5) == 0;
  if (!nas_text_put(out, 4096 - 16, "%s%s", special ? "./" : "", path))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path of the table is too long");
  return NAS_OK;
}

static nas_status check_file(const char *path, nas_db_mode mode, nas_err *err) {
  struct stat st;
  if (stat(path, &st) != 0) {
    if (errno == ENOENT && mode == NAS_DB_CREATE) return NAS_OK;
    if (errno == ENOENT)
      return nas_fail(err, NAS_E_NOT_FOUND, path, "there is no table here; `nascent db init` or a campaign makes one");
    return nas_fail_errno(err, errno, path, "cannot open the table");
  }
  if (!S_ISREG(st.st_mode))
    return nas_fail(err, NAS_E_DB_UNREADABLE, path, "this is %s, a file is wanted",
                    S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
  return NAS_OK;
}

/* -1 when it is absent. */
static int64_t side_file_size(const char *path, const char *suffix) {
  char side[4096];
  struct stat st;
  return nas_text_put(side, sizeof side, "%s%s", path, suffix) && stat(side, &st) == 0 ? st.st_size : -1;
}

static bool side_file_exists(const char *path, const char *suffix) { return side_file_size(path, suffix) >= 0; }

/* Whether results may lie beside the file. */
static bool journalled(const char *path) {
  return side_file_size(path, "-wal") > 0 || side_file_size(path, "-journal") > 0;
}

static nas_status connect_to(nas_db *db, const char *name, int flags, nas_err *err) {
  sqlite3_close(db->sqlite);
  db->sqlite = NULL;
  int code = sqlite3_open_v2(name, &db->sqlite, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
  if (code != SQLITE_OK) return nas_db_fail(db, err, "open the table");
  sqlite3_busy_timeout(db->sqlite, db->mode == NAS_DB_READ ? READER_PATIENCE_MS : WRITER_PATIENCE_MS);
  /* A damaged or hostile file must not run code or be misread. */
  sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  NAS_TRY(nas_db_add_functions(db, err));
  return nas_db_exec(db, "PRAGMA cell_size_check = ON", "open the table", err);
}

/* Sets a journal mode; DB_BUSY when SQLite keeps the old one. */
static nas_status set_journal_mode(nas_db *db, const char *sql, const char *wanted, nas_err *err) {
  sqlite3_stmt *stmt = NULL;
  if (sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL) != SQLITE_OK) return nas_db_fail(db, err, "open the table");
  int code = sqlite3_step(stmt);
  const char *got = code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
  nas_status status = NAS_OK;
  if (!got) status = nas_db_fail(db, err, "open the table");
  else if (strcmp(got, wanted) != 0) status = nas_db_fail_busy(db->path, err);
  sqlite3_finalize(stmt);
  return status;
}

/* Takes the lock that reading or writing needs, and finds out that somebody dropped the tables. */
static nas_status check_tables(nas_db *db, const char *sql, nas_err *err) {
  nas_status status = nas_db_exec(db, sql, "open the table", err);
  if (status != NAS_E_INTERNAL || sqlite3_errcode(db->sqlite) != SQLITE_ERROR) return status;
  return nas_fail(err, NAS_E_DB_UNREADABLE, db->path, "this is no table of this program any more: %s",
                  sqlite3_errmsg(db->sqlite));
}

/* ---- reading ---- */

/* Whether somebody writes, asked without reading the database: reading would make side files. */
static bool locked_by_a_writer(nas_db *db) {
  sqlite3_file *file = NULL;
  if (sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK) return false;
  int code = file->pMethods->xLock(file, SQLITE_LOCK_SHARED);
  if (code == SQLITE_OK) file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
  return code == SQLITE_BUSY;
}

/* Percent-encodes what a file: URI gives a meaning to. */
static nas_status immutable_uri(const char *path, nas_str *out, nas_err *err) {
  char *absolute = realpath(path, NULL);
  if (!absolute) return nas_fail_errno(err, errno, path, "cannot open the table");
  nas_str_add(out, "file:");
  for (const unsigned char *p = (const unsigned char *)absolute; *p; p++) {
    if (*p == '%' || *p == '?' || *p == '#' || *p < 0x21 || *p > 0x7e) nas_str_fmt(out, "%%%02X", *p);
    else nas_str_add_n(out, (const char *)p, 1);
  }
  free(absolute);
  nas_str_add(out, "?immutable=1");
  return nas_str_check(out, err);
}

/* On a read-only medium: as it is, but only if nothing is missing from the file itself. */
static nas_status open_immutable(nas_db *db, nas_err *err) {
  NAS_TRY(connect_to(db, db->path, SQLITE_OPEN_READONLY, err));
  if (locked_by_a_writer(db)) return nas_db_fail_busy(db->path, err);
  if (journalled(db->path))
    return nas_fail(err, NAS_E_IO, db->path,
                    "a killed process left results in a '-wal' or '-journal' file beside the table, which cannot be "
                    "merged on a read-only medium; copy both files into a writable folder and read the table there");
  nas_str uri = {0};
  nas_status status = immutable_uri(db->path, &uri, err);
  if (status == NAS_OK) status = connect_to(db, uri.s, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
  nas_str_free(&uri);
  return status;
}

#define TOUCH "SELECT 1 FROM sqlite_schema LIMIT 1"

/* Under an exclusive lock SQLite empties a rollback journal instead of deleting it, and a killed process then leaves
 * the empty one behind. Going through another journal mode is SQLite's own way to delete it under the right lock. */
static nas_status drop_journal(nas_db *db, nas_err *err) {
  if (!side_file_exists(db->path, "-journal")) return NAS_OK;
  NAS_TRY(nas_db_exec(db, "PRAGMA locking_mode = NORMAL; " TOUCH, "recover the table", err));
  NAS_TRY(set_journal_mode(db, "PRAGMA journal_mode = PERSIST", "persist", err));
  return set_journal_mode(db, "PRAGMA journal_mode = DELETE", "delete", err);
}

static nas_status merge(nas_db *db, nas_err *err) {
  if (side_file_exists(db->path, "-journal")) NAS_TRY(nas_db_exec(db, TOUCH, "recover the table", err));
  NAS_TRY(nas_db_exec(db, "PRAGMA locking_mode = EXCLUSIVE; " TOUCH, "recover the table", err));
  NAS_TRY(set_journal_mode(db, "PRAGMA journal_mode = DELETE", "delete", err));
  return drop_journal(db, err);
}

/* Merges what a killed process left beside the file into it; the content stays the same. *done is false where the
 * file or its folder cannot be written. */
static nas_status recover(nas_db *db, bool *done, nas_err *err) {
  *done = false;
  NAS_TRY(connect_to(db, db->path, SQLITE_OPEN_READWRITE, err));
  if (sqlite3_db_readonly(db->sqlite, "main") == 1) return NAS_OK;
  nas_status status = merge(db, err);
  int code = sqlite3_errcode(db->sqlite);
  if (status != NAS_OK && (code == SQLITE_CANTOPEN || code == SQLITE_READONLY)) return NAS_OK;
  /* In a folder that cannot be written the WAL stays, and SQLite goes on to look into it. */
  *done = status == NAS_OK && !side_file_exists(db->path, "-wal");
  return status;
}

static nas_status open_reader(nas_db *db, nas_err *err) {
  NAS_TRY(connect_to(db, db->path, SQLITE_OPEN_READONLY, err));
  nas_db_header header;
  NAS_TRY(nas_db_header_read(db->sqlite, db->path, &header, err));
  bool left_behind = header.wal || side_file_exists(db->path, "-wal") || side_file_exists(db->path, "-journal");
  /* A file that was killed while it was made has no sensible header yet: recover before judging it. */
  if (side_file_size(db->path, "-journal") <= 0) NAS_TRY(nas_db_header_check(&header, db->path, left_behind, err));
  if (left_behind) {
    bool done;
    NAS_TRY(recover(db, &done, err));
    if (done) NAS_TRY(connect_to(db, db->path, SQLITE_OPEN_READONLY, err));
    else NAS_TRY(open_immutable(db, err));
    NAS_TRY(nas_db_header_read(db->sqlite, db->path, &header, err));
    NAS_TRY(nas_db_header_check(&header, db->path, false, err));
  }
  NAS_TRY(nas_db_exec(db, "PRAGMA query_only = ON", "open the table", err));
  return check_tables(db, "SELECT 1 FROM campaign LIMIT 1", err);
}

/* ---- writing ---- */

static nas_status make_schema(nas_db *db, nas_err *err) {
  NAS_TRY(nas_db_exec(db, "BEGIN EXCLUSIVE", "make the table", err));
  char pragmas[128];
  nas_text_put(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d", NAS_DB_APPLICATION_ID,
               NAS_DB_SCHEMA_VERSION);
  nas_db_header header;
  nas_status status = nas_db_header_read(db->sqlite, db->path, &header, err);
  /* Somebody else may have made it while this process waited for the lock. */
  if (status == NAS_OK && header.size == 0) {
    status = nas_db_exec(db, nas_db_schema, "make the table", err);
    if (status == NAS_OK) status = nas_db_exec(db, pragmas, "make the table", err);
  }
  if (status == NAS_OK) status = nas_db_exec(db, "COMMIT", "make the table", err);
  if (status != NAS_OK) sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
  return status;
}

/* SQLite tries to read what it may not create, and reports that nothing was there to read. */
static nas_status explain_folder(const nas_db *db, nas_status status, nas_err *err) {
  char folder[4096];
  nas_text_put(folder, sizeof folder, "%s", db->path);
  if (status != NAS_E_NOT_FOUND || access(dirname(folder), W_OK) == 0 || errno == ENOENT) return status;
  return nas_fail_errno(err, errno, db->path, "cannot make a table in this folder");
}

static nas_status open_writer(nas_db *db, nas_err *err) {
  int create = db->mode == NAS_DB_CREATE ? SQLITE_OPEN_CREATE : 0;
  nas_status status = connect_to(db, db->path, SQLITE_OPEN_READWRITE | create, err);
  if (status != NAS_OK) return explain_folder(db, status, err);
  if (sqlite3_db_readonly(db->sqlite, "main") == 1)
    return nas_fail(err, NAS_E_IO, db->path, "the table cannot be written: the file or the medium is read-only");
  if (side_file_size(db->path, "-journal") > 0) NAS_TRY(nas_db_exec(db, TOUCH, "recover the table", err));
  nas_db_header header;
  NAS_TRY(nas_db_header_read(db->sqlite, db->path, &header, err));
  if (header.size == 0 && create) {
    NAS_TRY(make_schema(db, err));
    NAS_TRY(nas_db_header_read(db->sqlite, db->path, &header, err));
  }
  NAS_TRY(nas_db_header_check(&header, db->path, journalled(db->path), err));
  /* In this order: a WAL opened under the exclusive lock keeps its index in memory and needs no -shm file. */
  NAS_TRY(nas_db_exec(db, "PRAGMA locking_mode = EXCLUSIVE", "open the table", err));
  NAS_TRY(set_journal_mode(db, "PRAGMA journal_mode = WAL", "wal", err));
  /* A transaction of a few thousand trials fits the cache, so that its pages go to the WAL once; and the WAL (32 MiB)
   * is not copied into the file after each of them. */
  NAS_TRY(nas_db_exec(db,
                      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16384; "
                      "PRAGMA wal_autocheckpoint = 8192",
                      "open the table", err));
  return check_tables(db, "BEGIN IMMEDIATE; SELECT 1 FROM campaign LIMIT 1; COMMIT", err);
}

nas_status nas_db_open(const char *path, nas_db_mode mode, nas_db **out, nas_err *err) {
  *out = NULL;
  nas_db *db = calloc(1, sizeof *db);
  if (!db) return nas_fail_memory(err, "a table");
  db->mode = mode;
  nas_status status = safe_path(path, db->path, err);
  if (status == NAS_OK) status = check_file(db->path, mode, err);
  if (status == NAS_OK) status = mode == NAS_DB_READ ? open_reader(db, err) : open_writer(db, err);
  if (status != NAS_OK) {
    sqlite3_close(db->sqlite);
    free(db);
    return status;
  }
  *out = db;
  return NAS_OK;
}

void nas_db_close(nas_db *db) {
  if (!db) return;
  nas_db_rollback(db);
  for (int i = 0; i < db->n_statements; i++) sqlite3_finalize(db->statements[i].stmt);
  /* Where this fails, on a full disk for instance, the WAL stays beside the file and nothing is lost. */
  if (db->mode != NAS_DB_READ) sqlite3_exec(db->sqlite, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
  sqlite3_close(db->sqlite);
  free(db);
}
