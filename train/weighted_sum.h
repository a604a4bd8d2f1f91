#ifndef NAS_TRAIN_WEIGHTED_SUM_H
#define NAS_TRAIN_WEIGHTED_SUM_H
/* y = plus + sum of factor[i] x[i] + sum of the normalised branches: what the planner puts in for skip connections, for
 * gradients that meet, and in training for the nodes of a cell. Only the fast one knows branches (branch.h). */
#include "train/op.h"

/* Numbers first .. first + n - 1 of a sum without folded branches (whole pixels) into to[0..n). */
void nas_weighted_sum_part(const nas_call *c, int64_t first, int64_t n, float *to);

extern const nas_kernel nas_weighted_sum_f32, nas_weighted_sum_f64, nas_weighted_sum_fast;
#endif
