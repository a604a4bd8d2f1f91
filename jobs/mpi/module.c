/* nascent-mpi.so: MPI behind the table of jobs/mpi_calls.h. */
#include <mpi.h>
#include <string.h>

#include "jobs/mpi_calls.h"

enum { TAG = 1 };
_Static_assert(sizeof(MPI_Request) <= sizeof(nas_mpi_request), "a request fits its box");

static bool start(int *rank, int *size) {
  int given;
  if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SINGLE, &given) != MPI_SUCCESS) return false;
  MPI_Comm_rank(MPI_COMM_WORLD, rank);
  MPI_Comm_size(MPI_COMM_WORLD, size);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN); /* the loss of a rank is not the end of this one */
  return true;
}

static void end(void) { MPI_Finalize(); }

static bool put(nas_mpi_request *box, int status, MPI_Request request) {
  memcpy(box, &request, sizeof request);
  return status == MPI_SUCCESS;
}

static bool send(const void *bytes, int n, int to, nas_mpi_request *request) {
  MPI_Request r = MPI_REQUEST_NULL;
  int status = MPI_Isend(bytes, n, MPI_BYTE, to, TAG, MPI_COMM_WORLD, &r);
  return put(request, status, r);
}

static bool test(nas_mpi_request *request, bool *done) {
  MPI_Request r;
  memcpy(&r, request, sizeof r);
  int flag = 0, status = MPI_Test(&r, &flag, MPI_STATUS_IGNORE);
  *done = flag != 0;
  return put(request, status, r);
}

static bool probe(bool *there, int *from, int *n) {
  MPI_Status arrived;
  int flag = 0;
  bool ok = MPI_Iprobe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &flag, &arrived) == MPI_SUCCESS;
  *there = ok && flag;
  if (!*there) return ok;
  *from = arrived.MPI_SOURCE;
  return MPI_Get_count(&arrived, MPI_BYTE, n) == MPI_SUCCESS && *n >= 0;
}

static bool receive(void *bytes, int n, int from, nas_mpi_request *request) {
  MPI_Request r = MPI_REQUEST_NULL;
  int status = MPI_Irecv(bytes, n, MPI_BYTE, from, TAG, MPI_COMM_WORLD, &r);
  return put(request, status, r);
}

static bool least(const int *mine, int *of_all, nas_mpi_request *request) {
  MPI_Request r = MPI_REQUEST_NULL;
  int status = MPI_Iallreduce(mine, of_all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD, &r);
  return put(request, status, r);
}

static bool broadcast(void *bytes, int n, int from, nas_mpi_request *request) {
  MPI_Request r = MPI_REQUEST_NULL;
  int status = MPI_Ibcast(bytes, n, MPI_BYTE, from, MPI_COMM_WORLD, &r);
  return put(request, status, r);
}

const nas_mpi_calls *nas_mpi_module(void) {
  static const nas_mpi_calls calls = {NAS_MPI_CALLS_VERSION, start, end, send, test, probe, receive, least, broadcast};
  return &calls;
}
