/* A space that is declared rather than built: names of operations and the positions or edges that take them. It serves
 * tables of spaces that this program has no networks for; strategies search it as any other space. */
#include <stdlib.h>
#include <string.h>

#include "space/space.h"

enum { CHOICES_MAX = 64, TEXT_MAX = 446, POSITIONS_FALLBACK = 3 };

typedef struct declared_options {
  char label[48], ops[320], edges[TEXT_MAX], choices[TEXT_MAX], form[8], separator[8];
  int64_t positions;
} declared_options;

static const nas_option options[] = {
    NAS_OPT_TEXT(declared_options, label, "label", "", "name of the space, for people"),
    NAS_OPT_TEXT(declared_options, ops, "ops", "none,skip,conv", "operations of every position, separated by commas"),
    NAS_OPT_INT(declared_options, positions, "positions", "0", 0, NAS_GENES_MAX,
                "number of positions; 0: as edges or choices say, or 3"),
    NAS_OPT_TEXT(declared_options, edges, "edges", "",
                 "edges that take the operations, as 0-1,0-2,1-2; nodes are numbered along them"),
    NAS_OPT_TEXT(declared_options, choices, "choices", "",
                 "operations of each position instead of ops, as a,b;c,d,e or 3*a,b;2*c,d"),
    NAS_OPT_CHOICE(declared_options, form, "form", "names", "names|digits|cell",
                   "of architectures: conv,skip,none | 210 | |conv~0|+|skip~0|none~1|"),
    NAS_OPT_TEXT(declared_options, separator, "separator", ",", "what stands between names"),
    NAS_OPT_END};

typedef struct declared_data {
  char names[TEXT_MAX];
  uint8_t n, n_choices[NAS_GENES_MAX];
  const char *choice[NAS_GENES_MAX][CHOICES_MAX]; /* into names */
  uint8_t from[NAS_GENES_MAX], to[NAS_GENES_MAX];
  bool edged;
} declared_data;

static const declared_options *options_of(const nas_space *self) { return nas_space_options(self); }
static const declared_data *data_of(const nas_space *self) { return nas_space_data((nas_space *)self); }
static bool has_form(const nas_space *self, char c) { return options_of(self)->form[0] == c; }

/* ---- the declaration ---- */

static nas_status add_position(declared_data *d, const char *const *names, size_t n, nas_err *err) {
  if (d->n == NAS_GENES_MAX)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "positions", "a space has at most %d positions", NAS_GENES_MAX);
  d->n_choices[d->n] = (uint8_t)n;
  memcpy(d->choice[d->n++], names, n * sizeof *names);
  return NAS_OK;
}

/* Splits "a,b,c" in place. */
static nas_status split_names(char *text, const char *owner, const char **names, size_t *n, nas_err *err) {
  char *rest = NULL;
  *n = 0;
  for (char *word = strtok_r(text, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
    if (*n == CHOICES_MAX)
      return nas_fail(err, NAS_E_OUT_OF_RANGE, owner, "a position has at most %d operations", CHOICES_MAX);
    for (size_t i = 0; i < *n; i++)
      if (strcmp(names[i], word) == 0) return nas_fail(err, NAS_E_BAD_INPUT, owner, "'%s' is there twice", word);
    if (strpbrk(word, "~|+()[]{}'\""))
      return nas_fail(err, NAS_E_BAD_INPUT, owner, "'%s': names of operations have no ~ | + brackets or quotes", word);
    names[(*n)++] = word;
  }
  return *n ? NAS_OK : nas_fail(err, NAS_E_BAD_INPUT, owner, "a position needs an operation");
}

static nas_status read_choices(declared_data *d, nas_err *err) {
  char *rest = NULL;
  for (char *part = strtok_r(d->names, ";", &rest); part; part = strtok_r(NULL, ";", &rest)) {
    const char *names[CHOICES_MAX];
    size_t n;
    long times = 1;
    char *star = strchr(part, '*'), *end;
    if (star && (times = strtol(part, &end, 10)) > 0 && end == star) part = star + 1;
    else times = 1;
    NAS_TRY(split_names(part, "choices", names, &n, err));
    while (times-- > 0) NAS_TRY(add_position(d, names, n, err));
  }
  return NAS_OK;
}

static nas_status read_edges(declared_data *d, const char *text, size_t *n, nas_err *err) {
  *n = 0;
  for (const char *p = text; *p;) {
    char *end;
    long from = strtol(p, &end, 10), to = -1;
    if (end > p && *end == '-') to = strtol(end + 1, &end, 10);
    if (from < 0 || to <= from || to > 255 || (*end && *end != ','))
      return nas_fail(err, NAS_E_BAD_INPUT, "edges", "'%.20s': edges are written 0-1,0-2,1-2, from the lower node up",
                      p);
    if (*n == NAS_GENES_MAX)
      return nas_fail(err, NAS_E_OUT_OF_RANGE, "edges", "a space has at most %d edges", NAS_GENES_MAX);
    d->from[*n] = (uint8_t)from;
    d->to[(*n)++] = (uint8_t)to;
    p = *end ? end + 1 : end;
  }
  d->edged = *n > 0;
  return NAS_OK;
}

/* "cell" groups edges by the node they lead to, so they must come in that order. */
static nas_status check_form(const nas_space *self, const declared_data *d, nas_err *err) {
  if (has_form(self, 'c') && !d->edged)
    return nas_fail(err, NAS_E_BAD_INPUT, "form", "form cell needs edges; declare them or take form names");
  for (uint8_t g = 0; g < d->n; g++) {
    if (has_form(self, 'd') && d->n_choices[g] > 36)
      return nas_fail(err, NAS_E_OUT_OF_RANGE, "form", "form digits has 36 digits, position %d has %d operations", g,
                      d->n_choices[g]);
    if (has_form(self, 'c') && g && d->to[g] < d->to[g - 1])
      return nas_fail(err, NAS_E_BAD_INPUT, "edges",
                      "form cell wants the edges in the order of the nodes they lead to");
  }
  const char *separator = options_of(self)->separator;
  for (uint8_t g = 0; g < d->n && *separator; g++)
    for (uint8_t c = 0; c < d->n_choices[g]; c++)
      if (has_form(self, 'n') && strpbrk(d->choice[g][c], separator))
        return nas_fail(err, NAS_E_BAD_INPUT, "separator", "'%s' stands in the name '%s' too; choose another one",
                        separator, d->choice[g][c]);
  if (!*separator || strpbrk(separator, "\n\r\""))
    return nas_fail(err, NAS_E_BAD_INPUT, "separator", "names must be kept apart by something of one line");
  return NAS_OK;
}

static nas_status open_space(nas_space *self, nas_err *err) {
  const declared_options *o = options_of(self);
  declared_data *d = nas_space_data(self);
  size_t edges, n;
  const char *names[CHOICES_MAX];
  NAS_TRY(read_edges(d, o->edges, &edges, err));
  nas_text_put(d->names, sizeof d->names, "%s", *o->choices ? o->choices : o->ops);
  if (*o->choices) {
    NAS_TRY(read_choices(d, err));
  } else {
    size_t positions = edges ? edges : o->positions ? (size_t)o->positions : POSITIONS_FALLBACK;
    NAS_TRY(split_names(d->names, "ops", names, &n, err));
    while (positions-- > 0) NAS_TRY(add_position(d, names, n, err));
  }
  if ((edges && edges != d->n) || (o->positions && o->positions != d->n))
    return nas_fail(err, NAS_E_BAD_INPUT, "positions", "%lld positions, %zu edges and choices for %d do not agree",
                    (long long)o->positions, edges, d->n);
  return check_form(self, d, err);
}

/* ---- genes ---- */

static uint8_t genes(const nas_space *self) { return data_of(self)->n; }
static uint8_t choices(const nas_space *self, uint8_t gene) { return data_of(self)->n_choices[gene]; }

static const char *choice_name(const nas_space *self, uint8_t gene, uint8_t choice) {
  return choice < data_of(self)->n_choices[gene] ? data_of(self)->choice[gene][choice] : NULL;
}

static void edge(const nas_space *self, uint8_t gene, uint8_t *from, uint8_t *to) {
  *from = data_of(self)->from[gene];
  *to = data_of(self)->to[gene];
}

static uint64_t size(const nas_space *self) {
  const declared_data *d = data_of(self);
  uint64_t n = 1;
  for (uint8_t g = 0; g < d->n; g++)
    if (__builtin_mul_overflow(n, (uint64_t)d->n_choices[g], &n) || n > INT64_MAX) return 0;
  return n;
}

/* The first position is the highest place, so that digits read as numbers of that base do. */
static nas_status at(const nas_space *self, uint64_t index, nas_arch *out, nas_err *err) {
  (void)err;
  const declared_data *d = data_of(self);
  *out = (nas_arch){.n = d->n};
  for (uint8_t g = d->n; g-- > 0; index /= d->n_choices[g]) out->gene[g] = (uint8_t)(index % d->n_choices[g]);
  return NAS_OK;
}

static bool index_of(const nas_space *self, const nas_arch *arch, uint64_t *out) {
  const declared_data *d = data_of(self);
  if (!size(self)) return false;
  *out = 0;
  for (uint8_t g = 0; g < d->n; g++) *out = *out * d->n_choices[g] + arch->gene[g];
  return true;
}

/* ---- text ---- */

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static nas_status format(const nas_space *self, const nas_arch *arch, nas_str *out) {
  const declared_data *d = data_of(self);
  for (uint8_t g = 0; g < d->n; g++) {
    const char *name = d->choice[g][arch->gene[g]];
    bool opens = g == 0 || d->to[g] != d->to[g - 1];
    if (has_form(self, 'd')) nas_str_add_n(out, &digits[arch->gene[g]], 1);
    else if (has_form(self, 'c')) nas_str_fmt(out, "%s%s~%d|", !opens ? "" : g ? "+|" : "|", name, d->from[g]);
    else nas_str_fmt(out, "%s%s", g ? options_of(self)->separator : "", name);
  }
  return NAS_OK;
}

/* Exactly one digit for each position. */
static bool from_digits(const nas_space *self, const char *text, nas_arch *out) {
  const declared_data *d = data_of(self);
  if (!has_form(self, 'd') || strlen(text) != d->n) return false;
  for (uint8_t g = 0; g < d->n; g++) {
    const char *place = strchr(digits, text[g]);
    if (!place || place - digits >= d->n_choices[g]) return false;
    out->gene[g] = (uint8_t)(place - digits);
  }
  return true;
}

typedef struct word {
  char text[64];
  int column;
} word;

/* The names of a text: whatever stands between separators, brackets and quotes, without "~node". */
static int split(const nas_space *self, const char *text, word *words, int most) {
  char between[32];
  nas_text_put(between, sizeof between, " \t,;|+()[]{}'\"%s", options_of(self)->separator);
  int n = 0;
  for (const char *p = text + strspn(text, between); *p; p += strspn(p, between)) {
    size_t length = strcspn(p, between), bare = strcspn(p, "~");
    if (bare > length) bare = length;
    if (n < most) {
      words[n].column = (int)(p - text) + 1;
      nas_text_put(words[n].text, sizeof words[n].text, "%.*s", (int)(bare < 63 ? bare : 63), p);
    }
    n++;
    p += length;
  }
  return n;
}

static int find_choice(const declared_data *d, uint8_t g, const char *name) {
  for (int c = 0; c < d->n_choices[g]; c++)
    if (strcmp(d->choice[g][c], name) == 0) return c;
  return -1;
}

/* Numbers of the operations instead of names; all of them or none. */
static bool from_numbers(const declared_data *d, const word *words, nas_arch *out) {
  for (uint8_t g = 0; g < d->n; g++) {
    int64_t number;
    if (!nas_text_int(words[g].text, &number) || number < 0 || number >= d->n_choices[g]) return false;
    out->gene[g] = (uint8_t)number;
  }
  return true;
}

static nas_status parse(const nas_space *self, const char *text, nas_arch *out, nas_err *err) {
  const declared_data *d = data_of(self);
  word words[NAS_GENES_MAX];
  *out = (nas_arch){.n = d->n};
  if (from_digits(self, text, out)) return NAS_OK;
  int n = split(self, text, words, NAS_GENES_MAX);
  if (n != d->n)
    return nas_fail(err, NAS_E_BAD_INPUT, "arch:1", "the text names %d operations, the space has %d positions", n,
                    d->n);
  for (uint8_t g = 0; g < d->n; g++) {
    int c = find_choice(d, g, words[g].text);
    if (c < 0 && from_numbers(d, words, out)) return NAS_OK;
    char where[32];
    nas_guess guess = nas_guess_for(words[g].text);
    nas_text_put(where, sizeof where, "arch:%d", words[g].column);
    for (int k = 0; c < 0 && k < d->n_choices[g]; k++) nas_guess_add(&guess, d->choice[g][k]);
    if (c < 0)
      return nas_fail(err, NAS_E_UNKNOWN_NAME, where, "position %d has no operation '%s'%s", g, words[g].text,
                      nas_guess_text(&guess));
    out->gene[g] = (uint8_t)c;
  }
  return NAS_OK;
}

static bool numeral(const nas_space *self, const char *text) {
  return has_form(self, 'd') && strlen(text) == data_of(self)->n;
}

static nas_status net(const nas_space *self, const nas_arch *arch, nas_task task, nas_net *made, nas_err *err) {
  (void)self, (void)arch, (void)task, (void)made;
  return nas_fail(err, NAS_E_UNSUPPORTED, "space",
                  "a declared space has no networks: it can be searched in a table, not trained");
}

extern const nas_space_type nas_space_type_declared;
const nas_space_type nas_space_type_declared = {
    .name = "declared",
    .version = 1,
    .summary = "operations at positions or edges of your own declaration, for tables of other spaces; not trainable",
    .citation = "none",
    .options = options,
    .options_size = sizeof(declared_options),
    .data_size = sizeof(declared_data),
    .open = open_space,
    .genes = genes,
    .choices = choices,
    .choice_name = choice_name,
    .parse = parse,
    .numeral = numeral,
    .format = format,
    .canonical = format,
    .size = size,
    .at = at,
    .index = index_of,
    .net = net,
    .edge = edge,
};
