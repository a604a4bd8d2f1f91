#include "jobs/repeats.h"

#include <stdlib.h>

#include "base/hash.h"

struct nas_repeats_row {
  nas_arch arch;
  uint64_t times; /* 0: an empty row */
};

static size_t find(const nas_repeats *r, const nas_arch *arch) {
  size_t i = nas_hash64(arch->gene, arch->n) & (r->cap - 1);
  while (r->rows[i].times && !nas_arch_same(&r->rows[i].arch, arch)) i = (i + 1) & (r->cap - 1);
  return i;
}

static nas_status grow(nas_repeats *r, nas_err *err) {
  nas_repeats fresh = {.n = r->n, .cap = r->cap ? 2 * r->cap : 64};
  fresh.rows = calloc(fresh.cap, sizeof *fresh.rows);
  if (!fresh.rows) return nas_fail_memory(err, "the list of architectures");
  for (size_t i = 0; i < r->cap; i++)
    if (r->rows[i].times) fresh.rows[find(&fresh, &r->rows[i].arch)] = r->rows[i];
  free(r->rows);
  *r = fresh;
  return NAS_OK;
}

nas_status nas_repeats_count(nas_repeats *r, const nas_arch *arch, uint64_t *before, nas_err *err) {
  if (3 * (r->n + 1) > 2 * r->cap) NAS_TRY(grow(r, err));
  struct nas_repeats_row *row = &r->rows[find(r, arch)];
  if (!row->times) {
    row->arch = *arch;
    r->n++;
  }
  *before = row->times++;
  return NAS_OK;
}

void nas_repeats_free(nas_repeats *r) {
  free(r->rows);
  *r = (nas_repeats){0};
}
