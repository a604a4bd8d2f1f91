#include "base/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char *const outcome_texts[] = {
#define NAS_OUTCOME(name, text, summary) text,
#include "base/result.def"
#undef NAS_OUTCOME
};

const char *nas_outcome_text(nas_outcome outcome) {
  return (unsigned)outcome < NAS_OUTCOME_COUNT ? outcome_texts[outcome] : "unknown";
}

bool nas_outcome_from_text(const char *text, nas_outcome *out) {
  for (int i = 0; i < NAS_OUTCOME_COUNT; i++)
    if (strcmp(text, outcome_texts[i]) == 0) {
      *out = (nas_outcome)i;
      return true;
    }
  return false;
}

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

bool nas_epoch_same(const nas_epoch *a, const nas_epoch *b) {
  return a->epoch == b->epoch && same_bits(a->train_loss, b->train_loss) &&
         same_bits(a->train_accuracy, b->train_accuracy) && same_bits(a->valid_loss, b->valid_loss) &&
         same_bits(a->valid_accuracy, b->valid_accuracy) && same_bits(a->test_loss, b->test_loss) &&
         same_bits(a->test_accuracy, b->test_accuracy);
}

void nas_result_free(nas_result *r) {
  free(r->epochs);
  *r = (nas_result){0};
}

nas_status nas_result_add_epoch(nas_result *r, const nas_epoch *epoch, nas_err *err) {
  if (r->n_epochs == r->epochs_cap) {
    size_t cap = r->epochs_cap ? 2 * r->epochs_cap : 16;
    nas_epoch *grown = realloc(r->epochs, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "a training curve");
    r->epochs = grown;
    r->epochs_cap = cap;
  }
  r->epochs[r->n_epochs++] = *epoch;
  return NAS_OK;
}

static nas_metric *find_metric(const nas_result *r, const char *name) {
  for (size_t i = 0; i < r->n_metrics; i++)
    if (strcmp(r->metrics[i].name, name) == 0) return (nas_metric *)(uintptr_t)&r->metrics[i];
  return NULL;
}

nas_status nas_result_set_metric(nas_result *r, const char *name, double value, nas_err *err) {
  nas_metric *m = find_metric(r, name);
  if (!m) {
    if (r->n_metrics == NAS_METRICS_MAX)
      return nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "more than %d metrics", NAS_METRICS_MAX);
    m = &r->metrics[r->n_metrics];
    if (!nas_text_put(m->name, sizeof m->name, "%s", name))
      return nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "the metric name '%s' is too long", name);
    r->n_metrics++;
  }
  m->value = value;
  return NAS_OK;
}

double nas_result_metric(const nas_result *r, const char *name) {
  const nas_metric *m = find_metric(r, name);
  return m ? m->value : (double)NAN;
}
