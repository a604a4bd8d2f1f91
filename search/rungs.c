#include "search/rungs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

nas_status nas_ladder_make(nas_strategy *s, const nas_rungs_options *o, nas_ladder *out, nas_err *err) {
  const char *name = nas_strategy_type_of(s)->name;
  int64_t full = nas_strategy_setup_of(s)->epochs, top = o->max_epochs ? o->max_epochs : full;
  if (!top)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, name, "the epochs of a full training are not known here; set max-epochs");
  if (full && top > full)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, name, "max-epochs is %lld; the recipe trains %lld epochs", (long long)top,
                    (long long)full);
  if (top < o->min_epochs)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, name, "min-epochs is %lld; it must not exceed max-epochs (%lld)",
                    (long long)o->min_epochs, (long long)top);
  *out = (nas_ladder){0};
  int steps = 0;
  while (steps + 1 < NAS_RUNGS_MAX && (double)top / pow(o->eta, steps + 1) >= (double)o->min_epochs * (1 - 1e-9))
    steps++;
  for (int k = steps; k >= 0; k--) {
    int32_t epochs = (int32_t)lround(fmax(1, (double)top / pow(o->eta, k)));
    if (!out->n || epochs > out->epochs[out->n - 1]) out->epochs[out->n++] = epochs;
  }
  return NAS_OK;
}

nas_status nas_brackets_open(nas_strategy *s, nas_err *err) {
  const nas_rungs_options *o = nas_strategy_options(s);
  nas_brackets *b = nas_strategy_state(s);
  nas_seen_open(&b->seen, nas_strategy_space(s), o->duplicates);
  return nas_ladder_make(s, o, &b->ladder, err);
}

void nas_brackets_close(nas_strategy *s) {
  nas_brackets *b = nas_strategy_state(s);
  nas_archive_close(&b->archive);
  nas_seen_close(&b->seen);
  for (size_t i = 0; i < b->n_open; i++) free(b->open[i].members);
  free(b->open);
  free(b->bracket_of);
}

void nas_hyperband_plan(const nas_strategy *s, const nas_ladder *ladder, uint64_t id, size_t wanted[NAS_RUNGS_MAX]) {
  double eta = ((const nas_rungs_options *)nas_strategy_options(s))->eta;
  int lowest = (int)(id % (uint64_t)ladder->n), halvings = ladder->n - 1 - lowest;
  double n = floor(ladder->n / (double)(halvings + 1)) * pow(eta, halvings);
  for (int k = 0; k < ladder->n; k++)
    wanted[k] = k < lowest ? 0 : (size_t)fmax(1, floor(n / pow(eta, k - lowest) + 1e-9));
}

nas_status nas_brackets_draw(nas_strategy *s, nas_rng rng, nas_arch *out, nas_err *err) {
  return nas_seen_sample(&((nas_brackets *)nas_strategy_state(s))->seen, rng, 0, out, err);
}

static nas_status begin(nas_strategy *s, const nas_brackets_rules *rules, nas_err *err) {
  const nas_rungs_options *o = nas_strategy_options(s);
  nas_brackets *b = nas_strategy_state(s);
  if (o->brackets && b->begun >= (uint64_t)o->brackets)
    return nas_fail(err, NAS_E_EXHAUSTED, nas_strategy_type_of(s)->name, "all %lld brackets have been begun",
                    (long long)o->brackets);
  NAS_TRY(nas_grow(&b->open, &b->cap_open, b->n_open + 1, sizeof *b->open, "the brackets", err));
  nas_bracket fresh = {.id = b->begun};
  rules->plan(s, &b->ladder, fresh.id, fresh.wanted);
  while (fresh.wanted[fresh.rung] == 0) fresh.rung++;
  fresh.n = fresh.wanted[fresh.rung];
  fresh.members = calloc(fresh.n, sizeof *fresh.members);
  if (!fresh.members) return nas_fail_memory(err, "the brackets");
  b->open[b->n_open++] = fresh;
  b->begun++;
  return NAS_OK;
}

static bool is_lowest(const nas_bracket *k) { return k->rung == 0 || k->wanted[k->rung - 1] == 0; }

/* The best of a rung that is complete go on, best first; a bracket without any ends. */
static void advance(nas_brackets *b, size_t at) {
  nas_bracket *k = &b->open[at];
  if (k->told < k->n) return;
  size_t room = k->rung + 1 < b->ladder.n ? k->wanted[k->rung + 1] : 0, kept = 0;
  for (size_t i = 0; i < k->n; i++) { /* insertion sort; failures fall out */
    nas_member one = k->members[i];
    if (isnan(one.value)) continue;
    size_t to = kept++;
    for (; to > 0 && k->members[to - 1].value < one.value; to--) k->members[to] = k->members[to - 1];
    k->members[to] = one;
  }
  k->n = kept < room ? kept : room;
  k->rung++;
  k->asked = k->told = 0;
  for (size_t i = 0; i < k->n; i++) {
    k->members[i].trial = k->members[i].asked + 1;
    k->members[i].value = NAN;
  }
  if (k->n) return;
  free(k->members);
  memmove(k, k + 1, (--b->n_open - at) * sizeof *k);
}

static nas_status take(nas_strategy *s, const nas_brackets_rules *rules, nas_bracket *k, uint64_t number,
                       nas_proposal *out, nas_err *err) {
  nas_brackets *b = nas_strategy_state(s);
  nas_member *m = &k->members[k->asked];
  if (is_lowest(k)) {
    NAS_TRY(rules->draw(s, nas_strategy_rng(s, number), &m->arch, err));
    NAS_TRY(nas_seen_add(&b->seen, &m->arch, err));
  }
  m->asked = number;
  m->value = NAN;
  *out = (nas_proposal){m->arch, b->ladder.epochs[k->rung], m->trial};
  k->asked++;
  b->bracket_of[number] = k->id;
  return nas_archive_ask(&b->archive, &m->arch, out->epochs, err);
}

nas_status nas_brackets_propose(nas_strategy *s, const nas_brackets_rules *rules, uint64_t number, nas_proposal *out,
                                nas_err *err) {
  nas_brackets *b = nas_strategy_state(s);
  NAS_TRY(nas_grow(&b->bracket_of, &b->cap_of, (size_t)number + 1, sizeof *b->bracket_of, "the brackets", err));
  for (size_t i = 0; i < b->n_open; i++) {
    nas_bracket *k = &b->open[i];
    if (k->asked == k->n) continue;
    nas_status status = take(s, rules, k, number, out, err);
    if (status != NAS_E_EXHAUSTED) return status;
    /* Nothing new is left: the rung is complete with those it has. */
    k->n = k->asked;
    size_t before = b->n_open;
    advance(b, i);
    if (b->n_open < before || b->open[i].asked < b->open[i].n) i--;
  }
  NAS_TRY(begin(s, rules, err));
  nas_status status = take(s, rules, &b->open[b->n_open - 1], number, out, err);
  if (status == NAS_E_EXHAUSTED) free(b->open[--b->n_open].members);
  return status;
}

/* An architecture that was refused before its first step never took part: another one gets its place. */
static bool gives_way(nas_bracket *k, const nas_tell *t) {
  if (t->outcome != NAS_OUTCOME_REJECTED || !is_lowest(k)) return false;
  for (size_t m = 0; m < k->asked; m++)
    if (k->members[m].asked == t->number) k->members[m] = k->members[--k->asked];
  return true;
}

nas_status nas_brackets_tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  nas_brackets *b = nas_strategy_state(s);
  NAS_TRY(nas_archive_tell(&b->archive, t, err));
  for (size_t i = 0; i < b->n_open; i++) {
    nas_bracket *k = &b->open[i];
    if (k->id != b->bracket_of[t->number]) continue;
    if (gives_way(k, t)) break;
    for (size_t m = 0; m < k->asked; m++)
      if (k->members[m].asked == t->number && nas_tell_ok(t)) k->members[m].value = t->valid_accuracy;
    k->told++;
    advance(b, i);
    break;
  }
  return NAS_OK;
}
