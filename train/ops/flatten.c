#ifdef REAL
static void FN(forward)(const nas_call *c) { memcpy(c->y, c->x[0], (size_t)nas_site_out(&c->site) * sizeof(REAL)); }

static void FN(backward)(const nas_call *c) {
  const REAL *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; dx && i < n; i++) dx[i] = dplus ? dplus[i] + dy[i] : dy[i];
}
#else
#include <string.h>

#include "train/op.h"
#define NAS_TEMPLATE "train/ops/flatten.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  int64_t size = nas_shape_size(site->in[0]);
  if (size > INT32_MAX) return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "a vector of more than 2^31 numbers");
  *out = (nas_shape){(int32_t)size, 1, 1};
  return NAS_OK;
}

const nas_op nas_op_flatten = {
    .name = "flatten",
    .version = 1,
    .summary = "its input as one vector, in the order of memory (pixel by pixel)",
    .citation = "",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_ALIAS | NAS_OP_KEEPS_ZERO,
    .infer = infer,
    .f32 = {.forward = forward_f32, .backward = backward_f32},
    .f64 = {.forward = forward_f64, .backward = backward_f64},
};
#endif
