#ifndef NAS_TRAIN_KERNELS_NORM_H
#define NAS_TRAIN_KERNELS_NORM_H
/* The loops of norm.c for one instruction set (see kernels.h for what they do). */
#include "train/kernels/kernels.h"
#include "train/kernels/vector.h"

void NAS_PER_ISA(moments)(nas_numbers x, const float *shift, int64_t rows, int64_t channels, float *sum, float *square);
void NAS_PER_ISA(norm_sums)(const float *dy, nas_numbers x, const float *mean, int64_t rows, int64_t channels,
                            float *sum, float *dot);
void NAS_PER_ISA(affine_sum)(float *y, const float *plus, const nas_affine *of, int count, int64_t rows,
                             int64_t channels);
void NAS_PER_ISA(norm_gradient)(float *dx, const float *plus, const float *dy, const float *x, const float *mean,
                                const float *a, const float *b, const float *c, int64_t rows, int64_t channels);
void NAS_PER_ISA(norm_gradient_rows)(float *dx, int64_t dx_image, int64_t dx_row, const float *dy, nas_numbers x,
                                     const float *mean, const float *a, const float *b, const float *c, int64_t images,
                                     int64_t rows, int64_t n, int64_t channels);
void NAS_PER_ISA(center)(float *y, const float *x, bool positive, const float *mean, int64_t rows, int64_t channels);
void NAS_PER_ISA(split_moments)(float *to, const float *from, int64_t pitch, int64_t rows, int64_t channels, float *sum,
                                float *square);
void NAS_PER_ISA(join_norm_gradient)(float *dx, int64_t pitch, const float *dy, const float *x, const float *mean,
                                     const float *a, const float *b, const float *c, int64_t rows, int64_t channels);
void NAS_PER_ISA(norm_gradient_bf16)(uint16_t *dx, int64_t pitch, const float *dy, const float *x, const float *mean,
                                     const float *a, const float *b, const float *c, int64_t rows, int64_t channels);
#endif
