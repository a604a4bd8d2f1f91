/* Memory for time (T. Chen et al., Training deep nets with sublinear memory cost, 2016). The forward steps are cut into
 * segments. Of some segments only what later ones read is kept; what else their backward pass looks at is made again by
 * running their forward steps once more just before it: first what is cheap for its size (sums, pools, 1x1
 * convolutions), from the first segment on, and when that is all dropped the rest, in the same order. How many segments
 * and how much of them is dropped is tried: of all plans that keep the limit the one that repeats least work is taken.
 * Below the limit a large plan is made smaller too, as long as that repeats little (NAS_PLAN_TARGET). */
#include <stdlib.h>
#include <string.h>

#include "train/plan_internal.h"

/* What is cheap: bytes of memory traffic that making one byte costs at most. */
static const double CHEAP = 10;

/* One way to divide. All segments but the last share the first `reach` / REACH of all bytes evenly. `level` of 0..2
 * (segments - 1): what is cheap in the first `level` segments is made again; beyond segments - 1, which is all of that,
 * the rest of the first segments too. */
typedef struct division {
  int32_t segments, level, reach;
} division;

enum { REACH = 64 };
/* All segments alike. */
static int32_t even_reach(int32_t segments) { return REACH * (segments - 1) / segments; }

static int32_t cheap_segments(division d) { return d.level < d.segments ? d.level : d.segments - 1; }
static int32_t whole_segments(division d) { return d.level - cheap_segments(d); }

typedef struct fitting {
  nas_plan *p;
  nas_instruction *program; /* without repeats */
  int32_t n_program, n_steps;
  int32_t *cuts; /* steps before which a segment may begin; n_cuts of them, the first is 0 */
  int32_t n_cuts;
  int64_t *crossing;  /* bytes that are alive there, of values made before and read after */
  int64_t *made;      /* bytes of values made before each step */
  double *cost, work; /* of each step, and of all */
  bool *dear;         /* of each step: not cheap */
  int64_t goal;       /* bytes that are few enough */
  int32_t *segment;   /* of each step, then `n_steps` for those that the gradient added */
  int32_t *owner;     /* of each buffer: the segment that makes it, or -1 */
  bool *keep, *need;  /* of each buffer */
  bool *whole;        /* of each buffer: all steps that write it run again */
  bool *again;        /* of each step */
} fitting;

static void free_fitting(fitting *f) {
  free(f->program);
  free(f->cuts);
  free(f->crossing);
  free(f->made);
  free(f->cost);
  free(f->dear);
  free(f->segment);
  free(f->owner);
  free(f->keep);
  free(f->need);
  free(f->whole);
  free(f->again);
}

/* ---- what steps cost and where they may be divided ---- */

static double macs_of(const nas_plan *p, nas_value node, int32_t batch) {
  const nas_node *n = &p->model->graph->nodes[node];
  nas_site site = nas_node_site(p->model->graph, node, batch, NAS_TRAIN);
  return n->op->macs ? (double)n->op->macs(&site) * batch : 0;
}

static double branch_macs(const nas_branch *b) {
  const nas_attrs *a = &b->site.attrs;
  int32_t groups = a->groups > 1 ? a->groups : 1;
  return (double)nas_site_out(&b->site) * a->kernel_h * a->kernel_w * b->site.in[0].c / groups;
}

static void add_bytes(void *arg, int32_t buffer, nas_access access) {
  fitting *f = ((void **)arg)[0];
  double *bytes = ((void **)arg)[1];
  if (access != NAS_SCRATCH) *bytes += (double)f->p->buffers[buffer].bytes;
}

/* In bytes of memory traffic; a core multiplies and adds about twice in the time of one. */
static double cost_of(fitting *f, int32_t step) {
  const nas_step *s = &f->p->steps[step];
  double bytes = 0, macs = s->node == NAS_NO_VALUE ? 0 : macs_of(f->p, s->node, f->p->options.batch);
  for (int32_t i = 0; s->fan && i < s->call.n_branches; i++) macs += branch_macs(s->call.branch[i]);
  nas_plan_visit(f->p, (nas_instruction){step, false}, add_bytes, (void *[]){f, &bytes});
  return bytes + macs / 2;
}

static void add_made(void *arg, int32_t buffer, nas_access access) {
  fitting *f = ((void **)arg)[0];
  double *bytes = ((void **)arg)[1];
  if (access == NAS_WRITE) *bytes += (double)f->p->buffers[buffer].bytes;
}

static bool is_dear(fitting *f, int32_t step) {
  double bytes = 0;
  nas_plan_visit(f->p, (nas_instruction){step, false}, add_made, (void *[]){f, &bytes});
  return f->cost[step] > CHEAP * bytes;
}

typedef struct range {
  int32_t *first_write, *last_write, *last_read; /* steps, of each buffer */
  int32_t step;
} range;

static void note_range(void *arg, int32_t buffer, nas_access access) {
  range *r = arg;
  if (access == NAS_READ && r->step > r->last_read[buffer]) r->last_read[buffer] = r->step;
  if (access != NAS_WRITE) return;
  if (r->first_write[buffer] < 0) r->first_write[buffer] = r->step;
  r->last_write[buffer] = r->step;
}

/* A segment may begin where nothing is half written. */
static void find_cuts(fitting *f, const range *r) {
  const nas_plan *p = f->p;
  for (int32_t s = 0; s < f->n_steps; s++) {
    bool whole = true;
    int64_t crossing = 0;
    for (int32_t b = 0; b < p->n_buffers; b++) {
      if (r->first_write[b] < 0) continue;
      if (r->first_write[b] < s && r->last_write[b] >= s) whole = false;
      if (r->first_write[b] < s && r->last_read[b] >= s) crossing += p->buffers[b].bytes;
      if (r->last_write[b] < s) f->made[s] += p->buffers[b].bytes;
    }
    if (!whole && s) continue;
    f->cuts[f->n_cuts] = s;
    f->crossing[f->n_cuts++] = crossing;
  }
}

static nas_status look_at_steps(fitting *f, nas_err *err) {
  const nas_plan *p = f->p;
  size_t n = (size_t)p->n_buffers;
  range r = {calloc(n, sizeof(int32_t)), calloc(n, sizeof(int32_t)), calloc(n, sizeof(int32_t)), 0};
  nas_status status = NAS_OK;
  if (r.first_write && r.last_write && r.last_read) {
    for (size_t b = 0; b < n; b++) r.first_write[b] = r.last_write[b] = r.last_read[b] = -1;
    for (r.step = 0; r.step < f->n_steps; r.step++) {
      f->work += f->cost[r.step] = cost_of(f, r.step);
      f->dear[r.step] = is_dear(f, r.step);
      nas_plan_visit(p, (nas_instruction){r.step, false}, note_range, &r);
    }
    find_cuts(f, &r);
  } else {
    status = nas_fail_memory(err, "a plan");
  }
  free(r.first_write);
  free(r.last_write);
  free(r.last_read);
  return status;
}

static nas_status start(fitting *f, nas_plan *p, nas_err *err) {
  size_t buffers = (size_t)p->n_buffers, steps = (size_t)p->n_steps + 1;
  *f = (fitting){.p = p, .n_program = p->n_program, .n_steps = p->n_forward};
  f->program = malloc((size_t)p->n_program * sizeof *f->program);
  f->cuts = calloc(steps, sizeof *f->cuts);
  f->crossing = calloc(steps, sizeof *f->crossing);
  f->made = calloc(steps, sizeof *f->made);
  f->cost = calloc(steps, sizeof *f->cost);
  f->dear = calloc(steps, sizeof *f->dear);
  f->segment = calloc(steps, sizeof *f->segment);
  f->owner = calloc(buffers, sizeof *f->owner);
  f->keep = calloc(buffers, sizeof *f->keep);
  f->need = calloc(buffers, sizeof *f->need);
  f->whole = calloc(buffers, sizeof *f->whole);
  f->again = calloc(steps, sizeof *f->again);
  if (!f->program || !f->cuts || !f->crossing || !f->made || !f->cost || !f->dear || !f->segment || !f->owner ||
      !f->keep || !f->need || !f->whole || !f->again)
    return nas_fail_memory(err, "a plan");
  memcpy(f->program, p->program, (size_t)p->n_program * sizeof *f->program);
  return look_at_steps(f, err);
}

/* ---- a division ---- */

/* Each segment begins where little is alive: of the cuts that are nearer to its ideal place than to the next one's, at
 * that with the least crossing it. Gives how many there are, which may be fewer. */
static int32_t divide(fitting *f, division d) {
  int32_t segments = d.segments;
  double each = (double)f->made[f->n_steps - 1] * d.reach / REACH / (segments > 1 ? segments - 1 : 1);
  int32_t begins = 0, number = 0;
  for (int32_t k = 1; k < segments; k++) {
    double from = each * (k - 0.5), to = each * (k + 0.5);
    int32_t best = -1;
    for (int32_t c = 0; c < f->n_cuts; c++) {
      double at = (double)f->made[f->cuts[c]];
      if (f->cuts[c] <= begins || at < from || at > to) continue;
      if (best < 0 || f->crossing[c] < f->crossing[best]) best = c;
    }
    if (best < 0) continue;
    for (int32_t s = begins; s < f->cuts[best]; s++) f->segment[s] = number;
    begins = f->cuts[best];
    number++;
  }
  for (int32_t s = begins; s < f->n_steps; s++) f->segment[s] = number;
  for (int32_t s = f->n_steps; s < f->p->n_steps; s++) f->segment[s] = f->p->n_steps;
  return number + 1;
}

typedef struct marking {
  fitting *f;
  int32_t segment, step;
} marking;

static void mark_owner(void *arg, int32_t buffer, nas_access access) {
  const marking *m = arg;
  if (access == NAS_WRITE) m->f->owner[buffer] = m->segment;
}

/* Something of the segment reads the buffer in the backward pass. */
static void mark_need(void *arg, int32_t buffer, nas_access access) {
  const marking *m = arg;
  if (access != NAS_READ) return;
  m->f->need[buffer] = true;
  if (m->f->owner[buffer] != m->segment) m->f->keep[buffer] = true;
}

/* A step that makes something which is needed and not kept runs again, and with it all that add to the same sum. */
static void mark_again(void *arg, int32_t buffer, nas_access access) {
  const marking *m = arg;
  if (access == NAS_WRITE && ((m->f->need[buffer] && !m->f->keep[buffer]) || m->f->whole[buffer]))
    m->f->again[m->step] = true;
}

static void repeat_segment(fitting *f, int32_t segment) {
  for (bool changed = true; changed;) {
    changed = false;
    for (int32_t s = f->n_steps; s-- > 0;) {
      if (f->segment[s] != segment || f->again[s]) continue;
      nas_instruction i = {s, false};
      nas_plan_visit(f->p, i, mark_again, &(marking){f, segment, s});
      if (!f->again[s]) continue;
      changed = true;
      nas_plan_visit(f->p, i, mark_need, &(marking){f, segment, s});
      if (f->p->steps[s].y != NAS_NO_BUFFER) f->whole[f->p->steps[s].y] = true;
    }
  }
}

static void mark_keep(void *arg, int32_t buffer, nas_access access) {
  fitting *f = arg;
  if (access == NAS_WRITE) f->keep[buffer] = true;
}

/* From the last segment to the first: what later ones read decides what is kept of earlier ones. */
static void decide(fitting *f, division d) {
  nas_plan *p = f->p;
  int32_t dropped = cheap_segments(d), whole = whole_segments(d);
  memset(f->keep, 0, (size_t)p->n_buffers);
  memset(f->need, 0, (size_t)p->n_buffers);
  memset(f->whole, 0, (size_t)p->n_buffers);
  memset(f->again, 0, (size_t)p->n_steps);
  for (int32_t b = 0; b < p->n_buffers; b++) f->owner[b] = -1;
  for (int32_t s = 0; s < f->n_steps; s++)
    nas_plan_visit(p, (nas_instruction){s, false}, mark_owner, &(marking){f, f->segment[s], s});
  f->keep[p->logits] = true;
  for (int32_t s = 0; s < f->n_steps; s++)
    if (f->segment[s] >= whole && f->dear[s]) nas_plan_visit(p, (nas_instruction){s, false}, mark_keep, f);
  int32_t i = p->n_forward;
  for (int32_t k = f->segment[f->n_steps - 1]; k >= 0; k--) {
    for (; i < f->n_program && (!f->program[i].backward || f->segment[f->program[i].step] == k); i++)
      if (f->program[i].backward) nas_plan_visit(p, f->program[i], mark_need, &(marking){f, k, f->program[i].step});
    if (k < dropped) repeat_segment(f, k);
  }
  for (int32_t b = 0; b < p->n_buffers; b++)
    p->buffers[b].remade = f->owner[b] >= 0 && f->owner[b] < dropped && !f->keep[b];
  for (int32_t s = 0; s < f->n_steps; s++)
    if (p->steps[s].forward_scratch != NAS_NO_BUFFER) p->buffers[p->steps[s].forward_scratch].remade = true;
}

/* The program with every dropped segment's forward steps before its first backward one. */
static nas_status write_program(fitting *f, int32_t dropped, nas_err *err) {
  nas_plan *p = f->p;
  double work = 0;
  int32_t next = dropped - 1; /* the segment whose turn comes next */
  p->n_program = p->n_forward;
  for (int32_t i = p->n_forward; i < f->n_program; i++) {
    nas_instruction at = f->program[i];
    for (; next >= 0 && at.backward && f->segment[at.step] <= next; next--)
      for (int32_t s = 0; s < f->n_steps; s++) {
        if (f->segment[s] != next || !f->again[s]) continue;
        work += f->cost[s];
        NAS_TRY(nas_plan_add_instruction(p, s, false, err));
      }
    NAS_TRY(nas_plan_add_instruction(p, at.step, at.backward, err));
  }
  p->recomputed = f->work > 0 ? work / f->work : 0;
  return NAS_OK;
}

/* False in *possible where the division would drop the last segment, whose values the loss and the backward pass find
 * in place. */
static nas_status apply(fitting *f, division d, bool *possible, nas_err *err) {
  *possible = divide(f, d) > cheap_segments(d);
  if (!*possible) return NAS_OK;
  NAS_TRY(nas_plan_recompute(f->p, f->segment, err));
  decide(f, d);
  NAS_TRY(write_program(f, cheap_segments(d), err));
  return nas_plan_place(f->p, err);
}

/* The best division so far. */
typedef struct choice {
  division division;
  double work;
  int64_t bytes;
} choice;

static bool fits(const fitting *f, const choice *c) {
  return f->p->options.memory_limit <= 0 || c->bytes <= f->p->options.memory_limit;
}

/* What fits before what does not; then what repeats little before what repeats much. Of what repeats little, enough is
 * enough: less work when both reach the goal, else less memory. */
static bool is_better(const fitting *f, const choice *a, const choice *b) {
  if (fits(f, a) != fits(f, b)) return fits(f, a);
  if (!fits(f, a)) return a->bytes < b->bytes;
  bool little = a->work <= NAS_PLAN_SHARE, enough = a->bytes <= f->goal && b->bytes <= f->goal;
  if (little != (b->work <= NAS_PLAN_SHARE)) return little;
  return (enough || !little) && a->work != b->work ? a->work < b->work : a->bytes < b->bytes;
}

/* *now: what came of it; its bytes are 0 when the division is not possible. */
static nas_status try_division(fitting *f, division d, choice *best, choice *now, nas_err *err) {
  bool possible;
  *now = (choice){.division = d};
  NAS_TRY(apply(f, d, &possible, err));
  if (!possible) return NAS_OK;
  *now = (choice){d, f->p->recomputed, nas_plan_bytes(f->p)};
  if (is_better(f, now, best)) *best = *now;
  return NAS_OK;
}

static bool is_small(const fitting *f, const choice *c) { return c->bytes <= f->goal; }
static bool keeps_limit(const fitting *f, const choice *c) { return c->bytes <= f->p->options.memory_limit; }
static bool is_much(const fitting *f, const choice *c) {
  (void)f;
  return c->work > NAS_PLAN_SHARE;
}

/* Between two divisions that differ in level or reach, of which the farther takes less memory and more work: halves
 * what is between them until they are neighbours. `far` says that one is as far as one should go, or farther. */
static nas_status halve(fitting *f, division near, division farther, bool (*far)(const fitting *f, const choice *c),
                        choice *best, nas_err *err) {
  while (farther.level - near.level > 1 || farther.reach - near.reach > 1) {
    division middle = {near.segments, (near.level + farther.level) / 2, (near.reach + farther.reach) / 2};
    choice here;
    NAS_TRY(try_division(f, middle, best, &here, err));
    if (!here.bytes || far(f, &here)) farther = middle;
    else near = middle;
  }
  return NAS_OK;
}

static nas_status search(fitting *f, division near, division farther, choice *best, nas_err *err) {
  choice all;
  NAS_TRY(try_division(f, farther, best, &all, err));
  if (!all.bytes) return NAS_OK;
  if (is_small(f, &all)) NAS_TRY(halve(f, near, farther, is_small, best, err));
  if (keeps_limit(f, &all) && f->goal < f->p->options.memory_limit)
    NAS_TRY(halve(f, near, farther, keeps_limit, best, err));
  return is_much(f, &all) ? halve(f, near, farther, is_much, best, err) : NAS_OK;
}

/* Segments alike, more and more of them dropped; and few that are dropped whole, reaching farther and farther. */
static nas_status search_segments(fitting *f, int32_t n, choice *best, nas_err *err) {
  int32_t even = even_reach(n), all = 2 * (n - 1);
  NAS_TRY(search(f, (division){n, 0, even}, (division){n, all, even}, best, err));
  return n <= 8 ? search(f, (division){n, all, 0}, (division){n, all, REACH - 1}, best, err) : NAS_OK;
}

nas_status nas_plan_fit(nas_plan *p, nas_err *err) {
  int64_t bytes = nas_plan_bytes(p), limit = p->options.memory_limit;
  int64_t goal = bytes * 2 / 3 > NAS_PLAN_TARGET ? bytes * 2 / 3 : NAS_PLAN_TARGET;
  if (limit > 0 && limit < goal) goal = limit;
  if (bytes <= goal) return NAS_OK;
  fitting f;
  choice best = {{1, 0, 0}, 0, bytes};
  bool possible;
  nas_status status = start(&f, p, err);
  f.goal = goal;
  for (int32_t n = 2; status == NAS_OK && n <= f.n_cuts; n += 1 + n / 4) status = search_segments(&f, n, &best, err);
  if (status == NAS_OK) status = apply(&f, best.division, &possible, err);
  free_fitting(&f);
  return status;
}
