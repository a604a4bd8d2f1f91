#include <string.h>

#include "space/space.h"

#define NAS_SPACE(name) extern const nas_space_type nas_space_type_##name;
#include "space/spaces.def"
#undef NAS_SPACE

static const nas_space_type *const types[] = {
#define NAS_SPACE(name) &nas_space_type_##name,
#include "space/spaces.def"
#undef NAS_SPACE
    NULL};

const nas_space_type *const *nas_space_types(void) { return types; }

nas_status nas_space_find(const char *name, const nas_space_type **out, nas_err *err) {
  if (strncmp(name, "declared:", 9) == 0) name = "declared";
  nas_guess guess = nas_guess_for(name);
  for (const nas_space_type *const *t = types; *t; t++) {
    if (strcmp((*t)->name, name) == 0) {
      *out = *t;
      return NAS_OK;
    }
    nas_guess_add(&guess, (*t)->name);
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, "space", "no space is called '%s'%s (`space list` shows all)", name,
                  nas_guess_text(&guess));
}
