/* Bayesian optimisation with a Gaussian process over architectures. Results join the process one row at a time; its
 * kernel parameters are refitted as the data grow. Proposals under way take part with a made-up value, the mean
 * (constant liar), or the next one maximises a joint draw of the process (Thompson). So that memory and time stay
 * bounded, of more than `points` results the best and the youngest are kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/archive.h"
#include "search/gaussian.h"
#include "search/seen.h"

typedef struct gp_options {
  int64_t initial, candidates, points;
  double beta;
  char kernel[16], acquisition[16], batch[16], duplicates[16];
} gp_options;

static const nas_option options[] = {
    NAS_OPT_INT(gp_options, initial, "initial", "10", 2, 1e6, "random architectures before the model is used"),
    NAS_OPT_CHOICE(gp_options, kernel, "kernel", "hamming", "wl|hamming",
                   "Weisfeiler-Lehman labels of the cell, or the genes that differ"),
    NAS_OPT_CHOICE(gp_options, acquisition, "acquisition", "ei", "ei|ucb", "expected improvement or upper bound"),
    NAS_OPT_REAL(gp_options, beta, "beta", "3", 0, 1000, "width of the upper bound in variances"),
    NAS_OPT_CHOICE(gp_options, batch, "batch", "liar", "liar|thompson", "how proposals under way are told apart"),
    NAS_OPT_INT(gp_options, candidates, "candidates", "200", 2, 10000, "architectures compared for each proposal"),
    NAS_OPT_INT(gp_options, points, "points", "320", 32, 4000, "results in the process at most"),
    NAS_OPT_DUPLICATES(gp_options, "class"),
    NAS_OPT_END};

typedef struct gp_state {
  nas_archive archive;
  nas_seen seen;
  nas_kernel kernel;
  nas_gaussian process;
  double theta[NAS_KERNEL_PARTS], noise;
  nas_kernel_point *points; /* in the process: results first, then those under way */
  size_t *numbers;          /* their asks */
  double *y, *correlation;
  size_t room, n;        /* results in the process */
  size_t joined, fitted; /* of archive.good: entries looked at; entries at the last fit */
} gp_state;

enum { FIT_MAX = 100, EVALUATIONS = 60, PARENTS = 10, OPEN_MAX = 64 };
#define AT_CANDIDATE (UINT64_C(4) << 32)
#define AT_DRAW      (UINT64_C(2) << 32)

static nas_status open_gp(nas_strategy *s, nas_err *err) {
  const gp_options *o = nas_strategy_options(s);
  gp_state *g = nas_strategy_state(s);
  NAS_TRY(nas_kernel_open(nas_strategy_space(s), o->kernel, &g->kernel, err));
  nas_seen_open(&g->seen, nas_strategy_space(s), o->duplicates);
  for (int i = 0; i < g->kernel.parts; i++) g->theta[i] = 0.3 / g->kernel.parts;
  g->noise = 0.01;
  g->room = (size_t)o->points + OPEN_MAX;
  NAS_TRY(nas_gaussian_open(&g->process, g->room, err));
  g->points = calloc(g->room, sizeof *g->points);
  g->numbers = calloc(g->room, sizeof *g->numbers);
  g->y = calloc(2 * g->room, sizeof *g->y);
  if (g->points && g->numbers && g->y) {
    g->correlation = g->y + g->room;
    return NAS_OK;
  }
  nas_gaussian_free(&g->process);
  free(g->points);
  free(g->numbers);
  free(g->y);
  return nas_fail_memory(err, "the Gaussian process");
}

static void close_gp(nas_strategy *s) {
  gp_state *g = nas_strategy_state(s);
  nas_archive_close(&g->archive);
  nas_seen_close(&g->seen);
  nas_gaussian_free(&g->process);
  free(g->points);
  free(g->numbers);
  free(g->y);
}

/* Adds the point that stands at place process.n. */
static void join(gp_state *g) {
  size_t n = g->process.n;
  for (size_t i = 0; i < n; i++)
    g->correlation[i] = nas_kernel_value(&g->kernel, g->theta, &g->points[n], &g->points[i]);
  nas_gaussian_add(&g->process, g->correlation, g->noise);
}

static void rebuild(gp_state *g) {
  nas_gaussian_cut(&g->process, 0);
  while (g->process.n < g->n) join(g);
}

static double value_of(const gp_state *g, size_t number) {
  return -log(fmax(100 - g->archive.rows[number].value, 0.01));
}

/* Of a full process the best half and the youngest quarter stay, in their order. */
static void thin(gp_state *g) {
  size_t keep_young = g->n - g->n / 4, kept = 0;
  double *values = g->correlation; /* scratch: the median */
  for (size_t i = 0; i < g->n; i++) {
    double v = value_of(g, g->numbers[i]);
    size_t at = i;
    for (; at > 0 && values[at - 1] < v; at--) values[at] = values[at - 1];
    values[at] = v;
  }
  double median = values[g->n / 2];
  for (size_t i = 0; i < g->n; i++)
    if (i >= keep_young || value_of(g, g->numbers[i]) > median) {
      g->points[kept] = g->points[i];
      g->numbers[kept++] = g->numbers[i];
    }
  g->n = kept;
  rebuild(g);
}

/* Values with mean 0 and deviation 1; those under way get the mean. */
static void standardise(gp_state *g) {
  double mean = 0, square = 0;
  for (size_t i = 0; i < g->n; i++) mean += value_of(g, g->numbers[i]) / (double)g->n;
  for (size_t i = 0; i < g->n; i++) square += pow(value_of(g, g->numbers[i]) - mean, 2) / (double)g->n;
  for (size_t i = 0; i < g->process.n; i++)
    g->y[i] = i < g->n ? (value_of(g, g->numbers[i]) - mean) / (square > 0 ? sqrt(square) : 1) : 0;
}

/* Kernel parameters on at most FIT_MAX results, spread evenly over the process. */
static nas_status refit(gp_state *g, nas_err *err) {
  const nas_kernel_point *x[FIT_MAX];
  double y[FIT_MAX];
  size_t n = g->n < FIT_MAX ? g->n : FIT_MAX;
  standardise(g);
  for (size_t i = 0; i < n; i++) {
    size_t k = i * g->n / n;
    x[i] = &g->points[k];
    y[i] = g->y[k];
  }
  g->fitted = g->archive.n_good;
  NAS_TRY(nas_gaussian_fit(&g->kernel, x, y, n, EVALUATIONS, g->theta, &g->noise, err));
  rebuild(g);
  return NAS_OK;
}

/* Brings the process up to the results told. */
static nas_status catch_up(gp_state *g, const gp_options *o, nas_err *err) {
  nas_gaussian_cut(&g->process, g->n);
  for (; g->joined < g->archive.n_good; g->joined++) {
    if (g->n == (size_t)o->points) thin(g);
    g->numbers[g->n] = g->archive.good[g->joined];
    nas_kernel_point_of(&g->kernel, &g->archive.rows[g->numbers[g->n]].arch, &g->points[g->n]);
    join(g);
    g->n++;
  }
  size_t grown = g->archive.n_good - g->fitted;
  if (!g->fitted || grown >= 100 || (double)grown >= 0.2 * (double)g->fitted) NAS_TRY(refit(g, err));
  for (size_t i = 0; i < g->archive.n_open && i < OPEN_MAX; i++) {
    size_t young = g->archive.open[g->archive.n_open - 1 - i];
    nas_kernel_point_of(&g->kernel, &g->archive.rows[young].arch, &g->points[g->process.n]);
    join(g);
  }
  standardise(g);
  nas_gaussian_values(&g->process, g->y);
  return NAS_OK;
}

/* Half of them mutants of the best results, half random. */
static nas_status make_candidates(const gp_state *g, size_t n, nas_rng rng, nas_kernel_point *list, nas_err *err) {
  size_t best[PARENTS], n_best = nas_archive_best(&g->archive, PARENTS, best);
  for (size_t i = 0; i < n; i++) {
    uint64_t at = AT_CANDIDATE + i * (2 * NAS_SEEN_NUMBERS);
    nas_arch arch;
    if (i % 2) NAS_TRY(nas_seen_sample(&g->seen, rng, at, &arch, err));
    else NAS_TRY(nas_seen_mutate(&g->seen, &g->archive.rows[best[i / 2 % n_best]].arch, 1, rng, at, &arch, err));
    nas_kernel_point_of(&g->kernel, &arch, &list[i]);
  }
  return NAS_OK;
}

static double expected_improvement(double mean, double variance, double best) {
  double deviation = sqrt(variance), u = (mean - best) / deviation;
  return deviation * (u * 0.5 * erfc(-u / sqrt(2)) + exp(-u * u / 2) / sqrt(2 * acos(-1)));
}

/* Adds one joint draw of the process at the m candidates to `mean`; v = factor^-1 correlations. */
static nas_status add_draw(const gp_state *g, const nas_kernel_point *list, const double *v, size_t m, nas_rng rng,
                           double *mean, nas_err *err) {
  nas_gaussian joint;
  double *row = calloc(m, sizeof *row);
  if (!row) return nas_fail_memory(err, "the draw");
  nas_status status = nas_gaussian_open(&joint, m, err);
  for (size_t i = 0; i < m && status == NAS_OK; i++) {
    for (size_t k = 0; k <= i; k++) {
      row[k] = nas_kernel_value(&g->kernel, g->theta, &list[i], &list[k]);
      for (size_t p = 0; p < g->process.n; p++) row[k] -= v[p * m + i] * v[p * m + k];
    }
    nas_gaussian_add(&joint, row, row[i] - 1 + 1e-6); /* its own variance is 1 + noise */
    double sum = 0;
    for (size_t k = 0; k <= i; k++) sum += joint.factor[i * m + k] * nas_rng_normal(rng, AT_DRAW + k);
    mean[i] += sqrt(g->process.scale2) * sum;
  }
  nas_gaussian_free(&joint);
  free(row);
  return status;
}

static nas_status choose(gp_state *g, const gp_options *o, nas_rng rng, const nas_kernel_point *list, double *v,
                         size_t *choice, nas_err *err) {
  size_t m = (size_t)o->candidates;
  double *mean = v + g->room * m, *variance = mean + m, best = -INFINITY, top = -INFINITY;
  for (size_t i = 0; i < g->process.n; i++)
    for (size_t j = 0; j < m; j++) v[i * m + j] = nas_kernel_value(&g->kernel, g->theta, &g->points[i], &list[j]);
  nas_gaussian_predict(&g->process, v, m, mean, variance);
  bool thompson = strcmp(o->batch, "thompson") == 0, ei = strcmp(o->acquisition, "ei") == 0;
  if (thompson) NAS_TRY(add_draw(g, list, v, m, rng, mean, err));
  for (size_t i = 0; i < g->n; i++) best = fmax(best, g->y[i]);
  *choice = 0;
  for (size_t j = 0; j < m; j++) {
    double score = thompson ? mean[j]
                   : ei     ? expected_improvement(mean[j], variance[j], best)
                            : mean[j] + sqrt(o->beta * variance[j]);
    if (score > top) {
      top = score;
      *choice = j;
    }
  }
  return NAS_OK;
}

static nas_status by_model(gp_state *g, const gp_options *o, nas_rng rng, nas_arch *out, nas_err *err) {
  size_t m = (size_t)o->candidates, choice = 0;
  NAS_TRY(catch_up(g, o, err));
  nas_kernel_point *list = calloc(m, sizeof *list);
  double *v = calloc((g->room + 2) * m, sizeof *v);
  nas_status status = list && v ? NAS_OK : nas_fail_memory(err, "the candidates");
  if (status == NAS_OK) status = make_candidates(g, m, rng, list, err);
  if (status == NAS_OK) status = choose(g, o, rng, list, v, &choice, err);
  if (status == NAS_OK) *out = list[choice].arch;
  free(list);
  free(v);
  return status;
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const gp_options *o = nas_strategy_options(s);
  gp_state *g = nas_strategy_state(s);
  nas_rng rng = nas_strategy_rng(s, number);
  if (number < (uint64_t)o->initial || g->archive.n_good < 2) NAS_TRY(nas_seen_sample(&g->seen, rng, 0, out, err));
  else NAS_TRY(by_model(g, o, rng, out, err));
  NAS_TRY(nas_seen_add(&g->seen, out, err));
  return nas_archive_ask(&g->archive, out, 0, err);
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  return nas_archive_tell(&((gp_state *)nas_strategy_state(s))->archive, t, err);
}

extern const nas_strategy_type nas_strategy_gp;
const nas_strategy_type nas_strategy_gp = {
    .name = "gp",
    .version = 1,
    .summary = "Bayesian optimisation: Gaussian process on graphs, expected improvement",
    .citation =
        "Ru et al., Interpretable Neural Architecture Search via Bayesian Optimisation with "
        "Weisfeiler-Lehman Kernels, ICLR 2021",
    .options = options,
    .options_size = sizeof(gp_options),
    .state_size = sizeof(gp_state),
    .open = open_gp,
    .close = close_gp,
    .ask = ask,
    .tell = tell,
};
