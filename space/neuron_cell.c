/* Cells of four nodes as in NAS-Bench-201, whose edges are neuron types of the user's choice. A cell's value adds up,
 * so two cells are of one class when their outputs are the same sums: edges of `none`, edges out of zeros and edges
 * that lead nowhere drop out, and a skip stands for what it repeats. */
#include <stdlib.h>
#include <string.h>

#include "space/cell_picture.h"
#include "space/neuron_edge.h"

enum { NODES = 4, EDGES = 6, OPS_MAX = NAS_NEURON_WORDS_MAX, CELLS_MAX = 1 << 20 };

typedef struct cell_options {
  char operations[320], form[8], match[8], stem[NAS_NEURON_WORD_MAX], activation[160];
  int64_t width, kernel, cells, stages, stem_kernel, stem_pool;
} cell_options;

static const nas_option options[] = {
    NAS_OPT_TEXT(cell_options, operations, "operations", "none,skip_connect,linear,pade,aptx,kan-rbf,rbf,kuramoto",
                 "none, skip_connect, avg_pool_3x3 and neuron types, pade or pade(kind=a;m=3), separated by commas"),
    NAS_OPT_CHOICE(cell_options, form, "form", "dense", "dense|conv", "feature vectors, or convolutions over images"),
    NAS_OPT_INT(cell_options, width, "width", "16", 1, 4096, "features or channels of every node"),
    NAS_OPT_INT(cell_options, kernel, "kernel", "3", 1, 15, "side of the window of form conv; odd"),
    NAS_OPT_INT(cell_options, cells, "cells", "1", 1, 100, "cells in each stage"),
    NAS_OPT_INT(cell_options, stages, "stages", "1", 1, 4, "stages; form conv halves the image between them"),
    NAS_OPT_TEXT(cell_options, stem, "stem", "linear", "neuron type of the layer before the first cell"),
    NAS_OPT_INT(cell_options, stem_kernel, "stem-kernel", "3", 1, 15, "side of the stem's window in form conv; odd"),
    NAS_OPT_INT(cell_options, stem_pool, "stem-pool", "1", 1, 8, "form conv: side of the squares averaged after it"),
    NAS_OPT_TEXT(cell_options, activation, "activation", "relu",
                 "before the classifier: a name (`nascent neuron activations`) or an expression such as x*tanh(a*x)"),
    NAS_OPT_CHOICE(cell_options, match, "match", "none", "none|params|macs",
                   "size each edge so that it has the parameters or MACs of a linear one"),
    NAS_OPT_END};

typedef struct cell_data {
  char text[320];
  const char *ops[OPS_MAX]; /* into text */
  nas_neuron_word words[OPS_MAX], stem;
  uint8_t n_ops;
  uint32_t size;        /* n_ops to the power of EDGES; 0: too many for a table of classes */
  uint32_t n_classes;   /* of the tables below */
  uint32_t *class_of;   /* by index */
  uint32_t *first_with; /* by class: index of its first member */
} cell_data;

static bool is_conv(const nas_space *self) { return ((const cell_options *)nas_space_options(self))->form[0] == 'c'; }

static const cell_data *data_of(const nas_space *self) { return nas_space_data((nas_space *)self); }

static const char *const plain[] = {"none", "skip_connect", "avg_pool_3x3", NULL};

static nas_status check_op(const nas_space *self, const char *name, nas_neuron_word *word, nas_err *err) {
  if (!strcmp(name, plain[2]) && !is_conv(self))
    return nas_fail(err, NAS_E_BAD_INPUT, "operations", "%s needs images; take form: conv or leave it out", name);
  for (int i = 0; plain[i]; i++)
    if (!strcmp(name, plain[i])) return NAS_OK;
  if (strpbrk(name, "+|~"))
    return nas_fail(err, NAS_E_BAD_INPUT, "operations", "'%s' contains one of + | ~, which the grammar needs", name);
  return nas_neuron_word_read(name, "operations", plain, word, err);
}

static nas_status read_operations(nas_space *self, cell_data *d, nas_err *err) {
  const cell_options *o = nas_space_options(self);
  nas_text_put(d->text, sizeof d->text, "%s", o->operations);
  int n = nas_neuron_words_cut(d->text, d->ops, OPS_MAX);
  if (n < 0) return nas_fail(err, NAS_E_OUT_OF_RANGE, "operations", "more than %d", OPS_MAX);
  for (; d->n_ops < n; d->n_ops++) {
    NAS_TRY(check_op(self, d->ops[d->n_ops], &d->words[d->n_ops], err));
    for (int i = 0; i < d->n_ops; i++)
      if (!strcmp(d->ops[i], d->ops[d->n_ops]))
        return nas_fail(err, NAS_E_BAD_INPUT, "operations", "'%s' is there twice", d->ops[i]);
  }
  if (d->n_ops < 2) return nas_fail(err, NAS_E_BAD_INPUT, "operations", "a space needs at least 2");
  if (o->kernel % 2 == 0) return nas_fail(err, NAS_E_OUT_OF_RANGE, "kernel", "%d; it must be odd", (int)o->kernel);
  if (o->stem_kernel % 2 == 0)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "stem-kernel", "%d; it must be odd", (int)o->stem_kernel);
  return nas_neuron_word_read(o->stem, "stem", NULL, &d->stem, err);
}

static uint64_t size(const nas_space *self) {
  uint64_t n = 1;
  for (int e = 0; e < EDGES; e++) n *= data_of(self)->n_ops;
  return n;
}

static nas_status at(const nas_space *self, uint64_t index, nas_arch *out, nas_err *err) {
  (void)err;
  *out = (nas_arch){.n = EDGES};
  for (int e = EDGES; e-- > 0; index /= data_of(self)->n_ops) out->gene[e] = (uint8_t)(index % data_of(self)->n_ops);
  return NAS_OK;
}

static bool index_of(const nas_space *self, const nas_arch *arch, uint64_t *out) {
  *out = 0;
  for (int e = 0; e < EDGES; e++) *out = *out * data_of(self)->n_ops + arch->gene[e];
  return true;
}

/* ---- classes ---- */

static uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/* A number for the sum that the output is: terms add up, so their order and nesting do not matter; 0 is zero. */
static uint64_t sum_of(const cell_data *d, const nas_arch *arch) {
  uint64_t value[NODES] = {0x9e3779b97f4a7c15u};
  for (int to = 1, e = 0; to < NODES; to++)
    for (int from = 0; from < to; from++, e++) {
      const char *op = d->ops[arch->gene[e]];
      if (!value[from] || !strcmp(op, plain[0])) continue;
      value[to] += strcmp(op, plain[1]) ? mixed(value[from] + 0x632be59bd9b4e019u * (arch->gene[e] + 1u)) : value[from];
    }
  return value[NODES - 1];
}

static nas_status make_classes(nas_space *self, cell_data *d, nas_err *err) {
  uint64_t cells = size(self);
  if (cells > CELLS_MAX) return NAS_OK;
  uint32_t slots = 1;
  while (slots < 2 * cells) slots *= 2;
  uint64_t *hash = calloc(slots, sizeof *hash);
  uint32_t *class_at = calloc(slots, sizeof *class_at);
  d->class_of = calloc(cells, sizeof *d->class_of);
  d->first_with = calloc(cells, sizeof *d->first_with);
  bool ok = hash && class_at && d->class_of && d->first_with;
  for (uint32_t i = 0; ok && i < cells; i++) {
    nas_arch arch;
    at(self, i, &arch, NULL);
    uint64_t key = mixed(sum_of(d, &arch)) | 1;
    uint32_t slot = (uint32_t)(key >> 32) & (slots - 1);
    while (hash[slot] && hash[slot] != key) slot = (slot + 1) & (slots - 1);
    if (!hash[slot]) {
      hash[slot] = key;
      class_at[slot] = d->n_classes;
      d->first_with[d->n_classes++] = i;
    }
    d->class_of[i] = class_at[slot];
  }
  free(hash);
  free(class_at);
  d->size = (uint32_t)cells;
  return ok ? NAS_OK : nas_fail_memory(err, "the classes of a space");
}

static nas_status open_space(nas_space *self, nas_err *err) {
  cell_data *d = nas_space_data(self);
  const cell_options *o = nas_space_options(self);
  NAS_TRY(read_operations(self, d, err));
  NAS_TRY(nas_activation_word_check(o->activation, "activation", err));
  return make_classes(self, d, err);
}

static void close_space(nas_space *self) {
  cell_data *d = nas_space_data(self);
  free(d->class_of);
  free(d->first_with);
}

static uint64_t classes(const nas_space *self) { return data_of(self)->n_classes; }

static bool class_of(const nas_space *self, const nas_arch *arch, uint64_t *out) {
  uint64_t index;
  if (!data_of(self)->size) return false;
  index_of(self, arch, &index);
  *out = data_of(self)->class_of[index];
  return true;
}

static nas_status class_first(const nas_space *self, uint64_t class_id, nas_arch *out, nas_err *err) {
  return at(self, data_of(self)->first_with[class_id], out, err);
}

/* ---- text ---- */

static uint8_t genes(const nas_space *self) {
  (void)self;
  return EDGES;
}

static uint8_t choices(const nas_space *self, uint8_t gene) {
  (void)gene;
  return data_of(self)->n_ops;
}

static const char *choice_name(const nas_space *self, uint8_t gene, uint8_t choice) {
  (void)gene;
  return choice < data_of(self)->n_ops ? data_of(self)->ops[choice] : NULL;
}

static const char *choice_summary(const nas_space *self, uint8_t gene, uint8_t choice) {
  static const char *const summaries[] = {"no edge: contributes zero", "passes its input on unchanged",
                                          "3x3 average pooling"};
  const char *name = choice_name(self, gene, choice);
  for (size_t i = 0; name && i < sizeof summaries / sizeof *summaries; i++)
    if (!strcmp(name, plain[i])) return summaries[i];
  return NULL;
}

static nas_status format(const nas_space *self, const nas_arch *arch, nas_str *out) {
  for (int to = 1, e = 0; to < NODES; to++) {
    nas_str_add(out, to > 1 ? "+|" : "|");
    for (int from = 0; from < to; from++, e++) nas_str_fmt(out, "%s~%d|", data_of(self)->ops[arch->gene[e]], from);
  }
  return NAS_OK;
}

/* The text of the first cell of its class. */
static nas_status canonical(const nas_space *self, const nas_arch *arch, nas_str *out) {
  uint64_t id;
  nas_arch first;
  if (class_of(self, arch, &id)) {
    class_first(self, id, &first, NULL);
    return format(self, &first, out);
  }
  nas_str_fmt(out, "sum-%016llx", (unsigned long long)sum_of(data_of(self), arch));
  return NAS_OK;
}

static nas_status read_edge(const nas_space *self, const char *text, const char **at_text, int from, uint8_t *gene,
                            nas_err *err) {
  const cell_data *d = data_of(self);
  char where[32], name[NAS_NEURON_WORD_MAX];
  size_t n = strcspn(*at_text, "~|+");
  nas_text_put(where, sizeof where, "arch:%d", (int)(*at_text - text) + 1);
  nas_text_put(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), *at_text);
  nas_guess guess = nas_guess_for(name);
  for (*gene = 0; *gene < d->n_ops && strcmp(d->ops[*gene], name) != 0; (*gene)++) nas_guess_add(&guess, d->ops[*gene]);
  if (*gene == d->n_ops)
    return nas_fail(err, NAS_E_UNKNOWN_NAME, where, "no operation '%s' in this space%s", name, nas_guess_text(&guess));
  const char *rest = *at_text + n;
  nas_text_put(where, sizeof where, "arch:%d", (int)(rest - text) + 1);
  if (rest[0] != '~' || rest[1] != '0' + from || rest[2] != '|')
    return nas_fail(err, NAS_E_BAD_INPUT, where,
                    "expected ~%d| after the operation; the form is "
                    "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|",
                    from);
  *at_text = rest + 3;
  return NAS_OK;
}

static nas_status parse(const nas_space *self, const char *text, nas_arch *out, nas_err *err) {
  *out = (nas_arch){.n = EDGES};
  const char *place = text;
  char where[32];
  for (int to = 1, e = 0; to < NODES; to++) {
    const char *begin = to > 1 ? "+|" : "|";
    nas_text_put(where, sizeof where, "arch:%d", (int)(place - text) + 1);
    if (strncmp(place, begin, strlen(begin)) != 0)
      return nas_fail(err, NAS_E_BAD_INPUT, where,
                      "expected '%s' before the edges of node %d; the form is "
                      "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|",
                      begin, to);
    place += strlen(begin);
    for (int from = 0; from < to; from++, e++) NAS_TRY(read_edge(self, text, &place, from, &out->gene[e], err));
  }
  nas_text_put(where, sizeof where, "arch:%d", (int)(place - text) + 1);
  return *place ? nas_fail(err, NAS_E_BAD_INPUT, where, "the cell is complete, but more follows") : NAS_OK;
}

/* ---- network ---- */

/* One edge: the neurons, then a batch norm that brings them to one scale. */
static nas_status add_edge(const nas_space *self, uint8_t op, const char *prefix, int32_t in, nas_net *net,
                           int32_t *out, nas_err *err) {
  const cell_options *o = nas_space_options(self);
  const cell_data *d = data_of(self);
  char label[64];
  *out = in;
  if (!strcmp(d->ops[op], plain[1])) return NAS_OK;
  nas_text_put(label, sizeof label, "%s.pool", prefix);
  if (!strcmp(d->ops[op], plain[2])) return nas_net_pool(net, "avg_pool", in, 3, 1, 1, label, out, err);
  nas_text_put(label, sizeof label, "%s.n", prefix);
  NAS_TRY(nas_neuron_edge(net, in, &d->words[op], (int32_t)o->width, is_conv(self) ? (int32_t)o->kernel : 0,
                          nas_match_of(o->match), label, out, err));
  nas_text_put(label, sizeof label, "%s.bn", prefix);
  return nas_net_batch_norm(net, *out, label, out, err);
}

static int edge_of(int from, int to) { return to * (to - 1) / 2 + from; }

static bool is_none(const nas_space *self, const nas_arch *arch, int from, int to) {
  return !strcmp(data_of(self)->ops[arch->gene[edge_of(from, to)]], plain[0]);
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
  const cell_options *o = nas_space_options(self);
  const nas_neuron_word *stem = &data_of(self)->stem;
  int32_t width = (int32_t)o->width, kernel = (int32_t)o->stem_kernel, pool = (int32_t)o->stem_pool;
  bool conv = is_conv(self), linear = !strcmp(stem->type, "linear");
  if (!linear)
    NAS_TRY(nas_net_neuron(net, NAS_NET_INPUT, stem->type, width, conv ? kernel : 0, stem->options, "stem.n", x, err));
  else if (conv)
    NAS_TRY(nas_net_conv2d(net, NAS_NET_INPUT, width, kernel, 1, kernel / 2, 1, false, "stem.conv", x, err));
  else NAS_TRY(nas_net_linear(net, NAS_NET_INPUT, width, "stem.linear", x, err));
  NAS_TRY(nas_net_batch_norm(net, *x, "stem.bn", x, err));
  return conv && pool > 1 ? nas_net_pool(net, "avg_pool", *x, pool, pool, 0, "stem.pool", x, err) : NAS_OK;
}

static nas_status net(const nas_space *self, const nas_arch *arch, nas_task task, nas_net *made, nas_err *err) {
  const cell_options *o = nas_space_options(self);
  int32_t x;
  char label[64];
  NAS_TRY(add_stem(self, made, &x, err));
  for (int stage = 0; stage < o->stages; stage++) {
    nas_text_put(label, sizeof label, "down%d", stage);
    if (stage && is_conv(self)) NAS_TRY(nas_net_pool(made, "avg_pool", x, 2, 2, 0, label, &x, err));
    for (int cell = 0; cell < o->cells; cell++) {
      nas_text_put(label, sizeof label, "s%d.c%d", stage, cell);
      NAS_TRY(add_cell(self, arch, label, made, &x, err));
    }
  }
  NAS_TRY(nas_net_batch_norm(made, x, "head.bn", &x, err));
  if (!strcmp(o->activation, "relu")) NAS_TRY(nas_net_relu(made, x, "head.relu", &x, err));
  else if (strcmp(o->activation, "none") != 0) NAS_TRY(nas_net_activation(made, x, o->activation, "head.act", &x, err));
  if (is_conv(self)) NAS_TRY(nas_net_global_pool(made, x, "head.pool", &x, err));
  NAS_TRY(nas_net_linear(made, x, task.classes, "head.classifier", &x, err));
  return nas_net_set_output(made, x, err);
}

static void edge(const nas_space *self, uint8_t gene, uint8_t *from, uint8_t *to) {
  (void)self;
  for (*to = 1; gene >= *to; (*to)++) gene = (uint8_t)(gene - *to);
  *from = gene;
}

/* ---- pictures ---- */

static void fill_edges(const nas_space *self, const nas_arch *arch, nas_cell_picture *out) {
  static const nas_line_style lines[] = {
      {"#c4c4c4", "1.5 5", "dotted", 1}, {"#555555", NULL, "solid", 1.4}, {"#777777", "2.5 3.5", "dotted", 2}};
  static const char *const labels[] = {"none", "skip", "avg pool 3\u00d73"};
  for (int e = 0; e < EDGES; e++) {
    const char *op = data_of(self)->ops[arch->gene[e]];
    nas_cell_edge *edge = &out->edges[e];
    *edge = (nas_cell_edge){.op = op, .none = !strcmp(op, plain[0]), .style = *nas_line_style_of(arch->gene[e])};
    /* Options are left to the text below where they would not fit between two nodes. */
    bool fits = strlen(op) <= 18;
    nas_text_put(edge->label, sizeof edge->label, "%.*s%s", fits ? 18 : (int)strcspn(op, "("), op,
                 fits ? "" : "(\u2026)");
    for (int i = 0; plain[i]; i++)
      if (!strcmp(op, plain[i])) {
        edge->style = lines[i];
        nas_text_put(edge->label, sizeof edge->label, "%s", labels[i]);
      }
  }
  nas_cell_live(out->edges);
}

static nas_status picture_of(const nas_space *self, const nas_arch *arch, nas_task task, nas_cell_picture *out,
                             nas_err *err) {
  const cell_options *o = nas_space_options(self);
  nas_caption *caption = &out->caption;
  uint64_t index;
  char window[24] = "";
  fill_edges(self, arch, out);
  index_of(self, arch, &index);
  nas_text_put(caption->title, sizeof caption->title, "neuron cell #%ju", (uintmax_t)index);
  if (is_conv(self)) nas_text_put(window, sizeof window, ", %d \u00d7 %d windows", (int)o->kernel, (int)o->kernel);
  nas_text_put(caption->basis, sizeof caption->basis,
               "width %d%s, %d \u00d7 %d cell%s%s%s, %d \u00d7 %d \u00d7 %d image, %d classes", (int)o->width, window,
               (int)o->stages, (int)o->cells, o->stages * o->cells > 1 ? "s" : "",
               o->match[0] == 'n' ? "" : ", matched by ", o->match[0] == 'n' ? "" : o->match, task.input.c,
               task.input.h, task.input.w, task.classes);
  NAS_TRY(nas_space_format(self, arch, out->arch, err));
  return nas_caption_count(self, arch, task, caption, err);
}

static nas_status svg(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_cell_picture picture;
  NAS_TRY(picture_of(self, arch, task, &picture, err));
  return nas_cell_svg(&picture, out);
}

static nas_status dot(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  nas_cell_picture picture;
  NAS_TRY(picture_of(self, arch, task, &picture, err));
  return nas_cell_dot(&picture, out);
}

static void json(const nas_space *self, const nas_arch *arch, nas_str *out) {
  nas_cell_picture picture;
  fill_edges(self, arch, &picture);
  nas_cell_json(&picture, out);
}

extern const nas_space_type nas_space_type_neuron_cell;
const nas_space_type nas_space_type_neuron_cell = {
    .name = "neuron-cell",
    .version = 2,
    .summary = "cells of four nodes whose six edges are neuron types of your choice, dense or convolutional",
    .citation = "the cell of X. Dong, Y. Yang, NAS-Bench-201, ICLR 2020",
    .options = options,
    .options_size = sizeof(cell_options),
    .data_size = sizeof(cell_data),
    .open = open_space,
    .close = close_space,
    .genes = genes,
    .choices = choices,
    .choice_name = choice_name,
    .choice_summary = choice_summary,
    .parse = parse,
    .format = format,
    .canonical = canonical,
    .size = size,
    .at = at,
    .index = index_of,
    .classes = classes,
    .class_of = class_of,
    .class_first = class_first,
    .net = net,
    .dot = dot,
    .svg = svg,
    .json = json,
    .edge = edge,
};
