#ifndef NAS_TESTS_SEARCH_LLM_RUN_H
#define NAS_TESTS_SEARCH_LLM_RUN_H
/* Starts nascent-llm-server (llm_server.c) beside the program under test. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "harness.h"

typedef struct llm_server {
  pid_t pid;
  int port;
  char log[512];
} llm_server;

/* `script`: see llm_server.c. `space` NULL: nas-bench-201. The log is in the case's folder. */
static inline llm_server llm_server_start(const char *script, const char *space, bool tls) {
  char path[4096], line[16] = "";
  int out[2];
  llm_server s = {0};
  snprintf(path, sizeof path, "%s", nas_program());
  char *slash = strrchr(path, '/');
  snprintf(slash ? slash + 1 : path, sizeof path - (size_t)(slash ? slash + 1 - path : 0), "nascent-llm-server");
  if (!nas_file_exists(path)) nas_skip("no %s: cmake --build ... --target nascent-llm-server", path);
  snprintf(s.log, sizeof s.log, "%s/llm.log", nas_test_folder());
  assert_int_equal(pipe2(out, O_CLOEXEC), 0);
  fflush(NULL);
  s.pid = fork();
  if (s.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out[1], 1);
    execl(path, path, "--script", script, "--space", space ? space : "nas-bench-201", "--log", s.log,
          tls ? "--tls" : (char *)NULL, (char *)NULL);
    _exit(127);
  }
  close(out[1]);
  size_t n = 0;
  for (ssize_t got;
       n + 1 < sizeof line && !strchr(line, '\n') && (got = read(out[0], line + n, sizeof line - 1 - n)) > 0;)
    n += (size_t)got;
  close(out[0]);
  s.port = atoi(line);
  assert_true(s.port > 0);
  return s;
}

static inline void llm_server_stop(llm_server *s) {
  if (s->pid > 0) {
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
  }
  s->pid = 0;
}

/* What was asked so far: one line a request. Free it. */
static inline char *llm_server_log(const llm_server *s) {
  char *text = NULL;
  size_t n;
  if (nas_file_read(s->log, 64 << 20, &text, &n, NULL) != NAS_OK) text = strdup("");
  return text;
}
#endif
