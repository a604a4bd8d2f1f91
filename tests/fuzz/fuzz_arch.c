/* The architecture grammar: whatever is accepted must survive format and parse, and name itself the same way by its
 * index; whatever is refused must say where. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "space/space.h"
#include "train/neuron.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds) {
  if (!holds) abort();
}

static void round_trip(const nas_space *space, const nas_arch *arch, nas_err *err) {
  char text[NAS_ARCH_TEXT_MAX], again[NAS_ARCH_TEXT_MAX];
  nas_arch back;
  uint64_t index;
  must(nas_space_format(space, arch, text, err) == NAS_OK);
  must(nas_space_parse(space, text, &back, err) == NAS_OK);
  must(nas_arch_same(arch, &back));
  must(nas_space_format(space, &back, again, err) == NAS_OK);
  must(strcmp(text, again) == 0);
  must(nas_space_canonical(space, arch, again, err) == NAS_OK);
  if (!nas_space_index(space, arch, &index)) return;
  must(nas_space_at(space, index, &back, err) == NAS_OK);
  must(nas_arch_same(arch, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  nas_neurons_introduce();
  char *text = malloc(n + 1);
  if (!text) return 0;
  memcpy(text, bytes, n);
  text[n] = '\0';
  for (const nas_space_type *const *type = nas_space_types(); *type; type++) {
    nas_space *space;
    nas_err err = {0};
    nas_arch arch;
    must(nas_space_open((*type)->name, NULL, &space, &err) == NAS_OK);
    nas_status status = nas_space_parse(space, text, &arch, &err);
    if (status == NAS_OK) round_trip(space, &arch, &err);
    else must(err.code == status && strncmp(err.where, "arch", 4) == 0 && err.msg[0]);
    nas_space_close(space);
  }
  free(text);
  return 0;
}
