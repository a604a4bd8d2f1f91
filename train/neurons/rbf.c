#include "base/str.h"
#include "train/neuron.h"

typedef struct rbf_options {
  char scaling[12];
} rbf_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(rbf_options, scaling, "scaling", "isotropic", "isotropic|diagonal|full",
                   "one width per neuron, one per neuron and input, or a matrix per neuron"),
    NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const rbf_options *o = values;
  return out * (in + (o->scaling[0] == 'i' ? 1 : o->scaling[0] == 'd' ? in : in * in));
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const rbf_options *o = values;
  return out * (o->scaling[0] == 'f' ? in * in + in : 2 * in);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const rbf_options *o = values;
  nas_attrs attrs = {.out = out};
  nas_text_put(attrs.options, sizeof attrs.options, "scaling=%s\n", o->scaling);
  return nas_graph_op(g, "rbf", &input, 1, &attrs, label, value, err);
}

const nas_neuron_type nas_neuron_rbf = {
    .name = "rbf",
    .version = 1,
    .summary = "a Gaussian of the scaled distance to a trained centre",
    .citation =
        "D. Broomhead, D. Lowe, Multivariable functional interpolation and adaptive networks, Complex Systems 2, 1988",
    .formula = "y_j = exp(-|u|^2 / 2), u = (x - c_j) / s_j (s_j a number or a vector) or L_j (x - c_j)",
    .count = "isotropic out (in + 1), diagonal 2 out in, full out (in + in^2)",
    .work = "2 out in, full out (in^2 + in)",
    .start = "c normal of deviation 1, s = sqrt(2 in), L normal of deviation 1/(in sqrt 2)",
    .limits = "s stays at least 0.001",
    .stability = "lies in [0, 1]; far from all centres everything, gradients too, is 0",
    .options = options,
    .options_size = sizeof(rbf_options),
    .params = params,
    .macs = macs,
    .build = build,
};
