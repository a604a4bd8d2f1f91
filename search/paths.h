#ifndef NAS_SEARCH_PATHS_H
#define NAS_SEARCH_PATHS_H
/* The path encoding of BANANAS (White et al., AAAI 2021): one feature for every sequence of operations that leads from
 * the input of a cell to its output. Equal sequences over different nodes are one feature, and a way with the
 * operation `none` is no way; so most equal networks have equal features. In spaces whose genes are no edges the
 * features are the one-hot genes. */
#include "search/encoding.h"

enum { NAS_PATHS_MAX = 128, NAS_PATHS_WIDTH = 4096 };

typedef struct nas_paths {
  nas_encoding code;
  bool graph;
  uint8_t from[NAS_GENES_MAX], to[NAS_GENES_MAX], last; /* node */
  uint8_t none[NAS_GENES_MAX];                          /* the choice `none` of each gene; 255 = it has none */
  /* Number of features. Sequences are numbered by length, then operations; past NAS_PATHS_WIDTH they are hashed. */
  uint32_t width, radix;
  bool hashed;
} nas_paths;

/* The features of an architecture that are one: places in 0..width-1, without repeats. Of a cell with more than
 * NAS_PATHS_MAX paths the first ones. */
typedef struct nas_features {
  uint16_t n, one[NAS_PATHS_MAX];
} nas_features;

/* `by_path` false: one-hot genes in every space. */
void nas_paths_of(const nas_space *space, bool by_path, nas_paths *out);
void nas_paths_features(const nas_paths *p, const nas_arch *arch, nas_features *out);
#endif
