#include "jobs/server.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/version.h"
#include "evaluators/checkpoints.h"
#include "jobs/channel.h"
#include "jobs/last_words.h"
#include "jobs/setup.h"

typedef struct server {
  nas_channel channel;
  nas_setup setup;
  const nas_campaign *campaign;
  const nas_checkpoints *checkpoints;
  const nas_message *trial; /* running */
  double last_report;
  double train_loss, valid_accuracy; /* of its last whole epoch */
  int64_t memory;                    /* limit of a trial */
} server;

static volatile sig_atomic_t stop;

static void on_stop(int number) { stop = number; }

static const double report_seconds = 1;

static void report(server *s, int32_t epoch, double share) {
  nas_err err;
  nas_message m = {.kind = NAS_MESSAGE_PROGRESS,
                   .trial = s->trial->trial,
                   .number = s->trial->number,
                   .attempt = s->trial->attempt,
                   .epoch = epoch,
                   .share = share,
                   .train_loss = s->train_loss,
                   .valid_accuracy = s->valid_accuracy};
  s->last_report = nas_clock();
  if (nas_channel_send(&s->channel, &m, -1, &err) != NAS_OK) _exit(0); /* nobody is left to work for */
}

static void on_epoch(void *arg, const nas_epoch *epoch) {
  server *s = arg;
  s->train_loss = epoch->train_loss;
  s->valid_accuracy = epoch->valid_accuracy;
  if (nas_clock() - s->last_report >= report_seconds) report(s, epoch->epoch, 1);
}

static void on_step(void *arg, int32_t epoch, double share) {
  server *s = arg;
  if (nas_clock() - s->last_report >= report_seconds) report(s, epoch, share);
}

/* Pages of private writable memory now in use: what RLIMIT_DATA counts. */
static int64_t data_bytes(void) {
  long long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f) return 0;
  if (fscanf(f, "%*s %*s %*s %*s %*s %lld", &pages) != 1) pages = 0;
  fclose(f);
  return pages * sysconf(_SC_PAGESIZE);
}

/* What the planner counts is rejected by the planner, with a number; the kernel's limit stands behind it, with room for
 * what no plan counts (buffers of the libraries, generated code, stacks). */
static const int64_t uncounted_bytes = 64 << 20;

static void limit_memory(int64_t above_now) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_DATA, &limit) != 0) return;
  limit.rlim_cur = above_now ? (rlim_t)(data_bytes() + above_now + uncounted_bytes) : limit.rlim_max;
  setrlimit(RLIMIT_DATA, &limit);
}

static nas_outcome outcome_of(nas_status status) {
  switch (status) {
    case NAS_E_NO_MEMORY: return NAS_OUTCOME_OUT_OF_MEMORY;
    case NAS_E_TIMEOUT: return NAS_OUTCOME_TIMEOUT;
    case NAS_E_DIVERGED: return NAS_OUTCOME_DIVERGED;
    default: return NAS_OUTCOME_CRASHED;
  }
}

/* Tests shake the order of arrival with this; it changes no number. */
static void test_delay(void) {
  const char *text = getenv("NASCENT_TEST_DELAY_MS");
  int64_t most;
  if (!text || !nas_text_int(text, &most) || most <= 0) return;
  uint64_t moment = (uint64_t)(nas_clock() * 1e9) ^ (uint64_t)getpid() << 32;
  int64_t ms = (int64_t)(nas_hash64(&moment, sizeof moment) % (uint64_t)(most + 1));
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void evaluate(server *s, const nas_message *trial, nas_result *result) {
  nas_err err = {0};
  nas_eval_request request = {.space = s->setup.space,
                              .data = s->setup.data,
                              .recipe = &s->setup.recipe,
                              .seed = trial->seed,
                              .epochs = trial->epochs,
                              .memory_limit = s->memory,
                              .seconds_limit = s->campaign->trial.seconds,
                              .stop = &stop,
                              .on_epoch = on_epoch,
                              .on_step = on_step,
                              .arg = s};
  nas_status status = nas_space_parse(s->setup.space, trial->arch, &request.arch, &err);
  s->trial = trial;
  s->last_report = nas_clock();
  s->train_loss = s->valid_accuracy = NAN;
  limit_memory(s->memory);
  if (status == NAS_OK)
    status = nas_evaluate_from_checkpoint(s->checkpoints, s->setup.evaluator, s->setup.evaluator_options, &request,
                                          result, &err);
  limit_memory(0);
  if (status == NAS_OK) return;
  result->outcome = outcome_of(status);
  result->cause = err;
}

static nas_status serve(server *s, nas_err *err) {
  nas_message hello = {.kind = NAS_MESSAGE_HELLO};
  nas_text_put(hello.version, sizeof hello.version, "%s", NAS_VERSION_FULL);
  nas_status status = nas_setup_open(&s->setup, s->campaign, &hello.error);
  if (status == NAS_OK) {
    nas_text_put(hello.digest, sizeof hello.digest, "%s", s->setup.data->digest);
    nas_text_put(hello.split, sizeof hello.split, "%s", s->setup.data->split);
  } else {
    hello.error.code = status;
  }
  NAS_TRY(nas_channel_send(&s->channel, &hello, -1, err));
  while (status == NAS_OK) {
    nas_message trial = {0};
    nas_arrival arrival;
    NAS_TRY(nas_channel_wait(&s->channel, &trial, &arrival, err));
    if (arrival == NAS_ARRIVAL_CLOSED) break;
    if (trial.kind != NAS_MESSAGE_TRIAL) continue;
    nas_message reply = {.kind = NAS_MESSAGE_RESULT,
                         .trial = trial.trial,
                         .number = trial.number,
                         .attempt = trial.attempt,
                         .seed = trial.seed};
    memcpy(reply.arch, trial.arch, sizeof reply.arch);
    if (stop) reply.result.outcome = NAS_OUTCOME_PREEMPTED;
    else evaluate(s, &trial, &reply.result);
    test_delay();
    status = nas_channel_send(&s->channel, &reply, -1, err);
    nas_message_free(&reply);
  }
  return status;
}

void nas_server_serve(int fd, const void *arg) {
  const nas_server_job *job = arg;
  server s = {.campaign = job->campaign, .checkpoints = &job->checkpoints};
  nas_err err = {0};
  struct sigaction action = {.sa_handler = on_stop};
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, NULL);
  nas_last_words_install();
  if (job->bound) sched_setaffinity(0, sizeof job->cores, &job->cores);
  s.memory = job->memory;
  nas_channel_open(&s.channel, fd);
  serve(&s, &err); /* its only failure is a parent that is gone */
  nas_setup_close(&s.setup);
  nas_channel_close(&s.channel);
}
