/* Adam, with weight decay in the gradient (adam, as PyTorch's torch.optim.Adam) or decoupled from it (adamw, as
 * torch.optim.AdamW). Both moments are corrected for their start at zero, and epsilon is added after the correction. */
#include <math.h>

#include "train/optimisers/optimiser.h"

/* What is the same for all numbers of a step. */
typedef struct factors {
  float keep, decay, beta1, beta2, rest1, rest2, rate, correction, epsilon, scale;
} factors;

NAS_OPTIMISER_CLONES
static void update(float *restrict p, const float *restrict grad, float *restrict m, float *restrict v, int64_t n,
                   factors f) {
  for (int64_t i = 0; i < n; i++) {
    float g = grad[i] * f.scale + f.decay * p[i];
    m[i] = f.beta1 * m[i] + f.rest1 * g;
    v[i] = f.beta2 * v[i] + f.rest2 * g * g;
    p[i] = f.keep * p[i] - f.rate * m[i] / (sqrtf(v[i]) / f.correction + f.epsilon);
  }
}

static void step_with(const nas_optimiser_args *a, double keep, double decay, float *params, const float *grads,
                      float *const *state, int64_t n) {
  double bias1 = 1 - pow(a->beta1, (double)a->step), bias2 = 1 - pow(a->beta2, (double)a->step);
  factors f = {.keep = (float)keep,
               .decay = (float)decay,
               .beta1 = (float)a->beta1,
               .beta2 = (float)a->beta2,
               .rest1 = (float)(1 - a->beta1),
               .rest2 = (float)(1 - a->beta2),
               .rate = (float)(a->lr / bias1),
               .correction = (float)sqrt(bias2),
               .epsilon = (float)a->epsilon,
               .scale = (float)a->scale};
  update(params, grads, state[0], state[1], n, f);
}

static void step_adamw(const nas_optimiser_args *a, float *params, const float *grads, float *const *state, int64_t n) {
  step_with(a, 1 - a->lr * a->weight_decay, 0, params, grads, state, n);
}

static void step_adam(const nas_optimiser_args *a, float *params, const float *grads, float *const *state, int64_t n) {
  step_with(a, 1, a->weight_decay, params, grads, state, n);
}

static const char *const uses[] = {"beta1", "beta2", "epsilon", NULL};

extern const nas_optimiser_type nas_optimiser_type_adamw;
const nas_optimiser_type nas_optimiser_type_adamw = {
    .name = "adamw",
    .version = 1,
    .summary = "Adam with decoupled weight decay",
    .citation = "Loshchilov and Hutter, \"Decoupled weight decay regularization\", ICLR 2019",
    .states = 2,
    .uses = uses,
    .step = step_adamw,
};

extern const nas_optimiser_type nas_optimiser_type_adam;
const nas_optimiser_type nas_optimiser_type_adam = {
    .name = "adam",
    .version = 1,
    .summary = "Adam with weight decay in the gradient",
    .citation = "Kingma and Ba, \"Adam: a method for stochastic optimization\", ICLR 2015",
    .states = 2,
    .uses = uses,
    .step = step_adam,
};
