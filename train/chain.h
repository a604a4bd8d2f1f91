#ifndef NAS_TRAIN_CHAIN_H
#define NAS_TRAIN_CHAIN_H
/* Chains: neighbouring instructions of a program that work element by element on tensors of one size and hand these to
 * each other run together, a tile that stays in cache at a time. What only the chain looks at never exists as a whole.
 * The kernels are those of the operations, so the numbers are the same bits. */
#include "train/plan_internal.h"

/* Numbers of a tile; a multiple of every vector, so that tiles end where vectors do. A dozen share the second-level
 * cache; smaller ones are slower, because every stretch of memory is begun more often. */
enum { NAS_CHAIN_TILE = 16384 };

/* Finds the chains of a fast plan's program and which buffers are theirs alone (`local`). */
nas_status nas_plan_find_chains(nas_plan *p, nas_err *err);
/* Makes the calls of all chains; whenever the steps' addresses are made. */
void nas_plan_resolve_chains(nas_plan *p);
void nas_plan_run_chain(const nas_plan *p, const nas_chain *chain);
#endif
