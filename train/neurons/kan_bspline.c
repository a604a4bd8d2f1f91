#include "base/str.h"
#include "train/neuron.h"

typedef struct kan_bspline_options {
  int64_t grid, order, fan;
  double low, high;
} kan_bspline_options;

static const nas_option options[] = {
    NAS_OPT_INT(kan_bspline_options, grid, "grid", "5", 1, 64, "cells between low and high"),
    NAS_OPT_INT(kan_bspline_options, order, "order", "3", 1, 8, "degree of the splines"),
    NAS_OPT_INT(kan_bspline_options, fan, "fan", "0", 0, 1e6,
                "inputs that the start of base_w and spline_scale reckons with; 0: all of them"),
    NAS_OPT_REAL(kan_bspline_options, low, "low", "-1", -1e6, 1e6, "where the grid begins"),
    NAS_OPT_REAL(kan_bspline_options, high, "high", "1", -1e6, 1e6, "where the grid ends"),
    NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const kan_bspline_options *o = values;
  return out * in * (o->grid + o->order + 2);
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const kan_bspline_options *o = values;
  return out * in * (o->order + 3);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const kan_bspline_options *o = values;
  nas_attrs attrs = {.out = out};
  nas_text_put(attrs.options, sizeof attrs.options, "grid=%d\norder=%d\nlow=%.17g\nhigh=%.17g\nfan=%d\n", (int)o->grid,
               (int)o->order, o->low, o->high, (int)o->fan);
  return nas_graph_op(g, "kan_bspline", &input, 1, &attrs, label, value, err);
}

const nas_neuron_type nas_neuron_kan_bspline = {
    .name = "kan-bspline",
    .version = 2,
    .summary = "the sum of a spline and the SiLU of each input",
    .citation = "Z. Liu et al., KAN: Kolmogorov-Arnold networks, arXiv:2404.19756",
    .formula =
        "y_o = sum_i base_w_oi silu(x_i) + spline_scale_oi sum_j spline_w_oij B_j(x_i), B_j B-splines of degree k on G "
        "cells of [low, high] and k more on either side",
    .count = "out in (G + k + 2)",
    .work = "out in (k + 3): splines that are not zero, scale, base",
    .start =
        "base_w, spline_scale uniform in +-1/sqrt(in), or of `fan`, spline_w uniform in +-0.05/G (efficient-kan draws "
        "the values of "
        "the "
        "splines at the knots so, and solves for spline_w)",
    .limits = "none",
    .stability = "splines lie in [0, 1] and are 0 outside of the grid, where only the SiLU is left",
    .options = options,
    .options_size = sizeof(kan_bspline_options),
    .params = params,
    .macs = macs,
    .build = build,
};
