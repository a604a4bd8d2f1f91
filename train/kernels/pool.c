/* Average pooling, separably: rows are added first (whole rows of pixels and channels at a time), then columns. With a
 * stride of 1 a column sum is a sum of the same row moved by whole pixels, so it runs over the row as if it had no
 * pixels. */
#include "train/kernels/pool.h"

#include <string.h>

#define UNROLL _Pragma("GCC unroll 8")
/* Vectors of sixteen that live through a loop want a CPU that has them: compilers keep those they must cut in memory.
 */
#if defined(__AVX512F__)
enum { WIDE = true };
#else
enum { WIDE = false };
#endif
enum { SWEEP = 4 }; /* vectors that are swept together: three times as many stay in registers */
/* Numbers of an image that the first-level cache holds beside its output, more or less. */
enum { SWEPT_IMAGE = 12 * 1024 };

/* One side of the windows: outputs first..last-1 look at input i, or inputs first..last-1 are looked at by output o. */
typedef struct span {
  int64_t first, last;
} span;

static span inputs_of(int64_t o, int64_t kernel, int64_t stride, int64_t pad, int64_t in) {
  int64_t first = o * stride - pad, last = first + kernel;
  return (span){first < 0 ? 0 : first, last > in ? in : last};
}

static span outputs_of(int64_t i, int64_t kernel, int64_t stride, int64_t pad, int64_t out) {
  int64_t first = i + pad - kernel + 1, last = (i + pad) / stride + 1;
  first = first <= 0 ? 0 : (first + stride - 1) / stride;
  return (span){first, last > out ? out : last};
}

static float share(int64_t o, int64_t kernel, int64_t stride, int64_t pad, int64_t in) {
  span s = inputs_of(o, kernel, stride, pad, in);
  return 1 / (float)(s.last - s.first);
}

/* to = sum of factor[k] times row k, n numbers each; factor NULL for ones. */
INLINE void add_rows(float *to, const float *from, int64_t rows, int64_t pitch, const float *factor, int64_t n) {
  if (rows == 3 && !factor) {
    for (int64_t i = 0; i < n; i++) to[i] = from[i] + from[pitch + i] + from[2 * pitch + i];
    return;
  }
  if (rows == 3) {
    float a = factor[0], b = factor[1], c = factor[2];
    for (int64_t i = 0; i < n; i++) to[i] = a * from[i] + b * from[pitch + i] + c * from[2 * pitch + i];
    return;
  }
  for (int64_t i = 0; i < n; i++) to[i] = 0;
  for (int64_t r = 0; r < rows; r++) {
    float f = factor ? factor[r] : 1;
    for (int64_t i = 0; i < n; i++) to[i] += f * from[r * pitch + i];
  }
}

/* y = plus + factor weight[i] (sum of `count` numbers of `row`, `step` apart); weight NULL for ones. */
INLINE void add_shifted(float *y, const float *plus, const float *row, int64_t count, int64_t step, float factor,
                        const float *weight, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    v16 sum = load(row + i);
    if (count == 3) sum += load(row + step + i) + load(row + 2 * step + i);
    else
      for (int64_t k = 1; k < count; k++) sum += load(row + k * step + i);
    if (weight) sum *= factor * load(weight + i);
    store(y + i, plus ? load(plus + i) + sum : sum);
  }
  for (; i < n; i++) {
    float sum = 0;
    for (int64_t k = 0; k < count; k++) sum += row[k * step + i];
    if (weight) sum *= factor * weight[i];
    y[i] = plus ? plus[i] + sum : sum;
  }
}

/* y = plus + sum of factor[j] times pixel j of `row`, over one pixel's channels. */
INLINE void add_pixels(float *y, const float *plus, const float *row, span s, const float *factor, float scale,
                       int64_t channels) {
  for (int64_t k = 0; k < channels; k++) {
    float sum = 0;
    for (int64_t j = s.first; j < s.last; j++) sum += (factor ? factor[j * channels] : 1) * row[j * channels + k];
    y[k] = plus ? plus[k] + scale * sum : scale * sum;
  }
}

/* Windows that neither overlap nor leave the image. */
static bool is_tiling(const nas_pool *p) {
  return p->kernel_h == p->stride && p->kernel_w == p->stride && p->pad == 0 && p->in_h == p->out_h * p->stride &&
         p->in_w == p->out_w * p->stride;
}

/* Eight numbers, where sixteen are more than the channels. */
typedef float v8 __attribute__((vector_size(32)));
typedef float v8u __attribute__((vector_size(32), aligned(4), may_alias));
INLINE v8 load8(const float *p) { return *(const v8u *)p; }
INLINE void store8(float *p, v8 v) { *(v8u *)p = v; }

/* One row of outputs: y = plus + factor times the sums of their windows. */
INLINE void tile_row(float *y, const float *plus, const float *x, int64_t outs, int64_t kernel, int64_t in_row,
                     float factor, int64_t channels) {
  for (int64_t v = 0; v < outs; v++, x += kernel * channels, y += channels) {
    int64_t k = 0;
    for (; k + 8 <= channels; k += 8) {
      v8 sum = {0};
      for (int64_t r = 0; r < kernel; r++)
        for (int64_t j = 0; j < kernel; j++) sum += load8(x + r * in_row + j * channels + k);
      sum *= factor;
      store8(y + k, plus ? load8(plus + k) + sum : sum);
    }
    for (; k < channels; k++) {
      float sum = 0;
      for (int64_t r = 0; r < kernel; r++)
        for (int64_t j = 0; j < kernel; j++) sum += x[r * in_row + j * channels + k];
      y[k] = plus ? plus[k] + factor * sum : factor * sum;
    }
    if (plus) plus += channels;
  }
}

/* One row of inputs: each gets its window's share. */
INLINE void tile_gradient_row(float *dx, const float *plus, const float *dy, int64_t outs, int64_t kernel, float factor,
                              int64_t channels) {
  int64_t v = 0;
  if (WIDE && kernel == 2 && channels == 8) /* whole vectors of two pixels: half the stores */
    for (; v + 2 <= outs; v += 2, dy += 16, dx += 32) {
      v16 both = factor * load(dy);
      v16 a = __builtin_shufflevector(both, both, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7);
      v16 b = __builtin_shufflevector(both, both, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
      store(dx, plus ? load(plus) + a : a);
      store(dx + 16, plus ? load(plus + 16) + b : b);
      if (plus) plus += 32;
    }
  for (; v < outs; v++, dy += channels)
    for (int64_t j = 0; j < kernel; j++, dx += channels) {
      int64_t k = 0;
      for (; k + 8 <= channels; k += 8) {
        v8 part = factor * load8(dy + k);
        store8(dx + k, plus ? load8(plus + k) + part : part);
      }
      for (; k < channels; k++) dx[k] = plus ? plus[k] + factor * dy[k] : factor * dy[k];
      if (plus) plus += channels;
    }
}

static void pool_tiles(const nas_pool *p, float *y, const float *plus, const float *x) {
  int64_t c = p->channels, in_row = p->in_w * c, out_row = p->out_w * c, rows = p->images * p->out_h;
  float factor = 1 / (float)(p->stride * p->stride);
  for (int64_t r = 0; r < rows; r++, y += out_row, x += p->stride * in_row, plus = plus ? plus + out_row : NULL)
    if (p->stride == 2) tile_row(y, plus, x, p->out_w, 2, in_row, factor, c);
    else tile_row(y, plus, x, p->out_w, p->stride, in_row, factor, c);
}

static void pool_tiles_gradient(const nas_pool *p, float *dx, const float *plus, const float *dy) {
  int64_t c = p->channels, in_row = p->in_w * c, out_row = p->out_w * c, rows = p->images * p->in_h;
  float factor = 1 / (float)(p->stride * p->stride);
  for (int64_t r = 0; r < rows; r++, dx += in_row, plus = plus ? plus + in_row : NULL) {
    const float *from = dy + r / p->stride * out_row;
    if (p->stride == 2) tile_gradient_row(dx, plus, from, p->out_w, 2, factor, c);
    else tile_gradient_row(dx, plus, from, p->out_w, p->stride, factor, c);
  }
}

/* For each output column, repeated over the channels: one over the number of its inputs. */
static void column_shares(const nas_pool *p, float *weight) {
  for (int64_t o = 0; o < p->out_w; o++) {
    float f = share(o, p->kernel_w, p->stride, p->pad, p->in_w);
    for (int64_t k = 0; k < p->channels; k++) weight[o * p->channels + k] = f;
  }
}

/* ---- windows of 3x3 around every pixel ---- */

/* How the numbers of a row are added along it: left x of the pixel before, middle x of this one and right x of the
 * next. `before` and `after`: whether there are such. Forward these are the shares of this pixel's own window, backward
 * those of the windows that look at it. */
typedef struct column {
  float left, middle, right;
  bool before, after;
} column;

/* Of row r of a column's windows: one over the rows that it has. */
static float row_share(const nas_pool *p, int64_t r) { return share(r, 3, 1, 1, p->in_h); }

INLINE v16 load_lanes(const float *p, int lanes) {
  if (lanes == 16) return load(p);
  return __builtin_shufflevector(load8(p), (v8){0}, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}
INLINE void store_lanes(float *p, v16 v, int lanes) {
  if (lanes == 16) store(p, v);
  else store8(p, __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7));
}

/* y = plus + the windows' means, or with `back` the other way round, of `vectors` times `lanes` numbers of every row,
 * from `at` on. The sums along the last two rows stay in registers, so that each number is loaded for its own row
 * alone. */
INLINE void sweep(const nas_pool *p, bool back, float *y, const float *plus, const float *x, int64_t at, int lanes,
                  int vectors, column c) {
  int64_t row = p->in_w * p->channels, step = p->channels;
  v16 first[SWEEP] = {{0}}, second[SWEEP] = {{0}};
  x += at, y += at;
  if (plus) plus += at;
  for (int64_t r = 0; r <= p->in_h; r++, x += row) {
    v16 third[SWEEP] = {{0}};
    if (r < p->in_h) {
      float by = back ? row_share(p, r) : 1;
      UNROLL for (int k = 0; k < vectors; k++) {
        const float *from = x + lanes * k;
        third[k] = (by * c.middle) * load_lanes(from, lanes);
        if (c.before) third[k] += (by * c.left) * load_lanes(from - step, lanes);
        if (c.after) third[k] += (by * c.right) * load_lanes(from + step, lanes);
      }
    }
    if (r > 0) {
      float by = back ? 1 : row_share(p, r - 1);
      UNROLL for (int k = 0; k < vectors; k++) {
        v16 sum = by * (first[k] + second[k] + third[k]);
        store_lanes(y + lanes * k, plus ? load_lanes(plus + lanes * k, lanes) + sum : sum, lanes);
      }
      y += row;
      if (plus) plus += row;
    }
    UNROLL for (int k = 0; k < vectors; k++) first[k] = second[k], second[k] = third[k];
  }
}

/* n numbers of every row, all of whose windows are alike. */
INLINE void sweep_over(const nas_pool *p, bool back, float *y, const float *plus, const float *x, int64_t at, int64_t n,
                       column c) {
  int64_t end = at + n;
  for (; at + 16 * SWEEP <= end; at += 16 * SWEEP) sweep(p, back, y, plus, x, at, 16, SWEEP, c);
  for (; at + 16 <= end; at += 16) sweep(p, back, y, plus, x, at, 16, 1, c);
  if (at < end) sweep(p, back, y, plus, x, at, 8, 1, c);
}

/* What pixel v of a row has to do with its neighbours. */
static column column_of(const nas_pool *p, bool back, int64_t v) {
  column c = {.before = v > 0, .after = v + 1 < p->in_w, .middle = share(v, 3, 1, 1, p->in_w)};
  if (c.before) c.left = share(back ? v - 1 : v, 3, 1, 1, p->in_w);
  if (c.after) c.right = share(back ? v + 1 : v, 3, 1, 1, p->in_w);
  return c;
}

/* Two columns at either side are at the edge or see one that is. */
INLINE void pool_image(const nas_pool *p, bool back, float *y, const float *plus, const float *x) {
  int64_t channels = p->channels, inner = p->in_w > 4 ? p->in_w - 4 : 0;
  const column same = {1 / 3.0f, 1 / 3.0f, 1 / 3.0f, true, true};
  for (int64_t v = 0; v < p->in_w; v++) {
    if (v == 2) {
      sweep_over(p, back, y, plus, x, v * channels, inner * channels, same);
      v += inner;
    }
    sweep_over(p, back, y, plus, x, v * channels, channels, column_of(p, back, v));
  }
}

INLINE void pool_around(const nas_pool *p, bool back, float *y, const float *plus, const float *x) {
  int64_t image = p->in_h * p->in_w * p->channels;
  for (int64_t n = 0; n < p->images; n++, x += image, y += image, plus = plus ? plus + image : NULL)
    if (plus) pool_image(p, back, y, plus, x);
    else pool_image(p, back, y, NULL, x);
}

/* Forward, images that leave the cache between one column and the next are better added row by row. */
static bool is_around(const nas_pool *p, bool back) {
  if (!back && p->in_h * p->in_w * p->channels > SWEPT_IMAGE) return false;
  return WIDE && p->channels % 8 == 0 && p->kernel_h == 3 && p->kernel_w == 3 && p->stride == 1 && p->pad == 1;
}

void NAS_PER_ISA(avg_pool)(const nas_pool *p, float *y, const float *plus, const float *x, float *scratch) {
  if (is_around(p, false)) {
    pool_around(p, false, y, plus, x);
    return;
  }
  if (is_tiling(p)) {
    pool_tiles(p, y, plus, x);
    return;
  }
  int64_t c = p->channels, in_row = p->in_w * c, out_row = p->out_w * c, border = p->pad * c;
  float *weight = scratch, *row = weight + out_row;
  column_shares(p, weight);
  memset(row, 0, (size_t)(in_row + (p->kernel_w + 2 * p->pad) * c) * sizeof *row);
  for (int64_t n = 0; n < p->images; n++, x += p->in_h * in_row)
    for (int64_t o = 0; o < p->out_h; o++, y += out_row, plus = plus ? plus + out_row : NULL) {
      span rows = inputs_of(o, p->kernel_h, p->stride, p->pad, p->in_h);
      float factor = 1 / (float)(rows.last - rows.first);
      add_rows(row + border, x + rows.first * in_row, rows.last - rows.first, in_row, NULL, in_row);
      if (p->stride == 1 && plus && p->kernel_w == 3) add_shifted(y, plus, row, 3, c, factor, weight, out_row);
      else if (p->stride == 1 && p->kernel_w == 3) add_shifted(y, NULL, row, 3, c, factor, weight, out_row);
      else if (p->stride == 1) add_shifted(y, plus, row, p->kernel_w, c, factor, weight, out_row);
      else
        for (int64_t v = 0; v < p->out_w; v++)
          add_pixels(y + v * c, plus ? plus + v * c : NULL, row + border,
                     inputs_of(v, p->kernel_w, p->stride, p->pad, p->in_w), NULL, factor * weight[v * c], c);
    }
}

void NAS_PER_ISA(avg_pool_gradient)(const nas_pool *p, float *dx, const float *plus, const float *dy, float *scratch) {
  if (is_around(p, true)) {
    pool_around(p, true, dx, plus, dy);
    return;
  }
  if (is_tiling(p)) {
    pool_tiles_gradient(p, dx, plus, dy);
    return;
  }
  int64_t c = p->channels, in_row = p->in_w * c, out_row = p->out_w * c;
  /* With stride 1 and pad' = kernel - 1 - pad zeros on either side the sum over outputs is a window sum again. */
  int64_t border = (p->kernel_w - 1 - p->pad) * c;
  float *factor = scratch, *weight = factor + p->kernel_h, *row = weight + out_row;
  column_shares(p, weight);
  memset(row, 0, (size_t)(out_row + 2 * p->kernel_w * c) * sizeof *row);
  for (int64_t n = 0; n < p->images; n++, dy += p->out_h * out_row)
    for (int64_t i = 0; i < p->in_h; i++, dx += in_row, plus = plus ? plus + in_row : NULL) {
      span rows = outputs_of(i, p->kernel_h, p->stride, p->pad, p->out_h);
      int64_t count = rows.last > rows.first ? rows.last - rows.first : 0;
      for (int64_t r = 0; r < count; r++) factor[r] = share(rows.first + r, p->kernel_h, p->stride, p->pad, p->in_h);
      add_rows(row + border, dy + rows.first * out_row, count, out_row, factor, out_row);
      if (p->stride == 1) {
        for (int64_t k = 0; k < out_row; k++) row[border + k] *= weight[k];
        if (p->kernel_w == 3) add_shifted(dx, plus, row, 3, c, 1, NULL, in_row);
        else add_shifted(dx, plus, row, p->kernel_w, c, 1, NULL, in_row);
        continue;
      }
      for (int64_t v = 0; v < p->in_w; v++)
        add_pixels(dx + v * c, plus ? plus + v * c : NULL, row + border,
                   outputs_of(v, p->kernel_w, p->stride, p->pad, p->out_w), weight, 1, c);
    }
}
