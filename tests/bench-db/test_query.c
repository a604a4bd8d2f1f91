/* Questions, against answers worked out by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench-db/query.h"
#include "fixture.h"

/* Architecture `arch` of the fixture, trained for two epochs that end at these accuracies. */
static int64_t add(nas_db *db, int64_t campaign, uint64_t number, int arch, uint64_t seed, double valid, double test) {
  int64_t trial;
  int32_t attempt;
  bool recorded;
  nas_db_ask ask = fx_ask(campaign, (uint64_t)arch);
  ask.number = number;
  ask.asked_after = 0;
  ask.seed = seed;
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  assert_ok(nas_db_trial_start(db, trial, 1, &attempt, nas_test_err()));
  nas_result r = {.outcome = NAS_OUTCOME_OK};
  for (int i = 1; i <= 2; i++) {
    nas_epoch e = {i, 1, 50, 2.0 / i, i == 2 ? valid : 99, 3.0 / i, i == 2 ? test : 99, 1.5, 0.5};
    assert_ok(nas_result_add_epoch(&r, &e, nas_test_err()));
  }
  assert_ok(nas_result_set_metric(&r, "latency", 10 - arch, nas_test_err()));
  assert_ok(nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err()));
  nas_result_free(&r);
  return trial;
}

static void add_failure(nas_db *db, int64_t campaign, uint64_t number) {
  int64_t trial;
  int32_t attempt;
  bool recorded;
  nas_db_ask ask = fx_ask(campaign, number);
  ask.asked_after = 0;
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  assert_ok(nas_db_trial_start(db, trial, 1, &attempt, nas_test_err()));
  nas_result r = {.outcome = NAS_OUTCOME_TIMEOUT};
  nas_fail(&r.cause, NAS_E_TIMEOUT, NULL, "after 600 s");
  nas_epoch e = {1, 1, 50, 2, 99.5, 3, 99.5, 1.5, 0.5};
  assert_ok(nas_result_add_epoch(&r, &e, nas_test_err()));
  assert_ok(nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err()));
  nas_result_free(&r);
}

/* |a~0| with seeds 1, 2, 3: valid 90, 92, 94 and test 80, 81, 85; |e~0| (the same network): valid 96; |b~0|: 91; |c~0|
 * once more in another campaign; a failure; a trial that waits. */
static nas_db *make(const char *path, nas_db_mode mode) {
  int64_t first, second, waiting;
  nas_db *db = fx_open(path, &first);
  add(db, first, 0, 0, 1, 90, 80);
  add(db, first, 1, 0, 2, 92, 81);
  add(db, first, 2, 0, 3, 94, 85);
  add(db, first, 3, 4, 1, 96, 70);
  add(db, first, 4, 1, 1, 91, 95);
  add_failure(db, first, 5);
  nas_db_ask ask = fx_ask(first, 6);
  ask.asked_after = 0;
  assert_ok(nas_db_trial_add(db, &ask, &waiting, nas_test_err()));
  nas_db_campaign c = fx_campaign(8);
  c.dataset.name = "shapes-large@1";
  assert_ok(nas_db_campaign_add(db, &c, &second, nas_test_err()));
  add(db, second, 0, 2, 1, 60, 61);
  c = fx_campaign(9);
  assert_ok(nas_db_campaign_add(db, &c, &second, nas_test_err()));
  add(db, second, 0, 0, 2, 92, 81); /* repeats a trial of the first campaign */
  nas_db_close(db);
  assert_ok(nas_db_open(path, mode, &db, nas_test_err()));
  return db;
}

static double real_at(const nas_rows *rows, size_t row, const char *column) {
  const nas_value *v = nas_rows_at(rows, row, column);
  assert_non_null(v);
  return v->kind == NAS_VALUE_NULL ? (double)NAN : v->real;
}

static const char *text_at(const nas_rows *rows, size_t row, const char *column) {
  const nas_value *v = nas_rows_at(rows, row, column);
  assert_true(v && v->kind == NAS_VALUE_TEXT);
  return v->text;
}

static void best_orders_by_the_last_epoch(void **state) {
  (void)state;
  nas_db *db = make(fx_path("t.db"), NAS_DB_READ);
  nas_rows rows = {0};
  nas_db_best_query q = {.top = 3};
  assert_ok(nas_db_best(db, &q, &rows, nas_test_err()));
  assert_int_equal(rows.n, 3);
  const double valid[] = {96, 94, 92}, test[] = {70, 85, 81};
  for (size_t i = 0; i < 3; i++) {
    assert_close(real_at(&rows, i, "place"), (double)i + 1, 0);
    assert_close(real_at(&rows, i, "valid_accuracy"), valid[i], 0);
    assert_close(real_at(&rows, i, "test_accuracy"), test[i], 0);
  }
  assert_string_equal(text_at(&rows, 0, "arch"), "|e~0|");
  q = (nas_db_best_query){.metric = "test_accuracy", .top = 1};
  assert_ok(nas_db_best(db, &q, &rows, nas_test_err()));
  assert_string_equal(text_at(&rows, 0, "arch"), "|b~0|");
  q = (nas_db_best_query){.metric = "params", .top = 0}; /* cheapest first, all trials with outcome ok */
  assert_ok(nas_db_best(db, &q, &rows, nas_test_err()));
  assert_int_equal(rows.n, 7);
  assert_close(real_at(&rows, 0, "params"), 1000, 0);
  q = (nas_db_best_query){.metric = "latency", .top = 1};
  assert_ok(nas_db_best(db, &q, &rows, nas_test_err()));
  assert_close(real_at(&rows, 0, "metric"), 6, 0);
  nas_rows_free(&rows);
  nas_db_close(db);
}

static void best_filters(void **state) {
  (void)state;
  nas_db *db = make(fx_path("t.db"), NAS_DB_READ);
  nas_rows rows = {0};
  nas_db_best_query q = {.where = "params < 2e3 AND seed <> 3 -- cheap"};
  assert_ok(nas_db_best(db, &q, &rows, nas_test_err()));
  assert_int_equal(rows.n, 3);
  assert_close(real_at(&rows, 0, "valid_accuracy"), 92, 0);
  q = (nas_db_best_query){.dataset = "shapes"};
  assert_ok(nas_db_best(db, &q, &rows, nas_test_err()));
  assert_int_equal(rows.n, 6);
  q = (nas_db_best_query){.dataset = "shapes-large@1"};
  assert_ok(nas_db_best(db, &q, &rows, nas_test_err()));
  assert_int_equal(rows.n, 1);
  q = (nas_db_best_query){.campaign = 1, .where = "arch = '|b~0|' OR \"index\" = 4"};
  assert_ok(nas_db_best(db, &q, &rows, nas_test_err()));
  assert_int_equal(rows.n, 2);
  nas_rows_free(&rows);
  nas_db_close(db);
}

static void best_says_what_is_wrong(void **state) {
  (void)state;
  nas_db *db = make(fx_path("t.db"), NAS_DB_READ);
  nas_rows rows = {0};
  nas_db_best_query q = {.metric = "valid_acuracy"};
  assert_fails(nas_db_best(db, &q, &rows, nas_test_err()), NAS_E_UNKNOWN_NAME, "did you mean 'valid_accuracy'");
  q = (nas_db_best_query){.metric = "latencey"};
  assert_fails(nas_db_best(db, &q, &rows, nas_test_err()), NAS_E_UNKNOWN_NAME, "did you mean 'latency'");
  q = (nas_db_best_query){.metric = "flops"}; /* near nothing: all there is, the table's own with it */
  assert_fails(nas_db_best(db, &q, &rows, nas_test_err()), NAS_E_UNKNOWN_NAME, "known: valid_accuracy, ");
  assert_fails(nas_db_best(db, &q, &rows, nas_test_err()), NAS_E_UNKNOWN_NAME, "epochs, latency");
  assert_fails(nas_db_front(db, "params,speed", &q, &rows, nas_test_err()), NAS_E_UNKNOWN_NAME, "epochs, latency");
  q = (nas_db_best_query){.metric = "params; DROP TABLE trial"};
  assert_fails(nas_db_best(db, &q, &rows, nas_test_err()), NAS_E_UNKNOWN_NAME, "no trial of this table");
  static const char *const bad[] = {"parms < 5",
                                    "params <",
                                    "",
                                    "1) OR (1",
                                    "1; SELECT 2",
                                    "1); DELETE FROM trial; --",
                                    "1) UNION SELECT * FROM result --",
                                    "params < 5 ORDER BY )"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    q = (nas_db_best_query){.where = bad[i]};
    assert_fails(nas_db_best(db, &q, &rows, nas_test_err()), NAS_E_BAD_INPUT, "");
    assert_int_equal(rows.n, 0);
  }
  q = (nas_db_best_query){.where = "parms < 5"};
  assert_fails(nas_db_best(db, &q, &rows, nas_test_err()), NAS_E_BAD_INPUT, "no such column: parms");
  q = (nas_db_best_query){.where = "load_extension('x')"};
  assert_fails(nas_db_best(db, &q, &rows, nas_test_err()), NAS_E_BAD_INPUT, "load_extension");
  q = (nas_db_best_query){.top = -1};
  assert_fails(nas_db_best(db, &q, &rows, nas_test_err()), NAS_E_OUT_OF_RANGE, "negative");
  nas_db_close(db);
}

static void an_architecture_is_shown_with_every_seed(void **state) {
  (void)state;
  nas_db *db = make(fx_path("t.db"), NAS_DB_READ);
  nas_db_arch_report r;
  nas_db_arch_query q = {.arch = "|a~0|", .index = -1, .epochs = true};
  assert_ok(nas_db_arch(db, &q, &r, nas_test_err()));
  assert_int_equal(r.architectures.n, 2); /* itself and the equal |e~0| */
  assert_string_equal(text_at(&r.architectures, 0, "arch"), "|a~0|");
  assert_string_equal(text_at(&r.architectures, 1, "arch"), "|e~0|");
  assert_int_equal(nas_rows_at(&r.architectures, 1, "asked")->integer, 0);
  assert_int_equal(r.trials.n, 5); /* three seeds, the failure, the repetition */
  assert_int_equal(r.epochs.n, 4 * 2 + 1);
  assert_int_equal(r.means.n, 1);
  assert_close(real_at(&r.means, 0, "seeds"), 3, 0);
  assert_close(real_at(&r.means, 0, "valid_accuracy_mean"), 92, 1e-12);
  assert_close(real_at(&r.means, 0, "valid_accuracy_std"), 2, 1e-12);
  assert_close(real_at(&r.means, 0, "test_accuracy_mean"), 82, 1e-12);
  assert_close(real_at(&r.means, 0, "test_accuracy_std"), sqrt(7), 1e-12); /* (4 + 1 + 9) / 2 */
  assert_close(real_at(&r.means, 0, "seconds_mean"), 3, 1e-12);
  nas_db_arch_report_free(&r);
  q = (nas_db_arch_query){.index = 0, .by_seed = true, .seed = 2};
  assert_ok(nas_db_arch(db, &q, &r, nas_test_err()));
  assert_int_equal(r.trials.n, 2);
  assert_int_equal(r.means.n, 0);
  assert_int_equal(r.epochs.n, 0);
  nas_db_arch_report_free(&r);
  q = (nas_db_arch_query){.hash = "A", .index = -1, .dataset = "shapes"};
  assert_ok(nas_db_arch(db, &q, &r, nas_test_err()));
  assert_int_equal(r.trials.n, 6); /* five of |a~0| and one of |e~0| */
  assert_int_equal(r.means.n, 2);
  nas_db_arch_report_free(&r);
  q = (nas_db_arch_query){.arch = "|a~0|", .index = -1, .dataset = "shapes-large"};
  assert_ok(nas_db_arch(db, &q, &r, nas_test_err()));
  assert_int_equal(r.trials.n, 0);
  nas_db_arch_report_free(&r);
  q = (nas_db_arch_query){.arch = "|x~0|", .index = -1};
  assert_fails(nas_db_arch(db, &q, &r, nas_test_err()), NAS_E_NOT_FOUND, "|x~0|");
  nas_db_arch_report_free(&r);
  q = (nas_db_arch_query){.index = 77};
  assert_fails(nas_db_arch(db, &q, &r, nas_test_err()), NAS_E_NOT_FOUND, "index 77");
  nas_db_arch_report_free(&r);
  q = (nas_db_arch_query){.arch = "|a~0|", .index = 0};
  assert_fails(nas_db_arch(db, &q, &r, nas_test_err()), NAS_E_BAD_INPUT, "one architecture");
  nas_db_arch_report_free(&r);
  nas_db_close(db);
}

static void a_curve_is_listed(void **state) {
  (void)state;
  nas_db *db = make(fx_path("t.db"), NAS_DB_READ);
  nas_rows rows = {0};
  assert_ok(nas_db_curve(db, 1, &rows, nas_test_err()));
  assert_int_equal(rows.n, 2);
  assert_close(real_at(&rows, 0, "valid_accuracy"), 99, 0);
  assert_close(real_at(&rows, 1, "valid_accuracy"), 90, 0);
  assert_close(real_at(&rows, 1, "epoch"), 2, 0);
  assert_close(real_at(&rows, 1, "valid_loss"), 1, 0);
  nas_rows_free(&rows);
  assert_fails(nas_db_curve(db, 99, &rows, nas_test_err()), NAS_E_NOT_FOUND, "no trial 99");
  nas_db_close(db);
}

static void progress_counts(void **state) {
  (void)state;
  nas_db *db = make(fx_path("t.db"), NAS_DB_READ);
  nas_rows rows = {0};
  assert_ok(nas_db_progress(db, &rows, nas_test_err()));
  assert_int_equal(rows.n, 3);
  assert_int_equal(nas_rows_at(&rows, 0, "trials")->integer, 7);
  assert_int_equal(nas_rows_at(&rows, 0, "finished")->integer, 6);
  assert_int_equal(nas_rows_at(&rows, 0, "ok")->integer, 5);
  assert_int_equal(nas_rows_at(&rows, 0, "failed")->integer, 1);
  assert_close(real_at(&rows, 0, "valid_accuracy_best"), 96, 0);
  nas_rows_free(&rows);
  nas_db_facts facts;
  assert_ok(nas_db_facts_read(db, &facts, nas_test_err()));
  assert_int_equal(facts.schema, 5);
  assert_int_equal(facts.campaigns, 3);
  assert_int_equal(facts.architectures, 4);
  assert_int_equal(facts.trials, 9);
  assert_int_equal(facts.epochs, 7 * 2 + 1);
  nas_db_close(db);
}

/* The views as another program sees them. */
static void views_work_in_the_sqlite_shell(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  nas_db_close(make(path, NAS_DB_READ));
  assert_string_equal(fx_shell(path, "SELECT arch, valid_accuracy, test_accuracy FROM leaderboard LIMIT 2"),
                      "|e~0||96.0|70.0\n|a~0||94.0|85.0");
  assert_string_equal(fx_shell(path, "SELECT count(*), min(valid_loss) FROM curve WHERE arch = '|a~0|'"), "9|1.0");
  assert_string_equal(fx_shell(path,
                               "SELECT seeds, valid_accuracy_mean, valid_accuracy_std, test_accuracy_mean FROM "
                               "per_architecture WHERE arch = '|a~0|'"),
                      "3|92.0|2.0|82.0");
  assert_string_equal(fx_shell(path,
                               "SELECT seeds, valid_accuracy_std IS NULL FROM per_architecture WHERE arch = "
                               "'|b~0|'"),
                      "1|1");
  /* Equal networks as one: 90, 92, 94 and 96 have mean 93 and variance 20 / 3. */
  assert_string_equal(fx_shell(path,
                               "SELECT architectures, trials, valid_accuracy_mean, "
                               "round(valid_accuracy_std * valid_accuracy_std, 9) FROM per_class WHERE class = 0"),
                      "2|4|93.0|6.666666667");
  assert_string_equal(fx_shell(path, "SELECT number, outcome, cause FROM failures"), "5|timeout|after 600 s");
  assert_string_equal(fx_shell(path, "SELECT trials, ok FROM progress WHERE campaign = 1"), "7|5");
  assert_string_equal(fx_shell(path, "SELECT count(*) FROM per_seed"), "6");
  assert_string_equal(fx_shell(path, "SELECT seconds, params, peak_bytes IS NULL FROM result WHERE trial = 1"),
                      "3.0|1000|1");
}

/* ---- the guard ---- */

static void sql_reads(void **state) {
  (void)state;
  nas_db *db = make(fx_path("t.db"), NAS_DB_READ);
  nas_rows rows = {0};
  assert_ok(nas_db_sql(db, "SELECT count(*) AS n, 1.5 AS x, NULL AS none, x'0aff' AS bytes FROM trial; -- done",
                       nas_rows_sink(&rows), nas_test_err()));
  assert_int_equal(nas_rows_at(&rows, 0, "n")->integer, 9);
  assert_close(real_at(&rows, 0, "x"), 1.5, 0);
  assert_int_equal(nas_rows_at(&rows, 0, "none")->kind, NAS_VALUE_NULL);
  assert_string_equal(text_at(&rows, 0, "bytes"), "x'0aff'");
  static const char *const fine[] = {
      "SELECT arch FROM leaderboard WHERE 0",
      "WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 9) SELECT sum(i) FROM k",
      "SELECT name FROM pragma_table_info('trial')",
      "PRAGMA table_info(trial)",
      "PRAGMA user_version",
      "EXPLAIN QUERY PLAN SELECT * FROM result",
      "VALUES (1), (2)",
      "SELECT value FROM json_each('[1, 2]')",
      "SELECT sqrt(2), json_extract('{\"a\":1}', '$.a'), replace('abc', 'b', 'x')"};
  for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
    assert_ok(nas_db_sql(db, fine[i], nas_rows_sink(&rows), nas_test_err()));
  nas_rows_free(&rows);
  nas_db_close(db);
}

/* The connection may write, so that nothing but the guard refuses. */
static void sql_that_does_more_is_refused(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  static const char *const writes[] = {"DELETE FROM trial",
                                       "INSERT INTO recipe VALUES (9, 'a', 'b', 'c')",
                                       "UPDATE trial SET seed = 0 RETURNING id",
                                       "REPLACE INTO metric VALUES (1, 'x', 2)",
                                       "WITH x AS (SELECT 1) DELETE FROM tell",
                                       "DROP TABLE trial",
                                       "DROP VIEW leaderboard",
                                       "CREATE TABLE t (x)",
                                       "CREATE TEMP TABLE t (x)",
                                       "CREATE TEMP TRIGGER t AFTER INSERT ON trial BEGIN SELECT 1; END",
                                       "CREATE VIRTUAL TABLE t USING fts5(x)",
                                       "ALTER TABLE trial RENAME TO t",
                                       "ATTACH 'other.db' AS o",
                                       "DETACH main",
                                       "VACUUM",
                                       "VACUUM INTO 'copy.db'",
                                       "REINDEX",
                                       "ANALYZE",
                                       "BEGIN",
                                       "COMMIT",
                                       "SAVEPOINT s",
                                       "PRAGMA user_version = 9",
                                       "PRAGMA journal_mode = OFF",
                                       "PRAGMA writable_schema = ON",
                                       "PRAGMA query_only = OFF",
                                       "PRAGMA wal_checkpoint",
                                       "PRAGMA optimize",
                                       "EXPLAIN DELETE FROM trial",
                                       "SELECT load_extension('x.so')",
                                       "SELECT 1; DELETE FROM trial",
                                       "SELECT 1; SELECT 2",
                                       "SELECT 1; nonsense",
                                       "SELECT",
                                       "SELECT * FROM nowhere",
                                       "SELECT json('{')",
                                       "",
                                       " -- nothing"};
  nas_db *db = make(path, NAS_DB_WRITE);
  for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
    nas_rows rows = {0};
    nas_status status = nas_db_sql(db, writes[i], nas_rows_sink(&rows), nas_test_err());
    if (status != NAS_E_BAD_INPUT)
      fail_msg("'%s' gave %s: %s", writes[i], nas_status_name(status), nas_test_err()->msg);
    nas_rows_free(&rows);
  }
  nas_rows rows = {0};
  assert_fails(nas_db_sql(db, "DELETE FROM trial", nas_rows_sink(&rows), nas_test_err()), NAS_E_BAD_INPUT,
               "changes the database; only reading");
  assert_fails(nas_db_sql(db, "ATTACH 'x' AS y", nas_rows_sink(&rows), nas_test_err()), NAS_E_BAD_INPUT, "attaches");
  assert_fails(nas_db_sql(db, "SELECT * FRM trial", nas_rows_sink(&rows), nas_test_err()), NAS_E_BAD_INPUT,
               "syntax error");
  assert_string_equal(nas_test_err()->where, "column 10");
  nas_db_close(db);
  assert_false(nas_file_exists("copy.db") || nas_file_exists("other.db"));
  assert_string_equal(fx_shell(path, "SELECT count(*) FROM trial"), "9");
  assert_string_equal(fx_shell(path, "PRAGMA user_version"), "5");
}

NAS_SUITE(DbQuery, NAS_CASE(best_orders_by_the_last_epoch), NAS_CASE(best_filters), NAS_CASE(best_says_what_is_wrong),
          NAS_CASE(an_architecture_is_shown_with_every_seed), NAS_CASE(a_curve_is_listed), NAS_CASE(progress_counts),
          NAS_CASE(views_work_in_the_sqlite_shell), NAS_CASE(sql_reads), NAS_CASE(sql_that_does_more_is_refused))
