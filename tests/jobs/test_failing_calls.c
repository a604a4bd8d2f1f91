/* Every write, sync and allocation on the way of a result into the table failing in turn, until a run gets through
 * untouched: what is on record in the end must be the same each time. */
#include "failing.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/version.h"
#include "jobs/coordinator.h"
#include "jobs/spool.h"
#include "runs.h"

/* ---- the wrappers ---- */

static bool active;
static nas_failing failing_kind;
static int64_t fail_from, fail_to, calls;

static bool fails(nas_failing kind) {
  if (!active || kind != failing_kind) return false;
  calls++;
  return calls >= fail_from && calls <= fail_to;
}

void nas_failing_begin(nas_failing kind, int64_t at, int64_t more) {
  failing_kind = kind;
  fail_from = at;
  fail_to = at + more;
  calls = 0;
  active = true;
}

bool nas_failing_end(void) {
  active = false;
  return calls >= fail_from;
}

ssize_t write(int fd, const void *bytes, size_t n) {
  if (fd > 2 && fails(NAS_FAILING_WRITES)) return errno = ENOSPC, -1;
  return syscall(SYS_write, fd, bytes, n);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
  if (fails(NAS_FAILING_WRITES)) return errno = ENOSPC, -1;
  return syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
  if (fails(NAS_FAILING_WRITES)) return errno = ENOSPC, -1;
  return syscall(SYS_pwrite64, fd, bytes, n, at);
}

int fdatasync(int fd) {
  if (fails(NAS_FAILING_WRITES)) return errno = EIO, -1;
  return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
  if (fails(NAS_FAILING_WRITES)) return errno = EIO, -1;
  return (int)syscall(SYS_fsync, fd);
}

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define NAS_OTHER_ALLOCATOR
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__)
#define NAS_OTHER_ALLOCATOR
#endif

#ifdef NAS_OTHER_ALLOCATOR
bool nas_failing_allocations(void) { return false; }
#else
/* The names under which glibc keeps its own. NOLINTBEGIN(bugprone-reserved-identifier) */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
/* NOLINTEND(bugprone-reserved-identifier) */

bool nas_failing_allocations(void) { return true; }

void *malloc(size_t n) { return fails(NAS_FAILING_ALLOCATIONS) ? (errno = ENOMEM, NULL) : __libc_malloc(n); }

void *calloc(size_t n, size_t size) {
  return fails(NAS_FAILING_ALLOCATIONS) ? (errno = ENOMEM, NULL) : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n) {
  return fails(NAS_FAILING_ALLOCATIONS) ? (errno = ENOMEM, NULL) : __libc_realloc(p, n);
}
#endif

/* ---- a campaign by hand ---- */

typedef struct scene {
  nas_campaign campaign;
  nas_coordinator c;
  nas_campaign_summary summary;
  nas_campaign_run_options options;
  nas_message queue[64]; /* trials that were handed out and not answered */
  int workers[64];
  size_t first, n;
  int64_t pauses;
} scene;

enum { TRIALS = 6, WORKERS = 2 };

/* Tables of these cases lie in memory where that is to be had: they are synced some hundred times each. */
static const char *table_path(void) {
  static char path[600];
  struct stat st;
  if (stat("/dev/shm", &st) == 0) snprintf(path, sizeof path, "/dev/shm/nascent-failing-%ld.db", (long)getpid());
  else snprintf(path, sizeof path, "%s", nas_runs_path("f.db"));
  return path;
}

static void remove_table(void) {
  static const char *const suffixes[] = {"", "-wal", "-journal", "-shm"};
  char path[640];
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    snprintf(path, sizeof path, "%s%s", table_path(), suffixes[i]);
    unlink(path);
  }
}

static void load_campaign(scene *s) {
  char more[200];
  *s = (scene){0};
  snprintf(more, sizeof more,
           "strategy: {name: regularized-evolution, population: 2, sample: 1}\nbudget: {trials: %d}\n", TRIALS);
  nas_runs_write_noop("f", more);
  assert_ok(nas_campaign_load(nas_runs_path("f.yaml"), NULL, 0, &s->campaign, nas_test_err()));
  s->options = (nas_campaign_run_options){.db = table_path(), .quiet = true};
}

static nas_status greet(scene *s, int worker, nas_err *err) {
  nas_message m = {.kind = NAS_MESSAGE_HELLO};
  strcpy(m.version, NAS_VERSION_FULL);
  memcpy(m.digest, s->c.digest, sizeof m.digest);
  memcpy(m.split, s->c.split, sizeof m.split);
  return nas_coordinator_take(&s->c, worker, &m, err);
}

/* The same result for the same trial, whoever evaluates it and whenever; number 3 fails. */
static nas_status answer(scene *s, const nas_message *trial, int worker, nas_err *err) {
  nas_message m = {.kind = NAS_MESSAGE_RESULT,
                   .trial = trial->trial,
                   .number = trial->number,
                   .attempt = trial->attempt,
                   .seed = trial->seed};
  memcpy(m.arch, trial->arch, sizeof m.arch);
  if (trial->number == 3) {
    m.result.outcome = NAS_OUTCOME_DIVERGED;
    nas_fail(&m.result.cause, NAS_E_DIVERGED, "noop", "the loss is no number");
  }
  for (int32_t epoch = 1; epoch <= 2; epoch++) {
    const nas_epoch e = {.epoch = epoch, .valid_accuracy = 10 * epoch + (double)(trial->number * 7 % 5)};
    nas_status status = nas_result_add_epoch(&m.result, &e, err);
    if (status != NAS_OK) {
      nas_message_free(&m);
      return status;
    }
  }
  return nas_coordinator_take(&s->c, worker, &m, err);
}

/* One step, then the answer to the oldest trial that is out; a pause is not waited out. */
static nas_status go_on(scene *s, nas_err *err) {
  nas_coordinator *c = &s->c;
  c->retry_at = 0;
  NAS_TRY(nas_coordinator_step(c, err));
  if (c->paused) {
    s->pauses++;
    return NAS_OK;
  }
  for (size_t i = 0; i < c->n_outbox; i++) {
    if (c->outbox[i].message.kind != NAS_MESSAGE_TRIAL) continue;
    s->workers[s->n % 64] = c->outbox[i].worker;
    s->queue[s->n++ % 64] = c->outbox[i].message;
  }
  c->n_outbox = 0;
  if (s->first == s->n) return NAS_OK;
  s->first++;
  return answer(s, &s->queue[(s->first - 1) % 64], s->workers[(s->first - 1) % 64], err);
}

static nas_status open_and_greet(scene *s, nas_err *err) {
  NAS_TRY(nas_coordinator_open(&s->c, &s->campaign, &s->options, 1, 1 + WORKERS, &s->summary, err));
  for (int i = 1; i <= WORKERS; i++) NAS_TRY(greet(s, i, err));
  return NAS_OK;
}

static nas_status finish(scene *s, nas_err *err) {
  for (int turn = 0; turn < 1000; turn++) {
    if (nas_coordinator_done(&s->c)) return NAS_OK;
    NAS_TRY(go_on(s, err));
  }
  return nas_fail(err, NAS_E_INTERNAL, "test", "the campaign does not end");
}

static void close_scene(scene *s) {
  nas_coordinator_close(&s->c);
  nas_campaign_free(&s->campaign);
}

/* Everything about the trials that must not depend on what failed. */
static char *record(void) {
  nas_db *db;
  nas_db_campaign *campaign;
  nas_db_trial *rows;
  size_t n;
  nas_str out = {0};
  assert_ok(nas_db_open(table_path(), NAS_DB_READ, &db, nas_test_err()));
  assert_ok(nas_db_campaign_load(db, 0, &campaign, nas_test_err()));
  assert_ok(nas_db_trials(db, campaign->id, &rows, &n, nas_test_err()));
  for (size_t i = 0; i < n; i++) {
    nas_str_fmt(&out, "%llu %s %s %d epochs of %zu", (unsigned long long)rows[i].number, rows[i].arch,
                rows[i].finished ? nas_outcome_text(rows[i].result.outcome) : "unfinished", (int)rows[i].seed,
                rows[i].result.n_epochs);
    for (size_t k = 0; k < rows[i].result.n_epochs; k++)
      nas_str_fmt(&out, " %.17g", rows[i].result.epochs[k].valid_accuracy);
    nas_str_add(&out, "\n");
  }
  nas_db_trials_free(rows, n);
  nas_db_campaign_free(campaign);
  nas_db_close(db);
  return out.s;
}

static char *undisturbed(void) {
  scene s;
  load_campaign(&s);
  remove_table();
  assert_ok(open_and_greet(&s, nas_test_err()));
  assert_ok(finish(&s, nas_test_err()));
  assert_int_equal(s.summary.done, TRIALS);
  close_scene(&s);
  char *table = record();
  remove_table();
  return table;
}

static void expect_record(const char *wanted, nas_failing kind, int64_t at) {
  char *table = record();
  if (strcmp(table, wanted) != 0)
    fail_msg("with call %lld of kind %d failing:\n%s\nundisturbed:\n%s", (long long)at, (int)kind, table, wanted);
  free(table);
}

/* What a person does after an error: the same again with --resume. */
static void resume(scene *s) {
  nas_campaign campaign = s->campaign;
  nas_coordinator_close(&s->c);
  *s = (scene){.campaign = campaign, .options = {.db = table_path(), .quiet = true, .resume = true}};
  assert_ok(open_and_greet(s, nas_test_err()));
  assert_ok(finish(s, nas_test_err()));
}

/* ---- cases ---- */

/* One call fails, or several in a row: the coordinator pauses, tries again, and needs no new start. */
static void pauses_when_a_write_fails(int64_t more) {
  char *wanted = undisturbed();
  bool reached = true;
  int64_t at = 0, paused = 0;
  while (reached) {
    scene s;
    at++;
    load_campaign(&s);
    assert_ok(open_and_greet(&s, nas_test_err()));
    nas_failing_begin(NAS_FAILING_WRITES, at, more);
    nas_err err = {0};
    nas_status status = finish(&s, &err);
    reached = nas_failing_end();
    if (status != NAS_OK) fail_msg("call %lld: %s: %s", (long long)at, err.where, err.msg);
    paused += s.pauses;
    close_scene(&s);
    expect_record(wanted, NAS_FAILING_WRITES, at);
    remove_table();
  }
  print_message("%lld calls failed in turn, %lld pauses\n", (long long)at - 1, (long long)paused);
  assert_true(at > 20 && paused >= at / 2);
  free(wanted);
}

static void each_write_and_sync_fails_once(void **state) {
  (void)state;
  pauses_when_a_write_fails(0);
}

static void each_write_and_sync_fails_and_the_next_ten(void **state) {
  (void)state;
  pauses_when_a_write_fails(10);
}

/* Opening, restoring and closing a table with a campaign half way: an error or none, and nothing is lost. */
static void opening_and_closing_with_a_failing_write(void **state) {
  (void)state;
  char *wanted = undisturbed();
  bool reached = true;
  int64_t at = 0, errors = 0;
  while (reached) {
    scene s;
    nas_err err;
    at++;
    load_campaign(&s);
    assert_ok(open_and_greet(&s, nas_test_err()));
    for (int i = 0; i < 4; i++) assert_ok(go_on(&s, nas_test_err()));
    nas_failing_begin(NAS_FAILING_WRITES, at, 0);
    nas_coordinator_close(&s.c);
    s.c = (nas_coordinator){0};
    s.options.resume = true;
    errors += nas_coordinator_open(&s.c, &s.campaign, &s.options, 1, 1 + WORKERS, &s.summary, &err) != NAS_OK;
    reached = nas_failing_end();
    resume(&s);
    close_scene(&s);
    expect_record(wanted, NAS_FAILING_WRITES, at);
    remove_table();
  }
  print_message("%lld calls failed in turn, %lld errors\n", (long long)at - 1, (long long)errors);
  assert_true(at > 5 && errors > 0);
  free(wanted);
}

/* Without memory a run ends with an error; what is on record goes on from there. Opening takes more than ten thousand
 * allocations: NASCENT_TEST_EVERY=1 has each of them fail, else the later ones are sampled. */
static void allocations_fail(bool opening) {
  if (!nas_failing_allocations()) nas_skip("the sanitizer has the allocator");
  char *wanted = undisturbed();
  bool reached = true;
  int64_t at = 0, errors = 0, runs = 0;
  bool every = !opening || getenv("NASCENT_TEST_EVERY");
  for (; reached; runs++) {
    scene s;
    nas_err err = {0};
    at += every ? 1 : 1 + at / 40;
    load_campaign(&s);
    nas_status status = NAS_OK;
    if (opening) nas_failing_begin(NAS_FAILING_ALLOCATIONS, at, 0);
    status = open_and_greet(&s, &err);
    if (!opening) nas_failing_begin(NAS_FAILING_ALLOCATIONS, at, 0);
    for (int i = 0; i < (opening ? 0 : 1000) && status == NAS_OK && !nas_coordinator_done(&s.c); i++)
      status = go_on(&s, &err);
    reached = nas_failing_end();
    errors += status != NAS_OK;
    if (status != NAS_OK && status != NAS_E_NO_MEMORY && status != NAS_E_IO)
      fail_msg("allocation %lld gave %s: %s", (long long)at, nas_status_name(status), err.msg);
    resume(&s);
    close_scene(&s);
    expect_record(wanted, NAS_FAILING_ALLOCATIONS, at);
    remove_table();
  }
  print_message("%lld of %lld allocations failed in turn, %lld errors\n", (long long)runs - 1, (long long)at,
                (long long)errors);
  assert_true(runs > 100 && errors > runs / 2);
  free(wanted);
}

static void each_allocation_while_trials_run(void **state) {
  (void)state;
  allocations_fail(false);
}

static void each_allocation_while_a_table_is_opened(void **state) {
  (void)state;
  allocations_fail(true);
}

/* ---- the spool ---- */

static nas_status count_result(void *arg, nas_message *m, nas_err *err) {
  (void)err;
  *(uint64_t *)arg |= 1u << m->trial;
  nas_message_free(m);
  return NAS_OK;
}

/* The trials of whose results these frames are. */
static uint64_t trials_in(const nas_spool *s) {
  uint64_t trials = 0;
  int64_t torn = 0;
  char *bytes;
  size_t n;
  assert_ok(nas_file_read(s->path, 1 << 20, &bytes, &n, nas_test_err()));
  assert_ok(nas_spool_read(bytes, n, "token", count_result, &trials, &torn, nas_test_err()));
  free(bytes);
  return trials;
}

static nas_status keep_result(nas_spool *s, int64_t trial, nas_err *err) {
  nas_message m = {.kind = NAS_MESSAGE_RESULT, .trial = trial, .attempt = 1};
  nas_str frames = {0};
  nas_status status = nas_spool_number(s, &m, &frames, err);
  if (status == NAS_OK) status = nas_spool_write(s, &frames, err);
  nas_str_free(&frames);
  return status;
}

/* A worker died with results in its spool; whatever fails while the next one takes them over and adds its own, each
 * is in a spool, and what the coordinator gets is in the new worker's. */
static void taking_over_a_spool(nas_failing kind) {
  bool reached = true;
  int64_t at = 0, errors = 0;
  const char *folder = nas_runs_path("work");
  while (reached) {
    nas_spool dead, next = {.fd = -1};
    nas_str frames = {0};
    nas_err err;
    int64_t n;
    at++;
    assert_ok(nas_spool_open(&dead, folder, "token", nas_test_err()));
    for (int64_t i = 1; i <= 3; i++) assert_ok(keep_result(&dead, i, nas_test_err()));
    close(dead.fd);
    nas_failing_begin(kind, at, 0);
    nas_status status = nas_spool_open(&next, folder, "token", &err);
    if (status == NAS_OK) status = nas_spool_adopt(&next, &frames, &n, &err);
    if (status == NAS_OK) status = keep_result(&next, 4, &err);
    reached = nas_failing_end();
    errors += status != NAS_OK;
    if (status != NAS_OK) { /* the same again, as the worker and its successor do */
      nas_str_free(&frames);
      if (next.fd < 0) assert_ok(nas_spool_open(&next, folder, "token", nas_test_err()));
      assert_ok(nas_spool_adopt(&next, &frames, &n, nas_test_err()));
      assert_ok(keep_result(&next, 4, nas_test_err()));
    }
    if (trials_in(&next) != 0x1e)
      fail_msg("call %lld: trials %llx", (long long)at, (unsigned long long)trials_in(&next));
    nas_spool_free(&next, next.written);
    nas_spool_close(&next);
    nas_str_free(&frames);
  }
  print_message("%lld calls failed in turn, %lld errors\n", (long long)at - 1, (long long)errors);
  assert_true(errors > 3);
}

static void each_write_and_sync_while_a_spool_is_taken_over(void **state) {
  (void)state;
  taking_over_a_spool(NAS_FAILING_WRITES);
}

static void each_allocation_while_a_spool_is_taken_over(void **state) {
  (void)state;
  if (!nas_failing_allocations()) nas_skip("the sanitizer has the allocator");
  taking_over_a_spool(NAS_FAILING_ALLOCATIONS);
}

NAS_SUITE(FailingCalls, NAS_CASE(each_write_and_sync_fails_once), NAS_CASE(each_write_and_sync_fails_and_the_next_ten),
          NAS_CASE(opening_and_closing_with_a_failing_write), NAS_CASE(each_allocation_while_trials_run),
          NAS_CASE(each_allocation_while_a_table_is_opened), NAS_CASE(each_write_and_sync_while_a_spool_is_taken_over),
          NAS_CASE(each_allocation_while_a_spool_is_taken_over))
