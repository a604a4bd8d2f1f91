#ifndef NAS_BENCH_DB_MERGE_H
#define NAS_BENCH_DB_MERGE_H
/* Several tables into one. */
#include "bench-db/bench-db.h"

typedef struct nas_db_merge_counts {
  int64_t campaigns, trials; /* in the new table */
  int64_t same;              /* trials that were there already with the same figures: kept once */
  int64_t conflicts;         /* rows of the view `conflict` */
} nas_db_merge_counts;

/* Makes a table at `to`, which must not exist, of the trials of n tables, which are only read. Copies of one campaign
 * become one campaign with the trials of all. A trial that another campaign recorded with the same figures (times may
 * differ) is kept once and noted in `repetition`; with other figures both are kept, and `conflict` shows them. The file
 * appears as a whole when it is complete; an error or a crash leaves nothing of that name. Errors: as nas_db_open;
 * BAD_INPUT when `to` exists; MISMATCH when two tables know an architecture by different canonical forms. */
nas_status nas_db_merge(const char *const *from, size_t n, const char *to, nas_db_merge_counts *counts, nas_err *err);
#endif
