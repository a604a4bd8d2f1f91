#ifdef REAL
static void FN(forward)(const nas_call *c) {
  REAL *y = c->y;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) {
    REAL sum = ((const REAL *)c->x[0])[i];
    for (int32_t k = 1; k < c->site.n_in; k++) sum += ((const REAL *)c->x[k])[i];
    y[i] = sum;
  }
}

static void FN(backward)(const nas_call *c) {
  int64_t n = nas_site_out(&c->site);
  const REAL *dy = c->dy;
  for (int32_t k = 0; k < c->site.n_in; k++) {
    const REAL *dplus = c->dplus[k];
    REAL *dx = c->dx[k];
    if (!dx) continue;
    for (int64_t i = 0; i < n; i++) dx[i] = dplus ? dplus[i] + dy[i] : dy[i];
  }
}
#else
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/add.c"
#include "train/op_template.h"

const nas_op nas_op_add = {
    .name = "add",
    .version = 1,
    .summary = "the sum of its inputs",
    .citation = "",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = NAS_LAYER_INPUTS_MAX,
    .traits = NAS_OP_SUM | NAS_OP_KEEPS_ZERO,
    .infer = nas_infer_same,
    .f32 = {.forward = forward_f32, .backward = backward_f32},
    .f64 = {.forward = forward_f64, .backward = backward_f64},
};
#endif
