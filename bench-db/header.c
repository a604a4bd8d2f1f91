#include "bench-db/internal/header.h"

#include <string.h>

static uint32_t big_endian(const unsigned char *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Reads through SQLite's own handle: opening and closing the file a second time would drop this process's locks on it,
 * as POSIX has it. */
nas_status nas_db_header_read(sqlite3 *sqlite, const char *path, nas_db_header *out, nas_err *err) {
  *out = (nas_db_header){0};
  sqlite3_file *file = NULL;
  sqlite3_int64 size = 0;
  if (sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file || !file->pMethods ||
      file->pMethods->xFileSize(file, &size) != SQLITE_OK)
    return nas_fail(err, NAS_E_IO, path, "cannot read the file");
  out->size = size;
  if (size == 0) return NAS_OK;
  unsigned char b[100] = {0};
  int code = file->pMethods->xRead(file, b, sizeof b, 0);
  if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ)
    return nas_fail(err, NAS_E_IO, path, "cannot read the file");
  if (code != SQLITE_OK || memcmp(b, "SQLite format 3", 16) != 0)
    return nas_fail(err, NAS_E_DB_UNREADABLE, path, "this is not a table of this program: not a SQLite database");
  uint32_t page = (uint32_t)b[16] << 8 | b[17];
  if (page == 1) page = 65536;
  out->wal = b[18] == 2 || b[19] == 2;
  out->user_version = big_endian(b + 60);
  out->application_id = big_endian(b + 68);
  bool says_pages = big_endian(b + 24) == big_endian(b + 92);
  if (says_pages) out->claimed = (int64_t)page * big_endian(b + 28);
  return NAS_OK;
}

nas_status nas_db_header_check(const nas_db_header *h, const char *path, bool journalled, nas_err *err) {
  if (h->size == 0)
    return nas_fail(err, NAS_E_DB_UNREADABLE, path, "the file is empty; `nascent db init` makes a table of it");
  if (h->application_id != NAS_DB_APPLICATION_ID)
    return nas_fail(err, NAS_E_DB_UNREADABLE, path,
                    "this is a SQLite database of another program (application_id 0x%08x, not 0x%08x)",
                    h->application_id, (unsigned)NAS_DB_APPLICATION_ID);
  if (h->user_version > NAS_DB_SCHEMA_VERSION)
    return nas_fail(err, NAS_E_DB_VERSION, path,
                    "the table has schema version %u and this program reads up to version %d; use a newer program",
                    h->user_version, NAS_DB_SCHEMA_VERSION);
  if (h->user_version < 1)
    return nas_fail(err, NAS_E_DB_VERSION, path, "the table has schema version %u, which never was in use",
                    h->user_version);
  if (h->user_version < NAS_DB_SCHEMA_VERSION)
    return nas_fail(err, NAS_E_DB_VERSION, path,
                    "the table has the older schema version %u; `nascent db migrate` makes it version %d",
                    h->user_version, NAS_DB_SCHEMA_VERSION);
  if (!journalled && h->size < h->claimed)
    return nas_fail(err, NAS_E_DB_UNREADABLE, path,
                    "the file is cut short: %lld of %lld bytes are here; restore it from a copy or a snapshot",
                    (long long)h->size, (long long)h->claimed);
  return NAS_OK;
}
