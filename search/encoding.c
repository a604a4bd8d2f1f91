#include "search/encoding.h"

void nas_encoding_of(const nas_space *space, nas_encoding *out) {
  *out = (nas_encoding){.genes = nas_space_genes(space)};
  for (uint8_t g = 0; g < out->genes; g++) {
    out->choices[g] = nas_space_choices(space, g);
    out->first[g] = out->width;
    out->width += out->choices[g];
  }
}

void nas_encoding_ones(const nas_encoding *code, const nas_arch *arch, uint32_t *ones) {
  for (uint8_t g = 0; g < code->genes; g++) ones[g] = code->first[g] + arch->gene[g];
}

int nas_arch_distance(const nas_arch *a, const nas_arch *b) {
  int d = 0;
  for (int i = 0; i < a->n; i++) d += a->gene[i] != b->gene[i];
  return d;
}

uint8_t nas_draw_weighted(const double *weights, int n, double unit) {
  double sum = 0, left;
  for (int i = 0; i < n; i++) sum += weights[i];
  if (!(sum > 0)) return (uint8_t)(unit * n);
  left = unit * sum;
  for (int i = 0; i < n - 1; i++) {
    if (left < weights[i]) return (uint8_t)i;
    left -= weights[i];
  }
  return (uint8_t)(n - 1);
}
