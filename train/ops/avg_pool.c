#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const nas_site *s = &c->site;
  const REAL *x = c->x[0], *plus = c->plus;
  REAL *y = c->y;
  int64_t channels = s->out.c, i = 0;
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t row = 0; row < s->out.h; row++)
      for (int64_t column = 0; column < s->out.w; column++) {
        nas_window w = nas_window_at(s, row, column);
        double size = (double)((w.bottom - w.top) * (w.right - w.left));
        for (int64_t k = 0; k < channels; k++, i++) {
          double sum = 0;
          for (int64_t h = w.top; h < w.bottom; h++)
            for (int64_t v = w.left; v < w.right; v++)
              sum += (double)x[((n * s->in[0].h + h) * s->in[0].w + v) * channels + k];
          y[i] = plus ? plus[i] + (REAL)(sum / size) : (REAL)(sum / size);
        }
      }
}

static void FN(backward)(const nas_call *c) {
  const nas_site *s = &c->site;
  const REAL *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  if (!dx) return;
  size_t bytes = (size_t)nas_site_in(s, 0) * sizeof(REAL);
  if (!dplus) memset(dx, 0, bytes);
  else if (dplus != dx) memcpy(dx, dplus, bytes);
  int64_t channels = s->out.c, i = 0;
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t row = 0; row < s->out.h; row++)
      for (int64_t column = 0; column < s->out.w; column++) {
        nas_window w = nas_window_at(s, row, column);
        REAL share = (REAL)(1.0 / (double)((w.bottom - w.top) * (w.right - w.left)));
        for (int64_t k = 0; k < channels; k++, i++)
          for (int64_t h = w.top; h < w.bottom; h++)
            for (int64_t v = w.left; v < w.right; v++)
              dx[((n * s->in[0].h + h) * s->in[0].w + v) * channels + k] += share * dy[i];
      }
}
#else
#include <string.h>

#include "train/kernels/kernels.h"
#include "train/ops/pool_window.h"
#define NAS_TEMPLATE "train/ops/avg_pool.c"
#include "train/op_template.h"

nas_status nas_infer_pool(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  const nas_attrs *a = &site->attrs;
  if (2 * (int64_t)a->pad > a->kernel_h || 2 * (int64_t)a->pad > a->kernel_w)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "padding %d is more than half of the %dx%d pooling window", a->pad,
                    a->kernel_h, a->kernel_w);
  return nas_infer_window(site, label, out, err);
}

nas_pool nas_pool_of(const nas_site *s) {
  const nas_attrs *a = &s->attrs;
  return (nas_pool){s->batch, s->out.c,    s->in[0].h,  s->in[0].w, s->out.h,
                    s->out.w, a->kernel_h, a->kernel_w, a->stride,  a->pad};
}

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  nas_pool p = nas_pool_of(&c->site);
  c->forward_scratch = c->backward_scratch = nas_pool_scratch(&p) * (int64_t)sizeof(float);
  return NAS_OK;
}

static void forward_fast(const nas_call *c) {
  nas_pool p = nas_pool_of(&c->site);
  nas_kernels()->avg_pool(&p, c->y, c->plus, c->x[0], c->scratch);
}

static void backward_fast(const nas_call *c) {
  nas_pool p = nas_pool_of(&c->site);
  if (c->dx[0]) nas_kernels()->avg_pool_gradient(&p, c->dx[0], c->dplus[0], c->dy, c->scratch);
}

static const nas_kernel fast = {.prepare = prepare, .forward = forward_fast, .backward = backward_fast, .sinks = true};

const nas_op nas_op_avg_pool = {
    .name = "avg_pool",
    .version = 1,
    .summary = "the mean over a window; padding does not count",
    .citation = "",
    .attributes = "kernel_h kernel_w stride pad",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO,
    .infer = nas_infer_pool,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .sinks = true},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .sinks = true},
    .fast = &fast,
};
#endif
