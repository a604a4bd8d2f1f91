#ifndef NAS_SEARCH_CONFORMANCE_H
#define NAS_SEARCH_CONFORMANCE_H
/* What every strategy must do, checked from outside: `nascent strategy check`. */
#include "search/strategy.h"

/* One check: name, what was wrong (empty when it passed), and why it was not made (NULL when it was). */
typedef struct nas_conformance {
  const char *name;
  char fault[200];
  const char *excuse;
} nas_conformance;

enum {
  NAS_CONFORMANCE_CHECKS = 9,
  NAS_CONFORMANCE_ASKS = 200, /* of a run, as `nascent strategy check` makes it */
  NAS_CONFORMANCE_BRIEF = 30  /* enough for every model to be fitted and used: for builds that are slow */
};

/* Runs all checks on a strategy with these options (NULL: its defaults) in a space. One that consults something outside
 * is excused from them unless it has options that say what: something that answers the same to the same. Accuracies are
 * made up from the genes; a strategy has no way to see test accuracy, as a tell has no place for it. A run is of `asks`
 * asks (at least 20), the one that measures memory of ten times as many. Errors: only what keeps the checks from
 * running, such as a lack of memory; a strategy that fails a check is OK with a fault. */
nas_status nas_conformance_check(const nas_strategy_type *type, const nas_settings *settings, const nas_space *space,
                                 uint64_t asks, nas_conformance out[NAS_CONFORMANCE_CHECKS], nas_err *err);
#endif
