#include "jobs/lead.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "jobs/heartbeat.h"
#include "jobs/hooks.h"
#include "jobs/stop_signal.h"

static const double look_seconds = 0.25;    /* between looks at signals, leases and the budget's clock */
static const double pending_seconds = 0.02; /* between looks at an ask that waits for something outside */
static const double beat_seconds = 1;
/* Copies for readers take at most this share of the time. */
static const double copy_share = 0.05;
enum { DRAIN_MAX = 4096 };

typedef struct lead {
  nas_coordinator *c;
  nas_post *post;
  nas_progress progress;
  const char *db;
  struct stat table; /* the file that was opened */
  char heartbeat[640];
  double beaten, pinged;
  char snapshot[640];
  double copy_at;
  uint64_t copied; /* trials told when the last copy was made */
  bool said_uncopied;
  bool over; /* nothing is left to do */
  nas_hooks hooks;
  pid_t launcher;
  bool said_paused;
} lead;

/* ---- messages ---- */

static nas_status send_local(nas_coordinator *c, nas_worker *w, nas_message *m, nas_err *err) {
  nas_rank_log_message(&c->log, m);
  switch (m->kind) {
    case NAS_MESSAGE_TRIAL: return nas_worker_begin(w, m, err);
    case NAS_MESSAGE_CANCEL: return nas_worker_cancel(w, m, err);
    case NAS_MESSAGE_PREEMPT: return nas_worker_preempt(w, err);
    default: return NAS_OK;
  }
}

/* Everything for one rank travels as one message. */
static nas_status send_to(nas_coordinator *c, nas_ranks *ranks, int worker, nas_err *err) {
  nas_str frames = {0};
  nas_status status = NAS_OK;
  for (size_t i = 0; i < c->n_outbox && status == NAS_OK; i++)
    if (c->outbox[i].worker == worker) status = nas_message_encode(&c->outbox[i].message, &frames, err);
  if (status == NAS_OK) status = nas_ranks_send_frames(ranks, worker, &frames, err);
  nas_str_free(&frames);
  return status;
}

static nas_status send_all(lead *l, nas_err *err) {
  nas_coordinator *c = l->c;
  if (c->paused || !c->n_outbox) return NAS_OK;
  nas_status status = NAS_OK;
  for (int i = 0; l->post->ranks && i < c->n_slots && status == NAS_OK; i++)
    status = send_to(c, l->post->ranks, i, err);
  for (size_t i = 0; l->post->local && i < c->n_outbox && status == NAS_OK; i++)
    status = send_local(c, l->post->local, &c->outbox[i].message, err);
  c->n_outbox = 0;
  return status;
}

/* Waits for a message, then takes all that are there. */
static nas_status collect(lead *l, double timeout, nas_err *err) {
  for (int i = 0; i < DRAIN_MAX; i++) {
    int from = 0;
    bool got;
    nas_message m = {0};
    if (l->post->ranks) NAS_TRY(nas_ranks_receive(l->post->ranks, i ? 0 : timeout, &from, &m, &got, err));
    else NAS_TRY(nas_worker_poll(l->post->local, i ? 0 : timeout, &m, &got, err));
    if (!got) break;
    if (l->post->local) nas_rank_log_message(&l->c->log, &m);
    NAS_TRY(nas_coordinator_take(l->c, from, &m, err));
  }
  return NAS_OK;
}

/* Workers leave when they no longer hear of the coordinator. One that has been lost for long is not written to: what
 * cannot be delivered would pile up. */
static nas_status ping(lead *l, nas_err *err) {
  nas_coordinator *c = l->c;
  double now = nas_clock();
  if (!l->post->ranks || now - l->pinged < fmin(c->lease / 4, 2)) return NAS_OK;
  l->pinged = now;
  for (int i = 0; i < c->n_slots; i++) {
    const nas_slot *slot = &c->slots[i];
    bool lost = slot->state == NAS_SLOT_GONE && (slot->watched || now - slot->seen > 20 * c->lease);
    if (lost || slot->state == NAS_SLOT_UNUSED) continue;
    nas_message m = {.kind = NAS_MESSAGE_PING, .pid = (int32_t)getpid()};
    nas_text_put(m.host, sizeof m.host, "%s", c->host);
    NAS_TRY(nas_ranks_send(l->post->ranks, i, &m, err));
  }
  return NAS_OK;
}

/* ---- what people and the supervisor see ---- */

/* True when it was time for a heartbeat. */
static bool show(lead *l, bool force) {
  const nas_campaign_summary *s = l->c->summary;
  nas_progress *p = &l->progress;
  p->done = s->done;
  p->failed = s->failed;
  if (isfinite(s->best_valid_accuracy)) nas_text_put(p->note, sizeof p->note, "best %.2f %%", s->best_valid_accuracy);
  nas_progress_draw(p, force);
  if (l->c->paused && !l->said_paused)
    nas_progress_say(p, "paused: %s%s%s; tried again for %s", l->c->why.where, l->c->why.where[0] ? ": " : "",
                     l->c->why.msg, nas_progress_time((char[16]){0}, l->c->campaign->run.patience));
  if (!l->c->paused && l->said_paused) nas_progress_say(p, "the table can be written again; going on");
  l->said_paused = l->c->paused;
  double now = nas_clock();
  if (now - l->beaten < beat_seconds && !force) return false;
  l->beaten = now;
  nas_heartbeat_write(l->c, l->heartbeat);
  return true;
}

/* A copy of the table for those who would read it while it is written. */
static void copy_table(lead *l) {
  nas_coordinator *c = l->c;
  nas_err why = {0};
  double now = nas_clock(), interval = c->campaign->run.snapshot;
  if (!(interval > 0) || c->paused || now < l->copy_at || c->told == l->copied) return;
  if (nas_db_snapshot(c->db, l->snapshot, &why) != NAS_OK && !l->said_uncopied) {
    nas_progress_say(&l->progress, "%s: no copy for readers: %s", l->snapshot, why.msg);
    l->said_uncopied = true;
  }
  double took = nas_clock() - now;
  l->copied = c->told;
  l->copy_at = now + took + fmax(interval, took / copy_share);
}

/* A table that is removed or replaced under a run would take every later result along: what it holds is written to a
 * file again while it is still open. */
static nas_status check_table(const lead *l, nas_err *err) {
  struct stat now;
  char rescued[640];
  nas_err why = {0};
  const int got = stat(l->db, &now);
  if (got == 0 && now.st_ino == l->table.st_ino && now.st_dev == l->table.st_dev) return NAS_OK;
  if (got != 0 && errno != ENOENT) return NAS_OK; /* it cannot be told; the next write will */
  nas_text_put(rescued, sizeof rescued, got == 0 ? "%s.rescued" : "%s", l->db);
  const char *what = got == 0 ? "replaced" : "removed";
  if (nas_db_snapshot(l->c->db, rescued, &why) == NAS_OK)
    return nas_fail(
        err, NAS_E_IO, l->db,
        "the table was %s while the campaign ran; '%s' holds all that was recorded: run again with --resume "
        "on it",
        what, rescued);
  return nas_fail(err, NAS_E_IO, l->db, "the table was %s while the campaign ran, and cannot be written again: %.120s",
                  what, why.msg);
}

/* Without its launcher a job has nobody to end it, and the next one would find the table locked. */
static nas_status check_launcher(const lead *l, nas_err *err) {
  if (!l->post->ranks || getppid() == l->launcher) return NAS_OK;
  return nas_fail(err, NAS_E_CRASHED, NULL, "the launcher of this job is gone; run again with --resume to go on");
}

/* ---- the loop ---- */

static nas_status turn(lead *l, nas_err *err) {
  NAS_TRY(nas_coordinator_step(l->c, err));
  NAS_TRY(send_all(l, err));
  NAS_TRY(ping(l, err));
  NAS_TRY(check_launcher(l, err));
  double timeout = l->c->pending ? pending_seconds : look_seconds;
  if (l->c->paused) timeout = fmin(timeout, fmax(l->c->retry_at - nas_clock(), 0.001));
  if (!nas_coordinator_done(l->c)) NAS_TRY(collect(l, timeout, err));
  if (show(l, false)) NAS_TRY(check_table(l, err));
  copy_table(l);
  if (!l->c->paused) nas_hooks_look(&l->hooks, l->c->summary);
  return NAS_OK;
}

/* Records how the run ended, as soon as the table can be written. */
static nas_status conclude(lead *l, const char *event, double until, nas_err *err) {
  l->c->stopping = true;
  NAS_TRY(nas_coordinator_note(l->c, event, NULL, -1, err, "%lld trials finished", (long long)l->c->told));
  do NAS_TRY(turn(l, err));
  while (l->c->ledger.n && nas_clock() < until);
  return NAS_OK;
}

static nas_status stop_trials(lead *l, nas_err *err) {
  nas_coordinator *c = l->c;
  double until = nas_clock() + c->campaign->run.grace;
  c->stopping = true;
  for (int i = 0; i < c->n_slots; i++)
    if (c->slots[i].state == NAS_SLOT_READY) NAS_TRY(nas_coordinator_post(c, i, NAS_MESSAGE_PREEMPT, NULL, err));
  do NAS_TRY(turn(l, err));
  while (!nas_coordinator_quiet(c) && nas_clock() < until);
  c->stopping = false; /* would there have been more to do? */
  l->over = nas_coordinator_done(c);
  return conclude(l, l->over ? "finished" : "preempted", fmax(until, nas_clock() + look_seconds), err);
}

nas_status nas_lead(nas_coordinator *c, nas_post *p, const char *db, bool quiet, nas_err *err) {
  lead l = {.c = c, .post = p, .launcher = getppid(), .db = db};
  char folder[512];
  nas_status status = NAS_OK;
  if (stat(db, &l.table) != 0) return nas_fail_errno(err, errno, db, "cannot find the table again");
  nas_text_put(l.snapshot, sizeof l.snapshot, "%s.snapshot", db);
  l.copy_at = nas_clock() + c->campaign->run.snapshot;
  nas_hooks_open(&l.hooks, c->campaign, db, c->summary->best_valid_accuracy);
  nas_rank_log_open(&c->log, c->campaign, 0);
  nas_run_folder(c->campaign, db, folder);
  mkdir(folder, 0777); /* where it cannot be made there is no heartbeat */
  nas_heartbeat_path(c->campaign, db, l.heartbeat);
  nas_progress_start(&l.progress, STDERR_FILENO, quiet, "trials", c->summary->told_before, c->campaign->budget.trials);
  show(&l, true);
  while (status == NAS_OK && !nas_coordinator_done(c) && !nas_stop_caught()) status = turn(&l, err);
  if (status == NAS_OK && nas_stop_caught()) status = stop_trials(&l, err);
  else if (status == NAS_OK) {
    l.over = true;
    status = conclude(&l, "finished", INFINITY, err);
  }
  if (status == NAS_OK) status = check_table(&l, err);
  show(&l, false);
  nas_progress_end(&l.progress);
  nas_hooks_close(&l.hooks, c->summary, status == NAS_OK && l.over);
  unlink(l.heartbeat);
  if (status == NAS_OK) unlink(l.snapshot);
  return status;
}

static const double farewell_seconds = 10;

nas_status nas_lead_dismiss(nas_coordinator *c, nas_ranks *ranks, bool record, nas_err *err) {
  nas_err ignored;
  double end = nas_clock() + farewell_seconds;
  int left = ranks->size - 1;
  c->stopping = true;
  for (int i = 1; i < ranks->size && c->slots; i++) {
    ranks->torn = ranks->torn || c->slots[i].state == NAS_SLOT_GONE;
    left -= c->slots[i].state == NAS_SLOT_GONE;
  }
  for (int i = 1; i < ranks->size; i++) {
    nas_message stop = {.kind = ranks->torn ? NAS_MESSAGE_LEAVE : NAS_MESSAGE_STOP};
    nas_ranks_send(ranks, i, &stop, &ignored);
  }
  while (left > 0 && nas_clock() < end) {
    int from;
    bool got;
    nas_message m = {0};
    if (nas_ranks_receive(ranks, look_seconds, &from, &m, &got, &ignored) != NAS_OK || !got) continue;
    left -= m.kind == NAS_MESSAGE_STOPPED;
    if (m.kind == NAS_MESSAGE_RESULT && record) nas_coordinator_take(c, from, &m, &ignored);
    else nas_message_free(&m);
  }
  ranks->torn = ranks->torn || left > 0;
  return record && c->n_inbox ? nas_coordinator_step(c, err) : NAS_OK;
}
