/* enumerate and reinforce. */
#include <math.h>

#include "drive.h"
#include "harness.h"

static void enumerates_in_index_order(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("enumerate", "from=15600\n", space, 0);
  nas_arch arch;
  uint64_t index;
  for (uint64_t k = 0; k < 25; k++) {
    assert_ok(nas_strategy_ask(s, k, &arch, nas_test_err()));
    assert_true(nas_space_index(space, &arch, &index));
    assert_int_equal(index, 15600 + k);
  }
  assert_fails(nas_strategy_ask(s, 25, &arch, nas_test_err()), NAS_E_EXHAUSTED, "15624 was the last");
  nas_strategy_close(s);
  nas_space_close(space);
}

static void enumerates_unique_classes(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("enumerate", "unique=true\n", space, 0);
  nas_arch arch;
  uint64_t k = 0, class_id;
  for (; nas_strategy_ask(s, k, &arch, nas_test_err()) == NAS_OK; k++) {
    assert_true(nas_space_class(space, &arch, &class_id));
    assert_int_equal(class_id, k);
  }
  assert_int_equal(k, 6466);
  nas_strategy_close(s);
  nas_space_close(space);
}

static void enumerate_refuses_what_lies_outside(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  const char *const wrong[] = {"from=15625\n", "to=15626\n", "from=9\nto=9\n"};
  for (size_t i = 0; i < 3; i++) {
    nas_settings list = {0};
    nas_strategy *s;
    assert_ok(nas_settings_parse(&list, wrong[i], "the test", nas_test_err()));
    assert_fails(nas_strategy_open("enumerate", &list, space, 0, &s, nas_test_err()), NAS_E_OUT_OF_RANGE, "from");
    nas_settings_free(&list);
  }
  nas_space_close(space);
}

/* Rewards of choice 1 on gene 0 only: the policy learns it, and stays uniform on the gene that does not matter. */
static void reinforce_learns_what_is_rewarded(void **state) {
  (void)state;
  enum { ASKS = 3000, LAST = 500 };
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("reinforce", NULL, space, 5);
  int first = 0, other = 0;
  for (uint64_t k = 0; k < ASKS; k++) {
    nas_arch arch;
    assert_ok(nas_strategy_ask(s, k, &arch, nas_test_err()));
    nas_tell t = {.number = k, .arch = arch, .valid_accuracy = arch.gene[0] == 1 ? 80 : 40};
    assert_ok(nas_strategy_tell(s, &t, nas_test_err()));
    first += k >= ASKS - LAST && arch.gene[0] == 1;
    other += k >= ASKS - LAST && arch.gene[5] == 1;
  }
  assert_true(first > LAST * 9 / 10);
  assert_true(other < LAST * 6 / 10);
  nas_strategy_close(s);
  nas_space_close(space);
}

NAS_SUITE(EnumerateSearch, NAS_CASE(enumerates_in_index_order), NAS_CASE(enumerates_unique_classes),
          NAS_CASE(enumerate_refuses_what_lies_outside))
NAS_SUITE(Reinforce, NAS_CASE(reinforce_learns_what_is_rewarded))
