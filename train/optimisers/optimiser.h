#ifndef NAS_TRAIN_OPTIMISERS_OPTIMISER_H
#define NAS_TRAIN_OPTIMISERS_OPTIMISER_H
/* Optimisers: rules that change parameters by their gradients. One file and one line in optimisers.def each. A rule
 * works on flat arrays in one pass and treats every number alike, so that it may be called on any part of them. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { NAS_OPTIMISER_STATES_MAX = 2 };

/* The hyper-parameters of one step. */
typedef struct nas_optimiser_args {
  double lr, momentum, weight_decay, beta1, beta2, epsilon;
  bool nesterov;
  double scale; /* gradients are multiplied by this first; 1 unless the gradient norm was clipped */
  int64_t step; /* 1 for the first */
} nas_optimiser_args;

typedef struct nas_optimiser_type {
  const char *name;
  int version;
  const char *summary, *citation;
  int states;              /* floats kept per parameter, at most NAS_OPTIMISER_STATES_MAX; zero before the first step */
  const char *const *uses; /* recipe options that only some optimisers read and this one does; ends with NULL */
  /* state[k] is the k-th array of n floats; no two arrays overlap. */
  void (*step)(const nas_optimiser_args *args, float *params, const float *grads, float *const *state, int64_t n);
} nas_optimiser_type;

/* The registry: NULL-terminated. */
const nas_optimiser_type *const *nas_optimiser_types(void);
/* UNKNOWN_NAME with the nearest name when absent. */
nas_status nas_optimiser_find(const char *name, const nas_optimiser_type **out, nas_err *err);

/* A stretch of the flat arrays whose numbers decay or do not. */
typedef struct nas_optimiser_run {
  int64_t offset, count;
  bool decay; /* false: weight_decay counts as zero here */
} nas_optimiser_run;

/* One step on all runs. `state` holds type->states arrays of `n` floats one after the other, `n` the length of the
 * parameter array. */
void nas_optimiser_step(const nas_optimiser_type *type, const nas_optimiser_args *args, const nas_optimiser_run *runs,
                        size_t n_runs, float *params, const float *grads, float *state, int64_t n);

/* Euclidean norm, summed in double in a fixed order. */
double nas_optimiser_norm(const float *grads, int64_t n);

/* Compiles a loop for several x86-64 levels and picks one at load time. The arithmetic is the same on each of them
 * (no contraction, element by element), so are the bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define NAS_OPTIMISER_CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define NAS_OPTIMISER_CLONES
#endif
#endif
