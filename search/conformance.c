#include "search/conformance.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"

enum { EPOCHS = 27, GROWTH_BYTES = 8192 };

/* What is checked. */
typedef struct subject {
  const nas_strategy_type *type;
  const nas_settings *settings; /* or NULL */
  uint64_t asks;                /* of a run; the long ones have ten times as many */
} subject;

/* A campaign with several workers: who is told next, and who fails, are functions of the numbers. */
typedef struct session {
  const nas_space *space;
  uint64_t workers, fail_every, order;
  nas_strategy *strategy;
  nas_proposal *asked;
  uint64_t *open, n_asked, n_open, events, longest; /* longest: asks that there is room for */
  nas_err err;
  bool exhausted;
} session;

static nas_status begin(session *s, const subject *who, const nas_space *space, uint64_t seed, nas_err *err) {
  const nas_strategy_setup setup = {.space = space, .seed = seed, .epochs = EPOCHS};
  *s = (session){.space = space, .workers = 4, .fail_every = 7, .order = 3, .longest = 10 * who->asks};
  s->asked = calloc(s->longest + 1, sizeof *s->asked);
  s->open = calloc(s->longest + 1, sizeof *s->open);
  if (!s->asked || !s->open) return nas_fail_memory(err, "the checks");
  return nas_strategy_open_with(who->type->name, who->settings, &setup, &s->strategy, err);
}

static void finish(session *s) {
  nas_strategy_close(s->strategy);
  free(s->asked);
  free(s->open);
}

static nas_status tell(session *s, uint64_t number) {
  static const nas_outcome failures[] = {NAS_OUTCOME_CRASHED, NAS_OUTCOME_TIMEOUT, NAS_OUTCOME_DIVERGED,
                                         NAS_OUTCOME_OUT_OF_MEMORY, NAS_OUTCOME_REJECTED};
  const nas_proposal *p = &s->asked[number];
  bool fails = s->fail_every && number % s->fail_every == s->fail_every - 1;
  double accuracy = 50 + (double)(nas_hash64(p->arch.gene, p->arch.n) % 40000) / 1000;
  const nas_tell t = {.number = number,
                      .arch = p->arch,
                      .outcome = fails ? failures[number % 5] : NAS_OUTCOME_OK,
                      .valid_accuracy = fails ? NAN : accuracy,
                      .valid_loss = fails ? NAN : 1,
                      .seconds = 1,
                      .params = 1000,
                      .macs = 1000};
  return nas_strategy_tell(s->strategy, &t, &s->err);
}

/* One more ask, after a tell when all workers are busy. */
static nas_status step(session *s) {
  if (s->n_open && s->n_open >= s->workers) {
    uint64_t mix[2] = {s->order, s->events++}, at = nas_hash64(mix, sizeof mix) % s->n_open, number = s->open[at];
    s->open[at] = s->open[--s->n_open];
    NAS_TRY(tell(s, number));
  }
  nas_status status;
  while ((status = nas_strategy_propose(s->strategy, s->n_asked, &s->asked[s->n_asked], &s->err)) == NAS_E_PENDING)
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  if (status != NAS_OK) return status;
  s->open[s->n_open++] = s->n_asked++;
  return NAS_OK;
}

static bool go(session *s, uint64_t asks, char *fault, size_t size) {
  while (s->n_asked < asks) {
    nas_status status = step(s);
    s->exhausted = status == NAS_E_EXHAUSTED;
    if (s->exhausted) return true;
    if (status == NAS_OK) continue;
    nas_text_put(fault, size, "ask %llu: %.150s", (unsigned long long)s->n_asked, s->err.msg);
    return false;
  }
  return true;
}

static bool same(const nas_proposal *a, const nas_proposal *b) {
  return nas_arch_same(&a->arch, &b->arch) && a->epochs == b->epochs && a->continues == b->continues;
}

static void compare(const session *a, const session *b, char *fault, size_t size) {
  for (uint64_t k = 0; k < a->n_asked; k++)
    if (k >= b->n_asked || !same(&a->asked[k], &b->asked[k])) {
      nas_text_put(fault, size, "proposal %llu differs", (unsigned long long)k);
      return;
    }
}

typedef nas_status (*check_fn)(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err);

/* The same seed, asks and tells give the same proposals; another run in between changes nothing, as it would with
 * hidden state. */
static nas_status check_repeats(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err) {
  session a, b = {0};
  nas_status status = begin(&a, who, space, 7, err);
  if (status == NAS_OK) status = begin(&b, who, space, 7, err);
  if (status == NAS_OK && go(&a, who->asks, fault, size) && go(&b, who->asks, fault, size))
    compare(&a, &b, fault, size);
  finish(&a);
  finish(&b);
  return status;
}

static nas_status check_seed(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err) {
  session a, b = {0};
  nas_status status = begin(&a, who, space, 7, err);
  if (status == NAS_OK) status = begin(&b, who, space, 8, err);
  if (status == NAS_OK && go(&a, who->asks, fault, size) && go(&b, who->asks, fault, size)) {
    char differs[64] = "";
    compare(&a, &b, differs, sizeof differs);
    if (!*differs != who->type->seedless)
      nas_text_put(fault, size, "%s", who->type->seedless ? "the seed changes it" : "the seed changes nothing");
  }
  finish(&a);
  finish(&b);
  return status;
}

/* One that says that it does not learn proposes the same whatever comes of it. */
static nas_status check_adaptive(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err) {
  if (!who->type->nonadaptive) return NAS_OK;
  session a, b = {0};
  nas_status status = begin(&a, who, space, 7, err);
  if (status == NAS_OK) status = begin(&b, who, space, 7, err);
  b.fail_every = 1;
  b.workers = 17;
  if (status == NAS_OK && go(&a, who->asks, fault, size) && go(&b, who->asks, fault, size))
    compare(&a, &b, fault, size);
  finish(&a);
  finish(&b);
  return status;
}

/* Half a run repeated ask by ask and tell by tell on a fresh state, then both go on. */
static nas_status check_resume(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err) {
  session whole, half = {0};
  nas_status status = begin(&whole, who, space, 5, err);
  if (status == NAS_OK) status = begin(&half, who, space, 5, err);
  if (status == NAS_OK && go(&half, who->asks / 2, fault, size)) {
    nas_strategy *fresh = NULL;
    const nas_strategy_setup setup = {.space = space, .seed = 5, .epochs = EPOCHS};
    status = nas_strategy_open_with(who->type->name, who->settings, &setup, &fresh, err);
    if (status == NAS_OK) {
      nas_strategy_close(half.strategy);
      half.strategy = fresh;
      half.n_asked = half.n_open = half.events = 0; /* its asks and tells are made again */
      if (go(&half, who->asks, fault, size) && go(&whole, who->asks, fault, size)) compare(&whole, &half, fault, size);
    }
  }
  finish(&whole);
  finish(&half);
  return status;
}

static void check_member(const session *s, uint64_t k, char *fault, size_t size) {
  const nas_proposal *p = &s->asked[k];
  char text[NAS_ARCH_TEXT_MAX];
  const char *what = NULL;
  if (nas_space_format(s->space, &p->arch, text, NULL) != NAS_OK) what = "is no architecture of the space";
  if (p->epochs < 0 || p->epochs > EPOCHS) what = "has epochs outside the recipe's";
  if (p->continues > k || (p->continues && !nas_arch_same(&s->asked[p->continues - 1].arch, &p->arch)))
    what = "goes on with a trial of another architecture";
  if (what) nas_text_put(fault, size, "proposal %llu %s", (unsigned long long)k, what);
}

/* Results late and shuffled, some or all of them failures. */
static nas_status check_disorder(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err) {
  for (uint64_t i = 0; i < 9 && !*fault; i++) {
    session s;
    nas_status status = begin(&s, who, space, i, err);
    s.workers = 1 + 16 * (i % 3);
    s.order = i;
    s.fail_every = i / 3;
    if (status == NAS_OK && go(&s, who->asks, fault, size))
      for (uint64_t k = 0; k < s.n_asked && !*fault; k++) check_member(&s, k, fault, size);
    finish(&s);
    NAS_TRY(status);
  }
  return NAS_OK;
}

static nas_status check_protocol(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err) {
  session s;
  nas_status status = begin(&s, who, space, 1, err);
  if (status == NAS_OK && go(&s, 5, fault, size)) {
    uint64_t told = s.open[0];
    if (tell(&s, told) != NAS_OK || tell(&s, told) != NAS_E_INTERNAL)
      nas_text_put(fault, size, "a second result of one trial is taken");
  }
  finish(&s);
  return status;
}

/* Where `duplicates` is an option, its value exact must leave no two equal proposals but those that go on. */
static nas_status check_duplicates(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err) {
  if (!nas_options_find(who->type->options, "duplicates")) return NAS_OK;
  nas_settings list = {0};
  session s;
  nas_status status = NAS_OK;
  for (size_t i = 0; who->settings && i < who->settings->n && status == NAS_OK; i++)
    status = nas_settings_put(&list, who->settings->rows[i].key, who->settings->rows[i].value, "check", err);
  if (status == NAS_OK) status = nas_settings_put(&list, "duplicates", "exact", "check", err);
  const nas_strategy_setup setup = {.space = space, .seed = 3, .epochs = EPOCHS};
  if (status == NAS_OK) status = begin(&s, who, space, 3, err);
  else s = (session){0};
  nas_strategy_close(s.strategy);
  s.strategy = NULL;
  if (status == NAS_OK) status = nas_strategy_open_with(who->type->name, &list, &setup, &s.strategy, err);
  if (status == NAS_OK && go(&s, who->asks, fault, size))
    for (uint64_t k = 1; k < s.n_asked && !*fault; k++)
      for (uint64_t i = 0; i < k; i++)
        if (!s.asked[k].continues && nas_arch_same(&s.asked[i].arch, &s.asked[k].arch))
          nas_text_put(fault, size, "proposals %llu and %llu are the same", (unsigned long long)i,
                       (unsigned long long)k);
  finish(&s);
  nas_settings_free(&list);
  return status;
}

/* A space of 27 architectures: a strategy that avoids duplicates comes to an end, says so, keeps saying so, and takes
 * the results that are still out; one that does not goes on. */
static nas_status check_exhausted(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err) {
  (void)space;
  nas_space *small = NULL;
  nas_settings list = {0}, none = {0};
  session s = {0};
  bool avoids = nas_options_find(who->type->options, "duplicates") != NULL;
  nas_status status = nas_space_open("declared", &none, &small, err);
  for (size_t i = 0; who->settings && i < who->settings->n && status == NAS_OK; i++)
    status = nas_settings_put(&list, who->settings->rows[i].key, who->settings->rows[i].value, "check", err);
  if (status == NAS_OK && avoids) status = nas_settings_put(&list, "duplicates", "exact", "check", err);
  if (status == NAS_OK) status = begin(&s, who, small, 9, err);
  nas_strategy_close(s.strategy);
  s.strategy = NULL;
  const nas_strategy_setup setup = {.space = small, .seed = 9, .epochs = EPOCHS};
  if (status == NAS_OK) status = nas_strategy_open_with(who->type->name, &list, &setup, &s.strategy, err);
  if (status == NAS_OK && !go(&s, s.longest, fault, size)) s.n_open = 0;
  while (status == NAS_OK && s.n_open && !*fault) { /* the rest comes in, and may make room for more */
    if (tell(&s, s.open[--s.n_open]) != NAS_OK) nas_text_put(fault, size, "the last results are refused");
    else if (s.n_asked + s.workers <= s.longest) go(&s, s.n_asked + s.workers, fault, size);
  }
  if (status == NAS_OK && !*fault && avoids && !s.exhausted)
    nas_text_put(fault, size, "%llu proposals of 27 architectures, and no end", (unsigned long long)s.n_asked);
  finish(&s);
  nas_settings_free(&list);
  nas_space_close(small);
  return status;
}

/* Memory in use grows by at most 8 KiB a trial in the second half of a long run. */
static nas_status check_growth(const subject *who, const nas_space *space, char *fault, size_t size, nas_err *err) {
  session s;
  nas_status status = begin(&s, who, space, 1, err);
  const uint64_t half = s.longest / 2;
  if (status == NAS_OK && go(&s, half, fault, size)) {
    struct mallinfo2 before = mallinfo2();
    if (!s.exhausted && go(&s, s.longest, fault, size)) {
      struct mallinfo2 after = mallinfo2();
      double each =
          ((double)(after.uordblks + after.hblkhd) - (double)(before.uordblks + before.hblkhd)) / (double)half;
      if (each > GROWTH_BYTES) nas_text_put(fault, size, "memory grows by %.0f bytes a trial", each);
    }
  }
  finish(&s);
  return status;
}

nas_status nas_conformance_check(const nas_strategy_type *type, const nas_settings *settings, const nas_space *space,
                                 uint64_t asks, nas_conformance out[NAS_CONFORMANCE_CHECKS], nas_err *err) {
  static const struct {
    const char *name;
    check_fn run;
  } checks[NAS_CONFORMANCE_CHECKS] = {{"same seed, same proposals", check_repeats},
                                      {"the seed is used as declared", check_seed},
                                      {"results matter as declared", check_adaptive},
                                      {"resumed by replay as if never stopped", check_resume},
                                      {"late, shuffled and failed results", check_disorder},
                                      {"a second result is refused", check_protocol},
                                      {"duplicates are avoided when asked", check_duplicates},
                                      {"an exhausted space ends cleanly", check_exhausted},
                                      {"memory stays with the history", check_growth}};
  const subject who = {type, settings, asks};
  for (int i = 0; i < NAS_CONFORMANCE_CHECKS; i++) {
    out[i] = (nas_conformance){.name = checks[i].name};
    if (type->recall && !(settings && settings->n)) {
      out[i].excuse = "excused: it consults something outside; -o KEY=VALUE says what, such as a test server";
      continue;
    }
    if (type->recall && checks[i].run == check_exhausted) {
      out[i].excuse = "excused: what it consults speaks of the space given, not of a small one";
      continue;
    }
    NAS_TRY(checks[i].run(&who, space, out[i].fault, sizeof out[i].fault, err));
  }
  return NAS_OK;
}
