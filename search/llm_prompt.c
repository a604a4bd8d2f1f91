#include "search/llm_prompt.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/neuron.h"

enum { TEMPLATE_BYTES_MAX = 64 << 10, EXAMPLES = 3 };

static const char builtin_system[] = "You are an expert in the design of neural networks.";
static const char builtin_user[] =
    "Help to find the neural network with the highest validation accuracy. Each network that you propose is trained, "
    "and\n"
    "you are told its accuracy.\n"
    "\n"
    "What is trained: {task}\n"
    "\n"
    "{space}\n"
    "\n"
    "Results so far (validation accuracy in percent):\n"
    "{history}\n"
    "\n"
    "Best so far: {best}\n"
    "\n"
    "Being trained now:\n"
    "{running}\n"
    "\n"
    "Propose one network that is in neither list: one that you expect to be better than all of them, or whose result\n"
    "would tell you most. Answer with one JSON object, {{\"arch\": \"...\"}}, whose text has the form of the "
    "examples.\n";

static const char *const placeholders[] = {"task", "space", "history", "running", "best", NULL};

/* ---- templates ---- */

void nas_llm_template_free(nas_llm_template *t) {
  nas_str_free(&t->system);
  nas_str_free(&t->user);
}

void nas_llm_template_text(const nas_llm_template *t, nas_str *out) {
  if (t->system.len) nas_str_fmt(out, "%s\n---\n", t->system.s);
  nas_str_add(out, nas_str_text(&t->user));
}

/* The placeholder that begins at "{": its number and length; -1: there is no such one. */
static int placeholder_at(const char *at, size_t *length) {
  *length = strcspn(at, "}\n");
  for (int i = 0; placeholders[i]; i++)
    if (strlen(placeholders[i]) + 1 == *length && strncmp(at + 1, placeholders[i], *length - 1) == 0) {
      *length += 1;
      return i;
    }
  return -1;
}

static nas_status check_placeholders(const char *path, const char *text, nas_err *err) {
  int line = 1;
  for (const char *at = text; *at; at++) {
    size_t length;
    line += *at == '\n';
    if (*at != '{' && *at != '}') continue;
    if (at[1] == *at) {
      at++;
      continue;
    }
    if (*at == '{' && placeholder_at(at, &length) >= 0) {
      at += length - 1;
      continue;
    }
    char where[188], word[32];
    nas_text_put(where, sizeof where, "%s:%d", path, line);
    if (*at == '}') return nas_fail(err, NAS_E_BAD_INPUT, where, "a brace stands alone; write '}}' for '}'");
    nas_text_put(word, sizeof word, "%.*s", (int)(strcspn(at + 1, "}\n \t")), at + 1);
    nas_guess guess = nas_guess_for(word);
    for (int i = 0; placeholders[i]; i++) nas_guess_add(&guess, placeholders[i]);
    return nas_fail(err, NAS_E_UNKNOWN_NAME, where,
                    "no placeholder '{%s}'%s ({task}, {space}, {history}, {running}, {best}; '{{' stands for '{')",
                    word, nas_guess_text(&guess));
  }
  return NAS_OK;
}

static nas_status split(const char *path, const char *text, size_t n, nas_llm_template *out, nas_err *err) {
  json_t *utf8 = json_stringn(text, n);
  json_decref(utf8);
  if (!utf8 || strlen(text) != n) return nas_fail(err, NAS_E_BAD_INPUT, path, "the template is not a text in UTF-8");
  NAS_TRY(check_placeholders(path, text, err));
  const char *rule = strstr(text, "\n---\n");
  if (rule) nas_str_add_n(&out->system, text, (size_t)(rule - text));
  nas_str_add(&out->user, rule ? rule + 5 : text);
  NAS_TRY(nas_str_check(&out->system, err));
  NAS_TRY(nas_str_check(&out->user, err));
  if (!nas_str_text(&out->user)[strspn(nas_str_text(&out->user), " \t\r\n")])
    return nas_fail(err, NAS_E_BAD_INPUT, path, "the template has no message");
  return NAS_OK;
}

nas_status nas_llm_template_read(const char *path, nas_llm_template *out, nas_err *err) {
  *out = (nas_llm_template){0};
  if (!*path) {
    nas_str_add(&out->system, builtin_system);
    nas_str_add(&out->user, builtin_user);
    NAS_TRY(nas_str_check(&out->system, err));
    return nas_str_check(&out->user, err);
  }
  char *text;
  size_t n;
  NAS_TRY(nas_file_read(path, TEMPLATE_BYTES_MAX, &text, &n, err));
  nas_status status = split(path, text, n, out, err);
  free(text);
  return status;
}

/* ---- the space ---- */

static bool same_choices(const nas_space *space, uint8_t a, uint8_t b) {
  if (nas_space_choices(space, a) != nas_space_choices(space, b)) return false;
  for (uint8_t i = 0; i < nas_space_choices(space, a); i++)
    if (strcmp(nas_space_choice_name(space, a, i), nas_space_choice_name(space, b, i)) != 0) return false;
  return true;
}

static void add_gene(const nas_space *space, uint8_t gene, nas_str *out) {
  uint8_t from, to;
  if (nas_space_edge(space, gene, &from, &to)) nas_str_fmt(out, "edge %d->%d", from, to);
  else nas_str_fmt(out, "choice %d", gene + 1);
}

/* What a choice does: in the space's words, or in those of the neuron type of that name. */
static void add_choice(const nas_space *space, uint8_t gene, uint8_t choice, nas_str *out) {
  const char *name = nas_space_choice_name(space, gene, choice);
  const char *summary = nas_space_choice_summary(space, gene, choice);
  const nas_neuron_type *neuron = summary ? NULL : nas_neuron_find(name);
  nas_str_fmt(out, "  %s", name);
  if (summary) nas_str_fmt(out, ": %s", summary);
  if (neuron) nas_str_fmt(out, ": %s; %s", neuron->summary, neuron->formula);
  nas_str_add(out, "\n");
}

/* Genes with the same choices share one list. */
static void add_choices(const nas_space *space, nas_str *out) {
  uint8_t genes = nas_space_genes(space);
  for (uint8_t first = 0; first < genes; first++) {
    bool listed = false;
    for (uint8_t before = 0; before < first; before++) listed = listed || same_choices(space, before, first);
    if (listed) continue;
    uint8_t n = 0;
    nas_str_add(out, "Of ");
    for (uint8_t gene = first; gene < genes; gene++) {
      if (!same_choices(space, first, gene)) continue;
      if (n++) nas_str_add(out, ", ");
      add_gene(space, gene, out);
    }
    nas_str_add(out, n > 1 ? ", each is one of\n" : ", it is one of\n");
    for (uint8_t c = 0; c < nas_space_choices(space, first); c++) add_choice(space, first, c, out);
  }
}

nas_status nas_llm_describe(const nas_space *space, nas_str *out, nas_err *err) {
  const nas_space_type *type = nas_space_type_of(space);
  uint64_t size = nas_space_size(space);
  nas_str_fmt(out, "The search space is %s: %s.\n", type->name, type->summary);
  if (size) nas_str_fmt(out, "It has %llu networks. ", (unsigned long long)size);
  nas_str_fmt(out, "A network is given by %d choices, in this order.\n", nas_space_genes(space));
  add_choices(space, out);
  nas_str options = {0};
  nas_options_format(type->options, nas_space_options(space), &options);
  if (options.len) nas_str_fmt(out, "The same for all networks:\n%s", options.s);
  nas_str_free(&options);
  nas_str_add(out, "Networks are written as in these examples:\n");
  for (uint64_t i = 0; i < EXAMPLES; i++) {
    nas_arch arch;
    char text[NAS_ARCH_TEXT_MAX];
    const nas_rng rng = nas_rng_make(0, (uint32_t)i, NAS_STREAM_STRATEGY);
    NAS_TRY(nas_space_sample(space, rng, 0, false, &arch, err));
    NAS_TRY(nas_space_format(space, &arch, text, err));
    nas_str_fmt(out, "  %s%s", text, i + 1 < EXAMPLES ? "\n" : "");
  }
  return nas_str_check(out, err);
}

/* ---- results ---- */

static bool is_good(const nas_llm_trial *t) {
  return t->told && t->outcome == NAS_OUTCOME_OK && isfinite(t->valid_accuracy);
}

static nas_status add_trial(const nas_llm_facts *f, const nas_llm_trial *t, nas_str *out, nas_err *err) {
  char text[NAS_ARCH_TEXT_MAX];
  NAS_TRY(nas_space_format(f->space, &t->arch, text, err));
  if (is_good(t)) nas_str_fmt(out, "%.2f  %s", t->valid_accuracy, text);
  else if (t->told) nas_str_fmt(out, "failed (%s)  %s", nas_outcome_text(t->outcome), text);
  else nas_str_add(out, text);
  if (is_good(t) && isfinite(t->params)) nas_str_fmt(out, "  %.0f parameters", t->params);
  nas_str_add(out, "\n");
  return NAS_OK;
}

typedef struct ranked {
  double accuracy;
  size_t at;
} ranked;

static int by_accuracy(const void *a, const void *b) {
  const ranked *x = a, *y = b;
  if (x->accuracy != y->accuracy) return x->accuracy < y->accuracy ? 1 : -1;
  return x->at < y->at ? -1 : x->at > y->at;
}

/* Marks what to list: the best half of `history`, then the latest. */
static size_t choose(const nas_llm_facts *f, ranked *order, bool *listed) {
  size_t good = 0, n = 0, told = 0;
  for (size_t i = 0; i < f->n; i++) {
    told += f->trials[i].told;
    if (is_good(&f->trials[i])) order[good++] = (ranked){f->trials[i].valid_accuracy, i};
  }
  if (good) qsort(order, good, sizeof *order, by_accuracy);
  for (size_t i = 0; i < good && n < f->history / 2; i++, n++) listed[order[i].at] = true;
  for (size_t i = f->n; i-- > 0 && n < f->history;)
    if (f->trials[i].told && !listed[i]) {
      listed[i] = true;
      n++;
    }
  return told - n;
}

static nas_status add_history(const nas_llm_facts *f, nas_str *out, nas_err *err) {
  ranked *order = calloc(f->n + 1, sizeof *order);
  bool *listed = calloc(f->n + 1, sizeof *listed);
  nas_status status = order && listed ? NAS_OK : nas_fail_memory(err, "a prompt");
  size_t left_out = status == NAS_OK ? choose(f, order, listed) : 0, n = 0;
  for (size_t i = 0; i < f->n && status == NAS_OK; i++)
    if (listed[i]) {
      status = add_trial(f, &f->trials[i], out, err);
      n++;
    }
  if (!n) nas_str_add(out, "none yet\n");
  if (left_out) nas_str_fmt(out, "(%zu others, neither among the best nor among the latest)\n", left_out);
  free(order);
  free(listed);
  return status;
}

static nas_status add_running(const nas_llm_facts *f, nas_str *out, nas_err *err) {
  size_t n = 0;
  for (size_t i = 0; i < f->n; i++) {
    if (f->trials[i].told) continue;
    NAS_TRY(add_trial(f, &f->trials[i], out, err));
    n++;
  }
  if (!n) nas_str_add(out, "none\n");
  return NAS_OK;
}

static nas_status add_best(const nas_llm_facts *f, nas_str *out, nas_err *err) {
  const nas_llm_trial *best = NULL;
  for (size_t i = 0; i < f->n; i++)
    if (is_good(&f->trials[i]) && (!best || f->trials[i].valid_accuracy > best->valid_accuracy)) best = &f->trials[i];
  if (best) return add_trial(f, best, out, err);
  nas_str_add(out, "none yet\n");
  return NAS_OK;
}

static nas_status add_placeholder(int which, const nas_llm_facts *f, nas_str *out, nas_err *err) {
  nas_status status = NAS_OK;
  switch (which) {
    case 0: nas_str_add(out, f->task ? f->task : "the same for all networks"); break;
    case 1: nas_str_add(out, f->description); break;
    case 2: status = add_history(f, out, err); break;
    case 3: status = add_running(f, out, err); break;
    default: status = add_best(f, out, err);
  }
  /* The template ends the line. */
  if (which >= 2 && out->len && !out->failed && out->s[out->len - 1] == '\n') out->s[--out->len] = '\0';
  return status;
}

nas_status nas_llm_fill(const char *message, const nas_llm_facts *facts, nas_str *out, nas_err *err) {
  for (const char *at = message; *at;) {
    size_t plain = strcspn(at, "{}"), length;
    nas_str_add_n(out, at, plain);
    at += plain;
    if (!*at) break;
    int which = *at == '{' ? placeholder_at(at, &length) : -1;
    if (which >= 0) {
      NAS_TRY(add_placeholder(which, facts, out, err));
      at += length;
    } else {
      nas_str_add_n(out, at, 1); /* a doubled brace: templates were checked */
      at += at[1] == *at ? 2 : 1;
    }
  }
  return nas_str_check(out, err);
}
