#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const nas_site *s = &c->site;
  const REAL *x = c->x[0], *weight = c->param[0], *bias = s->attrs.bias ? c->param[1] : NULL;
  REAL *y = c->y;
  taps t = taps_of(s);
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t row = 0; row < s->out.h; row++)
      for (int64_t column = 0; column < s->out.w; column++) {
        reach r = reach_of(s, row, column);
        for (int64_t o = 0; o < s->out.c; o++) {
          double sum = bias ? (double)bias[o] : 0;
          for (int64_t i = 0; i < t.in; i++)
            for (int64_t h = r.h0; h < r.h1; h++)
              for (int64_t w = r.w0; w < r.w1; w++)
                sum +=
                    (double)weight[weight_at(&t, o, i, h, w)] * (double)x[input_at(s, &t, n, row, column, o, i, h, w)];
          y[((n * s->out.h + row) * s->out.w + column) * s->out.c + o] = (REAL)sum;
        }
      }
}

/* One product of the backward pass: for every output element and tap, dx += dy w and dw += dy x, summed in double. */
static void FN(backward)(const nas_call *c) {
  const nas_site *s = &c->site;
  const REAL *x = c->x[0], *weight = c->param[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0], *dweight = c->grad[0], *dbias = s->attrs.bias ? c->grad[1] : NULL;
  taps t = taps_of(s);
  int64_t weights = s->out.c * t.in * t.kh * t.kw, inputs = nas_site_in(s, 0);
  double *sum_w = c->scratch, *sum_b = sum_w + weights, *sum_x = sum_b + s->out.c;
  memset(sum_w, 0, (size_t)(weights + s->out.c + (dx ? inputs : 0)) * sizeof *sum_w);
  int64_t at = 0;
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t row = 0; row < s->out.h; row++)
      for (int64_t column = 0; column < s->out.w; column++) {
        reach r = reach_of(s, row, column);
        for (int64_t o = 0; o < s->out.c; o++, at++) {
          double g = (double)dy[at];
          sum_b[o] += g;
          for (int64_t i = 0; i < t.in; i++)
            for (int64_t h = r.h0; h < r.h1; h++)
              for (int64_t w = r.w0; w < r.w1; w++) {
                int64_t from = input_at(s, &t, n, row, column, o, i, h, w), tap = weight_at(&t, o, i, h, w);
                sum_w[tap] += g * (double)x[from];
                if (dx) sum_x[from] += g * (double)weight[tap];
              }
        }
      }
  for (int64_t i = 0; i < weights; i++) dweight[i] = (REAL)sum_w[i];
  for (int64_t i = 0; dbias && i < s->out.c; i++) dbias[i] = (REAL)sum_b[i];
  for (int64_t i = 0; dx && i < inputs; i++) dx[i] = dplus ? dplus[i] + (REAL)sum_x[i] : (REAL)sum_x[i];
}
#else
#include <math.h>
#include <string.h>

#include "train/op.h"

/* Weights are [out][in per group][kernel_h][kernel_w], as PyTorch's. */
typedef struct taps {
  int64_t in, kh, kw, outs; /* channels in and out of one group */
} taps;

static taps taps_of(const nas_site *s) {
  int32_t groups = s->attrs.groups > 0 ? s->attrs.groups : 1;
  return (taps){s->in[0].c / groups, s->attrs.kernel_h, s->attrs.kernel_w, s->out.c / groups};
}

static int64_t weight_at(const taps *t, int64_t o, int64_t i, int64_t h, int64_t w) {
  return ((o * t->in + i) * t->kh + h) * t->kw + w;
}

static int64_t input_at(const nas_site *s, const taps *t, int64_t n, int64_t row, int64_t column, int64_t o, int64_t i,
                        int64_t h, int64_t w) {
  int64_t y = row * s->attrs.stride - s->attrs.pad + h, x = column * s->attrs.stride - s->attrs.pad + w;
  return ((n * s->in[0].h + y) * s->in[0].w + x) * s->in[0].c + o / t->outs * t->in + i;
}

/* The taps of one output pixel that meet the image: kernel rows h0..h1-1, columns w0..w1-1. */
typedef struct reach {
  int64_t h0, h1, w0, w1;
} reach;

static reach reach_of(const nas_site *s, int64_t row, int64_t column) {
  int64_t top = row * s->attrs.stride - s->attrs.pad, left = column * s->attrs.stride - s->attrs.pad;
  int64_t h1 = s->in[0].h - top, w1 = s->in[0].w - left;
  return (reach){top < 0 ? -top : 0, h1 < s->attrs.kernel_h ? h1 : s->attrs.kernel_h, left < 0 ? -left : 0,
                 w1 < s->attrs.kernel_w ? w1 : s->attrs.kernel_w};
}

#define NAS_TEMPLATE "train/ops/conv2d.c"
#include "train/op_template.h"

static int64_t weights_of(const nas_site *s) {
  taps t = taps_of(s);
  return s->out.c * t.in * t.kh * t.kw;
}

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  const nas_attrs *a = &site->attrs;
  int32_t groups = a->groups > 0 ? a->groups : 1;
  if (a->out < 1 || a->groups < 0 || site->in[0].c % groups || a->out % groups)
    return nas_fail(err, NAS_E_BAD_INPUT, label,
                    "%d channels in, %d out, %d groups: both must be positive multiples of the groups", site->in[0].c,
                    a->out, a->groups);
  NAS_TRY(nas_infer_window(site, label, out, err));
  out->c = a->out;
  return NAS_OK;
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  double bound = 1 / sqrt((double)weights_of(site) / site->out.c);
  out[0] = (nas_param_spec){.name = "weight", .count = weights_of(site), .init = NAS_INIT_UNIFORM, .bound = bound};
  out[1] = (nas_param_spec){.name = "bias", .count = site->out.c, .init = NAS_INIT_UNIFORM, .bound = bound};
  return site->attrs.bias ? 2 : 1;
}

static int64_t macs(const nas_site *site) { return weights_of(site) * nas_shape_pixels(site->out); }

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  const nas_site *s = &c->site;
  if (s->mode == NAS_TRAIN)
    c->backward_scratch =
        (weights_of(s) + s->out.c + (c->wants_dx[0] ? nas_site_in(s, 0) : 0)) * (int64_t)sizeof(double);
  return NAS_OK;
}

const nas_op nas_op_conv2d = {
    .name = "conv2d",
    .version = 1,
    .summary = "a two-dimensional convolution (cross-correlation) with stride, padding and groups",
    .citation = "Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86, 1998",
    .attributes = "out kernel_h kernel_w stride pad groups bias",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO_UNBIASED | NAS_OP_CONV,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = {.prepare = prepare, .forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X},
    .f64 = {.prepare = prepare, .forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X},
};
#endif
