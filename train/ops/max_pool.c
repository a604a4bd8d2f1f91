#ifdef REAL
/* Index in x of the first largest element of channel k in the window (NaN counts as largest, as in PyTorch). */
static int64_t FN(largest)(const nas_site *s, const REAL *x, int64_t n, nas_window w, int64_t k) {
  int64_t best = -1;
  for (int64_t h = w.top; h < w.bottom; h++)
    for (int64_t v = w.left; v < w.right; v++) {
      int64_t at = ((n * s->in[0].h + h) * s->in[0].w + v) * s->out.c + k;
      if (best < 0 || x[at] > x[best] || x[at] != x[at]) best = at;
    }
  return best;
}

static void FN(forward)(const nas_call *c) {
  const nas_site *s = &c->site;
  const REAL *x = c->x[0], *plus = c->plus;
  REAL *y = c->y;
  int64_t i = 0;
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t row = 0; row < s->out.h; row++)
      for (int64_t column = 0; column < s->out.w; column++) {
        nas_window w = nas_window_at(s, row, column);
        for (int64_t k = 0; k < s->out.c; k++, i++) {
          REAL v = x[FN(largest)(s, x, n, w, k)];
          y[i] = plus ? plus[i] + v : v;
        }
      }
}

static void FN(backward)(const nas_call *c) {
  const nas_site *s = &c->site;
  const REAL *x = c->x[0], *dy = c->dy, *dplus = c->dplus[0];
  REAL *dx = c->dx[0];
  if (!dx) return;
  size_t bytes = (size_t)nas_site_in(s, 0) * sizeof(REAL);
  if (!dplus) memset(dx, 0, bytes);
  else if (dplus != dx) memcpy(dx, dplus, bytes);
  int64_t i = 0;
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t row = 0; row < s->out.h; row++)
      for (int64_t column = 0; column < s->out.w; column++) {
        nas_window w = nas_window_at(s, row, column);
        for (int64_t k = 0; k < s->out.c; k++, i++) dx[FN(largest)(s, x, n, w, k)] += dy[i];
      }
}
#else
#include <string.h>

#include "train/kernels/kernels.h"
#include "train/ops/pool_window.h"
#define NAS_TEMPLATE "train/ops/max_pool.c"
#include "train/op_template.h"

static void forward_fast(const nas_call *c) {
  nas_pool p = nas_pool_of(&c->site);
  nas_kernels()->max_pool(&p, c->y, c->plus, c->x[0]);
}

static void backward_fast(const nas_call *c) {
  nas_pool p = nas_pool_of(&c->site);
  size_t bytes = (size_t)nas_site_in(&c->site, 0) * sizeof(float);
  if (!c->dx[0]) return;
  if (!c->dplus[0]) memset(c->dx[0], 0, bytes);
  else if (c->dplus[0] != c->dx[0]) memcpy(c->dx[0], c->dplus[0], bytes);
  nas_kernels()->max_pool_gradient(&p, c->dx[0], c->dy, c->x[0]);
}

static const nas_kernel fast = {
    .forward = forward_fast, .backward = backward_fast, .reads = NAS_READS_X, .sinks = true};

const nas_op nas_op_max_pool = {
    .name = "max_pool",
    .version = 1,
    .summary = "the largest element of a window; its gradient goes to the first of equals",
    .citation = "",
    .attributes = "kernel_h kernel_w stride pad",
    .min_inputs = 1,
    .max_inputs = 1,
    .traits = NAS_OP_KEEPS_ZERO,
    .infer = nas_infer_pool,
    .f32 = {.forward = forward_f32, .backward = backward_f32, .reads = NAS_READS_X, .sinks = true},
    .f64 = {.forward = forward_f64, .backward = backward_f64, .reads = NAS_READS_X, .sinks = true},
    .fast = &fast,
};
#endif
