#include "base/rng.h"

#include <math.h>
#include <string.h>

#include "harness.h"

/* Known answers of Random123's kat_vectors for philox4x32-10: counter and key of zeros, of ones, and of pi's digits. */
static void equals_the_published_vectors(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], expected[4];
  } rows[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_rng r = nas_rng_make((uint64_t)rows[i].key[1] << 32 | rows[i].key[0], rows[i].counter[2], rows[i].counter[3]);
    uint32_t out[4];
    nas_rng_block(r, (uint64_t)rows[i].counter[1] << 32 | rows[i].counter[0], out);
    assert_memory_equal(out, rows[i].expected, sizeof out);
  }
}

static void numbers_have_the_right_moments(void **state) {
  (void)state;
  nas_rng r = nas_rng_make(3, 1, NAS_STREAM_SAMPLE);
  enum { N = 200000 };
  double unit = 0, normal = 0, square = 0;
  int counts[7] = {0};
  for (uint64_t i = 0; i < N; i++) {
    double u = nas_rng_unit(r, i), z = nas_rng_normal(r, i);
    assert_true(u >= 0 && u < 1);
    unit += u;
    normal += z;
    square += z * z;
    counts[nas_rng_below(r, i, 7)]++;
  }
  assert_close(unit / N, 0.5, 0.005);
  assert_close(normal / N, 0, 0.01);
  assert_close(square / N, 1, 0.02);
  for (int i = 0; i < 7; i++) assert_close(counts[i] * 7.0 / N, 1, 0.03);
}

static void streams_and_trials_differ(void **state) {
  (void)state;
  uint32_t a = nas_rng_u32(nas_rng_make(1, 0, 1), 5);
  assert_true(a != nas_rng_u32(nas_rng_make(1, 0, 2), 5));
  assert_true(a != nas_rng_u32(nas_rng_make(1, 1, 1), 5));
  assert_true(a != nas_rng_u32(nas_rng_make(2, 0, 1), 5));
  assert_true(a == nas_rng_u32(nas_rng_make(1, 0, 1), 5));
}

static void shuffle_is_a_permutation(void **state) {
  (void)state;
  uint32_t v[100], seen[100] = {0};
  for (uint32_t i = 0; i < 100; i++) v[i] = i;
  nas_rng_shuffle(nas_rng_make(9, 0, NAS_STREAM_SHUFFLE), 0, v, 100);
  int moved = 0;
  for (uint32_t i = 0; i < 100; i++) {
    seen[v[i]]++;
    moved += v[i] != i;
  }
  for (int i = 0; i < 100; i++) assert_int_equal(seen[i], 1);
  assert_true(moved > 80);
}

NAS_SUITE(Rng, NAS_CASE(equals_the_published_vectors), NAS_CASE(numbers_have_the_right_moments),
          NAS_CASE(streams_and_trials_differ), NAS_CASE(shuffle_is_a_permutation))
