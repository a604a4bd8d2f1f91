/* Campaigns that are killed, stopped, and gone on with. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "runs.h"

static void rest(double seconds) {
  nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
}

static size_t finished(const char *db) {
  size_t n, k = 0;
  char file[64];
  snprintf(file, sizeof file, "%s.db", db);
  nas_db *open;
  nas_db_campaign *campaign;
  nas_err err;
  if (!nas_file_exists(nas_runs_path(file))) return 0;
  if (nas_db_open(nas_runs_path(file), NAS_DB_READ, &open, &err) != NAS_OK) return 0;
  nas_status status = nas_db_campaign_load(open, 0, &campaign, &err);
  nas_db_close(open);
  if (status != NAS_OK) return 0;
  nas_db_campaign_free(campaign);
  nas_db_trial *rows = nas_runs_trials(db, &n);
  for (size_t i = 0; i < n; i++) k += rows[i].finished;
  nas_db_trials_free(rows, n);
  return k;
}

/* Kills everything at `kills` random moments, goes on each time, and compares the end with the quiet run. A machine so
 * quick that the campaign is over before the last of them has nothing left to kill. */
static void kill_and_compare(int ranks, const char *strategy, int kills, uint64_t seed) {
  enum { TRIALS = 60 };
  char more[256], *expected, *table;
  snprintf(more, sizeof more, "strategy: %s\nbudget: {trials: %d}\nseed: 2\ntrial: {reuse: 5}\n", strategy, TRIALS);
  nas_runs_write_train("c", more);
  assert_int_equal(nas_runs_search(0, "", "c", "quiet", "", NULL), 0);
  expected = nas_runs_table("quiet");
  nas_rng rng = nas_rng_make(seed, 0, NAS_STREAM_SAMPLE);
  size_t before = 0;
  for (int i = 0; i < kills && before < TRIALS; i++) {
    pid_t session = nas_runs_start(ranks, "NASCENT_TEST_DELAY_MS=100", "c", "killed", "--resume");
    nas_runs_await_done("killed", 0, 60);
    rest(0.7 * nas_rng_unit(rng, (uint64_t)i));
    nas_runs_kill(session);
    size_t now = finished("killed");
    assert_true(now >= before);            /* nothing recorded is lost */
    if (i == 0) assert_true(now < TRIALS); /* the kill came in the middle */
    before = now;
  }
  print_message("%zu trials were finished after %d kills\n", before, kills);
  assert_int_equal(nas_runs_search(ranks, "", "c", "killed", "--resume", NULL), 0);
  table = nas_runs_table("killed");
  assert_string_equal(table, expected);
  free(table);
  free(expected);
}

static void random_search_alone_ends_in_the_same_table(void **state) {
  (void)state;
  kill_and_compare(0, "{name: random, repeats: true}", 5, 1);
}

static void random_search_over_ranks_ends_in_the_same_table(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  kill_and_compare(3, "{name: random, repeats: true}", 5, 2);
}

static void evolution_on_one_worker_ends_in_the_same_table(void **state) {
  (void)state;
  kill_and_compare(0, "{name: regularized-evolution, population: 4, sample: 2}", 5, 3);
}

static void evolution_on_one_worker_rank_ends_in_the_same_table(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  kill_and_compare(2, "{name: regularized-evolution, population: 4, sample: 2}", 3, 4);
}

/* Evolution on several workers depends on who was faster, but what is recorded must replay. */
static void evolution_over_ranks_replays_its_own_record(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  nas_runs_write_noop("c", "strategy: {name: regularized-evolution, population: 4, sample: 2}\nbudget: {trials: 40}\n");
  for (int i = 0; i < 3; i++) {
    pid_t session = nas_runs_start(4, "NASCENT_TEST_DELAY_MS=80", "c", "c", "--resume");
    rest(0.9);
    nas_runs_kill(session);
  }
  assert_int_equal(nas_runs_search(4, "", "c", "c", "--resume", NULL), 0);
  assert_int_equal(finished("c"), 40);
}

static void an_unfinished_campaign_asks_for_resume(void **state) {
  (void)state;
  char *text = NULL;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 50}\nevaluator: {name: noop, seconds: 0.1}\n");
  pid_t session = nas_runs_start(0, "", "c", "c", "");
  nas_runs_await_done("c", 1, 60);
  nas_runs_kill(session);
  size_t before = finished("c");
  assert_in_range(before, 1, 49);
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", &text), 2);
  assert_non_null(strstr(text, "--resume"));
  assert_int_equal(finished("c"), before);
  free(text);
}

static void stop_with(int number, int status, int ranks) {
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 20}\nevaluator: {name: noop, seconds: 0.15}\n");
  pid_t session = nas_runs_start(ranks, "", "c", "c", "");
  nas_runs_await_done("c", 1, 60);
  kill(session, number);
  assert_int_equal(nas_runs_wait(session, 30), status);
  size_t before = finished("c");
  assert_in_range(before, 1, 19);
  assert_int_equal(nas_runs_search(0, "", "c", "c", "--resume -o evaluator.seconds=0.15", NULL), 0);
  assert_int_equal(finished("c"), 20);
}

static void sigterm_stops_cleanly(void **state) {
  (void)state;
  stop_with(SIGTERM, 75, 0);
}

static void sigint_stops_cleanly(void **state) {
  (void)state;
  stop_with(SIGINT, 130, 0);
}

static void sigusr1_stops_every_rank_cleanly(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  stop_with(SIGUSR1, 75, 3); /* mpirun passes it on */
}

static void another_configuration_is_refused(void **state) {
  (void)state;
  const struct {
    const char *args, *part;
  } cases[] = {{"-o seed=9", "the table has seed=0, the file says 9"},
               {"-o strategy.repeats=true", "strategy.repeats=false"},
               {"-o space.channels=4", "space.channels=2"},
               {"-o recipe.lr=0.5", "recipe.lr"},
               {"-o trial.seconds=5", "trial.seconds"},
               {"-o strategy=regularized-evolution", "strategy.name=random"},
               {"-o evaluator=train", "evaluator.name=noop"}};
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 3}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *text = NULL, args[128];
    snprintf(args, sizeof args, "--resume -o budget.trials=5 %s", cases[i].args);
    assert_int_equal(nas_runs_search(0, "", "c", "c", args, &text), 1);
    if (!strstr(text, cases[i].part)) fail_msg("no '%s' in %s", cases[i].part, text);
    free(text);
  }
  assert_int_equal(finished("c"), 3);
  assert_int_equal(nas_runs_search(0, "", "c", "c", "--resume -o budget.trials=5 -o trial.reuse=1", NULL), 0);
  assert_int_equal(finished("c"), 5); /* a budget may grow */
}

/* A recorded proposal that the strategy would not make is reported, not continued. */
static void a_table_that_does_not_replay_is_refused(void **state) {
  (void)state;
  char *text = NULL;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 4}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 0);
  if (nas_run(NULL, NULL, "command -v sqlite3") != 0) nas_skip("no sqlite3");
  assert_int_equal(nas_run(NULL, NULL, "sqlite3 '%s' 'UPDATE trial SET seed = 77 WHERE id = 3'", nas_runs_path("c.db")),
                   0);
  assert_int_equal(nas_runs_search(0, "", "c", "c", "--resume -o budget.trials=6", &text), 1);
  if (!strstr(text, "trial 3: the table has ")) fail_msg("%s", text);
  free(text);
}

/* Test accuracy is recorded and never shown to a strategy: with other figures in its column the search goes on alike.
 */
static void test_accuracy_does_not_steer_the_search(void **state) {
  (void)state;
  if (nas_run(NULL, NULL, "command -v sqlite3") != 0) nas_skip("no sqlite3");
  size_t n[2];
  nas_runs_write_noop("c", "strategy: {name: regularized-evolution, population: 4, sample: 3}\nbudget: {trials: 30}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "a", "", NULL), 0);
  assert_int_equal(nas_runs_search(0, "", "c", "b", "-o budget.trials=15", NULL), 0);
  /* In the packed curves the headers of both test figures become those of both training figures. */
  assert_int_equal(nas_run(NULL, NULL,
                           "sqlite3 '%s' 'UPDATE trial SET test_accuracy = id %% 7, test_loss = 0; "
                           "UPDATE learning_curve SET data = cast(substr(data, 1, 128) || substr(data, 1, 64) || "
                           "substr(data, 193) AS BLOB)'",
                           nas_runs_path("b.db")),
                   0);
  assert_int_equal(nas_runs_search(0, "", "c", "b", "--resume", NULL), 0);
  nas_db_trial *a = nas_runs_trials("a", &n[0]), *b = nas_runs_trials("b", &n[1]);
  assert_int_equal(n[0], 30);
  assert_int_equal(n[1], 30);
  for (size_t i = 0; i < 30; i++) assert_string_equal(a[i].arch, b[i].arch);
  nas_db_trials_free(a, n[0]);
  nas_db_trials_free(b, n[1]);
}

/* The disk fills in the middle. Without patience: one clear line, and a run after there is room again ends as it
 * should. With it: the run waits until there is room. */
static void a_full_disk_loses_nothing(void **state) {
  (void)state;
  char *out = NULL, *text = NULL;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 1000}\n");
  int status = nas_run(&out, &text,
                       "cd '%s' && mkdir disk && exec unshare -m bash -c \""
                       "mount -t tmpfs -o size=400k none disk || exit 99; "
                       "'%s' search c.yaml -q --db disk/c.db -o run.patience=0.3 > /dev/null; echo \\$?; "
                       "(for i in {1..600}; do grep -qs paused word && break; sleep 0.1; done; "
                       "mount -o remount,size=50m disk) & "
                       "'%s' search c.yaml -q --db disk/c.db --resume > /dev/null 2>word; echo \\$?; cp disk/c.db .; "
                       "cat word >&2\"",
                       nas_test_folder(), nas_program(), nas_program());
  if (status == 99 || !strstr(out, "1\n")) {
    char why[201];
    snprintf(why, sizeof why, "%s", text);
    free(out);
    free(text);
    nas_skip("cannot mount a small file system here: %s", why);
  }
  assert_string_equal(out, "1\n0\n");
  assert_non_null(strstr(text, "the disk is full"));
  assert_non_null(strstr(text, "paused: "));
  assert_non_null(strstr(text, "going on"));
  assert_int_equal(finished("c"), 1000);
  free(out);
  free(text);
}

NAS_SUITE(Resume, NAS_CASE(random_search_alone_ends_in_the_same_table),
          NAS_CASE(random_search_over_ranks_ends_in_the_same_table),
          NAS_CASE(evolution_on_one_worker_ends_in_the_same_table),
          NAS_CASE(evolution_on_one_worker_rank_ends_in_the_same_table),
          NAS_CASE(evolution_over_ranks_replays_its_own_record), NAS_CASE(an_unfinished_campaign_asks_for_resume),
          NAS_CASE(sigterm_stops_cleanly), NAS_CASE(sigint_stops_cleanly), NAS_CASE(sigusr1_stops_every_rank_cleanly),
          NAS_CASE(another_configuration_is_refused), NAS_CASE(a_table_that_does_not_replay_is_refused),
          NAS_CASE(test_accuracy_does_not_steer_the_search), NAS_CASE(a_full_disk_loses_nothing))
