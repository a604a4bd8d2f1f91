#ifndef NAS_TRAIN_KERNELS_TURN_H
#define NAS_TRAIN_KERNELS_TURN_H
/* Sixteen vectors as a square matrix, transposed. */
#include "train/kernels/vector.h"

/* Numbers of `other` where the bit of the place is set, and of `v`, moved by that many places; and the other half. */
#define LOW_8  0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define HIGH_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define LOW_4  0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define HIGH_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define LOW_2  0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define LOW_1  0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define HIGH_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31
#define EXCHANGE(v, step)                                           \
  for (int i = 0; i < 16; i++)                                      \
    if (!(i & (step))) {                                            \
      v16 a = (v)[i], b = (v)[i + (step)];                          \
      (v)[i] = __builtin_shufflevector(a, b, LOW_##step);           \
      (v)[i + (step)] = __builtin_shufflevector(a, b, HIGH_##step); \
    }

INLINE void turn_square(v16 v[16]) {
  EXCHANGE(v, 8)
  EXCHANGE(v, 4)
  EXCHANGE(v, 2)
  EXCHANGE(v, 1)
}

#endif
