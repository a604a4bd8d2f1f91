#ifndef NAS_SPACE_NAS_BENCH_201_H
#define NAS_SPACE_NAS_BENCH_201_H
/* Inside of the space nas-bench-201: what its files share. Neighbouring rooms use space/space.h. */
#include "space/space.h"

/* A cell has nodes 0 (input) to 3 (output) and one edge from every node to every later one. Edge e is gene e. */
#define NB201_NODES   4
#define NB201_EDGES   6
#define NB201_OPS     5
#define NB201_CELLS   15625 /* NB201_OPS to the power of NB201_EDGES */
#define NB201_CLASSES 6466

/* The operations in the published order: the value of a gene. */
enum { NB201_NONE, NB201_SKIP, NB201_CONV1, NB201_CONV3, NB201_POOL };
extern const char *const nas_nb201_ops[NB201_OPS];

typedef struct nas_nb201_edge {
  uint8_t from, to;
} nas_nb201_edge;
extern const nas_nb201_edge nas_nb201_edges[NB201_EDGES];
/* The edge from node `from` to a later node `to`. */
static inline uint8_t nas_nb201_edge_of(uint8_t from, uint8_t to) { return (uint8_t)(to * (to - 1) / 2 + from); }

typedef struct nas_nb201_options {
  int64_t channels, cells;
} nas_nb201_options;

/* ---- _order: index order and classes; tables are made on the first call (about a millisecond) ---- */
uint16_t nas_nb201_code_at(uint16_t index);
uint16_t nas_nb201_index_of(uint16_t code);
uint16_t nas_nb201_class_of(uint16_t code);
uint16_t nas_nb201_class_first(uint16_t class_id); /* its code */
/* The code of a cell is its genes as a number to base 5, edge 0 first. */
uint16_t nas_nb201_code(const nas_arch *arch);
void nas_nb201_decode(uint16_t code, nas_arch *out);

/* The published unique string of a cell; the longest has 112 characters. */
#define NB201_UNIQUE_MAX 128
void nas_nb201_unique(const nas_arch *arch, char out[NB201_UNIQUE_MAX]);

/* ---- _grammar ---- */
nas_status nas_nb201_parse(const nas_space *self, const char *text, nas_arch *out, nas_err *err);
nas_status nas_nb201_format(const nas_space *self, const nas_arch *arch, nas_str *out);

/* ---- _net ---- */
nas_status nas_nb201_net(const nas_space *self, const nas_arch *arch, nas_task task, nas_net *net, nas_err *err);

/* ---- _draw ---- */
nas_status nas_nb201_dot(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err);
nas_status nas_nb201_svg(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err);
void nas_nb201_json(const nas_space *self, const nas_arch *arch, nas_str *out);
#endif
