#ifndef NAS_SPACE_PYTHON_RANDOM_H
#define NAS_SPACE_PYTHON_RANDOM_H
/* The random numbers of CPython's `random` module, as far as published benchmark tables depend on them: the
 * Mersenne Twister MT19937 (Matsumoto and Nishimura, ACM TOMACS 8(1), 1998) seeded the way random.seed(int) does, and
 * random.shuffle of Python 3.2 and later. For reading the order of such tables only; all numbers of this program's
 * own come from base/rng.h. */
#include <stddef.h>
#include <stdint.h>

typedef struct nas_python_random {
  uint32_t state[624];
  int next;
} nas_python_random;

/* random.seed(seed) of a non-negative integer below 2^32. */
void nas_python_seed(nas_python_random *r, uint32_t seed);
/* random.getrandbits(bits), 1 <= bits <= 32. */
uint32_t nas_python_bits(nas_python_random *r, int bits);
/* random.shuffle(values). */
void nas_python_shuffle(nas_python_random *r, uint16_t *values, size_t n);
#endif
