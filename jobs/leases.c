/* Who is still there: leases of workers, their heartbeats, and what becomes of the trials of those who fell silent. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/file.h"
#include "jobs/coordinator.h"

/* A worker reads its data before it says hello; that may take long, but not for ever. */
static const double absent_seconds = 600;
/* So many workers may be lost with a trial before the trial is taken for the reason. */
enum { LOSSES_MAX = 5 };

static nas_status lose(nas_coordinator *c, int worker, nas_err *err) {
  nas_slot *slot = &c->slots[worker];
  nas_open_trial *running = slot->n_held ? slot->held[0] : NULL;
  slot->state = NAS_SLOT_GONE;
  NAS_TRY(nas_coordinator_note(c, "worker-lost", NULL, worker, err, "rank %d (%s) has not answered for %.1f s", worker,
                               slot->host, nas_clock() - slot->seen));
  while (slot->n_held) nas_coordinator_release(c, slot->held[slot->n_held - 1]);
  if (!running) return NAS_OK;
  running->losses++;
  NAS_TRY(nas_coordinator_note(c, "lost", running, worker, err, "attempt %d was lost with rank %d", running->attempt,
                               worker));
  if (running->losses < LOSSES_MAX) return NAS_OK;
  return nas_coordinator_give_up(c, running, worker, NAS_OUTCOME_LOST, "was lost with its worker too often", err);
}

static bool process_gone(const nas_slot *slot) {
  return slot->watched && kill((pid_t)slot->pid, 0) != 0 && errno == ESRCH;
}

static bool is_silent(const nas_coordinator *c, const nas_slot *slot, double now) {
  if (slot->state == NAS_SLOT_ABSENT) return now - slot->seen > absent_seconds;
  if (slot->state != NAS_SLOT_READY) return false;
  return process_gone(slot) || (slot->n_held && now - slot->seen > c->lease);
}

/* Time that this process itself was stopped or busy is nobody's silence. */
static void forgive_own_sleep(nas_coordinator *c, double now) {
  double slept = now - c->stepped;
  if (c->stepped > 0 && slept > c->lease / 2)
    for (int i = 0; i < c->n_slots; i++) c->slots[i].seen += slept;
  c->stepped = now;
}

nas_status nas_coordinator_expire_leases(nas_coordinator *c, nas_err *err) {
  double now = nas_clock(), latest = 0;
  int left = 0, gone = 0;
  forgive_own_sleep(c, now);
  for (int i = 0; i < c->n_slots; i++) {
    nas_slot *slot = &c->slots[i];
    if (is_silent(c, slot, now)) NAS_TRY(lose(c, i, err));
    left += slot->state == NAS_SLOT_READY || slot->state == NAS_SLOT_ABSENT;
    gone += slot->state == NAS_SLOT_GONE;
    if (slot->state == NAS_SLOT_GONE && slot->seen > latest) latest = slot->seen;
  }
  if (left) return NAS_OK;
  if (!gone && c->refusal.code) {
    if (err) *err = c->refusal;
    return (nas_status)c->refusal.code;
  }
  /* Those that are watched are dead; the others get another lease to come back. */
  bool hope = false;
  for (int i = 0; i < c->n_slots; i++)
    hope = hope || (c->slots[i].state == NAS_SLOT_GONE && !process_gone(&c->slots[i]));
  if (hope && now - latest < 2 * c->lease) return NAS_OK;
  return nas_fail(err, NAS_E_CRASHED, "coordinator",
                  "no worker has answered for %.0f s; nothing recorded is lost: run again with --resume", now - latest);
}
