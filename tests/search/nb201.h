#ifndef NAS_TESTS_SEARCH_NB201_H
#define NAS_TESTS_SEARCH_NB201_H
/* The shared NAS-Bench-201 figures of `cifar10-valid` as a replay table: 12-epoch validation accuracy to search,
 * 200-epoch accuracies to report, 12 training epochs and one evaluation as cost. Skips the case where the file is
 * absent. Both are freed by the caller. */
#include "search/replay.h"

void nb201_open(nas_space **space, nas_replay_table **table);
#endif
