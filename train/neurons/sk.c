#include "base/str.h"
#include "train/neuron.h"

typedef struct sk_options {
  int64_t hidden, groups;
  bool norm;
} sk_options;

static const nas_option options[] = {
    NAS_OPT_INT(sk_options, hidden, "hidden", "0", 0, 1e6, "width of the attention's middle; 0: max(out / 16, 32)"),
    NAS_OPT_INT(sk_options, groups, "groups", "1", 1, 1e6, "groups of both convolutions (the article: 32)"),
    NAS_OPT_FLAG(sk_options, norm, "norm", "yes", "batch norm after the convolutions and in the attention"),
    NAS_OPT_END};

static int64_t hidden(int64_t out, const sk_options *o) {
  return o->hidden ? o->hidden : out / 16 > 32 ? out / 16 : 32;
}

static nas_status settle(nas_graph *g, const sk_options *o, const char *label, const char *norm, nas_value *value,
                         nas_err *err) {
  nas_value in = *value;
  if (o->norm) NAS_TRY(nas_neuron_op(g, "batch_norm", &in, 1, NULL, label, norm, &in, err));
  return nas_graph_op(g, "relu", &in, 1, NULL, label, value, err);
}

static nas_status attend(nas_graph *g, const nas_value *branches, int32_t out, const sk_options *o, const char *label,
                         nas_value *logits, nas_err *err) {
  nas_value v;
  NAS_TRY(nas_graph_op(g, "add", branches, 2, NULL, label, &v, err));
  NAS_TRY(nas_graph_op(g, "global_pool", &v, 1, NULL, label, &v, err));
  NAS_TRY(nas_neuron_sums(g, v, &(nas_attrs){.out = (int32_t)hidden(out, o)}, label, "wr", &v, err));
  NAS_TRY(settle(g, o, label, "bn3", &v, err));
  return nas_neuron_sums(g, v, &(nas_attrs){.out = 2 * out}, label, "ws", logits, err);
}

static int64_t params(int64_t in, int64_t out, const void *values) {
  const sk_options *o = values;
  return 2 * out * in / o->groups + 3 * out * hidden(out, o) + (o->norm ? 4 * out + 2 * hidden(out, o) : 0);
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const sk_options *o = values;
  return 2 * out * in / o->groups + 2 * out;
}

static nas_status build_conv(nas_graph *g, nas_value input, const nas_attrs *attrs, const void *values,
                             const char *label, nas_value *value, nas_err *err) {
  const sk_options *o = values;
  nas_attrs a = *attrs, point = {.out = attrs->out, .kernel_h = 1, .kernel_w = 1, .stride = 1};
  nas_value all[3], wide;
  if (attrs->kernel_h % 2 == 0 || attrs->kernel_w % 2 == 0 || attrs->kernel_h != attrs->kernel_w)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "a %dx%d kernel; sk takes a square one of an odd side",
                    attrs->kernel_h, attrs->kernel_w);
  a.groups = point.groups = (int32_t)o->groups;
  a.bias = false;
  a.options[0] = 0;
  NAS_TRY(nas_neuron_op(g, "conv2d", &input, 1, &a, label, "k1", &all[0], err));
  NAS_TRY(settle(g, o, label, "bn1", &all[0], err));
  a.out = 0;
  a.pad += a.kernel_h / 2;
  nas_text_put(a.options, sizeof a.options, "dilation=2\n");
  NAS_TRY(nas_graph_op(g, "patches", &input, 1, &a, label, &wide, err));
  NAS_TRY(nas_neuron_op(g, "conv2d", &wide, 1, &point, label, "k2", &all[1], err));
  NAS_TRY(settle(g, o, label, "bn2", &all[1], err));
  NAS_TRY(attend(g, all, attrs->out, o, label, &all[2], err));
  return nas_graph_op(g, "select_branch", all, 3, NULL, label, value, err);
}

const nas_neuron_type nas_neuron_sk = {
    .name = "sk",
    .version = 1,
    .summary = "two convolutions, one dilated, mixed in each channel by attention over the whole image",
    .citation = "X. Li et al., Selective kernel networks, arXiv:1903.06586",
    .formula =
        "U_m = relu(BN(conv_m x)), conv_2 dilated by 2; a = softmax_m(Ws relu(BN(Wr mean(U_1 + U_2)))); y = a_1 U_1 + "
        "a_2 U_2",
    .count = "2 out in / groups + 3 out d, with norm + 4 out + 2 d (in = C k^2, d the width `hidden`)",
    .work = "2 out in / groups + 2 out (the attention, 3 out d once an image, is left out)",
    .start = "convolutions and linear layers by their own rules",
    .limits = "none",
    .stability = "a weighted mean of its branches",
    .forms = NAS_NEURON_CONV,
    .options = options,
    .options_size = sizeof(sk_options),
    .params = params,
    .macs = macs,
    .build_conv = build_conv,
};
