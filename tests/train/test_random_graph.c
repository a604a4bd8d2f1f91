#include "random_graph.h"

#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "base/str.h"
#include "harness.h"
#include "train/op.h"

/* Everything that a production needs: where the dice stand, what there is, and how much work it is. */
typedef struct maker {
  graph_list *list;
  nas_rng rng;
  uint64_t at;
  int32_t degree[GRAPH_OPS_MAX + 1]; /* of each value as a polynomial, so that products stay in range */
  int64_t work;                      /* multiplications per batch */
} maker;

enum { WORK_MAX = 1500000, DEGREE_MAX = 4 };

static int32_t roll(maker *m, int32_t n) { return (int32_t)nas_rng_below(m->rng, m->at++, (uint64_t)n); }
static bool chance(maker *m, int32_t percent) { return roll(m, 100) < percent; }

static nas_shape shape_of(const graph_list *list, int32_t v) { return v ? list->ops[v - 1].shape : list->image; }
static bool same_shape(nas_shape a, nas_shape b) { return a.c == b.c && a.h == b.h && a.w == b.w; }
static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }

static nas_site site_of(const graph_list *list, const graph_op *op) {
  nas_site site = {.n_in = op->n_in, .batch = list->batch, .attrs = op->attrs, .out = op->shape};
  for (int32_t i = 0; i < op->n_in; i++) site.in[i] = shape_of(list, op->in[i]);
  return site;
}

static bool infer(const graph_list *list, graph_op *op) {
  const nas_op *type = nas_op_find(op->op);
  nas_site site = site_of(list, op);
  nas_err err;
  return op->n_in >= type->min_inputs && op->n_in <= type->max_inputs &&
         type->infer(&site, "", &op->shape, &err) == NAS_OK;
}

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* Adds an operation whose constraints the caller has seen to; gives its value. */
static int32_t put(maker *m, const char *name, const int32_t *in, int32_t n, nas_attrs attrs) {
  graph_list *list = m->list;
  graph_op *op = &list->ops[list->n];
  *op = (graph_op){.op = name, .attrs = attrs, .n_in = n};
  int32_t degree = 0;
  for (int32_t i = 0; i < n; i++) {
    op->in[i] = in[i];
    if (is(name, "mul")) degree += m->degree[in[i]];
    else if (m->degree[in[i]] > degree) degree = m->degree[in[i]];
  }
  if (is(name, "square")) degree *= 2;
  if (is(name, "batch_norm") || is(name, "tanh") || is(name, "sigmoid")) degree = 1;
  if (!infer(list, op)) fail_msg("seed %llu: the generator made an invalid %s", (unsigned long long)list->seed, name);
  nas_site site = site_of(list, op);
  const nas_op *type = nas_op_find(name);
  m->work += list->batch * ((type->macs ? type->macs(&site) : 0) + nas_shape_size(op->shape));
  m->degree[++list->n] = degree;
  return list->n;
}

static int32_t put1(maker *m, const char *name, int32_t in, nas_attrs attrs) { return put(m, name, &in, 1, attrs); }

/* ---- choices ---- */

static int32_t any_channels(maker *m) {
  static const int32_t wide[] = {31, 33, 16, 32};
  return chance(m, 12) ? wide[roll(m, 4)] : 1 + roll(m, 17);
}

/* Mostly a recent value, so that depth grows; often an old one, so that values have several readers. */
static int32_t any_value(maker *m) {
  int32_t n = m->list->n + 1;
  return chance(m, 60) ? n - 1 - roll(m, smaller(n, 3)) : roll(m, n);
}

/* A value of this shape, or -1. */
static int32_t any_of_shape(maker *m, nas_shape shape) {
  int32_t n = m->list->n + 1, start = roll(m, n);
  for (int32_t i = 0; i < n; i++)
    if (same_shape(shape_of(m->list, (start + i) % n), shape)) return (start + i) % n;
  return -1;
}

/* A common divisor of a and b. */
static int32_t any_groups(maker *m, int32_t a, int32_t b) {
  int32_t found[64], n = 0;
  for (int32_t g = 1; g <= a && n < 64; g++)
    if (a % g == 0 && b % g == 0) found[n++] = g;
  return chance(m, 70) ? 1 : found[roll(m, n)];
}

/* Kernel, stride and padding that fit; pooling may pad no more than half its kernel. */
static nas_attrs any_window(maker *m, nas_shape in, bool pool) {
  static const int32_t kernels[][2] = {{1, 1}, {3, 3}, {3, 3}, {2, 2}, {3, 1}, {1, 3}, {2, 3}, {5, 5}};
  for (;;) {
    const int32_t *k = kernels[roll(m, 8)];
    int32_t least = smaller(k[0], k[1]), stride = chance(m, 65) ? 1 : 2 + roll(m, 2);
    int32_t pad = chance(m, 60) ? least / 2 : roll(m, pool ? least / 2 + 1 : least);
    if (in.h + 2 * pad < k[0] || in.w + 2 * pad < k[1]) continue;
    return (nas_attrs){.kernel_h = k[0], .kernel_w = k[1], .stride = stride, .pad = pad};
  }
}

static nas_attrs any_conv(maker *m, nas_shape in) {
  nas_attrs a = any_window(m, in, false);
  a.out = chance(m, 40) ? in.c : any_channels(m);
  a.groups = any_groups(m, in.c, a.out);
  a.bias = chance(m, 40);
  return a;
}

/* A convolution to a shape of the same height and width. */
static nas_attrs conv_to(maker *m, int32_t in_channels, int32_t out) {
  int32_t k = 1 + 2 * roll(m, 2);
  return (nas_attrs){.out = out,
                     .kernel_h = k,
                     .kernel_w = k,
                     .stride = 1,
                     .pad = k / 2,
                     .groups = any_groups(m, in_channels, out),
                     .bias = chance(m, 25)};
}

/* ---- productions: each adds some operations and gives the last value ---- */

static int32_t chain(maker *m, int32_t v, nas_attrs conv) {
  int32_t parts = roll(m, 8); /* any of: ReLU before, norm after, ReLU after */
  if (parts & 1) v = put1(m, "relu", v, (nas_attrs){0});
  v = put1(m, "conv2d", v, conv);
  if (parts & 2) v = put1(m, "batch_norm", v, (nas_attrs){0});
  if (parts & 4) v = put1(m, "relu", v, (nas_attrs){0});
  return v;
}

/* One term of a sum of this shape, made out of v, whose height and width it has. */
static int32_t branch(maker *m, int32_t v, nas_shape to) {
  bool fits = shape_of(m->list, v).c == to.c;
  nas_attrs pool = {.kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1};
  switch (roll(m, fits ? 10 : 4)) {
    default: return chain(m, v, conv_to(m, shape_of(m->list, v).c, to.c));
    case 4: return put1(m, "avg_pool", v, pool);
    case 5: return put1(m, "max_pool", v, pool);
    case 6: return put1(m, "identity", v, (nas_attrs){0});
    case 7: return put1(m, "zero", v, (nas_attrs){0});
    case 8: return put1(m, "batch_norm", v, (nas_attrs){0});
    case 9: return put1(m, "relu", v, (nas_attrs){0});
  }
}

/* A sum of branches, mostly out of one source, with other values of that shape and some terms twice or more. */
static int32_t cell(maker *m) {
  int32_t source = any_value(m), in[NAS_LAYER_INPUTS_MAX], n = 2 + roll(m, 3);
  nas_shape to = shape_of(m->list, source);
  if (chance(m, 30)) to.c = any_channels(m);
  if (chance(m, 10)) n = NAS_LAYER_INPUTS_MAX;
  for (int32_t i = 0; i < n; i++) {
    int32_t other = any_of_shape(m, to);
    if (i && chance(m, 20)) in[i] = in[roll(m, i)];
    else if (other >= 0 && chance(m, 25)) in[i] = other;
    else in[i] = branch(m, source, to);
    if (m->list->n > GRAPH_OPS_MAX - 24) n = i + 1;
  }
  int32_t v = put(m, "add", in, n, (nas_attrs){0});
  if (chance(m, 25)) v = put1(m, "batch_norm", v, (nas_attrs){0});
  else if (chance(m, 25)) v = put1(m, "avg_pool", v, any_window(m, to, true));
  return v;
}

/* Pools of several values, then their sum: P(a) + P(b). */
static int32_t sum_of_pools(maker *m) {
  int32_t v = any_value(m), in[3], n = 2 + roll(m, 2);
  nas_attrs window = any_window(m, shape_of(m->list, v), true);
  const char *kind = chance(m, 75) ? "avg_pool" : "max_pool";
  for (int32_t i = 0; i < n; i++) in[i] = put1(m, kind, i ? any_of_shape(m, shape_of(m->list, v)) : v, window);
  if (chance(m, 30)) in[0] = put1(m, "relu", in[0], (nas_attrs){0});
  return put(m, "add", in, n, (nas_attrs){0});
}

static int32_t sum(maker *m) {
  int32_t v = any_value(m), in[NAS_LAYER_INPUTS_MAX] = {v}, n = 1 + roll(m, 4);
  for (int32_t i = 1; i < n; i++) in[i] = any_of_shape(m, shape_of(m->list, v));
  return put(m, "add", in, n, (nas_attrs){0});
}

static int32_t product(maker *m) {
  int32_t in[2] = {any_value(m)};
  in[1] = chance(m, 30) ? in[0] : any_of_shape(m, shape_of(m->list, in[0]));
  if (m->degree[in[0]] + m->degree[in[1]] > DEGREE_MAX) return put1(m, "tanh", in[0], (nas_attrs){0});
  return put(m, "mul", in, 2, (nas_attrs){0});
}

static int32_t single(maker *m) {
  static const char *const names[] = {"relu",    "relu", "batch_norm", "batch_norm", "identity",
                                      "dropout", "tanh", "sigmoid",    "square",     "zero"};
  const char *name = names[roll(m, 10)];
  int32_t v = any_value(m);
  if (is(name, "square") && 2 * m->degree[v] > DEGREE_MAX) name = "tanh";
  return put1(m, name, v, (nas_attrs){.rate = is(name, "dropout") ? 0.2 * roll(m, 3) : 0});
}

static void step(maker *m) {
  int32_t kind = roll(m, 100), v = any_value(m);
  nas_shape s = shape_of(m->list, v);
  if (kind < 22) chain(m, v, any_conv(m, s));
  else if (kind < 46) cell(m);
  else if (kind < 66) single(m);
  else if (kind < 73) put1(m, chance(m, 60) ? "avg_pool" : "max_pool", v, any_window(m, s, true));
  else if (kind < 79) sum_of_pools(m);
  else if (kind < 89) sum(m);
  else if (kind < 94) product(m);
  else if (kind < 97) put1(m, "linear", v, (nas_attrs){.out = any_channels(m), .bias = chance(m, 50)});
  else put1(m, "global_pool", v, (nas_attrs){0});
}

/* The logits: of one value or of the sum of two heads. */
static void finish(maker *m) {
  int32_t heads[2], n = chance(m, 30) ? 2 : 1, classes = 2 + roll(m, 9);
  for (int32_t i = 0; i < n; i++) {
    int32_t v = i ? any_value(m) : m->list->n;
    if (chance(m, 50)) v = put1(m, "global_pool", v, (nas_attrs){0});
    heads[i] = put1(m, "linear", v, (nas_attrs){.out = classes, .bias = chance(m, 80)});
  }
  if (n == 2) put(m, "add", heads, 2, (nas_attrs){0});
}

void graph_generate(uint64_t seed, graph_list *out) {
  memset(out, 0, sizeof *out);
  maker *m = &(maker){.list = out, .rng = nas_rng_make(seed, 0, NAS_STREAM_SAMPLE)};
  out->seed = seed;
  out->image = (nas_shape){any_channels(m), 1 + roll(m, 9), 1 + roll(m, 9)};
  out->batch = 1 + roll(m, 5);
  out->mode = chance(m, 80) ? NAS_TRAIN : NAS_EVAL;
  out->input_gradient = chance(m, 50);
  out->smoothing = chance(m, 30) ? 0.1 : 0;
  m->degree[0] = 1;
  if (chance(m, 50)) chain(m, 0, any_conv(m, out->image));
  int32_t steps = 2 + roll(m, 10);
  for (int32_t i = 0; i < steps && m->work < WORK_MAX && out->n < GRAPH_OPS_MAX - 36; i++) step(m);
  finish(m);
}

bool graph_infer(graph_list *list) {
  for (int32_t i = 0; i < list->n; i++)
    if (!infer(list, &list->ops[i])) return false;
  nas_shape last = shape_of(list, list->n);
  return list->n > 0 && last.h == 1 && last.w == 1;
}

nas_graph *graph_build(const graph_list *list, nas_value *logits) {
  nas_graph *g;
  nas_value made[GRAPH_OPS_MAX + 1];
  assert_ok(nas_graph_new(list->image, &g, nas_test_err()));
  made[0] = nas_graph_input(g);
  for (int32_t i = 0; i < list->n; i++) {
    const graph_op *op = &list->ops[i];
    nas_value in[NAS_LAYER_INPUTS_MAX];
    char label[16];
    snprintf(label, sizeof label, "op%d", i + 1);
    for (int32_t k = 0; k < op->n_in; k++) in[k] = made[op->in[k]];
    assert_ok(nas_graph_op(g, op->op, in, op->n_in, &op->attrs, label, &made[i + 1], nas_test_err()));
  }
  *logits = made[list->n];
  assert_ok(nas_graph_set_output(g, *logits, nas_test_err()));
  return g;
}

void graph_print(const graph_list *list, char *out, size_t size) {
  nas_str text = {0};
  nas_str_fmt(&text, "seed %llu: image %dx%dx%d (CxHxW), batch %d, %s%s, smoothing %g\n",
              (unsigned long long)list->seed, list->image.c, list->image.h, list->image.w, list->batch,
              list->mode == NAS_TRAIN ? "train" : "eval", list->input_gradient ? " with the gradient of the image" : "",
              list->smoothing);
  for (int32_t i = 0; i < list->n; i++) {
    const graph_op *op = &list->ops[i];
    const nas_attrs *a = &op->attrs;
    nas_str_fmt(&text, "  op%d = %s(", i + 1, op->op);
    for (int32_t k = 0; k < op->n_in; k++)
      nas_str_fmt(&text, op->in[k] ? "%sop%d" : "%simage", k ? ", " : "", op->in[k]);
    nas_str_fmt(&text, ") -> %dx%dx%d", op->shape.c, op->shape.h, op->shape.w);
    if (a->kernel_h) nas_str_fmt(&text, ", kernel %dx%d stride %d pad %d", a->kernel_h, a->kernel_w, a->stride, a->pad);
    if (a->groups > 1) nas_str_fmt(&text, " groups %d", a->groups);
    nas_str_fmt(&text, "%s\n", a->bias ? ", bias" : "");
  }
  snprintf(out, size, "%s", text.s ? text.s : "");
  nas_str_free(&text);
}

/* ---- cutting down ---- */

/* `list` without ops[at]: its readers read `instead`. */
static void without(const graph_list *list, int32_t at, int32_t instead, graph_list *out) {
  *out = *list;
  for (int32_t i = at; i < list->n; i++) {
    graph_op *op = &out->ops[i];
    if (i > at) out->ops[i - 1] = *op;
  }
  out->n--;
  for (int32_t i = 0; i < out->n; i++)
    for (int32_t k = 0; k < out->ops[i].n_in; k++) {
      int32_t *in = &out->ops[i].in[k];
      if (*in == at + 1) *in = instead;
      else if (*in > at + 1) --*in;
    }
}

typedef struct search {
  graph_list *best;
  bool (*fails)(const graph_list *list, void *arg);
  void *arg;
} search;

static bool better(search *s, graph_list *candidate) {
  if (!graph_infer(candidate) || !s->fails(candidate, s->arg)) return false;
  *s->best = *candidate;
  return true;
}

static bool drop_one(search *s) {
  graph_list candidate;
  for (int32_t i = s->best->n; i-- > 0;) {
    const graph_op *op = &s->best->ops[i];
    for (int32_t k = 0; k < op->n_in; k++) {
      without(s->best, i, op->in[k], &candidate);
      if (better(s, &candidate)) return true;
    }
    without(s->best, i, 0, &candidate);
    if (better(s, &candidate)) return true;
    for (int32_t k = 0; k < op->n_in && op->n_in > 1 && !is(op->op, "mul"); k++) {
      candidate = *s->best;
      graph_op *fewer = &candidate.ops[i];
      fewer->n_in--;
      for (int32_t t = k; t < fewer->n_in; t++) fewer->in[t] = fewer->in[t + 1];
      if (better(s, &candidate)) return true;
    }
  }
  return false;
}

static bool lessen_one(search *s) {
  graph_list candidate = *s->best;
  if (candidate.batch > 1 && (candidate.batch--, better(s, &candidate))) return true;
  int32_t *const sides[] = {&candidate.image.h, &candidate.image.w, &candidate.image.c};
  for (int i = 0; i < 3; i++) {
    candidate = *s->best;
    if (*sides[i] > 1 && (--*sides[i], better(s, &candidate))) return true;
  }
  for (int32_t i = 0; i < s->best->n; i++) {
    candidate = *s->best;
    nas_attrs *a = &candidate.ops[i].attrs;
    if (a->groups > 1 && (a->groups = 1, better(s, &candidate))) return true;
    candidate = *s->best;
    if (a->bias && (a->bias = false, better(s, &candidate))) return true;
    candidate = *s->best;
    if (a->out > 1 && (a->out--, better(s, &candidate))) return true;
  }
  return false;
}

void graph_shrink(graph_list *list, bool (*fails)(const graph_list *list, void *arg), void *arg) {
  search s = {list, fails, arg};
  for (int rounds = 0; rounds < 500 && (drop_one(&s) || lessen_one(&s)); rounds++) continue;
}

/* ---- the generator itself ---- */

/* How often each operation is there, and how often each thing that the planner treats by itself. */
static void makes_everything_that_the_planner_knows(void **state) {
  (void)state;
  enum { SEEDS = 500 };
  static graph_list list;
  int32_t conv_norm = 0, relu_conv = 0, norm_of_sum = 0, pool_of_sum = 0, twice = 0, grouped = 0, strided = 0,
          single_image = 0;
  for (const nas_op *const *op = nas_ops(); *op; op++) {
    int32_t seen = 0;
    bool plain = !((*op)->traits & ~(unsigned)NAS_OP_KEEPS_ZERO) && !(*op)->f32.sinks && !(*op)->fast;
    bool of_neurons = is((*op)->name, "flatten") || is((*op)->name, "layer_norm") || is((*op)->name, "group_norm");
    if (plain || (*op)->options || of_neurons) continue; /* made for neurons, which their tests walk */
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
      graph_generate(seed, &list);
      for (int32_t i = 0; i < list.n; i++) seen += is(list.ops[i].op, (*op)->name);
    }
    if (seen < SEEDS / 10) fail_msg("%d graphs have %s only %d times", SEEDS, (*op)->name, seen);
  }
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    graph_generate(seed, &list);
    single_image += list.batch == 1;
    for (int32_t i = 0; i < list.n; i++) {
      const graph_op *op = &list.ops[i];
      const char *before = op->in[0] ? list.ops[op->in[0] - 1].op : "image";
      conv_norm += is(op->op, "batch_norm") && is(before, "conv2d");
      relu_conv += is(op->op, "conv2d") && is(before, "relu");
      norm_of_sum += is(op->op, "batch_norm") && is(before, "add");
      pool_of_sum += is(op->op, "avg_pool") && is(before, "add");
      grouped += op->attrs.groups > 1;
      strided += op->attrs.stride > 1;
      for (int32_t k = 1; k < op->n_in; k++) twice += is(op->op, "add") && op->in[k] == op->in[0];
    }
  }
  const int32_t counts[] = {conv_norm, relu_conv, norm_of_sum, pool_of_sum, twice, grouped, strided, single_image};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    if (counts[i] < SEEDS / 10) fail_msg("%d graphs have feature %zu only %d times", SEEDS, i, counts[i]);
}

static bool has_sigmoid(const graph_list *list, void *arg) {
  (void)arg;
  for (int32_t i = 0; i < list->n; i++)
    if (is(list->ops[i].op, "sigmoid")) return true;
  return false;
}

static void shrinks_to_what_matters(void **state) {
  (void)state;
  static graph_list list;
  uint64_t seed = 1;
  for (graph_generate(seed, &list); !has_sigmoid(&list, NULL) || list.n < 12;) graph_generate(++seed, &list);
  graph_shrink(&list, has_sigmoid, NULL);
  assert_true(list.n <= 2); /* the logits need a 1x1 value, which the image may be */
  assert_int_equal(list.batch, 1);
  assert_true(has_sigmoid(&list, NULL));
}

NAS_SUITE(RandomGraph, NAS_CASE(makes_everything_that_the_planner_knows), NAS_CASE(shrinks_to_what_matters))
