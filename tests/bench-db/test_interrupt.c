/* kill -9 at many points of an import and of a merge: the table is as it was or has all of it, and verifies. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "bench-db/import.h"
#include "bench-db/merge.h"
#include "bench-db/publish.h"
#include "bench-db/query.h"
#include "fixture.h"

enum { KILLS = 50, BITS = 8, ROWS = 1 << BITS, BEFORE = 5 };

static const char map_text[] =
    "space: {declared: bits, ops: [a, b], positions: 8, form: digits}\narch: net\nrows:\n  - "
    "{dataset: d, epochs: 3, seed: 1, valid_accuracy: v}\n";

static void write_inputs(void) {
  nas_str csv = {0};
  nas_str_add(&csv, "net,v\n");
  for (int i = 0; i < ROWS; i++) {
    for (int b = BITS - 1; b >= 0; b--) nas_str_add(&csv, i >> b & 1 ? "1" : "0");
    nas_str_fmt(&csv, ",%d.25\n", i % 100);
  }
  assert_ok(nas_file_write_atomic(fx_path("a.csv"), csv.s, csv.len, nas_test_err()));
  assert_ok(nas_file_write_atomic(fx_path("m.yaml"), map_text, sizeof map_text - 1, nas_test_err()));
  nas_str_free(&csv);
}

static nas_status import_into(const char *path) {
  char csv[512], map[512];
  nas_db *db;
  nas_import_counts counts;
  snprintf(csv, sizeof csv, "%s", fx_path("a.csv"));
  snprintf(map, sizeof map, "%s", fx_path("m.yaml"));
  const nas_import job = {.file = csv, .map = map, .strict = true};
  nas_status status = nas_db_open(path, NAS_DB_WRITE, &db, NULL);
  if (status == NAS_OK) status = nas_db_import(db, &job, &counts, NULL);
  nas_db_close(db);
  return status;
}

static int64_t sound_trials(const char *path) {
  nas_db *db;
  nas_rows problems = {0};
  nas_db_facts facts;
  int n;
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
  assert_ok(nas_db_verify(db, &problems, &n, nas_test_err()));
  if (problems.n) fail_msg("%s", nas_rows_at(&problems, 0, "what")->text);
  assert_ok(nas_db_facts_read(db, &facts, nas_test_err()));
  nas_rows_free(&problems);
  nas_db_close(db);
  return facts.trials;
}

/* Runs `work` in a child and kills it after `seconds`. True: it was killed before its end. */
static bool kill_after(int (*work)(void), double seconds) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(work());
  usleep((useconds_t)(1e6 * seconds));
  kill(child, SIGKILL);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) return true;
  assert_int_equal(WEXITSTATUS(status), 0);
  return false;
}

/* Random instants, the same in each run; the first is at once. */
static double point(int i) { return i ? nas_rng_unit(nas_rng_make(20261127, 0, NAS_STREAM_RESAMPLE), (uint64_t)i) : 0; }

static char target[512];

static int do_import(void) { return import_into(target) == NAS_OK ? 0 : 1; }

static void import_is_all_or_nothing(void **state) {
  (void)state;
  write_inputs();
  snprintf(target, sizeof target, "%s", fx_path("timing.db"));
  fx_table(target, BEFORE);
  double start = nas_clock();
  assert_int_equal(do_import(), 0);
  double whole = nas_clock() - start;
  assert_int_equal(sound_trials(target), BEFORE + ROWS);
  int killed = 0;
  snprintf(target, sizeof target, "%s", fx_path("t.db"));
  fx_table(target, BEFORE);
  for (int i = 0; i < KILLS; i++) {
    bool early = kill_after(do_import, 1.1 * whole * point(i));
    int64_t n = sound_trials(target);
    if (n != BEFORE && n != BEFORE + ROWS) fail_msg("kill %d left %lld trials", i, (long long)n);
    if (!early) assert_int_equal(n, BEFORE + ROWS);
    killed += early;
    if (n == BEFORE) continue;
    remove(target);
    fx_table(target, BEFORE);
  }
  assert_true(killed > 0);
}

static int do_merge(void) {
  char a[512];
  nas_db_merge_counts counts;
  snprintf(a, sizeof a, "%s", fx_path("a.db"));
  const char *from[] = {a, fx_path("b.db")};
  return nas_db_merge(from, 2, target, &counts, NULL) == NAS_OK ? 0 : 1;
}

static void merge_is_all_or_nothing(void **state) {
  (void)state;
  write_inputs();
  fx_table(fx_path("a.db"), BEFORE);
  assert_ok(import_into(fx_path("a.db")));
  fx_table(fx_path("b.db"), 40);
  snprintf(target, sizeof target, "%s", fx_path("c.db"));
  double start = nas_clock();
  assert_int_equal(do_merge(), 0);
  double whole = nas_clock() - start;
  int64_t all = sound_trials(target);
  int killed = 0;
  for (int i = 0; i < KILLS; i++) {
    remove(target);
    bool early = kill_after(do_merge, 1.1 * whole * point(i));
    if (nas_file_exists(target)) assert_int_equal(sound_trials(target), all);
    else assert_true(early);
    killed += early;
  }
  assert_true(killed > 0);
  assert_int_equal(sound_trials(fx_path("a.db")), BEFORE + ROWS);
  assert_int_equal(sound_trials(fx_path("b.db")), 40);
}

static void two_writers_and_writing_sql(void **state) {
  (void)state;
  char *talk = NULL;
  int64_t campaign;
  if (!nas_file_exists(nas_program())) nas_skip("the program is not built: cmake --build ... --target nascent");
  write_inputs();
  nas_db *db = fx_open(fx_path("held.db"), &campaign);
  int code = nas_run(NULL, &talk, "cd '%s' && '%s' db import a.csv --map m.yaml --db held.db", nas_test_folder(),
                     nas_program());
  if (code != 4 || !strstr(talk, "another process")) fail_msg("exit %d: %s", code, talk);
  free(talk);
  assert_int_equal(nas_run(NULL, NULL, "cd '%s' && '%s' db merge held.db -o c.db", nas_test_folder(), nas_program()),
                   4);
  nas_db_close(db);
  static const char *const writes[] = {"DELETE FROM trial",
                                       "PRAGMA user_version = 9",
                                       "ATTACH 'x.db' AS x",
                                       "VACUUM",
                                       "CREATE TEMP TABLE t (x)",
                                       "SELECT 1; DROP TABLE trial",
                                       "WITH a AS (SELECT 1) INSERT INTO recipe SELECT 1, 'a', 'b', 'c'",
                                       "VACUUM INTO 'x.db'"};
  for (size_t i = 0; i < sizeof writes / sizeof *writes; i++)
    assert_int_equal(
        nas_run(NULL, NULL, "cd '%s' && '%s' db sql held.db \"%s\"", nas_test_folder(), nas_program(), writes[i]), 2);
  assert_int_equal(nas_run(NULL, NULL, "ls '%s' | grep -q x.db", nas_test_folder()), 1);
}

static void a_slim_table_and_its_card(void **state) {
  (void)state;
  nas_db *db;
  int64_t campaign, trial;
  nas_str card = {0};
  db = fx_open(fx_path("t.db"), &campaign);
  for (uint64_t i = 0; i < 4; i++) fx_add(db, campaign, i, 3);
  nas_db_ask ask = fx_ask(campaign, 4);
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  const nas_db_event begun = {campaign, "begun", "x", 0, -1};
  assert_ok(nas_db_event_add(db, &begun, nas_test_err()));
  nas_db_close(db);
  assert_ok(nas_db_open(fx_path("t.db"), NAS_DB_READ, &db, nas_test_err()));
  const nas_db_publication how = {.title = "A table", .license = "CC-BY-4.0"};
  assert_ok(nas_db_publish(db, fx_path("slim one.db"), &how, &card, nas_test_err()));
  assert_fails(nas_db_publish(db, fx_path("slim one.db"), &how, &card, nas_test_err()), NAS_E_BAD_INPUT, "already");
  nas_db_close(db);
  char digest[NAS_DIGEST_SIZE];
  assert_ok(nas_digest_file(fx_path("slim one.db"), digest, nas_test_err()));
  const char *wanted[] = {digest, "# A table", "| license | CC-BY-4.0 |", "| toy@1 | 4 | 4 | 4 | 4 |",
                          "| shapes@1 | train | valid | test | quick@1 | 3 | 1 | 4 | 4 |"};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    if (!strstr(card.s, wanted[i])) fail_msg("no '%s' in %s", wanted[i], card.s);
  nas_str_free(&card);
  assert_int_equal(sound_trials(fx_path("slim one.db")), 4);
  assert_string_equal(fx_shell(fx_path("slim one.db"), "SELECT count(*) FROM event"), "0");
  assert_int_equal(access(fx_path("slim one.db"), X_OK), -1);
}

NAS_SUITE(DbInterrupt, NAS_CASE(import_is_all_or_nothing), NAS_CASE(merge_is_all_or_nothing),
          NAS_CASE(two_writers_and_writing_sql), NAS_CASE(a_slim_table_and_its_card))
