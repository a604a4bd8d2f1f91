#ifndef NAS_TRAIN_KERNELS_HALF_H
#define NAS_TRAIN_KERNELS_HALF_H
/* Numbers of 16 bits, bf16: the upper half of an f32, rounded to nearest. */
#include <stdint.h>

#include "train/kernels/numbers.h"
#include "train/kernels/vector.h"

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

typedef uint16_t h16 __attribute__((vector_size(32)));
typedef uint16_t h16u __attribute__((vector_size(32), aligned(2), may_alias));
typedef uint32_t u16 __attribute__((vector_size(64)));
typedef uint32_t u16u __attribute__((vector_size(64), aligned(2), may_alias));

/* Ties to even. A NaN must stay one: rounding up would carry it over into a number. */
INLINE u16 rounded_half(v16 v) {
  u16 bits = (u16)v, nan = (u16)(v != v);
  u16 up = bits + 0x7fff + ((bits >> 16) & 1);
  return (~nan & (up >> 16)) | (nan & 0x7fc0);
}

INLINE uint16_t rounded_one(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  if (v != v) return 0x7fc0;
  return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

INLINE void store_half(uint16_t *to, v16 v) {
#ifdef __AVX512BF16__
  *(h16u *)to = (h16)_mm512_cvtneps_pbh((__m512)v);
#else
  *(h16u *)to = __builtin_convertvector(rounded_half(v), h16);
#endif
}

INLINE v16 load_half(const uint16_t *from) {
  h16 bits = *(const h16u *)from;
  return (v16)(__builtin_convertvector(bits, u16) << 16);
}

INLINE v16 load_numbers(nas_numbers x, int64_t i) {
  return x.half ? load_half((const uint16_t *)x.at + i) : load((const float *)x.at + i);
}
INLINE float one_number(nas_numbers x, int64_t i) {
  if (!x.half) return ((const float *)x.at)[i];
  uint32_t bits = (uint32_t)((const uint16_t *)x.at)[i] << 16;
  float number;
  memcpy(&number, &bits, sizeof number);
  return number;
}

/* Two vectors in turn: the first, with zeros between, then the second there. Ties away from zero, which takes half the
 * work; the NaNs that arithmetic makes stay NaN. */
INLINE void store_even(uint16_t *to, v16 v) { *(u16u *)to = ((u16)v + 0x8000) >> 16; }
INLINE void store_odd(uint16_t *to, v16 v) { *(u16u *)to |= ((u16)v + 0x8000) & 0xffff0000; }

#endif
