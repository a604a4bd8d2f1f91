#include "base/str.h"
#include "train/neuron.h"

typedef struct smartmixed_options {
  char phase[8];
  double tau;
  bool noise;
  int64_t fix_after;
} smartmixed_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(smartmixed_options, phase, "phase", "hard", "soft|hard|fixed",
                   "a mixture; the likeliest, with the mixture's gradient; the likeliest, choice no longer trained"),
    NAS_OPT_REAL(smartmixed_options, tau, "tau", "0.3", 1e-3, 1e3, "temperature of the choice"),
    NAS_OPT_FLAG(smartmixed_options, noise, "noise", "yes",
                 "Gumbel noise on the choice while it is trained; never at evaluation"),
    NAS_OPT_INT(smartmixed_options, fix_after, "fix-after", "0", 0, 1e9,
                "training steps of phase 1, after which the likeliest is fixed for phase 2; 0: phase 1 to the end"),
    NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  (void)values;
  return out * (in + 1) + 6 * out;
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  (void)values;
  return out * in;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const smartmixed_options *o = values;
  nas_attrs attrs = {.out = out, .bias = true};
  NAS_TRY(nas_neuron_sums(g, input, &attrs, label, NULL, &input, err));
  nas_text_put(attrs.options, sizeof attrs.options, "phase=%s\ntau=%.17g\nnoise=%s\nfix-after=%d\n", o->phase, o->tau,
               o->noise ? "yes" : "no", (int)o->fix_after);
  return nas_neuron_op(g, "smartmixed", &input, 1, &attrs, label, "act", value, err);
}

const nas_neuron_type nas_neuron_smartmixed = {
    .name = "smartmixed",
    .version = 2,
    .summary = "a linear neuron that chooses one of six activations by trained weights",
    .citation =
        "A. Omidvar, SmartMixed: a two-phase training strategy for adaptive activation function learning in neural "
        "networks, arXiv:2510.22450",
    .formula =
        "z = W x + b; p = softmax((logits + gumbel) / tau) over relu, sigmoid, tanh, leaky relu 0.01, elu, selu; y = "
        "act_argmax(p)(z) with the gradient of sum p_a act_a(z) by the logits; fixed: the activation of the largest "
        "logit",
    .count = "out (in + 1) + 6 out",
    .work = "out in",
    .start = "W, b as a linear layer; one logit of each neuron, drawn evenly, 0.001, the others 0",
    .limits = "activations and output within [-10, 10], in both phases",
    .stability = "bounded; one softmax, and no noise at evaluation or once the choice is fixed; probe: weights",
    .sample = "phase=soft\n",
    .options = options,
    .options_size = sizeof(smartmixed_options),
    .params = params,
    .macs = macs,
    .build = build,
};
