#include "train/neuron.h"

typedef struct quadratic_options {
  char form[12];
} quadratic_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(quadratic_options, form, "form", "fan", "fan|quadralib",
                   "what is added to the product: weighted squares (fan) or a third weighted sum"),
    NAS_OPT_END};

/* A linear layer or convolution named LABEL.PART. */
static nas_status part(nas_graph *g, nas_value input, const nas_attrs *attrs, int32_t start, const char *label,
                       const char *name, nas_value *value, nas_err *err) {
  nas_attrs own = *attrs;
  own.bias = true;
  own.start = start;
  own.groups = 1;
  own.options[0] = 0;
  if (!attrs->kernel_h) return nas_neuron_sums(g, input, &own, label, name, value, err);
  return nas_neuron_op(g, "conv2d", &input, 1, &own, label, name, value, err);
}

static nas_status compose(nas_graph *g, nas_value input, const nas_attrs *attrs, const quadratic_options *o,
                          const char *label, nas_value *value, nas_err *err) {
  nas_value factors[2], terms[2], last = input;
  bool fan = o->form[0] == 'f';
  NAS_TRY(part(g, input, attrs, 0, label, "r", &factors[0], err));
  NAS_TRY(part(g, input, attrs, fan ? 2 : 0, label, "g", &factors[1], err));
  NAS_TRY(nas_graph_op(g, "mul", factors, 2, NULL, label, &terms[0], err));
  if (fan) NAS_TRY(nas_graph_op(g, "square", &input, 1, NULL, label, &last, err));
  NAS_TRY(part(g, last, attrs, fan ? 1 : 0, label, "b", &terms[1], err));
  return nas_graph_op(g, "add", terms, 2, NULL, label, value, err);
}

static int64_t params(int64_t in, int64_t out, const void *values) {
  (void)values;
  return 3 * out * (in + 1);
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  (void)values;
  return 3 * out * in + out;
}

/* The squares. */
static int64_t channel_macs(int64_t channels, int64_t out, const void *values) {
  const quadratic_options *o = values;
  (void)out;
  return o->form[0] == 'f' ? channels : 0;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const quadratic_options *o = values;
  return compose(g, input, &(nas_attrs){.out = out}, o, label, value, err);
}

static nas_status build_conv(nas_graph *g, nas_value input, const nas_attrs *attrs, const void *values,
                             const char *label, nas_value *value, nas_err *err) {
  const quadratic_options *o = values;
  return compose(g, input, attrs, o, label, value, err);
}

const nas_neuron_type nas_neuron_quadratic = {
    .name = "quadratic",
    .version = 1,
    .summary = "a product of two linear neurons plus a linear neuron of the squares",
    .citation =
        "F. Fan, W. Cong, G. Wang, A new type of neurons for machine learning, arXiv:1704.08362; C. Xu et al., "
        "QuadraLib, arXiv:2204.01701; start of fan: F. Fan et al., On expressivity and trainability of quadratic "
        "networks, arXiv:2110.06081",
    .formula = "fan: y = (Wr x + br) (Wg x + bg) + Wb (x x) + c; quadralib: y = (Wa x + ba) (Wb x + bb) + Wc x + bc",
    .count = "3 out (in + 1)",
    .work = "3 out in + out, fan: + 1 for each input channel",
    .start =
        "fan: Wr, br as linear, Wg = 0, bg = 1, Wb = 0, c = 0, so that it begins as a linear neuron; quadralib: all as "
        "linear",
    .limits = "none",
    .stability = "grows with the square of its inputs",
    .options = options,
    .options_size = sizeof(quadratic_options),
    .params = params,
    .macs = macs,
    .channel_macs = channel_macs,
    .build = build,
    .build_conv = build_conv,
};
