#ifndef NAS_BASE_PROGRESS_H
#define NAS_BASE_PROGRESS_H
/* A progress line on a terminal: done, failed, best, rate and time left. Writes to a file descriptor the caller
 * names (stderr); on a terminal it redraws one line at most ten times a second, elsewhere it writes a plain line
 * at most every `plain_seconds`. Nothing is written when quiet. */
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct nas_progress {
  int fd;
  bool terminal, colour, quiet;
  double plain_seconds, started, last;
  int64_t done, total, failed; /* total 0 = unknown */
  int64_t first;               /* done at the start (a resumed campaign): not counted into the rate */
  char unit[16];               /* "trials", "epochs" */
  char note[160];              /* free text at the end, such as "best 91.20 %" */
} nas_progress;

void nas_progress_start(nas_progress *p, int fd, bool quiet, const char *unit, int64_t first, int64_t total);
/* Draws when due; `force` draws now. Set done, failed and note before. */
void nas_progress_draw(nas_progress *p, bool force);
/* Draws the last state and ends the line. */
void nas_progress_end(nas_progress *p);
/* Clears the line (before other output to the terminal). */
void nas_progress_clear(nas_progress *p);
/* A line of its own, which is written even when quiet: for what people must know at once. */
void nas_progress_say(nas_progress *p, const char *fmt, ...) NAS_PRINTF(2, 3);
/* The same on standard error, where no progress line is drawn. */
void nas_say(const char *fmt, ...) NAS_PRINTF(1, 2);
/* "1h02m", "3m20s", "12s". */
const char *nas_progress_time(char out[16], double seconds);
#endif
