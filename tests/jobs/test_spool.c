/* Results on a worker's disk, and every write and sync of them failing once. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "failing.h"
#include "jobs/cores.h"
#include "jobs/spool.h"
#include "runs.h"

/* ---- the spool ---- */

static nas_message result_of(int64_t trial, double accuracy) {
  nas_message m = {.kind = NAS_MESSAGE_RESULT, .trial = trial, .number = (uint64_t)trial, .attempt = 1, .seed = 7};
  strcpy(m.arch, "|none~0|");
  nas_epoch e = {.epoch = 1, .valid_accuracy = accuracy};
  assert_ok(nas_result_add_epoch(&m.result, &e, nas_test_err()));
  return m;
}

static void put(nas_spool *s, int64_t trial) {
  nas_str frames = {0};
  nas_message m = result_of(trial, (double)trial);
  assert_ok(nas_spool_number(s, &m, &frames, nas_test_err()));
  assert_ok(nas_spool_write(s, &frames, nas_test_err()));
  nas_message_free(&m);
  nas_str_free(&frames);
}

/* A worker that dies: its file stays and its lock goes. */
static void die(nas_spool *s) {
  close(s->fd);
  s->fd = -1;
}

typedef struct heard {
  int n;
  int64_t trials[16];
} heard;

static nas_status hear(void *arg, nas_message *m, nas_err *err) {
  heard *h = arg;
  (void)err;
  h->trials[h->n++] = m->trial;
  assert_true(m->result.n_epochs == 1 && m->result.epochs[0].valid_accuracy == (double)m->trial);
  assert_string_equal(m->arch, "|none~0|");
  nas_message_free(m);
  return NAS_OK;
}

static heard read_file(const char *path, const char *token, int64_t *torn) {
  heard h = {0};
  char *bytes;
  size_t n;
  *torn = 0;
  assert_ok(nas_file_read(path, 1 << 20, &bytes, &n, nas_test_err()));
  assert_ok(nas_spool_read(bytes, n, token, hear, &h, torn, nas_test_err()));
  free(bytes);
  return h;
}

static void results_stay_until_they_are_acknowledged(void **state) {
  (void)state;
  nas_spool s;
  int64_t torn;
  assert_ok(nas_spool_open(&s, nas_runs_path("work"), "token", nas_test_err()));
  for (int64_t i = 1; i <= 3; i++) put(&s, i);
  assert_int_equal(read_file(s.path, "token", &torn).n, 3);
  nas_spool_free(&s, 2);
  assert_int_equal(read_file(s.path, "token", &torn).n, 3);
  nas_spool_free(&s, 3);
  assert_int_equal(read_file(s.path, "token", &torn).n, 0);
  put(&s, 4);
  assert_int_equal(read_file(s.path, "token", &torn).trials[0], 4);
  nas_spool_free(&s, 4);
  nas_spool_close(&s);
  assert_false(nas_file_exists(s.path));
}

static void the_next_worker_takes_over_and_leaves_out_a_torn_tail(void **state) {
  (void)state;
  nas_spool dead, next, alive;
  nas_str frames = {0};
  int64_t n, torn;
  char path[640];
  assert_ok(nas_spool_open(&dead, nas_runs_path("work"), "token", nas_test_err()));
  for (int64_t i = 1; i <= 3; i++) put(&dead, i);
  snprintf(path, sizeof path, "%s", dead.path);
  off_t size = lseek(dead.fd, 0, SEEK_END);
  assert_int_equal(ftruncate(dead.fd, size - 5), 0);
  assert_ok(nas_spool_open(&alive, nas_runs_path("work"), "token", nas_test_err()));
  put(&alive, 9);
  assert_ok(nas_spool_open(&next, nas_runs_path("work"), "token", nas_test_err()));
  die(&dead);
  assert_ok(nas_spool_adopt(&next, &frames, &n, nas_test_err()));
  assert_int_equal(n, 2); /* the third is torn, and the living one keeps its own */
  assert_int_equal(next.torn, 1);
  assert_false(nas_file_exists(path));
  heard h = read_file(next.path, "token", &torn);
  assert_int_equal(h.n, 2);
  assert_true(h.trials[0] == 1 && h.trials[1] == 2);
  nas_str_free(&frames);
  nas_spool_close(&next);
  nas_spool_close(&alive);
}

static void another_campaigns_spool_is_left_alone(void **state) {
  (void)state;
  nas_spool other, mine;
  nas_str frames = {0};
  int64_t n;
  assert_ok(nas_spool_open(&other, nas_runs_path("work"), "other", nas_test_err()));
  put(&other, 1);
  die(&other);
  assert_ok(nas_spool_open(&mine, nas_runs_path("work"), "token", nas_test_err()));
  assert_ok(nas_spool_adopt(&mine, &frames, &n, nas_test_err()));
  assert_int_equal(n, 0);
  assert_true(nas_file_exists(other.path));
  nas_spool_close(&mine);
}

/* The folder vanishes under a running worker: it is made again, and nothing is written into the void. */
static void a_folder_that_is_gone_is_made_again(void **state) {
  (void)state;
  nas_spool s;
  int64_t torn;
  assert_ok(nas_spool_open(&s, nas_runs_path("work"), "token", nas_test_err()));
  put(&s, 1);
  assert_int_equal(nas_run(NULL, NULL, "rm -rf '%s'", nas_runs_path("work")), 0);
  put(&s, 2);
  assert_int_equal(read_file(s.path, "token", &torn).trials[0], 2);
  nas_spool_close(&s);
}

/* Each write and sync fails once: an error, nothing torn, and the repetition succeeds. */
static void every_failing_call_leaves_the_spool_whole(void **state) {
  (void)state;
  bool reached = true;
  int64_t at = 0, torn;
  nas_spool s;
  assert_ok(nas_spool_open(&s, nas_runs_path("work"), "token", nas_test_err()));
  while (reached) {
    nas_str frames = {0};
    at++;
    nas_message m = result_of(at, (double)at);
    assert_ok(nas_spool_number(&s, &m, &frames, nas_test_err()));
    nas_failing_begin(NAS_FAILING_WRITES, at, 0);
    nas_status status = nas_spool_write(&s, &frames, nas_test_err());
    reached = nas_failing_end();
    assert_true((status != NAS_OK) == reached);
    if (reached) assert_ok(nas_spool_write(&s, &frames, nas_test_err()));
    heard h = read_file(s.path, "token", &torn);
    assert_int_equal(h.n, at);
    assert_int_equal(torn, 0);
    nas_message_free(&m);
    nas_str_free(&frames);
  }
  print_message("%lld calls failed\n", (long long)at - 1);
  assert_true(at > 2);
  nas_spool_free(&s, (uint64_t)at);
  nas_spool_close(&s);
}

/* ---- cores ---- */

static void trials_of_a_node_get_cores_of_their_own(void **state) {
  (void)state;
  cpu_set_t cores, out[3];
  CPU_ZERO(&cores);
  for (size_t cpu = 2; cpu < 14; cpu += 2) CPU_SET(cpu, &cores); /* 2 4 6 8 10 12 */
  for (int i = 0; i < 3; i++) {
    assert_true(nas_cores_slice(&cores, i, 3, 2, &out[i]));
    assert_int_equal(CPU_COUNT(&out[i]), 2);
    for (int k = 0; k < i; k++) {
      cpu_set_t both;
      CPU_AND(&both, &out[i], &out[k]);
      assert_int_equal(CPU_COUNT(&both), 0);
    }
  }
  assert_true(CPU_ISSET(2, &out[0]) && CPU_ISSET(4, &out[0]) && CPU_ISSET(12, &out[2]));
  assert_false(nas_cores_slice(&cores, 0, 4, 2, &out[0])); /* too few for all */
  assert_false(nas_cores_slice(&cores, 3, 3, 2, &out[0]));
}

NAS_SUITE(Spool, NAS_CASE(results_stay_until_they_are_acknowledged),
          NAS_CASE(the_next_worker_takes_over_and_leaves_out_a_torn_tail),
          NAS_CASE(another_campaigns_spool_is_left_alone), NAS_CASE(a_folder_that_is_gone_is_made_again),
          NAS_CASE(every_failing_call_leaves_the_spool_whole), NAS_CASE(trials_of_a_node_get_cores_of_their_own))
