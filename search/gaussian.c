#include "search/gaussian.h"

#include <math.h>
#include <nlopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/library.h"

nas_status nas_gaussian_open(nas_gaussian *g, size_t room, nas_err *err) {
  *g = (nas_gaussian){.room = room, .scale2 = 1};
  g->factor = calloc(room * room + 1, sizeof *g->factor);
  g->z = calloc(room + 1, sizeof *g->z);
  if (g->factor && g->z) return NAS_OK;
  nas_gaussian_free(g);
  return nas_fail_memory(err, "the Gaussian process");
}

void nas_gaussian_free(nas_gaussian *g) {
  free(g->factor);
  free(g->z);
  *g = (nas_gaussian){0};
}

/* In four lanes: a fixed order of sums that the compiler may vectorise. */
static double dot(const double *a, const double *b, size_t n) {
  double lane[4] = {0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (size_t k = 0; k < 4; k++) lane[k] += a[i + k] * b[i + k];
  for (; i < n; i++) lane[0] += a[i] * b[i];
  return (lane[0] + lane[1]) + (lane[2] + lane[3]);
}

void nas_gaussian_add(nas_gaussian *g, const double *correlation, double noise) {
  double *row = g->factor + g->n * g->room;
  for (size_t i = 0; i < g->n; i++) {
    const double *other = g->factor + i * g->room;
    row[i] = (correlation[i] - dot(other, row, i)) / other[i];
  }
  /* Equal points leave nothing but the noise; rounding must not make it negative. */
  row[g->n] = sqrt(fmax(1 + noise - dot(row, row, g->n), 1e-10));
  g->n++;
}

void nas_gaussian_cut(nas_gaussian *g, size_t n) { g->n = n; }

void nas_gaussian_values(nas_gaussian *g, const double *y) {
  for (size_t i = 0; i < g->n; i++) {
    const double *row = g->factor + i * g->room;
    g->z[i] = (y[i] - dot(row, g->z, i)) / row[i];
  }
  g->scale2 = g->n ? fmax(dot(g->z, g->z, g->n) / (double)g->n, 1e-12) : 1;
}

double nas_gaussian_likelihood(const nas_gaussian *g) {
  double logs = 0;
  for (size_t i = 0; i < g->n; i++) logs += log(g->factor[i * g->room + i]);
  return -0.5 * (double)g->n * log(g->scale2) - logs;
}

void nas_gaussian_predict(const nas_gaussian *g, double *v, size_t m, double *mean, double *variance) {
  for (size_t j = 0; j < m; j++) mean[j] = 0, variance[j] = 1;
  for (size_t i = 0; i < g->n; i++) {
    const double *row = g->factor + i * g->room;
    double *own = v + i * m;
    for (size_t k = 0; k < i; k++) {
      const double *other = v + k * m, weight = row[k];
      for (size_t j = 0; j < m; j++) own[j] -= weight * other[j];
    }
    for (size_t j = 0; j < m; j++) {
      own[j] /= row[i];
      mean[j] += own[j] * g->z[i];
      variance[j] -= own[j] * own[j];
    }
  }
  for (size_t j = 0; j < m; j++) variance[j] = g->scale2 * fmax(variance[j], 1e-12);
}

/* ---- kernel parameters ---- */

typedef struct fit {
  nas_gaussian g;
  int parts;
  double *distance; /* of each pair i > k, row by row: parts numbers */
  double *correlation;
  const double *y;
  size_t n;
} fit;

static double minus_likelihood(unsigned n, const double *log_parameter, double *gradient, void *data) {
  (void)gradient;
  fit *f = data;
  double theta[NAS_KERNEL_PARTS];
  for (int i = 0; i < f->parts; i++) theta[i] = exp(log_parameter[i]);
  nas_gaussian_cut(&f->g, 0);
  const double *d = f->distance;
  for (size_t i = 0; i < f->n; i++) {
    for (size_t k = 0; k < i; k++, d += f->parts) {
      double sum = 0;
      for (int p = 0; p < f->parts; p++) sum += theta[p] * d[p];
      f->correlation[k] = exp(-sum);
    }
    nas_gaussian_add(&f->g, f->correlation, exp(log_parameter[n - 1]));
  }
  nas_gaussian_values(&f->g, f->y);
  return -nas_gaussian_likelihood(&f->g);
}

static const double log_theta_min = -7, log_theta_max = 3, log_noise_min = -12, log_noise_max = 0;

/* NLopt, loaded by the first fit. */
/* clang-format off */
#define NLOPT_FUNCTIONS(F) \
  F(create) F(destroy) F(optimize) F(set_initial_step1) F(set_lower_bounds) F(set_maxeval) \
  F(set_min_objective) F(set_upper_bounds) F(set_xtol_rel)
/* clang-format on */
#define POINTER(name) __typeof__(nlopt_##name) *name;
#define SYMBOL(name)  NAS_SYMBOL("nlopt_", nlopt, name),
static struct { NLOPT_FUNCTIONS(POINTER) } nlopt;
static const nas_symbol symbols[] = {NLOPT_FUNCTIONS(SYMBOL)};
static nas_library library = {NAS_NLOPT_LIBRARY, "install NLopt (Debian: libnlopt0)", symbols,
                              sizeof symbols / sizeof *symbols, NULL};

static nas_status maximise(fit *f, int evaluations, double *log_parameter, nas_err *err) {
  unsigned n = (unsigned)f->parts + 1;
  double low[NAS_KERNEL_PARTS + 1], high[NAS_KERNEL_PARTS + 1], value;
  NAS_TRY(nas_library_load(&library, err));
  nlopt_opt opt = nlopt.create(NLOPT_LN_BOBYQA, n);
  if (!opt) return nas_fail_memory(err, "the kernel parameters");
  for (unsigned i = 0; i < n; i++) {
    low[i] = i + 1 < n ? log_theta_min : log_noise_min;
    high[i] = i + 1 < n ? log_theta_max : log_noise_max;
    log_parameter[i] = fmin(fmax(log_parameter[i], low[i]), high[i]);
  }
  double start[NAS_KERNEL_PARTS + 1], before = minus_likelihood(n, log_parameter, NULL, f);
  memcpy(start, log_parameter, n * sizeof *start);
  nlopt.set_min_objective(opt, minus_likelihood, f);
  nlopt.set_lower_bounds(opt, low);
  nlopt.set_upper_bounds(opt, high);
  nlopt.set_maxeval(opt, evaluations);
  nlopt.set_xtol_rel(opt, 1e-3);
  nlopt.set_initial_step1(opt, 1.0);
  nlopt_result result = nlopt.optimize(opt, log_parameter, &value);
  nlopt.destroy(opt);
  /* Rounding that limits the last step is no failure; anything that is no better than the start is left there. */
  bool bad = result < 0 && result != NLOPT_ROUNDOFF_LIMITED;
  for (unsigned i = 0; i < n; i++) bad |= !isfinite(log_parameter[i]);
  if (bad || !(value <= before)) memcpy(log_parameter, start, n * sizeof *start);
  return NAS_OK;
}

nas_status nas_gaussian_fit(const nas_kernel *k, const nas_kernel_point *const *x, const double *y, size_t n,
                            int evaluations, double *theta, double *noise, nas_err *err) {
  fit f = {.parts = k->parts, .y = y, .n = n};
  double log_parameter[NAS_KERNEL_PARTS + 1];
  f.distance = calloc(n * n / 2 * (size_t)k->parts + 1, sizeof *f.distance);
  f.correlation = calloc(n + 1, sizeof *f.correlation);
  nas_status status = f.distance && f.correlation ? NAS_OK : nas_fail_memory(err, "the kernel parameters");
  if (status == NAS_OK) status = nas_gaussian_open(&f.g, n, err);
  if (status == NAS_OK) {
    double *d = f.distance;
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < i; j++, d += k->parts) nas_kernel_distance(k, x[i], x[j], d);
    for (int i = 0; i < k->parts; i++) log_parameter[i] = log(theta[i]);
    log_parameter[k->parts] = log(*noise);
    status = maximise(&f, evaluations, log_parameter, err);
    for (int i = 0; i < k->parts; i++) theta[i] = exp(log_parameter[i]);
    *noise = exp(log_parameter[k->parts]);
  }
  nas_gaussian_free(&f.g);
  free(f.distance);
  free(f.correlation);
  return status;
}
