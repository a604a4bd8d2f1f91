#include <math.h>

#include "train/expansion.h"
#include "train/kernels/kernels.h"

typedef struct chebyshev_options {
  int64_t degree;
} chebyshev_options;

static const nas_option options[] = {
    NAS_OPT_INT(chebyshev_options, degree, "degree", "4", 1, 64, "highest degree of the polynomials"), NAS_OPT_END};

/* T_d(tanh x) by the recurrence, and its derivative d U_{d-1} (1 - tanh^2): finite everywhere. */
static void basis(const void *from, double x, double *phi, double *slope) {
  const chebyshev_options *o = from;
  double u = tanh(x), fall = 1 - u * u, second[2] = {1, 2 * u}; /* U_0, U_1 */
  phi[0] = 1;
  slope[0] = 0;
  for (int64_t d = 1; d <= o->degree; d++) {
    phi[d] = d == 1 ? u : 2 * u * phi[d - 1] - phi[d - 2];
    slope[d] = (double)d * second[0] * fall;
    double next = 2 * u * second[1] - second[0];
    second[0] = second[1];
    second[1] = next;
  }
}

/* `work`: tanh u, the last two polynomials of the first kind and the last two of the second. */
static void values(const void *from, int64_t first, int64_t count, const float *u, float *phi, float *work, int64_t n) {
  (void)from;
  if (first == 0) nas_kernels()->tanh(work, u, n);
  nas_kernels()->chebyshev(phi, work, work + n, first, count, n);
}

static void slopes(const void *from, int64_t first, int64_t count, const float *u, const float *phi, const float *g,
                   float *du, float *work, int64_t n) {
  (void)from, (void)u, (void)phi;
  nas_kernels()->chebyshev_slopes(du, work, work + 3 * n, g, first, count, n);
}

static int64_t terms(const void *from) { return ((const chebyshev_options *)from)->degree + 1; }

static const nas_expansion_kind kind = {.options = options,
                                        .options_size = sizeof(chebyshev_options),
                                        .terms = terms,
                                        .basis = basis,
                                        .values = values,
                                        .slopes = slopes,
                                        .works = 5,
                                        .weight = 0,
                                        .scale = -1,
                                        .base = -1,
                                        .offset = -1};

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  chebyshev_options o;
  NAS_TRY(nas_op_options(site, options, &o, "kan_chebyshev", label, err));
  return nas_infer_rows(site, label, out, err);
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  chebyshev_options o;
  if (nas_op_options(site, options, &o, "kan_chebyshev", NULL, NULL) != NAS_OK) return 0;
  int64_t edges = (int64_t)site->in[0].c * site->out.c;
  out[0] = (nas_param_spec){.name = "coef",
                            .count = edges * (o.degree + 1),
                            .init = NAS_INIT_NORMAL,
                            .bound = 1 / ((double)site->in[0].c * (double)(o.degree + 1))};
  return 1;
}

static int64_t macs(const nas_site *site) {
  chebyshev_options o;
  if (nas_op_options(site, options, &o, "kan_chebyshev", NULL, NULL) != NAS_OK) return 0;
  return (o.degree + 1) * site->in[0].c * site->out.c * nas_shape_pixels(site->out);
}

static nas_status prepare(nas_call *c, nas_err *err) { return nas_expansion_prepare(c, &kind, err); }
static nas_status prepare_fast(nas_call *c, nas_err *err) { return nas_expansion_prepare_fast(c, &kind, err); }

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = nas_expansion_forward_fast,
                                .backward = nas_expansion_backward_fast,
                                .reads = NAS_READS_X};

static const char *const samples[] = {"", "degree=1\n", "degree=7\n", NULL};

const nas_op nas_op_kan_chebyshev = {
    .name = "kan_chebyshev",
    .version = 2,
    .summary = "sums of Chebyshev polynomials of the tanh of each input",
    .citation = "S. SS et al., Chebyshev polynomial-based Kolmogorov-Arnold networks, arXiv:2405.07200",
    .attributes = "out options",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = infer,
    .params = params,
    .macs = macs,
    .f32 = NAS_EXPANSION_KERNEL(prepare, _f32),
    .f64 = NAS_EXPANSION_KERNEL(prepare, _f64),
    .fast = &fast,
    .options = options,
    .samples = samples,
};
