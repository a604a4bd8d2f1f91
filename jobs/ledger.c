#include "jobs/ledger.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void free_entry(nas_entry *e) {
  if (e->message) nas_message_free(e->message);
  free(e->message);
  if (e->kind == NAS_ENTRY_FINISH) free(e->trial);
  free(e->text);
}

static void clear(nas_ledger *l) {
  for (size_t i = 0; i < l->n; i++) free_entry(&l->entries[i]);
  l->n = 0;
}

void nas_ledger_free(nas_ledger *l) {
  clear(l);
  free(l->entries);
  *l = (nas_ledger){0};
}

static nas_status add(nas_ledger *l, const nas_entry *e, nas_err *err) {
  if (l->n == l->cap || !l->entries) {
    size_t cap = l->cap ? 2 * l->cap : 32;
    nas_entry *grown = realloc(l->entries, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "what is to be written");
    l->entries = grown;
    l->cap = cap;
  }
  l->entries[l->n++] = *e;
  return NAS_OK;
}

nas_status nas_ledger_ask(nas_ledger *l, nas_open_trial *trial, uint64_t asked_after, nas_err *err) {
  return add(l, &(nas_entry){.kind = NAS_ENTRY_ASK, .trial = trial, .asked_after = asked_after}, err);
}

nas_status nas_ledger_start(nas_ledger *l, nas_open_trial *trial, nas_err *err) {
  nas_entry *last = l->entries && l->n ? &l->entries[l->n - 1] : NULL;
  if (last && last->kind == NAS_ENTRY_ASK && last->trial == trial) {
    last->attempt = trial->attempt;
    last->worker = trial->worker;
    return NAS_OK;
  }
  const nas_entry e = {.kind = NAS_ENTRY_START, .trial = trial, .attempt = trial->attempt, .worker = trial->worker};
  return add(l, &e, err);
}

nas_status nas_ledger_finish(nas_ledger *l, nas_open_trial *trial, nas_message *result, nas_err *err) {
  const nas_entry e = {.kind = NAS_ENTRY_FINISH, .trial = trial, .attempt = trial->attempt, .message = result};
  return add(l, &e, err);
}

nas_status nas_ledger_event(nas_ledger *l, const char *kind, nas_open_trial *trial, int worker, const char *text,
                            nas_err *err) {
  nas_entry e = {.kind = NAS_ENTRY_EVENT, .trial = trial, .worker = worker, .event = kind, .text = strdup(text)};
  if (!e.text) return nas_fail_memory(err, "an event");
  nas_status status = add(l, &e, err);
  if (status != NAS_OK) free(e.text);
  return status;
}

static int64_t count_of(double number) { return isnan(number) ? -1 : (int64_t)number; }

static nas_status write_ask(const nas_entry *e, const nas_ledger_place *p, nas_err *err) {
  nas_open_trial *t = e->trial;
  char arch[NAS_ARCH_TEXT_MAX], canonical[NAS_ARCH_TEXT_MAX];
  uint64_t index, class_id;
  NAS_TRY(nas_space_format(p->space, &t->arch, arch, err));
  NAS_TRY(nas_space_canonical(p->space, &t->arch, canonical, err));
  const nas_db_ask row = {.campaign = p->campaign,
                          .number = t->number,
                          .asked_after = e->asked_after,
                          .arch = arch,
                          .canonical = canonical,
                          .index = nas_space_index(p->space, &t->arch, &index) ? (int64_t)index : -1,
                          .class_id = nas_space_class(p->space, &t->arch, &class_id) ? (int64_t)class_id : -1,
                          .seed = t->seed,
                          .params = count_of(t->params),
                          .macs = count_of(t->macs),
                          .attempt = e->attempt,
                          .worker = e->worker};
  return nas_db_trial_add(p->db, &row, &t->id, err);
}

static nas_status write_start(const nas_entry *e, const nas_ledger_place *p, nas_err *err) {
  int32_t attempt;
  NAS_TRY(nas_db_trial_start(p->db, e->trial->id, e->worker, &attempt, err));
  if (attempt == e->attempt) return NAS_OK;
  return nas_fail(err, NAS_E_INTERNAL, "coordinator", "attempt %d of trial %lld is %d in the table", e->attempt,
                  (long long)e->trial->id, attempt);
}

static nas_status write_finish(const nas_entry *e, const nas_ledger_place *p, nas_err *err) {
  bool recorded;
  NAS_TRY(nas_db_trial_finish(p->db, e->trial->id, e->attempt, &e->message->result, &recorded, err));
  if (recorded) return NAS_OK;
  return nas_fail(err, NAS_E_INTERNAL, "coordinator", "trial %lld is finished in the table already",
                  (long long)e->trial->id);
}

static nas_status write_event(const nas_entry *e, const nas_ledger_place *p, nas_err *err) {
  const nas_db_event event = {.campaign = p->campaign,
                              .kind = e->event,
                              .text = e->text,
                              .trial = e->trial ? e->trial->id : 0,
                              .worker = e->worker};
  return nas_db_event_add(p->db, &event, err);
}

static nas_status write_entry(const nas_entry *e, const nas_ledger_place *p, nas_err *err) {
  switch (e->kind) {
    case NAS_ENTRY_ASK: return write_ask(e, p, err);
    case NAS_ENTRY_START: return write_start(e, p, err);
    case NAS_ENTRY_FINISH: return write_finish(e, p, err);
    case NAS_ENTRY_EVENT: return write_event(e, p, err);
  }
  return NAS_OK;
}

nas_status nas_ledger_write(nas_ledger *l, const nas_ledger_place *p, nas_err *err) {
  size_t n_notes = p->notes ? p->notes->n : 0;
  if (l->n == 0 && n_notes == 0) return NAS_OK;
  NAS_TRY(nas_db_begin(p->db, err));
  nas_status status = NAS_OK;
  for (size_t i = 0; i < l->n && status == NAS_OK; i++) status = write_entry(&l->entries[i], p, err);
  for (size_t i = 0; i < n_notes && status == NAS_OK; i++)
    status = nas_db_note_add(p->db, p->campaign, &p->notes->rows[i], err);
  if (status == NAS_OK) status = nas_db_commit(p->db, err);
  if (status != NAS_OK) nas_db_rollback(p->db);
  else clear(l);
  if (status == NAS_OK && n_notes) nas_notes_clear(p->notes);
  return status;
}

bool nas_ledger_may_retry(nas_status status) {
  return status == NAS_E_NO_SPACE || status == NAS_E_IO || status == NAS_E_DB_BUSY;
}
