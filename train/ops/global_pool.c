#ifdef REAL
static void FN(forward)(const nas_call *c) {
  const REAL *x = c->x[0];
  REAL *y = c->y;
  int64_t channels = c->site.out.c, pixels = nas_shape_pixels(c->site.in[0]);
  for (int64_t n = 0; n < c->site.batch; n++)
    for (int64_t k = 0; k < channels; k++) {
      double sum = 0;
      for (int64_t p = 0; p < pixels; p++) sum += (double)x[(n * pixels + p) * channels + k];
      y[n * channels + k] = (REAL)(sum / (double)pixels);
    }
}

static void FN(backward)(const nas_call *c) {
  const REAL *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  if (!dx) return;
  int64_t channels = c->site.out.c, pixels = nas_shape_pixels(c->site.in[0]);
  REAL share = (REAL)(1.0 / (double)pixels);
  for (int64_t n = 0; n < c->site.batch; n++)
    for (int64_t p = 0; p < pixels; p++)
      for (int64_t k = 0; k < channels; k++) {
        int64_t i = (n * pixels + p) * channels + k;
        REAL g = share * dy[n * channels + k];
        dx[i] = dplus ? dplus[i] + g : g;
      }
}
#else
#include "train/kernels/kernels.h"
#include "train/op.h"
#define NAS_TEMPLATE "train/ops/global_pool.c"
#include "train/op_template.h"

static nas_status infer(const nas_site *site, const char *label, nas_shape *out, nas_err *err) {
  (void)label, (void)err;
  *out = (nas_shape){site->in[0].c, 1, 1};
  return NAS_OK;
}

static void forward_fast(const nas_call *c) {
  nas_kernels()->global_pool(c->y, c->x[0], c->site.batch, nas_shape_pixels(c->site.in[0]), c->site.out.c);
}

static void backward_fast(const nas_call *c) {
  if (c->dx[0])
    nas_kernels()->global_pool_gradient(c->dx[0], c->dplus[0], c->dy, c->site.batch, nas_shape_pixels(c->site.in[0]),
                                        c->site.out.c);
}

static const nas_kernel fast = {.forward = forward_fast, .backward = backward_fast};

const nas_op nas_op_global_pool = {
    .name = "global_pool",
    .version = 1,
    .summary = "the mean of each channel over its image",
    .citation = "M. Lin, Q. Chen, S. Yan, Network in network, arXiv:1312.4400",
    .attributes = "",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO,
    .infer = infer,
    .f32 = {.forward = forward_f32, .backward = backward_f32},
    .f64 = {.forward = forward_f64, .backward = backward_f64},
    .fast = &fast,
};
#endif
