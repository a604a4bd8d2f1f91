#ifndef NAS_JOBS_FOLLOW_H
#define NAS_JOBS_FOLLOW_H
/* What a worker rank does: moves messages between its worker and the coordinator, and keeps every result on its own
 * disk until the coordinator has it on record. */
#include "jobs/ranks.h"
#include "jobs/worker.h"

/* Until the coordinator says stop, or is gone. `folder` is that of the spools. */
void nas_follow(nas_ranks *ranks, nas_worker *w, const nas_campaign *c, const char *folder);
#endif
