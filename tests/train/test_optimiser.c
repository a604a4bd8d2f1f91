#include "train/optimisers/optimiser.h"

#include <math.h>
#include <string.h>

#include "harness.h"

enum { COUNT = 5, STEPS = 5 };

/* Parameters after each step of the same rule in PyTorch: see reference/optimisers.py. */
static const struct row {
  const char *name;
  int nesterov;
  double momentum, decay, beta1, beta2, epsilon, clip;
  double params[STEPS][COUNT];
} rows[] = {
#include "reference/optimisers.inc"
};

static const double rates[STEPS] = {0.1, 0.1, 0.05, 0.2, 0.01};
static float start_value(int i) { return (float)(i - 2) * 0.5f; }
static float gradient(int step, int i) { return (float)((7 * step + 3 * i) % 11 - 5) / 8; }

static nas_optimiser_args args_of(const struct row *r, int step, const float *grads) {
  double norm = nas_optimiser_norm(grads, COUNT), scale = 1;
  if (r->clip > 0 && norm > r->clip) scale = r->clip / (norm + 1e-6);
  return (nas_optimiser_args){.lr = rates[step],
                              .momentum = r->momentum,
                              .weight_decay = r->decay,
                              .beta1 = r->beta1,
                              .beta2 = r->beta2,
                              .epsilon = r->epsilon,
                              .nesterov = r->nesterov != 0,
                              .scale = scale,
                              .step = step + 1};
}

static void equals_pytorch_step_by_step(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    const nas_optimiser_type *type;
    assert_ok(nas_optimiser_find(rows[k].name, &type, nas_test_err()));
    float params[COUNT], grads[COUNT], memory[NAS_OPTIMISER_STATES_MAX * COUNT] = {0};
    for (int i = 0; i < COUNT; i++) params[i] = start_value(i);
    const nas_optimiser_run whole = {0, COUNT, true};
    for (int s = 0; s < STEPS; s++) {
      for (int i = 0; i < COUNT; i++) grads[i] = gradient(s, i);
      nas_optimiser_args args = args_of(&rows[k], s, grads);
      nas_optimiser_step(type, &args, &whole, 1, params, grads, memory, COUNT);
      for (int i = 0; i < COUNT; i++) assert_close(params[i], rows[k].params[s][i], 1e-6);
    }
  }
}

/* 1037 numbers cross every vector width and leave a tail; every number must go the way it goes alone. */
static void treats_every_number_alike(void **state) {
  (void)state;
  enum { N = 1037 };
  static float params[N], grads[N], memory[NAS_OPTIMISER_STATES_MAX * N];
  for (const nas_optimiser_type *const *t = nas_optimiser_types(); *t; t++) {
    nas_optimiser_args args = {.lr = 0.03,
                               .momentum = 0.9,
                               .weight_decay = 0.01,
                               .beta1 = 0.9,
                               .beta2 = 0.99,
                               .epsilon = 1e-6,
                               .nesterov = true,
                               .scale = 0.7,
                               .step = 1};
    memset(memory, 0, sizeof memory);
    for (int i = 0; i < N; i++) params[i] = sinf((float)i);
    float alone[N], own[N][NAS_OPTIMISER_STATES_MAX];
    memcpy(alone, params, sizeof alone);
    memset(own, 0, sizeof own);
    const nas_optimiser_run whole = {0, N, true};
    for (int s = 1; s <= 3; s++) {
      args.step = s;
      for (int i = 0; i < N; i++) grads[i] = cosf((float)(i * s));
      nas_optimiser_step(*t, &args, &whole, 1, params, grads, memory, N);
      for (int i = 0; i < N; i++) {
        float *parts[NAS_OPTIMISER_STATES_MAX] = {&own[i][0], &own[i][1]};
        (*t)->step(&args, &alone[i], &grads[i], parts, 1);
      }
      assert_memory_equal(params, alone, sizeof alone);
    }
  }
}

static void spares_runs_without_decay(void **state) {
  (void)state;
  for (const nas_optimiser_type *const *t = nas_optimiser_types(); *t; t++) {
    nas_optimiser_args args = {.lr = 0.1,
                               .momentum = 0.9,
                               .weight_decay = 0.5,
                               .beta1 = 0.9,
                               .beta2 = 0.99,
                               .epsilon = 1e-6,
                               .scale = 1,
                               .step = 1};
    float params[4] = {1, 1, 1, 1}, grads[4] = {0}, memory[4 * NAS_OPTIMISER_STATES_MAX] = {0};
    const nas_optimiser_run runs[2] = {{0, 1, true}, {1, 3, false}};
    nas_optimiser_step(*t, &args, runs, 2, params, grads, memory, 4);
    /* 1 - 0.1 * 0.5, or the rate itself, since Adam's first step does not look at the size of the gradient. */
    assert_close(params[0], strcmp((*t)->name, "adam") == 0 ? 0.9 : 0.95, 1e-6);
    for (int i = 1; i < 4; i++) assert_true(params[i] == 1);
  }
}

static void norm_is_the_euclidean_one(void **state) {
  (void)state;
  enum { N = 27 };
  float grads[N];
  double square = 0;
  for (int i = 0; i < N; i++) {
    grads[i] = (float)(i - 9);
    square += (i - 9) * (i - 9);
  }
  assert_close(nas_optimiser_norm(grads, N), sqrt(square), 1e-15);
  assert_true(nas_optimiser_norm(grads, 0) == 0);
  grads[3] = (float)INFINITY;
  assert_true(isinf(nas_optimiser_norm(grads, N)));
}

static void unknown_name_gets_a_guess(void **state) {
  (void)state;
  const nas_optimiser_type *type;
  assert_fails(nas_optimiser_find("adamm", &type, nas_test_err()), NAS_E_UNKNOWN_NAME, "did you mean 'adamw'");
}

static void registry_entries_are_complete(void **state) {
  (void)state;
  for (const nas_optimiser_type *const *t = nas_optimiser_types(); *t; t++) {
    assert_true((*t)->name && (*t)->summary && (*t)->citation && (*t)->uses && (*t)->step && (*t)->version > 0);
    assert_in_range((*t)->states, 0, NAS_OPTIMISER_STATES_MAX);
  }
}

NAS_SUITE(Optimiser, NAS_CASE(equals_pytorch_step_by_step), NAS_CASE(treats_every_number_alike),
          NAS_CASE(spares_runs_without_decay), NAS_CASE(norm_is_the_euclidean_one), NAS_CASE(unknown_name_gets_a_guess),
          NAS_CASE(registry_entries_are_complete))
