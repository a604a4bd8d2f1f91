/* nascent-chaos: small campaigns with real ranks under the supervisor, each with faults at moments that a seed decides;
 * in the end each table must equal that of a quiet run, row for row but for times, attempts and workers.
 *   nascent-chaos [--runs N] [--trials N] [--seed S] [--jobs J] [--seconds T] [--folder DIR] [--program nascent]
 * [--shim FILE.so] */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "bench-db/bench-db.h"
#include "bench-db/query.h"
#include "faults.h"

typedef struct settings {
  int64_t runs, trials, seed, jobs;
  double seconds; /* after which no campaign begins */
  const char *folder, *program, *shim;
  bool keep;
} settings;

/* What one campaign reports to the parent. */
typedef struct outcome {
  int64_t faults[CHAOS_FAULTS];
  int64_t starts, trials, failed_trials, attempts, refused, slowed, delayed;
  int64_t late, same, conflicts, lost, paused;
  char trouble[400]; /* empty: none */
} outcome;

static const double campaign_seconds = 400;

static void rest(double seconds) {
  nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
}

/* ---- one campaign ---- */

typedef struct plan {
  int ranks, faults;
  char yaml[1200];
} plan;

/* Trains, or pretends to; some trials crash, take too much memory, diverge or err, by their architecture. */
static plan make_plan(const settings *s, nas_rng rng) {
  static const char *const evaluators[] = {
      "evaluator: {name: train, checkpoint-every: 0}\n",
      "evaluator: {name: noop, seconds: 0.12, jitter: 0.5, epochs: 3}\n",
      "evaluator: {name: noop, seconds: 0.12, epochs: 2, fail: crash, fail-rate: 0.2}\n",
      "evaluator: {name: noop, seconds: 0.12, epochs: 2, fail: hog, fail-rate: 0.2, hog: 600MiB}\n",
      "evaluator: {name: noop, seconds: 0.12, epochs: 2, fail: diverge, fail-rate: 0.3}\n"};
  plan p = {0};
  bool evolve = nas_rng_unit(rng, 0) < 0.3; /* what it proposes depends on the order of results: one worker */
  p.ranks = evolve ? 2 : 2 + (int)(3 * nas_rng_unit(rng, 1));
  p.faults = 1 + (int)(5 * nas_rng_unit(rng, 2));
  size_t kind = (size_t)(5 * nas_rng_unit(rng, 3));
  snprintf(p.yaml, sizeof p.yaml,
           "space: {name: nas-bench-201, channels: 2, cells: 1}\n"
           "dataset: {name: shapes, images: 240, size: 8, classes: 4, train-images: 64, valid-images: 32, test-images: "
           "32}\n"
           "recipe: {name: quick, epochs: 3, batch: 16}\n"
           "%s"
           "strategy: %s\n"
           "budget: {trials: %d}\n"
           "seed: %d\n"
           "trial: {memory: 64MiB, ahead: %d}\n"
           "run: {lease: 1, grace: 5}\n",
           evaluators[kind],
           evolve ? "{name: regularized-evolution, population: 4, sample: 2}" : "{name: random, repeats: true}",
           (int)s->trials, (int)(1000 * nas_rng_unit(rng, 4)), nas_rng_unit(rng, 5) < 0.5 && !evolve ? 3 : 0);
  return p;
}

static chaos_control *make_control(const char *path, nas_err *err) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  void *p = MAP_FAILED;
  if (fd >= 0 && ftruncate(fd, sizeof(chaos_control)) == 0)
    p = mmap(NULL, sizeof(chaos_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) nas_fail_errno(err, errno, path, "cannot make");
  if (fd >= 0) close(fd);
  return p == MAP_FAILED ? NULL : p;
}

static pid_t launch(const settings *s, const char *folder, const plan *p, const char *db) {
  char ranks[16], log[1100], control[1100];
  snprintf(ranks, sizeof ranks, "%d", p->ranks);
  snprintf(log, sizeof log, "%s/log", folder);
  snprintf(control, sizeof control, "%s/control", folder);
  fflush(NULL);
  pid_t pid = fork();
  if (pid != 0) return pid;
  setsid();
  int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), in = open("/dev/null", O_RDONLY);
  if (out < 0 || in < 0 || chdir(folder) != 0) _exit(127);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
  setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  if (!db) execl(s->program, s->program, "search", "c.yaml", "--db", "quiet.db", "-q", (char *)NULL);
  setenv(CHAOS_CONTROL, control, 1);
  setenv("LD_PRELOAD", s->shim, 1);
  setenv("NASCENT_TEST_DELAY_MS", "30", 1);
  execl(s->program, s->program, "run", "c.yaml", "--db", db, "-q", "-n", ranks, "--silence", "10", "--restarts", "30",
        (char *)NULL);
  _exit(127);
}

/* The exit status, or -1 after `seconds`. */
static int await(pid_t pid, double seconds) {
  int status;
  for (double end = nas_clock() + seconds; nas_clock() < end; rest(0.01)) {
    if (waitpid(pid, &status, WNOHANG) == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return -1;
}

static bool over(pid_t pid) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid;
}

/* Most faults come while trials run; some before the ranks are up. */
static void await_start(const char *folder, pid_t supervisor, nas_rng rng) {
  char path[1100];
  snprintf(path, sizeof path, "%s/chaos.db.work/heartbeat.json", folder);
  if (nas_rng_unit(rng, 7) < 0.1) return;
  for (double end = nas_clock() + 20; nas_clock() < end && !nas_file_exists(path) && !over(supervisor);) rest(0.02);
}

/* Starts, disturbs, and starts again until the campaign is over. */
static void torment(const settings *s, const char *folder, const plan *p, nas_rng rng, chaos_control *control,
                    outcome *o) {
  double end = nas_clock() + campaign_seconds;
  int done = 0, tries = 0;
  bool killed_trial = false; /* once only: twice is a reason to give a trial up */
  for (;;) {
    chaos_victim v = {launch(s, folder, p, "chaos.db"), control};
    o->starts++;
    while (done < p->faults && !over(v.supervisor) && tries < 200) {
      nas_rng now = nas_rng_make(rng.key[0] + 977, (uint32_t)++tries, NAS_STREAM_SAMPLE);
      await_start(folder, v.supervisor, now);
      rest(0.05 + 0.9 * nas_rng_unit(now, 9));
      chaos_fault fault = (chaos_fault)(CHAOS_FAULTS * nas_rng_unit(now, 8));
      if (fault == CHAOS_KILL_TRIAL && killed_trial) continue;
      if (over(v.supervisor) || !chaos_inject(&v, fault, now)) continue;
      killed_trial = killed_trial || fault == CHAOS_KILL_TRIAL;
      o->faults[fault]++;
      done++;
    }
    int status = await(v.supervisor, end - nas_clock());
    if (status == 0 || status == 3) return;
    if (status < 0) {
      chaos_kill_all(&v);
      waitpid(v.supervisor, NULL, 0);
      snprintf(o->trouble, sizeof o->trouble, "not over after %.0f s", campaign_seconds);
      return;
    }
    if (status != 75 && status != 128 + SIGKILL && status != 128 + SIGTERM) {
      snprintf(o->trouble, sizeof o->trouble, "the supervisor ended with status %d", status);
      return;
    }
    rest(0.2);
  }
}

/* ---- the comparison ---- */

static nas_status load(const char *path, nas_db_trial **rows, size_t *n, outcome *o, nas_err *err) {
  static const char *const kinds[] = {"late", "same", "conflict", "lost", "paused"};
  nas_db *db;
  nas_db_campaign *campaign = NULL;
  NAS_TRY(nas_db_open(path, NAS_DB_READ, &db, err));
  nas_status status = nas_db_campaign_load(db, 0, &campaign, err);
  if (status == NAS_OK) status = nas_db_trials(db, campaign->id, rows, n, err);
  int64_t *counts[] = {&o->late, &o->same, &o->conflicts, &o->lost, &o->paused};
  for (int i = 0; i < 5 && status == NAS_OK; i++)
    status = nas_db_event_count(db, campaign->id, kinds[i], 0, counts[i], err);
  nas_rows problems = {0};
  int checks;
  if (status == NAS_OK) status = nas_db_verify(db, &problems, &checks, err);
  if (status == NAS_OK && problems.n)
    status = nas_fail(err, NAS_E_DB_UNREADABLE, path, "%s", nas_rows_at(&problems, 0, "what")->text);
  nas_rows_free(&problems);
  if (campaign) nas_db_campaign_free(campaign);
  nas_db_close(db);
  return status;
}

static const char *difference(const nas_db_trial *a, const nas_db_trial *b) {
  if (a->number != b->number || a->seed != b->seed || strcmp(a->arch, b->arch) != 0) return "another proposal";
  if (!a->finished || !b->finished) return "not finished";
  if (a->result.outcome != b->result.outcome) return "another outcome";
  if (a->result.n_epochs != b->result.n_epochs) return "another length of curve";
  for (size_t i = 0; i < a->result.n_epochs; i++)
    if (!nas_epoch_same(&a->result.epochs[i], &b->result.epochs[i])) return "another curve";
  if (a->params != b->params || a->macs != b->macs || strcmp(a->canonical, b->canonical) != 0) return "another network";
  return NULL;
}

static void compare(const char *folder, outcome *o) {
  char quiet[1100], chaos[1100];
  nas_db_trial *a = NULL, *b = NULL;
  size_t n = 0, m = 0;
  nas_err err = {0};
  snprintf(quiet, sizeof quiet, "%s/quiet.db", folder);
  snprintf(chaos, sizeof chaos, "%s/chaos.db", folder);
  nas_status status = load(quiet, &a, &n, o, &err);
  if (status == NAS_OK) status = load(chaos, &b, &m, o, &err);
  if (status != NAS_OK) snprintf(o->trouble, sizeof o->trouble, "%.60s: %.300s", err.where, err.msg);
  else if (n != m) snprintf(o->trouble, sizeof o->trouble, "%zu trials, %zu in the quiet run", m, n);
  for (size_t i = 0; i < n && i < m && !o->trouble[0]; i++) {
    const char *what = difference(&a[i], &b[i]);
    if (what)
      snprintf(o->trouble, sizeof o->trouble, "trial %zu: %s (%s, quiet %s): %.200s", i, what,
               nas_outcome_text(b[i].result.outcome), nas_outcome_text(a[i].result.outcome), b[i].result.cause.msg);
    o->attempts += b[i].attempt;
    o->failed_trials += b[i].result.outcome != NAS_OUTCOME_OK;
  }
  if (o->conflicts && !o->trouble[0])
    snprintf(o->trouble, sizeof o->trouble, "%lld conflicts", (long long)o->conflicts);
  o->trials = (int64_t)m;
  nas_db_trials_free(a, n);
  nas_db_trials_free(b, m);
}

static void one_campaign(const settings *s, int64_t number, outcome *o) {
  char folder[1000], path[1100];
  nas_err err = {0};
  nas_rng rng = nas_rng_make((uint64_t)s->seed, (uint32_t)number, NAS_STREAM_SAMPLE);
  nas_rng faults = nas_rng_make((uint64_t)s->seed * 1000003 + (uint64_t)number, 1, NAS_STREAM_SAMPLE);
  plan p = make_plan(s, rng);
  snprintf(folder, sizeof folder, "%s/%lld", s->folder, (long long)number);
  nas_folder_make(folder, NULL);
  snprintf(path, sizeof path, "%s/control", folder);
  chaos_control *control = make_control(path, &err);
  snprintf(path, sizeof path, "%s/c.yaml", folder);
  if (!control || nas_file_write_atomic(path, p.yaml, strlen(p.yaml), &err) != NAS_OK) {
    snprintf(o->trouble, sizeof o->trouble, "%.60s: %.300s", err.where, err.msg);
    return;
  }
  int quiet = await(launch(s, folder, &p, NULL), campaign_seconds);
  if (quiet != 0 && quiet != 3) {
    snprintf(o->trouble, sizeof o->trouble, "the quiet run ended with status %d", quiet);
    return;
  }
  torment(s, folder, &p, faults, control, o);
  o->refused = control->refused;
  o->slowed = control->slowed;
  o->delayed = control->delayed;
  if (!o->trouble[0]) compare(folder, o);
  if (o->trouble[0] || s->keep) return;
  snprintf(path, sizeof path, "rm -rf '%s'", folder);
  if (system(path) != 0) snprintf(o->trouble, sizeof o->trouble, "cannot remove %s", folder);
}

/* ---- all of them ---- */

static void add(outcome *all, const outcome *o) {
  for (int i = 0; i < CHAOS_FAULTS; i++) all->faults[i] += o->faults[i];
  const struct {
    int64_t *sum, value;
  } sums[] = {{&all->starts, o->starts},       {&all->trials, o->trials},   {&all->failed_trials, o->failed_trials},
              {&all->attempts, o->attempts},   {&all->refused, o->refused}, {&all->slowed, o->slowed},
              {&all->delayed, o->delayed},     {&all->late, o->late},       {&all->same, o->same},
              {&all->conflicts, o->conflicts}, {&all->lost, o->lost},       {&all->paused, o->paused}};
  for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) *sums[i].sum += sums[i].value;
}

static void print(const outcome *all, int64_t runs, int64_t wrong, double seconds) {
  int64_t total = 0;
  printf("%-40s %8s\n", "fault", "times");
  for (int i = 0; i < CHAOS_FAULTS; i++) {
    printf("%-40s %8lld\n", chaos_fault_text((chaos_fault)i), (long long)all->faults[i]);
    total += all->faults[i];
  }
  printf("%-40s %8lld\n", "all", (long long)total);
  printf(
      "\n%lld campaigns in %.0f s: %lld trials (%lld failed by design), %lld attempts, %lld starts; %lld writes "
      "refused, %lld syncs slowed, %lld messages held back; %lld trials lost with their worker, %lld late results, "
      "%lld repeated, %lld conflicts, %lld pauses\n",
      (long long)runs, seconds, (long long)all->trials, (long long)all->failed_trials, (long long)all->attempts,
      (long long)all->starts, (long long)all->refused, (long long)all->slowed, (long long)all->delayed,
      (long long)all->lost, (long long)all->late, (long long)all->same, (long long)all->conflicts,
      (long long)all->paused);
  printf("%lld tables differ from their quiet run\n", (long long)wrong);
}

static int run_all(const settings *s) {
  size_t size = (size_t)s->runs * sizeof(outcome);
  outcome *results = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  outcome all = {0};
  int64_t started = 0, running = 0, wrong = 0;
  double begun = nas_clock();
  if (results == MAP_FAILED) return 1;
  for (;;) {
    bool more = started < s->runs && nas_clock() - begun < s->seconds;
    if (!more && !running) break;
    if (more && running < s->jobs) {
      fflush(NULL);
      pid_t pid = fork();
      if (pid == 0) {
        one_campaign(s, started, &results[started]);
        _exit(0);
      }
      running += pid > 0;
      started++;
      continue;
    }
    if (wait(NULL) > 0) running--;
  }
  for (int64_t i = 0; i < started; i++) {
    add(&all, &results[i]);
    if (!results[i].trouble[0]) continue;
    wrong++;
    printf("campaign %lld (kept in %s/%lld): %s\n", (long long)i, s->folder, (long long)i, results[i].trouble);
  }
  print(&all, started, wrong, nas_clock() - begun);
  munmap(results, size);
  return wrong != 0;
}

int main(int argc, char **argv) {
  static const struct option flags[] = {
      {"runs", 1, 0, 'r'}, {"seed", 1, 0, 's'},    {"jobs", 1, 0, 'j'},   {"folder", 1, 0, 'f'}, {"program", 1, 0, 'p'},
      {"shim", 1, 0, 'l'}, {"seconds", 1, 0, 't'}, {"trials", 1, 0, 'n'}, {"keep", 0, 0, 'k'},   {0}};
  settings s = {.runs = 30,
                .trials = 40,
                .seed = 1,
                .jobs = 4,
                .seconds = INFINITY,
                .program = NAS_PROGRAM,
                .shim = NAS_CHAOS_SHIM};
  char folder[] = "/tmp/nascent-chaos-XXXXXX";
  for (int c; (c = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
    switch (c) {
      case 'r': s.runs = atoll(optarg); break;
      case 'n': s.trials = atoll(optarg); break;
      case 's': s.seed = atoll(optarg); break;
      case 'j': s.jobs = atoll(optarg); break;
      case 'f': s.folder = optarg; break;
      case 'p': s.program = optarg; break;
      case 'l': s.shim = optarg; break;
      case 't': s.seconds = atof(optarg); break;
      case 'k': s.keep = true; break;
      default: return 2;
    }
  }
  if (s.runs < 1 || s.trials < 1 || s.trials > 100000 || s.jobs < 1 || (!s.folder && !(s.folder = mkdtemp(folder))))
    return 2;
  int status = run_all(&s);
  if (status == 0 && s.folder == folder) rmdir(folder);
  return status;
}
