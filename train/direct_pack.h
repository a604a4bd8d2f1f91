#ifndef NAS_TRAIN_DIRECT_PACK_H
#define NAS_TRAIN_DIRECT_PACK_H
/* How convolutions of stride 1 that keep the image's size become sums over windows (kernels/direct.h), and the order of
 * weights that this wants. */
#include <stdbool.h>
#include <stdint.h>

#include "train/kernels/kernels.h"

/* One convolution: plain weights are [outs][ins][kernel][kernel]. */
typedef struct nas_direct_shape {
  int64_t outs, ins, kernel;
  bool turned; /* the gradient by the input: `outs` are the input's channels, and plain weights [ins][outs][.][.] */
} nas_direct_shape;

/* Output channels and widths that windows can be made for. */
bool nas_direct_channels(int64_t channels);
/* Pixels that one output vector of so many channels covers, and vectors of one such group of pixels. */
static inline int64_t nas_direct_pixels(int64_t channels) { return channels < 16 ? 16 / channels : 1; }
static inline int64_t nas_direct_count(int64_t channels) { return channels < 16 ? 1 : channels / 16; }
/* How many vectors of so many channels run side by side. */
static inline int64_t nas_direct_side(int64_t channels) {
  int64_t n = nas_direct_count(channels), most = nas_kernels()->direct_vectors();
  return n % most == 0 ? most : n % 2 == 0 && most > 1 ? 2 : 1;
}
/* Numbers in a window. */
static inline int64_t nas_direct_length(const nas_direct_shape *s) {
  return (s->kernel - 1 + nas_direct_pixels(s->outs)) * s->ins;
}
/* Packed numbers of one vector, over all kernel rows. */
static inline int64_t nas_direct_packed(const nas_direct_shape *s) { return 16 * s->kernel * nas_direct_length(s); }

/* Output vector `vector` of the plain weights as number `slot` of `vectors` side by side:
 * [kernel row][length][vectors][16]. Output channel o is multiplied by scale[o] (NULL: 1) of the vector's plain
 * weights, or, when turned, input channel i by scale[i]. */
void nas_direct_pack(float *to, const float *plain, const nas_direct_shape *s, int64_t vector, int64_t slot,
                     int64_t vectors, const float *scale);
/* The other way round: the plain gradient of this vector's channels from the sums of nas_direct_gradient. Not turned.
 */
void nas_direct_unpack(float *plain, const float *from, const nas_direct_shape *s, int64_t vector, int64_t slot,
                       int64_t vectors);
/* All vectors of a convolution, nas_direct_side of them side by side, and back. */
void nas_direct_pack_all(float *to, const float *plain, const nas_direct_shape *s, const float *scale);
void nas_direct_unpack_all(float *plain, const float *from, const nas_direct_shape *s);
/* The gradient by the weights of a 1x1 convolution over pixels in a row: total, laid out as nas_direct_pack_all does,
 * += sum of y x'. As many numbers as y has at `ahead` and `more`, unless NULL, are wanted next. */
void nas_direct_products(float *total, const float *x, const float *y, int64_t pixels, const nas_direct_shape *s,
                         const float *ahead, const float *more);
#endif
