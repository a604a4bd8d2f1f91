#ifndef NAS_EVALUATORS_EVALUATOR_H
#define NAS_EVALUATORS_EVALUATOR_H
/* Evaluators score an architecture. One file and one line in evaluators.def each. */
#include <signal.h>

#include "base/options.h"
#include "base/result.h"
#include "space/space.h"
#include "train/data/dataset.h"
#include "train/recipe.h"

/* What to score and within which limits. All pointers are borrowed. */
typedef struct nas_eval_request {
  const nas_space *space;
  nas_arch arch;
  const nas_dataset *data;
  const nas_recipe *recipe;
  uint64_t seed;
  int32_t epochs;         /* evaluate at this epoch of the recipe's schedule; 0 = at its end */
  int64_t memory_limit;   /* bytes, 0 = none */
  double seconds_limit;   /* 0 = none */
  const char *checkpoint; /* file to go on from and to save to, or NULL; see nas_train_job and checkpoints.h */
  volatile sig_atomic_t *stop;
  void (*on_epoch)(void *arg, const nas_epoch *epoch);
  void (*on_step)(void *arg, int32_t epoch, double share);
  void *arg;
} nas_eval_request;

enum { NAS_DELIVERED_MAX = 8 };

typedef struct nas_evaluator_type {
  const char *name;
  int version;
  const char *summary, *citation;
  const nas_option *options;
  size_t options_size;
  /* options: filled struct. Fills the result; see nas_train for what is a result and what an error. */
  nas_status (*evaluate)(const void *options, const nas_eval_request *request, nas_result *result, nas_err *err);
  bool checkpoints; /* it can go on from request->checkpoint */
  /* Metrics that strategies are told besides accuracy, loss, seconds, params and macs, such as objectives of nsga2;
   * less is better. NULL-terminated, may be NULL; never of test data; at most NAS_DELIVERED_MAX. */
  const char *const *delivers;
} nas_evaluator_type;

const nas_evaluator_type *const *nas_evaluator_types(void);
nas_status nas_evaluator_find(const char *name, const nas_evaluator_type **out, nas_err *err);
#endif
