#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const REAL *x = c->x[0];
  REAL *y = c->y;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) y[i] = (REAL)tanh((double)x[i]);
}

static void FN(backward)(const nas_call *c) {
  const REAL *y = c->y, *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  if (!dx) return;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) {
    REAL g = (1 - y[i] * y[i]) * dy[i];
    dx[i] = dplus ? dplus[i] + g : g;
  }
}
#else
#include <math.h>

#include "train/kernels/kernels.h"
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/tanh.c"
#include "train/op_template.h"

static void forward_fast(const nas_call *c) { nas_kernels()->tanh(c->y, c->x[0], nas_site_out(&c->site)); }

static const nas_kernel fast = {.forward = forward_fast, .backward = backward_f32, .reads = NAS_READS_Y};

const nas_op nas_op_tanh = {
    .name = "tanh",
    .version = 1,
    .summary = "the hyperbolic tangent",
    .citation = "",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO | NAS_OP_ELEMENTWISE,
    .infer = nas_infer_same,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_Y},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_Y},
    .fast = &fast,
};
#endif
