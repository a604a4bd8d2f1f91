/* successive-halving, hyperband, asha, bohb. */
#include <math.h>
#include <string.h>

#include "drive.h"
#include "harness.h"
#include "search/rungs.h"

static nas_strategy *open_with(const char *name, const char *settings, const nas_space *space, int32_t epochs) {
  nas_settings list = {0};
  nas_strategy *s;
  const nas_strategy_setup setup = {.space = space, .seed = 1, .epochs = epochs};
  assert_ok(nas_settings_parse(&list, settings, "the test", nas_test_err()));
  assert_ok(nas_strategy_open_with(name, &list, &setup, &s, nas_test_err()));
  nas_settings_free(&list);
  return s;
}

static void tell(nas_strategy *s, uint64_t number, const nas_arch *arch, double accuracy) {
  nas_tell t = {.number = number,
                .arch = *arch,
                .outcome = isnan(accuracy) ? NAS_OUTCOME_CRASHED : NAS_OUTCOME_OK,
                .valid_accuracy = accuracy};
  assert_ok(nas_strategy_tell(s, &t, nas_test_err()));
}

/* Table 1 of the Hyperband paper (R = 81, eta = 3): members and epochs of every rung of the five brackets. */
static void hyperband_plans_the_published_brackets(void **state) {
  (void)state;
  static const struct {
    int members, epochs;
  } plan[] = {{81, 1}, {27, 3}, {9, 9},  {3, 27}, {1, 81}, {27, 3}, {9, 9}, {3, 27},
              {1, 81}, {9, 9},  {3, 27}, {1, 81}, {6, 27}, {2, 81}, {5, 81}};
  nas_space *space = nas_drive_space();
  nas_strategy *s = open_with("hyperband", "brackets=5\n", space, 81);
  nas_proposal p;
  uint64_t k = 0;
  for (size_t i = 0; i < sizeof plan / sizeof plan[0]; i++)
    for (int m = 0; m < plan[i].members; m++, k++) {
      assert_ok(nas_strategy_propose(s, k, &p, nas_test_err()));
      assert_int_equal(p.epochs, plan[i].epochs);
      tell(s, k, &p.arch, nas_drive_accuracy(&p.arch));
    }
  assert_fails(nas_strategy_propose(s, k, &p, nas_test_err()), NAS_E_EXHAUSTED, "all 5 brackets");
  nas_strategy_close(s);
  nas_space_close(space);
}

/* 9 at 3 epochs, then the best 3 of them at 9, best first, then the best at 27; one that failed never goes on. */
static void halving_promotes_the_best(void **state) {
  (void)state;
  static const double value[9] = {10, 70, 30, 90, 50, NAN, 60, 20, 80};
  static const uint64_t second[3] = {3, 8, 1};
  nas_space *space = nas_drive_space();
  nas_strategy *s = open_with("successive-halving", "min-epochs=3\n", space, 27);
  nas_proposal p[13];
  for (uint64_t k = 0; k < 13; k++) {
    assert_ok(nas_strategy_propose(s, k, &p[k], nas_test_err()));
    assert_int_equal(p[k].epochs, k < 9 ? 3 : k < 12 ? 9 : 27);
    if (k < 9) assert_int_equal(p[k].continues, 0);
    else assert_int_equal(p[k].continues, 1 + (k < 12 ? second[k - 9] : 10));
    if (k >= 9) assert_true(nas_arch_same(&p[k].arch, &p[p[k].continues - 1].arch));
    tell(s, k, &p[k].arch, k < 9 ? value[k] : k == 10 ? 99 : 95); /* ask 10, the second, wins the second rung */
  }
  assert_int_equal(p[12].continues, 11);
  nas_strategy_close(s);
  nas_space_close(space);
}

static void halving_begins_the_next_bracket_while_it_waits(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = open_with("successive-halving", "min-epochs=3\n", space, 27);
  nas_proposal p[12];
  for (uint64_t k = 0; k < 11; k++) {
    assert_ok(nas_strategy_propose(s, k, &p[k], nas_test_err()));
    assert_int_equal(p[k].epochs, 3); /* 9 and 10 are of the second bracket */
  }
  for (uint64_t k = 9; k-- > 0;) tell(s, k, &p[k].arch, (double)k);
  assert_ok(nas_strategy_propose(s, 11, &p[11], nas_test_err()));
  assert_int_equal(p[11].continues, 1 + 8);
  nas_strategy_close(s);
  nas_space_close(space);
}

/* eta = 4: the fourth result makes the best of four promotable, also while others run. */
static void asha_promotes_without_waiting(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = open_with("asha", "", space, 16);
  nas_proposal p[8];
  for (uint64_t k = 0; k < 6; k++) {
    assert_ok(nas_strategy_propose(s, k, &p[k], nas_test_err()));
    assert_int_equal(p[k].epochs, 1);
  }
  tell(s, 5, &p[5].arch, 50);
  tell(s, 2, &p[2].arch, 80);
  tell(s, 1, &p[1].arch, NAN);
  tell(s, 0, &p[0].arch, 60);
  assert_ok(nas_strategy_propose(s, 6, &p[6], nas_test_err()));
  assert_int_equal(p[6].continues, 0); /* three results */
  tell(s, 3, &p[3].arch, 10);
  assert_ok(nas_strategy_propose(s, 7, &p[7], nas_test_err()));
  assert_int_equal(p[7].continues, 1 + 2);
  assert_int_equal(p[7].epochs, 4);
  assert_true(nas_arch_same(&p[7].arch, &p[2].arch));
  nas_strategy_close(s);
  nas_space_close(space);
}

/* Only gene 0 matters: with the model, new architectures carry the good choice far more often than one in five. */
static void bohb_draws_near_good_results(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  const char *const settings[2] = {"random-fraction=1\n", "random-fraction=0\n"};
  double share[2] = {0};
  for (int i = 0; i < 2; i++) {
    nas_strategy *s = open_with("bohb", settings[i], space, 9);
    int fresh = 0, good = 0;
    for (uint64_t k = 0; k < 300; k++) {
      nas_proposal p;
      assert_ok(nas_strategy_propose(s, k, &p, nas_test_err()));
      fresh += !p.continues && k >= 100;
      good += !p.continues && k >= 100 && p.arch.gene[0] == 2;
      tell(s, k, &p.arch, p.arch.gene[0] == 2 ? 80 : 40);
    }
    share[i] = (double)good / fresh;
    nas_strategy_close(s);
  }
  assert_true(share[0] < 0.35);
  assert_true(share[1] > 0.6);
  nas_space_close(space);
}

static void refuses_rungs_that_do_not_fit(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  const char *const names[] = {"successive-halving", "hyperband", "asha", "bohb"};
  for (size_t i = 0; i < 4; i++) {
    nas_strategy *s;
    nas_settings list = {0};
    assert_fails(nas_strategy_open(names[i], NULL, space, 0, &s, nas_test_err()), NAS_E_OUT_OF_RANGE, "set max-epochs");
    const nas_strategy_setup setup = {.space = space, .epochs = 10};
    assert_ok(nas_settings_put(&list, "max-epochs", "11", "test", nas_test_err()));
    assert_fails(nas_strategy_open_with(names[i], &list, &setup, &s, nas_test_err()), NAS_E_OUT_OF_RANGE,
                 "the recipe trains 10");
    assert_ok(nas_settings_put(&list, "max-epochs", "4", "test", nas_test_err()));
    assert_ok(nas_settings_put(&list, "min-epochs", "5", "test", nas_test_err()));
    assert_fails(nas_strategy_open_with(names[i], &list, &setup, &s, nas_test_err()), NAS_E_OUT_OF_RANGE,
                 "must not exceed max-epochs");
    nas_settings_free(&list);
    s = open_with(names[i], "", space, 10);
    nas_arch arch;
    assert_fails(nas_strategy_ask(s, 0, &arch, nas_test_err()), NAS_E_UNSUPPORTED, "several fidelities");
    nas_strategy_close(s);
  }
  nas_space_close(space);
}

NAS_SUITE(Rungs, NAS_CASE(hyperband_plans_the_published_brackets), NAS_CASE(halving_promotes_the_best),
          NAS_CASE(halving_begins_the_next_bracket_while_it_waits), NAS_CASE(asha_promotes_without_waiting),
          NAS_CASE(bohb_draws_near_good_results), NAS_CASE(refuses_rungs_that_do_not_fit))
