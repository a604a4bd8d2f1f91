#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "runs.h"

const char *nas_runs_path(const char *name) {
  static char path[4][512];
  static int turn;
  turn = (turn + 1) % 4;
  snprintf(path[turn], sizeof path[turn], "%s/%s", nas_test_folder(), name);
  return path[turn];
}

void nas_runs_write(const char *name, const char *yaml) {
  char file[128];
  snprintf(file, sizeof file, "%s.yaml", name);
  assert_ok(nas_file_write_atomic(nas_runs_path(file), yaml, strlen(yaml), nas_test_err()));
}

static const char common[] =
    "space: {name: nas-bench-201, channels: 2, cells: 1}\n"
    "dataset: {name: shapes, images: 240, size: 8, classes: 4, train-images: 64, valid-images: 32, test-images: 32}\n"
    "recipe: {name: quick, epochs: 2, batch: 32}\n";

void nas_runs_write_train(const char *name, const char *more) {
  char text[2048];
  snprintf(text, sizeof text, "%s%s", common, more);
  nas_runs_write(name, text);
}

void nas_runs_write_noop(const char *name, const char *more) {
  char text[2048];
  snprintf(text, sizeof text, "%s%s%s", common,
           strstr(more, "evaluator:") ? "" : "evaluator: {name: noop, epochs: 2}\n", more);
  nas_runs_write(name, text);
}

void nas_runs_mpi_or_skip(void) {
  if (nas_run(NULL, NULL, "command -v mpirun") != 0) nas_skip("no mpirun");
}

static void command_line(char out[4096], int ranks, const char *environment, const char *name, const char *db,
                         const char *args) {
  char launcher[256] = "";
  /* Open MPI leaks what it loads; a leak checker would make every rank fail. */
  if (ranks > 0)
    snprintf(launcher, sizeof launcher,
             "env ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun "
             "--oversubscribe --bind-to none -n %d",
             ranks);
  snprintf(out, 4096, "cd '%s' && %s exec %s '%s' search %s.yaml --db %s.db -q %s", nas_test_folder(), environment,
           launcher, nas_program(), name, db, args);
}

int nas_runs_search(int ranks, const char *environment, const char *name, const char *db, const char *args,
                    char **err_out) {
  char line[4096];
  command_line(line, ranks, environment, name, db, args);
  return nas_run(NULL, err_out, "%s", line);
}

static const char *heartbeat(const char *db) {
  char file[128];
  snprintf(file, sizeof file, "%s.db.work/heartbeat.json", db);
  return nas_runs_path(file);
}

pid_t nas_runs_start(int ranks, const char *environment, const char *name, const char *db, const char *args) {
  char line[4096], quiet[4200];
  command_line(line, ranks, environment, name, db, args);
  snprintf(quiet, sizeof quiet, "exec </dev/null >/dev/null 2>&1; %s", line);
  unlink(heartbeat(db)); /* that of the run before */
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    setsid();
    execl("/bin/bash", "bash", "-c", quiet, (char *)NULL);
    _exit(127);
  }
  assert_true(pid > 0);
  return pid;
}

/* Kills all live processes of a session once; gives how many there were. */
static int kill_all(pid_t session) {
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
    char *after = strrchr(text, ')');
    if (!after || sscanf(after + 1, " %c %d %d %d", &state, &parent, &group, &sid) != 4) continue;
    if (sid != session || state == 'Z') continue;
    kill(pid, SIGKILL);
    n++;
  }
  if (proc) closedir(proc);
  return n;
}

void nas_runs_kill(pid_t session) {
  while (kill_all(session)) nanosleep(&(struct timespec){0, 1000000}, NULL);
  waitpid(session, NULL, 0);
}

int nas_runs_wait(pid_t session, double seconds) {
  int status;
  for (double end = nas_clock() + seconds; nas_clock() < end; nanosleep(&(struct timespec){0, 5000000}, NULL)) {
    pid_t got = waitpid(session, &status, WNOHANG);
    if (got == session) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return -1;
}

/* The trials that the newest heartbeat counts as done; -1 before the first. */
static long beaten(const char *db) {
  char *text = NULL;
  size_t n;
  if (nas_file_read(heartbeat(db), 1 << 20, &text, &n, NULL) != NAS_OK) return -1;
  const char *done = strstr(text, "\"done\": ");
  const long count = done ? strtol(done + 8, NULL, 10) : -1;
  free(text);
  return count;
}

void nas_runs_await_done(const char *db, long trials, double seconds) {
  for (double end = nas_clock() + seconds; nas_clock() < end; nanosleep(&(struct timespec){0, 20000000}, NULL))
    if (beaten(db) >= trials) return;
  fail_msg("%s.db: not %ld trials within %.0f s", db, trials, seconds);
}

nas_db_trial *nas_runs_trials(const char *db, size_t *n) {
  char file[128];
  nas_db *open;
  nas_db_campaign *campaign;
  nas_db_trial *rows;
  snprintf(file, sizeof file, "%s.db", db);
  assert_ok(nas_db_open(nas_runs_path(file), NAS_DB_READ, &open, nas_test_err()));
  assert_ok(nas_db_campaign_load(open, 0, &campaign, nas_test_err()));
  assert_ok(nas_db_trials(open, campaign->id, &rows, n, nas_test_err()));
  nas_db_campaign_free(campaign);
  nas_db_close(open);
  return rows;
}

static void add_bits(nas_str *out, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  nas_str_fmt(out, " %016llx", (unsigned long long)bits);
}

char *nas_runs_table(const char *db) {
  size_t n;
  nas_db_trial *rows = nas_runs_trials(db, &n);
  nas_str out = {0};
  for (size_t i = 0; i < n; i++) {
    const nas_db_trial *t = &rows[i];
    nas_str_fmt(&out, "%llu %s %llu %s", (unsigned long long)t->number, t->arch, (unsigned long long)t->seed,
                t->finished ? nas_outcome_text(t->result.outcome) : "unfinished");
    for (size_t k = 0; k < t->result.n_epochs; k++) {
      const nas_epoch *e = &t->result.epochs[k];
      const double figures[] = {e->train_loss,     e->train_accuracy, e->valid_loss,
                                e->valid_accuracy, e->test_loss,      e->test_accuracy};
      nas_str_fmt(&out, " |%d", e->epoch);
      for (size_t f = 0; f < 6; f++) add_bits(&out, figures[f]);
    }
    nas_str_add(&out, "\n");
  }
  nas_db_trials_free(rows, n);
  assert_ok(nas_str_check(&out, nas_test_err()));
  return out.s ? out.s : strdup("");
}
