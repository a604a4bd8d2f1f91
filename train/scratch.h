#ifndef NAS_TRAIN_SCRATCH_H
#define NAS_TRAIN_SCRATCH_H
/* A step's scratch is handed out in parts that begin with a line. */
#include <stdint.h>

/* What a part of so many bytes takes of it. */
static inline int64_t nas_align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/* The next part, of `count` elements of `size` bytes; moves `scratch`, which must be aligned, behind it. */
static inline void *nas_take(char **scratch, int64_t count, int64_t size) {
  void *part = *scratch;
  *scratch += nas_align64(count * size);
  return part;
}
#endif
