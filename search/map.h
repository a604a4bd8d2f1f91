#ifndef NAS_SEARCH_MAP_H
#define NAS_SEARCH_MAP_H
/* A map from 63-bit number to number: what strategies remember of the proposals made. Open addressing; memory linear in
 * the entries. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Start from {0}; free with nas_map_free. */
typedef struct nas_map {
  uint64_t *keys, *values; /* key + 1 is stored, so that 0 means empty */
  size_t n, cap;
} nas_map;

void nas_map_free(nas_map *m);
/* The value of a key (below 2^64 - 1), or `absent`. */
uint64_t nas_map_get(const nas_map *m, uint64_t key, uint64_t absent);
bool nas_map_has(const nas_map *m, uint64_t key);
/* Adds or replaces. NO_MEMORY leaves the map as it was. */
nas_status nas_map_put(nas_map *m, uint64_t key, uint64_t value, nas_err *err);

/* Makes room for `need` elements of `size` bytes in *rows (of *cap), growing by doubling; new elements are zero.
 * `what` names them in the error. */
nas_status nas_grow(void *rows, size_t *cap, size_t need, size_t size, const char *what, nas_err *err);
#endif
