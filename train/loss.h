#ifndef NAS_TRAIN_LOSS_H
#define NAS_TRAIN_LOSS_H
/* Softmax cross-entropy: the mean over the batch, the right top-1 guesses (ties go to the lower class), and the
 * gradient of the mean by the logits (`gradient` may be NULL). Smoothing s: target = (1 - s) one-hot + s / classes. */
#include "train/graph.h"

nas_loss nas_softmax_cross_entropy(nas_dtype dtype, const void *logits, const int32_t *labels, int32_t batch,
                                   int32_t classes, double smoothing, void *gradient);

/* The mean of (output - target)^2 over n numbers, and its gradient by the outputs (unless NULL). */
double nas_squared_error(const float *outputs, const float *targets, int64_t n, float *gradient);
#endif
