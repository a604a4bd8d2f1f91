/* The test program: GoogleTest's command line over cmocka's runner. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define NAS_SUITE_LINE(name) extern const nas_suite nas_suite_##name;
#include NAS_SUITES_FILE
#undef NAS_SUITE_LINE
static const nas_suite *const suites[] = {
#define NAS_SUITE_LINE(name) &nas_suite_##name,
#include NAS_SUITES_FILE
#undef NAS_SUITE_LINE
    NULL};

int nas_case_setup(void **state);
int nas_case_teardown(void **state);

/* One side of a filter: patterns with * and ?, separated by colons. */
static bool matches_any(const char *patterns, size_t length, const char *name) {
  char one[256];
  for (const char *p = patterns, *end = patterns + length; p <= end;) {
    const char *stop = memchr(p, ':', (size_t)(end - p));
    if (!stop) stop = end;
    snprintf(one, sizeof one, "%.*s", (int)(stop - p), p);
    if (*one && fnmatch(one, name, 0) == 0) return true;
    p = stop + 1;
  }
  return false;
}

/* GoogleTest: POSITIVE[-NEGATIVE]. */
static bool selected(const char *filter, const char *name) {
  const char *dash = strchr(filter, '-');
  size_t positive = dash ? (size_t)(dash - filter) : strlen(filter);
  if (positive && !matches_any(filter, positive, name)) return false;
  return !dash || !matches_any(dash + 1, strlen(dash + 1), name);
}

static void list_cases(const char *filter) {
  for (const nas_suite *const *s = suites; *s; s++) {
    bool headed = false;
    for (const nas_case *c = (*s)->cases; c->name; c++) {
      char name[256];
      snprintf(name, sizeof name, "%s.%s", (*s)->name, c->name);
      if (!selected(filter, name)) continue;
      if (!headed) printf("%s.\n", (*s)->name);
      headed = true;
      printf("  %s\n", c->name);
    }
  }
}

/* A number from the environment, `other` where it says none. */
static unsigned long env_number(const char *name, unsigned long other) {
  const char *text = getenv(name);
  return text && *text ? strtoul(text, NULL, 10) : other;
}

/* GoogleTest's sharding: of the selected cases, those whose place modulo GTEST_TOTAL_SHARDS is GTEST_SHARD_INDEX. */
static int run_cases(const char *filter) {
  const size_t shards = env_number("GTEST_TOTAL_SHARDS", 1), shard = env_number("GTEST_SHARD_INDEX", 0);
  if (shard >= shards) {
    fprintf(stderr, "GTEST_SHARD_INDEX is %zu, but GTEST_TOTAL_SHARDS is %zu\n", shard, shards);
    return 2;
  }
  size_t n = 0, cap = 0, place = 0;
  struct CMUnitTest *tests = NULL;
  for (const nas_suite *const *s = suites; *s; s++)
    for (const nas_case *c = (*s)->cases; c->name; c++) {
      char name[256];
      snprintf(name, sizeof name, "%s.%s", (*s)->name, c->name);
      if (!selected(filter, name) || place++ % shards != shard) continue;
      if (n == cap) tests = realloc(tests, (cap = cap ? 2 * cap : 64) * sizeof *tests);
      if (!tests) return 2;
      tests[n++] = (struct CMUnitTest){strdup(name), c->run, nas_case_setup, nas_case_teardown, NULL};
    }
  int failed = n ? _cmocka_run_group_tests("nascent", tests, n, NULL, NULL) : 0;
  if (!n) printf("[==========] 0 tests match the filter.\n");
  for (size_t i = 0; i < n; i++) free((void *)(uintptr_t)tests[i].name);
  free(tests);
  return failed ? 1 : 0;
}

int main(int argc, char **argv) {
  const char *filter = getenv("GTEST_FILTER");
  if (!filter) filter = "*";
  bool list = false;
  for (int i = 1; i < argc; i++) {
    const char *a = argv[i];
    if (strncmp(a, "--gtest_filter=", 15) == 0) filter = a + 15;
    else if (strcmp(a, "--gtest_list_tests") == 0) list = true;
    else if (strncmp(a, "--gtest_output=xml:", 19) == 0) {
      remove(a + 19); /* cmocka appends to a file that is there */
      setenv("CMOCKA_XML_FILE", a + 19, 1);
      cmocka_set_message_output(CM_OUTPUT_XML);
    } else if (strncmp(a, "--gtest_color=", 14) == 0 || strcmp(a, "--gtest_also_run_disabled_tests") == 0) {
      continue;
    } else {
      fprintf(stderr,
              "usage: %s [--gtest_list_tests] [--gtest_filter=POSITIVE[-NEGATIVE]] "
              "[--gtest_output=xml:FILE]\n",
              argv[0]);
      return strcmp(a, "--help") == 0 ? 0 : 2;
    }
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (list) list_cases(filter);
  return list ? 0 : run_cases(filter);
}
