#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "harness.h"
#include "jobs/zygote.h"

/* Serves by what its first byte asks for: echo its number of bytes, die, talk, or sleep. */
static void serve(int fd, const void *arg) {
  char what = 0;
  (void)arg;
  if (read(fd, &what, 1) != 1) return;
  switch (what) {
    case 's':
      signal(SIGSEGV, SIG_DFL); /* cmocka catches it */
      raise(SIGSEGV);
      break;
    case 'x': _exit(7);
    case 't':
      for (int i = 0; i < 1000; i++) fprintf(stderr, "line %d\n", i);
      fflush(NULL);
      abort();
    case 'w': pause(); break;
    case 'p': {
      pid_t pid = getpid();
      if (write(fd, &pid, sizeof pid) < 0) _exit(1);
      pause();
      break;
    }
    default: break;
  }
}

static void await_kind(nas_zygote *z, nas_message_kind kind, nas_message *m) {
  nas_arrival arrival;
  do {
    assert_ok(nas_channel_wait(&z->control, m, &arrival, nas_test_err()));
    assert_int_equal(arrival, NAS_ARRIVAL_MESSAGE);
  } while (m->kind != kind);
}

static nas_message end_of(nas_zygote *z, const char *what) {
  int fd;
  nas_message m;
  assert_ok(nas_zygote_spawn(z, &fd, nas_test_err()));
  await_kind(z, NAS_MESSAGE_SPAWNED, &m);
  assert_true(m.pid > 0);
  assert_int_equal(write(fd, what, 1), 1);
  await_kind(z, NAS_MESSAGE_EXITED, &m);
  close(fd);
  return m;
}

static void every_death_is_reported_and_the_next_process_is_made(void **state) {
  (void)state;
  nas_zygote z;
  assert_ok(nas_zygote_start(&z, serve, NULL, NULL, nas_test_err()));
  for (int round = 0; round < 3; round++) {
    nas_message m = end_of(&z, "s");
    assert_true(WIFSIGNALED(m.wait_status));
    assert_int_equal(WTERMSIG(m.wait_status), SIGSEGV);
    m = end_of(&z, "x");
    assert_true(WIFEXITED(m.wait_status));
    assert_int_equal(WEXITSTATUS(m.wait_status), 7);
  }
  nas_zygote_stop(&z);
}

static void the_last_words_are_kept(void **state) {
  (void)state;
  nas_zygote z;
  assert_ok(nas_zygote_start(&z, serve, NULL, NULL, nas_test_err()));
  nas_message m = end_of(&z, "t");
  assert_int_equal(WTERMSIG(m.wait_status), SIGABRT);
  assert_non_null(strstr(m.tail, "line 998;line 999"));
  assert_null(strstr(m.tail, "line 800;"));
  assert_null(strchr(m.tail, '\n'));
  m = end_of(&z, "x");
  assert_string_equal(m.tail, ""); /* another process, other words */
  nas_zygote_stop(&z);
}

static void a_hanging_process_is_killed_on_request(void **state) {
  (void)state;
  nas_zygote z;
  int fd;
  nas_message m;
  assert_ok(nas_zygote_start(&z, serve, NULL, NULL, nas_test_err()));
  assert_ok(nas_zygote_spawn(&z, &fd, nas_test_err()));
  assert_int_equal(write(fd, "w", 1), 1);
  assert_ok(nas_zygote_kill(&z, nas_test_err()));
  await_kind(&z, NAS_MESSAGE_EXITED, &m);
  assert_int_equal(WTERMSIG(m.wait_status), SIGKILL);
  close(fd);
  nas_zygote_stop(&z);
}

static bool gone_within(pid_t pid, double seconds) {
  for (double end = nas_clock() + seconds; nas_clock() < end;) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f) return true;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    if (strstr(text, ") Z ")) return true; /* dead, and nobody in this container reaps it */
    nanosleep(&(struct timespec){0, 10000000}, NULL);
  }
  return false;
}

/* The parent is killed with SIGKILL: nothing of it may live on. */
static void nothing_outlives_the_parent(void **state) {
  (void)state;
  int report[2];
  pid_t pids[2];
  assert_int_equal(pipe(report), 0);
  pid_t parent = fork();
  if (parent == 0) {
    nas_zygote z;
    nas_err err;
    int fd;
    if (nas_zygote_start(&z, serve, NULL, NULL, &err) != NAS_OK || nas_zygote_spawn(&z, &fd, &err) != NAS_OK) _exit(1);
    pids[0] = z.pid;
    if (write(fd, "p", 1) != 1 || read(fd, &pids[1], sizeof pids[1]) != sizeof pids[1]) _exit(1);
    if (write(report[1], pids, sizeof pids) != sizeof pids) _exit(1);
    pause();
    _exit(0);
  }
  close(report[1]);
  assert_int_equal(read(report[0], pids, sizeof pids), sizeof pids);
  close(report[0]);
  assert_int_equal(kill(pids[1], 0), 0);
  kill(parent, SIGKILL);
  waitpid(parent, NULL, 0);
  assert_true(gone_within(pids[0], 5));
  assert_true(gone_within(pids[1], 5));
}

NAS_SUITE(TrialProcess, NAS_CASE(every_death_is_reported_and_the_next_process_is_made),
          NAS_CASE(the_last_words_are_kept), NAS_CASE(a_hanging_process_is_killed_on_request),
          NAS_CASE(nothing_outlives_the_parent))
