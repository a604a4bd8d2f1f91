#ifndef NAS_JOBS_LAST_WORDS_H
#define NAS_JOBS_LAST_WORDS_H
/* What a trial process says when it dies of a fault: the functions it was in, on standard error. */

/* For SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT: writes one line "backtrace: f+0x1 < g+0x2 < ..." (innermost first),
 * then dies of the same signal. Works on a stack of its own, so that a stack overflow is described too. */
void nas_last_words_install(void);
#endif
