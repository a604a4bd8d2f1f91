/* The planner's own operation: y = plus + sum of factor[i] x[i]. Its backward pass is the planner's too. */
#ifdef REAL
static void FN(forward)(const nas_call *c) {
  int64_t n = c->elements;
  const REAL *plus = c->plus;
  REAL *y = c->y;
  for (int64_t i = 0; i < n; i++) {
    REAL sum = plus ? plus[i] : (REAL)0;
    for (int32_t k = 0; k < c->site.n_in; k++) sum += (REAL)c->factor[k] * ((const REAL *)c->x[k])[i];
    y[i] = sum;
  }
}
#else
#include "train/weighted_sum.h"

#include "train/kernels/kernels.h"
#define NAS_TEMPLATE "train/weighted_sum.c"
#include "train/op_template.h"

const nas_kernel nas_weighted_sum_f32 = {.forward = forward_f32, .sinks = true};
const nas_kernel nas_weighted_sum_f64 = {.forward = forward_f64, .sinks = true};

static void forward_fast(const nas_call *c) {
  nas_kernels()->weighted_sum(c->y, c->plus, (const float *const *)c->x, c->factor, c->site.n_in, c->elements);
}

const nas_kernel nas_weighted_sum_fast = {.forward = forward_fast, .sinks = true};

#endif
