#ifndef NAS_TRAIN_NEURON_KERNELS_H
#define NAS_TRAIN_NEURON_KERNELS_H
/* The f32 loops of neurons, part of nas_kernel_set. Inputs x are [rows][in], outputs y [rows][out], as the operations
 * of the same names have them; `dplus` and NULL gradients are as in nas_call. Scratch is in floats. */
#include <stdbool.h>
#include <stdint.h>

/* A counter-based random stream: the members of a nas_rng. */
typedef struct nas_philox {
  uint32_t key[2], trial, stream;
} nas_philox;

/* One image x [in_h][in_w][channels] as random spikes, and their weighted sums over windows. Number i of the image
 * spikes at step t with probability x_i clamped to [0, 1]: where word t of the blocks from block + i ceil(steps / 4) on
 * is below 2^32 x_i. sums: [out_h out_w][steps][width]; weights: [kernel_h kernel_w][channels][width]; width: a
 * multiple of 16. */
typedef struct nas_spikes {
  nas_philox random;
  uint64_t block;
  int64_t steps, channels, width;
  int32_t in_h, in_w, out_h, out_w, kernel_h, kernel_w, stride, pad;
  const float *x;
  float *sums, *weights; /* forwards sums are added to; backwards they are gradients, and weights are added to */
  uint32_t *train;       /* [numbers of the image][(steps + 31) / 32]: drawn forwards, read backwards */
} nas_spikes;

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

enum { NAS_SPLINE_CHUNK = 256, NAS_SPLINE_ORDER_MAX = 8, NAS_SPLINE_TILE_MAX = 64 + 3 * NAS_SPLINE_ORDER_MAX + 1 };
static inline int64_t nas_spline_width(int64_t out) { return (out + 15) / 16 * 16; }
static inline int64_t nas_spline_tile_rows(int64_t grid, int64_t order) { return grid + 3 * order + 1; }
static inline int64_t nas_spline_scratch(int64_t out, int64_t grid, int64_t order) {
  int64_t tiles = 2 * nas_spline_tile_rows(grid, order) + NAS_SPLINE_CHUNK;
  return NAS_SPLINE_CHUNK * (32 + 2 + 2 * (NAS_SPLINE_ORDER_MAX + 1) + 2) + tiles * nas_spline_width(out);
}

/* Images of `pixels` x `channels` numbers, normalised in groups of `members` neighbouring channels; a layer norm takes
 * every pixel for an image. */
typedef struct nas_group_norm {
  int64_t images, pixels, channels, members;
  const float *x, *scale, *shift;
  float *y;
  const float *dy, *dplus;
  float *dx, *dscale, *dshift;
  float *scratch; /* nas_group_norm_scratch numbers, aligned for double */
} nas_group_norm;
static inline int64_t nas_group_norm_scratch(int64_t channels) { return 9 * channels + 2; }

/* Fractions from sums [sum][row][neuron]. Kinds A and B: the numerator without `start`, then one sum for each absolute
 * value in the denominator. Smooth: numerator without start and highest degree, its highest degree, and the same of the
 * denominator without 1. pade_gradient puts the gradients of all but the highest degree and of the highest in place of
 * the sums. */
typedef struct nas_pade {
  int64_t rows, out, sums;
  bool smooth;
  const float *start;
  float *sum, *y;
  const float *dy;
} nas_pade;
enum { NAS_PADE_SUMS_MAX = 9 };

/* Oscillators of n numbers, an even number of at most 64; states lie [channel][row], rows a multiple of 16. */
typedef struct nas_kuramoto {
  int64_t rows, channels, n;
  bool global; /* one speed for all pairs of channels, not one each */
  float gamma;
  const float *speed, *bias, *stimulus;
  float *by_stimulus, *by_bias; /* gradients; added to */
} nas_kuramoto;

/* y_o = exp(-|u|^2 / 2), u_i = (x_i - centre_oi) / width_o, or width_oi. */
typedef struct nas_rbf {
  int64_t rows, in, out;
  bool diagonal;
  const float *x, *centre, *width;
  float *y; /* the backward pass reads it */
  const float *dy, *dplus;
  float *dx, *dcentre, *dwidth;
  float *scratch; /* nas_rbf_scratch numbers */
} nas_rbf;
enum { NAS_RBF_CHUNK = 128 };

/* Powers x^exponent of positive numbers with the logarithms `logs`, [rows][in], each row as shares of its largest. */
typedef struct nas_powers {
  int64_t rows, in;
  float exponent;
  const float *logs;
  float *lowest, *highest; /* logarithms of each row */
} nas_powers;
enum { NAS_POWERS_CHUNK = 64 };

/* Synapses from `sources` to `units`, all parameters [source][unit]: each opens by weight sigmoid(sigma (x - mu)), x
 * [row][source]; `below` [row][unit] gets the sums of these added, `above` those times the reversal potentials. */
enum { NAS_LTC_ROWS = 64 }; /* at most */
typedef struct nas_synapses {
  int64_t rows, sources, units;
  const float *weight, *sigma, *mu, *reversal, *x;
  float *above, *below;
  const float *by_above, *by_below;
  float *dx, *dweight, *dsigma, *dmu, *dreversal; /* added to; dx may be NULL */
} nas_synapses;

/* Cells of [row][unit] between solver steps; parameters have one number a unit, their gradients are added to. */
typedef struct nas_ltc {
  int64_t rows, units;
  float unfolds;
  const float *leak, *rest, *capacity;
  float *dleak, *drest, *dcapacity;
} nas_ltc;

/* y = the sum over six activations of weight[activation][channel] times activation(x), each and the sum within
 * [-10, 10]; x is [rows][channels]. */
enum { NAS_MIXED_POOL = 6 };
typedef struct nas_mixed {
  int64_t rows, channels;
  const float *weight, *x;
  float *y;
  const float *dy, *dplus;
  float *dx;
  double *by_weight; /* added to */
} nas_mixed;

static inline int64_t nas_rbf_scratch(int64_t out) { return NAS_RBF_CHUNK * (32 + out); }
#endif
