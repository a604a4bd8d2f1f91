#include "evaluators/evaluator.h"

#include <string.h>

#define NAS_EVALUATOR(name) extern const nas_evaluator_type nas_evaluator_type_##name;
#include "evaluators/evaluators.def"
#undef NAS_EVALUATOR

static const nas_evaluator_type *const types[] = {
#define NAS_EVALUATOR(name) &nas_evaluator_type_##name,
#include "evaluators/evaluators.def"
#undef NAS_EVALUATOR
    NULL};

const nas_evaluator_type *const *nas_evaluator_types(void) { return types; }

nas_status nas_evaluator_find(const char *name, const nas_evaluator_type **out, nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  for (const nas_evaluator_type *const *t = types; *t; t++) {
    if (strcmp((*t)->name, name) == 0) {
      *out = *t;
      return NAS_OK;
    }
    nas_guess_add(&guess, (*t)->name);
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, "evaluator", "no evaluator is called '%s'%s (`evaluator list` shows all)",
                  name, nas_guess_text(&guess));
}
