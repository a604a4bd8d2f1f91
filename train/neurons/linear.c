#include "train/neuron.h"

static int64_t params(int64_t in, int64_t out, const void *values) {
  (void)values;
  return out * (in + 1);
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  (void)values;
  return out * in;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  (void)values;
  return nas_neuron_sums(g, input, &(nas_attrs){.out = out, .bias = true}, label, NULL, value, err);
}

static nas_status build_conv(nas_graph *g, nas_value input, const nas_attrs *attrs, const void *values,
                             const char *label, nas_value *value, nas_err *err) {
  (void)values;
  nas_attrs a = *attrs;
  a.bias = true;
  a.groups = 1;
  a.options[0] = 0;
  return nas_graph_op(g, "conv2d", &input, 1, &a, label, value, err);
}

const nas_neuron_type nas_neuron_linear = {
    .name = "linear",
    .version = 1,
    .summary = "the weighted sum of its inputs and a bias",
    .citation = "F. Rosenblatt, The perceptron, Psychological Review 65, 1958",
    .formula = "y = W x + b",
    .count = "out (in + 1)",
    .work = "out in",
    .start = "W, b uniform in +-1/sqrt(in)",
    .limits = "none",
    .stability = "finite wherever its inputs are",
    .params = params,
    .macs = macs,
    .build = build,
    .build_conv = build_conv,
};
