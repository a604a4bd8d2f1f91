/* One instruction set's loops: NAS_ISA names it. Vectors are GCC's generic ones of 16 floats, which any compiler for
 * any CPU cuts into what it has. */
#include "train/kernels/kernels.h"

#include <string.h>

#include "train/kernels/bf16.h"
#include "train/kernels/dropout.h"
#include "train/kernels/math.h"
#include "train/kernels/neurons.h"
#include "train/kernels/norm.h"
#include "train/kernels/period.h"
#include "train/kernels/pool.h"
#include "train/kernels/vector.h"

static void relu(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : 0;
}

static void relu_gradient(float *dx, const float *plus, const float *x, const float *g, int64_t n) {
  int64_t i = 0;
  if (plus) {
    for (; i + 16 <= n; i += 16) store(dx + i, load(plus + i) + select_positive(load(x + i), load(g + i)));
    for (; i < n; i++) dx[i] = plus[i] + (x[i] > 0 ? g[i] : 0);
  } else {
    for (; i + 16 <= n; i += 16) store(dx + i, select_positive(load(x + i), load(g + i)));
    for (; i < n; i++) dx[i] = x[i] > 0 ? g[i] : 0;
  }
}

static void weighted_sum(float *y, const float *plus, const float *const *x, const float *factor, int32_t n_in,
                         int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    v16 sum = plus ? load(plus + i) : (v16){0};
    for (int32_t k = 0; k < n_in; k++) sum += factor[k] * load(x[k] + i);
    store(y + i, sum);
  }
  for (; i < n; i++) {
    float sum = plus ? plus[i] : 0;
    for (int32_t k = 0; k < n_in; k++) sum += factor[k] * x[k][i];
    y[i] = sum;
  }
}

static void copy_rows(float *to, int64_t to_row, const float *from, bool positive, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++, to += to_row, from += n)
    if (positive) relu(to, from, n);
    else memcpy(to, from, (size_t)n * sizeof *to);
}

static void column_sums(float *sum, const float *x, int64_t rows, int64_t channels) {
  float room[PERIOD_MAX] = {0};
  int64_t period = period_of(channels), n = rows * channels, i = 0;
  float *wide = period == channels ? sum : room;
  for (int64_t k = 0; k < period; k++) wide[k] = 0;
  if (period == PERIOD) {
    v16 s[4] = {0};
    for (; i + period <= n; i += period)
      for (int k = 0; k < 4; k++) s[k] += load(x + i + 16 * k);
    for (int k = 0; k < 4; k++) store(wide + 16 * k, s[k]);
  }
  for (; i + period <= n; i += period)
    for (int64_t k = 0; k < period; k++) wide[k] += x[i + k];
  if (wide == room) fold(room, period, channels, sum);
  for (int64_t k = 0; i + k < n; k++) sum[k % channels] += x[i + k];
}

static void matrix_product(float *y, const float *a, const float *b, int64_t m, int64_t k, int64_t n) {
  for (int64_t i = 0; i < m; i++) {
    int64_t j = 0;
    for (; j + 64 <= n; j += 64) {
      v16 s[4] = {0};
      for (int64_t l = 0; l < k; l++)
        for (int q = 0; q < 4; q++) s[q] += a[i * k + l] * load(b + l * n + j + 16 * q);
      for (int q = 0; q < 4; q++) store(y + i * n + j + 16 * q, s[q]);
    }
    for (; j + 16 <= n; j += 16) {
      v16 s = {0};
      for (int64_t l = 0; l < k; l++) s += a[i * k + l] * load(b + l * n + j);
      store(y + i * n + j, s);
    }
    for (; j < n; j++) {
      float s = 0;
      for (int64_t l = 0; l < k; l++) s += a[i * k + l] * b[l * n + j];
      y[i * n + j] = s;
    }
  }
}

static void global_pool(float *y, const float *x, int64_t images, int64_t pixels, int64_t channels) {
  for (int64_t n = 0; n < images; n++, y += channels) {
    for (int64_t k = 0; k < channels; k++) y[k] = 0;
    for (int64_t p = 0; p < pixels; p++, x += channels)
      for (int64_t k = 0; k < channels; k++) y[k] += x[k];
    for (int64_t k = 0; k < channels; k++) y[k] /= (float)pixels;
  }
}

static void global_pool_gradient(float *dx, const float *plus, const float *dy, int64_t images, int64_t pixels,
                                 int64_t channels) {
  float share = 1 / (float)pixels;
  for (int64_t n = 0; n < images; n++, dy += channels)
    for (int64_t p = 0; p < pixels; p++, dx += channels) {
      for (int64_t k = 0; k < channels; k++) dx[k] = plus ? plus[k] + share * dy[k] : share * dy[k];
      if (plus) plus += channels;
    }
}

#define NAS_TEXT_(x) #x
#define NAS_TEXT(x)  NAS_TEXT_(x)
extern const nas_kernel_set NAS_PER_ISA(kernels);
const nas_kernel_set NAS_PER_ISA(kernels) = {
    .isa = NAS_TEXT(NAS_ISA),
    .relu = relu,
    .relu_gradient = relu_gradient,
    .weighted_sum = weighted_sum,
    .moments = NAS_PER_ISA(moments),
    .affine_sum = NAS_PER_ISA(affine_sum),
    .norm_sums = NAS_PER_ISA(norm_sums),
    .norm_gradient = NAS_PER_ISA(norm_gradient),
    .split_moments = NAS_PER_ISA(split_moments),
    .join_norm_gradient = NAS_PER_ISA(join_norm_gradient),
    .to_bf16 = NAS_PER_ISA(to_bf16),
    .to_f32 = NAS_PER_ISA(to_f32),
    .norm_gradient_bf16 = NAS_PER_ISA(norm_gradient_bf16),
    .avg_pool = NAS_PER_ISA(avg_pool),
    .avg_pool_gradient = NAS_PER_ISA(avg_pool_gradient),
    .max_pool = NAS_PER_ISA(max_pool),
    .max_pool_gradient = NAS_PER_ISA(max_pool_gradient),
#ifdef __AVX512F__
    .direct = true,
#endif
    .direct_vectors = NAS_PER_ISA(direct_vectors),
    .direct_images = NAS_PER_ISA(direct_images),
    .direct_row = NAS_PER_ISA(direct_row),
    .direct_stacked = NAS_PER_ISA(direct_stacked),
    .direct_gradient = NAS_PER_ISA(direct_gradient),
    .direct_gradient_stacked = NAS_PER_ISA(direct_gradient_stacked),
    .point_8_16 = NAS_PER_ISA(point_8_16),
    .point_16_8 = NAS_PER_ISA(point_16_8),
    .winograd_2 = &NAS_PER_ISA(winograd_2),
    .winograd_4 = &NAS_PER_ISA(winograd_4),
    .winograd_product = NAS_PER_ISA(winograd_product),
    .winograd_gradient = NAS_PER_ISA(winograd_gradient),
    .copy_rows = copy_rows,
    .norm_gradient_rows = NAS_PER_ISA(norm_gradient_rows),
    .center = NAS_PER_ISA(center),
    .matrix_product = matrix_product,
    .dropout = NAS_PER_ISA(dropout),
    .tanh = NAS_PER_ISA(tanh),
    .sigmoid = NAS_PER_ISA(sigmoid),
    .global_pool = global_pool,
    .global_pool_gradient = global_pool_gradient,
    .column_sums = column_sums,
    .silu = NAS_PER_ISA(silu),
    .silu_gradient = NAS_PER_ISA(silu_gradient),
    .gaussians = NAS_PER_ISA(gaussians),
    .gaussian_slopes = NAS_PER_ISA(gaussian_slopes),
    .chebyshev = NAS_PER_ISA(chebyshev),
    .chebyshev_slopes = NAS_PER_ISA(chebyshev_slopes),
    .turn = NAS_PER_ISA(turn),
    .spline_forward = NAS_PER_ISA(spline_forward),
    .spline_backward = NAS_PER_ISA(spline_backward),
    .group_norm = NAS_PER_ISA(group_norm),
    .group_norm_gradient = NAS_PER_ISA(group_norm_gradient),
    .pade_value = NAS_PER_ISA(pade_value),
    .pade_gradient = NAS_PER_ISA(pade_gradient),
    .multiply = NAS_PER_ISA(multiply),
    .add_product = NAS_PER_ISA(add_product),
    .kuramoto_step = NAS_PER_ISA(kuramoto_step),
    .kuramoto_reverse = NAS_PER_ISA(kuramoto_reverse),
    .to_sphere = NAS_PER_ISA(to_sphere),
    .normals = NAS_PER_ISA(normals),
    .expression = NAS_PER_ISA(expression),
    .expression_gradient = NAS_PER_ISA(expression_gradient),
    .rbf_forward = NAS_PER_ISA(rbf_forward),
    .rbf_backward = NAS_PER_ISA(rbf_backward),
    .synapses = NAS_PER_ISA(synapses),
    .synapses_gradient = NAS_PER_ISA(synapses_gradient),
    .ltc_step = NAS_PER_ISA(ltc_step),
    .ltc_step_gradient = NAS_PER_ISA(ltc_step_gradient),
    .mixed = NAS_PER_ISA(mixed),
    .mixed_gradient = NAS_PER_ISA(mixed_gradient),
    .log_positive = NAS_PER_ISA(log_positive),
    .log_positive_gradient = NAS_PER_ISA(log_positive_gradient),
    .lowest_highest = NAS_PER_ISA(lowest_highest),
    .powers = NAS_PER_ISA(powers),
    .powers_gradient = NAS_PER_ISA(powers_gradient),
    .means = NAS_PER_ISA(means),
    .means_gradient = NAS_PER_ISA(means_gradient),
    .spike_sums = NAS_PER_ISA(spike_sums),
    .spike_sums_gradient = NAS_PER_ISA(spike_sums_gradient),
    .aptx_forward = NAS_PER_ISA(aptx_forward),
    .aptx_backward = NAS_PER_ISA(aptx_backward),
};
