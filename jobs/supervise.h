#ifndef NAS_JOBS_SUPERVISE_H
#define NAS_JOBS_SUPERVISE_H
/* The supervisor: starts a campaign under mpirun and brings it back until it is over, whatever dies. It watches the
 * heartbeat and judges from the table, never from an exit status. */
#include "jobs/campaign.h"

typedef struct nas_supervise_options {
  const char *db;
  int64_t ranks;
  const char *hostfile;         /* for mpirun, or NULL */
  const char *const *arguments; /* of `nascent search`, NULL-terminated: the file and what else is to be passed on */
  int64_t restarts;             /* runs in a row without a new result after which it gives up */
  double silence;               /* seconds without a heartbeat after which a run is killed */
  bool quiet;
} nas_supervise_options;

typedef struct nas_supervision {
  int64_t starts, told, failed;
  int signal; /* that asked to stop; 0: none */
} nas_supervision;

/* OK when the budget was used up; PREEMPTED or INTERRUPTED when a signal asked to stop (it is passed on, and trials get
 * run.grace for their checkpoints); CRASHED when it gives up. */
nas_status nas_supervise(const nas_campaign *c, const nas_supervise_options *options, nas_supervision *out,
                         nas_err *err);
#endif
