#include "train/neuron.h"

enum { GLOROT_TANH = 3 }; /* nas_attrs.start */

typedef struct selfonn_options {
  int64_t order;
  bool super_neurons;
  int64_t groups;
  double range;
} selfonn_options;

static const nas_option options[] = {
    NAS_OPT_INT(selfonn_options, order, "order", "3", 1, 16, "highest power Q of the inputs"),
    NAS_OPT_FLAG(selfonn_options, super_neurons, "super", "no",
                 "super neurons: every input channel is moved by trained parts of pixels first"),
    NAS_OPT_INT(selfonn_options, groups, "shift-groups", "1", 0, 65536,
                "super: groups of neurons with shifts of their own; 1: the same for all neurons; 0: each has its own"),
    NAS_OPT_REAL(selfonn_options, range, "range", "1", 0, 64, "super: the shifts begin within this many pixels"),
    NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const selfonn_options *o = values;
  return out * (o->order * in + 1);
}

static int64_t groups_of(int64_t out, const selfonn_options *o) {
  return !o->super_neurons ? 1 : o->groups ? o->groups : out;
}

/* Two shifts for each channel that is moved. */
static int64_t channel_params(int64_t channels, int64_t out, const void *values) {
  const selfonn_options *o = values;
  return o->super_neurons ? 2 * channels * groups_of(out, o) : 0;
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const selfonn_options *o = values;
  return out * o->order * in;
}

/* The powers, and four weights of a bilinear mean. */
static int64_t channel_macs(int64_t channels, int64_t out, const void *values) {
  const selfonn_options *o = values;
  return (o->order - 1 + (o->super_neurons ? 4 : 0)) * channels * groups_of(out, o);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const selfonn_options *o = values;
  if (o->super_neurons)
    return nas_fail(err, NAS_E_UNSUPPORTED, label,
                    "super neurons move images; the dense form has none, take the convolutional form or super=no");
  NAS_TRY(nas_graph_op(g, "powers", &input, 1, &(nas_attrs){.groups = (int32_t)o->order}, label, &input, err));
  return nas_neuron_sums(g, input, &(nas_attrs){.out = out, .bias = true, .start = GLOROT_TANH}, label, NULL, value,
                         err);
}

static nas_status build_conv(nas_graph *g, nas_value input, const nas_attrs *attrs, const void *values,
                             const char *label, nas_value *value, nas_err *err) {
  const selfonn_options *o = values;
  nas_attrs a = *attrs;
  int32_t groups = (int32_t)groups_of(attrs->out, o);
  a.bias = true;
  a.start = GLOROT_TANH;
  a.groups = groups;
  if (o->super_neurons) {
    if (attrs->out % groups)
      return nas_fail(err, NAS_E_BAD_INPUT, label,
                      "%d neurons in %d groups of shifts; the groups must divide the neurons", attrs->out, groups);
    nas_attrs shift = {0};
    nas_text_put(shift.options, sizeof shift.options, "range=%.17g\ncopies=%d\n", o->range, groups);
    NAS_TRY(nas_neuron_op(g, "shift", &input, 1, &shift, label, "shift", &input, err));
  }
  a.options[0] = 0;
  nas_attrs powers = {.groups = (int32_t)o->order, .out = groups};
  NAS_TRY(nas_graph_op(g, "powers", &input, 1, &powers, label, &input, err));
  return nas_graph_op(g, "conv2d", &input, 1, &a, label, value, err);
}

const nas_neuron_type nas_neuron_selfonn = {
    .name = "selfonn",
    .version = 2,
    .summary = "a linear neuron of the powers of its inputs up to order Q",
    .citation =
        "S. Kiranyaz et al., Self-organized operational neural networks with generative neurons, Neural Networks 140, "
        "2021; super: S. Kiranyaz et al., Super neurons, IEEE TETCI 8, 2024, arXiv:2109.01594",
    .formula =
        "y = b + sum_{q=1..Q} W_q x^q; super: x_c moved by (s, t) pixels first, bilinear, with shifts for each input "
        "channel (the default of the authors' FastONN), or (shift-groups=0) for each connection of a channel and a "
        "neuron "
        "as in their article",
    .count = "out (Q in + 1), super: + 2 for each input channel and group",
    .work = "out Q in + (Q - 1) for each input channel; super: + 4, times the groups",
    .start =
        "W uniform in +-5/3 sqrt(6 / (Q in + out k^2)), Glorot's rule for tanh (k = 1 when dense); b in +-1/sqrt(Q "
        "in); "
        "shifts in +-range",
    .limits = "none",
    .stability = "grows with the Q-th power of its inputs: keep them in [-1, 1] (tanh)",
    .options = options,
    .options_size = sizeof(selfonn_options),
    .params = params,
    .macs = macs,
    .channel_params = channel_params,
    .channel_macs = channel_macs,
    .build = build,
    .build_conv = build_conv,
};
