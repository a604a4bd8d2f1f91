#ifndef NAS_TRAIN_MATH_H
#define NAS_TRAIN_MATH_H
/* The loops of math.c for one instruction set: y = f(x), n numbers. */
#include "train/kernels/vector.h"

void NAS_PER_ISA(tanh)(float *y, const float *x, int64_t n);
void NAS_PER_ISA(sigmoid)(float *y, const float *x, int64_t n);
#endif
