#ifndef NAS_SPACE_NEURON_CELL_H
#define NAS_SPACE_NEURON_CELL_H
/* What the files of the space neuron-cell share: neuron_cell.c (options, classes, text), neuron_cell_net.c (networks),
 * neuron_cell_picture.c. */
#include <string.h>

#include "space/neuron_edge.h"
#include "space/space.h"

enum { NODES = 4, EDGES = 6, OPS_MAX = NAS_NEURON_WORDS_MAX };
enum { NONE, SKIP, POOL, PLAIN_OPS }; /* operations without neurons, in the order of nas_neuron_cell_plain */
extern const char *const nas_neuron_cell_plain[PLAIN_OPS + 1];

typedef struct cell_options {
  char operations[320], form[8], match[8], stem[NAS_NEURON_WORD_MAX], activation[160];
  int64_t width, kernel, cells, stages, stem_kernel, stem_pool;
} cell_options;

typedef struct cell_data {
  char text[320];
  const char *ops[OPS_MAX]; /* into text */
  nas_neuron_word words[OPS_MAX], stem;
  uint8_t n_ops;
  uint32_t size;        /* n_ops to the power of EDGES; 0: too many for a table of classes */
  uint32_t n_classes;   /* of the tables below */
  uint32_t *class_of;   /* by index */
  uint32_t *first_with; /* by class: index of its first member */
} cell_data;

static inline const cell_options *cell_options_of(const nas_space *self) { return nas_space_options(self); }
static inline const cell_data *cell_data_of(const nas_space *self) { return nas_space_data((nas_space *)self); }
static inline bool cell_is_conv(const nas_space *self) { return cell_options_of(self)->form[0] == 'c'; }
/* Whether an operation is one of those without neurons. */
static inline bool cell_op_is(const cell_data *d, uint8_t op, int plain) {
  return !strcmp(d->ops[op], nas_neuron_cell_plain[plain]);
}

/* The members of nas_space_type that the other two files give. */
nas_status nas_neuron_cell_net(const nas_space *self, const nas_arch *arch, nas_task task, nas_net *made, nas_err *err);
nas_status nas_neuron_cell_svg(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err);
nas_status nas_neuron_cell_dot(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err);
void nas_neuron_cell_json(const nas_space *self, const nas_arch *arch, nas_str *out);
#endif
