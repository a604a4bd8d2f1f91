#ifndef NAS_JOBS_RANK_LOG_H
#define NAS_JOBS_RANK_LOG_H
/* What one rank did, as lines of JSON for programs and grep: {"time": s since 1970, "rank", "kind", "trial", "number",
 * "attempt", "text"}. Only on request (run.log). A log is private (mode 0600): it may quote what a strategy was told.
 */
#include "jobs/campaign.h"
#include "jobs/wire.h"

typedef struct nas_rank_log {
  char path[640]; /* "": no log */
  int fd, rank;
  int64_t size, limit;
  double retry_at; /* a folder that is gone is looked for again then */
  bool complained;
} nas_rank_log;

enum { NAS_RANK_LOG_KEPT = 3 };

/* FOLDER/NAME.rankN.jsonl, appended to. A log that cannot be written is said once, on standard error, and tried again:
 * no campaign ends for want of its log. Messages may be written when run.log is empty: they go nowhere. */
void nas_rank_log_open(nas_rank_log *log, const nas_campaign *c, int rank);
/* trial 0, number and attempt -1: left out. */
void nas_rank_log_write(nas_rank_log *log, const char *kind, int64_t trial, int64_t number, int attempt,
                        const char *text);
/* A message that passes: its trial, and its outcome with cause, error or last words as text. */
void nas_rank_log_message(nas_rank_log *log, const nas_message *m);
void nas_rank_log_close(nas_rank_log *log);
#endif
