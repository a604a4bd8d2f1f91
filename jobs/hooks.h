#ifndef NAS_JOBS_HOOKS_H
#define NAS_JOBS_HOOKS_H
/* The commands that a campaign's file names for its events. They are the only place where a shell runs, and what they
 * are told about comes in environment variables, never as part of the command: NASCENT_EVENT (improve, finish),
 * NASCENT_DB, NASCENT_CAMPAIGN, NASCENT_DONE, NASCENT_FAILED, NASCENT_BEST_VALID_ACCURACY (percent; empty when there is
 * none) and NASCENT_BEST_ARCH. */
#include <sys/types.h>

#include "jobs/campaign.h"

/* At most one hook runs at a time; what happens meanwhile is one call when it ends. */
typedef struct nas_hooks {
  const nas_campaign *campaign;
  const char *db;
  pid_t pid;        /* that runs; 0: none */
  double announced; /* best accuracy that on-improve was called for; NaN: none */
  int failed;       /* calls that ended with another status than 0, or could not be made */
} nas_hooks;

/* A resumed campaign's best so far is no news. */
void nas_hooks_open(nas_hooks *h, const nas_campaign *c, const char *db, double best);
/* Calls on-improve when there is something new, and looks whether the last call has ended. Does not wait. */
void nas_hooks_look(nas_hooks *h, const nas_campaign_summary *s);
/* Waits for the running hook, then calls on-finish, if `finished`, and waits for it; each for a minute at most. */
void nas_hooks_close(nas_hooks *h, const nas_campaign_summary *s, bool finished);
#endif
