#include "train/kernels/winograd.h"

/* F(2x2, 3x3), on the points 0, 1, -1 and infinity:
 *     B' = 1  0 -1  0     G =  1    0    0     A' = 1  1  1  0
 *          0  1  1  0         1/2  1/2  1/2         0  1 -1 -1
 *          0 -1  1  0         1/2 -1/2  1/2
 *          0  1  0 -1          0    0    1   */
#define UNROLL WINOGRAD_UNROLL
enum { LINE = NAS_WINOGRAD_LINE };

/* ---- sixteen channels a vector ---- */

/* B' of a column of four. */
INLINE void column_of(v16 to[4], const float *x, int64_t row) {
  v16 a = load(x), b = load(x + row), c = load(x + 2 * row), d = load(x + 3 * row);
  to[0] = a - c;
  to[1] = b + c;
  to[2] = c - b;
  to[3] = b - d;
}

INLINE void input_slab(const float *x, int64_t row, int64_t pitch, int64_t patches, float *v, int64_t apart) {
  v16 a[4], b[4], c[4], d[4];
  column_of(a, x, row);
  column_of(b, x + pitch, row);
  for (int64_t t = 0; t < patches; t++, v += 16) {
    x += 2 * pitch;
    column_of(c, x, row);
    column_of(d, x + pitch, row);
    UNROLL for (int r = 0; r < 4; r++) {
      float *to = v + 4 * r * apart;
      store(to, a[r] - c[r]);
      store(to + apart, b[r] + c[r]);
      store(to + 2 * apart, c[r] - b[r]);
      store(to + 3 * apart, b[r] - d[r]);
      a[r] = c[r];
      b[r] = d[r];
    }
  }
}

INLINE void spread_slab(const float *x, int64_t row, int64_t pitch, int64_t patches, float *v, int64_t apart) {
  for (int64_t t = 0; t < patches; t++, v += 16, x += 2 * pitch) {
    v16 a = load(x), b = load(x + pitch), c = load(x + row), d = load(x + row + pitch);
    v16 left[4] = {a, a + c, a - c, -c}, right[4] = {b, b + d, b - d, -d};
    UNROLL for (int r = 0; r < 4; r++) {
      float *to = v + 4 * r * apart;
      store(to, left[r]);
      store(to + apart, left[r] + right[r]);
      store(to + 2 * apart, left[r] - right[r]);
      store(to + 3 * apart, -right[r]);
    }
  }
}

/* A' of a column of four of m. */
INLINE void sum_column(v16 to[2], const float *m, int64_t row) {
  v16 b = load(m + row), c = load(m + 2 * row);
  to[0] = load(m) + (b + c);
  to[1] = (b - c) - load(m + 3 * row);
}

INLINE void store_vector(const nas_winograd_store *s, winograd_target to, int64_t k) {
  const float *m = s->m + k * LINE;
  for (int64_t t = 0; t < s->patches; t++, m += 16) {
    v16 c[4][2];
    UNROLL for (int q = 0; q < 4; q++) sum_column(c[q], m + q * s->apart, 4 * s->apart);
    for (int64_t r = 0; r < s->rows; r++) {
      int64_t at = r * s->y_row + 2 * t * s->pitch;
      v16 middle = r ? c[1][1] + c[2][1] : c[1][0] + c[2][0], apart = r ? c[1][1] - c[2][1] : c[1][0] - c[2][0];
      winograd_put(to, at, (r ? c[0][1] : c[0][0]) + middle);
      if (2 * t + 1 < s->columns) winograd_put(to, at + s->pitch, apart - (r ? c[3][1] : c[3][0]));
    }
  }
}

/* ---- the same of two pixels of eight channels a vector ---- */

INLINE v16 even_halves(v16 x) { return WINOGRAD_SHUFFLE(x, 0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14); }
INLINE v16 odd_halves(v16 x) { return WINOGRAD_SHUFFLE(x, 1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15); }
static const v16 turn_sign = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};
static const v16 half_sign = {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1};

INLINE void input_pairs(const nas_winograd_run *r) {
  const float *x = r->x;
  float *v = r->v;
  v16 a[4], b[4];
  column_of(a, x, r->x_row);
  for (int64_t t = 0; t < r->patches; t++, v += 16) {
    x += 16;
    column_of(b, x, r->x_row);
    UNROLL for (int i = 0; i < 4; i++) {
      store(v + 2 * i * r->apart, in_turn(a[i] - b[i]));
      store(v + (2 * i + 1) * r->apart, low_twice(b[i]) + high_twice(a[i]) * turn_sign);
      a[i] = b[i];
    }
  }
}

INLINE void spread_pairs(const nas_winograd_run *r) {
  const float *x = r->x;
  float *v = r->v;
  for (int64_t t = 0; t < r->patches; t++, v += 16, x += 16) {
    v16 a = load(x), b = load(x + r->x_row), row[4] = {a, a + b, a - b, -b};
    UNROLL for (int i = 0; i < 4; i++) {
      store(v + 2 * i * r->apart, in_turn(row[i]) * turn_sign);
      store(v + (2 * i + 1) * r->apart, low_twice(row[i]) + high_twice(row[i]) * turn_sign);
    }
  }
}

INLINE void store_pairs(const nas_winograd_store *s, winograd_target to, int64_t k) {
  const float *m = s->m + k * LINE;
  for (int64_t t = 0; t < s->patches; t++, m += 16) {
    v16 outer[2], inner[2];
    sum_column(outer, m, 2 * s->apart);
    sum_column(inner, m + s->apart, 2 * s->apart);
    for (int64_t r = 0; r < s->rows; r++) {
      int64_t at = r * s->y_row + t * 16;
      v16 o = r ? outer[1] : outer[0], i = r ? inner[1] : inner[0];
      v16 value = in_halves(o) * half_sign + (even_halves(i) + odd_halves(i) * half_sign);
      if (2 * t + 1 < s->columns) {
        winograd_put(to, at, value);
      } else winograd_put_half(to, at, value);
    }
  }
}

static void input(const nas_winograd_run *r) {
  if (r->pairs) input_pairs(r);
  else
    for (int64_t k = 0; 16 * k < r->channels; k++)
      input_slab(r->x + 16 * k, r->x_row, r->pitch, r->patches, (float *)r->v + k * LINE, r->apart);
}

static void spread(const nas_winograd_run *r) {
  if (r->pairs) spread_pairs(r);
  else
    for (int64_t k = 0; 16 * k < r->channels; k++)
      spread_slab(r->x + 16 * k, r->x_row, r->pitch, r->patches, (float *)r->v + k * LINE, r->apart);
}

static void store_patches(const nas_winograd_store *s) {
  for (int64_t k = 0; k < s->vectors; k++)
    if (s->pairs) {
      WINOGRAD_TARGETS(store_pairs, s, k);
    } else {
      WINOGRAD_TARGETS(store_vector, s, k);
    }
}

/* ---- weights ---- */

INLINE void widen(v16 to[4], v16 a, v16 b, v16 c) {
  v16 outer = 0.5f * (a + c), middle = 0.5f * b;
  to[0] = a;
  to[1] = outer + middle;
  to[2] = outer - middle;
  to[3] = c;
}

INLINE void narrow(v16 to[3], v16 a, v16 b, v16 c, v16 d) {
  v16 half = 0.5f * (b + c);
  to[0] = a + half;
  to[1] = 0.5f * (b - c);
  to[2] = half + d;
}

static const v16 even = {1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0};
static const v16 odd = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};

static void weights_of(float *u, int64_t apart, const nas_winograd_taps *t, int64_t vectors, bool pairs) {
  for (int64_t in = 0; in < t->ins; in++, u += 16 * vectors) {
    v16 taps[9], rows[3][4];
    winograd_taps(taps, t, in, pairs);
    for (int c = 0; c < 3; c++) widen(rows[c], taps[c], taps[3 + c], taps[6 + c]);
    for (int r = 0; r < 4; r++) {
      v16 all[4];
      widen(all, rows[0][r], rows[1][r], rows[2][r]);
      if (pairs) {
        store(u + 2 * r * apart, all[0] * even + all[3] * odd);
        store(u + (2 * r + 1) * apart, all[1] * even + all[2] * odd);
      } else
        for (int c = 0; c < 4; c++) store(u + (4 * r + c) * apart, all[c]);
    }
  }
}

/* Of pairs, the taps of two lanes are still to be added. */
static void taps_of(float *taps, const float *du, int64_t n, bool pairs) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 rows[4][3];
    for (int r = 0; r < 4; r++) {
      const float *from = du + (pairs ? 2 : 4) * r * n + i;
      if (pairs) {
        v16 outer = load(from), inner = load(from + n);
        narrow(rows[r], outer * even, inner * even, inner * odd, outer * odd);
      } else narrow(rows[r], load(from), load(from + n), load(from + 2 * n), load(from + 3 * n));
    }
    for (int c = 0; c < 3; c++) {
      v16 all[3];
      narrow(all, rows[0][c], rows[1][c], rows[2][c], rows[3][c]);
      for (int r = 0; r < 3; r++) store(taps + (3 * r + c) * n + i, all[r]);
    }
  }
}

const nas_winograd_transforms NAS_PER_ISA(winograd_2) = {
    .input = input, .spread = spread, .store = store_patches, .weights = weights_of, .taps = taps_of};
