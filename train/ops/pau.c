#ifdef REAL
static rational FN(at)(const nas_call *c, double x) {
  const pau_options *op = c->prepared;
  const REAL *a = c->param[ABOVE], *b = c->param[BELOW];
  rational f = {0, 0, 0, 0, 0};
  double power = 1;
  for (int64_t k = 0; k <= op->m; k++, power *= x) f.p += (double)a[k] * power;
  power = 1;
  for (int64_t k = 1; k <= op->m; k++, power *= x) f.dp += (double)k * (double)a[k] * power;
  power = 1;
  for (int64_t k = 1; k <= op->n; k++, power *= x) {
    double term = (double)b[k - 1] * power * x, slope = (double)k * (double)b[k - 1] * power;
    bool turned = op->version[0] == 'A' && term < 0;
    f.q += turned ? -term : term;
    f.dq += turned ? -slope : slope;
  }
  f.turn = f.q < 0 ? -1 : 1;
  f.dq *= f.turn;
  f.q = 1 + fabs(f.q);
  return f;
}

static void FN(forward)(const nas_call *c) {
  const REAL *x = c->x[0];
  REAL *y = c->y;
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) {
    rational f = FN(at)(c, (double)x[i]);
    y[i] = (REAL)(f.p / f.q);
  }
}

static void FN(backward)(const nas_call *c) {
  const pau_options *op = c->prepared;
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0], *b = c->param[BELOW];
  REAL *dx = c->dx[0];
  double sum_a[DEGREE_MAX + 1] = {0}, sum_b[DEGREE_MAX] = {0};
  int64_t n = nas_site_out(&c->site);
  for (int64_t i = 0; i < n; i++) {
    double at = (double)x[i], g = (double)dy[i], power = 1;
    rational f = FN(at)(c, at);
    double down = -g * f.p / (f.q * f.q), d = g * f.dp / f.q + down * f.dq;
    for (int64_t k = 0; k <= op->m; k++, power *= at) sum_a[k] += g / f.q * power;
    power = at;
    for (int64_t k = 0; k < op->n; k++, power *= at) {
      bool turned = op->version[0] == 'A' ? (double)b[k] * power < 0 : f.turn < 0;
      sum_b[k] += turned ? -down * power : down * power;
    }
    if (dx) dx[i] = dplus ? dplus[i] + (REAL)d : (REAL)d;
  }
  for (int64_t k = 0; k <= op->m; k++) ((REAL *)c->grad[ABOVE])[k] = (REAL)sum_a[k];
  for (int64_t k = 0; k < op->n; k++) ((REAL *)c->grad[BELOW])[k] = (REAL)sum_b[k];
}
#else
#include <math.h>
#include <string.h>

#include "train/op.h"

enum { ABOVE, BELOW, DEGREE_MAX = 8 };

typedef struct pau_options {
  char version[2];
  int64_t m, n;
} pau_options;

static const nas_option options[] = {NAS_OPT_CHOICE(pau_options, version, "version", "A", "A|B",
                                                    "denominator: A = 1 + sum of |terms|, B = 1 + |sum of terms|"),
                                     NAS_OPT_INT(pau_options, m, "m", "5", 1, 8, "degree of the numerator"),
                                     NAS_OPT_INT(pau_options, n, "n", "4", 1, 8, "degree of the denominator"),
                                     NAS_OPT_END};

/* Numerator, denominator, their derivatives, and the sign of what B takes the absolute value of. */
typedef struct rational {
  double p, q, dp, dq, turn;
} rational;

#define NAS_TEMPLATE "train/ops/pau.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  pau_options o;
  NAS_TRY(nas_op_options(site, options, &o, "pau", label, err));
  return nas_infer_same(site, label, out, err);
}

/* Numerator, then denominator. Degrees 5 and 4: leaky ReLU (0.01) on [-3, 3] as its authors' code starts versions A
 * and B; other degrees begin as the identity. */
static const double *start_of(const pau_options *o) {
  static const double leaky[2][2 * DEGREE_MAX + 1] = {
      {0.029792778657264946, 0.6183735264987601, 2.323309062531321, 3.051936237265109, 1.4854203263828845,
       0.2510244961111299, 0, 0, 0, -1.1419548357285474, 4.393159974992486, 0.8714712309957245, 0.34719662339598834},
      {0.03355815890668059, 0.5049940948281444, 1.6534163637528791, 2.0099850112036783, 0.9318900490866645,
       0.1524224383838956, 0, 0, 0, -5.748546580824416e-05, 3.9802477853818083, -4.2529808614931225e-05,
       0.3018338162009311}};
  static const double identity[2 * DEGREE_MAX + 1] = {0, 1};
  return o->m == 5 && o->n == 4 ? leaky[o->version[0] == 'B'] : identity;
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  pau_options o;
  if (nas_op_options(site, options, &o, "pau", NULL, NULL) != NAS_OK) return 0;
  const double *start = start_of(&o);
  out[ABOVE] = (nas_param_spec){.name = "a", .count = o.m + 1, .init = NAS_INIT_LIST, .list = start};
  out[BELOW] = (nas_param_spec){.name = "b", .count = o.n, .init = NAS_INIT_LIST, .list = start + DEGREE_MAX + 1};
  return 2;
}

static nas_status prepare(nas_call *c, nas_err *err) {
  return nas_op_keep_options(c, options, sizeof(pau_options), err);
}

static const char *const samples[] = {"", "version=B\n", "version=A\nm=3\nn=2\n", NULL};

const nas_op nas_op_pau = {
    .name = "pau",
    .version = 3,
    .summary = "the quotient of two polynomials of each element, whose coefficients the layer shares",
    .citation = "A. Molina, P. Schramowski, K. Kersting, Pade activation units, arXiv:1907.06732",
    .attributes = "options",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .params = params,
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
    .options = options,
    .samples = samples,
};
#endif
