#include "train/neuron.h"

typedef struct selfonn_options {
  int64_t order;
} selfonn_options;

static const nas_option options[] = {
    NAS_OPT_INT(selfonn_options, order, "order", "3", 1, 16, "highest power Q of the inputs"), NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const selfonn_options *o = values;
  return out * (o->order * in + 1);
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const selfonn_options *o = values;
  return out * o->order * in + (o->order - 1) * in;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const selfonn_options *o = values;
  NAS_TRY(nas_graph_op(g, "powers", &input, 1, &(nas_attrs){.groups = (int32_t)o->order}, label, &input, err));
  return nas_neuron_sums(g, input, &(nas_attrs){.out = out, .bias = true}, label, NULL, value, err);
}

static nas_status build_conv(nas_graph *g, nas_value input, const nas_attrs *attrs, const void *values,
                             const char *label, nas_value *value, nas_err *err) {
  const selfonn_options *o = values;
  nas_attrs a = *attrs;
  a.bias = true;
  a.groups = 1;
  a.options[0] = 0;
  NAS_TRY(nas_graph_op(g, "powers", &input, 1, &(nas_attrs){.groups = (int32_t)o->order}, label, &input, err));
  return nas_graph_op(g, "conv2d", &input, 1, &a, label, value, err);
}

const nas_neuron_type nas_neuron_selfonn = {
    .name = "selfonn",
    .version = 1,
    .summary = "a linear neuron of the powers of its inputs up to order Q",
    .citation =
        "S. Kiranyaz et al., Self-organized operational neural networks with generative neurons, Neural Networks 140, "
        "2021",
    .formula = "y = b + sum_{q=1..Q} W_q x^q",
    .count = "out (Q in + 1)",
    .work = "out Q in + (Q - 1) in",
    .start = "as a linear layer over Q in numbers",
    .limits = "none",
    .stability = "grows with the Q-th power of its inputs: keep them in [-1, 1] (tanh)",
    .options = options,
    .options_size = sizeof(selfonn_options),
    .params = params,
    .macs = macs,
    .build = build,
    .build_conv = build_conv,
};
