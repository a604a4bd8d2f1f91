/* Older tables become tables of this version: a new file is made beside the old one, filled in one transaction, synced,
 * and given the old one's name, so that a crash at any instant leaves the one or the other. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "bench-db/internal/curve.h"
#include "bench-db/internal/header.h"

/* Version 1 had a row for each epoch, no names of splits, and no mean rows. */
static const char from_1[] =
    "INSERT INTO architecture SELECT * FROM old.architecture;"
    "INSERT INTO dataset SELECT *, 'train', 'valid', 'test' FROM old.dataset;"
    "INSERT INTO recipe SELECT * FROM old.recipe;"
    "INSERT INTO campaign SELECT * FROM old.campaign;"
    "INSERT INTO trial (id, campaign, number, asked_after, architecture, dataset, recipe, seed, params, macs, attempt, "
    "worker, outcome, cause_code, cause_where, cause, epochs) SELECT id, campaign, number, asked_after, architecture, "
    "dataset, recipe, seed, params, macs, attempt, worker, outcome, cause_code, cause_where, cause, epochs FROM "
    "old.trial;"
    "INSERT INTO metric SELECT * FROM old.metric;"
    "INSERT INTO tell SELECT * FROM old.tell;";

/* Version 2 had no events and no messages. */
static const char from_2[] =
    "INSERT INTO architecture SELECT * FROM old.architecture;"
    "INSERT INTO dataset SELECT * FROM old.dataset;"
    "INSERT INTO recipe SELECT * FROM old.recipe;"
    "INSERT INTO campaign SELECT * FROM old.campaign;"
    "INSERT INTO trial SELECT * FROM old.trial;"
    "INSERT INTO learning_curve SELECT * FROM old.learning_curve;"
    "INSERT INTO metric SELECT * FROM old.metric;"
    "INSERT INTO tell SELECT * FROM old.tell;";

/* Version 3 had no repetitions. */
static const char from_3[] =
    "INSERT INTO event SELECT * FROM old.event;"
    "INSERT INTO message SELECT * FROM old.message;";

/* Version 4 had other views. */
static const char from_4[] = "INSERT INTO repetition SELECT * FROM old.repetition;";

static nas_status read_old_epochs(nas_db *db, int64_t trial, nas_result *out, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db,
                         "SELECT epoch, train_loss, train_accuracy, valid_loss, valid_accuracy, test_loss, "
                         "test_accuracy, seconds, valid_seconds FROM old.epoch WHERE trial = ? ORDER BY epoch",
                         &s, err));
  sqlite3_bind_int64(s, 1, trial);
  for (;;) {
    bool row;
    NAS_TRY(nas_db_step_row(db, s, &row, "read a curve", err));
    if (!row) return NAS_OK;
    nas_epoch e = {.epoch = sqlite3_column_int(s, 0)};
    for (int k = 0; k < NAS_CURVE_FIGURES; k++) *nas_epoch_figure(&e, k) = nas_db_column_real(s, 1 + k);
    nas_status status = nas_result_add_epoch(out, &e, err);
    if (status != NAS_OK) {
      sqlite3_reset(s);
      return status;
    }
  }
}

static nas_status write_curve(nas_db *db, int64_t trial, const nas_result *r, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_add_curve(db, trial, r->epochs, r->n_epochs, err));
  NAS_TRY(nas_db_prepare(db,
                         "UPDATE trial SET train_loss = ?2, train_accuracy = ?3, valid_loss = ?4, valid_accuracy = ?5, "
                         "test_loss = ?6, test_accuracy = ?7, train_seconds = ?8, valid_seconds = ?9 WHERE id = ?1",
                         &s, err));
  sqlite3_bind_int64(s, 1, trial);
  nas_db_bind_last(s, 2, r->epochs, r->n_epochs);
  return nas_db_step_done(db, s, "record the curve", err);
}

static nas_status move_curves(nas_db *db, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, "SELECT id, epochs FROM old.trial WHERE epochs > 0 ORDER BY id", &s, err));
  for (;;) {
    bool row;
    NAS_TRY(nas_db_step_row(db, s, &row, "read the trials", err));
    if (!row) return NAS_OK;
    nas_result r = {0};
    int64_t trial = sqlite3_column_int64(s, 0);
    nas_status status = read_old_epochs(db, trial, &r, err);
    if (status == NAS_OK && (int64_t)r.n_epochs != sqlite3_column_int64(s, 1))
      status = nas_fail(err, NAS_E_DB_UNREADABLE, db->path,
                        "the curve of trial %lld has %zu of %lld epochs; restore the table from a copy or a snapshot",
                        (long long)trial, r.n_epochs, (long long)sqlite3_column_int64(s, 1));
    if (status == NAS_OK) status = write_curve(db, trial, &r, err);
    nas_result_free(&r);
    if (status != NAS_OK) {
      sqlite3_reset(s);
      return status;
    }
  }
}

/* `old` is attached and locked while it is read. */
static nas_status fill(nas_db *db, const char *path, int64_t *version, nas_err *err) {
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v2(db->sqlite, "ATTACH ? AS old", -1, &s, NULL) != SQLITE_OK)
    return nas_db_fail(db, err, "open the table");
  nas_db_bind_text(s, 1, path);
  int code = sqlite3_step(s);
  sqlite3_finalize(s);
  if (code != SQLITE_DONE) return nas_db_fail_sqlite(db->sqlite, path, err, "open the table");
  NAS_TRY(nas_db_exec(db, "PRAGMA old.locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE", "lock the table", err));
  if (sqlite3_prepare_v2(db->sqlite, "PRAGMA old.user_version", -1, &s, NULL) != SQLITE_OK ||
      sqlite3_step(s) != SQLITE_ROW)
    return nas_db_fail(db, err, "open the table");
  *version = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  if (*version == NAS_DB_SCHEMA_VERSION) return NAS_OK;
  nas_status status = nas_db_exec(db, *version == 1 ? from_1 : from_2, "copy the table", err);
  if (status == NAS_OK && *version == 1) status = move_curves(db, err);
  if (status == NAS_OK && *version >= 3) status = nas_db_exec(db, from_3, "copy the table", err);
  if (status == NAS_OK && *version >= 4) status = nas_db_exec(db, from_4, "copy the table", err);
  if (status == NAS_OK) return nas_db_exec(db, "COMMIT", "copy the table", err);
  sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
  return status;
}

static nas_status check_old(const char *path, nas_db_header *header, nas_err *err) {
  sqlite3 *sqlite = NULL;
  nas_status status = NAS_OK;
  if (!nas_file_exists(path)) return nas_fail(err, NAS_E_NOT_FOUND, path, "there is no table here");
  if (sqlite3_open_v2(path, &sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL) != SQLITE_OK)
    status = nas_db_fail_sqlite(sqlite, path, err, "open the table");
  if (status == NAS_OK) status = nas_db_header_read(sqlite, path, header, err);
  if (status == NAS_OK && header->application_id == NAS_DB_APPLICATION_ID) {
    /* Merges what a killed process left, and waits for nobody. */
    if (sqlite3_exec(sqlite, "PRAGMA journal_mode = DELETE; SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL))
      status = nas_db_fail_sqlite(sqlite, path, err, "open the table");
    if (status == NAS_OK) status = nas_db_header_read(sqlite, path, header, err);
  }
  sqlite3_close(sqlite);
  if (status != NAS_OK) return status;
  if (header->application_id != NAS_DB_APPLICATION_ID || header->user_version < 1 ||
      header->user_version > NAS_DB_SCHEMA_VERSION)
    return nas_db_header_check(header, path, false, err);
  return NAS_OK;
}

nas_status nas_db_migrate(const char *path, int *from, nas_err *err) {
  nas_db_header header = {0};
  char safe[4096], fresh[4200];
  struct stat st;
  *from = 0;
  if (!nas_text_put(safe, sizeof safe, "%s%s", *path == '/' ? "" : "./", path))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path of the table is too long");
  NAS_TRY(check_old(safe, &header, err));
  *from = (int)header.user_version;
  if (*from == NAS_DB_SCHEMA_VERSION) return NAS_OK;
  nas_text_put(fresh, sizeof fresh, "%s.migrating", safe);
  unlink(fresh); /* of an earlier attempt that was killed */
  nas_db *db = NULL;
  int64_t version = 0;
  nas_status status = nas_db_open(fresh, NAS_DB_CREATE, &db, err);
  if (status == NAS_OK) status = fill(db, safe, &version, err);
  nas_db_close(db);
  if (status == NAS_OK && stat(safe, &st) == 0) chmod(fresh, st.st_mode & 07777);
  int fd = status == NAS_OK ? open(fresh, O_RDONLY | O_CLOEXEC) : -1;
  if (fd >= 0) {
    if (fsync(fd) != 0) status = nas_fail_errno(err, errno, path, "cannot write the new table");
    close(fd);
  }
  if (status == NAS_OK && rename(fresh, safe) != 0)
    status = nas_fail_errno(err, errno, path, "cannot replace the old table");
  if (status != NAS_OK) unlink(fresh);
  else nas_file_sync_folder(safe);
  return status;
}
