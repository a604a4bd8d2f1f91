#ifndef NAS_SPACE_NET_H
#define NAS_SPACE_NET_H
/* The description of a network: what a space makes of an architecture and what train/ lowers to a graph. It
 * knows operations by name and their attributes, shapes, parameter and MAC counts, but holds no weights.
 * Layers are in topological order; shapes are per image, [C,H,W].
 *
 * Operation names: conv2d, linear, batch_norm, relu, avg_pool, max_pool, global_pool, add, dropout, zero.
 * MACs: multiplications of convolutions and linear layers, one more per output number where there is a bias; all
 * other operations count nothing. Parameters: weights, biases, and scale and shift of a batch norm. */
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct nas_shape {
  int32_t c, h, w; /* a feature vector of width D is {D, 1, 1} */
} nas_shape;

/* What a network is for: the shape of an input image and the number of classes. */
typedef struct nas_task {
  nas_shape input;
  int32_t classes;
} nas_task;

#define NAS_LAYER_INPUTS_MAX 8

/* Attributes that an operation may read; those it does not read stay zero. */
typedef struct nas_attrs {
  int32_t out;                /* output channels (conv2d) or features (linear, neurons) */
  int32_t kernel_h, kernel_w; /* conv2d and pooling */
  int32_t stride, pad, groups;
  bool bias;
  double rate; /* dropout probability */
  /* Where a linear layer or convolution starts: 0 = the operation's own rule, 1 = all zero, 2 = weights 0, bias 1, 3 =
   * weights by Glorot's uniform rule with tanh's gain 5/3, bias by the operation's own rule. */
  int32_t start;
  char options[256]; /* options of an operation or neuron as "key=value\n" lines */
} nas_attrs;

typedef struct nas_layer {
  const char *op; /* name in train/'s operation registry; a string with static lifetime */
  bool neuron;    /* `op` names a neuron type instead (some operations have the same names) */
  nas_attrs attrs;
  int32_t inputs[NAS_LAYER_INPUTS_MAX]; /* indices of earlier layers; NAS_NET_INPUT for the image */
  int32_t n_inputs;
  nas_shape shape; /* of the output */
  int64_t params;  /* trainable numbers of this layer */
  int64_t macs;    /* multiply-accumulates per image, counted as NAS-Bench-201 counts FLOPs */
  char label[56];  /* "stage1.cell0.edge0-2.conv": names the layer's parameters and seeds their initialisation */
} nas_layer;

/* How a layer of neurons was sized to cost as much as a linear one (space/neuron_edge.h). */
typedef struct nas_net_match {
  char label[56];
  const char *type;
  int32_t rank, neurons; /* a linear layer to `rank` numbers (0: none), then `neurons` neurons ... */
  bool readout;          /* ... then a linear layer to the outputs */
  int64_t cost, budget;  /* parameters or MACs: of all this, and of the linear layer */
} nas_net_match;

#define NAS_NET_INPUT (-1)

/* A whole network. `output` is the layer whose value ([classes,1,1] logits) goes to the loss. Layers that do not
 * lead to it are kept, because published parameter counts include them; train/ drops them. */
typedef struct nas_net {
  nas_task task;
  nas_layer *layers;
  int32_t n, cap, output;
  int64_t params, macs; /* sums over all layers, dead ones included */
  nas_net_match *matches;
  int32_t n_matches;
} nas_net;

nas_net *nas_net_new(nas_task task, nas_err *err);
void nas_net_free(nas_net *net);

/* Each adds a layer, infers its shape, parameters and MACs, and stores its index in *out. `label` is copied.
 * Errors: BAD_INPUT when the shapes do not fit (the message names the label). */
/* Output height: floor((h + 2 pad - kernel) / stride) + 1. */
nas_status nas_net_conv2d(nas_net *net, int32_t in, int32_t out_channels, int32_t kernel, int32_t stride, int32_t pad,
                          int32_t groups, bool bias, const char *label, int32_t *out, nas_err *err);
/* With bias; the input is read as a vector of c * h * w numbers. */
nas_status nas_net_linear(nas_net *net, int32_t in, int32_t features, const char *label, int32_t *out, nas_err *err);
nas_status nas_net_batch_norm(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err);
nas_status nas_net_relu(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err);
/* op: "avg_pool" (padding not counted), "max_pool"; size as for conv2d, pad at most kernel / 2. */
nas_status nas_net_pool(nas_net *net, const char *op, int32_t in, int32_t kernel, int32_t stride, int32_t pad,
                        const char *label, int32_t *out, nas_err *err);
/* The mean over height and width: [C,1,1]. */
nas_status nas_net_global_pool(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err);
/* The sum of n >= 2 values of one shape; the same value may be named more than once. */
nas_status nas_net_add(nas_net *net, const int32_t *in, int32_t n, const char *label, int32_t *out, nas_err *err);
nas_status nas_net_dropout(nas_net *net, int32_t in, double rate, const char *label, int32_t *out, nas_err *err);
/* A value that is zero everywhere, with the shape of `in`. */
nas_status nas_net_zero(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err);

/* What the room above knows of neuron types, told once at the start of a program (nas_net_set_neurons). */
typedef struct nas_net_neurons {
  /* The type's own name, with static lifetime, or NULL. */
  const char *(*name)(const char *name);
  const char *(*nearest)(int i); /* the i-th name, or NULL after the last */
  /* Trainable numbers and MACs of `out` neurons over `in` numbers, `taps` places of a patch times channels, at each of
   * `pixels` places. */
  nas_status (*count)(const char *name, const char *options, int64_t in, int64_t taps, int64_t out, int64_t pixels,
                      int64_t *params, int64_t *macs, nas_err *err);
  /* Whether a layer of such neurons can be built over an input of this shape (attrs: out, options, window); the error
   * names the layer. */
  nas_status (*check)(const char *name, const nas_attrs *attrs, nas_shape input, const char *label, nas_err *err);
  /* The expression of an activation by name, or the text itself where it is an expression, and how many trained scalars
   * it has. */
  nas_status (*activation)(const char *text, const char **expression, int64_t *scalars, nas_err *err);
} nas_net_neurons;
void nas_net_set_neurons(const nas_net_neurons *neurons);
/* NULL where nobody has told. */
const nas_net_neurons *nas_net_known_neurons(void);
/* Records how a layer was sized. */
nas_status nas_net_add_match(nas_net *net, const char *label, const char *type, int32_t rank, int32_t neurons,
                             bool readout, int64_t cost, int64_t budget, nas_err *err);
/* The cost of all matched layers over their budget; NaN where none was. */
double nas_net_match_ratio(const nas_net *net);
/* A layer of `out` neurons of a type: dense (kernel 0) over all of its input, or one for each kernel x kernel patch
 * with stride 1 and as much padding as keeps the size. `options`: "key=value" lines. */
nas_status nas_net_neuron(nas_net *net, int32_t in, const char *type, int32_t out_channels, int32_t kernel,
                          const char *options, const char *label, int32_t *out, nas_err *err);

/* The same over patches with a padding of the caller's choice (kernel >= 1, of any parity). */
nas_status nas_net_neuron_padded(nas_net *net, int32_t in, const char *type, int32_t out_channels, int32_t kernel,
                                 int32_t pad, const char *options, const char *label, int32_t *out, nas_err *err);
/* The channels of every place less their mean, over their deviation, scaled and shifted. */
nas_status nas_net_layer_norm(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err);
/* An activation by name or as an expression (train/expression.h). */
nas_status nas_net_activation(nas_net *net, int32_t in, const char *activation, const char *label, int32_t *out,
                              nas_err *err);

/* Declares the layer whose value goes to the loss; its shape must be [classes,1,1]. */
nas_status nas_net_set_output(nas_net *net, int32_t layer, nas_err *err);

/* Shape of a layer's value; `index` may be NAS_NET_INPUT. */
nas_shape nas_net_shape(const nas_net *net, int32_t index);
#endif
