#include <math.h>

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
static void basis(const void *from, double x, double *phi, double *slope) {
  const rbf_options *o = from;
  double h = (o->high - o->low) / (double)(o->grids - 1);
  for (int64_t k = 0; k < o->grids; k++) {
    double t = (x - o->low) / h - (double)k;
    phi[k] = exp(-t * t);
    slope[k] = -2 * t / h * phi[k];
  }
}

static double per_unit(const rbf_options *o) { return (double)(o->grids - 1) / (o->high - o->low); }

static void values(const void *from, int64_t first, int64_t count, const float *u, float *phi, float *work, int64_t n) {
  (void)work;
  const rbf_options *o = from;
  nas_kernels()->gaussians(phi, u, (float)o->low, (float)per_unit(o), first, count, n);
}

static void slopes(const void *from, int64_t first, int64_t count, const float *u, const float *phi, const float *g,
                   float *du, float *work, int64_t n) {
  (void)work;
  const rbf_options *o = from;
  nas_kernels()->gaussian_slopes(du, u, phi, g, (float)o->low, (float)per_unit(o), first, count, n);
}

static int64_t terms(const void *from) { return ((const rbf_options *)from)->grids; }

enum { SPLINE, BASE, OFFSET };

static const nas_expansion_kind kind = {.options = options,
                                        .options_size = sizeof(rbf_options),
                                        .terms = terms,
                                        .basis = basis,
                                        .values = values,
                                        .slopes = slopes,
                                        .weight = SPLINE,
                                        .scale = -1,
                                        .base = BASE,
                                        .offset = OFFSET};

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

static nas_status prepare(nas_call *c, nas_err *err) { return nas_expansion_prepare(c, &kind, err); }
static nas_status prepare_fast(nas_call *c, nas_err *err) { return nas_expansion_prepare_fast(c, &kind, err); }

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = nas_expansion_forward_fast,
                                .backward = nas_expansion_backward_fast,
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
    .f32 = NAS_EXPANSION_KERNEL(prepare, _f32),
    .f64 = NAS_EXPANSION_KERNEL(prepare, _f64),
    .fast = &fast,
    .options = options,
    .samples = samples,
};
