#ifndef NAS_TRAIN_GRAPH_INTERNAL_H
#define NAS_TRAIN_GRAPH_INTERNAL_H
/* The inside of graphs and models, shared by graph.c, model.c and the planner. */
#include "train/op.h"

typedef struct nas_node {
  const nas_op *op; /* NULL for the input */
  nas_attrs attrs;
  nas_shape shape;
  nas_value in[NAS_LAYER_INPUTS_MAX];
  int32_t n_in;
  char label[80 - 16];
  bool zero; /* zero whatever the image is */
  bool live; /* reaches the output through values that are not zero (set by nas_graph_set_output) */
} nas_node;

struct nas_graph {
  nas_node *nodes; /* node 0 is the input */
  int32_t n, cap;
  nas_value output;
};

/* The site of a node, for one batch size and mode. */
nas_site nas_node_site(const nas_graph *g, nas_value v, int32_t batch, nas_mode mode);

struct nas_model {
  const nas_graph *graph;
  nas_dtype dtype;
  nas_tensor_info *tensors;
  nas_param_spec *specs; /* beside the tensors */
  size_t n_tensors;
  int32_t *first; /* of each node: index of its first tensor, or -1 */
  int64_t n_params, n_states;
  void *params, *grads, *states;
  void *arena; /* shared by the plans; grows to the largest */
  int64_t arena_bytes;
};
static inline int64_t nas_dtype_size(nas_dtype t) { return t == NAS_F64 ? 8 : 4; }

/* An arena of at least `bytes`, *got of them, with any content: the one that was given back last, if that is not much
 * larger, or else a new one. NULL when there is no memory. One is kept for the life of the process. */
void *nas_arena_take(int64_t bytes, int64_t *got);
void nas_arena_give(void *memory, int64_t bytes);
/* 64-byte aligned, zeroed memory; NULL when there is none. n may be 0. Free with free. */
void *nas_aligned_new(int64_t bytes);
#endif
