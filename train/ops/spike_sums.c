#ifdef REAL
/* The spikes of one image, [steps][in_h][in_w][channels]. */
static void FN(draw)(const nas_call *c, int64_t image, unsigned char *spikes) {
  int64_t n = nas_shape_size(c->site.in[0]), steps = steps_of(c);
  const REAL *x = (const REAL *)c->x[0] + image * n;
  float *seen = (float *)((double *)c->scratch + scratch_spikes(c));
  for (int64_t i = 0; i < n; i++) seen[i] = (float)x[i];
  nas_rng rng = random_of(c);
  uint64_t block = block_of(c, image, seen);
  for (int64_t i = 0; i < n; i++)
    for (int64_t t = 0; t < steps; t++) {
      uint32_t words[4];
      nas_rng_block(rng, block + (uint64_t)(i * blocks_of(steps) + t / 4), words);
      double limit = (double)seen[i] * 4294967296.0;
      spikes[t * n + i] = seen[i] >= 1 || (seen[i] > 0 && words[t % 4] < (uint32_t)limit);
    }
}

/* Tap by tap of one output pixel: whether input `k` of its window, in the order of patches, spikes at step t. */
static bool FN(spikes_at)(const nas_call *c, const unsigned char *spikes, int64_t t, int64_t pixel, int64_t k) {
  const nas_site *s = &c->site;
  int64_t taps = (int64_t)s->attrs.kernel_h * s->attrs.kernel_w, tap = k % taps;
  int64_t y = pixel / s->out.w * s->attrs.stride - s->attrs.pad + tap / s->attrs.kernel_w;
  int64_t x = pixel % s->out.w * s->attrs.stride - s->attrs.pad + tap % s->attrs.kernel_w;
  if (y < 0 || y >= s->in[0].h || x < 0 || x >= s->in[0].w) return false;
  return spikes[t * nas_shape_size(s->in[0]) + (y * s->in[0].w + x) * s->in[0].c + k / taps];
}

static void FN(forward)(const nas_call *c) {
  unsigned char *spikes = c->scratch;
  const REAL *weight = c->param[0], *bias = c->site.attrs.bias ? c->param[1] : NULL;
  REAL *y = c->y;
  int64_t in = window_of(&c->site), out = c->site.attrs.out, steps = steps_of(c);
  for (int64_t n = 0; n < c->site.batch; n++) {
    FN(draw)(c, n, spikes);
    for (int64_t p = 0; p < nas_shape_pixels(c->site.out); p++)
      for (int64_t t = 0; t < steps; t++)
        for (int64_t o = 0; o < out; o++) {
          double sum = bias ? (double)bias[o] : 0;
          for (int64_t k = 0; k < in; k++)
            if (FN(spikes_at)(c, spikes, t, p, k)) sum += (double)weight[o * in + k];
          *y++ = (REAL)sum;
        }
  }
}

static void FN(backward)(const nas_call *c) {
  unsigned char *spikes = c->scratch;
  const REAL *dy = c->dy, *dplus = c->dplus[0];
  REAL *dweight = c->grad[0], *dbias = c->site.attrs.bias ? c->grad[1] : NULL, *dx = c->dx[0];
  int64_t in = window_of(&c->site), out = c->site.attrs.out, steps = steps_of(c), n_in = nas_site_in(&c->site, 0);
  double *sums = (double *)c->scratch + scratch_spikes(c) + scratch_image(c); /* [out][in + 1], the last for the bias */
  for (int64_t i = 0; i < out * (in + 1); i++) sums[i] = 0;
  for (int64_t n = 0; n < c->site.batch; n++) {
    FN(draw)(c, n, spikes);
    for (int64_t p = 0; p < nas_shape_pixels(c->site.out); p++)
      for (int64_t t = 0; t < steps; t++)
        for (int64_t o = 0; o < out; o++) {
          double g = (double)*dy++;
          sums[o * (in + 1) + in] += g;
          for (int64_t k = 0; k < in; k++)
            if (FN(spikes_at)(c, spikes, t, p, k)) sums[o * (in + 1) + k] += g;
        }
  }
  for (int64_t o = 0; o < out; o++) {
    for (int64_t k = 0; k < in; k++) dweight[o * in + k] = (REAL)sums[o * (in + 1) + k];
    if (dbias) dbias[o] = (REAL)sums[o * (in + 1) + in];
  }
  for (int64_t i = 0; dx && i < n_in; i++) dx[i] = dplus ? dplus[i] : (REAL)0;
}
#else
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "train/kernels/kernels.h"
#include "train/op.h"

typedef struct spike_options {
  int64_t steps;
} spike_options;

static const nas_option options[] = {NAS_OPT_INT(spike_options, steps, "steps", "8", 1, 1024, "time steps"),
                                     NAS_OPT_END};

static int64_t steps_of(const nas_call *c) { return c->site.out.c / c->site.attrs.out; }
static int64_t blocks_of(int64_t steps) { return (steps + 3) / 4; }
static int64_t window_of(const nas_site *s) { return (int64_t)s->in[0].c * s->attrs.kernel_h * s->attrs.kernel_w; }

/* In training, a draw is a function of (seed, step, label, place in the batch); in evaluation, of the image alone, so
 * that its spikes are the same in any batch and at any time. */
static nas_rng random_of(const nas_call *c) {
  bool train = c->site.mode == NAS_TRAIN;
  return nas_rng_make(train ? c->seed : 0, train ? (uint32_t)c->step : 0, NAS_STREAM_SPIKES);
}

static uint64_t block_of(const nas_call *c, int64_t image, const float *x) {
  int64_t n = nas_shape_size(c->site.in[0]);
  if (c->site.mode != NAS_TRAIN) return c->label_hash + nas_hash64(x, (size_t)n * sizeof *x);
  return c->label_hash + (uint64_t)(image * n * blocks_of(steps_of(c)));
}

/* Parts of the reference's scratch, in doubles: spikes as bytes, the image in single precision. */
static int64_t scratch_spikes(const nas_call *c) { return (steps_of(c) * nas_shape_size(c->site.in[0]) + 7) / 8; }
static int64_t scratch_image(const nas_call *c) { return (nas_shape_size(c->site.in[0]) + 1) / 2; }

#define NAS_TEMPLATE "train/ops/spike_sums.c"
#include "train/op_template.h"

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  int64_t doubles = scratch_spikes(c) + scratch_image(c), sums = c->site.attrs.out * (window_of(&c->site) + 1);
  c->forward_scratch = doubles * (int64_t)sizeof(double);
  c->backward_scratch = (doubles + sums) * (int64_t)sizeof(double);
  return NAS_OK;
}

/* ---- fast: sums and weights with their neurons padded to whole vectors ---- */

static int64_t width_of(const nas_call *c) { return (c->site.attrs.out + 15) / 16 * 16; }
static int64_t padded_sums(const nas_call *c) { return nas_shape_pixels(c->site.out) * steps_of(c) * width_of(c); }
static int64_t padded_weights(const nas_call *c) { return window_of(&c->site) * width_of(c); }

/* Bits of an image's spikes: kept for the backward pass, because drawing them is most of the work. */
static int64_t train_words(const nas_call *c) { return nas_shape_size(c->site.in[0]) * ((steps_of(c) + 31) / 32); }

static nas_status prepare_fast(nas_call *c, nas_err *err) {
  (void)err;
  c->forward_scratch = c->backward_scratch = (padded_sums(c) + padded_weights(c)) * (int64_t)sizeof(float);
  if (c->site.mode == NAS_TRAIN) c->saved_bytes = c->site.batch * train_words(c) * (int64_t)sizeof(uint32_t);
  else c->forward_scratch += train_words(c) * (int64_t)sizeof(uint32_t);
  return NAS_OK;
}

static nas_spikes spikes_of(const nas_call *c) {
  const nas_site *s = &c->site;
  nas_rng rng = random_of(c);
  float *sums = c->scratch, *weights = sums + padded_sums(c);
  return (nas_spikes){.random = {{rng.key[0], rng.key[1]}, rng.trial, rng.stream},
                      .steps = steps_of(c),
                      .channels = s->in[0].c,
                      .width = width_of(c),
                      .in_h = s->in[0].h,
                      .in_w = s->in[0].w,
                      .out_h = s->out.h,
                      .out_w = s->out.w,
                      .kernel_h = s->attrs.kernel_h,
                      .kernel_w = s->attrs.kernel_w,
                      .stride = s->attrs.stride,
                      .pad = s->attrs.pad,
                      .sums = sums,
                      .weights = weights};
}

static void see(const nas_call *c, int64_t image, nas_spikes *s) {
  s->x = (const float *)c->x[0] + image * nas_shape_size(c->site.in[0]);
  s->block = block_of(c, image, s->x);
  if (c->site.mode == NAS_TRAIN) s->train = (uint32_t *)c->saved + image * train_words(c);
  else s->train = (uint32_t *)(s->weights + padded_weights(c));
}

/* Weights from [out][channel][tap] to [tap][channel][width], or their gradients back. */
static void turn_weights(const nas_call *c, float *turned, float *plain, bool back) {
  int64_t out = c->site.attrs.out, width = width_of(c), channels = c->site.in[0].c, in = window_of(&c->site);
  int64_t taps = in / channels;
  for (int64_t tap = 0; tap < taps; tap++)
    for (int64_t k = 0; k < channels; k++, turned += width)
      for (int64_t o = 0; o < out; o++) {
        float *at = plain + o * in + k * taps + tap;
        if (back) *at = turned[o];
        else turned[o] = *at;
      }
}

static void forward_fast(const nas_call *c) {
  nas_spikes s = spikes_of(c);
  int64_t out = c->site.attrs.out, rows = nas_shape_pixels(c->site.out) * s.steps;
  const float *bias = c->site.attrs.bias ? c->param[1] : NULL;
  float *y = c->y;
  memset(s.weights, 0, (size_t)padded_weights(c) * sizeof *s.weights);
  turn_weights(c, s.weights, c->param[0], false);
  for (int64_t n = 0; n < c->site.batch; n++) {
    see(c, n, &s);
    memset(s.sums, 0, (size_t)padded_sums(c) * sizeof *s.sums);
    for (int64_t r = 0; bias && r < rows; r++) memcpy(s.sums + r * s.width, bias, (size_t)out * sizeof *bias);
    nas_kernels()->spike_sums(&s);
    for (int64_t r = 0; r < rows; r++, y += out) memcpy(y, s.sums + r * s.width, (size_t)out * sizeof *y);
  }
}

static void backward_fast(const nas_call *c) {
  nas_spikes s = spikes_of(c);
  int64_t out = c->site.attrs.out, rows = nas_shape_pixels(c->site.out) * s.steps, inputs = nas_site_in(&c->site, 0);
  const float *dy = c->dy;
  memset(s.sums, 0, (size_t)padded_sums(c) * sizeof *s.sums);
  memset(s.weights, 0, (size_t)padded_weights(c) * sizeof *s.weights);
  for (int64_t n = 0; n < c->site.batch; n++) {
    s.train = (uint32_t *)c->saved + n * train_words(c);
    for (int64_t r = 0; r < rows; r++, dy += out) memcpy(s.sums + r * s.width, dy, (size_t)out * sizeof *dy);
    nas_kernels()->spike_sums_gradient(&s);
  }
  turn_weights(c, s.weights, c->grad[0], true);
  if (c->site.attrs.bias) nas_kernels()->column_sums(c->grad[1], c->dy, c->site.batch * rows, out);
  if (!c->dx[0] || c->dx[0] == c->dplus[0]) return;
  if (c->dplus[0]) memcpy(c->dx[0], c->dplus[0], (size_t)inputs * sizeof(float));
  else memset(c->dx[0], 0, (size_t)inputs * sizeof(float));
}

static const nas_kernel fast = {.prepare = prepare_fast, .forward = forward_fast, .backward = backward_fast};

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  spike_options o;
  NAS_TRY(nas_op_options(site, options, &o, "spike_sums", label, err));
  if (site->attrs.out < 1)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d sums; there must be at least 1", site->attrs.out);
  NAS_TRY(nas_infer_window(site, label, out, err));
  if (o.steps * site->attrs.out > INT32_MAX)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "more than 2^31 sums of one pixel");
  out->c = (int32_t)o.steps * site->attrs.out;
  return NAS_OK;
}

static int32_t params(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]) {
  int64_t in = window_of(site);
  double bound = 1 / sqrt((double)in);
  out[0] = (nas_param_spec){.name = "weight", .count = in * site->attrs.out, .init = NAS_INIT_UNIFORM, .bound = bound};
  out[1] = (nas_param_spec){.name = "bias", .count = site->attrs.out, .init = NAS_INIT_UNIFORM, .bound = bound};
  return site->attrs.bias ? 2 : 1;
}

static int64_t macs(const nas_site *site) { return window_of(site) * nas_shape_size(site->out); }

static const char *const samples[] = {"steps=3\n", "steps=5\n", NULL};

const nas_op nas_op_spike_sums = {
    .name = "spike_sums",
    .version = 1,
    .summary =
        "weighted sums of a window in which input x spikes at each step with probability x clamped to [0, 1]; "
        "the sums of step t are the t-th group of channels",
    .citation = "the Poisson encoder of W. Fang et al., SpikingJelly, Science Advances 9, 2023",
    .attributes = "out bias kernel_h kernel_w stride pad options",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_RANDOM | NAS_OP_KEEPS_ZERO_UNBIASED,
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
