#ifndef NAS_TRAIN_DIRECT_H
#define NAS_TRAIN_DIRECT_H
/* Convolutions as sums over windows, channels-last. A window is a stretch of `length` neighbouring numbers of one image
 * row: all taps of a kernel row, all channels. One output vector is 16 channels of a pixel or, in narrow layers, all
 * channels of several neighbouring pixels, whose common window holds zeros in its weights where a pixel does not look.
 * A 3x3 convolution is three windows, one by one is one, and the gradient by the input is the same thing over the
 * output's gradient with the weights turned round. */
#include <stdbool.h>
#include <stdint.h>

/* Output vectors side by side at most; and rows shorter than NAS_DIRECT_SHORT should be walked with those of other
 * images, because fewer sums than that do not keep the multipliers busy. */
enum { NAS_DIRECT_AHEAD = 12, NAS_DIRECT_VECTORS = 3, NAS_DIRECT_IMAGES = 4, NAS_DIRECT_SHORT = 7 };

typedef struct nas_direct_window {
  const float *x, *w;   /* of output 0; weights are [length][vectors][16] */
  int64_t length, next; /* next: from one image's window to the next one's */
  int64_t left, right;  /* numbers outside the image, zeros, at the start of output 0's window and the last one's end */
} nas_direct_window;

/* What will be wanted soon, to be fetched into the second-level cache meanwhile: at output p of a row, the `vectors`
 * vectors at x + p pitch. */
typedef struct nas_direct_ahead {
  const float *x;
  int64_t pitch;
} nas_direct_ahead;

/* Outputs 0 .. width - 1 of a row: y = plus + (mask > 0 ? sum of the windows + shift : 0). */
typedef struct nas_direct_row {
  const nas_direct_window *windows;
  int64_t n_windows, width, step; /* step: numbers from one output's window to the next one's */
  int64_t images, y_next; /* 1, or 4 with short rows: the same row of so many images, in y so many numbers apart */
  int32_t vectors;
  float *y[NAS_DIRECT_VECTORS];           /* of each vector */
  const float *plus[NAS_DIRECT_VECTORS];  /* may be NULL or y; */
  const float *mask[NAS_DIRECT_VECTORS];  /* may be NULL: all pass; */
  const float *shift[NAS_DIRECT_VECTORS]; /* 16 numbers, may be NULL */
  nas_direct_ahead ahead[NAS_DIRECT_AHEAD];
  int64_t n_ahead;
  int64_t pitch[NAS_DIRECT_VECTORS]; /* numbers from one output to the next in y, plus and mask */
} nas_direct_row;

/* dw[length][vectors][16] += sum over images, rows and outputs of window x times vector dz. */
typedef struct nas_direct_gradient {
  const float *x, *dz[NAS_DIRECT_VECTORS];
  int64_t images, rows, width, step, length, left, right; /* as above */
  int64_t x_image, x_row, dz_image, dz_row, dz_pitch;     /* numbers from one to the next */
  int32_t vectors;
  float *dw;
  const float *ahead[2]; /* stretches of ahead_n numbers to be fetched meanwhile; NULL: none */
  int64_t ahead_n;
} nas_direct_gradient;

/* y = sum of the windows of a 3x3 kernel's three rows, taken together, in all rows of all images. x must have a border
 * of zeros, which is multiplied like all else. */
typedef struct nas_direct_stack {
  const float *x, *w; /* of output 0's first window; weights are [3][length][16] */
  int64_t images, rows, width, step, length;
  int64_t x_image, x_row; /* numbers from one to the next */
  float *y;               /* [images][rows][width][16] */
  int64_t ahead;          /* what lies so many numbers behind y will be wanted soon; 0: nothing will */
} nas_direct_stack;

/* Whether windows of a 3x3 kernel are so short that those of its three rows are better taken together: of networks'
 * first convolutions, from one channel to 16 or to 8 (two pixels a vector), or from three. */
static inline bool nas_direct_stacks(int64_t length, int64_t step, int64_t vectors) {
  bool one = (length == 3 && step == 1) || (length == 4 && step == 2);
  return vectors == 1 && (one || (length == 9 && step == 3) || (length == 12 && step == 6));
}
/* The same for the gradient by the weights, all of whose sums must fit the registers. */
static inline bool nas_direct_stacks_gradient(int64_t length, int64_t vectors) {
  return vectors == 1 && (length == 3 || length == 4 || length == 9);
}

#ifdef NAS_ISA
#include "train/kernels/vector.h"
int32_t NAS_PER_ISA(direct_vectors)(void);
int32_t NAS_PER_ISA(direct_images)(void);
void NAS_PER_ISA(direct_row)(const nas_direct_row *r);
void NAS_PER_ISA(direct_stacked)(const nas_direct_stack *s);
void NAS_PER_ISA(direct_gradient)(const nas_direct_gradient *g);
void NAS_PER_ISA(direct_gradient_stacked)(const nas_direct_gradient *g);
#endif

#endif
