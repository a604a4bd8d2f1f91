/* Regularized (ageing) evolution: a queue of the last `population` individuals; each child is a mutant of the winner
 * of a tournament, joins at the end when its result is known and pushes out the oldest, however good that one is. */
#include <stdlib.h>

#include "search/archive.h"
#include "search/seen.h"

typedef struct evolution_options {
  int64_t population, sample, mutations;
  double identity;
  char duplicates[16];
} evolution_options;

static const nas_option options[] = {
    NAS_OPT_INT(evolution_options, population, "population", "10", 2, 1e6, "individuals kept alive"),
    NAS_OPT_INT(evolution_options, sample, "sample", "3", 1, 1e6, "individuals drawn for each tournament"),
    NAS_OPT_INT(evolution_options, mutations, "mutations", "1", 1, NAS_GENES_MAX, "one-edge changes that make a child"),
    NAS_OPT_REAL(evolution_options, identity, "identity", "0", 0, 1, "share of children that are unchanged copies"),
    NAS_OPT_DUPLICATES(evolution_options, "allow"),
    NAS_OPT_END};

typedef struct individual {
  nas_arch arch;
  double fitness;
} individual;

/* A ring: the oldest is at `first`. */
typedef struct evolution_state {
  individual *ring;
  size_t first, n;
  nas_seen seen;
} evolution_state;

/* Places in the number sequence of one ask. */
enum { AT_IDENTITY = 0, AT_TOURNAMENT = 1024, AT_MUTATION = 16, AT_SAMPLE = 0 };

static nas_status open_evolution(nas_strategy *s, nas_err *err) {
  const evolution_options *o = nas_strategy_options(s);
  evolution_state *e = nas_strategy_state(s);
  if (o->sample > o->population)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "strategy regularized-evolution",
                    "sample is %lld; it must not exceed population (%lld)", (long long)o->sample,
                    (long long)o->population);
  nas_seen_open(&e->seen, nas_strategy_space(s), o->duplicates);
  e->ring = calloc((size_t)o->population, sizeof *e->ring);
  return e->ring ? NAS_OK : nas_fail_memory(err, "the population");
}

static void close_evolution(nas_strategy *s) {
  evolution_state *e = nas_strategy_state(s);
  nas_seen_close(&e->seen);
  free(e->ring);
}

/* Drawn with replacement, as published; of equals the one drawn first wins. */
static const individual *tournament(const evolution_state *e, const evolution_options *o, nas_rng rng) {
  const individual *best = NULL;
  for (int64_t i = 0; i < o->sample; i++) {
    size_t drawn = (size_t)nas_rng_below(rng, AT_TOURNAMENT + (uint64_t)i, e->n);
    const individual *one = &e->ring[(e->first + drawn) % (size_t)o->population];
    if (!best || one->fitness > best->fitness) best = one;
  }
  return best;
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const evolution_options *o = nas_strategy_options(s);
  evolution_state *e = nas_strategy_state(s);
  nas_rng rng = nas_strategy_rng(s, number);
  /* While every result so far is missing or a failure there is no parent to take. */
  if (number < (uint64_t)o->population || e->n == 0) NAS_TRY(nas_seen_sample(&e->seen, rng, AT_SAMPLE, out, err));
  else {
    const nas_arch *parent = &tournament(e, o, rng)->arch;
    bool copy = nas_rng_unit(rng, AT_IDENTITY) < o->identity && !nas_seen_has(&e->seen, parent);
    if (copy) *out = *parent;
    else NAS_TRY(nas_seen_mutate(&e->seen, parent, (int)o->mutations, rng, AT_MUTATION, out, err));
  }
  return nas_seen_add(&e->seen, out, err);
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  (void)err;
  const evolution_options *o = nas_strategy_options(s);
  evolution_state *e = nas_strategy_state(s);
  /* A failure is no individual: it can neither win nor push out one that works. */
  if (!nas_tell_ok(t)) return NAS_OK;
  size_t size = (size_t)o->population;
  e->ring[(e->first + e->n) % size] = (individual){t->arch, t->valid_accuracy};
  if (e->n < size) e->n++;
  else e->first = (e->first + 1) % size;
  return NAS_OK;
}

const nas_strategy_type nas_strategy_regularized_evolution;
const nas_strategy_type nas_strategy_regularized_evolution = {
    .name = "regularized-evolution",
    .version = 1,
    .summary = "asynchronous ageing evolution: tournament, mutation, the oldest leaves",
    .citation = "Real et al., Regularized Evolution for Image Classifier Architecture Search, AAAI 2019",
    .options = options,
    .options_size = sizeof(evolution_options),
    .state_size = sizeof(evolution_state),
    .open = open_evolution,
    .close = close_evolution,
    .ask = ask,
    .tell = tell,
};
