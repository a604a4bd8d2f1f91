#ifndef NAS_TRAIN_FILTERED_FAN_H
#define NAS_TRAIN_FILTERED_FAN_H
/* The branches of a fan (direct_fan.c) whose convolutions run through Winograd's filtering (winograd.h): all its 3x3
 * convolutions, or none. */
#include "train/branch.h"
#include "train/winograd.h"

typedef struct nas_filtered {
  nas_winograd_grid grid;
  int64_t branches, ins, outs;      /* branches: that are filtered; 0 leaves the rest zero */
  int32_t of[NAS_LAYER_INPUTS_MAX]; /* which they are */
  int64_t groups, vectors;          /* of the outputs of all branches */
  int64_t data_side;                /* vectors of x side by side in the gradient by x */
  int64_t weights, data;            /* transformed weights, in numbers: of the outputs, and for the gradient by x; */
  const nas_winograd_bf16 *bf16;    /* NULL where f32 is multiplied */
  int64_t taps, scratch;            /* plain gradients while they are unpacked, and what the filtering takes */
} nas_filtered;

/* How the branches of c, all of one shape but for their kernels, are filtered; the grid's images and pixels are set by
 * nas_filtered_tile. */
nas_filtered nas_filtered_of(const nas_call *c);
bool nas_filtered_branch(const nas_branch *b);
/* Whether the filtered branches of c multiply bf16 numbers, and so leave z in such. */
bool nas_filtered_half(const nas_call *c, const nas_branch *b);
/* Pixels by which a bordered tile's rows and columns must be longer than n and the border on both sides. */
int64_t nas_filtered_more(const nas_filtered *f, int64_t n);
/* Tiles of `images` whose borders are `pad` wide; row, image: pixels of a bordered one. */
void nas_filtered_tile(nas_filtered *f, int64_t images, int64_t pad, int64_t row, int64_t image);

/* The weights for the forward pass and for the gradient by x. */
void nas_filtered_pack(const nas_filtered *f, const nas_call *c, float *weights);
void nas_filtered_pack_data(const nas_filtered *f, const nas_call *c, float *data);
/* z of a tile from bordered x. */
void nas_filtered_forward(const nas_filtered *f, const nas_call *c, int64_t tile, const float *x, const float *weights,
                          float *scratch);
/* total, laid out as the weights, += the gradient of a tile; dz[branch]: bordered. And from it those of the branches'
 * parameters. */
void nas_filtered_gradient(const nas_filtered *f, const float *x, float *const *dz, float *total, float *scratch);
void nas_filtered_unpack(const nas_filtered *f, const nas_call *c, const float *total, float *taps);
/* dx = dplus + what comes back from these branches, where the ReLU let x through. */
void nas_filtered_data(const nas_filtered *f, const nas_call *c, int64_t tile, const float *x, float *const *dz,
                       const float *data, float *scratch);
#endif
