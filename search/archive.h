#ifndef NAS_SEARCH_ARCHIVE_H
#define NAS_SEARCH_ARCHIVE_H
/* What was asked and what came back, by ask number: the memory of strategies that learn from all results. */
#include "search/map.h"
#include "search/strategy.h"

typedef struct nas_entry {
  nas_arch arch;
  bool told, ok;  /* ok: told with a finite validation accuracy */
  int32_t epochs; /* of the proposal; 0 = all */
  double value;   /* validation accuracy in percent; NaN unless ok */
} nas_entry;

/* Start from {0}; free with nas_archive_close. */
typedef struct nas_archive {
  nas_entry *rows; /* by ask number */
  size_t n, cap;
  size_t *good; /* numbers of the ok entries in the order of their tells */
  size_t n_good, cap_good, n_told;
  size_t *open; /* numbers without a tell, in the order of the asks */
  size_t n_open, cap_open;
} nas_archive;

void nas_archive_close(nas_archive *a);
/* Every ask in turn, every tell as it comes. */
nas_status nas_archive_ask(nas_archive *a, const nas_arch *arch, int32_t epochs, nas_err *err);
nas_status nas_archive_tell(nas_archive *a, const nas_tell *t, nas_err *err);
/* True for a result to learn from. */
bool nas_tell_ok(const nas_tell *t);

/* Fills `best` with the numbers of at most `k` ok entries of the highest value, best first; equals in the order of
 * their tells. Returns how many. Cost: k times the entries at worst, a single pass for small k. */
size_t nas_archive_best(const nas_archive *a, size_t k, size_t *best);
#endif
