#ifndef NAS_TRAIN_POOL_H
#define NAS_TRAIN_POOL_H
/* kernels/pool.c, compiled once per instruction set. */
#include "train/kernels/kernels.h"
#include "train/kernels/vector.h"

void NAS_PER_ISA(avg_pool)(const nas_pool *p, float *y, const float *plus, const float *x, float *scratch);
void NAS_PER_ISA(avg_pool_gradient)(const nas_pool *p, float *dx, const float *plus, const float *dy, float *scratch);
void NAS_PER_ISA(max_pool)(const nas_pool *p, float *y, const float *plus, const float *x);
void NAS_PER_ISA(max_pool_gradient)(const nas_pool *p, float *dx, const float *dy, const float *x);
#endif
