/* Networks of one to four layers, each of a neuron type, a width, a normalisation and an activation out of lists. Text:
 * "aptx:128:batch:relu|linear:32:none:none"; normalisation and activation may be left out when they are none. Gene 0 is
 * the depth, then four genes for each layer; those of layers beyond the depth have no effect and are 0 in an
 * architecture made from its index or text. */
#include "space/neuron_mlp.h"

static const nas_option options[] = {
    NAS_OPT_INT(mlp_options, min_layers, "min-layers", "1", 1, 4, "fewest layers before the head"),
    NAS_OPT_INT(mlp_options, max_layers, "max-layers", "4", 1, 4, "most layers before the head"),
    NAS_OPT_TEXT(mlp_options, neurons, "neurons", "linear,pade,aptx,kan-rbf,rbf,kuramoto",
                 "neuron types, pade or pade(kind=a;m=3), separated by commas"),
    NAS_OPT_TEXT(mlp_options, widths, "widths", "16,32,64,128", "numbers of neurons, separated by commas"),
    NAS_OPT_TEXT(mlp_options, norms, "norms", "none,batch,layer", "out of none, batch, layer"),
    NAS_OPT_TEXT(mlp_options, activations, "activations", "none,relu,tanh",
                 "none and activations by name (`nascent neuron activations`)"),
    NAS_OPT_TEXT(mlp_options, activation, "activation", "none",
                 "after the layers whose activation is none: a name or an expression such as x*tanh(a*x)"),
    NAS_OPT_TEXT(mlp_options, head, "head", "linear", "neuron type of the layer that gives the outputs"),
    NAS_OPT_CHOICE(mlp_options, match, "match", "none", "none|params|macs",
                   "size each layer so that it has the parameters or MACs of a linear one"),
    NAS_OPT_END};

static const char *const part_names[PARTS] = {"neurons", "widths", "norms", "activations"};

/* ---- options ---- */

static nas_status check_norm(const char *word, nas_err *err) {
  nas_guess guess = nas_guess_for(word);
  static const char *const known[] = {"none", "batch", "layer"};
  for (int i = 0; i < 3; i++) {
    if (!strcmp(word, known[i])) return NAS_OK;
    nas_guess_add(&guess, known[i]);
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, "norms", "no normalisation '%s'%s", word, nas_guess_text(&guess));
}

static nas_status check_word(mlp_data *d, int part, int i, nas_err *err) {
  const char *word = d->word[part][i];
  int64_t width;
  if (word[nas_neuron_word_span(word, ":|")])
    return nas_fail(err, NAS_E_BAD_INPUT, part_names[part],
                    "'%s' has : or | outside of parentheses, where the grammar needs them", word);
  for (int k = 0; k < i; k++)
    if (!strcmp(d->word[part][k], word))
      return nas_fail(err, NAS_E_BAD_INPUT, part_names[part], "'%s' is there twice", word);
  if (part == TYPE) return nas_neuron_word_read(word, part_names[part], NULL, &d->neuron[i], err);
  if (part == NORM) return check_norm(word, err);
  if (part == ACTIVATION) return nas_activation_word_check(word, part_names[part], err);
  if (!nas_text_int(word, &width) || width < 1 || width > 65536)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, part_names[part], "'%s' is no width in 1..65536", word);
  d->width[i] = (int32_t)width;
  return NAS_OK;
}

static nas_status open_space(nas_space *self, nas_err *err) {
  mlp_data *d = nas_space_data(self);
  const mlp_options *o = mlp_options_of(self);
  const char *const lists[PARTS] = {o->neurons, o->widths, o->norms, o->activations};
  if (o->min_layers > o->max_layers)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "min-layers", "%d is more than max-layers, which is %d",
                    (int)o->min_layers, (int)o->max_layers);
  for (int part = 0; part < PARTS; part++) {
    nas_text_put(d->text[part], LIST_MAX, "%s", lists[part]);
    int n = nas_neuron_words_cut(d->text[part], d->word[part], CHOICES_MAX);
    if (n < 1)
      return nas_fail(err, NAS_E_OUT_OF_RANGE, part_names[part], "%s; 1..%d are possible", n ? "too many" : "none",
                      CHOICES_MAX);
    for (d->n[part] = 0; d->n[part] < n; d->n[part]++) NAS_TRY(check_word(d, part, d->n[part], err));
  }
  NAS_TRY(nas_activation_word_check(o->activation, "activation", err));
  return nas_neuron_word_read(o->head, "head", NULL, &d->head, err);
}

/* ---- genes and numbers ---- */

static uint8_t genes(const nas_space *self) { return (uint8_t)(1 + PARTS * mlp_options_of(self)->max_layers); }

static uint8_t choices(const nas_space *self, uint8_t gene) {
  const mlp_options *o = mlp_options_of(self);
  return gene ? mlp_data_of(self)->n[(gene - 1) % PARTS] : (uint8_t)(o->max_layers - o->min_layers + 1);
}

static const char *choice_name(const nas_space *self, uint8_t gene, uint8_t choice) {
  static const char *const depths[] = {"1", "2", "3", "4"};
  if (choice >= choices(self, gene)) return NULL;
  return gene ? mlp_data_of(self)->word[(gene - 1) % PARTS][choice]
              : depths[mlp_options_of(self)->min_layers + choice - 1];
}

/* How many networks have one layer more than a given one; at most 2^16. */
static uint64_t layer_choices(const nas_space *self) {
  uint64_t n = 1;
  for (int part = 0; part < PARTS; part++) n *= mlp_data_of(self)->n[part];
  return n;
}

static uint64_t of_depth(const nas_space *self, int depth) {
  uint64_t n = 1;
  for (int l = 0; l < depth; l++) n *= layer_choices(self);
  return n;
}

/* All choices are at most 16 each, so 4 layers have at most 2^64 networks: too many to count only then. */
static uint64_t size(const nas_space *self) {
  uint64_t n = 0;
  if (layer_choices(self) > 60000) return 0;
  for (int depth = (int)mlp_options_of(self)->min_layers; depth <= mlp_options_of(self)->max_layers; depth++)
    n += of_depth(self, depth);
  return n;
}

/* The shallow ones first; of one depth the last layer's activation changes fastest. */
static nas_status at(const nas_space *self, uint64_t index, nas_arch *out, nas_err *err) {
  (void)err;
  *out = (nas_arch){.n = genes(self)};
  int depth = (int)mlp_options_of(self)->min_layers;
  for (; index >= of_depth(self, depth); depth++) index -= of_depth(self, depth);
  out->gene[0] = (uint8_t)(depth - mlp_options_of(self)->min_layers);
  for (int gene = PARTS * depth; gene > 0; gene--) {
    uint64_t n = choices(self, (uint8_t)gene);
    out->gene[gene] = (uint8_t)(index % n);
    index /= n;
  }
  return NAS_OK;
}

static bool index_of(const nas_space *self, const nas_arch *arch, uint64_t *out) {
  uint64_t within = 0;
  *out = 0;
  if (!size(self)) return false;
  for (int depth = (int)mlp_options_of(self)->min_layers; depth < mlp_depth_of(self, arch); depth++)
    *out += of_depth(self, depth);
  for (int gene = 1; gene <= PARTS * mlp_depth_of(self, arch); gene++)
    within = within * choices(self, (uint8_t)gene) + arch->gene[gene];
  *out += within;
  return true;
}

/* Networks that differ in more than genes without effect are different: the classes are the indices. */
static nas_status class_first(const nas_space *self, uint64_t class_id, nas_arch *out, nas_err *err) {
  return at(self, class_id, out, err);
}

/* ---- text ---- */

static nas_status format(const nas_space *self, const nas_arch *arch, nas_str *out) {
  for (int gene = 1; gene <= PARTS * mlp_depth_of(self, arch); gene++)
    nas_str_fmt(out, "%s%s",
                gene == 1            ? ""
                : (gene - 1) % PARTS ? ":"
                                     : "|",
                choice_name(self, (uint8_t)gene, arch->gene[gene]));
  return NAS_OK;
}

static nas_status read_part(const nas_space *self, const char *text, const char **place, int part, uint8_t *gene,
                            nas_err *err) {
  const mlp_data *d = mlp_data_of(self);
  char where[32], word[NAS_NEURON_WORD_MAX] = "none";
  nas_text_put(where, sizeof where, "arch:%d", (int)(*place - text) + 1);
  bool left_out = part >= NORM && (!**place || **place == '|');
  if (!left_out && part > 0) {
    if (**place != ':')
      return nas_fail(err, NAS_E_BAD_INPUT, where, "expected ':' and one of %s; a layer is type:width:norm:activation",
                      part_names[part]);
    ++*place;
  }
  if (!left_out) {
    size_t n = nas_neuron_word_span(*place, ":|");
    nas_text_put(where, sizeof where, "arch:%d", (int)(*place - text) + 1);
    nas_text_put(word, sizeof word, "%.*s", (int)(n < sizeof word ? n : sizeof word - 1), *place);
    *place += n;
  }
  nas_guess guess = nas_guess_for(word);
  for (*gene = 0; *gene < d->n[part] && strcmp(d->word[part][*gene], word) != 0; (*gene)++)
    nas_guess_add(&guess, d->word[part][*gene]);
  if (*gene < d->n[part]) return NAS_OK;
  return nas_fail(err, NAS_E_UNKNOWN_NAME, where, "'%s' is not among the %s of this space%s", word, part_names[part],
                  nas_guess_text(&guess));
}

static nas_status parse(const nas_space *self, const char *text, nas_arch *out, nas_err *err) {
  const mlp_options *o = mlp_options_of(self);
  const char *place = text;
  char where[32];
  int depth = 0;
  *out = (nas_arch){.n = genes(self)};
  for (;; place++) {
    nas_text_put(where, sizeof where, "arch:%d", (int)(place - text) + 1);
    if (depth == o->max_layers)
      return nas_fail(err, NAS_E_OUT_OF_RANGE, where, "more than %d layers", (int)o->max_layers);
    for (int part = 0; part < PARTS; part++)
      NAS_TRY(read_part(self, text, &place, part, &out->gene[1 + PARTS * depth + part], err));
    depth++;
    if (*place != '|') break;
  }
  nas_text_put(where, sizeof where, "arch:%d", (int)(place - text) + 1);
  if (*place) return nas_fail(err, NAS_E_BAD_INPUT, where, "expected '|' and another layer, or the end");
  if (depth < o->min_layers)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, where, "%d layers; this space has %d..%d", depth, (int)o->min_layers,
                    (int)o->max_layers);
  out->gene[0] = (uint8_t)(depth - o->min_layers);
  return NAS_OK;
}

/* ---- network ---- */

static nas_status add_layer(const nas_space *self, const uint8_t *gene, int layer, nas_net *net, int32_t *x,
                            nas_err *err) {
  const mlp_data *d = mlp_data_of(self);
  char label[32];
  const char *norm = d->word[NORM][gene[NORM]], *activation = d->word[ACTIVATION][gene[ACTIVATION]];
  nas_text_put(label, sizeof label, "layer%d.n", layer);
  NAS_TRY(nas_neuron_edge(net, *x, &d->neuron[gene[TYPE]], d->width[gene[WIDTH]], 0,
                          nas_match_of(mlp_options_of(self)->match), label, x, err));
  nas_text_put(label, sizeof label, "layer%d.norm", layer);
  if (norm[0] == 'b') NAS_TRY(nas_net_batch_norm(net, *x, label, x, err));
  if (norm[0] == 'l') NAS_TRY(nas_net_layer_norm(net, *x, label, x, err));
  nas_text_put(label, sizeof label, "layer%d.act", layer);
  if (!strcmp(activation, "none")) activation = mlp_options_of(self)->activation;
  return strcmp(activation, "none") ? nas_net_activation(net, *x, activation, label, x, err) : NAS_OK;
}

static nas_status net(const nas_space *self, const nas_arch *arch, nas_task task, nas_net *made, nas_err *err) {
  const nas_neuron_word *head = &mlp_data_of(self)->head;
  int32_t x = NAS_NET_INPUT;
  for (int layer = 0; layer < mlp_depth_of(self, arch); layer++)
    NAS_TRY(add_layer(self, arch->gene + 1 + PARTS * layer, layer, made, &x, err));
  NAS_TRY(nas_net_neuron(made, x, head->type, task.classes, 0, head->options, "head", &x, err));
  return nas_net_set_output(made, x, err);
}

extern const nas_space_type nas_space_type_neuron_mlp;
const nas_space_type nas_space_type_neuron_mlp = {
    .name = "neuron-mlp",
    .version = 1,
    .summary = "one to four layers, each of a neuron type, a width, a normalisation and an activation of your choice",
    .citation = "F. Rosenblatt, Principles of neurodynamics, 1962; each neuron type its own (`nascent neuron list`)",
    .options = options,
    .options_size = sizeof(mlp_options),
    .data_size = sizeof(mlp_data),
    .open = open_space,
    .genes = genes,
    .choices = choices,
    .choice_name = choice_name,
    .parse = parse,
    .format = format,
    .canonical = format,
    .size = size,
    .at = at,
    .index = index_of,
    .classes = size,
    .class_of = index_of,
    .class_first = class_first,
    .net = net,
    .dot = nas_neuron_mlp_dot,
    .svg = nas_neuron_mlp_svg,
};
