#ifndef NAS_JOBS_MPI_CALLS_H
#define NAS_JOBS_MPI_CALLS_H
/* What this program asks of MPI, as a table of functions. It comes out of a module of its own (mpi/module.c), which
 * only the ranks of a job load: MPI and what it is made of take longer to start than most commands run, and its types
 * differ from one implementation to the next. */
#include <stdbool.h>

/* Something under way; what is in it is the module's own. */
typedef struct nas_mpi_request {
  union {
    void *pointer;
    long long number;
  } as;
} nas_mpi_request;

typedef struct nas_mpi_calls {
  int version; /* NAS_MPI_CALLS_VERSION of the module */
  /* Starts MPI, once per process; errors of later calls are returned. */
  bool (*start)(int *rank, int *size);
  void (*end)(void);
  /* All of these are false when MPI reports an error. Bytes must stay until the request is done. */
  bool (*send)(const void *bytes, int n, int to, nas_mpi_request *request);
  bool (*test)(nas_mpi_request *request, bool *done); /* a request that is done may not be tested again */
  /* Whether a message is there: of n bytes, from a rank. */
  bool (*probe)(bool *there, int *from, int *n);
  bool (*receive)(void *bytes, int n, int from, nas_mpi_request *request); /* the one that was found */
  /* Collective. */
  bool (*least)(const int *mine, int *least, nas_mpi_request *request);
  bool (*broadcast)(void *bytes, int n, int from, nas_mpi_request *request);
} nas_mpi_calls;

enum { NAS_MPI_CALLS_VERSION = 2 };
#define NAS_MPI_MODULE "nascent-mpi.so"
/* The one function of the module. */
const nas_mpi_calls *nas_mpi_module(void);
#endif
