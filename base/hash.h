#ifndef NAS_BASE_HASH_H
#define NAS_BASE_HASH_H
/* Digests. SHA-256 comes from Nettle, which starts in a tenth of the time of OpenSSL's libcrypto; CRC-32 from zlib. */
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define NAS_DIGEST_SIZE 65 /* 64 lower-case hex digits and a NUL */

/* Incremental SHA-256. `begin` allocates, `end` writes the hex digest and frees; `drop` frees without a
 * result (NULL is fine). */
typedef struct nas_sha256 nas_sha256;
nas_status nas_sha256_begin(nas_sha256 **h, nas_err *err);
void nas_sha256_add(nas_sha256 *h, const void *bytes, size_t n);
void nas_sha256_end(nas_sha256 *h, char hex[NAS_DIGEST_SIZE]);
void nas_sha256_drop(nas_sha256 *h);

/* SHA-256 of n bytes as hex. */
void nas_digest(const void *bytes, size_t n, char hex[NAS_DIGEST_SIZE]);
/* SHA-256 of a file as hex. */
nas_status nas_digest_file(const char *path, char hex[NAS_DIGEST_SIZE], nas_err *err);

/* A fast 64-bit hash for tables in memory and for RNG indices (FNV-1a with a final mix); stable forever. */
uint64_t nas_hash64(const void *bytes, size_t n);
uint64_t nas_hash64_text(const char *text);

uint32_t nas_crc32(const void *bytes, size_t n);
#endif
