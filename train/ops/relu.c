#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const REAL *x = c->x[0], *plus = c->plus;
  REAL *y = c->y;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) {
    REAL v = x[i] > 0 ? x[i] : (REAL)0;
    y[i] = plus ? plus[i] + v : v;
  }
}

static void FN(backward)(const nas_call *c) {
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  if (!dx) return;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) {
    REAL g = x[i] > 0 ? dy[i] : (REAL)0;
    dx[i] = dplus ? dplus[i] + g : g;
  }
}
#else
#include "train/kernels/kernels.h"
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/relu.c"
#include "train/op_template.h"

static void forward_fast(const nas_call *c) { nas_kernels()->relu(c->y, c->x[0], nas_site_out(&c->site)); }

static void backward_fast(const nas_call *c) {
  if (c->dx[0]) nas_kernels()->relu_gradient(c->dx[0], c->dplus[0], c->x[0], c->dy, nas_site_out(&c->site));
}

static const nas_kernel fast = {.forward = forward_fast, .backward = backward_fast, .reads = NAS_READS_X};

const nas_op nas_op_relu = {
    .name = "relu",
    .version = 1,
    .summary = "max(x, 0)",
    .citation = "V. Nair, G. Hinton, Rectified linear units improve restricted Boltzmann machines, ICML 2010",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO | NAS_OP_RELU | NAS_OP_ELEMENTWISE,
    .infer = nas_infer_same,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X, .sinks = true},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X, .sinks = true},
    .fast = &fast,
};
#endif
