#ifndef NAS_TRAIN_WEIGHTED_SUM_H
#define NAS_TRAIN_WEIGHTED_SUM_H
/* y = plus + sum of factor[i] x[i] + sum of the normalised branches: what the planner puts in for skip connections, for
 * gradients that meet, and in training for the nodes of a cell. Only the fast one knows branches (branch.h). */
#include "train/op.h"

extern const nas_kernel nas_weighted_sum_f32, nas_weighted_sum_f64, nas_weighted_sum_fast;
#endif
