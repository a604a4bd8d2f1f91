#include "base/str.h"
#include "train/neuron.h"

typedef struct lehmer_options {
  int64_t k;
  char inputs[12];
} lehmer_options;

static const nas_option options[] = {
    NAS_OPT_INT(lehmer_options, k, "k", "3", 1, 64, "exponents that share the weights of a neuron (a multiplet)"),
    NAS_OPT_CHOICE(lehmer_options, inputs, "inputs", "softplus", "softplus|positive",
                   "softplus makes them positive; positive: they are so already"),
    NAS_OPT_END};

static int64_t multiplets(int64_t out, const lehmer_options *o) { return (out + o->k - 1) / o->k; }

static int64_t params(int64_t in, int64_t out, const void *values) {
  const lehmer_options *o = values;
  return in * multiplets(out, o) + o->k;
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const lehmer_options *o = values;
  return 2 * in * multiplets(out, o) * o->k;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const lehmer_options *o = values;
  nas_attrs attrs = {.out = (int32_t)multiplets(out, o)};
  nas_text_put(attrs.options, sizeof attrs.options, "mean=lehmer\nk=%d\ninputs=%s\n", (int)o->k, o->inputs);
  NAS_TRY(nas_graph_op(g, "power_mean", &input, 1, &attrs, label, value, err));
  if (nas_graph_shape(g, *value).c == out) return NAS_OK;
  nas_value all = *value;
  return nas_graph_op(g, "slice", &all, 1, &(nas_attrs){.out = out}, label, value, err);
}

const nas_neuron_type nas_neuron_lehmer = {
    .name = "lehmer",
    .version = 1,
    .summary = "weighted Lehmer means of the inputs with trained exponents, k of them to each set of weights",
    .citation = "N. E. Frick, An informal introduction to multiplet neural networks, arXiv:2006.01606",
    .formula = "y_jk = sum_i w_ji x_i^p_k / sum_i w_ji x_i^(p_k - 1)",
    .count = "in ceil(out/k) + k",
    .work = "2 in k ceil(out/k)",
    .start = "w uniform in [0.5, 1.5], exponents evenly from -0.75 to 3.25 (k = 1: 1.25)",
    .limits = "w at least 1e-6; inputs are made positive by softplus",
    .stability = "sums of powers are taken by their logarithms; between the least and the largest positive input",
    .options = options,
    .options_size = sizeof(lehmer_options),
    .params = params,
    .macs = macs,
    .build = build,
};
