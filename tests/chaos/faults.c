#include "faults.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

const char *chaos_fault_text(chaos_fault fault) {
  static const char *const texts[] = {
#define CHAOS_FAULT(name, text) text,
#include "faults.def"
#undef CHAOS_FAULT
  };
  return texts[fault];
}

typedef struct process {
  pid_t pid, parent;
  char name[32];
} process;

enum { PROCESSES_MAX = 4096 };

static size_t list(process *out) {
  size_t n = 0;
  DIR *proc = opendir("/proc");
  for (struct dirent *e; proc && n < PROCESSES_MAX && (e = readdir(proc));) {
    char path[300], text[512], state;
    int pid = atoi(e->d_name), parent;
    if (pid <= 0) continue;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) continue;
    size_t got = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[got] = '\0';
    char *open = strchr(text, '('), *after = strrchr(text, ')');
    if (!open || !after || sscanf(after + 1, " %c %d", &state, &parent) != 2 || state == 'Z') continue;
    *after = '\0';
    out[n] = (process){.pid = pid, .parent = parent};
    snprintf(out[n++].name, sizeof out->name, "%.31s", open + 1);
  }
  if (proc) closedir(proc);
  return n;
}

/* Children of a process by name, at most `most`. */
static size_t children(pid_t parent, const char *name, pid_t *out, size_t most) {
  static process all[PROCESSES_MAX];
  size_t n = list(all), found = 0;
  for (size_t i = 0; i < n && found < most; i++)
    if (all[i].parent == parent && strncmp(all[i].name, name, 15) == 0) out[found++] = all[i].pid;
  return found;
}

static pid_t mpirun_of(const chaos_victim *v) {
  pid_t pid;
  return children(v->supervisor, "mpirun", &pid, 1) ? pid : 0;
}

static bool is_leader(pid_t pid) {
  char path[64], bytes[65536];
  snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
  FILE *f = fopen(path, "r");
  if (!f) return false;
  size_t n = fread(bytes, 1, sizeof bytes - 1, f);
  fclose(f);
  bytes[n] = '\0';
  for (const char *p = bytes; p < bytes + n; p += strlen(p) + 1)
    if (strcmp(p, "OMPI_COMM_WORLD_RANK=0") == 0) return true;
  return false;
}

/* A rank of the job: the first one, or any other. */
static pid_t rank_of(const chaos_victim *v, bool leader, nas_rng rng) {
  pid_t ranks[64], fitting[64], mpirun = mpirun_of(v);
  size_t n = mpirun ? children(mpirun, "nascent", ranks, 64) : 0, k = 0;
  for (size_t i = 0; i < n; i++)
    if (is_leader(ranks[i]) == leader) fitting[k++] = ranks[i];
  return k ? fitting[(size_t)(nas_rng_unit(rng, 1) * (double)k)] : 0;
}

static pid_t child_of(pid_t parent, const char *name) {
  pid_t pid;
  return parent && children(parent, name, &pid, 1) ? pid : 0;
}

static bool signal_to(pid_t pid, int number) { return pid > 0 && kill(pid, number) == 0; }

static void rest(double seconds) {
  nanosleep(&(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)}, NULL);
}

static bool hold(pid_t pid, double seconds) {
  if (!signal_to(pid, SIGSTOP)) return false;
  rest(seconds);
  return signal_to(pid, SIGCONT);
}

static void kill_tree(pid_t pid) {
  static process all[PROCESSES_MAX];
  size_t n = list(all);
  pid_t below[256];
  size_t k = 0;
  for (size_t i = 0; i < n && k < 256; i++)
    if (all[i].parent == pid) below[k++] = all[i].pid;
  kill(pid, SIGKILL);
  for (size_t i = 0; i < k; i++) kill_tree(below[i]);
}

void chaos_kill_all(const chaos_victim *v) { kill_tree(v->supervisor); }

static int64_t later(double seconds) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + (int64_t)(seconds * 1e9);
}

bool chaos_inject(const chaos_victim *v, chaos_fault fault, nas_rng rng) {
  double some = nas_rng_unit(rng, 0);
  chaos_control *c = v->control;
  switch (fault) {
    case CHAOS_KILL_WORKER: return signal_to(rank_of(v, false, rng), SIGKILL);
    case CHAOS_KILL_LEADER: return signal_to(rank_of(v, true, rng), SIGKILL);
    case CHAOS_KILL_MPIRUN: return signal_to(mpirun_of(v), SIGKILL);
    case CHAOS_KILL_ZYGOTE: return signal_to(child_of(rank_of(v, false, rng), "nascent-zygote"), SIGKILL);
    case CHAOS_KILL_TRIAL:
      return signal_to(child_of(child_of(rank_of(v, false, rng), "nascent-zygote"), "nascent-trial"), SIGKILL);
    case CHAOS_KILL_ALL: chaos_kill_all(v); return true;
    case CHAOS_STOP_WORKER: return hold(rank_of(v, false, rng), 0.2 + 2 * some);
    case CHAOS_STOP_LEADER: return hold(rank_of(v, true, rng), 0.2 + 2 * some);
    case CHAOS_TERM: return signal_to(v->supervisor, SIGTERM);
    case CHAOS_USR1: return rank_of(v, true, rng) && signal_to(mpirun_of(v), SIGUSR1);
    case CHAOS_FULL:
      c->full_tables = some < 0.6;
      c->full_until = later(0.1 + some);
      return true;
    case CHAOS_SLOW:
      c->slow_us = (int64_t)(5000 + 45000 * some);
      c->slow_until = later(1);
      return true;
    case CHAOS_DELAY:
      c->delay_us = (int64_t)(5000 + 100000 * some);
      c->delayed_until = later(1);
      return true;
    case CHAOS_FAULTS: break;
  }
  return false;
}
