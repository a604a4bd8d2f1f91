#include "search/replay_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The choice of a run in the end, or NAS_REPLAY_NO_ROW. */
static int64_t choice_of(const nas_replay_run *run) {
  return run->n_steps ? (int64_t)run->steps[run->n_steps - 1].row : NAS_REPLAY_NO_ROW;
}

/* ---- figures of one strategy ---- */

/* A column of one figure over runs; `scratch` holds n numbers. */
typedef double (*figure_fn)(const nas_replay_table *t, const nas_replay_run *run);

static double evaluations(const nas_replay_table *t, const nas_replay_run *run) {
  (void)t;
  return (double)run->evaluations;
}
static double seconds(const nas_replay_table *t, const nas_replay_run *run) {
  (void)t;
  return run->seconds;
}
static double missing(const nas_replay_table *t, const nas_replay_run *run) {
  (void)t;
  return (double)run->missing;
}
static double search_valid(const nas_replay_table *t, const nas_replay_run *run) {
  return t->seen[choice_of(run)].valid_accuracy;
}
static double report_valid(const nas_replay_table *t, const nas_replay_run *run) {
  return t->report_valid[choice_of(run)];
}
static double report_test(const nas_replay_table *t, const nas_replay_run *run) {
  return t->report_test[choice_of(run)];
}

typedef struct column {
  const nas_replay_table *table;
  const nas_replay_run *runs;
  size_t n;
  double *scratch;
} column;

static void moments_of(const column *c, figure_fn figure, bool needs_choice, double *mean, double *deviation) {
  size_t n = 0;
  for (size_t i = 0; i < c->n; i++)
    if (!needs_choice || c->runs[i].n_steps) c->scratch[n++] = figure(c->table, &c->runs[i]);
  *mean = nas_mean(c->scratch, n);
  if (deviation) *deviation = nas_deviation(c->scratch, n);
}

nas_status nas_replay_summarise(const nas_replay_table *table, const nas_replay_run *runs, size_t n,
                                nas_replay_summary *out, nas_err *err) {
  column c = {table, runs, n, calloc(n + 1, sizeof(double))};
  if (!c.scratch) return nas_fail_memory(err, "the figures of a replay");
  *out = (nas_replay_summary){.runs = n};
  for (size_t i = 0; i < n; i++) {
    out->without_choice += runs[i].n_steps == 0;
    out->exhausted += runs[i].end == NAS_REPLAY_EXHAUSTED;
    out->stalled += runs[i].end == NAS_REPLAY_STALLED;
  }
  moments_of(&c, evaluations, false, &out->evaluations_mean, &out->evaluations_std);
  moments_of(&c, seconds, false, &out->seconds_mean, NULL);
  moments_of(&c, missing, false, &out->missing_mean, NULL);
  moments_of(&c, search_valid, true, &out->search_valid_mean, NULL);
  moments_of(&c, report_valid, true, &out->valid_mean, &out->valid_std);
  moments_of(&c, report_test, true, &out->test_mean, &out->test_std);
  out->valid_regret_mean = table->best_valid - out->valid_mean;
  out->test_regret_mean = table->best_test - out->test_mean;
  free(c.scratch);
  return NAS_OK;
}

/* ---- anytime regret ---- */

static double step_at(const nas_replay_step *step, nas_replay_axis axis) {
  return axis == NAS_REPLAY_SECONDS ? step->seconds : (double)step->evaluations;
}

static double end_at(const nas_replay_run *run, nas_replay_axis axis) {
  return axis == NAS_REPLAY_SECONDS ? run->seconds : (double)run->evaluations;
}

nas_status nas_replay_moments(const nas_replay_entry *entries, size_t n_entries, size_t runs, nas_replay_axis axis,
                              double *x, size_t n, size_t *made, nas_err *err) {
  double first = INFINITY, last = 0;
  *made = 0;
  if (n < 2) return nas_fail(err, NAS_E_OUT_OF_RANGE, "points", "a curve needs at least two points");
  for (size_t e = 0; e < n_entries; e++)
    for (size_t r = 0; r < runs; r++) {
      const nas_replay_run *run = &entries[e].runs[r];
      if (!run->n_steps) continue;
      first = fmin(first, step_at(&run->steps[0], axis));
      last = fmax(last, end_at(run, axis));
    }
  if (isinf(first)) return NAS_OK;             /* no run has a choice */
  double low = first > 0 ? first : last / 1e6; /* an evaluation without cost has no place on the axis */
  for (size_t i = 0; i < n && last > 0; i++) {
    double at = low * pow(last / low, (double)i / (double)(n - 1));
    if (axis == NAS_REPLAY_EVALUATIONS) at = floor(at + 1e-9);
    if (i == 0) at = low;
    if (i == n - 1) at = last; /* to the bit */
    if (*made && at <= x[*made - 1]) continue;
    x[(*made)++] = at;
  }
  return NAS_OK;
}

static nas_replay_quartiles quartiles(double *values, size_t n) {
  nas_sort(values, n);
  return (nas_replay_quartiles){nas_quantile(values, n, 0.25), nas_quantile(values, n, 0.5),
                                nas_quantile(values, n, 0.75)};
}

nas_status nas_replay_curve(const nas_replay_table *table, const nas_replay_run *runs, size_t n_runs,
                            nas_replay_axis axis, const double *x, size_t n, nas_replay_point *out, nas_err *err) {
  double *valid = malloc((n_runs + 1) * sizeof *valid), *test = malloc((n_runs + 1) * sizeof *test);
  size_t *passed = calloc(n_runs + 1, sizeof *passed); /* steps of each run up to the moment */
  nas_status status = valid && test && passed ? NAS_OK : nas_fail_memory(err, "the curves of a replay");
  for (size_t i = 0; i < n && status == NAS_OK; i++) {
    bool tested = true;
    for (size_t r = 0; r < n_runs; r++) {
      const nas_replay_run *run = &runs[r];
      while (passed[r] < run->n_steps && step_at(&run->steps[passed[r]], axis) <= x[i]) passed[r]++;
      valid[r] = test[r] = INFINITY;
      if (!passed[r]) continue;
      uint32_t row = run->steps[passed[r] - 1].row;
      valid[r] = table->best_valid - table->report_valid[row];
      test[r] = table->best_test - table->report_test[row];
      tested = tested && !isnan(test[r]);
    }
    out[i] = (nas_replay_point){x[i], quartiles(valid, n_runs), {NAN, NAN, NAN}};
    if (tested) out[i].test = quartiles(test, n_runs);
  }
  free(valid);
  free(test);
  free(passed);
  return status;
}

/* ---- differences ---- */

static size_t take_differences(const nas_replay_table *t, const nas_replay_entry *a, const nas_replay_entry *b,
                               size_t runs, bool of_test, double *out) {
  size_t n = 0;
  figure_fn figure = of_test ? report_test : report_valid;
  for (size_t r = 0; r < runs; r++) {
    if (!a->runs[r].n_steps || !b->runs[r].n_steps) continue;
    double difference = figure(t, &a->runs[r]) - figure(t, &b->runs[r]);
    if (!isnan(difference)) out[n++] = difference;
  }
  return n;
}

static nas_status compare_pair(const double *differences, nas_replay_test test, size_t resamples, nas_rng rng,
                               nas_replay_difference *d, nas_err *err) {
  d->mean = d->low = d->high = d->p = d->p_holm = NAN;
  if (!d->runs) return NAS_OK;
  nas_wilcoxon w;
  nas_bootstrap b;
  NAS_TRY(nas_wilcoxon_test(differences, d->runs, &w, err));
  NAS_TRY(nas_bootstrap_test(differences, d->runs, resamples, rng, &b, err));
  d->mean = b.mean;
  d->low = b.low;
  d->high = b.high;
  d->p = d->p_holm = test == NAS_REPLAY_WILCOXON ? w.p : b.p;
  return NAS_OK;
}

/* The p-values of one figure make one family. */
static nas_status adjust(nas_replay_difference *d, size_t n, nas_err *err) {
  double *p = malloc((n + 1) * sizeof *p);
  if (!p) return nas_fail_memory(err, "the adjusted p-values");
  for (size_t i = 0; i < n; i++) p[i] = d[i].p;
  nas_status status = nas_holm(p, n, err);
  for (size_t i = 0; i < n && status == NAS_OK; i++) d[i].p_holm = p[i];
  free(p);
  return status;
}

nas_status nas_replay_compare(const nas_replay_table *table, const nas_replay_entry *entries, size_t n_entries,
                              size_t runs, nas_replay_test test, size_t resamples, uint64_t seed,
                              nas_replay_difference *out, nas_err *err) {
  double *differences = malloc((runs + 1) * sizeof *differences);
  if (!differences) return nas_fail_memory(err, "the differences of a replay");
  nas_status status = NAS_OK;
  nas_replay_difference *d = out;
  for (int of_test = 0; of_test < 2; of_test++) {
    for (size_t a = 0; a < n_entries; a++)
      for (size_t b = a + 1; b < n_entries && status == NAS_OK; b++, d++) {
        *d = (nas_replay_difference){.a = a, .b = b, .of_test = of_test};
        d->runs = take_differences(table, &entries[a], &entries[b], runs, of_test, differences);
        nas_rng rng = nas_rng_make(seed, (uint32_t)(a * n_entries + b), NAS_STREAM_RESAMPLE);
        status = compare_pair(differences, test, resamples, rng, d, err);
      }
    size_t pairs = n_entries * (n_entries - 1) / 2;
    if (status == NAS_OK && pairs) status = adjust(out + (of_test ? pairs : 0), pairs, err);
  }
  free(differences);
  return status;
}
