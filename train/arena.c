/* Lifetimes and places: a buffer lives from the first to the last instruction that touches it, and two buffers may
 * share bytes when their lives do not meet. Largest first, each at the lowest offset that is free for its whole life.
 */
#include <stdlib.h>

#include "train/plan_internal.h"

enum { ALIGN = 64, APART = 192 }; /* buffers of equal size should not start at equal cache sets */

static void touch(nas_plan *p, int32_t buffer, int32_t time) {
  if (buffer == NAS_NO_BUFFER) return;
  nas_buffer *b = &p->buffers[buffer];
  p->traffic += b->bytes;
  if (b->first > b->last) b->first = b->last = time;
  if (time < b->first) b->first = time;
  if (time > b->last) b->last = time;
}

static void touch_branches(nas_plan *p, const nas_step *s, bool gradients, int32_t time) {
  for (int32_t i = 0; i < s->call.n_branches; i++) {
    const nas_branch *b = s->call.branch[i];
    touch(p, b->z_buffer, time);
    touch(p, b->stats_buffer, time);
    if (gradients) touch(p, b->dy_buffer, time);
  }
}

static void touch_step(nas_plan *p, const nas_step *s, bool backward, int32_t time) {
  touch(p, s->saved, time);
  for (int32_t i = 0; i < s->call.site.n_in; i++) {
    if (!backward || (s->kernel->reads & NAS_READS_X && s->source < 0)) touch(p, s->x[i], time);
    if (backward) touch(p, s->dx[i], time), touch(p, s->dplus[i], time);
  }
  if (!backward || s->kernel->reads & NAS_READS_Y) touch(p, s->y, time);
  touch(p, backward ? s->dy : s->plus, time);
  int64_t traffic = p->traffic;
  touch(p, backward ? s->backward_scratch : s->forward_scratch, time);
  p->traffic = traffic; /* scratch stays in cache */
  touch_branches(p, s, s->fan && backward, time);
  if (!backward || s->source < 0) return;
  const nas_step *source = &p->steps[s->source];
  for (int32_t i = 0; i < source->call.site.n_in; i++) touch(p, source->x[i], time);
  touch_branches(p, source, false, time);
}

/* Instruction i of the forward part is at time i, the loss after it, the backward part after that. */
static void find_lives(nas_plan *p) {
  for (int32_t i = 0; i < p->n_program; i++) {
    int32_t time = i < p->n_forward ? i : i + 1;
    touch_step(p, &p->steps[p->program[i].step], p->program[i].backward, time);
  }
  touch(p, p->logits, p->n_program + 1);
  touch(p, p->dlogits, p->n_forward);
  touch(p, p->dinput, p->n_program + 1);
}

static int by_size(const void *a, const void *b) {
  const nas_buffer *x = *(const nas_buffer *const *)a, *y = *(const nas_buffer *const *)b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x < y ? -1 : x > y;
}

static int64_t room_of(const nas_buffer *b) { return (b->bytes + ALIGN - 1) / ALIGN * ALIGN + APART; }

/* `placed` is sorted by offset. Puts b at the lowest gap and returns its index in the order. */
static int32_t place(nas_buffer *const *placed, int32_t n, nas_buffer *b) {
  int64_t end = 0;
  int32_t at = 0;
  for (int32_t i = 0; i < n; i++) {
    const nas_buffer *o = placed[i];
    if (o->last < b->first || o->first > b->last) continue;
    if (o->offset - end >= room_of(b)) break;
    if (o->offset + room_of(o) > end) end = o->offset + room_of(o);
  }
  b->offset = end;
  while (at < n && placed[at]->offset <= end) at++;
  return at;
}

nas_status nas_plan_place(nas_plan *p, nas_err *err) {
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
    if (!p->buffers[i].external && p->buffers[i].first <= p->buffers[i].last) order[n++] = &p->buffers[i];
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
