#include "jobs/heartbeat.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

void nas_run_folder(const nas_campaign *c, const char *db, char out[512]) {
  if (c->run.folder[0]) nas_text_put(out, 512, "%s", c->run.folder);
  else nas_text_put(out, 512, "%s.work", db);
}

void nas_heartbeat_path(const nas_campaign *c, const char *db, char out[640]) {
  char folder[512];
  nas_run_folder(c, db, folder);
  nas_text_put(out, 640, "%s/heartbeat.json", folder);
}

static void add_trial(nas_str *out, const nas_coordinator *c, const nas_open_trial *t, double now) {
  char arch[NAS_ARCH_TEXT_MAX] = "";
  nas_space_format(c->setup.space, &t->arch, arch, NULL);
  nas_str_fmt(out, "{\"trial\": %lld, \"number\": %llu, \"attempt\": %d, \"worker\": %d, \"arch\": ", (long long)t->id,
              (unsigned long long)t->number, t->attempt, t->worker);
  nas_str_json(out, arch);
  nas_str_fmt(out, ", \"epoch\": %d, \"share\": ", t->epoch);
  nas_str_json_number(out, t->share);
  nas_str_add(out, ", \"train_loss\": ");
  nas_str_json_number(out, t->train_loss);
  nas_str_add(out, ", \"valid_accuracy\": ");
  nas_str_json_number(out, t->valid_accuracy);
  nas_str_fmt(out, ", \"seconds\": %.1f}", now - t->begun);
}

static const char *state_of(const nas_slot *slot) {
  switch (slot->state) {
    case NAS_SLOT_ABSENT: return "absent";
    case NAS_SLOT_READY: return slot->n_held ? "busy" : "idle";
    case NAS_SLOT_GONE: return "lost";
    case NAS_SLOT_REFUSED: return "refused";
    case NAS_SLOT_UNUSED: break;
  }
  return "none";
}

static void add_workers(nas_str *out, const nas_coordinator *c, double now) {
  bool first = true;
  for (int i = 0; i < c->n_slots; i++) {
    const nas_slot *s = &c->slots[i];
    if (s->state == NAS_SLOT_UNUSED) continue;
    double busy = s->busy_seconds + (s->n_held ? now - s->busy_since : 0);
    nas_str_fmt(out, "%s\n  {\"worker\": %d, \"host\": ", first ? "" : ",", i);
    nas_str_json(out, s->host);
    nas_str_fmt(out, ", \"pid\": %d, \"state\": \"%s\", \"held\": %d, \"busy_seconds\": %.1f}", s->pid, state_of(s),
                s->n_held, busy);
    first = false;
  }
}

static void compose(nas_str *out, const nas_coordinator *c) {
  double now = nas_clock();
  const nas_campaign_summary *s = c->summary;
  nas_str_fmt(out, "{\"schema\": \"nascent.heartbeat\", \"time\": %.3f, \"pid\": %d, \"host\": ", nas_clock_wall(),
              (int)getpid());
  nas_str_json(out, c->host);
  nas_str_add(out, ", \"name\": ");
  nas_str_json(out, c->campaign->name);
  nas_str_fmt(out, ", \"campaign\": %lld, \"state\": \"%s\", \"done\": %lld, \"failed\": %lld, \"asked\": %llu",
              (long long)c->id,
              c->paused     ? "paused"
              : c->stopping ? "stopping"
                            : "running",
              (long long)s->done, (long long)s->failed, (unsigned long long)c->asked);
  nas_str_add(out, ", \"outcomes\": {");
  for (int i = 0; i < NAS_OUTCOME_COUNT; i++)
    nas_str_fmt(out, "%s\"%s\": %lld", i ? ", " : "", nas_outcome_text((nas_outcome)i), (long long)s->outcomes[i]);
  nas_str_fmt(out, "}, \"told_before\": %lld, \"budget_trials\": %lld, \"seconds\": %.1f, \"best\": ",
              (long long)s->told_before, (long long)c->campaign->budget.trials, now - c->started);
  nas_str_json_number(out, s->best_valid_accuracy);
  nas_str_add(out, ", \"best_arch\": ");
  nas_str_json(out, s->best_arch);
  if (c->paused) {
    nas_str_add(out, ", \"why\": ");
    nas_str_json(out, c->why.msg);
  }
  nas_str_add(out, ", \"running\": [");
  bool first = true;
  for (int i = 0; i < c->n_slots; i++) {
    if (c->slots[i].n_held == 0) continue;
    nas_str_add(out, first ? "\n  " : ",\n  ");
    add_trial(out, c, c->slots[i].held[0], now);
    first = false;
  }
  nas_str_add(out, "], \"workers\": [");
  add_workers(out, c, now);
  nas_str_add(out, "]}\n");
}

/* The folder may have been cleared away under a run. */
static int make_file(const char *path) {
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  int fd = open(path, flags, 0644);
  if (fd >= 0 || errno != ENOENT) return fd;
  nas_folder_make_for(path, 0777);
  return open(path, flags, 0644);
}

/* Not synced: after a crash of the machine nobody beats anyway. On a full disk the old one counts as new, or the
 * supervisor would end a run that waits for space. */
static void replace(const char *path, const char *bytes, size_t n) {
  char fresh[700];
  nas_text_put(fresh, sizeof fresh, "%s.new", path);
  int fd = make_file(fresh);
  bool whole = fd >= 0 && write(fd, bytes, n) == (ssize_t)n;
  if (fd >= 0) close(fd);
  if (whole && rename(fresh, path) == 0) return;
  if (fd >= 0) unlink(fresh);
  utimensat(AT_FDCWD, path, NULL, 0);
}

void nas_heartbeat_write(const nas_coordinator *c, const char *path) {
  nas_str out = {0};
  compose(&out, c);
  if (!out.failed) replace(path, out.s, out.len);
  nas_str_free(&out);
}

double nas_heartbeat_age(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) return -1;
  return nas_clock_wall() - ((double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec);
}
