#ifndef NAS_TRAIN_NORM_H
#define NAS_TRAIN_NORM_H
/* Batch normalisation in f32, shared by the operation and by the fused convolution: statistics tile by tile in cache,
 * joined in double. */
#include "train/kernels/numbers.h"
#include "train/ops/batch_norm.h"

#include <stdint.h>

/* Mean and sum of squared deviations of a channel. */
typedef struct nas_moments {
  double mean, square;
} nas_moments;

typedef struct nas_norm {
  int64_t channels;
  const float *gamma, *beta;
  float *running_mean, *running_var, *dgamma, *dbeta;
  double factor; /* of y, where a sum takes the normalised values more than once; else 1 */
} nas_norm;

/* Per-channel numbers kept from forward to backward: the mean, then 1/deviation. */
enum { NAS_NORM_SAVED = 2 };

/* Joins a tile of `rows` to the `seen` rows before it; sum and square are of x - shift. */
void nas_norm_merge(nas_moments *all, double seen, const float *shift, const float *sum, const float *square,
                    double rows, int64_t channels);
/* Batch statistics into the running ones, into `saved`, and into y = scale x + shift, the factor included. */
void nas_norm_close(const nas_norm *n, const nas_moments *all, double rows, float *saved, float *scale, float *shift);
/* y = scale x + shift of the running statistics. */
void nas_norm_running(const nas_norm *n, float *scale, float *shift);
/* Adds to `all` (its members as plain sums) the tile's sums of dy and of dy (x - mean); sum, dot: scratch. */
void nas_norm_gather(nas_moments *all, const float *dy, nas_numbers x, const float *mean, int64_t rows,
                     int64_t channels, float *sum, float *dot);
/* From those sums over all rows: gradients of gamma and beta, and the factors of dx = a dy + b (x - mean) + c. */
void nas_norm_factors(const nas_norm *n, const nas_moments *all, double rows, const float *saved, float *a, float *b,
                      float *c);
#endif
