#ifndef NAS_SPACE_NEURON_MLP_H
#define NAS_SPACE_NEURON_MLP_H
/* What the files of the space neuron-mlp share: neuron_mlp.c (options, genes, text, networks), neuron_mlp_picture.c. */
#include <string.h>

#include "space/neuron_edge.h"
#include "space/space.h"

enum { LAYERS_MAX = 4, PARTS = 4, CHOICES_MAX = 16, LIST_MAX = 320 };
enum { TYPE, WIDTH, NORM, ACTIVATION };

typedef struct mlp_options {
  char neurons[LIST_MAX], widths[LIST_MAX], norms[LIST_MAX], activations[LIST_MAX], head[NAS_NEURON_WORD_MAX], match[8];
  char activation[160];
  int64_t min_layers, max_layers;
} mlp_options;

typedef struct mlp_data {
  char text[PARTS][LIST_MAX];
  const char *word[PARTS][CHOICES_MAX]; /* into text */
  uint8_t n[PARTS];
  nas_neuron_word neuron[CHOICES_MAX], head;
  int32_t width[CHOICES_MAX];
} mlp_data;

static inline const mlp_data *mlp_data_of(const nas_space *self) { return nas_space_data((nas_space *)self); }
static inline const mlp_options *mlp_options_of(const nas_space *self) { return nas_space_options(self); }
static inline int mlp_depth_of(const nas_space *self, const nas_arch *arch) {
  return (int)mlp_options_of(self)->min_layers + arch->gene[0];
}

/* Pictures: layers as boxes from left to right. */
nas_status nas_neuron_mlp_svg(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err);
nas_status nas_neuron_mlp_dot(const nas_space *self, const nas_arch *arch, nas_task task, nas_str *out, nas_err *err);
#endif
