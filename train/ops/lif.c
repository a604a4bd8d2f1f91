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

/* ---- fast: sixteen neurons at a time, in double as the reference, so that they spike at the same steps ---- */

enum { LANES = 16 };

/* Currents of step t for up to sixteen neurons k.. of a row. */
static void currents_of(const nas_call *c, const lif_options *o, int64_t row, int64_t k, int64_t t, int64_t n,
                        double *to) {
  int64_t channels = channels_of(&c->site, o);
  const float *x = (const float *)c->x[0] + row * c->site.in[0].c + (sequence(o) ? t * channels : 0) + k;
  for (int64_t i = 0; i < LANES; i++) to[i] = i < n ? (double)x[i] : 0;
}

/* All steps; h and s [step][lane] get potentials before the reset, and spikes; v the last potential. */
static void run_lanes(const nas_call *c, const lif_options *o, int64_t row, int64_t k, int64_t n, double *h, double *s,
                      double *v) {
  double x[LANES], pull = 1 / o->tau;
  bool to_zero = hard(o), smooth = strcmp(o->spikes, "step") != 0;
  for (int i = 0; i < LANES; i++) v[i] = 0;
  currents_of(c, o, row, k, 0, n, x);
  for (int64_t t = 0; t < o->steps; t++, h += LANES, s += LANES) {
    if (t && sequence(o)) currents_of(c, o, row, k, t, n, x);
    for (int i = 0; i < LANES; i++) h[i] = v[i] + (x[i] - v[i]) * pull;
    for (int i = 0; smooth && i < LANES; i++) s[i] = spike(o, h[i]);
    for (int i = 0; !smooth && i < LANES; i++) s[i] = h[i] >= o->threshold ? 1 : 0;
    for (int i = 0; i < LANES; i++) v[i] = to_zero ? h[i] * (1 - s[i]) : h[i] - o->threshold * s[i];
  }
}

static void forward_fast(const nas_call *c) {
  const lif_options *o = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), channels = channels_of(&c->site, o), out = c->site.out.c;
  double *h = c->scratch, *s = h + o->steps * LANES, v[LANES], rate[LANES];
  for (int64_t r = 0; r < rows; r++)
    for (int64_t k = 0; k < channels; k += LANES) {
      int64_t n = channels - k < LANES ? channels - k : LANES;
      float *y = (float *)c->y + r * out + k;
      run_lanes(c, o, r, k, n, h, s, v);
      for (int i = 0; i < LANES; i++) rate[i] = 0;
      for (int64_t t = 0; t < o->steps; t++)
        for (int i = 0; i < LANES; i++) rate[i] += s[t * LANES + i];
      for (int64_t i = 0; i < n; i++) {
        if (o->readout[0] == 'r') y[i] = (float)(rate[i] / (double)o->steps);
        if (o->readout[0] == 'l') y[i] = (float)v[i];
        for (int64_t t = 0; o->readout[0] == 's' && t < o->steps; t++) y[t * channels + i] = (float)s[t * LANES + i];
      }
    }
}

/* Sixteen neurons back through time; by_x [step][lane] gets the gradient of each step's current. */
static void reverse_lanes(const nas_call *c, const lif_options *o, int64_t row, int64_t k, int64_t n, const double *h,
                          const double *s, double *by_x) {
  int64_t channels = channels_of(&c->site, o);
  const float *dy = (const float *)c->dy + row * c->site.out.c + k;
  double by_v[LANES], by_s[LANES], steep = 3.14159265358979323846 / 2 * o->alpha, pull = 1 / o->tau;
  bool to_zero = hard(o);
  for (int64_t i = 0; i < LANES; i++) {
    by_v[i] = o->readout[0] == 'l' && i < n ? (double)dy[i] : 0;
    by_s[i] = o->readout[0] == 'r' && i < n ? (double)dy[i] / (double)o->steps : 0;
  }
  for (int64_t t = o->steps; t-- > 0;) {
    const double *ht = h + t * LANES, *st = s + t * LANES;
    for (int64_t i = 0; o->readout[0] == 's' && i < n; i++) by_s[i] = (double)dy[t * channels + i];
    for (int i = 0; i < LANES; i++) {
      double u = steep * (ht[i] - o->threshold), slope = o->alpha / 2 / (1 + u * u);
      double keep = to_zero ? 1 - st[i] - ht[i] * slope : 1 - o->threshold * slope;
      double by_h = by_s[i] * slope + by_v[i] * keep;
      by_x[t * LANES + i] = by_h * pull;
      by_v[i] = by_h * (1 - pull);
    }
  }
}

static void backward_fast(const nas_call *c) {
  const lif_options *o = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), channels = channels_of(&c->site, o), in = c->site.in[0].c;
  double *h = c->scratch, *s = h + o->steps * LANES, *by_x = s + o->steps * LANES, v[LANES];
  const float *plus = c->dplus[0];
  float *dx = c->dx[0];
  for (int64_t r = 0; dx && r < rows; r++)
    for (int64_t k = 0; k < channels; k += LANES) {
      int64_t n = channels - k < LANES ? channels - k : LANES, at = r * in + k;
      run_lanes(c, o, r, k, n, h, s, v);
      reverse_lanes(c, o, r, k, n, h, s, by_x);
      for (int64_t t = 1; !sequence(o) && t < o->steps; t++)
        for (int i = 0; i < LANES; i++) by_x[i] += by_x[t * LANES + i];
      for (int64_t t = 0; t < (sequence(o) ? o->steps : 1); t++, at += channels)
        for (int64_t i = 0; i < n; i++) dx[at + i] = (float)by_x[t * LANES + i] + (plus ? plus[at + i] : 0);
    }
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(lif_options), err));
  const lif_options *o = c->prepared;
  c->forward_scratch = c->backward_scratch = 3 * o->steps * LANES * (int64_t)sizeof(double);
  return NAS_OK;
}

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = forward_fast,
                                .backward = backward_fast,
                                .reads = NAS_READS_X};

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
    .fast = &fast,
    .options = options,
    .samples = samples,
};
#endif
