#ifndef NAS_TRAIN_WEIGHTED_SUM_H
#define NAS_TRAIN_WEIGHTED_SUM_H
/* y = plus + sum of factor[i] x[i]: what the planner puts in for skip connections and gradients that meet. */
#include "train/op.h"

extern const nas_kernel nas_weighted_sum_f32, nas_weighted_sum_f64, nas_weighted_sum_fast;
#endif
