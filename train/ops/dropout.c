#ifdef REAL
/* The mask is a function of (seed, step, label, element), so the backward pass makes it again instead of keeping it. */
static void FN(masked)(const nas_call *c, const REAL *from, const REAL *plus, REAL *to) {
  int64_t n = nas_site_out(&c->site);
  double rate = c->site.attrs.rate;
  REAL scale = (REAL)(1 / (1 - rate));
  uint32_t limit = (uint32_t)(rate * 4294967296.0);
  nas_rng rng = nas_rng_make(c->seed, (uint32_t)c->step, NAS_STREAM_DROPOUT);
  for (int64_t i = 0; i < n; i += 4) {
    uint32_t words[4];
    nas_rng_block(rng, c->label_hash + (uint64_t)i / 4, words);
    for (int64_t k = i; k < n && k < i + 4; k++) {
      REAL v = words[k - i] >= limit ? scale * from[k] : (REAL)0;
      to[k] = plus ? plus[k] + v : v;
    }
  }
}

static void FN(forward)(const nas_call *c) {
  if (c->site.mode == NAS_EVAL) memcpy(c->y, c->x[0], (size_t)nas_site_out(&c->site) * sizeof(REAL));
  else FN(masked)(c, c->x[0], NULL, c->y);
}

static void FN(backward)(const nas_call *c) {
  if (c->dx[0]) FN(masked)(c, c->dy, c->dplus[0], c->dx[0]);
}
#else
#include <string.h>

#include "base/rng.h"
#include "train/kernels/kernels.h"
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/dropout.c"
#include "train/op_template.h"

static void masked_fast(const nas_call *c, const float *from, const float *plus, float *to) {
  double rate = c->site.attrs.rate;
  nas_rng rng = nas_rng_make(c->seed, (uint32_t)c->step, NAS_STREAM_DROPOUT);
  nas_dropout d = {.random = {{rng.key[0], rng.key[1]}, rng.trial, rng.stream},
                   .block = c->label_hash,
                   .limit = (uint32_t)(rate * 4294967296.0),
                   .scale = (float)(1 / (1 - rate))};
  nas_kernels()->dropout(&d, to, plus, from, nas_site_out(&c->site));
}

static void forward_fast(const nas_call *c) {
  if (c->site.mode == NAS_EVAL) memcpy(c->y, c->x[0], (size_t)nas_site_out(&c->site) * sizeof(float));
  else masked_fast(c, c->x[0], c->plus, c->y);
}

static void backward_fast(const nas_call *c) {
  if (c->dx[0]) masked_fast(c, c->dy, c->dplus[0], c->dx[0]);
}

static const nas_kernel fast = {.forward = forward_fast, .backward = backward_fast, .sinks = true};

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  if (!(site->attrs.rate >= 0 && site->attrs.rate < 1))
    return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "a dropout rate of %g; it must be at least 0 and below 1",
                    site->attrs.rate);
  return nas_infer_same(site, label, out, err);
}

const nas_op nas_op_dropout = {
    .name = "dropout",
    .version = 1,
    .summary = "zeroes elements with probability `rate` in training and scales the others by 1 / (1 - rate)",
    .citation = "N. Srivastava et al., Dropout, JMLR 15, 2014",
    .attributes = "rate",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_RANDOM | NAS_OP_TRAIN_ONLY | NAS_OP_KEEPS_ZERO,
    .infer = infer,
    .f32 = {.forward = forward_f32, .backward = backward_f32},
    .f64 = {.forward = forward_f64, .backward = backward_f64},
    .fast = &fast,
};
#endif
