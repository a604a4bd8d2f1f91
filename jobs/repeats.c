#include "jobs/repeats.h"

#include <math.h>
#include <stdlib.h>

#include "base/hash.h"

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
  nas_repeat *row = &r->rows[find(r, arch)];
  if (!row->times) {
    *row = (nas_repeat){.arch = *arch, .params = NAN, .macs = NAN};
    r->n++;
  }
  *before = row->times++;
  return NAS_OK;
}

nas_repeat *nas_repeats_of(nas_repeats *r, const nas_arch *arch) {
  nas_repeat *row = r->cap ? &r->rows[find(r, arch)] : NULL;
  return row && row->times ? row : NULL;
}

void nas_repeats_free(nas_repeats *r) {
  free(r->rows);
  *r = (nas_repeats){0};
}
