#ifdef REAL
static void FN(forward)(const nas_call *c) { memset(c->y, 0, (size_t)nas_site_out(&c->site) * sizeof(REAL)); }

static void FN(backward)(const nas_call *c) {
  if (!c->dx[0]) return;
  size_t bytes = (size_t)nas_site_out(&c->site) * sizeof(REAL);
  if (!c->dplus[0]) memset(c->dx[0], 0, bytes);
  else if (c->dplus[0] != c->dx[0]) memcpy(c->dx[0], c->dplus[0], bytes);
}
#else
#include <string.h>

#include "train/op.h"
#define NAS_TEMPLATE "train/ops/zero.c"
#include "train/op_template.h"

const nas_op nas_op_zero = {
    .name = "zero",
    .version = 1,
    .summary = "zero everywhere, in the shape of its input: an edge that is not there",
    .citation = "",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_ZERO,
    .infer = nas_infer_same,
    .f32 = {.forward = forward_f32, .backward = backward_f32},
    .f64 = {.forward = forward_f64, .backward = backward_f64},
};
#endif
