#ifdef REAL
/* Softmax of neuron k's weights of the inputs into p, and what each counts into w. */
static void FN(shares)(const nas_call *c, int64_t k, double *p, double *w) {
  const choose_options *o = c->prepared;
  int32_t n = c->site.n_in, best = 0;
  const REAL *logits = (const REAL *)c->param[0] + k * n;
  double top = -INFINITY, sum = 0;
  for (int32_t m = 0; m < n; m++) {
    if ((double)logits[m] > top) best = m;
    top = fmax(top, (double)logits[m]);
  }
  for (int32_t m = 0; m < n; m++) sum += p[m] = exp((double)logits[m] - top);
  for (int32_t m = 0; m < n; m++) p[m] /= sum;
  double kept = 0;
  for (int32_t m = 0; m < n; m++) {
    bool in = o->stage[0] == 'a' || (o->stage[0] == 's' && p[m] >= p[best] * o->threshold) || m == best;
    w[m] = in ? p[m] : 0;
    kept += w[m];
  }
  for (int32_t m = 0; m < n; m++) w[m] /= kept;
}

static void FN(forward)(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), channels = c->site.out.c;
  double p[NAS_LAYER_INPUTS_MAX], w[NAS_LAYER_INPUTS_MAX];
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
    for (int32_t m = 0; m < n; m++) ((REAL *)c->grad[0])[k * n + m] = (REAL)(w[m] < 1 ? w[m] * (g[m] - mean) : 0);
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

typedef struct choose_options {
  char stage[12];
  double threshold;
} choose_options;

static const nas_option options[] = {
    NAS_OPT_CHOICE(choose_options, stage, "stage", "all", "all|selective|pruned",
                   "mix all inputs, those near the heaviest, or take the heaviest alone"),
    NAS_OPT_REAL(choose_options, threshold, "threshold", "0.5", 0, 1,
                 "selective: least weight that counts, as a share of the heaviest"),
    NAS_OPT_END};

#define NAS_TEMPLATE "train/ops/choose.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  choose_options o;
  NAS_TRY(nas_op_options(site, options, &o, "choose", label, err));
  return nas_infer_same(site, label, out, err);
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  out[0] = (nas_param_spec){
      .name = "logits", .count = (int64_t)site->in[0].c * site->n_in, .init = NAS_INIT_NORMAL, .bound = 0.1};
  return 1;
}

static int64_t macs(const nas_site *site) { return site->n_in * nas_shape_size(site->out); }

static nas_status prepare(nas_call *c, nas_err *err) {
  return nas_op_keep_options(c, options, sizeof(choose_options), err);
}

static const char *const samples[] = {"", "stage=selective\nthreshold=0\n", "stage=pruned\n", NULL};

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
