#ifdef REAL
static void FN(forward)(const nas_call *c) {
  nas_expansion e = expansion_of(c);
  FN(nas_expansion_forward)(c, &e);
}

static void FN(backward)(const nas_call *c) {
  nas_expansion e = expansion_of(c);
  FN(nas_expansion_backward)(c, &e);
}

static int64_t FN(probe)(const nas_call *c, const char *name, double *out) {
  nas_expansion e = expansion_of(c);
  return strcmp(name, "basis") ? -1 : FN(nas_expansion_basis)(c, &e, out);
}
#else
#include <math.h>
#include <string.h>

#include "train/expansion.h"
#include "train/kernels/kernels.h"

typedef struct rbf_options {
  int64_t grids;
  double low, high;
} rbf_options;

static const nas_option options[] = {
    NAS_OPT_INT(rbf_options, grids, "grids", "8", 2, 64, "centres between low and high, both included"),
    NAS_OPT_REAL(rbf_options, low, "low", "-2", -1e6, 1e6, "the first centre"),
    NAS_OPT_REAL(rbf_options, high, "high", "2", -1e6, 1e6, "the last centre"), NAS_OPT_END};

/* exp(-((x - g) / h)^2) around evenly spaced centres g, as wide as their distance h. */
static void basis(const void *values, double x, double *phi, double *slope) {
  const rbf_options *o = values;
  double h = (o->high - o->low) / (double)(o->grids - 1);
  for (int64_t k = 0; k < o->grids; k++) {
    double t = (x - o->low) / h - (double)k;
    phi[k] = exp(-t * t);
    slope[k] = -2 * t / h * phi[k];
  }
}

static const float *values_fast(const void *values, int64_t term, const float *u, float *phi, float *work, int64_t n) {
  (void)work;
  const rbf_options *o = values;
  double h = (o->high - o->low) / (double)(o->grids - 1);
  nas_kernels()->gaussian(phi, u, (float)(o->low + h * (double)term), (float)(1 / h), n);
  return phi;
}

static void slopes_fast(const void *values, int64_t term, const float *u, const float *g, float *du, float *work,
                        int64_t n) {
  (void)work;
  const rbf_options *o = values;
  double h = (o->high - o->low) / (double)(o->grids - 1);
  nas_kernels()->gaussian_gradient(du, u, g, (float)(o->low + h * (double)term), (float)(1 / h), n);
}

enum { SPLINE, BASE, OFFSET };

static nas_expansion expansion_of(const nas_call *c) {
  const rbf_options *o = c->prepared;
  return (nas_expansion){.options = o,
                         .basis = basis,
                         .terms = o->grids,
                         .by_term = (int64_t)c->site.in[0].c * c->site.out.c,
                         .values = values_fast,
                         .slopes = slopes_fast,
                         .weight = SPLINE,
                         .scale = -1,
                         .base = BASE,
                         .offset = OFFSET};
}

#define NAS_TEMPLATE "train/ops/kan_rbf.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  rbf_options o;
  NAS_TRY(nas_op_options(site, options, &o, "kan_rbf", label, err));
  if (!(o.low < o.high))
    return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "the centres go from %g to %g; low must be below high", o.low,
                    o.high);
  nas_shape same;
  NAS_TRY(nas_infer_same(site, label, &same, err));
  return nas_infer_rows(site, label, out, err);
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  rbf_options o;
  if (nas_op_options(site, options, &o, "kan_rbf", NULL, NULL) != NAS_OK) return 0;
  int64_t edges = (int64_t)site->in[0].c * site->out.c;
  double bound = 1 / sqrt((double)site->in[0].c);
  out[SPLINE] = (nas_param_spec){.name = "spline_w", .count = edges * o.grids, .init = NAS_INIT_NORMAL, .bound = 0.1};
  out[BASE] = (nas_param_spec){.name = "base_w", .count = edges, .init = NAS_INIT_UNIFORM, .bound = bound};
  out[OFFSET] = (nas_param_spec){.name = "base_b", .count = site->out.c, .init = NAS_INIT_UNIFORM, .bound = bound};
  return 3;
}

static int64_t macs(const nas_site *site) {
  rbf_options o;
  if (nas_op_options(site, options, &o, "kan_rbf", NULL, NULL) != NAS_OK) return 0;
  return (o.grids + 1) * site->in[0].c * site->out.c * nas_shape_pixels(site->out);
}

static nas_status prepare(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(rbf_options), err));
  nas_expansion e = expansion_of(c);
  nas_expansion_reserve(c, &e);
  return NAS_OK;
}

static void forward_fast(const nas_call *c) {
  nas_expansion e = expansion_of(c);
  nas_expansion_forward_fast(c, &e);
}

static void backward_fast(const nas_call *c) {
  nas_expansion e = expansion_of(c);
  nas_expansion_backward_fast(c, &e);
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(rbf_options), err));
  nas_expansion e = expansion_of(c);
  nas_expansion_reserve_fast(c, &e);
  return NAS_OK;
}

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = forward_fast,
                                .backward = backward_fast,
                                .reads = NAS_READS_X};

static const char *const samples[] = {"", "grids=3\nlow=-1\nhigh=3\n", NULL};

const nas_op nas_op_kan_rbf = {
    .name = "kan_rbf",
    .version = 2,
    .summary = "sums of Gaussians of each input and of its SiLU; a second input feeds the SiLU branch alone",
    .citation = "Z. Li, Kolmogorov-Arnold networks are radial basis function networks, arXiv:2405.06721",
    .attributes = "out options",
    .min_inputs = 1,
    .max_inputs = 2,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = {.prepare = prepare,
            .release = nas_op_drop_options,
            .forward = forward_f32,
            .backward = backward_f32,
            .reads = NAS_READS_X,
            .probe = probe_f32},
    .f64 = {.prepare = prepare,
            .release = nas_op_drop_options,
            .forward = forward_f64,
            .backward = backward_f64,
            .reads = NAS_READS_X,
            .probe = probe_f64},
    .fast = &fast,
    .options = options,
    .samples = samples,
};
#endif
