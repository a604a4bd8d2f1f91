#ifndef NAS_JOBS_RANKS_H
#define NAS_JOBS_RANKS_H
/* The ranks of an MPI job. The one place that knows MPI; messages are those of wire.h. Waiting sleeps: MPI's own waits
 * spin. */
#include "jobs/wire.h"

/* What the launcher's environment says, before MPI is started. */
typedef struct nas_ranks_hint {
  bool launched; /* by mpirun, srun or the like */
  int rank;      /* 0 when not known */
  int size;      /* 1 without a launcher; 0 when not known */
} nas_ranks_hint;
nas_ranks_hint nas_ranks_from_environment(void);

typedef struct nas_ranks {
  int rank, size;
  double nap; /* seconds of the next sleep: grows while nothing happens */
} nas_ranks;

/* Starts MPI (once per process) and ends it. Closing waits for the other ranks. */
nas_status nas_ranks_open(nas_ranks *r, nas_err *err);
void nas_ranks_close(nas_ranks *r);

/* Collective: rank 0 gets the failure of the lowest failing rank (message naming the rank), the others OK or, where
 * any rank failed, *failed. */
nas_status nas_ranks_agree(nas_ranks *r, nas_status status, bool *failed, nas_err *err);

nas_status nas_ranks_send(nas_ranks *r, int to, nas_message *m, nas_err *err);
/* Takes a message if one arrives within `timeout` seconds or until a signal comes. */
nas_status nas_ranks_receive(nas_ranks *r, double timeout, int *from, nas_message *m, bool *got, nas_err *err);
#endif
