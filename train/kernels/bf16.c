/* Loops that leave 16-bit numbers (the upper half of a float, rounded to nearest, ties to even) for the convolutions.
 */
#include "train/kernels/bf16.h"

#include <string.h>

#include "train/kernels/half.h"

static uint16_t rounded_one(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  if (v != v) return 0x7fc0;
  return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* Above zero, or not a number: a NaN must reach the loss. */
INLINE v16 positive_part(v16 v) { return (v16)((i16)v & ~(v <= 0)); }

void NAS_PER_ISA(to_bf16)(uint16_t *y, const float *x, bool relu, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) store_half(y + i, relu ? positive_part(load(x + i)) : load(x + i));
  for (; i < n; i++) y[i] = rounded_one(relu && x[i] <= 0 ? 0 : x[i]);
}

void NAS_PER_ISA(to_f32)(float *y, nas_numbers x, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = one_number(x, i);
}

void NAS_PER_ISA(norm_gradient_bf16)(uint16_t *dx, int64_t pitch, const float *dy, const float *x, const float *mean,
                                     const float *a, const float *b, const float *c, int64_t rows, int64_t channels) {
  int64_t k = 0;
  for (; k + 16 <= channels; k += 16) {
    v16 m = load(mean + k), fa = load(a + k), fb = load(b + k), fc = load(c + k);
    for (int64_t r = 0; r < rows; r++) {
      int64_t i = r * channels + k;
      store_half(dx + r * pitch + k, load(dy + i) * fa + ((load(x + i) - m) * fb + fc));
    }
  }
  int64_t rest = k;
  for (int64_t r = 0; r < rows; r++)
    for (k = rest; k < channels; k++) {
      int64_t i = r * channels + k;
      dx[r * pitch + k] = rounded_one(dy[i] * a[k] + ((x[i] - mean[k]) * b[k] + c[k]));
    }
}
