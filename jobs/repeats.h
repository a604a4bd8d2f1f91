#ifndef NAS_JOBS_REPEATS_H
#define NAS_JOBS_REPEATS_H
/* The architectures that were asked for: how often, which decides the seed of a repetition, and what was counted of
 * their networks. */
#include "space/space.h"

typedef struct nas_repeat {
  nas_arch arch;
  uint64_t times;      /* asked for; 0: an empty row */
  double params, macs; /* NaN: not counted yet, or there is no such network */
} nas_repeat;

typedef struct nas_repeats {
  nas_repeat *rows; /* a hash table */
  size_t n, cap;
} nas_repeats;

/* Gives how often it was asked for before, and counts this time. */
nas_status nas_repeats_count(nas_repeats *r, const nas_arch *arch, uint64_t *before, nas_err *err);
/* The row of an architecture, which stays there until the next one is counted; NULL: it was never counted. */
nas_repeat *nas_repeats_of(nas_repeats *r, const nas_arch *arch);
void nas_repeats_free(nas_repeats *r);
#endif
