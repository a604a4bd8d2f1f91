#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const REAL *x = c->x[0], *weight = c->param[0], *bias = c->site.attrs.bias ? c->param[1] : NULL;
  REAL *y = c->y;
  int64_t in = nas_shape_size(c->site.in[0]), out = c->site.out.c;
  for (int64_t n = 0; n < c->site.batch; n++)
    for (int64_t o = 0; o < out; o++) {
      double sum = bias ? (double)bias[o] : 0;
      for (int64_t i = 0; i < in; i++) sum += (double)weight[o * in + i] * (double)x[n * in + i];
      y[n * out + o] = (REAL)sum;
    }
}

static void FN(backward)(const nas_call *c) {
  const REAL *x = c->x[0], *weight = c->param[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0], *dweight = c->grad[0], *dbias = c->site.attrs.bias ? c->grad[1] : NULL;
  int64_t in = nas_shape_size(c->site.in[0]), out = c->site.out.c, batch = c->site.batch;
  for (int64_t o = 0; o < out; o++) {
    double bias_sum = 0;
    for (int64_t n = 0; n < batch; n++) bias_sum += (double)dy[n * out + o];
    if (dbias) dbias[o] = (REAL)bias_sum;
    for (int64_t i = 0; i < in; i++) {
      double sum = 0;
      for (int64_t n = 0; n < batch; n++) sum += (double)dy[n * out + o] * (double)x[n * in + i];
      dweight[o * in + i] = (REAL)sum;
    }
  }
  if (!dx) return;
  for (int64_t n = 0; n < batch; n++)
    for (int64_t i = 0; i < in; i++) {
      double sum = 0;
      for (int64_t o = 0; o < out; o++) sum += (double)dy[n * out + o] * (double)weight[o * in + i];
      dx[n * in + i] = dplus ? dplus[n * in + i] + (REAL)sum : (REAL)sum;
    }
}
#else
#include <math.h>
#include <string.h>

#include "train/gemm.h"
#include "train/kernels/kernels.h"
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/linear.c"
#include "train/op_template.h"

/* With many rows the weights are turned first: the product is faster by more than that takes. */
static bool turns(const nas_call *c) { return c->site.batch >= 64 && c->site.out.c >= 16; }

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  (void)err;
  int64_t weights = nas_shape_size(c->site.in[0]) * c->site.out.c;
  if (turns(c)) c->forward_scratch = weights * (int64_t)sizeof(float);
  return NAS_OK;
}

static void forward_fast(const nas_call *c) {
  int64_t in = nas_shape_size(c->site.in[0]), out = c->site.out.c, batch = c->site.batch;
  const float *bias = c->site.attrs.bias ? c->param[1] : NULL;
  float *y = c->y;
  for (int64_t i = 0; i < batch; i++)
    if (bias) memcpy(y + i * out, bias, (size_t)out * sizeof *y);
  if (!turns(c)) {
    nas_gemm(false, true, batch, out, in, c->x[0], c->param[0], bias != NULL, y);
    return;
  }
  nas_kernels()->turn(c->scratch, out, NULL, c->param[0], in, out, in);
  nas_gemm(false, false, batch, out, in, c->x[0], c->scratch, bias != NULL, y);
}

static void backward_fast(const nas_call *c) {
  int64_t in = nas_shape_size(c->site.in[0]), out = c->site.out.c, batch = c->site.batch;
  const float *dy = c->dy;
  float *dbias = c->site.attrs.bias ? c->grad[1] : NULL;
  nas_gemm(true, false, out, in, batch, dy, c->x[0], false, c->grad[0]);
  if (dbias) nas_kernels()->column_sums(dbias, dy, batch, out);
  if (!c->dx[0]) return;
  if (c->dplus[0] && c->dplus[0] != c->dx[0]) memcpy(c->dx[0], c->dplus[0], (size_t)(batch * in) * sizeof(float));
  nas_gemm(false, false, batch, in, out, dy, c->param[0], c->dplus[0] != NULL, c->dx[0]);
}

static const nas_kernel fast = {
    .prepare = prepare_fast, .forward = forward_fast, .backward = backward_fast, .reads = NAS_READS_X};

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  if (site->attrs.out < 1)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d output features; there must be at least 1", site->attrs.out);
  *out = (nas_shape){site->attrs.out, 1, 1};
  return NAS_OK;
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  int64_t in = nas_shape_size(site->in[0]);
  double bound = 1 / sqrt((double)in);
  out[0] = (nas_param_spec){.name = "weight", .count = in * site->out.c, .init = NAS_INIT_UNIFORM, .bound = bound};
  out[1] = (nas_param_spec){.name = "bias", .count = site->out.c, .init = NAS_INIT_UNIFORM, .bound = bound};
  return site->attrs.bias ? 2 : 1;
}

static int64_t macs(const nas_site *site) { return nas_shape_size(site->in[0]) * site->out.c; }

const nas_op nas_op_linear = {
    .name = "linear",
    .version = 1,
    .summary = "weighted sums of all its inputs, in the order of memory, and a bias",
    .citation = "",
    .attributes = "out bias",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO_UNBIASED,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X},
    .fast = &fast,
};
#endif
