/* A test instrument: looks like a trial but trains nothing. Its accuracies are hashes, so a search over them finds
 * nothing; it serves to measure what a campaign costs by itself and to see how it bears trials that fail. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "evaluators/evaluator.h"

typedef struct noop_options {
  int64_t epochs;
  double seconds, jitter;
  char fail[16];
  double fail_rate;
  int64_t hog;
} noop_options;

static const nas_option options[] = {
    NAS_OPT_INT(noop_options, epochs, "epochs", "1", 1, 100000, "rows of the made-up curve"),
    NAS_OPT_SECONDS(noop_options, seconds, "seconds", "0", 0, 1e9, "time slept per trial"),
    NAS_OPT_REAL(noop_options, jitter, "jitter", "0", 0, 1, "share by which that time varies from trial to trial"),
    NAS_OPT_CHOICE(noop_options, fail, "fail", "none", "none|crash|hang|hog|diverge|error",
                   "how some trials fail: the process dies of SIGSEGV; never returns; takes `hog` bytes; a diverged "
                   "result; an error status"),
    NAS_OPT_REAL(noop_options, fail_rate, "fail-rate", "1", 0, 1, "share of architectures that fail so, by their hash"),
    NAS_OPT_BYTES(noop_options, hog, "hog", "1GiB", 1, 1e15, "memory that fail=hog takes and touches"),
    NAS_OPT_END};

/* What a made-up number is for. */
enum { QUALITY, FAILURE, JITTER, NOISE };

/* Uniform in [0,1) by the architecture, what it is for, and `seed`. */
static double number(uint64_t hash, uint32_t what, uint64_t seed) {
  return nas_rng_unit(nas_rng_make(hash, what, NAS_STREAM_SAMPLE), seed);
}

static nas_epoch made_up_epoch(uint64_t hash, uint64_t seed, int32_t epoch) {
  double best = 60 + 35 * number(hash, QUALITY, 0), learnt = 1 - exp(-0.7 * epoch);
  double noise = number(hash, NOISE, seed * 100003 + (uint64_t)epoch) - 0.5;
  double accuracy = 10 + (best - 10) * learnt + noise;
  return (nas_epoch){.epoch = epoch,
                     .train_loss = 2.3 * (1 - accuracy / 100),
                     .train_accuracy = accuracy,
                     .valid_loss = 2.4 * (1 - accuracy / 100),
                     .valid_accuracy = accuracy - 0.5,
                     .test_loss = 2.4 * (1 - accuracy / 100),
                     .test_accuracy = accuracy - 0.6};
}

static nas_status end(nas_result *result, nas_outcome outcome, nas_status code, const char *msg) {
  result->outcome = outcome;
  nas_fail(&result->cause, code, "noop", "%s", msg);
  return NAS_OK;
}

static void take_memory(int64_t bytes, nas_result *result) {
  enum { PIECE = 16 << 20 };
  void *list = NULL; /* pieces, each starting with the address of the one before */
  for (int64_t taken = 0; taken < bytes; taken += PIECE) {
    void *piece = malloc(PIECE);
    if (!piece) {
      end(result, NAS_OUTCOME_OUT_OF_MEMORY, NAS_E_NO_MEMORY, "fail=hog reached the memory limit");
      break;
    }
    memset(piece, 1, PIECE);
    memcpy(piece, &list, sizeof list);
    list = piece;
  }
  while (list) {
    void *piece = list;
    memcpy(&list, piece, sizeof list);
    free(piece);
  }
}

static nas_status crash(void) {
  raise(SIGSEGV);
  return NAS_E_CRASHED;
}

static nas_status misbehave(const noop_options *o, nas_result *result, nas_err *err) {
  if (strcmp(o->fail, "crash") == 0) return crash();
  if (strcmp(o->fail, "error") == 0) return nas_fail(err, NAS_E_INTERNAL, "noop", "fail=error was asked for");
  if (strcmp(o->fail, "diverge") == 0)
    return end(result, NAS_OUTCOME_DIVERGED, NAS_E_DIVERGED, "fail=diverge was asked for");
  if (strcmp(o->fail, "hog") == 0) take_memory(o->hog, result);
  while (strcmp(o->fail, "hang") == 0) pause(); /* deaf to the stop flag */
  return NAS_OK;
}

/* Sleeps until `until`, in slices that look at the limits. */
static void rest(const nas_eval_request *r, double began, double until, nas_result *result) {
  for (;;) {
    double now = nas_clock(), slice = fmin(until - now, 0.05);
    if (r->stop && *r->stop) {
      end(result, NAS_OUTCOME_PREEMPTED, NAS_E_PREEMPTED, "stopped on request");
      return;
    }
    if (r->seconds_limit > 0 && now - began > r->seconds_limit) {
      end(result, NAS_OUTCOME_TIMEOUT, NAS_E_TIMEOUT, "the time limit was reached");
      return;
    }
    if (slice <= 0) return;
    nanosleep(&(struct timespec){0, (long)(slice * 1e9)}, NULL);
  }
}

static nas_status evaluate(const void *values, const nas_eval_request *r, nas_result *result, nas_err *err) {
  const noop_options *o = values;
  char text[NAS_ARCH_TEXT_MAX];
  *result = (nas_result){0};
  NAS_TRY(nas_space_canonical(r->space, &r->arch, text, err));
  uint64_t hash = nas_hash64_text(text);
  if (strcmp(o->fail, "none") != 0 && number(hash, FAILURE, 0) < o->fail_rate) NAS_TRY(misbehave(o, result, err));
  double began = nas_clock(), share = o->jitter * (2 * number(hash, JITTER, r->seed) - 1);
  double each = o->seconds * (1 + share) / (double)o->epochs;
  int64_t last = r->epochs && r->epochs < o->epochs ? r->epochs : o->epochs;
  for (int32_t e = 1; e <= last && result->outcome == NAS_OUTCOME_OK; e++) {
    rest(r, began, began + each * e, result);
    if (result->outcome != NAS_OUTCOME_OK) break;
    nas_epoch epoch = made_up_epoch(hash, r->seed, e);
    epoch.seconds = each;
    NAS_TRY(nas_result_add_epoch(result, &epoch, err));
    if (r->on_epoch) r->on_epoch(r->arg, &epoch);
  }
  NAS_TRY(nas_result_set_metric(result, "seconds", nas_clock() - began, err));
  NAS_TRY(nas_result_set_metric(result, "epochs", (double)result->n_epochs, err));
  return nas_result_set_metric(result, "train_images", 0, err);
}

extern const nas_evaluator_type nas_evaluator_type_noop;
const nas_evaluator_type nas_evaluator_type_noop = {
    .name = "noop",
    .version = 1,
    .summary = "no training: a hash-based pseudo accuracy, for testing campaigns and measuring their overhead",
    .citation = "none: a test instrument",
    .options = options,
    .options_size = sizeof(noop_options),
    .evaluate = evaluate,
};
