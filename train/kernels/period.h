#ifndef NAS_TRAIN_PERIOD_H
#define NAS_TRAIN_PERIOD_H
/* Per-channel numbers are repeated to a period of at least 64 elements, so that narrow layers run in whole vectors and
 * have several sums under way at once: channel of element i is i modulo `channels`, and the period is a multiple of
 * both the channels and 16. Periods of 64 (1, 2, 4, 8, 16, 32 and 64 channels) keep all of it in registers. */
#include <stdint.h>
#include <string.h>

enum { PERIOD = 64, PERIOD_MAX = 16 * 64 };

static inline int64_t period_of(int64_t channels) {
  if (channels >= PERIOD) return channels;
  int64_t period = channels;
  while (period % 16) period *= 2;
  while (period < PERIOD) period += period;
  return period;
}

/* The per-channel numbers `from` repeated to a period in `room`; themselves when they are long enough. */
static inline const float *spread(const float *from, int64_t channels, int64_t period, float room[PERIOD_MAX]) {
  if (period == channels) return from;
  for (int64_t i = 0; i < period; i += channels) memcpy(room + i, from, (size_t)channels * sizeof *room);
  return room;
}

/* Adds the sums of a period to those of the channels. */
static inline void fold(const float *wide, int64_t period, int64_t channels, float *sum) {
  for (int64_t k = 0; k < channels; k++) sum[k] = 0;
  for (int64_t i = 0; i < period; i += channels)
    for (int64_t k = 0; k < channels; k++) sum[k] += wide[i + k];
}

#endif
