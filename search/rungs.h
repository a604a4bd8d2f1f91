#ifndef NAS_SEARCH_RUNGS_H
#define NAS_SEARCH_RUNGS_H
/* Rungs of training epochs, and brackets of successive halving on them (Jamieson and Talwalkar, AISTATS 2016; Li et
 * al., Hyperband, JMLR 18, 2018): all members of a rung are trained to its epochs, the best 1/eta of them go on to the
 * next. What is rejected before its first step makes room for another. A worker never waits for a rung to fill: while
 * all open brackets wait for results, the next one begins. */
#include "search/archive.h"
#include "search/seen.h"

enum { NAS_RUNGS_MAX = 32 };

typedef struct nas_rungs_options {
  int64_t min_epochs, max_epochs, brackets;
  double eta;
  char duplicates[16];
} nas_rungs_options;

/* The rows of the option table; S begins with a nas_rungs_options. */
#define NAS_OPTS_RUNGS(eta_default)                                                                                  \
  NAS_OPT_INT(nas_rungs_options, min_epochs, "min-epochs", "1", 1, 1e6, "epochs of the lowest rung, about"),         \
      NAS_OPT_INT(nas_rungs_options, max_epochs, "max-epochs", "0", 0, 1e6,                                          \
                  "epochs of the highest rung; 0 = all of the recipe"),                                              \
      NAS_OPT_REAL(nas_rungs_options, eta, "eta", eta_default, 1.1, 100, "one in so many goes on to the next rung"), \
      NAS_OPT_DUPLICATES(nas_rungs_options, "exact")

/* Epochs of each rung, rising by the factor eta up to the highest: max / eta^k, rounded. */
typedef struct nas_ladder {
  int n;
  int32_t epochs[NAS_RUNGS_MAX];
} nas_ladder;

/* OUT_OF_RANGE: no max-epochs and no recipe, or max-epochs above the recipe's or below min-epochs. */
nas_status nas_ladder_make(nas_strategy *s, const nas_rungs_options *o, nas_ladder *out, nas_err *err);

typedef struct nas_member {
  nas_arch arch;
  uint64_t trial; /* 1 + number of the trial it goes on from; 0 = none yet */
  uint64_t asked; /* number of the ask of this rung */
  double value;   /* NaN: failed or not told */
} nas_member;

typedef struct nas_bracket {
  uint64_t id;
  int rung; /* place in the ladder now */
  nas_member *members;
  size_t n, asked, told;
  size_t wanted[NAS_RUNGS_MAX]; /* members of each rung of the ladder */
} nas_bracket;

/* The common state of successive-halving, hyperband and bohb. */
typedef struct nas_brackets {
  nas_archive archive;
  nas_seen seen;
  nas_ladder ladder;
  nas_bracket *open; /* those that are not finished, oldest first */
  size_t n_open, cap_open;
  uint64_t begun;
  uint64_t *bracket_of; /* by ask number: id of the bracket */
  size_t cap_of;
} nas_brackets;

typedef struct nas_brackets_rules {
  /* Members of each rung of bracket number `id` (0 for rungs below its lowest). */
  void (*plan)(const nas_strategy *s, const nas_ladder *ladder, uint64_t id, size_t wanted[NAS_RUNGS_MAX]);
  nas_status (*draw)(nas_strategy *s, nas_rng rng, nas_arch *out, nas_err *err); /* one that is not seen */
} nas_brackets_rules;

nas_status nas_brackets_open(nas_strategy *s, nas_err *err);
void nas_brackets_close(nas_strategy *s);
nas_status nas_brackets_propose(nas_strategy *s, const nas_brackets_rules *rules, uint64_t number, nas_proposal *out,
                                nas_err *err);
nas_status nas_brackets_tell(nas_strategy *s, const nas_tell *t, nas_err *err);
/* Rules that several share: the brackets of Hyperband, from many short trials to few full ones in turn; a uniform draw.
 */
void nas_hyperband_plan(const nas_strategy *s, const nas_ladder *ladder, uint64_t id, size_t wanted[NAS_RUNGS_MAX]);
nas_status nas_brackets_draw(nas_strategy *s, nas_rng rng, nas_arch *out, nas_err *err);
#endif
