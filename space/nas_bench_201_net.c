/* The network around a NAS-Bench-201 cell: stem, three stages of cells with a residual reduction block before the
 * second and third, and a linear classifier on globally pooled features. */
#include "space/nas_bench_201.h"

#define STAGES 3

/* What the functions below pass on: where layers go and how they are called. */
typedef struct builder {
  nas_net *net;
  nas_err *err;
  char prefix[40]; /* "stage1.cell0" */
} builder;

static void set_prefix(builder *b, const char *kind, int stage, int cell) {
  if (cell < 0) nas_text_put(b->prefix, sizeof b->prefix, "%s%d", kind, stage);
  else nas_text_put(b->prefix, sizeof b->prefix, "%s%d.cell%d", kind, stage, cell);
}

/* "PREFIX.PART.LAYER"; over-long ones cannot occur with the option ranges, and the net refuses them. */
static const char *label(const builder *b, const char *part, const char *layer, char out[96]) {
  nas_text_put(out, 96, "%s%s%s.%s", b->prefix, *part ? "." : "", part, layer);
  return out;
}

static nas_status relu_conv_bn(builder *b, const char *part, int32_t in, int32_t channels, int32_t kernel,
                               int32_t stride, int32_t *out) {
  char text[96];
  int32_t relu, conv;
  NAS_TRY(nas_net_relu(b->net, in, label(b, part, "relu", text), &relu, b->err));
  NAS_TRY(nas_net_conv2d(b->net, relu, channels, kernel, stride, kernel / 2, 1, false, label(b, part, "conv", text),
                         &conv, b->err));
  return nas_net_batch_norm(b->net, conv, label(b, part, "bn", text), out, b->err);
}

/* The layers of one edge. Not called for `none`. */
static nas_status add_edge(builder *b, nas_nb201_edge edge, uint8_t op, int32_t in, int32_t *out) {
  char part[16], text[96];
  nas_text_put(part, sizeof part, "edge%d-%d", edge.from, edge.to);
  int32_t channels = nas_net_shape(b->net, in).c;
  switch (op) {
    case NB201_CONV1: return relu_conv_bn(b, part, in, channels, 1, 1, out);
    case NB201_CONV3: return relu_conv_bn(b, part, in, channels, 3, 1, out);
    case NB201_POOL: return nas_net_pool(b->net, "avg_pool", in, 3, 1, 1, label(b, part, "pool", text), out, b->err);
    default: *out = in; return NAS_OK; /* skip_connect is the value itself */
  }
}

/* One node: the sum of its live edges. Edges out of a zero node get their layers, which nothing uses. */
static nas_status add_node(builder *b, const nas_arch *arch, uint8_t to, int32_t value[], bool zero[]) {
  char part[16], text[96];
  int32_t terms[NB201_NODES], n = 0;
  for (uint8_t from = 0; from < to; from++) {
    uint8_t op = arch->gene[nas_nb201_edge_of(from, to)];
    if (op == NB201_NONE) continue;
    int32_t term;
    NAS_TRY(add_edge(b, (nas_nb201_edge){from, to}, op, value[from], &term));
    if (!zero[from]) terms[n++] = term;
  }
  zero[to] = n == 0;
  nas_text_put(part, sizeof part, "node%d", to);
  if (n == 0) return nas_net_zero(b->net, value[0], label(b, part, "zero", text), &value[to], b->err);
  if (n > 1) return nas_net_add(b->net, terms, n, label(b, part, "add", text), &value[to], b->err);
  value[to] = terms[0];
  return NAS_OK;
}

static nas_status add_cell(builder *b, const nas_arch *arch, int32_t in, int32_t *out) {
  int32_t value[NB201_NODES] = {in};
  bool zero[NB201_NODES] = {false};
  for (uint8_t to = 1; to < NB201_NODES; to++) NAS_TRY(add_node(b, arch, to, value, zero));
  *out = value[NB201_NODES - 1];
  return NAS_OK;
}

/* Halves height and width: a residual block whose shortcut is pooled and projected. */
static nas_status add_reduction(builder *b, int32_t in, int32_t channels, int32_t *out) {
  char text[96];
  int32_t terms[2];
  NAS_TRY(relu_conv_bn(b, "a", in, channels, 3, 2, &terms[1]));
  NAS_TRY(relu_conv_bn(b, "b", terms[1], channels, 3, 1, &terms[1]));
  NAS_TRY(nas_net_pool(b->net, "avg_pool", in, 2, 2, 0, label(b, "down", "pool", text), &terms[0], b->err));
  NAS_TRY(
      nas_net_conv2d(b->net, terms[0], channels, 1, 1, 0, 1, false, label(b, "down", "conv", text), &terms[0], b->err));
  return nas_net_add(b->net, terms, 2, label(b, "", "add", text), out, b->err);
}

/* The two branches of a reduction round an odd size differently, up and down, so that they cannot be added. */
static nas_status check_size(nas_task task, nas_err *err) {
  int32_t h = task.input.h, w = task.input.w;
  for (int stage = 1; stage < STAGES; stage++, h /= 2, w /= 2)
    if (h % 2 || w % 2)
      return nas_fail(err, NAS_E_BAD_INPUT, "input",
                      "an image of %d x %d does not fit nas-bench-201: reduction %d would halve the odd size %d x %d; "
                      "height and width must be multiples of %d",
                      task.input.h, task.input.w, stage, h, w, 1 << (STAGES - 1));
  return NAS_OK;
}

nas_status nas_nb201_net(const nas_space *self, const nas_arch *arch, nas_task task, nas_net *net, nas_err *err) {
  const nas_nb201_options *o = nas_space_options(self);
  builder b = {.net = net, .err = err};
  int32_t x;
  NAS_TRY(check_size(task, err));
  NAS_TRY(nas_net_conv2d(net, NAS_NET_INPUT, (int32_t)o->channels, 3, 1, 1, 1, false, "stem.conv", &x, err));
  NAS_TRY(nas_net_batch_norm(net, x, "stem.bn", &x, err));
  for (int stage = 0; stage < STAGES; stage++) {
    if (stage) {
      set_prefix(&b, "reduction", stage, -1);
      NAS_TRY(add_reduction(&b, x, (int32_t)o->channels << stage, &x));
    }
    for (int cell = 0; cell < o->cells; cell++) {
      set_prefix(&b, "stage", stage, cell);
      NAS_TRY(add_cell(&b, arch, x, &x));
    }
  }
  NAS_TRY(nas_net_batch_norm(net, x, "head.bn", &x, err));
  NAS_TRY(nas_net_relu(net, x, "head.relu", &x, err));
  NAS_TRY(nas_net_global_pool(net, x, "head.pool", &x, err));
  NAS_TRY(nas_net_linear(net, x, task.classes, "head.classifier", &x, err));
  return nas_net_set_output(net, x, err);
}
