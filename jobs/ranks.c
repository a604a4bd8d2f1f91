#include "jobs/ranks.h"

#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "jobs/campaign.h"

enum { TAG = 1 };
/* A nap is a quarter of the time waited so far: short while messages fly, rare while nothing happens. */
static const double shortest_nap = 20e-6, longest_nap = 10e-3, nap_growth = 1.25;

static bool number_from(const char *variable, int *out) {
  int64_t value;
  const char *text = getenv(variable);
  if (!text || !nas_text_int(text, &value) || value < 0 || value > 1 << 30) return false;
  *out = (int)value;
  return true;
}

nas_ranks_hint nas_ranks_from_environment(void) {
  static const struct {
    const char *rank, *size;
  } launchers[] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}, {"PMIX_RANK", ""}};
  nas_ranks_hint hint = {.size = 1};
  for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
    if (!number_from(launchers[i].rank, &hint.rank)) continue;
    hint.launched = true;
    hint.size = 0;
    if (launchers[i].size[0]) number_from(launchers[i].size, &hint.size);
    return hint;
  }
  return hint;
}

bool nas_jobs_is_secondary_rank(void) { return nas_ranks_from_environment().rank > 0; }

nas_status nas_ranks_open(nas_ranks *r, nas_err *err) {
  /* Copying between processes needs a privilege that containers withhold; Open MPI would warn once per job. */
  setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0);
  *r = (nas_ranks){.size = 1, .nap = shortest_nap};
  int given;
  if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SINGLE, &given) != MPI_SUCCESS)
    return nas_fail(err, NAS_E_UNSUPPORTED, "MPI", "cannot start; run without mpirun to use one process");
  MPI_Comm_rank(MPI_COMM_WORLD, &r->rank);
  MPI_Comm_size(MPI_COMM_WORLD, &r->size);
  return NAS_OK;
}

void nas_ranks_close(nas_ranks *r) {
  (void)r;
  MPI_Finalize();
}

static void rest(nas_ranks *r) {
  nanosleep(&(struct timespec){0, (long)(r->nap * 1e9)}, NULL);
  r->nap = fmin(nap_growth * r->nap, longest_nap);
}

/* Collectives spin inside MPI; the non-blocking form lets a rank sleep while others read their files. */
static void finish(nas_ranks *r, MPI_Request *request) {
  int done = 0;
  r->nap = shortest_nap;
  while (MPI_Test(request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done) rest(r);
  r->nap = shortest_nap;
}

nas_status nas_ranks_agree(nas_ranks *r, nas_status status, bool *failed, nas_err *err) {
  int mine = status == NAS_OK ? r->size : r->rank, first = r->size;
  MPI_Request request;
  MPI_Iallreduce(&mine, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD, &request);
  finish(r, &request);
  *failed = first < r->size;
  if (!*failed || first == 0) return r->rank == 0 ? status : NAS_OK;
  nas_err theirs = {0};
  if (r->rank == first && err) theirs = *err;
  MPI_Ibcast(&theirs, (int)sizeof theirs, MPI_BYTE, first, MPI_COMM_WORLD, &request);
  finish(r, &request);
  if (r->rank != 0) return NAS_OK;
  if (err) {
    *err = theirs;
    snprintf(err->msg, sizeof err->msg, "rank %d: %.290s", first, theirs.msg);
  }
  return theirs.code < 0 ? (nas_status)theirs.code : NAS_E_INTERNAL;
}

nas_status nas_ranks_send(nas_ranks *r, int to, nas_message *m, nas_err *err) {
  nas_str frame = {0};
  nas_status status = nas_message_encode(m, &frame, err);
  if (status == NAS_OK) {
    MPI_Request request;
    MPI_Isend(frame.s, (int)frame.len, MPI_BYTE, to, TAG, MPI_COMM_WORLD, &request);
    finish(r, &request);
  }
  nas_str_free(&frame);
  return status;
}

static nas_status take(MPI_Status *arrived, nas_message *m, nas_err *err) {
  int n = 0;
  size_t used = 0;
  MPI_Get_count(arrived, MPI_BYTE, &n);
  char *bytes = n >= 0 ? malloc((size_t)n + 1) : NULL;
  if (!bytes) return nas_fail_memory(err, "a message");
  MPI_Recv(bytes, n, MPI_BYTE, arrived->MPI_SOURCE, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  nas_status status = nas_message_decode(bytes, (size_t)n, m, &used, err);
  if (status == NAS_OK && used != (size_t)n) {
    if (used) nas_message_free(m);
    status =
        nas_fail(err, NAS_E_BAD_INPUT, "MPI", "rank %d sent a message that is no whole frame", arrived->MPI_SOURCE);
  }
  free(bytes);
  return status;
}

nas_status nas_ranks_receive(nas_ranks *r, double timeout, int *from, nas_message *m, bool *got, nas_err *err) {
  double end = timeout > 0 ? nas_clock() + timeout : 0;
  *got = false;
  for (;;) {
    int there = 0;
    MPI_Status arrived;
    MPI_Iprobe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &there, &arrived);
    if (there) {
      r->nap = shortest_nap;
      *from = arrived.MPI_SOURCE;
      *got = true;
      nas_status status = take(&arrived, m, err);
      if (status != NAS_OK) *got = false;
      return status;
    }
    if (timeout <= 0 || nas_clock() >= end) return NAS_OK;
    rest(r);
  }
}
