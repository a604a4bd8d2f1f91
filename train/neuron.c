#include "train/neuron.h"

#include <stdlib.h>
#include <string.h>

#define NAS_NEURON_LINE(name) extern const nas_neuron_type nas_neuron_##name;
#include "train/neurons.def"
#undef NAS_NEURON_LINE

static const nas_neuron_type *const all[] = {
#define NAS_NEURON_LINE(name) &nas_neuron_##name,
#include "train/neurons.def"
#undef NAS_NEURON_LINE
    NULL};

const nas_neuron_type *const *nas_neurons(void) { return all; }

const nas_neuron_type *nas_neuron_find(const char *name) {
  for (const nas_neuron_type *const *type = all; *type; type++)
    if (!strcmp((*type)->name, name)) return *type;
  return NULL;
}

static nas_status build_with(const nas_neuron_type *type, nas_graph *g, nas_value input, const nas_attrs *attrs,
                             const char *label, void *values, const nas_settings *settings, nas_value *value,
                             nas_err *err) {
  if (!type->options && settings->n)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "neuron %s has no options, but '%s' is given", type->name,
                    settings->rows[0].key);
  if (type->options) NAS_TRY(nas_options_fill(type->options, values, type->name, settings, err));
  return type->build(g, input, attrs->out, values, label, value, err);
}

nas_status nas_neuron_build(const nas_neuron_type *type, nas_graph *g, nas_value input, const nas_attrs *attrs,
                            const char *label, nas_value *value, nas_err *err) {
  *value = NAS_NO_VALUE;
  if (attrs->out < 1) return nas_fail(err, NAS_E_BAD_INPUT, label, "%d neurons; a layer needs at least 1", attrs->out);
  nas_settings settings = {0};
  void *values = calloc(1, type->options_size ? type->options_size : 1);
  nas_status status =
      values ? nas_settings_parse(&settings, attrs->options, label, err) : nas_fail_memory(err, "options");
  if (status == NAS_OK) status = build_with(type, g, input, attrs, label, values, &settings, value, err);
  nas_settings_free(&settings);
  free(values);
  return status;
}
