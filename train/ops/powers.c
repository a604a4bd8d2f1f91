#ifdef REAL
static void FN(forward)(const nas_call *c) {
  int64_t runs = runs_of(c), rows = nas_site_rows(&c->site, 0) * runs;
  int64_t in = c->site.in[0].c / runs, order = c->site.attrs.groups;
  const REAL *x = c->x[0];
  REAL *y = c->y;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < in; i++) {
      REAL power = 1;
      for (int64_t q = 0; q < order; q++) y[(r * order + q) * in + i] = power *= x[r * in + i];
    }
}

static void FN(backward)(const nas_call *c) {
  int64_t runs = runs_of(c), rows = nas_site_rows(&c->site, 0) * runs;
  int64_t in = c->site.in[0].c / runs, order = c->site.attrs.groups;
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  for (int64_t r = 0; dx && r < rows; r++)
    for (int64_t i = 0; i < in; i++) {
      REAL power = 1, d = 0;
      for (int64_t q = 0; q < order; q++, power *= x[r * in + i])
        d += (REAL)(q + 1) * power * dy[(r * order + q) * in + i];
      dx[r * in + i] = dplus ? dplus[r * in + i] + d : d;
    }
}
#else
#include "train/op.h"
/* Runs of channels, each like a row of its own. */
static int64_t runs_of(const nas_call *c) { return c->site.attrs.out ? c->site.attrs.out : 1; }

#define NAS_TEMPLATE "train/ops/powers.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  int64_t channels = (int64_t)site->in[0].c * site->attrs.groups;
  if (site->attrs.groups < 1 || channels > INT32_MAX)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "%d powers; there must be at least 1", site->attrs.groups);
  if (site->attrs.out < 0 || (site->attrs.out && site->in[0].c % site->attrs.out))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d runs of channels out of %d; the first must divide the second",
                    site->attrs.out, site->in[0].c);
  *out = (nas_shape){(int32_t)channels, site->in[0].h, site->in[0].w};
  return NAS_OK;
}

static int64_t macs(const nas_site *site) { return (site->attrs.groups - 1) * nas_shape_size(site->in[0]); }

const nas_op nas_op_powers = {
    .name = "powers",
    .version = 1,
    .summary =
        "its input, the squares, the cubes ... up to power `groups`, one after the other as channels; in each of "
        "`out` runs of channels",
    .citation = "S. Kiranyaz et al., Self-organized operational neural networks, Neural Networks 140, 2021",
    .attributes = "groups out",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO,
    .infer = infer,
    .macs = macs,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X},
};
#endif
