#ifndef NAS_TRAIN_SLEEF_VECTOR_H
#define NAS_TRAIN_SLEEF_VECTOR_H
/* Functions of SLEEF (within one unit in the last place) for sixteen numbers: EACH(f, v), or EACH2 of two arguments,
 * after DEFINE_EACH(f) in the same file. */
#include "train/kernels/vector.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <sleef.h>

/* f of a v16 by a SLEEF function of the widest vectors here. */
#if defined(__AVX512F__)
#define EACH(f, v)     ((v16)Sleef_##f##f16_u10avx512f((__m512)(v)))
#define EACH2(f, a, b) ((v16)Sleef_##f##f16_u10avx512f((__m512)(a), (__m512)(b)))
#elif defined(__AVX2__)
typedef union {
  v16 all;
  __m256 part[2];
} parts;
#define LANES          2
#define PART(f, p)     Sleef_##f##f8_u10avx2(p)
#define PART2(f, p, q) Sleef_##f##f8_u10avx2(p, q)
#elif defined(__SSE2__)
typedef union {
  v16 all;
  __m128 part[4];
} parts;
#define LANES          4
#define PART(f, p)     Sleef_##f##f4_u10(p)
#define PART2(f, p, q) Sleef_##f##f4_u10(p, q)
#elif defined(__aarch64__)
#include <arm_neon.h>
typedef union {
  v16 all;
  float32x4_t part[4];
} parts;
#define LANES          4
#define PART(f, p)     Sleef_##f##f4_u10advsimd(p)
#define PART2(f, p, q) Sleef_##f##f4_u10advsimd(p, q)
#else
typedef union {
  v16 all;
  float part[16];
} parts;
#define LANES          16
#define PART(f, p)     Sleef_##f##f_u10(p)
#define PART2(f, p, q) Sleef_##f##f_u10(p, q)
#endif
#ifdef EACH
#define DEFINE_EACH(f)
#define DEFINE_EACH2(f)
#else
#define EACH(f, v)     each_##f(v)
#define EACH2(f, a, b) each_##f(a, b)
#define DEFINE_EACH(f)                                              \
  INLINE v16 each_##f(v16 v) {                                      \
    parts p = {.all = v};                                           \
    for (int i = 0; i < LANES; i++) p.part[i] = PART(f, p.part[i]); \
    return p.all;                                                   \
  }
#define DEFINE_EACH2(f)                                                         \
  INLINE v16 each_##f(v16 v, v16 w) {                                           \
    parts p = {.all = v}, q = {.all = w};                                       \
    for (int i = 0; i < LANES; i++) p.part[i] = PART2(f, p.part[i], q.part[i]); \
    return p.all;                                                               \
  }
#endif
#endif
