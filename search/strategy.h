#ifndef NAS_SEARCH_STRATEGY_H
#define NAS_SEARCH_STRATEGY_H
/* Strategies behind one ask/tell table. A strategy proposes architectures and learns of their validation results;
 * it never sees test accuracy (nas_tell has no place for it). One file and one line in strategies.def each.
 *
 * Rules: ask number k may use only the options, the space, numbers from nas_strategy_rng(s, k) and the tells so far;
 * so replaying the recorded asks and tells in order restores the state exactly. Any number of asks may be open at
 * once and tells come in any order.
 *
 * A strategy of several fidelities (successive halving and its kin) gives `propose` in place of `ask`: a proposal also
 * says how far to train, and which earlier trial it goes on with.
 *
 * A strategy that consults something outside the program, such as a language model, cannot be restored by asking again.
 * It gives `recall`: a resumed campaign hands it each recorded proposal with the notes that it made on the way, and
 * from those and the tells it must come to the state that it had. Its asks may use the clock too, and return PENDING
 * while they wait, so that nobody else has to. */
#include "base/note.h"
#include "base/options.h"
#include "base/result.h"
#include "base/rng.h"
#include "space/space.h"

typedef struct nas_strategy nas_strategy;

/* What to evaluate next. */
typedef struct nas_proposal {
  nas_arch arch;
  int32_t epochs; /* train up to this epoch of the recipe's schedule; 0: to its end */
  /* 1 + number of the finished ask that this one goes on with: same architecture, same seed, more epochs. Training from
   * the start up to `epochs` gives the same result. 0: a trial of its own. */
  uint64_t continues;
} nas_proposal;

/* The result of a trial as a strategy may know it. */
typedef struct nas_tell {
  uint64_t number; /* of the ask */
  nas_arch arch;
  nas_outcome outcome;
  double valid_accuracy; /* percent, of the last epoch; NaN unless the outcome is ok */
  double valid_loss, seconds, params, macs;
  const double *valid_curve; /* validation accuracy per epoch; borrowed */
  size_t n_curve;
  const nas_metric *metrics; /* what else the evaluator delivers to strategies, never of test data; borrowed */
  size_t n_metrics;
} nas_tell;

typedef struct nas_strategy_type {
  const char *name;
  int version;
  const char *summary, *citation;
  const nas_option *options;
  size_t options_size, state_size;                   /* state is zeroed before open */
  nas_status (*open)(nas_strategy *s, nas_err *err); /* may be NULL */
  void (*close)(nas_strategy *s);                    /* may be NULL */
  /* EXHAUSTED when nothing is left to propose. While results are out it may mean "not before the next result": it is
   * asked again after each, for the same number, until none is out. */
  nas_status (*ask)(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err);
  nas_status (*tell)(nas_strategy *s, const nas_tell *tell, nas_err *err);
  /* In place of `ask` where proposals have a fidelity; *out is zeroed. */
  nas_status (*propose)(nas_strategy *s, uint64_t number, nas_proposal *out, nas_err *err);
  bool seedless;    /* the seed does not change what is proposed */
  bool nonadaptive; /* results do not change what is proposed, so it may be asked before they are known */
  /* For strategies that consult something outside; all may be NULL. Takes over the recorded ask `number`, which made
   * these notes and proposed `arch`; NULL: it was cut off before it proposed anything, and will be asked again. */
  nas_status (*recall)(nas_strategy *s, uint64_t number, const nas_arch *arch, const nas_note *notes, size_t n_notes,
                       nas_err *err);
  /* Adds what the next ask would send out. */
  nas_status (*preview)(nas_strategy *s, nas_str *out, nas_err *err);
  /* Names of options that say how it reaches the outside and how often it may, not what it proposes: a resumed campaign
   * may have others. Ends with NULL. */
  const char *const *tunable;
  /* Name of the option that names an environment variable with a key, which no other process may get; NULL: none. */
  const char *secret;
} nas_strategy_type;

/* What a strategy is opened on. */
typedef struct nas_strategy_setup {
  const nas_space *space; /* borrowed */
  uint64_t seed;
  int32_t epochs; /* of the whole recipe; 0: not known */
  /* Names of metrics that the evaluator delivers in tells; NULL-terminated, may be NULL; borrowed. */
  const char *const *metrics;
  const char *task; /* what is trained, in a few words; NULL: not known; borrowed */
  /* Takes the notes that the strategy makes; NULL: they are dropped. */
  nas_status (*note)(void *arg, const nas_note *note, nas_err *err);
  void *note_arg;
  bool preview; /* opened for nas_strategy_preview alone: nothing outside is needed */
} nas_strategy_setup;

const nas_strategy_type *const *nas_strategy_types(void);
/* Adds a type (borrowed for good) to the registry: how plugins join. BAD_INPUT for a name that is taken (the same type
 * again is fine), OUT_OF_RANGE when there is no room for more. Not for several threads at once. */
nas_status nas_strategy_register(const nas_strategy_type *type, nas_err *err);
nas_status nas_strategy_find(const char *name, const nas_strategy_type **out, nas_err *err);

/* Opens a strategy. Free with nas_strategy_close. */
nas_status nas_strategy_open_with(const char *name, const nas_settings *settings, const nas_strategy_setup *setup,
                                  nas_strategy **out, nas_err *err);
/* The same for callers that train every architecture in full. */
nas_status nas_strategy_open(const char *name, const nas_settings *settings, const nas_space *space, uint64_t seed,
                             nas_strategy **out, nas_err *err);
void nas_strategy_close(nas_strategy *s);
/* Numbers must rise by one from 0. PENDING, with no error filled: it waits for something outside; ask for the same
 * number again later. */
nas_status nas_strategy_propose(nas_strategy *s, uint64_t number, nas_proposal *out, nas_err *err);
/* The same ask made before, as it was recorded: a strategy without `recall` is asked (and may propose something else,
 * which the caller checks), one with it takes the record over. arch NULL: an ask that came to nothing; it is not
 * counted. */
nas_status nas_strategy_recall(nas_strategy *s, uint64_t number, const nas_arch *arch, const nas_note *notes,
                               size_t n_notes, nas_proposal *out, nas_err *err);
/* The architecture alone, waited for. UNSUPPORTED for a strategy whose proposals have a fidelity. */
nas_status nas_strategy_ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err);
nas_status nas_strategy_tell(nas_strategy *s, const nas_tell *tell, nas_err *err);
/* Adds what the next ask would send to something outside. UNSUPPORTED for a strategy that sends nothing. */
nas_status nas_strategy_preview(nas_strategy *s, nas_str *out, nas_err *err);

/* The environment variable that holds a key for a strategy with these settings; "" where there is none. */
void nas_strategy_secret(const char *name, const nas_settings *settings, char out[64]);

/* For implementations. */
const nas_strategy_type *nas_strategy_type_of(const nas_strategy *s);
const nas_space *nas_strategy_space(const nas_strategy *s);
const nas_strategy_setup *nas_strategy_setup_of(const nas_strategy *s);
const void *nas_strategy_options(const nas_strategy *s);
void *nas_strategy_state(nas_strategy *s);
/* Makes a note for the record. */
nas_status nas_strategy_note(const nas_strategy *s, const nas_note *note, nas_err *err);
/* The numbers of one ask. `tell` may draw too: those of the told ask from index NAS_AT_TELL on. */
#define NAS_AT_TELL (UINT64_C(1) << 40)
nas_rng nas_strategy_rng(const nas_strategy *s, uint64_t ask_number);
#endif
