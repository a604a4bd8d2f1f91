/* The fractions of Pade neurons from their sums, and back. */
#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

enum { MOST = NAS_PADE_SUMS_MAX };

/* One vector of the kind S: P/Q and P1/Q1 with both denominators as shares of the larger, which cannot overflow. */
typedef struct smooth {
  v16 p, p1, q, q1, size, below, y;
} smooth;

INLINE smooth smooth_of(v16 start, const v16 *sum) {
  smooth s = {.p1 = start + sum[0], .q1 = 1 + sum[2]};
  s.p = s.p1 + sum[1];
  s.q = s.q1 + sum[3];
  v16 a = magnitude(s.q), b = magnitude(s.q1);
  s.size = at_least(a, b);
  s.q /= s.size;
  s.q1 /= s.size;
  s.below = s.q * s.q + s.q1 * s.q1;
  s.y = (s.q * s.p + s.q1 * s.p1) / (s.below * s.size);
  return s;
}

/* 1 + |q| of the other kinds; kind A adds the magnitudes of its degrees. */
INLINE v16 below_of(const nas_pade *f, const v16 *sum) {
  v16 below = splat(1);
  for (int64_t k = 1; k < f->sums; k++) below += magnitude(sum[k]);
  return below;
}

INLINE void load_sums(const nas_pade *f, int64_t at, int64_t n, v16 *sum) {
  for (int64_t k = 0; k < f->sums; k++) sum[k] = load_upto(f->sum + k * f->rows * f->out + at, n);
}

void NAS_PER_ISA(pade_value)(const nas_pade *f) {
  v16 sum[MOST];
  for (int64_t r = 0; r < f->rows; r++)
    for (int64_t o = 0; o < f->out; o += 16) {
      int64_t left = f->out - o, at = r * f->out + o;
      v16 start = load_upto(f->start + o, left);
      load_sums(f, at, left, sum);
      store_upto(f->y + at, f->smooth ? smooth_of(start, sum).y : (start + sum[0]) / below_of(f, sum), left);
    }
}

void NAS_PER_ISA(pade_gradient)(const nas_pade *f) {
  v16 sum[MOST];
  for (int64_t r = 0; r < f->rows; r++)
    for (int64_t o = 0; o < f->out; o += 16) {
      int64_t left = f->out - o, at = r * f->out + o;
      v16 start = load_upto(f->start + o, left), g = load_upto(f->dy + at, left);
      load_sums(f, at, left, sum);
      if (f->smooth) {
        smooth s = smooth_of(start, sum);
        v16 share = g / (s.below * s.size), p = share * s.q, p1 = share * s.q1;
        v16 q = share * (s.p / s.size - 2 * s.q * s.y), q1 = share * (s.p1 / s.size - 2 * s.q1 * s.y);
        sum[0] = p + p1;
        sum[1] = p;
        sum[2] = q + q1;
        sum[3] = q;
      } else {
        v16 below = below_of(f, sum), p = g / below, q = -p * ((start + sum[0]) / below);
        sum[0] = p;
        for (int64_t k = 1; k < f->sums; k++) {
          i16 set = sum[k] != 0;
          sum[k] = (v16)((i16)with_sign(q, sign_bits(sum[k])) & set);
        }
      }
      for (int64_t k = 0; k < f->sums; k++) store_upto(f->sum + k * f->rows * f->out + at, sum[k], left);
    }
}

void NAS_PER_ISA(multiply)(float *y, const float *a, const float *b, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store_upto(y + i, load_upto(a + i, n - i) * load_upto(b + i, n - i), n - i);
}

void NAS_PER_ISA(add_product)(float *y, float factor, const float *a, const float *b, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 v = factor * load_upto(b + i, n - i);
    if (a) v *= load_upto(a + i, n - i);
    store_upto(y + i, load_upto(y + i, n - i) + v, n - i);
  }
}
