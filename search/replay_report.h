#ifndef NAS_SEARCH_REPLAY_REPORT_H
#define NAS_SEARCH_REPLAY_REPORT_H
/* What replayed runs say: figures of each strategy, anytime regret, and which differences are more than chance. */
#include "search/replay.h"
#include "search/statistics.h"

/* One strategy's runs. */
typedef struct nas_replay_entry {
  const char *name; /* what the report calls it */
  const nas_replay_run *runs;
} nas_replay_entry;

/* Means and sample standard deviations (divisor n - 1) over runs, of the last choice at the report fidelity. Runs in
 * which no evaluation succeeded have no choice; they count for evaluations and seconds only. */
typedef struct nas_replay_summary {
  double evaluations_mean, evaluations_std, seconds_mean, missing_mean;
  double search_valid_mean; /* of the choice, at the search fidelity */
  double valid_mean, valid_std, test_mean, test_std;
  double valid_regret_mean, test_regret_mean; /* the table's best less the choice's, in percentage points */
  size_t runs, without_choice, exhausted, stalled;
} nas_replay_summary;

nas_status nas_replay_summarise(const nas_replay_table *table, const nas_replay_run *runs, size_t n,
                                nas_replay_summary *out, nas_err *err);

/* ---- anytime regret ---- */

typedef enum nas_replay_axis { NAS_REPLAY_SECONDS, NAS_REPLAY_EVALUATIONS } nas_replay_axis;

/* Quartiles over runs at one moment. A run without a choice yet has infinite regret. */
typedef struct nas_replay_quartiles {
  double low, median, high;
} nas_replay_quartiles;

/* Regret at x: the highest accuracy of the table at the report fidelity less that of the choice at x. */
typedef struct nas_replay_point {
  double x;
  nas_replay_quartiles valid, test;
} nas_replay_point;

/* At most `n` moments, evenly on a logarithmic axis from the first choice of any run to the last result of any run;
 * whole and distinct for evaluations. Gives how many there are in *made. */
nas_status nas_replay_moments(const nas_replay_entry *entries, size_t n_entries, size_t runs, nas_replay_axis axis,
                              double *x, size_t n, size_t *made, nas_err *err);
/* Fills out[i] for each of the ascending moments x[i]. */
nas_status nas_replay_curve(const nas_replay_table *table, const nas_replay_run *runs, size_t n_runs,
                            nas_replay_axis axis, const double *x, size_t n, nas_replay_point *out, nas_err *err);

/* ---- differences ---- */

typedef enum nas_replay_test { NAS_REPLAY_WILCOXON, NAS_REPLAY_BOOTSTRAP } nas_replay_test;

/* Entry a less entry b, run by run, in one of the report figures. */
typedef struct nas_replay_difference {
  size_t a, b;
  bool of_test;           /* test accuracy; else validation accuracy */
  size_t runs;            /* in which both have a choice */
  double mean, low, high; /* of the difference, with a 95 % interval by the paired bootstrap */
  double p, p_holm;       /* two-sided; adjusted over all pairs of the same figure; NaN where nothing was compared */
} nas_replay_difference;

/* All n (n - 1) / 2 pairs in validation accuracy, then all in test accuracy: n (n - 1) rows. The p-value is that of
 * `test`. Random numbers of the bootstrap depend on (seed, a, b) only. */
nas_status nas_replay_compare(const nas_replay_table *table, const nas_replay_entry *entries, size_t n_entries,
                              size_t runs, nas_replay_test test, size_t resamples, uint64_t seed,
                              nas_replay_difference *out, nas_err *err);
#endif
