/* The network of a cell of neurons: a stem, stages of cells, and a classifier. */
#include "space/neuron_cell.h"

/* One edge: the neurons, then a batch norm that brings them to one scale. */
static nas_status add_edge(const nas_space *self, uint8_t op, const char *prefix, int32_t in, nas_net *net,
                           int32_t *out, nas_err *err) {
  const cell_options *o = cell_options_of(self);
  const cell_data *d = cell_data_of(self);
  char label[64];
  *out = in;
  if (cell_op_is(d, op, SKIP)) return NAS_OK;
  nas_text_put(label, sizeof label, "%s.pool", prefix);
  if (cell_op_is(d, op, POOL)) return nas_net_pool(net, "avg_pool", in, 3, 1, 1, label, out, err);
  nas_text_put(label, sizeof label, "%s.n", prefix);
  NAS_TRY(nas_neuron_edge(net, in, &d->words[op], (int32_t)o->width, cell_is_conv(self) ? (int32_t)o->kernel : 0,
                          nas_match_of(o->match), label, out, err));
  nas_text_put(label, sizeof label, "%s.bn", prefix);
  return nas_net_batch_norm(net, *out, label, out, err);
}

static int edge_of(int from, int to) { return to * (to - 1) / 2 + from; }

static bool is_none(const nas_space *self, const nas_arch *arch, int from, int to) {
  return cell_op_is(cell_data_of(self), arch->gene[edge_of(from, to)], NONE);
}

static nas_status add_cell(const nas_space *self, const nas_arch *arch, const char *prefix, nas_net *net, int32_t *x,
                           nas_err *err) {
  int32_t value[NODES] = {*x};
  bool zero[NODES] = {false}, used[NODES] = {[NODES - 1] = true};
  for (int to = NODES - 1; to > 0; to--) /* what leads nowhere is no part of the network */
    for (int from = 0; from < to; from++) used[from] |= used[to] && !is_none(self, arch, from, to);
  for (int to = 1; to < NODES; to++) {
    int32_t terms[NODES], n = 0;
    char label[64];
    for (int from = 0; from < to && used[to]; from++) {
      if (is_none(self, arch, from, to) || zero[from]) continue;
      nas_text_put(label, sizeof label, "%s.e%d-%d", prefix, from, to);
      NAS_TRY(add_edge(self, arch->gene[edge_of(from, to)], label, value[from], net, &terms[n++], err));
    }
    zero[to] = n == 0;
    nas_text_put(label, sizeof label, "%s.node%d", prefix, to);
    if (!used[to]) continue;
    if (n == 0) NAS_TRY(nas_net_zero(net, value[0], label, &value[to], err));
    else if (n == 1) value[to] = terms[0];
    else NAS_TRY(nas_net_add(net, terms, n, label, &value[to], err));
  }
  *x = value[NODES - 1];
  return NAS_OK;
}

static nas_status add_stem(const nas_space *self, nas_net *net, int32_t *x, nas_err *err) {
  const cell_options *o = cell_options_of(self);
  const nas_neuron_word *stem = &cell_data_of(self)->stem;
  int32_t width = (int32_t)o->width, kernel = (int32_t)o->stem_kernel, pool = (int32_t)o->stem_pool;
  bool conv = cell_is_conv(self), linear = !strcmp(stem->type, "linear");
  if (!linear)
    NAS_TRY(nas_net_neuron(net, NAS_NET_INPUT, stem->type, width, conv ? kernel : 0, stem->options, "stem.n", x, err));
  else if (conv)
    NAS_TRY(nas_net_conv2d(net, NAS_NET_INPUT, width, kernel, 1, kernel / 2, 1, false, "stem.conv", x, err));
  else NAS_TRY(nas_net_linear(net, NAS_NET_INPUT, width, "stem.linear", x, err));
  NAS_TRY(nas_net_batch_norm(net, *x, "stem.bn", x, err));
  return conv && pool > 1 ? nas_net_pool(net, "avg_pool", *x, pool, pool, 0, "stem.pool", x, err) : NAS_OK;
}

nas_status nas_neuron_cell_net(const nas_space *self, const nas_arch *arch, nas_task task, nas_net *made,
                               nas_err *err) {
  const cell_options *o = cell_options_of(self);
  int32_t x;
  char label[64];
  NAS_TRY(add_stem(self, made, &x, err));
  for (int stage = 0; stage < o->stages; stage++) {
    nas_text_put(label, sizeof label, "down%d", stage);
    if (stage && cell_is_conv(self)) NAS_TRY(nas_net_pool(made, "avg_pool", x, 2, 2, 0, label, &x, err));
    for (int cell = 0; cell < o->cells; cell++) {
      nas_text_put(label, sizeof label, "s%d.c%d", stage, cell);
      NAS_TRY(add_cell(self, arch, label, made, &x, err));
    }
  }
  NAS_TRY(nas_net_batch_norm(made, x, "head.bn", &x, err));
  if (!strcmp(o->activation, "relu")) NAS_TRY(nas_net_relu(made, x, "head.relu", &x, err));
  else if (strcmp(o->activation, "none") != 0) NAS_TRY(nas_net_activation(made, x, o->activation, "head.act", &x, err));
  if (cell_is_conv(self)) NAS_TRY(nas_net_global_pool(made, x, "head.pool", &x, err));
  NAS_TRY(nas_net_linear(made, x, task.classes, "head.classifier", &x, err));
  return nas_net_set_output(made, x, err);
}
