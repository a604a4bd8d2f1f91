#ifndef NAS_JOBS_WORKER_H
#define NAS_JOBS_WORKER_H
/* A worker: the thin parent of trial processes. It hands them trials, enforces limits from outside, replaces them when
 * they die or have served long enough, and turns every death into a recorded outcome. */
#include "jobs/campaign.h"
#include "jobs/zygote.h"

typedef struct nas_worker nas_worker;

/* Takes over the zygote (stopped by nas_worker_free), and begins the first trial process at once so that its data is
 * read while the coordinator gets ready. */
nas_status nas_worker_new(const nas_campaign *campaign, nas_zygote *zygote, nas_worker **out, nas_err *err);
void nas_worker_free(nas_worker *w);

/* Takes a trial. Those given while one runs wait in order. */
nas_status nas_worker_begin(nas_worker *w, const nas_message *trial, nas_err *err);
bool nas_worker_busy(const nas_worker *w);
/* The trial has ended elsewhere: it is dropped without a result, and its process killed if it runs. */
nas_status nas_worker_cancel(nas_worker *w, const nas_message *trial, nas_err *err);
/* Asks the running trial to end where it can go on later; it and those that wait give results `preempted`. */
nas_status nas_worker_preempt(nas_worker *w, nas_err *err);

/* Waits at most `timeout` seconds for news and, when *got, gives a message for the coordinator: HELLO once, PROGRESS
 * every few seconds while a trial runs, RESULT. Errors: the zygote is gone, or the trial processes cannot work. */
nas_status nas_worker_poll(nas_worker *w, double timeout, nas_message *out, bool *got, nas_err *err);
#endif
