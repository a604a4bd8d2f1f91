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

static nas_expansion expansion_of(const nas_call *c) {
  const chebyshev_options *o = c->prepared;
  return (nas_expansion){.options = o,
                         .basis = basis,
                         .terms = o->degree + 1,
                         .by_out = o->degree + 1,
                         .by_in = c->site.out.c * (o->degree + 1),
                         .by_term = 1,
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

static nas_status prepare(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(chebyshev_options), err));
  nas_expansion e = expansion_of(c);
  nas_expansion_reserve(c, &e);
  return NAS_OK;
}

static const char *const samples[] = {"", "degree=1\n", "degree=7\n", NULL};

const nas_op nas_op_kan_chebyshev = {
    .name = "kan_chebyshev",
    .version = 1,
    .summary = "sums of Chebyshev polynomials of the tanh of each input",
    .citation = "S. SS et al., Chebyshev polynomial-based Kolmogorov-Arnold networks, arXiv:2405.07200",
    .attributes = "out options",
    .min_inputs = 1,
    .max_inputs = 1,
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
    .options = options,
    .samples = samples,
};
#endif
