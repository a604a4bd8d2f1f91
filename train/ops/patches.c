#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const REAL *x = c->x[0];
  REAL *y = c->y;
  int64_t n = nas_site_out(&c->site);
  for (int64_t k = 0; k < n; k++) {
    int64_t from = source_of(&c->site, k);
    y[k] = from < 0 ? (REAL)0 : x[from];
  }
}

static void FN(backward)(const nas_call *c) {
  const REAL *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  if (!dx) return;
  int64_t n = nas_site_out(&c->site), inputs = nas_site_in(&c->site, 0);
  for (int64_t i = 0; i < inputs; i++) dx[i] = dplus ? dplus[i] : (REAL)0;
  for (int64_t k = 0; k < n; k++) {
    int64_t from = source_of(&c->site, k);
    if (from >= 0) dx[from] += dy[k];
  }
}
#else
#include <string.h>

#include "train/op.h"

typedef struct patch_options {
  int64_t dilation;
} patch_options;

static const nas_option options[] = {
    NAS_OPT_INT(patch_options, dilation, "dilation", "1", 1, 64, "distance of neighbouring taps in pixels"),
    NAS_OPT_END};

static int64_t dilation_of(const nas_site *s) { return s->attrs.groups > 0 ? s->attrs.groups : 1; }

/* Where element k of the output comes from, or -1 for the zeros around the image. */
static int64_t source_of(const nas_site *s, int64_t k) {
  int64_t taps = (int64_t)s->attrs.kernel_h * s->attrs.kernel_w, pixel = k / s->out.c, tap = k % s->out.c;
  int64_t channel = tap / taps, column = pixel % s->out.w, row = pixel / s->out.w % s->out.h;
  int64_t image = pixel / ((int64_t)s->out.w * s->out.h);
  int64_t y = row * s->attrs.stride - s->attrs.pad + tap % taps / s->attrs.kernel_w * dilation_of(s);
  int64_t x = column * s->attrs.stride - s->attrs.pad + tap % s->attrs.kernel_w * dilation_of(s);
  if (y < 0 || y >= s->in[0].h || x < 0 || x >= s->in[0].w) return -1;
  return ((image * s->in[0].h + y) * s->in[0].w + x) * s->in[0].c + channel;
}

#define NAS_TEMPLATE "train/ops/patches.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  patch_options o;
  NAS_TRY(nas_op_options(site, options, &o, "patches", label, err));
  nas_site wide = *site;
  wide.attrs.kernel_h = (int32_t)((site->attrs.kernel_h - 1) * o.dilation + 1);
  wide.attrs.kernel_w = (int32_t)((site->attrs.kernel_w - 1) * o.dilation + 1);
  NAS_TRY(nas_infer_window(&wide, label, out, err));
  int64_t channels = (int64_t)site->in[0].c * site->attrs.kernel_h * site->attrs.kernel_w;
  if (channels > INT32_MAX) return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "patches of more than 2^31 numbers");
  out->c = (int32_t)channels;
  return NAS_OK;
}

/* Kernels find the dilation where the groups of a convolution are. */
static nas_status prepare(nas_call *c, nas_err *err) {
  patch_options o;
  NAS_TRY(nas_op_options(&c->site, options, &o, "patches", NULL, err));
  c->site.attrs.groups = (int32_t)o.dilation;
  return NAS_OK;
}

/* One tap of one output pixel: the input pixel that it sees, or -1. */
static int64_t seen_by(const nas_site *s, int64_t image, int64_t row, int64_t column, int64_t tap) {
  int64_t y = row * s->attrs.stride - s->attrs.pad + tap / s->attrs.kernel_w * dilation_of(s);
  int64_t x = column * s->attrs.stride - s->attrs.pad + tap % s->attrs.kernel_w * dilation_of(s);
  if (y < 0 || y >= s->in[0].h || x < 0 || x >= s->in[0].w) return -1;
  return (image * s->in[0].h + y) * s->in[0].w + x;
}

/* Pixel by pixel; with `x` NULL, y is sent back into dx. */
static void walk(const nas_site *s, const float *x, float *y, float *dx) {
  int64_t taps = (int64_t)s->attrs.kernel_h * s->attrs.kernel_w, channels = s->in[0].c;
  for (int64_t image = 0; image < s->batch; image++)
    for (int64_t row = 0; row < s->out.h; row++)
      for (int64_t column = 0; column < s->out.w; column++, y += channels * taps)
        for (int64_t tap = 0; tap < taps; tap++) {
          int64_t pixel = seen_by(s, image, row, column, tap);
          if (dx && pixel < 0) continue;
          for (int64_t c = 0; c < channels; c++) {
            if (dx) dx[pixel * channels + c] += y[c * taps + tap];
            else y[c * taps + tap] = pixel < 0 ? 0 : x[pixel * channels + c];
          }
        }
}

static void forward_fast(const nas_call *c) { walk(&c->site, c->x[0], c->y, NULL); }

static void backward_fast(const nas_call *c) {
  float *dx = c->dx[0];
  size_t bytes = (size_t)nas_site_in(&c->site, 0) * sizeof *dx;
  if (!dx) return;
  if (!c->dplus[0]) memset(dx, 0, bytes);
  else if (c->dplus[0] != dx) memcpy(dx, c->dplus[0], bytes);
  walk(&c->site, NULL, (float *)c->dy, dx);
}

static const nas_kernel fast = {.prepare = prepare, .forward = forward_fast, .backward = backward_fast};

static const char *const samples[] = {"", "dilation=2\n", NULL};

const nas_op nas_op_patches = {
    .name = "patches",
    .version = 1,
    .summary = "the window around each pixel as channels, in the order channel, row, column",
    .citation = "",
    .attributes = "kernel_h kernel_w stride pad options",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO,
    .infer = infer,
    .f32 = {.prepare = prepare, .forward = forward_f32, .backward = backward_f32},
    .f64 = {.prepare = prepare, .forward = forward_f64, .backward = backward_f64},
    .fast = &fast,
    .options = options,
    .samples = samples,
};
#endif
