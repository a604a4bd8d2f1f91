/* Strategies of several fidelities in a replay: what they are told, what it costs, and what is chosen. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"
#include "harness.h"
#include "replay_db.h"
#include "search/replay.h"
#include "search/replay_load.h"
#include "search/replay_report.h"

enum { ROWS = 15625, EPOCHS = 4 };

/* All cells; curves rise by 5 an epoch to nas_drive_accuracy; an epoch takes 10 seconds, an evaluation 1. */
static nas_replay_table *table_with_curves(const nas_space *space) {
  nas_replay_table *t;
  double *curve = calloc(ROWS * (EPOCHS + 1), sizeof *curve), *seconds = curve + ROWS * EPOCHS;
  assert_non_null(curve);
  assert_ok(nas_replay_table_new(space, &t, nas_test_err()));
  for (size_t i = 0; i < ROWS; i++) {
    nas_replay_row row = {.seconds = EPOCHS * 10 + 1, .params = 1, .macs = 1};
    assert_ok(nas_space_at(space, i, &row.arch, nas_test_err()));
    row.valid_accuracy = row.report_valid = row.report_test = nas_drive_accuracy(&row.arch);
    assert_ok(nas_replay_table_add(t, &row, nas_test_err()));
    for (int e = 0; e < EPOCHS; e++) curve[i * EPOCHS + (size_t)e] = row.valid_accuracy - 5 * (EPOCHS - 1 - e);
    seconds[i] = 10;
  }
  assert_ok(nas_replay_table_set_curves(t, EPOCHS, curve, seconds, nas_test_err()));
  free(curve);
  return t;
}

static nas_replay_plan plan_of(const nas_replay_table *t, const char *strategy, const nas_settings *settings) {
  return (nas_replay_plan){.table = t,
                           .strategy = strategy,
                           .settings = settings,
                           .limits = {.seconds = INFINITY, .evaluations = UINT64_MAX, .workers = 1},
                           .runs = 1,
                           .jobs = 1};
}

/* One bracket of 4, 2 and 1 architectures at 1, 2 and 4 epochs: 4 * 11 + 2 * 11 + 1 * 21 seconds. */
static void a_bracket_costs_its_further_epochs(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *t = table_with_curves(space);
  nas_settings settings = {0};
  assert_ok(nas_settings_parse(&settings, "eta=2\nbrackets=1\n", "test", nas_test_err()));
  nas_replay_plan plan = plan_of(t, "successive-halving", &settings);
  nas_replay_run run;
  assert_ok(nas_replay_once(&plan, 3, &run, nas_test_err()));
  assert_int_equal(run.end, NAS_REPLAY_EXHAUSTED);
  assert_int_equal(run.evaluations, 7);
  assert_close(run.seconds, 4 * 11 + 2 * 11 + 21, 1e-12);
  /* Of more epochs comes first; the choice in the end is the best of the four at 1 epoch. */
  const nas_replay_step *last = &run.steps[run.n_steps - 1];
  assert_close(last->seconds, run.seconds, 0);
  for (size_t i = 0; i < run.n_steps; i++)
    assert_true(t->seen[run.steps[i].row].valid_accuracy <= t->seen[last->row].valid_accuracy);
  nas_replay_run_clear(&run);
  nas_settings_free(&settings);
  nas_replay_table_free(t);
  nas_space_close(space);
}

static void full_trainings_are_as_without_curves(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_replay_table *with = table_with_curves(space), *without = table_with_curves(space);
  free(without->curve);
  without->curve = NULL;
  without->epochs = 0;
  nas_replay_plan a = plan_of(with, "random", NULL), b = plan_of(without, "random", NULL);
  a.limits.evaluations = b.limits.evaluations = 20;
  nas_replay_run x, y;
  assert_ok(nas_replay_once(&a, 1, &x, nas_test_err()));
  assert_ok(nas_replay_once(&b, 1, &y, nas_test_err()));
  assert_close(x.seconds, y.seconds, 0);
  assert_close(x.seconds, 20 * 41, 1e-12);
  assert_int_equal(x.n_steps, y.n_steps);
  for (size_t i = 0; i < x.n_steps; i++) assert_int_equal(x.steps[i].row, y.steps[i].row);
  nas_replay_run_clear(&x);
  nas_replay_run_clear(&y);
  b.strategy = "asha";
  assert_fails(nas_replay_once(&b, 1, &y, nas_test_err()), NAS_E_OUT_OF_RANGE, "max-epochs");
  nas_replay_run_clear(&y);
  nas_replay_table_free(with);
  nas_replay_table_free(without);
  nas_space_close(space);
}

static void curves_come_from_a_recorded_table(void **state) {
  (void)state;
  nas_replay_recorded r;
  const nas_replay_source source = {
      .path = replay_db_make("t.db", true, true), .search_epochs = REPLAY_REPORT, .report_epochs = REPLAY_REPORT};
  assert_ok(nas_replay_load(&source, &r, nas_test_err()));
  assert_ok(nas_replay_load_curves(&r, &source, nas_test_err()));
  assert_int_equal(r.table->epochs, REPLAY_REPORT);
  for (int cell = 0; cell < REPLAY_CELLS; cell++) {
    nas_arch arch;
    assert_ok(nas_space_at(r.space, (uint64_t)cell, &arch, nas_test_err()));
    int64_t row = nas_replay_table_find(r.table, &arch);
    for (int e = 1; e <= REPLAY_REPORT; e++) {
      nas_epoch one = replay_db_epoch(cell, REPLAY_REPORT, e, 0);
      assert_close(r.table->curve[row * REPLAY_REPORT + e - 1], one.valid_accuracy + 0.25, 1e-13);
      assert_close(r.table->epoch_seconds[row], one.seconds, 1e-13);
    }
  }
  nas_replay_recorded_close(&r);
  const nas_replay_source untimed = {.path = replay_db_make("u.db", false, true)};
  assert_ok(nas_replay_load(&untimed, &r, nas_test_err()));
  assert_fails(nas_replay_load_curves(&r, &untimed, nas_test_err()), NAS_E_BAD_INPUT, "training times");
  nas_replay_recorded_close(&r);
}

NAS_SUITE(ReplayRungs, NAS_CASE(a_bracket_costs_its_further_epochs), NAS_CASE(full_trainings_are_as_without_curves),
          NAS_CASE(curves_come_from_a_recorded_table))
