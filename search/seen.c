#include "search/seen.h"

#include <string.h>

#include "base/hash.h"

enum { DRAWS = 1000, SCAN_MAX = 1 << 24, TRIES = 100, TRY_NUMBERS = 2 * NAS_GENES_MAX };

void nas_seen_open(nas_seen *s, const nas_space *space, const char *mode) {
  *s = (nas_seen){.space = space, .any = strcmp(mode, "allow") != 0, .by_class = strcmp(mode, "class") == 0};
}

void nas_seen_close(nas_seen *s) { nas_map_free(&s->map); }

uint64_t nas_seen_key(const nas_seen *s, const nas_arch *arch) {
  uint64_t class_id;
  char text[NAS_ARCH_TEXT_MAX];
  if (s->by_class && nas_space_class(s->space, arch, &class_id)) return class_id;
  if (s->by_class && nas_space_canonical(s->space, arch, text, NULL) == NAS_OK) return nas_hash64_text(text) >> 1;
  return nas_hash64(arch->gene, arch->n) >> 1;
}

bool nas_seen_has(const nas_seen *s, const nas_arch *arch) {
  return s->any && nas_map_has(&s->map, nas_seen_key(s, arch));
}

nas_status nas_seen_add(nas_seen *s, const nas_arch *arch, nas_err *err) {
  return s->any ? nas_map_put(&s->map, nas_seen_key(s, arch), 1, err) : NAS_OK;
}

nas_status nas_seen_sample(const nas_seen *s, nas_rng rng, uint64_t first, nas_arch *out, nas_err *err) {
  for (uint64_t i = 0; i < DRAWS; i++) {
    NAS_TRY(nas_space_sample(s->space, rng, first + i * NAS_GENES_MAX, false, out, err));
    if (!nas_seen_has(s, out)) return NAS_OK;
  }
  /* Few are left: take the first unseen one after a random place. */
  uint64_t size = nas_space_size(s->space);
  if (size && size <= SCAN_MAX && nas_space_at(s->space, 0, out, NULL) == NAS_OK) {
    uint64_t from = nas_rng_below(rng, first + (uint64_t)DRAWS * NAS_GENES_MAX, size);
    for (uint64_t i = 0; i < size; i++) {
      NAS_TRY(nas_space_at(s->space, (from + i) % size, out, err));
      if (!nas_seen_has(s, out)) return NAS_OK;
    }
    return nas_fail(err, NAS_E_EXHAUSTED, "strategy", "every architecture of %s has been proposed",
                    nas_space_type_of(s->space)->name);
  }
  return nas_fail(err, NAS_E_EXHAUSTED, "strategy", "no new architecture of %s in %d draws",
                  nas_space_type_of(s->space)->name, DRAWS);
}

nas_status nas_seen_mutate(const nas_seen *s, const nas_arch *parent, int mutations, nas_rng rng, uint64_t first,
                           nas_arch *out, nas_err *err) {
  for (int i = 0; i < TRIES; i++) {
    int changes = mutations + i / 25;
    uint64_t numbers = first + (i ? 1024 + (uint64_t)i * TRY_NUMBERS : 0);
    *out = *parent;
    for (int k = 0; k < changes && k < NAS_GENES_MAX; k++) {
      nas_arch from = *out;
      NAS_TRY(nas_space_mutate(s->space, &from, rng, numbers + 2 * (uint64_t)k, out, err));
    }
    if (!nas_seen_has(s, out)) return NAS_OK;
    if (!s->any) break;
  }
  return s->any ? nas_seen_sample(s, rng, first + NAS_SEEN_NUMBERS, out, err) : NAS_OK;
}
