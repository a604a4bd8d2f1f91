#ifndef NAS_TESTS_SEARCH_TABLE_H
#define NAS_TESTS_SEARCH_TABLE_H
/* The shared NAS-Bench-201 table and searches simulated on it: the searched metric is the 12-epoch validation accuracy
 * of cifar10-valid, an evaluation costs its 12 training epochs and one validation pass, and what is reported is the
 * 200-epoch test accuracy of the best architecture found. */
#include "search/strategy.h"

enum { NAS_TABLE_CELLS = 15625 };

typedef struct nas_nb201_table {
  float valid[NAS_TABLE_CELLS], test[NAS_TABLE_CELLS], seconds[NAS_TABLE_CELLS], params[NAS_TABLE_CELLS],
      macs[NAS_TABLE_CELLS];
  double best; /* valid accuracy */
} nas_nb201_table;

/* Skips the case when the shared folder is absent; free() it. */
nas_nb201_table *nas_table_load(void);

typedef struct nas_simulation {
  double evaluations, regret, test, test_std; /* means over runs; the deviation of test over runs */
  double regrets[1000];                       /* of each run */
} nas_simulation;

/* `runs` (at most 1000) searches of one worker with seeds 0.. until the next evaluation would pass `seconds`. */
void nas_simulate(const nas_nb201_table *table, const nas_space *space, const char *name, const char *settings,
                  int runs, double seconds, nas_simulation *out);
#endif
