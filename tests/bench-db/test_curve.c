/* Packed curves keep every bit, and plain SQL reads what the program reads; older tables are migrated. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "bench-db/internal/curve.h"
#include "bench-db/query.h"
#include "fixture.h"

enum { EPOCHS = 40 };

/* Figures of every nature: hard doubles, floats, fractions of images, constants, gaps, signs, extremes. */
static double made_up(uint64_t curve, int k, uint64_t i) {
  nas_rng rng = nas_rng_make(99, (uint32_t)curve, NAS_STREAM_SAMPLE);
  uint64_t at = (uint64_t)k * 1000 + i;
  double unit = nas_rng_unit(rng, at);
  switch ((curve + (uint64_t)k) % 9) {
    case 0: return unit * 3;
    case 1: return (double)(float)(unit * 90 + 8);
    case 2: return 100.0 * (double)nas_rng_below(rng, at, 25000) / 25000;
    case 3: return 7.221092998981476;
    case 4: return unit < 0.3 ? (double)NAN : unit * 100;
    case 5: return i % 7 == 3 ? INFINITY : unit - 0.5;
    case 6: return ldexp(unit, (int)nas_rng_below(rng, at + 500, 2000) - 1070);
    case 7: return -unit;
    default: return (double)NAN;
  }
}

static void fill(uint64_t curve, nas_epoch *e) {
  for (uint64_t i = 0; i < EPOCHS; i++) {
    e[i] = (nas_epoch){.epoch = (int32_t)i + 1};
    for (int k = 0; k < NAS_CURVE_FIGURES; k++) *nas_epoch_figure(&e[i], k) = made_up(curve, k, i);
  }
}

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static void packing_keeps_every_bit(void **state) {
  (void)state;
  for (uint64_t c = 0; c < 40; c++) {
    nas_epoch e[EPOCHS];
    nas_str data = {0};
    nas_result back = {0};
    size_t wanted;
    fill(c, e);
    nas_curve_pack(e, EPOCHS, &data);
    assert_true(nas_curve_check(data.s, data.len, EPOCHS, &wanted));
    assert_ok(nas_curve_unpack(data.s, data.len, EPOCHS, &back, nas_test_err()));
    assert_int_equal(back.n_epochs, EPOCHS);
    for (int i = 0; i < EPOCHS; i++)
      for (int k = 0; k < NAS_CURVE_FIGURES; k++) {
        double one;
        assert_true(nas_curve_figure(data.s, data.len, (size_t)i + 1, k, &one));
        if (!same_bits(one, made_up(c, k, (uint64_t)i)) || !same_bits(nas_epoch_figure_of(&back.epochs[i], k), one))
          fail_msg("curve %d, epoch %d, figure %d: %.17g became %.17g", (int)c, i, k, made_up(c, k, (uint64_t)i), one);
      }
    nas_result_free(&back);
    nas_str_free(&data);
  }
}

static void packing_is_compact(void **state) {
  (void)state;
  nas_epoch e[200];
  for (int i = 0; i < 200; i++) {
    e[i] = (nas_epoch){.epoch = i + 1, .seconds = 7.25, .valid_seconds = 1.5};
    for (int k = 0; k < 6; k++) *nas_epoch_figure(&e[i], k) = k % 2 ? 100.0 * (9000 + 31 * i) / 25000 : 2.5 / (1.1 + i);
  }
  nas_str data = {0};
  nas_curve_pack(e, 200, &data);
  /* Headers, three losses of at most 8 bytes, three accuracies of 2, constants of none. */
  assert_true(data.len <= 256 + 200 * (3 * 8 + 3 * 2));
  nas_str_free(&data);
}

static void broken_bytes_are_no_curve(void **state) {
  (void)state;
  nas_epoch e[EPOCHS];
  nas_str data = {0};
  fill(3, e);
  nas_curve_pack(e, EPOCHS, &data);
  size_t wanted;
  double figure;
  assert_false(nas_curve_check(data.s, data.len - 1, EPOCHS, &wanted));
  assert_false(nas_curve_check(data.s, data.len, EPOCHS + 1, &wanted));
  assert_false(nas_curve_check(data.s, 255, 0, &wanted));
  assert_false(nas_curve_figure(data.s, 255, 1, 0, &figure));
  assert_false(nas_curve_figure(data.s, data.len, 0, 0, &figure));
  data.s[1] = '9';
  assert_false(nas_curve_figure(data.s, data.len, 1, 0, &figure));
  nas_str_free(&data);
}

/* The sqlite3 shell, which knows nothing of this program, sees the same doubles in the view `epoch`. */
static void plain_sql_reads_the_same_numbers(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  int64_t campaign, trial;
  int32_t attempt;
  bool recorded;
  nas_db *db = fx_open(path, &campaign);
  for (uint64_t c = 0; c < 9; c++) {
    nas_db_ask ask = fx_ask(campaign, c);
    nas_epoch e[EPOCHS];
    nas_result r = {.outcome = NAS_OUTCOME_OK};
    fill(c, e);
    for (int i = 0; i < EPOCHS; i++) assert_ok(nas_result_add_epoch(&r, &e[i], nas_test_err()));
    assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
    assert_ok(nas_db_trial_start(db, trial, 1, &attempt, nas_test_err()));
    assert_ok(nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err()));
    nas_result_free(&r);
  }
  nas_db_close(db);
  char *text = NULL;
  nas_run(&text, NULL,
          "sqlite3 -separator ' ' -nullvalue nan '%s' \"SELECT trial, epoch, figure, ieee754_to_blob(value) IS NULL, "
          "iif(value IS NULL, 'nan', hex(ieee754_to_blob(value))) FROM epoch_figure ORDER BY trial, epoch, figure\"",
          path);
  int n = 0;
  for (char *p = text; p && *p; p = strchr(p, '\n') + 1, n++) {
    int t, epoch, k, null;
    char hex[20];
    assert_int_equal(sscanf(p, "%d %d %d %d %19s", &t, &epoch, &k, &null, hex), 5);
    double wanted = made_up((uint64_t)t - 1, k, (uint64_t)epoch - 1);
    uint64_t bits;
    memcpy(&bits, &wanted, sizeof bits);
    char expected[20];
    snprintf(expected, sizeof expected, "%016llX", (unsigned long long)bits);
    if (strcmp(isnan(wanted) ? "nan" : expected, hex) != 0)
      fail_msg("trial %d, epoch %d, figure %d: %s, not %s (%.17g)", t, epoch, k, hex, expected, wanted);
  }
  assert_int_equal(n, 9 * EPOCHS * NAS_CURVE_FIGURES);
  free(text);
}

/* ---- migration ---- */

static void make_version_1(const char *path) {
  char schema[4096];
  snprintf(schema, sizeof schema, "%s/tests/bench-db/schema_v1.sql", nas_source_folder());
  int code =
      nas_run(NULL, NULL,
              "sqlite3 '%s' < '%s' && sqlite3 '%s' \"PRAGMA application_id = 1851880291; PRAGMA user_version = 1;"
              "INSERT INTO architecture VALUES (1, 'toy@1', '|a~0|', 0, 'A', 0);"
              "INSERT INTO dataset VALUES (1, 'shapes@1', '', 'd', 's', 1, 2, 3, 1, 4, 4, 10);"
              "INSERT INTO recipe VALUES (1, 'quick@1', '', '');"
              "INSERT INTO campaign VALUES (1, 'c', '', 'toy@1', '', 'train@1', '', 'random@1', '', 7, 'p', 'm', "
              "1, 1, 0);"
              "INSERT INTO trial VALUES (1, 1, 0, 0, 1, 1, 1, 5, 10, 20, 1, 1, 'ok', NULL, NULL, NULL, 2);"
              "INSERT INTO trial VALUES (2, 1, 1, 0, 1, 1, 1, 6, 10, 20, 0, NULL, NULL, NULL, NULL, NULL, NULL);"
              "INSERT INTO epoch VALUES (1, 1, 2.5, 10, 2.25, 11.5, NULL, NULL, 3.5, 1);"
              "INSERT INTO epoch VALUES (1, 2, 1.1, 33.3, 1.3, 30.7, 1.4, 29.9, 4.5, 2);"
              "INSERT INTO metric VALUES (1, 'peak_bytes', 5);INSERT INTO tell VALUES (1, 0, 1);\"",
              path, schema, path);
  assert_int_equal(code, 0);
}

static void version_1_is_migrated(void **state) {
  (void)state;

  const char *path = fx_path("old one.db");
  make_version_1(path);
  nas_db *db;
  int from;
  assert_fails(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()), NAS_E_DB_VERSION, "nascent db migrate");
  assert_fails(nas_db_open(path, NAS_DB_WRITE, &db, nas_test_err()), NAS_E_DB_VERSION, "nascent db migrate");
  assert_ok(nas_db_migrate(path, &from, nas_test_err()));
  assert_int_equal(from, 1);
  nas_rows problems = {0};
  int n;
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
  assert_ok(nas_db_verify(db, &problems, &n, nas_test_err()));
  if (problems.n) fail_msg("%s", nas_rows_at(&problems, 0, "what")->text);
  nas_rows_free(&problems);
  nas_db_close(db);
  assert_string_equal(fx_shell(path,
                               "SELECT train_loss, valid_accuracy, test_loss IS NULL, seconds FROM epoch ORDER BY "
                               "epoch"),
                      "2.5|11.5|1|3.5\n1.1|30.7|0|4.5");
  assert_string_equal(fx_shell(path, "SELECT valid_accuracy, test_accuracy, seconds, peak_bytes, told FROM result"),
                      "30.7|29.9|8.0|5|0\n||||");
  assert_ok(nas_db_migrate(path, &from, nas_test_err()));
  assert_int_equal(from, 5);
  assert_false(nas_file_exists(fx_path("old one.db.migrating")));
}

/* Version 2 is this one without events: every row comes over as it was. */
static void version_2_is_migrated(void **state) {
  (void)state;
  const char *path = fx_path("two.db");
  int from;
  nas_db_standing standing;
  int64_t n = 0;
  nas_db *db;
  assert_int_equal(
      nas_run(
          NULL, NULL,
          "sqlite3 '%s' < '%s/tests/bench-db/schema_v2.sql' && sqlite3 '%s' \"PRAGMA application_id = 1851880291; "
          "PRAGMA user_version = 2;"
          "INSERT INTO architecture VALUES (1, 'toy@1', '|a~0|', 0, 'A', 0);"
          "INSERT INTO dataset VALUES (1, 'shapes@1', '', 'd', 's', 1, 2, 3, 1, 4, 4, 10, 'train', 'valid', 'test');"
          "INSERT INTO recipe VALUES (1, 'quick@1', '', '');"
          "INSERT INTO campaign VALUES (1, 'c', '', 'toy@1', '', 'train@1', '', 'random@1', '', 7, 'p', 'm', 1, 1, "
          "0);"
          "INSERT INTO trial (id, campaign, number, asked_after, architecture, dataset, recipe, seed, attempt, "
          "worker, outcome, epochs) VALUES (1, 1, 0, 0, 1, 1, 1, 5, 1, 1, 'timeout', 0);"
          "INSERT INTO metric VALUES (1, 'peak_bytes', 5); INSERT INTO tell VALUES (1, 0, 1);\"",
          path, nas_source_folder(), path),
      0);
  assert_ok(nas_db_migrate(path, &from, nas_test_err()));
  assert_int_equal(from, 2);
  assert_string_equal(fx_shell(path, "SELECT outcome, seed, told, peak_bytes FROM result"), "timeout|5|0|5");
  assert_ok(nas_db_open(path, NAS_DB_WRITE, &db, nas_test_err()));
  assert_ok(nas_db_standing_read(db, &standing, nas_test_err()));
  assert_false(standing.finished);
  const nas_db_event begun = {1, "begun", "x", 0, -1}, died = {1, "died", "SIGSEGV", 1, 3},
                     end = {1, "finished", "", 0, -1};
  assert_ok(nas_db_event_add(db, &begun, nas_test_err()));
  assert_ok(nas_db_event_add(db, &died, nas_test_err()));
  assert_ok(nas_db_event_count(db, 1, "died", 1, &n, nas_test_err()));
  assert_int_equal(n, 1);
  assert_ok(nas_db_standing_read(db, &standing, nas_test_err()));
  assert_false(standing.finished);
  assert_ok(nas_db_event_add(db, &end, nas_test_err()));
  assert_ok(nas_db_standing_read(db, &standing, nas_test_err()));
  assert_true(standing.finished && standing.trials == 1 && standing.failed == 1);
  nas_db_close(db);
}

/* Version 3 had no repetitions. */
static void version_3_is_migrated(void **state) {
  (void)state;
  const char *path = fx_path("three.db");
  int from;
  assert_int_equal(
      nas_run(
          NULL, NULL,
          "sqlite3 '%s' < '%s/tests/bench-db/schema_v3.sql' && sqlite3 '%s' \"PRAGMA application_id = 1851880291; "
          "PRAGMA user_version = 3;"
          "INSERT INTO dataset VALUES (1, 'shapes@1', '', 'd', 's', 1, 2, 3, 1, 4, 4, 10, 'train', 'valid', 'test');"
          "INSERT INTO recipe VALUES (1, 'quick@1', '', '');"
          "INSERT INTO campaign VALUES (1, 'c', '', 'toy@1', '', 'train@1', '', 'random@1', '', 7, 'p', 'm', 1, 1, 0);"
          "INSERT INTO event VALUES (1, 1, 5.5, 'begun', NULL, NULL, 'x');"
          "INSERT INTO message VALUES (1, 0, 0, 'prompt', 'y', 3, 0.5);\"",
          path, nas_source_folder(), path),
      0);
  assert_ok(nas_db_migrate(path, &from, nas_test_err()));
  assert_int_equal(from, 3);
  assert_string_equal(fx_shell(path, "SELECT e.kind, e.time, m.text, m.tokens FROM event e, message m"),
                      "begun|5.5|y|3");
}

/* Version 4 had the same tables, and views that hid a published mean beside seeds. */
static void version_4_is_migrated(void **state) {
  (void)state;
  const char *path = fx_path("four.db");
  int from;
  assert_int_equal(
      nas_run(
          NULL, NULL,
          "sqlite3 '%s' < '%s/tests/bench-db/schema_v4.sql' && sqlite3 '%s' \"PRAGMA application_id = 1851880291; "
          "PRAGMA user_version = 4;"
          "INSERT INTO architecture VALUES (1, 'toy@1', '|a~0|', 0, 'A', 0);"
          "INSERT INTO dataset VALUES (1, 'shapes@1', '', 'd', 's', 1, 2, 3, 1, 4, 4, 10, 'train', 'valid', 'test');"
          "INSERT INTO recipe VALUES (1, 'quick@1', '', '');"
          "INSERT INTO campaign VALUES (1, 'c', '', 'toy@1', '', 'train@1', '', 'random@1', '', 7, 'p', 'm', 1, 1, 0);"
          "INSERT INTO trial (id, campaign, number, asked_after, architecture, dataset, recipe, seed, attempt, worker, "
          "outcome, epochs, valid_accuracy) VALUES (1, 1, 0, 0, 1, 1, 1, 5, 1, 1, 'ok', 2, 40), (2, 1, 1, 0, 1, 1, 1, "
          "6, 1, 1, 'ok', 2, 42), (3, 1, 2, 0, 1, 1, 1, NULL, 1, 1, 'ok', 2, 41.5);"
          "INSERT INTO repetition VALUES (1, 3, 0, NULL, 1);\"",
          path, nas_source_folder(), path),
      0);
  const char *means = "SELECT seeds, valid_accuracy_mean FROM per_architecture ORDER BY seeds";
  assert_string_equal(fx_shell(path, means), "2|41.0");
  assert_ok(nas_db_migrate(path, &from, nas_test_err()));
  assert_int_equal(from, 4);
  assert_string_equal(fx_shell(path, "SELECT number, trial FROM repetition"), "3|1");
  assert_string_equal(fx_shell(path, means), "0|41.5\n2|41.0");
  assert_string_equal(fx_shell(path, "SELECT mean_of, valid_accuracy_std IS NULL FROM per_architecture ORDER BY 1"),
                      "published|1\nseeds|0");
}

static void only_tables_are_migrated(void **state) {
  (void)state;
  const char *path = fx_path("foreign.db");
  int from;
  fx_shell(path, "CREATE TABLE t (x)");
  assert_fails(nas_db_migrate(path, &from, nas_test_err()), NAS_E_DB_UNREADABLE, "another program");
  fx_shell(path, "PRAGMA application_id = 1851880291; PRAGMA user_version = 6");
  assert_fails(nas_db_migrate(path, &from, nas_test_err()), NAS_E_DB_VERSION, "newer");
  assert_fails(nas_db_migrate(fx_path("none"), &from, nas_test_err()), NAS_E_NOT_FOUND, "no table");
  make_version_1(fx_path("broken.db"));
  fx_shell(fx_path("broken.db"), "DELETE FROM epoch WHERE epoch = 1");
  assert_fails(nas_db_migrate(fx_path("broken.db"), &from, nas_test_err()), NAS_E_DB_UNREADABLE, "1 of 2 epochs");
  assert_string_equal(fx_shell(fx_path("broken.db"), "PRAGMA user_version"), "1");
}

NAS_SUITE(DbCurve, NAS_CASE(packing_keeps_every_bit), NAS_CASE(packing_is_compact), NAS_CASE(broken_bytes_are_no_curve),
          NAS_CASE(plain_sql_reads_the_same_numbers), NAS_CASE(version_1_is_migrated), NAS_CASE(version_2_is_migrated),
          NAS_CASE(version_3_is_migrated), NAS_CASE(version_4_is_migrated), NAS_CASE(only_tables_are_migrated))
