/* F(4x4, 3x3) whose products multiply bf16 numbers, two of a sum at once, and add in f32: transformed values and
 * weights are rounded, sums are not. Compiled for CPUs with AVX512_BF16 alone. */
#include "train/kernels/winograd_4.h"

enum { NAS_WINOGRAD_PAIRS = NAS_WINOGRAD_HALF_BLOCKS * NAS_WINOGRAD_BLOCK / 2 };

/* sum += the products of each pair of 16-bit numbers. */
INLINE v16 add_two(v16 sum, i16 a, i16 b) { return (v16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b); }

INLINE i16 load_twos(const uint16_t *from) {
  i16 v;
  memcpy(&v, from, sizeof v);
  return v;
}

INLINE i16 broadcast_two(const uint16_t *from) {
  int32_t two;
  memcpy(&two, from, sizeof two);
  return two - (i16){0};
}

/* ---- transforms ---- */

static void input(const nas_winograd_run *r) { input_slabs(r, r->v, true, 4, 4); }
static void spread(const nas_winograd_run *r) { spread_slab(r, r->x, r->v, true, 4, 4); }

static void store_patches(const nas_winograd_store *s) {
  for (int64_t k = 0; k < s->vectors; k++) {
    const winograd_target to = {.half = s->y[k]};
    store_vector(s, to, k, 4, 4);
  }
}

/* Neighbouring input channels take turns. */
static void weights_of(uint16_t *u, int64_t apart, const nas_winograd_taps *t, int64_t vectors) {
  for (int64_t in = 0; in < t->ins; in++) {
    uint16_t *to = u + in / 2 * vectors * 32;
    v16 all[6][6];
    widen_taps(all, t, in, false);
    for (int r = 0; r < 6; r++)
      for (int c = 0; c < 6; c++, to += apart) {
        if (in % 2 == 0) store_even(to, all[r][c]);
        else store_odd(to, all[r][c]);
      }
  }
}

/* ---- products ---- */

/* `count` patches from the first of v and m on, one point. */
INLINE void product_part(const uint16_t *v, const uint16_t *u, float *m, int64_t channels, int count, int vectors) {
  v16 sum[16];
  UNROLL for (int i = 0; i < count * vectors; i++) sum[i] = (v16){0};
  for (int64_t k = 0; k < channels; k += 16, v += LINE)
    for (int64_t c = 0; c < 16; c += 2, u += 32 * vectors) {
      i16 factor[NAS_WINOGRAD_VECTORS];
      UNROLL for (int q = 0; q < vectors; q++) factor[q] = load_twos(u + 32 * q);
      UNROLL for (int p = 0; p < count; p++) {
        i16 two = broadcast_two(v + 16 * p + c);
        UNROLL for (int q = 0; q < vectors; q++) sum[p * vectors + q] = add_two(sum[p * vectors + q], two, factor[q]);
      }
    }
  UNROLL for (int p = 0; p < count; p++) UNROLL for (int q = 0; q < vectors; q++)
      store(m + q * LINE + 16 * p, sum[p * vectors + q]);
}

INLINE void product_by(const nas_winograd_product *p, int vectors) {
  const uint16_t *u = p->u, *v = p->v;
  float *m = p->m;
  for (int64_t i = 0; i < p->points; i++, v += p->v_apart, u += p->channels * vectors * 16, m += p->m_apart) {
    int64_t t = 0;
    if (vectors == 1 && p->patches == 16) {
      product_part(v, u, m, p->channels, 16, 1);
      continue;
    }
    for (; t + 8 <= p->patches; t += 8) product_part(v + 16 * t, u, m + 16 * t, p->channels, 8, vectors);
    for (; t < p->patches; t += 4) product_part(v + 16 * t, u, m + 16 * t, p->channels, 4, vectors);
  }
}

static void product(const nas_winograd_product *p) {
  if (p->vectors == 1) product_by(p, 1);
  else product_by(p, 2);
}

/* Two neighbouring patches in turn, or one and zeros. */
INLINE i16 take_two(const uint16_t *from, bool both) {
  typedef uint16_t h32 __attribute__((vector_size(64)));
  h32 v;
  memcpy(&v, from, sizeof v);
  v = __builtin_shufflevector(v, v, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11,
                              27, 12, 28, 13, 29, 14, 30, 15, 31);
  return both ? (i16)v : (i16)v & 0xffff;
}

/* Pairs of patches of all blocks, one point and slab. */
INLINE int64_t take_pairs(i16 *to, const uint16_t *from, int64_t block, int64_t patches) {
  int64_t n = 0;
  for (; patches > 0; patches -= NAS_WINOGRAD_BLOCK, from += block) {
    int64_t some = patches < NAS_WINOGRAD_BLOCK ? patches : NAS_WINOGRAD_BLOCK;
    for (int64_t t = 0; t < some; t += 2) to[n++] = take_two(from + 16 * t, t + 1 < some);
  }
  return n;
}

/* du of `count` channels and one point from pairs of patches. */
INLINE void gradient_part(float *du, const uint16_t *v, const i16 (*d)[NAS_WINOGRAD_PAIRS], int64_t pairs, int count,
                          int vectors) {
  v16 sum[16];
  UNROLL for (int i = 0; i < count * vectors; i++) sum[i] = load(du + 16 * i);
  for (int64_t t = 0; t < pairs; t++, v += 32) UNROLL for (int c = 0; c < count; c++) {
      i16 two = broadcast_two(v + 2 * c);
      UNROLL for (int q = 0; q < vectors; q++) sum[c * vectors + q] = add_two(sum[c * vectors + q], two, d[q][t]);
    }
  UNROLL for (int i = 0; i < count * vectors; i++) store(du + 16 * i, sum[i]);
}

INLINE void gradient_by(const nas_winograd_gradient *g, int vectors) {
  const int count = 16 / vectors;
  float *du = g->du;
  for (int64_t i = 0; i < g->points; i++) {
    i16 v[NAS_WINOGRAD_PAIRS], d[NAS_WINOGRAD_VECTORS][NAS_WINOGRAD_PAIRS];
    int64_t pairs = 0;
    for (int q = 0; q < vectors; q++)
      pairs = take_pairs(d[q], (const uint16_t *)g->d + i * g->d_apart + q * LINE, g->d_block, g->patches);
    for (int64_t k = 0; k < g->channels; k += 16) {
      take_pairs(v, (const uint16_t *)g->v + i * g->v_apart + k / 16 * LINE, g->v_block, g->patches);
      for (int c = 0; c < 16; c += count, du += 256)
        gradient_part(du, (const uint16_t *)(const void *)v + 2 * c, (const i16(*)[NAS_WINOGRAD_PAIRS])d, pairs, count,
                      vectors);
    }
  }
}

static void gradient(const nas_winograd_gradient *g) {
  if (g->vectors == 1) gradient_by(g, 1);
  else gradient_by(g, 2);
}

const nas_winograd_bf16 nas_winograd_4_bf16 = {.input = input,
                                               .spread = spread,
                                               .store = store_patches,
                                               .weights = weights_of,
                                               .product = product,
                                               .gradient = gradient};
