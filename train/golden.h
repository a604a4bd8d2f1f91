#ifndef NAS_TRAIN_GOLDEN_H
#define NAS_TRAIN_GOLDEN_H
/* Golden files: inputs, parameters, loss weights, outputs and gradients of one formula, in double, as JSON:
 * {"name", "config": {...}, "shapes": {tensor: [...]}, "inputs": {...}, "params": {...}, "loss_w", "loss",
 *  "outputs": {...}, "grads": {...}}; all tensors are nested arrays. The loss is the sum of loss_w times the output y.
 * A row says how to build the formula of one such name here and which tensor is which. */
#include "train/graph.h"

typedef struct nas_golden nas_golden;

/* Reads a file and checks that every tensor named in its shapes is there and of its shape. Errors: NOT_FOUND, BAD_INPUT
 * (what is missing). Free with nas_golden_free. */
nas_status nas_golden_open(const char *path, nas_golden **out, nas_err *err);
void nas_golden_free(nas_golden *g);
/* Whether a file is a list of golden files ([{"file": "aptx.json", ...}, ...]), as may lie beside them. */
bool nas_golden_is_index(const char *path);
const char *nas_golden_name(const nas_golden *g);
/* Length of a tensor's axis; 0 when there is no such tensor or axis. */
int32_t nas_golden_size(const nas_golden *g, const char *tensor, int axis);
/* Members of "config": a number (or the fallback) and a text (or ""). */
double nas_golden_number(const nas_golden *g, const char *key, double fallback);
/* Element of the list "knots" of the configuration. */
double nas_golden_knot(const nas_golden *g, int i, double fallback);
const char *nas_golden_word(const nas_golden *g, const char *key);

/* One of their tensors and one of ours. `ours`: "input" (all such lie side by side as channels of the image, in the
 * order of the links), "output", "probe" (nas_plan_probe of their name), "constant" (a member of config that goes into
 * every image), or the name of a parameter. `axes`: their axes in our order ("0231" for an image); NULL: as they are.
 * One axis more than they have: their last one holds two, the first as long as the vectors of their x. */
typedef struct nas_golden_link {
  const char *theirs, *ours, *axes;
} nas_golden_link;

enum { NAS_GOLDEN_LINKS_MAX = 16 };
typedef struct nas_golden_row {
  const char *name;   /* of the files; "pade_*" is for all that begin so */
  const char *neuron; /* the neuron type that it is a formula of */
  nas_status (*build)(const nas_golden *file, nas_graph **g, nas_err *err);
  nas_golden_link links[NAS_GOLDEN_LINKS_MAX];
} nas_golden_row;
const nas_golden_row *nas_golden_rows(void); /* ends with a NULL name */
/* UNKNOWN_NAME with the nearest name. */
nas_status nas_golden_find(const char *name, const nas_golden_row **out, nas_err *err);

/* Largest error of a tensor relative to its largest entry (absolute where all are zero). */
typedef struct nas_golden_error {
  char tensor[40]; /* "y", "grad W" */
  double wide, single;
} nas_golden_error;
enum { NAS_GOLDEN_ERRORS_MAX = 40 };
typedef struct nas_golden_report {
  nas_golden_error rows[NAS_GOLDEN_ERRORS_MAX];
  int n;
} nas_golden_report;
/* What is allowed in double and in single precision. */
#define NAS_GOLDEN_WIDE   1e-9
#define NAS_GOLDEN_SINGLE 2e-4

/* Computes everything in both precisions and compares. */
nas_status nas_golden_check(const nas_golden *g, nas_golden_report *out, nas_err *err);
#endif
