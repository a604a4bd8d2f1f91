#ifndef NAS_CLI_STATUS_H
#define NAS_CLI_STATUS_H
/* What is known of a campaign: read from its heartbeat while it runs, else from its table. */
#include "base/result.h"
#include "base/status.h"

typedef struct nas_status_trial {
  int64_t trial, attempt, worker, epoch;
  double share, train_loss, valid_accuracy, seconds; /* share of the epoch; of the last whole epoch; since its start */
  char arch[512];
} nas_status_trial;

typedef struct nas_status_worker {
  int64_t worker, pid;
  double utilisation; /* share of the run's time in which it had a trial */
  char host[65], state[16];
} nas_status_worker;

typedef struct nas_status_report {
  char name[128], state[24], why[512], best_arch[512];
  bool live;                                               /* it runs now */
  double age;                                              /* seconds since the heartbeat; NaN: none */
  int64_t campaign, pid, done, failed, unfinished, budget; /* trials; budget 0: not by trials, or not known */
  int64_t outcomes[NAS_OUTCOME_COUNT];
  double best;                   /* validation accuracy, percent; NaN: none yet */
  double rate, eta, utilisation; /* trials per second of this run; seconds; share of all workers; NaN: not known */
  nas_status_trial *running;
  nas_status_worker *workers;
  size_t n_running, n_workers;
} nas_status_report;

/* `folder`: of the heartbeat, or NULL for DB.work. A campaign whose heartbeat is older than its process, or older than
 * 15 seconds, is `silent`: it was killed, or its machine is. Start from {0}; free also after an error. */
nas_status nas_status_read(const char *db, const char *folder, nas_status_report *out, nas_err *err);
void nas_status_free(nas_status_report *report);
#endif
