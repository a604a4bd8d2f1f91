#include "base/str.h"
#include "train/neuron.h"

typedef struct ltc_options {
  int64_t unfolds;
} ltc_options;

static const nas_option options[] = {
    NAS_OPT_INT(ltc_options, unfolds, "unfolds", "6", 1, 64, "solver steps of one unit of time"), NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  (void)values;
  return 3 * out + 4 * out * (in + out);
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const ltc_options *o = values;
  return 3 * out * (in + o->unfolds * out);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const ltc_options *o = values;
  nas_attrs attrs = {.out = out};
  nas_text_put(attrs.options, sizeof attrs.options, "unfolds=%d\n", (int)o->unfolds);
  return nas_graph_op(g, "ltc", &input, 1, &attrs, label, value, err);
}

const nas_neuron_type nas_neuron_ltc = {
    .name = "ltc",
    .version = 2,
    .summary = "liquid time-constant cells, fully connected, one unit of time from rest at 0",
    .citation = "R. Hasani et al., Liquid time-constant networks, arXiv:2006.04439",
    .formula =
        "a_pu = w_pu sigmoid(sigma_pu (v_p - mu_pu)); unfolds times: v_u <- (C v_u + gleak vleak + sum a erev "
        "+ s_u) / (C + gleak + sum a + s + 1e-8), C = unfolds cm, s the same sums of the inputs",
    .count = "3 out + 4 out (in + out)",
    .work = "3 out (in + unfolds out)",
    .start =
        "as the fully connected cell of the authors' ncps: gleak, w uniform in [0.001, 1], vleak [-0.2, 0.2], cm [0.4, "
        "0.6], sigma [3, 8], mu [0.3, 0.8]; erev 1 with probability 2/3, else -1",
    .limits = "w, sw, cm, gleak never below 0",
    .stability = "potentials stay between the reversal potentials and rest",
    .options = options,
    .options_size = sizeof(ltc_options),
    .params = params,
    .macs = macs,
    .build = build,
};
