#include "jobs/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"

/* The zygote's own state; it lives in that process only. */
typedef struct zygote_process {
  nas_channel control;
  int signals, words; /* signalfd; the child's stdout and stderr */
  pid_t child;
  char tail[2048]; /* the last words */
  size_t n_tail;
  nas_zygote_serve serve;
  const void *arg;
} zygote_process;

static void keep_words(zygote_process *z) {
  char bytes[4096];
  for (ssize_t n; z->words >= 0 && (n = read(z->words, bytes, sizeof bytes)) > 0;) {
    size_t got = (size_t)n, keep = sizeof z->tail - 1;
    const char *from = bytes;
    if (got > keep) from += got - keep, got = keep;
    if (z->n_tail + got > keep) {
      size_t drop = z->n_tail + got - keep;
      memmove(z->tail, z->tail + drop, z->n_tail - drop);
      z->n_tail -= drop;
    }
    memcpy(z->tail + z->n_tail, from, got);
    z->n_tail += got;
  }
}

/* A terminal's Ctrl-C and mpirun's signals reach the whole process group; the rank alone decides what they mean. */
static void ignore_stop_signals(void) {
  static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE};
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
}

/* Dies with the parent, also when that is gone already. */
static void die_with(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
}

static void run_child(zygote_process *z, int socket, int words, pid_t parent) {
  die_with(parent);
  prctl(PR_SET_NAME, "nascent-trial");
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  dup2(words, STDOUT_FILENO);
  dup2(words, STDERR_FILENO);
  close(words);
  close(z->signals);
  close(z->control.fd);
  if (z->words >= 0) close(z->words);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  z->serve(socket, z->arg);
  _exit(0);
}

static nas_status spawn(zygote_process *z, nas_err *err) {
  int socket = z->control.passed, words[2];
  z->control.passed = -1;
  if (socket < 0) return nas_fail(err, NAS_E_INTERNAL, "zygote", "asked for a trial process without a socket");
  nas_status status = NAS_OK;
  if (z->child > 0) status = nas_fail(err, NAS_E_INTERNAL, "zygote", "asked for a second trial process");
  else if (pipe2(words, O_CLOEXEC) < 0)
    status = nas_fail_errno(err, errno, "zygote", "cannot make a pipe for a trial process");
  if (status != NAS_OK) {
    close(socket);
    return status;
  }
  pid_t self = getpid(), child = fork();
  if (child == 0) {
    close(words[0]);
    run_child(z, socket, words[1], self);
  }
  close(socket);
  close(words[1]);
  if (child < 0) {
    close(words[0]);
    return nas_fail_errno(err, errno, "zygote", "cannot fork a trial process");
  }
  fcntl(words[0], F_SETFL, O_NONBLOCK);
  if (z->words >= 0) close(z->words);
  z->words = words[0];
  z->child = child;
  z->n_tail = 0;
  return NAS_OK;
}

/* The last whole lines that fit the message, control characters as blanks. */
static void copy_tail(const zygote_process *z, char *out, size_t size) {
  size_t n = z->n_tail, from = n > size - 1 ? n - (size - 1) : 0;
  while (n > from && (z->tail[n - 1] == '\n' || z->tail[n - 1] == '\0')) n--;
  while (from < n && z->tail[from] == '\n') from++;
  size_t k = 0;
  for (size_t i = from; i < n; i++) {
    unsigned char b = (unsigned char)z->tail[i];
    out[k++] = b == '\n' ? ';' : b < 32 || b == 127 ? ' ' : (char)b;
  }
  out[k] = '\0';
}

/* Reports the child's end once it has ended. */
static nas_status reap(zygote_process *z, nas_err *err) {
  int wait_status;
  if (z->child <= 0 || waitpid(z->child, &wait_status, WNOHANG) != z->child) return NAS_OK;
  keep_words(z);
  nas_message m = {.kind = NAS_MESSAGE_EXITED, .pid = z->child, .wait_status = wait_status};
  copy_tail(z, m.tail, sizeof m.tail);
  z->child = 0;
  return nas_channel_send(&z->control, &m, -1, err);
}

/* Serves one message; CLOSED or an error ends the zygote. */
static nas_status obey(zygote_process *z, const nas_message *m, nas_err *err) {
  if (m->kind == NAS_MESSAGE_KILL && z->child > 0) kill(z->child, SIGKILL);
  if (m->kind == NAS_MESSAGE_PREEMPT && z->child > 0) kill(z->child, SIGTERM);
  if (m->kind != NAS_MESSAGE_SPAWN) return NAS_OK;
  nas_message reply = {.kind = NAS_MESSAGE_SPAWNED};
  if (spawn(z, &reply.error) == NAS_OK) reply.pid = z->child;
  return nas_channel_send(&z->control, &reply, -1, err);
}

static void run_zygote(zygote_process *z) {
  nas_err err;
  for (;;) {
    struct pollfd p[3] = {{.fd = z->control.fd, .events = POLLIN},
                          {.fd = z->signals, .events = POLLIN},
                          {.fd = z->words, .events = POLLIN}};
    if (poll(p, 3, -1) < 0 && errno != EINTR) break;
    struct signalfd_siginfo info;
    while (read(z->signals, &info, sizeof info) > 0) continue;
    keep_words(z);
    if (p[2].revents & (POLLHUP | POLLERR)) {
      close(z->words);
      z->words = -1;
    }
    if (reap(z, &err) != NAS_OK) break;
    nas_message m = {0};
    nas_arrival arrival = NAS_ARRIVAL_MESSAGE;
    nas_status status = NAS_OK;
    while (status == NAS_OK && arrival == NAS_ARRIVAL_MESSAGE) {
      status = nas_channel_receive(&z->control, &m, &arrival, &err);
      if (status == NAS_OK && arrival == NAS_ARRIVAL_MESSAGE) status = obey(z, &m, &err);
    }
    if (status != NAS_OK || arrival == NAS_ARRIVAL_CLOSED) break;
  }
  if (z->child > 0) {
    kill(z->child, SIGKILL);
    waitpid(z->child, NULL, 0);
  }
}

static void become_zygote(int control, nas_zygote_serve serve, const void *arg, pid_t parent) {
  die_with(parent);
  prctl(PR_SET_NAME, "nascent-zygote");
  ignore_stop_signals();
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  zygote_process z = {.words = -1, .serve = serve, .arg = arg};
  nas_channel_open(&z.control, control);
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  sigprocmask(SIG_BLOCK, &chld, NULL);
  z.signals = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
  if (z.signals >= 0) run_zygote(&z);
  _exit(0);
}

nas_status nas_zygote_start(nas_zygote *z, nas_zygote_serve serve, const void *arg, const char *secret, nas_err *err) {
  int ends[2];
  *z = (nas_zygote){.pid = -1};
  nas_channel_open(&z->control, -1);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return nas_fail_errno(err, errno, "zygote", "cannot make a socket pair");
  pid_t self = getpid(), pid = fork();
  if (pid == 0) {
    close(ends[0]);
    nas_secret_forget(secret);
    become_zygote(ends[1], serve, arg, self);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return nas_fail_errno(err, errno, "zygote", "cannot fork");
  }
  z->pid = pid;
  nas_channel_open(&z->control, ends[0]);
  return NAS_OK;
}

nas_status nas_zygote_spawn(nas_zygote *z, int *fd, nas_err *err) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return nas_fail_errno(err, errno, "zygote", "cannot make a socket pair");
  nas_message m = {.kind = NAS_MESSAGE_SPAWN};
  nas_status status = nas_channel_send(&z->control, &m, ends[1], err);
  close(ends[1]);
  if (status == NAS_OK) *fd = ends[0];
  else close(ends[0]);
  return status;
}

nas_status nas_zygote_kill(nas_zygote *z, nas_err *err) {
  nas_message m = {.kind = NAS_MESSAGE_KILL};
  return nas_channel_send(&z->control, &m, -1, err);
}

nas_status nas_zygote_preempt(nas_zygote *z, nas_err *err) {
  nas_message m = {.kind = NAS_MESSAGE_PREEMPT};
  return nas_channel_send(&z->control, &m, -1, err);
}

void nas_zygote_stop(nas_zygote *z) {
  if (z->pid <= 0) return;
  nas_channel_close(&z->control);
  while (waitpid(z->pid, NULL, 0) < 0 && errno == EINTR) continue;
  z->pid = -1;
}
