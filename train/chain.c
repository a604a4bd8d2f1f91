#include "train/chain.h"

#include <stdlib.h>

/* What is known of a program while its chains are sought. */
typedef struct seeker {
  nas_plan *p;
  int32_t *chain; /* of each buffer: the one chain that touches it, NEVER or SHARED */
  int32_t *stamp; /* of each buffer: where the last attempt at a chain began that touched it */
  int32_t now, begun;
  bool meets; /* the instruction touches what the chain does */
  int64_t elements;
  bool equal; /* all that it touches is of that size */
} seeker;

enum { NEVER = -1, SHARED = -2 };

static bool has_gradients(const nas_call *c) {
  for (int i = 0; i < NAS_OP_PARAMS_MAX; i++)
    if (c->grad[i]) return true;
  return false;
}

/* Sums that the planner put in are element by element too, unless they take branches. */
static bool is_elementwise(const nas_plan *p, nas_instruction i) {
  const nas_step *s = &p->steps[i.step];
  if (s->fan || s->call.n_branches || s->saved != NAS_NO_BUFFER || s->forward_scratch != NAS_NO_BUFFER ||
      s->backward_scratch != NAS_NO_BUFFER)
    return false;
  if (s->node == NAS_NO_VALUE) return !i.backward;
  bool by_element = p->model->graph->nodes[s->node].op->traits & NAS_OP_ELEMENTWISE;
  return by_element && !(i.backward && has_gradients(&s->call));
}

static void look(void *arg, int32_t buffer, nas_access access) {
  seeker *k = arg;
  (void)access;
  int64_t elements = k->p->buffers[buffer].bytes / (int64_t)sizeof(float);
  if (k->elements == 0) k->elements = elements;
  k->equal = k->equal && k->elements == elements;
  k->meets = k->meets || k->stamp[buffer] == k->begun;
}

static void stamp(void *arg, int32_t buffer, nas_access access) {
  seeker *k = arg;
  (void)access;
  k->stamp[buffer] = k->begun;
}

static void claim(void *arg, int32_t buffer, nas_access access) {
  seeker *k = arg;
  (void)access;
  int32_t *chain = &k->chain[buffer];
  *chain = *chain == NEVER || *chain == k->now ? k->now : SHARED;
}

/* Instructions from `first` on that make a chain; a single one is none. */
static int32_t chain_length(seeker *k, int32_t first, int32_t end) {
  const nas_plan *p = k->p;
  int32_t n = 0;
  k->begun = first;
  k->elements = 0;
  for (; first + n < end && is_elementwise(p, p->program[first + n]); n++) {
    k->meets = false;
    k->equal = true;
    nas_plan_visit(p, p->program[first + n], look, k);
    if (!k->equal || (n && !k->meets)) break;
    nas_plan_visit(p, p->program[first + n], stamp, k);
  }
  return n;
}

static nas_status find(seeker *k, nas_err *err) {
  nas_plan *p = k->p;
  for (int32_t i = 0; i < p->n_program;) {
    int32_t end = i < p->n_forward ? p->n_forward : p->n_program;
    k->now = p->n_chains;
    int32_t n = chain_length(k, i, end);
    if (n < 2) {
      k->now = SHARED; /* no chain may have these to itself */
      nas_plan_visit(p, p->program[i++], claim, k);
      continue;
    }
    if (p->n_chains == p->chains_cap) {
      int32_t cap = p->chains_cap ? 2 * p->chains_cap : 16;
      nas_chain *more = realloc(p->chains, (size_t)cap * sizeof *more);
      if (!more) return nas_fail_memory(err, "a plan");
      p->chains = more;
      p->chains_cap = cap;
    }
    p->chains[p->n_chains++] = (nas_chain){i, n, p->n_calls, k->elements};
    p->n_calls += n;
    for (int32_t end_of = i + n; i < end_of; i++) nas_plan_visit(p, p->program[i], claim, k);
  }
  return NAS_OK;
}

static void count_local(void *arg, int32_t buffer, nas_access access) {
  seeker *k = arg;
  (void)access;
  k->meets = k->meets || k->p->buffers[buffer].local;
}

static bool sees_local(seeker *k, int32_t instruction) {
  k->meets = false;
  nas_plan_visit(k->p, k->p->program[instruction], count_local, k);
  return k->meets;
}

/* A chain gains by what it need not store, so it is cut to the instructions that do, and may vanish. */
static void trim(seeker *k) {
  nas_plan *p = k->p;
  int32_t kept = 0;
  for (int32_t i = 0; i < p->n_chains; i++) {
    nas_chain c = p->chains[i];
    while (c.n > 0 && !sees_local(k, c.first)) c.first++, c.n--;
    while (c.n > 0 && !sees_local(k, c.first + c.n - 1)) c.n--;
    if (c.n > 0) p->chains[kept++] = c;
  }
  p->n_chains = kept;
}

nas_status nas_plan_find_chains(nas_plan *p, nas_err *err) {
  size_t buffers = (size_t)p->n_buffers;
  seeker k = {.p = p, .chain = malloc(buffers * sizeof *k.chain), .stamp = malloc(buffers * sizeof *k.stamp)};
  nas_status status = k.chain && k.stamp ? NAS_OK : nas_fail_memory(err, "a plan");
  p->n_chains = p->n_calls = 0;
  for (size_t b = 0; b < buffers; b++) p->buffers[b].local = false;
  if (status == NAS_OK && !p->options.reference) {
    for (size_t b = 0; b < buffers; b++) k.chain[b] = k.stamp[b] = NEVER;
    const int32_t seen[] = {p->logits, p->dlogits, p->dinput}; /* by others than instructions */
    k.now = SHARED;
    for (int i = 0; i < 3; i++)
      if (seen[i] != NAS_NO_BUFFER) claim(&k, seen[i], NAS_READ);
    status = find(&k, err);
    for (size_t b = 0; b < buffers; b++) p->buffers[b].local = k.chain[b] >= 0 && !p->buffers[b].external;
    trim(&k);
  }
  free(k.chain);
  free(k.stamp);
  return status;
}

static void *part(const nas_plan *p, int32_t buffer, int64_t at) {
  char *whole = nas_plan_address(p, buffer);
  return whole && !p->buffers[buffer].local ? whole + at * (int64_t)sizeof(float) : whole;
}

/* The numbers at .. at + n - 1 of what the step works on. */
static void aim(const nas_plan *p, const nas_step *s, nas_call *c, int64_t at, int64_t n) {
  for (int32_t i = 0; i < c->site.n_in; i++) {
    c->x[i] = part(p, s->x[i], at);
    c->dx[i] = part(p, s->dx[i], at);
    c->dplus[i] = part(p, s->dplus[i], at);
    c->site.in[i] = (nas_shape){(int32_t)n, 1, 1};
  }
  c->y = part(p, s->y, at);
  c->plus = part(p, s->plus, at);
  c->dy = part(p, s->dy, at);
  c->site.out = (nas_shape){(int32_t)n, 1, 1};
  c->elements = n;
}

void nas_plan_resolve_chains(nas_plan *p) {
  for (int32_t i = 0; i < p->n_chains; i++)
    for (int32_t k = 0; k < p->chains[i].n; k++) {
      nas_call *c = &p->calls[p->chains[i].calls + k];
      *c = p->steps[p->program[p->chains[i].first + k].step].call;
      c->site.batch = 1;
    }
}

void nas_plan_run_chain(const nas_plan *p, const nas_chain *chain) {
  const nas_instruction *program = p->program + chain->first;
  for (int64_t at = 0; at < chain->elements; at += NAS_CHAIN_TILE) {
    int64_t n = chain->elements - at < NAS_CHAIN_TILE ? chain->elements - at : NAS_CHAIN_TILE;
    for (int32_t i = 0; i < chain->n; i++) {
      const nas_step *s = &p->steps[program[i].step];
      nas_call *c = &p->calls[chain->calls + i];
      aim(p, s, c, at, n);
      (program[i].backward ? s->kernel->backward : s->kernel->forward)(c);
    }
  }
}
