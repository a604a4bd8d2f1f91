/* BOHB: the brackets of Hyperband, whose new architectures come from a pair of kernel densities (good and bad results
 * of the highest rung that has enough of them), save for a share drawn at random. All genes are categories: the kernel
 * is that of Aitchison and Aitken, the bandwidths follow the normal reference rule. Candidates are drawn from the good
 * density with all its bandwidths widened by a factor, as in the paper's section 3.2; no kernel is wider than the
 * uniform distribution. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/encoding.h"
#include "search/rungs.h"

typedef struct bohb_options {
  nas_rungs_options rungs;
  int64_t samples;
  double random_fraction, min_bandwidth, bandwidth_factor, good;
} bohb_options;

static const nas_option options[] = {
    NAS_OPTS_RUNGS("3"),
    NAS_OPT_INT(nas_rungs_options, brackets, "brackets", "0", 0, 1e9, "how many are run one after the other; 0 = any"),
    NAS_OPT_INT(bohb_options, samples, "samples", "64", 1, 100000, "draws from the good density that are compared"),
    NAS_OPT_REAL(bohb_options, random_fraction, "random-fraction", "0.3333", 0, 1, "share drawn without the model"),
    NAS_OPT_REAL(bohb_options, min_bandwidth, "min-bandwidth", "0.3", 0, 1, "least bandwidth of a kernel"),
    NAS_OPT_REAL(bohb_options, bandwidth_factor, "bandwidth-factor", "3", 1, 1000,
                 "how much wider the kernels are that candidates are drawn from"),
    NAS_OPT_REAL(bohb_options, good, "good", "0.15", 0, 1, "share of the results that are good"),
    NAS_OPT_END};

/* Results of one rung, best first. */
typedef struct bohb_data {
  const nas_entry **entries;
  size_t n, n_good;
} bohb_data;

/* A density: one kernel on each entry. same[g], other[g]: its factor where gene g agrees or not. widest[g]: where the
 * kernel is uniform. */
typedef struct bohb_density {
  const nas_entry *const *entries;
  size_t n;
  double bandwidth[NAS_GENES_MAX], widest[NAS_GENES_MAX], same[NAS_GENES_MAX], other[NAS_GENES_MAX];
} bohb_density;

static int by_value(const void *a, const void *b) {
  const nas_entry *x = *(const nas_entry *const *)a, *y = *(const nas_entry *const *)b;
  if (x->value != y->value) return x->value < y->value ? 1 : -1;
  return (x > y) - (x < y); /* by ask number */
}

/* The results of the highest rung with more than genes + 2 of them; n = 0 without such a rung. */
static nas_status gather(const nas_brackets *b, double good, bohb_data *out, nas_err *err) {
  *out = (bohb_data){.entries = calloc(b->archive.n_good + 1, sizeof *out->entries)};
  if (!out->entries) return nas_fail_memory(err, "the densities");
  for (int rung = b->ladder.n; rung-- > 0;) {
    out->n = 0;
    for (size_t i = 0; i < b->archive.n_good; i++) {
      const nas_entry *e = &b->archive.rows[b->archive.good[i]];
      if (e->epochs == b->ladder.epochs[rung]) out->entries[out->n++] = e;
    }
    size_t least = out->n ? out->entries[0]->arch.n + 1u : 0;
    if (out->n <= least + 1) continue;
    qsort((void *)out->entries, out->n, sizeof *out->entries, by_value);
    size_t share = (size_t)(good * (double)out->n);
    out->n_good = share > least ? share : least < out->n ? least : out->n - 1;
    return NAS_OK;
  }
  out->n = 0;
  return NAS_OK;
}

static void make_density(const nas_space *space, double least, const nas_entry *const *entries, size_t n,
                         bohb_density *d) {
  uint8_t genes = entries[0]->arch.n;
  d->entries = entries;
  d->n = n;
  for (uint8_t g = 0; g < genes; g++) {
    double mean = 0, square = 0, choices = nas_space_choices(space, g);
    for (size_t i = 0; i < n; i++) mean += entries[i]->arch.gene[g] / (double)n;
    for (size_t i = 0; i < n; i++) square += pow(entries[i]->arch.gene[g] - mean, 2) / (double)n;
    double h = fmax(1.06 * sqrt(square) * pow((double)n, -1.0 / (4 + genes)), least);
    d->widest[g] = (choices - 1) / choices;
    h = fmin(h, d->widest[g]);
    d->bandwidth[g] = h;
    d->same[g] = 1 - h;
    d->other[g] = choices > 1 ? h / (choices - 1) : 1;
  }
}

static double density(const bohb_density *d, const nas_arch *arch) {
  double sum = 0;
  for (size_t i = 0; i < d->n; i++) {
    double product = 1;
    for (uint8_t g = 0; g < arch->n; g++)
      product *= d->entries[i]->arch.gene[g] == arch->gene[g] ? d->same[g] : d->other[g];
    sum += product;
  }
  return fmax(sum / (double)d->n, 1e-32);
}

/* From the kernel on one entry: its own gene, or with the probability of the bandwidth one of the others. */
static void draw_near(const nas_space *space, const bohb_density *good, double factor, nas_rng rng, uint64_t at,
                      nas_arch *out) {
  *out = good->entries[nas_rng_below(rng, at, good->n)]->arch;
  for (uint8_t g = 0; g < out->n; g++) {
    uint8_t choices = nas_space_choices(space, g);
    if (nas_rng_unit(rng, at + 1 + 2 * (uint64_t)g) >= fmin(factor * good->bandwidth[g], good->widest[g])) continue;
    uint64_t other = nas_rng_below(rng, at + 2 + 2 * (uint64_t)g, choices - 1u);
    out->gene[g] = (uint8_t)(other + (other >= out->gene[g]));
  }
}

enum { AT_RANDOM = 1 << 24, AT_DRAW = 1 << 25, DRAW_NUMBERS = 2 * NAS_GENES_MAX + 1 };

/* The new one of the draws with the greatest ratio; false when none is new. */
static bool by_model(nas_strategy *s, const bohb_data *data, nas_rng rng, nas_arch *out) {
  const bohb_options *o = nas_strategy_options(s);
  const nas_brackets *b = nas_strategy_state(s);
  const nas_space *space = nas_strategy_space(s);
  bohb_density good = {0}, bad = {0};
  double top = -1;
  make_density(space, o->min_bandwidth, data->entries, data->n_good, &good);
  make_density(space, o->min_bandwidth, data->entries + data->n_good, data->n - data->n_good, &bad);
  for (uint64_t i = 0; i < (uint64_t)o->samples; i++) {
    nas_arch one;
    draw_near(space, &good, o->bandwidth_factor, rng, AT_DRAW + i * DRAW_NUMBERS, &one);
    if (nas_seen_has(&b->seen, &one)) continue;
    double ratio = density(&good, &one) / density(&bad, &one);
    if (ratio > top) {
      top = ratio;
      *out = one;
    }
  }
  return top >= 0;
}

static nas_status draw(nas_strategy *s, nas_rng rng, nas_arch *out, nas_err *err) {
  const bohb_options *o = nas_strategy_options(s);
  const nas_brackets *b = nas_strategy_state(s);
  if (nas_rng_unit(rng, AT_RANDOM) >= o->random_fraction) {
    bohb_data data;
    NAS_TRY(gather(b, o->good, &data, err));
    bool found = data.n > 0 && by_model(s, &data, rng, out);
    free((void *)data.entries);
    if (found) return NAS_OK;
  }
  return nas_seen_sample(&b->seen, rng, 0, out, err);
}

static nas_status propose(nas_strategy *s, uint64_t number, nas_proposal *out, nas_err *err) {
  const nas_brackets_rules rules = {nas_hyperband_plan, draw};
  return nas_brackets_propose(s, &rules, number, out, err);
}

extern const nas_strategy_type nas_strategy_bohb;
const nas_strategy_type nas_strategy_bohb = {
    .name = "bohb",
    .version = 3,
    .summary = "Hyperband whose new architectures come from kernel densities of good and bad results",
    .citation = "Falkner et al., BOHB: Robust and Efficient Hyperparameter Optimization at Scale, ICML 2018",
    .options = options,
    .options_size = sizeof(bohb_options),
    .state_size = sizeof(nas_brackets),
    .open = nas_brackets_open,
    .close = nas_brackets_close,
    .propose = propose,
    .tell = nas_brackets_tell,
};
