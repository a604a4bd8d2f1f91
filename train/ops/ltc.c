#ifdef REAL
static double FN(at)(const nas_call *c, int slot, int64_t i) { return (double)((const REAL *)c->param[slot])[i]; }

/* Conductance of synapse k (of the set that begins with slot `first`) at potential v. */
static synapse FN(synapse)(const nas_call *c, int first, int64_t k, double v) {
  double gate = 1 / (1 + exp(-FN(at)(c, first + SIGMA, k) * (v - FN(at)(c, first + MU, k))));
  return (synapse){gate, FN(at)(c, first + WEIGHT, k) * gate, FN(at)(c, first + REVERSAL, k)};
}

/* Unit u's next potential from all potentials v. */
static balance FN(balance)(const nas_call *c, const ltc_options *o, int64_t u, const double *v, double drive,
                           double leak) {
  double capacity = FN(at)(c, CAPACITY, u) * (double)o->unfolds, own = FN(at)(c, LEAK, u);
  balance b = {capacity * v[u] + own * FN(at)(c, REST, u) + drive, capacity + own + leak + 1e-8};
  for (int64_t p = 0; p < c->site.out.c; p++) {
    synapse s = FN(synapse)(c, RECURRENT, p * c->site.out.c + u, v[p]);
    b.above += s.act * s.reversal;
    b.below += s.act;
  }
  return b;
}

/* All potentials of one row: v[t][unit], t = 0..unfolds. drive and leak: the sensory sums of each unit. */
static void FN(run)(const nas_call *c, const ltc_options *o, int64_t row, double *v, double *drive, double *leak) {
  int64_t in = c->site.in[0].c, units = c->site.out.c;
  for (int64_t u = 0; u < units; u++) {
    v[u] = c->site.n_in == 2 ? (double)((const REAL *)c->x[1])[row * units + u] : 0;
    drive[u] = leak[u] = 0;
    for (int64_t i = 0; i < in; i++) {
      synapse s = FN(synapse)(c, SENSORY, i * units + u, (double)((const REAL *)c->x[0])[row * in + i]);
      drive[u] += s.act * s.reversal;
      leak[u] += s.act;
    }
  }
  for (int64_t t = 0; t < o->unfolds; t++, v += units)
    for (int64_t u = 0; u < units; u++) {
      balance b = FN(balance)(c, o, u, v, drive[u], leak[u]);
      v[units + u] = b.above / b.below;
    }
}

static void FN(forward)(const nas_call *c) {
  const ltc_options *o = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), units = c->site.out.c;
  double *v = c->scratch, *drive = v + (o->unfolds + 1) * units, *leak = drive + units;
  for (int64_t r = 0; r < rows; r++) {
    FN(run)(c, o, r, v, drive, leak);
    for (int64_t u = 0; u < units; u++) ((REAL *)c->y)[r * units + u] = (REAL)v[o->unfolds * units + u];
  }
}

/* Adds what conductance k sends back where it has gradient g_act and its reversal g_reversal; returns that of v. */
static double FN(add_synapse)(const nas_call *c, int first, int64_t k, double v, double g_act, double g_reversal,
                              double *const *sum) {
  synapse s = FN(synapse)(c, first, k, v);
  double w = FN(at)(c, first + WEIGHT, k), sigma = FN(at)(c, first + SIGMA, k);
  double slope = g_act * w * s.gate * (1 - s.gate);
  sum[first + WEIGHT][k] += g_act * s.gate;
  sum[first + SIGMA][k] += slope * (v - FN(at)(c, first + MU, k));
  sum[first + MU][k] -= slope * sigma;
  sum[first + REVERSAL][k] += g_reversal;
  return slope * sigma;
}

/* One unfold back: g is the gradient of the next potentials, back (set) that of these ones. */
static void FN(reverse)(const nas_call *c, const ltc_options *o, const double *v, const double *g, const double *drive,
                        const double *leak, double *back, double *g_drive, double *g_leak, double *const *sum) {
  int64_t units = c->site.out.c;
  double unfolds = (double)o->unfolds;
  memset(back, 0, (size_t)units * sizeof *back);
  for (int64_t u = 0; u < units; u++) {
    balance b = FN(balance)(c, o, u, v, drive[u], leak[u]);
    double above = g[u] / b.below, below = -g[u] * b.above / (b.below * b.below);
    double capacity = FN(at)(c, CAPACITY, u) * unfolds;
    back[u] += above * capacity;
    sum[CAPACITY][u] += unfolds * (above * v[u] + below);
    sum[LEAK][u] += above * FN(at)(c, REST, u) + below;
    sum[REST][u] += above * FN(at)(c, LEAK, u);
    g_drive[u] += above;
    g_leak[u] += below;
    for (int64_t p = 0; p < units; p++) {
      int64_t k = p * units + u;
      synapse s = FN(synapse)(c, RECURRENT, k, v[p]);
      back[p] += FN(add_synapse)(c, RECURRENT, k, v[p], above * s.reversal + below, above * s.act, sum);
    }
  }
}

static void FN(backward)(const nas_call *c) {
  const ltc_options *o = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, units = c->site.out.c;
  double *v = c->scratch, *drive = v + (o->unfolds + 1) * units, *leak = drive + units, *g = leak + units;
  double *back = g + units, *g_drive = back + units, *g_leak = g_drive + units, *sum[SLOTS];
  sum[0] = g_leak + units;
  for (int k = 0; k < SLOTS; k++) {
    if (k + 1 < SLOTS) sum[k + 1] = sum[k] + count_of(&c->site, k);
    memset(sum[k], 0, (size_t)count_of(&c->site, k) * sizeof **sum);
  }
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0], *start_plus = c->dplus[1];
  REAL *dx = c->dx[0], *dstart = c->site.n_in == 2 ? c->dx[1] : NULL;
  for (int64_t r = 0; r < rows; r++) {
    FN(run)(c, o, r, v, drive, leak);
    memset(g_drive, 0, (size_t)(2 * units) * sizeof *g_drive);
    for (int64_t u = 0; u < units; u++) g[u] = (double)dy[r * units + u];
    for (int64_t t = o->unfolds; t-- > 0;) {
      FN(reverse)(c, o, v + t * units, g, drive, leak, back, g_drive, g_leak, sum);
      memcpy(g, back, (size_t)units * sizeof *g);
    }
    for (int64_t i = 0; i < in; i++) {
      double d = 0;
      for (int64_t u = 0; u < units; u++) {
        int64_t k = i * units + u;
        synapse s = FN(synapse)(c, SENSORY, k, (double)x[r * in + i]);
        d += FN(add_synapse)(c, SENSORY, k, (double)x[r * in + i], g_drive[u] * s.reversal + g_leak[u],
                             g_drive[u] * s.act, sum);
      }
      if (dx) dx[r * in + i] = dplus ? dplus[r * in + i] + (REAL)d : (REAL)d;
    }
    /* The first input's gradient is finished before the second's is begun, so these wait. */
    for (int64_t u = 0; u < units; u++) sum[0][total_of(&c->site) + r * units + u] = g[u];
  }
  const double *starts = sum[0] + total_of(&c->site);
  for (int64_t i = 0; dstart && i < rows * units; i++)
    dstart[i] = start_plus ? start_plus[i] + (REAL)starts[i] : (REAL)starts[i];
  for (int k = 0; k < SLOTS; k++)
    for (int64_t i = 0; i < count_of(&c->site, k); i++) ((REAL *)c->grad[k])[i] = (REAL)sum[k][i];
}
#else
#include <math.h>
#include <string.h>

#include "train/kernels/kernels.h"
#include "train/op.h"

/* Parameter slots: of the cells, then four of each set of synapses, [from][to]. */
enum { LEAK, REST, CAPACITY, RECURRENT, SENSORY = 7, SLOTS = 11 };
enum { WEIGHT, SIGMA, MU, REVERSAL };

typedef struct ltc_options {
  int64_t unfolds;
} ltc_options;

static const nas_option options[] = {
    NAS_OPT_INT(ltc_options, unfolds, "unfolds", "6", 1, 64, "solver steps of one unit of time"), NAS_OPT_END};

typedef struct synapse {
  double gate, act, reversal;
} synapse;

/* Next potential = above / below. */
typedef struct balance {
  double above, below;
} balance;

static int64_t count_of(const nas_site *s, int slot) {
  int64_t units = s->out.c;
  return slot < RECURRENT ? units : slot < SENSORY ? units * units : s->in[0].c * units;
}

static int64_t total_of(const nas_site *s) {
  int64_t n = 0;
  for (int k = 0; k < SLOTS; k++) n += count_of(s, k);
  return n;
}

#define NAS_TEMPLATE "train/ops/ltc.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  ltc_options o;
  NAS_TRY(nas_op_options(site, options, &o, "ltc", label, err));
  NAS_TRY(nas_infer_rows(site, label, out, err));
  if (site->n_in == 2 && (site->in[1].c != out->c || site->in[1].h != out->h || site->in[1].w != out->w))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d potentials to begin with for %d units; they must be as many",
                    site->in[1].c, out->c);
  return NAS_OK;
}

static nas_param_spec between(const char *name, int64_t count, double low, double high, bool bounded) {
  nas_param_spec p = {.count = count,
                      .init = NAS_INIT_UNIFORM,
                      .bound = (high - low) / 2,
                      .centre = (high + low) / 2,
                      .bounded = bounded};
  memcpy(p.name, name, strlen(name) + 1);
  return p;
}

/* Conductances and capacities never fall below zero. */
static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  int64_t cells = count_of(site, LEAK), inner = count_of(site, RECURRENT), outer = count_of(site, SENSORY);
  out[LEAK] = between("gleak", cells, 0.001, 1, true);
  out[REST] = between("vleak", cells, -0.2, 0.2, false);
  out[CAPACITY] = between("cm", cells, 0.4, 0.6, true);
  out[RECURRENT + WEIGHT] = between("w", inner, 0.001, 1, true);
  out[RECURRENT + SIGMA] = between("sigma", inner, 3, 8, false);
  out[RECURRENT + MU] = between("mu", inner, 0.3, 0.8, false);
  out[RECURRENT + REVERSAL] = (nas_param_spec){.name = "erev", .count = inner, .init = NAS_INIT_SIGN, .bound = 2.0 / 3};
  out[SENSORY + WEIGHT] = between("sw", outer, 0.001, 1, true);
  out[SENSORY + SIGMA] = between("ssigma", outer, 3, 8, false);
  out[SENSORY + MU] = between("smu", outer, 0.3, 0.8, false);
  out[SENSORY + REVERSAL] = (nas_param_spec){.name = "serev", .count = outer, .init = NAS_INIT_SIGN, .bound = 2.0 / 3};
  return SLOTS;
}

static int64_t macs(const nas_site *site) {
  ltc_options o;
  if (nas_op_options(site, options, &o, "ltc", NULL, NULL) != NAS_OK) return 0;
  return 3 * (count_of(site, SENSORY) + o.unfolds * count_of(site, RECURRENT)) * nas_shape_pixels(site->out);
}

static nas_status prepare(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(ltc_options), err));
  const ltc_options *o = c->prepared;
  int64_t units = c->site.out.c, d = (int64_t)sizeof(double);
  c->forward_scratch = (o->unfolds + 3) * units * d;
  c->backward_scratch = ((o->unfolds + 7) * units + total_of(&c->site) + nas_site_out(&c->site)) * d;
  return NAS_OK;
}

/* ---- fast: a chunk of rows at a time ---- */

/* What the backward pass reads of a chunk: potentials [step][row][unit], 0 .. unfolds, and divisors [step][row][unit].
 */
static int64_t path_size(const nas_call *c) {
  const ltc_options *o = c->prepared;
  return (2 * o->unfolds + 1) * c->site.out.c;
}

static int64_t chunk_rows(const nas_call *c, int64_t row) {
  int64_t left = nas_site_rows(&c->site, 0) - row;
  return left < NAS_LTC_ROWS ? left : NAS_LTC_ROWS;
}

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  NAS_TRY(nas_op_keep_options(c, options, sizeof(ltc_options), err));
  int64_t f = (int64_t)sizeof(float), wide = NAS_LTC_ROWS * c->site.out.c;
  c->forward_scratch = 4 * wide * f;
  if (c->site.mode == NAS_TRAIN) c->saved_bytes = path_size(c) * nas_site_rows(&c->site, 0) * f;
  else c->forward_scratch += path_size(c) * NAS_LTC_ROWS * f;
  c->backward_scratch = (4 * wide + nas_site_out(&c->site)) * f;
  return NAS_OK;
}

static float *path_of(const nas_call *c, int64_t row) {
  if (c->site.mode == NAS_TRAIN) return (float *)c->saved + row * path_size(c);
  return (float *)c->scratch + 4 * NAS_LTC_ROWS * c->site.out.c;
}

static nas_synapses synapses_of(const nas_call *c, int first, int64_t rows, int64_t sources, const float *x) {
  return (nas_synapses){.rows = rows,
                        .sources = sources,
                        .units = c->site.out.c,
                        .weight = c->param[first + WEIGHT],
                        .sigma = c->param[first + SIGMA],
                        .mu = c->param[first + MU],
                        .reversal = c->param[first + REVERSAL],
                        .x = x,
                        .dweight = c->grad[first + WEIGHT],
                        .dsigma = c->grad[first + SIGMA],
                        .dmu = c->grad[first + MU],
                        .dreversal = c->grad[first + REVERSAL]};
}

static nas_ltc cells_of(const nas_call *c, int64_t rows) {
  return (nas_ltc){.rows = rows,
                   .units = c->site.out.c,
                   .unfolds = (float)((const ltc_options *)c->prepared)->unfolds,
                   .leak = c->param[LEAK],
                   .rest = c->param[REST],
                   .capacity = c->param[CAPACITY],
                   .dleak = c->grad[LEAK],
                   .drest = c->grad[REST],
                   .dcapacity = c->grad[CAPACITY]};
}

static void forward_chunk(const nas_call *c, int64_t row, int64_t rows) {
  const ltc_options *o = c->prepared;
  int64_t in = c->site.in[0].c, units = c->site.out.c, n = rows * units;
  size_t bytes = (size_t)n * sizeof(float);
  float *drive = c->scratch, *leak = drive + n, *above = leak + n, *v = path_of(c, row);
  float *below = v + (o->unfolds + 1) * n;
  nas_synapses outer = synapses_of(c, SENSORY, rows, in, (const float *)c->x[0] + row * in);
  nas_ltc cells = cells_of(c, rows);
  memset(drive, 0, 2 * bytes);
  outer.above = drive;
  outer.below = leak;
  nas_kernels()->synapses(&outer);
  if (c->site.n_in == 2) memcpy(v, (const float *)c->x[1] + row * units, bytes);
  else memset(v, 0, bytes);
  for (int64_t t = 0; t < o->unfolds; t++, v += n, below += n) {
    nas_synapses inner = synapses_of(c, RECURRENT, rows, units, v);
    memcpy(above, drive, bytes);
    memcpy(below, leak, bytes);
    inner.above = above;
    inner.below = below;
    nas_kernels()->synapses(&inner);
    nas_kernels()->ltc_step(&cells, v, above, below, v + n);
  }
  memcpy((float *)c->y + row * units, v, bytes);
}

static void forward_fast(const nas_call *c) {
  for (int64_t row = 0, rows = nas_site_rows(&c->site, 0); row < rows; row += NAS_LTC_ROWS)
    forward_chunk(c, row, chunk_rows(c, row));
}

/* g, the gradient of the last potentials, becomes that of the first. */
static void backward_chunk(const nas_call *c, int64_t row, int64_t rows, float *g) {
  const ltc_options *o = c->prepared;
  int64_t in = c->site.in[0].c, units = c->site.out.c, n = rows * units;
  float *by_drive = c->scratch, *by_leak = by_drive + n, *by_above = by_leak + n, *by_below = by_above + n;
  const float *path = path_of(c, row), *plus = c->dplus[0];
  nas_ltc cells = cells_of(c, rows);
  memset(by_drive, 0, (size_t)(2 * n) * sizeof *by_drive);
  for (int64_t t = o->unfolds; t-- > 0;) {
    const float *v = path + t * n;
    nas_synapses inner = synapses_of(c, RECURRENT, rows, units, v);
    nas_kernels()->ltc_step_gradient(&cells, v, path + (o->unfolds + 1 + t) * n, v + n, g, by_above, by_below);
    nas_kernels()->add_product(by_drive, 1, NULL, by_above, n);
    nas_kernels()->add_product(by_leak, 1, NULL, by_below, n);
    inner.by_above = by_above;
    inner.by_below = by_below;
    inner.dx = g;
    nas_kernels()->synapses_gradient(&inner);
  }
  nas_synapses outer = synapses_of(c, SENSORY, rows, in, (const float *)c->x[0] + row * in);
  outer.by_above = by_drive;
  outer.by_below = by_leak;
  if (c->dx[0]) {
    outer.dx = (float *)c->dx[0] + row * in;
    if (!plus) memset(outer.dx, 0, (size_t)(rows * in) * sizeof *outer.dx);
    else if (plus + row * in != outer.dx) memcpy(outer.dx, plus + row * in, (size_t)(rows * in) * sizeof *outer.dx);
  }
  nas_kernels()->synapses_gradient(&outer);
}

static void backward_fast(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), units = c->site.out.c;
  float *g = (float *)c->scratch + 4 * NAS_LTC_ROWS * units; /* of all rows: the second input's waits for the first's */
  memcpy(g, c->dy, (size_t)(rows * units) * sizeof *g);
  for (int k = 0; k < SLOTS; k++) memset(c->grad[k], 0, (size_t)count_of(&c->site, k) * sizeof(float));
  for (int64_t row = 0; row < rows; row += NAS_LTC_ROWS) backward_chunk(c, row, chunk_rows(c, row), g + row * units);
  const float *plus = c->dplus[1];
  float *dstart = c->site.n_in == 2 ? c->dx[1] : NULL;
  for (int64_t i = 0; dstart && i < rows * units; i++) dstart[i] = plus ? plus[i] + g[i] : g[i];
}

static const nas_kernel fast = {.prepare = prepare_fast,
                                .release = nas_op_drop_options,
                                .forward = forward_fast,
                                .backward = backward_fast,
                                .reads = NAS_READS_X};

static const char *const samples[] = {"", "unfolds=2\n", NULL};

const nas_op nas_op_ltc = {
    .name = "ltc",
    .version = 2,
    .summary = "liquid time-constant cells, fully connected, one unit of time of the fused solver",
    .citation = "R. Hasani et al., Liquid time-constant networks, arXiv:2006.04439",
    .attributes = "out options",
    .min_inputs = 1,
    .max_inputs = 2,
    .infer = infer,
    .params = params,
    .macs = macs,
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
    .fast = &fast,
    .options = options,
    .samples = samples,
};
#endif
