/* What becomes of a result: recorded, compared with what is on record, tried again, or given up. */
#include <stdlib.h>
#include <string.h>

#include "jobs/coordinator.h"

/* A trial that has taken this many processes with it is quarantined: recorded as crashed and not tried again. */
enum { DEATHS_MAX = 2 };

/* Takes over trial and message. */
static nas_status finish(nas_coordinator *c, nas_open_trial *t, nas_message *m, nas_err *err) {
  nas_coordinator_close_open(c, t);
  nas_status status = nas_ledger_finish(&c->ledger, t, m, err);
  if (status == NAS_OK) return nas_coordinator_tell(c, t, &m->result, err);
  nas_message_free(m);
  free(m);
  free(t);
  return status;
}

nas_status nas_coordinator_give_up(nas_coordinator *c, nas_open_trial *t, int worker, nas_outcome outcome,
                                   const char *why, nas_err *err) {
  nas_message *m = calloc(1, sizeof *m);
  if (!m) return nas_fail_memory(err, "a result");
  m->kind = NAS_MESSAGE_RESULT;
  m->result.outcome = outcome;
  nas_fail(&m->result.cause, NAS_E_CRASHED, NULL, "the trial %s; it is not tried again", why);
  nas_status status = nas_coordinator_note(c, "quarantined", t, worker, err, "the trial %s", why);
  if (status == NAS_OK) return finish(c, t, m, err);
  free(m);
  return status;
}

/* A result for a trial that has one: the same to the bit, or a conflict that people must look at. */
static nas_status compare_with_recorded(nas_coordinator *c, int worker, const nas_message *m, nas_err *err) {
  nas_db_trial *row = NULL;
  nas_err none;
  if (m->died || m->result.outcome != NAS_OUTCOME_OK) return NAS_OK;            /* it says nothing about the numbers */
  if (nas_db_trial_load(c->db, m->trial, &row, &none) != NAS_OK) return NAS_OK; /* of another table */
  nas_status status = NAS_OK;
  const nas_result *r = &row->result;
  bool its = row->campaign == c->id && row->number == m->number && row->seed == m->seed &&
             strcmp(row->arch, m->arch) == 0 && row->finished;
  bool same = r->outcome == m->result.outcome && r->n_epochs == m->result.n_epochs;
  for (size_t i = 0; same && i < r->n_epochs; i++) same = nas_epoch_same(&r->epochs[i], &m->result.epochs[i]);
  if (its && !same) {
    c->summary->conflicts++;
    status = nas_coordinator_note(c, "conflict", NULL, worker, err,
                                  "trial %lld: attempt %d on rank %d ended otherwise than what is recorded",
                                  (long long)row->id, m->attempt, worker);
  } else if (its && m->attempt != row->attempt) {
    c->summary->same++;
    status = nas_coordinator_note(c, "same", NULL, worker, err,
                                  "trial %lld: attempt %d on rank %d ended like what is recorded", (long long)row->id,
                                  m->attempt, worker);
  }
  nas_db_trial_free(row);
  return status;
}

/* Whether a result of an earlier attempt says something about the trial rather than about its surroundings. */
static bool counts_late(const nas_message *m) {
  return !m->died && (m->result.outcome == NAS_OUTCOME_OK || m->result.outcome == NAS_OUTCOME_DIVERGED ||
                      m->result.outcome == NAS_OUTCOME_REJECTED);
}

static nas_status hear_death(nas_coordinator *c, nas_open_trial *t, int worker, const nas_message *m, nas_err *err) {
  t->deaths++;
  return nas_coordinator_note(c, "died", t, worker, err, "attempt %d: %s%s%s", m->attempt, m->result.cause.msg,
                              m->tail[0] ? "\n" : "", m->tail);
}

nas_status nas_coordinator_record(nas_coordinator *c, int worker, nas_message *m, nas_err *err) {
  nas_slot *slot = &c->slots[worker];
  if (m->sequence > slot->recorded) slot->recorded = m->sequence;
  nas_open_trial *t = nas_coordinator_find_open(c, worker, m->trial);
  char arch[NAS_ARCH_TEXT_MAX] = "";
  bool its = t && t->number == m->number;
  if (its && m->arch[0]) {
    NAS_TRY(nas_space_format(c->setup.space, &t->arch, arch, err));
    its = strcmp(arch, m->arch) == 0 && t->seed == m->seed;
  }
  nas_status status = NAS_OK;
  bool late = its && m->attempt != t->attempt;
  if (its && !late && t->worker == worker) nas_coordinator_time(slot, t);
  if (!its) status = t ? NAS_OK : compare_with_recorded(c, worker, m, err);
  else if (m->result.outcome == NAS_OUTCOME_PREEMPTED) {
    if (!late) nas_coordinator_release(c, t);
  } else if (late && !counts_late(m)) status = NAS_OK;
  else if (m->died && (status = hear_death(c, t, worker, m, err)) == NAS_OK && t->deaths < DEATHS_MAX)
    nas_coordinator_release(c, t);
  else if (status == NAS_OK) {
    if (m->died)
      status = nas_coordinator_note(c, "quarantined", t, worker, err, "%d processes died with it", t->deaths);
    if (late && status == NAS_OK)
      status = nas_coordinator_note(c, "late", t, worker, err, "the result of attempt %d came before that of %d",
                                    m->attempt, t->attempt);
    if (status == NAS_OK) return finish(c, t, m, err);
  }
  nas_message_free(m);
  free(m);
  return status;
}
