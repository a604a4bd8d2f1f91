#ifndef NAS_TRAIN_DATA_IDX_H
#define NAS_TRAIN_DATA_IDX_H
/* The IDX format of the MNIST family: two zero bytes, the type (8: unsigned bytes, the only one read here), the
 * number of dimensions, each dimension as a big-endian 32-bit number, the data. Gzip or plain. */
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct nas_idx {
  int32_t n_dims;  /* 1..4 */
  int64_t dims[4]; /* unused ones are 1 */
  size_t size;     /* bytes of data: the product of the dimensions */
} nas_idx;

/* Reads the header out of a file in memory. `where` names the file in errors, which tell the byte. Refuses sizes
 * that n bytes cannot hold, so that a caller may allocate `size`. */
nas_status nas_idx_head(const void *file, size_t n, const char *where, nas_idx *head, nas_err *err);

/* Writes the data (head->size bytes) to `out` and checks that the file ends there. */
nas_status nas_idx_data(const void *file, size_t n, const char *where, const nas_idx *head, uint8_t *out, nas_err *err);
#endif
