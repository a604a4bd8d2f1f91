#ifndef NAS_TESTS_TRAIN_RANDOM_GRAPH_H
#define NAS_TESTS_TRAIN_RANDOM_GRAPH_H
/* Random valid networks in the spirit of NeuRI (J. Liu et al., ESEC/FSE 2023): an operation is added only where its
 * constraints hold for the shapes that are there. A description is a plain list, so that a failing one can be cut down
 * and printed. */
#include <stdbool.h>
#include <stdint.h>

#include "train/graph.h"

enum { GRAPH_OPS_MAX = 96 };

typedef struct graph_op {
  const char *op;
  nas_attrs attrs;
  int32_t in[NAS_LAYER_INPUTS_MAX], n_in; /* 0: the image; k: ops[k - 1] */
  nas_shape shape;                        /* of what it makes */
} graph_op;

typedef struct graph_list {
  uint64_t seed;
  nas_shape image;
  int32_t batch;
  nas_mode mode;
  bool input_gradient;
  double smoothing; /* of the labels */
  graph_op ops[GRAPH_OPS_MAX];
  int32_t n; /* the last one makes the logits */
} graph_list;

/* The network of a seed: all of the same program, always the same. */
void graph_generate(uint64_t seed, graph_list *out);
/* Shapes anew after a change; false when an operation no longer fits or the last makes no logits. */
bool graph_infer(graph_list *list);
/* Labels are "op1", "op2", ... */
nas_graph *graph_build(const graph_list *list, nas_value *logits);
/* One line for each operation, as text for people. */
void graph_print(const graph_list *list, char *out, size_t size);

/* Takes away operations, inputs, images and channels as long as `fails` still says true. */
void graph_shrink(graph_list *list, bool (*fails)(const graph_list *list, void *arg), void *arg);
#endif
