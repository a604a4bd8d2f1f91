#include "jobs/hooks.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"

static const double longest_wait = 60;
enum { FACTS = 7 };

void nas_hooks_open(nas_hooks *h, const nas_campaign *c, const char *db, double best) {
  *h = (nas_hooks){.campaign = c, .db = db, .announced = best};
}

/* ---- the environment of a call ---- */

static void free_environment(char **list, size_t n_facts) {
  for (size_t i = 0; list && i < n_facts; i++) free(list[i]);
  free(list);
}

static bool is_fact(const char *variable, char *const *facts) {
  for (int i = 0; i < FACTS; i++) {
    size_t n = strcspn(facts[i], "=") + 1;
    if (strncmp(variable, facts[i], n) == 0) return true;
  }
  return false;
}

/* The facts, then this process's own variables but for older facts. The first FACTS texts are owned. */
static char **make_environment(const nas_hooks *h, const char *event, const nas_campaign_summary *s) {
  size_t n = 0, at = FACTS;
  while (environ[n]) n++;
  char **list = calloc(FACTS + n + 1, sizeof(*list));
  if (!list) return NULL;
  nas_str facts[FACTS] = {0};
  nas_str_fmt(&facts[0], "NASCENT_EVENT=%s", event);
  nas_str_fmt(&facts[1], "NASCENT_DB=%s", h->db);
  nas_str_fmt(&facts[2], "NASCENT_CAMPAIGN=%s", h->campaign->name);
  nas_str_fmt(&facts[3], "NASCENT_DONE=%lld", (long long)s->done);
  nas_str_fmt(&facts[4], "NASCENT_FAILED=%lld", (long long)s->failed);
  nas_str_add(&facts[5], "NASCENT_BEST_VALID_ACCURACY=");
  if (!isnan(s->best_valid_accuracy)) nas_str_fmt(&facts[5], "%.2f", s->best_valid_accuracy);
  nas_str_fmt(&facts[6], "NASCENT_BEST_ARCH=%s", s->best_arch);
  bool whole = true;
  for (int i = 0; i < FACTS; i++) {
    list[i] = facts[i].s;
    whole = whole && facts[i].s && !facts[i].failed;
  }
  for (size_t i = 0; whole && i < n; i++)
    if (!is_fact(environ[i], list)) list[at++] = environ[i];
  if (whole) return list;
  free_environment(list, FACTS);
  return NULL;
}

/* ---- calls ---- */

static void complain(nas_hooks *h, const char *event, const char *what, int number) {
  h->failed++;
  nas_say("run.on-%s: the command %s %d; the campaign goes on", event, what, number);
}

/* The campaign's signals and their masks are not the hook's. */
static int spawn(pid_t *pid, char *const argv[], char *const envp[]) {
  posix_spawnattr_t attr;
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGINT);
  sigaddset(&usual, SIGTERM);
  sigaddset(&usual, SIGUSR1);
  sigaddset(&usual, SIGPIPE);
  int failure = posix_spawnattr_init(&attr);
  if (failure) return failure;
  posix_spawnattr_setsigmask(&attr, &none);
  posix_spawnattr_setsigdefault(&attr, &usual);
  posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  failure = posix_spawn(pid, "/bin/sh", NULL, &attr, argv, envp);
  posix_spawnattr_destroy(&attr);
  return failure;
}

static void call(nas_hooks *h, const char *event, const char *command, const nas_campaign_summary *s) {
  char shell[] = "sh", flag[] = "-c", text[1024];
  nas_text_put(text, sizeof text, "%s", command);
  char *const argv[] = {shell, flag, text, NULL};
  char **environment = make_environment(h, event, s);
  int failure = environment ? spawn(&h->pid, argv, environment) : ENOMEM;
  free_environment(environment, FACTS);
  if (!failure) return;
  h->pid = 0;
  complain(h, event, "could not be started, error", failure);
}

/* True when none runs any more. */
static bool has_ended(nas_hooks *h, const char *event) {
  int status;
  if (!h->pid) return true;
  pid_t ended = waitpid(h->pid, &status, WNOHANG);
  if (ended == 0) return false;
  h->pid = 0;
  if (ended > 0 && WIFSIGNALED(status)) complain(h, event, "was killed by signal", WTERMSIG(status));
  else if (ended > 0 && WEXITSTATUS(status)) complain(h, event, "ended with status", WEXITSTATUS(status));
  return true;
}

static void await(nas_hooks *h, const char *event) {
  for (double end = nas_clock() + longest_wait; !has_ended(h, event) && nas_clock() < end;)
    nanosleep(&(struct timespec){0, 20000000}, NULL);
  if (h->pid) complain(h, event, "still runs after seconds:", (int)longest_wait);
  h->pid = 0;
}

void nas_hooks_look(nas_hooks *h, const nas_campaign_summary *s) {
  double best = s->best_valid_accuracy;
  if (!h->campaign->run.on_improve[0] || !has_ended(h, "improve")) return;
  if (isnan(best) || (!isnan(h->announced) && best <= h->announced)) return;
  h->announced = best;
  call(h, "improve", h->campaign->run.on_improve, s);
}

void nas_hooks_close(nas_hooks *h, const nas_campaign_summary *s, bool finished) {
  if (h->pid) await(h, "improve");
  nas_hooks_look(h, s);
  if (h->pid) await(h, "improve");
  if (!finished || !h->campaign->run.on_finish[0]) return;
  call(h, "finish", h->campaign->run.on_finish, s);
  await(h, "finish");
}
