#include "base/file.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static const char *in_folder(const char *name) {
  static char path[4][512];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/%s", nas_test_folder(), name);
  return path[turn];
}

static size_t count_files(const char *folder) {
  char pattern[512];
  glob_t found = {0};
  snprintf(pattern, sizeof pattern, "%s/*", folder);
  glob(pattern, 0, NULL, &found);
  size_t n = found.gl_pathc;
  globfree(&found);
  return n;
}

static void assert_holds(const char *path, const char *expected) {
  char *text;
  size_t n;
  assert_ok(nas_file_read(path, 1 << 20, &text, &n, nas_test_err()));
  assert_int_equal(n, strlen(expected));
  assert_string_equal(text, expected);
  free(text);
}

static void writes_and_reads(void **state) {
  (void)state;
  const char *path = in_folder("a");
  char *bytes, big[100000];
  size_t n;
  for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 31);
  assert_false(nas_file_exists(path));
  assert_ok(nas_file_write_atomic(path, big, sizeof big, nas_test_err()));
  assert_true(nas_file_exists(path));
  assert_ok(nas_file_read(path, sizeof big, &bytes, &n, nas_test_err()));
  assert_int_equal(n, sizeof big);
  assert_memory_equal(bytes, big, n);
  assert_int_equal(bytes[n], 0);
  free(bytes);
  assert_ok(nas_file_write_atomic(path, "", 0, nas_test_err()));
  assert_holds(path, "");
  assert_ok(nas_file_write_atomic(path, "new", 3, nas_test_err()));
  assert_holds(path, "new");
  assert_int_equal(count_files(nas_test_folder()), 1);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0644);
}

static void read_failures(void **state) {
  (void)state;
  char *bytes = (char *)1;
  size_t n = 9;
  assert_fails(nas_file_read(in_folder("absent"), 10, &bytes, &n, nas_test_err()), NAS_E_NOT_FOUND, "absent");
  assert_null(bytes);
  assert_int_equal(n, 0);
  assert_fails(nas_file_read(nas_test_folder(), 10, &bytes, &n, nas_test_err()), NAS_E_BAD_INPUT, "folder");
  const char *path = in_folder("long");
  assert_ok(nas_file_write_atomic(path, "12345678", 8, nas_test_err()));
  assert_fails(nas_file_read(path, 7, &bytes, &n, nas_test_err()), NAS_E_BAD_INPUT, "larger than 7 bytes");
  assert_null(bytes);
}

static void write_failures_leave_nothing(void **state) {
  (void)state;
  const char *file = in_folder("file"), *folder = in_folder("folder");
  assert_ok(nas_file_write_atomic(file, "x", 1, nas_test_err()));
  assert_ok(nas_folder_make(folder, nas_test_err()));
  char below[600];
  snprintf(below, sizeof below, "%s/below", file);
  assert_fails(nas_file_write_atomic(below, "y", 1, nas_test_err()), NAS_E_NOT_FOUND, "below");
  assert_fails(nas_file_write_atomic("/proc/nascent", "y", 1, nas_test_err()), NAS_E_NOT_FOUND, "/proc/nascent");
  assert_fails(nas_file_write_atomic(folder, "y", 1, nas_test_err()), NAS_E_IO, "cannot replace");
  assert_int_equal(count_files(nas_test_folder()), 2);
  assert_holds(file, "x");
}

static void a_read_only_folder_is_reported(void **state) {
  (void)state;
  const char *folder = in_folder("locked");
  assert_ok(nas_folder_make(folder, nas_test_err()));
  assert_int_equal(chmod(folder, 0555), 0);
  assert_int_equal(chmod(nas_test_folder(), 0755), 0);
  bool root = geteuid() == 0; /* who may write anywhere: be somebody else for a moment */
  if (root) assert_int_equal(seteuid(65534), 0);
  nas_status status = nas_file_write_atomic(in_folder("locked/f"), "y", 1, nas_test_err());
  if (root) assert_int_equal(seteuid(0), 0);
  assert_fails(status, NAS_E_IO, "locked/f");
  assert_int_equal(count_files(folder), 0);
}

static void a_full_disk_keeps_the_old_content(void **state) {
  (void)state;
  const char *folder = in_folder("tiny");
  char path[600], *big = calloc(1, 1 << 18);
  assert_non_null(big);
  assert_ok(nas_folder_make(folder, nas_test_err()));
  if (mount("none", folder, "tmpfs", 0, "size=64k") != 0) {
    free(big);
    nas_skip("cannot mount a tiny disk: %s", strerror(errno));
  }
  snprintf(path, sizeof path, "%s/f", folder);
  nas_status first = nas_file_write_atomic(path, "old", 3, nas_test_err());
  nas_status second = nas_file_write_atomic(path, big, 1 << 18, nas_test_err());
  char *text = NULL;
  size_t n = 0, files = count_files(folder);
  nas_file_read(path, 100, &text, &n, NULL);
  umount(folder);
  free(big);
  assert_int_equal(first, NAS_OK);
  assert_fails(second, NAS_E_NO_SPACE, "/f");
  assert_int_equal(files, 1);
  assert_string_equal(text, "old");
  free(text);
}

/* A process killed at any instant leaves the old content or the new one. */
static void a_killed_writer_leaves_a_whole_file(void **state) {
  (void)state;
  const char *path = in_folder("f");
  enum { SIZE = 1 << 16 };
  static char bytes[SIZE];
  for (int round = 0; round < 20; round++) {
    pid_t pid = fork();
    if (pid == 0)
      for (char c = 'a';; c = c == 'z' ? 'a' : (char)(c + 1)) {
        memset(bytes, c, SIZE);
        nas_file_write_atomic(path, bytes, SIZE, NULL);
      }
    for (int ms = 0; round == 0 && ms < 30000 && !nas_file_exists(path); ms++) usleep(1000); /* a slow machine */
    usleep(3000 + 700 * (useconds_t)round);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    char *got;
    size_t n;
    if (!nas_file_exists(path)) continue;
    assert_ok(nas_file_read(path, SIZE, &got, &n, nas_test_err()));
    assert_int_equal(n, SIZE);
    for (int i = 1; i < SIZE; i++) assert_int_equal(got[i], got[0]);
    free(got);
  }
  assert_true(nas_file_exists(path));
}

static void makes_folders(void **state) {
  (void)state;
  const char *deep = in_folder("a/b/c");
  struct stat st;
  assert_ok(nas_folder_make(deep, nas_test_err()));
  assert_true(stat(deep, &st) == 0 && S_ISDIR(st.st_mode));
  assert_ok(nas_folder_make(deep, nas_test_err()));
  const char *file = in_folder("a/file");
  assert_ok(nas_file_write_atomic(file, "", 0, nas_test_err()));
  assert_fails(nas_folder_make(file, nas_test_err()), NAS_E_IO, "not a folder");
  assert_fails(nas_folder_make(in_folder("a/file/d"), nas_test_err()), NAS_E_NOT_FOUND, "a/file/d");
}

static void put_env(const char *name, const char *value) {
  if (value) setenv(name, value, 1);
  else unsetenv(name);
}

static void finds_the_cache_folder(void **state) {
  (void)state;
  static const char *const names[] = {"NASCENT_CACHE", "XDG_CACHE_HOME", "HOME"};
  static const struct {
    const char *values[3], *folder;
  } rows[] = {{{"/n", "/x", "/h"}, "/n"},
              {{NULL, "/x", "/h"}, "/x/nascent"},
              {{"", "", "/h"}, "/h/.cache/nascent"},
              {{NULL, NULL, "/h"}, "/h/.cache/nascent"},
              {{NULL, NULL, NULL}, NULL}};
  char *held[3];
  for (int i = 0; i < 3; i++) {
    const char *now = getenv(names[i]);
    held[i] = now ? strdup(now) : NULL;
  }
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    nas_str out = {0};
    for (int i = 0; i < 3; i++) put_env(names[i], rows[r].values[i]);
    nas_status status = nas_folder_cache(&out, nas_test_err());
    for (int i = 0; i < 3; i++) put_env(names[i], held[i]);
    if (rows[r].folder) assert_string_equal(nas_str_text(&out), rows[r].folder);
    else assert_fails(status, NAS_E_NOT_FOUND, "NASCENT_CACHE");
    nas_str_free(&out);
  }
  for (int i = 0; i < 3; i++) free(held[i]);
}

static void clocks_and_memory(void **state) {
  (void)state;
  double a = nas_clock();
  usleep(2000);
  double b = nas_clock();
  assert_true(b - a >= 0.002 && b - a < 5);
  assert_true(nas_clock_wall() > 1.6e9);
  int64_t before = nas_memory_now();
  assert_true(before > 100000 && nas_memory_peak() >= before / 2);
  char *block = malloc(64 << 20);
  assert_non_null(block);
  memset(block, 1, 64 << 20);
  assert_true(nas_memory_now() - before > 60 << 20);
  assert_true(nas_memory_peak() > 60 << 20);
  free(block);
}

NAS_SUITE(File, NAS_CASE(writes_and_reads), NAS_CASE(read_failures), NAS_CASE(write_failures_leave_nothing),
          NAS_CASE(a_read_only_folder_is_reported), NAS_CASE(a_full_disk_keeps_the_old_content),
          NAS_CASE(a_killed_writer_leaves_a_whole_file), NAS_CASE(makes_folders), NAS_CASE(finds_the_cache_folder),
          NAS_CASE(clocks_and_memory))
