#include "space/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* Bounds that no sensible network reaches and that keep every product below within 64 bits. */
#define SIDE_MAX     65536
#define CHANNELS_MAX (1 << 20)
#define KERNEL_MAX   1024
#define VALUES_MAX   INT32_MAX

static bool shape_fits(nas_shape s) {
  return s.c >= 1 && s.c <= CHANNELS_MAX && s.h >= 1 && s.h <= SIDE_MAX && s.w >= 1 && s.w <= SIDE_MAX &&
         (int64_t)s.h * s.w <= VALUES_MAX / s.c;
}

nas_net *nas_net_new(nas_task task, nas_err *err) {
  if (!shape_fits(task.input)) {
    nas_fail(err, NAS_E_BAD_INPUT, "input", "an image of %d x %d x %d (channels x height x width) cannot be the input",
             task.input.c, task.input.h, task.input.w);
    return NULL;
  }
  if (task.classes < 1 || task.classes > CHANNELS_MAX) {
    nas_fail(err, NAS_E_BAD_INPUT, "classes", "a network of %d classes is not possible; 1..%d are", task.classes,
             CHANNELS_MAX);
    return NULL;
  }
  nas_net *net = calloc(1, sizeof *net);
  if (!net) {
    nas_fail_memory(err, "a network description");
    return NULL;
  }
  net->task = task;
  net->output = NAS_NET_INPUT;
  return net;
}

void nas_net_free(nas_net *net) {
  if (!net) return;
  free(net->layers);
  free(net->matches);
  free(net);
}

nas_shape nas_net_shape(const nas_net *net, int32_t index) {
  return index == NAS_NET_INPUT ? net->task.input : net->layers[index].shape;
}

static nas_status reserve(nas_net *net, nas_err *err) {
  if (net->n < net->cap) return NAS_OK;
  int32_t cap = net->cap ? 2 * net->cap : 64;
  nas_layer *grown = realloc(net->layers, (size_t)cap * sizeof *grown);
  if (!grown) return nas_fail_memory(err, "the layers of a network description");
  net->layers = grown;
  net->cap = cap;
  return NAS_OK;
}

/* Appends a layer whose op, inputs, attributes, shape and counts are set; gives it its label and adds its counts. */
static nas_status append(nas_net *net, nas_layer *layer, const char *label, int32_t *out, nas_err *err) {
  if (!nas_text_put(layer->label, sizeof layer->label, "%s", label))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "a layer's label has at most %zu characters", sizeof layer->label - 1);
  if (!shape_fits(layer->shape))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "the output of %s would be %d x %d x %d, which is empty or too large",
                    layer->op, layer->shape.c, layer->shape.h, layer->shape.w);
  int64_t params, macs;
  if (__builtin_add_overflow(net->params, layer->params, &params) ||
      __builtin_add_overflow(net->macs, layer->macs, &macs))
    return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "the network is too large to count its operations");
  NAS_TRY(reserve(net, err));
  net->params = params;
  net->macs = macs;
  net->layers[net->n] = *layer;
  *out = net->n++;
  return NAS_OK;
}

static nas_status check_input(const nas_net *net, int32_t in, const char *label, nas_err *err) {
  if (in == NAS_NET_INPUT || (in >= 0 && in < net->n)) return NAS_OK;
  return nas_fail(err, NAS_E_BAD_INPUT, label, "the input is layer %d, but only layers before this one (0..%d) exist",
                  in, net->n - 1);
}

/* A layer with one input that keeps the shape of its input. */
static nas_layer unary(const nas_net *net, const char *op, int32_t in) {
  return (nas_layer){.op = op, .inputs = {in}, .n_inputs = 1, .shape = nas_net_shape(net, in)};
}

static nas_status check_window(nas_shape in, const nas_attrs *a, const char *label, nas_err *err) {
  if (a->kernel_h < 1 || a->kernel_h > KERNEL_MAX || a->stride < 1 || a->stride > KERNEL_MAX || a->pad < 0 ||
      a->pad > KERNEL_MAX)
    return nas_fail(err, NAS_E_BAD_INPUT, label,
                    "kernel %d, stride %d, padding %d: the first two must be 1..%d, the "
                    "last 0..%d",
                    a->kernel_h, a->stride, a->pad, KERNEL_MAX, KERNEL_MAX);
  if (in.h + 2 * a->pad < a->kernel_h || in.w + 2 * a->pad < a->kernel_w)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "a window of %d x %d does not fit an input of %d x %d with padding %d",
                    a->kernel_h, a->kernel_w, in.h, in.w, a->pad);
  return NAS_OK;
}

static void slide_window(nas_layer *layer, nas_shape in) {
  const nas_attrs *a = &layer->attrs;
  layer->shape.h = (in.h + 2 * a->pad - a->kernel_h) / a->stride + 1;
  layer->shape.w = (in.w + 2 * a->pad - a->kernel_w) / a->stride + 1;
}

nas_status nas_net_conv2d(nas_net *net, int32_t in, int32_t out_channels, int32_t kernel, int32_t stride, int32_t pad,
                          int32_t groups, bool bias, const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  nas_shape s = nas_net_shape(net, in);
  nas_layer layer = unary(net, "conv2d", in);
  layer.attrs = (nas_attrs){.out = out_channels,
                            .kernel_h = kernel,
                            .kernel_w = kernel,
                            .stride = stride,
                            .pad = pad,
                            .groups = groups,
                            .bias = bias};
  if (out_channels < 1 || out_channels > CHANNELS_MAX)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d output channels; 1..%d are possible", out_channels, CHANNELS_MAX);
  if (groups < 1 || s.c % groups || out_channels % groups)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d groups must divide %d input and %d output channels", groups, s.c,
                    out_channels);
  NAS_TRY(check_window(s, &layer.attrs, label, err));
  layer.shape.c = out_channels;
  slide_window(&layer, s);
  int64_t weights = (int64_t)kernel * kernel * (s.c / groups) * out_channels;
  layer.params = weights + (bias ? out_channels : 0);
  if (__builtin_mul_overflow(layer.params, (int64_t)layer.shape.h * layer.shape.w, &layer.macs))
    return nas_fail(err, NAS_E_OUT_OF_RANGE, label, "the convolution is too large to count its operations");
  return append(net, &layer, label, out, err);
}

static const nas_net_neurons *neurons;

void nas_net_set_neurons(const nas_net_neurons *known) { neurons = known; }
const nas_net_neurons *nas_net_known_neurons(void) { return neurons; }

/* Both forms; kernel 0 is the dense one. */
static nas_status add_neuron(nas_net *net, int32_t in, const char *type, int32_t out_channels, int32_t kernel,
                             int32_t pad, const char *options, const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  const char *name = neurons ? neurons->name(type) : NULL;
  if (!name) return nas_fail(err, NAS_E_UNKNOWN_NAME, label, "no neuron type '%s'", type);
  if (out_channels < 1 || out_channels > CHANNELS_MAX)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d neurons; 1..%d are possible", out_channels, CHANNELS_MAX);
  nas_shape s = nas_net_shape(net, in);
  nas_layer layer = unary(net, name, in);
  layer.neuron = true;
  layer.attrs = (nas_attrs){.out = out_channels, .bias = true, .groups = 1};
  if (!nas_text_put(layer.attrs.options, sizeof layer.attrs.options, "%s", options))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "the options of a neuron are too long");
  layer.shape.c = out_channels;
  if (kernel) {
    layer.attrs.kernel_h = layer.attrs.kernel_w = kernel;
    layer.attrs.stride = 1;
    layer.attrs.pad = pad;
    NAS_TRY(check_window(s, &layer.attrs, label, err));
    slide_window(&layer, s);
  } else {
    layer.shape.h = layer.shape.w = 1;
  }
  int64_t inputs = (int64_t)s.c * (kernel ? kernel * kernel : (int64_t)s.h * s.w);
  NAS_TRY(neurons->count(name, options, inputs, kernel ? kernel * kernel : 1, out_channels,
                         (int64_t)layer.shape.h * layer.shape.w, &layer.params, &layer.macs, err));
  NAS_TRY(neurons->check(name, &layer.attrs, s, label, err));
  return append(net, &layer, label, out, err);
}

nas_status nas_net_neuron(nas_net *net, int32_t in, const char *type, int32_t out_channels, int32_t kernel,
                          const char *options, const char *label, int32_t *out, nas_err *err) {
  if (kernel < 0 || (kernel > 0 && kernel % 2 == 0))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "a kernel of %d; it must be odd, or 0 for a dense layer", kernel);
  return add_neuron(net, in, type, out_channels, kernel, kernel / 2, options, label, out, err);
}

nas_status nas_net_neuron_padded(nas_net *net, int32_t in, const char *type, int32_t out_channels, int32_t kernel,
                                 int32_t pad, const char *options, const char *label, int32_t *out, nas_err *err) {
  if (kernel < 1) return nas_fail(err, NAS_E_BAD_INPUT, label, "a kernel of %d; it must be 1 or more", kernel);
  return add_neuron(net, in, type, out_channels, kernel, pad, options, label, out, err);
}

nas_status nas_net_add_match(nas_net *net, const char *label, const char *type, int32_t rank, int32_t n_neurons,
                             bool readout, int64_t cost, int64_t budget, nas_err *err) {
  nas_net_match *grown = realloc(net->matches, (size_t)(net->n_matches + 1) * sizeof *grown);
  if (!grown) return nas_fail_memory(err, "the matches of a network description");
  net->matches = grown;
  nas_net_match *m = &grown[net->n_matches++];
  *m = (nas_net_match){
      .type = type, .rank = rank, .neurons = n_neurons, .readout = readout, .cost = cost, .budget = budget};
  nas_text_put(m->label, sizeof m->label, "%s", label);
  return NAS_OK;
}

double nas_net_match_ratio(const nas_net *net) {
  double cost = 0, budget = 0;
  for (int32_t i = 0; i < net->n_matches; i++) {
    cost += (double)net->matches[i].cost;
    budget += (double)net->matches[i].budget;
  }
  return budget > 0 ? cost / budget : (double)NAN;
}

nas_status nas_net_layer_norm(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  nas_layer layer = unary(net, "layer_norm", in);
  layer.params = 2 * (int64_t)layer.shape.c;
  return append(net, &layer, label, out, err);
}

nas_status nas_net_activation(nas_net *net, int32_t in, const char *activation, const char *label, int32_t *out,
                              nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  const char *expression = "x";
  nas_layer layer = unary(net, "expression", in);
  if (strcmp(activation, "relu") == 0) return nas_net_relu(net, in, label, out, err);
  if (!neurons) return nas_fail(err, NAS_E_UNKNOWN_NAME, label, "no activation '%s'", activation);
  NAS_TRY(neurons->activation(activation, &expression, &layer.params, err));
  if (!nas_text_put(layer.attrs.options, sizeof layer.attrs.options, "f=%s\n", expression))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "the activation is too long");
  return append(net, &layer, label, out, err);
}

nas_status nas_net_linear(nas_net *net, int32_t in, int32_t features, const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  if (features < 1 || features > CHANNELS_MAX)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%d features; 1..%d are possible", features, CHANNELS_MAX);
  nas_shape s = nas_net_shape(net, in);
  nas_layer layer = unary(net, "linear", in);
  layer.attrs = (nas_attrs){.out = features, .bias = true};
  layer.shape = (nas_shape){features, 1, 1};
  layer.params = ((int64_t)s.c * s.h * s.w + 1) * features;
  layer.macs = layer.params;
  return append(net, &layer, label, out, err);
}

nas_status nas_net_batch_norm(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  nas_layer layer = unary(net, "batch_norm", in);
  layer.params = 2 * (int64_t)layer.shape.c;
  return append(net, &layer, label, out, err);
}

nas_status nas_net_relu(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  nas_layer layer = unary(net, "relu", in);
  return append(net, &layer, label, out, err);
}

nas_status nas_net_pool(nas_net *net, const char *op, int32_t in, int32_t kernel, int32_t stride, int32_t pad,
                        const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  /* A layer keeps its op by pointer: take ours, the caller's text may be short-lived. */
  const char *name = strcmp(op, "avg_pool") == 0 ? "avg_pool" : strcmp(op, "max_pool") == 0 ? "max_pool" : NULL;
  if (!name) return nas_fail(err, NAS_E_UNKNOWN_NAME, label, "no pooling is called '%s'; use avg_pool or max_pool", op);
  nas_layer layer = unary(net, name, in);
  layer.attrs = (nas_attrs){.kernel_h = kernel, .kernel_w = kernel, .stride = stride, .pad = pad};
  NAS_TRY(check_window(layer.shape, &layer.attrs, label, err));
  if (pad > kernel / 2)
    return nas_fail(err, NAS_E_BAD_INPUT, label,
                    "padding %d leaves windows of %d x %d without any input; at most %d "
                    "is possible",
                    pad, kernel, kernel, kernel / 2);
  slide_window(&layer, nas_net_shape(net, in));
  return append(net, &layer, label, out, err);
}

nas_status nas_net_global_pool(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  nas_layer layer = unary(net, "global_pool", in);
  layer.shape.h = layer.shape.w = 1;
  return append(net, &layer, label, out, err);
}

nas_status nas_net_add(nas_net *net, const int32_t *in, int32_t n, const char *label, int32_t *out, nas_err *err) {
  if (n < 2 || n > NAS_LAYER_INPUTS_MAX)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "a sum of %d values; 2..%d are possible", n, NAS_LAYER_INPUTS_MAX);
  for (int32_t i = 0; i < n; i++) NAS_TRY(check_input(net, in[i], label, err));
  nas_layer layer = unary(net, "add", in[0]);
  layer.n_inputs = n;
  for (int32_t i = 1; i < n; i++) {
    nas_shape a = layer.shape, b = nas_net_shape(net, in[i]);
    if (a.c != b.c || a.h != b.h || a.w != b.w)
      return nas_fail(err, NAS_E_BAD_INPUT, label, "a sum of unequal shapes: %d x %d x %d and %d x %d x %d", a.c, a.h,
                      a.w, b.c, b.h, b.w);
    layer.inputs[i] = in[i];
  }
  return append(net, &layer, label, out, err);
}

nas_status nas_net_dropout(nas_net *net, int32_t in, double rate, const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  if (!(rate >= 0 && rate < 1))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "a dropout rate of %g; it must lie in [0, 1)", rate);
  nas_layer layer = unary(net, "dropout", in);
  layer.attrs.rate = rate;
  return append(net, &layer, label, out, err);
}

nas_status nas_net_zero(nas_net *net, int32_t in, const char *label, int32_t *out, nas_err *err) {
  NAS_TRY(check_input(net, in, label, err));
  nas_layer layer = unary(net, "zero", in);
  return append(net, &layer, label, out, err);
}

nas_status nas_net_set_output(nas_net *net, int32_t layer, nas_err *err) {
  if (layer < 0 || layer >= net->n)
    return nas_fail(err, NAS_E_BAD_INPUT, "output", "layer %d cannot be the output: there are %d layers", layer,
                    net->n);
  nas_shape s = net->layers[layer].shape;
  if (s.c != net->task.classes || s.h != 1 || s.w != 1)
    return nas_fail(err, NAS_E_BAD_INPUT, net->layers[layer].label,
                    "the output must be %d x 1 x 1, one number per class, but is %d x %d x %d", net->task.classes, s.c,
                    s.h, s.w);
  net->output = layer;
  return NAS_OK;
}
