#ifdef REAL
/* Softmax of the noisy choice of one neuron; drawn noise is the same in all rows. */
static void FN(shares)(const nas_call *c, const mixed_options *o, int64_t row, int64_t k, double *p) {
  const REAL *logits = (const REAL *)c->param[LOGITS] + k * POOL;
  nas_rng rng = nas_rng_make(c->seed, (uint32_t)c->step, NAS_STREAM_NOISE);
  double top = -INFINITY, sum = 0;
  for (int64_t a = 0; a < POOL; a++) {
    double noise = 0;
    if (given(c)) noise = (double)((const REAL *)c->x[1])[(row * c->site.in[0].c + k) * POOL + a];
    else if (o->noise && c->site.mode == NAS_TRAIN && !fixed(o))
      noise = gumbel(nas_rng_unit(rng, c->label_hash + (uint64_t)(k * POOL + a)));
    p[a] = ((double)logits[a] + noise) / o->tau;
    top = fmax(top, p[a]);
  }
  for (int64_t a = 0; a < POOL; a++) sum += p[a] = exp(p[a] - top);
  for (int64_t a = 0; a < POOL; a++) p[a] /= sum;
}

static void FN(weights)(const nas_call *c, const mixed_options *o, int64_t row, int64_t k, double *p, double *w) {
  int64_t chosen = o->fix_after ? (int64_t)((const REAL *)c->param[CHOICE])[k] : 0;
  FN(shares)(c, o, row, k, p);
  memcpy(w, p, POOL * sizeof *w);
  if (!soft(o) || c->site.mode == NAS_EVAL) harden(w);
  for (int64_t a = 0; chosen && a < POOL; a++) w[a] = a + 1 == chosen ? 1 : 0;
}

/* Phase 2 begins: what weighs most in each neuron, 1 for the first, stays chosen from here on. */
static void FN(fix)(const nas_call *c) {
  const mixed_options *o = c->prepared;
  if (!o->fix_after || c->site.mode != NAS_TRAIN || c->step < (uint64_t)o->fix_after) return;
  REAL *choice = c->param[CHOICE];
  for (int64_t k = 0; k < c->site.out.c && choice[k] == 0; k++) {
    const REAL *logits = (const REAL *)c->param[LOGITS] + k * POOL;
    int64_t best = 0;
    for (int64_t a = 1; a < POOL; a++)
      if (logits[a] > logits[best]) best = a;
    choice[k] = (REAL)(best + 1);
  }
}

/* Whether the choice of the call is no longer trained. */
static bool FN(settled)(const nas_call *c) {
  const mixed_options *o = c->prepared;
  return fixed(o) || (o->fix_after && ((const REAL *)c->param[CHOICE])[0] != 0);
}

static void FN(forward)(const nas_call *c) {
  const mixed_options *o = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), channels = c->site.out.c;
  double p[POOL], w[POOL], slope;
  FN(fix)(c);
  for (int64_t k = 0; k < channels; k++)
    for (int64_t r = 0; r < rows; r++) {
      double x = (double)((const REAL *)c->x[0])[r * channels + k], sum = 0;
      if (r == 0 || given(c)) FN(weights)(c, o, r, k, p, w);
      for (int64_t a = 0; a < POOL; a++) sum += w[a] > 0 ? w[a] * activate(a, x, &slope) : 0;
      ((REAL *)c->y)[r * channels + k] = (REAL)clamped(sum);
    }
}

static void FN(backward)(const nas_call *c) {
  const mixed_options *o = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), channels = c->site.out.c;
  const REAL *dy = c->dy, *dplus = c->dplus[0], *x = c->x[0];
  REAL *dx = c->dx[0], *dlogits = c->grad[0];
  double *by_noise = c->scratch, p[POOL], w[POOL], v[POOL], slope[POOL];
  for (int64_t k = 0; k < channels; k++) {
    double sum[POOL] = {0};
    for (int64_t r = 0; r < rows; r++) {
      int64_t at = r * channels + k;
      double d = 0, mean = 0, y = 0, g = (double)dy[at];
      if (r == 0 || given(c)) FN(weights)(c, o, r, k, p, w);
      for (int64_t a = 0; a < POOL; a++) {
        v[a] = activate(a, (double)x[at], &slope[a]);
        d += w[a] * slope[a];
        y += w[a] * v[a];
        mean += p[a] * v[a];
      }
      if (clamped(y) != y) g = 0;
      for (int64_t a = 0; a < POOL; a++) {
        double by = FN(settled)(c) ? 0 : g / o->tau * p[a] * (v[a] - mean);
        sum[a] += by;
        by_noise[at * POOL + a] = by;
      }
      if (dx) dx[at] = dplus ? dplus[at] + (REAL)(g * d) : (REAL)(g * d);
    }
    for (int64_t a = 0; a < POOL; a++) dlogits[k * POOL + a] = (REAL)sum[a];
  }
  REAL *dnoise = c->site.n_in == 2 ? c->dx[1] : NULL;
  const REAL *plus = c->dplus[1];
  for (int64_t i = 0; dnoise && i < rows * channels * POOL; i++)
    dnoise[i] = plus ? plus[i] + (REAL)by_noise[i] : (REAL)by_noise[i];
}

static int64_t FN(probe)(const nas_call *c, const char *name, double *out) {
  double p[POOL];
  if (strcmp(name, "weights") != 0) return -1;
  for (int64_t k = 0; out && k < c->site.out.c; k++) FN(weights)(c, c->prepared, 0, k, p, out + k * POOL);
  return c->site.out.c * POOL;
}
#else
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "train/kernels/kernels.h"
#include "train/op.h"

enum { POOL = NAS_MIXED_POOL, LOGITS = 0, CHOICE };

typedef struct mixed_options {
  char phase[8];
  double tau;
  bool noise;
  int64_t fix_after;
} mixed_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(mixed_options, phase, "phase", "soft", "soft|hard|fixed",
                   "a mixture; the likeliest, with the mixture's gradient; the likeliest, choice no longer trained"),
    NAS_OPT_REAL(mixed_options, tau, "tau", "0.3", 1e-3, 1e3, "temperature of the choice"),
    NAS_OPT_FLAG(mixed_options, noise, "noise", "yes", "Gumbel noise on the choice in training, while it is trained"),
    NAS_OPT_INT(mixed_options, fix_after, "fix-after", "0", 0, 1e9,
                "training steps before the choice is fixed; 0: never"),
    NAS_OPT_END};

/* The noise is the second input. */
static bool given(const nas_call *c) { return c->site.n_in == 2; }
static bool soft(const mixed_options *o) { return o->phase[0] == 's'; }
static bool fixed(const mixed_options *o) { return o->phase[0] == 'f'; }
static double clamped(double y) { return fmax(-10, fmin(10, y)); }
static double gumbel(double unit) { return -log(-log(fmax(unit, 1e-300)) + 1e-300); }

/* relu, sigmoid, tanh, leaky relu, elu, selu; each kept within [-10, 10]. */
static double activate(int64_t which, double x, double *slope) {
  const double scale = 1.0507009873554805, alpha = 1.6732632423543772;
  double y = x > 0 ? x : 0, d = x > 0 ? 1 : 0;
  if (which == 1) {
    y = 1 / (1 + exp(-x));
    d = y * (1 - y);
  } else if (which == 2) {
    y = tanh(x);
    d = 1 - y * y;
  } else if (which == 3) {
    y = x > 0 ? x : 0.01 * x;
    d = x > 0 ? 1 : 0.01;
  } else if (which == 4) {
    y = x > 0 ? x : expm1(x);
    d = x > 0 ? 1 : exp(x);
  } else if (which == 5) {
    y = scale * (x > 0 ? x : alpha * expm1(x));
    d = scale * (x > 0 ? 1 : alpha * exp(x));
  }
  *slope = clamped(y) == y ? d : 0;
  return clamped(y);
}

/* All to the largest; the first of equals. */
static void harden(double *w) {
  int64_t best = 0;
  for (int64_t a = 1; a < POOL; a++)
    if (w[a] > w[best]) best = a;
  for (int64_t a = 0; a < POOL; a++) w[a] = a == best ? 1 : 0;
}

#define NAS_TEMPLATE "train/ops/smartmixed.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  mixed_options o;
  NAS_TRY(nas_op_options(site, options, &o, "smartmixed", label, err));
  if (site->n_in == 2 && nas_shape_size(site->in[1]) != POOL * nas_shape_size(site->in[0]))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "noise of %lld numbers; it takes %d for each neuron",
                    (long long)nas_shape_size(site->in[1]), POOL);
  *out = site->in[0];
  return NAS_OK;
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  mixed_options o;
  if (nas_op_options(site, options, &o, "smartmixed", NULL, NULL) != NAS_OK) return 0;
  out[LOGITS] = (nas_param_spec){.name = "logits",
                                 .count = (int64_t)site->in[0].c * POOL,
                                 .init = NAS_INIT_ONE_OF,
                                 .centre = 0.001,
                                 .group = POOL};
  out[CHOICE] = (nas_param_spec){.name = "choice", .count = site->in[0].c, .init = NAS_INIT_ZERO, .running = true};
  return o.fix_after ? 2 : 1;
}

static nas_status prepare(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(mixed_options), err));
  c->backward_scratch = nas_site_out(&c->site) * POOL * (int64_t)sizeof(double);
  return NAS_OK;
}

/* ---- fast; noise that is given, which is for comparisons, goes the plain way ---- */

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(prepare(c, err));
  if (given(c)) return NAS_OK;
  int64_t n = (int64_t)c->site.out.c * POOL;
  c->forward_scratch = n * (int64_t)sizeof(float);
  c->backward_scratch = n * (int64_t)(sizeof(float) + sizeof(double));
  return NAS_OK;
}

static nas_mixed described(const nas_call *c, float *weight) {
  int64_t channels = c->site.out.c;
  double p[POOL], w[POOL];
  for (int64_t k = 0; k < channels; k++) {
    weights_f32(c, c->prepared, 0, k, p, w);
    for (int64_t a = 0; a < POOL; a++) weight[a * channels + k] = (float)w[a];
  }
  return (nas_mixed){.rows = nas_site_rows(&c->site, 0),
                     .channels = channels,
                     .weight = weight,
                     .x = c->x[0],
                     .y = c->y,
                     .dy = c->dy,
                     .dplus = c->dplus[0],
                     .dx = c->dx[0]};
}

static void forward_fast(const nas_call *c) {
  if (given(c)) {
    forward_f32(c);
    return;
  }
  fix_f32(c);
  nas_mixed m = described(c, c->scratch);
  nas_kernels()->mixed(&m);
}

static void backward_fast(const nas_call *c) {
  const mixed_options *o = c->prepared;
  if (given(c)) {
    backward_f32(c);
    return;
  }
  int64_t channels = c->site.out.c;
  double *by = c->scratch, p[POOL], w[POOL];
  nas_mixed m = described(c, (float *)(by + channels * POOL));
  memset(by, 0, (size_t)(channels * POOL) * sizeof *by);
  m.by_weight = by;
  nas_kernels()->mixed_gradient(&m);
  for (int64_t k = 0; k < channels; k++) { /* through the softmax */
    double mean = 0;
    weights_f32(c, o, 0, k, p, w);
    for (int64_t a = 0; a < POOL; a++) mean += p[a] * by[a * channels + k];
    for (int64_t a = 0; a < POOL; a++)
      ((float *)c->grad[0])[k * POOL + a] = settled_f32(c) ? 0 : (float)(p[a] / o->tau * (by[a * channels + k] - mean));
  }
}

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = forward_fast,
                                .backward = backward_fast,
                                .reads = NAS_READS_X};

static const char *const samples[] = {"", "tau=1.5\nnoise=no\n", "fix-after=9\n", NULL};

const nas_op nas_op_smartmixed = {
    .name = "smartmixed",
    .version = 2,
    .summary = "each neuron chooses one of six activations by trained, noisy weights",
    .citation = "A. Omidvar, SmartMixed, arXiv:2510.22450",
    .attributes = "options",
    .min_inputs = 1,
    .max_inputs = 2,
    .traits = NAS_OP_RANDOM,
    .infer = infer,
    .params = params,
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
