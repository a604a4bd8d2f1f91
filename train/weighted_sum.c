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
#include "train/folded.h"
#include "train/kernels/kernels.h"
#include "train/scratch.h"
#define NAS_TEMPLATE "train/weighted_sum.c"
#include "train/op_template.h"

/* Numbers of y that stay in the first-level cache while all terms are added, and of dy in the second-level one. */
enum { FORWARD_BLOCK = 4096, FOLDED_BLOCK = 2048, BACKWARD_BLOCK = 32768 };

const nas_kernel nas_weighted_sum_f32 = {.forward = forward_f32, .sinks = true};
const nas_kernel nas_weighted_sum_f64 = {.forward = forward_f64, .sinks = true};

static int64_t channels_of(const nas_call *c) { return c->branch[0]->site.out.c; }

static bool any_folded(const nas_call *c) {
  for (int32_t i = 0; i < c->n_branches; i++)
    if (c->branch[i]->folded) return true;
  return false;
}

/* Whole pixels, sixteen at least, of about `numbers` numbers. */
static int64_t block_of(const nas_call *c, int64_t numbers) {
  int64_t channels = channels_of(c);
  return numbers < 16 * channels ? 16 * channels : numbers / (16 * channels) * 16 * channels;
}

static int64_t forward_block(const nas_call *c) { return block_of(c, any_folded(c) ? FOLDED_BLOCK : FORWARD_BLOCK); }

static nas_status prepare(nas_call *c, nas_err *err) {
  (void)err;
  if (!c->n_branches) return NAS_OK;
  int64_t channels = channels_of(c), norms = nas_align64(2 * channels * (int64_t)sizeof(float)) +
                                             c->n_branches * channels * (int64_t)sizeof(nas_moments);
  int64_t folded = nas_folded_backward_scratch(c, block_of(c, BACKWARD_BLOCK));
  c->backward_scratch = norms > folded ? norms : folded;
  c->forward_scratch = nas_folded_forward_scratch(c, forward_block(c));
  return NAS_OK;
}

/* Values, then branches. Returned is where the sum stands so far: `to`, or, where branches follow, what they are added
 * to while they are stored; NULL when it is nothing yet. A single value is such a sum as it stands. */
static const float *add_values(const nas_call *c, int64_t first, int64_t n, float *to) {
  const float *x[NAS_LAYER_INPUTS_MAX] = {NULL}, *plus = c->plus ? (const float *)c->plus + first : NULL;
  for (int32_t i = 0; i < c->site.n_in; i++) x[i] = (const float *)c->x[i] + first;
  if (!c->site.n_in && c->n_branches) return plus;
  if (c->site.n_in == 1 && c->factor[0] == 1 && !plus && c->n_branches) return x[0];
  nas_kernels()->weighted_sum(to, plus, x, c->factor, c->site.n_in, n);
  return to;
}

static void add_norms(const nas_call *c, int64_t first, int64_t n, float *to, const float *plus) {
  nas_affine of[NAS_AFFINES];
  int count = 0;
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    if (b->folded) continue;
    if (count == NAS_AFFINES || (count && of->x.half != b->half)) {
      nas_kernels()->affine_sum(to, plus, of, count, n / b->site.out.c, b->site.out.c);
      plus = to;
      count = 0;
    }
    of[count++] = (nas_affine){nas_branch_z(b, first), nas_branch_stats(b, NAS_STATS_SCALE),
                               nas_branch_stats(b, NAS_STATS_SHIFT)};
  }
  if (count) nas_kernels()->affine_sum(to, plus, of, count, n / channels_of(c), channels_of(c));
}

void nas_weighted_sum_part(const nas_call *c, int64_t first, int64_t n, float *to) {
  add_norms(c, first, n, to, add_values(c, first, n, to));
}

static void forward_fast(const nas_call *c) {
  int64_t block = c->n_branches ? forward_block(c) : c->elements;
  bool folded = any_folded(c);
  if (folded) nas_folded_begin(c, c->scratch);
  for (int64_t at = 0; at < c->elements; at += block) {
    int64_t n = c->elements - at < block ? c->elements - at : block;
    float *to = (float *)c->y + at;
    const float *plus = add_values(c, at, n, to);
    if (folded) nas_folded_add(c, at, n, to, plus, block, c->scratch), plus = to;
    add_norms(c, at, n, to, plus);
  }
}

/* dy is read once for all branches. */
static void norms_backward(const nas_call *c) {
  int64_t channels = channels_of(c), rows = c->elements / channels;
  int64_t block = channels < BACKWARD_BLOCK ? BACKWARD_BLOCK / channels : 1;
  float *sum = c->scratch, *dot = sum + channels;
  nas_moments *all = (nas_moments *)(void *)((char *)c->scratch + nas_align64(2 * channels * (int64_t)sizeof *sum));
  memset(all, 0, (size_t)(c->n_branches * channels) * sizeof *all);
  for (int64_t r = 0; r < rows; r += block)
    for (int32_t i = 0; i < c->n_branches; i++)
      if (!c->branch[i]->folded)
        nas_norm_gather(all + i * channels, (const float *)c->dy + r * channels,
                        nas_branch_z(c->branch[i], r * channels), c->branch[i]->stats,
                        rows - r < block ? rows - r : block, channels, sum, dot);
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    if (b->folded) continue;
    nas_norm norm = nas_branch_norm(b);
    nas_norm_factors(&norm, all + i * channels, (double)rows, b->stats, nas_branch_stats(b, NAS_STATS_A),
                     nas_branch_stats(b, NAS_STATS_B), nas_branch_stats(b, NAS_STATS_C));
  }
}

static void backward_fast(const nas_call *c) {
  norms_backward(c);
  if (any_folded(c)) nas_folded_backward(c, block_of(c, BACKWARD_BLOCK), c->scratch);
}

const nas_kernel nas_weighted_sum_fast = {
    .prepare = prepare, .forward = forward_fast, .backward = backward_fast, .sinks = true};
#endif
