/* One instruction set's loops: NAS_ISA names it. Vectors are GCC's generic ones of 16 floats, which any compiler for
 * any CPU cuts into what it has.
 *
 * Per-channel numbers are repeated to a period of at least 64 elements, so that narrow layers run in whole vectors and
 * have several sums under way at once: channel of element i is i modulo `channels`, and the period is a multiple of
 * both the channels and 16. Periods of 64 (1, 2, 4, 8, 16, 32 and 64 channels) keep all of it in registers. */
#include "train/kernels/kernels.h"

#include <string.h>

#include "train/kernels/bf16.h"
#include "train/kernels/dropout.h"
#include "train/kernels/math.h"
#include "train/kernels/neurons.h"
#include "train/kernels/pool.h"
#include "train/kernels/vector.h"

enum { PERIOD = 64, PERIOD_MAX = 16 * 64 };

static int64_t period_of(int64_t channels) {
  if (channels >= PERIOD) return channels;
  int64_t period = channels;
  while (period % 16) period *= 2;
  while (period < PERIOD) period += period;
  return period;
}

/* The per-channel numbers `from` repeated to a period in `room`; themselves when they are long enough. */
static const float *spread(const float *from, int64_t channels, int64_t period, float room[PERIOD_MAX]) {
  if (period == channels) return from;
  for (int64_t i = 0; i < period; i += channels) memcpy(room + i, from, (size_t)channels * sizeof *room);
  return room;
}

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

/* Adds the sums of a period to those of the channels. */
static void fold(const float *wide, int64_t period, int64_t channels, float *sum) {
  for (int64_t k = 0; k < channels; k++) sum[k] = 0;
  for (int64_t i = 0; i < period; i += channels)
    for (int64_t k = 0; k < channels; k++) sum[k] += wide[i + k];
}

/* Sums of d and d e over n elements, n a multiple of the period of 64: d = a (- m), e = d or (b - m). */
INLINE void sums_of_64(const float *a, const float *b, const float *mean, int64_t n, float *sum, float *dot) {
  v16 s[4] = {0}, d[4] = {0};
  v16 m[4] = {load(mean), load(mean + 16), load(mean + 32), load(mean + 48)};
  for (int64_t i = 0; i < n; i += PERIOD)
    for (int k = 0; k < 4; k++) {
      v16 left = load(a + i + 16 * k), right;
      if (b) right = load(b + i + 16 * k) - m[k];
      else right = left -= m[k];
      s[k] += left;
      d[k] += left * right;
    }
  for (int k = 0; k < 4; k++) store(sum + 16 * k, s[k]), store(dot + 16 * k, d[k]);
}

INLINE void sums_of_many(const float *a, const float *b, const float *mean, int64_t n, int64_t period, float *sum,
                         float *dot) {
  for (int64_t k = 0; k < period; k++) sum[k] = dot[k] = 0;
  for (int64_t i = 0; i < n; i += period)
    for (int64_t k = 0; k < period; k++) {
      float left = a[i + k] - (b ? 0 : mean[k]), right = b ? b[i + k] - mean[k] : left;
      sum[k] += left;
      dot[k] += left * right;
    }
}

INLINE void channel_sums(const float *a, const float *b, const float *mean, int64_t rows, int64_t channels, float *sum,
                         float *dot) {
  float room[PERIOD_MAX], wide_sum[PERIOD_MAX], wide_dot[PERIOD_MAX];
  int64_t period = period_of(channels), n = rows * channels, whole = n - n % period;
  const float *m = spread(mean, channels, period, room);
  if (period == PERIOD) sums_of_64(a, b, m, whole, wide_sum, wide_dot);
  else if (period == channels) sums_of_many(a, b, m, whole, period, sum, dot);
  else sums_of_many(a, b, m, whole, period, wide_sum, wide_dot);
  if (period == PERIOD || period != channels) {
    fold(wide_sum, period, channels, sum);
    fold(wide_dot, period, channels, dot);
  }
  for (int64_t i = whole; i < n; i++) {
    float left = a[i] - (b ? 0 : m[i - whole]), right = b ? b[i] - m[i - whole] : left;
    sum[(i - whole) % channels] += left;
    dot[(i - whole) % channels] += left * right;
  }
}

static void moments(const float *x, const float *shift, int64_t rows, int64_t channels, float *sum, float *square) {
  channel_sums(x, NULL, shift, rows, channels, sum, square);
}

static void norm_sums(const float *dy, const float *x, const float *mean, int64_t rows, int64_t channels, float *sum,
                      float *dot) {
  channel_sums(dy, x, mean, rows, channels, sum, dot);
}

/* The factors stay in registers. */
INLINE int64_t affine_sum_of_64(float *y, const float *plus, const nas_affine *of, int count, int64_t n) {
  v16 f[NAS_AFFINES][4], s[NAS_AFFINES][4];
  for (int j = 0; j < count; j++)
    for (int k = 0; k < 4; k++) f[j][k] = load(of[j].scale + 16 * k), s[j][k] = load(of[j].shift + 16 * k);
  int64_t i = 0;
  for (; i + PERIOD <= n; i += PERIOD)
    for (int k = 0; k < 4; k++) {
      v16 sum = load(of[0].x + i + 16 * k) * f[0][k] + s[0][k];
      if (plus) sum = load(plus + i + 16 * k) + sum;
      for (int j = 1; j < count; j++) sum += load(of[j].x + i + 16 * k) * f[j][k] + s[j][k];
      store(y + i + 16 * k, sum);
    }
  return i;
}

/* From element i on, whose channel is the first. */
static void affine_from(float *y, const float *plus, const nas_affine *of, int64_t i, int64_t n, int64_t period) {
  for (; i < n; i += period) {
    int64_t k = 0, part = n - i < period ? n - i : period;
    for (; k + 16 <= part; k += 16) {
      v16 v = load(of->x + i + k) * load(of->scale + k) + load(of->shift + k);
      store(y + i + k, plus ? load(plus + i + k) + v : v);
    }
    for (; k < part; k++) {
      float v = of->x[i + k] * of->scale[k] + of->shift[k];
      y[i + k] = plus ? plus[i + k] + v : v;
    }
  }
}

static void affine_sum(float *y, const float *plus, const nas_affine *of, int count, int64_t rows, int64_t channels) {
  float room[NAS_AFFINES][2][PERIOD_MAX];
  nas_affine wide[NAS_AFFINES];
  int64_t period = period_of(channels), n = rows * channels, done = 0;
  for (int j = 0; j < count; j++)
    wide[j] = (nas_affine){of[j].x, spread(of[j].scale, channels, period, room[j][0]),
                           spread(of[j].shift, channels, period, room[j][1])};
  if (period == PERIOD && count == 1 && plus) done = affine_sum_of_64(y, plus, wide, 1, n);
  else if (period == PERIOD && count == 1) done = affine_sum_of_64(y, NULL, wide, 1, n);
  else if (period == PERIOD && count == 2 && plus) done = affine_sum_of_64(y, plus, wide, 2, n);
  else if (period == PERIOD && count == 2) done = affine_sum_of_64(y, NULL, wide, 2, n);
  else if (period == PERIOD && plus) done = affine_sum_of_64(y, plus, wide, 3, n);
  else if (period == PERIOD) done = affine_sum_of_64(y, NULL, wide, 3, n);
  for (int j = 0; j < count; j++) affine_from(y, j ? y : plus, &wide[j], done, n, period);
}

static void affine(float *y, const float *plus, const float *x, const float *scale, const float *shift, int64_t rows,
                   int64_t channels) {
  affine_sum(y, plus, &(nas_affine){x, scale, shift}, 1, rows, channels);
}

INLINE v16 gradient_of(const float *dy, const float *x, v16 mean, v16 a, v16 b, v16 c, const float *plus) {
  v16 v = load(dy) * a + ((load(x) - mean) * b + c);
  return plus ? load(plus) + v : v;
}

INLINE int64_t norm_gradient_of_64(float *dx, const float *plus, const float *dy, const float *x, const float *mean,
                                   const float *a, const float *b, const float *c, int64_t n) {
  v16 m[4], fa[4], fb[4], fc[4];
  for (int k = 0; k < 4; k++) {
    m[k] = load(mean + 16 * k), fa[k] = load(a + 16 * k);
    fb[k] = load(b + 16 * k), fc[k] = load(c + 16 * k);
  }
  int64_t i = 0;
  for (; i + PERIOD <= n; i += PERIOD)
    for (int k = 0; k < 4; k++) {
      int64_t at = i + 16 * k;
      store(dx + at, gradient_of(dy + at, x + at, m[k], fa[k], fb[k], fc[k], plus ? plus + at : NULL));
    }
  return i;
}

INLINE void norm_gradient_by(float *dx, const float *plus, const float *dy, const float *x, const float *mean,
                             const float *a, const float *b, const float *c, int64_t n, int64_t period) {
  int64_t i = period == PERIOD ? norm_gradient_of_64(dx, plus, dy, x, mean, a, b, c, n) : 0;
  for (; i < n; i += period) {
    int64_t k = 0, part = n - i < period ? n - i : period;
    for (; k + 16 <= part; k += 16)
      store(dx + i + k, gradient_of(dy + i + k, x + i + k, load(mean + k), load(a + k), load(b + k), load(c + k),
                                    plus ? plus + i + k : NULL));
    for (; k < part; k++) {
      float v = dy[i + k] * a[k] + ((x[i + k] - mean[k]) * b[k] + c[k]);
      dx[i + k] = plus ? plus[i + k] + v : v;
    }
  }
}

static void norm_gradient(float *dx, const float *plus, const float *dy, const float *x, const float *mean,
                          const float *a, const float *b, const float *c, int64_t rows, int64_t channels) {
  float room[4][PERIOD_MAX];
  int64_t period = period_of(channels), n = rows * channels;
  mean = spread(mean, channels, period, room[0]);
  a = spread(a, channels, period, room[1]);
  b = spread(b, channels, period, room[2]);
  c = spread(c, channels, period, room[3]);
  if (period == PERIOD && !plus) norm_gradient_by(dx, NULL, dy, x, mean, a, b, c, n, PERIOD);
  else norm_gradient_by(dx, plus, dy, x, mean, a, b, c, n, period);
}

/* Rows of whole vectors and periods of 64: the factors stay in registers from row to row. */
INLINE void norm_gradient_rows_of_64(float *dx, int64_t dx_image, int64_t dx_row, const float *dy, const float *x,
                                     const float *mean, const float *a, const float *b, const float *c, int64_t images,
                                     int64_t rows, int64_t n) {
  v16 m[4], fa[4], fb[4], fc[4];
  for (int k = 0; k < 4; k++) {
    m[k] = load(mean + 16 * k), fa[k] = load(a + 16 * k);
    fb[k] = load(b + 16 * k), fc[k] = load(c + 16 * k);
  }
  for (int64_t i = 0; i < images; i++)
    for (int64_t r = 0; r < rows; r++) {
      float *to = dx + i * dx_image + r * dx_row, *end = to + n;
      for (; to + PERIOD <= end; to += PERIOD, dy += PERIOD, x += PERIOD)
        for (int k = 0; k < 4; k++)
          store(to + 16 * k, gradient_of(dy + 16 * k, x + 16 * k, m[k], fa[k], fb[k], fc[k], NULL));
      for (int k = 0; k < 3 && to < end; k++, to += 16, dy += 16, x += 16)
        store(to, gradient_of(dy, x, m[k], fa[k], fb[k], fc[k], NULL));
    }
}

static void norm_gradient_rows(float *dx, int64_t dx_image, int64_t dx_row, const float *dy, const float *x,
                               const float *mean, const float *a, const float *b, const float *c, int64_t images,
                               int64_t rows, int64_t n, int64_t channels) {
  float room[4][PERIOD_MAX];
  int64_t period = period_of(channels);
  mean = spread(mean, channels, period, room[0]);
  a = spread(a, channels, period, room[1]);
  b = spread(b, channels, period, room[2]);
  c = spread(c, channels, period, room[3]);
  if (period == PERIOD && n % 16 == 0) {
    norm_gradient_rows_of_64(dx, dx_image, dx_row, dy, x, mean, a, b, c, images, rows, n);
    return;
  }
  for (int64_t i = 0; i < images; i++)
    for (int64_t r = 0; r < rows; r++, dy += n, x += n)
      norm_gradient_by(dx + i * dx_image + r * dx_row, NULL, dy, x, mean, a, b, c, n, period);
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

INLINE void center_by(float *y, const float *x, bool positive, const float *mean, int64_t n, int64_t period) {
  for (int64_t i = 0; i < n; i += period) {
    int64_t k = 0, part = n - i < period ? n - i : period;
    for (; k + 16 <= part; k += 16) {
      v16 v = load(x + i + k);
      store(y + i + k, (positive ? select_positive(v, v) : v) - load(mean + k));
    }
    for (; k < part; k++) y[i + k] = (positive && !(x[i + k] > 0) ? 0 : x[i + k]) - mean[k];
  }
}

static void center(float *y, const float *x, bool positive, const float *mean, int64_t rows, int64_t channels) {
  float room[PERIOD_MAX];
  int64_t period = period_of(channels), n = rows * channels;
  mean = spread(mean, channels, period, room);
  if (period == PERIOD && positive) center_by(y, x, true, mean, n, PERIOD);
  else center_by(y, x, positive, mean, n, period);
}

/* Sixteen channels at a time, four pixels under way. */
static void split_moments(float *to, const float *from, int64_t pitch, int64_t rows, int64_t channels, float *sum,
                          float *square) {
  int64_t k = 0;
  for (; k + 16 <= channels; k += 16) {
    v16 shift = load(from + k), s[4] = {0}, d[4] = {0};
    int64_t r = 0;
    for (; r + 4 <= rows; r += 4)
      for (int i = 0; i < 4; i++) {
        v16 v = load(from + (r + i) * pitch + k);
        store(to + (r + i) * channels + k, v);
        v -= shift;
        s[i] += v;
        d[i] += v * v;
      }
    for (; r < rows; r++) {
      v16 v = load(from + r * pitch + k);
      store(to + r * channels + k, v);
      v -= shift;
      s[0] += v;
      d[0] += v * v;
    }
    store(sum + k, (s[0] + s[1]) + (s[2] + s[3]));
    store(square + k, (d[0] + d[1]) + (d[2] + d[3]));
  }
  int64_t rest = k;
  for (; k < channels; k++) sum[k] = square[k] = 0;
  for (int64_t r = 0; r < rows; r++)
    for (k = rest; k < channels; k++) {
      float v = from[r * pitch + k], apart = v - from[k];
      to[r * channels + k] = v;
      sum[k] += apart;
      square[k] += apart * apart;
    }
}

static void join_norm_gradient(float *dx, int64_t pitch, const float *dy, const float *x, const float *mean,
                               const float *a, const float *b, const float *c, int64_t rows, int64_t channels) {
  int64_t k = 0;
  for (; k + 16 <= channels; k += 16) {
    v16 m = load(mean + k), fa = load(a + k), fb = load(b + k), fc = load(c + k);
    for (int64_t r = 0; r < rows; r++) {
      int64_t i = r * channels + k;
      store(dx + r * pitch + k, load(dy + i) * fa + ((load(x + i) - m) * fb + fc));
    }
  }
  int64_t rest = k;
  for (int64_t r = 0; r < rows; r++)
    for (k = rest; k < channels; k++) {
      int64_t i = r * channels + k;
      dx[r * pitch + k] = dy[i] * a[k] + ((x[i] - mean[k]) * b[k] + c[k]);
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
    .moments = moments,
    .affine = affine,
    .affine_sum = affine_sum,
    .norm_sums = norm_sums,
    .norm_gradient = norm_gradient,
    .split_moments = split_moments,
    .join_norm_gradient = join_norm_gradient,
    .to_bf16 = NAS_PER_ISA(to_bf16),
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
    .direct_gradient = NAS_PER_ISA(direct_gradient),
    .winograd_2 = &NAS_PER_ISA(winograd_2),
    .winograd_4 = &NAS_PER_ISA(winograd_4),
    .winograd_product = NAS_PER_ISA(winograd_product),
    .winograd_gradient = NAS_PER_ISA(winograd_gradient),
    .copy_rows = copy_rows,
    .norm_gradient_rows = norm_gradient_rows,
    .center = center,
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
