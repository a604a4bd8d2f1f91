#ifdef REAL
static void FN(forward)(const nas_call *c) {
  nas_expansion e = expansion_of(c);
  FN(nas_expansion_forward)(c, &e);
}

static void FN(backward)(const nas_call *c) {
  nas_expansion e = expansion_of(c);
  FN(nas_expansion_backward)(c, &e);
}

static int64_t FN(probe)(const nas_call *c, const char *name, double *out) {
  nas_expansion e = expansion_of(c);
  return strcmp(name, "basis") ? -1 : FN(nas_expansion_basis)(c, &e, out);
}
#else
#include <math.h>
#include <string.h>

#include "train/expansion.h"
#include "train/kernels/kernels.h"

typedef struct chebyshev_options {
  int64_t degree;
} chebyshev_options;

static const nas_option options[] = {
    NAS_OPT_INT(chebyshev_options, degree, "degree", "4", 1, 64, "highest degree of the polynomials"), NAS_OPT_END};

/* T_d(tanh x) by the recurrence, and its derivative d U_{d-1} (1 - tanh^2): finite everywhere. */
static void basis(const void *values, double x, double *phi, double *slope) {
  const chebyshev_options *o = values;
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

/* `work`: tanh u, then the last two of T in turn, then the last two of U. */
static void fill(float *to, float value, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = value;
}

static const float *values_fast(const void *values, int64_t term, const float *u, float *phi, float *work, int64_t n) {
  (void)values, (void)phi;
  float *bent = work, *older = work + (1 + term % 2) * n, *newer = work + (2 - term % 2) * n;
  if (term == 0) {
    nas_kernels()->tanh(bent, u, n);
    fill(older, 1, n);
  } else if (term == 1) {
    memcpy(older, bent, (size_t)n * sizeof *older);
  } else {
    nas_kernels()->recur(older, newer, bent, n);
  }
  return older;
}

/* The derivative of T_d is d U_{d-1}. */
static void slopes_fast(const void *values, int64_t term, const float *u, const float *g, float *du, float *work,
                        int64_t n) {
  (void)values, (void)u;
  float *bent = work, *second = work + (3 + term % 2) * n, *newer = work + (4 - term % 2) * n;
  if (term == 0) {
    fill(second, 0, n); /* U_-1 */
    return;
  }
  if (term == 1) fill(second, 1, n);
  else nas_kernels()->recur(second, newer, bent, n);
  nas_kernels()->chebyshev_gradient(du, bent, second, g, (float)term, n);
}

static nas_expansion expansion_of(const nas_call *c) {
  const chebyshev_options *o = c->prepared;
  return (nas_expansion){.options = o,
                         .basis = basis,
                         .terms = o->degree + 1,
                         .by_term = (int64_t)c->site.in[0].c * c->site.out.c,
                         .values = values_fast,
                         .slopes = slopes_fast,
                         .works = 5,
                         .weight = 0,
                         .scale = -1,
                         .base = -1,
                         .offset = -1};
}

#define NAS_TEMPLATE "train/ops/kan_chebyshev.c"
#include "train/op_template.h"

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

static nas_status prepare(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(chebyshev_options), err));
  nas_expansion e = expansion_of(c);
  nas_expansion_reserve(c, &e);
  return NAS_OK;
}

static void forward_fast(const nas_call *c) {
  nas_expansion e = expansion_of(c);
  nas_expansion_forward_fast(c, &e);
}

static void backward_fast(const nas_call *c) {
  nas_expansion e = expansion_of(c);
  nas_expansion_backward_fast(c, &e);
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(chebyshev_options), err));
  nas_expansion e = expansion_of(c);
  nas_expansion_reserve_fast(c, &e);
  return NAS_OK;
}

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = forward_fast,
                                .backward = backward_fast,
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
