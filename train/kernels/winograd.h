#ifndef NAS_TRAIN_KERNELS_WINOGRAD_H
#define NAS_TRAIN_KERNELS_WINOGRAD_H
/* Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016,
 * equations 8 and 9), channels-last: a patch of 2x2 outputs takes 16 multiplications for each pair of channels instead
 * of 36. y = A'[(G g G') . (B' x B)]A with
 *     B' = 1  0 -1  0     G =  1    0    0     A' = 1  1  1  0
 *          0  1  1  0         1/2  1/2  1/2         0  1 -1 -1
 *          0 -1  1  0         1/2 -1/2  1/2
 *          0  1  0 -1          0    0    1
 * The 16 points of the transformed patch are independent products of matrices over the channels; the gradient by g is
 * G'[(A dy A') . (B' x B)]G, and the gradient by x a convolution of dy with the weights turned round.
 *
 * Sixteen patches make a block. With channels in multiples of 16, transformed values are [point 16][slab of 16
 * channels][patch 16][16] and weights [point][channel][vector][16]. `pairs` are for 8 channels: a vector holds two
 * points of a row, 0 and 3 or 1 and 2, in turn (lanes 2k and 2k + 1 are channel k), so that values are [point
 * pair 8][slab of 8 channels][patch 16][8][2] and weights [point pair][channel][vector][8][2]. */
#include <stdbool.h>
#include <stdint.h>

enum { NAS_WINOGRAD_BLOCK = 16, NAS_WINOGRAD_VECTORS = 2 };

/* Numbers from one point's values to the next one's: a line more than they take, because powers of two would share a
 * few lines of the first-level cache. */
static inline int64_t nas_winograd_apart(int64_t slabs) { return (slabs * NAS_WINOGRAD_BLOCK + 1) * 16; }
static inline int64_t nas_winograd_points(bool pairs) { return pairs ? 8 : 16; }
/* Numbers of a block's values of so many slabs. */
static inline int64_t nas_winograd_values(int64_t slabs, bool pairs) {
  return nas_winograd_points(pairs) * nas_winograd_apart(slabs);
}

/* `patches` neighbouring patches of an image row into patches 0, 1, ... of v. */
typedef struct nas_winograd_run {
  const float *x;       /* the first patch's top left pixel: of 4x4 for inputs, of 2x2 for gradients; */
  int64_t x_row, pitch; /* numbers from one pixel row and from one pixel to the next */
  int64_t channels, patches;
  float *v; /* of the first slab */
  int64_t apart;
  bool pairs;
} nas_winograd_run;

/* Patches 0 .. patches - 1 of m = [point][vector][patch][16] into pixels: y = plus + (mask > 0 ? value : 0). */
typedef struct nas_winograd_store {
  const float *m;
  int64_t apart, patches, vectors;
  float *y[NAS_WINOGRAD_VECTORS]; /* of each vector, the first patch's top left pixel */
  const float *plus[NAS_WINOGRAD_VECTORS], *mask[NAS_WINOGRAD_VECTORS]; /* may be NULL */
  int64_t pitch, y_row;  /* numbers from pixel to pixel and from row to row */
  int64_t rows, columns; /* pixels that there are: 1 or 2 rows, and columns of the whole run */
  bool pairs;
} nas_winograd_store;

/* m = v u: `patches` patches, all points; channels counts those of v, all slabs. */
typedef struct nas_winograd_product {
  const float *v, *u;
  float *m;
  int64_t v_apart, m_apart, patches, channels;
  int32_t vectors;
  bool pairs;
} nas_winograd_product;

/* du += v' d over blocks of patches that lie v_block and d_block numbers apart; du as the weights. */
typedef struct nas_winograd_gradient {
  const float *v, *d; /* d: [point][vector][patch][16] */
  float *du;
  int64_t v_apart, d_apart, v_block, d_block, patches, channels; /* patches: of all blocks */
  int32_t vectors;
  bool pairs;
} nas_winograd_gradient;

#ifdef NAS_ISA
#include "train/kernels/vector.h"
/* B' x B and A dy A'. */
void NAS_PER_ISA(winograd_input)(const nas_winograd_run *r);
void NAS_PER_ISA(winograd_spread)(const nas_winograd_run *r);
void NAS_PER_ISA(winograd_product)(const nas_winograd_product *p);
void NAS_PER_ISA(winograd_store)(const nas_winograd_store *s);
void NAS_PER_ISA(winograd_gradient)(const nas_winograd_gradient *g);
/* Between weights u and taps [3][3][n], n = channels x vectors x 16: u = G g G' and g = G' du G. */
void NAS_PER_ISA(winograd_weights)(float *u, const float *taps, int64_t n, bool pairs);
void NAS_PER_ISA(winograd_taps)(float *taps, const float *du, int64_t n, bool pairs);
#endif

#endif
