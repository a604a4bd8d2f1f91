#ifndef NAS_BASE_RESULT_H
#define NAS_BASE_RESULT_H
/* What a trial yields: outcome, curve, metrics. Plain data that train/ fills, jobs/ moves and bench-db/ keeps. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum nas_outcome {
#define NAS_OUTCOME(name, text, summary) NAS_OUTCOME_##name,
#include "base/result.def"
#undef NAS_OUTCOME
  NAS_OUTCOME_COUNT
} nas_outcome;

const char *nas_outcome_text(nas_outcome outcome);
/* False for a text that is no outcome. */
bool nas_outcome_from_text(const char *text, nas_outcome *out);

/* One epoch of a training curve. Losses are means over images (cross-entropy in nats); accuracies are top-1 in
 * percent; a figure that was not measured is NaN. `seconds` is the training time of the epoch on the wall clock,
 * `valid_seconds` that of its evaluation (validation and test). */
typedef struct nas_epoch {
  int32_t epoch; /* 1-based */
  double train_loss, train_accuracy;
  double valid_loss, valid_accuracy;
  double test_loss, test_accuracy;
  double seconds, valid_seconds;
} nas_epoch;

/* True when all learning figures (not the seconds) have the same bits. */
bool nas_epoch_same(const nas_epoch *a, const nas_epoch *b);

/* A named number: params, macs, peak_bytes, seconds, ... Names are the field names of the design. */
typedef struct nas_metric {
  char name[32];
  double value;
} nas_metric;

#define NAS_METRICS_MAX 32

/* A finished trial. `epochs` is owned (free with nas_result_free). `cause` says why the outcome is not ok. */
typedef struct nas_result {
  nas_outcome outcome;
  nas_err cause;
  nas_epoch *epochs;
  size_t n_epochs, epochs_cap;
  nas_metric metrics[NAS_METRICS_MAX];
  size_t n_metrics;
} nas_result;

void nas_result_free(nas_result *r);
nas_status nas_result_add_epoch(nas_result *r, const nas_epoch *epoch, nas_err *err);
/* Sets or replaces a metric; silently full beyond NAS_METRICS_MAX is impossible: returns OUT_OF_RANGE. */
nas_status nas_result_set_metric(nas_result *r, const char *name, double value, nas_err *err);
/* NaN when absent. */
double nas_result_metric(const nas_result *r, const char *name);
#endif
