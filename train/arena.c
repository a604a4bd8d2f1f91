/* Lifetimes and places: a buffer lives from the first to the last instruction that touches it (one that the backward
 * pass makes again has such a life in either pass; a chain is a single moment), and two buffers may share bytes when
 * their lives do not meet. Largest first, each at the lowest offset that is free whenever it lives. */
#include <stdlib.h>

#include "train/chain.h"

enum { ALIGN = 64, APART = 192 }; /* buffers of equal size should not start at equal cache sets */

static void live_at(nas_life *life, int32_t time) {
  if (life->first > life->last) life->first = life->last = time;
  if (time < life->first) life->first = time;
  if (time > life->last) life->last = time;
}

/* What is touched from one time to another. */
typedef struct visit {
  nas_plan *p;
  int32_t time, until;
} visit;

static void touch(void *arg, int32_t buffer, nas_access access) {
  const visit *v = arg;
  nas_buffer *b = &v->p->buffers[buffer];
  nas_life *life = v->time <= v->p->n_forward ? &b->life : &b->again;
  if (access != NAS_SCRATCH && !b->local) v->p->traffic += b->bytes; /* the others stay in cache */
  live_at(life, v->time);
  live_at(life, v->until);
}

static void visit_branches(const nas_step *s, nas_access access, bool gradients, nas_visitor see, void *arg) {
  int32_t gram = NAS_NO_BUFFER; /* of a fan's branches the same one */
  for (int32_t i = 0; i < s->call.n_branches; i++) {
    const nas_branch *b = s->call.branch[i];
    if (!b->folded) see(arg, b->z_buffer, access);
    if (b->folded && !s->fan) see(arg, b->x_buffer, NAS_READ);
    if (b->folded && b->gram_buffer != gram) see(arg, gram = b->gram_buffer, access);
    see(arg, b->stats_buffer, access);
    if (gradients && b->dy_buffer != NAS_NO_BUFFER) see(arg, b->dy_buffer, NAS_READ);
  }
}

void nas_plan_visit(const nas_plan *p, nas_instruction instruction, nas_visitor see, void *arg) {
  const nas_step *s = &p->steps[instruction.step];
  bool backward = instruction.backward, reads_x = s->kernel->reads & NAS_READS_X;
  if (s->saved != NAS_NO_BUFFER) see(arg, s->saved, backward ? NAS_READ : NAS_WRITE);
  for (int32_t i = 0; i < s->call.site.n_in; i++) {
    if (!backward || (reads_x && s->source < 0)) see(arg, s->x[i], NAS_READ);
    if (backward && s->dx[i] != NAS_NO_BUFFER) see(arg, s->dx[i], NAS_WRITE);
    if (backward && s->dplus[i] != NAS_NO_BUFFER) see(arg, s->dplus[i], NAS_READ);
  }
  if (s->y != NAS_NO_BUFFER && (!backward || s->kernel->reads & NAS_READS_Y))
    see(arg, s->y, backward ? NAS_READ : NAS_WRITE);
  int32_t other = backward ? s->dy : s->plus, scratch = backward ? s->backward_scratch : s->forward_scratch;
  if (other != NAS_NO_BUFFER) see(arg, other, NAS_READ);
  if (scratch != NAS_NO_BUFFER) see(arg, scratch, NAS_SCRATCH);
  visit_branches(s, s->fan && !backward ? NAS_WRITE : NAS_READ, s->fan && backward, see, arg);
  if (!backward || s->source < 0) return;
  const nas_step *source = &p->steps[s->source];
  for (int32_t i = 0; i < source->call.site.n_in; i++) see(arg, source->x[i], NAS_READ);
  visit_branches(source, NAS_READ, false, see, arg);
}

/* Instruction i of the forward part is at time i, the loss after it, the backward part after that. */
static void find_lives(nas_plan *p) {
  p->traffic = 0;
  for (int32_t i = 0; i < p->n_buffers; i++) p->buffers[i].life = p->buffers[i].again = (nas_life){0, -1};
  const nas_chain *chain = p->chains, *end = nas_plan_chains_end(p);
  for (int32_t i = 0; i < p->n_program; i++) {
    while (chain < end && i >= chain->first + chain->n) chain++;
    bool inside = chain < end && i >= chain->first;
    int32_t first = inside ? chain->first : i, last = inside ? chain->first + chain->n - 1 : i;
    int32_t loss = i < p->n_forward ? 0 : 1;
    nas_plan_visit(p, p->program[i], touch, &(visit){p, first + loss, last + loss});
  }
  int32_t after = p->n_program + 1;
  touch(&(visit){p, after, after}, p->logits, NAS_READ);
  if (p->dlogits != NAS_NO_BUFFER) touch(&(visit){p, p->n_forward, p->n_forward}, p->dlogits, NAS_WRITE);
  if (p->dinput != NAS_NO_BUFFER) touch(&(visit){p, after, after}, p->dinput, NAS_READ);
  for (int32_t i = 0; i < p->n_buffers; i++) { /* what is not made again has one life */
    nas_buffer *b = &p->buffers[i];
    if (b->remade || b->again.first > b->again.last) continue;
    if (b->life.first > b->life.last) b->life = b->again;
    b->life.last = b->again.last;
    b->again = (nas_life){0, -1};
  }
}

static bool meet(nas_life a, nas_life b) {
  return a.first <= a.last && b.first <= b.last && a.first <= b.last && b.first <= a.last;
}

static bool live_together(const nas_buffer *a, const nas_buffer *b) {
  return meet(a->life, b->life) || meet(a->life, b->again) || meet(a->again, b->life) || meet(a->again, b->again);
}

static int64_t bytes_of(const nas_buffer *b) {
  const int64_t tile = NAS_CHAIN_TILE * (int64_t)sizeof(float);
  return b->local && b->bytes > tile ? tile : b->bytes;
}

static int by_size(const void *a, const void *b) {
  const nas_buffer *x = *(const nas_buffer *const *)a, *y = *(const nas_buffer *const *)b;
  if (bytes_of(x) != bytes_of(y)) return bytes_of(x) < bytes_of(y) ? 1 : -1;
  return x < y ? -1 : x > y;
}

static int64_t room_of(const nas_buffer *b) { return (bytes_of(b) + ALIGN - 1) / ALIGN * ALIGN + APART; }

/* `placed` is sorted by offset. Puts b at the lowest gap and returns its index in the order. */
static int32_t place(nas_buffer *const *placed, int32_t n, nas_buffer *b) {
  int64_t end = 0;
  int32_t at = 0;
  for (int32_t i = 0; i < n; i++) {
    const nas_buffer *o = placed[i];
    if (!live_together(o, b)) continue;
    if (o->offset - end >= room_of(b)) break;
    if (o->offset + room_of(o) > end) end = o->offset + room_of(o);
  }
  b->offset = end;
  while (at < n && placed[at]->offset <= end) at++;
  return at;
}

nas_status nas_plan_place(nas_plan *p, nas_err *err) {
  NAS_TRY(nas_plan_find_chains(p, err));
  find_lives(p);
  nas_buffer **order = calloc((size_t)p->n_buffers, sizeof *order);
  nas_buffer **placed = calloc((size_t)p->n_buffers, sizeof *placed);
  int32_t n = 0;
  if (!order || !placed) {
    free(order);
    free(placed);
    return nas_fail_memory(err, "a plan");
  }
  for (int32_t i = 0; i < p->n_buffers; i++)
    if (!p->buffers[i].external && p->buffers[i].life.first <= p->buffers[i].life.last) order[n++] = &p->buffers[i];
  qsort(order, (size_t)n, sizeof *order, by_size);
  p->arena_bytes = 0;
  for (int32_t i = 0; i < n; i++) {
    int32_t at = place(placed, i, order[i]);
    for (int32_t k = i; k > at; k--) placed[k] = placed[k - 1];
    placed[at] = order[i];
    int64_t end = order[i]->offset + room_of(order[i]);
    if (end > p->arena_bytes) p->arena_bytes = end;
  }
  free(order);
  free(placed);
  return NAS_OK;
}
