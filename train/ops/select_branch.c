#ifdef REAL
/* The shares of the branches in channel k of image n; the logits are the last input, [branch][channel]. */
static void FN(attention)(const nas_call *c, int64_t n, int64_t k, double *a) {
  int32_t branches = c->site.n_in - 1;
  int64_t channels = c->site.out.c;
  const REAL *logits = (const REAL *)c->x[branches] + n * branches * channels;
  double top = -INFINITY, sum = 0;
  for (int32_t m = 0; m < branches; m++) top = fmax(top, (double)logits[m * channels + k]);
  for (int32_t m = 0; m < branches; m++) sum += a[m] = exp((double)logits[m * channels + k] - top);
  for (int32_t m = 0; m < branches; m++) a[m] /= sum;
}

static void FN(forward)(const nas_call *c) {
  int64_t pixels = nas_shape_pixels(c->site.out), channels = c->site.out.c;
  double a[NAS_LAYER_INPUTS_MAX];
  for (int64_t n = 0; n < c->site.batch; n++)
    for (int64_t k = 0; k < channels; k++) {
      FN(attention)(c, n, k, a);
      for (int64_t p = 0; p < pixels; p++) {
        double sum = 0;
        int64_t at = (n * pixels + p) * channels + k;
        for (int32_t m = 0; m + 1 < c->site.n_in; m++) sum += a[m] * (double)((const REAL *)c->x[m])[at];
        ((REAL *)c->y)[at] = (REAL)sum;
      }
    }
}

/* The gradient of branch m, or (m the last input) of the logits. */
static void FN(send)(const nas_call *c, int32_t m) {
  int64_t pixels = nas_shape_pixels(c->site.out), channels = c->site.out.c;
  int32_t branches = c->site.n_in - 1;
  const REAL *dy = c->dy, *dplus = c->dplus[m];
  REAL *dx = c->dx[m];
  double a[NAS_LAYER_INPUTS_MAX], g[NAS_LAYER_INPUTS_MAX];
  for (int64_t n = 0; n < c->site.batch; n++)
    for (int64_t k = 0; k < channels; k++) {
      double mean = 0;
      FN(attention)(c, n, k, a);
      for (int64_t p = 0; m < branches && p < pixels; p++) {
        int64_t at = (n * pixels + p) * channels + k;
        REAL d = (REAL)(a[m] * (double)dy[at]);
        dx[at] = dplus ? dplus[at] + d : d;
      }
      if (m < branches) continue;
      for (int32_t b = 0; b < branches; b++) {
        g[b] = 0;
        for (int64_t p = 0; p < pixels; p++) {
          int64_t at = (n * pixels + p) * channels + k;
          g[b] += (double)dy[at] * (double)((const REAL *)c->x[b])[at];
        }
        mean += a[b] * g[b];
      }
      for (int32_t b = 0; b < branches; b++) {
        int64_t at = (n * branches + b) * channels + k;
        REAL d = (REAL)(a[b] * (g[b] - mean));
        dx[at] = dplus ? dplus[at] + d : d;
      }
    }
}

static void FN(backward)(const nas_call *c) {
  for (int32_t m = 0; m < c->site.n_in; m++)
    if (c->dx[m]) FN(send)(c, m);
}

static int64_t FN(probe)(const nas_call *c, const char *name, double *out) {
  int32_t branches = c->site.n_in - 1;
  int64_t channels = c->site.out.c;
  double a[NAS_LAYER_INPUTS_MAX];
  if (strcmp(name, "attention") != 0) return -1;
  for (int64_t n = 0; out && n < c->site.batch; n++)
    for (int64_t k = 0; k < channels; k++) {
      FN(attention)(c, n, k, a);
      for (int32_t m = 0; m < branches; m++) out[(n * branches + m) * channels + k] = a[m];
    }
  return c->site.batch * branches * channels;
}
#else
#include <math.h>
#include <string.h>

#include "train/op.h"
#define NAS_TEMPLATE "train/ops/select_branch.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  nas_site branches = *site;
  branches.n_in = site->n_in - 1;
  NAS_TRY(nas_infer_same(&branches, label, out, err));
  int64_t logits = nas_shape_size(site->in[branches.n_in]);
  if (logits != (int64_t)branches.n_in * out->c)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%lld logits for %d branches of %d channels", (long long)logits,
                    branches.n_in, out->c);
  return NAS_OK;
}

static int64_t macs(const nas_site *site) { return (site->n_in - 1) * nas_shape_size(site->out); }

const nas_op nas_op_select_branch = {
    .name = "select_branch",
    .version = 1,
    .summary = "the mean of its branches, weighted in each channel by the softmax of the last input",
    .citation = "X. Li et al., Selective kernel networks, arXiv:1903.06586",
    .attributes = "",
    .min_inputs = 2,
    .max_inputs = NAS_LAYER_INPUTS_MAX,
    .infer = infer,
    .macs = macs,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X, .probe = probe_f32},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X, .probe = probe_f64},
};
#endif
