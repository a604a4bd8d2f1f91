/* Writers that are killed, disks that fill, media that cannot be written. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "bench-db/query.h"
#include "fixture.h"

/* ---- a writer in a process of its own ---- */

typedef struct writer {
  pid_t pid;
  int acknowledged; /* read end: one uint64 after each durable trial */
} writer;

/* Begun before this process opens the file: SQLite's locks belong to processes. It writes trials from `first` on until
 * it is killed; with `open_transaction`, those from first + 3 on stay uncommitted. */
static void write_until_killed(const char *path, uint64_t first, bool open_transaction, int out) {
  nas_db *db;
  int64_t campaign, trial;
  nas_err err;
  nas_db_campaign c = fx_campaign(7);
  if (nas_db_open(path, NAS_DB_CREATE, &db, &err) != NAS_OK) _exit(3);
  if (first > 0) campaign = 1;
  else if (nas_db_campaign_add(db, &c, &campaign, &err) != NAS_OK) _exit(4);
  for (uint64_t i = first;; i++) {
    int32_t attempt;
    bool recorded, last = open_transaction && i >= first + 3;
    nas_db_ask ask = fx_ask(campaign, i);
    if (last && i == first + 3 && nas_db_begin(db, &err) != NAS_OK) _exit(5);
    nas_result r = fx_result(i, 20);
    if (nas_db_trial_add(db, &ask, &trial, &err) != NAS_OK ||
        nas_db_trial_start(db, trial, 1, &attempt, &err) != NAS_OK ||
        nas_db_trial_finish(db, trial, attempt, &r, &recorded, &err) != NAS_OK)
      _exit(6);
    nas_result_free(&r);
    if (write(out, &i, sizeof i) != sizeof i) _exit(7);
  }
}

static writer start_writer(const char *path, uint64_t first, bool open_transaction) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    close(ends[0]);
    write_until_killed(path, first, open_transaction, ends[1]);
  }
  close(ends[1]);
  return (writer){pid, ends[0]};
}

/* Waits for n more trials and returns the number of the next one. */
static uint64_t await_trials(const writer *w, int n) {
  uint64_t number = 0;
  for (int i = 0; i < n; i++) assert_int_equal(read(w->acknowledged, &number, sizeof number), sizeof number);
  return number + 1;
}

/* Kills it and returns the number of the next trial: one beyond the last that was acknowledged. */
static uint64_t stop_writer(writer *w, uint64_t next) {
  int status;
  kill(w->pid, SIGKILL);
  waitpid(w->pid, &status, 0);
  assert_true(WIFSIGNALED(status));
  uint64_t number;
  while (read(w->acknowledged, &number, sizeof number) == sizeof number) next = number + 1;
  close(w->acknowledged);
  return next;
}

/* Every acknowledged trial is there and whole, what else is there is whole too, and the table verifies. */
static size_t assert_complete(nas_db *db, uint64_t acknowledged) {
  nas_db_trial *rows;
  nas_rows problems = {0};
  size_t n;
  int checks;
  assert_ok(nas_db_trials(db, 1, &rows, &n, nas_test_err()));
  assert_true(n >= acknowledged);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(rows[i].number, i);
    if (i < acknowledged || rows[i].finished) assert_true(fx_intact(&rows[i], 20));
  }
  nas_db_trials_free(rows, n);
  assert_ok(nas_db_verify(db, &problems, &checks, nas_test_err()));
  for (size_t i = 0; i < problems.n; i++) print_error("%s\n", nas_rows_at(&problems, i, "what")->text);
  assert_int_equal(problems.n, 0);
  nas_rows_free(&problems);
  return n;
}

static void assert_only_file(const char *name) {
  char *out;
  char expected[64];
  snprintf(expected, sizeof expected, "%s\n", name);
  nas_run(&out, NULL, "ls -A '%s'", nas_test_folder());
  assert_string_equal(out, expected);
  free(out);
}

static void kill_at_any_point_loses_nothing(void **state) {
  (void)state;
  enum { POINTS = 50 };
  char path[512];
  snprintf(path, sizeof path, "%s", fx_path("t.db"));
  nas_rng rng = nas_rng_make(5, 0, NAS_STREAM_SAMPLE);
  uint64_t next = 0;
  for (uint64_t point = 1; point <= POINTS; point++) {
    writer w = start_writer(path, next, false);
    if (point % 4) next = await_trials(&w, 1 + (int)(point % 3)); /* otherwise while it opens the table */
    usleep((useconds_t)(nas_rng_unit(rng, point) * 15000));
    next = stop_writer(&w, next);
    nas_db *db;
    assert_ok(nas_db_open(path, point % 2 ? NAS_DB_READ : NAS_DB_WRITE, &db, nas_test_err()));
    size_t there = assert_complete(db, next);
    nas_db_close(db);
    assert_only_file("t.db");
    /* A trial that was asked but not finished is finished by the next campaign process; here it is dropped. */
    if (there > next) {
      char sql[256];
      snprintf(sql, sizeof sql, "SELECT outcome IS NOT NULL FROM trial WHERE number = %llu", (unsigned long long)next);
      if (strcmp(fx_shell(path, sql), "1") == 0) next++;
      else fx_shell(path, "DELETE FROM trial WHERE outcome IS NULL");
    }
  }
  print_message("%d kills, %llu trials\n", POINTS, (unsigned long long)next);
  assert_true(next >= POINTS);
}

static void kill_inside_a_transaction_leaves_none_of_it(void **state) {
  (void)state;
  for (int i = 0; i < 3; i++) {
    char name[32];
    snprintf(name, sizeof name, "t%d.db", i);
    const char *path = fx_path(name);
    writer w = start_writer(path, 0, true);
    await_trials(&w, 3 + 200 * (i + 1)); /* enough that pages spill into the WAL before the commit */
    stop_writer(&w, 0);
    nas_db *db;
    assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
    assert_int_equal(assert_complete(db, 3), 3);
    nas_db_close(db);
  }
}

static void kill_while_the_table_is_made(void **state) {
  (void)state;
  nas_rng rng = nas_rng_make(6, 0, NAS_STREAM_SAMPLE);
  for (uint64_t i = 0; i < 20; i++) {
    char name[32];
    snprintf(name, sizeof name, "t%d.db", (int)i);
    const char *path = fx_path(name);
    writer w = start_writer(path, 0, false);
    usleep((useconds_t)(nas_rng_unit(rng, i) * 12000));
    uint64_t next = stop_writer(&w, 0);
    nas_db *db;
    nas_status status = nas_db_open(path, NAS_DB_READ, &db, nas_test_err());
    if (status == NAS_OK) nas_db_close(db);
    else if (next > 0 || (status != NAS_E_NOT_FOUND && status != NAS_E_DB_UNREADABLE))
      nas_fail_not_ok(status, nas_test_err(), "opening a half-made table", __FILE__, __LINE__);
    assert_ok(nas_db_open(path, NAS_DB_CREATE, &db, nas_test_err()));
    if (next > 0) assert_complete(db, next);
    nas_db_close(db);
  }
}

static void one_writer_at_a_time(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  writer w = start_writer(path, 0, false);
  await_trials(&w, 2);
  nas_db *db;
  assert_fails(nas_db_open(path, NAS_DB_WRITE, &db, nas_test_err()), NAS_E_DB_BUSY, "another process");
  assert_fails(nas_db_open(path, NAS_DB_CREATE, &db, nas_test_err()), NAS_E_DB_BUSY, "another process");
  assert_fails(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()), NAS_E_DB_BUSY, "try again when it has ended");
  assert_int_equal(nas_run(NULL, NULL, "touch '%s.snapshot'", path), 0);
  assert_fails(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()), NAS_E_DB_BUSY, "t.db.snapshot");
  await_trials(&w, 1); /* the campaign was not disturbed */
  uint64_t next = stop_writer(&w, 0);
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
  assert_complete(db, next);
  nas_db_close(db);
}

static void a_snapshot_is_whole_and_replaced_at_once(void **state) {
  (void)state;
  int64_t campaign;
  const char *path = fx_path("t.db"), *copy = fx_path("t.db.snapshot");
  nas_db *db = fx_open(path, &campaign), *reader;
  for (uint64_t i = 0; i < 10; i++) fx_add(db, campaign, i, 20);
  assert_ok(nas_db_snapshot(db, copy, nas_test_err()));
  fx_add(db, campaign, 10, 20);
  assert_ok(nas_db_open(copy, NAS_DB_READ, &reader, nas_test_err())); /* while the table is open for writing */
  assert_int_equal(assert_complete(reader, 10), 10);
  assert_ok(nas_db_snapshot(db, copy, nas_test_err())); /* while the old one is being read */
  assert_int_equal(assert_complete(reader, 10), 10);
  nas_db_close(reader);
  assert_ok(nas_db_open(copy, NAS_DB_READ, &reader, nas_test_err()));
  assert_int_equal(assert_complete(reader, 11), 11);
  nas_db_close(reader);
  assert_ok(nas_db_begin(db, nas_test_err()));
  assert_fails(nas_db_snapshot(db, copy, nas_test_err()), NAS_E_INTERNAL, "inside a transaction");
  nas_db_rollback(db);
  assert_fails(nas_db_snapshot(db, fx_path("no/such/folder"), nas_test_err()), NAS_E_NOT_FOUND, "snapshot");
  nas_db_close(db);
  char *out;
  nas_run(&out, NULL, "ls -A '%s'", nas_test_folder());
  assert_string_equal(out, "t.db\nt.db.snapshot\n");
  free(out);
}

/* ---- file systems of our own ---- */

/* Mounts a tmpfs, in a mount namespace that ends with this process; skips where that is not allowed. */
static const char *mount_small(const char *name, const char *size) {
  static bool apart;
  static char path[512], options[64];
  if (!apart && (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0))
    nas_skip("this user may not mount: %s", strerror(errno));
  apart = true;
  snprintf(path, sizeof path, "%s", fx_path(name));
  snprintf(options, sizeof options, "size=%s", size);
  assert_ok(nas_folder_make(path, nas_test_err()));
  if (mount("tmpfs", path, "tmpfs", 0, options) != 0) nas_skip("this user may not mount: %s", strerror(errno));
  return path;
}

static void remount(const char *path, unsigned long flags, const char *options) {
  assert_int_equal(mount("tmpfs", path, "tmpfs", MS_REMOUNT | flags, options), 0);
}

static nas_status add_quietly(nas_db *db, uint64_t number) {
  int64_t trial;
  int32_t attempt;
  bool recorded;
  nas_db_ask ask = fx_ask(1, number);
  nas_result r = fx_result(number, 20);
  nas_status status = nas_db_begin(db, nas_test_err());
  if (status == NAS_OK) status = nas_db_trial_add(db, &ask, &trial, nas_test_err());
  if (status == NAS_OK) status = nas_db_trial_start(db, trial, 1, &attempt, nas_test_err());
  if (status == NAS_OK) status = nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err());
  if (status == NAS_OK) status = nas_db_commit(db, nas_test_err());
  else nas_db_rollback(db);
  nas_result_free(&r);
  return status;
}

static void a_full_disk_loses_nothing(void **state) {
  (void)state;
  const char *disk = mount_small("disk", "700k");
  char path[600];
  snprintf(path, sizeof path, "%s/t.db", disk);
  int64_t campaign;
  nas_db *db = fx_open(path, &campaign);
  uint64_t n = 0;
  while (add_quietly(db, n) == NAS_OK) n++;
  assert_int_equal(nas_test_err()->code, NAS_E_NO_SPACE);
  assert_non_null(strstr(nas_test_err()->msg, "disk is full"));
  assert_true(n > 10);
  assert_fails(add_quietly(db, n), NAS_E_NO_SPACE, "disk is full");
  nas_db_close(db); /* cannot merge the WAL */
  remount(disk, 0, "size=8m");
  assert_ok(nas_db_open(path, NAS_DB_WRITE, &db, nas_test_err()));
  assert_int_equal(assert_complete(db, n), n);
  assert_ok(add_quietly(db, n));
  assert_int_equal(assert_complete(db, n + 1), n + 1);
  nas_db_close(db);
  remount(disk, 0, "size=8m");
  umount2(disk, MNT_DETACH);
}

static void space_that_returns_is_used(void **state) {
  (void)state;
  const char *disk = mount_small("disk", "700k");
  char path[600];
  snprintf(path, sizeof path, "%s/t.db", disk);
  int64_t campaign;
  nas_db *db = fx_open(path, &campaign);
  uint64_t n = 0;
  while (add_quietly(db, n) == NAS_OK) n++;
  remount(disk, 0, "size=8m");
  assert_ok(add_quietly(db, n)); /* the same connection goes on */
  assert_int_equal(assert_complete(db, n + 1), n + 1);
  nas_db_close(db);
  umount2(disk, MNT_DETACH);
}

static void no_room_for_a_new_table(void **state) {
  (void)state;
  const char *disk = mount_small("disk", "16k");
  char path[600];
  snprintf(path, sizeof path, "%s/t.db", disk);
  nas_db *db;
  assert_fails(nas_db_open(path, NAS_DB_CREATE, &db, nas_test_err()), NAS_E_NO_SPACE, "disk is full");
  umount2(disk, MNT_DETACH);
}

/* The program on a full disk: exit 4, a clear word, and what was there before stays sound. */
static void import_and_merge_on_a_full_disk(void **state) {
  (void)state;
  if (!nas_file_exists(nas_program())) nas_skip("the program is not built: cmake --build ... --target nascent");
  const char *disk = mount_small("disk", "900k");
  char *talk = NULL;
  nas_str csv = {0};
  nas_str_add(&csv, "net,v,t\n");
  for (int i = 0; i < 8000; i++) {
    for (int b = 12; b >= 0; b--) nas_str_add(&csv, i >> b & 1 ? "1" : "0");
    nas_str_fmt(&csv, ",%d.123456%d,2.5%d\n", i % 100, i, i);
  }
  const char *map =
      "space: {declared: bits, ops: [a, b], positions: 13, form: digits}\narch: net\nrows:\n  - {dataset: "
      "d, epochs: 3, seed: 1, valid_accuracy: v, test_loss: t}\n";
  assert_ok(nas_file_write_atomic(fx_path("a.csv"), csv.s, csv.len, nas_test_err()));
  assert_ok(nas_file_write_atomic(fx_path("m.yaml"), map, strlen(map), nas_test_err()));
  nas_str_free(&csv);
  char table[600];
  snprintf(table, sizeof table, "%s/t.db", disk);
  fx_table(table, 5);
  int code = nas_run(NULL, &talk, "cd '%s' && '%s' db import a.csv --map m.yaml --db disk/t.db", nas_test_folder(),
                     nas_program());
  if (code != 4 || !strstr(talk, "disk is full")) fail_msg("exit %d: %s", code, talk);
  free(talk);
  assert_string_equal(fx_shell(table, "SELECT count(*) FROM trial"), "5");
  assert_int_equal(nas_run(NULL, NULL, "'%s' db verify '%s'", nas_program(), table), 0);
  /* A fresh one leaves nothing behind. */
  code = nas_run(NULL, NULL, "cd '%s' && '%s' db import a.csv --map m.yaml --db disk/u.db", nas_test_folder(),
                 nas_program());
  assert_int_equal(code, 4);
  assert_int_equal(nas_run(NULL, NULL, "ls '%s' | grep -q u.db", disk), 1);
  /* And merging: the sources are elsewhere, the new table does not fit. */
  assert_int_equal(nas_run(NULL, NULL, "cd '%s' && '%s' db import a.csv --map m.yaml --db big.db -q", nas_test_folder(),
                           nas_program()),
                   0);
  code =
      nas_run(NULL, &talk, "cd '%s' && '%s' db merge big.db disk/t.db -o disk/c.db", nas_test_folder(), nas_program());
  if (code != 4 || !strstr(talk, "disk is full")) fail_msg("exit %d: %s", code, talk);
  free(talk);
  assert_int_equal(nas_run(NULL, NULL, "ls '%s' | grep -q c.db", disk), 1);
  assert_int_equal(nas_run(NULL, NULL, "'%s' db verify '%s'", nas_program(), table), 0);
  /* Read-only: read, but neither imported into nor merged to. */
  remount(disk, MS_RDONLY, NULL);
  assert_int_equal(nas_run(NULL, NULL, "'%s' db info '%s'", nas_program(), table), 0);
  code = nas_run(NULL, &talk, "cd '%s' && '%s' db import a.csv --map m.yaml --db disk/t.db", nas_test_folder(),
                 nas_program());
  if (code != 4 || !strstr(talk, "read-only")) fail_msg("exit %d: %s", code, talk);
  free(talk);
  code = nas_run(NULL, NULL, "cd '%s' && '%s' db merge disk/t.db -o disk/c.db", nas_test_folder(), nas_program());
  assert_int_equal(code, 4);
  assert_int_equal(
      nas_run(NULL, NULL, "cd '%s' && '%s' db merge disk/t.db -o from-ro.db", nas_test_folder(), nas_program()), 0);
  umount2(disk, MNT_DETACH);
}

static void a_read_only_medium_is_read(void **state) {
  (void)state;
  const char *disk = mount_small("disk", "8m");
  char path[600], torn[600], odd[600], wal[600];
  snprintf(path, sizeof path, "%s/t.db", disk);
  snprintf(torn, sizeof torn, "%s/torn.db", disk);
  snprintf(odd, sizeof odd, "%s/100%% a?b#c 'ü'.db", disk);
  snprintf(wal, sizeof wal, "%s-wal", torn);
  nas_db *db;
  writer w = start_writer(path, 0, false);
  await_trials(&w, 5);
  uint64_t n = stop_writer(&w, 0);
  assert_int_equal(nas_run(NULL, NULL, "cp '%s' '%s' && cp '%s-wal' '%s'", path, torn, path, wal), 0);
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err())); /* merges */
  nas_db_close(db);
  /* A whole file in WAL mode with an awkward name: nothing is missing, but SQLite wants side files for it. */
  assert_int_equal(
      nas_run(NULL, NULL, "cp '%s' \"%s/odd\" && sqlite3 '%s/odd' 'PRAGMA journal_mode=WAL'", path, disk, disk), 0);
  char from[600];
  snprintf(from, sizeof from, "%s/odd", disk);
  assert_int_equal(rename(from, odd), 0);
  remount(disk, MS_RDONLY, NULL);
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
  assert_complete(db, n);
  nas_db_close(db);
  assert_ok(nas_db_open(odd, NAS_DB_READ, &db, nas_test_err()));
  assert_complete(db, n);
  nas_db_close(db);
  assert_fails(nas_db_open(torn, NAS_DB_READ, &db, nas_test_err()), NAS_E_IO, "copy both files");
  assert_fails(nas_db_open(path, NAS_DB_WRITE, &db, nas_test_err()), NAS_E_IO, "read-only");
  char fresh[600];
  snprintf(fresh, sizeof fresh, "%s/new.db", disk);
  assert_fails(nas_db_open(fresh, NAS_DB_CREATE, &db, nas_test_err()), NAS_E_IO, "Read-only file system");
  remount(disk, 0, NULL);
  assert_ok(nas_db_open(torn, NAS_DB_READ, &db, nas_test_err())); /* the remedy works */
  assert_complete(db, n);
  nas_db_close(db);
  umount2(disk, MNT_DETACH);
}

NAS_SUITE(DbDurability, NAS_CASE(kill_at_any_point_loses_nothing),
          NAS_CASE(kill_inside_a_transaction_leaves_none_of_it), NAS_CASE(kill_while_the_table_is_made),
          NAS_CASE(one_writer_at_a_time), NAS_CASE(a_snapshot_is_whole_and_replaced_at_once),
          NAS_CASE(a_full_disk_loses_nothing), NAS_CASE(space_that_returns_is_used), NAS_CASE(no_room_for_a_new_table),
          NAS_CASE(import_and_merge_on_a_full_disk), NAS_CASE(a_read_only_medium_is_read))
