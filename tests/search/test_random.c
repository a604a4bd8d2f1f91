#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drive.h"
#include "harness.h"

/* Asks until the space is exhausted; counts each class and each index. */
static uint64_t exhaust(const char *settings, const nas_space *space, uint8_t *by_class, uint8_t *by_index) {
  nas_strategy *s = nas_drive_open("random", settings, space, 3);
  nas_arch arch;
  uint64_t asks = 0, number;
  while (nas_strategy_ask(s, asks, &arch, nas_test_err()) == NAS_OK) {
    asks++;
    assert_true(nas_space_class(space, &arch, &number));
    by_class[number]++;
    assert_true(nas_space_index(space, &arch, &number));
    by_index[number]++;
  }
  assert_fails(nas_strategy_ask(s, asks, &arch, nas_test_err()), NAS_E_EXHAUSTED, "have been proposed");
  nas_strategy_close(s);
  return asks;
}

static void deals_every_class_once(void **state) {
  (void)state;
  static uint8_t by_class[6466], by_index[15625];
  nas_space *space = nas_drive_space();
  assert_int_equal(exhaust("unique=true\n", space, by_class, by_index), 6466); /* the published number of classes */
  for (size_t i = 0; i < 6466; i++) assert_int_equal(by_class[i], 1);
  nas_space_close(space);
}

static void deals_every_architecture_once(void **state) {
  (void)state;
  static uint8_t by_class[6466], by_index[15625];
  nas_space *space = nas_drive_space();
  assert_int_equal(exhaust("unique=false\n", space, by_class, by_index), 15625); /* 5 operations on 6 edges */
  for (size_t i = 0; i < 15625; i++) assert_int_equal(by_index[i], 1);
  nas_space_close(space);
}

static void draws_uniformly(void **state) {
  (void)state;
  enum { N = 4000, BINS = 20 };
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("random", "unique=false\nrepeats=true\n", space, 11);
  int bins[BINS] = {0};
  for (uint64_t k = 0; k < N; k++) {
    nas_arch arch;
    uint64_t index;
    assert_ok(nas_strategy_ask(s, k, &arch, nas_test_err()));
    assert_true(nas_space_index(space, &arch, &index));
    bins[index * BINS / 15625]++;
  }
  double chi = 0;
  for (int i = 0; i < BINS; i++) chi += pow(bins[i] - N / (double)BINS, 2) / (N / (double)BINS);
  assert_true(chi < 43.8); /* 19 degrees of freedom, p = 0.001 */
  nas_strategy_close(s);
  nas_space_close(space);
}

static void repeats_when_allowed(void **state) {
  (void)state;
  enum { N = 500 };
  nas_space *space = nas_drive_space();
  const char *const settings[] = {"repeats=true\n", "repeats=false\n"};
  int repeats[2] = {0};
  for (int i = 0; i < 2; i++) {
    static nas_history h;
    memset(&h, 0, sizeof h);
    nas_strategy *s = nas_drive_open("random", settings[i], space, 5);
    nas_drive(s, &h, N, 1, 0, 0);
    for (size_t a = 0; a < N; a++)
      for (size_t b = 0; b < a; b++) repeats[i] += nas_arch_same(&h.arch[a], &h.arch[b]);
    nas_strategy_close(s);
  }
  /* 500 draws of 6466: 500 * 499 / 2 / 6466 = 19.3 equal pairs expected, a deviation of 4.4. */
  assert_in_range(repeats[0], 3, 41);
  assert_int_equal(repeats[1], 0);
  nas_space_close(space);
}

NAS_SUITE(RandomSearch, NAS_CASE(deals_every_class_once), NAS_CASE(deals_every_architecture_once),
          NAS_CASE(draws_uniformly), NAS_CASE(repeats_when_allowed))
