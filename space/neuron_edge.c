#include "space/neuron_edge.h"

#include <math.h>
#include <string.h>

#include "base/str.h"

/* ---- words ---- */

static const char *type_named(const char *name) {
  const nas_net_neurons *neurons = nas_net_known_neurons();
  return neurons ? neurons->name(name) : NULL;
}

static nas_status unknown(const char *name, const char *where, const char *const *more, nas_err *err) {
  const nas_net_neurons *neurons = nas_net_known_neurons();
  nas_guess guess = nas_guess_for(name);
  for (; more && *more; more++) nas_guess_add(&guess, *more);
  for (int i = 0; neurons && neurons->nearest(i); i++) nas_guess_add(&guess, neurons->nearest(i));
  return nas_fail(err, NAS_E_UNKNOWN_NAME, where, "no operation or neuron type '%s'%s", name, nas_guess_text(&guess));
}

/* What is wrong with options shows when they are used: in a layer that any of them can be part of. */
static nas_status try_out(const nas_neuron_word *word, nas_err *err) {
  const nas_net_neurons *neurons = nas_net_known_neurons();
  nas_attrs attrs = {.out = 64, .groups = 1, .bias = true, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1};
  nas_text_put(attrs.options, sizeof attrs.options, "%s", word->options);
  return neurons->check(word->type, &attrs, (nas_shape){64, 4, 4}, word->type, err);
}

nas_status nas_neuron_word_read(const char *word, const char *where, const char *const *more, nas_neuron_word *out,
                                nas_err *err) {
  char name[NAS_NEURON_WORD_MAX];
  size_t n = strlen(word), head = strcspn(word, "(");
  *out = (nas_neuron_word){0};
  if (n >= sizeof name)
    return nas_fail(err, NAS_E_BAD_INPUT, where, "'%.40s...' is longer than %d characters", word,
                    NAS_NEURON_WORD_MAX - 1);
  if (word[head] && word[n - 1] != ')')
    return nas_fail(err, NAS_E_BAD_INPUT, where, "'%s': a ')' is missing; options are written lif(steps=8;tau=2)",
                    word);
  nas_text_put(name, sizeof name, "%.*s", (int)head, word);
  out->type = type_named(name);
  if (!out->type) return unknown(name, where, more, err);
  if (!word[head]) return NAS_OK;
  nas_text_put(out->options, sizeof out->options, "%.*s\n", (int)(n - head - 2), word + head + 1);
  for (char *c = out->options; *c; c++)
    if (*c == ';') *c = '\n';
  return try_out(out, err);
}

size_t nas_neuron_word_span(const char *text, const char *stops) {
  size_t n = 0;
  for (int depth = 0; text[n] && (depth > 0 || !strchr(stops, text[n])); n++)
    depth += (text[n] == '(') - (text[n] == ')' && depth > 0);
  return n;
}

nas_status nas_activation_word_check(const char *word, const char *where, nas_err *err) {
  const nas_net_neurons *neurons = nas_net_known_neurons();
  const char *expression;
  int64_t scalars;
  if (!strcmp(word, "none")) return NAS_OK;
  if (!neurons) return nas_fail(err, NAS_E_UNKNOWN_NAME, where, "no activation '%s'", word);
  return neurons->activation(word, &expression, &scalars, err);
}

int nas_neuron_words_cut(char *list, const char **words, int room) {
  int n = 0, depth = 0;
  for (char *at = list, *begin = NULL;; at++) {
    bool space = *at == ' ' || (*at == ',' && depth == 0) || !*at;
    depth += (*at == '(') - (*at == ')' && depth > 0);
    if (!space && !begin) {
      begin = at;
      if (n == room) return -1;
      words[n++] = begin;
    }
    if (!*at) return n;
    if (space) {
      *at = 0;
      begin = NULL;
    }
  }
}

nas_match nas_match_of(const char *text) {
  return text[0] == 'p' ? NAS_MATCH_PARAMS : text[0] == 'm' ? NAS_MATCH_MACS : NAS_MATCH_NONE;
}

/* ---- sizes ---- */

/* One layer to be sized; all counts are of numbers at a place. */
typedef struct place {
  const nas_neuron_word *word;
  nas_match match;
  int64_t in, taps, out, pixels; /* taps: places that a patch has; `in` are the numbers of one */
} place;

static nas_status cost_of(const place *p, const char *type, const char *options, int64_t in, int64_t taps, int64_t out,
                          int64_t *cost, nas_err *err) {
  int64_t params, macs;
  NAS_TRY(nas_net_known_neurons()->count(type, options, in * taps, taps, out, p->pixels, &params, &macs, err));
  *cost = p->match == NAS_MATCH_PARAMS ? params : macs;
  return NAS_OK;
}

/* The cost of [in -> r linear,] r -> h neurons, h -> out linear. */
static nas_status cost_at(const place *p, int64_t r, int64_t h, int64_t *cost, nas_err *err) {
  int64_t before = 0, neurons, after;
  if (r) NAS_TRY(cost_of(p, "linear", "", p->in, 1, r, &before, err));
  NAS_TRY(cost_of(p, p->word->type, p->word->options, r ? r : p->in, p->taps, h, &neurons, err));
  NAS_TRY(cost_of(p, "linear", "", h, 1, p->out, &after, err));
  *cost = before + neurons + after;
  return NAS_OK;
}

typedef struct choice {
  int64_t rank, neurons, cost; /* rank 0: no linear layer before */
} choice;

static double miss(int64_t cost, int64_t budget) { return fabs(log((double)cost / (double)budget)); }

/* The h whose cost comes nearest for one r: the cost grows with h, so the crossing is bisected. */
static nas_status nearest(const place *p, int64_t r, int64_t budget, choice *out, nas_err *err) {
  int64_t low = 1, high = 2, cost_low, cost_high;
  NAS_TRY(cost_at(p, r, low, &cost_low, err));
  NAS_TRY(cost_at(p, r, high, &cost_high, err));
  while (cost_high < budget && high < 1 << 20) {
    low = high;
    cost_low = cost_high;
    high *= 2;
    NAS_TRY(cost_at(p, r, high, &cost_high, err));
  }
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2, cost;
    NAS_TRY(cost_at(p, r, middle, &cost, err));
    *(cost < budget ? &low : &high) = middle;
    *(cost < budget ? &cost_low : &cost_high) = cost;
  }
  bool lower = miss(cost_low, budget) <= miss(cost_high, budget);
  *out = (choice){r, lower ? low : high, lower ? cost_low : cost_high};
  return NAS_OK;
}

/* How many numbers pass through. */
static int64_t narrowest(const choice *c) { return c->rank && c->rank < c->neurons ? c->rank : c->neurons; }

static nas_status choose(const place *p, int64_t budget, choice *best, nas_err *err) {
  NAS_TRY(nearest(p, 0, budget, best, err));
  if (miss(best->cost, budget) <= 0.02) return NAS_OK;
  for (int64_t r = 2; r < p->in; r++) { /* a layer norm needs two numbers */
    choice c;
    NAS_TRY(nearest(p, r, budget, &c, err));
    bool near = miss(c.cost, budget) <= 0.02, was_near = miss(best->cost, budget) <= 0.02;
    if (near && was_near ? narrowest(&c) > narrowest(best) : miss(c.cost, budget) < miss(best->cost, budget)) *best = c;
  }
  return NAS_OK;
}

/* ---- layers ---- */

static nas_status add_chosen(nas_net *net, int32_t in, const place *p, const choice *c, int32_t kernel,
                             const char *label, int32_t *out, nas_err *err) {
  char part[64];
  int32_t one = kernel ? 1 : 0;
  *out = in;
  if (c->rank) {
    nas_text_put(part, sizeof part, "%s.in", label);
    NAS_TRY(nas_net_neuron(net, *out, "linear", (int32_t)c->rank, one, "", part, out, err));
  }
  NAS_TRY(nas_net_neuron(net, *out, p->word->type, (int32_t)c->neurons, kernel, p->word->options, label, out, err));
  nas_text_put(part, sizeof part, "%s.out", label);
  return nas_net_neuron(net, *out, "linear", (int32_t)p->out, one, "", part, out, err);
}

nas_status nas_neuron_edge(nas_net *net, int32_t in, const nas_neuron_word *word, int32_t out_channels, int32_t kernel,
                           nas_match match, const char *label, int32_t *out, nas_err *err) {
  if (match == NAS_MATCH_NONE)
    return nas_net_neuron(net, in, word->type, out_channels, kernel, word->options, label, out, err);
  nas_shape s = nas_net_shape(net, in);
  bool conv = kernel > 0;
  place p = {.word = word,
             .match = match,
             .in = conv ? s.c : (int64_t)s.c * s.h * s.w,
             .taps = conv ? (int64_t)kernel * kernel : 1,
             .out = out_channels,
             .pixels = conv ? (int64_t)s.h * s.w : 1};
  int64_t budget, direct;
  NAS_TRY(cost_of(&p, "linear", "", p.in, p.taps, p.out, &budget, err));
  NAS_TRY(cost_of(&p, word->type, word->options, p.in, p.taps, p.out, &direct, err));
  choice c = {0, p.out, direct};
  bool readout = miss(direct, budget) > 0.005;
  if (readout) NAS_TRY(choose(&p, budget, &c, err));
  NAS_TRY(nas_net_add_match(net, label, word->type, (int32_t)c.rank, (int32_t)c.neurons, readout, c.cost, budget, err));
  if (readout) return add_chosen(net, in, &p, &c, kernel, label, out, err);
  return nas_net_neuron(net, in, word->type, out_channels, kernel, word->options, label, out, err);
}
