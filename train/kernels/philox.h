#ifndef NAS_TRAIN_KERNELS_PHILOX_H
#define NAS_TRAIN_KERNELS_PHILOX_H
/* Eight blocks of Philox4x32-10 at a time (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011), a
 * 32-bit word in each 64-bit lane; the bits of nas_rng_block. */
#include "train/kernels/kernels.h"
#include "train/kernels/vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

typedef uint64_t u64x8 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
enum { PHILOX_BLOCKS = 8, PHILOX_WORDS = 4 * PHILOX_BLOCKS };

/* The products of the low halves of the lanes and a 32-bit number. */
INLINE u64x8 product(u64x8 a, uint32_t b) {
#if defined(__AVX512F__)
  return (u64x8)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64((int64_t)b));
#elif defined(__AVX2__)
  union {
    u64x8 all;
    __m256i part[2];
  } v = {.all = a};
  for (int i = 0; i < 2; i++) v.part[i] = _mm256_mul_epu32(v.part[i], _mm256_set1_epi64x((int64_t)b));
  return v.all;
#elif defined(__SSE2__)
  union {
    u64x8 all;
    __m128i part[4];
  } v = {.all = a};
  for (int i = 0; i < 4; i++) v.part[i] = _mm_mul_epu32(v.part[i], _mm_set1_epi64x((int64_t)b));
  return v.all;
#elif defined(__aarch64__)
  union {
    u64x8 all;
    uint64x2_t part[4];
  } v = {.all = a};
  for (int i = 0; i < 4; i++) v.part[i] = vmull_n_u32(vmovn_u64(v.part[i]), b);
  return v.all;
#else
  return (a & 0xffffffff) * b;
#endif
}

/* The words of blocks block .. block + 7, in their order. */
INLINE void philox(const nas_philox *s, uint64_t block, u32x16 words[2]) {
  const u64x8 low = (u64x8){0} + 0xffffffff, at = block + (u64x8){0, 1, 2, 3, 4, 5, 6, 7};
  u64x8 c0 = at & low, c1 = at >> 32, c2 = (u64x8){0} + s->trial, c3 = (u64x8){0} + s->stream;
  uint32_t k0 = s->key[0], k1 = s->key[1];
  for (int round = 0; round < 10; round++, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
    u64x8 p = product(c0, 0xD2511F53), q = product(c2, 0xCD9E8D57);
    c0 = (q >> 32) ^ c1 ^ k0;
    c1 = q & low;
    c2 = (p >> 32) ^ c3 ^ k1;
    c3 = p & low;
  }
  u64x8 first = c0 | c1 << 32, second = c2 | c3 << 32;
  words[0] = (u32x16)__builtin_shufflevector(first, second, 0, 8, 1, 9, 2, 10, 3, 11);
  words[1] = (u32x16)__builtin_shufflevector(first, second, 4, 12, 5, 13, 6, 14, 7, 15);
}
#endif
