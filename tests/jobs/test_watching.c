/* What people see of a campaign: its status, a trial's log, the ranks' logs, copies for readers, hooks. */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "runs.h"

static json_t *ask_json(const char *command, const char *arguments) {
  char *out;
  assert_int_equal(
      nas_run(&out, NULL, "cd '%s' && '%s' %s %s --json -q", nas_test_folder(), nas_program(), command, arguments), 0);
  json_t *o = json_loads(out, 0, NULL);
  assert_non_null(o);
  free(out);
  return o;
}

static int64_t count_of(const json_t *o, const char *key) {
  assert_true(json_is_integer(json_object_get(o, key)));
  return (int64_t)json_integer_value(json_object_get(o, key));
}

static const char *text_of(const json_t *o, const char *key) {
  const char *text = json_string_value(json_object_get(o, key));
  assert_non_null(text);
  return text;
}

static char *read_text(const char *name) {
  char *bytes;
  size_t n;
  assert_ok(nas_file_read(nas_runs_path(name), 1 << 20, &bytes, &n, nas_test_err()));
  char *text = malloc(n + 1);
  assert_non_null(text);
  memcpy(text, bytes, n);
  text[n] = '\0';
  free(bytes);
  return text;
}

static void wait_for_file(const char *name) {
  for (int i = 0; i < 1500 && !nas_file_exists(nas_runs_path(name)); i++) usleep(20000);
  assert_true(nas_file_exists(nas_runs_path(name)));
}

static void a_running_campaign_is_seen_without_disturbing_it(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  nas_runs_write_noop("c",
                      "evaluator: {name: noop, epochs: 2, seconds: 0.3}\nstrategy: random\n"
                      "budget: {trials: 1000}\nrun: {snapshot: 0.2}\n");
  pid_t session = nas_runs_start(3, "", "c", "c", "");
  wait_for_file("c.db.snapshot");
  json_t *status = ask_json("status", "c.db");
  assert_true(json_is_true(json_object_get(status, "live")));
  assert_string_equal(text_of(status, "state"), "running");
  assert_int_equal(json_array_size(json_object_get(status, "workers")), 2);
  assert_true(count_of(status, "done") < 1000);
  json_t *log = ask_json("log", "c.db 1");
  const json_t *row = json_array_get(json_object_get(log, "rows"), 0);
  assert_int_equal(count_of(row, "trial"), 1);
  char *out;
  assert_int_equal(nas_run(&out, NULL, "cd '%s' && '%s' status c.db", nas_test_folder(), nas_program()), 0);
  assert_non_null(strstr(out, "c: running"));
  assert_non_null(strstr(out, "of 1000 trials"));
  free(out);
  json_decref(log);
  json_decref(status);
  nas_runs_kill(session);
  status = ask_json("status", "c.db"); /* killed: the heartbeat stays, its process does not */
  assert_false(json_is_true(json_object_get(status, "live")));
  assert_string_equal(text_of(status, "state"), "broken off");
  assert_true(count_of(status, "done") > 0);
  json_decref(status);
}

static void an_ended_campaign_is_counted_by_cause(void **state) {
  (void)state;
  nas_runs_write_noop("c",
                      "evaluator: {name: noop, epochs: 2, fail: diverge, fail-rate: 0.5}\n"
                      "strategy: {name: random, unique: false}\nbudget: {trials: 20}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 3);
  json_t *status = ask_json("status", "c.db");
  const json_t *outcomes = json_object_get(status, "outcomes");
  assert_string_equal(text_of(status, "state"), "finished");
  assert_int_equal(count_of(status, "done"), 20);
  assert_int_equal(count_of(outcomes, "ok") + count_of(outcomes, "diverged"), 20);
  assert_int_equal(count_of(outcomes, "diverged"), count_of(status, "failed"));
  size_t n, diverged = 0;
  nas_db_trial *rows = nas_runs_trials("c", &n);
  for (size_t i = 0; i < n; i++) diverged += rows[i].result.outcome == NAS_OUTCOME_DIVERGED;
  nas_db_trials_free(rows, n);
  assert_int_equal(count_of(outcomes, "diverged"), diverged);
  assert_false(nas_file_exists(nas_runs_path("c.db.snapshot")));
  json_decref(status);
}

static void a_trial_that_dies_is_explained(void **state) {
  (void)state;
  nas_runs_write_noop("c",
                      "evaluator: {name: noop, fail: crash}\nstrategy: random\nbudget: {trials: 2}\n"
                      "run: {log: logs}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 3);
  json_t *log = ask_json("log", "c.db 1 --logs logs");
  const json_t *row = json_array_get(json_object_get(log, "rows"), 0);
  assert_string_equal(text_of(row, "outcome"), "crashed");
  assert_non_null(strstr(text_of(row, "cause"), "SIGSEGV"));
  const json_t *events = json_object_get(log, "events"), *lines = json_object_get(log, "lines");
  assert_int_equal(json_array_size(events), 3); /* died, died, quarantined */
  assert_string_equal(text_of(json_array_get(events, 2), "kind"), "quarantined");
  assert_true(json_array_size(lines) >= 5);
  double before = 0;
  for (size_t i = 0; i < json_array_size(lines); i++) {
    const json_t *line = json_array_get(lines, i);
    double time = json_number_value(json_object_get(line, "time"));
    assert_int_equal(count_of(line, "trial"), 1);
    assert_true(time >= before);
    before = time;
  }
  json_decref(log);
  char *err_out;
  assert_int_equal(nas_run(NULL, &err_out, "cd '%s' && '%s' log c.db 77", nas_test_folder(), nas_program()), 2);
  assert_non_null(strstr(err_out, "no trial 77"));
  free(err_out);
}

static void logs_are_private_and_rotate(void **state) {
  (void)state;
  struct stat st;
  nas_runs_write_noop("c",
                      "strategy: {name: random, unique: false}\nbudget: {trials: 200}\n"
                      "run: {log: logs, log-size: 4096}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", NULL), 0);
  static const char *const names[] = {"logs/c.rank0.jsonl", "logs/c.rank0.jsonl.1", "logs/c.rank0.jsonl.2",
                                      "logs/c.rank0.jsonl.3"};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(stat(nas_runs_path(names[i]), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_size <= 4096);
    char *text = read_text(names[i]);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
      json_t *o = json_loads(line, 0, NULL);
      assert_non_null(o);
      json_decref(o);
    }
    free(text);
  }
  assert_false(nas_file_exists(nas_runs_path("logs/c.rank0.jsonl.4")));
  assert_int_equal(stat(nas_runs_path("logs"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_log_folder_that_cannot_be_is_said_and_survived(void **state) {
  (void)state;
  char *err_out;
  nas_runs_write("logs", "a file stands where the folder should be");
  assert_int_equal(rename(nas_runs_path("logs.yaml"), nas_runs_path("logs")), 0);
  nas_runs_write_noop("c", "strategy: random\nbudget: {trials: 5}\nrun: {log: logs}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", &err_out), 0);
  assert_non_null(strstr(err_out, "the log cannot be opened"));
  free(err_out);
  size_t n;
  nas_db_trial *rows = nas_runs_trials("c", &n);
  assert_int_equal(n, 5);
  nas_db_trials_free(rows, n);
}

static void hooks_hear_of_better_trials_and_of_the_end(void **state) {
  (void)state;
  char *err_out;
  nas_runs_write_noop("c",
                      "evaluator: {name: noop, epochs: 2, seconds: 0.02}\nstrategy: random\nbudget: {trials: 30}\n"
                      "run: {on-improve: 'echo \"$NASCENT_EVENT $NASCENT_BEST_VALID_ACCURACY\" >> heard',\n"
                      "      on-finish: 'echo \"$NASCENT_EVENT $NASCENT_DONE $NASCENT_DB\" >> heard; exit 3'}\n");
  assert_int_equal(nas_runs_search(0, "", "c", "c", "", &err_out), 0);
  assert_non_null(strstr(err_out, "run.on-finish: the command ended with status 3"));
  free(err_out);
  double best = -1, last = -1;
  int improved = 0;
  size_t n;
  nas_db_trial *rows = nas_runs_trials("c", &n);
  for (size_t i = 0; i < n; i++) {
    const nas_result *r = &rows[i].result;
    if (r->outcome == NAS_OUTCOME_OK && r->epochs[r->n_epochs - 1].valid_accuracy > best)
      best = r->epochs[r->n_epochs - 1].valid_accuracy;
  }
  nas_db_trials_free(rows, n);
  char *text = read_text("heard"), *save = NULL;
  char *line = strtok_r(text, "\n", &save);
  for (; line && strncmp(line, "improve ", 8) == 0; line = strtok_r(NULL, "\n", &save), improved++) {
    double now = strtod(line + 8, NULL);
    assert_true(now > last);
    last = now;
  }
  assert_true(improved >= 1);
  assert_close(last, best, 0.006);
  assert_non_null(line);
  assert_string_equal(line, "finish 30 c.db");
  assert_null(strtok_r(NULL, "\n", &save));
  free(text);
}

static void what_is_not_there_is_said(void **state) {
  (void)state;
  char *err_out;
  assert_int_equal(nas_run(NULL, &err_out, "cd '%s' && '%s' status nothing.db", nas_test_folder(), nas_program()), 2);
  assert_non_null(strstr(err_out, "nothing.db"));
  free(err_out);
  assert_int_equal(nas_run(NULL, &err_out, "cd '%s' && '%s' log nothing.db x", nas_test_folder(), nas_program()), 2);
  assert_non_null(strstr(err_out, "a trial is a number"));
  free(err_out);
}

NAS_SUITE(Watching, NAS_CASE(a_running_campaign_is_seen_without_disturbing_it),
          NAS_CASE(an_ended_campaign_is_counted_by_cause), NAS_CASE(a_trial_that_dies_is_explained),
          NAS_CASE(logs_are_private_and_rotate), NAS_CASE(a_log_folder_that_cannot_be_is_said_and_survived),
          NAS_CASE(hooks_hear_of_better_trials_and_of_the_end), NAS_CASE(what_is_not_there_is_said))
