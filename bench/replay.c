/* How fast strategies are replayed against a recorded table, and how fast the table is looked up: one thread, its own
 * CPU clock. With --python the same two searches run as a plain Python loop over a dictionary of the same table. */
#include <math.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "search/replay_load.h"
#include "search/replay_report.h"

typedef struct settings {
  char *table, *dataset, *script;
  int runs, rounds, smoke;
  double seconds;
} settings;

static double cpu_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static nas_status measure_strategy(const settings *s, const nas_replay_table *table, const char *name, nas_err *err) {
  nas_settings options = {0};
  const nas_strategy_type *type;
  double best = INFINITY;
  nas_replay_summary summary = {0};
  nas_replay_run *runs = calloc((size_t)s->runs, sizeof *runs);
  nas_status status = runs ? nas_strategy_find(name, &type, err) : nas_fail_memory(err, "runs");
  if (status == NAS_OK) status = nas_replay_defaults(type, &options, err);
  for (int i = 0; i < s->rounds && status == NAS_OK; i++) {
    const nas_replay_plan plan = {.table = table,
                                  .strategy = name,
                                  .settings = &options,
                                  .limits = {s->seconds, UINT64_MAX, 1},
                                  .runs = (size_t)s->runs,
                                  .jobs = 1};
    double start = cpu_clock();
    status = nas_replay_all(&plan, runs, err);
    best = fmin(best, cpu_clock() - start);
    if (status == NAS_OK) status = nas_replay_summarise(table, runs, plan.runs, &summary, err);
    for (int r = 0; r < s->runs; r++) nas_replay_run_clear(&runs[r]);
  }
  if (status == NAS_OK)
    printf("%-24s %8.3f s  %6.1f evaluations  valid %.2f +- %.2f  test %.2f +- %.2f\n", name, best,
           summary.evaluations_mean, summary.valid_mean, summary.valid_std, summary.test_mean, summary.test_std);
  free(runs);
  nas_settings_free(&options);
  return status;
}

static void measure_lookups(const settings *s, const nas_replay_table *t) {
  const size_t n = s->smoke ? 1000 : 5000000;
  uint64_t sum = 0; /* printed, so that the work is done */
  double start = cpu_clock();
  for (size_t i = 0; i < n; i++) sum += (uint64_t)nas_replay_table_find(t, &t->arch[i * 7919 % t->n]);
  printf("%-24s %8.1f million/s (sum %llu)\n", "look-ups", (double)n / 1e6 / (cpu_clock() - start),
         (unsigned long long)sum);
}

/* One architecture a line, its genes as digits. */
static nas_status run_python(const settings *s, const nas_replay_table *t, nas_err *err) {
  char path[] = "/tmp/nascent-replay-XXXXXX", line[512];
  int fd = mkstemp(path);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
  if (!file) return nas_fail(err, NAS_E_IO, path, "cannot make a temporary file");
  for (size_t i = 0; i < t->n; i++) {
    for (int g = 0; g < t->arch[i].n; g++) fprintf(file, "%d", t->arch[i].gene[g]);
    fprintf(file, " %.17g %.17g %.17g %.17g\n", t->seen[i].valid_accuracy, t->seen[i].seconds, t->report_valid[i],
            t->report_test[i]);
  }
  fclose(file);
  nas_text_put(line, sizeof line, "python3 '%s' '%s' %d %.17g", s->script, path, s->runs, s->seconds);
  fflush(stdout);
  int failed = system(line);
  remove(path);
  return failed ? nas_fail(err, NAS_E_CRASHED, s->script, "the Python loop failed") : NAS_OK;
}

static nas_status measure(const settings *s, nas_err *err) {
  const nas_replay_source source = {.path = s->table, .dataset = s->dataset};
  nas_replay_recorded r;
  double start = nas_clock();
  nas_status status = nas_replay_load(&source, &r, err);
  if (status == NAS_OK) printf("%-24s %8.3f s  %zu architectures\n", "opening", nas_clock() - start, r.table->n);
  if (status == NAS_OK) status = measure_strategy(s, r.table, "random", err);
  if (status == NAS_OK) status = measure_strategy(s, r.table, "regularized-evolution", err);
  if (status == NAS_OK) measure_lookups(s, r.table);
  if (status == NAS_OK && s->script) status = run_python(s, r.table, err);
  nas_replay_recorded_close(&r);
  return status;
}

int main(int argc, const char **argv) {
  settings s = {.runs = 500, .rounds = 5, .seconds = 20000};
  struct poptOption options[] = {
      {"table", 't', POPT_ARG_STRING, &s.table, 0, "the recorded table", "FILE"},
      {"dataset", 'd', POPT_ARG_STRING, &s.dataset, 0, "its data set, where it has several", "NAME"},
      {"runs", 'n', POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.runs, 0, "runs of each strategy", "N"},
      {"rounds", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.rounds, 0, "repetitions; the fastest counts", "N"},
      {"seconds", 0, POPT_ARG_DOUBLE | POPT_ARGFLAG_SHOW_DEFAULT, &s.seconds, 0, "simulated budget of a run", "T"},
      {"python", 0, POPT_ARG_STRING, &s.script, 0, "compare with this script (bench/replay_loop.py)", "FILE"},
      {"smoke", 0, POPT_ARG_NONE, &s.smoke, 0, "few runs: does it run at all", NULL},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext context = poptGetContext(NULL, argc, argv, options, 0);
  int rest = poptGetNextOpt(context);
  if (rest < -1 || !s.table || s.runs < 1 || s.rounds < 1) {
    fprintf(stderr, "bench-replay: %s; see --help\n", rest < -1 ? poptStrerror(rest) : "--table FILE is needed");
    return 2;
  }
  if (s.smoke) s.runs = 5, s.rounds = 1;
  nas_err err = {0};
  nas_status status = measure(&s, &err);
  if (status != NAS_OK) fprintf(stderr, "bench-replay: %s%s%s\n", err.where, *err.where ? ": " : "", err.msg);
  poptFreeContext(context);
  return nas_status_exit(status);
}
