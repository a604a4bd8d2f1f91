#ifdef REAL
/* Mean and 1/deviation of the numbers that are normalised together. */
static moments FN(moments_of)(const nas_call *c, const extent *e, int64_t n, int64_t group) {
  double mean = 0, square = 0, count = (double)(e->pixels * e->members);
  for (int64_t k = 0; k < e->pixels * e->members; k++) mean += (double)((const REAL *)c->x[0])[place(e, n, group, k)];
  mean /= count;
  for (int64_t k = 0; k < e->pixels * e->members; k++) {
    double d = (double)((const REAL *)c->x[0])[place(e, n, group, k)] - mean;
    square += d * d;
  }
  return (moments){mean, 1 / sqrt(square / count + 1e-5)};
}

static void FN(forward)(const nas_call *c) {
  extent e = extent_of(c);
  const REAL *x = c->x[0], *scale = c->param[0], *shift = c->param[1];
  REAL *y = c->y;
  for (int64_t n = 0; n < e.batch; n++)
    for (int64_t group = 0; group < e.groups; group++) {
      moments m = FN(moments_of)(c, &e, n, group);
      for (int64_t k = 0; k < e.pixels * e.members; k++) {
        int64_t at = place(&e, n, group, k), channel = at % e.channels;
        y[at] = (REAL)(((double)x[at] - m.mean) * m.inverse * (double)scale[channel] + (double)shift[channel]);
      }
    }
}

static void FN(backward)(const nas_call *c) {
  extent e = extent_of(c);
  const REAL *x = c->x[0], *scale = c->param[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  double *sum_scale = c->scratch, *sum_shift = sum_scale + e.channels;
  memset(sum_scale, 0, (size_t)(2 * e.channels) * sizeof *sum_scale);
  for (int64_t n = 0; n < e.batch; n++)
    for (int64_t group = 0; group < e.groups; group++) {
      moments m = FN(moments_of)(c, &e, n, group);
      int64_t count = e.pixels * e.members;
      double flat = 0, along = 0;
      for (int64_t k = 0; k < count; k++) {
        int64_t at = place(&e, n, group, k), channel = at % e.channels;
        double unit = ((double)x[at] - m.mean) * m.inverse, g = (double)dy[at] * (double)scale[channel];
        sum_scale[channel] += (double)dy[at] * unit;
        sum_shift[channel] += (double)dy[at];
        flat += g / (double)count;
        along += g * unit / (double)count;
      }
      for (int64_t k = 0; dx && k < count; k++) {
        int64_t at = place(&e, n, group, k);
        double unit = ((double)x[at] - m.mean) * m.inverse;
        REAL d = (REAL)(m.inverse * ((double)dy[at] * (double)scale[at % e.channels] - flat - unit * along));
        dx[at] = dplus ? dplus[at] + d : d;
      }
    }
  for (int64_t k = 0; k < e.channels; k++) {
    ((REAL *)c->grad[0])[k] = (REAL)sum_scale[k];
    ((REAL *)c->grad[1])[k] = (REAL)sum_shift[k];
  }
}
#else
#include <math.h>
#include <string.h>

#include "train/kernels/kernels.h"
#include "train/op.h"

typedef struct moments {
  double mean, inverse;
} moments;

/* Numbers that share moments: `members` neighbouring channels at `pixels` pixels, `groups` times per image. A layer
 * norm takes every pixel for an image of its own. */
typedef struct extent {
  int64_t batch, pixels, channels, groups, members;
} extent;

static extent extent_of(const nas_call *c) {
  const nas_site *s = &c->site;
  int64_t groups = s->attrs.groups > 0 ? s->attrs.groups : 1;
  if (s->attrs.kernel_h == -1) return (extent){nas_site_rows(s, 0), 1, s->in[0].c, 1, s->in[0].c};
  return (extent){s->batch, nas_shape_pixels(s->in[0]), s->in[0].c, groups, s->in[0].c / groups};
}

static int64_t place(const extent *e, int64_t n, int64_t group, int64_t k) {
  return (n * e->pixels + k / e->members) * e->channels + group * e->members + k % e->members;
}

#define NAS_TEMPLATE "train/ops/group_norm.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  int32_t groups = site->attrs.groups > 0 ? site->attrs.groups : 1;
  if (site->attrs.groups < 0 || site->in[0].c % groups)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d channels in %d groups; the groups must divide the channels",
                    site->in[0].c, site->attrs.groups);
  return nas_infer_same(site, label, out, err);
}

static nas_status infer_layer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  if (site->in[0].c < 2)
    return nas_fail(err, NAS_E_BAD_INPUT, label,
                    "a layer norm of 1 number is always its shift; take at least 2 inputs or leave it out");
  return nas_infer_same(site, label, out, err);
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  out[0] = (nas_param_spec){.name = "weight", .count = site->in[0].c, .init = NAS_INIT_ONE};
  out[1] = (nas_param_spec){.name = "bias", .count = site->in[0].c, .init = NAS_INIT_ZERO};
  return 2;
}

static int64_t macs(const nas_site *site) { return nas_shape_size(site->in[0]); }

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  c->site.attrs.kernel_h = 0;
  c->backward_scratch = 2 * c->site.in[0].c * (int64_t)sizeof(double);
  return NAS_OK;
}

/* The kernels are those of the group norm; this mark tells them to take each pixel alone. */
static nas_status prepare_layer(nas_call *c, nas_err *err) {
  NAS_TRY(prepare(c, err));
  c->site.attrs.kernel_h = -1;
  return NAS_OK;
}

static nas_group_norm described(const nas_call *c) {
  extent e = extent_of(c);
  return (nas_group_norm){.images = e.batch,
                          .pixels = e.pixels,
                          .channels = e.channels,
                          .members = e.members,
                          .x = c->x[0],
                          .scale = c->param[0],
                          .shift = c->param[1],
                          .y = c->y,
                          .dy = c->dy,
                          .dplus = c->dplus[0],
                          .dx = c->dx[0],
                          .dscale = c->grad[0],
                          .dshift = c->grad[1],
                          .scratch = c->scratch};
}

static void forward_fast(const nas_call *c) {
  nas_group_norm g = described(c);
  nas_kernels()->group_norm(&g);
}

static void backward_fast(const nas_call *c) {
  nas_group_norm g = described(c);
  nas_kernels()->group_norm_gradient(&g);
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(prepare(c, err));
  c->forward_scratch = c->backward_scratch = nas_group_norm_scratch(c->site.in[0].c) * (int64_t)sizeof(float);
  return NAS_OK;
}

static nas_status prepare_layer_fast(nas_call *c, nas_err *err) {
  NAS_TRY(prepare_fast(c, err));
  c->site.attrs.kernel_h = -1;
  return NAS_OK;
}

static const nas_kernel fast = {
    .prepare = prepare_fast, .forward = forward_fast, .backward = backward_fast, .reads = NAS_READS_X};
static const nas_kernel fast_layer = {
    .prepare = prepare_layer_fast, .forward = forward_fast, .backward = backward_fast, .reads = NAS_READS_X};

const nas_op nas_op_group_norm = {
    .name = "group_norm",
    .version = 1,
    .summary = "groups of channels scaled to mean 0 and variance 1 in each image, then by a trained scale and shift",
    .citation = "Y. Wu, K. He, Group normalization, arXiv:1803.08494",
    .attributes = "groups",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = {.prepare = prepare, .forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X},
    .f64 = {.prepare = prepare, .forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X},
    .fast = &fast,
};

const nas_op nas_op_layer_norm = {
    .name = "layer_norm",
    .version = 1,
    .summary = "the channels of each pixel scaled to mean 0 and variance 1, then by a trained scale and shift",
    .citation = "J. Ba, J. Kiros, G. Hinton, Layer normalization, arXiv:1607.06450",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer_layer,
    .params = params,
    .macs = macs,
    .f32 = {.prepare = prepare_layer, .forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X},
    .f64 = {.prepare = prepare_layer, .forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X},
    .fast = &fast_layer,
};
#endif
