#ifndef NAS_BENCH_DB_IMPORT_H
#define NAS_BENCH_DB_IMPORT_H
/* Foreign tables into ours: CSV or JSON, plain or gzip, by a map (docs/tables.md) that says where each figure stands.
 */
#include "bench-db/bench-db.h"

/* Why something was left out. */
typedef enum nas_import_reason {
#define NAS_IMPORT_REASON(name, text) NAS_IMPORT_##name,
#include "bench-db/import.def"
#undef NAS_IMPORT_REASON
  NAS_IMPORT_REASONS
} nas_import_reason;
const char *nas_import_reason_text(nas_import_reason reason);

typedef struct nas_import {
  const char *file, *map;                                        /* paths */
  bool strict;                                                   /* the first fault ends the import */
  void (*fault)(void *arg, const char *where, const char *what); /* each fault: "FILE:ROW:COLUMN"; may be NULL */
  void *arg;
} nas_import;

typedef struct nas_import_counts {
  int64_t rows, architectures, trials; /* rows read, architectures that got trials, trials added */
  int64_t same;                        /* trials that the table had with the same figures */
  int64_t absent;                      /* records that the file does not have (a JSON `at` that leads nowhere) */
  int64_t faults;                      /* rows or trials left out */
  int64_t reasons[NAS_IMPORT_REASONS]; /* the same by reason */
} nas_import_counts;

/* Imports in one transaction: all of it or, on any error or crash, nothing. Faults of a row (a wrong architecture, a
 * missing or unreadable figure, an accuracy outside 0 to 100, other figures for a trial that the table has) leave out
 * that row or trial and are reported; with `strict` they are the error. A column that the file lacks leaves out the
 * runs that need it, and is the error where no run is left. Errors besides: BAD_INPUT for the map and files that are no
 * CSV or JSON, UNKNOWN_NAME for keys and columns, NOT_FOUND, MISMATCH for a declared space that the table knows with
 * another declaration. */
nas_status nas_db_import(nas_db *db, const nas_import *import, nas_import_counts *counts, nas_err *err);
#endif
