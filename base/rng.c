#include "base/rng.h"

#include <math.h>
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
#include <Random123/philox.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

nas_rng nas_rng_make(uint64_t seed, uint32_t trial, uint32_t stream) {
  return (nas_rng){{(uint32_t)seed, (uint32_t)(seed >> 32)}, trial, stream};
}

void nas_rng_block(nas_rng r, uint64_t block, uint32_t out[4]) {
  philox4x32_ctr_t counter = {{(uint32_t)block, (uint32_t)(block >> 32), r.trial, r.stream}};
  philox4x32_key_t key = {{r.key[0], r.key[1]}};
  philox4x32_ctr_t words = philox4x32(counter, key);
  for (int i = 0; i < 4; i++) out[i] = words.v[i];
}

uint32_t nas_rng_u32(nas_rng r, uint64_t index) {
  uint32_t w[4];
  nas_rng_block(r, index, w);
  return w[0];
}

static double unit_from(uint32_t high, uint32_t low) { return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53; }

double nas_rng_unit(nas_rng r, uint64_t index) {
  uint32_t w[4];
  nas_rng_block(r, index, w);
  return unit_from(w[0], w[1]);
}

uint64_t nas_rng_below(nas_rng r, uint64_t index, uint64_t n) {
  uint32_t w[4];
  nas_rng_block(r, index, w);
  uint64_t word = (uint64_t)w[0] << 32 | w[1];
  __extension__ typedef unsigned __int128 wide;
  return (uint64_t)((wide)word * n >> 64);
}

double nas_rng_normal(nas_rng r, uint64_t index) {
  uint32_t w[4];
  nas_rng_block(r, index, w);
  double radius = sqrt(-2 * log(1 - unit_from(w[0], w[1])));
  return radius * cos(6.283185307179586476925 * unit_from(w[2], w[3]));
}

void nas_rng_fill_uniform(nas_rng r, uint64_t first, float *out, size_t n, float lo, float hi) {
  for (size_t i = 0; i < n; i++) {
    float value = lo + (hi - lo) * (float)nas_rng_unit(r, first + i);
    out[i] = value < hi ? value : nextafterf(hi, lo); /* rounding to float may reach hi */
  }
}

void nas_rng_fill_normal(nas_rng r, uint64_t first, float *out, size_t n, float deviation) {
  for (size_t i = 0; i < n; i++) out[i] = deviation * (float)nas_rng_normal(r, first + i);
}

void nas_rng_shuffle(nas_rng r, uint64_t first, uint32_t *values, size_t n) {
  for (size_t i = n; i > 1; i--) {
    size_t j = (size_t)nas_rng_below(r, first + i - 1, i);
    uint32_t held = values[i - 1];
    values[i - 1] = values[j];
    values[j] = held;
  }
}
