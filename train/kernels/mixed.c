/* Six activations side by side, weighted per channel; sums per channel are of at most 256 rows in single precision. */
#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

enum { POOL = NAS_MIXED_POOL, ROWS = 256 };

INLINE v16 pick(i16 set, v16 yes, v16 no) { return (v16)(((i16)yes & set) | ((i16)no & ~set)); }
INLINE v16 clamp(v16 x) { return at_least(splat(-10), at_most(splat(10), x)); }
/* The slope of a clamped number. */
INLINE v16 inside(v16 y, v16 slope) { return (v16)((i16)slope & ((y >= -10) & (y <= 10))); }

/* relu, sigmoid, tanh, leaky relu, elu, selu. */
INLINE void activate(v16 x, v16 *y, v16 *slope) {
  const float scale = 1.05070098F, alpha = 1.67326324F;
  i16 above = x > 0;
  v16 one = splat(1), fall = exp_of(at_most(splat(0), x)), gate = logistic_of(x), bend = tanh_of_any(x);
  y[0] = select_positive(x, x), slope[0] = (v16)((i16)one & above);
  y[1] = gate, slope[1] = gate * (1 - gate);
  y[2] = bend, slope[2] = 1 - bend * bend;
  y[3] = pick(above, x, 0.01F * x), slope[3] = pick(above, one, splat(0.01F));
  y[4] = pick(above, x, fall - 1), slope[4] = pick(above, one, fall);
  y[5] = scale * pick(above, x, alpha * (fall - 1)), slope[5] = scale * pick(above, one, alpha * fall);
  for (int a = 0; a < POOL; a++) {
    slope[a] = inside(y[a], slope[a]);
    y[a] = clamp(y[a]);
  }
}

void NAS_PER_ISA(mixed)(const nas_mixed *m) {
  for (int64_t k = 0; k < m->channels; k += 16) {
    int64_t left = m->channels - k;
    v16 w[POOL], y[POOL], slope[POOL];
    for (int a = 0; a < POOL; a++) w[a] = load_upto(m->weight + a * m->channels + k, left);
    for (int64_t at = k; at < m->rows * m->channels; at += m->channels) {
      v16 sum = {0};
      activate(load_upto(m->x + at, left), y, slope);
      for (int a = 0; a < POOL; a++) sum += w[a] * y[a];
      store_upto(m->y + at, clamp(sum), left);
    }
  }
}

void NAS_PER_ISA(mixed_gradient)(const nas_mixed *m) {
  for (int64_t k = 0; k < m->channels; k += 16) {
    int64_t left = m->channels - k;
    v16 w[POOL], y[POOL], slope[POOL];
    for (int a = 0; a < POOL; a++) w[a] = load_upto(m->weight + a * m->channels + k, left);
    for (int64_t row = 0; row < m->rows; row += ROWS) {
      int64_t last = m->rows < row + ROWS ? m->rows : row + ROWS;
      v16 sums[POOL] = {{0}};
      for (int64_t at = row * m->channels + k; at < last * m->channels; at += m->channels) {
        v16 sum = {0}, d = {0};
        activate(load_upto(m->x + at, left), y, slope);
        for (int a = 0; a < POOL; a++) sum += w[a] * y[a], d += w[a] * slope[a];
        v16 g = inside(sum, load_upto(m->dy + at, left));
        for (int a = 0; a < POOL; a++) sums[a] += g * y[a];
        if (m->dx) store_upto(m->dx + at, m->dplus ? load_upto(m->dplus + at, left) + g * d : g * d, left);
      }
      for (int a = 0; a < POOL; a++) {
        float part[16];
        store(part, sums[a]);
        for (int64_t i = 0; i < 16 && i < left; i++) m->by_weight[a * m->channels + k + i] += (double)part[i];
      }
    }
  }
}
