#include "train/kernels/winograd.h"

#include <stddef.h>

#include "train/kernels/vector.h"

#define UNROLL _Pragma("GCC unroll 16")
enum { LINE = 16 * NAS_WINOGRAD_BLOCK }; /* numbers of a slab */

/* ---- transforms of sixteen channels a vector ---- */

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

INLINE void put(const nas_winograd_store *s, int64_t k, int64_t at, v16 value) {
  if (s->mask[k]) value = select_positive(load(s->mask[k] + at), value);
  store(s->y[k] + at, s->plus[k] ? load(s->plus[k] + at) + value : value);
}

INLINE void store_vector(const nas_winograd_store *s, int64_t k) {
  const float *m = s->m + k * LINE;
  for (int64_t t = 0; t < s->patches; t++, m += 16) {
    v16 c[4][2];
    UNROLL for (int q = 0; q < 4; q++) sum_column(c[q], m + q * s->apart, 4 * s->apart);
    for (int64_t r = 0; r < s->rows; r++) {
      int64_t at = r * s->y_row + 2 * t * s->pitch;
      v16 middle = r ? c[1][1] + c[2][1] : c[1][0] + c[2][0], apart = r ? c[1][1] - c[2][1] : c[1][0] - c[2][0];
      put(s, k, at, (r ? c[0][1] : c[0][0]) + middle);
      if (2 * t + 1 < s->columns) put(s, k, at + s->pitch, apart - (r ? c[3][1] : c[3][0]));
    }
  }
}

/* ---- the same of two pixels of eight channels a vector ---- */

#define SHUFFLE(a, ...) __builtin_shufflevector(a, a, __VA_ARGS__)
/* Between halves and lanes in turn; and one half, every number twice. */
INLINE v16 in_turn(v16 x) { return SHUFFLE(x, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15); }
INLINE v16 low_twice(v16 x) { return SHUFFLE(x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7); }
INLINE v16 high_twice(v16 x) { return SHUFFLE(x, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15); }
INLINE v16 in_halves(v16 x) { return SHUFFLE(x, 0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15); }
INLINE v16 even_halves(v16 x) { return SHUFFLE(x, 0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14); }
INLINE v16 odd_halves(v16 x) { return SHUFFLE(x, 1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15); }
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

INLINE void store_pairs(const nas_winograd_store *s, int64_t k) {
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
        put(s, k, at, value);
        continue;
      }
      for (int64_t l = 0; l < 8; l++) {
        float one = s->mask[k] && !(s->mask[k][at + l] > 0) ? 0 : value[l];
        s->y[k][at + l] = s->plus[k] ? s->plus[k][at + l] + one : one;
      }
    }
  }
}

void NAS_PER_ISA(winograd_input)(const nas_winograd_run *r) {
  if (r->pairs) input_pairs(r);
  else
    for (int64_t k = 0; 16 * k < r->channels; k++)
      input_slab(r->x + 16 * k, r->x_row, r->pitch, r->patches, r->v + k * LINE, r->apart);
}

void NAS_PER_ISA(winograd_spread)(const nas_winograd_run *r) {
  if (r->pairs) spread_pairs(r);
  else
    for (int64_t k = 0; 16 * k < r->channels; k++)
      spread_slab(r->x + 16 * k, r->x_row, r->pitch, r->patches, r->v + k * LINE, r->apart);
}

void NAS_PER_ISA(winograd_store)(const nas_winograd_store *s) {
  for (int64_t k = 0; k < s->vectors; k++)
    if (s->pairs) store_pairs(s, k);
    else store_vector(s, k);
}

/* ---- products ---- */

/* One number, or two in turn. */
INLINE v16 broadcast(const float *x, bool pairs) {
  if (!pairs) return splat(*x);
  typedef double d8 __attribute__((vector_size(64)));
  double two;
  memcpy(&two, x, sizeof two);
  return (v16)(two - (d8){0});
}

/* `count` patches from the first of v and m on, one point. */
INLINE void product_part(const float *v, const float *u, float *m, int64_t channels, int count, int vectors,
                         bool pairs) {
  v16 sum[16 * NAS_WINOGRAD_VECTORS];
  const int wide = pairs ? 8 : 16;
  UNROLL for (int i = 0; i < count * vectors; i++) sum[i] = (v16){0};
  for (int64_t k = 0; k < channels; k += wide, v += LINE)
    for (int64_t c = 0; c < wide; c++, u += 16 * vectors) {
      const float *from = v + (pairs ? 2 * c : c);
      v16 factor[NAS_WINOGRAD_VECTORS];
      UNROLL for (int q = 0; q < vectors; q++) factor[q] = load(u + 16 * q);
      UNROLL for (int p = 0; p < count; p++) {
        v16 one = broadcast(from + 16 * p, pairs);
        UNROLL for (int q = 0; q < vectors; q++) sum[p * vectors + q] += one * factor[q];
      }
    }
  UNROLL for (int p = 0; p < count; p++) UNROLL for (int q = 0; q < vectors; q++)
      store(m + q * LINE + 16 * p, sum[p * vectors + q]);
}

INLINE void product_by(const nas_winograd_product *p, int vectors, bool pairs) {
  int64_t points = nas_winograd_points(pairs), n = p->patches;
  for (int64_t i = 0; i < points; i++) {
    const float *v = p->v + i * p->v_apart, *u = p->u + i * p->channels * vectors * 16;
    float *m = p->m + i * p->m_apart;
    int64_t t = 0;
#if defined(__AVX512F__)
    if (vectors == 1 && n == 16) {
      product_part(v, u, m, p->channels, 16, 1, pairs);
      continue;
    }
    for (; t + 8 <= n; t += 8) product_part(v + 16 * t, u, m + 16 * t, p->channels, 8, vectors, pairs);
#endif
    for (; t + 4 <= n; t += 4) product_part(v + 16 * t, u, m + 16 * t, p->channels, 4, vectors, pairs);
    for (; t < n; t++) product_part(v + 16 * t, u, m + 16 * t, p->channels, 1, vectors, pairs);
  }
}

void NAS_PER_ISA(winograd_product)(const nas_winograd_product *p) {
  if (p->pairs && p->vectors == 1) product_by(p, 1, true);
  else if (p->pairs) product_by(p, 2, true);
  else if (p->vectors == 1) product_by(p, 1, false);
  else product_by(p, 2, false);
}

/* `count` channels from v's on, one point. */
INLINE void gradient_part(const nas_winograd_gradient *g, const float *v, const float *d, float *du, int count,
                          int vectors, bool pairs) {
  v16 sum[16 * NAS_WINOGRAD_VECTORS];
  UNROLL for (int i = 0; i < count * vectors; i++) sum[i] = load(du + 16 * i);
  for (int64_t left = g->patches; left > 0; left -= NAS_WINOGRAD_BLOCK, v += g->v_block, d += g->d_block) {
    const float *from = v, *by = d;
    int64_t n = left < NAS_WINOGRAD_BLOCK ? left : NAS_WINOGRAD_BLOCK;
    for (int64_t t = 0; t < n; t++, from += 16, by += 16) {
      v16 factor[NAS_WINOGRAD_VECTORS];
      UNROLL for (int q = 0; q < vectors; q++) factor[q] = load(by + q * LINE);
      UNROLL for (int c = 0; c < count; c++) {
        v16 one = broadcast(from + (pairs ? 2 * c : c), pairs);
        UNROLL for (int q = 0; q < vectors; q++) sum[c * vectors + q] += one * factor[q];
      }
    }
  }
  UNROLL for (int i = 0; i < count * vectors; i++) store(du + 16 * i, sum[i]);
}

INLINE void gradient_by(const nas_winograd_gradient *g, int vectors, bool pairs) {
  int64_t points = nas_winograd_points(pairs), wide = pairs ? 8 : 16;
#if defined(__AVX512F__)
  const int count = vectors == 1 && !pairs ? 16 : 8;
#else
  const int count = 4;
#endif
  for (int64_t i = 0; i < points; i++) {
    const float *v = g->v + i * g->v_apart, *d = g->d + i * g->d_apart;
    float *du = g->du + i * g->channels * vectors * 16;
    for (int64_t k = 0; k < g->channels; k += count, du += count * vectors * 16)
      gradient_part(g, v + k / wide * LINE + k % wide * (pairs ? 2 : 1), d, du, count, vectors, pairs);
  }
}

void NAS_PER_ISA(winograd_gradient)(const nas_winograd_gradient *g) {
  if (g->pairs && g->vectors == 1) gradient_by(g, 1, true);
  else if (g->pairs) gradient_by(g, 2, true);
  else if (g->vectors == 1) gradient_by(g, 1, false);
  else gradient_by(g, 2, false);
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

void NAS_PER_ISA(winograd_weights)(float *u, const float *taps, int64_t n, bool pairs) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 rows[3][4];
    for (int c = 0; c < 3; c++)
      widen(rows[c], load(taps + c * n + i), load(taps + (3 + c) * n + i), load(taps + (6 + c) * n + i));
    for (int r = 0; r < 4; r++) {
      v16 all[4];
      widen(all, rows[0][r], rows[1][r], rows[2][r]);
      if (pairs) {
        store(u + 2 * r * n + i, all[0] * even + all[3] * odd);
        store(u + (2 * r + 1) * n + i, all[1] * even + all[2] * odd);
      } else
        for (int c = 0; c < 4; c++) store(u + (4 * r + c) * n + i, all[c]);
    }
  }
}

/* Of pairs, the taps of two lanes are still to be added. */
void NAS_PER_ISA(winograd_taps)(float *taps, const float *du, int64_t n, bool pairs) {
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
