#include "jobs/coordinator.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/secret.h"
#include "base/version.h"
#include "jobs/transcript.h"

/* ---- opening ---- */

static nas_status make_slots(nas_coordinator *c, int first, int n_slots, nas_err *err) {
  c->n_slots = n_slots;
  c->slots = calloc((size_t)n_slots, sizeof *c->slots);
  if (!c->slots) return nas_fail_memory(err, "the list of workers");
  NAS_TRY(nas_coordinator_most_held(c->campaign, &c->most_held, err));
  for (int i = first; i < n_slots; i++) {
    c->slots[i] = (nas_slot){.state = NAS_SLOT_ABSENT, .seen = c->started};
    c->slots[i].held = calloc((size_t)c->most_held, sizeof(*c->slots[i].held));
    if (!c->slots[i].held) return nas_fail_memory(err, "the list of workers");
  }
  return NAS_OK;
}

/* Somebody may hold the table for a moment: a backup, a reader, a run that is just ending. */
static nas_status open_table(nas_coordinator *c, const char *path, nas_err *err) {
  bool said = false;
  for (double delay = NAS_COORDINATOR_FIRST_DELAY, end = nas_clock() + fmin(c->campaign->run.patience, 30);;
       delay *= 2) {
    nas_err why = {0};
    nas_status status = nas_db_open(path, NAS_DB_CREATE, &c->db, &why);
    const bool again = status == NAS_E_DB_BUSY && nas_clock() + delay <= end;
    if (status != NAS_OK && !again && err) *err = why;
    if (!again) return status;
    if (delay > NAS_COORDINATOR_FIRST_DELAY && !said) {
      nas_say("paused: %s: %s; tried again for %.0f s", why.where, why.msg, end - nas_clock());
      said = true;
    }
    usleep((useconds_t)(delay * 1e6));
  }
}

nas_status nas_coordinator_open_strategy(nas_coordinator *c, bool preview, nas_err *err) {
  const nas_campaign *campaign = c->campaign;
  const nas_dataset *d = c->setup.data;
  nas_text_put(c->task_text, sizeof c->task_text,
               "images of data set %s, %d x %d x %d (channels, height, width), %d classes; recipe %s, %lld epochs",
               campaign->dataset, d->task.input.c, d->task.input.h, d->task.input.w, d->task.classes, campaign->recipe,
               (long long)c->setup.recipe.epochs);
  const nas_strategy_setup setup = {.space = c->setup.space,
                                    .seed = (uint64_t)campaign->seed,
                                    .epochs = (int32_t)c->setup.recipe.epochs,
                                    .metrics = c->setup.evaluator->delivers,
                                    .task = c->task_text,
                                    .note = nas_transcript_take,
                                    .note_arg = c,
                                    .preview = preview};
  NAS_TRY(nas_strategy_open_with(campaign->strategy, &campaign->strategy_settings, &setup, &c->strategy, err));
  if (preview) return NAS_OK;
  char secret[64];
  nas_strategy_secret(campaign->strategy, &campaign->strategy_settings, secret);
  nas_secret_forget(secret); /* it has its copy; hooks and whoever looks at this process get none */
  return NAS_OK;
}

nas_status nas_coordinator_open(nas_coordinator *c, const nas_campaign *campaign,
                                const nas_campaign_run_options *options, int first, int n_slots,
                                nas_campaign_summary *summary, nas_err *err) {
  c->campaign = campaign;
  c->summary = summary;
  c->started = nas_clock();
  c->lease = campaign->run.lease;
  if (gethostname(c->host, sizeof c->host - 1) != 0) c->host[0] = '\0';
  NAS_TRY(make_slots(c, first, n_slots, err));
  *summary = (nas_campaign_summary){.coordinator = true, .best_valid_accuracy = NAN};
  NAS_TRY(nas_setup_open(&c->setup, campaign, err));
  c->task = c->setup.data->task;
  nas_text_put(c->digest, sizeof c->digest, "%s", c->setup.data->digest);
  nas_text_put(c->split, sizeof c->split, "%s", c->setup.data->split);
  NAS_TRY(nas_coordinator_open_strategy(c, false, err));
  NAS_TRY(open_table(c, options->db, err));
  NAS_TRY(nas_coordinator_resume(c, options, err));
  nas_dataset_close(c->setup.data);
  c->setup.data = NULL;
  return NAS_OK;
}

void nas_coordinator_close(nas_coordinator *c) {
  for (size_t i = 0; i < c->n_inbox; i++) {
    nas_message_free(c->inbox[i].message);
    free(c->inbox[i].message);
  }
  nas_db_close(c->db);
  nas_strategy_close(c->strategy);
  nas_setup_close(&c->setup);
  nas_repeats_free(&c->repeats);
  nas_ledger_free(&c->ledger);
  nas_rank_log_close(&c->log);
  nas_notes_free(&c->notes);
  for (size_t i = 0; i < c->n_open; i++) free(c->open[i]);
  for (int i = 0; i < c->n_slots && c->slots; i++) free(c->slots[i].held);
  free(c->asks);
  free(c->open);
  free(c->slots);
  free(c->inbox);
  free(c->outbox);
  *c = (nas_coordinator){0};
}

/* ---- telling ---- */

static void note_best(nas_coordinator *c, const nas_open_trial *t, double accuracy) {
  nas_campaign_summary *s = c->summary;
  if (isnan(accuracy) || (!isnan(s->best_valid_accuracy) && accuracy <= s->best_valid_accuracy)) return;
  char text[NAS_ARCH_TEXT_MAX];
  s->best_valid_accuracy = accuracy;
  if (nas_space_format(c->setup.space, &t->arch, text, NULL) == NAS_OK)
    nas_text_put(s->best_arch, sizeof s->best_arch, "%s", text);
}

/* What the evaluator delivers to strategies, where this result has it. */
static size_t delivered(const nas_coordinator *c, const nas_result *r, nas_metric out[NAS_DELIVERED_MAX]) {
  size_t n = 0;
  for (const char *const *name = c->setup.evaluator->delivers; name && *name && n < NAS_DELIVERED_MAX; name++) {
    double value = nas_result_metric(r, *name);
    if (isnan(value)) continue;
    out[n].value = value;
    nas_text_put(out[n++].name, sizeof out->name, "%s", *name);
  }
  return n;
}

nas_status nas_coordinator_tell(nas_coordinator *c, const nas_open_trial *t, const nas_result *r, nas_err *err) {
  bool ok = r->outcome == NAS_OUTCOME_OK;
  const nas_epoch *last = r->n_epochs ? &r->epochs[r->n_epochs - 1] : NULL;
  double *curve = malloc((r->n_epochs + 1) * sizeof *curve);
  if (!curve) return nas_fail_memory(err, "a curve");
  for (size_t i = 0; i < r->n_epochs; i++) curve[i] = r->epochs[i].valid_accuracy;
  nas_tell tell = {.number = t->number,
                   .arch = t->arch,
                   .outcome = r->outcome,
                   .valid_accuracy = ok && last ? last->valid_accuracy : NAN,
                   .valid_loss = ok && last ? last->valid_loss : NAN,
                   .seconds = nas_result_metric(r, "seconds"),
                   .params = t->params,
                   .macs = t->macs,
                   .valid_curve = curve,
                   .n_curve = r->n_epochs};
  nas_metric metrics[NAS_DELIVERED_MAX];
  tell.metrics = metrics;
  tell.n_metrics = delivered(c, r, metrics);
  nas_status status = nas_strategy_tell(c->strategy, &tell, err);
  free(curve);
  if (status != NAS_OK) return status;
  c->told++;
  c->exhausted = false; /* a result may have made room, such as that of the last trial of a rung */
  int64_t fresh = (int64_t)r->n_epochs - c->asks[t->number].epochs_before;
  c->epochs += fresh > 0 ? fresh : 0;
  c->summary->done++;
  c->summary->failed += !ok;
  c->summary->outcomes[r->outcome]++;
  note_best(c, t, tell.valid_accuracy);
  return NAS_OK;
}

/* ---- the trials that are open ---- */

/* That it will train. */
static int64_t epochs_of(const nas_coordinator *c, const nas_open_trial *t) {
  const nas_asked *a = &c->asks[t->number];
  return a->epochs - a->epochs_before;
}

nas_status nas_coordinator_add_open(nas_coordinator *c, const nas_open_trial *t, nas_open_trial **out, nas_err *err) {
  if (c->n_open == c->cap_open) {
    size_t cap = c->cap_open ? 2 * c->cap_open : 16;
    nas_open_trial **grown = realloc(c->open, cap * sizeof(*grown));
    if (!grown) return nas_fail_memory(err, "the running trials");
    c->open = grown;
    c->cap_open = cap;
  }
  nas_open_trial *copy = malloc(sizeof *copy);
  if (!copy) return nas_fail_memory(err, "a trial");
  *copy = *t;
  copy->worker = -1;
  copy->at = c->n_open;
  c->open[c->n_open++] = copy;
  c->n_waiting++;
  c->open_epochs += epochs_of(c, copy);
  *out = copy;
  return NAS_OK;
}

void nas_coordinator_release(nas_coordinator *c, nas_open_trial *t) {
  if (t->worker < 0) return;
  nas_slot *slot = &c->slots[t->worker];
  for (int i = 0; i < slot->n_held; i++) {
    if (slot->held[i] != t) continue;
    memmove(&slot->held[i], &slot->held[i + 1], (size_t)(slot->n_held - i - 1) * sizeof(*slot->held));
    slot->n_held--;
    break;
  }
  if (slot->n_held == 0) slot->busy_seconds += nas_clock() - slot->busy_since;
  t->worker = -1;
  c->n_waiting++;
}

void nas_coordinator_hold(nas_coordinator *c, nas_open_trial *t, int worker) {
  nas_slot *slot = &c->slots[worker];
  if (slot->n_held == 0) slot->busy_since = nas_clock();
  slot->held[slot->n_held++] = t;
  t->worker = worker;
  c->n_waiting--;
}

void nas_coordinator_close_open(nas_coordinator *c, nas_open_trial *t) {
  nas_coordinator_release(c, t);
  c->n_waiting--;
  c->open_epochs -= epochs_of(c, t);
  c->open[t->at] = c->open[--c->n_open];
  c->open[t->at]->at = t->at;
  for (size_t i = 0; c->paused && i < c->n_outbox; i++) /* it may not have been sent yet */
    if (c->outbox[i].trial == t) c->outbox[i] = (nas_parcel){c->outbox[i].worker, NULL, {.kind = NAS_MESSAGE_PING}};
}

nas_open_trial *nas_coordinator_find_open(nas_coordinator *c, int worker, int64_t id) {
  const nas_slot *slot = &c->slots[worker];
  for (int i = 0; i < slot->n_held; i++)
    if (slot->held[i]->id == id) return slot->held[i];
  for (size_t i = 0; i < c->n_open; i++)
    if (c->open[i]->id == id) return c->open[i];
  return NULL;
}

static nas_open_trial *first_waiting(nas_coordinator *c) {
  nas_open_trial *first = NULL;
  for (size_t i = 0; c->n_waiting && i < c->n_open; i++)
    if (c->open[i]->worker < 0 && (!first || c->open[i]->number < first->number)) first = c->open[i];
  return first;
}

/* ---- notes ---- */

nas_status nas_coordinator_note(nas_coordinator *c, const char *kind, nas_open_trial *t, int worker, nas_err *err,
                                const char *fmt, ...) {
  char line[1800];
  va_list args;
  va_start(args, fmt);
  vsnprintf(line, sizeof line, fmt, args);
  va_end(args);
  nas_rank_log_write(&c->log, kind, t ? t->id : 0, t ? (int64_t)t->number : -1, t ? t->attempt : -1, line);
  return nas_ledger_event(&c->ledger, kind, t, worker, line, err);
}

nas_status nas_coordinator_post(nas_coordinator *c, int worker, nas_message_kind kind, nas_parcel **out, nas_err *err) {
  if (c->n_outbox == c->cap_outbox) {
    size_t cap = c->cap_outbox ? 2 * c->cap_outbox : 16;
    nas_parcel *grown = realloc(c->outbox, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "messages to workers");
    c->outbox = grown;
    c->cap_outbox = cap;
  }
  nas_parcel *p = &c->outbox[c->n_outbox++];
  *p = (nas_parcel){.worker = worker, .message.kind = kind};
  if (out) *out = p;
  return NAS_OK;
}

/* ---- what comes in ---- */

static nas_status check_hello(const nas_coordinator *c, int worker, const nas_message *m, nas_err *err) {
  char where[32];
  nas_text_put(where, sizeof where, "rank %d", worker);
  if (m->error.code != NAS_OK) {
    *err = m->error;
    return m->error.code < 0 ? (nas_status)m->error.code : NAS_E_INTERNAL;
  }
  if (strcmp(m->version, NAS_VERSION_FULL) != 0)
    return nas_fail(err, NAS_E_MISMATCH, where, "runs version %s, the coordinator %s", m->version, NAS_VERSION_FULL);
  if (strcmp(m->digest, c->digest) != 0)
    return nas_fail(err, NAS_E_MISMATCH, where, "has other data (digest %.16s..., the coordinator's is %.16s...)",
                    m->digest, c->digest);
  if (strcmp(m->split, c->split) != 0)
    return nas_fail(err, NAS_E_MISMATCH, where, "splits the data otherwise (%.16s..., the coordinator %.16s...)",
                    m->split, c->split);
  return NAS_OK;
}

/* A worker that cannot be used gets no trials; the others go on. It stays until all end: MPI ends together. */
static nas_status refuse(nas_coordinator *c, int worker, const nas_err *why, nas_err *err) {
  nas_slot *slot = &c->slots[worker];
  while (slot->n_held) nas_coordinator_release(c, slot->held[slot->n_held - 1]);
  slot->state = NAS_SLOT_REFUSED;
  c->refusal = *why;
  return nas_coordinator_note(c, "worker-refused", NULL, worker, err, "rank %d %s%s%s", worker, why->where,
                              why->where[0] ? ": " : "", why->msg);
}

static nas_status greet(nas_coordinator *c, int worker, const nas_message *m, nas_err *err) {
  nas_slot *slot = &c->slots[worker];
  nas_err why = {0};
  nas_status status = check_hello(c, worker, m, &why);
  if (status != NAS_OK) {
    why.code = status;
    return refuse(c, worker, &why, err);
  }
  if (slot->state == NAS_SLOT_ABSENT) slot->state = NAS_SLOT_READY;
  nas_text_put(slot->host, sizeof slot->host, "%s", m->host);
  slot->pid = m->pid;
  slot->watched = m->pid > 0 && m->pid != getpid() && strcmp(m->host, c->host) == 0 && kill((pid_t)m->pid, 0) == 0;
  return NAS_OK;
}

static nas_status put_in(nas_coordinator *c, int worker, const nas_message *m, nas_err *err) {
  if (c->n_inbox == c->cap_inbox) {
    size_t cap = c->cap_inbox ? 2 * c->cap_inbox : 8;
    nas_arrived *grown = realloc(c->inbox, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "results that came in");
    c->inbox = grown;
    c->cap_inbox = cap;
  }
  nas_message *copy = malloc(sizeof *copy);
  if (!copy) return nas_fail_memory(err, "a result that came in");
  *copy = *m;
  c->inbox[c->n_inbox++] = (nas_arrived){worker, copy};
  return NAS_OK;
}

/* A trial that was taken from a silent worker and waits goes back to it when it turns out to be at it still; one that
 * is elsewhere or finished is not worth going on with. */
static nas_status hear_progress(nas_coordinator *c, int worker, const nas_message *m, nas_err *err) {
  nas_open_trial *t = m->trial ? nas_coordinator_find_open(c, worker, m->trial) : NULL;
  if (t && t->worker < 0 && c->slots[worker].n_held < c->most_held && !c->stopping) nas_coordinator_hold(c, t, worker);
  if (t && t->worker == worker) {
    t->epoch = m->epoch;
    t->share = m->share;
    t->train_loss = m->train_loss;
    t->valid_accuracy = m->valid_accuracy;
    return NAS_OK;
  }
  if (!m->trial || c->paused) return NAS_OK;
  nas_parcel *p;
  NAS_TRY(nas_coordinator_post(c, worker, NAS_MESSAGE_CANCEL, &p, err));
  p->message.trial = m->trial;
  p->message.number = m->number;
  p->message.attempt = m->attempt;
  return NAS_OK;
}

nas_status nas_coordinator_take(nas_coordinator *c, int worker, nas_message *m, nas_err *err) {
  if (worker < 0 || worker >= c->n_slots || c->slots[worker].state == NAS_SLOT_UNUSED) {
    nas_message_free(m);
    return nas_fail(err, NAS_E_INTERNAL, "coordinator", "a message from rank %d, which is no worker", worker);
  }
  nas_slot *slot = &c->slots[worker];
  nas_status status = NAS_OK;
  slot->seen = nas_clock();
  if (slot->state == NAS_SLOT_GONE) {
    slot->state = NAS_SLOT_READY;
    status = nas_coordinator_note(c, "worker-back", NULL, worker, err, "rank %d answers again", worker);
  }
  if (status == NAS_OK && m->kind == NAS_MESSAGE_RESULT) {
    status = put_in(c, worker, m, err);
    if (status == NAS_OK) return NAS_OK;
  } else if (status == NAS_OK && m->kind == NAS_MESSAGE_HELLO) status = greet(c, worker, m, err);
  else if (status == NAS_OK && m->kind == NAS_MESSAGE_PROGRESS) status = hear_progress(c, worker, m, err);
  nas_message_free(m);
  return status;
}

/* ---- handing out ---- */

static bool may_ask(const nas_coordinator *c) {
  const nas_budget *b = &c->campaign->budget;
  return !c->stopping && !c->exhausted && (b->trials == 0 || c->asked < (uint64_t)b->trials) &&
         (!(b->seconds > 0) || nas_clock() - c->started < b->seconds) &&
         (b->epochs == 0 || c->epochs + c->open_epochs < b->epochs);
}

static void count_net(nas_coordinator *c, nas_open_trial *t) {
  nas_repeat *known = nas_repeats_of(&c->repeats, &t->arch);
  nas_net *net;
  nas_err ignored; /* the evaluation will say why there is no such network */
  t->params = known ? known->params : NAN;
  t->macs = known ? known->macs : NAN;
  if (!isnan(t->params) || nas_space_net(c->setup.space, &t->arch, c->task, &net, &ignored) != NAS_OK) return;
  t->params = (double)net->params;
  t->macs = (double)net->macs;
  nas_net_free(net);
  if (known) known->params = t->params, known->macs = t->macs;
}

nas_status nas_coordinator_propose(nas_coordinator *c, const nas_recorded_ask *recorded, nas_open_trial *out,
                                   nas_err *err) {
  nas_proposal p;
  uint64_t before;
  if (c->asked + 1 > c->cap_asks) {
    size_t cap = c->cap_asks ? 2 * c->cap_asks : 64;
    nas_asked *grown = realloc(c->asks, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "the asks");
    c->asks = grown;
    c->cap_asks = cap;
  }
  if (!recorded) NAS_TRY(nas_strategy_propose(c->strategy, c->asked, &p, err));
  else NAS_TRY(nas_strategy_recall(c->strategy, c->asked, recorded->arch, recorded->notes, recorded->n_notes, &p, err));
  if (p.continues > c->asked)
    return nas_fail(err, NAS_E_INTERNAL, c->campaign->strategy, "goes on with ask %llu, which was not made",
                    (unsigned long long)p.continues - 1);
  out->number = c->asked;
  out->arch = p.arch;
  out->epochs = p.epochs;
  if (p.continues) out->seed = c->asks[p.continues - 1].seed;
  else {
    NAS_TRY(nas_repeats_count(&c->repeats, &p.arch, &before, err));
    out->seed = (uint64_t)c->campaign->seed + before;
  }
  c->asks[c->asked] = (nas_asked){.seed = out->seed,
                                  .epochs = p.epochs ? p.epochs : (int32_t)c->setup.recipe.epochs,
                                  .epochs_before = p.continues ? c->asks[p.continues - 1].epochs : 0};
  return NAS_OK;
}

/* One more proposal; *out NULL when there is none. */
static nas_status ask(nas_coordinator *c, nas_open_trial **out, nas_err *err) {
  nas_open_trial fresh = {.worker = -1};
  nas_err why = {0};
  *out = NULL;
  nas_status status = nas_coordinator_propose(c, NULL, &fresh, &why);
  c->pending = status == NAS_E_PENDING;
  if (c->pending) return NAS_OK;
  if (status == NAS_E_EXHAUSTED) {
    c->exhausted = true;
    return NAS_OK;
  }
  if (status != NAS_OK) {
    if (err) *err = why;
    return status;
  }
  count_net(c, &fresh);
  c->asked++;
  NAS_TRY(nas_coordinator_add_open(c, &fresh, out, err));
  return nas_ledger_ask(&c->ledger, *out, c->told, err);
}

/* Gives a worker one trial if there is one for it. */
static nas_status assign(nas_coordinator *c, int worker, bool *given, nas_err *err) {
  nas_open_trial *t = first_waiting(c);
  nas_parcel *p;
  *given = false;
  if (!t && may_ask(c) && !c->pending) NAS_TRY(ask(c, &t, err));
  if (!t || c->stopping) return NAS_OK;
  nas_coordinator_hold(c, t, worker);
  t->attempt++;
  t->begun = nas_clock();
  t->held_with = c->slots[worker].n_held;
  t->epoch = 0;
  t->share = 0;
  t->train_loss = t->valid_accuracy = NAN;
  NAS_TRY(nas_ledger_start(&c->ledger, t, err));
  NAS_TRY(nas_coordinator_post(c, worker, NAS_MESSAGE_TRIAL, &p, err));
  p->trial = t;
  nas_message *m = &p->message;
  m->number = t->number;
  m->attempt = t->attempt;
  m->seed = t->seed;
  m->epochs = t->epochs;
  *given = true;
  return nas_space_format(c->setup.space, &t->arch, m->arch, err);
}

static nas_status fill(nas_coordinator *c, int worker, nas_err *err) {
  const nas_slot *slot = &c->slots[worker];
  bool given = true;
  while (given && slot->state == NAS_SLOT_READY && slot->n_held < nas_coordinator_depth(c, slot))
    NAS_TRY(assign(c, worker, &given, err));
  return NAS_OK;
}

/* One result, then one trial for whoever sent it: so a single worker gets the same sequence of asks and tells however
 * its results bunch up. */
static nas_status work(nas_coordinator *c, nas_err *err) {
  for (size_t i = 0; i < c->n_inbox; i++) {
    nas_message *m = c->inbox[i].message;
    c->inbox[i].message = NULL;
    nas_status status = nas_coordinator_record(c, c->inbox[i].worker, m, err);
    if (status == NAS_OK) status = fill(c, c->inbox[i].worker, err);
    if (status == NAS_OK) continue;
    memmove(c->inbox, &c->inbox[i + 1], (c->n_inbox - i - 1) * sizeof *c->inbox);
    c->n_inbox -= i + 1;
    return status;
  }
  c->n_inbox = 0;
  for (int i = 0; i < c->n_slots; i++) NAS_TRY(fill(c, i, err));
  return NAS_OK;
}

/* ---- a step ---- */

nas_status nas_coordinator_step(nas_coordinator *c, nas_err *err) {
  if (!c->paused) NAS_TRY(nas_coordinator_expire_leases(c, err));
  c->pending = c->pending && c->paused;
  nas_status status = c->paused ? NAS_OK : work(c, err);
  if (status == NAS_OK) return nas_coordinator_write(c, err);
  nas_transcript_rescue(c);
  return status;
}

bool nas_coordinator_done(const nas_coordinator *c) {
  return c->n_inbox == 0 && c->n_open == 0 && c->ledger.n == 0 && !may_ask(c);
}

bool nas_coordinator_quiet(const nas_coordinator *c) {
  for (int i = 0; i < c->n_slots; i++)
    if (c->slots[i].n_held && c->slots[i].state == NAS_SLOT_READY) return false;
  return c->n_inbox == 0 && c->ledger.n == 0;
}
