/* Transcendental functions through SLEEF (within one unit in the last place), sixteen numbers at a time. */
#include "train/kernels/math.h"
#include "train/kernels/neurons.h"

#include <math.h>
#include <string.h>

#include "train/kernels/sleef_vector.h"

DEFINE_EACH(tanh)
DEFINE_EACH(exp)
DEFINE_EACH(log)
DEFINE_EACH(cos)

INLINE v16 sigmoid_of(v16 x) { return 1 / (1 + EACH(exp, -x)); }
INLINE v16 tanh_of(v16 x) { return EACH(tanh, x); }

#define DEFINE_MAP(name, of)                                    \
  void NAS_PER_ISA(name)(float *y, const float *x, int64_t n) { \
    int64_t i = 0;                                              \
    for (; i + 16 <= n; i += 16) store(y + i, of(load(x + i))); \
    if (i == n) return;                                         \
    float rest[16] = {0};                                       \
    memcpy(rest, x + i, (size_t)(n - i) * sizeof *rest);        \
    store(rest, of(load(rest)));                                \
    memcpy(y + i, rest, (size_t)(n - i) * sizeof *rest);        \
  }
DEFINE_MAP(tanh, tanh_of)
DEFINE_MAP(sigmoid, sigmoid_of)

/* ---- standard normal numbers: Philox4x32-10 and Box-Muller, as base/rng.h has them one by one ---- */

typedef uint32_t u16v __attribute__((vector_size(64)));
typedef uint64_t u8v __attribute__((vector_size(64)));

/* Both halves of the product of each lane with m. */
INLINE void multiply_wide(u16v a, uint32_t m, u16v *high, u16v *low) {
  u8v even = ((u8v)a & 0xffffffffU) * m, odd = ((u8v)a >> 32) * m;
  *low = a * m;
  *high = (u16v)((even >> 32) | (odd & 0xffffffff00000000U));
}

INLINE void philox(u16v c[4], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; round++, key0 += 0x9E3779B9U, key1 += 0xBB67AE85U) {
    u16v high0, low0, high1, low1;
    multiply_wide(c[0], 0xD2511F53U, &high0, &low0);
    multiply_wide(c[2], 0xCD9E8D57U, &high1, &low1);
    c[0] = high1 ^ c[1] ^ key0;
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ key1;
    c[3] = low0;
  }
}

void NAS_PER_ISA(normals)(float *y, const uint32_t key[2], uint32_t trial, uint32_t stream, uint64_t first, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    uint32_t words[4][16];
    u16v c[4];
    for (int k = 0; k < 16; k++) {
      uint64_t index = first + (uint64_t)(i + k);
      words[0][k] = (uint32_t)index;
      words[1][k] = (uint32_t)(index >> 32);
      words[2][k] = trial;
      words[3][k] = stream;
    }
    memcpy(c, words, sizeof c);
    philox(c, key[0], key[1]);
    v16 rest = __builtin_convertvector(~c[0], v16) * 0x1p-32F + 0x1p-33F; /* 1 - u */
    v16 turn = __builtin_convertvector((i16)(c[2] ^ 0x80000000U), v16) *
               (0x1p-31F * 3.14159265F); /* 2 pi u - pi: the cosine with its sign turned */
    v16 square = -2 * EACH(log, rest), v;
    for (int k = 0; k < 16; k++) v[k] = sqrtf(square[k]);
    store_upto(y + i, -v * EACH(cos, turn), n - i);
  }
}
