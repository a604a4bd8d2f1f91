#ifndef NAS_TESTS_BENCH_DB_FIXTURE_H
#define NAS_TESTS_BENCH_DB_FIXTURE_H
/* Rows to fill tables with: figures are functions of the trial's number, so that a reader can tell what must be there.
 */
#include "bench-db/bench-db.h"
#include "harness.h"

/* "FOLDER/name" in the case's temporary folder; a few texts live at once. */
const char *fx_path(const char *name);
nas_db_campaign fx_campaign(uint64_t seed);
/* Opens (making it) and adds the campaign of seed 7. */
nas_db *fx_open(const char *path, int64_t *campaign);
nas_db_ask fx_ask(int64_t campaign, uint64_t number);
/* `epochs` epochs with figures that no short decimal holds, and three metrics. Free with nas_result_free. */
nas_result fx_result(uint64_t number, int epochs);
/* Ask, start, finish. */
int64_t fx_add(nas_db *db, int64_t campaign, uint64_t number, int epochs);
/* A table with `n` finished trials of 3 epochs, closed. */
void fx_table(const char *path, int n);
/* True when the stored trial is what fx_add recorded. */
bool fx_intact(const nas_db_trial *t, int epochs);
/* The only value of a query that the sqlite3 shell runs on the file. */
const char *fx_shell(const char *path, const char *sql);
#endif
