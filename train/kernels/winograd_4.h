#ifndef NAS_TRAIN_KERNELS_WINOGRAD_4_H
#define NAS_TRAIN_KERNELS_WINOGRAD_4_H
/* The transforms of F(4x4, 3x3), sixteen channels a vector, for kernels that keep their values in f32 (winograd_4.c)
 * and in bf16 (winograd_bf16.c). */
#include "train/kernels/half.h"
#include "train/kernels/winograd.h"

/* clang-format off */
/* F(4x4, 3x3), on the points 0, a, -a, b, -b and infinity. With a = 1/sqrt 2 and b = sqrt 2 the errors of f32 are a
 * third to a quarter of those with 1 and 2, which are commonly taken:
 *     B' = 1     0   -5/2    0    1  0     G =   1      0     0       A' = 1   1    1    1    1   0
 *          0   -2a    -2     a    1  0         -2/3  -2a/3  -1/3           0   a   -a    b   -b   0
 *          0    2a    -2    -a    1  0         -2/3   2a/3  -1/3           0  1/2  1/2   2    2   0
 *          0  -b/2  -1/2     b    1  0          1/6    b/6   1/3           0  a/2 -a/2   2b  -2b  1
 *          0   b/2  -1/2    -b    1  0          1/6   -b/6   1/3
 *          0     1     0  -5/2    0  1           0      0     1   */
/* clang-format on */
#define UNROLL WINOGRAD_UNROLL
enum { LINE = NAS_WINOGRAD_LINE };
#define A 0.70710678118654752440f
#define B 1.41421356237309504880f

/* Patches of three outputs (`outs`) do without the point 0: their G is what is left of it, so weights and their
 * gradients are the same, with
 *     B' = -1  -2a   1/2   a   0     A' =  1    1    1    1   0
 *          -1   2a   1/2  -a   0           a   -a    b   -b   0
 *          -1  -b/2    2   b   0          1/2  1/2   2    2   1
 *          -1   b/2    2  -b   0
 *           1    0   -5/2  0   1 */

/* Rows 2 k - 1 and 2 k of B' (k = 1, 2) times the outs + 2 numbers x; rows 0 and 5. */
INLINE void input_pair(v16 to[2], const v16 x[6], int k, int outs) {
  const float square = k == 1 ? 2 : 0.5f, root = k == 1 ? A : B;
  v16 even = outs == 4 ? x[4] - square * x[2] : (1 / square) * x[2] - x[0], odd = x[3] - square * x[1];
  to[0] = even + root * odd;
  to[1] = even - root * odd;
}
INLINE v16 input_end(v16 x0, v16 x2, v16 x4) { return x0 + x4 - 2.5f * x2; }

/* The same rows of A times x, outs numbers. */
INLINE void spread_pair(v16 to[2], const v16 x[4], int k, int outs) {
  const float square = k == 1 ? 0.5f : 2, root = k == 1 ? A : B;
  v16 even = x[0] + square * x[2], odd = outs == 4 ? x[1] + square * x[3] : x[1];
  to[0] = even + root * odd;
  to[1] = even - root * odd;
}

/* A' of six; of three outputs m[0] does not count. */
INLINE void sum_six(v16 to[4], const v16 m[6], int outs) {
  v16 s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
  to[0] = outs == 4 ? m[0] + s + t : s + t;
  to[1] = A * d + B * e;
  to[2] = outs == 4 ? 0.5f * s + 2 * t : m[5] + 0.5f * s + 2 * t;
  if (outs == 4) to[3] = m[5] + 0.5f * A * d + 2 * B * e;
}

/* ---- sixteen channels a vector ---- */

/* Two rows of B' times a column: the ends (k = 0) or a pair. */
INLINE void input_column(v16 to[2], const float *x, int64_t row, int k, int tall) {
  v16 c[6];
  UNROLL for (int i = 0; i < tall + 2; i++) c[i] = load(x + i * row);
  if (k > 0) input_pair(to, c, k, tall);
  if (k == 0 && tall == 4) to[0] = input_end(c[0], c[2], c[4]);
  if (k == 0) to[1] = input_end(c[tall - 3], c[tall - 1], c[tall + 1]);
}

/* Values of f32 or, with `half`, of bf16, from number `at` on. */
INLINE void *values_at(void *values, int64_t at, bool half) {
  return half ? (void *)((uint16_t *)values + at) : (void *)((float *)values + at);
}
INLINE void put(void *to, v16 x, bool half) {
  if (half) store_half(to, x);
  else store(to, x);
}

/* The points of a row of a patch, which lie `apart`: six, or all but the first. */
INLINE void put_points(void *to, int64_t apart, v16 first, const v16 a[2], const v16 b[2], v16 last, bool half,
                       int wide) {
  if (wide == 4) put(to, first, half);
  put(values_at(to, apart, half), a[0], half);
  put(values_at(to, 2 * apart, half), a[1], half);
  put(values_at(to, 3 * apart, half), b[0], half);
  put(values_at(to, 4 * apart, half), b[1], half);
  put(values_at(to, 5 * apart, half), last, half);
}

/* Two rows of points of one slab; of three rows of outputs the ends are one. */
INLINE void input_rows(const nas_winograd_run *r, const float *x, void *v, int k, bool half, int tall, int wide) {
  const int from = k == 0 && tall == 3;
  void *to[2] = {values_at(v, 6 * (k ? 2 * k - 1 : 0) * r->apart, half),
                 values_at(v, 6 * (k ? 2 * k : 5) * r->apart, half)};
  v16 c[6][2];
  for (int i = 0; i < 2; i++) input_column(c[i], x + i * r->pitch, r->x_row, k, tall);
  for (int64_t t = 0; t < r->patches; t++, x += wide * r->pitch) {
    UNROLL for (int i = 2; i < wide + 2; i++) input_column(c[i], x + i * r->pitch, r->x_row, k, tall);
    UNROLL for (int i = from; i < 2; i++) {
      const v16 row[6] = {c[0][i], c[1][i], c[2][i], c[3][i], c[4][i], c[wide + 1][i]};
      v16 a[2], b[2];
      input_pair(a, row, 1, wide);
      input_pair(b, row, 2, wide);
      put_points(values_at(to[i], 16 * t, half), r->apart, input_end(row[0], row[2], row[4]), a, b,
                 input_end(row[wide - 3], row[wide - 1], row[wide + 1]), half, wide);
      c[0][i] = c[wide][i];
      c[1][i] = c[wide + 1][i];
    }
  }
}

INLINE void input_slabs(const nas_winograd_run *r, void *v, bool half, int tall, int wide) {
  for (int64_t i = 0; 16 * i < r->channels; i++) {
    const float *x = r->x + 16 * i;
    void *to = values_at(v, i * LINE, half);
    input_rows(r, x, to, 0, half, tall, wide);
    input_rows(r, x, to, 1, half, tall, wide);
    input_rows(r, x, to, 2, half, tall, wide);
  }
}

INLINE void spread_row(void *to, int64_t apart, const v16 x[4], bool half, int wide) {
  v16 a[2], b[2];
  spread_pair(a, x, 1, wide);
  spread_pair(b, x, 2, wide);
  put_points(to, apart, x[0], a, b, x[wide - 1], half, wide);
}

INLINE void spread_slab(const nas_winograd_run *r, const float *x, void *v, bool half, int tall, int wide) {
  for (int64_t t = 0; t < r->patches; t++, v = values_at(v, 16, half)) {
    v16 ends[2][4], a[2][4], b[2][4];
    UNROLL for (int i = 0; i < wide; i++, x += r->pitch) {
      v16 c[4], two[2];
      UNROLL for (int j = 0; j < tall; j++) c[j] = load(x + j * r->x_row);
      ends[0][i] = c[0];
      ends[1][i] = c[tall - 1];
      spread_pair(two, c, 1, tall);
      a[0][i] = two[0];
      a[1][i] = two[1];
      spread_pair(two, c, 2, tall);
      b[0][i] = two[0];
      b[1][i] = two[1];
    }
    UNROLL for (int i = 0; i < 2; i++) {
      if (tall == 4 || i == 1) spread_row(values_at(v, 30 * i * r->apart, half), r->apart, ends[i], half, wide);
      spread_row(values_at(v, 6 * (1 + i) * r->apart, half), r->apart, a[i], half, wide);
      spread_row(values_at(v, 6 * (3 + i) * r->apart, half), r->apart, b[i], half, wide);
    }
  }
}

/* A' of a column of six of m, which lie `next` apart. */
INLINE void sum_column(v16 y[4], const float *m, int64_t next, int tall) {
  v16 c[6];
  UNROLL for (int i = 4 - tall; i < 6; i++) c[i] = load(m + i * next);
  sum_six(y, c, tall);
}

/* One patch into `rows` rows of `columns` pixels. */
INLINE void store_patch(const nas_winograd_store *s, winograd_target to, const float *m, int64_t at, int64_t rows,
                        int64_t columns, int tall, int wide) {
  v16 c[6][4];
  UNROLL for (int q = 4 - wide; q < 6; q++) sum_column(c[q], m + q * s->apart, 6 * s->apart, tall);
  UNROLL for (int r = 0; r < tall; r++) {
    if (r >= rows) break;
    const v16 row[6] = {c[wide == 4 ? 0 : 1][r], c[1][r], c[2][r], c[3][r], c[4][r], c[5][r]};
    v16 y[4];
    sum_six(y, row, wide);
    UNROLL for (int q = 0; q < wide; q++) if (q < columns) winograd_put(to, at + q * s->pitch, y[q]);
    at += s->y_row;
  }
}

INLINE void store_vector(const nas_winograd_store *s, winograd_target to, int64_t k, int tall, int wide) {
  const float *m = s->m + k * LINE;
  for (int64_t t = 0; t < s->patches; t++, m += 16) {
    int64_t at = wide * t * s->pitch, columns = s->columns - wide * t;
    if (s->rows >= tall && columns >= wide) store_patch(s, to, m, at, tall, wide, tall, wide);
    else store_patch(s, to, m, at, s->rows, columns, tall, wide);
  }
}

/* G of three. */
INLINE void widen(v16 to[6], v16 g0, v16 g1, v16 g2) {
  v16 a = (-2 / 3.0f) * g0 - (1 / 3.0f) * g2, b = (1 / 6.0f) * g0 + (1 / 3.0f) * g2;
  v16 by_a = (-2 / 3.0f * A) * g1, by_b = (1 / 6.0f * B) * g1;
  to[0] = g0;
  to[1] = a + by_a;
  to[2] = a - by_a;
  to[3] = b + by_b;
  to[4] = b - by_b;
  to[5] = g2;
}

/* G g G' of one input channel. */
INLINE void widen_taps(v16 to[6][6], const nas_winograd_taps *t, int64_t in, bool pairs) {
  v16 taps[9], rows[3][6];
  winograd_taps(taps, t, in, pairs);
  for (int c = 0; c < 3; c++) widen(rows[c], taps[c], taps[3 + c], taps[6 + c]);
  for (int r = 0; r < 6; r++) widen(to[r], rows[0][r], rows[1][r], rows[2][r]);
}

#endif
