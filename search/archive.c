#include "search/archive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void nas_archive_close(nas_archive *a) {
  free(a->rows);
  free(a->good);
  free(a->open);
  *a = (nas_archive){0};
}

bool nas_tell_ok(const nas_tell *t) { return t->outcome == NAS_OUTCOME_OK && isfinite(t->valid_accuracy); }

nas_status nas_archive_ask(nas_archive *a, const nas_arch *arch, int32_t epochs, nas_err *err) {
  NAS_TRY(nas_grow(&a->rows, &a->cap, a->n + 1, sizeof *a->rows, "the archive", err));
  NAS_TRY(nas_grow(&a->open, &a->cap_open, a->n_open + 1, sizeof *a->open, "the archive", err));
  a->open[a->n_open++] = a->n;
  a->rows[a->n++] = (nas_entry){.arch = *arch, .epochs = epochs, .value = NAN};
  return NAS_OK;
}

nas_status nas_archive_tell(nas_archive *a, const nas_tell *t, nas_err *err) {
  NAS_TRY(nas_grow(&a->good, &a->cap_good, a->n_good + 1, sizeof *a->good, "the archive", err));
  nas_entry *e = &a->rows[t->number];
  e->told = true;
  e->ok = nas_tell_ok(t);
  a->n_told++;
  for (size_t i = 0; i < a->n_open; i++)
    if (a->open[i] == t->number) {
      memmove(&a->open[i], &a->open[i + 1], (--a->n_open - i) * sizeof *a->open);
      break;
    }
  if (!e->ok) return NAS_OK;
  e->value = t->valid_accuracy;
  a->good[a->n_good++] = (size_t)t->number;
  return NAS_OK;
}

size_t nas_archive_best(const nas_archive *a, size_t k, size_t *best) {
  size_t n = 0;
  for (size_t i = 0; i < a->n_good; i++) {
    double value = a->rows[a->good[i]].value;
    if (n == k && !(value > a->rows[best[n - 1]].value)) continue;
    size_t at = n < k ? n++ : n - 1;
    for (; at > 0 && a->rows[best[at - 1]].value < value; at--) best[at] = best[at - 1];
    best[at] = a->good[i];
  }
  return n;
}
