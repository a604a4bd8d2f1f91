#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runs.h"

static int reproduce(const char *trial, char **out, char **err) {
  return nas_run(out, err, "'%s' reproduce '%s' %s -q", nas_program(), nas_runs_path("c.db"), trial);
}

static void campaign(const char *more) {
  nas_runs_write_train("c", more);
  assert_in_range(nas_runs_search(0, "", "c", "c", "", NULL), 0, 3);
}

static void doctor_table(const char *sql) {
  if (nas_run(NULL, NULL, "command -v sqlite3") != 0) nas_skip("no sqlite3");
  assert_int_equal(nas_run(NULL, NULL, "sqlite3 '%s' \"%s\"", nas_runs_path("c.db"), sql), 0);
}

static void expect(const char *trial, int status, const char *part) {
  char *text = NULL;
  int got = reproduce(trial, NULL, &text);
  if (got != status || !strstr(text, part)) fail_msg("%d (expected %d with '%s'): %s", got, status, part, text);
  free(text);
}

static void any_row_comes_out_the_same(void **state) {
  (void)state;
  campaign("strategy: {name: random, repeats: true}\nbudget: {trials: 4}\nseed: 6\n");
  for (int i = 1; i <= 4; i++) {
    char trial[8], *out = NULL;
    snprintf(trial, sizeof trial, "%d", i);
    assert_int_equal(reproduce(trial, &out, NULL), 0);
    assert_non_null(strstr(out, "the same bits"));
    free(out);
  }
}

/* The last byte of trial 2's valid_loss of an epoch: one unit in the last place. */
static void doctor_valid_loss(int epoch) {
  char sql[512];
  snprintf(sql, sizeof sql,
           "UPDATE learning_curve SET data = cast(substr(data, 1, k - 1) || "
           "iif(substr(data, k, 1) = x'05', x'06', x'05') || substr(data, k + 1) AS BLOB) "
           "FROM (SELECT cast(substr(data, 69, 8) AS INTEGER) + %d * cast(substr(data, 66, 1) AS INTEGER) AS k "
           "FROM learning_curve WHERE trial = 2) WHERE trial = 2",
           epoch);
  doctor_table(sql);
}

static void expect_verdict(int status, const char *part, const char *more) {
  char *out = NULL;
  int got = nas_run(&out, NULL, "'%s' db verify '%s' %s -q", nas_program(), nas_runs_path("c.db"), more);
  if (got != status || !strstr(out, part)) fail_msg("%d (expected %d with '%s'): %s", got, status, part, out);
  free(out);
}

/* Rows that nothing in the table itself contradicts: only counting again, or training again, tells. */
static void verify_counts_and_trains_again(void **state) {
  (void)state;
  campaign("strategy: random\nbudget: {trials: 2}\n");
  expect_verdict(0, "sound: 21 checks", "--reproduce 2");
  doctor_table(
      "UPDATE trial SET params = params + 1 WHERE id = 1;"
      "UPDATE metric SET value = value + 1 WHERE trial = 1 AND name = 'params'");
  expect_verdict(1, " params, its architecture ", "");
  doctor_table(
      "UPDATE trial SET params = params - 1 WHERE id = 1; UPDATE trial SET macs = 2 * macs WHERE id = 2;"
      "UPDATE metric SET value = value - 1 WHERE trial = 1 AND name = 'params';"
      "UPDATE metric SET value = 2 * value WHERE trial = 2 AND name = 'macs'");
  expect_verdict(1, "trial 2 has ", "");
  expect_verdict(1, " MACs, its architecture ", "");
  doctor_table(
      "UPDATE trial SET macs = macs / 2 WHERE id = 2;"
      "UPDATE metric SET value = value / 2 WHERE trial = 2 AND name = 'macs'");
  /* One unit in the last place: no sum, reference or range shows it. */
  doctor_valid_loss(1);
  expect_verdict(0, "sound: 20 checks", "");
  expect_verdict(1, "trial 2 does not reproduce", "--reproduce 2");
}

static void a_doctored_row_is_named_with_its_epoch(void **state) {
  (void)state;
  campaign("strategy: random\nbudget: {trials: 3}\n");
  doctor_valid_loss(2);
  expect("2", 1, "differs first in epoch 2: valid_loss was");
  assert_int_equal(reproduce("1", NULL, NULL), 0);
  doctor_table("UPDATE trial SET epochs = 1 WHERE id = 3");
  expect("3", 1, "had 1 epochs, now it has 2");
}

static void other_data_is_named(void **state) {
  (void)state;
  campaign("strategy: random\nbudget: {trials: 1}\n");
  doctor_table("UPDATE dataset SET digest = replace(digest, substr(digest, 1, 4), 'zzzz')");
  expect("1", 1, "other data: digest zzzz");
}

static void another_split_is_named(void **state) {
  (void)state;
  campaign("strategy: random\nbudget: {trials: 1}\n");
  doctor_table("UPDATE dataset SET split = 'another'");
  expect("1", 1, "another split: another");
}

static void rows_that_cannot_repeat_say_why(void **state) {
  (void)state;
  campaign("strategy: random\nbudget: {trials: 2}\ntrial: {memory: 10KiB}\n");
  expect("1", 2, "ended as rejected");
  expect("9", 2, "9");
  expect("x", 2, "is no trial");
  doctor_table("DELETE FROM tell WHERE trial = 2; UPDATE trial SET outcome = NULL, epochs = NULL WHERE id = 2");
  expect("2", 2, "is not finished");
  doctor_table(
      "UPDATE campaign SET space = 'nas-bench-201@99'; UPDATE trial SET outcome = 'ok' WHERE id = 1;"
      "INSERT INTO learning_curve (trial, data) VALUES (1, cast(replace(hex(zeroblob(128)), '00', '00') AS BLOB)); "
      "UPDATE trial SET epochs = 1 WHERE id = 1");
  expect("1", 1, "nas-bench-201@99");
}

NAS_SUITE(Reproduce, NAS_CASE(any_row_comes_out_the_same), NAS_CASE(verify_counts_and_trains_again),
          NAS_CASE(a_doctored_row_is_named_with_its_epoch), NAS_CASE(other_data_is_named),
          NAS_CASE(another_split_is_named), NAS_CASE(rows_that_cannot_repeat_say_why))
