#ifndef NAS_TRAIN_KERNELS_H
#define NAS_TRAIN_KERNELS_H
/* Hand-written f32 loops over channels-last data. kernels.c is compiled once per instruction set; nas_kernels picks the
 * best that this CPU has, and of those that NASCENT_CPU (avx512, avx2, baseline) allows where it is set. "rows" are
 * pixels of the whole batch, each of `channels` numbers; per-channel arguments have `channels` numbers. `plus` is as in
 * nas_call: NULL, another array, or the output itself. */
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#include "train/kernels/direct.h"
#include "train/kernels/neuron_kernels.h"
#include "train/kernels/numbers.h"
#include "train/kernels/point.h"
#include "train/kernels/winograd.h"

/* Geometry of pooling. */
typedef struct nas_pool {
  int64_t images, channels, in_h, in_w, out_h, out_w, kernel_h, kernel_w, stride, pad;
} nas_pool;

/* A dropout mask: element i stays where word i of the random stream, from `block` on, is at least `limit`. */
typedef struct nas_dropout {
  nas_philox random;
  uint64_t block; /* of element 0; four elements a block */
  uint32_t limit;
  float scale; /* of what stays */
} nas_dropout;

static inline int64_t nas_pool_scratch(const nas_pool *p) {
  int64_t columns = p->in_w > p->out_w ? p->in_w : p->out_w;
  return (2 * columns + 2 * p->kernel_w + 2 * p->pad) * p->channels + p->kernel_h;
}

/* scale x + shift, the factors per channel. */
enum { NAS_AFFINES = 3 };
typedef struct nas_affine {
  nas_numbers x;
  const float *scale, *shift;
} nas_affine;

struct nas_expression;

typedef struct nas_kernel_set {
  const char *isa;
  void (*relu)(float *y, const float *x, int64_t n);
  /* dx = plus + (x > 0 ? g : 0) */
  void (*relu_gradient)(float *dx, const float *plus, const float *x, const float *g, int64_t n);
  /* y = (plus or 0) + sum of factor[k] x[k], n_in at most 8 */
  void (*weighted_sum)(float *y, const float *plus, const float *const *x, const float *factor, int32_t n_in,
                       int64_t n);
  /* Per channel: the sums of x - shift and of its square. */
  void (*moments)(nas_numbers x, const float *shift, int64_t rows, int64_t channels, float *sum, float *square);
  /* y = plus + the sum of scale x + shift of `of`, 1 to NAS_AFFINES of them, added one after the other; x of all f32,
   * or of all bf16. */
  void (*affine_sum)(float *y, const float *plus, const nas_affine *of, int count, int64_t rows, int64_t channels);
  /* Per channel: the sums of dy and of dy (x - mean). */
  void (*norm_sums)(const float *dy, nas_numbers x, const float *mean, int64_t rows, int64_t channels, float *sum,
                    float *dot);
  /* dx = plus + a dy + b (x - mean) + c */
  void (*norm_gradient)(float *dx, const float *plus, const float *dy, const float *x, const float *mean,
                        const float *a, const float *b, const float *c, int64_t rows, int64_t channels);
  /* The same two with several convolutions' channels side by side, `pitch` numbers a pixel. split_moments copies
   * `channels` of them to `to` and sums (shift: the first pixel); join_norm_gradient stores dx there. */
  void (*split_moments)(float *to, const float *from, int64_t pitch, int64_t rows, int64_t channels, float *sum,
                        float *square);
  void (*join_norm_gradient)(float *dx, int64_t pitch, const float *dy, const float *x, const float *mean,
                             const float *a, const float *b, const float *c, int64_t rows, int64_t channels);
  /* For bf16 convolutions: x, or its positive part, as 16-bit numbers; join_norm_gradient into such. */
  void (*to_bf16)(uint16_t *y, const float *x, bool relu, int64_t n);
  void (*to_f32)(float *y, nas_numbers x, int64_t n);
  void (*norm_gradient_bf16)(uint16_t *dx, int64_t pitch, const float *dy, const float *x, const float *mean,
                             const float *a, const float *b, const float *c, int64_t rows, int64_t channels);
  /* Average pooling; `scratch` holds nas_pool_scratch numbers. */
  void (*avg_pool)(const nas_pool *p, float *y, const float *plus, const float *x, float *scratch);
  void (*avg_pool_gradient)(const nas_pool *p, float *dx, const float *plus, const float *dy, float *scratch);
  /* Max pooling; the gradient is added to dx. */
  void (*max_pool)(const nas_pool *p, float *y, const float *plus, const float *x);
  void (*max_pool_gradient)(const nas_pool *p, float *dx, const float *dy, const float *x);
  /* Convolutions as sums over windows; direct_vectors and direct_images: the most output vectors and images that a
   * row takes at once. */
  bool direct; /* faster here than oneDNN's convolutions */
  int32_t (*direct_vectors)(void), (*direct_images)(void);
  void (*direct_row)(const nas_direct_row *r);
  void (*direct_stacked)(const nas_direct_stack *s); /* where nas_direct_stacks */
  void (*direct_gradient)(const nas_direct_gradient *g);
  /* The same for the three rows of a kernel whose windows are short (nas_direct_stacks_gradient): dw[3][length][16], of
   * windows x_row apart, without left, right and ahead, so x must have a border of zeros. */
  void (*direct_gradient_stacked)(const nas_direct_gradient *g);
  /* 1x1 convolutions from 8 to 16 channels, w[8][16], and from 16 to 8, w[16][8 and the same 8]. */
  void (*point_8_16)(const nas_point *p);
  void (*point_16_8)(const nas_point *p);
  /* Winograd's filtering of 3x3 convolutions (kernels/winograd.h), F(2x2, 3x3) and F(4x4, 3x3). */
  const nas_winograd_transforms *winograd_2, *winograd_4;
  void (*winograd_product)(const nas_winograd_product *p);
  void (*winograd_gradient)(const nas_winograd_gradient *g);
  /* `rows` rows of n numbers, those of `to` to_row numbers apart: copied, or their positive parts; */
  void (*copy_rows)(float *to, int64_t to_row, const float *from, bool relu, int64_t rows, int64_t n);
  /* norm_gradient without plus into images and rows that lie dx_image and dx_row numbers apart; n numbers (whole
   * pixels) a row. */
  void (*norm_gradient_rows)(float *dx, int64_t dx_image, int64_t dx_row, const float *dy, nas_numbers x,
                             const float *mean, const float *a, const float *b, const float *c, int64_t images,
                             int64_t rows, int64_t n, int64_t channels);
  /* y[m][n] = a[m][k] b[k][n] */
  void (*matrix_product)(float *y, const float *a, const float *b, int64_t m, int64_t k, int64_t n);
  /* y = x - mean, of the positive part of x if so asked. */
  void (*center)(float *y, const float *x, bool relu, const float *mean, int64_t rows, int64_t channels);
  /* to = plus + the masked and scaled `from` */
  void (*dropout)(const nas_dropout *d, float *to, const float *plus, const float *from, int64_t n);
  void (*tanh)(float *y, const float *x, int64_t n);
  void (*sigmoid)(float *y, const float *x, int64_t n);
  void (*global_pool)(float *y, const float *x, int64_t images, int64_t pixels, int64_t channels);
  void (*global_pool_gradient)(float *dx, const float *plus, const float *dy, int64_t images, int64_t pixels,
                               int64_t channels);
  /* Sums over the rows of each of `columns` columns. */
  void (*column_sums)(float *sum, const float *x, int64_t rows, int64_t columns);
  void (*silu)(float *y, const float *x, int64_t n);
  /* dx = plus + g silu'(x) */
  void (*silu_gradient)(float *dx, const float *plus, const float *x, const float *g, int64_t n);
  /* count values exp(-((u - low) per_unit - k)^2), k from `first` on, of each of n numbers: phi[k][n]. And from these
   * and g[k][n]: du += the sum of g times the derivatives. */
  void (*gaussians)(float *phi, const float *u, float low, float per_unit, int64_t first, int64_t count, int64_t n);
  void (*gaussian_slopes)(float *du, const float *u, const float *phi, const float *g, float low, float per_unit,
                          int64_t first, int64_t count, int64_t n);
  /* The same of the Chebyshev polynomials at u = tanh x, the derivatives by x; `last`, 2 n numbers, stays from one call
   * to that for the degrees after them. */
  void (*chebyshev)(float *phi, const float *u, float *last, int64_t first, int64_t count, int64_t n);
  void (*chebyshev_slopes)(float *dx, const float *u, float *last, const float *g, int64_t first, int64_t count,
                           int64_t n);
  /* to[column][row] = (plus or 0)[column][row] + from[row][column]; neighbouring rows of either lie so far apart. */
  void (*turn)(float *to, int64_t to_row, const float *plus, const float *from, int64_t from_row, int64_t rows,
               int64_t columns);
  void (*spline_forward)(const nas_spline *s);
  void (*spline_backward)(const nas_spline *s);
  void (*group_norm)(const nas_group_norm *g);
  void (*group_norm_gradient)(const nas_group_norm *g);
  void (*pade_value)(const nas_pade *f);
  void (*pade_gradient)(const nas_pade *f);
  void (*multiply)(float *y, const float *a, const float *b, int64_t n);
  /* y += factor a b; a NULL: factor b */
  void (*add_product)(float *y, float factor, const float *a, const float *b, int64_t n);
  /* y, the coupling J x, gets bias and stimulus too; next: the state after x. */
  void (*kuramoto_step)(const nas_kuramoto *k, const float *x, float *y, float *next);
  /* From g, the gradient of the next state, to that of x (in g) and of y; `turns` gets the gradient of each pair's
   * speed and by_gamma is added to. */
  void (*kuramoto_reverse)(const nas_kuramoto *k, const float *x, const float *y, float *g, float *by_y, float *turns,
                           double *by_gamma);
  /* Every oscillator of x to length 1; or, with the gradient g of that, x becomes the gradient of x. */
  void (*to_sphere)(const nas_kuramoto *k, float *x, const float *g);
  /* Standard normal numbers, those of nas_rng_normal at indices first, first + 1, ... */
  void (*normals)(float *y, const uint32_t key[2], uint32_t trial, uint32_t stream, uint64_t first, int64_t n);
  /* An expression (train/expression.h) of n numbers, and its gradient; by_scalar is added to. */
  void (*expression)(const struct nas_expression *e, const float *scalars, const float *x, float *y, int64_t n);
  void (*expression_gradient)(const struct nas_expression *e, const float *scalars, const float *x, const float *dy,
                              const float *plus, float *dx, double *by_scalar, int64_t n);
  void (*rbf_forward)(const nas_rbf *f);
  void (*rbf_backward)(const nas_rbf *f);
  void (*synapses)(const nas_synapses *s);
  void (*synapses_gradient)(const nas_synapses *s);
  /* One solver step from potentials v; above and below are all synapses' sums, below becomes the divisor. And back: g,
   * the gradient of `next`, becomes what v gets but for synapses; by_above and by_below: of the sums. */
  void (*ltc_step)(const nas_ltc *l, const float *v, const float *above, float *below, float *next);
  void (*ltc_step_gradient)(const nas_ltc *l, const float *v, const float *below, const float *next, float *g,
                            float *by_above, float *by_below);
  void (*mixed)(const nas_mixed *m);
  void (*mixed_gradient)(const nas_mixed *m);
  /* The logarithm of softplus x, or of x, where that is above 1e-12; dx = plus + g times its derivative. */
  void (*log_positive)(float *y, const float *x, bool softplus, int64_t n);
  void (*log_positive_gradient)(float *dx, const float *plus, const float *x, const float *g, bool softplus, int64_t n);
  void (*lowest_highest)(nas_powers *p);
  void (*powers)(const nas_powers *p, float *y);
  /* From the powers y and their gradient g: that of the logarithms, added to, and of the exponent. */
  double (*powers_gradient)(const nas_powers *p, const float *y, const float *g, float *by_log);
  /* y = (above / below)^(1 / gap) from sums [rows][out] of the powers up and down, gap the difference of their
   * exponents. The gradients of the sums take their place; returned is that of -log gap. */
  void (*means)(const nas_powers *up, const nas_powers *down, const float *above, const float *below, float *y,
                int64_t out);
  double (*means_gradient)(const nas_powers *up, const nas_powers *down, float *above, float *below, const float *dy,
                           int64_t out);
  /* The sums of one image, and from their gradients those of the weights, added to. */
  void (*spike_sums)(const nas_spikes *s);
  void (*spike_sums_gradient)(const nas_spikes *s);
  void (*aptx_forward)(const nas_aptx *a);
  void (*aptx_backward)(const nas_aptx *a);
} nas_kernel_set;

const nas_kernel_set *nas_kernels(void);
/* What multiplies bf16 numbers; NULL where the CPU has no such instruction or NASCENT_CPU leaves AVX-512 out. */
const nas_winograd_bf16 *nas_bf16_kernels(void);
/* avx512, avx2 or baseline: what this CPU has and NASCENT_CPU allows. */
const char *nas_kernels_name(void);
/* UNKNOWN_NAME when NASCENT_CPU names none. */
nas_status nas_kernels_check(nas_err *err);
#endif
