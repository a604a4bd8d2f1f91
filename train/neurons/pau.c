#include "base/str.h"
#include "train/neuron.h"

typedef struct pau_options {
  char version[2];
  int64_t m, n;
} pau_options;

static const nas_option options[] = {NAS_OPT_CHOICE(pau_options, version, "version", "A", "A|B",
                                                    "denominator: A = 1 + sum of |terms|, B = 1 + |sum of terms|"),
                                     NAS_OPT_INT(pau_options, m, "m", "5", 1, 8, "degree of the numerator"),
                                     NAS_OPT_INT(pau_options, n, "n", "4", 1, 8, "degree of the denominator"),
                                     NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const pau_options *o = values;
  return out * (in + 1) + o->m + 1 + o->n;
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  (void)values;
  return out * in;
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const pau_options *o = values;
  nas_attrs attrs = {.out = out, .bias = true};
  NAS_TRY(nas_neuron_sums(g, input, &attrs, label, NULL, &input, err));
  nas_text_put(attrs.options, sizeof attrs.options, "version=%s\nm=%d\nn=%d\n", o->version, (int)o->m, (int)o->n);
  return nas_neuron_op(g, "pau", &input, 1, &attrs, label, "act", value, err);
}

const nas_neuron_type nas_neuron_pau = {
    .name = "pau",
    .version = 3,
    .summary = "a linear neuron and a trained rational activation that the layer shares",
    .citation = "A. Molina, P. Schramowski, K. Kersting, Pade activation units, arXiv:1907.06732",
    .formula = "y = P(W x + b) / Q(W x + b), P = sum a_k z^k; A: Q = 1 + sum |b_k z^k|; B: Q = 1 + |sum b_k z^k|",
    .count = "out (in + 1) + m + 1 + n",
    .work = "out in",
    .start =
        "W, b as a linear layer; degrees 5 and 4 near leaky ReLU 0.01 on [-3, 3], the published numbers of version A "
        "or B; "
        "other degrees the identity",
    .limits = "none",
    .stability = "denominators are at least 1",
    .options = options,
    .options_size = sizeof(pau_options),
    .params = params,
    .macs = macs,
    .build = build,
};
