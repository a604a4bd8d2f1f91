#ifndef NAS_TRAIN_WINDOW_FAN_H
#define NAS_TRAIN_WINDOW_FAN_H
/* The branches of a fan (direct_fan.c) whose convolutions run through windows (kernels/direct.h): those with a z that
 * are not filtered (filtered_fan.h). */
#include "train/branch.h"
#include "train/direct_pack.h"

enum { NAS_WINDOW_KERNEL = 7 }; /* the largest */

/* A tile: some images, of which x and dz stand in a border of zeros. */
typedef struct nas_fan_tile {
  int64_t images, tiles, height, width, ins, outs;
  int64_t pad, row, image; /* pixels on each side, of a bordered row and of a bordered image */
  int64_t together;        /* images whose rows are walked at once */
} nas_fan_tile;

/* Output vectors that are computed side by side, of branches of one kernel size. */
typedef struct nas_window_chunk {
  int64_t kernel, vectors, at; /* at: of its packed weights */
  int32_t branch[NAS_DIRECT_VECTORS];
  int64_t vector[NAS_DIRECT_VECTORS];
} nas_window_chunk;

typedef struct nas_windowed {
  nas_window_chunk *chunks; /* owned; nas_windowed_free */
  int32_t n_chunks;
  int64_t weights; /* packed numbers of all chunks */
} nas_windowed;

/* Whether a branch can run through windows, or be filtered or folded; `outs`: output channels of the fan. */
bool nas_window_fits(const nas_branch *b, int64_t outs, bool wants_dx);
/* The convolution of a branch; `turned`: of its gradient by x. */
nas_direct_shape nas_window_shape(const nas_branch *b, bool turned);

/* Groups the vectors of these branches, as many side by side as the kernels take; errors: memory. */
nas_status nas_windowed_new(const nas_call *c, int64_t outs, nas_windowed *w, nas_err *err);
void nas_windowed_free(nas_windowed *w);
void nas_windowed_pack(const nas_windowed *w, const nas_call *c, float *packed);
/* z of tile number `tile` from bordered x. */
void nas_windowed_forward(const nas_windowed *w, const nas_call *c, const nas_fan_tile *t, int64_t tile, const float *x,
                          const float *packed);
/* total, laid out as the packed weights, += the gradient of a tile; dz[branch]: bordered. And from it those of the
 * branches' parameters. */
void nas_windowed_gradient(const nas_windowed *w, const nas_fan_tile *t, const float *x, float *const *dz,
                           float *total);
void nas_windowed_unpack(const nas_windowed *w, const nas_call *c, const float *total);

/* Numbers from the start of a bordered image of `channels` to its pixel (row, column); the border counts below zero. */
static inline int64_t nas_fan_pixel(const nas_fan_tile *t, int64_t row, int64_t column, int64_t channels) {
  return ((row + t->pad) * t->row + column + t->pad) * channels;
}
/* The windows of a kernel onto one row of a bordered image, whose weights lie `next` numbers apart; their number. */
int64_t nas_fan_windows(const nas_fan_tile *t, const float *image, int64_t row, int64_t channels, int64_t kernel,
                        int64_t pixels, const float *w, int64_t next, nas_direct_window *out);
#endif
