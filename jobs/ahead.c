/* How many trials a worker holds in advance. With one at a time each trial waits for two commits in a row, its result's
 * at the worker and the next proposal's at the coordinator; that is much for trials of milliseconds. Where proposals do
 * not depend on results nothing is lost by asking early, as long as a worker does not sit on what others could do. */
#include <math.h>

#include "base/file.h"
#include "jobs/coordinator.h"

/* Chosen automatically, a worker holds what it finishes in this time, and no more than so many. */
static const double auto_seconds = 0.25;
enum { AUTO_MOST = 256 };
/* Weight of the newest trial in the smoothed pace. */
static const double newest = 0.2;

nas_status nas_coordinator_most_held(const nas_campaign *campaign, int *out, nas_err *err) {
  const nas_strategy_type *type;
  NAS_TRY(nas_strategy_find(campaign->strategy, &type, err));
  if (campaign->trial.ahead >= 0) *out = 1 + (int)campaign->trial.ahead;
  else *out = type->nonadaptive ? AUTO_MOST : 1;
  return NAS_OK;
}

int nas_coordinator_depth(const nas_coordinator *c, const nas_slot *slot) {
  if (c->campaign->trial.ahead >= 0) return c->most_held;
  if (!(slot->pace > 0)) return 1;
  return (int)fmax(1, fmin(c->most_held, auto_seconds / slot->pace));
}

void nas_coordinator_time(nas_slot *slot, const nas_open_trial *t) {
  double pace = fmax(nas_clock() - t->begun, 1e-6) / (t->held_with > 0 ? t->held_with : 1);
  slot->pace = slot->pace > 0 ? newest * pace + (1 - newest) * slot->pace : pace;
}
