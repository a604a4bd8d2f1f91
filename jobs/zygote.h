#ifndef NAS_JOBS_ZYGOTE_H
#define NAS_JOBS_ZYGOTE_H
/* The zygote: a small process forked before MPI starts (forking after MPI_Init is not safe) whose only work is to fork
 * trial processes on request, keep their last words, and say when one ends. All of them die with their parent. */
#include <sys/types.h>

#include "jobs/channel.h"

typedef struct nas_zygote {
  pid_t pid;
  nas_channel control; /* SPAWNED and EXITED messages arrive here */
} nas_zygote;

/* What a trial process does with its socket; the process ends when it returns. */
typedef void (*nas_zygote_serve)(int fd, const void *arg);

/* Forks the zygote; `arg` is inherited, the environment but for the variable `secret` (NULL or "": all of it) too. To
 * be called while the process has one thread. */
nas_status nas_zygote_start(nas_zygote *z, nas_zygote_serve serve, const void *arg, const char *secret, nas_err *err);
/* Asks for a trial process and gives the socket to talk to it. One at a time. */
nas_status nas_zygote_spawn(nas_zygote *z, int *fd, nas_err *err);
/* Kills the trial process with SIGKILL; EXITED follows. */
nas_status nas_zygote_kill(nas_zygote *z, nas_err *err);
/* Asks the trial process by SIGTERM to end what it does at a point where it can go on later. */
nas_status nas_zygote_preempt(nas_zygote *z, nas_err *err);
/* Ends the zygote and its trial process, and waits for both. */
void nas_zygote_stop(nas_zygote *z);
#endif
