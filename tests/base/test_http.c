#include "base/http.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "harness.h"
#include "http_server.h"

enum { BODY = 300000 };

typedef struct fixture {
  char body[BODY];
  char path[256], part[256], tag[256], log[256], url[128];
  http_behaviour behaviour;
  http_server server;
} fixture;

static fixture *prepare(void) {
  static fixture f;
  setenv("no_proxy", "127.0.0.1", 1); /* a proxy cannot reach the test server */
  f = (fixture){.behaviour = {.n = BODY, .tag = "\"one\""}};
  for (int i = 0; i < BODY; i++) f.body[i] = (char)(i * 7 + i / 251);
  snprintf(f.path, sizeof f.path, "%s/file", nas_test_folder());
  snprintf(f.part, sizeof f.part, "%s.part", f.path);
  snprintf(f.tag, sizeof f.tag, "%s.part.tag", f.path);
  snprintf(f.log, sizeof f.log, "%s/log", nas_test_folder());
  f.behaviour.body = f.body;
  f.behaviour.log = f.log;
  return &f;
}

static void start(fixture *f) {
  http_stop(&f->server);
  unlink(f->log);
  assert_true(http_start(&f->server, &f->behaviour));
  snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/file", f->server.port);
}

static nas_status download(const fixture *f, int attempts) {
  const nas_download d = {.url = f->url, .path = f->path, .attempts = attempts};
  return nas_http_download(&d, nas_test_err());
}

static void assert_log(const fixture *f, const char *expected) {
  char *text;
  size_t n;
  assert_ok(nas_file_read(f->log, 1 << 16, &text, &n, nas_test_err()));
  assert_string_equal(text, expected);
  free(text);
}

static void assert_complete(fixture *f) {
  char *text;
  size_t n;
  assert_ok(nas_file_read(f->path, 1 << 20, &text, &n, nas_test_err()));
  assert_int_equal(n, f->behaviour.n);
  assert_memory_equal(text, f->behaviour.body, n);
  free(text);
  assert_false(nas_file_exists(f->part));
  assert_false(nas_file_exists(f->tag));
  http_stop(&f->server);
}

static int64_t size_of(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

static void fetches_a_file(void **state) {
  (void)state;
  fixture *f = prepare();
  start(f);
  assert_ok(download(f, 1));
  assert_log(f, "/file range=- if-range=-\n");
  assert_complete(f);
}

static void fetches_an_empty_file(void **state) {
  (void)state;
  fixture *f = prepare();
  f->behaviour.n = 0;
  start(f);
  assert_ok(download(f, 1));
  assert_complete(f);
}

static void follows_a_redirection(void **state) {
  (void)state;
  fixture *f = prepare();
  f->behaviour.redirect_to = "/there";
  start(f);
  assert_ok(download(f, 1));
  assert_log(f, "/file range=- if-range=-\n/there range=- if-range=-\n");
  assert_complete(f);
}

static void fetches_from_a_local_file(void **state) {
  (void)state;
  fixture *f = prepare();
  char source[256];
  snprintf(source, sizeof source, "%s/source", nas_test_folder());
  assert_ok(nas_file_write_atomic(source, f->body, BODY, nas_test_err()));
  snprintf(f->url, sizeof f->url, "file://%s", source);
  /* Left-overs of an earlier try are not joined. */
  assert_ok(nas_file_write_atomic(f->part, "old", 3, nas_test_err()));
  assert_ok(nas_file_write_atomic(f->tag, "\"one\"", 5, nas_test_err()));
  assert_ok(download(f, 1));
  assert_complete(f);
  snprintf(f->url, sizeof f->url, "file://%s/absent", nas_test_folder());
  assert_fails(download(f, 3), NAS_E_NETWORK, "absent");
}

/* The server hangs up after 100,000 bytes; the next call asks for the rest only. */
static void goes_on_where_it_stopped(void **state) {
  (void)state;
  fixture *f = prepare();
  f->behaviour.cut_after = 100000;
  start(f);
  assert_fails(download(f, 1), NAS_E_NETWORK, "after 100000 bytes");
  assert_false(nas_file_exists(f->path));
  assert_int_equal(size_of(f->part), 100000);
  f->behaviour.cut_after = 0;
  start(f);
  assert_ok(download(f, 1));
  assert_log(f, "/file range=bytes=100000- if-range=\"one\"\n");
  assert_complete(f);
}

static void goes_on_within_one_call(void **state) {
  (void)state;
  fixture *f = prepare();
  f->behaviour.cut_after = 100000;
  f->behaviour.cut_answers = 2;
  start(f);
  assert_ok(download(f, 3));
  assert_log(f,
             "/file range=- if-range=-\n/file range=bytes=100000- if-range=\"one\"\n"
             "/file range=bytes=200000- if-range=\"one\"\n");
  assert_complete(f);
}

static void stop_midway(fixture *f) {
  f->behaviour.cut_after = 100000;
  start(f);
  assert_fails(download(f, 1), NAS_E_NETWORK, "after 100000 bytes");
  f->behaviour.cut_after = 0;
}

static void starts_anew_when_the_server_ignores_ranges(void **state) {
  (void)state;
  fixture *f = prepare();
  stop_midway(f);
  f->behaviour.ignores_range = true;
  start(f);
  assert_ok(download(f, 1));
  assert_log(f, "/file range=bytes=100000- if-range=\"one\"\n");
  assert_complete(f);
}

static void starts_anew_when_the_file_changed(void **state) {
  (void)state;
  fixture *f = prepare();
  stop_midway(f);
  for (int i = 0; i < BODY; i++) f->body[i] = (char)(i * 3);
  f->behaviour.tag = "\"two\"";
  start(f);
  assert_ok(download(f, 1));
  assert_complete(f);
}

/* ... even when the server sends the range of another version. */
static void does_not_join_two_versions(void **state) {
  (void)state;
  fixture *f = prepare();
  stop_midway(f);
  for (int i = 0; i < BODY; i++) f->body[i] = (char)(i * 3);
  f->behaviour.tag = "\"two\"";
  f->behaviour.ignores_if_range = true;
  start(f);
  assert_ok(download(f, 1));
  assert_log(f, "/file range=bytes=100000- if-range=\"one\"\n/file range=- if-range=-\n");
  assert_complete(f);
}

static void does_not_join_a_wrong_range(void **state) {
  (void)state;
  fixture *f = prepare();
  stop_midway(f);
  f->behaviour.shifts_range = true;
  start(f);
  assert_ok(download(f, 1));
  assert_complete(f);
}

static void starts_anew_when_the_part_is_too_long(void **state) {
  (void)state;
  fixture *f = prepare();
  stop_midway(f);
  f->behaviour.n = 50000;
  start(f);
  assert_ok(download(f, 1));
  assert_complete(f);
}

static void starts_anew_without_a_version(void **state) {
  (void)state;
  fixture *f = prepare();
  f->behaviour.tag = NULL;
  stop_midway(f);
  start(f);
  assert_ok(download(f, 1));
  assert_log(f, "/file range=- if-range=-\n");
  assert_complete(f);
}

/* "W/" tags are equal for files of other bytes. */
static void does_not_trust_a_weak_version(void **state) {
  (void)state;
  fixture *f = prepare();
  f->behaviour.tag = "W/\"one\"";
  stop_midway(f);
  start(f);
  assert_ok(download(f, 1));
  assert_log(f, "/file range=- if-range=-\n");
  assert_complete(f);
}

static void reports_http_errors(void **state) {
  (void)state;
  static const int statuses[] = {404, 403, 500, 503};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    fixture *f = prepare();
    char text[32];
    f->behaviour.status = statuses[i];
    start(f);
    snprintf(text, sizeof text, "status %d", statuses[i]);
    assert_fails(download(f, 1), NAS_E_NETWORK, text);
    assert_false(nas_file_exists(f->path));
    assert_true(size_of(f->part) <= 0); /* the text of the error page is no data */
    http_stop(&f->server);
  }
}

/* A missing file is not asked for again; a server in trouble is. */
static void repeats_only_what_may_pass(void **state) {
  (void)state;
  fixture *f = prepare();
  f->behaviour.status = 404;
  start(f);
  assert_fails(download(f, 3), NAS_E_NETWORK, "404");
  assert_log(f, "/file range=- if-range=-\n");
  f->behaviour.status = 503;
  start(f);
  assert_fails(download(f, 2), NAS_E_NETWORK, "503");
  assert_log(f, "/file range=- if-range=-\n/file range=- if-range=-\n");
  http_stop(&f->server);
}

static void an_error_page_does_not_spoil_the_part(void **state) {
  (void)state;
  fixture *f = prepare();
  stop_midway(f);
  f->behaviour.status = 500;
  start(f);
  assert_fails(download(f, 1), NAS_E_NETWORK, "500");
  assert_int_equal(size_of(f->part), 100000);
  f->behaviour.status = 0;
  start(f);
  assert_ok(download(f, 1));
  assert_complete(f);
}

static void reports_a_refused_connection(void **state) {
  (void)state;
  fixture *f = prepare();
  start(f);
  http_stop(&f->server);
  assert_fails(download(f, 1), NAS_E_NETWORK, "127.0.0.1");
  snprintf(f->url, sizeof f->url, "gopher://127.0.0.1/");
  assert_fails(download(f, 1), NAS_E_NETWORK, "gopher");
}

static nas_status refuse(void *arg, const char *part, nas_err *err) {
  *(int64_t *)arg = size_of(part);
  return nas_fail(err, NAS_E_MISMATCH, part, "not the bytes that were wanted");
}

static void a_refused_file_leaves_nothing(void **state) {
  (void)state;
  fixture *f = prepare();
  int64_t seen = 0;
  start(f);
  const nas_download d = {.url = f->url, .path = f->path, .attempts = 3, .check = refuse, .arg = &seen};
  assert_fails(nas_http_download(&d, nas_test_err()), NAS_E_MISMATCH, "not the bytes");
  http_stop(&f->server);
  assert_int_equal(seen, BODY);
  assert_false(nas_file_exists(f->path));
  assert_false(nas_file_exists(f->part));
  assert_false(nas_file_exists(f->tag));
}

typedef struct track {
  int64_t last, total;
  int calls;
} track;

static void on_progress(void *arg, int64_t done, int64_t total) {
  track *t = arg;
  assert_true(done >= t->last);
  t->last = done;
  if (total) t->total = total;
  t->calls++;
}

/* A download that goes on counts the bytes of the first try too. */
static void progress_counts_the_whole_file(void **state) {
  (void)state;
  fixture *f = prepare();
  stop_midway(f);
  start(f);
  track t = {0};
  const nas_download d = {.url = f->url, .path = f->path, .progress = on_progress, .arg = &t};
  assert_ok(nas_http_download(&d, nas_test_err()));
  assert_true(t.calls > 0);
  assert_int_equal(t.last, BODY);
  assert_int_equal(t.total, BODY);
  assert_complete(f);
}

/* The old content stays until the new one is complete. */
static void an_old_file_survives_a_failure(void **state) {
  (void)state;
  fixture *f = prepare();
  char *text;
  size_t n;
  assert_ok(nas_file_write_atomic(f->path, "old", 3, nas_test_err()));
  stop_midway(f);
  assert_ok(nas_file_read(f->path, 100, &text, &n, nas_test_err()));
  assert_string_equal(text, "old");
  free(text);
  start(f);
  assert_ok(download(f, 1));
  assert_complete(f);
}

static void two_at_once_do_not_mix(void **state) {
  (void)state;
  fixture *f = prepare();
  char command[512];
  start(f);
  snprintf(command, sizeof command, "exec 9>>'%s'; flock -n 9", f->part);
  int ready[2];
  assert_int_equal(pipe(ready), 0);
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ready[1], 1);
    execl("/bin/bash", "bash", "-c", strcat(command, "; echo x; sleep 60"), (char *)NULL);
    _exit(127);
  }
  char c;
  assert_int_equal(read(ready[0], &c, 1), 1);
  nas_status status = download(f, 1);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  close(ready[0]);
  close(ready[1]);
  assert_fails(status, NAS_E_IO, "another process");
  http_stop(&f->server);
}

static void reports_an_unwritable_folder(void **state) {
  (void)state;
  fixture *f = prepare();
  start(f);
  snprintf(f->path, sizeof f->path, "/proc/nascent-test/file");
  assert_fails(download(f, 1), NAS_E_NOT_FOUND, "/proc/nascent-test/file.part");
  snprintf(f->path, sizeof f->path, "%s/plain/file", nas_test_folder());
  char plain[256];
  snprintf(plain, sizeof plain, "%s/plain", nas_test_folder());
  assert_ok(nas_file_write_atomic(plain, "", 0, nas_test_err()));
  assert_fails(download(f, 1), NAS_E_NOT_FOUND, "plain/file.part");
  http_stop(&f->server);
}

static void reports_a_full_disk(void **state) {
  (void)state;
  fixture *f = prepare();
  char folder[128];
  snprintf(folder, sizeof folder, "%s/tiny", nas_test_folder());
  assert_ok(nas_folder_make(folder, nas_test_err()));
  if (mount("none", folder, "tmpfs", 0, "size=64k") != 0) nas_skip("cannot mount a tiny disk: %s", strerror(errno));
  start(f);
  snprintf(f->path, sizeof f->path, "%s/file", folder);
  nas_status status = download(f, 3);
  bool there = nas_file_exists(f->path);
  umount(folder);
  assert_fails(status, NAS_E_NO_SPACE, "cannot write the download");
  assert_false(there);
  http_stop(&f->server);
}

NAS_SUITE(Http, NAS_CASE(fetches_a_file), NAS_CASE(fetches_an_empty_file), NAS_CASE(follows_a_redirection),
          NAS_CASE(fetches_from_a_local_file), NAS_CASE(goes_on_where_it_stopped), NAS_CASE(goes_on_within_one_call),
          NAS_CASE(starts_anew_when_the_server_ignores_ranges), NAS_CASE(starts_anew_when_the_file_changed),
          NAS_CASE(does_not_join_two_versions), NAS_CASE(does_not_join_a_wrong_range),
          NAS_CASE(starts_anew_when_the_part_is_too_long), NAS_CASE(starts_anew_without_a_version),
          NAS_CASE(does_not_trust_a_weak_version), NAS_CASE(reports_http_errors), NAS_CASE(repeats_only_what_may_pass),
          NAS_CASE(an_error_page_does_not_spoil_the_part), NAS_CASE(reports_a_refused_connection),
          NAS_CASE(a_refused_file_leaves_nothing), NAS_CASE(progress_counts_the_whole_file),
          NAS_CASE(an_old_file_survives_a_failure), NAS_CASE(two_at_once_do_not_mix),
          NAS_CASE(reports_an_unwritable_folder), NAS_CASE(reports_a_full_disk))
