#ifdef REAL
/* Loss of one image; adds to *correct. The gradient holds the exponentials until their sum is known: they take most of
 * the time. */
static double FN(image)(const REAL *logits, int32_t label, int32_t classes, double smoothing, double share,
                        REAL *gradient, int32_t *correct) {
  int32_t best = 0;
  for (int32_t k = 1; k < classes; k++)
    if (logits[k] > logits[best]) best = k;
  double most = (double)logits[best], sum = 0, total = 0;
  for (int32_t k = 0; k < classes; k++) {
    double power = exp((double)logits[k] - most);
    sum += power;
    if (gradient) gradient[k] = (REAL)power;
  }
  double log_sum = most + log(sum), even = smoothing / classes;
  for (int32_t k = 0; k < classes; k++) {
    double log_p = (double)logits[k] - log_sum, target = even + (k == label ? 1 - smoothing : 0);
    if (target != 0) total -= target * log_p;
    if (gradient) gradient[k] = (REAL)(share * ((double)gradient[k] / sum - target));
  }
  *correct += best == label;
  return total;
}

static nas_loss FN(batch)(const REAL *logits, const int32_t *labels, int32_t batch, int32_t classes, double smoothing,
                          REAL *gradient) {
  nas_loss loss = {0, 0};
  for (int32_t n = 0; n < batch; n++) {
    int64_t at = (int64_t)n * classes;
    loss.loss += FN(image)(logits + at, labels[n], classes, smoothing, 1.0 / batch, gradient ? gradient + at : NULL,
                           &loss.correct);
  }
  loss.loss /= batch;
  return loss;
}
#else
#include "train/loss.h"

#include <math.h>
#define NAS_TEMPLATE "train/loss.c"
#include "train/op_template.h"

nas_loss nas_softmax_cross_entropy(nas_dtype dtype, const void *logits, const int32_t *labels, int32_t batch,
                                   int32_t classes, double smoothing, void *gradient) {
  return dtype == NAS_F64 ? batch_f64(logits, labels, batch, classes, smoothing, gradient)
                          : batch_f32(logits, labels, batch, classes, smoothing, gradient);
}

double nas_squared_error(const float *outputs, const float *targets, int64_t n, float *gradient) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    double off = (double)outputs[i] - (double)targets[i];
    sum += off * off;
    if (gradient) gradient[i] = (float)(2 * off / (double)n);
  }
  return sum / (double)n;
}
#endif
