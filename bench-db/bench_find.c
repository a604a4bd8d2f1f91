/* Looking up cells: hash tables of cell numbers, whose keys are the cells' own texts and genes. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "bench-db/internal/bench.h"

static uint64_t genes_hash(const nas_arch *a) { return nas_hash64(a->gene, a->n); }

static nas_status make(nas_bench_table *t, size_t n, nas_err *err) {
  size_t size = 16;
  while (size < 2 * n) size *= 2;
  t->slots = calloc(size, sizeof *t->slots);
  t->mask = size - 1;
  return t->slots ? NAS_OK : nas_fail_memory(err, "the index of a table");
}

static void put(nas_bench_table *t, uint64_t hash, size_t cell) {
  size_t at = hash & t->mask;
  while (t->slots[at]) at = (at + 1) & t->mask;
  t->slots[at] = (uint32_t)cell + 1;
}

nas_status nas_bench_tables_make(nas_bench *b, nas_err *err) {
  NAS_TRY(make(&b->by_text, b->n, err));
  NAS_TRY(make(&b->by_hash, b->n, err));
  NAS_TRY(make(&b->by_genes, b->n, err));
  for (size_t i = 0; i < b->n; i++) {
    const nas_bench_cell *c = &b->cells[i];
    put(&b->by_text, nas_hash64_text(c->arch), i);
    size_t first;
    if (!nas_bench_find_hash(b, c->canonical, &first)) put(&b->by_hash, nas_hash64_text(c->canonical), i);
    if (c->genes.n) put(&b->by_genes, genes_hash(&c->genes), i);
    if (c->index >= 0 && (size_t)c->index < b->indices) b->cell_of_index[c->index] = (uint32_t)i + 1;
  }
  return NAS_OK;
}

void nas_bench_tables_free(nas_bench *b) {
  free(b->by_text.slots);
  free(b->by_hash.slots);
  free(b->by_genes.slots);
}

bool nas_bench_find_text(const nas_bench *b, const char *arch, size_t *cell) {
  for (size_t at = nas_hash64_text(arch) & b->by_text.mask; b->by_text.slots[at]; at = (at + 1) & b->by_text.mask) {
    *cell = b->by_text.slots[at] - 1;
    if (strcmp(b->cells[*cell].arch, arch) == 0) return true;
  }
  return false;
}

bool nas_bench_find_hash(const nas_bench *b, const char *canonical, size_t *cell) {
  const nas_bench_table *t = &b->by_hash;
  for (size_t at = nas_hash64_text(canonical) & t->mask; t->slots[at]; at = (at + 1) & t->mask) {
    *cell = t->slots[at] - 1;
    if (strcmp(b->cells[*cell].canonical, canonical) == 0) return true;
  }
  return false;
}

bool nas_bench_find_arch(const nas_bench *b, const nas_arch *genes, size_t *cell) {
  const nas_bench_table *t = &b->by_genes;
  for (size_t at = genes_hash(genes) & t->mask; t->slots[at]; at = (at + 1) & t->mask) {
    const nas_arch *have = &b->cells[t->slots[at] - 1].genes;
    if (have->n != genes->n || memcmp(have->gene, genes->gene, genes->n) != 0) continue;
    *cell = t->slots[at] - 1;
    return true;
  }
  return false;
}

bool nas_bench_find_index(const nas_bench *b, int64_t index, size_t *cell) {
  if (index >= 0 && (size_t)index < b->indices) {
    *cell = b->cell_of_index[index] - (size_t)1;
    return b->cell_of_index[index] != 0;
  }
  for (*cell = 0; b->indices == 0 && index >= 0 && *cell < b->n; ++*cell)
    if (b->cells[*cell].index == index) return true;
  return false;
}

nas_status nas_bench_find(const nas_bench *b, const char *arch, size_t *cell, nas_err *err) {
  int64_t index;
  if (nas_bench_find_text(b, arch, cell)) return NAS_OK;
  if (nas_text_int(arch, &index) && nas_bench_find_index(b, index, cell)) return NAS_OK;
  if (b->space) {
    nas_arch genes;
    NAS_TRY(nas_space_parse(b->space, arch, &genes, err));
    if (nas_bench_find_arch(b, &genes, cell)) return NAS_OK;
  }
  return nas_fail(err, NAS_E_NOT_FOUND, b->db->path, "the table holds no architecture '%s'", arch);
}
