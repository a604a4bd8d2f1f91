#ifndef NAS_TESTS_JOBS_RUNS_H
#define NAS_TESTS_JOBS_RUNS_H
/* Runs campaigns through the program and reads their tables back. */
#include "bench-db/bench-db.h"
#include "harness.h"

/* Files NAME.yaml in the case's folder. */
void nas_runs_write(const char *name, const char *yaml);
/* A campaign that trains tiny networks on `shapes`, and one that trains nothing; `more` is added. */
void nas_runs_write_train(const char *name, const char *more);
void nas_runs_write_noop(const char *name, const char *more);

/* `nascent search NAME.yaml --db DB.db -q ARGS` in the case's folder, alone (ranks 0) or under mpirun; gives the exit
 * status. `environment`: "A=1 B=2" or "". */
int nas_runs_search(int ranks, const char *environment, const char *name, const char *db, const char *args,
                    char **err_out);
/* Starts the same in a session of its own; nas_runs_kill kills every process of it with SIGKILL. */
pid_t nas_runs_start(int ranks, const char *environment, const char *name, const char *db, const char *args);
void nas_runs_kill(pid_t session);
/* Waits until the run on DB.db is under way and has at least so many trials done. */
void nas_runs_await_done(const char *db, long trials, double seconds);
/* Waits at most `seconds` for its end; the exit status, or -1. */
int nas_runs_wait(pid_t session, double seconds);

/* Everything that must be the same of a table's newest campaign, one line per trial in ask order: number, arch, seed,
 * outcome, and the bits of the curve. Free it. */
char *nas_runs_table(const char *db);
/* The trials of the newest campaign. */
nas_db_trial *nas_runs_trials(const char *db, size_t *n);
/* "%s/NAME" in the case's folder; a static text. */
const char *nas_runs_path(const char *name);
/* Skips the case where mpirun is absent. */
void nas_runs_mpi_or_skip(void);
#endif
