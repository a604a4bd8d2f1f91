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

struct nas_worker {
  const nas_campaign *campaign;
  nas_zygote zygote;
  nas_channel server;
  server_state state;
  int64_t served;     /* trials of the present process */
  bool greeted;       /* HELLO was passed on */
  bool busy, handed;  /* has a trial; it was sent to the process */
  bool timed_out;     /* the watchdog killed it */
  nas_message trial;  /* the one in work */
  nas_message latest; /* last PROGRESS */
  double begun, beat; /* when the trial was handed over, and the last heartbeat */
};

static const double heartbeat_seconds = 3;

/* The trainer looks at the clock between steps; what has not come back well after the limit hangs. */
static double watchdog_seconds(const nas_worker *w) {
  double limit = w->campaign->trial.seconds;
  return limit > 0 ? 1.1 * limit + 2 : INFINITY;
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
  free(w);
}

bool nas_worker_busy(const nas_worker *w) { return w->busy; }

static nas_status hand_over(nas_worker *w, nas_err *err) {
  w->handed = true;
  w->begun = w->beat = nas_clock();
  w->served++;
  /* A process that died in between is not an error here: EXITED tells. */
  nas_err gone;
  (void)err;
  nas_channel_send(&w->server, &w->trial, -1, &gone);
  return NAS_OK;
}

nas_status nas_worker_begin(nas_worker *w, const nas_message *trial, nas_err *err) {
  if (w->busy) return nas_fail(err, NAS_E_INTERNAL, "worker", "was given a second trial");
  w->trial = *trial;
  w->busy = true;
  w->handed = w->timed_out = false;
  w->latest = (nas_message){0};
  w->beat = nas_clock();
  if (w->state == SERVER_NONE) return start_server(w, err);
  return w->state == SERVER_READY ? hand_over(w, err) : NAS_OK;
}

static nas_message about_trial(const nas_worker *w, nas_message_kind kind) {
  return (nas_message){.kind = kind, .trial = w->trial.trial, .number = w->trial.number, .attempt = w->trial.attempt};
}

static bool of_this_trial(const nas_worker *w, const nas_message *m) {
  return w->busy && w->handed && m->trial == w->trial.trial && m->attempt == w->trial.attempt;
}

/* A process that has served its share makes room for a fresh one. */
static void retire_server(nas_worker *w) {
  if (w->served < w->campaign->trial.reuse) return;
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
  return w->busy ? hand_over(w, err) : NAS_OK;
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
      *got = true;
      w->busy = false;
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

/* The trial process has ended. */
static nas_status bury_server(nas_worker *w, const nas_message *exited, nas_message *out, bool *got, nas_err *err) {
  bool was_starting = w->state == SERVER_STARTING;
  nas_channel_close(&w->server);
  w->state = SERVER_NONE;
  if (w->busy && (w->handed || was_starting)) {
    *out = about_trial(w, NAS_MESSAGE_RESULT);
    describe_death(w, exited, &out->result);
    out->died = !w->timed_out;
    *got = true;
    w->busy = false;
    return NAS_OK;
  }
  if (w->busy) return start_server(w, err); /* it had retired; the next one takes the trial */
  if (!was_starting || w->greeted) return NAS_OK;
  nas_result r = {0};
  describe_death(w, exited, &r);
  if (err) *err = r.cause;
  return NAS_E_CRASHED;
}

static nas_status hear_zygote(nas_worker *w, nas_message *out, bool *got, nas_err *err) {
  nas_arrival arrival = NAS_ARRIVAL_MESSAGE;
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
    if (*got) {
      nas_channel_close(&w->server);
      w->state = SERVER_NONE;
      return NAS_OK;
    }
    NAS_TRY(bury_server(w, &m, out, got, err));
  }
  return NAS_OK;
}

static nas_status watch(nas_worker *w, nas_message *out, bool *got, nas_err *err) {
  double now = nas_clock();
  if (w->busy && w->handed && !w->timed_out && now - w->begun > watchdog_seconds(w)) {
    w->timed_out = true;
    NAS_TRY(nas_zygote_kill(&w->zygote, err));
  }
  if (!*got && w->busy && now - w->beat > heartbeat_seconds) {
    w->beat = now;
    *out = about_trial(w, NAS_MESSAGE_PROGRESS);
    out->epoch = w->latest.epoch;
    out->share = w->latest.share;
    out->valid_accuracy = w->latest.valid_accuracy;
    *got = true;
  }
  return NAS_OK;
}

/* The wait ends early for the watchdog and the heartbeat. */
static int wait_ms(const nas_worker *w, double timeout) {
  double now = nas_clock(), wait = timeout;
  if (w->busy) wait = fmin(wait, w->beat + heartbeat_seconds - now);
  if (w->busy && w->handed && !w->timed_out) wait = fmin(wait, w->begun + watchdog_seconds(w) - now);
  return wait <= 0 ? 0 : (int)ceil(fmin(wait, 3600) * 1000);
}

nas_status nas_worker_poll(nas_worker *w, double timeout, nas_message *out, bool *got, nas_err *err) {
  *got = false;
  *out = (nas_message){0};
  if (!w->server.in.len && !w->zygote.control.in.len) {
    struct pollfd p[2] = {{.fd = w->server.fd, .events = POLLIN}, {.fd = w->zygote.control.fd, .events = POLLIN}};
    if (poll(p, 2, wait_ms(w, timeout)) < 0 && errno != EINTR)
      return nas_fail_errno(err, errno, "worker", "cannot wait for the trial process");
  }
  NAS_TRY(hear_server(w, out, got, err));
  if (!*got) NAS_TRY(hear_zygote(w, out, got, err));
  return watch(w, out, got, err);
}
