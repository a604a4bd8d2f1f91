#include "jobs/follow.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "jobs/rank_log.h"
#include "jobs/spool.h"
#include "jobs/stop_signal.h"

/* A disk that takes no results holds a worker up for so long; then they are sent all the same: better on record
 * unspooled than lost. */
static const double spool_patience = 30;
static const double first_delay = 0.1, longest_delay = 5;
/* With trials of milliseconds, results are gathered for a moment: one sync and one message for many. */
static const long gather_ns = 1000000;
enum { GATHER_MAX = 512 };

typedef struct follower {
  nas_ranks *ranks;
  nas_worker *worker;
  const nas_campaign *campaign;
  const char *folder;
  nas_spool spool;
  nas_rank_log log;
  nas_str frames;                        /* to be sent */
  nas_str results;                       /* to be spooled first */
  double refused_since, retry_at, delay; /* by the disk */
  char host[65], leader_host[65];
  int32_t leader;
  pid_t launcher;
  double heard;
  bool greeted, stop, lost;
} follower;

/* ---- the spool ---- */

static void say(const char *what, const nas_err *why) {
  nas_say("%s: %s%s%s", what, why->where, why->where[0] ? ": " : "", why->msg);
}

/* Results move on to what is to be sent once the disk has them. */
static nas_status make_safe(follower *f, nas_err *err) {
  nas_err why = {0};
  double now = nas_clock();
  if (!f->results.len || now < f->retry_at) return NAS_OK;
  NAS_TRY(nas_str_check(&f->results, err));
  if (nas_spool_write(&f->spool, &f->results, &why) != NAS_OK) {
    if (!(f->refused_since > 0)) {
      say("results cannot be kept on this disk and wait", &why);
      f->refused_since = now;
      f->delay = first_delay;
    }
    f->retry_at = now + f->delay;
    f->delay = fmin(2 * f->delay, longest_delay);
    if (now - f->refused_since < spool_patience) return NAS_OK;
    say("results are sent without having been kept on this disk", &why);
  }
  f->refused_since = f->retry_at = 0;
  nas_str_add_n(&f->frames, f->results.s, f->results.len);
  nas_str_clear(&f->results);
  return nas_str_check(&f->frames, err);
}

/* The first process has read the data: now it is known what results must agree with. */
static nas_status open_spool(follower *f, const nas_message *hello, nas_err *err) {
  char token[NAS_DIGEST_SIZE];
  nas_err why = {0};
  int64_t n = 0;
  NAS_TRY(nas_campaign_identity(f->campaign, hello->digest, hello->split, token, err));
  nas_status status = nas_spool_open(&f->spool, f->folder, token, &why);
  if (status == NAS_OK) status = nas_spool_adopt(&f->spool, &f->frames, &n, &why);
  /* Where the table has no folder either, the coordinator says so. */
  if (status != NAS_OK && status != NAS_E_NOT_FOUND) say("results of an earlier run cannot be read", &why);
  if (f->spool.torn) {
    nas_text_put(why.msg, sizeof why.msg, "%lld torn results were left out", (long long)f->spool.torn);
    nas_text_put(why.where, sizeof why.where, "%s", f->folder);
    say("the spool", &why);
  }
  return NAS_OK;
}

/* ---- from the worker to the coordinator ---- */

static nas_status pass_on(follower *f, nas_message *m, nas_err *err) {
  nas_rank_log_message(&f->log, m);
  if (m->kind == NAS_MESSAGE_RESULT && m->result.outcome != NAS_OUTCOME_PREEMPTED)
    return nas_spool_number(&f->spool, m, &f->results, err);
  if (m->kind == NAS_MESSAGE_HELLO) {
    nas_text_put(m->host, sizeof m->host, "%s", f->host);
    m->pid = (int32_t)getpid();
  }
  NAS_TRY(nas_message_encode(m, &f->frames, err));
  if (m->kind != NAS_MESSAGE_HELLO) return NAS_OK;
  f->greeted = true;
  return m->error.code == NAS_OK ? open_spool(f, m, err) : NAS_OK;
}

static nas_status gather(follower *f, double timeout, nas_err *err) {
  bool waited = false;
  for (int i = 0; i < GATHER_MAX; i++) {
    nas_message m = {0};
    bool got;
    NAS_TRY(nas_worker_poll(f->worker, i ? 0 : timeout, &m, &got, err));
    if (!got && (i == 0 || waited || !nas_worker_busy(f->worker))) break; /* nothing more can come */
    if (!got) {
      waited = true;
      nanosleep(&(struct timespec){0, gather_ns}, NULL);
      continue;
    }
    nas_status status = pass_on(f, &m, err);
    nas_message_free(&m);
    NAS_TRY(status);
  }
  NAS_TRY(make_safe(f, err));
  return nas_ranks_send_frames(f->ranks, 0, &f->frames, err);
}

/* ---- from the coordinator to the worker ---- */

static nas_status obey(follower *f, nas_message *m, nas_err *err) {
  f->heard = nas_clock();
  nas_rank_log_message(&f->log, m);
  switch (m->kind) {
    case NAS_MESSAGE_TRIAL: return f->worker ? nas_worker_begin(f->worker, m, err) : NAS_OK;
    case NAS_MESSAGE_CANCEL: return f->worker ? nas_worker_cancel(f->worker, m, err) : NAS_OK;
    case NAS_MESSAGE_PREEMPT: return f->worker ? nas_worker_preempt(f->worker, err) : NAS_OK;
    case NAS_MESSAGE_ACK: nas_spool_free(&f->spool, m->sequence); return NAS_OK;
    case NAS_MESSAGE_LEAVE: f->ranks->torn = f->stop = true; return NAS_OK;
    case NAS_MESSAGE_STOP: f->stop = true; return NAS_OK;
    case NAS_MESSAGE_PING:
      f->leader = m->pid;
      nas_text_put(f->leader_host, sizeof f->leader_host, "%s", m->host);
      return NAS_OK;
    default: nas_message_free(m); return NAS_OK;
  }
}

static nas_status hear(follower *f, double timeout, nas_err *err) {
  bool got = true;
  for (int i = 0; got && !f->stop && i < GATHER_MAX; i++) {
    int from;
    nas_message m = {0};
    NAS_TRY(nas_ranks_receive(f->ranks, i ? 0 : timeout, &from, &m, &got, err));
    if (got) NAS_TRY(obey(f, &m, err));
  }
  return NAS_OK;
}

/* A coordinator that died says nothing: its process, the launcher, or its long silence tells. */
static bool leader_gone(const follower *f) {
  bool near = f->leader > 0 && strcmp(f->leader_host, f->host) == 0;
  if (near && kill((pid_t)f->leader, 0) != 0 && errno == ESRCH) return true;
  if (getppid() != f->launcher) return true;
  return f->leader > 0 && nas_clock() - f->heard > 3 * f->campaign->run.lease + 10;
}

static nas_status work(follower *f, nas_err *err) {
  double looked = 0;
  while (!f->stop && !f->lost) {
    /* Busy or starting: news comes from the trial process. Idle: it comes from the coordinator. */
    bool idle = f->greeted && !nas_worker_busy(f->worker) && !f->results.len;
    NAS_TRY(gather(f, idle ? 0 : 0.05, err));
    NAS_TRY(hear(f, idle ? 0.05 : 0, err));
    double now = nas_clock();
    if (now - looked < 0.25) continue;
    looked = now;
    f->lost = leader_gone(f);
  }
  return NAS_OK;
}

void nas_follow(nas_ranks *ranks, nas_worker *w, const nas_campaign *c, const char *folder) {
  follower f = {.ranks = ranks,
                .worker = w,
                .campaign = c,
                .folder = folder,
                .spool = {.fd = -1},
                .launcher = getppid(),
                .heard = nas_clock()};
  nas_message complaint = {.kind = NAS_MESSAGE_HELLO}, stopped = {.kind = NAS_MESSAGE_STOPPED};
  nas_err ignored;
  gethostname(f.host, sizeof f.host - 1);
  nas_rank_log_open(&f.log, c, ranks->rank);
  nas_stop_ignore();
  nas_status status = work(&f, &complaint.error);
  if (status != NAS_OK) {
    complaint.error.code = status;
    nas_ranks_send(ranks, 0, &complaint, &ignored);
    f.worker = NULL;
    while (!f.stop && !(f.lost = leader_gone(&f)) && hear(&f, 1, &ignored) == NAS_OK) continue;
  }
  ranks->torn = ranks->torn || f.lost;
  if (!f.lost) nas_ranks_send(ranks, 0, &stopped, &ignored);
  nas_spool_close(&f.spool);
  nas_rank_log_close(&f.log);
  nas_str_free(&f.frames);
  nas_str_free(&f.results);
}
