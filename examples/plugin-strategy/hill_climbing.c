/* A strategy outside the tree: hill climbing. Build it against the installed headers, then
 *   nascent strategy check hill-climbing --plugin ./hill_climbing.so
 *   nascent search campaign.yaml -o strategy=hill-climbing --plugin ./hill_climbing.so */
#include <math.h>

#include "search/plugin.h"

typedef struct hill_options {
  int64_t warmup;
} hill_options;

static const nas_option options[] = {
    NAS_OPT_INT(hill_options, warmup, "warmup", "5", 1, 1e6, "random architectures before the climb begins"),
    NAS_OPT_END};

typedef struct hill_state {
  nas_arch best;
  double best_accuracy;
  bool any;
} hill_state;

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const hill_options *o = nas_strategy_options(s);
  const hill_state *state = nas_strategy_state(s);
  nas_rng rng = nas_strategy_rng(s, number);
  if (number < (uint64_t)o->warmup || !state->any)
    return nas_space_sample(nas_strategy_space(s), rng, 0, false, out, err);
  return nas_space_mutate(nas_strategy_space(s), &state->best, rng, 0, out, err);
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  (void)err;
  hill_state *state = nas_strategy_state(s);
  if (t->outcome != NAS_OUTCOME_OK || isnan(t->valid_accuracy)) return NAS_OK;
  if (state->any && t->valid_accuracy < state->best_accuracy) return NAS_OK;
  *state = (hill_state){t->arch, t->valid_accuracy, true};
  return NAS_OK;
}

static const nas_strategy_type hill_climbing = {
    .name = "hill-climbing",
    .version = 1,
    .summary = "mutates the best architecture so far",
    .citation = "S. Russell, P. Norvig, Artificial Intelligence: A Modern Approach, section 4.1",
    .options = options,
    .options_size = sizeof(hill_options),
    .state_size = sizeof(hill_state),
    .ask = ask,
    .tell = tell,
};

static const nas_strategy_type *const types[] = {&hill_climbing, NULL};
const nas_strategy_plugin nas_strategy_plugin_v1 = {NAS_STRATEGY_ABI, types};
