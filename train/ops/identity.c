#ifdef REAL
static void FN(forward)(const nas_call *c) { memcpy(c->y, c->x[0], (size_t)nas_site_out(&c->site) * sizeof(REAL)); }

static void FN(backward)(const nas_call *c) {
  const REAL *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  if (!dx) return;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) dx[i] = dplus ? dplus[i] + dy[i] : dy[i];
}
#else
#include <string.h>

#include "train/op.h"
#define NAS_TEMPLATE "train/ops/identity.c"
#include "train/op_template.h"

const nas_op nas_op_identity = {
    .name = "identity",
    .version = 1,
    .summary = "its input, unchanged (a skip connection)",
    .citation = "",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_ALIAS | NAS_OP_KEEPS_ZERO,
    .infer = nas_infer_same,
    .f32 = {.forward = forward_f32, .backward = backward_f32},
    .f64 = {.forward = forward_f64, .backward = backward_f64},
};
#endif
