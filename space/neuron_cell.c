/* Cells of four nodes as in NAS-Bench-201, whose edges are neuron types of the user's choice. A cell's value adds up,
 * so two cells are of one class when their outputs are the same sums: edges of `none`, edges out of zeros and edges
 * that lead nowhere drop out, and a skip stands for what it repeats. */
#include <stdlib.h>
#include <string.h>

#include "space/neuron_cell.h"

#define FORM "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"

enum { CELLS_MAX = 1 << 20 };

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

const char *const nas_neuron_cell_plain[PLAIN_OPS + 1] = {"none", "skip_connect", "avg_pool_3x3", NULL};
static const char *const *const plain = nas_neuron_cell_plain;

static nas_status check_op(const nas_space *self, const char *name, nas_neuron_word *word, nas_err *err) {
  if (!strcmp(name, plain[POOL]) && !cell_is_conv(self))
    return nas_fail(err, NAS_E_BAD_INPUT, "operations", "%s needs images; take form: conv or leave it out", name);
  for (int i = 0; plain[i]; i++)
    if (!strcmp(name, plain[i])) return NAS_OK;
  if (name[nas_neuron_word_span(name, "+|~")])
    return nas_fail(err, NAS_E_BAD_INPUT, "operations",
                    "'%s' has one of + | ~ outside of parentheses, where the grammar needs them", name);
  return nas_neuron_word_read(name, "operations", plain, word, err);
}

static nas_status read_operations(nas_space *self, cell_data *d, nas_err *err) {
  const cell_options *o = cell_options_of(self);
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
  for (int e = 0; e < EDGES; e++) n *= cell_data_of(self)->n_ops;
  return n;
}

static nas_status at(const nas_space *self, uint64_t index, nas_arch *out, nas_err *err) {
  (void)err;
  *out = (nas_arch){.n = EDGES};
  for (int e = EDGES; e-- > 0; index /= cell_data_of(self)->n_ops)
    out->gene[e] = (uint8_t)(index % cell_data_of(self)->n_ops);
  return NAS_OK;
}

static bool index_of(const nas_space *self, const nas_arch *arch, uint64_t *out) {
  *out = 0;
  for (int e = 0; e < EDGES; e++) *out = *out * cell_data_of(self)->n_ops + arch->gene[e];
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
      if (!value[from] || cell_op_is(d, arch->gene[e], NONE)) continue;
      value[to] += cell_op_is(d, arch->gene[e], SKIP) ? value[from]
                                                      : mixed(value[from] + 0x632be59bd9b4e019u * (arch->gene[e] + 1u));
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
  const cell_options *o = cell_options_of(self);
  NAS_TRY(read_operations(self, d, err));
  NAS_TRY(nas_activation_word_check(o->activation, "activation", err));
  return make_classes(self, d, err);
}

static void close_space(nas_space *self) {
  cell_data *d = nas_space_data(self);
  free(d->class_of);
  free(d->first_with);
}

static uint64_t classes(const nas_space *self) { return cell_data_of(self)->n_classes; }

static bool class_of(const nas_space *self, const nas_arch *arch, uint64_t *out) {
  uint64_t index;
  if (!cell_data_of(self)->size) return false;
  index_of(self, arch, &index);
  *out = cell_data_of(self)->class_of[index];
  return true;
}

static nas_status class_first(const nas_space *self, uint64_t class_id, nas_arch *out, nas_err *err) {
  return at(self, cell_data_of(self)->first_with[class_id], out, err);
}

/* ---- text ---- */

static uint8_t genes(const nas_space *self) {
  (void)self;
  return EDGES;
}

static uint8_t choices(const nas_space *self, uint8_t gene) {
  (void)gene;
  return cell_data_of(self)->n_ops;
}

static const char *choice_name(const nas_space *self, uint8_t gene, uint8_t choice) {
  (void)gene;
  return choice < cell_data_of(self)->n_ops ? cell_data_of(self)->ops[choice] : NULL;
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
    for (int from = 0; from < to; from++, e++) nas_str_fmt(out, "%s~%d|", cell_data_of(self)->ops[arch->gene[e]], from);
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
  nas_str_fmt(out, "sum-%016llx", (unsigned long long)sum_of(cell_data_of(self), arch));
  return NAS_OK;
}

static nas_status read_edge(const nas_space *self, const char *text, const char **at_text, int from, uint8_t *gene,
                            nas_err *err) {
  const cell_data *d = cell_data_of(self);
  char where[32], name[NAS_NEURON_WORD_MAX];
  size_t n = nas_neuron_word_span(*at_text, "~|+");
  nas_text_put(where, sizeof where, "arch:%d", (int)(*at_text - text) + 1);
  nas_text_put(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : sizeof name - 1), *at_text);
  if (n == 0) return nas_fail(err, NAS_E_BAD_INPUT, where, "expected an operation; the form is " FORM);
  nas_guess guess = nas_guess_for(name);
  for (*gene = 0; *gene < d->n_ops && strcmp(d->ops[*gene], name) != 0; (*gene)++) nas_guess_add(&guess, d->ops[*gene]);
  if (*gene == d->n_ops)
    return nas_fail(err, NAS_E_UNKNOWN_NAME, where, "no operation '%s' in this space%s", name, nas_guess_text(&guess));
  const char *rest = *at_text + n;
  nas_text_put(where, sizeof where, "arch:%d", (int)(rest - text) + 1);
  if (rest[0] != '~' || rest[1] != '0' + from || rest[2] != '|')
    return nas_fail(err, NAS_E_BAD_INPUT, where, "expected ~%d| after the operation; the form is " FORM, from);
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
      return nas_fail(err, NAS_E_BAD_INPUT, where, "expected '%s' before the edges of node %d; the form is " FORM,
                      begin, to);
    place += strlen(begin);
    for (int from = 0; from < to; from++, e++) NAS_TRY(read_edge(self, text, &place, from, &out->gene[e], err));
  }
  nas_text_put(where, sizeof where, "arch:%d", (int)(place - text) + 1);
  return *place ? nas_fail(err, NAS_E_BAD_INPUT, where, "the cell is complete, but more follows") : NAS_OK;
}

static void edge(const nas_space *self, uint8_t gene, uint8_t *from, uint8_t *to) {
  (void)self;
  for (*to = 1; gene >= *to; (*to)++) gene = (uint8_t)(gene - *to);
  *from = gene;
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
    .net = nas_neuron_cell_net,
    .dot = nas_neuron_cell_dot,
    .svg = nas_neuron_cell_svg,
    .json = nas_neuron_cell_json,
    .edge = edge,
};
