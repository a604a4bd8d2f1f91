#ifndef NAS_TRAIN_NEURON_H
#define NAS_TRAIN_NEURON_H
/* Neuron types: layers written as expressions over operations, whose backward pass is the graph's. One const struct in
 * one file of train/neurons/ and one line in train/neurons.def.
 *
 * A dense layer maps [N,in] to [N,out] (whatever its input's shape, it reads a vector in the order of memory); a
 * convolutional one applies the dense neuron to every kernel_h x kernel_w patch (in = C kernel_h kernel_w, zeros around
 * the image). A type only says what it does to the channels of each pixel; nas_neuron_build makes patches where its
 * type has no better way. */
#include "base/options.h"
#include "train/graph.h"

enum { NAS_NEURON_DENSE = 1, NAS_NEURON_CONV = 2 };

typedef struct nas_neuron_type {
  const char *name;
  int version;
  const char *summary, *citation;
  const char *formula;                    /* y as a text, with its parameters' names */
  const char *count, *work;               /* parameters and MACs as texts; work per pixel */
  const char *start, *limits, *stability; /* initialisation; constraints; what keeps it finite, and where it is not */
  const nas_option *options;              /* NULL for none */
  size_t options_size;                    /* of the struct that the table fills */
  unsigned forms;                         /* 0: both */
  const char *sample;                     /* options under which tests walk it; NULL: the defaults */
  /* Trainable numbers of a layer of `out` neurons over `in` numbers each. */
  int64_t (*params)(int64_t in, int64_t out, const void *options);
  /* Multiplications with parameters for one row of `in` numbers (one pixel of the output). */
  int64_t (*macs)(int64_t in, int64_t out, const void *options);
  /* What a layer has besides for each of its `channels` inputs (in the dense form: numbers) whatever the patch is, and
   * multiplies there for each pixel. NULL: nothing. */
  int64_t (*channel_params)(int64_t channels, int64_t out, const void *options);
  int64_t (*channel_macs)(int64_t channels, int64_t out, const void *options);
  /* Adds the expression for `out` neurons over the channels of every pixel of `input`; `label` begins the name of every
   * parameter. May be NULL for a type with the convolutional form only. */
  nas_status (*build)(nas_graph *g, nas_value input, int32_t out, const void *options, const char *label,
                      nas_value *value, nas_err *err);
  /* The convolutional form where it is more than `build` over patches; may be NULL. */
  nas_status (*build_conv)(nas_graph *g, nas_value input, const nas_attrs *attrs, const void *options,
                           const char *label, nas_value *value, nas_err *err);
} nas_neuron_type;

const nas_neuron_type *const *nas_neurons(void); /* ends with NULL */
const nas_neuron_type *nas_neuron_find(const char *name);

/* Reads attrs->options by the type's table and builds a layer of attrs->out neurons: dense when attrs->kernel_h is 0,
 * convolutional otherwise (kernel_h, kernel_w, stride, pad). */
nas_status nas_neuron_build(const nas_neuron_type *type, nas_graph *g, nas_value input, const nas_attrs *attrs,
                            const char *label, nas_value *value, nas_err *err);
/* Trainable numbers and MACs (per image; out pixels given) of such a layer over `in` numbers: `taps` places of a patch
 * (1 in the dense form) times channels. */
nas_status nas_neuron_count(const nas_neuron_type *type, const char *options, int64_t in, int64_t taps, int64_t out,
                            int64_t pixels, int64_t *params, int64_t *macs, nas_err *err);

/* Tells space/ the types, so that spaces can be made of them; once, before threads begin. */
void nas_neurons_introduce(void);

/* ---- helpers of the types ---- */
/* Weighted sums of the channels of every pixel, named LABEL or LABEL.PART; attrs: out, bias, start. */
nas_status nas_neuron_sums(nas_graph *g, nas_value input, const nas_attrs *attrs, const char *label, const char *part,
                           nas_value *value, nas_err *err);
/* An operation named LABEL or (part not NULL) LABEL.PART. */
nas_status nas_neuron_op(nas_graph *g, const char *op, const nas_value *inputs, int32_t n, const nas_attrs *attrs,
                         const char *label, const char *part, nas_value *value, nas_err *err);
#endif
