#ifndef NAS_TESTS_SEARCH_DRIVE_H
#define NAS_TESTS_SEARCH_DRIVE_H
/* Drives a strategy as a campaign with several workers does, and keeps what happened in order. */
#include "search/strategy.h"

enum { NAS_DRIVE_MAX = 512, NAS_DRIVE_EPOCHS = 27 };

typedef struct nas_event {
  bool is_tell;
  uint64_t number;
} nas_event;

typedef struct nas_history {
  nas_arch arch[NAS_DRIVE_MAX]; /* by ask number */
  int32_t epochs[NAS_DRIVE_MAX];
  uint64_t continues[NAS_DRIVE_MAX];
  nas_event events[2 * NAS_DRIVE_MAX];
  size_t n_asks, n_events;
} nas_history;

/* A made-up validation accuracy of an architecture, and the tell of an ask; every `fail_every`-th ask fails (0: none).
 */
double nas_drive_accuracy(const nas_arch *arch);
nas_tell nas_drive_tell(const nas_history *h, uint64_t number, uint64_t fail_every);

/* Goes on to `asks` asks with `workers` open at once; which of them is told next is shuffled by `order` (0: in turn).
 */
void nas_drive(nas_strategy *s, nas_history *h, size_t asks, size_t workers, uint64_t order, uint64_t fail_every);
/* Repeats the recorded events on a fresh strategy and checks each proposal. */
void nas_drive_replay(nas_strategy *s, const nas_history *h, uint64_t fail_every);

nas_space *nas_drive_space(void);
nas_strategy *nas_drive_open(const char *name, const char *settings, const nas_space *space, uint64_t seed);
#endif
