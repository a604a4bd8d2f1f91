#include "jobs/setup.h"

#include <stdlib.h>

nas_status nas_setup_open(nas_setup *s, const nas_campaign *c, nas_err *err) {
  char owner[96];
  NAS_TRY(nas_space_open(c->space, &c->space_settings, &s->space, err));
  NAS_TRY(nas_recipe_open(c->recipe, &c->recipe_settings, &s->recipe, err));
  NAS_TRY(nas_evaluator_find(c->evaluator, &s->evaluator, err));
  s->evaluator_options = calloc(1, s->evaluator->options_size + 1);
  if (!s->evaluator_options) return nas_fail_memory(err, "an evaluator");
  nas_text_put(owner, sizeof owner, "evaluator %s", c->evaluator);
  NAS_TRY(nas_options_fill(s->evaluator->options, s->evaluator_options, owner, &c->evaluator_settings, err));
  return nas_dataset_open(c->dataset, &c->dataset_settings, c->data_dir[0] ? c->data_dir : NULL, &s->data, err);
}

void nas_setup_close(nas_setup *s) {
  if (s->data) nas_dataset_close(s->data);
  if (s->space) nas_space_close(s->space);
  free(s->evaluator_options);
  *s = (nas_setup){0};
}
