#ifndef NAS_TRAIN_WINOGRAD_H
#define NAS_TRAIN_WINOGRAD_H
/* 3x3 convolutions of stride 1 over a tile of a fan (direct_fan.c) through Winograd's filtering (kernels/winograd.h): a
 * block of patches at a time is transformed, multiplied and transformed back within the cache. */
#include "train/direct_pack.h"
#include "train/kernels/kernels.h"

enum { NAS_WINOGRAD_SOURCES = 8, NAS_WINOGRAD_CHANNELS = 512 }; /* at most */

/* A tile's images: outputs height x width, and inputs with a border of zeros of at least one pixel, and of
 * nas_winograd_more pixels more at the right and at the bottom. */
typedef struct nas_winograd_grid {
  int64_t side; /* outputs of a patch: 2 x 2 or 4 x 4 */
  bool narrow; /* side 4: so many of the last patches down and across have three outputs that they end with the image */
  int64_t images, height, width;
  int64_t row, image, corner; /* pixels: a bordered row, a bordered image, from its start to pixel (-1, -1) */
} nas_winograd_grid;

/* Output vectors side by side. */
typedef struct nas_winograd_group {
  const float *u; /* weights [point][channel][vector][16]; nas_winograd_bf16 says how those in bf16 lie */
  int32_t vectors;
  void *y[NAS_WINOGRAD_VECTORS];           /* images without a border, `outs` numbers a pixel */
  const float *plus[NAS_WINOGRAD_VECTORS]; /* as y; may be NULL */
  const float *mask[NAS_WINOGRAD_VECTORS];
} nas_winograd_group;

/* y = plus + (mask > 0 ? sum over sources of the convolutions : 0) */
typedef struct nas_winograd_convolution {
  const nas_winograd_grid *grid;
  const float *x[NAS_WINOGRAD_SOURCES]; /* bordered tiles of `ins` channels */
  int64_t sources, ins, outs;
  const nas_winograd_group *groups;
  int64_t n_groups;
  const nas_winograd_bf16 *bf16; /* what multiplies, if it is bf16 numbers */
  bool half_y;                   /* y, without plus and mask, in bf16 too */
} nas_winograd_convolution;

/* du of each group += B' x B times A dz A' */
typedef struct nas_winograd_weights {
  const nas_winograd_grid *grid;
  const float *x; /* bordered, of `ins` channels */
  int64_t ins, outs, n_groups;
  const nas_winograd_bf16 *bf16; /* what multiplies, if it is bf16 numbers */
  const struct nas_winograd_weights_group {
    float *du;
    int32_t vectors;
    const float *dz[NAS_WINOGRAD_VECTORS]; /* bordered, of `outs` channels; of each vector */
  } * groups;
} nas_winograd_weights;

/* The side of the patches with which these channels and this size have the fewest multiplications; 0 where filtering
 * cannot be done or does not pay. */
int64_t nas_winograd_side(int64_t ins, int64_t outs, int64_t height, int64_t width);
/* Whether convolutions to so many channels, in f32, may have patches of three outputs beside those of `side`. */
bool nas_winograd_narrow(int64_t side, int64_t outs);
/* Pixels by which patches reach over the end of n. */
int64_t nas_winograd_more(const nas_winograd_grid *g, int64_t n);
/* How many patches of one image share a size, at least: blocks hold patches of one size. */
int64_t nas_winograd_fewest(const nas_winograd_grid *g);
const nas_winograd_transforms *nas_winograd_transforms_of(int64_t side);
/* Whether a vector holds two points: convolutions from 8 to 8 channels. */
static inline bool nas_winograd_pairs(int64_t outs) { return outs == 8; }
/* Numbers of the weights of `vectors` output vectors; ins: of all sources. */
int64_t nas_winograd_weight_numbers(int64_t side, int64_t ins, int64_t outs, int64_t vectors);
/* Output vector `vector` of a convolution's weights as number `slot` of `vectors` in u, input channels from `first` on;
 * `of`: channels of all sources. */
void nas_winograd_pack(const nas_winograd_bf16 *bf16, int64_t side, float *u, const float *plain,
                       const nas_direct_shape *s, int64_t first, int64_t of, int64_t vector, int64_t slot,
                       int64_t vectors);
/* And back, from taps [3][3][ins][vectors][16], adding nothing, for weights that are not turned. */
void nas_winograd_unpack(float *plain, const float *taps, const nas_direct_shape *s, int64_t vector, int64_t slot,
                         int64_t vectors);
/* Scratch, in numbers; ins: of all sources. */
int64_t nas_winograd_convolve_scratch(int64_t side, int64_t ins, int64_t outs);
int64_t nas_winograd_weights_scratch(int64_t side, int64_t ins, int64_t outs);
void nas_winograd_convolve(const nas_winograd_convolution *c, float *scratch);
void nas_winograd_weight_gradient(const nas_winograd_weights *w, float *scratch);
#endif
