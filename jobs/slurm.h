#ifndef NAS_JOBS_SLURM_H
#define NAS_JOBS_SLURM_H
/* Batch scripts for Slurm, made from the texts in jobs/slurm/: what to ask the queue for comes from the campaign, the
 * rest from the command line. */
#include "jobs/campaign.h"

typedef struct nas_slurm_options {
  const char *kind;                /* single, requeue, array or merge */
  const char *program, *file, *db; /* the program, the campaign's file and table, as the job is to name them */
  const char *const *arguments;    /* more for `nascent run`, NULL-terminated; or NULL */
  const char *time, *partition;    /* as Slurm takes them, or NULL */
  int64_t ranks, tasks;            /* MPI processes of a job; jobs of an array */
} nas_slurm_options;

/* Adds the script. Paths and arguments are quoted for the shell, so that no character of theirs is read by it. Errors:
 * UNKNOWN_NAME (kind), BAD_INPUT (time or partition that is none), OUT_OF_RANGE (ranks, tasks). */
nas_status nas_slurm_script(const nas_campaign *c, const nas_slurm_options *options, nas_str *out, nas_err *err);
#endif
