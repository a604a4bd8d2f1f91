/* Figures, curves and differences of runs that are written down by hand. */
#include "search/replay_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"
#include "harness.h"

/* Rows 0..3: report accuracies 90, 92, 94, 96 (validation) and 80, 81, 82, 83 (test). */
static nas_replay_table *ladder(const nas_space *space) {
  nas_replay_table *t;
  assert_ok(nas_replay_table_new(space, &t, nas_test_err()));
  for (uint64_t i = 0; i < 4; i++) {
    nas_replay_row row = {.valid_accuracy = 50 + (double)i,
                          .seconds = 1,
                          .report_valid = 90 + 2 * (double)i,
                          .report_test = 80 + (double)i};
    assert_ok(nas_space_at(space, i, &row.arch, nas_test_err()));
    assert_ok(nas_replay_table_add(t, &row, nas_test_err()));
  }
  return t;
}

/* Four runs: choices 0 then 2; 1; 3 late; none. */
static nas_replay_step steps_a[] = {{10, 1, 0}, {40, 4, 2}}, steps_b[] = {{20, 1, 1}}, steps_c[] = {{80, 7, 3}};
static const nas_replay_run runs[] = {
    {.evaluations = 8, .seconds = 100, .steps = steps_a, .n_steps = 2},
    {.evaluations = 10, .seconds = 160, .steps = steps_b, .n_steps = 1, .end = NAS_REPLAY_EXHAUSTED},
    {.evaluations = 9, .seconds = 90, .steps = steps_c, .n_steps = 1},
    {.evaluations = 5, .seconds = 50, .missing = 8, .end = NAS_REPLAY_STALLED},
};

static void summarises_the_last_choices(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = ladder(space);
  nas_replay_summary s;
  assert_ok(nas_replay_summarise(t, runs, 4, &s, nas_test_err()));
  assert_close(s.evaluations_mean, 8, 1e-15);
  assert_close(s.seconds_mean, 100, 1e-15);
  assert_close(s.missing_mean, 2, 1e-15);
  assert_close(s.valid_mean, 94, 1e-15); /* of 94, 92 and 96 */
  assert_close(s.valid_std, 2, 1e-15);
  assert_close(s.test_mean, 82, 1e-15);
  assert_close(s.test_std, 1, 1e-15);
  assert_close(s.search_valid_mean, 52, 1e-15);
  assert_close(s.valid_regret_mean, 2, 1e-15);
  assert_close(s.test_regret_mean, 1, 1e-15);
  assert_int_equal(s.without_choice, 1);
  assert_int_equal(s.exhausted, 1);
  assert_int_equal(s.stalled, 1);
  assert_ok(nas_replay_summarise(t, runs, 1, &s, nas_test_err()));
  assert_close(s.valid_mean, 94, 1e-15);
  assert_true(isnan(s.valid_std));
  nas_replay_table_free(t);
  nas_space_close(space);
}

static void curves_are_quartiles_of_regret(void **state) {
  (void)state;
  const double x[] = {10, 39, 40, 80, 160};
  /* Regrets of the four runs: 6,-,-,-; 6,4,-,-; 2,4,-,-; 2,4,0,-. */
  nas_space *space = nas_drive_space();
  nas_replay_table *t = ladder(space);
  nas_replay_point p[5];
  assert_ok(nas_replay_curve(t, runs, 4, NAS_REPLAY_SECONDS, x, 5, p, nas_test_err()));
  assert_true(isinf(p[0].valid.low) && isinf(p[0].valid.median));
  assert_close(p[1].valid.low, 5.5, 1e-15);
  assert_true(isinf(p[1].valid.median) && isinf(p[1].valid.high));
  assert_close(p[2].valid.low, 3.5, 1e-15);
  for (int i = 3; i < 5; i++) {
    assert_close(p[i].valid.low, 1.5, 1e-15);
    assert_close(p[i].valid.median, 3, 1e-15);
    assert_close(p[i].test.median, 1.5, 1e-15);
    assert_true(isinf(p[i].valid.high));
  }
  assert_ok(nas_replay_curve(t, runs, 3, NAS_REPLAY_EVALUATIONS, (double[]){7}, 1, p, nas_test_err()));
  assert_close(p[0].valid.low, 1, 1e-15);
  assert_close(p[0].valid.median, 2, 1e-15);
  assert_close(p[0].valid.high, 3, 1e-15);
  nas_replay_table_free(t);
  nas_space_close(space);
}

static void moments_are_even_on_a_logarithmic_axis(void **state) {
  (void)state;
  const nas_replay_entry entry = {"x", runs};
  double x[64];
  size_t n;
  assert_ok(nas_replay_moments(&entry, 1, 4, NAS_REPLAY_SECONDS, x, 5, &n, nas_test_err()));
  assert_int_equal(n, 5);
  assert_close(x[0], 10, 0);
  assert_close(x[4], 160, 0);
  for (int i = 1; i < 5; i++) assert_close(x[i] / x[i - 1], 2, 1e-12);
  assert_ok(nas_replay_moments(&entry, 1, 4, NAS_REPLAY_EVALUATIONS, x, 64, &n, nas_test_err()));
  assert_int_equal(n, 10);
  for (int i = 0; i < 10; i++) assert_close(x[i], i + 1, 0);
  const nas_replay_entry nothing = {"y", &runs[3]};
  assert_ok(nas_replay_moments(&nothing, 1, 1, NAS_REPLAY_SECONDS, x, 64, &n, nas_test_err()));
  assert_int_equal(n, 0);
  assert_fails(nas_replay_moments(&entry, 1, 4, NAS_REPLAY_SECONDS, x, 1, &n, nas_test_err()), NAS_E_OUT_OF_RANGE,
               "two points");
}

/* Ten paired runs: `best` always at row 3, `same` too, `worst` at row 0 but once. */
static void compares_runs_in_pairs(void **state) {
  (void)state;
  enum { N = 10 };
  nas_space *space = nas_drive_space();
  nas_replay_table *t = ladder(space);
  nas_replay_step high = {1, 1, 3}, low = {1, 1, 0};
  nas_replay_run best[N], same[N], worst[N];
  for (int i = 0; i < N; i++) {
    best[i] = same[i] = (nas_replay_run){.steps = &high, .n_steps = 1};
    worst[i] = (nas_replay_run){.steps = i == 4 ? NULL : &low, .n_steps = i != 4};
  }
  const nas_replay_entry entries[] = {{"best", best}, {"same", same}, {"worst", worst}};
  nas_replay_difference d[6];
  assert_ok(nas_replay_compare(t, entries, 3, N, NAS_REPLAY_WILCOXON, 500, 1, d, nas_test_err()));
  for (int k = 0; k < 6; k += 3) {
    assert_int_equal(d[k].of_test, k == 3);
    assert_true(d[k].a == 0 && d[k].b == 1 && d[k + 1].a == 0 && d[k + 1].b == 2 && d[k + 2].a == 1);
    assert_close(d[k].mean, 0, 0);
    assert_close(d[k].p, 1, 0);
    assert_close(d[k + 1].mean, k ? 3 : 6, 1e-15);
    assert_close(d[k + 1].low, k ? 3 : 6, 1e-15);
    assert_int_equal(d[k + 1].runs, 9);
    assert_close(d[k + 1].p, 2.0 / 512, 1e-15); /* nine differences of one sign */
    assert_close(d[k + 1].p_holm, 3 * 2.0 / 512, 1e-15);
    assert_close(d[k + 2].p_holm, 3 * 2.0 / 512, 1e-15);
    assert_close(d[k].p_holm, 1, 0);
  }
  assert_ok(nas_replay_compare(t, entries, 3, N, NAS_REPLAY_BOOTSTRAP, 499, 1, d, nas_test_err()));
  assert_close(d[1].p, 1.0 / 500, 1e-15);
  assert_ok(nas_replay_compare(t, entries, 1, N, NAS_REPLAY_WILCOXON, 500, 1, d, nas_test_err()));
  nas_replay_table_free(t);
  nas_space_close(space);
}

/* A table whose test accuracies are not known: no figure, and no word about differences. */
static void says_nothing_of_what_was_not_measured(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = ladder(space);
  for (size_t i = 0; i < t->n; i++) t->report_test[i] = NAN;
  const nas_replay_entry entries[] = {{"a", runs}, {"b", runs}};
  nas_replay_difference d[2];
  nas_replay_summary s;
  nas_replay_point p;
  const double x = 100;
  assert_ok(nas_replay_summarise(t, runs, 3, &s, nas_test_err()));
  assert_true(isnan(s.test_mean) && isnan(s.test_std));
  assert_close(s.valid_mean, 94, 1e-15);
  assert_ok(nas_replay_curve(t, runs, 3, NAS_REPLAY_SECONDS, &x, 1, &p, nas_test_err()));
  assert_true(isnan(p.test.median) && p.valid.median == 2);
  assert_ok(nas_replay_compare(t, entries, 2, 3, NAS_REPLAY_WILCOXON, 100, 1, d, nas_test_err()));
  assert_int_equal(d[0].runs, 3);
  assert_int_equal(d[1].runs, 0);
  assert_true(isnan(d[1].p) && isnan(d[1].p_holm) && isnan(d[1].mean));
  nas_replay_table_free(t);
  nas_space_close(space);
}

NAS_SUITE(ReplayReport, NAS_CASE(summarises_the_last_choices), NAS_CASE(curves_are_quartiles_of_regret),
          NAS_CASE(moments_are_even_on_a_logarithmic_axis), NAS_CASE(compares_runs_in_pairs),
          NAS_CASE(says_nothing_of_what_was_not_measured))
