/* The texts that name networks. Architectures: whatever is accepted must survive format and parse, and name itself the
 * same way by its index. Neuron types with options, lists of them as a space's operations, and functions with ranges:
 * whatever is refused must say where. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "space/neuron_edge.h"
#include "space/space.h"
#include "train/data/dataset.h"
#include "train/neuron.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds) {
  if (!holds) abort();
}

/* The i-th type's space with its defaults, opened once: a table of classes takes its time. */
static const nas_space *space_of(int i) {
  static nas_space *open[16];
  nas_err err = {0};
  must(i < 16);
  if (!open[i]) must(nas_space_open(nas_space_types()[i]->name, NULL, &open[i], &err) == NAS_OK);
  return open[i];
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

static void neuron_word(const char *text) {
  nas_neuron_word word;
  nas_err err = {0};
  nas_status status = nas_neuron_word_read(text, "operations", NULL, &word, &err);
  must(status == NAS_OK ? word.type != NULL : err.code == status && err.where[0] && err.msg[0]);
}

/* A space of two operations and the text's; few, so that its table of classes is small. A cell of the last of them must
 * read as it is written. */
static void operations(const char *text) {
  int commas = 0;
  for (const char *c = text; *c; c++) commas += *c == ',';
  if (commas > 2) return;
  nas_settings settings = {0};
  nas_space *space = NULL;
  nas_err err = {0};
  nas_str lines = {0};
  nas_str_fmt(&lines, "operations=none,linear,%s\n", text);
  nas_status status = nas_settings_parse(&settings, nas_str_text(&lines), "fuzz", &err);
  if (status == NAS_OK) status = nas_space_open("neuron-cell", &settings, &space, &err);
  must(status == NAS_OK || (err.where[0] && err.msg[0]));
  if (status == NAS_OK) {
    nas_arch last;
    must(nas_space_at(space, nas_space_size(space) - 1, &last, &err) == NAS_OK);
    round_trip(space, &last, &err);
  }
  nas_space_close(space);
  nas_settings_free(&settings);
  nas_str_free(&lines);
}

/* "EXPRESSION\nRANGES" */
static void function(const char *text) {
  nas_settings settings = {0};
  nas_dataset *data = NULL;
  nas_err err = {0};
  nas_str name = {0}, lines = {0};
  size_t first = strcspn(text, "\n");
  nas_str_fmt(&name, "function:%.*s", (int)first, text);
  nas_str_fmt(&lines, "samples=6\ntrain-images=2\nvalid-images=2\nranges=%s\n",
              text[first] ? text + first + 1 : "-1..1");
  nas_status status = nas_settings_parse(&settings, nas_str_text(&lines), "fuzz", &err);
  if (status == NAS_OK) status = nas_dataset_open(nas_str_text(&name), &settings, NULL, &data, &err);
  must(status == NAS_OK ? data->task.input.c >= 1 : err.where[0] && err.msg[0]);
  nas_dataset_close(data);
  nas_settings_free(&settings);
  nas_str_free(&name);
  nas_str_free(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  nas_neurons_introduce();
  char *text = malloc(n + 1);
  if (!text) return 0;
  memcpy(text, bytes, n);
  text[n] = '\0';
  for (int i = 0; nas_space_types()[i]; i++) {
    const nas_space *space = space_of(i);
    nas_err err = {0};
    nas_arch arch;
    nas_status status = nas_space_parse(space, text, &arch, &err);
    if (status == NAS_OK) round_trip(space, &arch, &err);
    else must(err.code == status && strncmp(err.where, "arch", 4) == 0 && err.msg[0]);
  }
  neuron_word(text);
  if (n < 200) operations(text);
  if (n < 200) function(text);
  free(text);
  return 0;
}
