/* Successive halving and Hyperband. */
#include <math.h>

#include "search/rungs.h"

typedef struct halving_options {
  nas_rungs_options rungs;
  int64_t configurations;
} halving_options;

static const nas_option halving_table[] = {
    NAS_OPTS_RUNGS("3"),
    NAS_OPT_INT(nas_rungs_options, brackets, "brackets", "0", 0, 1e9, "how many are run one after the other; 0 = any"),
    NAS_OPT_INT(halving_options, configurations, "configurations", "0", 0, 1e6,
                "architectures in the lowest rung; 0 = as many as leave one at the top"),
    NAS_OPT_END};
static const nas_option hyperband_table[] = {
    NAS_OPTS_RUNGS("3"),
    NAS_OPT_INT(nas_rungs_options, brackets, "brackets", "0", 0, 1e9, "how many are run one after the other; 0 = any"),
    NAS_OPT_END};

static void halving_plan(const nas_strategy *s, const nas_ladder *ladder, uint64_t id, size_t wanted[NAS_RUNGS_MAX]) {
  const halving_options *o = nas_strategy_options(s);
  (void)id;
  double n = o->configurations ? (double)o->configurations : round(pow(o->rungs.eta, ladder->n - 1));
  for (int k = 0; k < ladder->n; k++) wanted[k] = (size_t)fmax(1, floor(n / pow(o->rungs.eta, k) + 1e-9));
}

static nas_status halving_propose(nas_strategy *s, uint64_t number, nas_proposal *out, nas_err *err) {
  const nas_brackets_rules rules = {halving_plan, nas_brackets_draw};
  return nas_brackets_propose(s, &rules, number, out, err);
}

static nas_status hyperband_propose(nas_strategy *s, uint64_t number, nas_proposal *out, nas_err *err) {
  const nas_brackets_rules rules = {nas_hyperband_plan, nas_brackets_draw};
  return nas_brackets_propose(s, &rules, number, out, err);
}

extern const nas_strategy_type nas_strategy_successive_halving;
const nas_strategy_type nas_strategy_successive_halving = {
    .name = "successive-halving",
    .version = 2,
    .summary = "many short trainings, the best third goes on for three times as long, and so on",
    .citation =
        "Jamieson and Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization, "
        "AISTATS 2016",
    .options = halving_table,
    .options_size = sizeof(halving_options),
    .state_size = sizeof(nas_brackets),
    .open = nas_brackets_open,
    .close = nas_brackets_close,
    .propose = halving_propose,
    .tell = nas_brackets_tell,
};

extern const nas_strategy_type nas_strategy_hyperband;
const nas_strategy_type nas_strategy_hyperband = {
    .name = "hyperband",
    .version = 2,
    .summary = "brackets of successive halving, from many short trainings to few full ones",
    .citation = "Li et al., Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization, JMLR 18, 2018",
    .options = hyperband_table,
    .options_size = sizeof(nas_rungs_options),
    .state_size = sizeof(nas_brackets),
    .open = nas_brackets_open,
    .close = nas_brackets_close,
    .propose = hyperband_propose,
    .tell = nas_brackets_tell,
};
