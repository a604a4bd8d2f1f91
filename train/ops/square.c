#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const REAL *x = c->x[0], *plus = c->plus;
  REAL *y = c->y;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) {
    REAL v = x[i] * x[i];
    y[i] = plus ? plus[i] + v : v;
  }
}

static void FN(backward)(const nas_call *c) {
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  if (!dx) return;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) {
    REAL g = 2 * x[i] * dy[i];
    dx[i] = dplus ? dplus[i] + g : g;
  }
}
#else
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/square.c"
#include "train/op_template.h"

static int64_t macs(const nas_site *site) { return nas_shape_size(site->in[0]); }

const nas_op nas_op_square = {
    .name = "square",
    .version = 1,
    .summary = "x * x, element by element",
    .citation = "",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO | NAS_OP_ELEMENTWISE,
    .infer = nas_infer_same,
    .macs = macs,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X, .sinks = true},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X, .sinks = true},
};
#endif
