/* The coordinator by hand: messages in, parcels out, no processes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/version.h"
#include "jobs/coordinator.h"
#include "runs.h"

typedef struct scene {
  nas_campaign campaign;
  nas_coordinator c;
  nas_campaign_summary summary;
} scene;

/* Two workers (slots 1 and 2), as many trials as said. */
static void open_scene(scene *s, int trials) {
  char more[128];
  *s = (scene){0};
  snprintf(more, sizeof more, "strategy: random\nbudget: {trials: %d}\n", trials);
  nas_runs_write_noop("c", more);
  assert_ok(nas_campaign_load(nas_runs_path("c.yaml"), NULL, 0, &s->campaign, nas_test_err()));
  nas_campaign_run_options options = {.db = nas_runs_path("c.db"), .quiet = true};
  assert_ok(nas_coordinator_open(&s->c, &s->campaign, &options, 1, 3, &s->summary, nas_test_err()));
}

static void close_scene(scene *s) {
  nas_coordinator_close(&s->c);
  nas_campaign_free(&s->campaign);
}

static nas_message hello_of(const scene *s) {
  nas_message m = {.kind = NAS_MESSAGE_HELLO};
  strcpy(m.version, NAS_VERSION_FULL);
  memcpy(m.digest, s->c.digest, sizeof m.digest);
  memcpy(m.split, s->c.split, sizeof m.split);
  return m;
}

static void greet(scene *s, int worker) {
  nas_message m = hello_of(s);
  assert_ok(nas_coordinator_take(&s->c, worker, &m, nas_test_err()));
}

static void step(scene *s, size_t parcels) {
  assert_ok(nas_coordinator_step(&s->c, nas_test_err()));
  assert_int_equal(s->c.n_outbox, parcels);
}

static void give_result(scene *s, int worker, const nas_message *trial, nas_outcome outcome, bool died,
                        double accuracy) {
  nas_message m = {.kind = NAS_MESSAGE_RESULT,
                   .trial = trial->trial,
                   .number = trial->number,
                   .attempt = trial->attempt,
                   .died = died,
                   .result = {.outcome = outcome}};
  nas_epoch e = {.epoch = 1, .valid_accuracy = accuracy};
  if (outcome == NAS_OUTCOME_OK) assert_ok(nas_result_add_epoch(&m.result, &e, nas_test_err()));
  else nas_fail(&m.result.cause, NAS_E_CRASHED, NULL, "it died");
  assert_ok(nas_coordinator_take(&s->c, worker, &m, nas_test_err()));
}

static void hands_out_only_to_those_who_said_hello(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 3);
  step(&s, 0);
  greet(&s, 2);
  step(&s, 1);
  assert_int_equal(s.c.outbox[0].worker, 2);
  assert_int_equal(s.c.outbox[0].message.number, 0);
  step(&s, 0); /* it is busy */
  greet(&s, 1);
  step(&s, 1);
  assert_int_equal(s.c.outbox[0].message.number, 1);
  close_scene(&s);
}

static void strangers_are_refused_with_both_names(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 3);
  nas_message m = hello_of(&s);
  strcpy(m.version, "0.0.9+old");
  assert_fails(nas_coordinator_take(&s.c, 1, &m, nas_test_err()), NAS_E_MISMATCH, "runs version 0.0.9+old");
  assert_non_null(strstr(nas_test_err()->msg, NAS_VERSION_FULL));
  m = hello_of(&s);
  memset(m.digest, 'f', 64);
  assert_fails(nas_coordinator_take(&s.c, 1, &m, nas_test_err()), NAS_E_MISMATCH, "ffffffffffffffff");
  m = hello_of(&s);
  memset(m.split, 'e', 64);
  assert_fails(nas_coordinator_take(&s.c, 1, &m, nas_test_err()), NAS_E_MISMATCH, "eeeeeeeeeeeeeeee");
  m = hello_of(&s);
  nas_fail(&m.error, NAS_E_NOT_FOUND, "/data", "no such folder");
  assert_int_equal(nas_coordinator_take(&s.c, 1, &m, nas_test_err()), NAS_E_NOT_FOUND);
  m = hello_of(&s);
  assert_fails(nas_coordinator_take(&s.c, 0, &m, nas_test_err()), NAS_E_INTERNAL, "no worker");
  m = hello_of(&s);
  assert_fails(nas_coordinator_take(&s.c, 3, &m, nas_test_err()), NAS_E_INTERNAL, "no worker");
  close_scene(&s);
}

/* Worker 1 falls silent: its trial goes to worker 2 as a second attempt, and what 1 sends at last changes nothing. */
static void a_silent_worker_loses_its_trial(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 1);
  greet(&s, 1);
  step(&s, 1);
  nas_message first = s.c.outbox[0].message;
  greet(&s, 2);
  step(&s, 0);
  s.c.lease = 0.05;
  nanosleep(&(struct timespec){0, 80000000}, NULL);
  step(&s, 1);
  nas_message second = s.c.outbox[0].message;
  assert_int_equal(s.c.outbox[0].worker, 2);
  assert_int_equal(second.trial, first.trial);
  assert_int_equal(second.attempt, first.attempt + 1);
  assert_int_equal(second.seed, first.seed);
  s.c.lease = 60;
  give_result(&s, 1, &first, NAS_OUTCOME_OK, false, 11);
  step(&s, 0);
  assert_int_equal(s.summary.done, 0);
  give_result(&s, 2, &second, NAS_OUTCOME_OK, false, 22);
  step(&s, 0);
  assert_int_equal(s.summary.done, 1);
  assert_close(s.summary.best_valid_accuracy, 22, 0);
  assert_true(nas_coordinator_done(&s.c));
  give_result(&s, 1, &first, NAS_OUTCOME_OK, false, 33);
  step(&s, 0);
  assert_int_equal(s.summary.done, 1);
  close_scene(&s);
}

/* Its trial waits for a free worker; the result comes before one is free: it counts, once. */
static void a_late_result_of_a_waiting_trial_is_recorded(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 2);
  greet(&s, 1);
  step(&s, 1);
  nas_message first = s.c.outbox[0].message;
  greet(&s, 2);
  step(&s, 1);
  s.c.lease = 0.05;
  nanosleep(&(struct timespec){0, 80000000}, NULL);
  nas_message alive = {.kind = NAS_MESSAGE_PROGRESS};
  assert_ok(nas_coordinator_take(&s.c, 2, &alive, nas_test_err()));
  step(&s, 0);
  s.c.lease = 60;
  assert_int_equal(s.c.slots[1].state, NAS_SLOT_GONE);
  assert_int_equal(s.c.slots[2].state, NAS_SLOT_BUSY);
  give_result(&s, 1, &first, NAS_OUTCOME_OK, false, 44);
  step(&s, 0);
  assert_int_equal(s.summary.done, 1);
  assert_int_equal(s.c.slots[1].state, NAS_SLOT_IDLE);
  close_scene(&s);
}

static void silence_of_all_ends_the_campaign(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 4);
  greet(&s, 1);
  greet(&s, 2);
  step(&s, 2);
  s.c.lease = 0.01;
  nanosleep(&(struct timespec){0, 30000000}, NULL);
  assert_fails(nas_coordinator_step(&s.c, nas_test_err()), NAS_E_CRASHED, "--resume");
  close_scene(&s);
}

static void a_trial_that_kills_twice_is_quarantined(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 1);
  greet(&s, 1);
  step(&s, 1);
  nas_message trial = s.c.outbox[0].message;
  give_result(&s, 1, &trial, NAS_OUTCOME_CRASHED, true, NAN);
  step(&s, 1);
  assert_int_equal(s.summary.done, 0);
  trial = s.c.outbox[0].message;
  assert_int_equal(trial.attempt, 2);
  give_result(&s, 1, &trial, NAS_OUTCOME_CRASHED, true, NAN);
  step(&s, 0);
  assert_int_equal(s.summary.done, 1);
  assert_int_equal(s.summary.failed, 1);
  assert_true(nas_coordinator_done(&s.c));
  close_scene(&s);
}

NAS_SUITE(Coordinator, NAS_CASE(hands_out_only_to_those_who_said_hello),
          NAS_CASE(strangers_are_refused_with_both_names), NAS_CASE(a_silent_worker_loses_its_trial),
          NAS_CASE(a_late_result_of_a_waiting_trial_is_recorded), NAS_CASE(silence_of_all_ends_the_campaign),
          NAS_CASE(a_trial_that_kills_twice_is_quarantined))
