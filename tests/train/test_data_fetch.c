/* Fetching: from a folder and from a server that misbehaves; what lies in the cache afterwards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "harness.h"
#include "tests/base/http_server.h"
#include "train/data/dataset.h"

/* A made-up data set of two small files with known digests. */
static const char first_text[] = "the first file\n", second_text[] = "the second file, a little longer\n";
static char first_digest[NAS_DIGEST_SIZE], second_digest[NAS_DIGEST_SIZE];
static nas_data_file files[] = {{"first.txt", "http://127.0.0.1:9/first.txt", first_digest, ""},
                                {"second.txt", "http://127.0.0.1:9/second.txt", second_digest, ""},
                                {0}};
static const nas_dataset_type made_up = {.name = "made-up", .folder = "made-up", .files = files};

typedef struct fixture {
  char source[128], cache[128], folder[192], url[160];
  char *held_cache;
  nas_str found;
} fixture;

static fixture f;

static void put(const char *folder, const char *name, const char *text) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_ok(nas_file_write_atomic(path, text, strlen(text), nas_test_err()));
}

static bool there(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", f.folder, name);
  return nas_file_exists(path);
}

static void prepare(void) {
  f = (fixture){0};
  snprintf(f.source, sizeof f.source, "%s/source", nas_test_folder());
  snprintf(f.cache, sizeof f.cache, "%s/cache", nas_test_folder());
  snprintf(f.folder, sizeof f.folder, "%s/datasets/made-up", f.cache);
  snprintf(f.url, sizeof f.url, "file://%s", f.source);
  assert_ok(nas_folder_make(f.source, nas_test_err()));
  setenv("no_proxy", "127.0.0.1", 1);
  nas_digest(first_text, strlen(first_text), first_digest);
  nas_digest(second_text, strlen(second_text), second_digest);
  put(f.source, "first.txt", first_text);
  put(f.source, "second.txt", second_text);
}

/* With the cache in the case's folder. */
static nas_status fetch(const nas_dataset_type *type, const char *url) {
  const char *old = getenv("NASCENT_CACHE");
  char *held = old ? strdup(old) : NULL;
  setenv("NASCENT_CACHE", f.cache, 1);
  nas_status status = nas_dataset_fetch(type, url, NULL, NULL, &f.found, nas_test_err());
  if (held) setenv("NASCENT_CACHE", held, 1);
  else unsetenv("NASCENT_CACHE");
  free(held);
  return status;
}

static void assert_fetched(void) {
  char path[512], *text;
  size_t n;
  assert_string_equal(nas_str_text(&f.found), f.folder);
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", f.folder, files[i].name);
    assert_ok(nas_file_read(path, 1000, &text, &n, nas_test_err()));
    assert_string_equal(text, i ? second_text : first_text);
    free(text);
  }
  assert_false(there("first.txt.part") || there("second.txt.part") || there("first.txt.part.tag"));
  nas_str_free(&f.found);
}

static void fetches_from_a_folder(void **state) {
  (void)state;
  prepare();
  assert_ok(fetch(&made_up, f.url));
  assert_fetched();
  /* What is there is not fetched again. */
  assert_ok(fetch(&made_up, "file:///nonexistent"));
  assert_fetched();
}

static void fetches_only_what_is_missing(void **state) {
  (void)state;
  char command[600];
  prepare();
  assert_ok(fetch(&made_up, f.url));
  nas_str_free(&f.found);
  snprintf(command, sizeof command, "rm %s/second.txt %s/first.txt", f.folder, f.source);
  assert_int_equal(nas_run(NULL, NULL, "%s", command), 0);
  assert_ok(fetch(&made_up, f.url));
  assert_fetched();
}

static void wrong_bytes_are_removed(void **state) {
  (void)state;
  prepare();
  put(f.source, "second.txt", "something else\n");
  char hex[NAS_DIGEST_SIZE];
  nas_digest("something else\n", 15, hex);
  assert_fails(fetch(&made_up, f.url), NAS_E_MISMATCH, hex);
  assert_non_null(strstr(nas_test_err()->msg, second_digest));
  assert_string_equal(nas_test_err()->where, "second.txt");
  assert_true(there("first.txt"));
  assert_false(there("second.txt") || there("second.txt.part"));
  nas_str_free(&f.found);
  put(f.source, "second.txt", second_text);
  assert_ok(fetch(&made_up, f.url));
  assert_fetched();
}

static void a_missing_source_is_reported(void **state) {
  (void)state;
  prepare();
  assert_fails(fetch(&made_up, "file:///nonexistent/"), NAS_E_NETWORK, "/nonexistent/first.txt");
  assert_false(there("first.txt"));
  assert_fails(fetch(&made_up, NULL), NAS_E_NETWORK, "http://127.0.0.1:9/first.txt");
  nas_str_free(&f.found);
}

/* The server hangs up early each time; the three tries of one fetch, and then a second fetch, get it all. */
static void goes_on_after_a_broken_connection(void **state) {
  (void)state;
  prepare();
  enum { SIZE = 200000 };
  static char body[SIZE];
  static char digest[NAS_DIGEST_SIZE];
  static const nas_data_file big[] = {{"big.bin", "", digest, ""}, {0}};
  const nas_dataset_type type = {.name = "big", .folder = "made-up", .files = big};
  for (int i = 0; i < SIZE; i++) body[i] = (char)(i * 11 + i / 300);
  nas_digest(body, SIZE, digest);
  char log[256], path[512], *text, hex[NAS_DIGEST_SIZE];
  size_t n;
  snprintf(log, sizeof log, "%s/log", nas_test_folder());
  http_behaviour behaviour = {.body = body, .n = SIZE, .log = log, .tag = "\"v\"", .cut_after = 50000};
  http_server server = {0};
  assert_true(http_start(&server, &behaviour));
  snprintf(f.url, sizeof f.url, "http://127.0.0.1:%d/base/", server.port);
  nas_status first = fetch(&type, f.url);
  bool complete = there("big.bin"), part = there("big.bin.part");
  nas_status second = first == NAS_E_NETWORK ? fetch(&type, f.url) : NAS_E_INTERNAL;
  http_stop(&server);
  assert_int_equal(first, NAS_E_NETWORK);
  assert_true(part && !complete);
  assert_int_equal(second, NAS_OK);
  assert_ok(nas_file_read(log, 10000, &text, &n, nas_test_err()));
  assert_string_equal(text,
                      "/base/big.bin range=- if-range=-\n"
                      "/base/big.bin range=bytes=50000- if-range=\"v\"\n"
                      "/base/big.bin range=bytes=100000- if-range=\"v\"\n"
                      "/base/big.bin range=bytes=150000- if-range=\"v\"\n");
  free(text);
  snprintf(path, sizeof path, "%s/big.bin", f.folder);
  assert_ok(nas_digest_file(path, hex, nas_test_err()));
  assert_string_equal(hex, digest);
  nas_str_free(&f.found);
}

/* Compressed anew, a file is as good; its content's digest decides. */
static void a_recompressed_file_is_accepted(void **state) {
  (void)state;
  prepare();
  static char content[NAS_DIGEST_SIZE];
  static const nas_data_file packed[] = {
      {"x.gz", "", "0000000000000000000000000000000000000000000000000000000000000000", content}, {0}};
  const nas_dataset_type type = {.name = "packed", .folder = "made-up", .files = packed};
  nas_digest(second_text, strlen(second_text), content);
  assert_int_equal(nas_run(NULL, NULL, "gzip -9 < %s/second.txt > %s/x.gz", f.source, f.source), 0);
  assert_ok(fetch(&type, f.url));
  nas_file_state found;
  char path[512], hex[NAS_DIGEST_SIZE];
  snprintf(path, sizeof path, "%s/x.gz", f.folder);
  assert_ok(nas_data_file_check(&packed[0], path, &found, hex, nas_test_err()));
  assert_int_equal(found, NAS_FILE_CONTENT);
  /* a file cut off has another content */
  assert_int_equal(nas_run(NULL, NULL, "truncate -s -3 %s", path), 0);
  assert_ok(nas_data_file_check(&packed[0], path, &found, hex, nas_test_err()));
  assert_int_equal(found, NAS_FILE_DIFFERENT);
  nas_str_free(&f.found);
}

static void the_states_of_a_file(void **state) {
  (void)state;
  prepare();
  nas_file_state found;
  char path[512], hex[NAS_DIGEST_SIZE];
  const nas_data_file no_digest = {"first.txt", "", "", ""};
  snprintf(path, sizeof path, "%s/first.txt", f.source);
  assert_ok(nas_data_file_check(&files[0], path, &found, hex, nas_test_err()));
  assert_int_equal(found, NAS_FILE_PUBLISHED);
  assert_string_equal(hex, first_digest);
  assert_ok(nas_data_file_check(&files[1], path, &found, hex, nas_test_err()));
  assert_int_equal(found, NAS_FILE_DIFFERENT);
  assert_ok(nas_data_file_check(&no_digest, path, &found, hex, nas_test_err()));
  assert_int_equal(found, NAS_FILE_UNKNOWN);
  assert_fails(nas_data_file_check(&files[0], "/nonexistent/x", &found, hex, nas_test_err()), NAS_E_NOT_FOUND,
               "/nonexistent/x");
}

/* ---- archives ---- */

static char archive_digest[NAS_DIGEST_SIZE];
static const nas_data_file archive = {"all.tar.gz", "", archive_digest, ""};
static const nas_dataset_type archived = {.name = "archived", .folder = "made-up", .files = files, .archive = &archive};

static void make_archive(const char *members) {
  char path[512];
  assert_int_equal(nas_run(NULL, NULL,
                           "cd %s && mkdir -p top && cp *.txt top && head -c 100000 /dev/zero > top/other.bin && "
                           "tar czf all.tar.gz %s && rm *.txt",
                           f.source, members),
                   0);
  snprintf(path, sizeof path, "%s/all.tar.gz", f.source);
  assert_ok(nas_digest_file(path, archive_digest, nas_test_err()));
}

static void unpacks_an_archive(void **state) {
  (void)state;
  prepare();
  make_archive("top");
  assert_ok(fetch(&archived, f.url));
  assert_false(there("all.tar.gz") || there("other.bin"));
  assert_fetched();
  assert_ok(fetch(&archived, "file:///nonexistent"));
  assert_fetched();
}

static void incomplete_archives_are_reported(void **state) {
  (void)state;
  prepare();
  make_archive("top/first.txt top/other.bin");
  assert_fails(fetch(&archived, f.url), NAS_E_BAD_INPUT, "the archive has no file second.txt");
  nas_str_free(&f.found);
}

static void damaged_archives_are_reported(void **state) {
  (void)state;
  prepare();
  make_archive("top");
  char path[512];
  snprintf(path, sizeof path, "%s/all.tar.gz", f.source);
  assert_int_equal(
      nas_run(NULL, NULL, "cd %s && gunzip -c all.tar.gz | head -c 3000 | gzip > cut && mv cut all.tar.gz", f.source),
      0);
  assert_fails(fetch(&archived, f.url), NAS_E_MISMATCH, archive_digest);
  nas_str_free(&f.found);
  assert_ok(nas_digest_file(path, archive_digest, nas_test_err()));
  assert_fails(fetch(&archived, f.url), NAS_E_BAD_INPUT, "cut off or damaged");
  nas_str_free(&f.found);
}

/* ---- places that cannot be written ---- */

static void generated_sets_need_no_fetch(void **state) {
  (void)state;
  const nas_dataset_type *shapes;
  prepare();
  assert_ok(nas_dataset_find("shapes", &shapes, nas_test_err()));
  assert_fails(fetch(shapes, NULL), NAS_E_UNSUPPORTED, "nothing to fetch");
}

static void a_bad_cache_folder_is_reported(void **state) {
  (void)state;
  prepare();
  put(nas_test_folder(), "cache", "a file, not a folder");
  assert_fails(fetch(&made_up, f.url), NAS_E_NOT_FOUND, "cache/datasets");
  nas_str_free(&f.found);
  snprintf(f.cache, sizeof f.cache, "/proc/nascent");
  assert_fails(fetch(&made_up, f.url), NAS_E_NOT_FOUND, "/proc/nascent");
  nas_str_free(&f.found);
}

static void a_full_disk_is_reported(void **state) {
  (void)state;
  prepare();
  assert_ok(nas_folder_make(f.cache, nas_test_err()));
  if (mount("none", f.cache, "tmpfs", 0, "size=16k") != 0) nas_skip("cannot mount a tiny disk here");
  char path[512];
  snprintf(path, sizeof path, "%s/first.txt", f.source);
  bool big = truncate(path, 1 << 20) == 0;
  nas_status status = fetch(&made_up, f.url);
  bool complete = there("first.txt");
  umount(f.cache);
  nas_str_free(&f.found);
  assert_true(big);
  assert_fails(status, NAS_E_NO_SPACE, "cannot write the download");
  assert_false(complete);
}

NAS_SUITE(DataFetch, NAS_CASE(fetches_from_a_folder), NAS_CASE(fetches_only_what_is_missing),
          NAS_CASE(wrong_bytes_are_removed), NAS_CASE(a_missing_source_is_reported),
          NAS_CASE(goes_on_after_a_broken_connection), NAS_CASE(a_recompressed_file_is_accepted),
          NAS_CASE(the_states_of_a_file), NAS_CASE(unpacks_an_archive), NAS_CASE(incomplete_archives_are_reported),
          NAS_CASE(damaged_archives_are_reported), NAS_CASE(generated_sets_need_no_fetch),
          NAS_CASE(a_bad_cache_folder_is_reported), NAS_CASE(a_full_disk_is_reported))
