#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"

/* FIPS 180-4 examples and NIST's long message of a million letters. */
static const struct {
  const char *text, *hex;
} vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};
static const char million_hex[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void sha256_equals_the_published_vectors(void **state) {
  (void)state;
  char hex[NAS_DIGEST_SIZE];
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    nas_digest(vectors[i].text, strlen(vectors[i].text), hex);
    assert_string_equal(hex, vectors[i].hex);
  }
}

static void sha256_by_parts(void **state) {
  (void)state;
  nas_sha256 *h;
  char hex[NAS_DIGEST_SIZE], part[1000];
  memset(part, 'a', sizeof part);
  assert_ok(nas_sha256_begin(&h, nas_test_err()));
  for (int i = 0; i < 1000; i++) nas_sha256_add(h, part, sizeof part);
  nas_sha256_end(h, hex);
  assert_string_equal(hex, million_hex);
  assert_ok(nas_sha256_begin(&h, nas_test_err()));
  nas_sha256_drop(h);
  nas_sha256_drop(NULL);
}

static void sha256_of_a_file(void **state) {
  (void)state;
  char hex[NAS_DIGEST_SIZE], path[128];
  snprintf(path, sizeof path, "%s/million", nas_test_folder());
  char *bytes = malloc(1000000);
  assert_non_null(bytes);
  memset(bytes, 'a', 1000000);
  assert_ok(nas_file_write_atomic(path, bytes, 1000000, nas_test_err()));
  free(bytes);
  assert_ok(nas_digest_file(path, hex, nas_test_err()));
  assert_string_equal(hex, million_hex);
  assert_fails(nas_digest_file("/nonexistent/file", hex, nas_test_err()), NAS_E_NOT_FOUND, "/nonexistent/file");
  assert_fails(nas_digest_file(nas_test_folder(), hex, nas_test_err()), NAS_E_IO, "cannot read");
}

/* The check value of CRC-32 (ISO-HDLC) and values of other tools. */
static void crc32_equals_the_published_values(void **state) {
  (void)state;
  assert_int_equal(nas_crc32("123456789", 9), 0xcbf43926);
  assert_int_equal(nas_crc32("", 0), 0);
  assert_int_equal(nas_crc32("The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
}

/* FNV-1a of "", "a" and "foobar" is published; the finaliser of MurmurHash3 is applied here by hand to those. */
static uint64_t murmur_mix(uint64_t h) {
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 33);
}

static void hash64_never_changes(void **state) {
  (void)state;
  assert_true(nas_hash64_text("") == murmur_mix(0xcbf29ce484222325u));
  assert_true(nas_hash64_text("a") == murmur_mix(0xaf63dc4c8601ec8cu));
  assert_true(nas_hash64_text("foobar") == murmur_mix(0x85944171f73967e8u));
  assert_true(nas_hash64("foobar", 6) == nas_hash64_text("foobar"));
}

NAS_SUITE(Hash, NAS_CASE(sha256_equals_the_published_vectors), NAS_CASE(sha256_by_parts), NAS_CASE(sha256_of_a_file),
          NAS_CASE(crc32_equals_the_published_values), NAS_CASE(hash64_never_changes))
