#ifndef NAS_SEARCH_KERNEL_H
#define NAS_SEARCH_KERNEL_H
/* Similarity of architectures, for Gaussian processes: exp(-sum over parts of theta[part] * distance[part]).
 *
 * hamming: a part per gene, distance 0 or 1 (one part, the share of the genes that differ, in spaces of more than
 *   NAS_KERNEL_PARTS genes).
 * wl: a part per round of Weisfeiler-Lehman relabelling of the cell (Shervashidze et al., JMLR 12, 2011), distance the
 *   squared Euclidean one of the label counts. The vertices are the operations that lie on a way from input to output;
 *   the labels of round h name an operation and all that leads to it within h steps. */
#include "search/encoding.h"

enum { NAS_KERNEL_PARTS = 12, NAS_WL_ROUNDS = 3 };

typedef struct nas_kernel {
  const nas_space *space; /* borrowed */
  nas_encoding code;
  bool wl;
  int parts;
  uint8_t from[NAS_GENES_MAX], to[NAS_GENES_MAX], last, none[NAS_GENES_MAX];
} nas_kernel;

/* What the kernel compares of an architecture. */
typedef struct nas_kernel_point {
  nas_arch arch;
  uint8_t n; /* labels of each round, in rising order */
  uint32_t label[NAS_WL_ROUNDS][NAS_GENES_MAX];
} nas_kernel_point;

/* UNSUPPORTED: wl in a space whose genes are no edges. `name` is "wl" or "hamming". */
nas_status nas_kernel_open(const nas_space *space, const char *name, nas_kernel *out, nas_err *err);
void nas_kernel_point_of(const nas_kernel *k, const nas_arch *arch, nas_kernel_point *out);
/* Fills distance[0..parts-1]. */
void nas_kernel_distance(const nas_kernel *k, const nas_kernel_point *a, const nas_kernel_point *b, double *distance);
double nas_kernel_value(const nas_kernel *k, const double *theta, const nas_kernel_point *a, const nas_kernel_point *b);
#endif
