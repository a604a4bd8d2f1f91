/* Who does what: one process does everything; of several, rank 0 coordinates and the others evaluate. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "evaluators/checkpoints.h"
#include "jobs/cores.h"
#include "jobs/follow.h"
#include "jobs/heartbeat.h"
#include "jobs/lead.h"
#include "jobs/server.h"
#include "jobs/stop_signal.h"

static void finish_summary(nas_coordinator *c, nas_status status, nas_campaign_summary *summary) {
  summary->seconds = nas_clock() - c->started;
  c->stopping = false; /* would there have been more to do? */
  summary->signal = nas_stop_caught();
  summary->preempted = status == NAS_OK && summary->signal != 0 && !nas_coordinator_done(c);
}

static nas_status run_alone(const nas_campaign *campaign, const nas_campaign_run_options *options, nas_zygote *zygote,
                            nas_campaign_summary *summary, nas_err *err) {
  nas_coordinator c = {0};
  nas_post p = {0};
  nas_status status = nas_worker_new(campaign, zygote, &p.local, err);
  if (status == NAS_OK) status = nas_coordinator_open(&c, campaign, options, 0, 1, summary, err);
  if (status == NAS_OK) status = nas_lead(&c, &p, options->db, options->quiet, err);
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
  nas_post p = {.ranks = ranks};
  nas_status status = nas_coordinator_open(&c, campaign, options, 1, ranks->size, summary, err);
  if (status == NAS_OK) status = nas_lead(&c, &p, options->db, options->quiet, err);
  nas_err late;
  nas_status dismissed = nas_lead_dismiss(&c, ranks, status == NAS_OK, &late);
  if (status == NAS_OK && dismissed != NAS_OK && err) *err = late;
  if (status == NAS_OK) status = dismissed;
  finish_summary(&c, status, summary);
  summary->coordinator = true;
  nas_coordinator_close(&c);
  nas_stop_restore();
  return status;
}

/* ---- several ranks ---- */

static nas_status run_ranks(const nas_campaign *campaign, const nas_campaign_run_options *options, nas_zygote *zygote,
                            nas_status status, nas_campaign_summary *summary, nas_err *err) {
  char folder[512];
  nas_run_folder(campaign, options->db, folder);
  nas_ranks ranks;
  nas_worker *worker = NULL;
  bool failed;
  nas_err mine = {0};
  if (err) mine = *err;
  nas_stop_catch(); /* one that comes while MPI starts counts */
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
  } else if (!failed) nas_follow(&ranks, worker, campaign, folder);
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
  nas_server_job job = {
      .campaign = c, .checkpoints = {checkpoints.s, c->run.checkpoints}, .memory = nas_trial_memory(c)};
  job.bound = nas_cores_choose(c, &job.cores);
  char secret[64];
  nas_strategy_secret(c->strategy, &c->strategy_settings, secret);
  if (several && hint.rank > 0) nas_secret_forget(secret); /* rank 0 alone asks the strategy */
  if (!(several && hint.size > 1 && hint.rank == 0))
    status = nas_zygote_start(&zygote, nas_server_serve, &job, secret, err);
  if (several) status = run_ranks(c, options, &zygote, status, summary, err);
  else if (status == NAS_OK) {
    nas_stop_catch();
    status = run_alone(c, options, &zygote, summary, err);
  }
  nas_zygote_stop(&zygote);
  bool over = status == NAS_OK && summary->coordinator && !summary->preempted;
  if (over && checkpoints.s) nas_checkpoints_clear(checkpoints.s);
  char folder[512];
  nas_run_folder(c, options->db, folder);
  if (summary->coordinator) rmdir(folder); /* when nothing is left in it */
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
