/* Local search: evaluates the neighbours of the current architecture in random order, moves to the first that is
 * better, and begins anew at a random architecture when none is. With several workers the neighbours are asked for side
 * by side, and a result that beats the current architecture moves it whenever it arrives. */
#include <stdlib.h>

#include "search/archive.h"
#include "search/seen.h"

typedef struct local_options {
  char duplicates[16];
} local_options;

static const nas_option options[] = {NAS_OPT_DUPLICATES(local_options, "class"), NAS_OPT_END};

typedef struct local_state {
  nas_seen seen;
  bool climbing;
  nas_arch current;
  double value;
  uint32_t *order, n, next; /* the neighbours of `current`, shuffled; `next` is to be looked at */
} local_state;

static nas_status open_local(nas_strategy *s, nas_err *err) {
  const local_options *o = nas_strategy_options(s);
  local_state *l = nas_strategy_state(s);
  nas_seen_open(&l->seen, nas_strategy_space(s), o->duplicates);
  l->n = nas_space_neighbours(nas_strategy_space(s));
  l->order = calloc(l->n + 1, sizeof *l->order);
  return l->order ? NAS_OK : nas_fail_memory(err, "the neighbours");
}

static void close_local(nas_strategy *s) {
  local_state *l = nas_strategy_state(s);
  nas_seen_close(&l->seen);
  free(l->order);
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  local_state *l = nas_strategy_state(s);
  while (l->climbing) {
    if (l->next == l->n) {
      l->climbing = false; /* a local optimum as far as is known */
      break;
    }
    NAS_TRY(nas_space_neighbour(nas_strategy_space(s), &l->current, l->order[l->next++], out, err));
    if (!nas_seen_has(&l->seen, out)) return nas_seen_add(&l->seen, out, err);
  }
  NAS_TRY(nas_seen_sample(&l->seen, nas_strategy_rng(s, number), 0, out, err));
  return nas_seen_add(&l->seen, out, err);
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  (void)err;
  local_state *l = nas_strategy_state(s);
  if (!nas_tell_ok(t) || (l->climbing && t->valid_accuracy <= l->value)) return NAS_OK;
  l->climbing = true;
  l->current = t->arch;
  l->value = t->valid_accuracy;
  l->next = 0;
  for (uint32_t i = 0; i < l->n; i++) l->order[i] = i;
  nas_rng_shuffle(nas_strategy_rng(s, t->number), NAS_AT_TELL, l->order, l->n);
  return NAS_OK;
}

extern const nas_strategy_type nas_strategy_local_search;
const nas_strategy_type nas_strategy_local_search = {
    .name = "local-search",
    .version = 1,
    .summary = "moves to the first better neighbour, restarts at random from a local optimum",
    .citation = "White et al., Local Search is State of the Art for Neural Architecture Search Benchmarks, 2020",
    .options = options,
    .options_size = sizeof(local_options),
    .state_size = sizeof(local_state),
    .open = open_local,
    .close = close_local,
    .ask = ask,
    .tell = tell,
};
