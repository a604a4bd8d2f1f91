/* Powers of positive numbers by their logarithms, for power means. */
#include <math.h>

#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

#include "train/kernels/sleef_vector.h"

DEFINE_EACH(exp)
DEFINE_EACH(log)
DEFINE_EACH(log1p)

static const float LEAST = 1e-12F;

INLINE v16 positive_of(v16 x, bool softplus) {
  return at_least(splat(LEAST), softplus ? select_positive(x, x) + EACH(log1p, EACH(exp, -magnitude(x))) : x);
}

void NAS_PER_ISA(log_positive)(float *y, const float *x, bool softplus, int64_t n) {
  for (int64_t i = 0; i < n; i += 16)
    store_upto(y + i, EACH(log, positive_of(load_upto(x + i, n - i), softplus)), n - i);
}

void NAS_PER_ISA(log_positive_gradient)(float *dx, const float *plus, const float *x, const float *g, bool softplus,
                                        int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    v16 v = load_upto(x + i, n - i), slope = softplus ? logistic_of(v) : (v16)((i16)splat(1) & (v > LEAST));
    v16 d = load_upto(g + i, n - i) * slope / positive_of(v, softplus);
    store_upto(dx + i, plus ? load_upto(plus + i, n - i) + d : d, n - i);
  }
}

void NAS_PER_ISA(powers)(const nas_powers *p, float *y) {
  for (int64_t r = 0; r < p->rows; r++) {
    float top = p->exponent * (p->exponent < 0 ? p->lowest[r] : p->highest[r]);
    const float *logs = p->logs + r * p->in;
    float *to = y + r * p->in;
    for (int64_t i = 0; i < p->in; i += 16) {
      v16 v = p->exponent * load_upto(logs + i, p->in - i) - top;
      store_upto(to + i, exp_of(v), p->in - i);
    }
  }
}

double NAS_PER_ISA(powers_gradient)(const nas_powers *p, const float *y, const float *g, float *by_log) {
  double all = 0;
  for (int64_t r = 0; r < p->rows; r++) {
    v16 sum = {0};
    for (int64_t i = 0; i < p->in; i += 16) {
      int64_t at = r * p->in + i, left = p->in - i;
      v16 d = load_upto(y + at, left) * load_upto(g + at, left);
      sum += d * load_upto(p->logs + at, left);
      store_upto(by_log + at, load_upto(by_log + at, left) + p->exponent * d, left);
    }
    all += (double)sum_of(sum);
  }
  return all;
}

void NAS_PER_ISA(lowest_highest)(nas_powers *p) {
  for (int64_t r = 0; r < p->rows; r++) {
    const float *logs = p->logs + r * p->in;
    float low = logs[0], high = logs[0];
    for (int64_t i = 1; i < p->in; i++) {
      low = logs[i] < low ? logs[i] : low;
      high = logs[i] > high ? logs[i] : high;
    }
    p->lowest[r] = low;
    p->highest[r] = high;
  }
}

/* The logarithm of a mean, from the sums of the powers `up` and `down`. */
INLINE v16 log_mean(const nas_powers *up, const nas_powers *down, int64_t row, v16 above, v16 below) {
  float p = up->exponent, q = down->exponent, gap = p - q;
  bool same = (p < 0) == (q < 0); /* one end of the row for both: their difference cancels beforehand */
  float end = p < 0 ? up->lowest[row] : up->highest[row], other = q < 0 ? up->lowest[row] : up->highest[row];
  float shift = same ? end : (p * end - q * other) / gap;
  return EACH(log, above / below) * (1 / gap) + shift;
}

void NAS_PER_ISA(means)(const nas_powers *up, const nas_powers *down, const float *above, const float *below, float *y,
                        int64_t out) {
  for (int64_t r = 0; r < up->rows; r++)
    for (int64_t o = 0; o < out; o += 16) {
      int64_t at = r * out + o, left = out - o;
      v16 mean = log_mean(up, down, r, load_upto(above + at, left), load_upto(below + at, left));
      store_upto(y + at, EACH(exp, mean), left);
    }
}

double NAS_PER_ISA(means_gradient)(const nas_powers *up, const nas_powers *down, float *above, float *below,
                                   const float *dy, int64_t out) {
  double all = 0;
  float per_gap = 1 / (up->exponent - down->exponent);
  for (int64_t r = 0; r < up->rows; r++) {
    v16 sum = {0};
    for (int64_t o = 0; o < out; o += 16) {
      int64_t at = r * out + o, left = out - o;
      v16 a = load_upto(above + at, left), b = load_upto(below + at, left);
      v16 mean = log_mean(up, down, r, a, b), g = load_upto(dy + at, left) * EACH(exp, mean) * per_gap;
      if (left < 16) { /* nothing of the numbers that are not there */
        float rest[16] = {0};
        store_part(rest, g * mean, left);
        sum += load(rest);
      } else {
        sum += g * mean;
      }
      store_upto(above + at, g / a, left);
      store_upto(below + at, -g / b, left);
    }
    all += (double)sum_of(sum);
  }
  return all;
}
