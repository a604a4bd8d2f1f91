#include "base/hash.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

struct nas_sha256 {
  struct sha256_ctx context;
};

nas_status nas_sha256_begin(nas_sha256 **h, nas_err *err) {
  if (!(*h = malloc(sizeof **h))) return nas_fail_memory(err, "a SHA-256 digest");
  sha256_init(&(*h)->context);
  return NAS_OK;
}

void nas_sha256_add(nas_sha256 *h, const void *bytes, size_t n) { sha256_update(&h->context, n, bytes); }

static void take(struct sha256_ctx *context, char hex[NAS_DIGEST_SIZE]) {
  uint8_t bytes[SHA256_DIGEST_SIZE];
  sha256_digest(context, sizeof bytes, bytes);
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

void nas_sha256_end(nas_sha256 *h, char hex[NAS_DIGEST_SIZE]) {
  take(&h->context, hex);
  nas_sha256_drop(h);
}

void nas_sha256_drop(nas_sha256 *h) { free(h); }

void nas_digest(const void *bytes, size_t n, char hex[NAS_DIGEST_SIZE]) {
  struct sha256_ctx context;
  sha256_init(&context);
  sha256_update(&context, n, bytes);
  take(&context, hex);
}

nas_status nas_digest_file(const char *path, char hex[NAS_DIGEST_SIZE], nas_err *err) {
  FILE *file = fopen(path, "rb");
  if (!file) return nas_fail_errno(err, errno, path, "cannot open the file");
  nas_sha256 *h;
  nas_status status = nas_sha256_begin(&h, err);
  char chunk[16384];
  for (size_t n; status == NAS_OK && (n = fread(chunk, 1, sizeof chunk, file)) > 0;) nas_sha256_add(h, chunk, n);
  if (status == NAS_OK && ferror(file)) status = nas_fail_errno(err, errno, path, "cannot read the file");
  if (status == NAS_OK) nas_sha256_end(h, hex);
  else if (h) nas_sha256_drop(h);
  fclose(file);
  return status;
}

uint64_t nas_hash64(const void *bytes, size_t n) {
  const unsigned char *p = bytes;
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
  /* FNV leaves the high bits poorly mixed for short texts; this is the finaliser of MurmurHash3. */
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdu;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53u;
  return h ^ h >> 33;
}

uint64_t nas_hash64_text(const char *text) { return nas_hash64(text, strlen(text)); }

uint32_t nas_crc32(const void *bytes, size_t n) { return (uint32_t)crc32_z(0, bytes, n); }
