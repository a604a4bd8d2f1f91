#ifdef REAL
/* The sums over the inputs of one row and neuron, per degree: p[0..m-1], then q[0..n-1]. */
static void FN(sums)(const nas_call *c, const pade_options *op, int64_t r, int64_t o, double *sum) {
  int64_t in = c->site.in[0].c, out = c->site.out.c;
  const REAL *x = (const REAL *)c->x[0] + r * in, *above = c->param[ABOVE], *below = c->param[BELOW];
  for (int64_t k = 0; k < op->m + op->n; k++) sum[k] = 0;
  for (int64_t i = 0; i < in; i++) {
    double power = 1;
    for (int64_t k = 0; k < op->m || k < op->n; k++) {
      power *= (double)x[i];
      if (k < op->m) sum[k] += (double)above[(k * in + i) * out + o] * power;
      if (k < op->n) sum[op->m + k] += (double)below[(k * in + i) * out + o] * power;
    }
  }
}

static void FN(forward)(const nas_call *c) {
  const pade_options *op = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), out = c->site.out.c;
  REAL *y = c->y;
  double sum[2 * ORDER_MAX];
  for (int64_t r = 0; r < rows; r++)
    for (int64_t o = 0; o < out; o++) {
      FN(sums)(c, op, r, o, sum);
      fraction f = fraction_of(op, (double)((const REAL *)c->param[START])[o], sum);
      y[r * out + o] = (REAL)(f.above / f.below);
    }
}

static void FN(backward)(const nas_call *c) {
  const pade_options *op = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c, degrees = op->m + op->n;
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0], *start = c->param[START];
  REAL *dx = c->dx[0];
  double *back = c->scratch, sum[2 * ORDER_MAX]; /* [degree][row][neuron] */
  for (int64_t o = 0; o < out; o++) {
    double first = 0;
    for (int64_t r = 0; r < rows; r++) {
      FN(sums)(c, op, r, o, sum);
      first += slopes_of(op, (double)start[o], sum, (double)dy[r * out + o]);
      for (int64_t k = 0; k < degrees; k++) back[(k * rows + r) * out + o] = sum[k];
    }
    ((REAL *)c->grad[START])[o] = (REAL)first;
  }
  for (int64_t k = 0; k < degrees; k++) {
    REAL *grad = k < op->m ? (REAL *)c->grad[ABOVE] + k * in * out : (REAL *)c->grad[BELOW] + (k - op->m) * in * out;
    double degree = (double)(k < op->m ? k : k - op->m) + 1;
    for (int64_t i = 0; i < in; i++)
      for (int64_t o = 0; o < out; o++) {
        double total = 0;
        for (int64_t r = 0; r < rows; r++) total += back[(k * rows + r) * out + o] * pow((double)x[r * in + i], degree);
        grad[i * out + o] = (REAL)total;
      }
  }
  for (int64_t r = 0; dx && r < rows; r++)
    for (int64_t i = 0; i < in; i++) {
      double total = 0;
      for (int64_t k = 0; k < degrees; k++) {
        int64_t degree = (k < op->m ? k : k - op->m) + 1;
        const REAL *w = (const REAL *)c->param[k < op->m ? ABOVE : BELOW] + ((degree - 1) * in + i) * out;
        double inner = 0;
        for (int64_t o = 0; o < out; o++) inner += back[(k * rows + r) * out + o] * (double)w[o];
        total += inner * (double)degree * pow((double)x[r * in + i], (double)(degree - 1));
      }
      dx[r * in + i] = dplus ? dplus[r * in + i] + (REAL)total : (REAL)total;
    }
}

static int64_t FN(probe)(const nas_call *c, const char *name, double *result) {
  const pade_options *op = c->prepared;
  bool above = !strcmp(name, "numerator");
  if (!above && strcmp(name, "denominator") != 0) return -1;
  int64_t rows = nas_site_rows(&c->site, 0), out = c->site.out.c;
  double sum[2 * ORDER_MAX];
  for (int64_t at = 0; result && at < rows * out; at++) {
    FN(sums)(c, op, at / out, at % out, sum);
    fraction f = fraction_of(op, (double)((const REAL *)c->param[START])[at % out], sum);
    result[at] = above ? f.above : f.below;
  }
  return rows * out;
}
#else
#include <math.h>
#include <string.h>

#include "train/gemm.h"
#include "train/kernels/kernels.h"
#include "train/op.h"

enum { START, ABOVE, BELOW, ORDER_MAX = 8 };

typedef struct pade_options {
  char kind[2];
  int64_t m, n;
} pade_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(pade_options, kind, "kind", "s", "a|b|s",
                   "denominator: a = 1 + sum of |degrees|, b = 1 + |sum of degrees|, s = smooth"),
    NAS_OPT_INT(pade_options, m, "m", "2", 1, 8, "degree of the numerator"),
    NAS_OPT_INT(pade_options, n, "n", "2", 1, 8, "degree of the denominator"), NAS_OPT_END};

typedef struct fraction {
  double above, below;
} fraction;

/* The two polynomials of the smooth kind, whole and without their highest degree. */
typedef struct smooth {
  double p, p1, q, q1;
} smooth;

static smooth smooth_of(const pade_options *op, double start, const double *sum) {
  smooth s = {start, start, 1, 1};
  for (int64_t k = 0; k < op->m; k++) s.p += sum[k];
  for (int64_t k = 0; k < op->n; k++) s.q += sum[op->m + k];
  for (int64_t k = 0; k + 1 < op->m; k++) s.p1 += sum[k];
  for (int64_t k = 0; k + 1 < op->n; k++) s.q1 += sum[op->m + k];
  return s;
}

static fraction fraction_of(const pade_options *op, double start, const double *sum) {
  if (op->kind[0] == 's') {
    smooth s = smooth_of(op, start, sum);
    return (fraction){s.q * s.p + s.q1 * s.p1, s.q * s.q + s.q1 * s.q1};
  }
  fraction f = {start, 0};
  for (int64_t k = 0; k < op->m; k++) f.above += sum[k];
  for (int64_t k = 0; k < op->n; k++) f.below += op->kind[0] == 'a' ? fabs(sum[op->m + k]) : sum[op->m + k];
  f.below = 1 + fabs(f.below);
  return f;
}

static double sign_of(double x) { return (double)(x > 0) - (double)(x < 0); }

/* Replaces the sums by the gradients of them where y has gradient g; returns that of the start. */
static double slopes_of(const pade_options *op, double start, double *sum, double g) {
  fraction f = fraction_of(op, start, sum);
  double y = f.above / f.below;
  if (op->kind[0] == 's') {
    smooth s = smooth_of(op, start, sum);
    double p = g * s.q / f.below, p1 = g * s.q1 / f.below;
    double q = g * (s.p - 2 * s.q * y) / f.below, q1 = g * (s.p1 - 2 * s.q1 * y) / f.below;
    for (int64_t k = 0; k < op->m; k++) sum[k] = k + 1 < op->m ? p + p1 : p;
    for (int64_t k = 0; k < op->n; k++) sum[op->m + k] = k + 1 < op->n ? q + q1 : q;
    return p + p1;
  }
  double whole = 0;
  for (int64_t k = 0; k < op->n; k++) whole += sum[op->m + k];
  for (int64_t k = 0; k < op->m; k++) sum[k] = g / f.below;
  for (int64_t k = 0; k < op->n; k++)
    sum[op->m + k] = -g * y / f.below * sign_of(op->kind[0] == 'a' ? sum[op->m + k] : whole);
  return g / f.below;
}

#define NAS_TEMPLATE "train/ops/pade.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  pade_options o;
  NAS_TRY(nas_op_options(site, options, &o, "pade", label, err));
  return nas_infer_rows(site, label, out, err);
}

/* A linear layer at first: the highest degrees and the denominator wait at zero. */
static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  pade_options o;
  if (nas_op_options(site, options, &o, "pade", NULL, NULL) != NAS_OK) return 0;
  int64_t edges = (int64_t)site->in[0].c * site->out.c;
  double in = (double)site->in[0].c;
  out[START] = (nas_param_spec){.name = "w0", .count = site->out.c, .init = NAS_INIT_UNIFORM, .bound = 1 / sqrt(in)};
  out[ABOVE] = (nas_param_spec){
      .name = "wm", .count = o.m * edges, .init = NAS_INIT_UNIFORM, .bound = sqrt(3 / in), .only = edges};
  out[BELOW] = (nas_param_spec){.name = "wn", .count = o.n * edges, .init = NAS_INIT_ZERO};
  return 3;
}

static int64_t macs(const nas_site *site) {
  pade_options o;
  if (nas_op_options(site, options, &o, "pade", NULL, NULL) != NAS_OK) return 0;
  return (o.m + o.n) * site->in[0].c * site->out.c * nas_shape_pixels(site->out);
}

static nas_status prepare(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(pade_options), err));
  const pade_options *o = c->prepared;
  c->backward_scratch = (o->m + o->n) * nas_site_out(&c->site) * (int64_t)sizeof(double);
  return NAS_OK;
}

/* ---- fast: matrix products of powers of x, then fractions ---- */

static int64_t sums_of(const pade_options *o) { return o->kind[0] == 's' ? 4 : o->kind[0] == 'b' ? 2 : 1 + o->n; }

/* Degrees first + 1 .. first + count of numerator or denominator that go into one of the sums
 * (kernels/neuron_kernels.h): one product. */
typedef struct run {
  bool above;
  int64_t first, count;
} run;

static run run_of_sum(const pade_options *o, int64_t sum) {
  if (o->kind[0] == 's') {
    int64_t degrees = sum < 2 ? o->m : o->n;
    return sum % 2 ? (run){sum < 2, degrees - 1, 1} : (run){sum < 2, 0, degrees - 1};
  }
  if (sum == 0) return (run){true, 0, o->m};
  return o->kind[0] == 'b' ? (run){false, 0, o->n} : (run){false, sum - 1, 1};
}

/* Numbers of a row's powers from the square on. */
static int64_t wide_of(const nas_call *c) {
  const pade_options *o = c->prepared;
  return ((o->m > o->n ? o->m : o->n) - 1) * c->site.in[0].c;
}

/* Rows whose powers stay in the second cache, in even parts. */
static int64_t chunk_of(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), most = 65536 / c->site.in[0].c;
  int64_t parts = most < 64 ? (rows + 63) / 64 : (rows + most - 1) / most;
  return (rows + parts - 1) / parts;
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(pade_options), err));
  const int64_t size = (int64_t)sizeof(float), powers = chunk_of(c) * wide_of(c) * size;
  int64_t sums = sums_of(c->prepared) * nas_site_out(&c->site) * size;
  c->forward_scratch = powers;
  if (c->site.mode == NAS_TRAIN) c->saved_bytes = sums;
  else c->forward_scratch += sums;
  c->backward_scratch = powers;
  if (c->wants_dx[0]) c->backward_scratch += powers + chunk_of(c) * c->site.in[0].c * size;
  return NAS_OK;
}

static nas_pade described(const nas_call *c) {
  const pade_options *o = c->prepared;
  float *scratch = c->scratch;
  return (nas_pade){.rows = nas_site_rows(&c->site, 0),
                    .out = c->site.out.c,
                    .sums = sums_of(o),
                    .smooth = o->kind[0] == 's',
                    .start = c->param[START],
                    .sum = c->site.mode == NAS_TRAIN ? c->saved : scratch + chunk_of(c) * wide_of(c),
                    .y = c->y,
                    .dy = c->dy};
}

/* A chunk of rows: x, and x^2, x^3, ... of each row side by side. */
typedef struct chunk {
  int64_t row, rows;
  const float *x, *powers;
} chunk;

static chunk chunk_from(const nas_call *c, int64_t row) {
  int64_t in = c->site.in[0].c, wide = wide_of(c), left = nas_site_rows(&c->site, 0) - row;
  float *powers = c->scratch;
  chunk k = {row, left < chunk_of(c) ? left : chunk_of(c), (const float *)c->x[0] + row * in, powers};
  for (int64_t r = 0; r < k.rows; r++)
    for (int64_t at = 0; at < wide; at += in) {
      float *to = powers + r * wide + at;
      nas_kernels()->multiply(to, at ? to - in : k.x + r * in, k.x + r * in, in);
    }
  return k;
}

/* A run's part of a tensor of weights. */
static float *weights_of(const nas_call *c, run r, void *const *tensors) {
  return (float *)tensors[r.above ? ABOVE : BELOW] + r.first * c->site.in[0].c * c->site.out.c;
}

/* The degrees of a run that stand among the powers; a run may begin with the inputs themselves. */
static run powers_of_run(run r) { return r.first == 0 ? (run){r.above, 1, r.count - 1} : r; }

static void forward_fast(const nas_call *c) {
  nas_pade f = described(c);
  int64_t in = c->site.in[0].c, wide = wide_of(c);
  for (int64_t row = 0; row < f.rows; row += chunk_of(c)) {
    chunk k = chunk_from(c, row);
    for (int64_t s = 0; s < f.sums; s++) {
      run r = run_of_sum(c->prepared, s), p = powers_of_run(r);
      float *sum = f.sum + (s * f.rows + row) * f.out;
      bool plain = r.count > 0 && r.first == 0;
      if (r.count == 0) memset(sum, 0, (size_t)(k.rows * f.out) * sizeof *sum);
      if (plain) nas_gemm(false, false, k.rows, f.out, in, k.x, weights_of(c, r, c->param), false, sum);
      if (p.count > 0)
        nas_gemm_part(false, false, k.rows, f.out, p.count * in, k.powers + (p.first - 1) * in, wide,
                      weights_of(c, p, c->param), plain, sum);
    }
  }
  nas_kernels()->pade_value(&f);
}

/* dx += k x^(k-1) times what the weights of degree k send back, for each degree of the run. */
static void send_back(const nas_call *c, const chunk *k, run r, const float *sum) {
  int64_t in = c->site.in[0].c, out = c->site.out.c, wide = wide_of(c);
  float *back = (float *)c->scratch + chunk_of(c) * wide;
  nas_gemm(false, true, k->rows, r.count * in, out, sum, weights_of(c, r, c->param), false, back);
  for (int64_t i = 0; i < k->rows; i++)
    for (int64_t d = 0; d < r.count; d++) {
      int64_t degree = r.first + d + 1;
      const float *lower = degree > 2 ? k->powers + i * wide + (degree - 3) * in : degree == 2 ? k->x + i * in : NULL;
      nas_kernels()->add_product((float *)c->dx[0] + (k->row + i) * in, (float)degree, lower,
                                 back + (i * r.count + d) * in, in);
    }
}

static void begin_dx(const nas_call *c, int64_t row, int64_t rows) {
  int64_t in = c->site.in[0].c;
  float *dx = (float *)c->dx[0] + row * in;
  const float *plus = c->dplus[0] ? (const float *)c->dplus[0] + row * in : NULL;
  if (!plus) memset(dx, 0, (size_t)(rows * in) * sizeof *dx);
  else if (plus != dx) memcpy(dx, plus, (size_t)(rows * in) * sizeof *dx);
}

static void backward_fast(const nas_call *c) {
  nas_pade f = described(c);
  int64_t in = c->site.in[0].c, wide = wide_of(c);
  nas_kernels()->pade_gradient(&f);
  nas_kernels()->column_sums(c->grad[START], f.sum, f.rows, f.out);
  for (int64_t row = 0; row < f.rows; row += chunk_of(c)) {
    chunk k = chunk_from(c, row);
    if (c->dx[0]) begin_dx(c, row, k.rows);
    for (int64_t s = 0; s < f.sums; s++) {
      run r = run_of_sum(c->prepared, s), p = powers_of_run(r);
      const float *sum = f.sum + (s * f.rows + row) * f.out;
      if (r.count == 0) continue;
      if (r.first == 0) nas_gemm(true, false, in, f.out, k.rows, k.x, sum, row > 0, weights_of(c, r, c->grad));
      if (p.count > 0)
        nas_gemm_part(true, false, p.count * in, f.out, k.rows, k.powers + (p.first - 1) * in, wide, sum, row > 0,
                      weights_of(c, p, c->grad));
      if (c->dx[0]) send_back(c, &k, r, sum);
    }
  }
}

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = forward_fast,
                                .backward = backward_fast,
                                .reads = NAS_READS_X};

static const char *const samples[] = {"", "kind=a\nm=3\nn=2\n", "kind=b\nm=1\nn=3\n", "kind=s\nm=1\nn=1\n", NULL};

const nas_op nas_op_pade = {
    .name = "pade",
    .version = 1,
    .summary = "the quotient of two polynomials of the inputs",
    .citation = "O. Keles, A. M. Tekalp, PAON: a new neuron model using Pade approximants, arXiv:2403.11791",
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
