#ifndef NAS_JOBS_CAMPAIGN_H
#define NAS_JOBS_CAMPAIGN_H
/* Campaigns: a file names a space, data set, recipe, evaluator and strategy with their options, a budget and a seed;
 * running it fills a table. Rank 0 coordinates and alone writes; the other ranks evaluate, each trial in a child
 * process. Without mpirun one process coordinates one local worker child. */
#include <signal.h>

#include "base/hash.h"
#include "base/options.h"
#include "base/result.h"
#include "base/status.h"
#include "base/str.h"

/* One section per registry plus budget and trial; the option structs of the last two are public. */
typedef struct nas_budget {
  int64_t trials; /* 0 = no limit of this kind */
  double seconds;
  int64_t epochs;
} nas_budget;

typedef struct nas_trial_limits {
  double seconds; /* wall clock per trial; 0 = none */
  int64_t memory; /* bytes per trial process above its idle size; 0 = none */
  int64_t reuse;  /* trials that one child process serves before it is replaced */
  int64_t ahead; /* further trials that a worker holds while one runs: the strategy is asked for them early; -1: auto */
  int64_t threads; /* cores of a trial process with run.bind */
} nas_trial_limits;

/* How a campaign is run; changes no number, and may differ when it is gone on with. */
typedef struct nas_run_settings {
  double lease;        /* seconds of silence after which a worker is taken for lost */
  double patience;     /* seconds that a table which cannot be written is tried again before the run gives up */
  double grace;        /* seconds that trials get for their checkpoints when the run is asked to stop */
  int64_t checkpoints; /* bytes that checkpoints may take together; 0 = no limit */
  int64_t memory;      /* bytes that all trials of one node may take together; 0 = no limit */
  bool bind;           /* trial processes to cores of their own */
  char folder[512];    /* of spools and the heartbeat; "": TABLE.work */
  double snapshot;     /* seconds between copies of the table for readers; 0 = none */
  char log[512];       /* folder of one log per rank; "" = none */
  int64_t log_size;    /* bytes after which a log is rotated */
  char on_improve[1024], on_finish[1024]; /* shell commands; "" = none */
} nas_run_settings;

typedef struct nas_campaign {
  char name[128];
  char space[64], dataset[64], recipe[64], evaluator[64], strategy[64];
  nas_settings space_settings, dataset_settings, recipe_settings, evaluator_settings, strategy_settings;
  nas_budget budget;
  nas_trial_limits trial;
  nas_run_settings run;
  int64_t seed;
  char data_dir[512];
} nas_campaign;

/* Reads the YAML file (path), applies "section.key=value" overrides, and checks everything against the registries:
 * unknown sections, keys and names are errors with file:line:column and the nearest name. */
nas_status nas_campaign_load(const char *path, const char *const *overrides, size_t n_overrides, nas_campaign *out,
                             nas_err *err);
/* The same from bytes in memory; `path` names them in messages. */
nas_status nas_campaign_parse(const char *path, const char *bytes, size_t n, const char *const *overrides,
                              size_t n_overrides, nas_campaign *out, nas_err *err);
void nas_campaign_free(nas_campaign *c);
/* The option tables of the file's own keys (name, seed, data-dir) and of its sections budget, trial and run. */
const nas_option *nas_campaign_options(void);
const nas_option *nas_campaign_budget_options(void);
const nas_option *nas_campaign_trial_options(void);
const nas_option *nas_campaign_run_section_options(void);
/* The options of one named section ("space") as canonical "key=value" lines. */
nas_status nas_campaign_section_record(const nas_campaign *c, const char *section, nas_str *out, nas_err *err);
/* The resolved configuration, every option included, as canonical "section.key=value" lines. */
nas_status nas_campaign_record(const nas_campaign *c, nas_str *out, nas_err *err);

/* The same with the keys that change no number: what --check prints. */
nas_status nas_campaign_resolved(const nas_campaign *c, nas_str *out, nas_err *err);
/* Whether it could run here: the data set is there and whole, the evaluator and the strategy take their options
 * together. Nothing is run, written or sent. */
nas_status nas_campaign_check(const nas_campaign *c, nas_err *err);

/* Whether a key of that record may differ between the runs of one campaign: budgets may grow, and how trials are spread
 * over processes changes no number. */
bool nas_campaign_key_may_differ(const char *key);
/* Names what a result must agree with to be of use to a campaign: its configuration but for such keys, the program, the
 * data. */
nas_status nas_campaign_identity(const nas_campaign *c, const char *data_digest, const char *split,
                                 char out[NAS_DIGEST_SIZE], nas_err *err);

typedef struct nas_campaign_run_options {
  const char *db; /* path of the table */
  bool resume;    /* go on with the newest campaign in the table */
  bool quiet;
  int verbose;
} nas_campaign_run_options;

/* What rank 0 learned; zero on other ranks. */
typedef struct nas_campaign_summary {
  int64_t campaign; /* id in the table */
  int64_t done, failed, told_before;
  int64_t outcomes[NAS_OUTCOME_COUNT]; /* of the trials that are done */
  int64_t same, conflicts;             /* second results: equal to the bit; different */
  double seconds, best_valid_accuracy;
  char best_arch[512];
  bool coordinator; /* true on rank 0: only this process prints */
  bool preempted;
  int signal; /* the one that stopped it, when preempted */
} nas_campaign_summary;

/* Checks everything that a run would need but what is outside, and adds what the strategy would send out with its first
 * ask. UNSUPPORTED for a strategy that sends nothing. */
nas_status nas_campaign_preview(const nas_campaign *c, nas_str *out, nas_err *err);

/* Runs to the end of the budget. To be called once per process. */
nas_status nas_campaign_run(const nas_campaign *c, const nas_campaign_run_options *options,
                            nas_campaign_summary *summary, nas_err *err);

/* For a process that failed before nas_campaign_run, under mpirun: gathers the ranks' failures so that every rank ends
 * the same way. On rank 0 returns the first failure (its own before others') with the error filled; on other ranks
 * OK, for rank 0 does the printing and its exit status becomes mpirun's. Without mpirun returns `status`. */
nas_status nas_jobs_fail(nas_status status, nas_err *err);

/* True in a process of an mpirun job that is not rank 0 (known from the environment before MPI starts): such a process
 * leaves the printing of usage errors to rank 0. */
bool nas_jobs_is_secondary_rank(void);
#endif
