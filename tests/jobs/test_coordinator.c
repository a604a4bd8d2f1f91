/* The coordinator by hand: messages in, parcels out, no processes. */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/version.h"
#include "jobs/coordinator.h"
#include "jobs/heartbeat.h"
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

/* One step; `parcels` trials are handed out, and come first in the outbox afterwards. */
static void step(scene *s, size_t parcels) {
  nas_coordinator *c = &s->c;
  size_t trials = 0;
  c->n_outbox = 0;
  assert_ok(nas_coordinator_step(c, nas_test_err()));
  for (size_t i = 0; i < c->n_outbox; i++)
    if (c->outbox[i].message.kind == NAS_MESSAGE_TRIAL) c->outbox[trials++] = c->outbox[i];
  assert_int_equal(trials, parcels);
}

static int64_t events(scene *s, const char *kind) {
  int64_t n;
  assert_ok(nas_db_event_count(s->c.db, s->c.id, kind, 0, &n, nas_test_err()));
  return n;
}

static void give_result(scene *s, int worker, const nas_message *trial, nas_outcome outcome, bool died,
                        double accuracy) {
  nas_message m = {.kind = NAS_MESSAGE_RESULT,
                   .trial = trial->trial,
                   .number = trial->number,
                   .attempt = trial->attempt,
                   .seed = trial->seed,
                   .died = died,
                   .result = {.outcome = outcome}};
  memcpy(m.arch, trial->arch, sizeof m.arch);
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

/* Takes the hello, and expects the refusal of this worker alone. */
static void expect_refusal(scene *s, int worker, nas_message *m, nas_status code, const char *part) {
  assert_ok(nas_coordinator_take(&s->c, worker, m, nas_test_err()));
  assert_int_equal(s->c.slots[worker].state, NAS_SLOT_REFUSED);
  assert_int_equal(s->c.refusal.code, code);
  if (!strstr(s->c.refusal.msg, part)) fail_msg("no '%s' in %s", part, s->c.refusal.msg);
  s->c.slots[worker].state = NAS_SLOT_ABSENT;
}

static void strangers_are_refused_with_both_names(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 3);
  nas_message m = hello_of(&s);
  strcpy(m.version, "0.0.9+old");
  expect_refusal(&s, 1, &m, NAS_E_MISMATCH, "runs version 0.0.9+old");
  assert_non_null(strstr(s.c.refusal.msg, NAS_VERSION_FULL));
  m = hello_of(&s);
  memset(m.digest, 'f', 64);
  expect_refusal(&s, 1, &m, NAS_E_MISMATCH, "ffffffffffffffff");
  assert_non_null(strstr(s.c.refusal.msg, "the coordinator's is"));
  m = hello_of(&s);
  memset(m.split, 'e', 64);
  expect_refusal(&s, 1, &m, NAS_E_MISMATCH, "eeeeeeeeeeeeeeee");
  m = hello_of(&s);
  nas_fail(&m.error, NAS_E_NOT_FOUND, "/data", "no such folder");
  expect_refusal(&s, 1, &m, NAS_E_NOT_FOUND, "no such folder");
  m = hello_of(&s);
  assert_fails(nas_coordinator_take(&s.c, 0, &m, nas_test_err()), NAS_E_INTERNAL, "no worker");
  m = hello_of(&s);
  assert_fails(nas_coordinator_take(&s.c, 3, &m, nas_test_err()), NAS_E_INTERNAL, "no worker");
  close_scene(&s);
}

/* The others go on without it; when nobody is left the reason ends the run. */
static void a_refused_worker_does_not_end_the_campaign(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 3);
  nas_message m = hello_of(&s);
  strcpy(m.version, "0.0.9+old");
  assert_ok(nas_coordinator_take(&s.c, 1, &m, nas_test_err()));
  greet(&s, 2);
  step(&s, 1);
  assert_int_equal(s.c.outbox[0].worker, 2);
  assert_int_equal(events(&s, "worker-refused"), 1);
  m = hello_of(&s);
  nas_fail(&m.error, NAS_E_NOT_FOUND, "/data", "no such folder");
  assert_ok(nas_coordinator_take(&s.c, 2, &m, nas_test_err()));
  assert_fails(nas_coordinator_step(&s.c, nas_test_err()), NAS_E_NOT_FOUND, "no such folder");
  close_scene(&s);
}

static void wait_out_the_lease(scene *s) {
  s->c.lease = 0.05;
  nanosleep(&(struct timespec){0, 80000000}, NULL);
  s->c.stepped = 0; /* this process did not sleep: they were silent */
}

/* Worker 1 falls silent: its trial goes to worker 2 as a second attempt. What 1 sends at last is the first result and
 * counts; that of 2 is compared with it. */
static void late_result(double second_accuracy, const char *event) {
  scene s;
  open_scene(&s, 1);
  greet(&s, 1);
  step(&s, 1);
  nas_message first = s.c.outbox[0].message;
  greet(&s, 2);
  step(&s, 0);
  wait_out_the_lease(&s);
  step(&s, 1);
  nas_message second = s.c.outbox[0].message;
  assert_int_equal(s.c.outbox[0].worker, 2);
  assert_int_equal(second.trial, first.trial);
  assert_int_equal(second.attempt, first.attempt + 1);
  assert_int_equal(second.seed, first.seed);
  s.c.lease = 60;
  give_result(&s, 1, &first, NAS_OUTCOME_OK, false, 11);
  step(&s, 0);
  assert_int_equal(s.summary.done, 1);
  give_result(&s, 2, &second, NAS_OUTCOME_OK, false, second_accuracy);
  step(&s, 0);
  assert_int_equal(s.summary.done, 1);
  assert_close(s.summary.best_valid_accuracy, 11, 0);
  assert_true(nas_coordinator_done(&s.c));
  assert_int_equal(events(&s, "worker-lost"), 1);
  assert_int_equal(events(&s, "worker-back"), 1);
  assert_int_equal(events(&s, "late"), 1);
  assert_int_equal(events(&s, "same") + events(&s, "conflict"), strcmp(event, "none") != 0);
  if (strcmp(event, "none") != 0) assert_int_equal(events(&s, event), 1);
  close_scene(&s);
}

static void a_second_result_that_differs_is_a_conflict(void **state) {
  (void)state;
  late_result(22, "conflict");
}

static void a_second_result_that_is_the_same_is_counted(void **state) {
  (void)state;
  /* The row has the newest attempt's number: the result that repeats it is no news. */
  late_result(11, "none");
}

/* The failure of an attempt that was given up says nothing about the one that runs. */
static void a_late_failure_changes_nothing(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 1);
  greet(&s, 1);
  step(&s, 1);
  nas_message first = s.c.outbox[0].message;
  greet(&s, 2);
  wait_out_the_lease(&s);
  step(&s, 1);
  nas_message second = s.c.outbox[0].message;
  s.c.lease = 60;
  give_result(&s, 1, &first, NAS_OUTCOME_TIMEOUT, false, 0);
  give_result(&s, 1, &first, NAS_OUTCOME_CRASHED, true, 0);
  step(&s, 0);
  assert_int_equal(s.summary.done, 0);
  give_result(&s, 2, &second, NAS_OUTCOME_OK, false, 22);
  step(&s, 0);
  assert_int_equal(s.summary.done, 1);
  assert_int_equal(s.summary.failed, 0);
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
  wait_out_the_lease(&s);
  nas_message alive = {.kind = NAS_MESSAGE_PROGRESS};
  assert_ok(nas_coordinator_take(&s.c, 2, &alive, nas_test_err()));
  step(&s, 0);
  s.c.lease = 60;
  assert_int_equal(s.c.slots[1].state, NAS_SLOT_GONE);
  assert_int_equal(s.c.slots[2].n_held, 1);
  give_result(&s, 1, &first, NAS_OUTCOME_OK, false, 44);
  step(&s, 0);
  assert_int_equal(s.summary.done, 1);
  assert_int_equal(s.c.slots[1].state, NAS_SLOT_READY);
  close_scene(&s);
}

/* A worker that was taken for lost goes on with its trial while nobody else has it, and is told to drop it when
 * somebody has. */
static void a_worker_that_comes_back_keeps_or_drops_its_trial(void **state) {
  (void)state;
  for (int taken = 0; taken < 2; taken++) {
    scene s;
    open_scene(&s, 1);
    if (taken) greet(&s, 2);
    greet(&s, 1);
    s.c.slots[2].state = NAS_SLOT_ABSENT;
    step(&s, 1);
    nas_message first = s.c.outbox[0].message;
    assert_int_equal(s.c.outbox[0].worker, 1);
    if (taken) greet(&s, 2);
    wait_out_the_lease(&s);
    step(&s, (size_t)taken);
    s.c.lease = 60;
    nas_message alive = {.kind = NAS_MESSAGE_PROGRESS, .trial = first.trial, .attempt = 1, .epoch = 3};
    s.c.n_outbox = 0;
    assert_ok(nas_coordinator_take(&s.c, 1, &alive, nas_test_err()));
    if (taken) {
      assert_int_equal(s.c.n_outbox, 1);
      assert_int_equal(s.c.outbox[0].message.kind, NAS_MESSAGE_CANCEL);
      assert_int_equal(s.c.outbox[0].message.trial, first.trial);
      assert_int_equal(s.c.outbox[0].worker, 1);
    } else {
      assert_int_equal(s.c.slots[1].n_held, 1);
      assert_int_equal(s.c.slots[1].held[0]->epoch, 3);
      step(&s, 0);
      give_result(&s, 1, &first, NAS_OUTCOME_OK, false, 5);
      step(&s, 0);
      assert_true(nas_coordinator_done(&s.c));
    }
    close_scene(&s);
    assert_int_equal(nas_run(NULL, NULL, "rm '%s'", nas_runs_path("c.db")), 0);
  }
}

/* Five workers were lost with the same trial: it is taken for the reason. */
static void a_trial_that_is_lost_too_often_is_quarantined(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 1);
  greet(&s, 1);
  for (int i = 1; i <= 5; i++) {
    step(&s, 1);
    nas_message trial = s.c.outbox[0].message;
    assert_int_equal(trial.attempt, i);
    wait_out_the_lease(&s);
    s.c.slots[2].state = NAS_SLOT_READY;
    s.c.slots[2].held[0] = NULL; /* only keeps the campaign from ending */
    s.c.slots[2].n_held = 0;
    s.c.stopping = true;
    step(&s, 0);
    s.c.stopping = false;
    s.c.lease = 60;
    s.c.slots[2].state = NAS_SLOT_ABSENT;
    greet(&s, 1);
  }
  step(&s, 0);
  assert_int_equal(s.summary.done, 1);
  assert_int_equal(events(&s, "lost"), 5);
  assert_int_equal(events(&s, "quarantined"), 1);
  assert_true(nas_coordinator_done(&s.c));
  close_scene(&s);
}

/* Whole results that repeat what is recorded under the same attempt, as a spool brings them, are no event. */
static void a_spooled_repetition_is_acknowledged(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 2);
  greet(&s, 1);
  step(&s, 1);
  nas_message first = s.c.outbox[0].message;
  for (uint64_t sequence = 1; sequence <= 2; sequence++) {
    give_result(&s, 1, &first, NAS_OUTCOME_OK, false, 9);
    s.c.inbox[0].message->sequence = sequence;
    s.c.n_outbox = 0;
    assert_ok(nas_coordinator_step(&s.c, nas_test_err()));
    assert_int_equal(s.c.outbox[s.c.n_outbox - 1].message.kind, NAS_MESSAGE_ACK);
    assert_true(s.c.outbox[s.c.n_outbox - 1].message.sequence == sequence);
    assert_int_equal(s.summary.done, 1);
  }
  assert_int_equal(events(&s, "same") + events(&s, "conflict"), 0);
  close_scene(&s);
}

/* The results and trials of another campaign's spool are not taken for ours. */
static void a_result_of_another_trial_is_left_out(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 2);
  greet(&s, 1);
  step(&s, 1);
  nas_message other = s.c.outbox[0].message;
  other.seed++;
  give_result(&s, 1, &other, NAS_OUTCOME_OK, false, 9);
  step(&s, 0);
  assert_int_equal(s.summary.done, 0);
  close_scene(&s);
}

static void a_preempted_trial_is_not_finished(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 1);
  greet(&s, 1);
  step(&s, 1);
  nas_message first = s.c.outbox[0].message;
  s.c.stopping = true;
  give_result(&s, 1, &first, NAS_OUTCOME_PREEMPTED, false, 0);
  step(&s, 0);
  assert_true(nas_coordinator_quiet(&s.c));
  s.c.stopping = false;
  assert_false(nas_coordinator_done(&s.c));
  assert_int_equal(s.summary.done, 0);
  step(&s, 1);
  assert_int_equal(s.c.outbox[0].message.attempt, 2);
  close_scene(&s);
}

/* With trials given ahead a single worker sees one order of asks and tells however its results bunch up. */
static void trials_given_ahead_keep_the_order(void **state) {
  (void)state;
  char *tables[2];
  for (int bunched = 0; bunched < 2; bunched++) {
    nas_campaign_summary summary;
    nas_message queue[64];
    size_t first = 0, n = 0;
    scene s = {0};
    char db[32];
    snprintf(db, sizeof db, "%d.db", bunched);
    nas_runs_write_noop("a",
                        "strategy: {name: regularized-evolution, population: 5, sample: 2}\nbudget: {trials: 60}\n"
                        "trial: {ahead: 3}\n");
    assert_ok(nas_campaign_load(nas_runs_path("a.yaml"), NULL, 0, &s.campaign, nas_test_err()));
    nas_campaign_run_options options = {.db = nas_runs_path(db), .quiet = true};
    assert_ok(nas_coordinator_open(&s.c, &s.campaign, &options, 1, 2, &summary, nas_test_err()));
    greet(&s, 1);
    while (!nas_coordinator_done(&s.c)) {
      s.c.n_outbox = 0;
      assert_ok(nas_coordinator_step(&s.c, nas_test_err()));
      for (size_t i = 0; i < s.c.n_outbox; i++)
        if (s.c.outbox[i].message.kind == NAS_MESSAGE_TRIAL) queue[n++ % 64] = s.c.outbox[i].message;
      assert_true(n - first <= 4);
      for (size_t k = bunched ? n - first : n > first; k > 0; k--, first++)
        give_result(&s, 1, &queue[first % 64], NAS_OUTCOME_OK, false, (double)(queue[first % 64].number % 7));
    }
    nas_coordinator_close(&s.c);
    nas_campaign_free(&s.campaign);
    snprintf(db, sizeof db, "%d", bunched);
    tables[bunched] = nas_runs_table(db);
  }
  assert_string_equal(tables[0], tables[1]);
  free(tables[0]);
  free(tables[1]);
}

/* Answers everything that is held, each result `seconds` after its trial was handed out, and gives how many trials the
 * worker then holds. */
static int answer_all(scene *s, double seconds) {
  nas_slot *slot = &s->c.slots[1];
  nas_message held[300];
  const int n = slot->n_held;
  for (int i = 0; i < n; i++) {
    nas_open_trial *t = slot->held[i];
    held[i] = (nas_message){.trial = t->id, .number = t->number, .attempt = t->attempt, .seed = t->seed};
    assert_ok(nas_space_format(s->c.setup.space, &t->arch, held[i].arch, nas_test_err()));
    t->begun = nas_clock() - seconds;
  }
  for (int i = 0; i < n; i++) give_result(s, 1, &held[i], NAS_OUTCOME_OK, false, 1);
  s->c.n_outbox = 0;
  assert_ok(nas_coordinator_step(&s->c, nas_test_err()));
  return slot->n_held;
}

static void open_automatic(scene *s, const char *strategy) {
  char more[128];
  *s = (scene){0};
  snprintf(more, sizeof more, "strategy: %s\nbudget: {trials: 9000}\n", strategy);
  nas_runs_write_noop("c", more);
  unlink(nas_runs_path("c.db"));
  assert_ok(nas_campaign_load(nas_runs_path("c.yaml"), NULL, 0, &s->campaign, nas_test_err()));
  assert_int_equal(s->campaign.trial.ahead, -1);
  nas_campaign_run_options options = {.db = nas_runs_path("c.db"), .quiet = true};
  assert_ok(nas_coordinator_open(&s->c, &s->campaign, &options, 1, 2, &s->summary, nas_test_err()));
  greet(s, 1);
  step(s, 1); /* of how long they take nothing is known */
}

/* A worker holds a quarter of a second's work where the strategy does not wait for results, and else one trial. */
static void short_trials_are_given_ahead_by_themselves(void **state) {
  (void)state;
  scene s;
  int held = 1, most = 0;
  open_automatic(&s, "{name: random, repeats: true}");
  assert_int_equal(answer_all(&s, 1), 1); /* long ones are not */
  assert_int_equal(answer_all(&s, 0.2), 1);
  for (int i = 0; i<30; i++, most = held> most ? held : most) held = answer_all(&s, 0.01);
  assert_int_equal(most, 256);
  for (int i = 0; i < 60; i++) held = answer_all(&s, 0.05 * held);
  assert_in_range(held, 4, 5);
  close_scene(&s);
  open_automatic(&s, "{name: regularized-evolution, population: 5, sample: 2}");
  for (int i = 0; i < 20; i++) assert_int_equal(answer_all(&s, 0.001), 1);
  close_scene(&s);
}

static void silence_of_all_ends_the_campaign(void **state) {
  (void)state;
  scene s;
  open_scene(&s, 4);
  greet(&s, 1);
  greet(&s, 2);
  step(&s, 2);
  s.c.lease = 1; /* which this process, when others take its time, shall not sleep through */
  for (int i = 1; i < s.c.n_slots; i++) s.c.slots[i].seen -= 1.1;
  step(&s, 0); /* they get a second lease to come back */
  for (int i = 1; i < s.c.n_slots; i++) s.c.slots[i].seen -= 1.1;
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

/* ---- the heartbeat ---- */

/* Writes the heartbeat where no file may grow beyond `room` bytes: a disk that fills while it is written. */
static void beat_with_room_for(const scene *s, const char *path, rlim_t room) {
  struct rlimit before, now;
  getrlimit(RLIMIT_FSIZE, &before);
  now = before;
  now.rlim_cur = room;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
  nas_heartbeat_write(&s->c, path);
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, handler);
}

/* What the supervisor looks at is the file's age, what people read is its content: on a full disk the one goes on and
 * the other stays as it was. */
static void a_full_disk_does_not_stop_the_heart(void **state) {
  (void)state;
  static const rlim_t rooms[] = {0, 64}; /* nothing at all, and a part of it */
  scene s;
  char path[640], fresh[700], *first, *text;
  size_t n, length;
  open_scene(&s, 1);
  nas_heartbeat_path(&s.campaign, nas_runs_path("c.db"), path);
  snprintf(fresh, sizeof fresh, "%s.new", path);
  nas_heartbeat_write(&s.c, path);
  assert_ok(nas_file_read(path, 1 << 20, &first, &n, nas_test_err()));
  assert_true(n > 64);
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
    const struct timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    assert_true(nas_heartbeat_age(path) > 1e6);
    beat_with_room_for(&s, path, rooms[i]);
    assert_true(nas_heartbeat_age(path) < 1000);
    assert_false(nas_file_exists(fresh));
    assert_ok(nas_file_read(path, 1 << 20, &text, &length, nas_test_err()));
    assert_int_equal(length, n);
    assert_memory_equal(text, first, n);
    free(text);
  }
  s.summary.done = 77;
  nas_heartbeat_write(&s.c, path); /* and when there is room again it is a new one */
  assert_ok(nas_file_read(path, 1 << 20, &text, &length, nas_test_err()));
  assert_non_null(strstr(text, "\"done\": 77,"));
  free(text);
  free(first);
  close_scene(&s);
}

NAS_SUITE(Coordinator, NAS_CASE(hands_out_only_to_those_who_said_hello),
          NAS_CASE(strangers_are_refused_with_both_names), NAS_CASE(a_refused_worker_does_not_end_the_campaign),
          NAS_CASE(a_second_result_that_differs_is_a_conflict), NAS_CASE(a_second_result_that_is_the_same_is_counted),
          NAS_CASE(a_late_failure_changes_nothing), NAS_CASE(a_late_result_of_a_waiting_trial_is_recorded),
          NAS_CASE(a_worker_that_comes_back_keeps_or_drops_its_trial),
          NAS_CASE(a_trial_that_is_lost_too_often_is_quarantined), NAS_CASE(a_spooled_repetition_is_acknowledged),
          NAS_CASE(a_result_of_another_trial_is_left_out), NAS_CASE(a_preempted_trial_is_not_finished),
          NAS_CASE(trials_given_ahead_keep_the_order), NAS_CASE(short_trials_are_given_ahead_by_themselves),
          NAS_CASE(silence_of_all_ends_the_campaign), NAS_CASE(a_trial_that_kills_twice_is_quarantined),
          NAS_CASE(a_full_disk_does_not_stop_the_heart))
