#include "base/str.h"
#include "train/neuron.h"

typedef struct pade_options {
  char kind[2];
  int64_t m, n;
} pade_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(pade_options, kind, "kind", "s", "a|b|s",
                   "denominator: a = 1 + sum of |degrees|, b = 1 + |sum of degrees|, s = smooth"),
    NAS_OPT_INT(pade_options, m, "m", "2", 1, 8, "degree of the numerator"),
    NAS_OPT_INT(pade_options, n, "n", "2", 1, 8, "degree of the denominator"), NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  const pade_options *o = values;
  return out * (1 + in * (o->m + o->n));
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const pade_options *o = values;
  return out * in * (o->m + o->n);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const pade_options *o = values;
  nas_attrs attrs = {.out = out};
  nas_text_put(attrs.options, sizeof attrs.options, "kind=%s\nm=%d\nn=%d\n", o->kind, (int)o->m, (int)o->n);
  return nas_graph_op(g, "pade", &input, 1, &attrs, label, value, err);
}

const nas_neuron_type nas_neuron_pade = {
    .name = "pade",
    .version = 1,
    .summary = "the quotient of two polynomials of the inputs",
    .citation = "O. Keles, A. M. Tekalp, PAON: a new neuron model using Pade approximants, arXiv:2403.11791",
    .formula =
        "p_k = sum_i wm_ki x_i^k, q_l = sum_i wn_li x_i^l; a: y = (w0 + sum p_k) / (1 + sum |q_l|); b: the same over 1 "
        "+ |sum q_l|; s: y = (Q_n P_m + Q_n-1 P_m-1) / (Q_n^2 + Q_n-1^2), P_m = w0 + sum p_k, Q_n = 1 + sum q_l",
    .count = "out (1 + in (m + n))",
    .work = "out in (m + n)",
    .start =
        "w0 uniform in +-1/sqrt(in), wm_1 in +-sqrt(3/in) (He's rule of gain 1, which the authors' code applies to the "
        "other side of their dense layer), all else 0",
    .limits = "none",
    .stability =
        "denominators of a and b are at least 1; that of s vanishes only where Q_n and Q_n-1 do together; probe: "
        "denominator",
    .options = options,
    .options_size = sizeof(pade_options),
    .params = params,
    .macs = macs,
    .build = build,
};
