#include "search/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

static size_t slot_of(const nas_map *m, uint64_t key) {
  size_t i = nas_hash64(&key, sizeof key) & (m->cap - 1);
  while (m->keys[i] && m->keys[i] != key + 1) i = (i + 1) & (m->cap - 1);
  return i;
}

void nas_map_free(nas_map *m) {
  free(m->keys);
  free(m->values);
  *m = (nas_map){0};
}

uint64_t nas_map_get(const nas_map *m, uint64_t key, uint64_t absent) {
  if (!m->cap) return absent;
  size_t i = slot_of(m, key);
  return m->keys[i] ? m->values[i] : absent;
}

bool nas_map_has(const nas_map *m, uint64_t key) { return m->cap && m->keys[slot_of(m, key)]; }

static nas_status grow(nas_map *m, nas_err *err) {
  nas_map fresh = {.n = m->n, .cap = m->cap ? 2 * m->cap : 64};
  fresh.keys = calloc(fresh.cap, sizeof *fresh.keys);
  fresh.values = calloc(fresh.cap, sizeof *fresh.values);
  if (!fresh.keys || !fresh.values) {
    nas_map_free(&fresh);
    return nas_fail_memory(err, "the proposals made");
  }
  for (size_t i = 0; i < m->cap; i++)
    if (m->keys[i]) {
      size_t j = slot_of(&fresh, m->keys[i] - 1);
      fresh.keys[j] = m->keys[i];
      fresh.values[j] = m->values[i];
    }
  free(m->keys);
  free(m->values);
  m->keys = fresh.keys;
  m->values = fresh.values;
  m->cap = fresh.cap;
  return NAS_OK;
}

nas_status nas_map_put(nas_map *m, uint64_t key, uint64_t value, nas_err *err) {
  if (2 * (m->n + 1) > m->cap) NAS_TRY(grow(m, err));
  size_t i = slot_of(m, key);
  if (!m->keys[i]) m->n++;
  m->keys[i] = key + 1;
  m->values[i] = value;
  return NAS_OK;
}

nas_status nas_grow(void *rows, size_t *cap, size_t need, size_t size, const char *what, nas_err *err) {
  if (need <= *cap) return NAS_OK;
  size_t wanted = *cap ? *cap : 16;
  while (wanted < need) wanted *= 2;
  void *old, *grown = calloc(wanted, size);
  if (!grown) return nas_fail_memory(err, what);
  memcpy(&old, rows, sizeof old);
  if (old) memcpy(grown, old, *cap * size);
  memcpy(rows, &grown, sizeof grown);
  free(old);
  *cap = wanted;
  return NAS_OK;
}
