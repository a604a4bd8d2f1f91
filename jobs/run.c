/* Who does what: one process does everything; of several, rank 0 coordinates and the others evaluate. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "evaluators/checkpoints.h"
#include "jobs/coordinator.h"
#include "jobs/ranks.h"
#include "jobs/server.h"
#include "jobs/stop_signal.h"
#include "jobs/worker.h"

/* How the coordinator reaches its workers: other ranks, or the one in this process. */
typedef struct post {
  nas_ranks *ranks;  /* or NULL */
  nas_worker *local; /* or NULL */
} post;

static nas_status post_send(post *p, int to, nas_message *m, nas_err *err) {
  if (p->ranks) return nas_ranks_send(p->ranks, to, m, err);
  return m->kind == NAS_MESSAGE_TRIAL ? nas_worker_begin(p->local, m, err) : NAS_OK;
}

static nas_status post_receive(post *p, double timeout, int *from, nas_message *m, bool *got, nas_err *err) {
  if (p->ranks) return nas_ranks_receive(p->ranks, timeout, from, m, got, err);
  *from = 0;
  return nas_worker_poll(p->local, timeout, m, got, err);
}

/* ---- the coordinator's loop ---- */

static const double pending_seconds = 0.02; /* between looks at an ask that waits for something outside */
static const double look_seconds = 0.25;    /* between looks at signals, leases and the budget's clock */
enum { DRAIN_MAX = 1024 };

/* Waits for a message, then takes all that are there. */
static nas_status collect(nas_coordinator *c, post *p, double timeout, nas_err *err) {
  for (int i = 0; i < DRAIN_MAX; i++) {
    int from;
    bool got;
    nas_message m = {0};
    NAS_TRY(post_receive(p, i ? 0 : timeout, &from, &m, &got, err));
    if (!got) break;
    NAS_TRY(nas_coordinator_take(c, from, &m, err));
  }
  return NAS_OK;
}

static nas_status send_all(nas_coordinator *c, post *p, nas_err *err) {
  for (size_t i = 0; i < c->n_outbox; i++) NAS_TRY(post_send(p, c->outbox[i].worker, &c->outbox[i].message, err));
  c->n_outbox = 0;
  return NAS_OK;
}

static void show(nas_progress *p, const nas_campaign_summary *s, bool force) {
  p->done = s->done;
  p->failed = s->failed;
  if (isfinite(s->best_valid_accuracy)) nas_text_put(p->note, sizeof p->note, "best %.2f %%", s->best_valid_accuracy);
  nas_progress_draw(p, force);
}

static nas_status coordinate(nas_coordinator *c, post *p, bool quiet, nas_err *err) {
  nas_progress progress;
  nas_status status = NAS_OK;
  nas_progress_start(&progress, STDERR_FILENO, quiet, "trials", c->summary->told_before, c->campaign->budget.trials);
  show(&progress, c->summary, true);
  while (status == NAS_OK && !nas_coordinator_done(c) && !nas_stop_caught()) {
    status = nas_coordinator_step(c, err);
    if (status == NAS_OK) status = send_all(c, p, err);
    if (status == NAS_OK && !nas_coordinator_done(c))
      status = collect(c, p, c->pending ? pending_seconds : look_seconds, err);
    show(&progress, c->summary, false);
  }
  show(&progress, c->summary, false);
  nas_progress_end(&progress);
  return status;
}

/* Results that were on their way when the campaign was stopped are still recorded. */
static nas_status last_results(nas_coordinator *c, post *p, nas_err *err) {
  c->stopping = true;
  NAS_TRY(collect(c, p, 0, err));
  return nas_coordinator_step(c, err);
}

static const double farewell_seconds = 10;

/* Tells every rank to stop and hears out what they still have to say. */
static void dismiss(nas_coordinator *c, nas_ranks *ranks, bool record) {
  nas_err ignored;
  double end = nas_clock() + farewell_seconds;
  int left = ranks->size - 1;
  for (int i = 1; i < ranks->size; i++) {
    nas_message stop = {.kind = NAS_MESSAGE_STOP};
    nas_ranks_send(ranks, i, &stop, &ignored);
  }
  c->stopping = true;
  while (left > 0 && nas_clock() < end) {
    int from;
    bool got;
    nas_message m = {0};
    if (nas_ranks_receive(ranks, look_seconds, &from, &m, &got, &ignored) != NAS_OK || !got) continue;
    left -= m.kind == NAS_MESSAGE_STOPPED;
    if (m.kind == NAS_MESSAGE_RESULT && record) nas_coordinator_take(c, from, &m, &ignored);
    else nas_message_free(&m);
  }
}

static void finish_summary(nas_coordinator *c, nas_status status, nas_campaign_summary *summary) {
  summary->seconds = nas_clock() - c->started;
  c->stopping = false; /* would there have been more to do? */
  summary->signal = nas_stop_caught();
  summary->preempted = status == NAS_OK && summary->signal != 0 && !nas_coordinator_done(c);
}

static nas_status run_alone(const nas_campaign *campaign, const nas_campaign_run_options *options, nas_zygote *zygote,
                            nas_campaign_summary *summary, nas_err *err) {
  nas_coordinator c = {0};
  post p = {0};
  nas_stop_catch();
  nas_status status = nas_worker_new(campaign, zygote, &p.local, err);
  if (status == NAS_OK) status = nas_coordinator_open(&c, campaign, options, 0, 1, summary, err);
  if (status == NAS_OK) status = coordinate(&c, &p, options->quiet, err);
  if (status == NAS_OK && nas_stop_caught()) status = last_results(&c, &p, err);
  finish_summary(&c, status, summary);
  summary->coordinator = true;
  nas_worker_free(p.local);
  nas_coordinator_close(&c);
  nas_stop_restore();
  return status;
}

static nas_status run_first_rank(nas_ranks *ranks, const nas_campaign *campaign,
                                 const nas_campaign_run_options *options, nas_campaign_summary *summary, nas_err *err) {
  nas_coordinator c = {0};
  post p = {.ranks = ranks};
  nas_stop_catch();
  nas_status status = nas_coordinator_open(&c, campaign, options, 1, ranks->size, summary, err);
  if (status == NAS_OK) status = coordinate(&c, &p, options->quiet, err);
  dismiss(&c, ranks, status == NAS_OK);
  if (status == NAS_OK && c.n_inbox) status = nas_coordinator_step(&c, err);
  finish_summary(&c, status, summary);
  summary->coordinator = true;
  nas_coordinator_close(&c);
  nas_stop_restore();
  return status;
}

/* ---- a worker rank ---- */

static nas_status hear(nas_ranks *ranks, nas_worker *w, double timeout, bool *stop, nas_err *err) {
  int from;
  bool got;
  nas_message m = {0};
  NAS_TRY(nas_ranks_receive(ranks, timeout, &from, &m, &got, err));
  if (!got) return NAS_OK;
  *stop = m.kind == NAS_MESSAGE_STOP;
  return m.kind == NAS_MESSAGE_TRIAL && w ? nas_worker_begin(w, &m, err) : NAS_OK;
}

static nas_status work(nas_ranks *ranks, nas_worker *w, bool *stop, nas_err *err) {
  bool greeted = false;
  while (!*stop) {
    nas_message m = {0};
    bool got;
    /* Busy or starting: news comes from the trial process. Idle: it comes from the coordinator. */
    bool idle = greeted && !nas_worker_busy(w);
    NAS_TRY(nas_worker_poll(w, idle ? 0 : 0.05, &m, &got, err));
    if (got) {
      greeted = greeted || m.kind == NAS_MESSAGE_HELLO;
      nas_status status = nas_ranks_send(ranks, 0, &m, err);
      nas_message_free(&m);
      NAS_TRY(status);
    }
    NAS_TRY(hear(ranks, w, idle ? 0.05 : 0, stop, err));
  }
  return NAS_OK;
}

static void run_worker_rank(nas_ranks *ranks, nas_worker *w) {
  nas_message complaint = {.kind = NAS_MESSAGE_HELLO};
  nas_err ignored;
  bool stop = false;
  nas_stop_ignore();
  nas_status status = work(ranks, w, &stop, &complaint.error);
  if (status != NAS_OK) {
    complaint.error.code = status;
    nas_ranks_send(ranks, 0, &complaint, &ignored);
    while (!stop && hear(ranks, NULL, 1, &stop, &ignored) == NAS_OK) continue;
  }
  nas_message stopped = {.kind = NAS_MESSAGE_STOPPED};
  nas_ranks_send(ranks, 0, &stopped, &ignored);
}

/* ---- several ranks ---- */

static nas_status run_ranks(const nas_campaign *campaign, const nas_campaign_run_options *options, nas_zygote *zygote,
                            nas_status status, nas_campaign_summary *summary, nas_err *err) {
  nas_ranks ranks;
  nas_worker *worker = NULL;
  bool failed;
  nas_err mine = {0};
  if (err) mine = *err;
  NAS_TRY(nas_ranks_open(&ranks, err));
  bool alone = ranks.size == 1;
  if (status == NAS_OK && ranks.rank > 0) status = nas_worker_new(campaign, zygote, &worker, &mine);
  status = nas_ranks_agree(&ranks, status, &failed, &mine);
  if (err) *err = mine;
  summary->coordinator = ranks.rank == 0;
  if (!failed && alone) status = run_alone(campaign, options, zygote, summary, err);
  else if (!failed && ranks.rank == 0) {
    nas_zygote_stop(zygote);
    status = run_first_rank(&ranks, campaign, options, summary, err);
  } else if (!failed) run_worker_rank(&ranks, worker);
  nas_worker_free(worker);
  nas_zygote_stop(zygote);
  nas_ranks_close(&ranks);
  return status;
}

nas_status nas_campaign_run(const nas_campaign *c, const nas_campaign_run_options *options,
                            nas_campaign_summary *summary, nas_err *err) {
  nas_ranks_hint hint = nas_ranks_from_environment();
  nas_zygote zygote = {.pid = -1, .control = {.fd = -1, .passed = -1}};
  bool several = hint.launched && hint.size != 1;
  *summary = (nas_campaign_summary){.best_valid_accuracy = NAN};
  nas_status status = NAS_OK;
  nas_str checkpoints = {0};
  nas_str_fmt(&checkpoints, "%s.checkpoints", options->db);
  nas_server_job job = {c, checkpoints.s};
  if (!(several && hint.size > 1 && hint.rank == 0)) status = nas_zygote_start(&zygote, nas_server_serve, &job, err);
  if (several) status = run_ranks(c, options, &zygote, status, summary, err);
  else if (status == NAS_OK) status = run_alone(c, options, &zygote, summary, err);
  nas_zygote_stop(&zygote);
  bool over = status == NAS_OK && summary->coordinator && !summary->preempted;
  if (over && checkpoints.s) nas_checkpoints_clear(checkpoints.s);
  nas_str_free(&checkpoints);
  return status;
}

nas_status nas_jobs_fail(nas_status status, nas_err *err) {
  nas_ranks_hint hint = nas_ranks_from_environment();
  if (!hint.launched || hint.size == 1) return status;
  nas_ranks ranks;
  bool failed;
  NAS_TRY(nas_ranks_open(&ranks, err));
  status = nas_ranks_agree(&ranks, status, &failed, err);
  nas_ranks_close(&ranks);
  return status;
}
