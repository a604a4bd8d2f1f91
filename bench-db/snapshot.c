/* A consistent copy that readers may use while the table itself is being written. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench-db/internal/db.h"

static nas_status sync_path(const char *path, int flags, nas_err *err) {
  int fd = open(path, flags | O_CLOEXEC);
  if (fd < 0) return nas_fail_errno(err, errno, path, "cannot open the snapshot");
  nas_status status = fsync(fd) == 0 ? NAS_OK : nas_fail_errno(err, errno, path, "cannot write the snapshot");
  close(fd);
  return status;
}

static nas_status vacuum_into(nas_db *db, const char *path, nas_err *err) {
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v2(db->sqlite, "VACUUM INTO ?", -1, &s, NULL) != SQLITE_OK)
    return nas_db_fail(db, err, "write a snapshot");
  nas_db_bind_text(s, 1, path);
  nas_status status = sqlite3_step(s) == SQLITE_DONE ? NAS_OK : nas_db_fail(db, err, "write a snapshot");
  sqlite3_finalize(s);
  return status;
}

nas_status nas_db_snapshot(nas_db *db, const char *path, nas_err *err) {
  if (!sqlite3_get_autocommit(db->sqlite))
    return nas_fail(err, NAS_E_INTERNAL, db->path, "a snapshot cannot be taken inside a transaction");
  char temporary[4096], folder[4096];
  bool special = *path != '/'; /* a relative name that SQLite could take for a URI */
  if (!nas_text_put(temporary, sizeof temporary, "%s%s.XXXXXX", special ? "./" : "", path))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path of the snapshot is too long");
  int fd = mkstemp(temporary);
  if (fd < 0) return nas_fail_errno(err, errno, path, "cannot create a snapshot in this folder");
  struct stat st;
  fchmod(fd, stat(db->path, &st) == 0 ? st.st_mode & 0666 : 0600);
  close(fd);                             /* VACUUM INTO takes an empty file */
  bool reader = db->mode == NAS_DB_READ; /* whose guard would refuse the new file too */
  if (reader) sqlite3_exec(db->sqlite, "PRAGMA query_only = OFF", NULL, NULL, NULL);
  nas_status status = vacuum_into(db, temporary, err);
  if (reader) sqlite3_exec(db->sqlite, "PRAGMA query_only = ON", NULL, NULL, NULL);
  if (status == NAS_OK) status = sync_path(temporary, O_RDONLY, err);
  if (status == NAS_OK && rename(temporary, path) != 0)
    status = nas_fail_errno(err, errno, path, "cannot replace the snapshot");
  if (status != NAS_OK) {
    unlink(temporary);
    return status;
  }
  nas_text_put(folder, sizeof folder, "%s", path);
  return sync_path(dirname(folder), O_RDONLY | O_DIRECTORY, err);
}
