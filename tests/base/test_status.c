#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

/* The numbers are stored in tables and cross pipes: this list may grow but never change. */
static void codes_never_change(void **state) {
  (void)state;
  static const struct {
    nas_status code;
    int number, exit_status;
    const char *name;
  } rows[] = {{NAS_E_OK, 0, 0, "OK"},
              {NAS_E_USAGE, -1, 2, "USAGE"},
              {NAS_E_BAD_INPUT, -2, 2, "BAD_INPUT"},
              {NAS_E_UNKNOWN_NAME, -3, 2, "UNKNOWN_NAME"},
              {NAS_E_OUT_OF_RANGE, -4, 2, "OUT_OF_RANGE"},
              {NAS_E_NOT_FOUND, -5, 2, "NOT_FOUND"},
              {NAS_E_IO, -6, 1, "IO"},
              {NAS_E_NO_SPACE, -7, 1, "NO_SPACE"},
              {NAS_E_NO_MEMORY, -8, 1, "NO_MEMORY"},
              {NAS_E_UNSUPPORTED, -9, 2, "UNSUPPORTED"},
              {NAS_E_DB_UNREADABLE, -10, 4, "DB_UNREADABLE"},
              {NAS_E_DB_VERSION, -11, 4, "DB_VERSION"},
              {NAS_E_DB_BUSY, -12, 1, "DB_BUSY"},
              {NAS_E_MISMATCH, -13, 1, "MISMATCH"},
              {NAS_E_DIVERGED, -14, 1, "DIVERGED"},
              {NAS_E_TIMEOUT, -15, 1, "TIMEOUT"},
              {NAS_E_CRASHED, -16, 1, "CRASHED"},
              {NAS_E_EXHAUSTED, -17, 1, "EXHAUSTED"},
              {NAS_E_NETWORK, -18, 1, "NETWORK"},
              {NAS_E_FAILED_TRIALS, -19, 3, "FAILED_TRIALS"},
              {NAS_E_PREEMPTED, -20, 75, "PREEMPTED"},
              {NAS_E_INTERRUPTED, -21, 130, "INTERRUPTED"},
              {NAS_E_INTERNAL, -22, 1, "INTERNAL"},
              {NAS_E_PENDING, -23, 1, "PENDING"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(rows[i].code, rows[i].number);
    assert_int_equal(nas_status_exit(rows[i].code), rows[i].exit_status);
    assert_string_equal(nas_status_name(rows[i].code), rows[i].name);
    assert_true(strlen(nas_status_summary(rows[i].code)) > 5);
  }
}

static void unknown_codes_are_failures(void **state) {
  (void)state;
  assert_string_equal(nas_status_name((nas_status)-999), "UNKNOWN");
  assert_int_equal(nas_status_exit((nas_status)-999), 1);
  assert_true(strstr(nas_status_summary((nas_status)-999), "another program version") != NULL);
}

static void fail_fills_the_error(void **state) {
  (void)state;
  nas_err err = {0};
  assert_int_equal(nas_fail(&err, NAS_E_BAD_INPUT, "a.yaml:3:1", "%d is too %s", 7, "odd"), NAS_E_BAD_INPUT);
  assert_int_equal(err.code, NAS_E_BAD_INPUT);
  assert_string_equal(err.where, "a.yaml:3:1");
  assert_string_equal(err.msg, "7 is too odd");
  assert_int_equal(nas_fail(NULL, NAS_E_IO, NULL, "nobody asks"), NAS_E_IO);
  assert_int_equal(nas_fail(&err, NAS_E_IO, NULL, "no place"), NAS_E_IO);
  assert_string_equal(err.where, "");
}

/* A message may quote the error that it replaces. */
static void fail_may_quote_itself(void **state) {
  (void)state;
  nas_err err = {0};
  nas_fail(&err, NAS_E_IO, "x", "inner");
  nas_fail(&err, NAS_E_CRASHED, err.where, "outer: %s", err.msg);
  assert_string_equal(err.msg, "outer: inner");
  assert_string_equal(err.where, "x");
}

static void long_texts_are_cut(void **state) {
  (void)state;
  nas_err err = {0};
  char text[1000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  nas_fail(&err, NAS_E_IO, text, "%s", text);
  assert_int_equal(strlen(err.msg), sizeof err.msg - 1);
  assert_int_equal(strlen(err.where), sizeof err.where - 1);
}

static void errno_becomes_a_code(void **state) {
  (void)state;
  static const struct {
    int number;
    nas_status code;
  } rows[] = {{ENOSPC, NAS_E_NO_SPACE},
              {EDQUOT, NAS_E_NO_SPACE},
              {ENOMEM, NAS_E_NO_MEMORY},
              {ENOENT, NAS_E_NOT_FOUND},
              {ENOTDIR, NAS_E_NOT_FOUND},
              {EACCES, NAS_E_IO},
              {EIO, NAS_E_IO}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_err err = {0};
    assert_int_equal(nas_fail_errno(&err, rows[i].number, "/f", "cannot do it"), rows[i].code);
    assert_true(strncmp(err.msg, "cannot do it: ", 14) == 0);
    assert_string_equal(err.msg + 14, strerror(rows[i].number));
  }
}

static nas_status passes_on(nas_status inner, int *reached) {
  NAS_TRY(inner);
  (*reached)++;
  return NAS_OK;
}

static void try_returns_at_once(void **state) {
  (void)state;
  int reached = 0;
  assert_int_equal(passes_on(NAS_E_TIMEOUT, &reached), NAS_E_TIMEOUT);
  assert_int_equal(reached, 0);
  assert_int_equal(passes_on(NAS_OK, &reached), NAS_OK);
  assert_int_equal(reached, 1);
}

NAS_SUITE(Status, NAS_CASE(codes_never_change), NAS_CASE(unknown_codes_are_failures), NAS_CASE(fail_fills_the_error),
          NAS_CASE(fail_may_quote_itself), NAS_CASE(long_texts_are_cut), NAS_CASE(errno_becomes_a_code),
          NAS_CASE(try_returns_at_once))
