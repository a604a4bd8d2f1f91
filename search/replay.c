/* One run of a replay: workers with a simulated clock. Evaluations end in the order of their times, those of equal
 * times in the order of their asks; all that end at one time are told before the workers they free ask again. With one
 * worker this is a sequential search. */
#include "search/replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "search/map.h"

/* An evaluation that runs. */
typedef struct flight {
  double until;
  uint64_t number; /* of its ask */
  uint32_t row;
  int32_t epochs; /* 0: the table has no curves */
} flight;

/* `running` is a heap with the next to end at the top. */
typedef struct simulation {
  const nas_replay_plan *plan;
  nas_strategy *strategy;
  nas_replay_run *run;
  flight *running;
  size_t n_running;
  uint64_t asks, begun, misses, misses_max; /* misses: proposals in a row that the table does not have */
  int32_t *trained;                         /* epochs of each ask, where the table has curves */
  size_t cap_trained;
  int32_t best_epochs;
  double clock, best;
  bool open;      /* may ask */
  bool exhausted; /* nothing to propose before the next result */
} simulation;

void nas_replay_run_clear(nas_replay_run *run) {
  free(run->steps);
  *run = (nas_replay_run){0};
}

/* ---- the heap ---- */

static bool before(const flight *a, const flight *b) {
  return a->until < b->until || (a->until == b->until && a->number < b->number);
}

static void push(simulation *s, flight f) {
  size_t at = s->n_running++;
  for (size_t parent; at > 0 && before(&f, &s->running[parent = (at - 1) / 2]); at = parent)
    s->running[at] = s->running[parent];
  s->running[at] = f;
}

static flight pop(simulation *s) {
  flight top = s->running[0], last = s->running[--s->n_running];
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < s->n_running; at = child) {
    if (child + 1 < s->n_running && before(&s->running[child + 1], &s->running[child])) child++;
    if (!before(&s->running[child], &last)) break;
    s->running[at] = s->running[child];
  }
  s->running[at] = last;
  return top;
}

/* ---- asks ---- */

/* Costs nothing, since nothing was trained; but a strategy that only proposes such must come to an end. */
static nas_status reject(simulation *s, uint64_t number, const nas_arch *arch, nas_err *err) {
  s->run->missing++;
  if (++s->misses >= s->misses_max) {
    s->open = false;
    s->run->end = NAS_REPLAY_STALLED;
  }
  nas_tell tell = {.number = number,
                   .arch = *arch,
                   .outcome = NAS_OUTCOME_REJECTED,
                   .valid_accuracy = NAN,
                   .valid_loss = NAN,
                   .params = NAN,
                   .macs = NAN};
  return nas_strategy_tell(s->strategy, &tell, err);
}

/* Epochs of a proposal, noted for one that may go on with it; 0 where the table has no curves. */
static nas_status note_epochs(simulation *s, const nas_proposal *p, int32_t *epochs, int32_t *before, nas_err *err) {
  const nas_replay_table *t = s->plan->table;
  *epochs = *before = 0;
  if (!t->curve) return NAS_OK;
  NAS_TRY(nas_grow(&s->trained, &s->cap_trained, (size_t)s->asks + 1, sizeof *s->trained, "the asks of a replay", err));
  *epochs = p->epochs && p->epochs < t->epochs ? p->epochs : t->epochs;
  if (p->continues && p->continues <= s->asks) *before = s->trained[p->continues - 1];
  s->trained[s->asks] = *epochs;
  return NAS_OK;
}

static double cost_of(const nas_replay_table *t, int64_t row, int32_t epochs, int32_t before) {
  double full = t->seen[row].seconds;
  return epochs ? full - (t->epochs - (epochs - before)) * t->epoch_seconds[row] : full;
}

static nas_status ask(simulation *s, nas_err *err) {
  const nas_replay_table *t = s->plan->table;
  nas_proposal p;
  int32_t epochs, before;
  nas_status status;
  while ((status = nas_strategy_propose(s->strategy, s->asks, &p, err)) == NAS_E_PENDING)
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); /* it waits for something outside; the clock stands */
  s->exhausted = status == NAS_E_EXHAUSTED;
  if (s->exhausted) return NAS_OK;
  if (status != NAS_OK) return status;
  NAS_TRY(note_epochs(s, &p, &epochs, &before, err));
  uint64_t number = s->asks++;
  int64_t row = nas_replay_table_find(t, &p.arch);
  if (row == NAS_REPLAY_NO_ROW) return reject(s, number, &p.arch, err);
  s->misses = 0;
  push(s, (flight){s->clock + cost_of(t, row, epochs, before), number, (uint32_t)row, epochs});
  if (++s->begun >= s->plan->limits.evaluations) s->open = false;
  return NAS_OK;
}

/* ---- tells ---- */

static nas_status note_choice(simulation *s, uint32_t row, nas_err *err) {
  nas_replay_run *r = s->run;
  if (r->n_steps == r->steps_cap) {
    size_t cap = r->steps_cap ? 2 * r->steps_cap : 16;
    nas_replay_step *grown = realloc(r->steps, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "the steps of a run");
    r->steps = grown;
    r->steps_cap = cap;
  }
  r->steps[r->n_steps++] = (nas_replay_step){s->clock, r->evaluations, row};
  return NAS_OK;
}

static nas_status finish(simulation *s, const flight *f, nas_err *err) {
  const nas_replay_table *t = s->plan->table;
  const double *curve = f->epochs ? &t->curve[(size_t)f->row * (size_t)t->epochs] : NULL;
  double accuracy = curve && f->epochs < t->epochs ? curve[f->epochs - 1] : t->seen[f->row].valid_accuracy;
  bool ok = !isnan(accuracy);
  s->run->evaluations++;
  s->exhausted = false;
  if (ok && (f->epochs > s->best_epochs || (f->epochs == s->best_epochs && accuracy > s->best))) {
    s->best = accuracy;
    s->best_epochs = f->epochs;
    NAS_TRY(note_choice(s, f->row, err));
  }
  nas_tell tell = {.number = f->number,
                   .arch = t->arch[f->row],
                   .outcome = ok ? NAS_OUTCOME_OK : NAS_OUTCOME_DIVERGED,
                   .valid_accuracy = accuracy,
                   .valid_loss = NAN,
                   .seconds = t->seen[f->row].seconds,
                   .params = t->params[f->row],
                   .macs = t->macs[f->row],
                   .valid_curve = curve,
                   .n_curve = (size_t)f->epochs};
  return nas_strategy_tell(s->strategy, &tell, err);
}

/* ---- the clock ---- */

static nas_status simulate(simulation *s, nas_err *err) {
  const nas_replay_limits *limits = &s->plan->limits;
  while (true) {
    while (s->open && !s->exhausted && s->n_running < limits->workers) NAS_TRY(ask(s, err));
    if (!s->n_running) break;
    s->clock = s->running[0].until;
    do {
      flight f = pop(s);
      NAS_TRY(finish(s, &f, err));
    } while (s->n_running && s->running[0].until == s->clock);
    if (s->clock >= limits->seconds) s->open = false;
  }
  if (s->open && s->exhausted) s->run->end = NAS_REPLAY_EXHAUSTED;
  s->run->seconds = s->clock;
  return NAS_OK;
}

static uint64_t most_misses(const nas_replay_table *t) {
  enum { LEAST = 4096 };
  uint64_t size = nas_space_size(t->space), of_space = size ? size : 16 * (uint64_t)t->n;
  return of_space < UINT64_MAX / 4 ? 4 * of_space + LEAST : UINT64_MAX;
}

nas_status nas_replay_once(const nas_replay_plan *plan, uint64_t strategy_seed, nas_replay_run *out, nas_err *err) {
  *out = (nas_replay_run){.seed = strategy_seed, .end = NAS_REPLAY_BUDGET};
  simulation s = {.plan = plan,
                  .run = out,
                  .misses_max = most_misses(plan->table),
                  .best = -INFINITY,
                  .open = plan->limits.evaluations > 0 && plan->limits.seconds > 0};
  s.running = malloc(plan->limits.workers * sizeof *s.running);
  if (!s.running) return nas_fail_memory(err, "the simulated workers");
  const nas_strategy_setup setup = {.space = plan->table->space, .seed = strategy_seed, .epochs = plan->table->epochs};
  nas_status status = nas_strategy_open_with(plan->strategy, plan->settings, &setup, &s.strategy, err);
  if (status == NAS_OK && nas_strategy_type_of(s.strategy)->propose && !plan->table->curve)
    status = nas_fail(err, NAS_E_UNSUPPORTED, plan->strategy,
                      "it trains to several fidelities, and the table has no accuracy after each epoch");
  if (status == NAS_OK) status = simulate(&s, err);
  nas_strategy_close(s.strategy);
  free(s.running);
  free(s.trained);
  return status;
}
