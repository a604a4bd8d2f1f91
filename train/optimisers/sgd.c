/* Stochastic gradient descent with momentum, as PyTorch's torch.optim.SGD with dampening 0: decay is added to the
 * gradient, v <- momentum v + g, and the step is v, or g + momentum v with Nesterov. The velocity starts at zero, which
 * makes the first one the gradient itself. */
#include "train/optimisers/optimiser.h"

NAS_OPTIMISER_CLONES
static void plain(float *restrict p, const float *restrict grad, int64_t n, float lr, float decay, float scale) {
  for (int64_t i = 0; i < n; i++) {
    float g = grad[i] * scale + decay * p[i];
    p[i] -= lr * g;
  }
}

NAS_OPTIMISER_CLONES
static void heavy_ball(float *restrict p, const float *restrict grad, float *restrict v, int64_t n, float lr,
                       float momentum, float decay, float scale) {
  for (int64_t i = 0; i < n; i++) {
    float g = grad[i] * scale + decay * p[i];
    v[i] = momentum * v[i] + g;
    p[i] -= lr * v[i];
  }
}

NAS_OPTIMISER_CLONES
static void nesterov(float *restrict p, const float *restrict grad, float *restrict v, int64_t n, float lr,
                     float momentum, float decay, float scale) {
  for (int64_t i = 0; i < n; i++) {
    float g = grad[i] * scale + decay * p[i];
    v[i] = momentum * v[i] + g;
    p[i] -= lr * (g + momentum * v[i]);
  }
}

static void step(const nas_optimiser_args *a, float *params, const float *grads, float *const *state, int64_t n) {
  float lr = (float)a->lr, momentum = (float)a->momentum, decay = (float)a->weight_decay, scale = (float)a->scale;
  if (a->momentum == 0) plain(params, grads, n, lr, decay, scale);
  else if (a->nesterov) nesterov(params, grads, state[0], n, lr, momentum, decay, scale);
  else heavy_ball(params, grads, state[0], n, lr, momentum, decay, scale);
}

static const char *const uses[] = {"momentum", "nesterov", NULL};

extern const nas_optimiser_type nas_optimiser_type_sgd;
const nas_optimiser_type nas_optimiser_type_sgd = {
    .name = "sgd",
    .version = 1,
    .summary = "stochastic gradient descent with (Nesterov) momentum and weight decay in the gradient",
    .citation = "Sutskever et al., \"On the importance of initialization and momentum in deep learning\", ICML 2013",
    .states = 1,
    .uses = uses,
    .step = step,
};
