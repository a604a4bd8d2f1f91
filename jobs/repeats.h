#ifndef NAS_JOBS_REPEATS_H
#define NAS_JOBS_REPEATS_H
/* How often each architecture has been asked for: it decides the seed of a repetition. */
#include "space/space.h"

typedef struct nas_repeats {
  struct nas_repeats_row *rows;
  size_t n, cap;
} nas_repeats;

/* Gives how often it was counted before, and counts it. */
nas_status nas_repeats_count(nas_repeats *r, const nas_arch *arch, uint64_t *before, nas_err *err);
void nas_repeats_free(nas_repeats *r);
#endif
