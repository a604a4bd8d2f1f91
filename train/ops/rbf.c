#ifdef REAL
/* u of one row and neuron (as many numbers as inputs); returns half its square. */
static double FN(scaled)(const nas_call *c, const REAL *x, int64_t o, double *u) {
  int64_t in = c->site.in[0].c;
  const REAL *centre = (const REAL *)c->param[CENTRE] + o * in, *scale = c->param[SCALE];
  rbf_kind kind = kind_of(&c->site);
  double sum = 0;
  for (int64_t i = 0; i < in; i++) {
    u[i] = 0;
    if (kind == ISOTROPIC) u[i] = ((double)x[i] - (double)centre[i]) / (double)scale[o];
    else if (kind == DIAGONAL) u[i] = ((double)x[i] - (double)centre[i]) / (double)scale[o * in + i];
    else
      for (int64_t k = 0; k < in; k++)
        u[i] += (double)scale[(o * in + i) * in + k] * ((double)x[k] - (double)centre[k]);
    sum += u[i] * u[i];
  }
  return sum / 2;
}

static void FN(forward)(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c;
  const REAL *x = c->x[0];
  REAL *y = c->y;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t o = 0; o < out; o++) y[r * out + o] = (REAL)exp(-FN(scaled)(c, x + r * in, o, c->scratch));
}

/* Adds what row r and neuron o send back. g is the gradient by minus half the square of u. */
static void FN(add)(const nas_call *c, int64_t r, int64_t o, double g, const double *u, double *sum_c, double *sum_s,
                    double *sum_x) {
  int64_t in = c->site.in[0].c;
  const REAL *x = (const REAL *)c->x[0] + r * in, *centre = (const REAL *)c->param[CENTRE] + o * in;
  const REAL *scale = c->param[SCALE];
  rbf_kind kind = kind_of(&c->site);
  for (int64_t i = 0; i < in; i++) {
    if (kind == FULL) {
      for (int64_t k = 0; k < in; k++) {
        double d = -g * u[i] * (double)scale[(o * in + i) * in + k];
        sum_s[i * in + k] -= g * u[i] * ((double)x[k] - (double)centre[k]);
        sum_x[r * in + k] += d;
        sum_c[k] -= d;
      }
      continue;
    }
    int64_t at = kind == ISOTROPIC ? 0 : i;
    double s = (double)scale[kind == ISOTROPIC ? o : o * in + i], d = -g * u[i] / s;
    sum_x[r * in + i] += d;
    sum_c[i] -= d;
    sum_s[at] += g * u[i] * u[i] / s;
  }
}

static void FN(backward)(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c;
  int64_t scales = scales_of(&c->site);
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0], *dcentre = c->grad[CENTRE], *dscale = c->grad[SCALE];
  double *u = c->scratch, *sum_c = u + in, *sum_s = sum_c + in, *sum_x = sum_s + scales;
  memset(sum_x, 0, (size_t)(rows * in) * sizeof *sum_x);
  for (int64_t o = 0; o < out; o++) {
    memset(sum_c, 0, (size_t)(in + scales) * sizeof *sum_c);
    for (int64_t r = 0; r < rows; r++) {
      double y = exp(-FN(scaled)(c, x + r * in, o, u)), g = (double)dy[r * out + o] * y;
      if (g != 0) FN(add)(c, r, o, g, u, sum_c, sum_s, sum_x); /* where y is 0, u may be infinite */
    }
    for (int64_t i = 0; i < in; i++) dcentre[o * in + i] = (REAL)sum_c[i];
    for (int64_t i = 0; i < scales; i++) dscale[o * scales + i] = (REAL)sum_s[i];
  }
  for (int64_t k = 0; dx && k < rows * in; k++) dx[k] = dplus ? dplus[k] + (REAL)sum_x[k] : (REAL)sum_x[k];
}
#else
#include <math.h>
#include <string.h>

#include "train/gemm.h"
#include "train/kernels/kernels.h"
#include "train/op.h"

enum { CENTRE, SCALE };
typedef enum rbf_kind { ISOTROPIC, DIAGONAL, FULL } rbf_kind;

typedef struct rbf_options {
  char scaling[12];
} rbf_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(rbf_options, scaling, "scaling", "isotropic", "isotropic|diagonal|full",
                   "one width per neuron, one per neuron and input, or a matrix per neuron"),
    NAS_OPT_END};

static rbf_kind kind_of(const nas_site *s) {
  return strstr(s->attrs.options, "full") ? FULL : strstr(s->attrs.options, "diagonal") ? DIAGONAL : ISOTROPIC;
}

/* Numbers of scaling of one neuron. */
static int64_t scales_of(const nas_site *s) {
  int64_t in = s->in[0].c;
  rbf_kind kind = kind_of(s);
  return kind == ISOTROPIC ? 1 : kind == DIAGONAL ? in : in * in;
}

#define NAS_TEMPLATE "train/ops/rbf.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  rbf_options o;
  NAS_TRY(nas_op_options(site, options, &o, "rbf", label, err));
  return nas_infer_rows(site, label, out, err);
}

/* Widths grow with the distance of two random points, sqrt(2 in); they stay away from the pole at 0. */
static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  double width = sqrt(2 * (double)site->in[0].c);
  bool full = kind_of(site) == FULL;
  out[CENTRE] =
      (nas_param_spec){.name = "c", .count = (int64_t)site->in[0].c * site->out.c, .init = NAS_INIT_NORMAL, .bound = 1};
  out[SCALE] = (nas_param_spec){.name = "s",
                                .count = scales_of(site) * site->out.c,
                                .init = NAS_INIT_VALUE,
                                .centre = width,
                                .bounded = true,
                                .least = 1e-3};
  if (full)
    out[SCALE] = (nas_param_spec){.name = "L",
                                  .count = scales_of(site) * site->out.c,
                                  .init = NAS_INIT_NORMAL,
                                  .bound = 1 / ((double)site->in[0].c * sqrt(2))};
  return 2;
}

static int64_t macs(const nas_site *site) {
  int64_t in = site->in[0].c;
  return (kind_of(site) == FULL ? in * in + in : 2 * in) * site->out.c * nas_shape_pixels(site->out);
}

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  int64_t in = c->site.in[0].c;
  c->forward_scratch = in * (int64_t)sizeof(double);
  c->backward_scratch = (2 * in + scales_of(&c->site) + nas_site_in(&c->site, 0)) * (int64_t)sizeof(double);
  return NAS_OK;
}

/* ---- fast ---- */

static nas_rbf described(const nas_call *c) {
  return (nas_rbf){.rows = nas_site_rows(&c->site, 0),
                   .in = c->site.in[0].c,
                   .out = c->site.out.c,
                   .diagonal = kind_of(&c->site) == DIAGONAL,
                   .x = c->x[0],
                   .centre = c->param[CENTRE],
                   .width = c->param[SCALE],
                   .y = c->y,
                   .dy = c->dy,
                   .dplus = c->dplus[0],
                   .dx = c->dx[0],
                   .dcentre = c->grad[CENTRE],
                   .dwidth = c->grad[SCALE],
                   .scratch = c->scratch};
}

static int64_t chunk_of(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0);
  return rows < NAS_RBF_CHUNK ? rows : NAS_RBF_CHUNK;
}

/* A full matrix: d = x - c of n rows, and u = L d. */
static void transform(const nas_call *c, int64_t row, int64_t n, int64_t o, float *d, float *u) {
  int64_t in = c->site.in[0].c;
  const float *x = (const float *)c->x[0] + row * in, *centre = (const float *)c->param[CENTRE] + o * in;
  for (int64_t r = 0; r < n; r++)
    for (int64_t i = 0; i < in; i++) d[r * in + i] = x[r * in + i] - centre[i];
  nas_gemm(false, true, n, in, in, d, (const float *)c->param[SCALE] + o * in * in, false, u);
}

static void forward_full(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c, n;
  float *d = c->scratch, *u = d + chunk_of(c) * in;
  for (int64_t row = 0; row < rows; row += n) {
    n = rows - row < chunk_of(c) ? rows - row : chunk_of(c);
    for (int64_t o = 0; o < out; o++) {
      transform(c, row, n, o, d, u);
      for (int64_t r = 0; r < n; r++) {
        float sum = 0;
        for (int64_t i = 0; i < in; i++) sum += u[r * in + i] * u[r * in + i];
        ((float *)c->y)[(row + r) * out + o] = expf(-sum / 2);
      }
    }
  }
}

static void backward_full(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c, n;
  float *d = c->scratch, *u = d + chunk_of(c) * in, *back = u + chunk_of(c) * in, *dx = c->dx[0];
  float *dcentre = c->grad[CENTRE], *dscale = c->grad[SCALE];
  const float *y = c->y, *dy = c->dy, *plus = c->dplus[0];
  for (int64_t i = 0; dx && i < rows * in; i++) dx[i] = plus ? plus[i] : 0;
  for (int64_t row = 0; row < rows; row += n) {
    n = rows - row < chunk_of(c) ? rows - row : chunk_of(c);
    for (int64_t o = 0; o < out; o++) {
      transform(c, row, n, o, d, u);
      for (int64_t r = 0; r < n; r++) {
        float g = -dy[(row + r) * out + o] * y[(row + r) * out + o];
        for (int64_t i = 0; i < in; i++) u[r * in + i] = g == 0 ? 0 : g * u[r * in + i];
      }
      nas_gemm(true, false, in, in, n, u, d, row > 0, dscale + o * in * in);
      nas_gemm(false, false, n, in, in, u, (const float *)c->param[SCALE] + o * in * in, false, back);
      for (int64_t i = 0; row == 0 && i < in; i++) dcentre[o * in + i] = 0;
      for (int64_t r = 0; r < n; r++)
        for (int64_t i = 0; i < in; i++) {
          dcentre[o * in + i] -= back[r * in + i];
          if (dx) dx[(row + r) * in + i] += back[r * in + i];
        }
    }
  }
}

static void forward_fast(const nas_call *c) {
  nas_rbf f = described(c);
  if (kind_of(&c->site) == FULL) forward_full(c);
  else nas_kernels()->rbf_forward(&f);
}

static void backward_fast(const nas_call *c) {
  nas_rbf f = described(c);
  if (kind_of(&c->site) == FULL) backward_full(c);
  else nas_kernels()->rbf_backward(&f);
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  (void)err;
  bool full = kind_of(&c->site) == FULL;
  int64_t numbers = full ? 3 * chunk_of(c) * c->site.in[0].c : nas_rbf_scratch(c->site.out.c);
  c->forward_scratch = full ? numbers * (int64_t)sizeof(float) : 0;
  c->backward_scratch = numbers * (int64_t)sizeof(float);
  return NAS_OK;
}

static const nas_kernel fast = {
    .prepare = prepare_fast, .forward = forward_fast, .backward = backward_fast, .reads = NAS_READS_X | NAS_READS_Y};

static const char *const samples[] = {"", "scaling=diagonal\n", "scaling=full\n", NULL};

const nas_op nas_op_rbf = {
    .name = "rbf",
    .version = 1,
    .summary = "Gaussians of the scaled distance to trained centres",
    .citation = "D. Broomhead, D. Lowe, Multivariable functional interpolation and adaptive networks, 1988",
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
