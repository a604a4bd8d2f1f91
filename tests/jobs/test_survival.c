/* What is left of a training that is killed or stopped, and the files that people begin with. */
#include <glob.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "runs.h"

static void rest(double seconds) { nanosleep(&(struct timespec){0, (long)(seconds * 1e9)}, NULL); }

/* The epoch that the running trial has reached, as the heartbeat says; 0 before. */
static int64_t epoch_of(const char *db) {
  char file[128];
  char *bytes = NULL;
  size_t n;
  int64_t epoch = 0;
  nas_err none;
  snprintf(file, sizeof file, "%s.db.work/heartbeat.json", db);
  if (nas_file_read(nas_runs_path(file), 1 << 20, &bytes, &n, &none) != NAS_OK) return 0;
  json_t *o = json_loadb(bytes, n, 0, NULL), *running = json_object_get(o, "running"),
         *first = json_array_get(running, 0);
  epoch = json_integer_value(json_object_get(first, "epoch"));
  json_decref(o);
  free(bytes);
  return epoch;
}

static int64_t await_epoch(const char *db, int64_t epoch) {
  int64_t reached = 0;
  for (double end = nas_clock() + 120; reached < epoch && nas_clock() < end; rest(0.02)) reached = epoch_of(db);
  assert_true(reached >= epoch);
  return reached;
}

/* Both attempts are killed while they train: the cause says where they were, by name where the signal met a step of the
 * network. The backtrace may end at once, in code that oneDNN made and the unwinder cannot pass. */
static void a_long_training_that_crashes_leaves_a_backtrace(void **state) {
  (void)state;
  if (nas_run(NULL, NULL, "command -v pkill") != 0) nas_skip("no pkill");
  nas_runs_write_train("c",
                       "evaluator: {name: train}\nstrategy: random\nbudget: {trials: 1}\nname: c\n"
                       "run: {snapshot: 0}\n");
  pid_t session = nas_runs_start(0, "", "c", "c", "-o recipe.epochs=20000");
  for (int attempt = 1; attempt <= 2; attempt++) {
    await_epoch("c", 1);
    assert_int_equal(nas_run(NULL, NULL, "pkill -SEGV -s %ld -x nascent-trial", (long)session), 0);
    for (double end = nas_clock() + 60; epoch_of("c") > 0 && nas_clock() < end;) rest(0.02);
  }
  assert_int_equal(nas_runs_wait(session, 120), 3);
  size_t n;
  nas_db_trial *rows = nas_runs_trials("c", &n);
  const char *cause = rows[0].result.cause.msg;
  assert_int_equal(rows[0].result.outcome, NAS_OUTCOME_CRASHED);
  assert_int_equal(rows[0].attempt, 2);
  if (!strstr(cause, "SIGSEGV") || !strstr(cause, "backtrace: ")) fail_msg("cause: %s", cause);
  nas_db_trials_free(rows, n);
  char *log;
  assert_int_equal(nas_run(&log, NULL, "cd '%s' && '%s' log c.db 1", nas_test_folder(), nas_program()), 0);
  if (!strstr(log, "ward pass at ") && !strstr(log, "nas_")) fail_msg("neither step nor function of ours in %s", log);
  free(log);
}

/* Stopped in the middle of its training, gone on with: the same bits as in one piece, and no epoch twice. */
static void a_long_training_that_is_stopped_goes_on_from_its_checkpoint(void **state) {
  (void)state;
  static const char more[] =
      "evaluator: {name: train, checkpoint-every: 0}\nstrategy: random\nbudget: {trials: 1}\nname: c\n"
      "run: {snapshot: 0, log: logs}\n";
  nas_runs_write_train("c", more);
  assert_int_equal(nas_runs_search(0, "", "c", "whole", "-o recipe.epochs=4000 -o run.log=other", NULL), 0);
  pid_t session = nas_runs_start(0, "", "c", "c", "-o recipe.epochs=4000");
  int64_t reached = await_epoch("c", 5);
  assert_int_equal(nas_run(NULL, NULL, "pkill -TERM -o -s %ld -x nascent", (long)session), 0);
  assert_int_equal(nas_runs_wait(session, 120), 75);
  assert_int_equal(
      nas_run(NULL, NULL, "cd '%s' && ls c.db.checkpoints | grep -q . && mv logs first", nas_test_folder()), 0);
  assert_int_equal(nas_runs_search(0, "", "c", "c", "--resume -o recipe.epochs=4000", NULL), 0);
  char *whole = nas_runs_table("whole"), *pieces = nas_runs_table("c");
  assert_string_equal(whole, pieces);
  size_t n;
  nas_db_trial *rows = nas_runs_trials("c", &n);
  assert_int_equal(rows[0].attempt, 2);
  nas_db_trials_free(rows, n);
  /* What the second process said of its progress begins where the first one had been. */
  char *out;
  assert_int_equal(nas_run(&out, NULL, "cd '%s' && cat logs/*.jsonl", nas_test_folder()), 0);
  int said = 0;
  for (const char *p = out; (p = strstr(p, "\"text\": \"epoch ")); p++, said++) {
    int64_t epoch = strtoll(p + strlen("\"text\": \"epoch "), NULL, 10);
    if (epoch > 0 && epoch < reached) fail_msg("epoch %lld again, after %lld", (long long)epoch, (long long)reached);
  }
  assert_true(said > 0);
  assert_false(nas_file_exists(nas_runs_path("c.db.checkpoints")));
  free(out);
  free(whole);
  free(pieces);
}

/* Every campaign of examples/ trains two trials for an epoch, on made images; `llm` asks its endpoint elsewhere
 * (suite LlmCampaign) and is checked here. */
static void every_example_runs(void **state) {
  (void)state;
  glob_t files;
  char pattern[600];
  snprintf(pattern, sizeof pattern, "%s/examples/*.yaml", nas_source_folder());
  assert_int_equal(glob(pattern, 0, NULL, &files), 0);
  assert_true(files.gl_pathc >= 6);
  for (size_t i = 0; i < files.gl_pathc; i++) {
    bool asks = strstr(files.gl_pathv[i], "llm.yaml") != NULL;
    char *talk;
    int code = nas_run(NULL, &talk,
                       "cd '%s' && %s '%s' search '%s' %s --db e%zu.db -o dataset=shapes -o budget.trials=2 -o "
                       "recipe.epochs=1",
                       nas_test_folder(), asks ? "NASCENT_LLM_KEY=none" : "", nas_program(), files.gl_pathv[i],
                       asks ? "--check" : "-q", i);
    if (code != 0) fail_msg("%s: exit %d: %s", files.gl_pathv[i], code, talk);
    free(talk);
    if (asks) continue;
    size_t n;
    char db[16];
    snprintf(db, sizeof db, "e%zu", i);
    nas_db_trial *rows = nas_runs_trials(db, &n);
    nas_db_trials_free(rows, n);
    assert_int_equal(n, 2);
  }
  globfree(&files);
}

NAS_SUITE(Survival, NAS_CASE(a_long_training_that_crashes_leaves_a_backtrace),
          NAS_CASE(a_long_training_that_is_stopped_goes_on_from_its_checkpoint), NAS_CASE(every_example_runs))
