#include <string.h>

#include "drive.h"
#include "harness.h"
#include "search/encoding.h"

static double count_of(const nas_arch *a, uint8_t choice) {
  double n = 0;
  for (int i = 0; i < a->n; i++) n += a->gene[i] == choice;
  return n;
}

static void tell(nas_strategy *s, uint64_t number, const nas_arch *arch, nas_outcome outcome, double accuracy) {
  nas_tell t = {.number = number, .arch = *arch, .outcome = outcome, .valid_accuracy = accuracy};
  assert_ok(nas_strategy_tell(s, &t, nas_test_err()));
}

/* One worker on a hill without other tops (the number of genes with choice 3): every proposal is a neighbour of the
 * best so far until the top is reached, and the one after its 24 neighbours is not. */
static void climbs_and_restarts(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("local-search", "duplicates=exact\n", space, 3);
  nas_arch best, next;
  assert_ok(nas_strategy_ask(s, 0, &best, nas_test_err()));
  tell(s, 0, &best, NAS_OUTCOME_OK, count_of(&best, 3));
  uint64_t k = 1, since = 0;
  for (; k < 300; k++, since++) {
    assert_ok(nas_strategy_ask(s, k, &next, nas_test_err()));
    if (nas_arch_distance(&best, &next) != 1) break;
    tell(s, k, &next, NAS_OUTCOME_OK, count_of(&next, 3));
    if (count_of(&next, 3) > count_of(&best, 3)) {
      best = next;
      since = 0;
    }
  }
  assert_int_equal(count_of(&best, 3), 6);
  assert_in_range(since, 10, 25); /* the neighbours of the top that were not evaluated on the way */
  nas_strategy_close(s);
  nas_space_close(space);
}

static void a_failure_is_no_step(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("local-search", "duplicates=exact\n", space, 3);
  nas_arch first, next;
  assert_ok(nas_strategy_ask(s, 0, &first, nas_test_err()));
  tell(s, 0, &first, NAS_OUTCOME_OK, 50);
  for (uint64_t k = 1; k < 20; k++) {
    assert_ok(nas_strategy_ask(s, k, &next, nas_test_err()));
    assert_int_equal(nas_arch_distance(&first, &next), 1);
    tell(s, k, &next, NAS_OUTCOME_CRASHED, 99);
  }
  nas_strategy_close(s);
  nas_space_close(space);
}

/* Thirty workers: 24 neighbours, then fresh starts, nothing twice. */
static void many_workers_never_wait_nor_repeat(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("local-search", "duplicates=exact\n", space, 3);
  nas_arch asked[31];
  int neighbours = 0;
  for (uint64_t k = 0; k < 31; k++) {
    assert_ok(nas_strategy_ask(s, k, &asked[k], nas_test_err()));
    if (k == 0) tell(s, 0, &asked[0], NAS_OUTCOME_OK, 50);
    neighbours += nas_arch_distance(&asked[0], &asked[k]) == 1;
    for (uint64_t i = 0; i < k; i++) assert_false(nas_arch_same(&asked[i], &asked[k]));
  }
  assert_int_equal(neighbours, 24);
  nas_strategy_close(s);
  nas_space_close(space);
}

NAS_SUITE(LocalSearch, NAS_CASE(climbs_and_restarts), NAS_CASE(a_failure_is_no_step),
          NAS_CASE(many_workers_never_wait_nor_repeat))
