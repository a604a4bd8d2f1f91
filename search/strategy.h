#ifndef NAS_SEARCH_STRATEGY_H
#define NAS_SEARCH_STRATEGY_H
/* Strategies behind one ask/tell table. A strategy proposes architectures and learns of their validation results;
 * it never sees test accuracy (nas_tell has no place for it). One file and one line in strategies.def each.
 *
 * Rules: ask number k may use only the options, the space, numbers from nas_strategy_rng(s, k) and the tells so far;
 * so replaying the recorded asks and tells in order restores the state exactly. Any number of asks may be open at
 * once and tells come in any order. */
#include "base/options.h"
#include "base/result.h"
#include "base/rng.h"
#include "space/space.h"

typedef struct nas_strategy nas_strategy;

/* The result of a trial as a strategy may know it. */
typedef struct nas_tell {
  uint64_t number; /* of the ask */
  nas_arch arch;
  nas_outcome outcome;
  double valid_accuracy; /* percent, of the last epoch; NaN unless the outcome is ok */
  double valid_loss, seconds, params, macs;
  const double *valid_curve; /* validation accuracy per epoch; borrowed */
  size_t n_curve;
} nas_tell;

typedef struct nas_strategy_type {
  const char *name;
  int version;
  const char *summary, *citation;
  const nas_option *options;
  size_t options_size, state_size;                   /* state is zeroed before open */
  nas_status (*open)(nas_strategy *s, nas_err *err); /* may be NULL */
  void (*close)(nas_strategy *s);                    /* may be NULL */
  /* EXHAUSTED when nothing is left to propose. */
  nas_status (*ask)(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err);
  nas_status (*tell)(nas_strategy *s, const nas_tell *tell, nas_err *err);
} nas_strategy_type;

const nas_strategy_type *const *nas_strategy_types(void);
nas_status nas_strategy_find(const char *name, const nas_strategy_type **out, nas_err *err);

/* Opens a strategy on a space (borrowed). Free with nas_strategy_close. */
nas_status nas_strategy_open(const char *name, const nas_settings *settings, const nas_space *space, uint64_t seed,
                             nas_strategy **out, nas_err *err);
void nas_strategy_close(nas_strategy *s);
/* Numbers must rise by one from 0. */
nas_status nas_strategy_ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err);
nas_status nas_strategy_tell(nas_strategy *s, const nas_tell *tell, nas_err *err);

/* For implementations. */
const nas_strategy_type *nas_strategy_type_of(const nas_strategy *s);
const nas_space *nas_strategy_space(const nas_strategy *s);
const void *nas_strategy_options(const nas_strategy *s);
void *nas_strategy_state(nas_strategy *s);
nas_rng nas_strategy_rng(const nas_strategy *s, uint64_t ask_number);
#endif
