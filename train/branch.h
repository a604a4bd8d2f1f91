#ifndef NAS_TRAIN_BRANCH_H
#define NAS_TRAIN_BRANCH_H
/* A branch is one [ReLU] -> convolution -> batch norm on its way into a sum, in f32 training. The convolution runs with
 * the others that read the same value (conv_fan.h) and leaves z and its statistics; whatever sums the branch
 * (weighted_sum.h) applies the norm while adding. Backward, the sum leaves the factors of dz = a dy + b (z - mean) + c
 * and the fan forms dz a few images at a time, so neither the normalised value nor dz is ever written as a whole. A
 * folded branch (folded.h) has no z either. */
#include "train/kernels/numbers.h"
#include "train/norm.h"
#include "train/op.h"

typedef struct nas_branch {
  nas_site site;  /* of the convolution */
  void *param[6]; /* in the slots below */
  void *grad[6];
  void *z;                                   /* the convolution's output [N,H,W,C], in f32 or, where `half`, in bf16 */
  float *stats;                              /* NAS_BRANCH_STATS numbers per channel */
  const float *dy;                           /* the gradient of the sum */
  double factor;                             /* by which the sum takes it */
  int32_t z_buffer, stats_buffer, dy_buffer; /* of the plan */
  /* Of a folded branch: its fan's input, whether a ReLU follows that, and what the fan finds out about it. */
  bool folded, relu, half;
  const float *x;
  float *gram;
  int32_t x_buffer, gram_buffer;
} nas_branch;

/* Slots of param and grad. */
enum { NAS_EDGE_WEIGHT, NAS_EDGE_BIAS, NAS_EDGE_GAMMA, NAS_EDGE_BETA, NAS_EDGE_MEAN, NAS_EDGE_VAR };

/* Parts of stats, `channels` numbers each: mean and 1/deviation, y = scale z + shift, and the factors of dz. */
enum {
  NAS_STATS_MEAN,
  NAS_STATS_INVERSE,
  NAS_STATS_SCALE,
  NAS_STATS_SHIFT,
  NAS_STATS_A,
  NAS_STATS_B,
  NAS_STATS_C,
  NAS_BRANCH_STATS
};

static inline float *nas_branch_stats(const nas_branch *b, int part) { return b->stats + part * b->site.out.c; }
/* z from number `at` on. */
static inline nas_numbers nas_branch_z(const nas_branch *b, int64_t at) {
  return nas_numbers_from((nas_numbers){b->z, b->half}, at);
}
nas_norm nas_branch_norm(const nas_branch *b);
#endif
