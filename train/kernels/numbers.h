#ifndef NAS_TRAIN_KERNELS_NUMBERS_H
#define NAS_TRAIN_KERNELS_NUMBERS_H
#include <stdbool.h>
#include <stdint.h>

/* Numbers of f32 or, with `half`, of bf16: the upper half of an f32. */
typedef struct nas_numbers {
  const void *at;
  bool half;
} nas_numbers;

static inline nas_numbers nas_f32(const float *x) { return (nas_numbers){x, false}; }
/* Number i and those after it. */
static inline nas_numbers nas_numbers_from(nas_numbers x, int64_t i) {
  return (nas_numbers){(const char *)x.at + i * (x.half ? 2 : 4), x.half};
}
#endif
