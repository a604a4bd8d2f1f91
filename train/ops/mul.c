#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const REAL *a = c->x[0], *b = c->x[1], *plus = c->plus;
  REAL *y = c->y;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) y[i] = plus ? plus[i] + a[i] * b[i] : a[i] * b[i];
}

static void FN(backward)(const nas_call *c) {
  int64_t n = nas_site_out(&c->site);
  const REAL *dy = c->dy;
  for (int k = 0; k < 2; k++) {
    const REAL *other = c->x[1 - k], *dplus = c->dplus[k];
    REAL *dx = c->dx[k];
    if (!dx) continue;
    for (int64_t i = 0; i < n; i++) dx[i] = dplus ? dplus[i] + other[i] * dy[i] : other[i] * dy[i];
  }
}
#else
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/mul.c"
#include "train/op_template.h"

static int64_t macs(const nas_site *site) { return nas_shape_size(site->out); }

const nas_op nas_op_mul = {
    .name = "mul",
    .version = 1,
    .summary = "the product of two values, element by element",
    .citation = "",
    .attributes = "",
    .min_inputs = 2,
    .max_inputs = 2,
    .traits = NAS_OP_ZERO_IF_ANY | NAS_OP_ELEMENTWISE,
    .infer = nas_infer_same,
    .macs = macs,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X, .sinks = true},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X, .sinks = true},
};
#endif
