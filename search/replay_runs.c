/* Many runs of a replay on several threads. A run is a function of its number alone, so that the number of threads and
 * the order of their work cannot change a bit. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "search/replay.h"

typedef struct shared_work {
  const nas_replay_plan *plan;
  nas_replay_run *runs;
  pthread_mutex_t lock; /* of all that follows */
  size_t next, done;
  size_t failed_run; /* the lowest so far; plan->runs: none */
  nas_err failure;
} shared_work;

uint64_t nas_replay_seed(uint64_t seed, uint64_t run) {
  const uint64_t words[2] = {seed, run};
  return nas_hash64(words, sizeof words) >> 11;
}

/* Runs are handed out in order, so that each run before the lowest failed one has been tried. */
static bool take_run(shared_work *w, size_t *run) {
  pthread_mutex_lock(&w->lock);
  *run = w->next;
  bool any = w->next < w->plan->runs && w->failed_run == w->plan->runs;
  if (any) w->next++;
  pthread_mutex_unlock(&w->lock);
  return any;
}

static void give_back(shared_work *w, size_t run, nas_status status, const nas_err *err) {
  pthread_mutex_lock(&w->lock);
  if (status != NAS_OK && run < w->failed_run) {
    w->failed_run = run;
    w->failure = *err;
  }
  w->done++;
  if (w->plan->progress) w->plan->progress(w->plan->arg, w->done);
  pthread_mutex_unlock(&w->lock);
}

static void *work(void *arg) {
  shared_work *w = arg;
  for (size_t run; take_run(w, &run);) {
    nas_err err = {0};
    nas_status status = nas_replay_once(w->plan, nas_replay_seed(w->plan->seed, run), &w->runs[run], &err);
    give_back(w, run, status, &err);
  }
  return NULL;
}

/* What would run for ever, or not at all. */
static nas_status check_plan(const nas_replay_plan *plan, nas_err *err) {
  const nas_replay_limits *limits = &plan->limits;
  const nas_replay_table *t = plan->table;
  if (t->n == 0) return nas_fail(err, NAS_E_NOT_FOUND, "replay", "the table has no architecture to replay against");
  if (limits->workers < 1) return nas_fail(err, NAS_E_OUT_OF_RANGE, "workers", "there must be at least one worker");
  if (!(limits->seconds > 0) || limits->evaluations < 1)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "budget", "a budget must be above zero");
  if (limits->evaluations < UINT64_MAX) return NAS_OK;
  if (isinf(limits->seconds))
    return nas_fail(err, NAS_E_USAGE, "budget", "a replay needs a limit in seconds or in evaluations");
  for (size_t i = 0; i < t->n; i++)
    if (t->seen[i].seconds <= 0)
      return nas_fail(err, NAS_E_BAD_INPUT, "budget",
                      "the table has architectures that cost no time, so that seconds alone limit nothing; "
                      "limit the evaluations");
  return NAS_OK;
}

nas_status nas_replay_all(const nas_replay_plan *plan, nas_replay_run *out, nas_err *err) {
  NAS_TRY(check_plan(plan, err));
  shared_work w = {.plan = plan, .runs = out, .failed_run = plan->runs};
  size_t helpers = plan->jobs > 1 ? plan->jobs - 1 : 0, started = 0;
  pthread_t *threads = calloc(helpers + 1, sizeof *threads);
  if (!threads) return nas_fail_memory(err, "the threads of a replay");
  pthread_mutex_init(&w.lock, NULL);
  /* Fewer threads than wished for are no failure: this one does the rest. */
  while (started < helpers && pthread_create(&threads[started], NULL, work, &w) == 0) started++;
  work(&w);
  for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
  pthread_mutex_destroy(&w.lock);
  free(threads);
  if (w.failed_run == plan->runs) return NAS_OK;
  if (err) *err = w.failure;
  return (nas_status)w.failure.code;
}
