#ifndef NAS_BENCH_DB_INTERNAL_HEADER_H
#define NAS_BENCH_DB_INTERNAL_HEADER_H
/* The first 100 bytes of a SQLite file (https://sqlite.org/fileformat2.html), read before SQLite touches the file, so
 * that a foreign file is refused untouched and no side files appear. */
#include "bench-db/internal/db.h"

typedef struct nas_db_header {
  int64_t size;    /* of the file; nothing else is set when it is 0 */
  int64_t claimed; /* bytes that the header says the file has; 0 when it does not say */
  bool wal;        /* written ahead: a reader needs more than this file */
  uint32_t application_id, user_version;
} nas_db_header;

/* DB_UNREADABLE when the file is not empty and no SQLite database. */
nas_status nas_db_header_read(sqlite3 *sqlite, const char *path, nas_db_header *out, nas_err *err);
/* DB_UNREADABLE for an empty or foreign database or a file cut short, DB_VERSION for another schema. With
 * `journalled`, a side file may hold the end of the file, so that its length is not checked. */
nas_status nas_db_header_check(const nas_db_header *header, const char *path, bool journalled, nas_err *err);
#endif
