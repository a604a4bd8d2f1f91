#ifndef NAS_TESTS_SEARCH_REPLAY_DB_H
#define NAS_TESTS_SEARCH_REPLAY_DB_H
/* A small recorded table: the first 400 cells of NAS-Bench-201, each trained for 3 and for 6 epochs with two seeds, by
 * formulas that a test can repeat. */
#include "base/result.h"
#include "bench-db/bench-db.h"

enum { REPLAY_CELLS = 400, REPLAY_SEARCH = 3, REPLAY_REPORT = 6 };

/* The figures of an epoch; cell 7 is the best of both fidelities. */
nas_epoch replay_db_epoch(int cell, int epochs, int epoch, int seed);

/* Makes the table in the case's folder and returns its path. `timed`: epochs have seconds. `all`: without, every tenth
 * cell has no run of 6 epochs. */
const char *replay_db_make(const char *name, bool timed, bool all);
#endif
