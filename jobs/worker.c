#include "jobs/worker.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/file.h"

typedef enum server_state {
  SERVER_NONE,     /* no process */
  SERVER_STARTING, /* asked for; reading data */
  SERVER_READY,    /* waits for a trial, or runs one */
  SERVER_ENDING,   /* told to end, or killed; EXITED will come */
} server_state;

typedef struct queued {
  nas_message trial;
  bool cancelled;
} queued;

struct nas_worker {
  const nas_campaign *campaign;
  nas_zygote zygote;
  nas_channel server;
  server_state state;
  int64_t served; /* trials of the present process */
  bool greeted;   /* HELLO was passed on */
  queued *queue;  /* a ring; the first one runs */
  size_t first, n, cap;
  size_t handed;      /* of the queue: sent to the present process */
  bool timed_out;     /* the watchdog killed it */
  bool preempting;    /* nothing begins any more */
  nas_message latest; /* last PROGRESS */
  bool has_ended;     /* the process has, as this message says, and its last results were still read */
  nas_message ended;
  double begun, beat; /* when the running trial began, and the last heartbeat */
};

static const double longest_heartbeat = 3;

/* Several within a lease, so that a lost one does not matter. */
static double heartbeat_seconds(const nas_worker *w) { return fmin(w->campaign->run.lease / 5, longest_heartbeat); }

static queued *at(const nas_worker *w, size_t i) { return &w->queue[(w->first + i) % w->cap]; }
static nas_message *running(const nas_worker *w) { return &at(w, 0)->trial; }

/* The trainer looks at the clock between steps; what has not come back well after the limit hangs. */
static double watchdog_seconds(const nas_worker *w) {
  double limit = w->campaign->trial.seconds;
  return limit > 0 ? 1.1 * limit + 2 : INFINITY;
}

/* The running trial is over: the next one runs, if the process has it already. */
static void pop(nas_worker *w) {
  w->first = (w->first + 1) % w->cap;
  w->n--;
  if (w->handed) w->handed--;
  w->timed_out = false;
  w->latest = (nas_message){.train_loss = NAN, .valid_accuracy = NAN};
  w->begun = nas_clock();
}

static nas_status start_server(nas_worker *w, nas_err *err) {
  int fd;
  nas_channel_close(&w->server);
  NAS_TRY(nas_zygote_spawn(&w->zygote, &fd, err));
  nas_channel_open(&w->server, fd);
  w->state = SERVER_STARTING;
  w->served = 0;
  return NAS_OK;
}

nas_status nas_worker_new(const nas_campaign *campaign, nas_zygote *zygote, nas_worker **out, nas_err *err) {
  nas_worker *w = calloc(1, sizeof *w);
  *out = NULL;
  if (!w) return nas_fail_memory(err, "a worker");
  *w = (nas_worker){.campaign = campaign, .zygote = *zygote};
  *zygote = (nas_zygote){.pid = -1, .control.fd = -1, .control.passed = -1};
  nas_channel_open(&w->server, -1);
  nas_status status = start_server(w, err);
  if (status == NAS_OK) *out = w;
  else nas_worker_free(w);
  return status;
}

void nas_worker_free(nas_worker *w) {
  if (!w) return;
  nas_zygote_stop(&w->zygote);
  nas_channel_close(&w->server);
  free(w->queue);
  free(w);
}

bool nas_worker_busy(const nas_worker *w) { return w->n > 0; }

/* A few trials at a time fit the socket in both directions, so that neither side waits for the other. */
enum { HANDED_MAX = 64 };

/* Sends the process what it may have; it is replaced after its share. */
static nas_status hand_over(nas_worker *w, nas_err *err) {
  if (w->preempting) return NAS_OK;
  while (w->n && !w->handed && at(w, 0)->cancelled) pop(w);
  if (w->state == SERVER_NONE && w->n) return start_server(w, err);
  while (w->state == SERVER_READY && w->handed < w->n && w->handed < HANDED_MAX &&
         w->served < w->campaign->trial.reuse) {
    /* A process that died in between is not an error here: EXITED tells. */
    nas_err gone;
    if (w->handed == 0) w->begun = w->beat = nas_clock();
    nas_channel_send(&w->server, &at(w, w->handed)->trial, -1, &gone);
    w->handed++;
    w->served++;
  }
  return NAS_OK;
}

static nas_status make_room(nas_worker *w, nas_err *err) {
  if (w->n < w->cap) return NAS_OK;
  size_t cap = w->cap ? 2 * w->cap : 4;
  queued *grown = malloc(cap * sizeof *grown);
  if (!grown) return nas_fail_memory(err, "trials that wait");
  for (size_t i = 0; i < w->n && w->cap; i++) grown[i] = *at(w, i);
  free(w->queue);
  w->queue = grown;
  w->first = 0;
  w->cap = cap;
  return NAS_OK;
}

nas_status nas_worker_begin(nas_worker *w, const nas_message *trial, nas_err *err) {
  NAS_TRY(make_room(w, err));
  if (w->n == 0) w->beat = nas_clock();
  w->n++;
  *at(w, w->n - 1) = (queued){.trial = *trial};
  return hand_over(w, err);
}

nas_status nas_worker_cancel(nas_worker *w, const nas_message *trial, nas_err *err) {
  for (size_t i = 0; i < w->n; i++) {
    queued *q = at(w, i);
    if (q->trial.trial != trial->trial || q->cancelled) continue;
    q->cancelled = true;
    /* One that the process holds behind another gives a result that the coordinator will find to be the same. */
    if (i == 0 && w->handed) return nas_zygote_kill(&w->zygote, err);
  }
  return NAS_OK;
}

nas_status nas_worker_preempt(nas_worker *w, nas_err *err) {
  w->preempting = true;
  return w->handed ? nas_zygote_preempt(&w->zygote, err) : NAS_OK;
}

static nas_message about_trial(const nas_worker *w, nas_message_kind kind) {
  const nas_message *t = running(w);
  nas_message m = {.kind = kind, .trial = t->trial, .number = t->number, .attempt = t->attempt, .seed = t->seed};
  if (kind == NAS_MESSAGE_RESULT) memcpy(m.arch, t->arch, sizeof m.arch);
  return m;
}

static bool of_this_trial(const nas_worker *w, const nas_message *m) {
  return w->n && w->handed && m->trial == running(w)->trial && m->attempt == running(w)->attempt;
}

/* A process that has served its share makes room for a fresh one. */
static void retire_server(nas_worker *w) {
  if (w->served < w->campaign->trial.reuse || w->handed) return;
  nas_channel_close(&w->server);
  w->state = SERVER_ENDING;
}

static nas_status take_hello(nas_worker *w, const nas_message *m, nas_message *out, bool *got, nas_err *err) {
  if (m->error.code != NAS_OK && w->greeted) {
    if (err) *err = m->error;
    return (nas_status)m->error.code;
  }
  if (!w->greeted) {
    *out = *m;
    *got = w->greeted = true;
  }
  if (m->error.code != NAS_OK) return NAS_OK;
  w->state = SERVER_READY;
  return hand_over(w, err);
}

/* What the trial process says. */
static nas_status hear_server(nas_worker *w, nas_message *out, bool *got, nas_err *err) {
  nas_arrival arrival = NAS_ARRIVAL_MESSAGE;
  while (!*got && w->server.fd >= 0 && arrival == NAS_ARRIVAL_MESSAGE) {
    nas_message m = {0};
    nas_err corrupt;
    if (nas_channel_receive(&w->server, &m, &arrival, &corrupt) != NAS_OK) {
      /* A process that writes garbage has lost its mind: end it, and its death is the trial's. */
      nas_channel_close(&w->server);
      w->state = SERVER_ENDING;
      return nas_zygote_kill(&w->zygote, err);
    }
    if (arrival != NAS_ARRIVAL_MESSAGE) break;
    if (m.kind == NAS_MESSAGE_HELLO && w->state == SERVER_STARTING) NAS_TRY(take_hello(w, &m, out, got, err));
    else if (m.kind == NAS_MESSAGE_PROGRESS && of_this_trial(w, &m)) w->latest = m;
    else if (m.kind == NAS_MESSAGE_RESULT && of_this_trial(w, &m)) {
      *out = m; /* with its curve */
      *got = !at(w, 0)->cancelled;
      if (!*got) nas_message_free(&m);
      pop(w);
      retire_server(w);
    } else nas_message_free(&m);
  }
  /* Its death is reported by the zygote; until then a closed socket must not keep poll awake. */
  if (arrival == NAS_ARRIVAL_CLOSED) nas_channel_close(&w->server);
  return NAS_OK;
}

static void describe_death(nas_worker *w, const nas_message *exited, nas_result *r) {
  int status = exited->wait_status;
  char how[160];
  if (w->timed_out) {
    r->outcome = NAS_OUTCOME_TIMEOUT;
    nas_fail(&r->cause, NAS_E_TIMEOUT, NULL, "no result %.0f s after the start (limit %g s): the process was killed",
             watchdog_seconds(w), w->campaign->trial.seconds);
    return;
  }
  if (WIFSIGNALED(status)) {
    const char *name = sigabbrev_np(WTERMSIG(status));
    nas_text_put(how, sizeof how, "was killed by SIG%s (%s)%s", name ? name : "?", strsignal(WTERMSIG(status)),
                 WTERMSIG(status) == SIGKILL ? ", perhaps by the system for lack of memory" : "");
  } else nas_text_put(how, sizeof how, "ended with status %d", WEXITSTATUS(status));
  r->outcome = NAS_OUTCOME_CRASHED;
  nas_fail(&r->cause, NAS_E_CRASHED, NULL, "the trial's process %s%s%s", how,
           exited->tail[0] ? "; its last words: " : "", exited->tail);
}

/* The trial process has ended: whatever it had beside the running trial goes to the next one. */
static nas_status bury_server(nas_worker *w, const nas_message *exited, nas_message *out, bool *got, nas_err *err) {
  bool was_starting = w->state == SERVER_STARTING, had = w->handed > 0;
  nas_channel_close(&w->server);
  w->state = SERVER_NONE;
  w->handed = 0;
  if (w->n && (had || was_starting)) {
    if (!at(w, 0)->cancelled) {
      *out = about_trial(w, NAS_MESSAGE_RESULT);
      describe_death(w, exited, &out->result);
      nas_text_put(out->tail, sizeof out->tail, "%s", exited->tail);
      out->died = !w->timed_out;
      *got = true;
    }
    pop(w);
  } else if (was_starting && !w->greeted) {
    nas_result r = {0};
    describe_death(w, exited, &r);
    if (err) *err = r.cause;
    return NAS_E_CRASHED;
  }
  return hand_over(w, err);
}

static nas_status hear_zygote(nas_worker *w, nas_message *out, bool *got, nas_err *err) {
  nas_arrival arrival = NAS_ARRIVAL_MESSAGE;
  if (w->has_ended) {
    w->has_ended = false;
    NAS_TRY(bury_server(w, &w->ended, out, got, err));
  }
  while (!*got && arrival == NAS_ARRIVAL_MESSAGE) {
    nas_message m = {0};
    NAS_TRY(nas_channel_receive(&w->zygote.control, &m, &arrival, err));
    if (arrival == NAS_ARRIVAL_CLOSED)
      return nas_fail(err, NAS_E_CRASHED, "zygote", "the process that forks trial processes is gone");
    if (arrival != NAS_ARRIVAL_MESSAGE) break;
    if (m.kind == NAS_MESSAGE_SPAWNED && m.error.code != NAS_OK) {
      if (err) *err = m.error;
      return (nas_status)m.error.code;
    }
    if (m.kind != NAS_MESSAGE_EXITED) continue;
    /* A result may have been sent just before the end. */
    NAS_TRY(hear_server(w, out, got, err));
    if (*got) { /* its end comes up again at the next call */
      w->ended = m;
      w->has_ended = true;
      return NAS_OK;
    }
    NAS_TRY(bury_server(w, &m, out, got, err));
  }
  return NAS_OK;
}

/* Trials that no process has when nothing begins any more. */
static void give_back(nas_worker *w, nas_message *out, bool *got) {
  if (*got || !w->preempting || !w->n || w->handed) return;
  *out = about_trial(w, NAS_MESSAGE_RESULT);
  out->result.outcome = NAS_OUTCOME_PREEMPTED;
  *got = true;
  pop(w);
}

static nas_status watch(nas_worker *w, nas_message *out, bool *got, nas_err *err) {
  double now = nas_clock();
  if (w->n && w->handed && !w->timed_out && now - w->begun > watchdog_seconds(w)) {
    w->timed_out = true;
    NAS_TRY(nas_zygote_kill(&w->zygote, err));
  }
  give_back(w, out, got);
  if (!*got && w->n && now - w->beat > heartbeat_seconds(w)) {
    w->beat = now;
    *out = about_trial(w, NAS_MESSAGE_PROGRESS);
    out->epoch = w->latest.epoch;
    out->share = w->latest.share;
    out->train_loss = w->latest.train_loss;
    out->valid_accuracy = w->latest.valid_accuracy;
    *got = true;
  }
  return NAS_OK;
}

/* The wait ends early for the watchdog and the heartbeat. */
static int wait_ms(const nas_worker *w, double timeout) {
  double now = nas_clock(), wait = timeout;
  if (w->n) wait = fmin(wait, w->beat + heartbeat_seconds(w) - now);
  if (w->n && w->handed && !w->timed_out) wait = fmin(wait, w->begun + watchdog_seconds(w) - now);
  if (w->preempting && w->n && !w->handed) wait = 0;
  return wait <= 0 ? 0 : (int)ceil(fmin(wait, 3600) * 1000);
}

nas_status nas_worker_poll(nas_worker *w, double timeout, nas_message *out, bool *got, nas_err *err) {
  *got = false;
  *out = (nas_message){0};
  if (!w->server.in.len && !w->zygote.control.in.len && !w->has_ended) {
    struct pollfd p[2] = {{.fd = w->server.fd, .events = POLLIN}, {.fd = w->zygote.control.fd, .events = POLLIN}};
    if (poll(p, 2, wait_ms(w, timeout)) < 0 && errno != EINTR)
      return nas_fail_errno(err, errno, "worker", "cannot wait for the trial process");
  }
  NAS_TRY(hear_server(w, out, got, err));
  if (!*got) NAS_TRY(hear_zygote(w, out, got, err));
  if (!*got) NAS_TRY(hand_over(w, err));
  return watch(w, out, got, err);
}
