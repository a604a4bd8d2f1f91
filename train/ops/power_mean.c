#ifdef REAL
/* The logarithm of sum_i w_i x_i^p for one row and neuron, and the shares of its terms. */
static double FN(log_sum)(const nas_call *c, int64_t o, double p, const double *logs, double *share) {
  int64_t in = c->site.in[0].c;
  const REAL *w = (const REAL *)c->param[WEIGHT] + o * in;
  double top = -INFINITY, sum = 0;
  for (int64_t i = 0; i < in; i++) {
    share[i] = p * logs[i] + log(fmax((double)w[i], LEAST));
    top = fmax(top, share[i]);
  }
  for (int64_t i = 0; i < in; i++) sum += share[i] = exp(share[i] - top);
  for (int64_t i = 0; i < in; i++) share[i] /= sum;
  return top + log(sum);
}

static pair FN(exponents)(const nas_call *c, const mean_options *op, int64_t k) {
  double p = (double)((const REAL *)c->param[P])[k];
  return (pair){p, lehmer(op) ? p - 1 : (double)((const REAL *)c->param[Q])[k]};
}

/* The logarithm of the mean; up and down get the shares of numerator and denominator. */
static double FN(log_mean)(const nas_call *c, int64_t o, pair e, const double *logs, double *up, double *down) {
  if (fabs(e.p - e.q) < NEAR) {
    double mean = 0;
    FN(log_sum)(c, o, (e.p + e.q) / 2, logs, up);
    for (int64_t i = 0; i < c->site.in[0].c; i++) mean += up[i] * logs[i];
    return mean;
  }
  double a = FN(log_sum)(c, o, e.p, logs, up), b = FN(log_sum)(c, o, e.q, logs, down);
  return (a - b) / (e.p - e.q);
}

static void FN(take_logs)(const nas_call *c, int64_t r, double *logs) {
  const mean_options *op = c->prepared;
  int64_t in = c->site.in[0].c;
  const REAL *x = (const REAL *)c->x[0] + r * in;
  for (int64_t i = 0; i < in; i++) logs[i] = log(positive(op, (double)x[i]));
}

static void FN(forward)(const nas_call *c) {
  const mean_options *op = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, neurons = c->site.out.c / op->k;
  REAL *y = c->y;
  double *logs = c->scratch, *up = logs + in, *down = up + in;
  for (int64_t r = 0; r < rows; r++) {
    FN(take_logs)(c, r, logs);
    for (int64_t o = 0; o < neurons; o++)
      for (int64_t k = 0; k < op->k; k++)
        y[(r * neurons + o) * op->k + k] = (REAL)exp(FN(log_mean)(c, o, FN(exponents)(c, op, k), logs, up, down));
  }
}

/* What one output sends back: g is the gradient by the logarithm of the mean. */
static void FN(add)(const nas_call *c, int64_t o, pair e, double g, const double *logs, const double *up,
                    const double *down, double *sum_w, double *sum_x, pair *sum) {
  int64_t in = c->site.in[0].c;
  const REAL *w = (const REAL *)c->param[WEIGHT] + o * in;
  bool near = fabs(e.p - e.q) < NEAR;
  double gap = e.p - e.q, middle = (e.p + e.q) / 2, mean_up = 0, mean_down = 0, square = 0;
  for (int64_t i = 0; i < in; i++) {
    mean_up += up[i] * logs[i];
    square += up[i] * logs[i] * logs[i];
    if (!near) mean_down += down[i] * logs[i];
  }
  for (int64_t i = 0; i < in; i++) {
    double by_log = near ? up[i] * (1 + middle * (logs[i] - mean_up)) : (up[i] * e.p - down[i] * e.q) / gap;
    double by_weight = near ? up[i] * (logs[i] - mean_up) : (up[i] - down[i]) / gap;
    sum_x[i] += g * by_log;
    if ((double)w[i] > LEAST) sum_w[i] += g * by_weight / (double)w[i];
  }
  if (near) {
    sum->p += g * (square - mean_up * mean_up) / 2;
    sum->q += g * (square - mean_up * mean_up) / 2;
  } else {
    double log_mean = FN(log_mean)(c, o, e, logs, (double *)up, (double *)down);
    sum->p += g * (mean_up - log_mean) / gap;
    sum->q += g * (log_mean - mean_down) / gap;
  }
}

static void FN(backward)(const nas_call *c) {
  const mean_options *op = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, neurons = c->site.out.c / op->k;
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  double *logs = c->scratch, *up = logs + in, *down = up + in, *sum_x = down + in, *sum_w = sum_x + in;
  pair sums[MULTIPLET_MAX] = {{0, 0}};
  memset(sum_w, 0, (size_t)(neurons * in) * sizeof *sum_w);
  for (int64_t r = 0; r < rows; r++) {
    FN(take_logs)(c, r, logs);
    memset(sum_x, 0, (size_t)in * sizeof *sum_x);
    for (int64_t o = 0; o < neurons; o++)
      for (int64_t k = 0; k < op->k; k++) {
        pair e = FN(exponents)(c, op, k);
        double y = exp(FN(log_mean)(c, o, e, logs, up, down));
        FN(add)
        (c, o, e, y * (double)dy[(r * neurons + o) * op->k + k], logs, up, down, sum_w + o * in, sum_x, &sums[k]);
      }
    for (int64_t i = 0; dx && i < in; i++) {
      double d = sum_x[i] * positive_slope(op, (double)x[r * in + i]) / positive(op, (double)x[r * in + i]);
      dx[r * in + i] = dplus ? dplus[r * in + i] + (REAL)d : (REAL)d;
    }
  }
  for (int64_t i = 0; i < neurons * in; i++) ((REAL *)c->grad[WEIGHT])[i] = (REAL)sum_w[i];
  for (int64_t k = 0; k < op->k; k++) {
    ((REAL *)c->grad[P])[k] = (REAL)(lehmer(op) ? sums[k].p + sums[k].q : sums[k].p);
    if (!lehmer(op)) ((REAL *)c->grad[Q])[k] = (REAL)sums[k].q;
  }
}
#else
#include <math.h>
#include <string.h>

#include "train/gemm.h"
#include "train/kernels/kernels.h"
#include "train/op.h"

enum { WEIGHT, P, Q, MULTIPLET_MAX = 64 };
/* Nothing below LEAST goes into a logarithm; exponents nearer than NEAR are equal (their common limit is used). */
static const double LEAST = 1e-12, NEAR = 1e-7;

typedef struct mean_options {
  char mean[8];
  int64_t k;
  char inputs[12];
} mean_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(mean_options, mean, "mean", "lehmer", "lehmer|gini",
                   "lehmer: exponents p and p - 1; gini: p and q of their own"),
    NAS_OPT_INT(mean_options, k, "k", "3", 1, 64, "exponents, and outputs, that share the weights of a neuron"),
    NAS_OPT_CHOICE(mean_options, inputs, "inputs", "softplus", "softplus|positive",
                   "softplus makes them positive; positive: they are so already"),
    NAS_OPT_END};

typedef struct pair {
  double p, q;
} pair;

static bool lehmer(const mean_options *op) { return op->mean[0] == 'l'; }

static double positive(const mean_options *op, double x) {
  double v = op->inputs[0] == 's' ? fmax(x, 0) + log1p(exp(-fabs(x))) : x;
  return fmax(v, LEAST);
}

static double positive_slope(const mean_options *op, double x) {
  if (op->inputs[0] == 's') return 1 / (1 + exp(-x));
  return x > LEAST ? 1 : 0;
}

#define NAS_TEMPLATE "train/ops/power_mean.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  mean_options o;
  NAS_TRY(nas_op_options(site, options, &o, "power_mean", label, err));
  NAS_TRY(nas_infer_rows(site, label, out, err));
  if (out->c > INT32_MAX / o.k) return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "too many outputs");
  out->c *= (int32_t)o.k;
  return NAS_OK;
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  mean_options o;
  if (nas_op_options(site, options, &o, "power_mean", NULL, NULL) != NAS_OK) return 0;
  out[WEIGHT] = (nas_param_spec){.name = "w",
                                 .count = site->in[0].c * (site->out.c / o.k),
                                 .init = NAS_INIT_UNIFORM,
                                 .bound = 0.5,
                                 .centre = 1,
                                 .bounded = true,
                                 .least = 1e-6};
  out[P] = (nas_param_spec){.name = "p", .count = o.k, .init = NAS_INIT_RAMP, .bound = 2, .centre = 1.25};
  out[Q] = (nas_param_spec){.name = "q", .count = o.k, .init = NAS_INIT_RAMP, .bound = 1.5, .centre = 0};
  return lehmer(&o) ? 2 : 3;
}

/* Numerator and denominator of every mean. */
static int64_t macs(const nas_site *site) {
  return 2 * (int64_t)site->in[0].c * site->out.c * nas_shape_pixels(site->out);
}

static nas_status prepare(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(mean_options), err));
  const mean_options *o = c->prepared;
  int64_t in = c->site.in[0].c;
  c->forward_scratch = 3 * in * (int64_t)sizeof(double);
  c->backward_scratch = (4 * in + in * (c->site.out.c / o->k)) * (int64_t)sizeof(double);
  return NAS_OK;
}

/* ---- fast: sums of powers by matrix products, a chunk of rows at a time ---- */

/* Where exponents lie nearer than this, single precision loses the difference of the sums; the plain kernel serves. */
static const float APART = 0.05F;

/* Scratch of a chunk. */
typedef struct chunk {
  int64_t row, rows, in, neurons;
  float *weight;            /* [neuron][input], at least LEAST */
  float *logs, *power[2];   /* [row][input]; p and q */
  float *sum[2], *one;      /* [row][neuron]; y or dy of one exponent */
  float *ends;              /* lowest and highest logarithms of each row */
  float *by_power, *by_log; /* [row][input] */
} chunk;

static int64_t chunk_size(const nas_call *c, const mean_options *o, bool backward) {
  int64_t in = c->site.in[0].c, neurons = c->site.out.c / o->k;
  return in * neurons + NAS_POWERS_CHUNK * ((backward ? 5 : 3) * in + 3 * neurons + 2);
}

static chunk chunk_at(const nas_call *c, int64_t row) {
  const mean_options *o = c->prepared;
  int64_t all = nas_site_rows(&c->site, 0), most = NAS_POWERS_CHUNK;
  chunk k = {.row = row, .in = c->site.in[0].c, .neurons = c->site.out.c / o->k};
  k.rows = all - row < most ? all - row : most;
  k.weight = c->scratch;
  k.logs = k.weight + k.in * k.neurons;
  k.power[0] = k.logs + most * k.in;
  k.power[1] = k.power[0] + most * k.in;
  k.sum[0] = k.power[1] + most * k.in;
  k.sum[1] = k.sum[0] + most * k.neurons;
  k.one = k.sum[1] + most * k.neurons;
  k.ends = k.one + most * k.neurons;
  k.by_power = k.ends + 2 * most;
  k.by_log = k.by_power + most * k.in;
  return k;
}

static bool apart(const nas_call *c, const mean_options *o) {
  for (int64_t k = 0; k < o->k; k++) {
    pair e = exponents_f32(c, o, k);
    if (!(fabs(e.p - e.q) >= (double)APART)) return false;
  }
  return true;
}

static void begin(const nas_call *c, const mean_options *o, const chunk *k, nas_powers power[2]) {
  if (k->row == 0)
    for (int64_t i = 0; i < k->in * k->neurons; i++) {
      float w = ((const float *)c->param[WEIGHT])[i];
      k->weight[i] = w > (float)LEAST ? w : (float)LEAST;
    }
  nas_kernels()->log_positive(k->logs, (const float *)c->x[0] + k->row * k->in, o->inputs[0] == 's', k->rows * k->in);
  power[0] = (nas_powers){
      .rows = k->rows, .in = k->in, .logs = k->logs, .lowest = k->ends, .highest = k->ends + NAS_POWERS_CHUNK};
  nas_kernels()->lowest_highest(&power[0]);
  power[1] = power[0];
}

/* The powers and sums of a multiplet's exponent. */
static void sum_powers(const nas_call *c, const mean_options *o, const chunk *k, nas_powers power[2],
                       int64_t exponent) {
  pair e = exponents_f32(c, o, exponent);
  power[0].exponent = (float)e.p;
  power[1].exponent = (float)e.q;
  for (int i = 0; i < 2; i++) {
    nas_kernels()->powers(&power[i], k->power[i]);
    nas_gemm(false, true, k->rows, k->neurons, k->in, k->power[i], k->weight, false, k->sum[i]);
  }
}

static void forward_fast(const nas_call *c) {
  const mean_options *o = c->prepared;
  if (!apart(c, o)) {
    forward_f32(c);
    return;
  }
  for (int64_t row = 0, rows = nas_site_rows(&c->site, 0); row < rows; row += NAS_POWERS_CHUNK) {
    chunk k = chunk_at(c, row);
    nas_powers power[2];
    float *y = (float *)c->y + row * c->site.out.c;
    begin(c, o, &k, power);
    for (int64_t e = 0; e < o->k; e++) {
      sum_powers(c, o, &k, power, e);
      nas_kernels()->means(&power[0], &power[1], k.sum[0], k.sum[1], k.one, k.neurons);
      for (int64_t i = 0; i < k.rows * k.neurons; i++) y[i * o->k + e] = k.one[i];
    }
  }
}

static void backward_chunk(const nas_call *c, const mean_options *o, const chunk *k, pair *sums) {
  nas_powers power[2];
  const float *dy = (const float *)c->dy + k->row * c->site.out.c;
  int64_t at = k->row * k->in, n = k->rows * k->in;
  begin(c, o, k, power);
  memset(k->by_log, 0, (size_t)n * sizeof *k->by_log);
  for (int64_t e = 0; e < o->k; e++) {
    double by[2];
    sum_powers(c, o, k, power, e);
    for (int64_t i = 0; i < k->rows * k->neurons; i++) k->one[i] = dy[i * o->k + e];
    double whole = nas_kernels()->means_gradient(&power[0], &power[1], k->sum[0], k->sum[1], k->one, k->neurons);
    for (int i = 0; i < 2; i++) {
      nas_gemm(true, false, k->neurons, k->in, k->rows, k->sum[i], k->power[i], k->row > 0 || e > 0 || i > 0,
               c->grad[WEIGHT]);
      nas_gemm(false, false, k->rows, k->in, k->neurons, k->sum[i], k->weight, false, k->by_power);
      by[i] = nas_kernels()->powers_gradient(&power[i], k->power[i], k->by_power, k->by_log);
    }
    sums[e].p += by[0] - whole;
    sums[e].q += by[1] + whole;
  }
  if (c->dx[0])
    nas_kernels()->log_positive_gradient((float *)c->dx[0] + at, c->dplus[0] ? (const float *)c->dplus[0] + at : NULL,
                                         (const float *)c->x[0] + at, k->by_log, o->inputs[0] == 's', n);
}

static void backward_fast(const nas_call *c) {
  const mean_options *o = c->prepared;
  pair sums[MULTIPLET_MAX] = {{0, 0}};
  if (!apart(c, o)) {
    backward_f32(c);
    return;
  }
  for (int64_t row = 0, rows = nas_site_rows(&c->site, 0); row < rows; row += NAS_POWERS_CHUNK) {
    chunk k = chunk_at(c, row);
    backward_chunk(c, o, &k, sums);
  }
  for (int64_t i = 0; i < c->site.in[0].c * (c->site.out.c / o->k); i++)
    if (!(((const float *)c->param[WEIGHT])[i] > (float)LEAST)) ((float *)c->grad[WEIGHT])[i] = 0;
  for (int64_t k = 0; k < o->k; k++) {
    ((float *)c->grad[P])[k] = (float)(lehmer(o) ? sums[k].p + sums[k].q : sums[k].p);
    if (!lehmer(o)) ((float *)c->grad[Q])[k] = (float)sums[k].q;
  }
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(prepare(c, err));
  const mean_options *o = c->prepared;
  c->forward_scratch = larger(c->forward_scratch, chunk_size(c, o, false) * (int64_t)sizeof(float));
  c->backward_scratch = larger(c->backward_scratch, chunk_size(c, o, true) * (int64_t)sizeof(float));
  return NAS_OK;
}

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = forward_fast,
                                .backward = backward_fast,
                                .reads = NAS_READS_X};

static const char *const samples[] = {"", "mean=gini\n", "k=1\n", "mean=gini\nk=2\n", NULL};

const nas_op nas_op_power_mean = {
    .name = "power_mean",
    .version = 1,
    .summary = "weighted Lehmer or Gini means of the inputs with trained exponents",
    .citation = "N. E. Frick, An informal introduction to multiplet neural networks, arXiv:2006.01606",
    .attributes = "out options",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = {.prepare = prepare,
            .release = nas_op_drop_options,
            .forward = forward_f32,
            .backward = backward_f32,
            .reads = NAS_READS_X},
    .f64 = {.prepare = prepare,
            .release = nas_op_drop_options,
            .forward = forward_f64,
            .backward = backward_f64,
            .reads = NAS_READS_X},
    .fast = &fast,
    .options = options,
    .samples = samples,
};
#endif
