#ifndef NAS_JOBS_COORDINATOR_H
#define NAS_JOBS_COORDINATOR_H
/* The coordinator: asks the strategy, hands out trials, records results, tells the strategy. It knows nothing of how
 * messages travel: it takes what came in, and each step leaves in `outbox` what is to be sent. All that one step does
 * to the table is one durable transaction, and nothing is handed out before it. */
#include "bench-db/bench-db.h"
#include "jobs/campaign.h"
#include "jobs/repeats.h"
#include "jobs/setup.h"
#include "jobs/wire.h"
#include "search/strategy.h"

/* A trial that was asked for and is not finished. */
typedef struct nas_open_trial {
  int64_t id;
  uint64_t number, seed;
  nas_arch arch;
  int32_t epochs; /* to train up to; 0 = all of the recipe */
  double params, macs;
  int32_t attempt;
  int deaths; /* processes that it took along in this run */
  int worker; /* that has it; -1: waits */
} nas_open_trial;

/* What is kept of every ask: a trial that goes on with another keeps its seed and trains fewer new epochs. */
typedef struct nas_asked {
  uint64_t seed;
  int32_t epochs, epochs_before; /* to train up to, and those that the trial it goes on with has trained */
} nas_asked;

typedef enum nas_slot_state {
  NAS_SLOT_UNUSED,
  NAS_SLOT_ABSENT, /* not heard of yet */
  NAS_SLOT_IDLE,
  NAS_SLOT_BUSY,
  NAS_SLOT_GONE, /* silent beyond its lease */
} nas_slot_state;

typedef struct nas_slot {
  nas_slot_state state;
  double seen;
} nas_slot;

typedef struct nas_parcel {
  int worker;
  nas_message message;
} nas_parcel;

typedef struct nas_coordinator {
  const nas_campaign *campaign;
  nas_setup setup; /* its data set is closed again once it is recorded */
  nas_task task;
  char digest[NAS_DIGEST_SIZE], split[NAS_DIGEST_SIZE];
  nas_db *db;
  int64_t id;
  nas_strategy *strategy;
  nas_repeats repeats;
  nas_asked *asks; /* by number */
  size_t cap_asks;
  nas_open_trial *open;
  size_t n_open, cap_open;
  nas_slot *slots;
  int n_slots;
  nas_parcel *inbox, *outbox;
  size_t n_inbox, cap_inbox, n_outbox; /* the outbox holds one parcel per slot at most */
  uint64_t asked, told;
  int64_t epochs;      /* trained by told trials, without those that the trials they go on with had trained */
  nas_notes notes;     /* of the strategy, not yet in the table */
  char task_text[256]; /* for strategies that describe what is trained */
  bool exhausted, stopping;
  bool pending; /* the last step left an ask that waits for something outside */
  double started;
  double lease; /* seconds without a word after which a worker is taken for lost */
  nas_campaign_summary *summary;
} nas_coordinator;

/* Opens the table, finds or adds the campaign, restores the strategy. Slots first..n_slots-1 are workers. Start from
 * {0}; close in any case. */
nas_status nas_coordinator_open(nas_coordinator *c, const nas_campaign *campaign,
                                const nas_campaign_run_options *options, int first, int n_slots,
                                nas_campaign_summary *summary, nas_err *err);
void nas_coordinator_close(nas_coordinator *c);

/* Takes over a message from a worker. */
nas_status nas_coordinator_take(nas_coordinator *c, int worker, nas_message *m, nas_err *err);
/* Records what was taken, hands out what is to be done; the caller sends the outbox and empties it. */
nas_status nas_coordinator_step(nas_coordinator *c, nas_err *err);
/* Nothing is running and nothing more will be asked. */
bool nas_coordinator_done(const nas_coordinator *c);

/* ---- shared with resume.c ---- */
nas_status nas_coordinator_open_strategy(nas_coordinator *c, bool preview, nas_err *err);
nas_status nas_coordinator_tell(nas_coordinator *c, const nas_open_trial *t, const nas_result *result, nas_err *err);
/* An ask out of the table. */
typedef struct nas_recorded_ask {
  const nas_arch *arch;
  const nas_note *notes;
  size_t n_notes;
} nas_recorded_ask;
/* Asks the strategy for the next proposal, or lets it recall a recorded one (NULL: none): number, architecture, epochs
 * and seed of *out; EXHAUSTED when there is none, PENDING when it is to be asked again later.
 * The caller counts it (c->asked). */
nas_status nas_coordinator_propose(nas_coordinator *c, const nas_recorded_ask *recorded, nas_open_trial *out,
                                   nas_err *err);
nas_status nas_coordinator_add_open(nas_coordinator *c, const nas_open_trial *t, nas_err *err);
nas_status nas_coordinator_resume(nas_coordinator *c, const nas_campaign_run_options *options, nas_err *err);
#endif
