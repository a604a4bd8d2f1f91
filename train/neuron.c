#include "train/neuron.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "train/expression.h"

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

/* The convolutional form of a type that knows pixels only. */
static nas_status build_on_patches(const nas_neuron_type *type, nas_graph *g, nas_value input, const nas_attrs *attrs,
                                   const char *label, const void *values, nas_value *value, nas_err *err) {
  nas_attrs window = {
      .kernel_h = attrs->kernel_h, .kernel_w = attrs->kernel_w, .stride = attrs->stride, .pad = attrs->pad};
  bool whole = window.kernel_h == 1 && window.kernel_w == 1 && window.stride == 1 && window.pad == 0;
  if (!whole) NAS_TRY(nas_graph_op(g, "patches", &input, 1, &window, label, &input, err));
  return type->build(g, input, attrs->out, values, label, value, err);
}

static nas_status build_with(const nas_neuron_type *type, nas_graph *g, nas_value input, const nas_attrs *attrs,
                             const char *label, const void *values, nas_value *value, nas_err *err) {
  bool conv = attrs->kernel_h != 0 || attrs->kernel_w != 0;
  unsigned forms = type->forms ? type->forms : NAS_NEURON_DENSE | NAS_NEURON_CONV;
  if (!(forms & (conv ? NAS_NEURON_CONV : NAS_NEURON_DENSE)))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "neuron %s has no %s form", type->name,
                    conv ? "convolutional" : "dense");
  if (conv && type->build_conv) return type->build_conv(g, input, attrs, values, label, value, err);
  if (conv) return build_on_patches(type, g, input, attrs, label, values, value, err);
  nas_shape shape = nas_graph_shape(g, input);
  if (shape.h != 1 || shape.w != 1) NAS_TRY(nas_graph_op(g, "flatten", &input, 1, NULL, label, &input, err));
  return type->build(g, input, attrs->out, values, label, value, err);
}

/* The options' struct of a type, filled from "key=value" lines; free it. */
static nas_status read_options(const nas_neuron_type *type, const char *record, const char *label, void **values,
                               nas_err *err) {
  nas_settings settings = {0};
  *values = calloc(1, type->options_size ? type->options_size : 1);
  nas_status status = *values ? nas_settings_parse(&settings, record, label, err) : nas_fail_memory(err, "options");
  if (status == NAS_OK && !type->options && settings.n)
    status = nas_fail(err, NAS_E_BAD_INPUT, label, "neuron %s has no options, but '%s' is given", type->name,
                      settings.rows[0].key);
  if (status == NAS_OK && type->options) status = nas_options_fill(type->options, *values, type->name, &settings, err);
  nas_settings_free(&settings);
  return status;
}

nas_status nas_neuron_build(const nas_neuron_type *type, nas_graph *g, nas_value input, const nas_attrs *attrs,
                            const char *label, nas_value *value, nas_err *err) {
  *value = NAS_NO_VALUE;
  if (attrs->out < 1) return nas_fail(err, NAS_E_BAD_INPUT, label, "%d neurons; a layer needs at least 1", attrs->out);
  void *values;
  nas_status status = read_options(type, attrs->options, label, &values, err);
  if (status == NAS_OK) status = build_with(type, g, input, attrs, label, values, value, err);
  free(values);
  return status;
}

nas_status nas_neuron_count(const nas_neuron_type *type, const char *options, int64_t in, int64_t taps, int64_t out,
                            int64_t pixels, int64_t *params, int64_t *macs, nas_err *err) {
  void *values;
  nas_status status = read_options(type, options, type->name, &values, err);
  if (status == NAS_OK) {
    *params = type->params(in, out, values);
    *macs = type->macs(in, out, values) * pixels;
    if (type->channel_params) *params += type->channel_params(in / taps, out, values);
    if (type->channel_macs) *macs += type->channel_macs(in / taps, out, values) * pixels;
  }
  free(values);
  return status;
}

nas_status nas_neuron_op(nas_graph *g, const char *op, const nas_value *inputs, int32_t n, const nas_attrs *attrs,
                         const char *label, const char *part, nas_value *value, nas_err *err) {
  char full[96];
  if (!nas_text_put(full, sizeof full, part ? "%s.%s" : "%s", label, part))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "the label is too long for the parts of a neuron");
  return nas_graph_op(g, op, inputs, n, attrs, full, value, err);
}

nas_status nas_neuron_sums(nas_graph *g, nas_value input, const nas_attrs *attrs, const char *label, const char *part,
                           nas_value *value, nas_err *err) {
  nas_shape shape = nas_graph_shape(g, input);
  nas_attrs own = {.out = attrs->out, .bias = attrs->bias, .start = attrs->start};
  if (shape.h == 1 && shape.w == 1) return nas_neuron_op(g, "linear", &input, 1, &own, label, part, value, err);
  own.kernel_h = own.kernel_w = own.stride = own.groups = 1;
  return nas_neuron_op(g, "conv2d", &input, 1, &own, label, part, value, err);
}

static const char *known_name(const char *name) {
  const nas_neuron_type *type = nas_neuron_find(name);
  return type ? type->name : NULL;
}

static const char *nth_name(int i) { return all[i] ? all[i]->name : NULL; }

static nas_status count_by_name(const char *name, const char *options, int64_t in, int64_t taps, int64_t out,
                                int64_t pixels, int64_t *params, int64_t *macs, nas_err *err) {
  return nas_neuron_count(nas_neuron_find(name), options, in, taps, out, pixels, params, macs, err);
}

static nas_status check_layer(const char *name, const nas_attrs *attrs, nas_shape input, const char *label,
                              nas_err *err) {
  nas_graph *g;
  nas_value value;
  NAS_TRY(nas_graph_new(input, &g, err));
  nas_status status = nas_neuron_build(nas_neuron_find(name), g, nas_graph_input(g), attrs, label, &value, err);
  nas_graph_free(g);
  return status;
}

static nas_status read_activation(const char *text, const char **expression, int64_t *scalars, nas_err *err) {
  nas_expression e;
  NAS_TRY(nas_activation_expression(text, expression, err));
  NAS_TRY(nas_expression_parse(*expression, &e, err));
  *scalars = e.n_scalars;
  return NAS_OK;
}

void nas_neurons_introduce(void) {
  static const nas_net_neurons neurons = {known_name, nth_name, count_by_name, check_layer, read_activation};
  nas_net_set_neurons(&neurons);
}
