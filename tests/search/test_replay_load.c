/* From a database to the table of a replay. */
#include "search/replay_load.h"

#include <math.h>
#include <string.h>

#include "harness.h"
#include "replay_db.h"

static nas_replay_recorded load(nas_replay_source source) {
  nas_replay_recorded r;
  assert_ok(nas_replay_load(&source, &r, nas_test_err()));
  return r;
}

static void expect_failure(nas_replay_source source, nas_status code, const char *part) {
  nas_replay_recorded r;
  assert_fails(nas_replay_load(&source, &r, nas_test_err()), code, part);
  nas_replay_recorded_close(&r);
}

static void takes_means_over_seeds(void **state) {
  (void)state;
  nas_replay_recorded r = load((nas_replay_source){.path = replay_db_make("t.db", true, true)});
  assert_string_equal(r.dataset, "shapes@1");
  assert_int_equal(r.search_epochs, REPLAY_SEARCH);
  assert_int_equal(r.report_epochs, REPLAY_REPORT);
  assert_int_equal(r.table->n, REPLAY_CELLS);
  assert_int_equal(r.left_out, 0);
  assert_true(r.timed);
  for (int cell = 0; cell < REPLAY_CELLS; cell++) {
    nas_arch arch;
    assert_ok(nas_space_at(r.space, (uint64_t)cell, &arch, nas_test_err()));
    int64_t row = nas_replay_table_find(r.table, &arch);
    assert_true(row >= 0);
    nas_epoch search = replay_db_epoch(cell, REPLAY_SEARCH, REPLAY_SEARCH, 0);
    nas_epoch report = replay_db_epoch(cell, REPLAY_REPORT, REPLAY_REPORT, 0);
    assert_close(r.table->seen[row].valid_accuracy, search.valid_accuracy + 0.25, 1e-13); /* of seeds 0 and 1 */
    assert_close(r.table->seen[row].seconds, REPLAY_SEARCH * search.seconds + search.valid_seconds, 1e-13);
    assert_close(r.table->report_valid[row], report.valid_accuracy + 0.25, 1e-13);
    assert_close(r.table->report_test[row], report.test_accuracy + 0.25, 1e-13);
    assert_close(r.table->params[row], 1000 + cell, 0);
    assert_close(r.table->macs[row], 5000 + cell, 0);
  }
  nas_replay_recorded_close(&r);
}

/* No run has 4 epochs, but those of 6 have a fourth one. */
static void takes_an_epoch_of_the_curve_where_no_run_is_so_short(void **state) {
  (void)state;
  nas_replay_recorded r = load((nas_replay_source){.path = replay_db_make("t.db", true, true), .search_epochs = 4});
  nas_epoch fourth = replay_db_epoch(0, REPLAY_REPORT, 4, 0);
  assert_close(r.table->seen[0].valid_accuracy, fourth.valid_accuracy + 0.25, 1e-13);
  assert_close(r.table->seen[0].seconds, 4 * fourth.seconds + fourth.valid_seconds, 1e-13);
  nas_replay_recorded_close(&r);
}

static void leaves_out_what_lacks_a_fidelity(void **state) {
  (void)state;
  nas_replay_recorded r = load((nas_replay_source){.path = replay_db_make("t.db", true, false)});
  assert_int_equal(r.table->n, REPLAY_CELLS * 9 / 10);
  assert_int_equal(r.left_out, REPLAY_CELLS / 10);
  nas_replay_recorded_close(&r);
}

static void knows_a_table_without_times(void **state) {
  (void)state;
  nas_replay_recorded r = load((nas_replay_source){.path = replay_db_make("t.db", false, true)});
  assert_false(r.timed);
  assert_close(r.table->seen[5].seconds, 0, 0);
  nas_replay_recorded_close(&r);
}

static void refuses_what_the_table_does_not_have(void **state) {
  (void)state;
  const char *path = replay_db_make("t.db", true, true);
  expect_failure((nas_replay_source){.path = path, .dataset = "shape"}, NAS_E_UNKNOWN_NAME, "did you mean 'shapes");
  expect_failure((nas_replay_source){.path = path, .report_epochs = 5}, NAS_E_NOT_FOUND, "epochs 6");
  expect_failure((nas_replay_source){.path = path, .search_epochs = 7}, NAS_E_NOT_FOUND, "epochs 3");
  expect_failure((nas_replay_source){.path = path, .recipe = "slow"}, NAS_E_NOT_FOUND, "no finished trials");
  expect_failure((nas_replay_source){.path = path, .campaign = 99}, NAS_E_NOT_FOUND, "99");
  expect_failure((nas_replay_source){.path = "/nonexistent/t.db"}, NAS_E_NOT_FOUND, "/nonexistent/t.db");
}

static void draws_over_all_architectures_unless_told(void **state) {
  (void)state;
  const nas_strategy_type *type;
  nas_settings settings = {0};
  assert_ok(nas_strategy_find("random", &type, nas_test_err()));
  assert_ok(nas_replay_defaults(type, &settings, nas_test_err()));
  assert_string_equal(nas_settings_get(&settings, "unique"), "false");
  nas_settings_free(&settings);
  settings = (nas_settings){0};
  assert_ok(nas_strategy_find("regularized-evolution", &type, nas_test_err()));
  assert_ok(nas_replay_defaults(type, &settings, nas_test_err()));
  assert_int_equal(settings.n, 0);
}

NAS_SUITE(ReplayLoad, NAS_CASE(takes_means_over_seeds), NAS_CASE(takes_an_epoch_of_the_curve_where_no_run_is_so_short),
          NAS_CASE(leaves_out_what_lacks_a_fidelity), NAS_CASE(knows_a_table_without_times),
          NAS_CASE(refuses_what_the_table_does_not_have), NAS_CASE(draws_over_all_architectures_unless_told))
