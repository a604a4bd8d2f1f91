#include "base/str.h"
#include "train/neuron.h"

typedef struct kan_chebyshev_options {
  int64_t degree;
} kan_chebyshev_options;

static const nas_option options[] = {
    NAS_OPT_INT(kan_chebyshev_options, degree, "degree", "4", 1, 64, "highest degree of the polynomials"), NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const kan_chebyshev_options *o = values;
  return out * in * (o->degree + 1);
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const kan_chebyshev_options *o = values;
  return out * in * (o->degree + 1);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const kan_chebyshev_options *o = values;
  nas_attrs attrs = {.out = out};
  nas_text_put(attrs.options, sizeof attrs.options, "degree=%d\n", (int)o->degree);
  return nas_graph_op(g, "kan_chebyshev", &input, 1, &attrs, label, value, err);
}

const nas_neuron_type nas_neuron_kan_chebyshev = {
    .name = "kan-chebyshev",
    .version = 2,
    .summary = "sums of Chebyshev polynomials of the tanh of each input",
    .citation = "S. SS et al., Chebyshev polynomial-based Kolmogorov-Arnold networks, arXiv:2405.07200",
    .formula = "y_o = sum_i sum_{d=0..D} coef_iod T_d(tanh x_i)",
    .count = "out in (D + 1)",
    .work = "out in (D + 1)",
    .start = "normal of deviation 1 / (in (D + 1))",
    .limits = "none",
    .stability = "polynomials lie in [-1, 1]; the recurrence, unlike cos(d acos u), has finite slopes everywhere",
    .options = options,
    .options_size = sizeof(kan_chebyshev_options),
    .params = params,
    .macs = macs,
    .build = build,
};
