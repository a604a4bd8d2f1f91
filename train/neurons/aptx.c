#include "base/str.h"
#include "train/neuron.h"

typedef struct aptx_options {
  char alpha[8];
} aptx_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(aptx_options, alpha, "alpha", "free", "free|one", "whether alpha is trained or fixed to 1"),
    NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const aptx_options *o = values;
  return out * ((o->alpha[0] == 'f' ? 3 : 2) * in + 1);
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  (void)values;
  return 3 * out * in;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const aptx_options *o = values;
  nas_attrs attrs = {.out = out};
  nas_text_put(attrs.options, sizeof attrs.options, "alpha=%s\n", o->alpha);
  return nas_graph_op(g, "aptx", &input, 1, &attrs, label, value, err);
}

const nas_neuron_type nas_neuron_aptx = {
    .name = "aptx",
    .version = 1,
    .summary = "the sum of an APTx activation of each input, with three numbers of its own for every edge",
    .citation = "R. Kumar, APTx neuron, arXiv:2507.14270",
    .formula = "y_j = delta_j + sum_i (alpha_ji + tanh(beta_ji x_i)) gamma_ji x_i",
    .count = "out (3 in + 1); alpha fixed: out (2 in + 1)",
    .work = "3 out in",
    .start = "alpha, beta, gamma normal of deviation 1, delta = 0",
    .limits = "none",
    .stability = "grows as its inputs do; tanh is bounded",
    .options = options,
    .options_size = sizeof(aptx_options),
    .params = params,
    .macs = macs,
    .build = build,
};
