#ifdef REAL
static void FN(forward)(const nas_call *c) {
  int64_t n = nas_site_out(&c->site), members = c->site.attrs.groups, channels = c->site.out.c;
  const REAL *x = c->x[0], *bias = c->param[0];
  REAL *y = c->y;
  for (int64_t k = 0; k < n; k++) {
    double sum = 0;
    for (int64_t i = k * members; i < (k + 1) * members; i++) sum += (double)x[i] * (double)x[i];
    y[k] = (REAL)(sqrt(sum) + (double)bias[k % channels]);
  }
}

static void FN(backward)(const nas_call *c) {
  int64_t n = nas_site_out(&c->site), members = c->site.attrs.groups, channels = c->site.out.c;
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0], *dbias = c->grad[0];
  for (int64_t o = 0; o < channels; o++) {
    double sum = 0;
    for (int64_t k = o; k < n; k += channels) sum += (double)dy[k];
    dbias[o] = (REAL)sum;
  }
  for (int64_t k = 0; dx && k < n; k++) {
    double sum = 0;
    for (int64_t i = k * members; i < (k + 1) * members; i++) sum += (double)x[i] * (double)x[i];
    double by = sum > 0 ? (double)dy[k] / sqrt(sum) : 0;
    for (int64_t i = k * members; i < (k + 1) * members; i++) {
      REAL d = (REAL)(by * (double)x[i]);
      dx[i] = dplus ? dplus[i] + d : d;
    }
  }
}
#else
#include <math.h>

#include "train/op.h"
#define NAS_TEMPLATE "train/ops/group_length.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  if (site->attrs.groups < 1 || site->in[0].c % site->attrs.groups)
    return nas_fail(err, NAS_E_BAD_INPUT, label,
                    "lengths of %d channels each out of %d; the first must divide the second", site->attrs.groups,
                    site->in[0].c);
  *out = site->in[0];
  out->c /= site->attrs.groups;
  return NAS_OK;
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  out[0] = (nas_param_spec){.name = "bias", .count = site->out.c, .init = NAS_INIT_ZERO};
  return 1;
}

static int64_t macs(const nas_site *site) { return nas_shape_size(site->in[0]); }

const nas_op nas_op_group_length = {
    .name = "group_length",
    .version = 1,
    .summary = "the Euclidean length of each `groups` neighbouring channels, and a bias",
    .citation = "T. Miyato et al., Artificial Kuramoto oscillatory neurons, arXiv:2410.13821",
    .attributes = "groups",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X},
};
#endif
