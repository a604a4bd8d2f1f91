#include <stdlib.h>
#include <string.h>

#include "base/doing.h"
#include "base/str.h"
#include "train/chain.h"
#include "train/dnnl_conv.h"
#include "train/kernels/kernels.h"
#include "train/loss.h"
#include "train/one_thread.h"
#include "train/plan_internal.h"
#include "train/weighted_sum.h"

/* Makes room for one more element of a growing array. */
static nas_status grow(void **array, int32_t n, int32_t *cap, size_t size, nas_err *err) {
  if (n < *cap) return NAS_OK;
  int32_t more = *cap ? 2 * *cap : 64;
  void *bigger = realloc(*array, (size_t)more * size);
  if (!bigger) return nas_fail_memory(err, "a plan");
  *array = bigger;
  *cap = more;
  return NAS_OK;
}

nas_status nas_plan_add_buffer(nas_plan *p, int64_t bytes, int32_t *out, nas_err *err) {
  void *array = p->buffers;
  nas_status status = grow(&array, p->n_buffers, &p->buffers_cap, sizeof *p->buffers, err);
  p->buffers = array;
  if (status != NAS_OK) return status;
  p->buffers[p->n_buffers] = (nas_buffer){.bytes = bytes, .life = {0, -1}, .again = {0, -1}};
  *out = p->n_buffers++;
  return NAS_OK;
}

nas_status nas_plan_add_step(nas_plan *p, const nas_step *step, int32_t *out, nas_err *err) {
  void *array = p->steps;
  nas_status status = grow(&array, p->n_steps, &p->steps_cap, sizeof *p->steps, err);
  p->steps = array;
  if (status != NAS_OK) return status;
  p->steps[p->n_steps] = *step;
  *out = p->n_steps++;
  return NAS_OK;
}

nas_status nas_plan_add_instruction(nas_plan *p, int32_t step, bool backward, nas_err *err) {
  void *array = p->program;
  nas_status status = grow(&array, p->n_program, &p->program_cap, sizeof *p->program, err);
  p->program = array;
  if (status == NAS_OK) p->program[p->n_program++] = (nas_instruction){step, backward};
  return status;
}

nas_step nas_plan_sum_step(const nas_plan *p, int64_t elements) {
  bool wide = p->model->dtype == NAS_F64, plain = p->options.reference;
  nas_step s = {.kernel = wide ? &nas_weighted_sum_f64 : plain ? &nas_weighted_sum_f32 : &nas_weighted_sum_fast};
  s.node = NAS_NO_VALUE;
  s.source = -1;
  s.y = s.plus = s.saved = s.forward_scratch = s.dy = s.backward_scratch = NAS_NO_BUFFER;
  for (int i = 0; i < NAS_LAYER_INPUTS_MAX; i++) s.x[i] = s.dx[i] = s.dplus[i] = NAS_NO_BUFFER;
  s.call.elements = elements;
  return s;
}

void *nas_plan_address(const nas_plan *p, int32_t buffer) {
  if (buffer == NAS_NO_BUFFER) return NULL;
  const nas_buffer *b = &p->buffers[buffer];
  return b->external ? p->input : (char *)p->base + b->offset;
}

/* Turns buffer numbers into addresses; again whenever another plan has made the arena larger. */
static void resolve(nas_plan *p) {
  if (p->base == p->model->arena) return;
  p->base = p->model->arena;
  for (int32_t i = 0; i < p->n_steps; i++) {
    nas_step *s = &p->steps[i];
    for (int32_t k = 0; k < s->call.site.n_in; k++) {
      s->call.x[k] = nas_plan_address(p, s->x[k]);
      s->call.dx[k] = nas_plan_address(p, s->dx[k]);
      s->call.dplus[k] = nas_plan_address(p, s->dplus[k]);
    }
    s->call.source = s->source < 0 ? NULL : &p->steps[s->source].call;
    s->call.y = nas_plan_address(p, s->y);
    s->call.plus = nas_plan_address(p, s->plus);
    s->call.dy = nas_plan_address(p, s->dy);
    s->call.saved = nas_plan_address(p, s->saved);
  }
  for (int32_t i = 0; i < p->n_branches; i++) {
    nas_branch *b = &p->branches[i];
    b->z = nas_plan_address(p, b->z_buffer);
    b->stats = nas_plan_address(p, b->stats_buffer);
    b->dy = nas_plan_address(p, b->dy_buffer);
    if (!b->folded) continue;
    b->z = NULL;
    b->x = nas_plan_address(p, b->x_buffer);
    b->gram = nas_plan_address(p, b->gram_buffer);
  }
  nas_plan_resolve_chains(p);
}

static int64_t rounded(int64_t bytes) { return (bytes > 0 ? bytes + 63 : 64) / 64 * 64; }

static nas_status check_options(const nas_plan_options *o, nas_err *err) {
  if (o->batch < 1)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "a batch of %d images; it must be at least 1", o->batch);
  if (!(o->label_smoothing >= 0 && o->label_smoothing < 1))
    return nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "label smoothing %g; it must be at least 0 and below 1",
                    o->label_smoothing);
  if (o->bf16 && !nas_conv_has_bf16())
    return nas_fail(err, NAS_E_UNSUPPORTED, NULL, "this CPU does not multiply bf16 numbers; take precision f32");
  return NAS_OK;
}

int64_t nas_plan_bytes(const nas_plan *p) {
  const nas_model *m = p->model;
  int64_t size = nas_dtype_size(m->dtype), states = rounded(m->n_states * size);
  return rounded(p->arena_bytes) + rounded(p->buffers[0].bytes) + rounded(p->options.batch * (int64_t)4) +
         2 * rounded(m->n_params * size) + (p->recomputed > 0 ? 2 : 1) * states;
}

/* Everything but the memory. */
static nas_status design(nas_plan *p, nas_err *err) {
  if (p->model->dtype == NAS_F64) p->options.reference = true;
  NAS_TRY(check_options(&p->options, err));
  NAS_TRY(nas_kernels_check(err));
  NAS_TRY(nas_one_thread(err));
  NAS_TRY(nas_plan_lower(p, err));
  p->n_forward = p->n_program;
  bool train = p->options.mode == NAS_TRAIN;
  if (train) {
    NAS_TRY(nas_plan_recompute(p, NULL, err));
    NAS_TRY(nas_plan_add_gradients(p, err));
  }
  NAS_TRY(nas_plan_place(p, err));
  if (train && p->options.recompute) NAS_TRY(nas_plan_fit(p, err));
  p->peak_bytes = nas_plan_bytes(p);
  return NAS_OK;
}

static nas_status check_limit(const nas_plan *p, nas_err *err) {
  if (p->options.memory_limit <= 0 || p->peak_bytes <= p->options.memory_limit) return NAS_OK;
  char needed[24], limit[24];
  return nas_fail(err, NAS_E_NO_MEMORY, NULL,
                  "the plan needs %s%lld bytes (%s) but the limit is %lld bytes (%s); take a smaller batch or network",
                  p->recomputed > 0 ? "at least " : "", (long long)p->peak_bytes, nas_text_size(needed, p->peak_bytes),
                  (long long)p->options.memory_limit, nas_text_size(limit, p->options.memory_limit));
}

static nas_status allocate(nas_plan *p, nas_err *err) {
  nas_model *m = p->model;
  p->input = nas_aligned_new(p->buffers[0].bytes);
  p->labels = nas_aligned_new(p->options.batch * (int64_t)sizeof *p->labels);
  p->calls = calloc((size_t)p->n_calls + 1, sizeof *p->calls);
  if (!p->input || !p->labels || !p->calls) return nas_fail_memory(err, "a plan's batch");
  if (p->recomputed > 0) {
    p->kept_states = nas_aligned_new(m->n_states * nas_dtype_size(m->dtype));
    if (!p->kept_states) return nas_fail_memory(err, "a plan's running statistics");
  }
  if (!m->arena || m->arena_bytes < p->arena_bytes) {
    int64_t bytes;
    void *arena = nas_arena_take(p->arena_bytes, &bytes);
    if (!arena) return nas_fail_memory(err, "a plan's arena");
    free(m->arena);
    m->arena = arena;
    m->arena_bytes = bytes;
  }
  return NAS_OK;
}

static nas_status make(nas_model *m, const nas_plan_options *options, nas_plan **out, nas_err *err) {
  *out = NULL;
  nas_plan *p = calloc(1, sizeof *p);
  if (!p) return nas_fail_memory(err, "a plan");
  p->model = m;
  p->options = *options;
  p->logits = p->dlogits = p->dinput = NAS_NO_BUFFER;
  nas_status status = design(p, err);
  if (status == NAS_OK) *out = p;
  else nas_plan_free(p);
  return status;
}

nas_status nas_plan_new(nas_model *m, const nas_plan_options *options, nas_plan **out, nas_err *err) {
  NAS_TRY(make(m, options, out, err));
  nas_status status = check_limit(*out, err);
  if (status == NAS_OK) status = allocate(*out, err);
  if (status == NAS_OK) return NAS_OK;
  nas_plan_free(*out);
  *out = NULL;
  return status;
}

nas_status nas_plan_measure(nas_model *m, const nas_plan_options *options, int64_t *peak_bytes, nas_err *err) {
  nas_plan *p;
  NAS_TRY(make(m, options, &p, err));
  *peak_bytes = p->peak_bytes;
  nas_plan_free(p);
  return NAS_OK;
}

void nas_plan_free(nas_plan *p) {
  if (!p) return;
  for (int32_t i = 0; i < p->n_steps; i++)
    if (p->steps[i].kernel->release) p->steps[i].kernel->release(&p->steps[i].call);
  free(p->steps);
  free(p->branches);
  free(p->buffers);
  free(p->program);
  free(p->buffer_of);
  free(p->input);
  free(p->labels);
  free(p->kept_states);
  free(p->chains);
  free(p->calls);
  free(p);
}

int64_t nas_plan_peak_bytes(const nas_plan *p) { return p->peak_bytes; }
int64_t nas_plan_traffic(const nas_plan *p) { return p->traffic; }
double nas_plan_recomputed(const nas_plan *p) { return p->recomputed; }
int32_t nas_plan_operations(const nas_plan *p) {
  int32_t n = p->n_forward;
  for (int32_t i = 0; i < p->n_chains; i++)
    if (p->chains[i].first < p->n_forward) n -= p->chains[i].n - 1;
  return n;
}
void *nas_plan_input(nas_plan *p) { return p->input; }
int32_t *nas_plan_labels(nas_plan *p) { return p->labels; }

/* What the words of a crash call a step; what the planner put in has no label. */
static const char *name_of(const nas_plan *p, const nas_step *s) {
  if (s->node == NAS_NO_VALUE) return s->fan ? "a fan of convolutions" : "a node's sum";
  const nas_node *node = &p->model->graph->nodes[s->node];
  return node->label[0] ? node->label : node->op->name;
}

static void run(nas_plan *p, int32_t first, int32_t last) {
  const nas_chain *chain = p->chains, *end = nas_plan_chains_end(p);
  for (int32_t i = first; i < last; i++) {
    while (chain < end && chain->first < i) chain++;
    if (chain < end && chain->first == i) {
      nas_doing_set(p->program[i].backward ? "backward pass" : "forward pass", "a chain of elementwise operations");
      nas_plan_run_chain(p, chain);
      i += chain->n - 1;
      continue;
    }
    nas_step *s = &p->steps[p->program[i].step];
    bool backward = p->program[i].backward;
    nas_doing_set(backward ? "backward pass" : "forward pass", name_of(p, s));
    s->call.scratch = nas_plan_address(p, backward ? s->backward_scratch : s->forward_scratch);
    (backward ? s->kernel->backward : s->kernel->forward)(&s->call);
  }
  nas_doing_set(NULL, NULL);
}

nas_loss nas_plan_forward(nas_plan *p, uint64_t seed, uint64_t step) {
  nas_one_thread(NULL);
  resolve(p);
  for (int32_t i = 0; i < p->n_steps; i++) {
    p->steps[i].call.seed = seed;
    p->steps[i].call.step = step;
  }
  run(p, 0, p->n_forward);
  const nas_node *output = &p->model->graph->nodes[p->model->graph->output];
  return nas_softmax_cross_entropy(p->model->dtype, nas_plan_address(p, p->logits), p->labels, p->options.batch,
                                   output->shape.c, p->options.label_smoothing, nas_plan_address(p, p->dlogits));
}

void nas_plan_backward(nas_plan *p) {
  const nas_model *m = p->model;
  size_t states = (size_t)(m->n_states * nas_dtype_size(m->dtype));
  nas_one_thread(NULL);
  if (p->kept_states) memcpy(p->kept_states, m->states, states);
  run(p, p->n_forward, p->n_program);
  if (p->kept_states) memcpy(m->states, p->kept_states, states);
}

void nas_plan_backward_from(nas_plan *p, const void *logits_gradient) {
  if (p->dlogits == NAS_NO_BUFFER) return;
  memcpy(nas_plan_address(p, p->dlogits), logits_gradient, (size_t)p->buffers[p->dlogits].bytes);
  nas_plan_backward(p);
}

const void *nas_plan_logits(const nas_plan *p) { return nas_plan_address(p, p->logits); }
const void *nas_plan_input_gradient(const nas_plan *p) { return nas_plan_address(p, p->dinput); }

/* True when no other buffer was written over b between its last use in the forward pass and the end of that. */
static bool intact(const nas_plan *p, const nas_buffer *b) {
  if (b->external) return true;
  if (b->local) return false;
  for (int32_t i = 0; i < p->n_buffers; i++) {
    const nas_buffer *o = &p->buffers[i];
    bool meets = o->offset < b->offset + b->bytes && b->offset < o->offset + o->bytes;
    nas_life life = o->life;
    if (o != b && !o->external && meets && life.first <= life.last && life.last > b->life.first &&
        life.first <= p->n_forward)
      return false;
  }
  return true;
}

nas_status nas_plan_read(const nas_plan *p, nas_value v, void *out, nas_err *err) {
  const nas_graph *g = p->model->graph;
  if (v < 0 || v >= g->n) return nas_fail(err, NAS_E_BAD_INPUT, NULL, "no such value");
  int32_t buffer = p->buffer_of[v];
  if (buffer == NAS_NO_BUFFER || !intact(p, &p->buffers[buffer]))
    return nas_fail(err, NAS_E_NOT_FOUND, g->nodes[v].label,
                    "the planner did not keep this value; use a reference plan");
  memcpy(out, nas_plan_address(p, buffer), (size_t)p->buffers[buffer].bytes);
  return NAS_OK;
}

nas_status nas_plan_probe(const nas_plan *p, const char *name, double *out, int64_t room, int64_t *n, nas_err *err) {
  return nas_plan_probe_nth(p, name, 0, out, room, n, err);
}

nas_status nas_plan_probe_nth(const nas_plan *p, const char *name, int k, double *out, int64_t room, int64_t *n,
                              nas_err *err) {
  for (int32_t i = 0; i < p->n_steps; i++) {
    const nas_step *s = &p->steps[i];
    *n = s->kernel->probe ? s->kernel->probe(&s->call, name, NULL) : -1;
    if (*n < 0 || k-- > 0) continue;
    if (*n > room)
      return nas_fail(err, NAS_E_BAD_INPUT, name, "%lld numbers, but there is room for %lld only", (long long)*n,
                      (long long)room);
    s->kernel->probe(&s->call, name, out);
    return NAS_OK;
  }
  *n = 0;
  return nas_fail(err, NAS_E_NOT_FOUND, name, "no operation of this plan has a side result of this name");
}
