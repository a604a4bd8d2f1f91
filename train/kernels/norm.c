/* The loops of batch normalisation, per channel. */
#include "train/kernels/norm.h"

#include <stddef.h>

#include "train/kernels/half.h"
#include "train/kernels/period.h"

/* Functions that get numbers of a kind written out are compiled for that kind. */
#define HALVES(x) ((nas_numbers){(x).at, true})
#define WHOLES(x) ((nas_numbers){(x).at, false})

/* Sums of d and d (x - mean) over n elements, n a multiple of the period of 64: d = dy, or x - mean without dy. */
INLINE void sums_of_64(const float *dy, nas_numbers x, const float *mean, int64_t n, float *sum, float *dot) {
  v16 s[4] = {0}, d[4] = {0};
  v16 m[4] = {load(mean), load(mean + 16), load(mean + 32), load(mean + 48)};
  for (int64_t i = 0; i < n; i += PERIOD)
    for (int k = 0; k < 4; k++) {
      v16 apart = load_numbers(x, i + 16 * k) - m[k], left = dy ? load(dy + i + 16 * k) : apart;
      s[k] += left;
      d[k] += left * apart;
    }
  for (int k = 0; k < 4; k++) store(sum + 16 * k, s[k]), store(dot + 16 * k, d[k]);
}

INLINE void sums_of_many(const float *dy, nas_numbers x, const float *mean, int64_t n, int64_t period, float *sum,
                         float *dot) {
  for (int64_t k = 0; k < period; k++) sum[k] = dot[k] = 0;
  for (int64_t i = 0; i < n; i += period)
    for (int64_t k = 0; k < period; k++) {
      float apart = one_number(x, i + k) - mean[k], left = dy ? dy[i + k] : apart;
      sum[k] += left;
      dot[k] += left * apart;
    }
}

INLINE void channel_sums(const float *dy, nas_numbers x, const float *mean, int64_t rows, int64_t channels, float *sum,
                         float *dot) {
  float room[PERIOD_MAX], wide_sum[PERIOD_MAX], wide_dot[PERIOD_MAX];
  int64_t period = period_of(channels), n = rows * channels, whole = n - n % period;
  const float *m = spread(mean, channels, period, room);
  if (period == PERIOD) sums_of_64(dy, x, m, whole, wide_sum, wide_dot);
  else if (period == channels) sums_of_many(dy, x, m, whole, period, sum, dot);
  else sums_of_many(dy, x, m, whole, period, wide_sum, wide_dot);
  if (period == PERIOD || period != channels) {
    fold(wide_sum, period, channels, sum);
    fold(wide_dot, period, channels, dot);
  }
  for (int64_t i = whole; i < n; i++) {
    float apart = one_number(x, i) - m[i - whole], left = dy ? dy[i] : apart;
    sum[(i - whole) % channels] += left;
    dot[(i - whole) % channels] += left * apart;
  }
}

void NAS_PER_ISA(moments)(nas_numbers x, const float *shift, int64_t rows, int64_t channels, float *sum,
                          float *square) {
  if (x.half) channel_sums(NULL, HALVES(x), shift, rows, channels, sum, square);
  else channel_sums(NULL, WHOLES(x), shift, rows, channels, sum, square);
}

void NAS_PER_ISA(norm_sums)(const float *dy, nas_numbers x, const float *mean, int64_t rows, int64_t channels,
                            float *sum, float *dot) {
  if (x.half) channel_sums(dy, HALVES(x), mean, rows, channels, sum, dot);
  else channel_sums(dy, WHOLES(x), mean, rows, channels, sum, dot);
}

/* The factors stay in registers. */
INLINE int64_t affine_sum_of_64(float *y, const float *plus, const nas_affine *from, int count, bool half, int64_t n) {
  nas_affine of[NAS_AFFINES];
  for (int j = 0; j < count; j++) of[j] = from[j], of[j].x.half = half;
  v16 f[NAS_AFFINES][4], s[NAS_AFFINES][4];
  for (int j = 0; j < count; j++)
    for (int k = 0; k < 4; k++) f[j][k] = load(of[j].scale + 16 * k), s[j][k] = load(of[j].shift + 16 * k);
  int64_t i = 0;
  for (; i + PERIOD <= n; i += PERIOD)
    for (int k = 0; k < 4; k++) {
      v16 sum = load_numbers(of[0].x, i + 16 * k) * f[0][k] + s[0][k];
      if (plus) sum = load(plus + i + 16 * k) + sum;
      for (int j = 1; j < count; j++) sum += load_numbers(of[j].x, i + 16 * k) * f[j][k] + s[j][k];
      store(y + i + 16 * k, sum);
    }
  return i;
}

/* With what is known of the sum written out, so that each kind has a loop of its own. */
INLINE int64_t affine_sum_plus(float *y, const float *plus, const nas_affine *of, int count, int64_t n) {
  if (of->x.half) return affine_sum_of_64(y, plus, of, count, true, n);
  return affine_sum_of_64(y, plus, of, count, false, n);
}

static int64_t affine_sum_by(float *y, const float *plus, const nas_affine *of, int count, int64_t n) {
  switch (count) {
    case 1: return plus ? affine_sum_plus(y, plus, of, 1, n) : affine_sum_plus(y, NULL, of, 1, n);
    case 2: return plus ? affine_sum_plus(y, plus, of, 2, n) : affine_sum_plus(y, NULL, of, 2, n);
    case 3: return plus ? affine_sum_plus(y, plus, of, 3, n) : affine_sum_plus(y, NULL, of, 3, n);
    default: return 0;
  }
}

/* From element i on, whose channel is the first. */
static void affine_from(float *y, const float *plus, const nas_affine *of, int64_t i, int64_t n, int64_t period) {
  for (; i < n; i += period) {
    int64_t k = 0, part = n - i < period ? n - i : period;
    for (; k + 16 <= part; k += 16) {
      v16 v = load_numbers(of->x, i + k) * load(of->scale + k) + load(of->shift + k);
      store(y + i + k, plus ? load(plus + i + k) + v : v);
    }
    for (; k < part; k++) {
      float v = one_number(of->x, i + k) * of->scale[k] + of->shift[k];
      y[i + k] = plus ? plus[i + k] + v : v;
    }
  }
}

void NAS_PER_ISA(affine_sum)(float *y, const float *plus, const nas_affine *of, int count, int64_t rows,
                             int64_t channels) {
  float room[NAS_AFFINES][2][PERIOD_MAX];
  nas_affine wide[NAS_AFFINES];
  int64_t period = period_of(channels), n = rows * channels, done = 0;
  for (int j = 0; j < count; j++)
    wide[j] = (nas_affine){of[j].x, spread(of[j].scale, channels, period, room[j][0]),
                           spread(of[j].shift, channels, period, room[j][1])};
  if (period == PERIOD) done = affine_sum_by(y, plus, wide, count, n);
  for (int j = 0; j < count; j++) affine_from(y, j ? y : plus, &wide[j], done, n, period);
}

INLINE v16 gradient_of(const float *dy, v16 x, v16 mean, v16 a, v16 b, v16 c, const float *plus) {
  v16 v = load(dy) * a + ((x - mean) * b + c);
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
      store(dx + at, gradient_of(dy + at, load(x + at), m[k], fa[k], fb[k], fc[k], plus ? plus + at : NULL));
    }
  return i;
}

INLINE void norm_gradient_by(float *dx, const float *plus, const float *dy, const float *x, const float *mean,
                             const float *a, const float *b, const float *c, int64_t n, int64_t period) {
  int64_t i = period == PERIOD ? norm_gradient_of_64(dx, plus, dy, x, mean, a, b, c, n) : 0;
  for (; i < n; i += period) {
    int64_t k = 0, part = n - i < period ? n - i : period;
    for (; k + 16 <= part; k += 16)
      store(dx + i + k, gradient_of(dy + i + k, load(x + i + k), load(mean + k), load(a + k), load(b + k), load(c + k),
                                    plus ? plus + i + k : NULL));
    for (; k < part; k++) {
      float v = dy[i + k] * a[k] + ((x[i + k] - mean[k]) * b[k] + c[k]);
      dx[i + k] = plus ? plus[i + k] + v : v;
    }
  }
}

void NAS_PER_ISA(norm_gradient)(float *dx, const float *plus, const float *dy, const float *x, const float *mean,
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
INLINE void norm_gradient_rows_of_64(float *dx, int64_t dx_image, int64_t dx_row, const float *dy, nas_numbers x,
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
      for (; to + PERIOD <= end; to += PERIOD, dy += PERIOD, x = nas_numbers_from(x, PERIOD))
        for (int k = 0; k < 4; k++)
          store(to + 16 * k, gradient_of(dy + 16 * k, load_numbers(x, 16 * k), m[k], fa[k], fb[k], fc[k], NULL));
      for (int k = 0; k < 3 && to < end; k++, to += 16, dy += 16, x = nas_numbers_from(x, 16))
        store(to, gradient_of(dy, load_numbers(x, 0), m[k], fa[k], fb[k], fc[k], NULL));
    }
}

/* A row of any width. */
static void norm_gradient_row(float *dx, const float *dy, nas_numbers x, const float *mean, const float *a,
                              const float *b, const float *c, int64_t n, int64_t period) {
  for (int64_t i = 0; i < n; i += period)
    for (int64_t k = 0; k < period && i + k < n; k++)
      dx[i + k] = dy[i + k] * a[k] + ((one_number(x, i + k) - mean[k]) * b[k] + c[k]);
}

void NAS_PER_ISA(norm_gradient_rows)(float *dx, int64_t dx_image, int64_t dx_row, const float *dy, nas_numbers x,
                                     const float *mean, const float *a, const float *b, const float *c, int64_t images,
                                     int64_t rows, int64_t n, int64_t channels) {
  float room[4][PERIOD_MAX];
  int64_t period = period_of(channels);
  mean = spread(mean, channels, period, room[0]);
  a = spread(a, channels, period, room[1]);
  b = spread(b, channels, period, room[2]);
  c = spread(c, channels, period, room[3]);
  if (period == PERIOD && n % 16 == 0) {
    if (x.half) norm_gradient_rows_of_64(dx, dx_image, dx_row, dy, HALVES(x), mean, a, b, c, images, rows, n);
    else norm_gradient_rows_of_64(dx, dx_image, dx_row, dy, WHOLES(x), mean, a, b, c, images, rows, n);
    return;
  }
  for (int64_t i = 0; i < images; i++)
    for (int64_t r = 0; r < rows; r++, dy += n, x = nas_numbers_from(x, n)) {
      float *to = dx + i * dx_image + r * dx_row;
      if (x.half) norm_gradient_row(to, dy, x, mean, a, b, c, n, period);
      else norm_gradient_by(to, NULL, dy, x.at, mean, a, b, c, n, period);
    }
}

/* The mean stays in registers. */
INLINE int64_t center_of_64(float *y, const float *x, bool positive, const float *mean, int64_t n) {
  v16 m[4] = {load(mean), load(mean + 16), load(mean + 32), load(mean + 48)};
  int64_t i = 0;
  for (; i + PERIOD <= n; i += PERIOD)
    for (int k = 0; k < 4; k++) {
      v16 v = load(x + i + 16 * k);
      store(y + i + 16 * k, (positive ? select_positive(v, v) : v) - m[k]);
    }
  return i;
}

INLINE void center_by(float *y, const float *x, bool positive, const float *mean, int64_t n, int64_t period) {
  int64_t i = period == PERIOD ? center_of_64(y, x, positive, mean, n) : 0;
  for (; i < n; i += period) {
    int64_t k = 0, part = n - i < period ? n - i : period;
    for (; k + 16 <= part; k += 16) {
      v16 v = load(x + i + k);
      store(y + i + k, (positive ? select_positive(v, v) : v) - load(mean + k));
    }
    for (; k < part; k++) y[i + k] = (positive && !(x[i + k] > 0) ? 0 : x[i + k]) - mean[k];
  }
}

void NAS_PER_ISA(center)(float *y, const float *x, bool positive, const float *mean, int64_t rows, int64_t channels) {
  float room[PERIOD_MAX];
  int64_t period = period_of(channels), n = rows * channels;
  mean = spread(mean, channels, period, room);
  if (period == PERIOD && positive) center_by(y, x, true, mean, n, PERIOD);
  else center_by(y, x, positive, mean, n, period);
}

/* Sixteen channels at a time, four pixels under way. */
void NAS_PER_ISA(split_moments)(float *to, const float *from, int64_t pitch, int64_t rows, int64_t channels, float *sum,
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

/* dx in f32, or in bf16. */
INLINE void join(void *dx, bool half, int64_t pitch, const float *dy, const float *x, const float *mean, const float *a,
                 const float *b, const float *c, int64_t rows, int64_t channels) {
  float *single = half ? NULL : dx;
  uint16_t *halves = half ? dx : NULL;
  int64_t k = 0;
  for (; k + 16 <= channels; k += 16) {
    v16 m = load(mean + k), fa = load(a + k), fb = load(b + k), fc = load(c + k);
    for (int64_t r = 0; r < rows; r++) {
      int64_t i = r * channels + k;
      v16 v = gradient_of(dy + i, load(x + i), m, fa, fb, fc, NULL);
      if (half) store_half(halves + r * pitch + k, v);
      else store(single + r * pitch + k, v);
    }
  }
  int64_t rest = k;
  for (int64_t r = 0; r < rows; r++)
    for (k = rest; k < channels; k++) {
      int64_t i = r * channels + k;
      float v = dy[i] * a[k] + ((x[i] - mean[k]) * b[k] + c[k]);
      if (half) halves[r * pitch + k] = rounded_one(v);
      else single[r * pitch + k] = v;
    }
}

void NAS_PER_ISA(join_norm_gradient)(float *dx, int64_t pitch, const float *dy, const float *x, const float *mean,
                                     const float *a, const float *b, const float *c, int64_t rows, int64_t channels) {
  join(dx, false, pitch, dy, x, mean, a, b, c, rows, channels);
}

void NAS_PER_ISA(norm_gradient_bf16)(uint16_t *dx, int64_t pitch, const float *dy, const float *x, const float *mean,
                                     const float *a, const float *b, const float *c, int64_t rows, int64_t channels) {
  join(dx, true, pitch, dy, x, mean, a, b, c, rows, channels);
}
