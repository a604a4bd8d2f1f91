#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "evaluators/evaluator.h"
#include "harness.h"

static const nas_evaluator_type *noop(void) {
  const nas_evaluator_type *type;
  assert_ok(nas_evaluator_find("noop", &type, nas_test_err()));
  return type;
}

static nas_space *open_space(void) {
  nas_space *space;
  assert_ok(nas_space_open("nas-bench-201", NULL, &space, nas_test_err()));
  return space;
}

/* Evaluates one architecture with "key=value" lines as options. */
static nas_status run(nas_eval_request *r, const char *lines, nas_result *result) {
  nas_settings settings = {0};
  void *options = calloc(1, noop()->options_size);
  assert_non_null(options);
  assert_ok(nas_settings_parse(&settings, lines, "test", nas_test_err()));
  assert_ok(nas_options_fill(noop()->options, options, "evaluator noop", &settings, nas_test_err()));
  nas_status status = noop()->evaluate(options, r, result, nas_test_err());
  nas_settings_free(&settings);
  free(options);
  return status;
}

static nas_eval_request request_for(const nas_space *space, uint64_t index) {
  nas_eval_request r = {.space = space, .seed = 1};
  assert_ok(nas_space_at(space, index, &r.arch, nas_test_err()));
  return r;
}

static void curve_has_the_asked_length_and_sane_numbers(void **state) {
  (void)state;
  nas_space *space = open_space();
  for (uint64_t i = 0; i < 15625; i += 625) {
    nas_eval_request r = request_for(space, i);
    nas_result result;
    assert_ok(run(&r, "epochs=5\n", &result));
    assert_int_equal(result.n_epochs, 5);
    for (size_t e = 0; e < 5; e++) {
      assert_int_equal(result.epochs[e].epoch, e + 1);
      assert_true(result.epochs[e].valid_accuracy > 0 && result.epochs[e].valid_accuracy < 100);
    }
    nas_result_free(&result);
  }
  nas_space_close(space);
}

static void chosen_share_fails(void **state) {
  (void)state;
  nas_space *space = open_space();
  int failed = 0;
  for (uint64_t i = 0; i < 15625; i += 25) {
    nas_eval_request r = request_for(space, i);
    nas_result result;
    assert_ok(run(&r, "fail=diverge\nfail-rate=0.2\n", &result));
    assert_true(result.outcome == NAS_OUTCOME_OK || result.outcome == NAS_OUTCOME_DIVERGED);
    assert_true((result.outcome == NAS_OUTCOME_DIVERGED) == (result.cause.code == NAS_E_DIVERGED));
    failed += result.outcome == NAS_OUTCOME_DIVERGED;
    nas_result_free(&result);
  }
  assert_in_range(failed, 75, 175); /* 625 drawn; equal networks fail together */
  nas_space_close(space);
}

static void failures_are_real(void **state) {
  (void)state;
  nas_space *space = open_space();
  nas_eval_request r = request_for(space, 7);
  nas_result result;
  assert_fails(run(&r, "fail=error\n", &result), NAS_E_INTERNAL, "fail=error");
  for (int hang = 0; hang < 2; hang++) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      signal(SIGSEGV, SIG_DFL); /* the test runner catches it */
      run(&r, hang ? "fail=hang\n" : "fail=crash\n", &result);
      _exit(0);
    }
    int how = 0;
    if (hang) {
      usleep(100000);
      assert_int_equal(waitpid(child, &how, WNOHANG), 0);
      kill(child, SIGKILL);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how));
    assert_int_equal(WTERMSIG(how), hang ? SIGKILL : SIGSEGV);
  }
  nas_space_close(space);
}

static void hog_takes_what_it_says(void **state) {
  (void)state;
  nas_space *space = open_space();
  nas_eval_request r = request_for(space, 7);
  nas_result result;
  int64_t before = nas_memory_peak();
  assert_ok(run(&r, "fail=hog\nhog=192MiB\n", &result));
  assert_int_equal(result.outcome, NAS_OUTCOME_OK);
  assert_true(nas_memory_peak() >= (int64_t)192 << 20);
  assert_true(nas_memory_peak() > before || before > (int64_t)192 << 20);
  nas_result_free(&result);
  nas_space_close(space);
}

static void sleep_heeds_stop_and_limit(void **state) {
  (void)state;
  nas_space *space = open_space();
  nas_eval_request r = request_for(space, 7);
  nas_result result;
  double began = nas_clock();
  r.seconds_limit = 0.1;
  assert_ok(run(&r, "seconds=30\n", &result));
  assert_int_equal(result.outcome, NAS_OUTCOME_TIMEOUT);
  nas_result_free(&result);
  volatile sig_atomic_t stop = 1;
  r.stop = &stop;
  assert_ok(run(&r, "seconds=30\n", &result));
  assert_int_equal(result.outcome, NAS_OUTCOME_PREEMPTED);
  nas_result_free(&result);
  assert_true(nas_clock() - began < 5);
  r = request_for(space, 7);
  began = nas_clock();
  assert_ok(run(&r, "seconds=0.2\nepochs=4\n", &result));
  assert_true(nas_clock() - began >= 0.2);
  assert_int_equal(result.outcome, NAS_OUTCOME_OK);
  nas_result_free(&result);
  nas_space_close(space);
}

NAS_SUITE(Noop, NAS_CASE(curve_has_the_asked_length_and_sane_numbers), NAS_CASE(chosen_share_fails),
          NAS_CASE(failures_are_real), NAS_CASE(hog_takes_what_it_says), NAS_CASE(sleep_heeds_stop_and_limit))
