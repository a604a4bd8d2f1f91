/* Neural-predictor guided evolution: every generation the parents, winners of tournaments among all evaluated
 * architectures, have many more offspring than can be evaluated; those with the best predicted value are. */
#include "search/guided.h"

enum { TOURNAMENT = 10 };

static const nas_option options[] = {
    NAS_OPT_INT(nas_guided_options, initial, "initial", "10", 2, 1e6, "random architectures before the model is used"),
    NAS_OPT_INT(nas_guided_options, batch, "batch", "10", 1, 1000, "proposals between two trainings of the ensemble"),
    NAS_OPT_INT(nas_guided_options, candidates, "candidates", "100", 1, 100000, "mutants that are ranked"),
    NAS_OPT_INT(nas_guided_options, parents, "parents", "10", 1, 256, "best architectures that are mutated"),
    NAS_OPT_INT(nas_guided_options, members, "members", "3", 1, NAS_ENSEMBLE_MAX, "networks of the ensemble"),
    NAS_OPT_INT(nas_guided_options, layers, "layers", "3", 1, 20, "hidden layers of a network"),
    NAS_OPT_INT(nas_guided_options, width, "width", "20", 1, NAS_PREDICTOR_WIDTH_MAX, "units of a hidden layer"),
    NAS_OPT_REAL(nas_guided_options, rate, "learning-rate", "0.01", 1e-6, 1, "of Adam"),
    NAS_OPT_INT(nas_guided_options, first_steps, "first-steps", "150", 1, 1e6, "mini-batches of the first training"),
    NAS_OPT_INT(nas_guided_options, steps, "steps", "50", 1, 1e6, "mini-batches of each later training"),
    NAS_OPT_CHOICE(nas_guided_options, encoding, "encoding", "path", "path|one-hot", "features of an architecture"),
    NAS_OPT_DUPLICATES(nas_guided_options, "class"),
    NAS_OPT_END};

static const nas_arch *parent(const nas_guided *g, const nas_guided_options *o, nas_rng rng, size_t i,
                              const size_t *best, size_t n_best) {
  (void)best, (void)n_best, (void)o;
  const nas_entry *winner = NULL;
  for (uint64_t k = 0; k < TOURNAMENT; k++) {
    size_t drawn = (size_t)nas_rng_below(rng, (UINT64_C(1) << 32) + i * TOURNAMENT + k, g->archive.n_good);
    const nas_entry *one = &g->archive.rows[g->archive.good[drawn]];
    if (!winner || one->value > winner->value) winner = one;
  }
  return &winner->arch;
}

static double score(const float *estimates, uint32_t members, nas_rng rng, size_t i) {
  (void)rng, (void)i;
  double mean = 0;
  for (uint32_t m = 0; m < members; m++) mean += (double)estimates[m] / members;
  return mean;
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const nas_guided_rules rules = {parent, score};
  return nas_guided_ask(s, &rules, number, out, err);
}

extern const nas_strategy_type nas_strategy_npenas;
const nas_strategy_type nas_strategy_npenas = {
    .name = "npenas",
    .version = 1,
    .summary = "evolution whose many offspring are ranked by a predictor first",
    .citation = "Wei et al., NPENAS: Neural Predictor Guided Evolution for Neural Architecture Search, IEEE TNNLS 2022",
    .options = options,
    .options_size = sizeof(nas_guided_options),
    .state_size = sizeof(nas_guided),
    .open = nas_guided_open,
    .close = nas_guided_close,
    .ask = ask,
    .tell = nas_guided_tell,
};
