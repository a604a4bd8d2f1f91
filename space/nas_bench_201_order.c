/* Index order and unique classes of NAS-Bench-201. The published list is made by nested loops over the edges (the
 * last edge fastest) and then shuffled by Python's random.seed(88); random.shuffle(list). Classes are numbered by
 * their first member in that order. */
#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "space/nas_bench_201.h"
#include "space/python_random.h"

uint16_t nas_nb201_code(const nas_arch *arch) {
  unsigned code = 0;
  for (int e = 0; e < NB201_EDGES; e++) code = NB201_OPS * code + arch->gene[e];
  return (uint16_t)code;
}

void nas_nb201_decode(uint16_t code, nas_arch *out) {
  *out = (nas_arch){.n = NB201_EDGES};
  unsigned rest = code;
  for (int e = NB201_EDGES; e-- > 0; rest /= NB201_OPS) out->gene[e] = (uint8_t)(rest % NB201_OPS);
}

/* ---- the unique string ---- */

/* Adds a text at `end` and gives the new end. Bounded by NB201_UNIQUE_MAX, since no cell's string is longer. */
static char *put(char *end, const char *text) {
  size_t n = strlen(text);
  memcpy(end, text, n + 1);
  return end + n;
}

static void write_term(char *out, const char *source, uint8_t op) {
  if (op == NB201_NONE || strcmp(source, "#") == 0) put(out, "#");
  else if (op == NB201_SKIP) put(out, source);
  else put(put(put(put(out, "("), source), ")@"), nas_nb201_ops[op]);
}

/* Sorted by bytes, joined by '+'. */
static void join_terms(char *out, char terms[][NB201_UNIQUE_MAX], int n) {
  const char *sorted[NB201_NODES];
  for (int i = 0; i < n; i++) {
    int at = i;
    for (; at > 0 && strcmp(terms[i], sorted[at - 1]) < 0; at--) sorted[at] = sorted[at - 1];
    sorted[at] = terms[i];
  }
  out[0] = '\0';
  for (int i = 0; i < n; i++) out = put(put(out, i ? "+" : ""), sorted[i]);
}

static void node_string(const nas_arch *arch, uint8_t node, char nodes[][NB201_UNIQUE_MAX]) {
  char terms[NB201_NODES][NB201_UNIQUE_MAX];
  for (uint8_t from = 0; from < node; from++)
    write_term(terms[from], nodes[from], arch->gene[nas_nb201_edge_of(from, node)]);
  join_terms(nodes[node], terms, node);
}

void nas_nb201_unique(const nas_arch *arch, char out[NB201_UNIQUE_MAX]) {
  char nodes[NB201_NODES][NB201_UNIQUE_MAX] = {"0"};
  for (uint8_t node = 1; node < NB201_NODES; node++) node_string(arch, node, nodes);
  put(out, nodes[NB201_NODES - 1]);
}

/* ---- the tables ---- */

static struct {
  uint16_t code_at[NB201_CELLS], index_of[NB201_CELLS], class_of[NB201_CELLS]; /* the latter two by code */
  uint16_t class_first[NB201_CLASSES];
} tables;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make_order(void) {
  nas_python_random r;
  for (uint16_t code = 0; code < NB201_CELLS; code++) tables.code_at[code] = code;
  nas_python_seed(&r, 88);
  nas_python_shuffle(&r, tables.code_at, NB201_CELLS);
  for (uint16_t i = 0; i < NB201_CELLS; i++) tables.index_of[tables.code_at[i]] = i;
}

/* The hash of each cell's string, in code order: consecutive cells share the strings of nodes 1 and 2. */
static void hash_strings(uint64_t hash[NB201_CELLS]) {
  enum { LAST = 125 }; /* cells that differ in the edges of the last node only */
  char nodes[NB201_NODES][NB201_UNIQUE_MAX] = {"0"};
  for (uint16_t code = 0; code < NB201_CELLS; code++) {
    nas_arch arch;
    nas_nb201_decode(code, &arch);
    if (code % LAST == 0)
      for (uint8_t node = 1; node < NB201_NODES - 1; node++) node_string(&arch, node, nodes);
    node_string(&arch, NB201_NODES - 1, nodes);
    hash[code] = nas_hash64_text(nodes[NB201_NODES - 1]) | 1; /* zero marks a free slot below */
  }
}

/* Strings are compared by a 64-bit hash. The set is fixed, so that "no two collide" is a fact, not a chance: a test
 * compares all 15,625 classes with the published ones. */
static void make_classes(void) {
  enum { SLOTS = 1 << 14 };
  static uint64_t hash[NB201_CELLS], slot_hash[SLOTS];
  static uint16_t slot_class[SLOTS];
  uint16_t n = 0;
  hash_strings(hash);
  for (uint16_t i = 0; i < NB201_CELLS; i++) {
    uint16_t code = tables.code_at[i];
    size_t slot = hash[code] >> 50;
    while (slot_hash[slot] && slot_hash[slot] != hash[code]) slot = (slot + 1) % SLOTS;
    if (!slot_hash[slot]) {
      slot_hash[slot] = hash[code];
      slot_class[slot] = n;
      if (n < NB201_CLASSES) tables.class_first[n] = code;
      n++;
    }
    tables.class_of[code] = slot_class[slot];
  }
}

static void make_tables(void) {
  make_order();
  make_classes();
}

uint16_t nas_nb201_code_at(uint16_t index) {
  pthread_once(&tables_once, make_tables);
  return tables.code_at[index];
}

uint16_t nas_nb201_index_of(uint16_t code) {
  pthread_once(&tables_once, make_tables);
  return tables.index_of[code];
}

uint16_t nas_nb201_class_of(uint16_t code) {
  pthread_once(&tables_once, make_tables);
  return tables.class_of[code];
}

uint16_t nas_nb201_class_first(uint16_t class_id) {
  pthread_once(&tables_once, make_tables);
  return tables.class_first[class_id];
}
