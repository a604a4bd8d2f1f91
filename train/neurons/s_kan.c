#include "base/str.h"
#include "train/neuron.h"

typedef struct s_kan_options {
  char stage[12];
  double threshold;
  int64_t selective_after, pruned_after, grid, grids, degree;
} s_kan_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(s_kan_options, stage, "stage", "all", "all|selective|pruned",
                   "mix all spaces, those near the heaviest, or take the heaviest alone"),
    NAS_OPT_REAL(s_kan_options, threshold, "threshold", "0.5", 0, 1,
                 "selective: least weight that counts, as a share of the heaviest"),
    NAS_OPT_INT(s_kan_options, selective_after, "selective-after", "0", 0, 1e9,
                "training steps before the selective stage begins; 0: never"),
    NAS_OPT_INT(s_kan_options, pruned_after, "pruned-after", "0", 0, 1e9,
                "training steps before the pruned stage begins; 0: never"),
    NAS_OPT_INT(s_kan_options, grid, "grid", "5", 1, 64, "cells of the splines"),
    NAS_OPT_INT(s_kan_options, grids, "grids", "8", 2, 64, "centres of the Gaussians"),
    NAS_OPT_INT(s_kan_options, degree, "degree", "4", 1, 64, "of the Chebyshev polynomials"),
    NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const s_kan_options *o = values;
  return out * in * (o->grid + 3 + 2 + o->grids + 1 + o->degree + 1) + out + 3 * out;
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const s_kan_options *o = values;
  return out * in * (3 + 3 + o->grids + 1 + o->degree + 1) + 3 * out;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const s_kan_options *o = values;
  nas_attrs attrs = {.out = out};
  nas_value spaces[3];
  nas_text_put(attrs.options, sizeof attrs.options, "grid=%d\n", (int)o->grid);
  NAS_TRY(nas_neuron_op(g, "kan_bspline", &input, 1, &attrs, label, "bspline", &spaces[0], err));
  nas_text_put(attrs.options, sizeof attrs.options, "grids=%d\n", (int)o->grids);
  NAS_TRY(nas_neuron_op(g, "kan_rbf", &input, 1, &attrs, label, "rbf", &spaces[1], err));
  nas_text_put(attrs.options, sizeof attrs.options, "degree=%d\n", (int)o->degree);
  NAS_TRY(nas_neuron_op(g, "kan_chebyshev", &input, 1, &attrs, label, "chebyshev", &spaces[2], err));
  nas_text_put(attrs.options, sizeof attrs.options, "stage=%s\nthreshold=%.17g\nselective-after=%d\npruned-after=%d\n",
               o->stage, o->threshold, (int)o->selective_after, (int)o->pruned_after);
  return nas_neuron_op(g, "choose", spaces, 3, &attrs, label, "choice", value, err);
}

const nas_neuron_type nas_neuron_s_kan = {
    .name = "s-kan",
    .version = 2,
    .summary = "each node chooses among splines, Gaussians and Chebyshev polynomials by trained weights",
    .citation = "Z. Yang et al., Activation space selectable Kolmogorov-Arnold networks, arXiv:2408.08338",
    .formula =
        "y_o = sum_s a_os KAN_s(x)_o, a_o the softmax of trained logits over the spaces s; selective: over those near "
        "the "
        "heaviest only; pruned: the heaviest alone (selective-after and pruned-after lead one training through all "
        "three)",
    .count = "out in (G + 5 + grids + 1 + D + 1) + out + 3 out; G cells of the splines, D the degree",
    .work = "out in (6 + grids + 1 + D + 1) + 3 out: every space is computed in every stage",
    .start = "each space as its own neuron type, logits normal of deviation 0.1",
    .limits = "what a stage leaves out stays out",
    .stability = "that of its spaces",
    .options = options,
    .options_size = sizeof(s_kan_options),
    .params = params,
    .macs = macs,
    .build = build,
};
