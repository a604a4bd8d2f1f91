/* What a campaign does when its files are locked, may not be written, or vanish while it runs: it waits with a word, or
 * ends with one, and what was recorded is there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "runs.h"

static const char slow[] =
    "evaluator: {name: noop, epochs: 2, seconds: 0.05}\nstrategy: {name: random, repeats: true}\nname: c\n"
    "budget: {trials: 3}\nrun: {snapshot: 0}\n";

static void expect_in(const char *file, const char *part) {
  char *text = NULL;
  assert_int_equal(nas_run(&text, NULL, "cat '%s'", nas_runs_path(file)), 0);
  if (!text || !strstr(text, part)) fail_msg("no '%s' in %s: %s", part, file, text ? text : "nothing");
  free(text);
}

static void expect_trials(const char *db, size_t wanted) {
  size_t n;
  nas_db_trial *rows = nas_runs_trials(db, &n);
  for (size_t i = 0; i < n; i++) assert_true(rows[i].finished);
  nas_db_trials_free(rows, n);
  assert_int_equal(n, wanted);
}

static void wait_for_word(const char *file, const char *word) {
  for (int i = 0; i < 1500; i++, usleep(20000))
    if (nas_run(NULL, NULL, "grep -qs '%s' '%s'", word, nas_runs_path(file)) == 0) return;
  fail_msg("no '%s' in %s", word, file);
}

/* ---- locks ---- */

static void a_locked_table_is_waited_for_with_a_word(void **state) {
  (void)state;
  nas_db *lock;
  nas_runs_write_noop("c", slow);
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 0);
  assert_ok(nas_db_open(nas_runs_path("c.db"), NAS_DB_WRITE, &lock, nas_test_err()));
  pid_t session = nas_runs_start(0, "", "c", "c", "--resume -o budget.trials=6 2>word");
  wait_for_word("word", "paused: c.db: another process");
  nas_db_close(lock);
  assert_int_equal(nas_runs_wait(session, 60), 0);
  expect_trials("c", 6);
}

static void a_table_that_stays_locked_ends_the_run(void **state) {
  (void)state;
  nas_db *lock;
  char *text;
  nas_runs_write_noop("c", slow);
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 0);
  assert_ok(nas_db_open(nas_runs_path("c.db"), NAS_DB_WRITE, &lock, nas_test_err()));
  assert_int_equal(nas_runs_search(0, "", "c", "c", "--resume -o budget.trials=6 -o run.patience=0.3", &text), 1);
  assert_non_null(strstr(text, "holds the table"));
  free(text);
  nas_db_close(lock);
  expect_trials("c", 3);
  assert_int_equal(nas_runs_search(0, "", "c", "c", "--resume -o budget.trials=6", NULL), 0);
  expect_trials("c", 6);
}

/* ---- permissions ---- */

/* How to run something as somebody whom permissions bind; skips where there is no way. */
static const char *as_somebody(void) {
  if (geteuid() != 0) return "";
  static const char command[] = "setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=/nonexistent";
  if (nas_run(NULL, NULL, "%s test -x '%s'", command, nas_program()) != 0)
    nas_skip("runs as root, and nobody else may run this program here");
  return command;
}

/* A folder `own` of that somebody with the campaign in it. */
static void make_own_folder(void) {
  nas_runs_write_noop("c", slow);
  assert_int_equal(nas_run(NULL, NULL,
                           "cd '%s' && chmod 711 . && mkdir own && mv c.yaml own && chmod 755 own && chmod 644 "
                           "own/c.yaml && if [ $(id -u) = 0 ]; then chown -R 65534:65534 own; fi",
                           nas_test_folder()),
                   0);
}

static int in_own(const char *before, const char *verb, const char *args, char **text) {
  return nas_run(NULL, text, "cd '%s/own' && %s && ASAN_OPTIONS=detect_leaks=0 %s '%s' %s c.yaml --db c.db -q %s",
                 nas_test_folder(), before, as_somebody(), nas_program(), verb, args);
}

static void expect_words(int code, int wanted, char *text, const char *part) {
  if (code != wanted || !strstr(text, part)) fail_msg("status %d, '%s' in: %s", code, part, text);
  free(text);
}

static void a_table_that_may_not_be_written_is_said(void **state) {
  (void)state;
  char *text;
  as_somebody();
  make_own_folder();
  int code = in_own("chmod 555 .", "search", "", &text);
  expect_words(code, 1, text, "c.db: cannot make a table in this folder: Permission denied");
  assert_int_equal(in_own("chmod 755 .", "search", "", NULL), 0);
  code = in_own("chmod 444 c.db", "search", "--resume -o budget.trials=6", &text);
  expect_words(code, 1, text, "c.db: the table cannot be written: the file or the medium is read-only");
  code = in_own("chmod 644 c.db; chmod 555 .", "search", "--resume -o budget.trials=6", &text);
  expect_words(code, 1, text, "c.db: cannot open the table: the file, its folder or the medium is read-only");
  expect_trials("own/c", 3);
  if (nas_run(NULL, NULL, "command -v mpirun") == 0) { /* that it had finished with 3 is no success of this run */
    code = in_own("export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "run",
                  "-n 2 --restarts 0 -o budget.trials=6", &text);
    expect_words(code, 1, text, "3 trials are on record");
  }
  assert_int_equal(in_own("chmod 755 .", "search", "--resume -o budget.trials=6", NULL), 0);
  expect_trials("own/c", 6);
}

/* The run has its files open and goes on; in the end it cannot put the table together, and the next one does. */
static void a_folder_that_becomes_read_only_loses_nothing(void **state) {
  (void)state;
  char *text;
  as_somebody();
  make_own_folder();
  int code = in_own("{ (while ! [ -s c.db.work/heartbeat.json ]; do sleep 0.02; done; chmod 555 .) & }", "search",
                    "-o budget.trials=40", &text);
  expect_words(code, 1, text, "copy both files into a writable folder");
  assert_int_equal(nas_run(NULL, NULL, "chmod 755 '%s'", nas_runs_path("own")), 0);
  expect_trials("own/c", 40);
  assert_int_equal(in_own("true", "search", "--resume -o budget.trials=42", NULL), 0);
  expect_trials("own/c", 42);
}

/* ---- what vanishes ---- */

static void logs_that_vanish_are_begun_anew(void **state) {
  (void)state;
  nas_runs_write_noop("c", slow);
  nas_folder_make(nas_runs_path("top"), nas_test_err());
  pid_t session = nas_runs_start(0, "", "c", "c", "-o budget.trials=1000 -o run.log=top/logs 2>word");
  nas_runs_await_done("c", 3, 60);
  assert_int_equal(rename(nas_runs_path("top/logs"), nas_runs_path("away")), 0);
  nas_runs_await_done("c", 20, 60);
  assert_true(nas_file_exists(nas_runs_path("top/logs/c.rank0.jsonl")));
  assert_int_equal(rename(nas_runs_path("top"), nas_runs_path("gone")), 0); /* now it cannot be made */
  wait_for_word("word", "the log cannot be opened (No such file or directory); the campaign goes on");
  assert_int_equal(nas_run(NULL, NULL, "pkill -TERM -o -s %ld -x nascent", (long)session), 0);
  assert_int_equal(nas_runs_wait(session, 60), 75);
}

static void a_working_folder_that_vanishes_is_made_again(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  nas_runs_write_noop("c", slow);
  pid_t session = nas_runs_start(3, "", "c", "c", "-o budget.trials=100");
  nas_runs_await_done("c", 3, 60);
  assert_int_equal(rename(nas_runs_path("c.db.work"), nas_runs_path("away")), 0);
  nas_runs_await_done("c", 30, 60);
  assert_int_equal(nas_runs_wait(session, 60), 0);
  expect_trials("c", 100);
}

/* Removed, or replaced by an old copy: the run ends, and all that it recorded is in a file again. */
static void a_table_that_vanishes_is_written_again(void **state) {
  (void)state;
  static const char *const deeds[] = {"rm c.db", "cp c.db old && mv old c.db"};
  static const char *const files[] = {"c", "c.db.rescued"}, *const words[] = {"was removed", "was replaced"};
  nas_runs_write_noop("c", slow);
  for (int i = 0; i < 2; i++) {
    pid_t session = nas_runs_start(0, "", "c", "c", "--resume -o budget.trials=200 2>word");
    nas_runs_await_done("c", 10, 60);
    assert_int_equal(nas_run(NULL, NULL, "cd '%s' && %s", nas_test_folder(), deeds[i]), 0);
    assert_int_equal(nas_runs_wait(session, 60), 1);
    expect_in("word", words[i]);
    if (i == 1) assert_int_equal(nas_run(NULL, NULL, "cd '%s' && mv %s c.db", nas_test_folder(), files[i]), 0);
    size_t n;
    nas_db_trial *rows = nas_runs_trials("c", &n);
    nas_db_trials_free(rows, n);
    assert_in_range(n, 10, 200);
  }
  assert_int_equal(nas_runs_search(0, "", "c", "c", "--resume -o budget.trials=60 -o evaluator.seconds=0.05", NULL), 0);
  assert_int_equal(nas_run(NULL, NULL, "cd '%s' && '%s' db verify c.db", nas_test_folder(), nas_program()), 0);
}

NAS_SUITE(Storage, NAS_CASE(a_locked_table_is_waited_for_with_a_word), NAS_CASE(a_table_that_stays_locked_ends_the_run),
          NAS_CASE(a_table_that_may_not_be_written_is_said), NAS_CASE(a_folder_that_becomes_read_only_loses_nothing),
          NAS_CASE(logs_that_vanish_are_begun_anew), NAS_CASE(a_working_folder_that_vanishes_is_made_again),
          NAS_CASE(a_table_that_vanishes_is_written_again))
