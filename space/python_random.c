#include "space/python_random.h"

#define N 624
#define M 397

static void seed_by_number(nas_python_random *r, uint32_t number) {
  r->state[0] = number;
  for (uint32_t i = 1; i < N; i++) r->state[i] = 1812433253u * (r->state[i - 1] ^ r->state[i - 1] >> 30) + i;
  r->next = N;
}

/* Python seeds by an array of 32-bit words even for one word ("init_by_array" of the reference code). */
void nas_python_seed(nas_python_random *r, uint32_t seed) {
  uint32_t *s = r->state;
  seed_by_number(r, 19650218u);
  uint32_t i = 1;
  for (uint32_t k = 0; k < N; k++) {
    s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1664525u) + seed;
    if (++i >= N) s[0] = s[N - 1], i = 1;
  }
  for (uint32_t k = 0; k < N - 1; k++) {
    s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1566083941u) - i;
    if (++i >= N) s[0] = s[N - 1], i = 1;
  }
  s[0] = 0x80000000u;
}

static void refill(nas_python_random *r) {
  uint32_t *s = r->state;
  for (int i = 0; i < N; i++) {
    uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % N] & 0x7fffffffu);
    s[i] = s[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
  }
  r->next = 0;
}

uint32_t nas_python_bits(nas_python_random *r, int bits) {
  if (r->next >= N) refill(r);
  uint32_t y = r->state[r->next++];
  y ^= y >> 11;
  y ^= y << 7 & 0x9d2c5680u;
  y ^= y << 15 & 0xefc60000u;
  y ^= y >> 18;
  return y >> (32 - bits);
}

/* Python draws as many bits as n has and rejects what is too large. */
static uint32_t below(nas_python_random *r, uint32_t n) {
  int bits = 0;
  while (n >> bits) bits++;
  uint32_t value;
  do value = nas_python_bits(r, bits);
  while (value >= n);
  return value;
}

void nas_python_shuffle(nas_python_random *r, uint16_t *values, size_t n) {
  for (size_t i = n; i-- > 1;) {
    uint32_t j = below(r, (uint32_t)i + 1);
    uint16_t held = values[i];
    values[i] = values[j];
    values[j] = held;
  }
}
