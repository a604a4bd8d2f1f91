#ifndef NAS_TRAIN_PLAN_INTERNAL_H
#define NAS_TRAIN_PLAN_INTERNAL_H
/* The inside of plans. lower.c turns a graph into steps (forward), gradient.c adds the backward program, arena.c gives
 * every buffer its place by when it is first and last touched, plan.c owns and runs the result. */
#include "train/branch.h"
#include "train/graph_internal.h"

#define NAS_NO_BUFFER (-1)

/* From instruction `first` to `last` of the whole program; first > last: never. */
typedef struct nas_life {
  int32_t first, last;
} nas_life;

/* A stretch of memory with its lives: `again` is that in the backward pass of what is made anew for it. */
typedef struct nas_buffer {
  int64_t bytes, offset;
  nas_life life, again;
  bool remade;     /* its content is not kept between the passes */
  bool wants_grad; /* holds a value that depends on a parameter */
  bool external;   /* the batch: lives outside the arena */
  bool local;      /* only a chain looks at it: there is a tile of it at a time */
} nas_buffer;

/* One kernel with its operands; buffers by index, NAS_NO_BUFFER for none. */
typedef struct nas_step {
  const nas_kernel *kernel;
  nas_call call;
  nas_value node; /* NAS_NO_VALUE for a weighted sum or a fan, which the planner put in */
  int32_t source; /* of a fan: the sum that makes its x again in the backward pass, or -1 when x is kept */
  bool fan;       /* makes its branches' z; a weighted sum's branches are read */
  int32_t x[NAS_LAYER_INPUTS_MAX], y, plus, saved, forward_scratch;
  int32_t dy, dx[NAS_LAYER_INPUTS_MAX], dplus[NAS_LAYER_INPUTS_MAX], backward_scratch;
} nas_step;

typedef struct nas_instruction {
  int32_t step;
  bool backward;
} nas_instruction;

/* Instructions first .. first + n - 1, run together a tile at a time (chain.h). */
typedef struct nas_chain {
  int32_t first, n, calls; /* calls: their place among the plan's */
  int64_t elements;
} nas_chain;

struct nas_plan {
  nas_model *model;
  nas_plan_options options;
  nas_step *steps;
  int32_t n_steps, steps_cap;
  nas_buffer *buffers; /* buffer 0 is the batch */
  int32_t n_buffers, buffers_cap;
  nas_instruction *program; /* forward, then backward */
  int32_t n_program, program_cap, n_forward;
  nas_chain *chains; /* in the program's order */
  int32_t n_chains, chains_cap, n_calls;
  nas_call *calls;      /* of the chains, whose operands are a tile's */
  double recomputed;    /* share of the forward pass's work that the backward pass does again */
  void *kept_states;    /* running statistics, which doing forward steps again must not move twice */
  nas_branch *branches; /* in training, as many as there are norms that end one */
  int32_t n_branches;
  int32_t *buffer_of; /* of each graph value, or NAS_NO_BUFFER */
  int32_t logits, dlogits, dinput;
  int64_t arena_bytes, peak_bytes, traffic;
  void *base; /* the arena that the steps' pointers were made for */
  void *input;
  int32_t *labels;
};

/* Shared by lower.c and gradient.c. All return an error only for lack of memory. */
nas_status nas_plan_add_buffer(nas_plan *p, int64_t bytes, int32_t *out, nas_err *err);
nas_status nas_plan_add_step(nas_plan *p, const nas_step *step, int32_t *out, nas_err *err);
nas_status nas_plan_add_instruction(nas_plan *p, int32_t step, bool backward, nas_err *err);
/* A step y = plus + sum of factor[i] x[i] over n elements; no inputs: y = plus or zero. */
nas_step nas_plan_sum_step(const nas_plan *p, int64_t elements);

/* The forward program: which steps, in which order, into which buffers. */
nas_status nas_plan_lower(nas_plan *p, nas_err *err);
/* The backward program. */
nas_status nas_plan_add_gradients(nas_plan *p, nas_err *err);
/* Decides which nodes fans make again, tile by tile, instead of keeping them. With `segment` (of each step) only out of
 * what their own segment holds; NULL: all steps are one. */
nas_status nas_plan_recompute(nas_plan *p, const int32_t *segment, nas_err *err);
/* Where the plan takes more than the limit: lets the backward pass run forward steps again, as few as make it fit. When
 * nothing does, the plan that takes least. */
nas_status nas_plan_fit(nas_plan *p, nas_err *err);
/* Where a buffer lies; NULL for NAS_NO_BUFFER. */
void *nas_plan_address(const nas_plan *p, int32_t buffer);
/* Bytes of everything that the placed plan takes. */
int64_t nas_plan_bytes(const nas_plan *p);

typedef enum nas_access { NAS_READ, NAS_WRITE, NAS_SCRATCH } nas_access;
typedef void (*nas_visitor)(void *arg, int32_t buffer, nas_access access);
/* Behind the last chain; the beginning where there are none (a sum with a null pointer is undefined). */
static inline const nas_chain *nas_plan_chains_end(const nas_plan *p) {
  return p->n_chains ? p->chains + p->n_chains : p->chains;
}
/* Shows every buffer that an instruction touches; one that is read and written is shown as either or both. */
void nas_plan_visit(const nas_plan *p, nas_instruction instruction, nas_visitor see, void *arg);
/* Lifetimes and offsets; sets arena_bytes. */
nas_status nas_plan_place(nas_plan *p, nas_err *err);
#endif
