#ifdef REAL
/* out[n][pixel][channel] = bias + the coupling of `state`, with zeros around the image. */
static void FN(couple)(const nas_call *c, const sizes *s, const double *state, double *out) {
  const REAL *weight = c->param[COUPLING], *bias = c->param[COUPLING_BIAS];
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t p = 0; p < s->h * s->w; p++)
      for (int64_t o = 0; o < s->c; o++) {
        double sum = (double)bias[o];
        for (int64_t tap = 0; tap < s->k * s->k; tap++) {
          int64_t from = neighbour(s, p, tap);
          for (int64_t i = 0; from >= 0 && i < s->c; i++)
            sum += (double)weight[(o * s->c + i) * s->k * s->k + tap] * state[(n * s->h * s->w + from) * s->c + i];
        }
        out[(n * s->h * s->w + p) * s->c + o] = sum;
      }
}

/* Sends g, the gradient of `couple`'s result, back to weights, bias and state (added). */
static void FN(uncouple)(const nas_call *c, const sizes *s, const double *state, const double *g, double *sum_weight,
                         double *sum_bias, double *sum_state) {
  const REAL *weight = c->param[COUPLING];
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t p = 0; p < s->h * s->w; p++)
      for (int64_t o = 0; o < s->c; o++) {
        double d = g[(n * s->h * s->w + p) * s->c + o];
        sum_bias[o] += d;
        for (int64_t tap = 0; tap < s->k * s->k; tap++) {
          int64_t from = neighbour(s, p, tap);
          for (int64_t i = 0; from >= 0 && i < s->c; i++) {
            int64_t at = (o * s->c + i) * s->k * s->k + tap, source = (n * s->h * s->w + from) * s->c + i;
            sum_weight[at] += d * state[source];
            sum_state[source] += d * (double)weight[at];
          }
        }
      }
}

static double FN(speed)(const nas_call *c, const sizes *s, int64_t pair) {
  const REAL *omega = (const REAL *)c->param[OMEGA] + (s->pairs > 1 ? 2 * (pair % s->pairs) : 0);
  return sqrt((double)omega[0] * (double)omega[0] + (double)omega[1] * (double)omega[1]);
}

/* Where the oscillators start: the second input, or noise; each on its sphere. */
static void FN(begin)(const nas_call *c, const sizes *s, double *state) {
  bool train = c->site.mode == NAS_TRAIN;
  nas_rng rng = nas_rng_make(train ? c->seed : 0, train ? (uint32_t)c->step : 0, NAS_STREAM_NOISE);
  int64_t image = s->h * s->w * s->c;
  for (int64_t i = 0; i < s->all; i++)
    state[i] = c->site.n_in == 2 ? (double)((const REAL *)c->x[1])[i]
                                 : nas_rng_normal(rng, c->label_hash + (uint64_t)(train ? i : i % image));
  for (int64_t i = 0; i < s->all; i += s->n) normalise(state + i, s->n);
}

/* One step of one oscillator: y is what drives it. d gets the velocity. */
static void FN(velocity)(const nas_call *c, const sizes *s, int64_t at, const double *x, const double *y, double *d) {
  double along = 0;
  for (int64_t i = 0; i < s->n; i++) along += y[i] * x[i];
  for (int64_t i = 0; i < s->n; i += 2) {
    double w = FN(speed)(c, s, (at + i) / 2);
    d[i] = w * x[i + 1] + y[i] - along * x[i];
    d[i + 1] = -w * x[i] + y[i + 1] - along * x[i + 1];
  }
}

static void FN(forward)(const nas_call *c) {
  sizes s = sizes_of(c);
  double *states = s.keep ? c->saved : c->scratch, gamma = (double)*(const REAL *)c->param[GAMMA], d[SPHERE_MAX];
  const REAL *stimulus = c->x[0];
  FN(begin)(c, &s, states);
  for (int64_t t = 0; t < s.steps; t++) {
    double *x = states + 2 * t * s.all * s.keep, *y = x + s.all, *next = s.keep ? y + s.all : x;
    FN(couple)(c, &s, x, y);
    for (int64_t i = 0; i < s.all; i++) y[i] += (double)stimulus[i];
    for (int64_t at = 0; at < s.all; at += s.n) {
      FN(velocity)(c, &s, at, x + at, y + at, d);
      for (int64_t i = 0; i < s.n; i++) next[at + i] = x[at + i] + gamma * d[i];
      normalise(next + at, s.n);
    }
  }
  const double *last = states + 2 * s.steps * s.all * s.keep;
  for (int64_t i = 0; i < s.all; i++) ((REAL *)c->y)[i] = (REAL)last[i];
}

/* Back through one oscillator's step. g is the gradient of the next state; by_x and by_y are set. */
static void FN(reverse)(const nas_call *c, const sizes *s, int64_t at, const double *x, const double *y,
                        const double *g, double *by_x, double *by_y, double *sum_omega, double *sum_gamma) {
  double gamma = (double)*(const REAL *)c->param[GAMMA], d[SPHERE_MAX], z[SPHERE_MAX], gz[SPHERE_MAX], along = 0,
         share = 0;
  FN(velocity)(c, s, at, x, y, d);
  for (int64_t i = 0; i < s->n; i++) z[i] = x[i] + gamma * d[i];
  normalise_gradient(z, g, gz, s->n);
  for (int64_t i = 0; i < s->n; i++) {
    *sum_gamma += gz[i] * d[i];
    along += y[i] * x[i];
    share += gamma * gz[i] * x[i];
  }
  for (int64_t i = 0; i < s->n; i++) {
    by_y[i] = gamma * gz[i] - share * x[i];
    by_x[i] = gz[i] - share * y[i] - along * gamma * gz[i];
  }
  for (int64_t i = 0; i < s->n; i += 2) {
    double w = FN(speed)(c, s, (at + i) / 2), turn = gamma * (gz[i] * x[i + 1] - gz[i + 1] * x[i]);
    int64_t k = s->pairs > 1 ? 2 * (((at + i) / 2) % s->pairs) : 0;
    const REAL *omega = (const REAL *)c->param[OMEGA] + k;
    by_x[i + 1] += gamma * w * gz[i];
    by_x[i] -= gamma * w * gz[i + 1];
    if (w > 0) {
      sum_omega[k] += turn * (double)omega[0] / w;
      sum_omega[k + 1] += turn * (double)omega[1] / w;
    }
  }
}

static void FN(store)(const double *from, void *to, int64_t n) {
  for (int64_t i = 0; to && i < n; i++) ((REAL *)to)[i] = (REAL)from[i];
}

static void FN(backward)(const nas_call *c) {
  sizes s = sizes_of(c);
  const REAL *dy = c->dy;
  const double *states = c->saved;
  double *g = c->scratch, *by_x = g + s.all, *by_y = by_x + s.all, *by_c = by_y + s.all;
  double *sum_weight = by_c + s.all, *sum_bias = sum_weight + s.weights, *sum_omega = sum_bias + s.c;
  double *sum_gamma = sum_omega + 2 * s.pairs;
  memset(by_c, 0, (size_t)(s.all + s.weights + s.c + 2 * s.pairs + 1) * sizeof *by_c);
  for (int64_t i = 0; i < s.all; i++) g[i] = (double)dy[i];
  for (int64_t t = s.steps; t-- > 0;) {
    const double *x = states + 2 * t * s.all, *y = x + s.all;
    for (int64_t at = 0; at < s.all; at += s.n)
      FN(reverse)(c, &s, at, x + at, y + at, g + at, by_x + at, by_y + at, sum_omega, sum_gamma);
    for (int64_t i = 0; i < s.all; i++) {
      by_c[i] += by_y[i];
      g[i] = by_x[i];
    }
    FN(uncouple)(c, &s, x, by_y, sum_weight, sum_bias, g);
  }
  FN(store)(sum_weight, c->grad[COUPLING], s.weights);
  FN(store)(sum_bias, c->grad[COUPLING_BIAS], s.c);
  FN(store)(sum_omega, c->grad[OMEGA], 2 * s.pairs);
  FN(store)(sum_gamma, c->grad[GAMMA], 1);
  REAL *dc = c->dx[0], *dstart = c->site.n_in == 2 ? c->dx[1] : NULL;
  const REAL *plus = c->dplus[0];
  for (int64_t i = 0; dc && i < s.all; i++) dc[i] = plus ? plus[i] + (REAL)by_c[i] : (REAL)by_c[i];
  plus = c->dplus[1];
  for (int64_t at = 0; dstart && at < s.all; at += s.n) {
    double z[SPHERE_MAX], back[SPHERE_MAX];
    for (int64_t i = 0; i < s.n; i++) z[i] = (double)((const REAL *)c->x[1])[at + i];
    normalise_gradient(z, g + at, back, s.n);
    for (int64_t i = 0; i < s.n; i++) dstart[at + i] = plus ? plus[at + i] + (REAL)back[i] : (REAL)back[i];
  }
}

static int64_t FN(probe)(const nas_call *c, const char *name, double *out) {
  sizes s = sizes_of(c);
  if (!s.keep) return -1;
  const double *states = c->saved;
  if (!strcmp(name, "states")) {
    for (int64_t t = 0; out && t < s.steps; t++)
      memcpy(out + t * s.all, states + 2 * (t + 1) * s.all, (size_t)s.all * sizeof *out);
    return s.steps * s.all;
  }
  if (strcmp(name, "energy") != 0) return -1;
  int64_t image = s.h * s.w * s.c;
  for (int64_t k = 0; out && k < s.steps * s.batch; k++) {
    const double *x = states + 2 * (k / s.batch) * s.all + k % s.batch * image;
    out[k] = 0;
    for (int64_t i = 0; i < image; i++) out[k] -= x[i] * x[s.all + i];
  }
  return s.steps * s.batch;
}
#else
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "train/kuramoto.h"

enum {
  COUPLING = NAS_KURAMOTO_J,
  COUPLING_BIAS = NAS_KURAMOTO_BIAS,
  OMEGA = NAS_KURAMOTO_OMEGA,
  GAMMA = NAS_KURAMOTO_GAMMA,
  SPHERE_MAX = NAS_KURAMOTO_N_MAX
};

typedef nas_kuramoto_options kuramoto_options;

static const nas_option options[] = {
    NAS_OPT_INT(kuramoto_options, n, "n", "4", 2, 64, "numbers of one oscillator; even"),
    NAS_OPT_INT(kuramoto_options, steps, "steps", "3", 1, 64, "steps of the dynamics"),
    NAS_OPT_INT(kuramoto_options, kernel, "kernel", "1", 1, 15, "side of the coupling's window; odd"),
    NAS_OPT_REAL(kuramoto_options, gamma, "gamma", "1", 0, 1e6, "length of a step"),
    NAS_OPT_FLAG(kuramoto_options, train_gamma, "train-gamma", "no", "train the length of a step"),
    NAS_OPT_CHOICE(kuramoto_options, omega, "omega", "pair", "pair|global",
                   "a speed of rotation for each pair of channels, or one for all"),
    NAS_OPT_END};

typedef struct sizes {
  int64_t batch, c, h, w, k, n, steps, all, weights, pairs;
  int64_t keep; /* 1 when the states of all steps are kept */
} sizes;

static sizes sizes_of(const nas_call *c) {
  const kuramoto_options *o = c->prepared;
  sizes s = {.batch = c->site.batch, .c = c->site.out.c, .h = c->site.out.h, .w = c->site.out.w, .k = o->kernel};
  s.n = o->n;
  s.steps = o->steps;
  s.all = nas_site_out(&c->site);
  s.weights = s.c * s.c * s.k * s.k;
  s.pairs = o->omega[0] == 'p' ? s.c / 2 : 1;
  s.keep = c->site.mode == NAS_TRAIN;
  return s;
}

/* The pixel that tap reads for pixel p, or -1 outside the image. */
static int64_t neighbour(const sizes *s, int64_t p, int64_t tap) {
  int64_t y = p / s->w + tap / s->k - s->k / 2, x = p % s->w + tap % s->k - s->k / 2;
  return y < 0 || y >= s->h || x < 0 || x >= s->w ? -1 : y * s->w + x;
}

static const double SHORTEST = 1e-12;

static double length(const double *x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sqrt(sum);
}

static void normalise(double *x, int64_t n) {
  double by = fmax(length(x, n), SHORTEST);
  for (int64_t i = 0; i < n; i++) x[i] /= by;
}

/* The gradient by z of z / max(|z|, SHORTEST). */
static void normalise_gradient(const double *z, const double *g, double *out, int64_t n) {
  double size = length(z, n), by = fmax(size, SHORTEST), along = 0;
  for (int64_t i = 0; size > SHORTEST && i < n; i++) along += g[i] * z[i] / by;
  for (int64_t i = 0; i < n; i++) out[i] = (g[i] - along * z[i] / by) / by;
}

#define NAS_TEMPLATE "train/ops/kuramoto.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  kuramoto_options o;
  NAS_TRY(nas_op_options(site, options, &o, "kuramoto", label, err));
  if (o.n % 2 || site->in[0].c % o.n)
    return nas_fail(err, NAS_E_BAD_INPUT, label,
                    "%d channels and oscillators of %lld numbers; n must be even and divide the channels",
                    site->in[0].c, (long long)o.n);
  if (o.kernel % 2 == 0)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "a coupling of side %lld; it must be odd", (long long)o.kernel);
  return nas_infer_same(site, label, out, err);
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  kuramoto_options o;
  if (nas_op_options(site, options, &o, "kuramoto", NULL, NULL) != NAS_OK) return 0;
  int64_t c = site->in[0].c, fan = c * o.kernel * o.kernel;
  double bound = 1 / sqrt((double)fan);
  out[COUPLING] = (nas_param_spec){.name = "J", .count = c * fan, .init = NAS_INIT_UNIFORM, .bound = bound};
  out[COUPLING_BIAS] = (nas_param_spec){.name = "jb", .count = c, .init = NAS_INIT_UNIFORM, .bound = bound};
  out[OMEGA] = (nas_param_spec){
      .name = "omg", .count = o.omega[0] == 'p' ? c : 2, .init = NAS_INIT_VALUE, .centre = 0.1 / sqrt(2)};
  out[GAMMA] = (nas_param_spec){
      .name = "gamma", .count = 1, .init = NAS_INIT_VALUE, .centre = o.gamma, .running = !o.train_gamma};
  return 4;
}

static int64_t macs(const nas_site *site) {
  kuramoto_options o;
  if (nas_op_options(site, options, &o, "kuramoto", NULL, NULL) != NAS_OK) return 0;
  int64_t c = site->in[0].c;
  return o.steps * nas_shape_pixels(site->out) * c * (c * o.kernel * o.kernel + 1);
}

static nas_status prepare(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(kuramoto_options), err));
  sizes s = sizes_of(c);
  const int64_t d = (int64_t)sizeof(double);
  if (s.keep) c->saved_bytes = (2 * s.steps + 1) * s.all * d;
  else c->forward_scratch = 2 * s.all * d;
  c->backward_scratch = (4 * s.all + s.weights + s.c + 2 * s.pairs + 1) * d;
  return NAS_OK;
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(kuramoto_options), err));
  return nas_kuramoto_prepare_fast(c, err);
}

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = nas_kuramoto_forward_fast,
                                .backward = nas_kuramoto_backward_fast,
                                .reads = NAS_READS_X};

static const char *const samples[] = {"n=2\n", "n=4\nsteps=2\nkernel=3\ntrain-gamma=yes\nomega=global\n", "", NULL};

const nas_op nas_op_kuramoto = {
    .name = "kuramoto",
    .version = 2,
    .summary = "oscillators on spheres, coupled and driven by a stimulus for a few steps",
    .citation = "T. Miyato et al., Artificial Kuramoto oscillatory neurons, arXiv:2410.13821",
    .attributes = "options",
    .min_inputs = 1,
    .max_inputs = 2,
    .traits = NAS_OP_RANDOM,
    .infer = infer,
    .params = params,
    .macs = macs,
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
