#ifndef NAS_TESTS_CHAOS_CONTROL_H
#define NAS_TESTS_CHAOS_CONTROL_H
/* What the driver tells the shim in every process of a campaign, through a shared mapping of one small file. Times are
 * of the system's monotonic clock, in nanoseconds. */
#include <stdint.h>

#define CHAOS_CONTROL "NASCENT_CHAOS_CONTROL"

typedef struct chaos_control {
  volatile int64_t full_until;  /* writes to tables and spools fail with ENOSPC */
  volatile int64_t full_tables; /* not 0: tables only, spools can be written */
  volatile int64_t slow_until;  /* syncs of them take slow_us longer */
  volatile int64_t slow_us;
  volatile int64_t delayed_until; /* messages between ranks leave up to delay_us late */
  volatile int64_t delay_us;
  volatile int64_t refused, slowed, delayed; /* how often each was done */
} chaos_control;
#endif
