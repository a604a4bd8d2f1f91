#ifndef NAS_JOBS_STOP_SIGNAL_H
#define NAS_JOBS_STOP_SIGNAL_H
/* SIGINT, SIGTERM and SIGUSR1 (queues send it before a walltime ends) ask a campaign to stop. */
#include <signal.h>

/* Catch them (the coordinator), or leave them to the coordinator (workers). A second SIGINT kills as usual. */
void nas_stop_catch(void);
void nas_stop_ignore(void);
/* What was caught; 0: nothing. */
int nas_stop_caught(void);
/* Back to how it was before. */
void nas_stop_restore(void);
#endif
