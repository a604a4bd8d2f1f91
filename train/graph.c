#include "train/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "train/graph_internal.h"
#include "train/neuron.h"

static nas_status grow(nas_graph *g, nas_err *err) {
  if (g->n < g->cap) return NAS_OK;
  int32_t cap = g->cap ? 2 * g->cap : 32;
  nas_node *nodes = realloc(g->nodes, (size_t)cap * sizeof *nodes);
  if (!nodes) return nas_fail_memory(err, "a graph");
  g->nodes = nodes;
  g->cap = cap;
  return NAS_OK;
}

nas_status nas_graph_new(nas_shape input, nas_graph **out, nas_err *err) {
  *out = NULL;
  if (input.c < 1 || input.h < 1 || input.w < 1)
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "an input of %dx%dx%d (CxHxW): every side must be at least 1", input.c,
                    input.h, input.w);
  nas_graph *g = calloc(1, sizeof *g);
  if (!g || grow(g, err) != NAS_OK) {
    free(g);
    return nas_fail_memory(err, "a graph");
  }
  g->nodes[0] = (nas_node){.shape = input, .label = "input"};
  g->n = 1;
  g->output = NAS_NO_VALUE;
  *out = g;
  return NAS_OK;
}

void nas_graph_free(nas_graph *g) {
  if (!g) return;
  free(g->nodes);
  free(g);
}

nas_value nas_graph_input(const nas_graph *g) {
  (void)g;
  return 0;
}

nas_value nas_graph_output(const nas_graph *g) { return g->output; }

nas_shape nas_graph_shape(const nas_graph *g, nas_value v) {
  return v >= 0 && v < g->n ? g->nodes[v].shape : (nas_shape){0, 0, 0};
}

nas_site nas_node_site(const nas_graph *g, nas_value v, int32_t batch, nas_mode mode) {
  const nas_node *node = &g->nodes[v];
  nas_site s = {.out = node->shape, .n_in = node->n_in, .batch = batch, .attrs = node->attrs, .mode = mode};
  for (int32_t i = 0; i < node->n_in; i++) s.in[i] = g->nodes[node->in[i]].shape;
  return s;
}

static bool same_attrs(const nas_attrs *a, const nas_attrs *b) {
  return a->out == b->out && a->kernel_h == b->kernel_h && a->kernel_w == b->kernel_w && a->stride == b->stride &&
         a->pad == b->pad && a->groups == b->groups && a->bias == b->bias && a->rate == b->rate &&
         a->start == b->start && !strcmp(a->options, b->options);
}

/* An earlier operation that computes the same, or NAS_NO_VALUE. */
static nas_value twin_of(const nas_graph *g, const nas_node *node) {
  if (node->op->params || node->op->traits & NAS_OP_RANDOM) return NAS_NO_VALUE;
  for (nas_value v = 1; v < g->n; v++) {
    const nas_node *other = &g->nodes[v];
    if (other->op == node->op && other->n_in == node->n_in && same_attrs(&other->attrs, &node->attrs) &&
        !memcmp(other->in, node->in, (size_t)node->n_in * sizeof *node->in))
      return v;
  }
  return NAS_NO_VALUE;
}

static bool is_zero(const nas_graph *g, const nas_node *node) {
  if (node->op->traits & NAS_OP_ZERO) return true;
  int32_t zeros = 0;
  for (int32_t i = 0; i < node->n_in; i++) zeros += g->nodes[node->in[i]].zero;
  if (node->op->traits & NAS_OP_ZERO_IF_ANY) return zeros > 0;
  unsigned keeps = NAS_OP_KEEPS_ZERO | (node->attrs.bias ? 0 : NAS_OP_KEEPS_ZERO_UNBIASED);
  return node->op->traits & keeps && zeros == node->n_in;
}

static nas_status check_label(const nas_graph *g, const nas_node *node, nas_err *err) {
  if (!node->op->params) return NAS_OK;
  for (nas_value v = 1; v < g->n; v++)
    if (g->nodes[v].op->params && !strcmp(g->nodes[v].label, node->label))
      return nas_fail(err, NAS_E_BAD_INPUT, node->label, "two operations with parameters have this label; rename one");
  return NAS_OK;
}

static nas_status add_op(nas_graph *g, const char *op_name, const nas_value *inputs, int32_t n_inputs,
                         const nas_attrs *attrs, const char *label, nas_value *out, nas_err *err) {
  if (!label) label = "";
  const nas_op *op = nas_op_find(op_name);
  if (!op) {
    nas_guess guess = nas_guess_for(op_name);
    for (const nas_op *const *o = nas_ops(); *o; o++) nas_guess_add(&guess, (*o)->name);
    return nas_fail(err, NAS_E_UNKNOWN_NAME, label, "no operation '%s'%s", op_name, nas_guess_text(&guess));
  }
  nas_node node = {.op = op, .n_in = n_inputs};
  if (attrs) node.attrs = *attrs;
  if (!nas_text_put(node.label, sizeof node.label, "%s", label))
    return nas_fail(err, NAS_E_BAD_INPUT, label, "the label is longer than %zu characters", sizeof node.label - 1);
  if (n_inputs < op->min_inputs || n_inputs > op->max_inputs)
    return nas_fail(err, NAS_E_BAD_INPUT, label, "%s takes %d to %d inputs, not %d", op->name, op->min_inputs,
                    op->max_inputs, n_inputs);
  nas_site site = {.n_in = n_inputs, .batch = 1, .attrs = node.attrs};
  for (int32_t i = 0; i < n_inputs; i++) {
    if (inputs[i] < 0 || inputs[i] >= g->n)
      return nas_fail(err, NAS_E_BAD_INPUT, label, "input %d of %s is no value of this graph", i, op->name);
    node.in[i] = inputs[i];
    site.in[i] = g->nodes[inputs[i]].shape;
  }
  NAS_TRY(op->infer(&site, label, &node.shape, err));
  *out = twin_of(g, &node);
  if (*out != NAS_NO_VALUE) return NAS_OK;
  NAS_TRY(check_label(g, &node, err));
  node.zero = is_zero(g, &node);
  NAS_TRY(grow(g, err));
  g->nodes[g->n] = node;
  *out = g->n++;
  return NAS_OK;
}

nas_status nas_graph_op(nas_graph *g, const char *op_name, const nas_value *inputs, int32_t n_inputs,
                        const nas_attrs *attrs, const char *label, nas_value *out, nas_err *err) {
  nas_value made = NAS_NO_VALUE; /* `out` may be one of the inputs */
  nas_status status = add_op(g, op_name, inputs, n_inputs, attrs, label, &made, err);
  *out = made;
  return status;
}

nas_status nas_graph_set_output(nas_graph *g, nas_value logits, nas_err *err) {
  if (logits < 1 || logits >= g->n)
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the output must be the value of an operation of this graph");
  nas_shape s = g->nodes[logits].shape;
  if (s.h != 1 || s.w != 1)
    return nas_fail(err, NAS_E_BAD_INPUT, g->nodes[logits].label, "the logits are %dx%dx%d (CxHxW), not Cx1x1", s.c,
                    s.h, s.w);
  g->output = logits;
  for (int32_t i = 0; i < g->n; i++) g->nodes[i].live = false;
  g->nodes[logits].live = true;
  for (nas_value v = logits; v > 0; v--) {
    const nas_node *node = &g->nodes[v];
    if (!node->live || node->zero) continue;
    for (int32_t i = 0; i < node->n_in; i++) {
      /* A zero is kept only where something other than a sum has to look at it. */
      bool dropped = g->nodes[node->in[i]].zero && node->op->traits & NAS_OP_SUM;
      if (!dropped) g->nodes[node->in[i]].live = true;
    }
  }
  return NAS_OK;
}

static nas_status lower_layer(nas_graph *g, const nas_layer *layer, nas_value *values, nas_value *out, nas_err *err) {
  nas_value in[NAS_LAYER_INPUTS_MAX];
  for (int32_t i = 0; i < layer->n_inputs; i++)
    in[i] = layer->inputs[i] == NAS_NET_INPUT ? nas_graph_input(g) : values[layer->inputs[i]];
  if (layer->neuron) {
    if (layer->n_inputs != 1)
      return nas_fail(err, NAS_E_BAD_INPUT, layer->label, "a neuron layer takes one input, not %d", layer->n_inputs);
    const nas_neuron_type *type = nas_neuron_find(layer->op);
    if (!type) return nas_fail(err, NAS_E_UNKNOWN_NAME, layer->label, "no neuron type '%s'", layer->op);
    return nas_neuron_build(type, g, in[0], &layer->attrs, layer->label, out, err);
  }
  return nas_graph_op(g, layer->op, in, layer->n_inputs, &layer->attrs, layer->label, out, err);
}

nas_status nas_graph_from_net(const nas_net *net, nas_graph **out, nas_err *err) {
  *out = NULL;
  if (net->output < 0 || net->output >= net->n)
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the network has no output layer");
  nas_graph *g = NULL;
  nas_value *values = calloc((size_t)net->n, sizeof *values);
  if (!values) return nas_fail_memory(err, "a graph");
  nas_status status = nas_graph_new(net->task.input, &g, err);
  for (int32_t i = 0; status == NAS_OK && i < net->n; i++)
    status = lower_layer(g, &net->layers[i], values, &values[i], err);
  if (status == NAS_OK) status = nas_graph_set_output(g, values[net->output], err);
  if (status == NAS_OK && g->nodes[g->output].shape.c != net->task.classes)
    status = nas_fail(err, NAS_E_BAD_INPUT, g->nodes[g->output].label,
                      "the network ends in %d numbers but the task has %d classes", g->nodes[g->output].shape.c,
                      net->task.classes);
  free(values);
  if (status == NAS_OK) *out = g;
  else nas_graph_free(g);
  return status;
}
