#include <string.h>

#include "train/data/dataset.h"

#define NAS_DATASET(variable) extern const nas_dataset_type variable;
#include "train/data/datasets.def"
#undef NAS_DATASET

static const nas_dataset_type *const types[] = {
#define NAS_DATASET(variable) &variable,
#include "train/data/datasets.def"
#undef NAS_DATASET
    NULL};

const nas_dataset_type *const *nas_dataset_types(void) { return types; }

nas_status nas_dataset_find(const char *name, const nas_dataset_type **out, nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  size_t n = strncmp(name, "function:", 9) == 0 ? 8 : strlen(name);
  for (const nas_dataset_type *const *t = types; *t; t++) {
    if (strlen((*t)->name) == n && strncmp((*t)->name, name, n) == 0) {
      *out = *t;
      return NAS_OK;
    }
    nas_guess_add(&guess, (*t)->name);
  }
  *out = NULL;
  return nas_fail(err, NAS_E_UNKNOWN_NAME, NULL, "no data set '%s'%s (see `nascent dataset list`)", name,
                  nas_guess_text(&guess));
}
