/* NSGA-II: a population that evolves towards a Pareto front. Children come from binary tournaments (lower front first,
 * then the less crowded), uniform crossover and mutation. As soon as `population` children have been told, they and
 * their parents are ranked together and the better half survives; asks never wait for it. */
#include <stdlib.h>
#include <string.h>

#include "search/archive.h"
#include "search/objectives.h"
#include "search/seen.h"

typedef struct nsga2_options {
  int64_t population;
  double crossover, mutation;
  char objectives[200];
  char duplicates[16];
} nsga2_options;

static const nas_option options[] = {
    NAS_OPT_TEXT(
        nsga2_options, objectives, "objectives", "valid_accuracy,params",
        "names joined by ',': valid_accuracy, valid_loss, seconds, params, macs, or a metric of the evaluator"),
    NAS_OPT_INT(nsga2_options, population, "population", "50", 2, 100000, "survivors of each generation"),
    NAS_OPT_REAL(nsga2_options, crossover, "crossover", "0.9", 0, 1, "probability that a child has two parents"),
    NAS_OPT_REAL(nsga2_options, mutation, "mutation", "0", 0, 1,
                 "probability that a gene of a child is drawn anew; 0 = one over the number of genes"),
    NAS_OPT_DUPLICATES(nsga2_options, "exact"),
    NAS_OPT_END};

typedef struct nsga2_state {
  nas_seen seen;
  nas_objectives objectives;
  /* parents, then the children told: at most 2 * population; `points` has objectives.n values for each */
  nas_arch *pool;
  double *points, *crowding;
  uint32_t *rank, *order;
  size_t n_parents, n;
} nsga2_state;

enum { AT_PARENTS = 0, AT_GENES = 16, AT_SAMPLE = 1 << 20, TRIES = 50, TRY_NUMBERS = 16 + 4 * NAS_GENES_MAX };

static nas_status open_nsga2(nas_strategy *s, nas_err *err) {
  const nsga2_options *o = nas_strategy_options(s);
  nsga2_state *g = nas_strategy_state(s);
  NAS_TRY(nas_objectives_parse(o->objectives, nas_strategy_setup_of(s), "strategy nsga2", &g->objectives, err));
  nas_seen_open(&g->seen, nas_strategy_space(s), o->duplicates);
  size_t room = 2 * (size_t)o->population, n = (size_t)g->objectives.n;
  g->pool = calloc(room, sizeof *g->pool);
  g->points = calloc(room * n, sizeof *g->points);
  g->crowding = calloc(room, sizeof *g->crowding);
  g->rank = calloc(room, sizeof *g->rank);
  g->order = calloc(room, sizeof *g->order);
  if (g->pool && g->points && g->crowding && g->rank && g->order) return NAS_OK;
  return nas_fail_memory(err, "the population");
}

static void close_nsga2(nas_strategy *s) {
  nsga2_state *g = nas_strategy_state(s);
  nas_seen_close(&g->seen);
  free(g->pool);
  free(g->points);
  free(g->crowding);
  free(g->rank);
  free(g->order);
}

static bool before(const nsga2_state *g, uint32_t a, uint32_t b) {
  if (g->rank[a] != g->rank[b]) return g->rank[a] < g->rank[b];
  return g->crowding[a] > g->crowding[b];
}

/* Keeps the better `keep` of the pool as parents, best first. */
static nas_status select_parents(nsga2_state *g, size_t keep, nas_err *err) {
  size_t n = (size_t)g->objectives.n;
  NAS_TRY(nas_pareto_rank(g->points, g->n, g->objectives.n, g->rank, g->crowding, err));
  for (uint32_t i = 0; i < g->n; i++) {
    uint32_t at = i;
    for (; at > 0 && before(g, i, g->order[at - 1]); at--) g->order[at] = g->order[at - 1];
    g->order[at] = i;
  }
  if (keep > g->n) keep = g->n;
  nas_arch *pool = malloc((keep + 1) * sizeof *pool);
  double *rest = malloc((keep + 1) * (n + 1) * sizeof *rest);
  uint32_t *rank = malloc((keep + 1) * sizeof *rank);
  nas_status status = pool && rest && rank ? NAS_OK : nas_fail_memory(err, "the population");
  if (status == NAS_OK) {
    for (size_t i = 0; i < keep; i++) {
      pool[i] = g->pool[g->order[i]];
      memcpy(&rest[i * n], &g->points[g->order[i] * n], n * sizeof *rest);
      rest[keep * n + i] = g->crowding[g->order[i]];
      rank[i] = g->rank[g->order[i]];
    }
    memcpy(g->pool, pool, keep * sizeof *pool);
    memcpy(g->points, rest, keep * n * sizeof *rest);
    memcpy(g->crowding, rest + keep * n, keep * sizeof *rest);
    memcpy(g->rank, rank, keep * sizeof *rank);
    g->n_parents = g->n = keep;
  }
  free(pool);
  free(rest);
  free(rank);
  return status;
}

static uint32_t tournament(const nsga2_state *g, nas_rng rng, uint64_t at) {
  uint32_t a = (uint32_t)nas_rng_below(rng, at, g->n_parents), b = (uint32_t)nas_rng_below(rng, at + 1, g->n_parents);
  return before(g, b, a) ? b : a;
}

static void make_child(const nsga2_state *g, const nsga2_options *o, const nas_space *space, nas_rng rng, uint64_t at,
                       nas_arch *out) {
  const nas_arch *mother = &g->pool[tournament(g, rng, at)], *father = &g->pool[tournament(g, rng, at + 2)];
  bool cross = nas_rng_unit(rng, at + 4) < o->crossover;
  double rate = o->mutation > 0 ? o->mutation : 1.0 / mother->n;
  *out = *mother;
  for (uint8_t i = 0; i < out->n; i++) {
    uint64_t own = at + AT_GENES + 4 * (uint64_t)i;
    if (cross && nas_rng_unit(rng, own) < 0.5) out->gene[i] = father->gene[i];
    uint8_t choices = nas_space_choices(space, i);
    if (choices > 1 && nas_rng_unit(rng, own + 1) < rate) {
      uint8_t c = (uint8_t)nas_rng_below(rng, own + 2, choices - 1u);
      out->gene[i] = (uint8_t)(c < out->gene[i] ? c : c + 1);
    }
  }
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  const nsga2_options *o = nas_strategy_options(s);
  nsga2_state *g = nas_strategy_state(s);
  nas_rng rng = nas_strategy_rng(s, number);
  if (number >= (uint64_t)o->population && g->n_parents == 0 && g->n >= 2)
    NAS_TRY(select_parents(g, (size_t)o->population, err)); /* some of the first generation are late or failed */
  bool found = false;
  if (number >= (uint64_t)o->population && g->n_parents)
    for (uint64_t i = 0; i < TRIES && !found; i++) {
      make_child(g, o, nas_strategy_space(s), rng, AT_PARENTS + i * TRY_NUMBERS, out);
      found = !nas_seen_has(&g->seen, out);
    }
  if (!found) NAS_TRY(nas_seen_sample(&g->seen, rng, AT_SAMPLE, out, err));
  return nas_seen_add(&g->seen, out, err);
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  const nsga2_options *o = nas_strategy_options(s);
  nsga2_state *g = nas_strategy_state(s);
  if (!nas_objectives_of(&g->objectives, t, &g->points[g->n * (size_t)g->objectives.n])) return NAS_OK;
  g->pool[g->n++] = t->arch;
  if (g->n < (size_t)o->population || g->n - g->n_parents < (size_t)o->population) return NAS_OK;
  return select_parents(g, (size_t)o->population, err);
}

extern const nas_strategy_type nas_strategy_nsga2;
const nas_strategy_type nas_strategy_nsga2 = {
    .name = "nsga2",
    .version = 1,
    .summary = "evolution towards a Pareto front of several objectives",
    .citation = "Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE TEC 6(2), 2002",
    .options = options,
    .options_size = sizeof(nsga2_options),
    .state_size = sizeof(nsga2_state),
    .open = open_nsga2,
    .close = close_nsga2,
    .ask = ask,
    .tell = tell,
};
