/* The planner's own operation: y = plus + sum of factor[i] x[i] + sum of the branches. The gradient of the values is
 * the planner's too; `backward` finds the branches' factors. */
#ifdef REAL
static void FN(forward)(const nas_call *c) {
  int64_t n = c->elements;
  const REAL *plus = c->plus;
  REAL *y = c->y;
  for (int64_t i = 0; i < n; i++) {
    REAL sum = plus ? plus[i] : (REAL)0;
    for (int32_t k = 0; k < c->site.n_in; k++) sum += (REAL)c->factor[k] * ((const REAL *)c->x[k])[i];
    y[i] = sum;
  }
}
#else
#include "train/weighted_sum.h"

#include <string.h>

#include "train/branch.h"
#include "train/kernels/kernels.h"
#define NAS_TEMPLATE "train/weighted_sum.c"
#include "train/op_template.h"

/* Numbers of y that stay in the first-level cache while all terms are added, and of dy in the second-level one. */
enum { FORWARD_BLOCK = 4096, BACKWARD_BLOCK = 32768 };

const nas_kernel nas_weighted_sum_f32 = {.forward = forward_f32, .sinks = true};
const nas_kernel nas_weighted_sum_f64 = {.forward = forward_f64, .sinks = true};

static int64_t channels_of(const nas_call *c) { return c->branch[0]->site.out.c; }

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  if (!c->n_branches) return NAS_OK;
  int64_t channels = channels_of(c), floats = (2 * channels * (int64_t)sizeof(float) + 63) / 64 * 64;
  c->backward_scratch = floats + c->n_branches * channels * (int64_t)sizeof(nas_moments);
  return NAS_OK;
}

void nas_weighted_sum_part(const nas_call *c, int64_t first, int64_t n, float *to) {
  const nas_kernel_set *k = nas_kernels();
  const float *x[NAS_LAYER_INPUTS_MAX] = {NULL}, *plus = c->plus ? (const float *)c->plus + first : NULL;
  for (int32_t i = 0; i < c->site.n_in; i++) x[i] = (const float *)c->x[i] + first;
  if (c->site.n_in || !c->n_branches) {
    k->weighted_sum(to, plus, x, c->factor, c->site.n_in, n);
    plus = to;
  }
  for (int32_t i = 0; i < c->n_branches; i++, plus = to) {
    const nas_branch *b = c->branch[i];
    k->affine(to, plus, b->z + first, nas_branch_stats(b, NAS_STATS_SCALE), nas_branch_stats(b, NAS_STATS_SHIFT),
              n / b->site.out.c, b->site.out.c);
  }
}

static void forward_fast(const nas_call *c) {
  int64_t channels = c->n_branches ? channels_of(c) : 1, block = c->elements;
  if (c->n_branches) block = channels < FORWARD_BLOCK ? FORWARD_BLOCK / channels * channels : channels;
  for (int64_t at = 0; at < c->elements; at += block)
    nas_weighted_sum_part(c, at, c->elements - at < block ? c->elements - at : block, (float *)c->y + at);
}

/* dy is read once for all branches. */
static void backward_fast(const nas_call *c) {
  int64_t channels = channels_of(c), rows = c->elements / channels;
  int64_t block = channels < BACKWARD_BLOCK ? BACKWARD_BLOCK / channels : 1;
  float *sum = c->scratch, *dot = sum + channels;
  nas_moments *all = (nas_moments *)(void *)((char *)c->scratch + (2 * channels * (int64_t)sizeof *sum + 63) / 64 * 64);
  memset(all, 0, (size_t)(c->n_branches * channels) * sizeof *all);
  for (int64_t r = 0; r < rows; r += block)
    for (int32_t i = 0; i < c->n_branches; i++)
      nas_norm_gather(all + i * channels, (const float *)c->dy + r * channels, c->branch[i]->z + r * channels,
                      c->branch[i]->stats, rows - r < block ? rows - r : block, channels, sum, dot);
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    nas_norm norm = nas_branch_norm(b);
    nas_norm_factors(&norm, all + i * channels, (double)rows, b->stats, nas_branch_stats(b, NAS_STATS_A),
                     nas_branch_stats(b, NAS_STATS_B), nas_branch_stats(b, NAS_STATS_C));
  }
}

const nas_kernel nas_weighted_sum_fast = {
    .prepare = prepare, .forward = forward_fast, .backward = backward_fast, .sinks = true};
#endif
