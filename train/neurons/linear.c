#include "train/neuron.h"

static int64_t params(int64_t in, int64_t out, const void *options) {
  (void)options;
  return out * (in + 1);
}

static int64_t macs(int64_t in, int64_t out, const void *options) {
  (void)options;
  return out * in;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *options, const char *label,
                        nas_value *value, nas_err *err) {
  (void)options;
  return nas_graph_op(g, "linear", &input, 1, &(nas_attrs){.out = out, .bias = true}, label, value, err);
}

const nas_neuron_type nas_neuron_linear = {
    .name = "linear",
    .version = 1,
    .summary = "the weighted sum of its inputs and a bias",
    .citation = "F. Rosenblatt, The perceptron, Psychological Review 65, 1958",
    .formula = "y = W x + b",
    .params = params,
    .macs = macs,
    .build = build,
};
