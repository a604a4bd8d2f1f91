#include "search/guided.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Places in the number sequence of an ask; candidates and training take far apart ranges. */
#define AT_PARENT    (UINT64_C(1) << 32)
#define AT_SCORE     (UINT64_C(2) << 32)
#define AT_TRAIN     (UINT64_C(3) << 32)
#define AT_CANDIDATE (UINT64_C(4) << 32)
#define AT_WEIGHTS   (UINT64_C(1) << 36)

nas_status nas_guided_open(nas_strategy *s, nas_err *err) {
  const nas_guided_options *o = nas_strategy_options(s);
  nas_guided *g = nas_strategy_state(s);
  if (o->batch > o->candidates)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, nas_strategy_type_of(s)->name,
                    "batch is %lld; it must not exceed candidates (%lld)", (long long)o->batch,
                    (long long)o->candidates);
  nas_seen_open(&g->seen, nas_strategy_space(s), o->duplicates);
  nas_paths_of(nas_strategy_space(s), strcmp(o->encoding, "path") == 0, &g->paths);
  g->queue = calloc((size_t)o->batch, sizeof *g->queue);
  if (!g->queue) return nas_fail_memory(err, "the candidates");
  const nas_predictor_shape shape = {g->paths.width, (uint32_t)o->layers, (uint32_t)o->width, (uint32_t)o->members,
                                     o->rate};
  nas_rng rng = nas_strategy_rng(s, UINT32_MAX);
  nas_status status = nas_predictor_new(&shape, rng, &g->predictor, err);
  if (status != NAS_OK) free(g->queue);
  return status;
}

void nas_guided_close(nas_strategy *s) {
  nas_guided *g = nas_strategy_state(s);
  nas_archive_close(&g->archive);
  nas_seen_close(&g->seen);
  nas_predictor_free(g->predictor);
  free(g->x);
  free(g->y);
  free(g->queue);
}

nas_status nas_guided_tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  nas_guided *g = nas_strategy_state(s);
  NAS_TRY(nas_archive_tell(&g->archive, t, err));
  size_t n = g->archive.n_good;
  if (!n || g->archive.good[n - 1] != t->number || !nas_tell_ok(t)) return NAS_OK;
  NAS_TRY(nas_grow(&g->x, &g->cap_x, n, sizeof *g->x, "the features", err));
  NAS_TRY(nas_grow(&g->y, &g->cap_y, n, sizeof *g->y, "the features", err));
  nas_paths_features(&g->paths, &t->arch, &g->x[n - 1]);
  return NAS_OK;
}

/* The target is minus the logarithm of the error: equal misses are then equal shares of the error, so that the
 * differences among the best weigh as much as those among the worst (the relative error of the paper). */
static double log_error(double accuracy) { return -log(fmax(100 - accuracy, 0.01)); }

static void learn(nas_guided *g, const nas_guided_options *o, nas_rng rng) {
  size_t n = g->archive.n_good;
  double mean = 0, square = 0;
  for (size_t i = 0; i < n; i++) mean += log_error(g->archive.rows[g->archive.good[i]].value) / (double)n;
  for (size_t i = 0; i < n; i++)
    square += pow(log_error(g->archive.rows[g->archive.good[i]].value) - mean, 2) / (double)n;
  double scale = square > 0 ? sqrt(square) : 1;
  for (size_t i = 0; i < n; i++)
    g->y[i] = (float)((log_error(g->archive.rows[g->archive.good[i]].value) - mean) / scale);
  uint32_t steps = (uint32_t)(g->learned ? o->steps : o->first_steps);
  nas_predictor_train(g->predictor, g->x, g->y, n, steps, rng, AT_TRAIN);
  g->learned = n;
}

typedef struct candidate {
  nas_arch arch;
  double score;
} candidate;

static nas_status make_candidates(nas_strategy *s, const nas_guided_rules *rules, nas_rng rng, candidate *list,
                                  size_t *n, nas_err *err) {
  const nas_guided_options *o = nas_strategy_options(s);
  const nas_guided *g = nas_strategy_state(s);
  size_t best[256], n_best = nas_archive_best(&g->archive, (size_t)o->parents, best);
  nas_seen known;
  nas_seen_open(&known, g->seen.space, "exact"); /* among the candidates themselves */
  nas_status status = NAS_OK;
  *n = 0;
  for (size_t i = 0; i < (size_t)o->candidates && status == NAS_OK; i++) {
    const nas_arch *parent = rules->parent(g, o, rng, i, best, n_best);
    nas_arch child;
    status = nas_seen_mutate(&g->seen, parent, 1, rng, AT_CANDIDATE + i * (2 * NAS_SEEN_NUMBERS), &child, err);
    if (status != NAS_OK || nas_seen_has(&known, &child)) continue;
    status = nas_seen_add(&known, &child, err);
    list[(*n)++].arch = child;
  }
  nas_seen_close(&known);
  return status;
}

/* Fills the queue with the best candidates. */
static nas_status refill(nas_strategy *s, const nas_guided_rules *rules, nas_rng rng, nas_err *err) {
  const nas_guided_options *o = nas_strategy_options(s);
  nas_guided *g = nas_strategy_state(s);
  size_t room = (size_t)o->candidates, n, members = (size_t)o->members;
  candidate *list = calloc(room, sizeof *list);
  nas_features *x = calloc(room, sizeof *x);
  float *estimates = calloc(room * members, sizeof *estimates);
  nas_status status = list && x && estimates ? NAS_OK : nas_fail_memory(err, "the candidates");
  if (status == NAS_OK) status = make_candidates(s, rules, rng, list, &n, err);
  if (status == NAS_OK) {
    if (g->archive.n_good > g->learned) learn(g, o, rng);
    for (size_t i = 0; i < n; i++) nas_paths_features(&g->paths, &list[i].arch, &x[i]);
    nas_predictor_predict(g->predictor, x, n, estimates);
    for (size_t i = 0; i < n; i++) list[i].score = rules->score(&estimates[i * members], (uint32_t)members, rng, i);
    g->n_queue = g->next = 0;
    while (g->n_queue < (size_t)o->batch && g->n_queue < n) {
      size_t top = 0;
      for (size_t i = 1; i < n; i++)
        if (list[i].score > list[top].score) top = i;
      g->queue[g->n_queue++] = list[top].arch;
      list[top].score = -INFINITY;
    }
  }
  free(list);
  free(x);
  free(estimates);
  return status;
}

static nas_status propose(nas_strategy *s, const nas_guided_rules *rules, uint64_t number, nas_arch *out,
                          nas_err *err) {
  const nas_guided_options *o = nas_strategy_options(s);
  nas_guided *g = nas_strategy_state(s);
  nas_rng rng = nas_strategy_rng(s, number);
  if (number < (uint64_t)o->initial || g->archive.n_good < 2) return nas_seen_sample(&g->seen, rng, 0, out, err);
  for (int round = 0; round < 2; round++) {
    while (g->next < g->n_queue) {
      *out = g->queue[g->next++];
      if (!nas_seen_has(&g->seen, out)) return NAS_OK; /* two of one class may stand in the queue */
    }
    if (round == 0) NAS_TRY(refill(s, rules, rng, err));
  }
  return nas_seen_sample(&g->seen, rng, 0, out, err);
}

nas_status nas_guided_ask(nas_strategy *s, const nas_guided_rules *rules, uint64_t number, nas_arch *out,
                          nas_err *err) {
  nas_guided *g = nas_strategy_state(s);
  NAS_TRY(propose(s, rules, number, out, err));
  NAS_TRY(nas_seen_add(&g->seen, out, err));
  return nas_archive_ask(&g->archive, out, 0, err);
}
