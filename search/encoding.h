#ifndef NAS_SEARCH_ENCODING_H
#define NAS_SEARCH_ENCODING_H
/* Architectures as numbers, for strategies that model or learn: categorical genes side by side in one vector. */
#include "space/space.h"

/* Gene g owns places first[g] .. first[g] + choices[g] - 1 of a vector of `width`. */
typedef struct nas_encoding {
  uint8_t genes;
  uint8_t choices[NAS_GENES_MAX];
  uint32_t first[NAS_GENES_MAX];
  uint32_t width;
} nas_encoding;

void nas_encoding_of(const nas_space *space, nas_encoding *out);
/* Writes the `genes` places that are one. */
void nas_encoding_ones(const nas_encoding *code, const nas_arch *arch, uint32_t *ones);
/* The number of genes that differ; the two are of one space. */
int nas_arch_distance(const nas_arch *a, const nas_arch *b);
/* The place in n weights (sum > 0 or all zero: uniform) where their running share first exceeds `unit` in [0, 1). */
uint8_t nas_draw_weighted(const double *weights, int n, double unit);
#endif
