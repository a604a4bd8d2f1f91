#ifndef NAS_TRAIN_POOL_WINDOW_H
#define NAS_TRAIN_POOL_WINDOW_H
/* The pixels of the input that one output pixel looks at, border cut off. */
#include "train/kernels/kernels.h"
#include "train/op.h"

typedef struct nas_window {
  int64_t top, bottom, left, right; /* rows top..bottom-1, columns left..right-1 */
} nas_window;

static inline nas_window nas_window_at(const nas_site *s, int64_t row, int64_t column) {
  const nas_attrs *a = &s->attrs;
  int64_t top = row * a->stride - a->pad, left = column * a->stride - a->pad;
  int64_t bottom = top + a->kernel_h, right = left + a->kernel_w;
  return (nas_window){top < 0 ? 0 : top, bottom > s->in[0].h ? s->in[0].h : bottom, left < 0 ? 0 : left,
                      right > s->in[0].w ? s->in[0].w : right};
}

/* The geometry for the kernels. */
nas_pool nas_pool_of(const nas_site *s);

/* infer of pooling: as a window, and the padding may not exceed half the kernel, so that none is empty. */
nas_status nas_infer_pool(const nas_site *site, const char *label, nas_shape *out, nas_err *err);
#endif
