#ifndef NAS_TRAIN_BATCH_NORM_H
#define NAS_TRAIN_BATCH_NORM_H
/* The constants of PyTorch's defaults. */
#define NAS_NORM_EPSILON  1e-5
#define NAS_NORM_MOMENTUM 0.1 /* running = (1 - momentum) running + momentum batch; the variance is unbiased */
#endif
