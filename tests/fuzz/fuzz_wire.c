/* Message frames: any bytes are decoded or refused; what was decoded encodes to the same bytes. The sum is made right
 * first, for otherwise nothing would get past it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_u32(unsigned char *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> 8 * i);
}

static void decode(const unsigned char *frame, size_t n) {
  nas_message m;
  nas_err err = {0};
  nas_str again = {0};
  size_t used;
  if (nas_message_decode(frame, n, &m, &used, &err) != NAS_OK) {
    if (!err.msg[0]) abort();
    return;
  }
  if (!used) return;
  if (nas_message_encode(&m, &again, &err) != NAS_OK) abort();
  if (again.len != used || memcmp(again.s, frame, used) != 0) abort();
  nas_str_free(&again);
  nas_message_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  decode(data, size);
  if (size < 1) return 0;
  size_t n = size - 1;
  unsigned char *frame = malloc(NAS_FRAME_HEADER + n);
  if (!frame) return 0;
  uint32_t kind = data[0];
  memcpy(frame, "nas1", 4);
  put_u32(frame + 4, kind);
  put_u32(frame + 8, (uint32_t)n);
  put_u32(frame + 12, nas_crc32(data + 1, n) ^ kind * 0x9e3779b1u);
  if (n) memcpy(frame + NAS_FRAME_HEADER, data + 1, n);
  decode(frame, NAS_FRAME_HEADER + n);
  free(frame);
  return 0;
}
