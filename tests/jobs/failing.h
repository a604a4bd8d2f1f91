#ifndef NAS_TESTS_JOBS_FAILING_H
#define NAS_TESTS_JOBS_FAILING_H
/* Calls to the system and to the allocator that fail on demand, in this process: the wrappers of test_failing_calls.c
 * stand in front of the C library's for everything that the test program has linked, SQLite included. */
#include <stdbool.h>
#include <stdint.h>

typedef enum nas_failing {
  NAS_FAILING_WRITES,     /* write and pwrite say ENOSPC; fsync and fdatasync EIO */
  NAS_FAILING_ALLOCATIONS /* malloc, calloc, realloc give NULL; not with sanitizers, which have an allocator of their
                             own */
} nas_failing;

/* From here on the call number `at` (from 1) of this kind fails, and `more` calls after it. */
void nas_failing_begin(nas_failing kind, int64_t at, int64_t more);
/* All succeed again. Whether the call that was to fail was reached. */
bool nas_failing_end(void);
/* Whether allocations can be made to fail in this build. */
bool nas_failing_allocations(void);
#endif
