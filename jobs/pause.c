/* The end of a step: what it adds is written, or kept and tried again while the table cannot be written. */
#include <math.h>

#include "base/file.h"
#include "jobs/coordinator.h"

/* Waits between tries double up to this. */
static const double longest_delay = 30;

static nas_status acknowledge(nas_coordinator *c, nas_err *err) {
  for (int i = 0; i < c->n_slots; i++) {
    nas_slot *slot = &c->slots[i];
    if (slot->recorded == slot->acknowledged) continue;
    nas_parcel *p;
    NAS_TRY(nas_coordinator_post(c, i, NAS_MESSAGE_ACK, &p, err));
    p->message.sequence = slot->acknowledged = slot->recorded;
  }
  return NAS_OK;
}

static nas_status pause_or_fail(nas_coordinator *c, nas_status status, const nas_err *why, nas_err *err) {
  double now = nas_clock();
  if (!c->paused) {
    c->paused = true;
    c->pause_began = now;
    c->delay = NAS_COORDINATOR_FIRST_DELAY;
  }
  c->why = *why;
  if (!nas_ledger_may_retry(status) || now - c->pause_began >= c->campaign->run.patience) {
    if (err) *err = *why;
    return status;
  }
  c->retry_at = now + c->delay;
  c->delay = fmin(2 * c->delay, longest_delay);
  return NAS_OK;
}

nas_status nas_coordinator_write(nas_coordinator *c, nas_err *err) {
  const nas_ledger_place place = {c->db, c->id, c->setup.space, &c->notes};
  nas_err why = {0};
  if (c->paused && nas_clock() < c->retry_at) return NAS_OK;
  bool had = c->ledger.n > 0;
  nas_status status = nas_ledger_write(&c->ledger, &place, &why);
  if (status != NAS_OK) return pause_or_fail(c, status, &why, err);
  if (c->paused) /* what workers said meanwhile was not looked at */
    for (int i = 0; i < c->n_slots; i++) c->slots[i].seen = nas_clock();
  if (had && c->paused)
    NAS_TRY(nas_coordinator_note(c, "paused", NULL, -1, err, "the table could not be written for %.1f s: %s",
                                 nas_clock() - c->pause_began, c->why.msg));
  c->paused = false;
  for (size_t i = 0; i < c->n_outbox; i++)
    if (c->outbox[i].trial) c->outbox[i].message.trial = c->outbox[i].trial->id;
  return acknowledge(c, err);
}
