#ifndef NAS_TESTS_HARNESS_H
#define NAS_TESTS_HARNESS_H
/* cmocka cases with GoogleTest's names and flags. A test file holds static functions `void f(void **state)`, and
 *
 *   NAS_SUITE(Rng, NAS_CASE(matches_published_vectors), NAS_CASE(shuffles_uniformly))
 *
 * and its folder's suites.def has the line NAS_SUITE_LINE(Rng). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka wants the headers above first. */
#include <cmocka.h>

#include "base/status.h"

typedef struct nas_case {
  const char *name;
  void (*run)(void **state);
} nas_case;

typedef struct nas_suite {
  const char *name;
  const nas_case *cases; /* ends with a NULL name */
} nas_suite;

/* 1 in builds that watch every access to memory, and take many times as long over it. */
#if defined(__SANITIZE_ADDRESS__)
#define NAS_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NAS_TEST_SANITIZED 1
#endif
#endif
#ifndef NAS_TEST_SANITIZED
#define NAS_TEST_SANITIZED 0
#endif

#define NAS_CASE(f) \
  { #f, f }
#define NAS_SUITE(suite_name, ...)                                              \
  static const nas_case nas_cases_##suite_name[] = {__VA_ARGS__, {NULL, NULL}}; \
  extern const nas_suite nas_suite_##suite_name;                                \
  const nas_suite nas_suite_##suite_name = {#suite_name, nas_cases_##suite_name};

/* |actual - expected| <= tolerance * max(1, |expected|), in double (cmocka 1.1.5 compares floats). NaN never passes. */
#define assert_close(actual, expected, tolerance) \
  nas_assert_close((double)(actual), (double)(expected), (double)(tolerance), #actual, __FILE__, __LINE__)
void nas_assert_close(double actual, double expected, double tolerance, const char *text, const char *file, int line);

/* The call returns OK; otherwise fails with the error's text. */
#define assert_ok(call)                                                            \
  do {                                                                             \
    nas_err *nas_e = nas_test_err();                                               \
    nas_status nas_s = (call);                                                     \
    if (nas_s != NAS_OK) nas_fail_not_ok(nas_s, nas_e, #call, __FILE__, __LINE__); \
  } while (0)
/* The error that assert_ok prints and that tests may pass to calls: cleared at the start of each case. */
nas_err *nas_test_err(void);
void nas_fail_not_ok(nas_status status, const nas_err *err, const char *call, const char *file, int line);

/* The call fails with this code and a message containing `part` (in msg or where). */
#define assert_fails(call, expected_code, part) \
  nas_assert_fails((call), (expected_code), (part), #call, __FILE__, __LINE__)
void nas_assert_fails(nas_status status, nas_status expected, const char *part, const char *call, const char *file,
                      int line);

/* Ends the case as skipped, saying why ("no ../shared/golden: set NASCENT_SHARED"). */
_Noreturn void nas_skip(const char *fmt, ...) NAS_PRINTF(1, 2);

/* Path of a file below the shared folder ($NASCENT_SHARED, else ../shared beside the source tree); skips the case when
 * it is absent. The text lives until the next call. */
const char *nas_shared_file(const char *relative);
/* A fresh temporary folder for this case, removed with its content at its end. */
const char *nas_test_folder(void);
/* The source tree, and the program under test (build/cli/nascent). */
const char *nas_source_folder(void);
const char *nas_program(void);

/* Runs a shell command line; returns its exit status and its stdout and stderr (malloc, may be NULL to drop). */
int nas_run(char **out, char **err_out, const char *fmt, ...) NAS_PRINTF(3, 4);
#endif
