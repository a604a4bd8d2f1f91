#include <math.h>
#include <string.h>

#include "train/expansion.h"
#include "train/kernels/kernels.h"

enum { ORDER_MAX = 8 };

typedef struct spline_options {
  int64_t grid, order, fan;
  double low, high;
} spline_options;

static const nas_option options[] = {
    NAS_OPT_INT(spline_options, grid, "grid", "5", 1, 64, "cells between low and high"),
    NAS_OPT_INT(spline_options, order, "order", "3", 1, 8, "degree of the splines"),
    NAS_OPT_INT(spline_options, fan, "fan", "0", 0, 1e6,
                "inputs that the start of base_w and spline_scale reckons with; 0: all of them"),
    NAS_OPT_REAL(spline_options, low, "low", "-1", -1e6, 1e6, "where the grid begins"),
    NAS_OPT_REAL(spline_options, high, "high", "1", -1e6, 1e6, "where the grid ends"),
    NAS_OPT_END};

/* The values of degree d of the d + 1 splines that are not zero in a cell, at u in [0,1) of it (de Boor's recursion on
 * uniform knots). */
static void splines(int64_t d, double u, double *n) {
  n[0] = 1;
  for (int64_t j = 1; j <= d; j++) {
    double saved = 0;
    for (int64_t r = 0; r < j; r++) {
      double share = n[r] / (double)j;
      n[r] = saved + ((double)(r + 1) - u) * share;
      saved = (u + (double)(j - r - 1)) * share;
    }
    n[j] = saved;
  }
}

/* Knots at low + h (m - order), m = 0..grid + 2 order; cells half open; zero outside. */
static void basis(const void *from, double x, double *phi, double *slope) {
  const spline_options *o = from;
  double h = (o->high - o->low) / (double)o->grid, at = (x - o->low) / h + (double)o->order, cell = floor(at);
  int64_t terms = o->grid + o->order;
  memset(phi, 0, (size_t)terms * sizeof *phi);
  memset(slope, 0, (size_t)terms * sizeof *slope);
  if (!(cell >= 0 && cell < (double)(o->grid + 2 * o->order))) return;
  double n[ORDER_MAX + 1], lower[ORDER_MAX + 1];
  splines(o->order, at - cell, n);
  splines(o->order - 1, at - cell, lower);
  for (int64_t r = 0; r <= o->order; r++) {
    int64_t j = (int64_t)cell - o->order + r;
    if (j < 0 || j >= terms) continue;
    phi[j] = n[r];
    slope[j] = ((r > 0 ? lower[r - 1] : 0) - (r < o->order ? lower[r] : 0)) / h;
  }
}

enum { BASE, SPLINE, SCALE };

static int64_t terms(const void *from) {
  const spline_options *o = from;
  return o->grid + o->order;
}

static const nas_expansion_kind kind = {.options = options,
                                        .options_size = sizeof(spline_options),
                                        .terms = terms,
                                        .basis = basis,
                                        .weight = SPLINE,
                                        .scale = SCALE,
                                        .base = BASE,
                                        .offset = -1};

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  spline_options o;
  NAS_TRY(nas_op_options(site, options, &o, "kan_bspline", label, err));
  if (!(o.low < o.high))
    return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "the grid goes from %g to %g; low must be below high", o.low,
                    o.high);
  return nas_infer_rows(site, label, out, err);
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  spline_options o;
  nas_options_defaults(options, &o);
  if (nas_op_options(site, options, &o, "kan_bspline", NULL, NULL) != NAS_OK) return 0;
  int64_t edges = (int64_t)site->in[0].c * site->out.c;
  double bound = 1 / sqrt((double)(o.fan ? o.fan : site->in[0].c));
  out[BASE] = (nas_param_spec){.name = "base_w", .count = edges, .init = NAS_INIT_UNIFORM, .bound = bound};
  out[SPLINE] = (nas_param_spec){.name = "spline_w",
                                 .count = edges * (o.grid + o.order),
                                 .init = NAS_INIT_UNIFORM,
                                 .bound = 0.05 / (double)o.grid};
  out[SCALE] = (nas_param_spec){.name = "spline_scale", .count = edges, .init = NAS_INIT_UNIFORM, .bound = bound};
  return 3;
}

/* Splines that are not zero, scale and base of every edge. */
static int64_t macs(const nas_site *site) {
  spline_options o;
  if (nas_op_options(site, options, &o, "kan_bspline", NULL, NULL) != NAS_OK) return 0;
  return (o.order + 3) * site->in[0].c * site->out.c * nas_shape_pixels(site->out);
}

static nas_status prepare(nas_call *c, nas_err *err) { return nas_expansion_prepare(c, &kind, err); }

static nas_spline described(const nas_call *c) {
  const spline_options *o = c->prepared;
  return (nas_spline){.rows = nas_site_rows(&c->site, 0),
                      .in = c->site.in[0].c,
                      .out = c->site.out.c,
                      .grid = o->grid,
                      .order = o->order,
                      .low = (float)o->low,
                      .per_unit = (float)((double)o->grid / (o->high - o->low)),
                      .x = c->x[0],
                      .weight = c->param[SPLINE],
                      .scale = c->param[SCALE],
                      .base = c->param[BASE],
                      .y = c->y,
                      .dy = c->dy,
                      .dplus = c->dplus[0],
                      .dx = c->dx[0],
                      .dweight = c->grad[SPLINE],
                      .dscale = c->grad[SCALE],
                      .dbase = c->grad[BASE],
                      .scratch = c->scratch};
}

static void forward_fast(const nas_call *c) {
  nas_spline s = described(c);
  nas_kernels()->spline_forward(&s);
}

static void backward_fast(const nas_call *c) {
  nas_spline s = described(c);
  nas_kernels()->spline_backward(&s);
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(spline_options), err));
  const spline_options *o = c->prepared;
  c->forward_scratch = c->backward_scratch =
      nas_spline_scratch(c->site.out.c, o->grid, o->order) * (int64_t)sizeof(float);
  return NAS_OK;
}

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = forward_fast,
                                .backward = backward_fast,
                                .reads = NAS_READS_X};

static const char *const samples[] = {"", "grid=3\norder=1\n", "grid=7\norder=4\nlow=-2\nhigh=3\nfan=2\n", NULL};

const nas_op nas_op_kan_bspline = {
    .name = "kan_bspline",
    .version = 2,
    .summary = "sums of B-splines and of the SiLU of each input",
    .citation = "Z. Liu et al., KAN: Kolmogorov-Arnold networks, arXiv:2404.19756",
    .attributes = "out options",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = NAS_EXPANSION_KERNEL(prepare, _f32),
    .f64 = NAS_EXPANSION_KERNEL(prepare, _f64),
    .fast = &fast,
    .options = options,
    .samples = samples,
};
