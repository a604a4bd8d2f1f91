/* Random search. Without repeats it deals the space like a shuffled pack of cards: a Fisher-Yates shuffle that keeps
 * only the cards that have moved, so that memory grows with the asks made and not with the space. */
#include "base/hash.h"
#include "search/map.h"
#include "search/strategy.h"

typedef struct random_options {
  bool unique, repeats;
} random_options;

static const nas_option options[] = {
    NAS_OPT_FLAG(random_options, unique, "unique", "true",
                 "draw uniformly over unique classes where the space counts them (false: over the space)"),
    NAS_OPT_FLAG(random_options, repeats, "repeats", "false", "an architecture may be proposed again"), NAS_OPT_END};

enum { ATTEMPTS = 4096 }; /* draws before a space that cannot be counted is taken as exhausted */

/* The number-th card of a pack of `count`. */
static nas_status deal(nas_strategy *s, uint64_t number, uint64_t count, uint64_t *card, nas_err *err) {
  nas_map *m = nas_strategy_state(s);
  if (number >= count)
    return nas_fail(err, NAS_E_EXHAUSTED, "strategy random", "all %llu architectures have been proposed",
                    (unsigned long long)count);
  uint64_t place = number + nas_rng_below(nas_strategy_rng(s, number), 0, count - number);
  *card = nas_map_get(m, place, place);
  return nas_map_put(m, place, nas_map_get(m, number, number), err);
}

/* For spaces whose classes, or whose architectures, are not counted: draws until one is new. */
static nas_status draw_new(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const random_options *o = nas_strategy_options(s);
  const nas_space *space = nas_strategy_space(s);
  nas_map *m = nas_strategy_state(s);
  char text[NAS_ARCH_TEXT_MAX];
  for (uint64_t i = 0; i < ATTEMPTS; i++) {
    NAS_TRY(nas_space_sample(space, nas_strategy_rng(s, number), i * NAS_GENES_MAX, false, out, err));
    if (o->unique) NAS_TRY(nas_space_canonical(space, out, text, err));
    else NAS_TRY(nas_space_format(space, out, text, err));
    uint64_t key = nas_hash64_text(text) >> 1; /* room for the +1 */
    if (nas_map_get(m, key, 0)) continue;
    return nas_map_put(m, key, 1, err);
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

static void close_random(nas_strategy *s) { nas_map_free(nas_strategy_state(s)); }

const nas_strategy_type nas_strategy_random;
const nas_strategy_type nas_strategy_random = {
    .name = "random",
    .version = 1,
    .summary = "uniform random search, without repeats by default",
    .citation = "Li and Talwalkar, Random Search and Reproducibility for Neural Architecture Search, UAI 2019",
    .options = options,
    .options_size = sizeof(random_options),
    .state_size = sizeof(nas_map),
    .close = close_random,
    .nonadaptive = true,
    .ask = ask,
    .tell = tell,
};
