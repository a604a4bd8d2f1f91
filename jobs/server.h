#ifndef NAS_JOBS_SERVER_H
#define NAS_JOBS_SERVER_H
/* The trial process: opens what the campaign names once, then evaluates trial after trial for its parent. */

#include <sched.h>

#include "evaluators/checkpoints.h"
#include "jobs/campaign.h"

typedef struct nas_server_job {
  const nas_campaign *campaign;
  nas_checkpoints checkpoints; /* where trials keep them */
  int64_t memory;              /* bytes that a trial may take; 0: no limit */
  bool bound;                  /* to these cores */
  cpu_set_t cores;
} nas_server_job;

/* `job` is a const nas_server_job *. Ends when the socket closes. */
void nas_server_serve(int fd, const void *job);
#endif
