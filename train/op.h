#ifndef NAS_TRAIN_OP_H
#define NAS_TRAIN_OP_H
/* What an operation is: one const struct in one file of train/ops/ and one line in train/ops.def. This header is
 * private to train/ and its tests; users of the engine see names only (nas_graph_op). */
#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "train/graph.h"

#define NAS_OP_PARAMS_MAX 12

/* Where an operation stands: the shapes around it, its attributes, and what the plan is for. */
typedef struct nas_site {
  nas_shape in[NAS_LAYER_INPUTS_MAX], out;
  int32_t n_in, batch;
  nas_attrs attrs;
  nas_mode mode;
} nas_site;

/* How a tensor starts; `bound` and `centre` are those of nas_param_spec. */
typedef enum nas_init {
  NAS_INIT_ZERO,
  NAS_INIT_ONE,
  NAS_INIT_UNIFORM, /* in [centre - bound, centre + bound) */
  NAS_INIT_NORMAL,  /* of deviation bound around centre */
  NAS_INIT_VALUE,   /* centre */
  NAS_INIT_RAMP,    /* from centre - bound to centre + bound in even steps */
  NAS_INIT_SIGN,    /* 1 with probability `bound`, else -1 */
  NAS_INIT_ONE_OF,  /* of every `group` neighbours one, drawn evenly, is `centre`, the others 0 */
  NAS_INIT_LIST,    /* the numbers of `list` */
} nas_init;

typedef struct nas_param_spec {
  char name[16]; /* "weight" */
  int64_t count;
  nas_init init;
  double bound;
  bool running; /* not trained: kept up by the forward pass */
  double centre;
  bool bounded; /* after every optimiser step the numbers are raised to at least `least` */
  double least;
  const double *list; /* `count` numbers that live as long as the program */
  int64_t only;       /* > 0: the numbers after the first `only` start at zero */
  int64_t group;      /* of NAS_INIT_ONE_OF */
} nas_param_spec;

/* Everything a kernel may touch, resolved by the plan. Pointers are to the model's element type.
 *
 * A kernel adds to what flows together instead of having a sum pass after it: it stores y = plus + f(x), and
 * dx[i] = dplus[i] + its contribution, where a NULL `plus` means zero and `plus == y` means "on top of what is there".
 * dx[i] NULL: nobody asks for that gradient. Gradients of parameters are overwritten. Inputs may coincide (x*x), so
 * dx[0] is finished before dx[1] is begun. */
typedef struct nas_call {
  nas_site site;
  const void *x[NAS_LAYER_INPUTS_MAX];
  void *y;
  const void *plus;
  const void *dy;
  void *dx[NAS_LAYER_INPUTS_MAX];
  const void *dplus[NAS_LAYER_INPUTS_MAX];
  bool wants_dx[NAS_LAYER_INPUTS_MAX];
  void *param[NAS_OP_PARAMS_MAX], *grad[NAS_OP_PARAMS_MAX]; /* in the order of the specs; running ones have no grad */
  float factor[NAS_LAYER_INPUTS_MAX];                       /* of a weighted sum's inputs */
  int64_t elements;                                         /* of a weighted sum */
  bool relu_in, norm_out, bf16;                             /* of a fused convolution */
  struct nas_branch *branch[NAS_LAYER_INPUTS_MAX];          /* of a fan or of a weighted sum (train/branch.h) */
  int32_t n_branches;
  const struct nas_call
      *source; /* of a fan in the backward pass: the sum that makes x[0] again; NULL when x[0] is there */
  void *saved, *scratch;
  /* Set by `prepare`, in bytes. */
  int64_t saved_bytes, forward_scratch, backward_scratch;
  void *prepared; /* the kernel's own, such as oneDNN primitives */
  uint64_t seed, step, label_hash;
} nas_call;

enum { NAS_READS_X = 1, NAS_READS_Y = 2 };

/* One implementation of an operation for one element type. */
typedef struct nas_kernel {
  nas_status (*prepare)(nas_call *c, nas_err *err); /* may be NULL: no saved values, no scratch */
  void (*release)(nas_call *c);                     /* may be NULL */
  void (*forward)(const nas_call *c);
  void (*backward)(const nas_call *c);
  unsigned reads; /* what `backward` looks at, so that the plan keeps it */
  bool sinks;     /* `forward` honours `plus`; such a kernel may not read y in `backward` */
  /* Side results of the last forward pass by name ("energy", "denominator"), recomputed from x and the parameters:
   * writes them to `out` unless that is NULL and returns how many they are, or -1 for a name it does not know. Only
   * reference kernels have it; NULL: none. */
  int64_t (*probe)(const nas_call *c, const char *name, double *out);
} nas_kernel;

/* How the planner may treat an operation without knowing its name. */
enum {
  NAS_OP_ALIAS = 1,                  /* y is x: no work in a fast plan */
  NAS_OP_SUM = 2,                    /* y is the sum of its inputs: its terms are stored on top of each other */
  NAS_OP_ZERO = 4,                   /* y is zero everywhere */
  NAS_OP_KEEPS_ZERO = 8,             /* y is zero when all inputs are */
  NAS_OP_KEEPS_ZERO_UNBIASED = 1024, /* the same when attrs.bias is false */
  NAS_OP_ZERO_IF_ANY = 16,           /* y is zero when any input is */
  NAS_OP_RANDOM = 32,                /* depends on its label too: never shared with a twin */
  NAS_OP_TRAIN_ONLY = 64,            /* the identity in evaluation */
  NAS_OP_RELU = 128,                 /* may be absorbed into the convolution after it */
  NAS_OP_CONV = 256,                 /* may absorb the ReLU before it and the batch norm after it */
  NAS_OP_NORM = 512,
  NAS_OP_ELEMENTWISE =
      2048, /* number i of y and of each dx depends on numbers i alone (gradients of parameters aside) */
};

typedef struct nas_op {
  const char *name;
  int version;
  const char *summary, *citation;
  const char *attributes; /* the members of nas_attrs it reads, for people */
  int32_t min_inputs, max_inputs;
  unsigned traits;
  /* Checks the inputs and gives the shape of the output. `label` is for the message. */
  nas_status (*infer)(const nas_site *site, const char *label, nas_shape *out, nas_err *err);
  /* Fills `out` and returns how many; NULL for an operation without parameters. */
  int32_t (*params)(const nas_site *site, nas_param_spec out[NAS_OP_PARAMS_MAX]);
  int64_t (*macs)(const nas_site *site); /* per image; NULL for none */
  nas_kernel f32, f64;                   /* the reference, compiled from one text */
  const nas_kernel *fast;                /* f32; NULL: the reference serves */
  const nas_option *options;             /* of attrs.options; NULL for none */
  const char *const *samples;            /* attrs.options texts that tests walk; ends with NULL; NULL: only "" */
} nas_op;

const nas_op *const *nas_ops(void); /* ends with NULL */
const nas_op *nas_op_find(const char *name);

/* ---- small helpers of the operations ---- */
static inline int64_t nas_shape_size(nas_shape s) { return (int64_t)s.c * s.h * s.w; }
static inline int64_t nas_shape_pixels(nas_shape s) { return (int64_t)s.h * s.w; }
static inline int64_t nas_site_in(const nas_site *s, int i) { return s->batch * nas_shape_size(s->in[i]); }
static inline int64_t nas_site_out(const nas_site *s) { return s->batch * nas_shape_size(s->out); }

/* Rows of the channels-last matrix that a value is: images times pixels. */
static inline int64_t nas_site_rows(const nas_site *s, int i) { return s->batch * nas_shape_pixels(s->in[i]); }

/* Reads attrs.options by a table into `values`. `owner` and `label` are for messages. */
nas_status nas_op_options(const nas_site *site, const nas_option *table, void *values, const char *owner,
                          const char *label, nas_err *err);
/* The same into fresh memory at c->prepared, for `prepare`; release with nas_op_drop_options. */
nas_status nas_op_keep_options(nas_call *c, const nas_option *table, size_t size, nas_err *err);
void nas_op_drop_options(nas_call *c);

/* infer for operations whose output has the shape of their inputs, which must agree. */
nas_status nas_infer_same(const nas_site *site, const char *label, nas_shape *out, nas_err *err);
/* infer for neurons that act on the channels of every pixel: attrs.out channels. */
nas_status nas_infer_rows(const nas_site *site, const char *label, nas_shape *out, nas_err *err);
/* Checks kernel, stride and padding and gives the output's height and width (floor, as PyTorch). */
nas_status nas_infer_window(const nas_site *site, const char *label, nas_shape *out, nas_err *err);
#endif
