#ifdef REAL
static double FN(current)(const nas_call *c, const lif_options *o, int64_t row, int64_t k, int64_t t) {
  int64_t channels = channels_of(&c->site, o);
  const REAL *x = (const REAL *)c->x[0] + row * c->site.in[0].c;
  return (double)x[sequence(o) ? t * channels + k : k];
}

/* One neuron through time: potentials before (h) and after (v) each reset, and spikes s. */
static void FN(run)(const nas_call *c, const lif_options *o, int64_t row, int64_t k, double *h, double *v, double *s) {
  double potential = 0;
  for (int64_t t = 0; t < o->steps; t++) {
    h[t] = potential + (FN(current)(c, o, row, k, t) - potential) / o->tau;
    s[t] = spike(o, h[t]);
    v[t] = potential = hard(o) ? h[t] * (1 - s[t]) : h[t] - o->threshold * s[t];
  }
}

static void FN(forward)(const nas_call *c) {
  const lif_options *o = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), channels = channels_of(&c->site, o), out = c->site.out.c;
  double *h = c->scratch, *v = h + o->steps, *s = v + o->steps;
  REAL *y = c->y;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t k = 0; k < channels; k++) {
      FN(run)(c, o, r, k, h, v, s);
      double rate = 0;
      for (int64_t t = 0; t < o->steps; t++) {
        rate += s[t] / (double)o->steps;
        if (o->readout[0] == 's') y[r * out + t * channels + k] = (REAL)s[t];
      }
      if (o->readout[0] == 'r') y[r * out + k] = (REAL)rate;
      if (o->readout[0] == 'l') y[r * out + k] = (REAL)v[o->steps - 1];
    }
}

static void FN(backward)(const nas_call *c) {
  const lif_options *o = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), channels = channels_of(&c->site, o), out = c->site.out.c;
  const REAL *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  double *h = c->scratch, *v = h + o->steps, *s = v + o->steps;
  for (int64_t r = 0; dx && r < rows; r++)
    for (int64_t k = 0; k < channels; k++) {
      FN(run)(c, o, r, k, h, v, s);
      double by_v = o->readout[0] == 'l' ? (double)dy[r * out + k] : 0, total = 0;
      for (int64_t t = o->steps; t-- > 0;) {
        double by_s = 0, slope = spike_slope(o, h[t]);
        if (o->readout[0] == 's') by_s = (double)dy[r * out + t * channels + k];
        if (o->readout[0] == 'r') by_s = (double)dy[r * out + k] / (double)o->steps;
        double keep = hard(o) ? 1 - s[t] - h[t] * slope : 1 - o->threshold * slope;
        double by_h = by_s * slope + by_v * keep, d = by_h / o->tau;
        by_v = by_h * (1 - 1 / o->tau);
        total += d;
        int64_t at = r * c->site.in[0].c + t * channels + k;
        if (sequence(o)) dx[at] = dplus ? dplus[at] + (REAL)d : (REAL)d;
      }
      int64_t at = r * c->site.in[0].c + k;
      if (!sequence(o)) dx[at] = dplus ? dplus[at] + (REAL)total : (REAL)total;
    }
}

static int64_t FN(probe)(const nas_call *c, const char *name, double *out) {
  const lif_options *o = c->prepared;
  int64_t n = nas_site_rows(&c->site, 0) * channels_of(&c->site, o);
  if (strcmp(name, "v_last") != 0) return -1;
  double *h = c->saved, *v = h + o->steps, *s = v + o->steps;
  for (int64_t i = 0; out && i < n; i++) {
    FN(run)(c, o, i / channels_of(&c->site, o), i % channels_of(&c->site, o), h, v, s);
    out[i] = v[o->steps - 1];
  }
  return n;
}
#else
#include <math.h>
#include <string.h>

#include "train/op.h"

typedef struct lif_options {
  int64_t steps;
  double tau, alpha, threshold;
  char reset[8], input[12], readout[8], spikes[8];
} lif_options;

static const nas_option options[] = {
    NAS_OPT_INT(lif_options, steps, "steps", "8", 1, 1024, "time steps"),
    NAS_OPT_REAL(lif_options, tau, "tau", "2", 1, 1e6, "time constant in steps"),
    NAS_OPT_REAL(lif_options, alpha, "alpha", "2", 1e-6, 1e6, "steepness of the surrogate gradient"),
    NAS_OPT_REAL(lif_options, threshold, "threshold", "1", 1e-6, 1e6, "potential at which a neuron spikes"),
    NAS_OPT_CHOICE(lif_options, reset, "reset", "hard", "hard|soft", "to zero, or down by the threshold"),
    NAS_OPT_CHOICE(lif_options, input, "input", "constant", "constant|sequence",
                   "the same current at every step, or one group of channels for each"),
    NAS_OPT_CHOICE(lif_options, readout, "readout", "rate", "rate|last|spikes",
                   "share of steps with a spike, last potential, or all spikes as channels"),
    NAS_OPT_CHOICE(lif_options, spikes, "spikes", "step", "step|smooth",
                   "smooth: the integral of the surrogate gradient instead of the step, for checks"),
    NAS_OPT_END};

static bool hard(const lif_options *o) { return o->reset[0] == 'h'; }
static bool sequence(const lif_options *o) { return o->input[0] == 's'; }
static int64_t channels_of(const nas_site *s, const lif_options *o) {
  return sequence(o) ? s->in[0].c / o->steps : s->in[0].c;
}

static const double PI = 3.14159265358979323846;

static double spike(const lif_options *o, double h) {
  if (!strcmp(o->spikes, "step")) return h >= o->threshold ? 1 : 0;
  return atan(PI / 2 * o->alpha * (h - o->threshold)) / PI + 0.5;
}

static double spike_slope(const lif_options *o, double h) {
  double u = PI / 2 * o->alpha * (h - o->threshold);
  return o->alpha / 2 / (1 + u * u);
}

#define NAS_TEMPLATE "train/ops/lif.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  lif_options o;
  NAS_TRY(nas_op_options(site, options, &o, "lif", label, err));
  if (sequence(&o) && site->in[0].c % o.steps)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d channels for %lld steps; the steps must divide the channels",
                    site->in[0].c, (long long)o.steps);
  int64_t channels = channels_of(site, &o) * (o.readout[0] == 's' ? o.steps : 1);
  if (channels > INT32_MAX) return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "more than 2^31 spikes");
  *out = (nas_shape){(int32_t)channels, site->in[0].h, site->in[0].w};
  return NAS_OK;
}

static nas_status prepare(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(lif_options), err));
  const lif_options *o = c->prepared;
  c->saved_bytes = c->forward_scratch = c->backward_scratch = 3 * o->steps * (int64_t)sizeof(double);
  return NAS_OK;
}

static const char *const samples[] = {"spikes=smooth\nsteps=3\n", "spikes=smooth\nreset=soft\nreadout=last\nsteps=4\n",
                                      "spikes=smooth\nreset=soft\nreadout=spikes\nsteps=2\ninput=sequence\n", NULL};

const nas_op nas_op_lif = {
    .name = "lif",
    .version = 1,
    .summary = "leaky integrate-and-fire neurons over time steps, with an arctangent surrogate gradient",
    .citation = "W. Fang et al., SpikingJelly, Science Advances 9, 2023",
    .attributes = "options",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .f32 = {.prepare = prepare,
            .release = nas_op_drop_options,
            .forward = forward_f32,
            .backward = backward_f32,
            .reads = NAS_READS_X,
            .probe = probe_f32},
    .f64 = {.prepare = prepare,
            .release = nas_op_drop_options,
            .forward = forward_f64,
            .backward = backward_f64,
            .reads = NAS_READS_X,
            .probe = probe_f64},
    .options = options,
    .samples = samples,
};
#endif
