#ifndef NAS_SEARCH_PREDICTOR_H
#define NAS_SEARCH_PREDICTOR_H
/* An ensemble of small feed-forward networks on sparse binary features, trained online: ReLU layers, one output, mean
 * absolute error, Adam. Its members differ in their initial weights and in the mini-batches they draw. Trained on from
 * where it stands when results arrive, never from nothing. */
#include "base/rng.h"
#include "search/paths.h"

enum { NAS_ENSEMBLE_MAX = 16, NAS_PREDICTOR_WIDTH_MAX = 64, NAS_PREDICTOR_BATCH = 16 };

typedef struct nas_predictor_shape {
  uint32_t inputs;        /* number of features */
  uint32_t layers, width; /* hidden layers (at least 1) and their units */
  uint32_t members;       /* networks */
  double rate;            /* of Adam */
} nas_predictor_shape;

typedef struct nas_predictor nas_predictor;

/* Weights are drawn from `rng`. Free with nas_predictor_free. */
nas_status nas_predictor_new(const nas_predictor_shape *shape, nas_rng rng, nas_predictor **out, nas_err *err);
void nas_predictor_free(nas_predictor *p);
/* `steps` mini-batches for every member, drawn uniformly from n >= 1 samples with numbers of `rng` from `first` on.
 * Targets should be near unit scale. */
void nas_predictor_train(nas_predictor *p, const nas_features *x, const float *target, size_t n, uint32_t steps,
                         nas_rng rng, uint64_t first);
/* The outputs of all members for n samples: out[i * members + m]. */
void nas_predictor_predict(nas_predictor *p, const nas_features *x, size_t n, float *out);
#endif
