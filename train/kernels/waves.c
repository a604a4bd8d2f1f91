/* The functions of Kolmogorov-Arnold layers, over whole arrays. */
#include <stddef.h>

#include "train/kernels/neurons.h"
#include "train/kernels/turn.h"
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

typedef uint32_t u16 __attribute__((vector_size(64)));

/* exp(-t^2) to 3e-7 of itself near 0 (t is what limits it), 0 below 1e-38. 2^(n + f) with n the nearest integer of -t^2
 * / log 2, |f| <= 1/2; 2^f by a polynomial fitted for that. */
INLINE v16 bell_of(v16 t) {
  v16 s = t * 1.2011224F, shifted = 12582912.0F - s * s, f = (12582912.0F - shifted) - s * s;
  v16 p = 1.321867248e-3F * f + 9.671697938e-3F;
  p = p * f + 5.550892952e-2F;
  p = p * f + 2.402223800e-1F;
  p = p * f + 6.931468559e-1F;
  p = p * f + 1;
  u16 bits = (u16)p + ((u16)shifted << 23), there = (u16)(s * s < 126); /* unsigned: too far out they wrap */
  return (v16)(bits & there);
}

void NAS_PER_ISA(gaussians)(float *phi, const float *u, float low, float per_unit, int64_t first, int64_t count,
                            int64_t n) {
  for (int64_t k = 0; k < count; k++, phi += n) {
    float place = (float)(first + k);
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) store(phi + i, bell_of((load(u + i) - low) * per_unit - place));
    if (i < n) store_part(phi + i, bell_of((load_part(u + i, n - i) - low) * per_unit - place), n - i);
  }
}

void NAS_PER_ISA(gaussian_slopes)(float *du, const float *u, const float *phi, const float *g, float low,
                                  float per_unit, int64_t first, int64_t count, int64_t n) {
  for (int64_t k = 0; k < count; k++, phi += n, g += n) {
    float place = (float)(first + k), factor = -2 * per_unit;
    for (int64_t i = 0; i < n; i += 16) {
      v16 t = (load_upto(u + i, n - i) - low) * per_unit - place;
      v16 d = factor * t * load_upto(phi + i, n - i) * load_upto(g + i, n - i);
      store_upto(du + i, load_upto(du + i, n - i) + d, n - i);
    }
  }
}

void NAS_PER_ISA(chebyshev)(float *phi, const float *u, float *last, int64_t first, int64_t count, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 x = load_upto(u + i, n - i), older, newer;
    if (first > 0) {
      older = load_upto(last + i, n - i);
      newer = load_upto(last + n + i, n - i);
    } else { /* T_-2 and T_-1 */
      older = 2 * x * x - 1;
      newer = x;
    }
    for (int64_t k = 0; k < count; k++) {
      v16 next = first + k == 0 ? splat(1) : 2 * x * newer - older;
      older = newer;
      newer = next;
      store_upto(phi + k * n + i, next, n - i);
    }
    store_upto(last + i, older, n - i);
    store_upto(last + n + i, newer, n - i);
  }
}

void NAS_PER_ISA(chebyshev_slopes)(float *du, const float *u, float *last, const float *g, int64_t first, int64_t count,
                                   int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 x = load_upto(u + i, n - i), older = {0}, newer = {0}, sum = {0}; /* of the second kind: U_first-2, U_first-1 */
    if (first > 0) {
      older = load_upto(last + i, n - i);
      newer = load_upto(last + n + i, n - i);
    } else {
      older = splat(-1);
    }
    for (int64_t k = 0; k < count; k++) {
      sum += (float)(first + k) * newer * load_upto(g + k * n + i, n - i);
      v16 next = 2 * x * newer - older;
      older = newer;
      newer = next;
    }
    store_upto(last + i, older, n - i);
    store_upto(last + n + i, newer, n - i);
    store_upto(du + i, load_upto(du + i, n - i) + sum * (1 - x * x), n - i);
  }
}

static void turn_edge(float *to, int64_t to_row, const float *plus, const float *from, int64_t from_row, int64_t rows,
                      int64_t columns) {
  for (int64_t c = 0; c < columns; c++)
    for (int64_t r = 0; r < rows; r++) to[c * to_row + r] = (plus ? plus[c * to_row + r] : 0) + from[r * from_row + c];
}

void NAS_PER_ISA(turn)(float *to, int64_t to_row, const float *plus, const float *from, int64_t from_row, int64_t rows,
                       int64_t columns) {
  for (int64_t c = 0; c < columns; c += 16)
    for (int64_t r = 0; r < rows; r += 16) {
      const float *corner = from + r * from_row + c, *base = plus ? plus + c * to_row + r : NULL;
      float *target = to + c * to_row + r;
      if (rows - r < 16 || columns - c < 16) {
        turn_edge(target, to_row, base, corner, from_row, rows - r < 16 ? rows - r : 16,
                  columns - c < 16 ? columns - c : 16);
        continue;
      }
      v16 v[16];
      for (int i = 0; i < 16; i++) v[i] = load(corner + i * from_row);
      turn_square(v);
      for (int i = 0; i < 16; i++) store(target + i * to_row, base ? load(base + i * to_row) + v[i] : v[i]);
    }
}
