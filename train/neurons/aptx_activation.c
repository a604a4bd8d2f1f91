#include "base/str.h"
#include "train/neuron.h"

static int64_t params(int64_t in, int64_t out, const void *values) {
  (void)values;
  return out * (in + 1) + 3;
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  (void)values;
  return out * in;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  (void)values;
  nas_attrs attrs = {.out = out, .bias = true};
  NAS_TRY(nas_neuron_sums(g, input, &attrs, label, NULL, &input, err));
  nas_text_put(attrs.options, sizeof attrs.options, "f=(alpha + tanh(beta*x))*gamma*x; alpha=1, beta=1, gamma=0.5\n");
  return nas_neuron_op(g, "expression", &input, 1, &attrs, label, "act", value, err);
}

const nas_neuron_type nas_neuron_aptx_activation = {
    .name = "aptx-activation",
    .version = 1,
    .summary = "a linear neuron and the APTx activation, whose three numbers the layer shares",
    .citation = "R. Kumar, APTx: better activation function than MISH, SWISH, and ReLU's variants, arXiv:2209.06119",
    .formula = "z = W x + b; y = (alpha + tanh(beta z)) gamma z",
    .count = "out (in + 1) + 3",
    .work = "out in",
    .start = "W, b as a linear layer; alpha = 1, beta = 1, gamma = 1/2",
    .limits = "none",
    .stability = "grows as its inputs do",
    .params = params,
    .macs = macs,
    .build = build,
};
