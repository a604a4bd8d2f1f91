#ifndef NAS_SEARCH_GUIDED_H
#define NAS_SEARCH_GUIDED_H
/* What bananas and npenas share: candidates by mutation, an ensemble that ranks them, the best `batch` of them
 * proposed one after the other before the ensemble learns of the results that came in meanwhile. */
#include "search/archive.h"
#include "search/predictor.h"
#include "search/seen.h"

typedef struct nas_guided_options {
  int64_t initial, batch, candidates, parents, members, layers, width, steps, first_steps;
  double rate;
  char encoding[16];
  char duplicates[16];
} nas_guided_options;

typedef struct nas_guided {
  nas_archive archive;
  nas_seen seen;
  nas_paths paths;
  nas_predictor *predictor;
  nas_features *x; /* of the ok entries, in the order of archive.good */
  float *y;
  size_t cap_x, cap_y, learned; /* learned: results that the ensemble was trained on */
  nas_arch *queue;
  size_t n_queue, next;
} nas_guided;

/* How a strategy differs. `parent` picks who is mutated into candidate i; `score` (greater is better) judges the
 * members' estimates of it. */
typedef struct nas_guided_rules {
  const nas_arch *(*parent)(const nas_guided *g, const nas_guided_options *o, nas_rng rng, size_t i, const size_t *best,
                            size_t n_best);
  double (*score)(const float *estimates, uint32_t members, nas_rng rng, size_t i);
} nas_guided_rules;

/* State and options of the strategy begin with the structs above. */
nas_status nas_guided_open(nas_strategy *s, nas_err *err);
void nas_guided_close(nas_strategy *s);
nas_status nas_guided_ask(nas_strategy *s, const nas_guided_rules *rules, uint64_t number, nas_arch *out, nas_err *err);
nas_status nas_guided_tell(nas_strategy *s, const nas_tell *t, nas_err *err);
#endif
