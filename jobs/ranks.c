#include "jobs/ranks.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/library.h"
#include "jobs/campaign.h"
#include "jobs/mpi_calls.h"

/* Messages are cut into pieces that MPI takes over at once, without the receiver's help, where ranks share memory (4096
 * bytes with a header) and more so over networks: a longer one waits until both sides look. */
enum { PIECE_MAX = 3900 };

struct nas_parcel_out {
  nas_mpi_request request;
  char *bytes;
};

struct nas_parcel_in {
  nas_mpi_request request;
  int from;
  char *bytes;
  size_t n;
  bool whole;
};

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

static const nas_mpi_calls *mpi;

nas_status nas_ranks_load(nas_err *err) {
  static __typeof__(nas_mpi_module) *module;
  static const nas_symbol symbols[] = {{"nas_mpi_module", &module}};
  static nas_library library = {
      NAS_MPI_MODULE,
      "it is a part of this program and needs MPI (Debian: libopenmpi3); run without mpirun to "
      "use one process",
      symbols, 1, NULL};
  NAS_TRY(nas_library_load(&library, err));
  mpi = module();
  if (mpi->version != NAS_MPI_CALLS_VERSION)
    return nas_fail(err, NAS_E_UNSUPPORTED, NAS_MPI_MODULE, "is of another version of this program; install it anew");
  return NAS_OK;
}

/* A rank that is killed while MPI starts or ends leaves the others waiting in there for ever, and so does a launcher
 * that is killed; recovery does not reach that far. They give up, and whoever started the run starts it again. */
enum { START_SECONDS = 120, END_SECONDS = 30 };

static struct {
  pid_t launcher;
  volatile sig_atomic_t left; /* seconds */
  const char *words;
} watch;

static void look(int number) {
  (void)number;
  if (--watch.left > 0 && getppid() == watch.launcher) {
    alarm(1);
    return;
  }
  ssize_t n = write(STDERR_FILENO, watch.words, strlen(watch.words));
  (void)n;
  _exit(1);
}

static void begin_watch(int seconds, const char *words) {
  struct sigaction action = {.sa_handler = look, .sa_flags = SA_RESTART};
  watch.left = seconds;
  watch.words = words;
  sigemptyset(&action.sa_mask);
  sigaction(SIGALRM, &action, NULL);
  alarm(1);
}

static void end_watch(void) {
  alarm(0);
  signal(SIGALRM, SIG_DFL);
}

static int start_seconds(void) {
  const char *text = getenv(NAS_START_VARIABLE);
  const long seconds = text ? strtol(text, NULL, 10) : 0;
  return seconds > 0 && seconds < 86400 ? (int)seconds : START_SECONDS;
}

nas_status nas_ranks_open(nas_ranks *r, nas_err *err) {
  /* Copying between processes needs a privilege that containers withhold; Open MPI would warn once per job. */
  setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0);
  *r = (nas_ranks){.size = 1, .nap = shortest_nap};
  NAS_TRY(nas_ranks_load(err));
  watch.launcher = getppid();
  begin_watch(start_seconds(),
              "nascent: MPI: the ranks did not meet in time; did one die as it began? Run with --resume\n");
  if (!mpi->start(&r->rank, &r->size))
    return nas_fail(err, NAS_E_UNSUPPORTED, "MPI", "cannot start; run without mpirun to use one process");
  return NAS_OK;
}

/* What has arrived is forgotten; what can never arrive is left to the end of the process, which MPI reads from. */
static void sweep(nas_ranks *r) {
  size_t kept = 0;
  for (size_t i = 0; i < r->n_out; i++) {
    bool done = false;
    if (mpi->test(&r->out[i].request, &done) && !done) r->out[kept++] = r->out[i];
    else free(r->out[i].bytes);
  }
  r->n_out = kept;
}

bool nas_ranks_sending(nas_ranks *r) {
  sweep(r);
  return r->n_out > 0;
}

static const double farewell_seconds = 2;

void nas_ranks_close(nas_ranks *r) {
  double end = nas_clock() + farewell_seconds;
  while (nas_ranks_sending(r) && nas_clock() < end) nanosleep(&(struct timespec){0, 1000000}, NULL);
  if (!r->torn && r->n_out == 0 && r->n_arriving == 0) {
    begin_watch(END_SECONDS, "nascent: MPI: the ranks did not part in time; what was recorded is in the table\n");
    mpi->end();
    end_watch();
  }
  free(r->in);
  if (r->n_out == 0) free(r->out);
  if (r->n_arriving == 0) free(r->arriving);
}

static void rest(nas_ranks *r) {
  nanosleep(&(struct timespec){0, (long)(r->nap * 1e9)}, NULL);
  r->nap = fmin(nap_growth * r->nap, longest_nap);
}

/* Collectives spin inside MPI; the non-blocking form lets a rank sleep while others read their files. */
static void finish(nas_ranks *r, nas_mpi_request *request) {
  bool done = false;
  r->nap = shortest_nap;
  while (mpi->test(request, &done) && !done) rest(r);
  r->nap = shortest_nap;
}

nas_status nas_ranks_agree(nas_ranks *r, nas_status status, bool *failed, nas_err *err) {
  int mine = status == NAS_OK ? r->size : r->rank, first = r->size;
  nas_mpi_request request;
  if (mpi->least(&mine, &first, &request)) finish(r, &request);
  *failed = first < r->size;
  if (!*failed || first == 0) {
    end_watch(); /* all are here */
    return r->rank == 0 ? status : NAS_OK;
  }
  nas_err theirs = {0};
  if (r->rank == first && err) theirs = *err;
  if (mpi->broadcast(&theirs, (int)sizeof theirs, first, &request)) finish(r, &request);
  end_watch();
  if (r->rank != 0) return NAS_OK;
  if (err) {
    *err = theirs;
    snprintf(err->msg, sizeof err->msg, "rank %d: %.290s", first, theirs.msg);
  }
  return theirs.code < 0 ? (nas_status)theirs.code : NAS_E_INTERNAL;
}

static nas_status send_piece(nas_ranks *r, int to, const char *frames, size_t n, nas_err *err) {
  if (r->n_out == r->cap_out) {
    size_t cap = r->cap_out ? 2 * r->cap_out : 16;
    nas_parcel_out *grown = realloc(r->out, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "messages under way");
    r->out = grown;
    r->cap_out = cap;
  }
  nas_parcel_out *p = &r->out[r->n_out];
  *p = (nas_parcel_out){.bytes = malloc(n)};
  if (!p->bytes) return nas_fail_memory(err, "a message");
  /* What sweep() freed are buffers of messages that have gone. NOLINTBEGIN(clang-analyzer-unix.Malloc) */
  memcpy(p->bytes, frames, n);
  if (mpi->send(p->bytes, (int)n, to, &p->request)) r->n_out++;
  /* NOLINTEND(clang-analyzer-unix.Malloc) */
  else free(p->bytes); /* the rank is gone: its silence will tell */
  return NAS_OK;
}

nas_status nas_ranks_send_frames(nas_ranks *r, int to, nas_str *frames, nas_err *err) {
  NAS_TRY(nas_str_check(frames, err));
  if (r->n_out) sweep(r);
  nas_status status = NAS_OK;
  for (size_t at = 0, end; at < frames->len && status == NAS_OK; at = end) {
    end = at + nas_frame_size(frames->s + at);
    while (end < frames->len && end + nas_frame_size(frames->s + end) - at <= PIECE_MAX)
      end += nas_frame_size(frames->s + end);
    status = send_piece(r, to, frames->s + at, end - at, err);
  }
  nas_str_free(frames);
  return status;
}

nas_status nas_ranks_send(nas_ranks *r, int to, nas_message *m, nas_err *err) {
  nas_str frame = {0};
  nas_status status = nas_message_encode(m, &frame, err);
  if (status == NAS_OK) status = nas_ranks_send_frames(r, to, &frame, err);
  nas_str_free(&frame);
  return status;
}

/* The next message of what arrived. */
static nas_status next(nas_ranks *r, int *from, nas_message *m, bool *got, nas_err *err) {
  size_t used = 0;
  *got = false;
  if (r->at == r->n_in) return NAS_OK;
  nas_status status = nas_message_decode(r->in + r->at, r->n_in - r->at, m, &used, err);
  if (status == NAS_OK && used == 0)
    status = nas_fail(err, NAS_E_BAD_INPUT, "MPI", "rank %d sent a message that is no whole frame", r->from);
  if (status != NAS_OK) {
    r->at = r->n_in;
    return status;
  }
  r->at += used;
  *from = r->from;
  *got = true;
  return NAS_OK;
}

/* Begins to receive what was found. A long message whose sender sleeps, is stopped or dies must not hold this rank up.
 */
static nas_status begin_receiving(nas_ranks *r, int from, int n, nas_err *err) {
  if (r->n_arriving == r->cap_arriving) {
    size_t cap = r->cap_arriving ? 2 * r->cap_arriving : 16;
    nas_parcel_in *grown = realloc(r->arriving, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "messages under way");
    r->arriving = grown;
    r->cap_arriving = cap;
  }
  nas_parcel_in *p = &r->arriving[r->n_arriving];
  *p = (nas_parcel_in){.from = from, .bytes = malloc((size_t)n + 1), .n = (size_t)n};
  if (!p->bytes) return nas_fail_memory(err, "a message");
  if (mpi->receive(p->bytes, n, from, &p->request)) r->n_arriving++;
  else free(p->bytes); /* its sender died in the middle */
  return NAS_OK;
}

/* The first message that is here as a whole and follows no unfinished one of the same rank is read next. */
static bool open_arrived(nas_ranks *r) {
  for (size_t i = 0; i < r->n_arriving; i++) {
    nas_parcel_in *p = &r->arriving[i];
    bool done = false;
    if (!p->whole && mpi->test(&p->request, &done)) p->whole = done;
    bool first = p->whole;
    for (size_t k = 0; k < i && first; k++) first = r->arriving[k].from != p->from;
    if (!first) continue;
    free(r->in);
    r->in = p->bytes;
    r->n_in = p->n;
    r->at = 0;
    r->from = p->from;
    memmove(p, p + 1, (r->n_arriving - i - 1) * sizeof *p);
    r->n_arriving--;
    return true;
  }
  return false;
}

nas_status nas_ranks_receive(nas_ranks *r, double timeout, int *from, nas_message *m, bool *got, nas_err *err) {
  double end = timeout > 0 ? nas_clock() + timeout : 0;
  for (;;) {
    NAS_TRY(next(r, from, m, got, err));
    if (*got) return NAS_OK;
    int sender, n;
    bool there = false;
    if (mpi->probe(&there, &sender, &n) && there) NAS_TRY(begin_receiving(r, sender, n, err));
    if (open_arrived(r)) {
      r->nap = shortest_nap;
      continue;
    }
    if (there) continue;
    if (timeout <= 0 || nas_clock() >= end) return NAS_OK;
    rest(r);
  }
}
