#include "base/str.h"
#include "train/expression.h"
#include "train/neuron.h"

typedef struct activation_options {
  char activation[200];
} activation_options;

static const nas_option options[] = {
    NAS_OPT_TEXT(
        activation_options, activation, "activation", "mish",
        "a published activation (`nascent neuron activations`) or an expression such as x*tanh(softplus(a*x))"),
    NAS_OPT_END};

static int64_t scalars(const activation_options *o) {
  const char *text;
  nas_expression e;
  if (nas_activation_expression(o->activation, &text, NULL) != NAS_OK) return 0;
  return nas_expression_parse(text, &e, NULL) == NAS_OK ? e.n_scalars : 0;
}

static int64_t params(int64_t in, int64_t out, const void *values) { return out * (in + 1) + scalars(values); }

static int64_t macs(int64_t in, int64_t out, const void *values) {
  (void)values;
  return out * in;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const activation_options *o = values;
  nas_attrs attrs = {.out = out, .bias = true};
  const char *text;
  NAS_TRY(nas_activation_expression(o->activation, &text, err));
  NAS_TRY(nas_neuron_sums(g, input, &attrs, label, NULL, &input, err));
  nas_text_put(attrs.options, sizeof attrs.options, "f=%s\n", text);
  return nas_neuron_op(g, "expression", &input, 1, &attrs, label, "act", value, err);
}

const nas_neuron_type nas_neuron_activation = {
    .name = "activation",
    .version = 1,
    .summary = "a linear neuron and any activation: a published one by name, or an expression with trained scalars",
    .citation = "each activation's own (`nascent neuron activations`)",
    .formula = "y = f(W x + b)",
    .count = "out (in + 1) + the scalars of f",
    .work = "out in",
    .start = "W, b as a linear layer; scalars at the values in the expression, or 1",
    .limits = "none",
    .stability = "log(1 + exp(u)), exp(u) - 1, log(1 + u) and 1 / (1 + exp(-u)) are computed in their safe forms",
    .options = options,
    .options_size = sizeof(activation_options),
    .params = params,
    .macs = macs,
    .build = build,
};
