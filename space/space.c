#include "space/space.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct nas_space {
  const nas_space_type *type;
  void *options, *data;
};

bool nas_arch_same(const nas_arch *a, const nas_arch *b) { return a->n == b->n && !memcmp(a->gene, b->gene, a->n); }

nas_status nas_space_open(const char *name, const nas_settings *settings, nas_space **out, nas_err *err) {
  *out = NULL;
  const nas_space_type *type;
  NAS_TRY(nas_space_find(name, &type, err));
  nas_space *space = calloc(1, sizeof *space);
  if (!space) return nas_fail_memory(err, "a search space");
  /* One byte more, since calloc(0) may be NULL and would read as a failure. */
  space->options = calloc(1, type->options_size + 1);
  space->data = calloc(1, type->data_size + 1);
  nas_status status = space->options && space->data ? NAS_OK : nas_fail_memory(err, "a search space");
  if (status == NAS_OK) {
    char owner[96];
    nas_text_put(owner, sizeof owner, "space %s", type->name);
    status = nas_options_fill(type->options, space->options, owner, settings, err);
  }
  if (status == NAS_OK) {
    space->type = type;
    if (type->open) status = type->open(space, err);
    if (status != NAS_OK) space->type = NULL; /* what was not opened is not closed */
  }
  if (status != NAS_OK) {
    nas_space_close(space);
    return status;
  }
  *out = space;
  return NAS_OK;
}

void nas_space_close(nas_space *space) {
  if (!space) return;
  if (space->type && space->type->close) space->type->close(space);
  free(space->options);
  free(space->data);
  free(space);
}

const nas_space_type *nas_space_type_of(const nas_space *space) { return space->type; }
const void *nas_space_options(const nas_space *space) { return space->options; }
void *nas_space_data(const nas_space *space) { return space->data; }
uint8_t nas_space_genes(const nas_space *space) { return space->type->genes(space); }

uint8_t nas_space_choices(const nas_space *space, uint8_t gene) { return space->type->choices(space, gene); }

bool nas_space_edge(const nas_space *space, uint8_t gene, uint8_t *from, uint8_t *to) {
  if (!space->type->edge || gene >= nas_space_genes(space)) return false;
  *from = *to = 0;
  space->type->edge(space, gene, from, to);
  return *from < *to;
}

const char *nas_space_choice_name(const nas_space *space, uint8_t gene, uint8_t choice) {
  return space->type->choice_name(space, gene, choice);
}

const char *nas_space_choice_summary(const nas_space *space, uint8_t gene, uint8_t choice) {
  return space->type->choice_summary ? space->type->choice_summary(space, gene, choice) : NULL;
}

/* Architectures come from other processes and tables too: no table look-up before this. */
static nas_status check(const nas_space *space, const nas_arch *arch, nas_err *err) {
  uint8_t genes = nas_space_genes(space);
  if (arch->n != genes)
    return nas_fail(err, NAS_E_BAD_INPUT, "arch", "an architecture of %s has %d genes, this one has %d",
                    space->type->name, genes, arch->n);
  for (uint8_t i = 0; i < genes; i++)
    if (arch->gene[i] >= nas_space_choices(space, i))
      return nas_fail(err, NAS_E_BAD_INPUT, "arch", "gene %d of an architecture of %s is %d; it must be below %d", i,
                      space->type->name, arch->gene[i], nas_space_choices(space, i));
  return NAS_OK;
}

static bool is_number(const char *text) {
  if (!*text) return false;
  for (; *text; text++)
    if (!isdigit((unsigned char)*text)) return false;
  return true;
}

nas_status nas_space_parse(const nas_space *space, const char *text, nas_arch *out, nas_err *err) {
  if (!is_number(text) || (space->type->numeral && space->type->numeral(space, text)))
    return space->type->parse(space, text, out, err);
  int64_t index;
  uint64_t size = nas_space_size(space);
  if (!size || !space->type->at)
    return nas_fail(err, NAS_E_UNSUPPORTED, "arch:1", "the architectures of %s have no index; write the text form",
                    space->type->name);
  if (!nas_text_int(text, &index) || (uint64_t)index >= size)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "arch:1", "index %.24s of %s lies outside 0..%llu", text,
                    space->type->name, (unsigned long long)size - 1);
  return nas_space_at(space, (uint64_t)index, out, err);
}

typedef nas_status (*write_fn)(const nas_space *self, const nas_arch *arch, nas_str *out);

static nas_status write_text(const nas_space *space, const nas_arch *arch, write_fn write, char out[NAS_ARCH_TEXT_MAX],
                             nas_err *err) {
  out[0] = '\0';
  NAS_TRY(check(space, arch, err));
  nas_str text = {0};
  nas_status status = write(space, arch, &text);
  if (status != NAS_OK) nas_fail(err, status, "arch", "the architecture of %s has no such text", space->type->name);
  if (status == NAS_OK) status = nas_str_check(&text, err);
  if (status == NAS_OK && !nas_text_put(out, NAS_ARCH_TEXT_MAX, "%s", nas_str_text(&text)))
    status = nas_fail(err, NAS_E_INTERNAL, "arch", "a text of %s has %zu bytes, more than %d", space->type->name,
                      text.len, NAS_ARCH_TEXT_MAX - 1);
  nas_str_free(&text);
  return status;
}

nas_status nas_space_format(const nas_space *space, const nas_arch *arch, char out[NAS_ARCH_TEXT_MAX], nas_err *err) {
  return write_text(space, arch, space->type->format, out, err);
}

nas_status nas_space_canonical(const nas_space *space, const nas_arch *arch, char out[NAS_ARCH_TEXT_MAX],
                               nas_err *err) {
  return write_text(space, arch, space->type->canonical, out, err);
}

uint64_t nas_space_size(const nas_space *space) { return space->type->size ? space->type->size(space) : 0; }

nas_status nas_space_at(const nas_space *space, uint64_t index, nas_arch *out, nas_err *err) {
  uint64_t size = nas_space_size(space);
  if (!size || !space->type->at)
    return nas_fail(err, NAS_E_UNSUPPORTED, "index", "the architectures of %s have no index", space->type->name);
  if (index >= size)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "index", "index %llu of %s lies outside 0..%llu",
                    (unsigned long long)index, space->type->name, (unsigned long long)size - 1);
  return space->type->at(space, index, out, err);
}

bool nas_space_index(const nas_space *space, const nas_arch *arch, uint64_t *out) {
  return space->type->index && check(space, arch, NULL) == NAS_OK && space->type->index(space, arch, out);
}

uint64_t nas_space_classes(const nas_space *space) { return space->type->classes ? space->type->classes(space) : 0; }

bool nas_space_class(const nas_space *space, const nas_arch *arch, uint64_t *out) {
  return space->type->class_of && check(space, arch, NULL) == NAS_OK && space->type->class_of(space, arch, out);
}

nas_status nas_space_class_first(const nas_space *space, uint64_t class_id, nas_arch *out, nas_err *err) {
  uint64_t classes = nas_space_classes(space);
  if (!classes || !space->type->class_first)
    return nas_fail(err, NAS_E_UNSUPPORTED, "class", "the unique classes of %s are not counted", space->type->name);
  if (class_id >= classes)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "class", "class %llu of %s lies outside 0..%llu",
                    (unsigned long long)class_id, space->type->name, (unsigned long long)classes - 1);
  return space->type->class_first(space, class_id, out, err);
}

nas_status nas_space_sample(const nas_space *space, nas_rng rng, uint64_t first, bool unique, nas_arch *out,
                            nas_err *err) {
  if (unique) {
    uint64_t classes = nas_space_classes(space);
    return nas_space_class_first(space, classes ? nas_rng_below(rng, first, classes) : 0, out, err);
  }
  *out = (nas_arch){.n = nas_space_genes(space)};
  for (uint8_t i = 0; i < out->n; i++)
    out->gene[i] = (uint8_t)nas_rng_below(rng, first + i, nas_space_choices(space, i));
  return NAS_OK;
}

uint32_t nas_space_neighbours(const nas_space *space) {
  uint32_t n = 0;
  for (uint8_t i = 0; i < nas_space_genes(space); i++) n += nas_space_choices(space, i) - 1u;
  return n;
}

/* Sets a gene to the k-th choice other than its own. */
static void change(nas_arch *arch, uint8_t gene, uint64_t k) {
  arch->gene[gene] = (uint8_t)(k < arch->gene[gene] ? k : k + 1);
}

nas_status nas_space_mutate(const nas_space *space, const nas_arch *arch, nas_rng rng, uint64_t first, nas_arch *out,
                            nas_err *err) {
  NAS_TRY(check(space, arch, err));
  uint8_t free_genes[NAS_GENES_MAX], n = 0; /* those with another choice */
  for (uint8_t i = 0; i < arch->n; i++)
    if (nas_space_choices(space, i) > 1) free_genes[n++] = i;
  if (!n) return nas_fail(err, NAS_E_EXHAUSTED, "arch", "%s holds a single architecture", space->type->name);
  uint8_t gene = free_genes[nas_rng_below(rng, first, n)];
  *out = *arch;
  change(out, gene, nas_rng_below(rng, first + 1, nas_space_choices(space, gene) - 1u));
  return NAS_OK;
}

nas_status nas_space_neighbour(const nas_space *space, const nas_arch *arch, uint32_t k, nas_arch *out, nas_err *err) {
  NAS_TRY(check(space, arch, err));
  uint32_t left = k;
  for (uint8_t i = 0; i < arch->n; i++) {
    uint32_t others = nas_space_choices(space, i) - 1u;
    if (left < others) {
      *out = *arch;
      change(out, i, left);
      return NAS_OK;
    }
    left -= others;
  }
  return nas_fail(err, NAS_E_OUT_OF_RANGE, "neighbour", "neighbour %u of %s lies outside 0..%u", k, space->type->name,
                  nas_space_neighbours(space) - 1);
}

nas_status nas_space_net(const nas_space *space, const nas_arch *arch, nas_task task, nas_net **out, nas_err *err) {
  *out = NULL;
  NAS_TRY(check(space, arch, err));
  nas_err own = {0}; /* so that a caller without an err gets the right code too */
  if (!err) err = &own;
  nas_net *net = nas_net_new(task, err);
  if (!net) return (nas_status)err->code;
  nas_status status = space->type->net(space, arch, task, net, err);
  if (status != NAS_OK) {
    nas_net_free(net);
    return status;
  }
  *out = net;
  return NAS_OK;
}

/* The architecture as a JSON object: what every space has, then what the type adds. */
static nas_status write_json(const nas_space *space, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err) {
  (void)task;
  char text[NAS_ARCH_TEXT_MAX], canonical[NAS_ARCH_TEXT_MAX];
  NAS_TRY(nas_space_format(space, arch, text, err));
  NAS_TRY(nas_space_canonical(space, arch, canonical, err));
  nas_str_add(out, "{\"schema\": \"nascent.architecture\", \"space\": ");
  nas_str_json(out, space->type->name);
  nas_str_add(out, ", \"arch\": ");
  nas_str_json(out, text);
  uint64_t number;
  if (nas_space_index(space, arch, &number)) nas_str_fmt(out, ", \"index\": %llu", (unsigned long long)number);
  nas_str_add(out, ", \"canonical\": ");
  nas_str_json(out, canonical);
  if (nas_space_class(space, arch, &number)) nas_str_fmt(out, ", \"class\": %llu", (unsigned long long)number);
  nas_str_add(out, ", \"genes\": [");
  for (uint8_t i = 0; i < arch->n; i++) {
    if (i) nas_str_add(out, ", ");
    nas_str_json(out, nas_space_choice_name(space, i, arch->gene[i]));
  }
  nas_str_add(out, "]");
  if (space->type->json) space->type->json(space, arch, out);
  nas_str_add(out, "}\n");
  return NAS_OK;
}

nas_status nas_space_draw(const nas_space *space, const nas_arch *arch, nas_task task, const char *format, nas_str *out,
                          nas_err *err) {
  NAS_TRY(check(space, arch, err));
  nas_status (*draw)(const nas_space *, const nas_arch *, nas_task, nas_str *, nas_err *) = NULL;
  if (strcmp(format, "json") == 0) draw = write_json;
  else if (strcmp(format, "svg") == 0) draw = space->type->svg;
  else if (strcmp(format, "dot") == 0) draw = space->type->dot;
  else
    return nas_fail(err, NAS_E_BAD_INPUT, "format", "no picture format is called '%s'; use svg, dot or json", format);
  if (!draw)
    return nas_fail(err, NAS_E_UNSUPPORTED, "format", "%s has no %s picture; use json", space->type->name, format);
  NAS_TRY(draw(space, arch, task, out, err));
  return nas_str_check(out, err);
}
