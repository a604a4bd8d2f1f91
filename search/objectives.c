#include "search/objectives.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const known[] = {"valid_accuracy", "valid_loss", "seconds", "params", "macs", NULL};

static bool is_listed(const char *const *list, const char *name, nas_guess *guess) {
  for (; list && *list; list++) {
    if (strcmp(*list, name) == 0) return true;
    nas_guess_add(guess, *list);
  }
  return false;
}

static nas_status add(nas_objectives *o, const char *name, const nas_strategy_setup *setup, const char *owner,
                      nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  if (!is_listed(known, name, &guess) && !is_listed(setup->metrics, name, &guess))
    return nas_fail(err, NAS_E_UNKNOWN_NAME, owner,
                    "the evaluator delivers no objective '%s'%s (valid_accuracy, valid_loss, seconds, params, macs)",
                    name, nas_guess_text(&guess));
  for (int i = 0; i < o->n; i++)
    if (strcmp(o->name[i], name) == 0)
      return nas_fail(err, NAS_E_BAD_INPUT, owner, "objective '%s' is named twice", name);
  if (o->n == NAS_OBJECTIVES_MAX)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, owner, "more than %d objectives", NAS_OBJECTIVES_MAX);
  nas_text_put(o->name[o->n++], sizeof o->name[0], "%s", name);
  return NAS_OK;
}

nas_status nas_objectives_parse(const char *text, const nas_strategy_setup *setup, const char *owner,
                                nas_objectives *out, nas_err *err) {
  *out = (nas_objectives){0};
  for (const char *at = text;; at++) {
    size_t length = strcspn(at, ",");
    char name[32] = "";
    if (length >= sizeof name || length == 0)
      return nas_fail(err, NAS_E_BAD_INPUT, owner, "objectives are names joined by ',', such as valid_accuracy,params");
    memcpy(name, at, length);
    NAS_TRY(add(out, name, setup, owner, err));
    at += length;
    if (!*at) return NAS_OK;
  }
}

static double figure(const char *name, const nas_tell *t) {
  const double builtin[] = {-t->valid_accuracy, t->valid_loss, t->seconds, t->params, t->macs};
  for (int i = 0; known[i]; i++)
    if (strcmp(known[i], name) == 0) return builtin[i];
  for (size_t i = 0; i < t->n_metrics; i++)
    if (strcmp(t->metrics[i].name, name) == 0) return t->metrics[i].value;
  return NAN;
}

bool nas_objectives_of(const nas_objectives *o, const nas_tell *t, double *values) {
  if (t->outcome != NAS_OUTCOME_OK) return false;
  for (int i = 0; i < o->n; i++) {
    values[i] = figure(o->name[i], t);
    if (!isfinite(values[i])) return false;
  }
  return true;
}

bool nas_dominates(const double *a, const double *b, int n) {
  bool better = false;
  for (int i = 0; i < n; i++) {
    if (a[i] > b[i]) return false;
    better |= a[i] < b[i];
  }
  return better;
}

/* One objective of one front: its members in order, and the gap around each added to its crowding. */
static void add_gaps(const double *points, int n, int axis, uint32_t *front, size_t size, double *crowding) {
  for (size_t i = 1; i < size; i++) /* insertion sort: fronts are short and nearly in order */
    for (size_t k = i;
         k > 0 && points[front[k] * (size_t)n + (size_t)axis] < points[front[k - 1] * (size_t)n + (size_t)axis]; k--) {
      uint32_t swap = front[k];
      front[k] = front[k - 1];
      front[k - 1] = swap;
    }
  double low = points[front[0] * (size_t)n + (size_t)axis], high = points[front[size - 1] * (size_t)n + (size_t)axis];
  crowding[front[0]] = crowding[front[size - 1]] = INFINITY;
  if (!(high > low)) return;
  for (size_t i = 1; i + 1 < size; i++)
    crowding[front[i]] +=
        (points[front[i + 1] * (size_t)n + (size_t)axis] - points[front[i - 1] * (size_t)n + (size_t)axis]) /
        (high - low);
}

nas_status nas_pareto_rank(const double *points, size_t count, int n, uint32_t *rank, double *crowding, nas_err *err) {
  uint32_t *above = calloc(2 * count + 1, sizeof *above), *front = above + count; /* how many dominate each */
  if (!above) return nas_fail_memory(err, "the fronts");
  for (size_t i = 0; i < count; i++) {
    crowding[i] = 0;
    rank[i] = UINT32_MAX;
    for (size_t k = 0; k < count; k++) above[i] += nas_dominates(&points[k * (size_t)n], &points[i * (size_t)n], n);
  }
  size_t ranked = 0;
  for (uint32_t level = 0; ranked < count; level++) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
      if (rank[i] == UINT32_MAX && above[i] == 0) front[size++] = (uint32_t)i;
    for (size_t i = 0; i < size; i++) rank[front[i]] = level;
    for (size_t i = 0; i < size; i++)
      for (size_t k = 0; k < count; k++)
        if (rank[k] == UINT32_MAX && nas_dominates(&points[front[i] * (size_t)n], &points[k * (size_t)n], n))
          above[k]--;
    for (int axis = 0; axis < n; axis++) add_gaps(points, n, axis, front, size, crowding);
    ranked += size;
  }
  free(above);
  return NAS_OK;
}
