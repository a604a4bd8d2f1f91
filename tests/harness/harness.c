#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

static nas_err case_err;
static char case_folder[64];

int nas_case_setup(void **state);
int nas_case_teardown(void **state);

int nas_case_setup(void **state) {
  (void)state;
  memset(&case_err, 0, sizeof case_err);
  case_folder[0] = '\0';
  return 0;
}

int nas_case_teardown(void **state) {
  (void)state;
  if (case_folder[0]) nas_run(NULL, NULL, "chmod -R u+rwx '%s'; rm -rf '%s'", case_folder, case_folder);
  case_folder[0] = '\0';
  return 0;
}

void nas_assert_close(double actual, double expected, double tolerance, const char *text, const char *file, int line) {
  double bound = tolerance * fmax(1, fabs(expected));
  if (fabs(actual - expected) <= bound) return;
  print_error("%s is %.17g, expected %.17g +- %.3g\n", text, actual, expected, bound);
  _fail(file, line);
}

nas_err *nas_test_err(void) { return &case_err; }

void nas_fail_not_ok(nas_status status, const nas_err *err, const char *call, const char *file, int line) {
  print_error("%s gave %s: %s: %s\n", call, nas_status_name(status), err->where, err->msg);
  _fail(file, line);
}

void nas_assert_fails(nas_status status, nas_status expected, const char *part, const char *call, const char *file,
                      int line) {
  if (status == expected && (strstr(case_err.msg, part) || strstr(case_err.where, part))) return;
  print_error("%s gave %s (expected %s with '%s'): %s: %s\n", call, nas_status_name(status), nas_status_name(expected),
              part, case_err.where, case_err.msg);
  _fail(file, line);
}

void nas_skip(const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  print_message("skipped: %s\n", text);
  skip();
  abort(); /* skip() jumps out of the case */
}

const char *nas_shared_file(const char *relative) {
  static char path[4096];
  const char *shared = getenv("NASCENT_SHARED");
  if (shared) snprintf(path, sizeof path, "%s/%s", shared, relative);
  else snprintf(path, sizeof path, "%s/../shared/%s", nas_source_folder(), relative);
  if (!nas_file_exists(path)) nas_skip("no %s (NASCENT_SHARED may name the folder that holds it)", path);
  return path;
}

const char *nas_test_folder(void) {
  if (!case_folder[0]) {
    snprintf(case_folder, sizeof case_folder, "/tmp/nascent-test-XXXXXX");
    if (!mkdtemp(case_folder)) fail_msg("cannot make a temporary folder");
  }
  return case_folder;
}

const char *nas_source_folder(void) { return NAS_SOURCE_FOLDER; }
const char *nas_program(void) { return NAS_PROGRAM; }

static char *read_and_remove(const char *path) {
  char *bytes = NULL;
  size_t n;
  nas_file_read(path, (size_t)1 << 30, &bytes, &n, NULL);
  unlink(path);
  return bytes;
}

int nas_run(char **out, char **err_out, const char *fmt, ...) {
  char command[16384], out_path[] = "/tmp/nascent-out-XXXXXX", err_path[] = "/tmp/nascent-err-XXXXXX";
  va_list args;
  va_start(args, fmt);
  vsnprintf(command, sizeof command, fmt, args);
  va_end(args);
  int out_fd = mkstemp(out_path), err_fd = mkstemp(err_path);
  if (out_fd < 0 || err_fd < 0) return -1;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(out_fd, STDOUT_FILENO);
    dup2(err_fd, STDERR_FILENO);
    execl("/bin/bash", "bash", "-c", command, (char *)NULL);
    _exit(127);
  }
  close(out_fd);
  close(err_fd);
  int status = 0;
  if (pid > 0) waitpid(pid, &status, 0);
  char *out_text = read_and_remove(out_path), *err_text = read_and_remove(err_path);
  if (out) *out = out_text;
  else free(out_text);
  if (err_out) *err_out = err_text;
  else free(err_text);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
