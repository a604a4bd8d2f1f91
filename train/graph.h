#ifndef NAS_TRAIN_GRAPH_H
#define NAS_TRAIN_GRAPH_H
/* The static graph: values and the operations that make them. Built once (by hand, by a neuron, or from a space's
 * network description), never changed after; a model adds the parameters and a plan the memory and the kernels.
 * Shapes are written [N,C,H,W]; in memory a value is channels-last, [N,H,W,C]. N is chosen by the plan. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "space/net.h"

typedef enum nas_dtype { NAS_F32, NAS_F64 } nas_dtype;

typedef struct nas_graph nas_graph;
typedef int32_t nas_value; /* index of a node's output in its graph; NAS_NO_VALUE = none */
#define NAS_NO_VALUE (-1)

/* A graph with one input of the given per-image shape. Free with nas_graph_free. */
nas_status nas_graph_new(nas_shape input, nas_graph **out, nas_err *err);
void nas_graph_free(nas_graph *g);
nas_value nas_graph_input(const nas_graph *g);
/* The value that goes to the loss, or NAS_NO_VALUE. */
nas_value nas_graph_output(const nas_graph *g);
nas_shape nas_graph_shape(const nas_graph *g, nas_value v);

/* Adds an operation of the registry (train/ops.def) and gives the value it makes. Identical operations on the same
 * inputs without parameters are shared. `label` names parameters ("stage0.cell1.edge0-1.conv" -> ".weight"). */
nas_status nas_graph_op(nas_graph *g, const char *op, const nas_value *inputs, int32_t n_inputs, const nas_attrs *attrs,
                        const char *label, nas_value *out, nas_err *err);

/* Declares the value that goes to the loss: logits [N,classes,1,1] for softmax cross-entropy. */
nas_status nas_graph_set_output(nas_graph *g, nas_value logits, nas_err *err);

/* Lowers a network description: every live layer becomes an operation; edges out of zeros and layers that do not
 * reach the output are dropped, so they cost neither time nor memory. */
nas_status nas_graph_from_net(const nas_net *net, nas_graph **out, nas_err *err);

/* ---- model: the numbers that training changes ---- */

/* One trainable or running tensor inside the model's flat arrays. */
typedef struct nas_tensor_info {
  char name[80]; /* "stem.conv.weight" */
  int64_t offset, count;
  bool decay;   /* weight decay applies (as in PyTorch's default: to everything trainable) */
  bool running; /* lives in the state array, not among the parameters */
} nas_tensor_info;

typedef struct nas_model nas_model;
/* Keeps a reference to the graph: free the model first. Element type f64 is for checks; f32 for work. */
nas_status nas_model_new(const nas_graph *g, nas_dtype dtype, nas_model **out, nas_err *err);
void nas_model_free(nas_model *m);
/* Initialises parameters from the seed: each tensor from its own name, so that an edge's weights do not depend on
 * the other edges (He/Kaiming and PyTorch-default rules are given by each operation), and resets running state. */
nas_status nas_model_init(nas_model *m, uint64_t seed, nas_err *err);
/* Raises the numbers of bounded tensors (time constants, widths) to their least values; after every update. */
void nas_model_constrain(nas_model *m);
/* Flat arrays of nas_model_params() trainable numbers (float or double by dtype) and of nas_model_states() running
 * numbers (batch-norm statistics). Valid as long as the model. */
int64_t nas_model_params(const nas_model *m);
int64_t nas_model_states(const nas_model *m);
void *nas_model_param_data(nas_model *m);
void *nas_model_grad_data(nas_model *m);
void *nas_model_state_data(nas_model *m);
const nas_tensor_info *nas_model_tensors(const nas_model *m, size_t *n);

/* ---- plan: memory and kernels for one batch size ---- */

/* Plans that may repeat work and take more than TARGET bytes come down to that, or by a third, if it takes no more than
 * SHARE of a forward pass (which is about a third of a step); else as far as SHARE takes them. */
#define NAS_PLAN_TARGET ((int64_t)192 << 20)
#define NAS_PLAN_SHARE  0.27

typedef enum nas_mode { NAS_TRAIN, NAS_EVAL } nas_mode;

typedef struct nas_plan_options {
  int32_t batch;          /* images per step, >= 1 */
  nas_mode mode;          /* NAS_EVAL plans have no backward pass and no saved values */
  bool reference;         /* plain kernels only (the oracle); always so for f64 models */
  int64_t memory_limit;   /* bytes that model plus plan may take; 0 = none. More -> NO_MEMORY with both numbers */
  bool recompute;         /* training: rather than that, run parts of the forward pass again in the backward pass; also,
                             a little, when it is merely large (NAS_PLAN_TARGET) */
  double label_smoothing; /* share of the target spread evenly over all classes; 0 = none */
  bool bf16; /* training multiplies in bf16 where a batch norm follows and that is faster; sums and weights stay f32 */
  bool input_gradient; /* also compute the gradient of the image (nas_plan_input_gradient) */
} nas_plan_options;

typedef struct nas_plan nas_plan;
/* Decides shapes, liveness, kernels and one arena. Plans of one model share its arena: run one at a time. */
nas_status nas_plan_new(nas_model *m, const nas_plan_options *options, nas_plan **out, nas_err *err);
void nas_plan_free(nas_plan *p);
/* Bytes of arena + parameters + gradients + running state + kernel scratch. The optimiser's own arrays are added by
 * the trainer. */
int64_t nas_plan_peak_bytes(const nas_plan *p);
/* Bytes of tensors that the operations of one step (forward and backward) read and write, each operand once. */
int64_t nas_plan_traffic(const nas_plan *p);
/* Share of the work of a forward pass that the backward pass does again to stay below the limit: 0..1. The numbers that
 * come out are the same bits in any case. */
double nas_plan_recomputed(const nas_plan *p);
/* How many operations a forward pass runs, after dropping, sharing and fusing. */
int32_t nas_plan_operations(const nas_plan *p);
/* What nas_plan_new would need, without allocating; with a limit that cannot be kept, the least that is possible. */
nas_status nas_plan_measure(nas_model *m, const nas_plan_options *options, int64_t *peak_bytes, nas_err *err);

/* Where to write the batch: [N,H,W,C] of the model's dtype, and N class labels. Stable as long as the plan. */
void *nas_plan_input(nas_plan *p);
int32_t *nas_plan_labels(nas_plan *p);

/* What a pass yields: mean softmax cross-entropy (nats) over the batch and the number of right top-1 guesses. */
typedef struct nas_loss {
  double loss;
  int32_t correct;
} nas_loss;

/* Runs the network on the batch. In training mode batch statistics are used and running statistics updated;
 * `step` with (seed) picks the dropout masks. */
nas_loss nas_plan_forward(nas_plan *p, uint64_t seed, uint64_t step);
/* Gradients of the mean loss of the last forward into nas_model_grad_data (overwritten, not added). */
void nas_plan_backward(nas_plan *p);
/* The same from a gradient of the logits that the caller gives (N*classes numbers), for any other loss. */
void nas_plan_backward_from(nas_plan *p, const void *logits_gradient);
/* The gradient of the image after a backward pass, [N,H,W,C]; NULL unless the plan was asked for it. */
const void *nas_plan_input_gradient(const nas_plan *p);
/* Copies a value's content of the last forward to out (N*C*H*W numbers, [N,H,W,C]); for tests and inspection.
 * NOT_FOUND when the planner fused it away or reused its memory. */
nas_status nas_plan_read(const nas_plan *p, nas_value v, void *out, nas_err *err);
/* A side result of the last forward pass ("energy", "denominator", "attention") of the first operation that has one of
 * this name, in double; *n numbers of at most `room`. NOT_FOUND when none has; reference plans only. */
nas_status nas_plan_probe(const nas_plan *p, const char *name, double *out, int64_t room, int64_t *n, nas_err *err);
/* The same of the k-th (from 0) operation that has one. */
nas_status nas_plan_probe_nth(const nas_plan *p, const char *name, int k, double *out, int64_t room, int64_t *n,
                              nas_err *err);
const void *nas_plan_logits(const nas_plan *p);
#endif
