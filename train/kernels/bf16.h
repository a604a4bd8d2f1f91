#ifndef NAS_TRAIN_BF16_H
#define NAS_TRAIN_BF16_H
/* The loops of bf16.c for one instruction set (see kernels.h for what they do). */
#include <stdbool.h>
#include <stdint.h>

#include "train/kernels/numbers.h"
#include "train/kernels/vector.h"

void NAS_PER_ISA(to_f32)(float *y, nas_numbers x, int64_t n);
void NAS_PER_ISA(to_bf16)(uint16_t *y, const float *x, bool relu, int64_t n);
#endif
