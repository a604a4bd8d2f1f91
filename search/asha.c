/* Asynchronous successive halving: a worker that is free promotes the best result that is in the top 1/eta of its rung
 * and has not gone on yet, from the highest rung down; where there is none, it begins a new architecture. */
#include <stdlib.h>
#include <string.h>

#include "search/rungs.h"

static const nas_option options[] = {NAS_OPTS_RUNGS("4"), NAS_OPT_END};

typedef struct asha_entry {
  uint64_t number;
  double value;
  bool promoted;
} asha_entry;

typedef struct asha_rung {
  asha_entry *entries; /* results, best first */
  size_t n, cap;
} asha_rung;

typedef struct asha_state {
  nas_archive archive;
  nas_seen seen;
  nas_ladder ladder;
  asha_rung rungs[NAS_RUNGS_MAX];
  uint8_t *rung_of; /* by ask number */
  size_t cap_of;
} asha_state;

static nas_status open_asha(nas_strategy *s, nas_err *err) {
  const nas_rungs_options *o = nas_strategy_options(s);
  asha_state *a = nas_strategy_state(s);
  nas_seen_open(&a->seen, nas_strategy_space(s), o->duplicates);
  return nas_ladder_make(s, o, &a->ladder, err);
}

static void close_asha(nas_strategy *s) {
  asha_state *a = nas_strategy_state(s);
  nas_archive_close(&a->archive);
  nas_seen_close(&a->seen);
  for (int k = 0; k < NAS_RUNGS_MAX; k++) free(a->rungs[k].entries);
  free(a->rung_of);
}

/* The entry to go on with and its rung, or NULL. */
static asha_entry *promotable(asha_state *a, double eta, int *rung) {
  for (*rung = a->ladder.n - 2; *rung >= 0; --*rung) {
    asha_rung *r = &a->rungs[*rung];
    size_t top = (size_t)((double)r->n / eta);
    for (size_t i = 0; i < top; i++)
      if (!r->entries[i].promoted) return &r->entries[i];
  }
  return NULL;
}

static nas_status propose(nas_strategy *s, uint64_t number, nas_proposal *out, nas_err *err) {
  const nas_rungs_options *o = nas_strategy_options(s);
  asha_state *a = nas_strategy_state(s);
  int rung;
  NAS_TRY(nas_grow(&a->rung_of, &a->cap_of, (size_t)number + 1, sizeof *a->rung_of, "the rungs", err));
  asha_entry *best = promotable(a, o->eta, &rung);
  if (best) {
    out->arch = a->archive.rows[best->number].arch;
    out->continues = best->number + 1;
    rung++;
  } else {
    NAS_TRY(nas_seen_sample(&a->seen, nas_strategy_rng(s, number), 0, &out->arch, err));
    NAS_TRY(nas_seen_add(&a->seen, &out->arch, err));
    rung = 0;
  }
  NAS_TRY(nas_archive_ask(&a->archive, &out->arch, a->ladder.epochs[rung], err));
  if (best) best->promoted = true;
  out->epochs = a->ladder.epochs[rung];
  a->rung_of[number] = (uint8_t)rung;
  return NAS_OK;
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  asha_state *a = nas_strategy_state(s);
  asha_rung *r = &a->rungs[a->rung_of[t->number]];
  NAS_TRY(nas_grow(&r->entries, &r->cap, r->n + 1, sizeof *r->entries, "the rungs", err));
  NAS_TRY(nas_archive_tell(&a->archive, t, err));
  if (!nas_tell_ok(t)) return NAS_OK;
  size_t at = r->n++;
  for (; at > 0 && r->entries[at - 1].value < t->valid_accuracy; at--) r->entries[at] = r->entries[at - 1];
  r->entries[at] = (asha_entry){t->number, t->valid_accuracy, false};
  return NAS_OK;
}

extern const nas_strategy_type nas_strategy_asha;
const nas_strategy_type nas_strategy_asha = {
    .name = "asha",
    .version = 1,
    .summary = "asynchronous successive halving: promotes whenever a worker is free",
    .citation = "Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020",
    .options = options,
    .options_size = sizeof(nas_rungs_options),
    .state_size = sizeof(asha_state),
    .open = open_asha,
    .close = close_asha,
    .propose = propose,
    .tell = tell,
};
