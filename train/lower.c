/* From graph to forward steps. A plain plan runs every live operation by itself. A fast plan follows aliases (skip
 * connections, sums of one term), stores the terms of a sum on top of each other, and runs ReLU, convolution and batch
 * norm as one step. Values are made when something asks for them, so what nothing needs is never planned. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "train/conv_edge.h"
#include "train/conv_fan.h"
#include "train/direct_fan.h"
#include "train/filtered_fan.h"
#include "train/folded.h"
#include "train/kernels/kernels.h"
#include "train/plan_internal.h"
#include "train/point_conv.h"
#include "train/strided_fan.h"
#include "train/weighted_sum.h"

enum { TERMS_MAX = 64 };

typedef struct lowering {
  nas_plan *p;
  const nas_graph *g;
  bool fast;
  nas_value *alias;    /* of each value: the value that holds its content */
  int32_t *uses;       /* how many inputs of planned operations it is */
  nas_branch **branch; /* of each norm that ends one and whose fan is planned */
} lowering;

/* A ReLU, a convolution and a batch norm that run as one; relu and norm may be absent. */
typedef struct edge {
  nas_value source, conv, norm;
  bool relu;
} edge;

/* What a sum is made of: operations that store into it, values with factors, and branches with theirs. */
typedef struct terms {
  nas_value ops[TERMS_MAX], values[TERMS_MAX], branches[TERMS_MAX];
  float factors[TERMS_MAX], branch_factors[TERMS_MAX];
  int32_t times[TERMS_MAX]; /* how many inputs of the sum, and of those opened up in it, each value is */
  int32_t n_ops, n_values, n_branches;
} terms;

static nas_status need(lowering *l, nas_value v, int32_t *buffer, nas_err *err);

static const nas_node *node_of(const lowering *l, nas_value v) { return &l->g->nodes[v]; }

static bool has_trait(const lowering *l, nas_value v, unsigned trait) {
  return v > 0 && node_of(l, v)->op->traits & trait;
}

/* The inputs that count: a sum does not look at its zeros. */
static int32_t inputs_of(const lowering *l, nas_value v, nas_value in[NAS_LAYER_INPUTS_MAX]) {
  const nas_node *node = node_of(l, v);
  int32_t n = 0;
  for (int32_t i = 0; i < node->n_in; i++)
    if (!(has_trait(l, v, NAS_OP_SUM) && node_of(l, node->in[i])->zero)) in[n++] = l->alias[node->in[i]];
  return n;
}

static nas_value alias_of(const lowering *l, nas_value v) {
  const nas_node *node = node_of(l, v);
  if (!l->fast || v == 0 || node->zero) return v;
  bool idle = node->op->traits & NAS_OP_TRAIN_ONLY && (l->p->options.mode == NAS_EVAL || node->attrs.rate == 0);
  if (node->op->traits & NAS_OP_ALIAS || idle) return l->alias[node->in[0]];
  nas_value in[NAS_LAYER_INPUTS_MAX] = {0};
  if (node->op->traits & NAS_OP_SUM && inputs_of(l, v, in) == 1) return in[0];
  return v;
}

static void count_uses(lowering *l) {
  for (nas_value v = 0; v < l->g->n; v++) {
    if (v > 0 && !node_of(l, v)->live) continue;
    l->alias[v] = alias_of(l, v);
    if (l->alias[v] != v || v == 0 || node_of(l, v)->zero) continue;
    nas_value in[NAS_LAYER_INPUTS_MAX] = {0};
    int32_t n = inputs_of(l, v, in);
    for (int32_t i = 0; i < n; i++) l->uses[in[i]]++;
  }
  l->uses[l->alias[l->g->output]]++;
}

static const nas_kernel *kernel_of(const lowering *l, nas_value v) {
  const nas_op *op = node_of(l, v)->op;
  if (l->p->model->dtype == NAS_F64) return &op->f64;
  return l->fast && op->fast ? op->fast : &op->f32;
}

/* True when v runs as a fused convolution. */
static bool edge_of(const lowering *l, nas_value v, edge *e) {
  nas_value in[NAS_LAYER_INPUTS_MAX] = {0};
  if (!l->fast || node_of(l, v)->zero) return false;
  *e = (edge){NAS_NO_VALUE, v, NAS_NO_VALUE, false};
  if (has_trait(l, v, NAS_OP_NORM)) {
    inputs_of(l, v, in);
    if (!has_trait(l, in[0], NAS_OP_CONV) || l->uses[in[0]] != 1 || node_of(l, in[0])->zero) return false;
    e->conv = in[0];
    e->norm = v;
  }
  if (!has_trait(l, e->conv, NAS_OP_CONV)) return false;
  inputs_of(l, e->conv, in);
  e->source = in[0];
  if (has_trait(l, in[0], NAS_OP_RELU) && !node_of(l, in[0])->zero) {
    e->relu = true;
    inputs_of(l, in[0], in);
    e->source = in[0];
  }
  return true;
}

/* True when v is a norm that ends a branch of a fan. */
static bool is_branch(const lowering *l, nas_value v, edge *e) {
  return l->p->options.mode == NAS_TRAIN && v > 0 && edge_of(l, v, e) && e->norm != NAS_NO_VALUE;
}

static bool stores_into_sums(const lowering *l, nas_value v) {
  edge e;
  return v > 0 && !node_of(l, v)->zero && (edge_of(l, v, &e) || kernel_of(l, v)->sinks);
}

static int64_t value_bytes(const lowering *l, nas_value v) {
  return l->p->options.batch * nas_shape_size(node_of(l, v)->shape) * nas_dtype_size(l->p->model->dtype);
}

/* Parameters of node v into slots from `slot` on. */
static void bind_params(const lowering *l, nas_value v, void **param, void **grad, int32_t slot) {
  const nas_model *m = l->p->model;
  if (m->first[v] < 0) return;
  size_t size = (size_t)nas_dtype_size(m->dtype);
  nas_site site = nas_node_site(l->g, v, 1, NAS_TRAIN);
  nas_param_spec specs[NAS_OP_PARAMS_MAX];
  int32_t n = node_of(l, v)->op->params(&site, specs);
  for (int32_t i = 0; i < n; i++) {
    const nas_tensor_info *info = &m->tensors[m->first[v] + i];
    size_t at = (size_t)info->offset * size;
    param[slot + i] = (char *)(info->running ? m->states : m->params) + at;
    if (!info->running) grad[slot + i] = (char *)m->grads + at;
  }
}

static bool wants_dx(const lowering *l, const nas_step *s, int32_t in) {
  return l->p->options.mode == NAS_TRAIN && l->p->buffers[s->x[in]].wants_grad;
}

/* Completes a step whose x, y and plus are set: gradients wanted, kernel prepared, saved and scratch buffers. */
static nas_status finish(lowering *l, nas_step *s, nas_err *err) {
  nas_plan *p = l->p;
  bool train = p->options.mode == NAS_TRAIN, trains = false;
  for (int32_t i = 0; i < s->call.site.n_in; i++) s->call.wants_dx[i] = wants_dx(l, s, i);
  for (int32_t i = 0; i < s->call.site.n_in; i++) trains |= s->call.wants_dx[i];
  for (int i = 0; i < NAS_OP_PARAMS_MAX; i++) trains |= train && s->call.grad[i];
  if (s->plus != NAS_NO_BUFFER) trains |= p->buffers[s->plus].wants_grad;
  if (s->y != NAS_NO_BUFFER) p->buffers[s->y].wants_grad |= trains || s->call.n_branches;
  int32_t index;
  NAS_TRY(nas_plan_add_step(p, s, &index, err));
  s = &p->steps[index];
  if (s->kernel->prepare) NAS_TRY(s->kernel->prepare(&s->call, err));
  if (s->call.saved_bytes) NAS_TRY(nas_plan_add_buffer(p, s->call.saved_bytes, &s->saved, err));
  if (s->call.forward_scratch) NAS_TRY(nas_plan_add_buffer(p, s->call.forward_scratch, &s->forward_scratch, err));
  return nas_plan_add_instruction(p, index, false, err);
}

static nas_status emit_edge(lowering *l, const edge *e, int32_t y, int32_t plus, nas_err *err) {
  nas_step s = nas_plan_sum_step(l->p, 0);
  s.node = e->norm != NAS_NO_VALUE ? e->norm : e->conv;
  s.call.site = nas_node_site(l->g, e->conv, l->p->options.batch, l->p->options.mode);
  s.call.relu_in = e->relu;
  s.call.norm_out = e->norm != NAS_NO_VALUE;
  bind_params(l, e->conv, s.call.param, s.call.grad, NAS_EDGE_WEIGHT);
  if (e->norm != NAS_NO_VALUE) bind_params(l, e->norm, s.call.param, s.call.grad, NAS_EDGE_GAMMA);
  NAS_TRY(need(l, e->source, &s.x[0], err));
  s.call.wants_dx[0] = wants_dx(l, &s, 0);
  s.kernel = nas_kernels()->direct && nas_point_conv_fits(&s.call) ? &nas_point_conv : &nas_conv_edge;
  s.y = y;
  s.plus = plus;
  return finish(l, &s, err);
}

/* Branches of one value are ordered so that convolutions of equal geometry, which run as one, stand together. */
static int by_geometry(const void *a, const void *b) {
  const nas_branch *x = *(nas_branch *const *)a, *y = *(nas_branch *const *)b;
  int order = memcmp(&x->site.attrs.kernel_h, &y->site.attrs.kernel_h, 4 * sizeof(int32_t));
  if (order) return order;
  return x < y ? -1 : x > y;
}

static nas_status new_branch(lowering *l, const edge *e, nas_branch **out, nas_err *err) {
  nas_plan *p = l->p;
  nas_branch *b = &p->branches[p->n_branches++];
  *b = (nas_branch){.dy_buffer = NAS_NO_BUFFER, .relu = e->relu, .factor = 1};
  b->site = nas_node_site(l->g, e->conv, p->options.batch, p->options.mode);
  bind_params(l, e->conv, b->param, b->grad, NAS_EDGE_WEIGHT);
  bind_params(l, e->norm, b->param, b->grad, NAS_EDGE_GAMMA);
  *out = l->branch[e->norm] = b;
  return nas_plan_add_buffer(p, NAS_BRANCH_STATS * b->site.out.c * (int64_t)sizeof(float), &b->stats_buffer, err);
}

/* Which kernel runs a fan, and which of its branches do without a z: those of few channels for their number, because
 * what that adds is two products of channels^2 a pixel for the whole fan. */
static nas_status choose_fan(lowering *l, nas_step *s, nas_err *err) {
  nas_call *c = &s->call;
  s->kernel = &nas_conv_fan;
  c->wants_dx[0] = l->p->buffers[s->x[0]].wants_grad;
  if (nas_kernels()->direct && nas_strided_fan_fits(c)) s->kernel = &nas_strided_fan;
  if (!nas_kernels()->direct || !nas_direct_fan_fits(c)) return NAS_OK;
  s->kernel = &nas_direct_fan;
  int32_t gram = NAS_NO_BUFFER, foldable = 0;
  for (int32_t i = 0; i < c->n_branches; i++) foldable += nas_folds(c->branch[i]);
  for (int32_t i = 0; i < c->n_branches; i++) {
    nas_branch *b = c->branch[i];
    b->half = nas_filtered_half(c, b);
    if (!nas_folds(b) || b->site.out.c > 32 * foldable) continue;
    int64_t bytes = nas_gram_numbers(b->site.out.c) * (int64_t)sizeof(float);
    if (gram == NAS_NO_BUFFER) NAS_TRY(nas_plan_add_buffer(l->p, bytes, &gram, err));
    b->folded = true;
    b->x_buffer = s->x[0];
    b->gram_buffer = gram;
  }
  return NAS_OK;
}

/* Room for each branch's z. */
static nas_status add_outputs(lowering *l, const nas_step *s, nas_err *err) {
  nas_plan *p = l->p;
  for (int32_t i = 0; i < s->call.n_branches; i++) {
    nas_branch *b = s->call.branch[i];
    int64_t size = b->half ? (int64_t)sizeof(uint16_t) : nas_dtype_size(p->model->dtype);
    NAS_TRY(nas_plan_add_buffer(p, p->options.batch * nas_shape_size(b->site.out) * size, &b->z_buffer, err));
    p->buffers[b->z_buffer].wants_grad = true;
  }
  return NAS_OK;
}

/* Plans the fan of v's source: v and all other branches of that value, as many as a step takes. */
static nas_status need_branch(lowering *l, nas_value v, nas_err *err) {
  edge e, other;
  if (l->branch[v] || !is_branch(l, v, &e)) return NAS_OK;
  nas_step s = nas_plan_sum_step(l->p, 0);
  s.fan = true;
  s.call.relu_in = e.relu;
  s.call.bf16 = l->p->options.bf16;
  s.call.site = nas_node_site(l->g, e.conv, l->p->options.batch, l->p->options.mode);
  NAS_TRY(need(l, e.source, &s.x[0], err));
  NAS_TRY(new_branch(l, &e, &s.call.branch[s.call.n_branches++], err));
  for (nas_value w = 1; w < l->g->n && s.call.n_branches < NAS_LAYER_INPUTS_MAX; w++) {
    if (!node_of(l, w)->live || l->alias[w] != w || l->branch[w] || !is_branch(l, w, &other)) continue;
    if (other.source == e.source && other.relu == e.relu)
      NAS_TRY(new_branch(l, &other, &s.call.branch[s.call.n_branches++], err));
  }
  qsort(s.call.branch, (size_t)s.call.n_branches, sizeof *s.call.branch, by_geometry);
  NAS_TRY(choose_fan(l, &s, err));
  NAS_TRY(add_outputs(l, &s, err));
  return finish(l, &s, err);
}

static nas_status emit_op(lowering *l, nas_value v, int32_t y, int32_t plus, nas_err *err) {
  edge e;
  if (edge_of(l, v, &e)) return emit_edge(l, &e, y, plus, err);
  nas_step s = nas_plan_sum_step(l->p, 0);
  nas_value in[NAS_LAYER_INPUTS_MAX] = {0};
  s.kernel = kernel_of(l, v);
  s.node = v;
  s.call.site = nas_node_site(l->g, v, l->p->options.batch, l->p->options.mode);
  s.call.site.n_in = inputs_of(l, v, in);
  s.call.label_hash = nas_hash64_text(node_of(l, v)->label);
  bind_params(l, v, s.call.param, s.call.grad, 0);
  for (int32_t i = 0; i < s.call.site.n_in; i++) NAS_TRY(need(l, in[i], &s.x[i], err));
  s.y = y;
  s.plus = plus;
  return finish(l, &s, err);
}

/* The buffers that term v reads, made before the sum's own buffer begins to live. */
static nas_status need_inputs(lowering *l, nas_value v, nas_err *err) {
  edge e;
  int32_t buffer;
  if (is_branch(l, v, &e)) return need_branch(l, v, err);
  if (edge_of(l, v, &e)) return need(l, e.source, &buffer, err);
  nas_value in[NAS_LAYER_INPUTS_MAX] = {0};
  int32_t n = inputs_of(l, v, in);
  for (int32_t i = 0; i < n; i++) NAS_TRY(need(l, in[i], &buffer, err));
  return NAS_OK;
}

static void add_value_term(terms *t, nas_value v, int32_t times, float factor) {
  int32_t i = 0;
  while (i < t->n_values && t->values[i] != v) i++;
  if (i == t->n_values) t->values[t->n_values++] = v, t->factors[i] = 0, t->times[i] = 0;
  t->factors[i] += factor;
  t->times[i] += times;
}

static void add_branch(terms *t, nas_value v, float factor) {
  t->branches[t->n_branches] = v;
  t->branch_factors[t->n_branches++] = factor;
}

static bool is_full(const terms *t) {
  return t->n_ops + t->n_values + t->n_branches + NAS_LAYER_INPUTS_MAX >= TERMS_MAX;
}

/* Collects the terms of sum v; sums that only this one uses are opened up. False when there are too many. */
static bool collect(const lowering *l, nas_value v, terms *t) {
  edge e;
  nas_value in[NAS_LAYER_INPUTS_MAX] = {0};
  int32_t n = inputs_of(l, v, in);
  for (int32_t i = 0; i < n; i++) {
    if (is_full(t)) return false;
    bool own = l->uses[in[i]] == 1;
    if (own && has_trait(l, in[i], NAS_OP_SUM) && !node_of(l, in[i])->zero) {
      if (!collect(l, in[i], t)) return false;
    } else if (own && is_branch(l, in[i], &e)) {
      add_branch(t, in[i], 1);
    } else if (own && stores_into_sums(l, in[i])) {
      t->ops[t->n_ops++] = in[i];
    } else {
      add_value_term(t, in[i], 1, 1);
    }
  }
  return true;
}

/* A branch that can have a factor: the sums of folded ones, of 1x1, have none. */
static bool takes_factor(const lowering *l, nas_value v) {
  edge e;
  return is_branch(l, v, &e) && node_of(l, e.conv)->attrs.kernel_h > 1;
}

/* Puts what sum v is made of in place of its value, if that is values and branches alone. */
static bool open_sum(const lowering *l, nas_value v, float factor, terms *t, terms *of) {
  if (!has_trait(l, v, NAS_OP_SUM) || node_of(l, v)->zero || is_full(t)) return false;
  *of = (terms){.n_ops = 0};
  if (!collect(l, v, of) || of->n_ops || of->n_values + of->n_branches > NAS_LAYER_INPUTS_MAX) return false;
  for (int32_t i = 0; i < of->n_branches; i++)
    if (!takes_factor(l, of->branches[i])) return false;
  for (int32_t i = 0; i < of->n_values; i++) add_value_term(t, of->values[i], of->times[i], factor * of->factors[i]);
  for (int32_t i = 0; i < of->n_branches; i++) add_branch(t, of->branches[i], factor * of->branch_factors[i]);
  return true;
}

/* Values that nothing but this sum uses, however often, need not be made. */
static void open_values(const lowering *l, terms *t, terms *room) {
  for (int32_t i = 0; i < t->n_values;) {
    nas_value v = t->values[i];
    float factor = t->factors[i];
    bool opened = false;
    if (l->fast && l->uses[v] == t->times[i]) {
      if (takes_factor(l, v)) add_branch(t, v, factor), opened = true;
      else opened = open_sum(l, v, factor, t, room);
    }
    if (!opened) {
      i++;
      continue;
    }
    t->n_values--;
    for (int32_t k = i; k < t->n_values; k++) {
      t->values[k] = t->values[k + 1];
      t->factors[k] = t->factors[k + 1];
      t->times[k] = t->times[k + 1];
    }
    i = 0; /* what was opened may have completed the uses of an earlier one */
  }
}

/* y = plus + the weighted values + the branches, as many of each at a time as a step takes. */
static nas_status emit_weighted(lowering *l, const terms *t, int32_t y, int32_t *plus, int64_t elements, nas_err *err) {
  int32_t value = 0, branch = 0;
  while (value < t->n_values || branch < t->n_branches) {
    nas_step s = nas_plan_sum_step(l->p, elements);
    for (; value < t->n_values && s.call.site.n_in < NAS_LAYER_INPUTS_MAX; value++) {
      int32_t at = s.call.site.n_in++;
      NAS_TRY(need(l, t->values[value], &s.x[at], err));
      s.call.factor[at] = t->factors[value];
    }
    for (; branch < t->n_branches && s.call.n_branches < NAS_LAYER_INPUTS_MAX; branch++) {
      nas_branch *b = s.call.branch[s.call.n_branches++] = l->branch[t->branches[branch]];
      b->factor = (double)t->branch_factors[branch];
    }
    s.y = y;
    s.plus = *plus;
    *plus = y;
    NAS_TRY(finish(l, &s, err));
  }
  return NAS_OK;
}

/* Plans sum v, or a norm that ends a branch, into a buffer of its own. */
static nas_status emit_terms(lowering *l, nas_value v, terms *t, int32_t *y, nas_err *err) {
  int32_t plus = NAS_NO_BUFFER;
  int64_t elements = l->p->options.batch * nas_shape_size(node_of(l, v)->shape);
  for (int32_t i = 0; i < t->n_values; i++) NAS_TRY(need(l, t->values[i], &plus, err));
  for (int32_t i = 0; i < t->n_branches; i++) NAS_TRY(need_branch(l, t->branches[i], err));
  for (int32_t i = 0; i < t->n_ops; i++) NAS_TRY(need_inputs(l, t->ops[i], err));
  NAS_TRY(nas_plan_add_buffer(l->p, value_bytes(l, v), y, err));
  /* One plain value rides along with the first operation; several are summed first. */
  bool rides = t->n_values == 1 && t->factors[0] == 1 && t->n_ops > 0 && !t->n_branches;
  if (!rides) {
    plus = NAS_NO_BUFFER;
    NAS_TRY(emit_weighted(l, t, *y, &plus, elements, err));
  }
  for (int32_t i = 0; i < t->n_ops; i++, plus = *y) NAS_TRY(emit_op(l, t->ops[i], *y, plus, err));
  return NAS_OK;
}

static nas_status emit_sum(lowering *l, nas_value v, int32_t *y, nas_err *err) {
  edge e;
  terms *t = calloc(2, sizeof *t);
  if (!t) return nas_fail_memory(err, "a plan");
  if (is_branch(l, v, &e)) {
    add_branch(t, v, 1);
  } else if (!collect(l, v, t)) {
    nas_value in[NAS_LAYER_INPUTS_MAX] = {0};
    int32_t n = inputs_of(l, v, in);
    t->n_ops = t->n_values = t->n_branches = 0;
    for (int32_t i = 0; i < n; i++) add_value_term(t, in[i], 1, 1);
  } else {
    open_values(l, t, t + 1);
  }
  nas_status status = emit_terms(l, v, t, y, err);
  free(t);
  return status;
}

static nas_status need(lowering *l, nas_value v, int32_t *buffer, nas_err *err) {
  v = l->alias[v];
  nas_plan *p = l->p;
  if (p->buffer_of[v] == NAS_NO_BUFFER) {
    int32_t y = NAS_NO_BUFFER;
    edge e;
    if (is_branch(l, v, &e) || (l->fast && has_trait(l, v, NAS_OP_SUM) && !node_of(l, v)->zero)) {
      NAS_TRY(emit_sum(l, v, &y, err));
    } else if (node_of(l, v)->zero) {
      NAS_TRY(nas_plan_add_buffer(p, value_bytes(l, v), &y, err));
      nas_step zero = nas_plan_sum_step(p, p->options.batch * nas_shape_size(node_of(l, v)->shape));
      zero.y = y;
      NAS_TRY(finish(l, &zero, err));
    } else {
      NAS_TRY(need_inputs(l, v, err));
      NAS_TRY(nas_plan_add_buffer(p, value_bytes(l, v), &y, err));
      NAS_TRY(emit_op(l, v, y, NAS_NO_BUFFER, err));
    }
    p->buffer_of[v] = y;
  }
  *buffer = p->buffer_of[v];
  return NAS_OK;
}

nas_status nas_plan_lower(nas_plan *p, nas_err *err) {
  const nas_graph *g = p->model->graph;
  lowering l = {p, g, !p->options.reference, NULL, NULL, NULL};
  l.alias = calloc((size_t)g->n, sizeof *l.alias);
  l.uses = calloc((size_t)g->n, sizeof *l.uses);
  l.branch = calloc((size_t)g->n, sizeof *l.branch);
  p->branches = calloc((size_t)g->n, sizeof *p->branches);
  p->buffer_of = malloc((size_t)g->n * sizeof *p->buffer_of);
  nas_status status =
      l.alias && l.uses && l.branch && p->branches && p->buffer_of ? NAS_OK : nas_fail_memory(err, "a plan");
  if (status == NAS_OK) {
    for (nas_value v = 0; v < g->n; v++) p->buffer_of[v] = NAS_NO_BUFFER;
    status = nas_plan_add_buffer(p, value_bytes(&l, 0), &p->buffer_of[0], err);
  }
  if (status == NAS_OK) {
    p->buffers[0].external = true;
    p->buffers[0].wants_grad = p->options.input_gradient;
    count_uses(&l);
    status = need(&l, g->output, &p->logits, err);
  }
  for (nas_value v = 1; status == NAS_OK && v < g->n; v++)
    if (g->nodes[v].live) p->buffer_of[v] = p->buffer_of[l.alias[v]];
  free(l.alias);
  free(l.uses);
  free(l.branch);
  return status;
}
