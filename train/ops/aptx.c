#ifdef REAL
/* What one edge yields and its derivatives by x, alpha, beta and gamma. */
static aptx_edge FN(edge)(const nas_call *c, int64_t at, double x) {
  double a = alpha_free(&c->site) ? (double)((const REAL *)c->param[ALPHA])[at] : 1;
  double b = (double)((const REAL *)c->param[BETA])[at], g = (double)((const REAL *)c->param[GAMMA])[at];
  double t = tanh(b * x), bend = (1 - t * t) * g * x;
  return (aptx_edge){(a + t) * g * x, bend * b + (a + t) * g, g * x, bend * x, (a + t) * x};
}

static void FN(forward)(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c;
  const REAL *x = c->x[0], *delta = c->param[DELTA];
  REAL *y = c->y;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t o = 0; o < out; o++) {
      double sum = (double)delta[o];
      for (int64_t i = 0; i < in; i++) sum += FN(edge)(c, o * in + i, (double)x[r * in + i]).y;
      y[r * out + o] = (REAL)sum;
    }
}

static void FN(backward)(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c;
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0], *dalpha = c->grad[ALPHA], *dbeta = c->grad[BETA], *dgamma = c->grad[GAMMA];
  double *sum_x = c->scratch;
  memset(sum_x, 0, (size_t)(rows * in) * sizeof *sum_x);
  for (int64_t o = 0; o < out; o++) {
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) sum += (double)dy[r * out + o];
    ((REAL *)c->grad[DELTA])[o] = (REAL)sum;
    for (int64_t i = 0; i < in; i++) {
      double a = 0, b = 0, g = 0;
      for (int64_t r = 0; r < rows; r++) {
        aptx_edge e = FN(edge)(c, o * in + i, (double)x[r * in + i]);
        double d = (double)dy[r * out + o];
        a += d * e.alpha;
        b += d * e.beta;
        g += d * e.gamma;
        sum_x[r * in + i] += d * e.x;
      }
      if (alpha_free(&c->site)) dalpha[o * in + i] = (REAL)a;
      dbeta[o * in + i] = (REAL)b;
      dgamma[o * in + i] = (REAL)g;
    }
  }
  for (int64_t k = 0; dx && k < rows * in; k++) dx[k] = dplus ? dplus[k] + (REAL)sum_x[k] : (REAL)sum_x[k];
}
#else
#include <math.h>
#include <string.h>

#include "train/kernels/kernels.h"
#include "train/op.h"

enum { BETA, GAMMA, DELTA, ALPHA };

typedef struct aptx_edge {
  double y, x, alpha, beta, gamma;
} aptx_edge;

typedef struct aptx_options {
  char alpha[8];
} aptx_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(aptx_options, alpha, "alpha", "free", "free|one", "whether alpha is trained or fixed to 1"),
    NAS_OPT_END};

static bool alpha_free(const nas_site *s) { return s->attrs.options[0] == 0 || !strstr(s->attrs.options, "one"); }

#define NAS_TEMPLATE "train/ops/aptx.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  aptx_options o;
  NAS_TRY(nas_op_options(site, options, &o, "aptx", label, err));
  return nas_infer_rows(site, label, out, err);
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  int64_t edges = (int64_t)site->in[0].c * site->out.c;
  out[BETA] = (nas_param_spec){.name = "beta", .count = edges, .init = NAS_INIT_NORMAL, .bound = 1};
  out[GAMMA] = (nas_param_spec){.name = "gamma", .count = edges, .init = NAS_INIT_NORMAL, .bound = 1};
  out[DELTA] = (nas_param_spec){.name = "delta", .count = site->out.c, .init = NAS_INIT_ZERO};
  out[ALPHA] = (nas_param_spec){.name = "alpha", .count = edges, .init = NAS_INIT_NORMAL, .bound = 1};
  return alpha_free(site) ? 4 : 3;
}

/* Multiplications of an edge: beta x, gamma x, and their product. */
static int64_t macs(const nas_site *site) {
  return 3 * (int64_t)site->in[0].c * site->out.c * nas_shape_pixels(site->out);
}

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  c->backward_scratch = nas_site_in(&c->site, 0) * (int64_t)sizeof(double);
  return NAS_OK;
}

static nas_aptx described(const nas_call *c) {
  bool free_alpha = alpha_free(&c->site);
  return (nas_aptx){.rows = nas_site_rows(&c->site, 0),
                    .in = c->site.in[0].c,
                    .out = c->site.out.c,
                    .x = c->x[0],
                    .alpha = free_alpha ? c->param[ALPHA] : NULL,
                    .beta = c->param[BETA],
                    .gamma = c->param[GAMMA],
                    .delta = c->param[DELTA],
                    .y = c->y,
                    .dy = c->dy,
                    .dplus = c->dplus[0],
                    .dx = c->dx[0],
                    .dalpha = free_alpha ? c->grad[ALPHA] : NULL,
                    .dbeta = c->grad[BETA],
                    .dgamma = c->grad[GAMMA],
                    .scratch = c->scratch};
}

static void forward_fast(const nas_call *c) {
  nas_aptx a = described(c);
  nas_kernels()->aptx_forward(&a);
}

static void backward_fast(const nas_call *c) {
  nas_aptx a = described(c);
  nas_kernels()->aptx_backward(&a);
  nas_kernels()->column_sums(c->grad[DELTA], c->dy, a.rows, a.out);
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  (void)err;
  int64_t bytes = nas_aptx_scratch(c->site.in[0].c, c->site.out.c) * (int64_t)sizeof(float);
  c->forward_scratch = c->backward_scratch = bytes;
  return NAS_OK;
}

static const nas_kernel fast = {
    .prepare = prepare_fast, .forward = forward_fast, .backward = backward_fast, .reads = NAS_READS_X};

static const char *const samples[] = {"", "alpha=one\n", NULL};

const nas_op nas_op_aptx = {
    .name = "aptx",
    .version = 1,
    .summary = "sums of (alpha + tanh(beta x)) gamma x with three numbers of their own for every edge",
    .citation = "R. Kumar, APTx neuron, arXiv:2507.14270",
    .attributes = "out options",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = {.prepare = prepare, .forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X},
    .f64 = {.prepare = prepare, .forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X},
    .fast = &fast,
    .options = options,
    .samples = samples,
};
#endif
