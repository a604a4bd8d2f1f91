#ifndef NAS_TRAIN_POINT_H
#define NAS_TRAIN_POINT_H
/* 1x1 convolutions between 8 and 16 channels, the shortcut from the first to the second stage of a small network, where
 * kernels for any width (kernels/direct.h) lose half their time: forward to addresses, back to multiplying by the zeros
 * of two pixels' common window. */
#include <stdint.h>

/* y = plus + (mask > 0 ? x times w : 0); plus may be NULL or y, mask NULL (all pass). */
typedef struct nas_point {
  int64_t pixels; /* a multiple of 16 */
  const float *x, *w, *plus, *mask;
  float *y;
} nas_point;

#ifdef NAS_ISA
#include "train/kernels/vector.h"
void NAS_PER_ISA(point_8_16)(const nas_point *p);
void NAS_PER_ISA(point_16_8)(const nas_point *p);
#endif

#endif
