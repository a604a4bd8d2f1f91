#ifndef NAS_TRAIN_NEURON_KERNELS_H
#define NAS_TRAIN_NEURON_KERNELS_H
/* The f32 loops of neurons, part of nas_kernel_set. Inputs x are [rows][in], outputs y [rows][out], as the operations
 * of the same names have them; `dplus` and NULL gradients are as in nas_call. Scratch is in floats. */
#include <stdint.h>

/* y_o = delta_o + sum_i (alpha_oi + tanh(beta_oi x_i)) gamma_oi x_i; alpha NULL: 1. */
typedef struct nas_aptx {
  int64_t rows, in, out;
  const float *x, *alpha, *beta, *gamma, *delta;
  float *y;
  const float *dy, *dplus;
  float *dx, *dalpha, *dbeta, *dgamma;
  float *scratch; /* nas_aptx_scratch(in, out) numbers */
} nas_aptx;

enum { NAS_APTX_CHUNK = 128 }; /* rows that are looked at together */
static inline int64_t nas_aptx_scratch(int64_t in, int64_t out) {
  int64_t forward = 8 * (in + 16), backward = NAS_APTX_CHUNK * (32 + out);
  return forward > backward ? forward : backward;
}

/* y_o = sum_i base_io silu(x_i) + scale_io sum_k weight_kio B_k(x_i), B_k uniform B-splines of degree `order` on knots
 * low + (k - order) / per_unit; weight is [grid + order][in][out], scale and base [in][out]. */
typedef struct nas_spline {
  int64_t rows, in, out, grid, order;
  float low, per_unit; /* cells of a unit */
  const float *x, *weight, *scale, *base;
  float *y;
  const float *dy, *dplus;
  float *dx, *dweight, *dscale, *dbase;
  float *scratch; /* nas_spline_scratch numbers */
} nas_spline;

enum { NAS_SPLINE_CHUNK = 64, NAS_SPLINE_ORDER_MAX = 8, NAS_SPLINE_TILE_MAX = 64 + 3 * NAS_SPLINE_ORDER_MAX + 1 };
static inline int64_t nas_spline_width(int64_t out) { return (out + 15) / 16 * 16; }
static inline int64_t nas_spline_tile_rows(int64_t grid, int64_t order) { return grid + 3 * order + 1; }
static inline int64_t nas_spline_scratch(int64_t out, int64_t grid, int64_t order) {
  int64_t tiles = 2 * nas_spline_tile_rows(grid, order) + NAS_SPLINE_CHUNK;
  return NAS_SPLINE_CHUNK * (32 + 2 + 2 * (NAS_SPLINE_ORDER_MAX + 1) + 2) + tiles * nas_spline_width(out);
}
#endif
