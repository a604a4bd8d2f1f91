#ifdef REAL
/* Softmax of neuron k's weights of the inputs into p, and what each counts into w. */
static void FN(shares)(const nas_call *c, int64_t k, double *p, double *w) {
  const choose_options *o = c->prepared;
  int32_t n = c->site.n_in, best = 0;
  const REAL *logits = (const REAL *)c->param[LOGITS] + k * n;
  double top = -INFINITY, sum = 0;
  for (int32_t m = 0; m < n; m++) {
    if ((double)logits[m] > top) best = m;
    top = fmax(top, (double)logits[m]);
  }
  for (int32_t m = 0; m < n; m++) sum += p[m] = exp((double)logits[m] - top);
  for (int32_t m = 0; m < n; m++) p[m] /= sum;
  double kept = 0;
  int32_t mask = staged(o) ? (int32_t)((const REAL *)c->param[KEPT])[k] : 0;
  for (int32_t m = 0; m < n; m++) {
    bool in = mask ? ((mask >> m) & 1) != 0
                   : o->stage[0] == 'a' || (o->stage[0] == 's' && p[m] >= p[best] * o->threshold) || m == best;
    w[m] = in ? p[m] : 0;
    kept += w[m];
  }
  for (int32_t m = 0; m < n; m++) w[m] /= kept;
}

/* The inputs that neuron k keeps when a stage begins, as bits: those near the heaviest, or the heaviest alone. */
static int32_t FN(keep)(const nas_call *c, int64_t k, bool alone) {
  const choose_options *o = c->prepared;
  double p[NAS_LAYER_INPUTS_MAX], w[NAS_LAYER_INPUTS_MAX];
  int32_t n = c->site.n_in, best = 0, bits = 0;
  FN(shares)(c, k, p, w);
  for (int32_t m = 1; m < n; m++)
    if (w[m] > w[best]) best = m;
  for (int32_t m = 0; m < n; m++)
    if (m == best || (!alone && w[m] >= w[best] * o->threshold)) bits |= 1 << m;
  return bits;
}

static void FN(enter_stage)(const nas_call *c) {
  const choose_options *o = c->prepared;
  REAL *kept = c->param[KEPT];
  if (!staged(o) || c->site.mode != NAS_TRAIN) return;
  for (int64_t k = 0; k < c->site.out.c; k++) {
    if (reached(c, o->selective_after) && kept[k] == 0) kept[k] = (REAL)FN(keep)(c, k, false);
    if (reached(c, o->pruned_after)) kept[k] = (REAL)FN(keep)(c, k, true);
  }
}

static void FN(forward)(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), channels = c->site.out.c;
  double p[NAS_LAYER_INPUTS_MAX], w[NAS_LAYER_INPUTS_MAX];
  FN(enter_stage)(c);
  for (int64_t k = 0; k < channels; k++) {
    FN(shares)(c, k, p, w);
    for (int64_t at = k; at < rows * channels; at += channels) {
      double sum = 0;
      for (int32_t m = 0; m < c->site.n_in; m++)
        if (w[m] > 0) sum += w[m] * (double)((const REAL *)c->x[m])[at];
      ((REAL *)c->y)[at] = (REAL)sum;
    }
  }
}

static void FN(backward)(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), channels = c->site.out.c;
  int32_t n = c->site.n_in;
  const REAL *dy = c->dy;
  double p[NAS_LAYER_INPUTS_MAX], w[NAS_LAYER_INPUTS_MAX], g[NAS_LAYER_INPUTS_MAX];
  for (int64_t k = 0; k < channels; k++) {
    double mean = 0;
    FN(shares)(c, k, p, w);
    for (int32_t m = 0; m < n; m++) {
      g[m] = 0;
      for (int64_t at = k; at < rows * channels; at += channels)
        g[m] += (double)dy[at] * (double)((const REAL *)c->x[m])[at];
      mean += w[m] * g[m];
    }
    for (int32_t m = 0; m < n; m++) ((REAL *)c->grad[LOGITS])[k * n + m] = (REAL)(w[m] < 1 ? w[m] * (g[m] - mean) : 0);
  }
  for (int32_t m = 0; m < n; m++) {
    const REAL *dplus = c->dplus[m];
    REAL *dx = c->dx[m];
    for (int64_t k = 0; dx && k < channels; k++) {
      FN(shares)(c, k, p, w);
      for (int64_t at = k; at < rows * channels; at += channels) {
        REAL d = (REAL)(w[m] * (double)dy[at]);
        dx[at] = dplus ? dplus[at] + d : d;
      }
    }
  }
}
#else
#include <math.h>

#include "train/op.h"

enum { LOGITS, KEPT };

typedef struct choose_options {
  char stage[12];
  double threshold;
  int64_t selective_after, pruned_after;
} choose_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(choose_options, stage, "stage", "all", "all|selective|pruned",
                   "mix all inputs, those near the heaviest, or take the heaviest alone"),
    NAS_OPT_REAL(choose_options, threshold, "threshold", "0.5", 0, 1,
                 "selective: least weight that counts, as a share of the heaviest"),
    NAS_OPT_INT(choose_options, selective_after, "selective-after", "0", 0, 1e9,
                "training steps before the selective stage; 0: never"),
    NAS_OPT_INT(choose_options, pruned_after, "pruned-after", "0", 0, 1e9,
                "training steps before the pruned stage; 0: never"),
    NAS_OPT_END};

static bool staged(const choose_options *o) { return o->selective_after > 0 || o->pruned_after > 0; }
static bool reached(const nas_call *c, int64_t steps) { return steps > 0 && c->step >= (uint64_t)steps; }

#define NAS_TEMPLATE "train/ops/choose.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  choose_options o;
  NAS_TRY(nas_op_options(site, options, &o, "choose", label, err));
  return nas_infer_same(site, label, out, err);
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  choose_options o;
  if (nas_op_options(site, options, &o, "choose", NULL, NULL) != NAS_OK) return 0;
  out[LOGITS] = (nas_param_spec){
      .name = "logits", .count = (int64_t)site->in[0].c * site->n_in, .init = NAS_INIT_NORMAL, .bound = 0.1};
  out[KEPT] = (nas_param_spec){.name = "kept", .count = site->in[0].c, .init = NAS_INIT_ZERO, .running = true};
  return staged(&o) ? 2 : 1;
}

static int64_t macs(const nas_site *site) { return site->n_in * nas_shape_size(site->out); }

static nas_status prepare(nas_call *c, nas_err *err) {
  return nas_op_keep_options(c, options, sizeof(choose_options), err);
}

static const char *const samples[] = {"", "stage=selective\nthreshold=0\n", "stage=pruned\n",
                                      "selective-after=5\npruned-after=9\n", NULL};

const nas_op nas_op_choose = {
    .name = "choose",
    .version = 1,
    .summary = "each neuron mixes its inputs by the softmax of trained weights of its own",
    .citation = "Z. Yang et al., Activation space selectable Kolmogorov-Arnold networks, arXiv:2408.08338",
    .attributes = "options",
    .min_inputs = 1,
    .max_inputs = NAS_LAYER_INPUTS_MAX,
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
    .options = options,
    .samples = samples,
};
#endif
