#include "jobs/supervise.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "bench-db/bench-db.h"
#include "jobs/heartbeat.h"
#include "jobs/ranks.h"
#include "jobs/stop_signal.h"

static const double first_delay = 1, longest_delay = 60;
static const double start_seconds = 300; /* a run may read its data for so long before its first heartbeat */
static const double ranks_seconds = 30;  /* ... and its ranks have at least so long to find each other */
static const double look_seconds = 0.1;
enum { ARGUMENTS_MAX = 400 };

typedef struct supervisor {
  const nas_campaign *campaign;
  const nas_supervise_options *o;
  char heartbeat[640], program[4096], ranks[24];
  pid_t job;            /* mpirun; leads the session that all its processes on this node are in */
  double begun, beaten; /* the last heartbeat that was seen; 0: none yet */
  bool asked;           /* to stop */
  double kill_at;
} supervisor;

static void pause_for(double seconds) {
  nanosleep(&(struct timespec){(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)}, NULL);
}

/* ---- the job ---- */

static nas_status start(supervisor *s, nas_err *err) {
  static const char *const mpirun[] = {"mpirun", "--enable-recovery", "--oversubscribe", "--bind-to", "none", "-n"};
  const char *argv[ARGUMENTS_MAX];
  size_t n = 0;
  for (size_t i = 0; i < sizeof mpirun / sizeof *mpirun; i++) argv[n++] = mpirun[i];
  argv[n++] = s->ranks;
  if (s->o->hostfile) {
    argv[n++] = "--hostfile";
    argv[n++] = s->o->hostfile;
  }
  const char *const own[] = {s->program, "search", "--resume", "--db", s->o->db};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) argv[n++] = own[i];
  if (s->o->quiet) argv[n++] = "-q";
  for (const char *const *a = s->o->arguments; *a; a++) {
    if (n == ARGUMENTS_MAX - 1) return nas_fail(err, NAS_E_USAGE, NULL, "too many arguments");
    argv[n++] = *a;
  }
  argv[n] = NULL;
  unlink(s->heartbeat); /* of a run that was killed */
  s->begun = nas_clock();
  s->beaten = 0;
  s->job = fork();
  if (s->job < 0) return nas_fail_errno(err, errno, "mpirun", "cannot start");
  if (s->job > 0) return NAS_OK;
  setsid();
  char seconds[24];
  nas_text_put(seconds, sizeof seconds, "%.0f", fmax(ranks_seconds, s->o->silence));
  setenv(NAS_START_VARIABLE, seconds, 0);
  execvp(argv[0], (char *const *)(uintptr_t)argv);
  _exit(127);
}

/* Kills what is left of the job's session; gives how many processes there were. */
static int kill_once(pid_t session) {
  DIR *proc = opendir("/proc");
  int n = 0;
  for (struct dirent *e; proc && (e = readdir(proc));) {
    char path[300], text[512], state;
    int pid = atoi(e->d_name), parent, group, sid;
    if (pid <= 0) continue;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) continue;
    size_t got = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[got] = '\0';
    const char *after = strrchr(text, ')');
    if (!after || sscanf(after + 1, " %c %d %d %d", &state, &parent, &group, &sid) != 4) continue;
    if (sid != session || state == 'Z') continue;
    kill(pid, SIGKILL);
    n++;
  }
  if (proc) closedir(proc);
  return n;
}

static void end_job(supervisor *s) {
  for (int i = 0; i < 1000 && kill_once(s->job); i++) pause_for(0.005);
  while (waitpid(s->job, NULL, 0) < 0 && errno == EINTR) continue;
}

/* The file goes when the campaign is over; what is still to be done then does not take long. */
static bool silent(supervisor *s) {
  double age = nas_heartbeat_age(s->heartbeat), now = nas_clock();
  if (age >= 0) s->beaten = now - age;
  if (s->beaten > 0) return now - s->beaten > s->o->silence;
  return now - s->begun > fmax(start_seconds, s->o->silence);
}

/* False where it is not worth waiting for: before the first heartbeat no trial has begun, and ranks that are just
 * starting would miss the signal or die of it. */
static bool ask_to_stop(supervisor *s) {
  if (!(s->beaten > 0)) return false;
  if (s->asked) return nas_clock() <= s->kill_at;
  s->asked = true;
  s->kill_at = nas_clock() + s->campaign->run.grace + 15;
  kill(s->job, SIGUSR1); /* mpirun passes it on; SIGTERM would make it kill the ranks at once */
  return true;
}

/* Until the job has ended or had to be killed. */
static void watch(supervisor *s) {
  for (;;) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)s->job, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == s->job) break;
    const bool is_silent = silent(s);
    if (nas_stop_caught() && !ask_to_stop(s)) break;
    if (is_silent) {
      nas_say("the run has been silent for %.0f s: it is killed and started again", s->o->silence);
      break;
    }
    pause_for(look_seconds);
  }
  end_job(s); /* what mpirun left behind, too */
}

/* ---- the verdict ---- */

/* The last process of the job may still be letting go of the table. */
static nas_status judge(const supervisor *s, nas_db_standing *out, nas_err *err) {
  *out = (nas_db_standing){0};
  for (double end = nas_clock() + 10;; pause_for(0.1)) {
    nas_db *db;
    nas_status status = nas_db_open(s->o->db, NAS_DB_READ, &db, err);
    if (status == NAS_E_DB_BUSY && nas_clock() < end) continue;
    if (status == NAS_E_NOT_FOUND) return NAS_OK;
    if (status != NAS_OK) return status;
    status = nas_db_standing_read(db, out, err);
    nas_db_close(db);
    return status;
  }
}

static nas_status stopped(const supervisor *s, const nas_db_standing *now, nas_err *err) {
  return nas_fail(err, nas_stop_caught() == SIGINT ? NAS_E_INTERRUPTED : NAS_E_PREEMPTED, s->o->db,
                  "stopped after %lld trials; the same command goes on", (long long)now->told);
}

/* Sleeps, but not through a signal. */
static void back_off(double seconds) {
  for (double end = nas_clock() + seconds; nas_clock() < end && !nas_stop_caught();) pause_for(look_seconds);
}

static nas_status supervise(supervisor *s, nas_supervision *out, nas_err *err) {
  nas_db_standing before, now;
  nas_err unread = {0};
  double delay = first_delay;
  int64_t fruitless = 0;
  if (judge(s, &before, &unread) != NAS_OK)
    nas_say("%s: %s", unread.where, unread.msg); /* the run will say so too, or find it mended */
  const int64_t first_turn = before.turn;        /* a campaign that had finished before says nothing of this run */
  for (;;) {
    NAS_TRY(start(s, err));
    out->starts++;
    watch(s);
    nas_status status = judge(s, &now, err);
    if (status != NAS_OK && !nas_stop_caught()) {
      nas_say("%s: %s", err->where, err->msg);
      now = before;
    }
    out->told = now.told;
    out->failed = now.failed;
    out->signal = nas_stop_caught();
    if (now.finished && now.turn > first_turn) return NAS_OK;
    if (nas_stop_caught()) return stopped(s, &now, err);
    bool progress = now.told > before.told;
    fruitless = progress ? 0 : fruitless + 1;
    delay = progress ? first_delay : fmin(2 * delay, longest_delay);
    if (fruitless > s->o->restarts)
      return nas_fail(err, NAS_E_CRASHED, s->o->db,
                      "%lld runs in a row ended without a new result; %lld trials are on record", (long long)fruitless,
                      (long long)now.told);
    nas_say("the run ended early after %lld trials; it is started again in %.0f s", (long long)now.told, delay);
    before = now;
    back_off(delay);
    if (nas_stop_caught()) return stopped(s, &now, err);
  }
}

nas_status nas_supervise(const nas_campaign *c, const nas_supervise_options *options, nas_supervision *out,
                         nas_err *err) {
  nas_err own;
  if (!err) err = &own;
  supervisor s = {.campaign = c, .o = options};
  *out = (nas_supervision){0};
  nas_heartbeat_path(c, options->db, s.heartbeat);
  nas_text_put(s.ranks, sizeof s.ranks, "%lld", (long long)options->ranks);
  ssize_t n = readlink("/proc/self/exe", s.program, sizeof s.program - 1);
  if (n <= 0) return nas_fail_errno(err, errno, "/proc/self/exe", "cannot find this program");
  s.program[n] = '\0';
  nas_stop_catch();
  nas_status status = supervise(&s, out, err);
  nas_stop_restore();
  return status;
}
