/* How long one training step (forward, backward, SGD) of a NAS-Bench-201 network takes, on six cells that stress
 * different parts of the engine. With --peer FILE the same networks run in that PyTorch script, ours and theirs in
 * turn, because a machine's clock drifts while ratios of neighbours hold. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "machine.h"
#include "median.h"
#include "trainee.h"

enum { MOST_PROCESSES = 64 };

typedef struct settings {
  char *arch, *only, *peer, *python;
  trainee_shape shape;
  int steps, rounds, processes, json, smoke, cpu, small;
  double peak, triad; /* of one core: GFLOP/s and GB/s */
} settings;

/* The wall clock, or the time this thread had the CPU: the same on an idle machine, steadier on a busy one. */
static double now(const settings *s) {
  struct timespec t;
  if (!s->cpu || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0) return nas_clock();
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One round, as a child process reports it. */
typedef struct round_figures {
  double ms; /* of a step, median */
  int64_t peak_bytes, traffic, macs;
  int32_t operations;
  nas_status status;
  nas_err err;
} round_figures;

typedef struct figures {
  double ms[64], images_per_s; /* of the step; median over all rounds, all processes together */
  int n;
  int64_t rss; /* of a whole process, at its peak */
  round_figures last;
} figures;

static round_figures measure_round(const settings *s, const char *arch) {
  trainee t = {0};
  round_figures f = {0};
  double times[256];
  int steps = s->steps < 256 ? s->steps : 256;
  f.status = trainee_new(&s->shape, arch, &t, &f.err);
  if (f.status == NAS_OK) {
    for (int i = 0; i < 2; i++) trainee_step(&t, i);
    for (int i = 0; i < steps; i++) {
      double start = now(s);
      trainee_step(&t, i + 2);
      times[i] = 1e3 * (now(s) - start);
    }
    f.ms = median(times, steps);
    f.peak_bytes = nas_plan_peak_bytes(t.plan);
    f.operations = nas_plan_operations(t.plan);
    f.traffic = nas_plan_traffic(t.plan);
    f.macs = t.net->macs;
  }
  trainee_free(&t);
  return f;
}

/* A round in a process of its own, as a trial of a campaign is; its peak memory is then its own too. */
static pid_t start_round(const settings *s, const char *arch, int *from) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    round_figures f = measure_round(s, arch);
    _exit(write(ends[1], &f, sizeof f) == (ssize_t)sizeof f ? 0 : 1);
  }
  close(ends[1]);
  *from = ends[0];
  if (pid < 0) close(ends[0]);
  return pid;
}

static nas_status measure_ours(const settings *s, const char *arch, figures *f, nas_err *err) {
  pid_t pids[MOST_PROCESSES];
  int from[MOST_PROCESSES];
  double rate = 0; /* steps per ms of all processes */
  bool whole = true;
  for (int i = 0; i < s->processes; i++) pids[i] = start_round(s, arch, &from[i]);
  for (int i = 0; i < s->processes; i++) {
    struct rusage usage;
    int status = 0;
    if (pids[i] < 0) {
      whole = false;
      continue;
    }
    whole = read(from[i], &f->last, sizeof f->last) == (ssize_t)sizeof f->last && whole;
    close(from[i]);
    whole = wait4(pids[i], &status, 0, &usage) == pids[i] && status == 0 && whole;
    if (!whole) continue;
    if (f->last.status != NAS_OK) *err = f->last.err;
    if (f->last.status != NAS_OK) return f->last.status;
    rate += 1 / f->last.ms;
    f->rss = usage.ru_maxrss * 1024;
  }
  if (!whole) return nas_fail(err, NAS_E_IO, NULL, "a measuring process ended early");
  f->ms[f->n++] = 1 / rate;
  return NAS_OK;
}

/* The fields that we read of the peer's "key value" lines. */
static nas_status measure_peer(const settings *s, const char *arch, figures *f, nas_err *err) {
  char command[2048], line[256];
  if (!nas_text_put(command, sizeof command,
                    "%s %s --arch '%s' --batch %d --channels %d --cells %d --hw %d --inch %d --steps %d --format nhwc "
                    "--threads 1",
                    s->python, s->peer, arch, s->shape.batch, s->shape.channels, s->shape.cells, s->shape.size,
                    s->shape.in, s->steps))
    return nas_fail(err, NAS_E_USAGE, NULL, "the peer's command line is too long");
  FILE *pipe = popen(command, "r");
  if (!pipe) return nas_fail(err, NAS_E_IO, s->peer, "cannot start the peer");
  double ms = 0, rss = 0;
  while (fgets(line, sizeof line, pipe)) {
    sscanf(line, "ms_per_step %lf", &ms);
    sscanf(line, "peak_rss_mib %lf", &rss);
  }
  if (pclose(pipe) != 0 || ms <= 0)
    return nas_fail(err, NAS_E_IO, s->peer, "the peer failed or printed no ms_per_step");
  f->ms[f->n++] = ms;
  f->rss = (int64_t)(rss * 1048576);
  return NAS_OK;
}

/* Forward and backward are three times the multiply-adds of the forward pass; taps on padding are counted too. */
static double gflops(const figures *f, int batch) { return 1e-6 * 6 * (double)f->last.macs * batch / f->ms[0]; }
static double gbytes(const figures *f) { return 1e-6 * (double)f->last.traffic / f->ms[0]; }

static void print_json(const settings *s, const trainee_network *n, const figures *ours, const figures *peer,
                       bool first) {
  printf(
      "%s\n  {\"network\": \"%s\", \"arch\": \"%s\", \"batch\": %d, \"ms\": %.4f, \"images_per_s\": %.2f, "
      "\"operations\": %d, \"peak_bytes\": %lld, \"rss\": %lld, \"macs\": %lld, \"gflops\": %.2f, "
      "\"percent_of_peak\": %.2f, \"gbytes_per_s\": %.2f",
      first ? "" : ",", n->name, n->arch, s->shape.batch, ours->ms[0], ours->images_per_s, ours->last.operations,
      (long long)ours->last.peak_bytes, (long long)ours->rss, (long long)ours->last.macs, gflops(ours, s->shape.batch),
      100 * gflops(ours, s->shape.batch) / (s->peak * s->processes), gbytes(ours));
  if (peer->n)
    printf(", \"peer_images_per_s\": %.2f, \"ratio\": %.4f, \"peer_rss\": %lld, \"memory_ratio\": %.4f",
           peer->images_per_s, ours->images_per_s / peer->images_per_s, (long long)peer->rss,
           (double)ours->rss / (double)peer->rss);
  printf("}");
}

static void print_row(const settings *s, const trainee_network *n, const figures *ours, const figures *peer) {
  char plan[24], rss[24];
  printf("%-10s %9.2f %9.1f %7.1f %6.1f %6.1f %10s %10s", n->name, ours->ms[0], ours->images_per_s,
         gflops(ours, s->shape.batch), 100 * gflops(ours, s->shape.batch) / (s->peak * s->processes), gbytes(ours),
         nas_text_size(plan, ours->last.peak_bytes), nas_text_size(rss, ours->rss));
  if (peer->n)
    printf(" %10.1f %6.2f %10s %6.2f", peer->images_per_s, ours->images_per_s / peer->images_per_s,
           nas_text_size(rss, peer->rss), (double)ours->rss / (double)peer->rss);
  printf("\n");
  fflush(stdout);
}

static nas_status measure(const settings *s, const trainee_network *n, bool first, nas_err *err) {
  figures ours = {0}, peer = {0};
  for (int round = 0; round < s->rounds; round++) {
    NAS_TRY(measure_ours(s, n->arch, &ours, err));
    if (s->peer) NAS_TRY(measure_peer(s, n->arch, &peer, err));
  }
  ours.ms[0] = median(ours.ms, ours.n);
  peer.ms[0] = median(peer.ms, peer.n);
  ours.images_per_s = 1e3 * s->shape.batch / ours.ms[0];
  if (peer.n) peer.images_per_s = 1e3 * s->shape.batch / peer.ms[0];
  if (s->json) print_json(s, n, &ours, &peer, first);
  else print_row(s, n, &ours, &peer);
  return NAS_OK;
}

static nas_status measure_all(const settings *s, nas_err *err) {
  const trainee_network own[] = {{"given", s->arch}, {NULL, NULL}};
  if (s->json)
    printf(
        "{\"schema\": \"nascent.bench-step/2\", \"peak_gflops\": %.2f, \"triad_gbytes_per_s\": %.2f, \"size\": %d, "
        "\"in\": %d, \"channels\": %d, \"cells\": %d, \"rows\": [",
        s->peak, s->triad, s->shape.size, s->shape.in, s->shape.channels, s->shape.cells);
  else
    printf(
        "one core: %.1f GFLOP/s, %.1f GB/s (triad); %dx%dx%d, C=%d, N=%d, batch %d, %d process%s\n%-10s %9s %9s %7s "
        "%6s %6s %10s %10s%s\n",
        s->peak, s->triad, s->shape.size, s->shape.size, s->shape.in, s->shape.channels, s->shape.cells, s->shape.batch,
        s->processes, s->processes > 1 ? "es" : "", "network", "ms/step", "images/s", "GFLOP/s", "% peak", "GB/s",
        "plan", "process", s->peer ? "  peer im/s  ratio   peer RSS memory" : "");
  bool first = true;
  for (const trainee_network *n = s->arch ? own : trainee_networks; n->name; n++) {
    if (s->only && strcmp(s->only, n->name) != 0) continue;
    NAS_TRY(measure(s, n, first, err));
    first = false;
  }
  if (s->json) printf("\n]}\n");
  return NAS_OK;
}

int main(int argc, const char **argv) {
  settings s = {
      .python = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4 OMP_NUM_THREADS=1 /usr/bin/python3",
      .shape = TRAINEE_SHAPE,
      .steps = 10,
      .rounds = 3,
      .processes = 1};
  struct poptOption options[] = {
      {"arch", 'a', POPT_ARG_STRING, &s.arch, 0, "one cell instead of the six", "ARCH"},
      {"only", 0, POPT_ARG_STRING, &s.only, 0, "one of these: " TRAINEE_NAMES, "NAME"},
      TRAINEE_OPTIONS(s.shape){"in", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.shape.in, 0,
                               "channels of an image", "N"},
      {"small", 0, POPT_ARG_INT, &s.small, 0, "small networks on N x N x 1 images: --channels 8 --cells 1 --in 1", "N"},
      {"memory", 0, POPT_ARG_DOUBLE, &s.shape.memory, 0, "MiB that a plan may take; it then does some work twice",
       "MIB"},
      {"no-recompute", 0, POPT_ARG_NONE, &s.shape.keep, 0, "keep all that the backward pass reads, however large",
       NULL},
      {"steps", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.steps, 0, "timed steps of each round", "N"},
      {"rounds", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.rounds, 0, "rounds, ours and the peer in turn", "N"},
      {"processes", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.processes, 0, "of ours side by side", "N"},
      {"peer", 0, POPT_ARG_STRING, &s.peer, 0, "the PyTorch script to compare with", "FILE"},
      {"python", 0, POPT_ARG_STRING | POPT_ARGFLAG_SHOW_DEFAULT, &s.python, 0, "how to start it", "COMMAND"},
      {"cpu", 0, POPT_ARG_NONE, &s.cpu, 0, "time by this thread's CPU clock (on a busy machine; not with --peer)",
       NULL},
      {"bf16", 0, POPT_ARG_NONE, &s.shape.bf16, 0, "convolutions multiply in bf16 (ours only)", NULL},
      {"json", 0, POPT_ARG_NONE, &s.json, 0, "print JSON", NULL},
      {"smoke", 0, POPT_ARG_NONE, &s.smoke, 0, "tiny networks, one step: does it run at all", NULL},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext context = poptGetContext(NULL, argc, argv, options, 0);
  int rest = poptGetNextOpt(context);
  if (rest < -1 || s.steps < 1 || s.rounds < 1 || s.rounds > 64) {
    fprintf(stderr, "bench-step: %s; see --help\n", rest < -1 ? poptStrerror(rest) : "steps and rounds must be 1..64");
    return 2;
  }
  if (s.small > 0) s.shape.channels = 8, s.shape.cells = 1, s.shape.in = 1, s.shape.size = s.small;
  if (s.smoke) s.shape.batch = 2, s.shape.channels = 4, s.shape.cells = 1, s.shape.size = 8, s.steps = s.rounds = 1;
  if (s.cpu && s.peer) {
    fprintf(stderr, "bench-step: --cpu and --peer do not go together, the peer reports the wall clock\n");
    return 2;
  }
  if (s.processes < 1 || s.processes > MOST_PROCESSES || (s.processes > 1 && s.peer)) {
    fprintf(stderr, "bench-step: processes must be 1..%d, and 1 with --peer\n", MOST_PROCESSES);
    return 2;
  }
  s.peak = machine_peak_gflops();
  s.triad = s.smoke ? 0 : machine_triad_gbytes();
  nas_err err = {0};
  nas_status status = measure_all(&s, &err);
  if (status != NAS_OK) fprintf(stderr, "bench-step: %s%s%s\n", err.where, *err.where ? ": " : "", err.msg);
  poptFreeContext(context);
  return nas_status_exit(status);
}
