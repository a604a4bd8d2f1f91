#ifndef NAS_JOBS_COORDINATOR_H
#define NAS_JOBS_COORDINATOR_H
/* The coordinator: asks the strategy, hands out trials, records results, tells the strategy. It knows nothing of how
 * messages travel: it takes what came in, and each step leaves in `outbox` what is to be sent. All that one step does
 * to the table is one durable transaction, and nothing is handed out or acknowledged before it. While the table cannot
 * be written the coordinator is `paused`: steps only try to write again. */
#include "bench-db/bench-db.h"
#include "jobs/campaign.h"
#include "jobs/ledger.h"
#include "jobs/rank_log.h"
#include "jobs/repeats.h"
#include "jobs/setup.h"
#include "search/strategy.h"

/* What is kept of every ask: a trial that goes on with another keeps its seed and trains fewer new epochs. */
typedef struct nas_asked {
  uint64_t seed;
  int32_t epochs, epochs_before; /* to train up to, and those that the trial it goes on with has trained */
} nas_asked;

typedef enum nas_slot_state {
  NAS_SLOT_UNUSED,
  NAS_SLOT_ABSENT, /* not heard of yet */
  NAS_SLOT_READY,
  NAS_SLOT_GONE,    /* silent beyond its lease */
  NAS_SLOT_REFUSED, /* of another version, or unable to work */
} nas_slot_state;

typedef struct nas_slot {
  nas_slot_state state;
  double seen, busy_since, busy_seconds;
  nas_open_trial **held; /* in the order in which they were handed out: the first one runs */
  int n_held;
  double pace; /* smoothed seconds between hand-out and result, per trial that it then held; 0: not known */
  uint64_t recorded, acknowledged; /* of its results, by sequence */
  char host[65];
  int32_t pid;
  bool watched; /* its process can be seen from here */
} nas_slot;

typedef struct nas_parcel {
  int worker;
  nas_open_trial *trial; /* of a TRIAL */
  nas_message message;
} nas_parcel;

typedef struct nas_arrived {
  int worker;
  nas_message *message; /* owned */
} nas_arrived;

typedef struct nas_coordinator {
  const nas_campaign *campaign;
  nas_setup setup; /* its data set is closed again once it is recorded */
  nas_task task;
  char digest[NAS_DIGEST_SIZE], split[NAS_DIGEST_SIZE];
  char host[65];
  nas_db *db;
  int64_t id;
  nas_strategy *strategy;
  int most_held; /* trials that a worker may hold */
  nas_repeats repeats;
  nas_asked *asks; /* by number */
  size_t cap_asks;
  nas_open_trial **open; /* each on the heap; in no order */
  size_t n_open, cap_open;
  size_t n_waiting;    /* of them, with no worker */
  int64_t open_epochs; /* that they will take */
  nas_slot *slots;
  int n_slots;
  nas_arrived *inbox;
  size_t n_inbox, cap_inbox;
  nas_parcel *outbox;
  size_t n_outbox, cap_outbox;
  nas_ledger ledger;
  nas_rank_log log; /* of events; opened by whoever leads */
  bool paused;
  nas_err why;                         /* of the pause */
  double pause_began, retry_at, delay; /* of the pause */
  nas_err refusal;                     /* why the last worker was refused; code 0: none was */
  uint64_t asked, told;
  int64_t epochs;      /* trained by told trials, without those that the trials they go on with had trained */
  nas_notes notes;     /* of the strategy, not yet in the table */
  char task_text[256]; /* for strategies that describe what is trained */
  bool exhausted, stopping;
  bool pending; /* the last step left an ask that waits for something outside */
  double started, stepped;
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
/* Records what was taken, hands out what is to be done; the caller sends the outbox before the next step, unless the
 * coordinator is paused. Errors end the run: nothing that was acknowledged is lost by them. */
nas_status nas_coordinator_step(nas_coordinator *c, nas_err *err);
/* Nothing is running and nothing more will be asked. */
bool nas_coordinator_done(const nas_coordinator *c);
/* Workers hold no trial. */
bool nas_coordinator_quiet(const nas_coordinator *c);

/* ---- shared by coordinator.c, ahead.c, record.c, pause.c, resume.c and leases.c ---- */
/* Trials that any worker may hold, the running one included: for the size of lists. */
nas_status nas_coordinator_most_held(const nas_campaign *campaign, int *out, nas_err *err);
/* Trials that this worker is to hold now. */
int nas_coordinator_depth(const nas_coordinator *c, const nas_slot *slot);
/* Learns from a result of a trial that the worker holds. */
void nas_coordinator_time(nas_slot *slot, const nas_open_trial *t);
/* Seconds between the first tries to write a table that cannot be written. */
#define NAS_COORDINATOR_FIRST_DELAY 0.1
/* Takes in one result, and takes over its message. */
nas_status nas_coordinator_record(nas_coordinator *c, int worker, nas_message *m, nas_err *err);
/* Writes the ledger and acknowledges, or pauses; an error when patience is at its end. */
nas_status nas_coordinator_write(nas_coordinator *c, nas_err *err);
/* The trial by its row; looked for among the worker's own first: that is where results come from. NULL: none is open.
 */
nas_open_trial *nas_coordinator_find_open(nas_coordinator *c, int worker, int64_t id);
/* Takes a trial off the books; the caller owns it. */
void nas_coordinator_close_open(nas_coordinator *c, nas_open_trial *t);
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
/* Adds a copy of a waiting trial. */
nas_status nas_coordinator_add_open(nas_coordinator *c, const nas_open_trial *t, nas_open_trial **out, nas_err *err);
nas_status nas_coordinator_resume(nas_coordinator *c, const nas_campaign_run_options *options, nas_err *err);
/* Gives the trials of silent workers back; an error when nobody is left. */
nas_status nas_coordinator_expire_leases(nas_coordinator *c, nas_err *err);
/* Takes a trial from its worker, if it has one: it waits. */
void nas_coordinator_release(nas_coordinator *c, nas_open_trial *t);
/* Gives it to a worker that has room. */
void nas_coordinator_hold(nas_coordinator *c, nas_open_trial *t, int worker);
/* Records a trial that failed without a result of its own; takes it over. */
nas_status nas_coordinator_give_up(nas_coordinator *c, nas_open_trial *t, int worker, nas_outcome outcome,
                                   const char *why, nas_err *err);
/* Adds an empty parcel of this kind. */
nas_status nas_coordinator_post(nas_coordinator *c, int worker, nas_message_kind kind, nas_parcel **out, nas_err *err);
/* An event with a text for people; t may be NULL. */
nas_status nas_coordinator_note(nas_coordinator *c, const char *kind, nas_open_trial *t, int worker, nas_err *err,
                                const char *fmt, ...) NAS_PRINTF(6, 7);
#endif
