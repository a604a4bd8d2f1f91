#ifndef NAS_JOBS_RANKS_H
#define NAS_JOBS_RANKS_H
/* The ranks of an MPI job. The one place that calls MPI (through mpi_calls.h); messages are those of wire.h. Waiting
 * sleeps: MPI's own waits spin. */
#include "jobs/wire.h"

/* What the launcher's environment says, before MPI is started. */
typedef struct nas_ranks_hint {
  bool launched; /* by mpirun, srun or the like */
  int rank;      /* 0 when not known */
  int size;      /* 1 without a launcher; 0 when not known */
} nas_ranks_hint;
nas_ranks_hint nas_ranks_from_environment(void);

typedef struct nas_parcel_out nas_parcel_out;
typedef struct nas_parcel_in nas_parcel_in;

typedef struct nas_ranks {
  int rank, size;
  double nap;              /* seconds of the next sleep: grows while nothing happens */
  nas_parcel_in *arriving; /* in the order in which they were announced */
  size_t n_arriving, cap_arriving;
  char *in; /* frames that arrived, of which some may be left */
  size_t n_in, at;
  int from;
  nas_parcel_out *out; /* on their way */
  size_t n_out, cap_out;
  bool torn; /* a rank was lost: nothing collective can be done any more */
} nas_ranks;

/* Loads the module that calls MPI, as opening does by itself. Error: UNSUPPORTED where it, or MPI, is missing. */
nas_status nas_ranks_load(nas_err *err);
/* How many seconds (default 120) the ranks have from opening until they agree; a process whose ranks do not meet by
 * then ends with status 1. */
#define NAS_START_VARIABLE "NASCENT_START_SECONDS"
/* Starts MPI (once per process) and ends it. nas_ranks_agree comes next. Closing waits for the other ranks, unless some
 * were lost. */
nas_status nas_ranks_open(nas_ranks *r, nas_err *err);
void nas_ranks_close(nas_ranks *r);

/* Collective: rank 0 gets the failure of the lowest failing rank (message naming the rank), the others OK or, where
 * any rank failed, *failed. */
nas_status nas_ranks_agree(nas_ranks *r, nas_status status, bool *failed, nas_err *err);

/* Sends frames (whole ones, encoded by wire.h) and returns at once: a rank that is dead holds nobody up. Takes over the
 * text, which is empty afterwards. */
nas_status nas_ranks_send_frames(nas_ranks *r, int to, nas_str *frames, nas_err *err);
nas_status nas_ranks_send(nas_ranks *r, int to, nas_message *m, nas_err *err);
/* Whether something that was sent is still under way. */
bool nas_ranks_sending(nas_ranks *r);
/* Takes a message if one is there or arrives within `timeout` seconds or until a signal comes. */
nas_status nas_ranks_receive(nas_ranks *r, double timeout, int *from, nas_message *m, bool *got, nas_err *err);
#endif
