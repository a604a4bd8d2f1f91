/* The simulated clock, on tables whose course can be followed by hand, and the published protocol on the shared table.
 */
#include "search/replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"
#include "harness.h"
#include "nb201.h"
#include "search/replay_report.h"

/* A table of the first `n` indices; `cost` seconds for index 0, one more for each next; accuracy as in drive.h. */
static nas_replay_table *small_table(const nas_space *space, size_t n, double cost) {
  nas_replay_table *t;
  assert_ok(nas_replay_table_new(space, &t, nas_test_err()));
  for (size_t i = 0; i < n; i++) {
    nas_replay_row row = {.seconds = cost + (cost > 0 ? (double)i : 0), .params = NAN, .macs = 10};
    assert_ok(nas_space_at(space, i, &row.arch, nas_test_err()));
    row.valid_accuracy = nas_drive_accuracy(&row.arch);
    row.report_valid = row.valid_accuracy / 2;
    row.report_test = row.valid_accuracy / 4;
    assert_ok(nas_replay_table_add(t, &row, nas_test_err()));
  }
  return t;
}

static nas_replay_plan plan_of(const nas_replay_table *t, const char *strategy) {
  return (nas_replay_plan){.table = t,
                           .strategy = strategy,
                           .limits = {.seconds = INFINITY, .evaluations = UINT64_MAX, .workers = 1},
                           .runs = 1,
                           .jobs = 1};
}

static nas_replay_run once(const nas_replay_plan *plan, uint64_t seed) {
  nas_replay_run run;
  assert_ok(nas_replay_once(plan, seed, &run, nas_test_err()));
  return run;
}

static void assert_same_run(const nas_replay_run *a, const nas_replay_run *b) {
  assert_int_equal(a->seed, b->seed);
  assert_int_equal(a->evaluations, b->evaluations);
  assert_int_equal(a->missing, b->missing);
  assert_int_equal(a->end, b->end);
  assert_memory_equal(&a->seconds, &b->seconds, sizeof a->seconds);
  assert_int_equal(a->n_steps, b->n_steps);
  for (size_t i = 0; i < a->n_steps; i++) {
    assert_int_equal(a->steps[i].row, b->steps[i].row);
    assert_int_equal(a->steps[i].evaluations, b->steps[i].evaluations);
    assert_memory_equal(&a->steps[i].seconds, &b->steps[i].seconds, sizeof(double));
  }
}

/* ---- the table ---- */

static void table_finds_what_it_holds(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 100, 1);
  for (size_t i = 0; i < 200; i++) {
    nas_arch arch;
    assert_ok(nas_space_at(space, i, &arch, nas_test_err()));
    assert_int_equal(nas_replay_table_find(t, &arch), i < 100 ? (int64_t)i : NAS_REPLAY_NO_ROW);
  }
  nas_replay_table_free(t);
  nas_space_close(space);
}

static void table_refuses_bad_rows(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 3, 1);
  const nas_replay_row good = {.arch = {.n = 6, .gene = {1, 2, 3, 4, 0, 1}},
                               .valid_accuracy = 50,
                               .seconds = 1,
                               .report_valid = 60,
                               .report_test = 61};
  nas_replay_row bad = good;
  bad.arch = t->arch[1];
  assert_fails(nas_replay_table_add(t, &bad, nas_test_err()), NAS_E_BAD_INPUT, "twice");
  bad = good;
  bad.arch.gene[2] = 5;
  assert_fails(nas_replay_table_add(t, &bad, nas_test_err()), NAS_E_BAD_INPUT, "gene 2");
  bad = good;
  bad.seconds = NAN;
  assert_fails(nas_replay_table_add(t, &bad, nas_test_err()), NAS_E_BAD_INPUT, "seconds");
  bad.seconds = -1;
  assert_fails(nas_replay_table_add(t, &bad, nas_test_err()), NAS_E_BAD_INPUT, "seconds");
  bad = good;
  bad.valid_accuracy = 100.5;
  assert_fails(nas_replay_table_add(t, &bad, nas_test_err()), NAS_E_BAD_INPUT, "percentage");
  bad = good;
  bad.report_valid = NAN;
  assert_fails(nas_replay_table_add(t, &bad, nas_test_err()), NAS_E_BAD_INPUT, "percentages");
  assert_int_equal(t->n, 3);
  assert_ok(nas_replay_table_add(t, &good, nas_test_err()));
  nas_replay_table_free(t);
  nas_space_close(space);
}

/* ---- one worker ---- */

/* The simulator against the plainest loop that can be written. */
static void one_worker_is_a_sequential_search(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 15625, 3);
  static const char *const names[] = {"random", "regularized-evolution"};
  for (int k = 0; k < 2; k++) {
    nas_replay_plan plan = plan_of(t, names[k]);
    plan.limits.seconds = 1e6;
    nas_replay_run run = once(&plan, 77);
    nas_strategy *s = nas_drive_open(names[k], NULL, space, 77);
    double clock = 0, best = -1;
    uint64_t n = 0;
    size_t steps = 0;
    while (clock < 1e6) {
      nas_arch arch;
      assert_ok(nas_strategy_ask(s, n, &arch, nas_test_err()));
      int64_t row = nas_replay_table_find(t, &arch);
      clock += t->seen[row].seconds;
      nas_tell tell = {
          .number = n++, .arch = arch, .outcome = NAS_OUTCOME_OK, .valid_accuracy = t->seen[row].valid_accuracy};
      assert_ok(nas_strategy_tell(s, &tell, nas_test_err()));
      if (tell.valid_accuracy <= best) continue;
      best = tell.valid_accuracy;
      assert_true(steps < run.n_steps);
      assert_int_equal(run.steps[steps].row, row);
      assert_int_equal(run.steps[steps].evaluations, n);
      assert_close(run.steps[steps++].seconds, clock, 0);
    }
    assert_int_equal(run.n_steps, steps);
    assert_int_equal(run.evaluations, n);
    assert_close(run.seconds, clock, 0);
    assert_int_equal(run.end, NAS_REPLAY_BUDGET);
    nas_strategy_close(s);
    nas_replay_run_clear(&run);
  }
  nas_replay_table_free(t);
  nas_space_close(space);
}

/* An evaluation that begins before the end is finished and counts. */
static void a_small_budget_buys_one_evaluation(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 15625, 3);
  nas_replay_plan plan = plan_of(t, "random");
  plan.limits.seconds = 1e-9;
  nas_replay_run run = once(&plan, 5);
  assert_int_equal(run.evaluations, 1);
  assert_int_equal(run.n_steps, 1);
  assert_close(run.seconds, t->seen[run.steps[0].row].seconds, 0);
  nas_replay_run_clear(&run);
  plan.limits = (nas_replay_limits){.seconds = INFINITY, .evaluations = 7, .workers = 1};
  run = once(&plan, 5);
  assert_int_equal(run.evaluations, 7);
  nas_replay_run_clear(&run);
  nas_replay_table_free(t);
  nas_space_close(space);
}

static void an_exhausted_table_ends_cleanly(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 15625, 1);
  nas_settings all = {0};
  assert_ok(nas_settings_put(&all, "unique", "false", "test", nas_test_err()));
  nas_replay_plan plan = plan_of(t, "random");
  plan.settings = &all;
  plan.limits.evaluations = 20000;
  for (uint32_t workers = 1; workers < 20; workers += 9) {
    plan.limits.workers = workers;
    nas_replay_run run = once(&plan, 5);
    assert_int_equal(run.end, NAS_REPLAY_EXHAUSTED);
    assert_int_equal(run.evaluations, 15625);
    double best = 0;
    for (size_t i = 0; i < t->n; i++) best = fmax(best, t->seen[i].valid_accuracy);
    assert_close(t->seen[run.steps[run.n_steps - 1].row].valid_accuracy, best, 0);
    nas_replay_run_clear(&run);
  }
  nas_settings_free(&all);
  nas_replay_table_free(t);
  nas_space_close(space);
}

/* What the table does not have is told as rejected, costs nothing, and cannot go on for ever. */
static void proposals_outside_the_table_are_rejected(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 1000, 5);
  nas_replay_plan plan = plan_of(t, "regularized-evolution");
  plan.limits.evaluations = 50;
  nas_replay_run run = once(&plan, 1);
  assert_int_equal(run.evaluations, 50);
  assert_true(run.missing > 50);
  nas_replay_run_clear(&run);
  nas_replay_table_free(t);
  nas_settings repeats = {0};
  assert_ok(nas_settings_put(&repeats, "repeats", "true", "test", nas_test_err()));
  assert_ok(nas_settings_put(&repeats, "unique", "true", "test", nas_test_err()));
  assert_ok(nas_replay_table_new(space, &t, nas_test_err()));
  /* |skip~0|...: equal to an earlier cell, so that a draw over classes never gives it. */
  nas_replay_row row = {.seconds = 1, .valid_accuracy = 1, .report_valid = 1, .report_test = 1};
  for (uint64_t index = 0, class_id; index < 15625; index++) {
    nas_arch first;
    assert_ok(nas_space_at(space, index, &row.arch, nas_test_err()));
    assert_true(nas_space_class(space, &row.arch, &class_id));
    assert_ok(nas_space_class_first(space, class_id, &first, nas_test_err()));
    if (!nas_arch_same(&first, &row.arch)) break;
  }
  assert_ok(nas_replay_table_add(t, &row, nas_test_err()));
  plan = plan_of(t, "random");
  plan.settings = &repeats;
  plan.limits.seconds = 10;
  run = once(&plan, 1);
  assert_int_equal(run.end, NAS_REPLAY_STALLED);
  assert_int_equal(run.evaluations, 0);
  assert_int_equal(run.n_steps, 0);
  nas_replay_run_clear(&run);
  nas_settings_free(&repeats);
  nas_replay_table_free(t);
  nas_space_close(space);
}

/* ---- several workers ---- */

/* W workers and equal costs: after T seconds W T / cost evaluations, W in the same instant. */
static void workers_share_the_clock(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 15625, 1);
  for (size_t i = 0; i < t->n; i++) t->seen[i].seconds = 2;
  nas_replay_plan plan = plan_of(t, "regularized-evolution");
  plan.limits.seconds = 40;
  for (uint32_t workers = 1; workers <= 64; workers *= 2) {
    plan.limits.workers = workers;
    nas_replay_run run = once(&plan, 3);
    assert_int_equal(run.evaluations, 20 * workers);
    assert_close(run.seconds, 40, 0);
    assert_close(run.steps[0].seconds, 2, 0);
    nas_replay_run_clear(&run);
  }
  nas_replay_table_free(t);
  nas_space_close(space);
}

/* Random search asks the same whatever it is told, so the course of the workers can be simulated apart from it: each
 * ask goes to the worker that is free first. */
static void results_come_in_the_order_of_their_ends(void **state) {
  (void)state;
  enum { WORKERS = 5, N = 300 };
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 15625, 100);
  nas_replay_plan plan = plan_of(t, "random");
  plan.limits = (nas_replay_limits){.seconds = INFINITY, .evaluations = N, .workers = WORKERS};
  nas_replay_run run = once(&plan, 9);
  nas_strategy *s = nas_drive_open("random", NULL, space, 9);
  double free_at[WORKERS] = {0}, ends[N], last = 0;
  int64_t rows[N];
  for (int k = 0; k < N; k++) {
    nas_arch arch;
    int w = 0;
    for (int i = 1; i < WORKERS; i++)
      if (free_at[i] < free_at[w]) w = i;
    assert_ok(nas_strategy_ask(s, (uint64_t)k, &arch, nas_test_err()));
    rows[k] = nas_replay_table_find(t, &arch);
    ends[k] = free_at[w] += t->seen[rows[k]].seconds;
    last = fmax(last, ends[k]);
  }
  assert_close(run.seconds, last, 0);
  double best = -1;
  size_t step = 0;
  for (int told = 0; told < N; told++) { /* by their ends */
    int k = 0;
    for (int i = 1; i < N; i++)
      if (ends[i] < ends[k]) k = i;
    if (t->seen[rows[k]].valid_accuracy > best) {
      best = t->seen[rows[k]].valid_accuracy;
      assert_true(step < run.n_steps);
      assert_int_equal(run.steps[step].row, rows[k]);
      assert_int_equal(run.steps[step].evaluations, told + 1);
      assert_close(run.steps[step++].seconds, ends[k], 0);
    }
    ends[k] = INFINITY;
  }
  assert_int_equal(step, run.n_steps);
  nas_strategy_close(s);
  nas_replay_run_clear(&run);
  nas_replay_table_free(t);
  nas_space_close(space);
}

static void failed_trials_cost_time_and_are_never_chosen(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 15625, 10);
  for (size_t i = 0; i < t->n; i += 2) t->seen[i].valid_accuracy = NAN;
  nas_replay_plan plan = plan_of(t, "regularized-evolution");
  plan.limits.evaluations = 200;
  nas_replay_run run = once(&plan, 3);
  assert_int_equal(run.evaluations, 200);
  assert_true(run.n_steps > 0);
  for (size_t i = 0; i < run.n_steps; i++) assert_int_equal(run.steps[i].row % 2, 1);
  nas_replay_run_clear(&run);
  for (size_t i = 0; i < t->n; i++) t->seen[i].valid_accuracy = NAN;
  run = once(&plan, 3);
  assert_int_equal(run.evaluations, 200);
  assert_int_equal(run.n_steps, 0);
  nas_replay_run_clear(&run);
  nas_replay_table_free(t);
  nas_space_close(space);
}

/* ---- many runs ---- */

static void runs_do_not_depend_on_jobs(void **state) {
  (void)state;
  enum { RUNS = 40 };
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 15625, 10);
  nas_replay_plan plan = plan_of(t, "regularized-evolution");
  plan.limits = (nas_replay_limits){.seconds = 500000, .evaluations = UINT64_MAX, .workers = 3};
  plan.seed = 11;
  plan.runs = RUNS;
  nas_replay_run one[RUNS] = {0}, four[RUNS] = {0}, other[RUNS] = {0};
  assert_ok(nas_replay_all(&plan, one, nas_test_err()));
  plan.jobs = 4;
  assert_ok(nas_replay_all(&plan, four, nas_test_err()));
  plan.seed = 12;
  assert_ok(nas_replay_all(&plan, other, nas_test_err()));
  int different = 0;
  for (int i = 0; i < RUNS; i++) {
    assert_same_run(&one[i], &four[i]);
    assert_int_equal(one[i].seed, nas_replay_seed(11, (uint64_t)i));
    different += one[i].seconds != other[i].seconds;
    for (int k = 0; k < i; k++) assert_true(one[i].seed != one[k].seed);
  }
  assert_int_equal(different, RUNS);
  for (int i = 0; i < RUNS; i++) {
    nas_replay_run_clear(&one[i]);
    nas_replay_run_clear(&four[i]);
    nas_replay_run_clear(&other[i]);
  }
  nas_replay_table_free(t);
  nas_space_close(space);
}

static void refuses_plans_without_an_end(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = small_table(space, 5, 0), *empty = small_table(space, 0, 0);
  nas_replay_run run = {0};
  nas_replay_plan plan = plan_of(t, "random");
  assert_fails(nas_replay_all(&plan, &run, nas_test_err()), NAS_E_USAGE, "limit");
  plan.limits.seconds = 10;
  assert_fails(nas_replay_all(&plan, &run, nas_test_err()), NAS_E_BAD_INPUT, "cost no time");
  plan.limits.evaluations = 0;
  assert_fails(nas_replay_all(&plan, &run, nas_test_err()), NAS_E_OUT_OF_RANGE, "above zero");
  plan.limits = (nas_replay_limits){.seconds = NAN, .evaluations = 5, .workers = 1};
  assert_fails(nas_replay_all(&plan, &run, nas_test_err()), NAS_E_OUT_OF_RANGE, "above zero");
  plan.limits = (nas_replay_limits){.seconds = INFINITY, .evaluations = 5, .workers = 0};
  assert_fails(nas_replay_all(&plan, &run, nas_test_err()), NAS_E_OUT_OF_RANGE, "worker");
  plan.limits.workers = 1;
  plan.table = empty;
  assert_fails(nas_replay_all(&plan, &run, nas_test_err()), NAS_E_NOT_FOUND, "no architecture");
  plan.table = t;
  plan.strategy = "randm";
  plan.jobs = 3;
  assert_fails(nas_replay_all(&plan, &run, nas_test_err()), NAS_E_UNKNOWN_NAME, "did you mean 'random'");
  nas_replay_table_free(t);
  nas_replay_table_free(empty);
  nas_space_close(space);
}

/* ---- the published table ---- */

static nas_replay_summary published(const nas_replay_table *t, const char *strategy, const nas_settings *settings) {
  enum { RUNS = 500 };
  static nas_replay_run runs[RUNS];
  nas_replay_plan plan = plan_of(t, strategy);
  nas_replay_summary s;
  plan.settings = settings;
  plan.limits.seconds = 20000;
  plan.runs = RUNS;
  plan.jobs = 2;
  assert_ok(nas_replay_all(&plan, runs, nas_test_err()));
  assert_ok(nas_replay_summarise(t, runs, RUNS, &s, nas_test_err()));
  for (int i = 0; i < RUNS; i++) nas_replay_run_clear(&runs[i]);
  print_message("%s: valid %.3f +- %.3f, test %.3f +- %.3f, %.1f evaluations\n", strategy, s.valid_mean, s.valid_std,
                s.test_mean, s.test_std, s.evaluations_mean);
  return s;
}

/* Computed independently, by another program, on the same table: 500 runs of 20,000 s, 12-epoch validation accuracy to
 * search, 200 epochs to report. */
static void reaches_the_reference_figures(void **state) {
  (void)state;
  nas_space *space;
  nas_replay_table *t;
  nb201_open(&space, &t);
  nas_settings all = {0};
  assert_ok(nas_settings_put(&all, "unique", "false", "test", nas_test_err()));
  nas_replay_summary random = published(t, "random", &all);
  assert_true(fabs(random.valid_mean - 91.09) <= 0.06 && fabs(random.test_mean - 90.79) <= 0.06);
  assert_true(fabs(random.valid_std - 0.25) <= 0.06 && fabs(random.test_std - 0.29) <= 0.06);
  assert_true(fabs(random.evaluations_mean - 178) <= 1);
  nas_replay_summary evolution = published(t, "regularized-evolution", NULL);
  assert_true(fabs(evolution.valid_mean - 91.32) <= 0.06 && fabs(evolution.test_mean - 91.06) <= 0.06);
  assert_true(fabs(evolution.valid_std - 0.24) <= 0.06 && fabs(evolution.test_std - 0.29) <= 0.06);
  assert_true(fabs(evolution.evaluations_mean - 165) <= 2);
  nas_settings_free(&all);
  nas_replay_table_free(t);
  nas_space_close(space);
}

NAS_SUITE(Replay, NAS_CASE(table_finds_what_it_holds), NAS_CASE(table_refuses_bad_rows),
          NAS_CASE(one_worker_is_a_sequential_search), NAS_CASE(a_small_budget_buys_one_evaluation),
          NAS_CASE(an_exhausted_table_ends_cleanly), NAS_CASE(proposals_outside_the_table_are_rejected),
          NAS_CASE(workers_share_the_clock), NAS_CASE(results_come_in_the_order_of_their_ends),
          NAS_CASE(failed_trials_cost_time_and_are_never_chosen), NAS_CASE(runs_do_not_depend_on_jobs),
          NAS_CASE(refuses_plans_without_an_end), NAS_CASE(reaches_the_reference_figures))
