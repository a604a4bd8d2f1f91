#include "jobs/rank_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"

static const double retry_seconds = 5;

static void complain(nas_rank_log *log, const char *what) {
  if (log->complained) return;
  log->complained = true;
  nas_say("%s: the log cannot be %s (%s); the campaign goes on without it and tries again", log->path, what,
          strerror(errno));
}

static void shut(nas_rank_log *log) {
  if (log->path[0] && log->fd >= 0) close(log->fd);
  log->fd = -1;
}

static bool ready(nas_rank_log *log) {
  struct stat here, there;
  if (log->fd >= 0 && fstat(log->fd, &here) == 0 && stat(log->path, &there) == 0 && here.st_ino == there.st_ino &&
      here.st_dev == there.st_dev)
    return true;
  shut(log);
  if (nas_clock() < log->retry_at) return false;
  nas_folder_make_for(log->path, 0700);
  log->fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log->fd < 0 || fstat(log->fd, &here) != 0) {
    complain(log, "opened");
    shut(log);
    log->retry_at = nas_clock() + retry_seconds;
    return false;
  }
  log->complained = false;
  log->size = here.st_size;
  return true;
}

/* NAME -> NAME.1 -> NAME.2 -> NAME.3 -> gone. */
static void rotate(nas_rank_log *log) {
  char from[660], to[660];
  for (int i = NAS_RANK_LOG_KEPT; i > 0; i--) {
    nas_text_put(to, sizeof to, "%s.%d", log->path, i);
    if (i > 1) nas_text_put(from, sizeof from, "%s.%d", log->path, i - 1);
    else nas_text_put(from, sizeof from, "%s", log->path);
    rename(from, to);
  }
  shut(log);
}

void nas_rank_log_open(nas_rank_log *log, const nas_campaign *c, int rank) {
  *log = (nas_rank_log){.fd = -1, .rank = rank, .limit = c->run.log_size};
  if (c->run.log[0]) nas_text_put(log->path, sizeof log->path, "%s/%s.rank%d.jsonl", c->run.log, c->name, rank);
}

void nas_rank_log_write(nas_rank_log *log, const char *kind, int64_t trial, int64_t number, int attempt,
                        const char *text) {
  nas_str line = {0};
  if (!log->path[0] || !ready(log)) return;
  nas_str_fmt(&line, "{\"time\": %.3f, \"rank\": %d, \"kind\": \"%s\"", nas_clock_wall(), log->rank, kind);
  if (trial) nas_str_fmt(&line, ", \"trial\": %lld", (long long)trial);
  if (number >= 0) nas_str_fmt(&line, ", \"number\": %lld", (long long)number);
  if (attempt >= 0) nas_str_fmt(&line, ", \"attempt\": %d", attempt);
  nas_str_add(&line, ", \"text\": ");
  nas_str_json(&line, text);
  nas_str_add(&line, "}\n");
  if (log->size && log->size + (int64_t)line.len > log->limit) rotate(log);
  if (!line.failed && ready(log)) {
    ssize_t n = write(log->fd, line.s, line.len);
    if (n > 0) log->size += n;
    if (n != (ssize_t)line.len) complain(log, "written");
  }
  nas_str_free(&line);
}

static const char *kind_of(const nas_message *m) {
  switch (m->kind) {
    case NAS_MESSAGE_TRIAL: return "trial";
    case NAS_MESSAGE_RESULT: return "result";
    case NAS_MESSAGE_PROGRESS: return "progress";
    case NAS_MESSAGE_HELLO: return m->error.code == NAS_OK ? "ready" : "error";
    case NAS_MESSAGE_CANCEL: return "cancel";
    case NAS_MESSAGE_PREEMPT: return "preempt";
    case NAS_MESSAGE_STOP: return "stop";
    default: return NULL;
  }
}

static void describe(const nas_message *m, nas_str *out) {
  const nas_err *e = m->kind == NAS_MESSAGE_RESULT ? &m->result.cause : &m->error;
  switch (m->kind) {
    case NAS_MESSAGE_TRIAL: nas_str_add(out, m->arch); return;
    case NAS_MESSAGE_PROGRESS: nas_str_fmt(out, "epoch %d, %.0f %%", m->epoch, 100 * m->share); return;
    case NAS_MESSAGE_RESULT:
      nas_str_fmt(out, "%s after %zu epochs", nas_outcome_text(m->result.outcome), m->result.n_epochs);
      break;
    default: break;
  }
  if (e->msg[0]) nas_str_fmt(out, "%s%s%s%s", out->len ? ": " : "", e->where, e->where[0] ? ": " : "", e->msg);
  if (m->tail[0]) nas_str_fmt(out, "; its last lines: %s", m->tail);
}

void nas_rank_log_message(nas_rank_log *log, const nas_message *m) {
  const char *kind = kind_of(m);
  nas_str text = {0};
  if (!log->path[0] || !kind) return;
  describe(m, &text);
  bool about_trial = m->kind == NAS_MESSAGE_TRIAL || m->kind == NAS_MESSAGE_RESULT || m->kind == NAS_MESSAGE_PROGRESS ||
                     m->kind == NAS_MESSAGE_CANCEL;
  if (about_trial && m->trial)
    nas_rank_log_write(log, kind, m->trial, (int64_t)m->number, m->attempt, nas_str_text(&text));
  else nas_rank_log_write(log, kind, 0, -1, -1, nas_str_text(&text));
  nas_str_free(&text);
}

void nas_rank_log_close(nas_rank_log *log) { shut(log); }
