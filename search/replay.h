#ifndef NAS_SEARCH_REPLAY_H
#define NAS_SEARCH_REPLAY_H
/* Replay: strategies against a recorded table instead of training, with the recorded costs as simulated time, after
 * the protocol of X. Dong, Y. Yang, "NAS-Bench-201", ICLR 2020, and X. Dong et al., "NATS-Bench", TPAMI 2021. The
 * strategy is the one of a live search (search/strategy.h); it is told the validation accuracy at the search fidelity,
 * or, if it asks for fewer epochs, after those. Its choice is the architecture with the best of those, at the most
 * epochs that it has had a result of (the incumbent of Falkner et al., BOHB, ICML 2018); what counts is the choice's
 * accuracy at the report fidelity, which it never sees. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "search/strategy.h"

/* ---- the table ---- */

/* One architecture. Accuracies are percent. */
typedef struct nas_replay_row {
  nas_arch arch;
  double valid_accuracy; /* at the search fidelity; NaN: a trial of it fails, after `seconds` */
  double seconds;        /* what a trial at the search fidelity costs: training and evaluation; finite, >= 0 */
  double report_valid;   /* validation accuracy at the report fidelity; finite */
  double report_test;    /* test accuracy at the report fidelity; NaN: not measured */
  double params, macs;   /* NaN: not known */
} nas_replay_row;

/* What a simulated trial reads. */
typedef struct nas_replay_seen {
  double valid_accuracy, seconds;
} nas_replay_seen;

/* Flat arrays of n rows in the order they were added. */
typedef struct nas_replay_table {
  const nas_space *space; /* borrowed */
  size_t n, cap;
  nas_arch *arch;
  nas_replay_seen *seen;
  double *report_valid, *report_test, *params, *macs;
  double best_valid, best_test; /* the highest report figures; -infinity where there are none */
  int32_t epochs;               /* the search fidelity; 0 without curves */
  double *curve;                /* validation accuracy after each epoch up to there, row by row; or NULL */
  double *epoch_seconds;        /* of training, by row; or NULL */
  uint32_t *slots;              /* row + 1, or 0: by the space's index, or by hash where it has none */
  size_t n_slots;
  bool by_index;
} nas_replay_table;

enum { NAS_REPLAY_NO_ROW = -1 };

/* An empty table over a space (borrowed). Free with nas_replay_table_free (NULL is fine). */
nas_status nas_replay_table_new(const nas_space *space, nas_replay_table **out, nas_err *err);
void nas_replay_table_free(nas_replay_table *table);
/* BAD_INPUT for an architecture that is there already or is none of the space, and for figures out of range. */
nas_status nas_replay_table_add(nas_replay_table *table, const nas_replay_row *row, nas_err *err);
/* Gives every row its curve, so that strategies of several fidelities can be replayed: `curve` has `epochs` accuracies
 * (NaN: a trial of so many epochs fails) for each of the n rows, `epoch_seconds` the training time of one epoch. Both
 * are copied. Once, when all rows are there. A trial of e epochs then costs e epochs of training and one evaluation;
 * one that goes on with another, only its further epochs and one evaluation. */
nas_status nas_replay_table_set_curves(nas_replay_table *table, int32_t epochs, const double *curve,
                                       const double *epoch_seconds, nas_err *err);
/* The row of an architecture, or NAS_REPLAY_NO_ROW. */
int64_t nas_replay_table_find(const nas_replay_table *table, const nas_arch *arch);

/* ---- runs ---- */

/* A run ends when one of the limits is reached, and when the strategy has nothing left to propose. An evaluation that
 * begins before `seconds` is finished and counts, as in the published protocol. */
typedef struct nas_replay_limits {
  double seconds;       /* of simulated time; infinity: no limit */
  uint64_t evaluations; /* that may begin; UINT64_MAX: no limit */
  uint32_t workers;     /* evaluations at once, >= 1: a worker that becomes free asks again at once */
} nas_replay_limits;

/* The choice changed. */
typedef struct nas_replay_step {
  double seconds;       /* simulated time */
  uint64_t evaluations; /* results so far, this one included */
  uint32_t row;         /* the choice from now on */
} nas_replay_step;

typedef enum nas_replay_end {
  NAS_REPLAY_BUDGET,    /* a limit was reached */
  NAS_REPLAY_EXHAUSTED, /* the strategy had nothing left to propose */
  NAS_REPLAY_STALLED,   /* it went on proposing architectures that the table does not have */
} nas_replay_end;

typedef struct nas_replay_run {
  uint64_t seed;        /* of the strategy: a live search with it proposes the same, given the same results */
  uint64_t evaluations; /* results told, failed ones included */
  uint64_t missing;     /* proposals that the table does not have: told as rejected, at no cost */
  double seconds;       /* simulated time when the last result came */
  nas_replay_end end;
  nas_replay_step *steps; /* in order; none when no evaluation succeeded. The last row is the choice */
  size_t n_steps, steps_cap;
} nas_replay_run;

/* Frees what a run holds. */
void nas_replay_run_clear(nas_replay_run *run);

/* One strategy, many runs. */
typedef struct nas_replay_plan {
  const nas_replay_table *table;
  const char *strategy;         /* its name */
  const nas_settings *settings; /* its options, or NULL */
  nas_replay_limits limits;
  uint64_t seed; /* of all runs */
  size_t runs;
  unsigned jobs; /* threads; results do not depend on them */
  /* Called after each run, by one thread at a time; may be NULL. */
  void (*progress)(void *arg, size_t done);
  void *arg;
} nas_replay_plan;

/* The strategy's seed of a run: a function of both numbers, below 2^53. */
uint64_t nas_replay_seed(uint64_t seed, uint64_t run);
/* One run with this strategy seed into *out (which is overwritten). UNSUPPORTED: a strategy of several fidelities on a
 * table without curves. */
nas_status nas_replay_once(const nas_replay_plan *plan, uint64_t strategy_seed, nas_replay_run *out, nas_err *err);
/* All runs into out[0..runs-1] (zeroed by the caller; clear each, also after an error). An error is that of the first
 * run that fails. */
nas_status nas_replay_all(const nas_replay_plan *plan, nas_replay_run *out, nas_err *err);
#endif
