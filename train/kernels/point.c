#include "train/kernels/point.h"

#include <stddef.h>

#include "train/kernels/vector.h"

#define UNROLL _Pragma("GCC unroll 32")

enum { BLOCK = 16, PAIRS = BLOCK / 2 };

/* By value, so that what is stored cannot change it. */
INLINE void finish(nas_point p, int64_t at, v16 v) {
  if (p.mask) v = select_positive(load(p.mask + at), v);
  store(p.y + at, p.plus ? load(p.plus + at) + v : v);
}

void NAS_PER_ISA(point_8_16)(const nas_point *of) {
  const nas_point p = *of;
  for (int64_t at = 0; at < p.pixels; at += BLOCK) {
    const float *x = p.x + 8 * at;
    v16 sum[BLOCK];
    UNROLL for (int i = 0; i < BLOCK; i++) sum[i] = (v16){0};
    UNROLL for (int in = 0; in < 8; in++) {
      v16 w = load(p.w + 16 * in);
      UNROLL for (int i = 0; i < BLOCK; i++) sum[i] += x[8 * i + in] * w;
    }
    UNROLL for (int i = 0; i < BLOCK; i++) finish(p, 16 * (at + i), sum[i]);
  }
}

/* Four channels from `k` on of two pixels, each pixel's twice; and one of the four in its pixel's half. */
#define FOUR_OF_TWO(a, b, k)                                                                                    \
  __builtin_shufflevector(a, b, k, (k) + 1, (k) + 2, (k) + 3, k, (k) + 1, (k) + 2, (k) + 3, (k) + 16, (k) + 17, \
                          (k) + 18, (k) + 19, (k) + 16, (k) + 17, (k) + 18, (k) + 19)
#define ONE_OF_FOUR(v, i)                                                                                           \
  __builtin_shufflevector(v, v, i, i, i, i, 4 + i, 4 + i, 4 + i, 4 + i, 8 + i, 8 + i, 8 + i, 8 + i, 12 + i, 12 + i, \
                          12 + i, 12 + i)
/* Channels 4k .. 4k + 3 of a block's pairs of pixels. */
#define ADD_ONE(k, i)                                                             \
  do {                                                                            \
    v16 w = load(p.w + 16 * (4 * (k) + (i)));                                     \
    UNROLL for (int j = 0; j < PAIRS; j++) sum[j] += ONE_OF_FOUR(four[j], i) * w; \
  } while (0)
#define ADD_FOUR(k)                                                                                                 \
  do {                                                                                                              \
    v16 four[PAIRS];                                                                                                \
    UNROLL for (int j = 0; j < PAIRS; j++) four[j] = FOUR_OF_TWO(load(x + 32 * j), load(x + 32 * j + 16), 4 * (k)); \
    ADD_ONE(k, 0);                                                                                                  \
    ADD_ONE(k, 1);                                                                                                  \
    ADD_ONE(k, 2);                                                                                                  \
    ADD_ONE(k, 3);                                                                                                  \
  } while (0)

void NAS_PER_ISA(point_16_8)(const nas_point *of) {
  const nas_point p = *of;
  for (int64_t at = 0; at < p.pixels; at += BLOCK) {
    const float *x = p.x + 16 * at;
    v16 sum[PAIRS];
    UNROLL for (int j = 0; j < PAIRS; j++) sum[j] = (v16){0};
    ADD_FOUR(0);
    ADD_FOUR(1);
    ADD_FOUR(2);
    ADD_FOUR(3);
    UNROLL for (int j = 0; j < PAIRS; j++) finish(p, 8 * at + 16 * j, sum[j]);
  }
}
