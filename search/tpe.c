/* The tree-structured Parzen estimator: per gene, one density over the choices of the best results and one over the
 * rest; of a few draws from the first the one with the greatest ratio is taken. Details (split, weights that fade, one
 * prior observation) follow Optuna's sampler, which is the usual reference. Results that are missing or failed count as
 * bad ones. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/archive.h"
#include "search/encoding.h"
#include "search/seen.h"

enum { GOOD_MAX = 1000, FULL_WEIGHT = 25 /* the youngest results, which do not fade */, TRIES = 50 };

typedef struct tpe_options {
  int64_t startup, candidates, good_max;
  double gamma, prior;
  char duplicates[16];
} tpe_options;

static const nas_option options[] = {
    NAS_OPT_INT(tpe_options, startup, "startup", "10", 1, 1e6, "random architectures before the model is used"),
    NAS_OPT_INT(tpe_options, candidates, "candidates", "24", 1, 10000, "draws per gene, of which the best is taken"),
    NAS_OPT_REAL(tpe_options, gamma, "gamma", "0.1", 0, 1, "share of the results that are good"),
    NAS_OPT_INT(tpe_options, good_max, "good-max", "25", 1, GOOD_MAX, "good results at most"),
    NAS_OPT_REAL(tpe_options, prior, "prior", "1", 1e-6, 1e6, "weight of the uniform prior, in observations"),
    NAS_OPT_DUPLICATES(tpe_options, "exact"),
    NAS_OPT_END};

typedef struct tpe_state {
  nas_archive archive;
  nas_seen seen;
  nas_encoding code;
  double *good, *bad; /* probabilities of the choices, code.width each */
  bool *is_good;      /* by ask number, only while the densities are made */
  size_t cap;
} tpe_state;

static nas_status open_tpe(nas_strategy *s, nas_err *err) {
  const tpe_options *o = nas_strategy_options(s);
  tpe_state *t = nas_strategy_state(s);
  nas_seen_open(&t->seen, nas_strategy_space(s), o->duplicates);
  nas_encoding_of(nas_strategy_space(s), &t->code);
  t->good = calloc(2 * (size_t)t->code.width + 1, sizeof *t->good);
  if (!t->good) return nas_fail_memory(err, "the densities");
  t->bad = t->good + t->code.width;
  return NAS_OK;
}

static void close_tpe(nas_strategy *s) {
  tpe_state *t = nas_strategy_state(s);
  nas_archive_close(&t->archive);
  nas_seen_close(&t->seen);
  free(t->good);
  free(t->is_good);
}

/* The weight of the i-th oldest of n: those before the youngest 25 fade linearly to 1/n. */
static double weight_of(size_t i, size_t n) {
  if (n <= FULL_WEIGHT || i >= n - FULL_WEIGHT) return 1;
  size_t fading = n - FULL_WEIGHT;
  if (fading == 1) return 1 / (double)n;
  return 1 / (double)n + (1 - 1 / (double)n) * (double)i / (double)(fading - 1);
}

/* The mixture of one smoothed kernel per observation and the prior, per gene. */
static void make_density(const tpe_state *t, double prior, bool good, size_t n, double *p) {
  double total = prior, kernels = (double)n + 1;
  memset(p, 0, t->code.width * sizeof *p);
  for (size_t k = 0, i = 0; k < t->archive.n; k++) {
    if (t->is_good[k] != good) continue;
    double w = weight_of(i++, n);
    total += w;
    for (uint8_t g = 0; g < t->code.genes; g++) p[t->code.first[g] + t->archive.rows[k].arch.gene[g]] += w;
  }
  for (uint8_t g = 0; g < t->code.genes; g++) {
    double choices = t->code.choices[g], share = prior / kernels, observed = total - prior;
    for (uint8_t c = 0; c < t->code.choices[g]; c++) {
      double *x = &p[t->code.first[g] + c];
      *x = ((*x + observed * share) / (1 + choices * share) + prior / choices) / total;
    }
  }
}

static nas_status make_model(tpe_state *t, const tpe_options *o, nas_err *err) {
  size_t best[GOOD_MAX], n = t->archive.n;
  NAS_TRY(nas_grow(&t->is_good, &t->cap, n, sizeof *t->is_good, "the densities", err));
  memset(t->is_good, 0, n * sizeof *t->is_good);
  double wanted = fmin(ceil(o->gamma * (double)t->archive.n_good), (double)o->good_max);
  size_t n_good = nas_archive_best(&t->archive, (size_t)fmax(1, wanted), best);
  for (size_t i = 0; i < n_good; i++) t->is_good[best[i]] = true;
  make_density(t, o->prior, true, n_good, t->good);
  make_density(t, o->prior, false, n - n_good, t->bad);
  return NAS_OK;
}

static void draw(const tpe_state *t, const tpe_options *o, nas_rng rng, uint64_t first, nas_arch *out) {
  *out = (nas_arch){.n = t->code.genes};
  for (uint8_t g = 0; g < t->code.genes; g++) {
    const double *good = t->good + t->code.first[g], *bad = t->bad + t->code.first[g];
    double best = -1;
    for (int64_t i = 0; i < o->candidates; i++) {
      double unit = nas_rng_unit(rng, first + (uint64_t)(g * o->candidates + i));
      uint8_t c = nas_draw_weighted(good, t->code.choices[g], unit);
      if (good[c] / bad[c] > best) {
        best = good[c] / bad[c];
        out->gene[g] = c;
      }
    }
  }
}

static nas_status propose(tpe_state *t, const tpe_options *o, nas_rng rng, nas_arch *out, nas_err *err) {
  if (t->archive.n < (size_t)o->startup || !t->archive.n_good) return nas_seen_sample(&t->seen, rng, 0, out, err);
  NAS_TRY(make_model(t, o, err));
  draw(t, o, rng, 0, out);
  if (!nas_seen_has(&t->seen, out)) return NAS_OK;
  /* Maximising the ratio leads back to one architecture again and again: plain draws from the good ones then. */
  tpe_options plain = *o;
  plain.candidates = 1;
  for (uint64_t i = 1; i <= TRIES; i++) {
    draw(t, &plain, rng, (1 << 20) + i * NAS_GENES_MAX, out);
    if (!nas_seen_has(&t->seen, out)) return NAS_OK;
  }
  return nas_seen_sample(&t->seen, rng, 1 << 21, out, err);
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  tpe_state *t = nas_strategy_state(s);
  NAS_TRY(propose(t, nas_strategy_options(s), nas_strategy_rng(s, number), out, err));
  NAS_TRY(nas_seen_add(&t->seen, out, err));
  return nas_archive_ask(&t->archive, out, 0, err);
}

static nas_status tell(nas_strategy *s, const nas_tell *told, nas_err *err) {
  return nas_archive_tell(&((tpe_state *)nas_strategy_state(s))->archive, told, err);
}

extern const nas_strategy_type nas_strategy_tpe;
const nas_strategy_type nas_strategy_tpe = {
    .name = "tpe",
    .version = 1,
    .summary = "tree-structured Parzen estimator: good against bad densities per gene",
    .citation = "Bergstra et al., Algorithms for Hyper-Parameter Optimization, NIPS 2011",
    .options = options,
    .options_size = sizeof(tpe_options),
    .state_size = sizeof(tpe_state),
    .open = open_tpe,
    .close = close_tpe,
    .ask = ask,
    .tell = tell,
};
