#include "base/str.h"
#include "train/neuron.h"

static int64_t params(int64_t in, int64_t out, const void *options) {
  (void)options;
  return 3 * out * (in + 1);
}

static int64_t macs(int64_t in, int64_t out, const void *options) {
  (void)options;
  return 3 * out * in + in + out;
}

/* A linear layer named LABEL.PART. */
static nas_status part(nas_graph *g, nas_value input, int32_t out, const char *label, const char *name,
                       nas_value *value, nas_err *err) {
  char full[80];
  if (!nas_text_put(full, sizeof full, "%s.%s", label, name))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "the label is too long for a quadratic neuron's parts");
  return nas_graph_op(g, "linear", &input, 1, &(nas_attrs){.out = out, .bias = true}, full, value, err);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *options, const char *label,
                        nas_value *value, nas_err *err) {
  (void)options;
  nas_value factors[2], terms[2], square;
  NAS_TRY(part(g, input, out, label, "r", &factors[0], err));
  NAS_TRY(part(g, input, out, label, "g", &factors[1], err));
  NAS_TRY(nas_graph_op(g, "mul", factors, 2, NULL, label, &terms[0], err));
  NAS_TRY(nas_graph_op(g, "square", &input, 1, NULL, label, &square, err));
  NAS_TRY(part(g, square, out, label, "b", &terms[1], err));
  return nas_graph_op(g, "add", terms, 2, NULL, label, value, err);
}

const nas_neuron_type nas_neuron_quadratic = {
    .name = "quadratic",
    .version = 1,
    .summary = "a product of two linear neurons plus a linear neuron of the squares",
    .citation = "F. Fan, W. Cong, G. Wang, A new type of neurons for machine learning, arXiv:1704.08362",
    .formula = "y = (Wr x + br) (Wg x + bg) + Wb (x x) + bb",
    .params = params,
    .macs = macs,
    .build = build,
};
