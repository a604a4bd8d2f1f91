#include "jobs/coordinator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/version.h"
#include "jobs/transcript.h"

/* A worker that has not been heard of for so long is taken for lost and its trial is given to another. */
static const double lease_seconds = 60;
/* A trial that has taken this many processes with it is quarantined: recorded as crashed and not tried again. */
enum { DEATHS_MAX = 2 };

/* ---- opening ---- */

nas_status nas_coordinator_open_strategy(nas_coordinator *c, bool preview, nas_err *err) {
  static const char *const delivered[] = {"peak_bytes", NULL};
  const nas_campaign *campaign = c->campaign;
  const nas_dataset *d = c->setup.data;
  nas_text_put(c->task_text, sizeof c->task_text,
               "images of data set %s, %d x %d x %d (channels, height, width), %d classes; recipe %s, %lld epochs",
               campaign->dataset, d->task.input.c, d->task.input.h, d->task.input.w, d->task.classes, campaign->recipe,
               (long long)c->setup.recipe.epochs);
  const nas_strategy_setup setup = {.space = c->setup.space,
                                    .seed = (uint64_t)campaign->seed,
                                    .epochs = (int32_t)c->setup.recipe.epochs,
                                    .metrics = strcmp(campaign->evaluator, "train") == 0 ? delivered : NULL,
                                    .task = c->task_text,
                                    .note = nas_transcript_take,
                                    .note_arg = c,
                                    .preview = preview};
  return nas_strategy_open_with(campaign->strategy, &campaign->strategy_settings, &setup, &c->strategy, err);
}

nas_status nas_coordinator_open(nas_coordinator *c, const nas_campaign *campaign,
                                const nas_campaign_run_options *options, int first, int n_slots,
                                nas_campaign_summary *summary, nas_err *err) {
  c->campaign = campaign;
  c->summary = summary;
  c->started = nas_clock();
  c->lease = lease_seconds;
  c->n_slots = n_slots;
  c->slots = calloc((size_t)n_slots, sizeof *c->slots);
  c->outbox = calloc((size_t)n_slots, sizeof *c->outbox);
  if (!c->slots || !c->outbox) return nas_fail_memory(err, "the list of workers");
  for (int i = first; i < n_slots; i++) c->slots[i] = (nas_slot){NAS_SLOT_ABSENT, c->started};
  *summary = (nas_campaign_summary){.coordinator = true, .best_valid_accuracy = NAN};
  NAS_TRY(nas_setup_open(&c->setup, campaign, err));
  c->task = c->setup.data->task;
  nas_text_put(c->digest, sizeof c->digest, "%s", c->setup.data->digest);
  nas_text_put(c->split, sizeof c->split, "%s", c->setup.data->split);
  NAS_TRY(nas_coordinator_open_strategy(c, false, err));
  NAS_TRY(nas_db_open(options->db, NAS_DB_CREATE, &c->db, err));
  NAS_TRY(nas_coordinator_resume(c, options, err));
  nas_dataset_close(c->setup.data);
  c->setup.data = NULL;
  return NAS_OK;
}

void nas_coordinator_close(nas_coordinator *c) {
  for (size_t i = 0; i < c->n_inbox; i++) nas_message_free(&c->inbox[i].message);
  nas_db_close(c->db);
  nas_strategy_close(c->strategy);
  nas_setup_close(&c->setup);
  nas_repeats_free(&c->repeats);
  nas_notes_free(&c->notes);
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
  const nas_metric memory = {"peak_bytes", nas_result_metric(r, "peak_bytes")};
  tell.metrics = &memory;
  if (!isnan(memory.value)) tell.n_metrics = 1;
  nas_status status = nas_strategy_tell(c->strategy, &tell, err);
  free(curve);
  if (status != NAS_OK) return status;
  c->told++;
  int64_t fresh = (int64_t)r->n_epochs - c->asks[t->number].epochs_before;
  c->epochs += fresh > 0 ? fresh : 0;
  c->summary->done++;
  c->summary->failed += !ok;
  note_best(c, t, tell.valid_accuracy);
  return NAS_OK;
}

/* ---- what comes in ---- */

static nas_status check_hello(const nas_coordinator *c, int worker, const nas_message *m, nas_err *err) {
  char where[32];
  nas_text_put(where, sizeof where, "rank %d", worker);
  if (m->error.code != NAS_OK) {
    if (err) *err = m->error;
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

static nas_status put_in(nas_coordinator *c, int worker, const nas_message *m, nas_err *err) {
  if (c->n_inbox == c->cap_inbox) {
    size_t cap = c->cap_inbox ? 2 * c->cap_inbox : 8;
    nas_parcel *grown = realloc(c->inbox, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "results that came in");
    c->inbox = grown;
    c->cap_inbox = cap;
  }
  c->inbox[c->n_inbox++] = (nas_parcel){worker, *m};
  return NAS_OK;
}

nas_status nas_coordinator_take(nas_coordinator *c, int worker, nas_message *m, nas_err *err) {
  if (worker < 0 || worker >= c->n_slots || c->slots[worker].state == NAS_SLOT_UNUSED) {
    nas_message_free(m);
    return nas_fail(err, NAS_E_INTERNAL, "coordinator", "a message from rank %d, which is no worker", worker);
  }
  nas_slot *slot = &c->slots[worker];
  slot->seen = nas_clock();
  nas_status status = NAS_OK;
  if (m->kind == NAS_MESSAGE_RESULT) {
    slot->state = NAS_SLOT_IDLE; /* also one that was given up: it is back */
    status = put_in(c, worker, m, err);
    if (status == NAS_OK) return NAS_OK;
  } else if (m->kind == NAS_MESSAGE_HELLO) {
    status = check_hello(c, worker, m, err);
    if (status == NAS_OK && slot->state == NAS_SLOT_ABSENT) slot->state = NAS_SLOT_IDLE;
  }
  nas_message_free(m);
  return status;
}

/* ---- recording ---- */

nas_status nas_coordinator_add_open(nas_coordinator *c, const nas_open_trial *t, nas_err *err) {
  if (c->n_open == c->cap_open) {
    size_t cap = c->cap_open ? 2 * c->cap_open : 16;
    nas_open_trial *grown = realloc(c->open, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "the running trials");
    c->open = grown;
    c->cap_open = cap;
  }
  c->open[c->n_open++] = *t;
  return NAS_OK;
}

static nas_open_trial *find_open(nas_coordinator *c, int64_t id) {
  for (size_t i = 0; i < c->n_open; i++)
    if (c->open[i].id == id) return &c->open[i];
  return NULL;
}

static nas_status record(nas_coordinator *c, int worker, const nas_message *m, nas_err *err) {
  nas_open_trial *t = find_open(c, m->trial);
  if (!t || t->attempt != m->attempt) return NAS_OK; /* a later attempt has been begun or has finished */
  if (m->died && ++t->deaths < DEATHS_MAX) {
    t->worker = -1;
    return NAS_OK;
  }
  bool recorded;
  NAS_TRY(nas_db_trial_finish(c->db, t->id, m->attempt, &m->result, &recorded, err));
  if (!recorded)
    return nas_fail(err, NAS_E_INTERNAL, "coordinator", "trial %lld is finished in the table already (worker %d)",
                    (long long)t->id, worker);
  NAS_TRY(nas_coordinator_tell(c, t, &m->result, err));
  *t = c->open[--c->n_open];
  return NAS_OK;
}

/* ---- handing out ---- */

static bool may_ask(const nas_coordinator *c) {
  const nas_budget *b = &c->campaign->budget;
  int64_t planned = c->epochs;
  for (size_t i = 0; i < c->n_open; i++) {
    const nas_asked *a = &c->asks[c->open[i].number];
    planned += a->epochs - a->epochs_before;
  }
  return !c->stopping && !c->exhausted && (b->trials == 0 || c->asked < (uint64_t)b->trials) &&
         (!(b->seconds > 0) || nas_clock() - c->started < b->seconds) && (b->epochs == 0 || planned < b->epochs);
}

static void count_net(const nas_coordinator *c, const nas_arch *arch, nas_db_ask *ask) {
  nas_net *net;
  nas_err ignored; /* the evaluation will say why there is no such network */
  ask->params = ask->macs = -1;
  if (nas_space_net(c->setup.space, arch, c->task, &net, &ignored) != NAS_OK) return;
  ask->params = net->params;
  ask->macs = net->macs;
  nas_net_free(net);
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

/* One more proposal, recorded; *got false when there is none. */
static nas_status ask(nas_coordinator *c, nas_open_trial *out, bool *got, nas_err *err) {
  const nas_space *space = c->setup.space;
  char arch[NAS_ARCH_TEXT_MAX], canonical[NAS_ARCH_TEXT_MAX];
  uint64_t index, class_id;
  *out = (nas_open_trial){.worker = -1};
  nas_err why = {0};
  nas_status status = nas_coordinator_propose(c, NULL, out, &why);
  *got = status == NAS_OK;
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
  NAS_TRY(nas_space_format(space, &out->arch, arch, err));
  NAS_TRY(nas_space_canonical(space, &out->arch, canonical, err));
  nas_db_ask row = {.campaign = c->id,
                    .number = c->asked,
                    .asked_after = c->told,
                    .arch = arch,
                    .canonical = canonical,
                    .index = nas_space_index(space, &out->arch, &index) ? (int64_t)index : -1,
                    .class_id = nas_space_class(space, &out->arch, &class_id) ? (int64_t)class_id : -1,
                    .seed = out->seed};
  count_net(c, &out->arch, &row);
  out->params = row.params < 0 ? NAN : (double)row.params;
  out->macs = row.macs < 0 ? NAN : (double)row.macs;
  NAS_TRY(nas_db_trial_add(c->db, &row, &out->id, err));
  c->asked++;
  return nas_coordinator_add_open(c, out, err);
}

static nas_open_trial *first_waiting(nas_coordinator *c) {
  nas_open_trial *first = NULL;
  for (size_t i = 0; i < c->n_open; i++)
    if (c->open[i].worker < 0 && (!first || c->open[i].number < first->number)) first = &c->open[i];
  return first;
}

static nas_status assign(nas_coordinator *c, int worker, nas_err *err) {
  nas_open_trial *t = first_waiting(c), fresh;
  if (!t && may_ask(c)) {
    bool got;
    NAS_TRY(ask(c, &fresh, &got, err));
    if (got) t = find_open(c, fresh.id);
  }
  if (!t || c->stopping) return NAS_OK;
  NAS_TRY(nas_db_trial_start(c->db, t->id, worker, &t->attempt, err));
  nas_parcel *p = &c->outbox[c->n_outbox];
  *p = (nas_parcel){worker,
                    {.kind = NAS_MESSAGE_TRIAL,
                     .trial = t->id,
                     .number = t->number,
                     .attempt = t->attempt,
                     .seed = t->seed,
                     .epochs = t->epochs}};
  NAS_TRY(nas_space_format(c->setup.space, &t->arch, p->message.arch, err));
  c->n_outbox++;
  t->worker = worker;
  c->slots[worker].state = NAS_SLOT_BUSY;
  c->slots[worker].seen = nas_clock();
  return NAS_OK;
}

/* Trials of silent workers wait for another one. */
static nas_status expire_leases(nas_coordinator *c, nas_err *err) {
  double now = nas_clock();
  int workers = 0, gone = 0;
  for (int i = 0; i < c->n_slots; i++) {
    nas_slot *slot = &c->slots[i];
    if (slot->state == NAS_SLOT_BUSY && now - slot->seen > c->lease) {
      slot->state = NAS_SLOT_GONE;
      for (size_t k = 0; k < c->n_open; k++)
        if (c->open[k].worker == i) c->open[k].worker = -1;
    }
    workers += slot->state != NAS_SLOT_UNUSED;
    gone += slot->state == NAS_SLOT_GONE;
  }
  if (workers == gone)
    return nas_fail(err, NAS_E_CRASHED, "coordinator",
                    "no worker has answered for %.0f s; nothing recorded is lost: run again with --resume", c->lease);
  return NAS_OK;
}

static bool work_to_do(nas_coordinator *c) {
  if (c->n_inbox) return true;
  if (!may_ask(c) && !first_waiting(c)) return false;
  for (int i = 0; i < c->n_slots; i++)
    if (c->slots[i].state == NAS_SLOT_IDLE) return true;
  return false;
}

static nas_status work(nas_coordinator *c, nas_err *err) {
  for (size_t i = 0; i < c->n_inbox; i++) NAS_TRY(record(c, c->inbox[i].worker, &c->inbox[i].message, err));
  for (int i = 0; i < c->n_slots; i++)
    if (c->slots[i].state == NAS_SLOT_IDLE) NAS_TRY(assign(c, i, err));
  return NAS_OK;
}

nas_status nas_coordinator_step(nas_coordinator *c, nas_err *err) {
  c->n_outbox = 0;
  NAS_TRY(expire_leases(c, err));
  if (!work_to_do(c)) return NAS_OK;
  NAS_TRY(nas_db_begin(c->db, err));
  c->pending = false;
  nas_status status = work(c, err);
  if (status == NAS_OK) status = nas_transcript_write(c, err);
  if (status == NAS_OK) status = nas_db_commit(c->db, err);
  if (status == NAS_OK) nas_notes_clear(&c->notes);
  else {
    nas_db_rollback(c->db);
    nas_transcript_rescue(c);
  }
  for (size_t i = 0; i < c->n_inbox; i++) nas_message_free(&c->inbox[i].message);
  c->n_inbox = 0;
  return status;
}

bool nas_coordinator_done(const nas_coordinator *c) { return c->n_inbox == 0 && c->n_open == 0 && !may_ask(c); }
