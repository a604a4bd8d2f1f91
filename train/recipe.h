#ifndef NAS_TRAIN_RECIPE_H
#define NAS_TRAIN_RECIPE_H
/* A recipe is every hyper-parameter of training. A named recipe is a set of defaults over one option table; its
 * canonical text (nas_recipe_record) is stored with each trial and its digest identifies it.
 *
 * Some options act only with some choice of another: `momentum` and `nesterov` with optimiser sgd, `beta1`, `beta2` and
 * `epsilon` with adam and adamw, `lr-min` with schedule cosine, `step-epochs` and `step-factor` with schedule step. To
 * set one where it has no effect is an error, and the canonical text leaves it out. */
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/options.h"

typedef struct nas_recipe {
  char name[32];
  int64_t epochs, batch, eval_batch;
  char optimiser[16]; /* name in optimisers.def */
  double lr, momentum, weight_decay, beta1, beta2, epsilon;
  bool nesterov;
  char schedule[16];    /* constant | cosine (per epoch, lr-min would follow the last epoch) | step */
  double warmup_epochs; /* linear from 0, per step; the schedule starts after it */
  double lr_min;
  int64_t step_epochs; /* schedule step: every so many epochs ... */
  double step_factor;  /* ... times this */
  bool flip;
  int64_t crop;           /* pixels of padding before the random crop; 0 = none */
  double label_smoothing; /* share of the target spread over all classes; in training only */
  char precision[8]; /* f32 | bf16: what convolutions multiply where that is faster; sums, weights and evaluation are
                        f32 */
  double clip;       /* largest gradient norm; 0 = no clipping */
  char loss[16];     /* auto: cross-entropy for classes, squared for real targets; cross-entropy; squared (for
                        classes: of the distance to 1 for the right class and 0 for the others) */
} nas_recipe;

/* A recipe type: a name and settings over the common table. */
typedef struct nas_recipe_type {
  const char *name;
  int version;
  const char *summary, *citation;
  const char *settings; /* "epochs=12\nbatch=256\n" */
} nas_recipe_type;

const nas_recipe_type *const *nas_recipe_types(void);
/* UNKNOWN_NAME with the nearest name when absent. */
nas_status nas_recipe_find(const char *name, const nas_recipe_type **out, nas_err *err);
const nas_option *nas_recipe_options(void);
/* The named recipe with overrides (settings may be NULL). A record of nas_recipe_record is a valid set of overrides to
 * the recipe it was made from, and gives it back. */
nas_status nas_recipe_open(const char *name, const nas_settings *settings, nas_recipe *out, nas_err *err);
/* Canonical "key=value\n" text of every option that has an effect, without the name, and its SHA-256 (either of `out`
 * and `digest` may be NULL). */
nas_status nas_recipe_record(const nas_recipe *r, nas_str *out, char digest[NAS_DIGEST_SIZE], nas_err *err);

/* Learning rate of step `step` (from 0) of `steps` in epoch `epoch` (from 0). */
double nas_recipe_lr(const nas_recipe *r, int64_t epoch, int64_t step, int64_t steps);
#endif
