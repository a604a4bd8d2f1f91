#ifdef REAL
static void FN(forward)(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c;
  const REAL *x = (const REAL *)c->x[0] + c->site.attrs.pad;
  for (int64_t r = 0; r < rows; r++) memcpy((REAL *)c->y + r * out, x + r * in, (size_t)out * sizeof(REAL));
}

static void FN(backward)(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c, from = c->site.attrs.pad;
  const REAL *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  for (int64_t r = 0; dx && r < rows; r++)
    for (int64_t i = 0; i < in; i++) {
      REAL d = i >= from && i < from + out ? dy[r * out + i - from] : (REAL)0;
      dx[r * in + i] = dplus ? dplus[r * in + i] + d : d;
    }
}
#else
#include <string.h>

#include "train/op.h"
#define NAS_TEMPLATE "train/ops/slice.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  int64_t end = (int64_t)site->attrs.pad + site->attrs.out;
  if (site->attrs.pad < 0 || site->attrs.out < 1 || end > site->in[0].c)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "channels %d to %lld out of %d", site->attrs.pad, (long long)end - 1,
                    site->in[0].c);
  *out = (nas_shape){site->attrs.out, site->in[0].h, site->in[0].w};
  return NAS_OK;
}

const nas_op nas_op_slice = {
    .name = "slice",
    .version = 1,
    .summary = "`out` channels from channel `pad` on",
    .citation = "",
    .attributes = "out pad",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO,
    .infer = infer,
    .f32 = {.forward = forward_f32, .backward = backward_f32},
    .f64 = {.forward = forward_f64, .backward = backward_f64},
};
#endif
