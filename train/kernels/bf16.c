/* Loops that leave 16-bit numbers (the upper half of a float, rounded to nearest, ties to even) for the convolutions.
 */
#include "train/kernels/bf16.h"

#include "train/kernels/half.h"

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
