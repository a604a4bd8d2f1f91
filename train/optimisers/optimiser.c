#include "train/optimisers/optimiser.h"

#include <math.h>
#include <string.h>

#include "base/str.h"

#define NAS_OPTIMISER(name) extern const nas_optimiser_type nas_optimiser_type_##name;
#include "train/optimisers/optimisers.def"
#undef NAS_OPTIMISER

static const nas_optimiser_type *const types[] = {
#define NAS_OPTIMISER(name) &nas_optimiser_type_##name,
#include "train/optimisers/optimisers.def"
#undef NAS_OPTIMISER
    NULL};

const nas_optimiser_type *const *nas_optimiser_types(void) { return types; }

nas_status nas_optimiser_find(const char *name, const nas_optimiser_type **out, nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  for (const nas_optimiser_type *const *t = types; *t; t++) {
    if (strcmp((*t)->name, name) == 0) {
      *out = *t;
      return NAS_OK;
    }
    nas_guess_add(&guess, (*t)->name);
  }
  nas_str known = {0};
  for (const nas_optimiser_type *const *t = types; *t; t++)
    nas_str_fmt(&known, "%s%s", t == types ? "" : ", ", (*t)->name);
  nas_status status = nas_fail(err, NAS_E_UNKNOWN_NAME, "optimiser", "no optimiser is called '%s'%s (known: %s)", name,
                               nas_guess_text(&guess), nas_str_text(&known));
  nas_str_free(&known);
  return status;
}

void nas_optimiser_step(const nas_optimiser_type *type, const nas_optimiser_args *args, const nas_optimiser_run *runs,
                        size_t n_runs, float *params, const float *grads, float *state, int64_t n) {
  for (size_t i = 0; i < n_runs; i++) {
    nas_optimiser_args own = *args;
    if (!runs[i].decay) own.weight_decay = 0;
    int64_t from = runs[i].offset;
    float *parts[NAS_OPTIMISER_STATES_MAX] = {0};
    for (int k = 0; k < type->states; k++) parts[k] = state + k * n + from;
    type->step(&own, params + from, grads + from, parts, runs[i].count);
  }
}

double nas_optimiser_norm(const float *grads, int64_t n) {
  /* Independent partial sums, so that the loop can be vectorised without changing the order of additions. */
  enum { LANES = 8 };
  double sums[LANES] = {0}, total = 0;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++) sums[k] += (double)grads[i + k] * (double)grads[i + k];
  for (; i < n; i++) total += (double)grads[i] * (double)grads[i];
  for (int k = 0; k < LANES; k++) total += sums[k];
  return sqrt(total);
}
