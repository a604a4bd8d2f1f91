#include "base/str.h"
#include "train/neuron.h"

typedef struct kuramoto_options {
  int64_t n, channels, steps, kernel, readout;
  double gamma;
  bool train_gamma, norm;
  char omega[8];
} kuramoto_options;

static const nas_option options[] = {
    NAS_OPT_INT(kuramoto_options, n, "n", "4", 2, 64, "numbers of one oscillator; even"),
    NAS_OPT_INT(kuramoto_options, channels, "channels", "0", 0, 1e6,
                "numbers of all oscillators; 0: as many as neurons, rounded up to a multiple of n"),
    NAS_OPT_INT(kuramoto_options, steps, "steps", "3", 1, 64, "steps T of the dynamics"),
    NAS_OPT_INT(kuramoto_options, kernel, "kernel", "1", 1, 15, "side of the coupling's window; odd"),
    NAS_OPT_INT(kuramoto_options, readout, "readout", "2", 1, 64, "numbers whose length is one output"),
    NAS_OPT_REAL(kuramoto_options, gamma, "gamma", "1", 0, 1e6, "length of a step"),
    NAS_OPT_FLAG(kuramoto_options, train_gamma, "train-gamma", "no", "train the length of a step"),
    NAS_OPT_FLAG(kuramoto_options, norm, "norm", "yes", "group-normalise the stimulus"),
    NAS_OPT_CHOICE(kuramoto_options, omega, "omega", "pair", "pair|global",
                   "a speed of rotation for each pair of channels, or one for all"),
    NAS_OPT_END};

static int64_t channels(int64_t out, const kuramoto_options *o) {
  return o->channels ? o->channels : (out + o->n - 1) / o->n * o->n;
}

/* Everything after the stimulus. */
static nas_status oscillate(nas_graph *g, nas_value stimulus, int32_t out, const kuramoto_options *o, const char *label,
                            nas_value *value, nas_err *err) {
  int32_t c = (int32_t)channels(out, o);
  nas_attrs attrs = {.groups = c / (int32_t)o->n};
  if (o->n % 2) return nas_fail(err, NAS_E_BAD_INPUT, label, "oscillators of %d numbers; n must be even", (int)o->n);
  if (c % o->n)
    return nas_fail(err, NAS_E_BAD_INPUT, label,
                    "%d channels and oscillators of %d numbers; n must divide the channels", c, (int)o->n);
  if (o->norm) NAS_TRY(nas_neuron_op(g, "group_norm", &stimulus, 1, &attrs, label, "gn", &stimulus, err));
  nas_text_put(attrs.options, sizeof attrs.options,
               "n=%d\nsteps=%d\nkernel=%d\ngamma=%.17g\ntrain-gamma=%s\nomega=%s\n", (int)o->n, (int)o->steps,
               (int)o->kernel, o->gamma, o->train_gamma ? "yes" : "no", o->omega);
  NAS_TRY(nas_graph_op(g, "kuramoto", &stimulus, 1, &attrs, label, value, err));
  attrs = (nas_attrs){.out = out * (int32_t)o->readout, .bias = true, .groups = (int32_t)o->readout};
  NAS_TRY(nas_neuron_sums(g, *value, &attrs, label, "u", value, err));
  nas_value parts = *value;
  return nas_neuron_op(g, "group_length", &parts, 1, &attrs, label, "length", value, err);
}

static int64_t params(int64_t in, int64_t out, const void *values) {
  const kuramoto_options *o = values;
  int64_t c = channels(out, o), stimulus = c * (in + 1) + (o->norm ? 2 * c : 0);
  int64_t inner = c * (c * o->kernel * o->kernel + 1) + (o->omega[0] == 'p' ? c : 2) + (o->train_gamma ? 1 : 0);
  return stimulus + inner + out * o->readout * (c + 1) + out;
}

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const kuramoto_options *o = values;
  int64_t c = channels(out, o);
  return c * in + (o->norm ? c : 0) + o->steps * c * (c * o->kernel * o->kernel + 1) + out * o->readout * (c + 1);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const kuramoto_options *o = values;
  nas_attrs attrs = {.out = (int32_t)channels(out, o), .bias = true};
  NAS_TRY(nas_neuron_sums(g, input, &attrs, label, "c", &input, err));
  return oscillate(g, input, out, o, label, value, err);
}

static nas_status build_conv(nas_graph *g, nas_value input, const nas_attrs *attrs, const void *values,
                             const char *label, nas_value *value, nas_err *err) {
  const kuramoto_options *o = values;
  nas_attrs a = *attrs;
  a.out = (int32_t)channels(attrs->out, o);
  a.bias = true;
  a.groups = 1;
  a.options[0] = 0;
  NAS_TRY(nas_neuron_op(g, "conv2d", &input, 1, &a, label, "c", &input, err));
  return oscillate(g, input, attrs->out, o, label, value, err);
}

const nas_neuron_type nas_neuron_kuramoto = {
    .name = "kuramoto",
    .version = 2,
    .summary = "oscillators on spheres that couple and follow a stimulus for T steps, read out by lengths (AKOrN)",
    .citation = "T. Miyato et al., Artificial Kuramoto oscillatory neurons, arXiv:2410.13821",
    .formula =
        "c = GroupNorm(Wc x + bc); T times: x <- normalise(x + gamma (Omega x + Proj_x(c + J x + jb))); y_k = |U_k x + "
        "u_k| + b_k",
    .count =
        "C (in + 1) + 2 C (norm) + C (C kernel^2 + 1) + C (omega: pair; global: 2) + out N (C + 1) + out, gamma "
        "trained + "
        "1; C channels of the oscillators, N the readout",
    .work = "C in + C (norm) + T C (C kernel^2 + 1) + out N (C + 1)",
    .start =
        "weights as linear layers, both numbers of omega 0.1/sqrt(2), norms 1 and 0, gamma as given; phases: "
        "counter-based "
        "normal noise, the same at "
        "every evaluation",
    .limits = "states on spheres of n numbers; gamma is not trained unless asked",
    .stability = "states have length 1; probe: energy of each step",
    .options = options,
    .options_size = sizeof(kuramoto_options),
    .params = params,
    .macs = macs,
    .build = build,
    .build_conv = build_conv,
};
