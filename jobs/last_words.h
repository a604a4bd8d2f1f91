#ifndef NAS_JOBS_LAST_WORDS_H
#define NAS_JOBS_LAST_WORDS_H
/* What a trial process says when it dies of a fault, on standard error: where in the network it was, and in which
 * functions. */

/* For SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT: writes "in the backward pass at LABEL" during a step of a network
 * (base/doing.h), then one line "backtrace: f+0x1 < library.so+0x2 < ..." (innermost first; frames without a name stand
 * once for each row of them in a library), then dies of the same signal. Works on a stack of its own, so that a stack
 * overflow is described too. */
void nas_last_words_install(void);
#endif
