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

/* Rows 2 k - 1 and 2 k of B' (k = 1, 2) times x; rows 0 and 5. */
INLINE void input_pair(v16 to[2], v16 x1, v16 x2, v16 x3, v16 x4, int k) {
  const float square = k == 1 ? 2 : 0.5f, root = k == 1 ? A : B;
  v16 even = x4 - square * x2, odd = x3 - square * x1;
  to[0] = even + root * odd;
  to[1] = even - root * odd;
}
INLINE v16 input_end(v16 x0, v16 x2, v16 x4) { return x0 + x4 - 2.5f * x2; }

/* The same rows of A times x. */
INLINE void spread_pair(v16 to[2], v16 x0, v16 x1, v16 x2, v16 x3, int k) {
  const float square = k == 1 ? 0.5f : 2, root = k == 1 ? A : B;
  v16 even = x0 + square * x2, odd = x1 + square * x3;
  to[0] = even + root * odd;
  to[1] = even - root * odd;
}

/* A' of six. */
INLINE void sum_six(v16 to[4], v16 m0, v16 m1, v16 m2, v16 m3, v16 m4, v16 m5) {
  v16 s = m1 + m2, d = m1 - m2, t = m3 + m4, e = m3 - m4;
  to[0] = m0 + s + t;
  to[1] = A * d + B * e;
  to[2] = 0.5f * s + 2 * t;
  to[3] = m5 + 0.5f * A * d + 2 * B * e;
}

/* ---- sixteen channels a vector ---- */

/* Two rows of B' times a column of six: the ends (k = 0) or a pair. */
INLINE void input_column(v16 to[2], const float *x, int64_t row, int k) {
  if (k > 0) input_pair(to, load(x + row), load(x + 2 * row), load(x + 3 * row), load(x + 4 * row), k);
  else {
    to[0] = input_end(load(x), load(x + 2 * row), load(x + 4 * row));
    to[1] = input_end(load(x + row), load(x + 3 * row), load(x + 5 * row));
  }
}

/* Values of f32 or, with `half`, of bf16, from number `at` on. */
INLINE void *values_at(void *values, int64_t at, bool half) {
  return half ? (void *)((uint16_t *)values + at) : (void *)((float *)values + at);
}
INLINE void put(void *to, v16 x, bool half) {
  if (half) store_half(to, x);
  else store(to, x);
}

/* Six points of a row of a patch, which lie `apart`. */
INLINE void put_six(void *to, int64_t apart, v16 first, const v16 a[2], const v16 b[2], v16 last, bool half) {
  put(to, first, half);
  put(values_at(to, apart, half), a[0], half);
  put(values_at(to, 2 * apart, half), a[1], half);
  put(values_at(to, 3 * apart, half), b[0], half);
  put(values_at(to, 4 * apart, half), b[1], half);
  put(values_at(to, 5 * apart, half), last, half);
}

/* Two rows of points of one slab. */
INLINE void input_rows(const nas_winograd_run *r, const float *x, void *v, int k, bool half) {
  void *to[2] = {values_at(v, 6 * (k ? 2 * k - 1 : 0) * r->apart, half),
                 values_at(v, 6 * (k ? 2 * k : 5) * r->apart, half)};
  v16 c[6][2];
  for (int i = 0; i < 2; i++) input_column(c[i], x + i * r->pitch, r->x_row, k);
  for (int64_t t = 0; t < r->patches; t++) {
    x += 4 * r->pitch;
    UNROLL for (int i = 0; i < 4; i++) input_column(c[2 + i], x + (i - 2) * r->pitch, r->x_row, k);
    UNROLL for (int i = 0; i < 2; i++) {
      v16 a[2], b[2];
      input_pair(a, c[1][i], c[2][i], c[3][i], c[4][i], 1);
      input_pair(b, c[1][i], c[2][i], c[3][i], c[4][i], 2);
      put_six(values_at(to[i], 16 * t, half), r->apart, input_end(c[0][i], c[2][i], c[4][i]), a, b,
              input_end(c[1][i], c[3][i], c[5][i]), half);
      c[0][i] = c[4][i];
      c[1][i] = c[5][i];
    }
  }
}

INLINE void input_slabs(const nas_winograd_run *r, void *v, bool half) {
  for (int64_t i = 0; 16 * i < r->channels; i++) {
    const float *x = r->x + 16 * i;
    void *to = values_at(v, i * LINE, half);
    input_rows(r, x, to, 0, half);
    input_rows(r, x, to, 1, half);
    input_rows(r, x, to, 2, half);
  }
}

INLINE void spread_row(void *to, int64_t apart, const v16 x[4], bool half) {
  v16 a[2], b[2];
  spread_pair(a, x[0], x[1], x[2], x[3], 1);
  spread_pair(b, x[0], x[1], x[2], x[3], 2);
  put_six(to, apart, x[0], a, b, x[3], half);
}

INLINE void spread_slab(const nas_winograd_run *r, const float *x, void *v, bool half) {
  for (int64_t t = 0; t < r->patches; t++, v = values_at(v, 16, half)) {
    v16 ends[2][4], a[2][4], b[2][4];
    UNROLL for (int i = 0; i < 4; i++, x += r->pitch) {
      v16 c[4], two[2];
      UNROLL for (int j = 0; j < 4; j++) c[j] = load(x + j * r->x_row);
      ends[0][i] = c[0];
      ends[1][i] = c[3];
      spread_pair(two, c[0], c[1], c[2], c[3], 1);
      a[0][i] = two[0];
      a[1][i] = two[1];
      spread_pair(two, c[0], c[1], c[2], c[3], 2);
      b[0][i] = two[0];
      b[1][i] = two[1];
    }
    UNROLL for (int i = 0; i < 2; i++) {
      spread_row(values_at(v, 30 * i * r->apart, half), r->apart, ends[i], half);
      spread_row(values_at(v, 6 * (1 + i) * r->apart, half), r->apart, a[i], half);
      spread_row(values_at(v, 6 * (3 + i) * r->apart, half), r->apart, b[i], half);
    }
  }
}

/* A' of a column of six of m, which lie `next` apart. */
INLINE void sum_column(v16 y[4], const float *m, int64_t next) {
  sum_six(y, load(m), load(m + next), load(m + 2 * next), load(m + 3 * next), load(m + 4 * next), load(m + 5 * next));
}

/* One patch into four rows of `columns` pixels. */
INLINE void store_patch(const nas_winograd_store *s, winograd_target to, const float *m, int64_t at, int64_t rows,
                        int64_t columns) {
  v16 c[6][4];
  UNROLL for (int q = 0; q < 6; q++) sum_column(c[q], m + q * s->apart, 6 * s->apart);
  UNROLL for (int r = 0; r < 4; r++) {
    if (r >= rows) break;
    v16 y[4];
    sum_six(y, c[0][r], c[1][r], c[2][r], c[3][r], c[4][r], c[5][r]);
    UNROLL for (int q = 0; q < 4; q++) if (q < columns) winograd_put(to, at + q * s->pitch, y[q]);
    at += s->y_row;
  }
}

INLINE void store_vector(const nas_winograd_store *s, winograd_target to, int64_t k) {
  const float *m = s->m + k * LINE;
  for (int64_t t = 0; t < s->patches; t++, m += 16) {
    int64_t at = 4 * t * s->pitch, columns = s->columns - 4 * t;
    if (s->rows >= 4 && columns >= 4) store_patch(s, to, m, at, 4, 4);
    else store_patch(s, to, m, at, s->rows, columns);
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
