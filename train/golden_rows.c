/* How each formula of the golden files is built here. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "train/golden.h"
#include "train/neuron.h"

static nas_status begin(nas_shape input, nas_graph **g, nas_err *err) { return nas_graph_new(input, g, err); }

static nas_status close_graph(nas_graph *g, nas_value v, nas_err *err) {
  NAS_TRY(nas_graph_op(g, "flatten", &v, 1, NULL, "", &v, err));
  return nas_graph_set_output(g, v, err);
}

/* The neuron type alone over a vector of inputs x [batch, in]; y is [batch, out]. */
static nas_status dense(const nas_golden *f, const char *neuron, const char *options, int32_t out, nas_graph **g,
                        nas_err *err) {
  nas_attrs attrs = {.out = out};
  nas_value v;
  nas_text_put(attrs.options, sizeof attrs.options, "%s", options);
  NAS_TRY(begin((nas_shape){nas_golden_size(f, "x", 1), 1, 1}, g, err));
  NAS_TRY(nas_neuron_build(nas_neuron_find(neuron), *g, 0, &attrs, "n", &v, err));
  return close_graph(*g, v, err);
}

/* One operation over x. */
static nas_status alone(const nas_golden *f, const char *op, const char *options, int32_t out, nas_graph **g,
                        nas_err *err) {
  nas_attrs attrs = {.out = out};
  nas_value v = 0;
  nas_text_put(attrs.options, sizeof attrs.options, "%s", options);
  NAS_TRY(begin((nas_shape){nas_golden_size(f, "x", 1), 1, 1}, g, err));
  NAS_TRY(nas_graph_op(*g, op, &v, 1, &attrs, "n", &v, err));
  return close_graph(*g, v, err);
}

static int32_t outputs(const nas_golden *f) { return nas_golden_size(f, "y", 1); }

static nas_status linear(const nas_golden *f, nas_graph **g, nas_err *err) {
  return dense(f, "linear", "", outputs(f), g, err);
}

static nas_status aptx(const nas_golden *f, nas_graph **g, nas_err *err) {
  return dense(f, "aptx", "", outputs(f), g, err);
}

static nas_status quadratic(const nas_golden *f, nas_graph **g, nas_err *err) {
  return dense(f, "quadratic", "form=fan\n", outputs(f), g, err);
}

static nas_status quadralib(const nas_golden *f, nas_graph **g, nas_err *err) {
  return dense(f, "quadratic", "form=quadralib\n", outputs(f), g, err);
}

static nas_status selfonn(const nas_golden *f, nas_graph **g, nas_err *err) {
  char options[64];
  nas_text_put(options, sizeof options, "order=%d\n", (int)nas_golden_number(f, "Q", 3));
  return dense(f, "selfonn", options, outputs(f), g, err);
}

static nas_status selfonn_conv(const nas_golden *f, nas_graph **g, nas_err *err) {
  int32_t k = nas_golden_size(f, "W", 2);
  nas_attrs attrs = {.out = outputs(f), .kernel_h = k, .kernel_w = nas_golden_size(f, "W", 3), .stride = 1};
  nas_value v;
  int32_t half = k / 2;
  attrs.pad = (int32_t)nas_golden_number(f, "pad", half);
  nas_text_put(attrs.options, sizeof attrs.options, "order=%d\n", (int)nas_golden_number(f, "Q", 3));
  NAS_TRY(
      begin((nas_shape){nas_golden_size(f, "x", 1), nas_golden_size(f, "x", 2), nas_golden_size(f, "x", 3)}, g, err));
  NAS_TRY(nas_neuron_build(nas_neuron_find("selfonn"), *g, 0, &attrs, "n", &v, err));
  return close_graph(*g, v, err);
}

static nas_status pade(const nas_golden *f, nas_graph **g, nas_err *err) {
  char options[64];
  nas_text_put(options, sizeof options, "kind=%s\nm=%d\nn=%d\n", nas_golden_word(f, "kind"),
               nas_golden_size(f, "wm", 0), nas_golden_size(f, "wn", 0));
  return dense(f, "pade", options, outputs(f), g, err);
}

static nas_status pau(const nas_golden *f, nas_graph **g, nas_err *err) {
  char options[64];
  nas_text_put(options, sizeof options, "version=%s\nm=%d\nn=%d\n", nas_golden_word(f, "version"),
               nas_golden_size(f, "a", 0) - 1, nas_golden_size(f, "b", 0));
  return alone(f, "pau", options, 0, g, err);
}

static nas_status aptx_activation(const nas_golden *f, nas_graph **g, nas_err *err) {
  return alone(f, "expression", "f=(alpha + tanh(beta*x))*gamma*x; alpha=1, beta=1, gamma=0.5\n", 0, g, err);
}

static nas_status kan_bspline(const nas_golden *f, nas_graph **g, nas_err *err) {
  char options[128];
  int grid = (int)nas_golden_number(f, "grid", 5), order = (int)nas_golden_number(f, "order", 3);
  nas_text_put(options, sizeof options, "grid=%d\norder=%d\nlow=%.17g\nhigh=%.17g\n", grid, order,
               nas_golden_knot(f, order, -1), nas_golden_knot(f, order + grid, 1));
  return dense(f, "kan-bspline", options, outputs(f), g, err);
}

static nas_status kan_rbf(const nas_golden *f, nas_graph **g, nas_err *err) {
  char options[160];
  nas_text_put(options, sizeof options, "low=%.17g\nhigh=%.17g\ngrids=%d\nlayer-norm=%s\n",
               nas_golden_number(f, "grid_min", -2), nas_golden_number(f, "grid_max", 2),
               nas_golden_size(f, "spline_w", 1) / (nas_golden_size(f, "x", 1) ? nas_golden_size(f, "x", 1) : 1),
               nas_golden_size(f, "ln_g", 0) ? "yes" : "no");
  return dense(f, "kan-rbf", options, outputs(f), g, err);
}

static nas_status kan_chebyshev(const nas_golden *f, nas_graph **g, nas_err *err) {
  char options[32];
  nas_text_put(options, sizeof options, "degree=%d\n", nas_golden_size(f, "coef", 2) - 1);
  return dense(f, "kan-chebyshev", options, outputs(f), g, err);
}

static nas_status rbf_iso(const nas_golden *f, nas_graph **g, nas_err *err) {
  return dense(f, "rbf", "scaling=isotropic\n", outputs(f), g, err);
}

static nas_status rbf_diag(const nas_golden *f, nas_graph **g, nas_err *err) {
  return dense(f, "rbf", "scaling=diagonal\n", outputs(f), g, err);
}

static nas_status rbf_full(const nas_golden *f, nas_graph **g, nas_err *err) {
  return dense(f, "rbf", "scaling=full\n", outputs(f), g, err);
}

static nas_status power_mean(const nas_golden *f, const char *mean, nas_graph **g, nas_err *err) {
  char options[64];
  nas_text_put(options, sizeof options, "mean=%s\nk=%d\ninputs=positive\n", mean, nas_golden_size(f, "p", 0));
  return alone(f, "power_mean", options, outputs(f), g, err);
}

static nas_status lehmer(const nas_golden *f, nas_graph **g, nas_err *err) { return power_mean(f, "lehmer", g, err); }
static nas_status gini(const nas_golden *f, nas_graph **g, nas_err *err) { return power_mean(f, "gini", g, err); }

/* The image holds x0 and then c. */
static nas_status kuramoto_of(const nas_golden *f, bool conv, nas_graph **g, nas_err *err) {
  int32_t channels = nas_golden_size(f, "x0", 1), n = (int32_t)nas_golden_number(f, "n", 4);
  nas_shape image = {2 * channels, conv ? nas_golden_size(f, "x0", 2) : 1, conv ? nas_golden_size(f, "x0", 3) : 1};
  nas_value in[2], v = 0;
  nas_attrs attrs = {.out = channels, .pad = 0, .groups = n > 0 && channels % n == 0 ? channels / n : 1};
  NAS_TRY(begin(image, g, err));
  NAS_TRY(nas_graph_op(*g, "slice", &v, 1, &attrs, "", &in[1], err));
  attrs.pad = channels;
  NAS_TRY(nas_graph_op(*g, "slice", &v, 1, &attrs, "", &in[0], err));
  if (conv) NAS_TRY(nas_graph_op(*g, "group_norm", &in[0], 1, &attrs, "gn", &in[0], err));
  attrs = (nas_attrs){.out = 0};
  nas_text_put(attrs.options, sizeof attrs.options, "n=%d\nsteps=%d\nkernel=%d\ntrain-gamma=yes\nomega=%s\n", n,
               (int)nas_golden_number(f, "T", 3), conv ? nas_golden_size(f, "K", 2) : 1,
               nas_golden_size(f, "omg", 1) ? "pair" : "global");
  NAS_TRY(nas_graph_op(*g, "kuramoto", in, 2, &attrs, "n", &v, err));
  return close_graph(*g, v, err);
}

static nas_status kuramoto(const nas_golden *f, nas_graph **g, nas_err *err) { return kuramoto_of(f, false, g, err); }
static nas_status kuramoto_conv(const nas_golden *f, nas_graph **g, nas_err *err) {
  return kuramoto_of(f, true, g, err);
}

static nas_status kuramoto_readout(const nas_golden *f, nas_graph **g, nas_err *err) {
  nas_attrs attrs = {.out = nas_golden_size(f, "U", 0), .bias = true, .groups = (int32_t)nas_golden_number(f, "N", 2)};
  nas_value v = 0;
  NAS_TRY(begin((nas_shape){nas_golden_size(f, "x", 1), 1, 1}, g, err));
  NAS_TRY(nas_graph_op(*g, "linear", &v, 1, &attrs, "u", &v, err));
  NAS_TRY(nas_graph_op(*g, "group_length", &v, 1, &attrs, "n", &v, err));
  return close_graph(*g, v, err);
}

/* The image holds [step][neuron]. */
static nas_status lif_of(const nas_golden *f, const char *reset, nas_graph **g, nas_err *err) {
  int32_t steps = nas_golden_size(f, "x", 0);
  nas_attrs attrs = {.out = 0};
  nas_value v = 0;
  nas_text_put(attrs.options, sizeof attrs.options,
               "steps=%d\ntau=%.17g\nalpha=%.17g\nreset=%s\ninput=sequence\nreadout=spikes\n", steps,
               nas_golden_number(f, "tau", 2), nas_golden_number(f, "alpha", 2), reset);
  NAS_TRY(begin((nas_shape){steps * nas_golden_size(f, "x", 2), 1, 1}, g, err));
  NAS_TRY(nas_graph_op(*g, "lif", &v, 1, &attrs, "n", &v, err));
  return close_graph(*g, v, err);
}

static nas_status lif_hard(const nas_golden *f, nas_graph **g, nas_err *err) { return lif_of(f, "hard", g, err); }
static nas_status lif_soft(const nas_golden *f, nas_graph **g, nas_err *err) { return lif_of(f, "soft", g, err); }

static nas_status ltc(const nas_golden *f, nas_graph **g, nas_err *err) {
  int32_t in = nas_golden_size(f, "x", 1), units = nas_golden_size(f, "v0", 1);
  nas_value parts[2], v = 0;
  NAS_TRY(begin((nas_shape){in + units, 1, 1}, g, err));
  NAS_TRY(nas_graph_op(*g, "slice", &v, 1, &(nas_attrs){.out = in}, "", &parts[0], err));
  NAS_TRY(nas_graph_op(*g, "slice", &v, 1, &(nas_attrs){.out = units, .pad = in}, "", &parts[1], err));
  nas_attrs attrs = {.out = units};
  nas_text_put(attrs.options, sizeof attrs.options, "unfolds=%d\n", (int)nas_golden_number(f, "unfolds", 6));
  NAS_TRY(nas_graph_op(*g, "ltc", parts, 2, &attrs, "n", &v, err));
  return close_graph(*g, v, err);
}

/* The image holds x, then the noise of every neuron and activation. */
static nas_status smartmixed_of(const nas_golden *f, const char *phase, nas_graph **g, nas_err *err) {
  int32_t width = nas_golden_size(f, "x", 1), choices = nas_golden_size(f, "logits", 1);
  nas_value parts[2], v = 0;
  NAS_TRY(begin((nas_shape){width * (1 + choices), 1, 1}, g, err));
  NAS_TRY(nas_graph_op(*g, "slice", &v, 1, &(nas_attrs){.out = width}, "", &parts[0], err));
  NAS_TRY(nas_graph_op(*g, "slice", &v, 1, &(nas_attrs){.out = width * choices, .pad = width}, "", &parts[1], err));
  nas_attrs attrs = {.out = 0};
  nas_text_put(attrs.options, sizeof attrs.options, "phase=%s\ntau=%.17g\n", phase, nas_golden_number(f, "tau", 1));
  NAS_TRY(nas_graph_op(*g, "smartmixed", parts, 2, &attrs, "n", &v, err));
  return close_graph(*g, v, err);
}

static nas_status smartmixed_soft(const nas_golden *f, nas_graph **g, nas_err *err) {
  return smartmixed_of(f, "soft", g, err);
}
static nas_status smartmixed_hard(const nas_golden *f, nas_graph **g, nas_err *err) {
  return smartmixed_of(f, "hard", g, err);
}

static nas_status sk(const nas_golden *f, nas_graph **g, nas_err *err) {
  int32_t k = nas_golden_size(f, "k1", 2);
  nas_attrs attrs = {.out = outputs(f), .kernel_h = k, .kernel_w = k, .stride = 1, .pad = k / 2};
  nas_value v;
  nas_text_put(attrs.options, sizeof attrs.options, "hidden=%d\nnorm=%s\n", nas_golden_size(f, "wr", 0),
               nas_golden_size(f, "g1", 0) ? "yes" : "no");
  NAS_TRY(
      begin((nas_shape){nas_golden_size(f, "x", 1), nas_golden_size(f, "x", 2), nas_golden_size(f, "x", 3)}, g, err));
  NAS_TRY(nas_neuron_build(nas_neuron_find("sk"), *g, 0, &attrs, "n", &v, err));
  return close_graph(*g, v, err);
}

#define X \
  { "x", "input", NULL }
#define Y \
  { "y", "output", NULL }
#define PADE                                                                                                \
  {                                                                                                         \
    X, Y, {"w0", "n.w0", NULL}, {"wm", "n.wm", NULL}, {"wn", "n.wn", NULL}, {"numerator", "probe", NULL}, { \
      "denominator", "probe", NULL                                                                          \
    }                                                                                                       \
  }
#define SK                                                                                                    \
  {"x", "input", "0231"}, {"y", "output", "0231"}, {"attention", "probe", NULL}, {"k1", "n.k1.weight", NULL}, \
      {"k2", "n.k2.weight", NULL}, {"wr", "n.wr.weight", NULL}, {                                             \
    "ws", "n.ws.weight", NULL                                                                                 \
  }

static const nas_golden_row rows[] = {
    {"linear", "linear", linear, {X, Y, {"W", "n.weight", NULL}, {"b", "n.bias", NULL}}},
    {"aptx",
     "aptx",
     aptx,
     {X,
      Y,
      {"alpha", "n.alpha", NULL},
      {"beta", "n.beta", NULL},
      {"gamma", "n.gamma", NULL},
      {"delta", "n.delta", NULL}}},
    {"aptx_activation",
     "aptx-activation",
     aptx_activation,
     {X, Y, {"alpha", "n.alpha", NULL}, {"beta", "n.beta", NULL}, {"gamma", "n.gamma", NULL}}},
    {"quadratic",
     "quadratic",
     quadratic,
     {X,
      Y,
      {"wr", "n.r.weight", NULL},
      {"br", "n.r.bias", NULL},
      {"wg", "n.g.weight", NULL},
      {"bg", "n.g.bias", NULL},
      {"wb", "n.b.weight", NULL},
      {"c", "n.b.bias", NULL}}},
    {"quadratic_quadralib",
     "quadratic",
     quadralib,
     {X,
      Y,
      {"wa", "n.r.weight", NULL},
      {"ba", "n.r.bias", NULL},
      {"wb", "n.g.weight", NULL},
      {"bb", "n.g.bias", NULL},
      {"wc", "n.b.weight", NULL},
      {"bc", "n.b.bias", NULL}}},
    {"selfonn", "selfonn", selfonn, {X, Y, {"W", "n.weight", NULL}, {"b", "n.bias", NULL}}},
    {"selfonn_conv",
     "selfonn",
     selfonn_conv,
     {{"x", "input", "0231"}, {"y", "output", "0231"}, {"W", "n.weight", NULL}, {"b", "n.bias", NULL}}},
    {"pade_*", "pade", pade, PADE},
    {"pau_a", "pau", pau, {X, Y, {"a", "n.a", NULL}, {"b", "n.b", NULL}}},
    {"pau_b", "pau", pau, {X, Y, {"a", "n.a", NULL}, {"b", "n.b", NULL}}},
    {"kan_bspline",
     "kan-bspline",
     kan_bspline,
     {X,
      Y,
      {"base_w", "n.base_w", "10"},
      {"spline_w", "n.spline_w", "210"},
      {"spline_scale", "n.spline_scale", "10"},
      {"basis", "probe", NULL}}},
    {"kan_rbf",
     "kan-rbf",
     kan_rbf,
     {X,
      Y,
      {"spline_w", "n.spline_w", "210"},
      {"base_w", "n.base_w", "10"},
      {"base_b", "n.base_b", NULL},
      {"basis", "probe", NULL}}},
    {"kan_rbf_ln",
     "kan-rbf",
     kan_rbf,
     {X,
      Y,
      {"spline_w", "n.spline_w", "210"},
      {"base_w", "n.base_w", "10"},
      {"base_b", "n.base_b", NULL},
      {"ln_g", "n.ln.weight", NULL},
      {"ln_b", "n.ln.bias", NULL},
      {"basis", "probe", NULL}}},
    {"kan_cheby", "kan-chebyshev", kan_chebyshev, {X, Y, {"coef", "n.coef", "201"}}},
    {"rbf_iso", "rbf", rbf_iso, {X, Y, {"c", "n.c", NULL}, {"s", "n.s", NULL}}},
    {"rbf_diag", "rbf", rbf_diag, {X, Y, {"c", "n.c", NULL}, {"s", "n.s", NULL}}},
    {"rbf_full", "rbf", rbf_full, {X, Y, {"c", "n.c", NULL}, {"L", "n.L", NULL}}},
    {"lehmer", "lehmer", lehmer, {X, Y, {"w", "n.w", NULL}, {"p", "n.p", NULL}}},
    {"gini", "gini", gini, {X, Y, {"w", "n.w", NULL}, {"p", "n.p", NULL}, {"q", "n.q", NULL}}},
    {"kuramoto",
     "kuramoto",
     kuramoto,
     {{"x0", "input", NULL},
      {"c", "input", NULL},
      Y,
      {"J", "n.J", NULL},
      {"jb", "n.jb", NULL},
      {"omg", "n.omg", NULL},
      {"gamma", "n.gamma", NULL},
      {"states", "probe", NULL},
      {"energy", "probe", NULL}}},
    {"kuramoto_conv",
     "kuramoto",
     kuramoto_conv,
     {{"x0", "input", "0231"},
      {"c", "input", "0231"},
      {"y", "output", "0231"},
      {"K", "n.J", NULL},
      {"kb", "n.jb", NULL},
      {"omg", "n.omg", NULL},
      {"gamma", "n.gamma", NULL},
      {"gn_g", "gn.weight", NULL},
      {"gn_b", "gn.bias", NULL},
      {"states", "probe", "01342"},
      {"energy", "probe", NULL}}},
    {"kuramoto_readout",
     "kuramoto",
     kuramoto_readout,
     {X, Y, {"U", "u.weight", NULL}, {"u0", "u.bias", NULL}, {"b", "n.bias", NULL}}},
    {"smartmixed_soft",
     "smartmixed",
     smartmixed_soft,
     {X, {"gumbel", "constant", NULL}, Y, {"logits", "n.logits", NULL}, {"weights", "probe", NULL}}},
    {"smartmixed_hard",
     "smartmixed",
     smartmixed_hard,
     {X, {"gumbel", "constant", NULL}, Y, {"logits", "n.logits", NULL}, {"weights", "probe", NULL}}},
    {"lif_hard", "lif", lif_hard, {{"x", "input", "102"}, {"y", "output", "102"}, {"v_last", "probe", NULL}}},
    {"lif_soft", "lif", lif_soft, {{"x", "input", "102"}, {"y", "output", "102"}, {"v_last", "probe", NULL}}},
    {"ltc",
     "ltc",
     ltc,
     {X,
      {"v0", "input", NULL},
      Y,
      {"gleak", "n.gleak", NULL},
      {"vleak", "n.vleak", NULL},
      {"cm", "n.cm", NULL},
      {"w", "n.w", NULL},
      {"sigma", "n.sigma", NULL},
      {"mu", "n.mu", NULL},
      {"erev", "n.erev", NULL},
      {"sw", "n.sw", NULL},
      {"ssigma", "n.ssigma", NULL},
      {"smu", "n.smu", NULL},
      {"serev", "n.serev", NULL}}},
    {"sk", "sk", sk, {SK}},
    {"sk_bn",
     "sk",
     sk,
     {SK,
      {"g1", "n.bn1.weight", NULL},
      {"b1", "n.bn1.bias", NULL},
      {"g2", "n.bn2.weight", NULL},
      {"b2", "n.bn2.bias", NULL},
      {"g3", "n.bn3.weight", NULL},
      {"b3", "n.bn3.bias", NULL}}},
    {NULL, NULL, NULL, {{NULL, NULL, NULL}}},
};

const nas_golden_row *nas_golden_rows(void) { return rows; }
