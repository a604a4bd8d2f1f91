#include <stddef.h>

#include "train/kernels/winograd.h"

/* The products of Winograd's filtering: at each point a matrix of patches times one of weights, and the gradient of the
 * weights. */
#define UNROLL WINOGRAD_UNROLL
enum { LINE = NAS_WINOGRAD_LINE };

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
  int64_t n = p->patches;
  for (int64_t i = 0; i < p->points; i++) {
    if (nas_winograd_left_out(i, p->tall, p->wide)) continue;
    const float *v = (const float *)p->v + i * p->v_apart, *u = (const float *)p->u + i * p->channels * vectors * 16;
    float *m = p->m + i * p->m_apart;
    int64_t t = 0;
#if defined(__AVX512F__)
    if (vectors == 1 && n == 16) {
      product_part(v, u, m, p->channels, 16, 1, pairs);
      continue;
    }
    for (; t + 8 <= n; t += 8) product_part(v + 16 * t, u, m + 16 * t, p->channels, 8, vectors, pairs);
#endif
    /* A block has room for whole fours; what lies beyond its patches is multiplied along and not looked at. */
    for (; t < n; t += 4) product_part(v + 16 * t, u, m + 16 * t, p->channels, 4, vectors, pairs);
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
  int64_t wide = pairs ? 8 : 16;
#if defined(__AVX512F__)
  const int count = vectors == 1 && !pairs ? 16 : 8;
#else
  const int count = 4;
#endif
  for (int64_t i = 0; i < g->points; i++) {
    if (nas_winograd_left_out(i, g->tall, g->wide)) continue;
    const float *v = (const float *)g->v + i * g->v_apart, *d = (const float *)g->d + i * g->d_apart;
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
