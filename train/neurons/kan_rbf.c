#include "base/str.h"
#include "train/neuron.h"

typedef struct kan_rbf_options {
  int64_t grids;
  double low, high;
  bool layer_norm;
} kan_rbf_options;

static const nas_option options[] = {
    NAS_OPT_INT(kan_rbf_options, grids, "grids", "8", 2, 64, "centres between low and high, both included"),
    NAS_OPT_REAL(kan_rbf_options, low, "low", "-2", -1e6, 1e6, "the first centre"),
    NAS_OPT_REAL(kan_rbf_options, high, "high", "2", -1e6, 1e6, "the last centre"),
    NAS_OPT_FLAG(kan_rbf_options, layer_norm, "layer-norm", "yes", "normalise the inputs of the Gaussians"),
    NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const kan_rbf_options *o = values;
  return out * in * (o->grids + 1) + out + (o->layer_norm ? 2 * in : 0);
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const kan_rbf_options *o = values;
  return out * in * (o->grids + 1) + (o->layer_norm ? in : 0);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const kan_rbf_options *o = values;
  nas_attrs attrs = {.out = out};
  nas_value inputs[2] = {input, input};
  if (o->layer_norm) NAS_TRY(nas_neuron_op(g, "layer_norm", &input, 1, NULL, label, "ln", &inputs[0], err));
  nas_text_put(attrs.options, sizeof attrs.options, "grids=%d\nlow=%.17g\nhigh=%.17g\n", (int)o->grids, o->low,
               o->high);
  return nas_graph_op(g, "kan_rbf", inputs, o->layer_norm ? 2 : 1, &attrs, label, value, err);
}

const nas_neuron_type nas_neuron_kan_rbf = {
    .name = "kan-rbf",
    .version = 2,
    .summary = "the sum of Gaussians and the SiLU of each input (FastKAN)",
    .citation = "Z. Li, Kolmogorov-Arnold networks are radial basis function networks, arXiv:2405.06721",
    .formula =
        "y_o = base_b_o + sum_i base_w_oi silu(x_i) + sum_im spline_w_oim exp(-((u_i - g_m) / h)^2), g_m evenly from "
        "low to high, h their distance, u = layer norm of x or x",
    .count = "out in (grids + 1) + out, with layer norm + 2 in",
    .work = "out in (grids + 1), with layer norm + in",
    .start = "spline_w normal of deviation 0.1, base as a linear layer, layer norm 1 and 0",
    .limits = "the centres are not trained",
    .stability = "Gaussians lie in [0, 1]; the layer norm divides by at least sqrt(1e-5)",
    .options = options,
    .options_size = sizeof(kan_rbf_options),
    .params = params,
    .macs = macs,
    .build = build,
};
