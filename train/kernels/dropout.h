#ifndef NAS_TRAIN_KERNELS_DROPOUT_H
#define NAS_TRAIN_KERNELS_DROPOUT_H
/* kernels/dropout.c, compiled once per instruction set. */
#include "train/kernels/kernels.h"
#include "train/kernels/vector.h"

void NAS_PER_ISA(dropout)(const nas_dropout *d, float *to, const float *plus, const float *from, int64_t n);
#endif
