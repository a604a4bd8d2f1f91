/* Random search. Without repeats it deals the space like a shuffled pack of cards: a Fisher-Yates shuffle that keeps
 * only the cards that have moved, so that memory grows with the asks made and not with the space. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "search/strategy.h"

typedef struct random_options {
  bool unique, repeats;
} random_options;

static const nas_option options[] = {
    NAS_OPT_FLAG(random_options, unique, "unique", "true",
                 "draw uniformly over unique classes where the space counts them (false: over the space)"),
    NAS_OPT_FLAG(random_options, repeats, "repeats", "false", "an architecture may be proposed again"), NAS_OPT_END};

/* A map from number to number, open addressing; key + 1 is stored so that 0 means empty. */
typedef struct random_state {
  uint64_t *keys, *values;
  size_t n, cap;
} random_state;

enum { ATTEMPTS = 4096 }; /* draws before a space that cannot be counted is taken as exhausted */

static size_t slot_of(const random_state *m, uint64_t key) {
  size_t i = nas_hash64(&key, sizeof key) & (m->cap - 1);
  while (m->keys[i] && m->keys[i] != key + 1) i = (i + 1) & (m->cap - 1);
  return i;
}

static uint64_t get(const random_state *m, uint64_t key, uint64_t absent) {
  if (!m->cap) return absent;
  size_t i = slot_of(m, key);
  return m->keys[i] ? m->values[i] : absent;
}

static nas_status grow(random_state *m, nas_err *err) {
  random_state fresh = {.cap = m->cap ? 2 * m->cap : 64};
  fresh.keys = calloc(fresh.cap, sizeof *fresh.keys);
  fresh.values = calloc(fresh.cap, sizeof *fresh.values);
  if (!fresh.keys || !fresh.values) {
    free(fresh.keys);
    free(fresh.values);
    return nas_fail_memory(err, "the proposals made");
  }
  for (size_t i = 0; i < m->cap; i++)
    if (m->keys[i]) {
      size_t j = slot_of(&fresh, m->keys[i] - 1);
      fresh.keys[j] = m->keys[i];
      fresh.values[j] = m->values[i];
    }
  fresh.n = m->n;
  free(m->keys);
  free(m->values);
  *m = fresh;
  return NAS_OK;
}

static nas_status put(random_state *m, uint64_t key, uint64_t value, nas_err *err) {
  if (2 * (m->n + 1) > m->cap) NAS_TRY(grow(m, err));
  size_t i = slot_of(m, key);
  if (!m->keys[i]) m->n++;
  m->keys[i] = key + 1;
  m->values[i] = value;
  return NAS_OK;
}

/* The number-th card of a pack of `count`. */
static nas_status deal(nas_strategy *s, uint64_t number, uint64_t count, uint64_t *card, nas_err *err) {
  random_state *m = nas_strategy_state(s);
  if (number >= count)
    return nas_fail(err, NAS_E_EXHAUSTED, "strategy random", "all %llu architectures have been proposed",
                    (unsigned long long)count);
  uint64_t place = number + nas_rng_below(nas_strategy_rng(s, number), 0, count - number);
  *card = get(m, place, place);
  return put(m, place, get(m, number, number), err);
}

/* For spaces whose classes, or whose architectures, are not counted: draws until one is new. */
static nas_status draw_new(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const random_options *o = nas_strategy_options(s);
  const nas_space *space = nas_strategy_space(s);
  random_state *m = nas_strategy_state(s);
  char text[NAS_ARCH_TEXT_MAX];
  for (uint64_t i = 0; i < ATTEMPTS; i++) {
    NAS_TRY(nas_space_sample(space, nas_strategy_rng(s, number), i * NAS_GENES_MAX, false, out, err));
    if (o->unique) NAS_TRY(nas_space_canonical(space, out, text, err));
    else NAS_TRY(nas_space_format(space, out, text, err));
    uint64_t key = nas_hash64_text(text) >> 1; /* room for the +1 */
    if (get(m, key, 0)) continue;
    return put(m, key, 1, err);
  }
  return nas_fail(err, NAS_E_EXHAUSTED, "strategy random", "no new architecture in %d draws", ATTEMPTS);
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const random_options *o = nas_strategy_options(s);
  const nas_space *space = nas_strategy_space(s);
  uint64_t classes = o->unique ? nas_space_classes(space) : 0, card;
  /* Where classes are not counted, drawing uniformly over them is not to be had: over architectures, then. */
  if (o->repeats) return nas_space_sample(space, nas_strategy_rng(s, number), 0, classes > 0, out, err);
  if (classes) {
    NAS_TRY(deal(s, number, classes, &card, err));
    return nas_space_class_first(space, card, out, err);
  }
  if (o->unique || !nas_space_size(space)) return draw_new(s, number, out, err);
  NAS_TRY(deal(s, number, nas_space_size(space), &card, err));
  return nas_space_at(space, card, out, err);
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  (void)s, (void)t, (void)err; /* nothing is learned */
  return NAS_OK;
}

static void close_random(nas_strategy *s) {
  random_state *m = nas_strategy_state(s);
  free(m->keys);
  free(m->values);
}

const nas_strategy_type nas_strategy_random;
const nas_strategy_type nas_strategy_random = {
    .name = "random",
    .version = 1,
    .summary = "uniform random search, without repeats by default",
    .citation = "Li and Talwalkar, Random Search and Reproducibility for Neural Architecture Search, UAI 2019",
    .options = options,
    .options_size = sizeof(random_options),
    .state_size = sizeof(random_state),
    .close = close_random,
    .ask = ask,
    .tell = tell,
};
