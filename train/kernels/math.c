/* Transcendental functions through SLEEF (within one unit in the last place), sixteen numbers at a time. */
#include "train/kernels/math.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <sleef.h>

/* f of a v16 by a SLEEF function of the widest vectors here. */
#if defined(__AVX512F__)
#define EACH(f, v) ((v16)Sleef_##f##f16_u10avx512f((__m512)(v)))
#elif defined(__AVX2__)
typedef union {
  v16 all;
  __m256 part[2];
} parts;
#define LANES      2
#define PART(f, p) Sleef_##f##f8_u10avx2(p)
#elif defined(__SSE2__)
typedef union {
  v16 all;
  __m128 part[4];
} parts;
#define LANES      4
#define PART(f, p) Sleef_##f##f4_u10(p)
#elif defined(__aarch64__)
#include <arm_neon.h>
typedef union {
  v16 all;
  float32x4_t part[4];
} parts;
#define LANES      4
#define PART(f, p) Sleef_##f##f4_u10advsimd(p)
#else
typedef union {
  v16 all;
  float part[16];
} parts;
#define LANES      16
#define PART(f, p) Sleef_##f##f_u10(p)
#endif
#ifndef EACH
#define EACH(f, v) each_##f(v)
#define DEFINE_EACH(f)                                              \
  INLINE v16 each_##f(v16 v) {                                      \
    parts p = {.all = v};                                           \
    for (int i = 0; i < LANES; i++) p.part[i] = PART(f, p.part[i]); \
    return p.all;                                                   \
  }
DEFINE_EACH(tanh)
DEFINE_EACH(exp)
#endif

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
