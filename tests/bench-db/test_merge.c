/* Merging tables: once, or kept and flagged. */
#include "bench-db/merge.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "bench-db/query.h"
#include "fixture.h"

static nas_db_merge_counts counts;

static nas_status merge(const char *a, const char *b, const char *to) {
  char paths[3][512];
  snprintf(paths[0], sizeof paths[0], "%s", fx_path(a));
  snprintf(paths[1], sizeof paths[1], "%s", fx_path(b));
  snprintf(paths[2], sizeof paths[2], "%s", fx_path(to));
  const char *from[] = {paths[0], paths[1]};
  return nas_db_merge(from, 2, paths[2], &counts, nas_test_err());
}

static void assert_sound(const char *name) {
  nas_db *db;
  nas_rows problems = {0};
  int n;
  assert_ok(nas_db_open(fx_path(name), NAS_DB_READ, &db, nas_test_err()));
  assert_ok(nas_db_verify(db, &problems, &n, nas_test_err()));
  if (problems.n) fail_msg("%s", nas_rows_at(&problems, 0, "what")->text);
  nas_rows_free(&problems);
  nas_db_close(db);
}

#define DUMP                                                                                                      \
  "SELECT group_concat(quote(arch) || number || quote(told) || seed || quote(valid_accuracy) || quote(seconds)) " \
  "FROM (SELECT * FROM result ORDER BY campaign, number)"

static void copies_become_one(void **state) {
  (void)state;
  fx_table(fx_path("a.db"), 8);
  assert_int_equal(nas_run(NULL, NULL, "cp '%s' '%s'", fx_path("a.db"), fx_path("b.db")), 0);
  assert_ok(merge("a.db", "b.db", "c d'e.db"));
  assert_int_equal(counts.trials, 8);
  assert_int_equal(counts.same, 8);
  assert_int_equal(counts.conflicts, 0);
  char before[4000];
  snprintf(before, sizeof before, "%s", fx_shell(fx_path("a.db"), DUMP));
  assert_string_equal(nas_run(NULL, NULL, "cp '%s'/c*e.db '%s'", nas_test_folder(), fx_path("c.db"))
                          ? ""
                          : fx_shell(fx_path("c.db"), DUMP),
                      before);
  assert_string_equal(fx_shell(fx_path("c.db"), "SELECT count(*) FROM epoch"), "24");
  assert_sound("c.db");
  assert_fails(merge("a.db", "b.db", "c.db"), NAS_E_BAD_INPUT, "already");
}

/* A snapshot of the same campaign, taken earlier: an unfinished trial gives way to the finished one. */
static void a_snapshot_and_its_end(void **state) {
  (void)state;
  int64_t campaign, trial;
  int32_t attempt;
  bool recorded;
  nas_db *db = fx_open(fx_path("b.db"), &campaign);
  fx_add(db, campaign, 0, 3);
  nas_db_ask ask = fx_ask(campaign, 1);
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  assert_ok(nas_db_trial_start(db, trial, 1, &attempt, nas_test_err()));
  assert_ok(nas_db_snapshot(db, fx_path("a.db"), nas_test_err()));
  nas_result r = fx_result(1, 3);
  assert_ok(nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err()));
  nas_result_free(&r);
  fx_add(db, campaign, 2, 3);
  nas_db_close(db);
  assert_ok(merge("a.db", "b.db", "c.db"));
  assert_ok(merge("b.db", "a.db", "d.db"));
  assert_int_equal(counts.trials, 3);
  const char *dump =
      "SELECT group_concat(number || outcome || told || quote(valid_accuracy)) FROM (SELECT * FROM result "
      "ORDER BY number)";
  char whole[2000];
  snprintf(whole, sizeof whole, "%s", fx_shell(fx_path("b.db"), dump));
  assert_string_equal(fx_shell(fx_path("c.db"), dump), whole);
  assert_string_equal(fx_shell(fx_path("d.db"), dump), whole);
  assert_sound("c.db");
  assert_sound("d.db");
}

/* Two campaigns that trained the same: once; one of them trained something else of it: both, and said so. */
static void equal_trials_once_and_conflicts_kept(void **state) {
  (void)state;
  fx_table(fx_path("a.db"), 8);
  assert_int_equal(nas_run(NULL, NULL, "cp '%s' '%s'", fx_path("a.db"), fx_path("b.db")), 0);
  fx_shell(fx_path("b.db"),
           "UPDATE campaign SET created = created + 9, strategy = 'other@1'; UPDATE trial SET "
           "train_seconds = train_seconds * 2, test_accuracy = test_accuracy / 2 WHERE id = 3");
  assert_ok(merge("a.db", "b.db", "c.db"));
  assert_int_equal(counts.campaigns, 2);
  assert_int_equal(counts.trials, 9);
  assert_int_equal(counts.same, 7);
  assert_int_equal(counts.conflicts, 1);
  assert_string_equal(fx_shell(fx_path("c.db"),
                               "SELECT other, campaign, other_campaign, test_accuracy * 2 = "
                               "other_test_accuracy FROM conflict"),
                      "3|2|1|1");
  assert_string_equal(fx_shell(fx_path("c.db"), "SELECT count(*), min(told), max(told) FROM repetition"), "7|0|7");
  assert_ok(merge("c.db", "a.db", "d.db"));
  assert_int_equal(counts.trials, 9);
  assert_string_equal(fx_shell(fx_path("d.db"), "SELECT count(*) FROM repetition"), "7");
  /* A curve that differs in its middle only is a conflict too; other times are none. */
  fx_shell(fx_path("b.db"),
           "UPDATE trial SET test_accuracy = test_accuracy * 2 WHERE id = 3; UPDATE learning_curve SET "
           "data = cast(substr(data, 1, 256) || x'7f' || substr(data, 258) AS BLOB) WHERE trial = 5");
  assert_ok(merge("a.db", "b.db", "e.db"));
  assert_string_equal(fx_shell(fx_path("e.db"), "SELECT group_concat(other) FROM conflict"), "5");
}

static void other_forms_are_refused(void **state) {
  (void)state;
  fx_table(fx_path("a.db"), 3);
  assert_int_equal(nas_run(NULL, NULL, "cp '%s' '%s'", fx_path("a.db"), fx_path("b.db")), 0);
  fx_shell(fx_path("b.db"), "UPDATE architecture SET canonical = 'Z' WHERE id = 2");
  assert_fails(merge("a.db", "b.db", "c.db"), NAS_E_MISMATCH, "another canonical form");
  assert_fails(merge("a.db", "none.db", "c.db"), NAS_E_NOT_FOUND, "no table");
  assert_int_equal(nas_run(NULL, NULL, "ls '%s' | grep -q c.db", nas_test_folder()), 1);
}

NAS_SUITE(DbMerge, NAS_CASE(copies_become_one), NAS_CASE(a_snapshot_and_its_end),
          NAS_CASE(equal_trials_once_and_conflicts_kept), NAS_CASE(other_forms_are_refused))
