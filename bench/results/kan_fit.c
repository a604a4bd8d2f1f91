/* Kolmogorov-Arnold networks fitted to a function in double precision: L-BFGS (NLopt) on the mean squared error, the
 * grids refined from stage to stage as in the KAN paper, arXiv:2404.19756, section 2.4. At a refinement every spline is
 * fitted anew, on the finer grid over the range that its input takes, to the values that it had at the samples. */
#include <math.h>
#include <nlopt.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"
#include "train/graph.h"
#include "train/neuron.h"

enum { LAYERS = 2, ORDER = 3, TERMS_MAX = 72 };

/* One layer's grid. */
typedef struct grid {
  int cells;
  double low, high;
} grid;

typedef struct network {
  int32_t width[LAYERS + 1];
  grid grids[LAYERS];
  nas_graph *graph;
  nas_model *model;
  nas_plan *plan;
  nas_value layer[LAYERS]; /* outputs */
} network;

/* What L-BFGS looks at. */
typedef struct problem {
  network *net;
  const double *targets;
  double *gradient; /* of the outputs */
  int32_t n;
} problem;

static void close_network(network *k) {
  nas_plan_free(k->plan);
  nas_model_free(k->model);
  nas_graph_free(k->graph);
  k->plan = NULL;
  k->model = NULL;
  k->graph = NULL;
}

/* Makes graph, model and plan for k->grids and a batch. */
static nas_status open_network(network *k, int32_t batch, nas_err *err) {
  const nas_neuron_type *type = nas_neuron_find("kan-bspline");
  NAS_TRY(nas_graph_new((nas_shape){k->width[0], 1, 1}, &k->graph, err));
  nas_value at = nas_graph_input(k->graph);
  for (int l = 0; l < LAYERS; l++) {
    nas_attrs attrs = {.out = k->width[l + 1]};
    char label[16];
    nas_text_put(label, sizeof label, "layer%d", l);
    nas_text_put(attrs.options, sizeof attrs.options, "grid=%d\norder=%d\nlow=%.17g\nhigh=%.17g\n", k->grids[l].cells,
                 ORDER, k->grids[l].low, k->grids[l].high);
    NAS_TRY(nas_neuron_build(type, k->graph, at, &attrs, label, &k->layer[l], err));
    at = k->layer[l];
  }
  NAS_TRY(nas_graph_set_output(k->graph, at, err));
  NAS_TRY(nas_model_new(k->graph, NAS_F64, &k->model, err));
  return nas_plan_new(k->model, &(nas_plan_options){.batch = batch, .mode = NAS_TRAIN, .reference = true}, &k->plan,
                      err);
}

static double *tensor_of(const network *k, int layer, const char *part) {
  size_t n;
  char name[40];
  nas_text_put(name, sizeof name, "layer%d.%s", layer, part);
  const nas_tensor_info *t = nas_model_tensors(k->model, &n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(t[i].name, name) == 0) return (double *)nas_model_param_data(k->model) + t[i].offset;
  return NULL;
}

/* ---- fitting ---- */

static double error_of(const problem *p, double *gradient) {
  nas_plan_forward(p->net->plan, 0, 0);
  const double *y = nas_plan_logits(p->net->plan);
  double sum = 0;
  for (int32_t i = 0; i < p->n; i++) {
    double off = y[i] - p->targets[i];
    sum += off * off / p->n;
    if (gradient) gradient[i] = 2 * off / p->n;
  }
  return sum;
}

static double objective(unsigned n, const double *x, double *gradient, void *data) {
  problem *p = data;
  memcpy(nas_model_param_data(p->net->model), x, n * sizeof *x);
  double error = error_of(p, gradient ? p->gradient : NULL);
  if (gradient) {
    nas_plan_backward_from(p->net->plan, p->gradient);
    memcpy(gradient, nas_model_grad_data(p->net->model), n * sizeof *gradient);
  }
  return isfinite(error) ? error : HUGE_VAL;
}

static nas_status minimise(problem *p, int evaluations, nas_err *err) {
  unsigned n = (unsigned)nas_model_params(p->net->model);
  double *x = malloc(n * sizeof *x), least;
  nlopt_opt opt = nlopt_create(NLOPT_LD_LBFGS, n);
  if (!x || !opt) {
    free(x);
    return nas_fail_memory(err, "an optimiser");
  }
  memcpy(x, nas_model_param_data(p->net->model), n * sizeof *x);
  nlopt_set_min_objective(opt, objective, p);
  nlopt_set_maxeval(opt, evaluations);
  nlopt_set_vector_storage(opt, 50);
  nlopt_set_ftol_rel(opt, 1e-13);
  nlopt_optimize(opt, x, &least); /* stopping for want of progress is a result too: x is the best so far */
  memcpy(nas_model_param_data(p->net->model), x, n * sizeof *x);
  nlopt_destroy(opt);
  free(x);
  return NAS_OK;
}

/* ---- refinement ---- */

/* The n x n positive definite system a x = b by Cholesky's method, in place; b becomes x. */
static void solve(double *a, double *b, int n) {
  for (int i = 0; i < n; i++)
    for (int j = 0; j <= i; j++) {
      double s = a[i * n + j];
      for (int k = 0; k < j; k++) s -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i == j ? sqrt(fmax(s, 1e-300)) : s / a[j * n + j];
    }
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < i; k++) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (int i = n; i-- > 0;) {
    for (int k = i + 1; k < n; k++) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
}

/* Least squares; where no samples are a small penalty of second differences carries the spline on as a line. */
static void fit_spline(const double *basis, int64_t stride, int terms, const double *values, int32_t n, double *w) {
  static double a[TERMS_MAX * TERMS_MAX];
  memset(a, 0, sizeof a);
  memset(w, 0, (size_t)terms * sizeof *w);
  for (int32_t i = 0; i < n; i++)
    for (int j = 0; j < terms; j++) {
      double b = basis[i * stride + j];
      if (b == 0) continue;
      for (int k = 0; k <= j; k++) a[j * terms + k] += b * basis[i * stride + k];
      w[j] += b * values[i];
    }
  for (int j = 0; j < terms; j++) a[j * terms + j] += 1e-13 * n;
  for (int j = 2; j < terms; j++) { /* (w_j-2 - 2 w_j-1 + w_j)^2 */
    static const double d[3] = {1, -2, 1};
    for (int r = 0; r < 3; r++)
      for (int c = 0; c <= r; c++) a[(j - 2 + r) * terms + j - 2 + c] += 1e-9 * n * d[r] * d[c];
  }
  solve(a, w, terms);
}

/* What the B-splines of a layer are at n inputs, [n][inputs][terms], as the engine computes them; free it. */
static nas_status basis_of(const network *k, int layer, const double *x, int32_t n, double **out, nas_err *err) {
  network one = {.width = {k->width[layer], 1, 1}, .grids = {k->grids[layer], {1, -1, 1}}};
  int64_t room = (int64_t)n * k->width[layer] * (k->grids[layer].cells + ORDER), got;
  *out = malloc((size_t)room * sizeof **out);
  nas_status status = *out ? open_network(&one, n, err) : nas_fail_memory(err, "splines");
  if (status == NAS_OK) {
    memcpy(nas_plan_input(one.plan), x, (size_t)n * (size_t)k->width[layer] * sizeof *x);
    nas_model_init(one.model, 0, err);
    nas_plan_forward(one.plan, 0, 0);
    status = nas_plan_probe(one.plan, "basis", *out, room, &got, err);
  }
  close_network(&one);
  return status;
}

/* Gives layer `l` of `to` the splines that `from` has there, seen at the n inputs x. The engine keeps coefficients
 * as [term][input][output]. */
static nas_status carry_over(const network *from, network *to, int l, const double *x, int32_t n, nas_err *err) {
  int in = from->width[l], out = from->width[l + 1], edges = in * out;
  int before = from->grids[l].cells + ORDER, after = to->grids[l].cells + ORDER;
  double *old_basis = NULL, *new_basis = NULL, *values = malloc((size_t)n * sizeof *values), fitted[TERMS_MAX];
  nas_status status = values ? NAS_OK : nas_fail_memory(err, "splines");
  if (status == NAS_OK) status = basis_of(from, l, x, n, &old_basis, err);
  if (status == NAS_OK) status = basis_of(to, l, x, n, &new_basis, err);
  memcpy(tensor_of(to, l, "base_w"), tensor_of(from, l, "base_w"), (size_t)edges * sizeof(double));
  memcpy(tensor_of(to, l, "spline_scale"), tensor_of(from, l, "spline_scale"), (size_t)edges * sizeof(double));
  for (int edge = 0; edge < edges && status == NAS_OK; edge++) {
    int64_t input = edge / out;
    const double *old = tensor_of(from, l, "spline_w") + edge;
    double *fresh = tensor_of(to, l, "spline_w") + edge;
    for (int32_t i = 0; i < n; i++) {
      values[i] = 0;
      for (int j = 0; j < before; j++) values[i] += old[j * edges] * old_basis[((int64_t)i * in + input) * before + j];
    }
    fit_spline(new_basis + input * after, (int64_t)in * after, after, values, n, fitted);
    for (int j = 0; j < after; j++) fresh[j * edges] = fitted[j];
  }
  free(old_basis);
  free(new_basis);
  free(values);
  return status;
}

/* The range of the numbers, a little wider. */
static void range_of(const double *x, int64_t n, grid *g) {
  g->low = INFINITY;
  g->high = -INFINITY;
  for (int64_t i = 0; i < n; i++) {
    g->low = fmin(g->low, x[i]);
    g->high = fmax(g->high, x[i]);
  }
  double margin = 0.1 * (g->high - g->low) + 1e-6;
  g->low -= margin;
  g->high += margin;
}

/* Replaces the network by one of `cells` cells whose later grids cover what their inputs are now. */
static nas_status regrid(problem *p, int cells, nas_err *err) {
  network *old = p->net, fresh = *old;
  int32_t n = p->n;
  fresh.graph = NULL;
  fresh.model = NULL;
  fresh.plan = NULL;
  double *hidden = malloc((size_t)n * (size_t)old->width[1] * sizeof *hidden);
  if (!hidden) return nas_fail_memory(err, "splines");
  nas_plan_forward(old->plan, 0, 0);
  nas_status status = nas_plan_read(old->plan, old->layer[0], hidden, err);
  for (int l = 0; l < LAYERS; l++) fresh.grids[l].cells = cells;
  if (status == NAS_OK) range_of(hidden, (int64_t)n * old->width[1], &fresh.grids[1]);
  if (status == NAS_OK) status = open_network(&fresh, n, err);
  if (status == NAS_OK) {
    const double *x = nas_plan_input(old->plan);
    memcpy(nas_plan_input(fresh.plan), x, (size_t)n * (size_t)old->width[0] * sizeof *x);
    status = carry_over(old, &fresh, 0, x, n, err);
  }
  if (status == NAS_OK) status = carry_over(old, &fresh, 1, hidden, n, err);
  free(hidden);
  if (status != NAS_OK) {
    close_network(&fresh);
    return status;
  }
  close_network(old);
  *old = fresh;
  return NAS_OK;
}

/* ---- the experiment ---- */

static void gather(const nas_dataset *d, nas_split split, double *x, double *y) {
  int64_t n, in = d->task.input.c;
  const uint32_t *at = nas_dataset_split(d, split, &n);
  for (int64_t i = 0; i < n; i++) {
    memcpy(x + i * in, d->values + at[i] * in, (size_t)in * sizeof *x);
    y[i] = d->targets[at[i]];
  }
}

/* The root mean squared error at a split, through a plan of its own. */
static nas_status rmse_at(const network *k, const nas_dataset *d, nas_split split, double *out, nas_err *err) {
  int64_t n;
  nas_dataset_split(d, split, &n);
  nas_plan *plan;
  double *y = malloc((size_t)n * sizeof *y);
  if (!y) return nas_fail_memory(err, "targets");
  nas_status status =
      nas_plan_new(k->model, &(nas_plan_options){.batch = (int32_t)n, .mode = NAS_EVAL, .reference = true}, &plan, err);
  if (status == NAS_OK) {
    gather(d, split, nas_plan_input(plan), y);
    network view = *k;
    view.plan = plan;
    *out = sqrt(error_of(&(problem){.net = &view, .targets = y, .n = (int32_t)n}, NULL));
    nas_plan_free(plan);
  }
  free(y);
  return status;
}

/* Base weights uniform around a mean, splines of small noise. */
static void start(const experiment *f, network *k, uint64_t seed) {
  nas_rng r = nas_rng_make(seed, 0, NAS_STREAM_INIT);
  uint64_t at = 0;
  for (int l = 0; l < LAYERS; l++) {
    int edges = k->width[l] * k->width[l + 1], cells = k->grids[l].cells;
    double *base = tensor_of(k, l, "base_w"), *scale = tensor_of(k, l, "spline_scale");
    double *spline = tensor_of(k, l, "spline_w");
    for (int i = 0; i < edges; i++) {
      base[i] = (f->base_mean + f->base_spread * (2 * nas_rng_unit(r, at++) - 1)) / sqrt(k->width[l]);
      scale[i] = 1;
    }
    for (int i = 0; i < edges * (cells + ORDER); i++) spline[i] = f->noise * (nas_rng_unit(r, at++) - 0.5) / cells;
  }
}

static nas_status fit(const experiment *f, const nas_dataset *d, problem *p, uint64_t seed, double *rmse,
                      nas_err *err) {
  network *k = p->net;
  NAS_TRY(open_network(k, p->n, err));
  gather(d, NAS_SPLIT_TRAIN, nas_plan_input(k->plan), (double *)p->targets);
  start(f, k, seed);
  for (int stage = 0; stage < f->stages; stage++) {
    if (stage) NAS_TRY(regrid(p, f->grid[stage], err));
    /* While the hidden node finds its range, its grid follows. */
    for (int round = 0; round < f->rounds; round++) {
      NAS_TRY(minimise(p, f->burst, err));
      NAS_TRY(regrid(p, f->grid[stage], err));
    }
    NAS_TRY(minimise(p, f->evaluations, err));
    NAS_TRY(rmse_at(k, d, NAS_SPLIT_TEST, &rmse[stage], err));
  }
  return NAS_OK;
}

nas_status run_kan_fit(const experiment *f, const nas_dataset *d, uint64_t seed, double out[FIGURES_MAX],
                       nas_err *err) {
  network k = {.width = {d->task.input.c, 1, 1}};
  for (int l = 0; l < LAYERS; l++) k.grids[l] = (grid){f->grid[0], -1, 1};
  problem p = {.net = &k, .n = (int32_t)d->n_train};
  double *targets = malloc((size_t)p.n * sizeof *targets);
  p.targets = targets;
  p.gradient = malloc((size_t)p.n * sizeof *p.gradient);
  nas_status status =
      targets && p.gradient ? fit(f, d, &p, seed, out, err) : nas_fail_memory(err, "the targets of a fit");
  close_network(&k);
  free(targets);
  free(p.gradient);
  return status;
}
