/* The backward program. A value's gradient is what its readers send back. Where a reader only passes its own gradient
 * on (a sum), nothing is copied: the gradient is an alias when it is the only one, and otherwise the next reader adds
 * its share to it while storing. */
#include <stdlib.h>

#include "train/plan_internal.h"

/* What has come in so far for one value. */
typedef struct flow {
  int32_t grad;                          /* the buffer that holds it, or NAS_NO_BUFFER */
  int32_t pending[NAS_LAYER_INPUTS_MAX]; /* gradients to add, not yet looked at */
  float factor[NAS_LAYER_INPUTS_MAX];
  int32_t n_pending;
} flow;

static int64_t elements_of(const nas_plan *p, int32_t buffer) {
  return p->buffers[buffer].bytes / nas_dtype_size(p->model->dtype);
}

/* Adds all that is pending into a buffer of its own. */
static nas_status collect(nas_plan *p, flow *f, int32_t value, nas_err *err) {
  nas_step s = nas_plan_sum_step(p, elements_of(p, value));
  s.call.site.n_in = f->n_pending;
  for (int32_t i = 0; i < f->n_pending; i++) {
    s.x[i] = f->pending[i];
    s.call.factor[i] = f->factor[i];
  }
  f->n_pending = 0;
  s.plus = f->grad;
  if (f->grad == NAS_NO_BUFFER) NAS_TRY(nas_plan_add_buffer(p, p->buffers[value].bytes, &f->grad, err));
  s.y = f->grad;
  int32_t index;
  NAS_TRY(nas_plan_add_step(p, &s, &index, err));
  return nas_plan_add_instruction(p, index, false, err);
}

/* All readers have been heard: decides where the gradient is. */
static nas_status settle(nas_plan *p, flow *f, int32_t value, nas_err *err) {
  if (f->n_pending == 1 && f->grad == NAS_NO_BUFFER && f->factor[0] == 1) {
    f->grad = f->pending[0];
    f->n_pending = 0;
  }
  return f->n_pending || f->grad == NAS_NO_BUFFER ? collect(p, f, value, err) : NAS_OK;
}

static nas_status pass_on(nas_plan *p, flow *f, int32_t value, int32_t grad, float factor, nas_err *err) {
  if (!p->buffers[value].wants_grad) return NAS_OK;
  if (f->n_pending == NAS_LAYER_INPUTS_MAX) NAS_TRY(collect(p, f, value, err));
  f->pending[f->n_pending] = grad;
  f->factor[f->n_pending++] = factor;
  return NAS_OK;
}

/* Gives the kernel of step s a place to store its gradient by input i. */
static nas_status take_input(nas_plan *p, flow *flows, int32_t step, int32_t i, nas_err *err) {
  int32_t value = p->steps[step].x[i], plus = NAS_NO_BUFFER;
  flow *f = &flows[value];
  if (f->grad == NAS_NO_BUFFER && f->n_pending == 1 && f->factor[0] == 1) {
    plus = f->pending[0];
    f->n_pending = 0;
  } else if (f->n_pending) {
    NAS_TRY(collect(p, f, value, err));
  }
  if (f->grad == NAS_NO_BUFFER) NAS_TRY(nas_plan_add_buffer(p, p->buffers[value].bytes, &f->grad, err));
  else plus = f->grad;
  p->steps[step].dx[i] = f->grad;
  p->steps[step].dplus[i] = plus;
  return NAS_OK;
}

static nas_status reverse_kernel(nas_plan *p, flow *flows, int32_t step, bool needed, nas_err *err) {
  for (int i = 0; i < NAS_OP_PARAMS_MAX; i++) needed |= p->steps[step].call.grad[i] != NULL;
  for (int32_t i = 0; i < p->steps[step].call.site.n_in; i++)
    if (p->steps[step].call.wants_dx[i]) {
      needed = true;
      NAS_TRY(take_input(p, flows, step, i, err));
    }
  if (!needed) return NAS_OK;
  int64_t scratch = p->steps[step].call.backward_scratch;
  if (scratch) NAS_TRY(nas_plan_add_buffer(p, scratch, &p->steps[step].backward_scratch, err));
  return nas_plan_add_instruction(p, step, true, err);
}

/* The gradients of a fan's branches are those of the sums that took them. */
static nas_status reverse_fan(nas_plan *p, flow *flows, int32_t step, nas_err *err) {
  const nas_call *c = &p->steps[step].call;
  for (int32_t i = 0; i < c->n_branches; i++) {
    nas_branch *b = c->branch[i];
    NAS_TRY(settle(p, &flows[b->z_buffer], b->z_buffer, err));
    b->dy_buffer = flows[b->z_buffer].grad;
    c = &p->steps[step].call;
  }
  return reverse_kernel(p, flows, step, true, err);
}

/* A sum passes its gradient on to all it added; for branches it also finds the norms' factors. */
static nas_status reverse_sum(nas_plan *p, flow *flows, int32_t step, nas_err *err) {
  nas_step s = p->steps[step];
  int32_t grad = flows[s.y].grad;
  for (int32_t i = 0; i < s.call.site.n_in; i++)
    NAS_TRY(pass_on(p, &flows[s.x[i]], s.x[i], grad, s.call.factor[i], err));
  for (int32_t i = 0; i < s.call.n_branches; i++)
    NAS_TRY(pass_on(p, &flows[s.call.branch[i]->z_buffer], s.call.branch[i]->z_buffer, grad, 1, err));
  if (!s.call.n_branches) return NAS_OK;
  NAS_TRY(nas_plan_add_buffer(p, s.call.backward_scratch, &p->steps[step].backward_scratch, err));
  return nas_plan_add_instruction(p, step, true, err);
}

static nas_status reverse_step(nas_plan *p, flow *flows, int32_t step, nas_err *err) {
  nas_step s = p->steps[step];
  if (s.fan) return reverse_fan(p, flows, step, err);
  if (!p->buffers[s.y].wants_grad) return NAS_OK;
  NAS_TRY(settle(p, &flows[s.y], s.y, err));
  p->steps[step].dy = flows[s.y].grad;
  if (s.plus != NAS_NO_BUFFER && s.plus != s.y) NAS_TRY(pass_on(p, &flows[s.plus], s.plus, flows[s.y].grad, 1, err));
  return s.node != NAS_NO_VALUE ? reverse_kernel(p, flows, step, false, err) : reverse_sum(p, flows, step, err);
}

nas_status nas_plan_add_gradients(nas_plan *p, nas_err *err) {
  int32_t n_values = p->n_buffers, n_steps = p->n_steps;
  flow *flows = calloc((size_t)n_values, sizeof *flows);
  if (!flows) return nas_fail_memory(err, "a plan");
  for (int32_t i = 0; i < n_values; i++) flows[i].grad = NAS_NO_BUFFER;
  nas_status status = nas_plan_add_buffer(p, p->buffers[p->logits].bytes, &p->dlogits, err);
  if (status == NAS_OK) status = pass_on(p, &flows[p->logits], p->logits, p->dlogits, 1, err);
  for (int32_t s = n_steps; status == NAS_OK && s-- > 0;) status = reverse_step(p, flows, s, err);
  if (status == NAS_OK && p->options.input_gradient) {
    status = settle(p, &flows[0], 0, err);
    p->dinput = flows[0].grad;
  }
  free(flows);
  return status;
}
