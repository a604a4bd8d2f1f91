#ifndef NAS_JOBS_SETUP_H
#define NAS_JOBS_SETUP_H
/* Everything that a campaign names, opened: what a trial process needs to evaluate and the coordinator to record. */
#include "evaluators/evaluator.h"
#include "jobs/campaign.h"

typedef struct nas_setup {
  nas_space *space;
  nas_dataset *data;
  nas_recipe recipe;
  const nas_evaluator_type *evaluator;
  void *evaluator_options;
} nas_setup;

/* Start from {0}; close in any case. */
nas_status nas_setup_open(nas_setup *s, const nas_campaign *c, nas_err *err);
void nas_setup_close(nas_setup *s);
#endif
