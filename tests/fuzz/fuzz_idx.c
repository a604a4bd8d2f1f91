/* The IDX reader on arbitrary bytes, gzip or plain. */
#include <stdlib.h>

#include "train/data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  nas_idx head;
  nas_err err;
  if (nas_idx_head(bytes, n, "fuzz", &head, &err) != NAS_OK) return 0;
  uint8_t *out = malloc(head.size); /* exactly the announced size: the sanitizer sees a byte too many */
  if (!out) abort();
  if (nas_idx_data(bytes, n, "fuzz", &head, out, &err) == NAS_OK && head.size == 0) abort();
  free(out);
  return 0;
}
