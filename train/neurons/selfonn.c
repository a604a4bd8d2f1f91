#include "train/neuron.h"

typedef struct selfonn_options {
  int64_t order;
  bool super_neurons;
  double range;
} selfonn_options;

static const nas_option options[] = {
    NAS_OPT_INT(selfonn_options, order, "order", "3", 1, 16, "highest power Q of the inputs"),
    NAS_OPT_FLAG(selfonn_options, super_neurons, "super", "no",
                 "super neurons: every input channel is moved by trained parts of pixels first, for all neurons alike"),
    NAS_OPT_REAL(selfonn_options, range, "range", "1", 0, 64, "super: the shifts begin within this many pixels"),
    NAS_OPT_END};

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
  if (o->super_neurons)
    return nas_fail(err, NAS_E_UNSUPPORTED, label,
                    "super neurons move images; the dense form has none, take the convolutional form or super=no");
  NAS_TRY(nas_graph_op(g, "powers", &input, 1, &(nas_attrs){.groups = (int32_t)o->order}, label, &input, err));
  return nas_neuron_sums(g, input, &(nas_attrs){.out = out, .bias = true}, label, NULL, value, err);
}

static nas_status build_conv(nas_graph *g, nas_value input, const nas_attrs *attrs, const void *values,
                             const char *label, nas_value *value, nas_err *err) {
  const selfonn_options *o = values;
  nas_attrs a = *attrs;
  a.bias = true;
  a.groups = 1;
  if (o->super_neurons) {
    nas_text_put(a.options, sizeof a.options, "range=%.17g\n", o->range);
    NAS_TRY(nas_neuron_op(g, "shift", &input, 1, &a, label, "shift", &input, err));
  }
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
        "2021; super: S. Kiranyaz et al., Super neurons, IEEE TETCI 8, 2024, arXiv:2109.01594",
    .formula =
        "y = b + sum_{q=1..Q} W_q x^q; super: x_c moved by (s_c, t_c) pixels first, bilinear, a shift for "
        "each input channel as in the authors' FastONN (one for each connection in their article)",
    .count = "out (Q in + 1), super: + 2 for each input channel",
    .work = "out Q in + (Q - 1) in",
    .start = "as a linear layer over Q in numbers; shifts uniform in +-range",
    .limits = "none",
    .stability = "grows with the Q-th power of its inputs: keep them in [-1, 1] (tanh)",
    .options = options,
    .options_size = sizeof(selfonn_options),
    .params = params,
    .macs = macs,
    .build = build,
    .build_conv = build_conv,
};
