#ifdef REAL
static void FN(scalars)(const nas_call *c, double *out) {
  const nas_expression *e = c->prepared;
  for (int32_t k = 0; k < e->n_scalars; k++) out[k] = (double)*(const REAL *)c->param[k];
}

static void FN(forward)(const nas_call *c) {
  const nas_expression *e = c->prepared;
  const REAL *x = c->x[0];
  double scalars[NAS_EXPRESSION_SCALARS_MAX], slope;
  int64_t n = nas_site_out(&c->site);
  FN(scalars)(c, scalars);
  for (int64_t i = 0; i < n; i++) ((REAL *)c->y)[i] = (REAL)nas_expression_at(e, (double)x[i], scalars, &slope, NULL);
}

static void FN(backward)(const nas_call *c) {
  const nas_expression *e = c->prepared;
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  double scalars[NAS_EXPRESSION_SCALARS_MAX], by[NAS_EXPRESSION_SCALARS_MAX], sum[NAS_EXPRESSION_SCALARS_MAX] = {0};
  int64_t n = nas_site_out(&c->site);
  FN(scalars)(c, scalars);
  for (int64_t i = 0; i < n; i++) {
    double slope;
    nas_expression_at(e, (double)x[i], scalars, &slope, by);
    for (int32_t k = 0; k < e->n_scalars; k++) sum[k] += (double)dy[i] * by[k];
    REAL d = (REAL)((double)dy[i] * slope);
    if (dx) dx[i] = dplus ? dplus[i] + d : d;
  }
  for (int32_t k = 0; k < e->n_scalars; k++) *(REAL *)c->grad[k] = (REAL)sum[k];
}
#else
#include <stdlib.h>
#include <string.h>

#include "train/expression.h"
#include "train/kernels/kernels.h"
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/expression.c"
#include "train/op_template.h"

typedef struct expression_options {
  char f[232];
} expression_options;

static const nas_option options[] = {
    NAS_OPT_TEXT(expression_options, f, "f", "x",
                 "the function: an expression of x and trained scalars, or the name of a published activation"),
    NAS_OPT_END};

static nas_status parse(const nas_site *site, const char *label, nas_expression *out, nas_err *err) {
  expression_options o;
  const char *text;
  NAS_TRY(nas_op_options(site, options, &o, "expression", label, err));
  NAS_TRY(nas_activation_expression(o.f, &text, err));
  return nas_expression_parse(text, out, err);
}

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  nas_expression e;
  NAS_TRY(parse(site, label, &e, err));
  return nas_infer_same(site, label, out, err);
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  nas_expression e;
  if (parse(site, NULL, &e, NULL) != NAS_OK) return 0;
  for (int32_t k = 0; k < e.n_scalars; k++) {
    out[k] = (nas_param_spec){.count = 1, .init = NAS_INIT_VALUE, .centre = e.first[k]};
    memcpy(out[k].name, e.scalars[k], sizeof e.scalars[k]);
  }
  return e.n_scalars;
}

static nas_status prepare(nas_call *c, nas_err *err) {
  c->prepared = calloc(1, sizeof(nas_expression));
  if (!c->prepared) return nas_fail_memory(err, "an expression");
  return parse(&c->site, NULL, c->prepared, err);
}

static void scalars_fast(const nas_call *c, float *out) {
  const nas_expression *e = c->prepared;
  for (int32_t k = 0; k < e->n_scalars; k++) out[k] = *(const float *)c->param[k];
}

static void forward_fast(const nas_call *c) {
  float scalars[NAS_EXPRESSION_SCALARS_MAX];
  scalars_fast(c, scalars);
  nas_kernels()->expression(c->prepared, scalars, c->x[0], c->y, nas_site_out(&c->site));
}

static void backward_fast(const nas_call *c) {
  const nas_expression *e = c->prepared;
  float scalars[NAS_EXPRESSION_SCALARS_MAX];
  double sum[NAS_EXPRESSION_SCALARS_MAX] = {0};
  scalars_fast(c, scalars);
  nas_kernels()->expression_gradient(e, scalars, c->x[0], c->dy, c->dplus[0], c->dx[0], sum, nas_site_out(&c->site));
  for (int32_t k = 0; k < e->n_scalars; k++) *(float *)c->grad[k] = (float)sum[k];
}

static const nas_kernel fast = {.prepare = prepare,
                                .release = nas_op_drop_options,
                                .forward = forward_fast,
                                .backward = backward_fast,
                                .reads = NAS_READS_X};

static const char *const samples[] = {"", "f=(a + tanh(b*x))*c*x; a=1, b=1, c=0.5\n", "f=mish\n",
                                      "f=alpha*exp(-x^2/beta)/(1 + softplus(x))\n", NULL};

const nas_op nas_op_expression = {
    .name = "expression",
    .version = 1,
    .summary = "a function of each element, written as a text with trained scalars",
    .citation = "",
    .attributes = "options",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_ELEMENTWISE,
    .infer = infer,
    .params = params,
    .f32 = {.prepare = prepare,
            .release = nas_op_drop_options,
            .forward = forward_f32,
            .backward = backward_f32,
            .reads = NAS_READS_X},
    .f64 = {.prepare = prepare,
            .release = nas_op_drop_options,
            .forward = forward_f64,
            .backward = backward_f64,
            .reads = NAS_READS_X},
    .fast = &fast,
    .options = options,
    .samples = samples,
};
#endif
