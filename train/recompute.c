/* What the backward pass can make again for less than it costs to keep. A node of a cell is a sum of branches whose z
 * are kept anyway; a fan that reads such a node adds them up again, a few images at a time in cache, so the node itself
 * need not outlive the forward pass. */
#include <stdlib.h>

#include "train/plan_internal.h"

/* The one step that makes buffer b whole, if that is a sum of branches and kept values; else -1. */
static int32_t maker_of(const nas_plan *p, int32_t b, const bool *kept) {
  int32_t found = -1;
  for (int32_t i = 0; i < p->n_steps; i++) {
    if (p->steps[i].y != b) continue;
    if (found >= 0) return -1;
    found = i;
  }
  if (found < 0) return -1;
  const nas_step *s = &p->steps[found];
  if (s->node != NAS_NO_VALUE || !s->call.n_branches || s->plus != NAS_NO_BUFFER) return -1;
  for (int32_t i = 0; i < s->call.site.n_in; i++)
    if (!kept[s->x[i]]) return -1;
  for (int32_t i = 0; i < s->call.n_branches; i++)
    if (s->call.branch[i]->folded) return -1;
  return found;
}

/* True when the backward pass of some step other than a fan looks at buffer b. */
static bool read_elsewhere(const nas_plan *p, int32_t b) {
  for (int32_t i = 0; i < p->n_steps; i++) {
    const nas_step *s = &p->steps[i];
    for (int32_t k = 0; k < s->call.site.n_in; k++)
      if (!s->fan && s->x[k] == b && s->kernel->reads & NAS_READS_X) return true;
    if (s->y == b && s->kernel->reads & NAS_READS_Y) return true;
    for (int32_t k = 0; k < s->call.n_branches; k++)
      if (s->call.branch[k]->folded && s->call.branch[k]->x_buffer == b) return true;
  }
  return false;
}

nas_status nas_plan_recompute(nas_plan *p, const int32_t *segment, nas_err *err) {
  bool *kept = calloc((size_t)p->n_buffers, sizeof *kept);
  if (!kept) return nas_fail_memory(err, "a plan");
  for (int32_t i = 0; i < p->n_steps; i++) { /* fans of one value are neighbours in what they decide */
    nas_step *s = &p->steps[i];
    if (!s->fan) continue;
    int32_t maker = read_elsewhere(p, s->x[0]) ? -1 : maker_of(p, s->x[0], kept);
    if (maker >= 0 && segment && segment[maker] != segment[i]) maker = -1;
    s->source = maker;
    if (maker < 0) kept[s->x[0]] = true;
  }
  free(kept);
  return NAS_OK;
}
