#include "train/norm.h"

#include <math.h>

#include "train/kernels/kernels.h"

/* Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances, 1979. */
void nas_norm_merge(nas_moments *all, double seen, const float *shift, const float *sum, const float *square,
                    double rows, int64_t channels) {
  for (int64_t k = 0; k < channels; k++) {
    double mean = (double)shift[k] + (double)sum[k] / rows;
    double part = (double)square[k] - (double)sum[k] * (double)sum[k] / rows, apart = mean - all[k].mean;
    all[k].mean += apart * rows / (seen + rows);
    /* Rounding may leave a constant channel a hair below zero; NaN must stay NaN. */
    all[k].square += (part < 0 ? 0 : part) + apart * apart * seen * rows / (seen + rows);
  }
}

void nas_norm_close(const nas_norm *n, const nas_moments *all, double rows, float *saved, float *scale, float *shift) {
  for (int64_t k = 0; k < n->channels; k++) {
    double var = all[k].square / rows, unbiased = rows > 1 ? all[k].square / (rows - 1) : var;
    double inverse = 1 / sqrt(var + NAS_NORM_EPSILON), factor = inverse * (double)n->gamma[k] * n->factor;
    n->running_mean[k] =
        (float)((1 - NAS_NORM_MOMENTUM) * (double)n->running_mean[k] + NAS_NORM_MOMENTUM * all[k].mean);
    n->running_var[k] = (float)((1 - NAS_NORM_MOMENTUM) * (double)n->running_var[k] + NAS_NORM_MOMENTUM * unbiased);
    saved[k] = (float)all[k].mean;
    saved[n->channels + k] = (float)inverse;
    scale[k] = (float)factor;
    shift[k] = (float)((double)n->beta[k] * n->factor - all[k].mean * factor);
  }
}

void nas_norm_running(const nas_norm *n, float *scale, float *shift) {
  for (int64_t k = 0; k < n->channels; k++) {
    double factor = (double)n->gamma[k] / sqrt((double)n->running_var[k] + NAS_NORM_EPSILON);
    scale[k] = (float)factor;
    shift[k] = (float)((double)n->beta[k] - (double)n->running_mean[k] * factor);
  }
}

void nas_norm_gather(nas_moments *all, const float *dy, nas_numbers x, const float *mean, int64_t rows,
                     int64_t channels, float *sum, float *dot) {
  nas_kernels()->norm_sums(dy, x, mean, rows, channels, sum, dot);
  for (int64_t k = 0; k < channels; k++) all[k].mean += (double)sum[k], all[k].square += (double)dot[k];
}

void nas_norm_factors(const nas_norm *n, const nas_moments *all, double rows, const float *saved, float *a, float *b,
                      float *c) {
  for (int64_t k = 0; k < n->channels; k++) {
    double inverse = (double)saved[n->channels + k], scale = (double)n->gamma[k] * inverse * n->factor;
    n->dbeta[k] = (float)(all[k].mean * n->factor);
    n->dgamma[k] = (float)(all[k].square * inverse * n->factor);
    a[k] = (float)scale;
    b[k] = (float)(-scale * inverse * inverse * all[k].square / rows);
    c[k] = (float)(-scale * all[k].mean / rows);
  }
}
