#ifndef NAS_TRAIN_NEURON_H
#define NAS_TRAIN_NEURON_H
/* Neuron types: layers written as expressions over operations, whose backward pass is the graph's. One const struct in
 * one file of train/neurons/ and one line in train/neurons.def. */
#include "base/options.h"
#include "train/graph.h"

typedef struct nas_neuron_type {
  const char *name;
  int version;
  const char *summary, *citation;
  const char *formula;       /* y as a text, with its parameters' names */
  const nas_option *options; /* NULL for none */
  size_t options_size;       /* of the struct that the table fills */
  /* Trainable numbers of a layer of `out` neurons over `in` features. */
  int64_t (*params)(int64_t in, int64_t out, const void *options);
  int64_t (*macs)(int64_t in, int64_t out, const void *options);
  /* Adds the expression for `out` neurons over `input`; `label` begins the name of every parameter. */
  nas_status (*build)(nas_graph *g, nas_value input, int32_t out, const void *options, const char *label,
                      nas_value *value, nas_err *err);
} nas_neuron_type;

const nas_neuron_type *const *nas_neurons(void); /* ends with NULL */
const nas_neuron_type *nas_neuron_find(const char *name);

/* Reads attrs->options by the type's table and builds a layer of attrs->out neurons. */
nas_status nas_neuron_build(const nas_neuron_type *type, nas_graph *g, nas_value input, const nas_attrs *attrs,
                            const char *label, nas_value *value, nas_err *err);
#endif
