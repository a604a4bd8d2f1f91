/* Campaigns in one process and over ranks. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "runs.h"

static void assert_one_line(const char *text, const char *part) {
  if (!text || !strstr(text, part)) fail_msg("no '%s' in: %s", part, text ? text : "nothing");
}

static size_t trials_in(const char *db) {
  size_t n;
  nas_db_trial *rows = nas_runs_trials(db, &n);
  nas_db_trials_free(rows, n);
  return n;
}

static size_t count(const char *text, const char *part) {
  size_t n = 0;
  for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) n++;
  return n;
}

/* ---- alone ---- */

static void trains_and_records_alone(void **state) {
  (void)state;
  size_t n;
  nas_runs_write_train("c", "strategy: random\nbudget: {trials: 4}\nseed: 5\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 0);
  nas_db_trial *rows = nas_runs_trials("c", &n);
  assert_int_equal(n, 4);
  for (size_t i = 0; i < n; i++) {
    assert_true(rows[i].finished);
    assert_int_equal(rows[i].result.outcome, NAS_OUTCOME_OK);
    assert_int_equal(rows[i].seed, 5); /* no architecture twice: the campaign's seed */
    assert_int_equal(rows[i].attempt, 1);
    assert_int_equal(rows[i].result.n_epochs, 2);
    assert_true(rows[i].params > 0 && rows[i].macs > 0);
    assert_true(rows[i].class_id >= 0 && rows[i].index >= 0);
    assert_true(nas_result_metric(&rows[i].result, "params") == (double)rows[i].params);
  }
  nas_db_trials_free(rows, n);
}

/* Two asks of one architecture are two experiments: the second has the next seed. */
static void a_repeated_architecture_gets_the_next_seed(void **state) {
  (void)state;
  size_t n;
  nas_runs_write_noop("c",
                      "strategy: {name: regularized-evolution, population: 2, sample: 1, identity: 1}\n"
                      "budget: {trials: 12}\nseed: 100\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 0);
  nas_db_trial *rows = nas_runs_trials("c", &n);
  int repeated = 0;
  for (size_t i = 0; i < n; i++) {
    uint64_t before = 0;
    for (size_t k = 0; k < i; k++) before += strcmp(rows[k].arch, rows[i].arch) == 0;
    assert_int_equal(rows[i].seed, 100 + before);
    repeated += before > 0;
  }
  assert_int_equal(repeated, 10);
  nas_db_trials_free(rows, n);
}

static void ends_by_epochs_and_by_seconds(void **state) {
  (void)state;
  nas_runs_write_train("e", "strategy: random\nbudget: {epochs: 7}\n");
  assert_int_equal(nas_runs_search(0, "", "e", "e", "", NULL), 0);
  assert_int_equal(trials_in("e"), 4); /* of two epochs each */
  nas_runs_write_noop("s", "strategy: random\nbudget: {seconds: 1}\nevaluator: {name: noop, seconds: 0.2}\n");
  double begun = nas_clock();
  assert_int_equal(nas_runs_search(0, "", "s", "s", "", NULL), 0);
  assert_true(nas_clock() - begun >= 1);
  assert_in_range(trials_in("s"), 2, 6);
}

static void resuming_a_finished_campaign_does_nothing(void **state) {
  (void)state;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 3}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 0);
  char *before = nas_runs_table("c");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "--resume", NULL), 0);
  char *after = nas_runs_table("c");
  assert_string_equal(before, after);
  free(before);
  free(after);
}

static void one_table_takes_a_second_campaign_after_the_first_has_finished(void **state) {
  (void)state;
  char *text = NULL;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 3}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 0);
  assert_int_equal(nas_runs_search(0, "", "c", "c", "-o seed=1", NULL), 0);
  size_t n;
  nas_db_trial *rows = nas_runs_trials("c", &n);
  assert_int_equal(n, 3);
  assert_int_equal(rows[0].campaign, 2);
  nas_db_trials_free(rows, n);
  free(text);
}

static void prints_a_leaderboard_and_json(void **state) {
  (void)state;
  char *out = NULL;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 12}\n");
  assert_int_equal(nas_run(&out, NULL, "cd '%s' && '%s' search c.yaml", nas_test_folder(), nas_program()), 0);
  assert_one_line(out, "valid_accuracy");
  assert_int_equal(count(out, "\n"), 11);
  free(out);
  assert_true(nas_file_exists(nas_runs_path("c.db"))); /* named after the campaign */
  assert_int_equal(
      nas_run(&out, NULL, "cd '%s' && '%s' search c.yaml --db j.db --json", nas_test_folder(), nas_program()), 0);
  assert_memory_equal(out, "{\"schema\": \"nascent.search\"", 27);
  assert_one_line(out, "\"outcomes\": {\"ok\": 12");
  free(out);
}

static void strategies_are_listed_and_explained(void **state) {
  (void)state;
  char *out = NULL, *text = NULL;
  assert_int_equal(nas_run(&out, NULL, "'%s' strategy list --json", nas_program()), 0);
  assert_one_line(out, "{\"schema\": \"nascent.strategy-list\"");
  assert_one_line(out, "\"regularized-evolution\"");
  free(out);
  assert_int_equal(nas_run(&out, NULL, "'%s' strategy info regularized-evolution", nas_program()), 0);
  assert_one_line(out, "Real et al.");
  assert_one_line(out, "population");
  free(out);
  assert_int_equal(nas_run(NULL, &text, "'%s' strategy info randon", nas_program()), 2);
  assert_one_line(text, "did you mean 'random'");
  free(text);
}

/* ---- bad input ---- */

static void refuses_bad_command_lines_and_places(void **state) {
  (void)state;
  const struct {
    const char *args, *part;
    int status;
  } cases[] = {{"-o budget.trials=0", "the budget is empty", 2},
               {"-o strategy.popluation=3", "no option", 2},
               {"-o dataset=no-such", "no-such", 2},
               {"-o dataset=cifar10 --data-dir /nonexistent", "cifar10", 2},
               {"--db /nonexistent/folder/x.db", "/nonexistent/folder/x.db", 2},
               {"--db /dev/null/x.db", "/dev/null/x.db", 1},
               {"--wrong", "--wrong", 2},
               {"extra", "extra", 2}};
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 2}\n");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *text = NULL;
    int status = nas_runs_search(0, "NASCENT_CACHE=/nonexistent", "c", "c", cases[i].args, &text);
    assert_one_line(text, cases[i].part);
    assert_int_equal(count(text, "\n"), 1);
    if (i != 5) assert_int_equal(status, cases[i].status);
    free(text);
  }
}

static void refuses_a_table_that_is_none(void **state) {
  (void)state;
  char *text = NULL;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 2}\n");
  assert_ok(nas_file_write_atomic(nas_runs_path("c.db"), "this is no table at all, but long enough to be read", 51,
                                  nas_test_err()));
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", &text), 4);
  assert_one_line(text, "c.db");
  free(text);
}

/* ---- outcomes ---- */

static void expect_outcomes(const char *db, nas_outcome outcome, int attempts, const char *cause) {
  size_t n;
  nas_db_trial *rows = nas_runs_trials(db, &n);
  int failed = 0;
  assert_int_equal(n, 6);
  for (size_t i = 0; i < n; i++) {
    assert_true(rows[i].finished);
    if (rows[i].result.outcome == NAS_OUTCOME_OK) continue;
    failed++;
    assert_int_equal(rows[i].result.outcome, outcome);
    assert_int_equal(rows[i].attempt, attempts);
    assert_one_line(rows[i].result.cause.msg, cause);
  }
  assert_in_range(failed, 1, 5); /* some fail, and the others go on */
  nas_db_trials_free(rows, n);
}

static void run_failing(const char *fail, const char *more, nas_outcome outcome, int attempts, const char *cause) {
  char args[256];
  snprintf(args, sizeof args, "-o evaluator.fail=%s -o evaluator.fail-rate=0.5 %s", fail, more);
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 6}\n");
  assert_int_equal(nas_runs_search(0, "", "c", fail, args, NULL), 3);
  expect_outcomes(fail, outcome, attempts, cause);
}

static void a_crash_is_tried_twice_and_recorded(void **state) {
  (void)state;
  run_failing("crash", "", NAS_OUTCOME_CRASHED, 2, "SIGSEGV");
}

static void a_hanging_trial_is_killed(void **state) {
  (void)state;
  run_failing("hang", "-o trial.seconds=0.2", NAS_OUTCOME_TIMEOUT, 1, "limit 0.2 s");
}

static void a_slow_trial_stops_by_itself(void **state) {
  (void)state;
  size_t n;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 2}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "-o evaluator.seconds=30 -o trial.seconds=0.3", NULL), 3);
  nas_db_trial *rows = nas_runs_trials("c", &n);
  for (size_t i = 0; i < n; i++) assert_int_equal(rows[i].result.outcome, NAS_OUTCOME_TIMEOUT);
  nas_db_trials_free(rows, n);
}

static void a_memory_hog_runs_out_of_memory(void **state) {
  (void)state;
#if NAS_TEST_SANITIZED
  nas_skip("the address sanitizer has its own idea of memory");
#endif
  run_failing("hog", "-o trial.memory=64MiB", NAS_OUTCOME_OUT_OF_MEMORY, 1, "memory limit");
}

static void divergence_and_errors_are_outcomes(void **state) {
  (void)state;
  run_failing("diverge", "", NAS_OUTCOME_DIVERGED, 1, "fail=diverge");
  run_failing("error", "", NAS_OUTCOME_CRASHED, 1, "fail=error");
}

static void a_network_that_does_not_fit_is_rejected_with_a_number(void **state) {
  (void)state;
  size_t n;
  nas_runs_write_train("c", "strategy: random\nbudget: {trials: 2}\ntrial: {memory: 10KiB}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 3);
  nas_db_trial *rows = nas_runs_trials("c", &n);
  for (size_t i = 0; i < n; i++) assert_int_equal(rows[i].result.outcome, NAS_OUTCOME_REJECTED);
  nas_db_trials_free(rows, n);
}

static void processes_are_replaced_after_their_share(void **state) {
  (void)state;
  nas_runs_write_train("c", "strategy: random\nbudget: {trials: 5}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "one", "-o trial.reuse=1", NULL), 0);
  assert_int_equal(nas_runs_search(0, "", "c", "all", "", NULL), 0);
  char *one = nas_runs_table("one"), *all = nas_runs_table("all");
  assert_string_equal(one, all);
  free(one);
  free(all);
}

/* ---- several ranks ---- */

static void the_table_does_not_depend_on_the_number_of_ranks(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  const char *const delays[] = {"", "NASCENT_TEST_DELAY_MS=60"};
  const int ranks[] = {1, 2, 3, 5};
  nas_runs_write_train("c", "strategy: {name: random, repeats: true}\nbudget: {trials: 10}\nseed: 3\n");
  assert_int_equal(nas_runs_search(0, "", "c", "alone", "", NULL), 0);
  char *expected = nas_runs_table("alone");
  assert_int_equal(count(expected, "\n"), 10);
  for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++)
    for (size_t d = 0; d < 2; d++) {
      char db[32];
      snprintf(db, sizeof db, "r%d-%zu", ranks[i], d);
      assert_int_equal(nas_runs_search(ranks[i], delays[d], "c", db, "", NULL), 0);
      char *table = nas_runs_table(db);
      assert_string_equal(table, expected);
      free(table);
    }
  free(expected);
}

static void every_worker_takes_part(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  size_t n;
  bool seen[4] = {false};
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 12}\n");
  assert_int_equal(nas_runs_search(4, "", "c", "c", "-o evaluator.seconds=0.2", NULL), 0);
  nas_db_trial *rows = nas_runs_trials("c", &n);
  for (size_t i = 0; i < n; i++) {
    assert_in_range(rows[i].worker, 1, 3);
    seen[rows[i].worker] = true;
  }
  assert_true(seen[1] && seen[2] && seen[3]);
  nas_db_trials_free(rows, n);
}

static void failures_over_ranks_are_recorded_too(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 6}\n");
  assert_int_equal(nas_runs_search(3, "", "c", "crash", "-o evaluator.fail=crash -o evaluator.fail-rate=0.5", NULL), 3);
  expect_outcomes("crash", NAS_OUTCOME_CRASHED, 2, "SIGSEGV");
}

/* Every rank meets the same mistake: one says so, and none hangs. */
static void mistakes_are_told_once(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  const char *const args[] = {"-o strategy.popluation=3", "--wrong", "--db /nonexistent/folder/x.db"};
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 6}\n");
  for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
    char *text = NULL;
    assert_int_equal(nas_runs_search(3, "", "c", "c", args[i], &text), 2);
    assert_int_equal(count(text, "nascent: "), 1);
    free(text);
  }
}

/* One rank alone cannot read its file: the job ends with its message, and does not wait for it. */
static void the_failure_of_one_rank_ends_the_job(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  char *text = NULL;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 6}\n");
  int status = nas_run(NULL, &text,
                       "cd '%s' && ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 "
                       "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 timeout 60 mpirun "
                       "--oversubscribe --bind-to none -n 2 '%s' search c.yaml -q : -n 1 '%s' search gone.yaml -q",
                       nas_test_folder(), nas_program(), nas_program());
  assert_int_equal(status, 2);
  assert_one_line(text, "rank 2: ");
  assert_one_line(text, "gone.yaml");
  assert_int_equal(count(text, "nascent: "), 1);
  free(text);
}

/* Resident kilobytes and clock ticks of a worker rank in a session; false when there is none (yet). */
static bool look_at_worker(pid_t session, long *kilobytes, long *ticks) {
  char *out = NULL;
  bool found = false;
  nas_run(&out, NULL,
          "for p in $(ps -o pid= -s %d -C nascent); do "
          "[ \"$(cat /proc/$p/comm)\" = nascent ] && grep -qzx OMPI_COMM_WORLD_RANK=2 /proc/$p/environ && "
          "[ $(ps -o sid= -p $p) = %d ] && "
          "echo $(awk '/VmRSS/ {print $2}' /proc/$p/status) $(awk '{print $14 + $15}' /proc/$p/stat); done",
          (int)session, (int)session);
  if (out) found = sscanf(out, "%ld %ld", kilobytes, ticks) == 2;
  free(out);
  return found;
}

/* Two ranks wait while one works: the waiting ones take little memory and next to no processor time. */
static void a_waiting_rank_is_thin(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
#if NAS_TEST_SANITIZED
  nas_skip("the address sanitizer takes memory of its own");
#endif
  long before_kb = 0, after_kb = 0, before = 0, after = 0;
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 1}\n");
  pid_t session = nas_runs_start(3, "", "c", "c", "-o evaluator.seconds=60");
  nanosleep(&(struct timespec){3, 0}, NULL);
  bool found = look_at_worker(session, &before_kb, &before);
  nanosleep(&(struct timespec){4, 0}, NULL);
  found = found && look_at_worker(session, &after_kb, &after);
  nas_runs_kill(session);
  assert_true(found);
  print_message("%ld kB, %.2f %% of a core\n", after_kb, (double)(after - before) / 4);
  assert_in_range(after_kb, 1000, 30 * 1024);
  assert_in_range(after - before, 0, 8); /* of 400 ticks: 2 % */
}

/* While mpirun and its ranks start nobody listens, and nothing has begun: they are ended. */
static void a_stop_while_ranks_start_is_heard(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  nas_runs_write_noop("c",
                      "evaluator: {name: noop, seconds: 0.2}\nstrategy: random\nbudget: {trials: 1000}\n"
                      "run: {grace: 300}\n");
  int code = nas_run(NULL, NULL,
                     "cd '%s' && export ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 "
                     "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; timeout -s KILL 120 '%s' run c.yaml -n 3 --db c.db -q & t=$!; "
                     "until p=$(pgrep -P $t -x nascent) && pgrep -P $p -x mpirun; do sleep 0.01; done; kill -TERM $p; "
                     "wait $t",
                     nas_test_folder(), nas_program());
  assert_int_equal(code, 75);
}

/* The cores of each trial process of a session, a line each, sorted. */
static char *cores_of_trials(pid_t session, size_t wanted) {
  char *out = NULL;
  for (int i = 0; i < 500; i++, nanosleep(&(struct timespec){0, 20000000}, NULL)) {
    free(out);
    nas_run(&out, NULL, "for p in $(pgrep -s %ld -x nascent-trial); do taskset -cp $p | sed 's/.*: //'; done | sort",
            (long)session);
    if (count(out, "\n") == wanted) break;
  }
  return out;
}

static void trials_have_cores_of_their_own(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2 || nas_run(NULL, NULL, "command -v taskset && command -v pgrep") != 0)
    nas_skip("needs two cores, taskset and pgrep");
  nas_runs_write_noop("c", "evaluator: {name: noop, seconds: 60}\nstrategy: random\nbudget: {trials: 9}\n");
  for (int bind = 0; bind < 2; bind++) {
    pid_t session = nas_runs_start(3, "", "c", bind ? "bound" : "free", bind ? "-o run.bind=true" : "");
    char *cores = cores_of_trials(session, 2), second[64] = "", first[64] = "";
    nas_runs_kill(session);
    assert_int_equal(sscanf(cores, "%63s %63s", first, second), 2);
    if (bind) assert_true(strcmp(first, second) != 0 && !strpbrk(first, ",-") && !strpbrk(second, ",-"));
    else assert_string_equal(first, second); /* all that the launcher has */
    free(cores);
  }
  char *text;
  assert_int_equal(
      nas_runs_search(0, "", "c", "many", "-o evaluator.seconds=0 -o run.bind=true -o trial.threads=4096", &text), 0);
  assert_one_line(text, "1 workers with 4096 cores each do not fit");
  free(text);
}

/* Two workers share 200 KiB: each has 100, whatever trial.memory allows, and the planner says so. */
static void the_memory_of_a_node_is_shared_out(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  size_t n;
  nas_runs_write_train("c", "strategy: random\nbudget: {trials: 2}\ntrial: {memory: 1GiB}\nrun: {memory: 200KiB}\n");
  assert_int_equal(nas_runs_search(3, "", "c", "c", "", NULL), 3);
  nas_db_trial *rows = nas_runs_trials("c", &n);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(rows[i].result.outcome, NAS_OUTCOME_REJECTED);
    assert_one_line(rows[i].result.cause.msg, "the limit is 100 KiB (102400 bytes)");
  }
  nas_db_trials_free(rows, n);
#if !NAS_TEST_SANITIZED
  nas_runs_write_noop("h",
                      "evaluator: {name: noop, fail: hog, hog: 400MiB}\nstrategy: random\nbudget: {trials: 2}\n"
                      "run: {memory: 512MiB}\n");
  assert_int_equal(nas_runs_search(2, "", "h", "one", "", NULL), 0); /* one worker has it all */
  assert_int_equal(nas_runs_search(3, "", "h", "two", "", NULL), 3);
  rows = nas_runs_trials("two", &n);
  for (size_t i = 0; i < n; i++) assert_int_equal(rows[i].result.outcome, NAS_OUTCOME_OUT_OF_MEMORY);
  nas_db_trials_free(rows, n);
#endif
}

/* As if one were killed while MPI starts. */
static void a_rank_that_never_comes_is_not_waited_for(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 5}\n");
  char *text;
  int code = nas_run(NULL, &text,
                     "cd '%s' && NASCENT_START_SECONDS=2 mpirun --oversubscribe --bind-to none -n 1 '%s' search c.yaml "
                     "--db c.db -q : -n 1 sleep 60",
                     nas_test_folder(), nas_program());
  assert_int_equal(code, 1);
  assert_one_line(text, "the ranks did not meet in time");
  free(text);
}

NAS_SUITE(Campaign, NAS_CASE(trains_and_records_alone), NAS_CASE(a_repeated_architecture_gets_the_next_seed),
          NAS_CASE(ends_by_epochs_and_by_seconds), NAS_CASE(resuming_a_finished_campaign_does_nothing),
          NAS_CASE(one_table_takes_a_second_campaign_after_the_first_has_finished),
          NAS_CASE(prints_a_leaderboard_and_json), NAS_CASE(strategies_are_listed_and_explained),
          NAS_CASE(refuses_bad_command_lines_and_places), NAS_CASE(refuses_a_table_that_is_none))
NAS_SUITE(CampaignFaults, NAS_CASE(a_crash_is_tried_twice_and_recorded), NAS_CASE(a_hanging_trial_is_killed),
          NAS_CASE(a_slow_trial_stops_by_itself), NAS_CASE(a_memory_hog_runs_out_of_memory),
          NAS_CASE(divergence_and_errors_are_outcomes), NAS_CASE(a_network_that_does_not_fit_is_rejected_with_a_number),
          NAS_CASE(processes_are_replaced_after_their_share))
NAS_SUITE(CampaignRanks, NAS_CASE(the_table_does_not_depend_on_the_number_of_ranks), NAS_CASE(every_worker_takes_part),
          NAS_CASE(failures_over_ranks_are_recorded_too), NAS_CASE(mistakes_are_told_once),
          NAS_CASE(the_failure_of_one_rank_ends_the_job), NAS_CASE(a_rank_that_never_comes_is_not_waited_for),
          NAS_CASE(a_waiting_rank_is_thin), NAS_CASE(a_stop_while_ranks_start_is_heard),
          NAS_CASE(trials_have_cores_of_their_own), NAS_CASE(the_memory_of_a_node_is_shared_out))
