#include "base/str.h"
#include "train/neuron.h"

typedef struct lif_options {
  int64_t steps;
  double tau, alpha;
  char input[12], reset[8], readout[8], spikes[8];
} lif_options;

static const nas_option options[] = {
    NAS_OPT_INT(lif_options, steps, "steps", "8", 1, 1024, "time steps T"),
    NAS_OPT_REAL(lif_options, tau, "tau", "2", 1, 1e6, "time constant in steps"),
    NAS_OPT_REAL(lif_options, alpha, "alpha", "2", 1e-6, 1e6, "steepness of the surrogate gradient"),
    NAS_OPT_CHOICE(lif_options, input, "input", "constant", "constant|poisson",
                   "inputs x as they are at every step, or as spikes: 1 with probability x clamped to [0, 1], else 0"),
    NAS_OPT_CHOICE(lif_options, reset, "reset", "hard", "hard|soft", "to zero, or down by the threshold 1"),
    NAS_OPT_CHOICE(lif_options, readout, "readout", "rate", "rate|last",
                   "share of steps with a spike, or the last potential"),
    NAS_OPT_CHOICE(lif_options, spikes, "spikes", "step", "step|smooth",
                   "smooth: the integral of the surrogate gradient, for checks"),
    NAS_OPT_END};

static int64_t params(int64_t in, int64_t out, const void *values) {
  (void)values;
  return out * (in + 1);
}

static bool random_input(const lif_options *o) { return o->input[0] == 'p'; }

static int64_t macs(int64_t in, int64_t out, const void *values) {
  const lif_options *o = values;
  return out * in * (random_input(o) ? o->steps : 1);
}

/* From currents, constant or a group of channels for each step, to what is read out. */
static nas_status fire(nas_graph *g, nas_value current, const lif_options *o, const char *label, nas_value *value,
                       nas_err *err) {
  nas_attrs attrs = {0};
  nas_text_put(attrs.options, sizeof attrs.options,
               "steps=%d\ntau=%.17g\nalpha=%.17g\nreset=%s\nreadout=%s\nspikes=%s\ninput=%s\n", (int)o->steps, o->tau,
               o->alpha, o->reset, o->readout, o->spikes, random_input(o) ? "sequence" : "constant");
  return nas_neuron_op(g, "lif", &current, 1, &attrs, label, "act", value, err);
}

static nas_status build_conv(nas_graph *g, nas_value input, const nas_attrs *attrs, const void *values,
                             const char *label, nas_value *value, nas_err *err) {
  const lif_options *o = values;
  nas_attrs a = *attrs;
  a.bias = true;
  a.groups = 1;
  a.options[0] = 0;
  if (random_input(o)) nas_text_put(a.options, sizeof a.options, "steps=%d\n", (int)o->steps);
  NAS_TRY(nas_graph_op(g, random_input(o) ? "spike_sums" : "conv2d", &input, 1, &a, label, &input, err));
  return fire(g, input, o, label, value, err);
}

static nas_status build(nas_graph *g, nas_value input, int32_t out, const void *values, const char *label,
                        nas_value *value, nas_err *err) {
  const lif_options *o = values;
  nas_attrs attrs = {.out = out, .bias = true, .kernel_h = 1, .kernel_w = 1, .stride = 1};
  if (random_input(o)) return build_conv(g, input, &attrs, values, label, value, err);
  NAS_TRY(nas_neuron_sums(g, input, &attrs, label, NULL, &input, err));
  return fire(g, input, o, label, value, err);
}

const nas_neuron_type nas_neuron_lif = {
    .name = "lif",
    .version = 1,
    .summary = "leaky integrate-and-fire neurons for T steps, under a constant current or of random input spikes",
    .citation = "W. Fang et al., SpikingJelly, Science Advances 9, 2023",
    .formula =
        "H = V + (W x + b - V) / tau; s = [H >= 1]; hard: V = H (1 - s), soft: V = H - s; y = mean of s, or the last "
        "V; ds/dH = (alpha/2) / (1 + (pi/2 alpha (H - 1))^2); input=poisson: for x in each step a new draw of "
        "[u < x], u uniform in [0, 1)",
    .count = "out (in + 1)",
    .work = "out in, poisson: out in T",
    .start = "W, b as a linear layer",
    .limits =
        "V = 0 at first; the reset takes part in the gradient; poisson: inputs are taken for probabilities, and "
        "no gradient passes to them, so that it is for layers that read the image; an evaluation draws the same "
        "spikes for the same image",
    .stability = "with a hard reset V stays below the threshold; spikes are 0 or 1",
    .sample = "spikes=smooth\n",
    .options = options,
    .options_size = sizeof(lif_options),
    .params = params,
    .macs = macs,
    .build = build,
    .build_conv = build_conv,
};
