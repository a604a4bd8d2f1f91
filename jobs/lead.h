#ifndef NAS_JOBS_LEAD_H
#define NAS_JOBS_LEAD_H
/* What the coordinating process does: moves messages between the coordinator and its workers until the campaign is over
 * or asked to stop. */
#include "jobs/coordinator.h"
#include "jobs/ranks.h"
#include "jobs/worker.h"

/* How the coordinator reaches its workers: other ranks, or the one in this process. */
typedef struct nas_post {
  nas_ranks *ranks;  /* or NULL */
  nas_worker *local; /* or NULL */
} nas_post;

/* To the end of the budget, or until a signal asks to stop: then trials are given run.grace for their checkpoints. The
 * end is recorded as an event. */
nas_status nas_lead(nas_coordinator *c, nas_post *p, const char *db, bool quiet, nas_err *err);
/* Tells every rank to stop and hears out what they still have to say; results are recorded when `record`. */
nas_status nas_lead_dismiss(nas_coordinator *c, nas_ranks *ranks, bool record, nas_err *err);
#endif
