/* The functions of Kolmogorov-Arnold layers, over whole arrays. */
#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

void NAS_PER_ISA(silu)(float *y, const float *x, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 v = load_upto(x + i, n - i);
    store_upto(y + i, v * logistic_of(v), n - i);
  }
}

void NAS_PER_ISA(silu_gradient)(float *dx, const float *plus, const float *x, const float *g, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 v = load_upto(x + i, n - i), s = logistic_of(v), d = load_upto(g + i, n - i) * s * (1 + v * (1 - s));
    store_upto(dx + i, plus ? load_upto(plus + i, n - i) + d : d, n - i);
  }
}

void NAS_PER_ISA(gaussian)(float *y, const float *x, float centre, float per_unit, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 t = (load_upto(x + i, n - i) - centre) * per_unit;
    store_upto(y + i, exp_of(-t * t), n - i);
  }
}

void NAS_PER_ISA(gaussian_gradient)(float *dx, const float *x, const float *g, float centre, float per_unit,
                                    int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 t = (load_upto(x + i, n - i) - centre) * per_unit, d = -2 * per_unit * t * exp_of(-t * t);
    store_upto(dx + i, load_upto(dx + i, n - i) + d * load_upto(g + i, n - i), n - i);
  }
}

void NAS_PER_ISA(recur)(float *older, const float *newer, const float *u, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 next = 2 * load_upto(u + i, n - i) * load_upto(newer + i, n - i) - load_upto(older + i, n - i);
    store_upto(older + i, next, n - i);
  }
}

void NAS_PER_ISA(chebyshev_gradient)(float *dx, const float *u, const float *second, const float *g, float degree,
                                     int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 v = load_upto(u + i, n - i), d = degree * load_upto(second + i, n - i) * (1 - v * v);
    store_upto(dx + i, load_upto(dx + i, n - i) + d * load_upto(g + i, n - i), n - i);
  }
}
