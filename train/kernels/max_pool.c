/* Largest elements of windows, sixteen channels at a time. The backward pass looks for them again instead of having
 * kept where they were. */
#include <stddef.h>

#include "train/kernels/pool.h"
#include "train/kernels/vector.h"

typedef struct window {
  int64_t top, bottom, left, right;
} window;

static window window_at(const nas_pool *p, int64_t row, int64_t column) {
  int64_t top = row * p->stride - p->pad, left = column * p->stride - p->pad;
  int64_t bottom = top + p->kernel_h, right = left + p->kernel_w;
  return (window){top < 0 ? 0 : top, bottom > p->in_h ? p->in_h : bottom, left < 0 ? 0 : left,
                  right > p->in_w ? p->in_w : right};
}

/* The largest of 16 channels and its offset from x; the first of equals, the last NaN, as the reference has it. */
INLINE v16 largest_16(const nas_pool *p, const float *x, window w, i16 *at) {
  int64_t first = (w.top * p->in_w + w.left) * p->channels;
  v16 best = load(x + first);
  i16 where = (i16){0} + (int32_t)first;
  for (int64_t h = w.top; h < w.bottom; h++)
    for (int64_t v = w.left; v < w.right; v++) {
      int64_t offset = (h * p->in_w + v) * p->channels;
      v16 other = load(x + offset);
      i16 better = (other > best) | (other != other);
      best = (v16)(((i16)best & ~better) | ((i16)other & better));
      where = (where & ~better) | (((i16){0} + (int32_t)offset) & better);
    }
  *at = where;
  return best;
}

static int64_t largest(const nas_pool *p, const float *x, window w) {
  int64_t best = (w.top * p->in_w + w.left) * p->channels;
  for (int64_t h = w.top; h < w.bottom; h++)
    for (int64_t v = w.left; v < w.right; v++) {
      int64_t offset = (h * p->in_w + v) * p->channels;
      if (x[offset] > x[best] || x[offset] != x[offset]) best = offset;
    }
  return best;
}

void NAS_PER_ISA(max_pool)(const nas_pool *p, float *y, const float *plus, const float *x) {
  int64_t c = p->channels, image = p->in_h * p->in_w * c;
  for (int64_t n = 0; n < p->images; n++, x += image)
    for (int64_t row = 0; row < p->out_h; row++)
      for (int64_t column = 0; column < p->out_w; column++, y += c, plus = plus ? plus + c : NULL) {
        window w = window_at(p, row, column);
        int64_t k = 0;
        for (i16 at; k + 16 <= c; k += 16) {
          v16 v = largest_16(p, x + k, w, &at);
          store(y + k, plus ? load(plus + k) + v : v);
        }
        for (; k < c; k++) {
          float v = x[k + largest(p, x + k, w)];
          y[k] = plus ? plus[k] + v : v;
        }
      }
}

void NAS_PER_ISA(max_pool_gradient)(const nas_pool *p, float *dx, const float *dy, const float *x) {
  int64_t c = p->channels, image = p->in_h * p->in_w * c;
  for (int64_t n = 0; n < p->images; n++, x += image, dx += image)
    for (int64_t row = 0; row < p->out_h; row++)
      for (int64_t column = 0; column < p->out_w; column++, dy += c) {
        window w = window_at(p, row, column);
        int64_t k = 0;
        for (i16 at; k + 16 <= c; k += 16) {
          largest_16(p, x + k, w, &at);
          for (int64_t h = w.top; h < w.bottom; h++)
            for (int64_t v = w.left; v < w.right; v++) {
              int64_t offset = (h * p->in_w + v) * c;
              v16 part = (v16)((i16)load(dy + k) & (at == (int32_t)offset));
              store(dx + offset + k, load(dx + offset + k) + part);
            }
        }
        for (; k < c; k++) dx[k + largest(p, x + k, w)] += dy[k];
      }
}
