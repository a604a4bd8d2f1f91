/* The table of a replay: flat arrays, and a map from architectures to rows that costs one look at memory where the
 * space numbers its architectures. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "search/replay.h"

enum { INDEX_SLOTS_MAX = 1 << 24 }; /* larger spaces go by hash */

nas_status nas_replay_table_new(const nas_space *space, nas_replay_table **out, nas_err *err) {
  nas_replay_table *t = *out = calloc(1, sizeof *t);
  if (!t) return nas_fail_memory(err, "the table of a replay");
  uint64_t size = nas_space_size(space);
  nas_arch first;
  uint64_t ignored;
  *t = (nas_replay_table){.space = space, .best_valid = -INFINITY, .best_test = -INFINITY};
  t->by_index = size && size <= INDEX_SLOTS_MAX && nas_space_at(space, 0, &first, NULL) == NAS_OK &&
                nas_space_index(space, &first, &ignored);
  t->n_slots = t->by_index ? size : 64;
  t->slots = calloc(t->n_slots, sizeof *t->slots);
  if (t->slots) return NAS_OK;
  nas_replay_table_free(t);
  *out = NULL;
  return nas_fail_memory(err, "the table of a replay");
}

void nas_replay_table_free(nas_replay_table *t) {
  if (!t) return;
  free(t->arch);
  free(t->seen);
  free(t->report_valid);
  free(t->report_test);
  free(t->params);
  free(t->macs);
  free(t->curve);
  free(t->epoch_seconds);
  free(t->slots);
  free(t);
}

/* The slot that holds the architecture, or the free one where it belongs; NULL for one that is not of the space. */
static uint32_t *slot_of(const nas_replay_table *t, const nas_arch *arch) {
  uint64_t index;
  if (t->by_index) return nas_space_index(t->space, arch, &index) && index < t->n_slots ? &t->slots[index] : NULL;
  size_t i = nas_hash64(arch->gene, arch->n) & (t->n_slots - 1);
  while (t->slots[i] && !nas_arch_same(&t->arch[t->slots[i] - 1], arch)) i = (i + 1) & (t->n_slots - 1);
  return &t->slots[i];
}

int64_t nas_replay_table_find(const nas_replay_table *t, const nas_arch *arch) {
  const uint32_t *slot = slot_of(t, arch);
  return slot ? (int64_t)*slot - 1 : NAS_REPLAY_NO_ROW;
}

static nas_status grow_map(nas_replay_table *t, nas_err *err) {
  if (t->by_index || 2 * (t->n + 1) <= t->n_slots) return NAS_OK;
  uint32_t *fresh = calloc(2 * t->n_slots, sizeof *fresh);
  if (!fresh) return nas_fail_memory(err, "the table of a replay");
  free(t->slots);
  t->slots = fresh;
  t->n_slots *= 2;
  for (size_t row = 0; row < t->n; row++) *slot_of(t, &t->arch[row]) = (uint32_t)row + 1;
  return NAS_OK;
}

static bool grow_array(void *array, size_t size, size_t cap) { /* array: the address of a pointer */
  void *old, *grown;
  memcpy(&old, array, sizeof old);
  grown = realloc(old, size * cap);
  if (grown) memcpy(array, &grown, sizeof grown);
  return grown != NULL;
}

static nas_status grow_rows(nas_replay_table *t, nas_err *err) {
  if (t->n < t->cap) return NAS_OK;
  size_t cap = t->cap ? 2 * t->cap : 256;
  double **columns[] = {&t->report_valid, &t->report_test, &t->params, &t->macs};
  bool grown =
      cap < UINT32_MAX && grow_array(&t->arch, sizeof *t->arch, cap) && grow_array(&t->seen, sizeof *t->seen, cap);
  for (size_t i = 0; grown && i < sizeof columns / sizeof *columns; i++)
    grown = grow_array(columns[i], sizeof(double), cap);
  if (!grown) return nas_fail_memory(err, "the table of a replay");
  t->cap = cap;
  return NAS_OK;
}

static bool is_percent(double x) { return x >= 0 && x <= 100; }

static nas_status check_row(const nas_replay_table *t, const nas_replay_row *row, nas_err *err) {
  char text[NAS_ARCH_TEXT_MAX];
  NAS_TRY(nas_space_format(t->space, &row->arch, text, err));
  if (!isnan(row->valid_accuracy) && !is_percent(row->valid_accuracy))
    return nas_fail(err, NAS_E_BAD_INPUT, text, "validation accuracy %g at the search fidelity is no percentage",
                    row->valid_accuracy);
  if (!isfinite(row->seconds) || row->seconds < 0)
    return nas_fail(err, NAS_E_BAD_INPUT, text, "a trial cannot take %g seconds", row->seconds);
  if (!is_percent(row->report_valid) || (!isnan(row->report_test) && !is_percent(row->report_test)))
    return nas_fail(err, NAS_E_BAD_INPUT, text,
                    "accuracies at the report fidelity are %g (validation) and %g (test); they must be percentages",
                    row->report_valid, row->report_test);
  return NAS_OK;
}

nas_status nas_replay_table_add(nas_replay_table *t, const nas_replay_row *row, nas_err *err) {
  NAS_TRY(check_row(t, row, err));
  NAS_TRY(grow_rows(t, err));
  NAS_TRY(grow_map(t, err));
  uint32_t *slot = slot_of(t, &row->arch);
  if (!slot || *slot) {
    char text[NAS_ARCH_TEXT_MAX];
    NAS_TRY(nas_space_format(t->space, &row->arch, text, err));
    return nas_fail(err, NAS_E_BAD_INPUT, text, slot ? "the architecture is there twice" : "it has no index");
  }
  t->arch[t->n] = row->arch;
  t->seen[t->n] = (nas_replay_seen){row->valid_accuracy, row->seconds};
  t->report_valid[t->n] = row->report_valid;
  t->report_test[t->n] = row->report_test;
  t->params[t->n] = row->params;
  t->macs[t->n] = row->macs;
  if (row->report_valid > t->best_valid) t->best_valid = row->report_valid;
  if (row->report_test > t->best_test) t->best_test = row->report_test;
  *slot = (uint32_t)++t->n;
  return NAS_OK;
}

nas_status nas_replay_table_set_curves(nas_replay_table *t, int32_t epochs, const double *curve,
                                       const double *epoch_seconds, nas_err *err) {
  size_t all = t->n * (size_t)epochs;
  t->curve = malloc((all + 1) * sizeof *t->curve);
  t->epoch_seconds = malloc((t->n + 1) * sizeof *t->epoch_seconds);
  if (!t->curve || !t->epoch_seconds) return nas_fail_memory(err, "the curves of a replay");
  memcpy(t->curve, curve, all * sizeof *curve);
  memcpy(t->epoch_seconds, epoch_seconds, t->n * sizeof *epoch_seconds);
  t->epochs = epochs;
  return NAS_OK;
}
