#ifndef NAS_BASE_STATUS_H
#define NAS_BASE_STATUS_H
/* Errors as values. Every fallible function returns a nas_status and fills a nas_err that its caller
 * owns. Nothing below cli/ prints, exits or aborts. */
#include <stdarg.h>
#include <stdint.h>

typedef enum nas_status {
#define NAS_STATUS(name, code, exit_status, summary) NAS_E_##name = (code),
#include "base/status.def"
#undef NAS_STATUS
} nas_status;
#define NAS_OK NAS_E_OK

/* What went wrong. Plain data of fixed size without pointers, so that it can be copied through a pipe, an
 * MPI message or a table. `where` is "file:line:column" of the input at fault, or a path, or "" where it
 * does not apply; `msg` says what is wrong and what to do instead, in one line without a final full stop. */
typedef struct nas_err {
  int32_t code; /* a nas_status */
  char where[188];
  char msg[320];
} nas_err;

#if defined(__GNUC__)
#define NAS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define NAS_PRINTF(fmt, args)
#endif

/* Fills err (which may be NULL) and returns code, so that `return nas_fail(err, ...)` reads well. `where`
 * may be NULL. Over-long texts are cut. */
nas_status nas_fail(nas_err *err, nas_status code, const char *where, const char *fmt, ...) NAS_PRINTF(4, 5);
nas_status nas_vfail(nas_err *err, nas_status code, const char *where, const char *fmt, va_list args) NAS_PRINTF(4, 0);

/* Turns errno-style `number` into a status (ENOSPC -> NO_SPACE, ENOMEM -> NO_MEMORY, ENOENT -> NOT_FOUND,
 * else IO) with the text "WHAT: strerror". */
nas_status nas_fail_errno(nas_err *err, int number, const char *where, const char *what);

/* Shorthand for a failed allocation of `what`. */
nas_status nas_fail_memory(nas_err *err, const char *what);

/* The analyzer reads one file at a time and cannot see that these never return OK; without this it follows paths that
 * do not exist. */
#ifdef __clang_analyzer__
#define nas_fail(err, code, ...)                 ((void)(nas_fail)(err, code, __VA_ARGS__), (code))
#define nas_fail_errno(err, number, where, what) ((void)(nas_fail_errno)(err, number, where, what), NAS_E_IO)
#define nas_fail_memory(err, what)               ((void)(nas_fail_memory)(err, what), NAS_E_NO_MEMORY)
#endif

/* "BAD_INPUT"; "UNKNOWN" for a number that is no code. */
const char *nas_status_name(nas_status code);
const char *nas_status_summary(nas_status code);
/* The exit status of the program for this code (docs: `nascent help exit-codes`). */
int nas_status_exit(nas_status code);

/* Evaluates an expression that returns a nas_status and returns it from the enclosing function unless OK. */
#define NAS_TRY(expr)                                    \
  do {                                                   \
    nas_status nas_try_status = (expr);                  \
    if (nas_try_status != NAS_OK) return nas_try_status; \
  } while (0)
#endif
