#ifndef NAS_JOBS_LEDGER_H
#define NAS_JOBS_LEDGER_H
/* What is to be written into the table. A step of the coordinator changes its memory and adds entries here; then all of
 * them are written as one durable transaction. Where the table cannot be written for now (full disk, lock), the entries
 * stay and are written later: nothing that depends on them leaves the process before. */
#include "bench-db/bench-db.h"
#include "jobs/wire.h"

/* A trial that was asked for and is not finished. */
typedef struct nas_open_trial {
  int64_t id; /* 0: not in the table yet */
  uint64_t number, seed;
  nas_arch arch;
  int32_t epochs; /* to train up to; 0 = all of the recipe */
  double params, macs;
  int32_t attempt;
  int deaths;                               /* processes that it took along */
  int losses;                               /* workers that were lost with it */
  int worker;                               /* that has it; -1: waits */
  size_t at;                                /* its place in the coordinator's list */
  double begun;                             /* when it was handed out */
  int held_with;                            /* trials that its worker then held, itself included */
  int32_t epoch;                            /* where it is, as far as its worker told */
  double share, train_loss, valid_accuracy; /* of its last whole epoch; NaN before */
} nas_open_trial;

typedef enum nas_entry_kind { NAS_ENTRY_ASK, NAS_ENTRY_START, NAS_ENTRY_FINISH, NAS_ENTRY_EVENT } nas_entry_kind;

typedef struct nas_entry {
  nas_entry_kind kind;
  nas_open_trial *trial; /* FINISH owns it; EVENT: may be NULL */
  uint64_t asked_after;
  int32_t attempt, worker;
  nas_message *message; /* FINISH: owned, with the result */
  const char *event;    /* EVENT: its kind */
  char *text;           /* EVENT: owned */
} nas_entry;

typedef struct nas_ledger {
  nas_entry *entries;
  size_t n, cap;
} nas_ledger;

void nas_ledger_free(nas_ledger *l);

/* All give NO_MEMORY only, with nothing changed. A start right after the ask of the same trial becomes one with it. */
nas_status nas_ledger_ask(nas_ledger *l, nas_open_trial *trial, uint64_t asked_after, nas_err *err);
nas_status nas_ledger_start(nas_ledger *l, nas_open_trial *trial, nas_err *err);
nas_status nas_ledger_finish(nas_ledger *l, nas_open_trial *trial, nas_message *result, nas_err *err);
/* `kind` is a literal; trial may be NULL; worker -1: none. */
nas_status nas_ledger_event(nas_ledger *l, const char *kind, nas_open_trial *trial, int worker, const char *text,
                            nas_err *err);

/* What the rows need besides. */
typedef struct nas_ledger_place {
  nas_db *db;
  int64_t campaign;
  const nas_space *space;
  nas_notes *notes; /* of the strategy: written with the entries and emptied; may be NULL */
} nas_ledger_place;

/* Writes all entries in one transaction and empties the ledger; on any error it is as before, and so is the table. */
nas_status nas_ledger_write(nas_ledger *l, const nas_ledger_place *place, nas_err *err);

/* Whether a later try may succeed where this status came from the table. */
bool nas_ledger_may_retry(nas_status status);
#endif
