#include "search/paths.h"

#include <string.h>

#include "base/hash.h"

static void read_edges(const nas_space *space, nas_paths *p) {
  for (uint8_t g = 0; g < p->code.genes && p->graph; g++) {
    p->graph = nas_space_edge(space, g, &p->from[g], &p->to[g]);
    p->none[g] = 255;
    for (uint8_t c = 0; p->graph && c < p->code.choices[g]; c++)
      if (strcmp(nas_space_choice_name(space, g, c), "none") == 0) p->none[g] = c;
    if (p->graph && p->to[g] > p->last) p->last = p->to[g];
    if (p->code.choices[g] > p->radix) p->radix = p->code.choices[g];
  }
}

void nas_paths_of(const nas_space *space, bool by_path, nas_paths *out) {
  *out = (nas_paths){.graph = by_path};
  nas_encoding_of(space, &out->code);
  read_edges(space, out);
  out->width = out->code.width;
  if (!out->graph) return;
  uint64_t width = 0, power = 1;
  for (uint8_t length = 1; length <= out->last && width <= NAS_PATHS_WIDTH; length++)
    width += power = power * out->radix;
  out->hashed = width > NAS_PATHS_WIDTH;
  out->width = out->hashed ? NAS_PATHS_WIDTH : (uint32_t)width;
}

typedef struct walk {
  const nas_paths *paths;
  const nas_arch *arch;
  nas_features *out;
} walk;

static void add(nas_features *f, uint32_t place) {
  for (uint16_t i = 0; i < f->n; i++)
    if (f->one[i] == place) return;
  if (f->n < NAS_PATHS_MAX) f->one[f->n++] = (uint16_t)place;
}

/* The ways from `node` on; `number` counts the sequence so far in base radix, `offset` the shorter sequences. */
static void follow(const walk *w, uint8_t node, uint64_t number, uint64_t offset, uint64_t power) {
  const nas_paths *p = w->paths;
  if (node == p->last) {
    uint64_t place = offset + number;
    add(w->out, (uint32_t)(p->hashed ? nas_hash64(&place, sizeof place) % p->width : place));
    return;
  }
  for (uint8_t g = 0; g < p->code.genes && w->out->n < NAS_PATHS_MAX; g++) {
    uint8_t op = w->arch->gene[g];
    if (p->from[g] != node || op == p->none[g]) continue;
    follow(w, p->to[g], number * p->radix + op, power == 1 ? 0 : offset + power, power * p->radix);
  }
}

void nas_paths_features(const nas_paths *p, const nas_arch *arch, nas_features *out) {
  out->n = 0;
  if (!p->graph) {
    uint32_t ones[NAS_GENES_MAX];
    nas_encoding_ones(&p->code, arch, ones);
    for (uint8_t g = 0; g < p->code.genes && out->n < NAS_PATHS_MAX; g++) add(out, ones[g]);
    return;
  }
  const walk w = {p, arch, out};
  follow(&w, 0, 0, 0, 1);
}
