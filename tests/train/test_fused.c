/* Random networks: the planned and fused f32 plan against the plain f32 interpreter, both held to the plain f64 one.
 *
 * The bound. How far single precision may be off depends on the network: a batch norm of a nearly constant channel
 * enlarges rounding errors by up to 1/sqrt(epsilon) = 316, and a gradient that cancels to zero has nothing but such
 * errors. So it is measured: the f64 plan runs again with every operand of every instruction multiplied by
 * 1 + noise of up to NOISE, and each tensor of an f32 plan may be off by BOUND times the largest change that this makes
 * (of four samples), plus 1e-6 of the tensor's largest element. Gradients jump where a ReLU's input is zero or two
 * elements of a max pool's window are equal, so images are drawn again until no value is that near to a jump; where
 * that does not help (a pool of equal numbers), the forward pass alone is compared. Where plain f32 is beyond the bound
 * too, the network is chaos (three norms of a constant on top of each other) and nothing can be said about it.
 *
 * Training plans run again within less memory, which must not change a bit.
 *
 * NASCENT_GRAPH=SEED runs that seed alone (and shrinks it when it fails); NASCENT_GRAPHS=N sets the long run's count
 * and NASCENT_GRAPHS_FROM its first seed. */
#include <errno.h>

#include "engine_check.h"
#include "random_graph.h"
#include "train/loss.h"
#include "train/plan_internal.h"

static const double BOUND = 20, NOISE = 1e-6, NEAR = 1e-5;

/* What one step yields, as doubles: the loss, the logits, the running statistics, the gradients of the parameters and
 * of the image. */
enum { LOSS, LOGITS, STATES, GRADIENT, IMAGE, KINDS };
static const char *const kind_names[KINDS] = {"loss", "logits", "running statistics", "gradient of ",
                                              "gradient of the image"};

typedef struct yield {
  double *of[KINDS];
  int64_t n[KINDS];
} yield;

static void yield_free(yield *y) {
  for (int k = 0; k < KINDS; k++) free(y->of[k]);
}

/* A running engine with the numbers that its states had at first. */
typedef struct runner {
  engine e;
  const graph_list *list;
  nas_graph *graph;
  void *states;
} runner;

static void set_image(runner *r, uint64_t draw) {
  for (int64_t i = 0; i < engine_inputs(&r->e); i++)
    engine_set(&r->e, nas_plan_input(r->e.plan), i, engine_number(100 + draw, i));
}

/* limit: of the plan's bytes, which it may keep by running steps again; 0: none. */
static runner runner_new_within(const graph_list *list, nas_dtype dtype, bool reference, int64_t limit) {
  runner r = {.list = list};
  nas_value logits;
  r.graph = graph_build(list, &logits);
  nas_plan_options options = {.batch = list->batch,
                              .mode = list->mode,
                              .reference = reference,
                              .memory_limit = limit,
                              .recompute = limit > 0,
                              .label_smoothing = list->smoothing,
                              .input_gradient = list->input_gradient && list->mode == NAS_TRAIN};
  r.e =
      (engine){.dtype = dtype, .batch = list->batch, .in = list->image, .classes = nas_graph_shape(r.graph, logits).c};
  assert_ok(nas_model_new(r.graph, dtype, &r.e.model, nas_test_err()));
  assert_ok(nas_model_init(r.e.model, list->seed, nas_test_err()));
  void *params = nas_model_param_data(r.e.model), *states = nas_model_state_data(r.e.model);
  for (int64_t i = 0; i < nas_model_params(r.e.model); i++)
    engine_set(&r.e, params, i, (double)(float)(engine_get(&r.e, params, i) + 0.2 * engine_number(1, i)));
  for (int64_t i = 0; i < nas_model_states(r.e.model); i++)
    engine_set(&r.e, states, i, (double)(float)(fabs(engine_get(&r.e, states, i) + 0.3 * engine_number(2, i)) + 0.1));
  size_t bytes = (size_t)(nas_model_states(r.e.model) * nas_dtype_size(dtype));
  r.states = malloc(bytes + 1);
  assert_non_null(r.states);
  memcpy(r.states, states, bytes);
  assert_ok(nas_plan_new(r.e.model, &options, &r.e.plan, nas_test_err()));
  for (int32_t i = 0; i < list->batch; i++) nas_plan_labels(r.e.plan)[i] = (i * 7 + 1) % r.e.classes;
  set_image(&r, 0);
  return r;
}

static runner runner_new(const graph_list *list, nas_dtype dtype, bool reference) {
  return runner_new_within(list, dtype, reference, 0);
}

static void runner_free(runner *r) {
  engine_free(&r->e);
  nas_graph_free(r->graph);
  free(r->states);
}

static void keep(yield *y, int kind, const engine *e, const void *array, int64_t n) {
  y->n[kind] = n;
  y->of[kind] = malloc((size_t)n * sizeof(double) + 1);
  assert_non_null(y->of[kind]);
  for (int64_t i = 0; i < n; i++) y->of[kind][i] = engine_get(e, array, i);
}

/* Fills the bytes of the arena that no buffer needs between the forward and the backward pass. */
static void poison_dead(const nas_plan *p, int fill) {
  const nas_model *m = p->model;
  char *live = calloc(1, (size_t)m->arena_bytes + 1);
  assert_non_null(live);
  for (int32_t i = 0; i < p->n_buffers; i++) {
    const nas_buffer *b = &p->buffers[i];
    if (!b->external && b->life.first <= p->n_forward && b->life.last >= p->n_forward)
      memset(live + b->offset, 1, (size_t)b->bytes);
  }
  for (int64_t i = 0; i < m->arena_bytes; i++)
    if (!live[i]) ((char *)m->arena)[i] = (char)fill;
  free(live);
}

static void restore_states(runner *r) {
  memcpy(nas_model_state_data(r->e.model), r->states,
         (size_t)(nas_model_states(r->e.model) * nas_dtype_size(r->e.dtype)));
}

static void keep_forward(yield *y, const runner *r, double loss) {
  const engine *e = &r->e;
  keep(y, LOSS, &(engine){.dtype = NAS_F64}, &loss, 1);
  keep(y, LOGITS, e, nas_plan_logits(e->plan), (int64_t)e->batch * e->classes);
  keep(y, STATES, e, nas_model_state_data(e->model), nas_model_states(e->model));
}

static void keep_backward(yield *y, const runner *r) {
  const engine *e = &r->e;
  keep(y, GRADIENT, e, nas_model_grad_data(e->model), nas_model_params(e->model));
  if (r->list->input_gradient && nas_plan_input_gradient(e->plan))
    keep(y, IMAGE, e, nas_plan_input_gradient(e->plan), engine_inputs(e));
}

/* One step from the first states. poison >= 0: every byte of the arena is that before it, and what is dead between the
 * passes as well. */
static yield step(runner *r, int poison) {
  yield y = {0};
  engine *e = &r->e;
  restore_states(r);
  if (poison >= 0) memset(e->model->arena, poison, (size_t)e->model->arena_bytes);
  nas_loss loss = nas_plan_forward(e->plan, 3, r->list->seed);
  keep_forward(&y, r, loss.loss);
  if (r->list->mode == NAS_EVAL) return y;
  if (poison >= 0) poison_dead(e->plan, poison);
  memset(nas_model_grad_data(e->model), 0xff, (size_t)(nas_model_params(e->model) * nas_dtype_size(e->dtype)));
  nas_plan_backward(e->plan);
  keep_backward(&y, r);
  return y;
}

/* ---- jumps of the gradient ---- */

static double largest(const double *x, int64_t n) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
  return most;
}

static bool relu_near(const double *x, int64_t n) {
  double near = NEAR * largest(x, n);
  for (int64_t i = 0; i < n; i++)
    if (x[i] != 0 && fabs(x[i]) < near) return true;
  return false;
}

/* Two elements of a window that are nearly the largest, other than zeros (of a ReLU: the same in every plan). */
static bool max_near(const nas_site *s, const double *x) {
  const nas_attrs *a = &s->attrs;
  double near = NEAR * largest(x, nas_site_in(s, 0));
  for (int64_t n = 0; n < s->batch; n++)
    for (int64_t row = 0; row < s->out.h; row++)
      for (int64_t column = 0; column < s->out.w; column++)
        for (int64_t c = 0; c < s->out.c; c++) {
          double first = -INFINITY, second = -INFINITY;
          for (int64_t h = row * a->stride - a->pad; h < row * a->stride - a->pad + a->kernel_h; h++)
            for (int64_t w = column * a->stride - a->pad; w < column * a->stride - a->pad + a->kernel_w; w++) {
              if (h < 0 || w < 0 || h >= s->in[0].h || w >= s->in[0].w) continue;
              double v = x[((n * s->in[0].h + h) * s->in[0].w + w) * s->out.c + c];
              if (v > first) second = first, first = v;
              else if (v > second) second = v;
            }
          if (first - second < near && !(first == 0 && second == 0)) return true;
        }
  return false;
}

/* True when some gradient of the f64 plan, just run forward, is near a jump. */
static bool near_a_jump(const runner *r) {
  for (nas_value v = 1; v < r->graph->n; v++) {
    const nas_node *node = &r->graph->nodes[v];
    bool relu = node->op == nas_op_find("relu"), pool = node->op == nas_op_find("max_pool");
    if (!node->live || node->zero || (!relu && !pool)) continue;
    nas_site site = nas_node_site(r->graph, v, r->list->batch, NAS_TRAIN);
    int64_t n = nas_site_in(&site, 0);
    double *x = malloc((size_t)n * sizeof *x);
    assert_non_null(x);
    /* What the backward pass looks at is kept; what is not kept has no gradient. */
    bool kept = nas_plan_read(r->e.plan, node->in[0], x, nas_test_err()) == NAS_OK;
    bool near = kept && (relu ? relu_near(x, n) : max_near(&site, x));
    free(x);
    if (near) return true;
  }
  return false;
}

/* ---- how exact single precision can be ---- */

/* Multiplies n doubles by 1 + noise. */
static void disturb(double *x, int64_t n, nas_rng rng, uint64_t *at) {
  for (int64_t i = 0; i < n; i += 4) {
    uint32_t words[4];
    nas_rng_block(rng, (*at)++, words);
    for (int64_t k = i; k < n && k < i + 4; k++) x[k] *= 1 + NOISE * ((double)words[k - i] / 2147483648.0 - 1);
  }
}

static void disturb_buffer(const nas_plan *p, int32_t buffer, nas_rng rng, uint64_t *at) {
  if (buffer == NAS_NO_BUFFER) return;
  const nas_buffer *b = &p->buffers[buffer];
  double *x = b->external ? p->input : (double *)(void *)((char *)p->base + b->offset);
  disturb(x, b->bytes / 8, rng, at);
}

/* Statistics of the very numbers that they are taken from hide what rounding a batch norm's factors does: y = scale x +
 * shift and dx = a dy + b (x - mean) + c are sums of large numbers that cancel, within a row or over all rows. */
static void disturb_norm(const nas_step *s, bool backward, nas_rng rng, uint64_t *at) {
  const nas_call *c = &s->call;
  const double *gamma = c->param[0], *scale = (const double *)c->saved + c->site.out.c;
  const double *from = backward ? c->dy : c->x[0];
  double *to = backward ? c->dx[0] : c->y;
  int64_t n = nas_site_out(&c->site), channels = c->site.out.c;
  for (int64_t k = 0; to && k < channels; k++) {
    double common = 2 * nas_rng_unit(rng, (*at)++) - 1, factor = NOISE * gamma[k] * scale[k];
    for (int64_t i = k; i < n; i += channels) to[i] += factor * from[i] * (common + 2 * nas_rng_unit(rng, (*at)++) - 1);
  }
}

/* Runs a stretch of an f64 plan's program with the operands of every instruction disturbed just before it. */
static void run_disturbed(nas_plan *p, int32_t first, int32_t last, nas_rng rng, uint64_t *at) {
  for (int32_t i = first; i < last; i++) {
    nas_step *s = &p->steps[p->program[i].step];
    bool backward = p->program[i].backward;
    for (int32_t k = 0; k < s->call.site.n_in; k++) {
      if (!backward || s->kernel->reads & NAS_READS_X) disturb_buffer(p, s->x[k], rng, at);
      if (backward) disturb_buffer(p, s->dplus[k], rng, at);
    }
    disturb_buffer(p, backward ? s->dy : s->plus, rng, at);
    int32_t scratch = backward ? s->backward_scratch : s->forward_scratch;
    s->call.scratch = scratch == NAS_NO_BUFFER ? NULL : (char *)p->base + p->buffers[scratch].offset;
    (backward ? s->kernel->backward : s->kernel->forward)(&s->call);
    bool norm = s->node != NAS_NO_VALUE && p->model->graph->nodes[s->node].op->traits & NAS_OP_NORM;
    if (norm && p->options.mode == NAS_TRAIN) disturb_norm(s, backward, rng, at);
  }
}

/* A step of the f64 plan as it might come out of a precision of NOISE. */
static yield disturbed_step(runner *r, uint64_t draw, uint64_t sample) {
  nas_plan *p = r->e.plan;
  nas_rng rng = nas_rng_make(r->list->seed, (uint32_t)(draw * 16 + sample), NAS_STREAM_NOISE);
  uint64_t at = 0;
  yield y = {0};
  set_image(r, draw);
  restore_states(r);
  run_disturbed(p, 0, p->n_forward, rng, &at);
  disturb_buffer(p, p->logits, rng, &at);
  void *gradient = p->dlogits == NAS_NO_BUFFER ? NULL : (char *)p->base + p->buffers[p->dlogits].offset;
  nas_loss loss = nas_softmax_cross_entropy(NAS_F64, nas_plan_logits(p), nas_plan_labels(p), r->e.batch, r->e.classes,
                                            r->list->smoothing, gradient);
  keep_forward(&y, r, loss.loss);
  if (r->list->mode == NAS_EVAL) return y;
  run_disturbed(p, p->n_forward, p->n_program, rng, &at);
  keep_backward(&y, r);
  return y;
}

/* ---- comparing ---- */

static double apart(const double *x, const double *y, int64_t n) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) {
    double d = fabs(x[i] - y[i]);
    if (!(d <= most)) most = isnan(d) ? INFINITY : d;
  }
  return most;
}

typedef struct verdict {
  char why[400];
  double worst[2];          /* largest share of what is allowed, of the fast and of the plain f32 plan */
  bool jumps, chaos, tight; /* tight: a plan was found that takes less memory */
} verdict;

enum { SAMPLES = 4 };
typedef struct truth {
  yield exact, disturbed[SAMPLES];
} truth;

/* One tensor, elements at..at+n-1 of its kind. */
static void judge(verdict *v, const truth *t, const yield *found, int plan, int kind, int64_t at, int64_t n,
                  const char *name) {
  if (!n) return;
  const double *exact = t->exact.of[kind] + at;
  double noise = 0, most = largest(exact, n);
  for (int i = 0; i < SAMPLES; i++) noise = fmax(noise, apart(t->disturbed[i].of[kind] + at, exact, n));
  double allowed = BOUND * noise + 1e-6 * most + 1e-35, off = apart(found->of[kind] + at, exact, n);
  if (off > 0) v->worst[plan] = fmax(v->worst[plan], off / allowed);
  if (off <= allowed || v->why[0]) return;
  if (plan) v->chaos = true;
  snprintf(v->why, sizeof v->why, "%s%s: the %s f32 plan is off by %.3g, bound %.3g (largest element %.3g)",
           kind_names[kind], name, plan ? "plain" : "fast", off, allowed, most);
}

static void compare(verdict *v, const runner *r, const truth *t, const yield *found, int plan) {
  for (int kind = 0; kind < KINDS; kind++)
    if (kind != GRADIENT && !(kind == IMAGE && v->jumps)) judge(v, t, found, plan, kind, 0, t->exact.n[kind], "");
  size_t n;
  const nas_tensor_info *tensors = nas_model_tensors(r->e.model, &n);
  for (size_t i = 0; t->exact.n[GRADIENT] && !v->jumps && i < n; i++)
    if (!tensors[i].running) judge(v, t, found, plan, GRADIENT, tensors[i].offset, tensors[i].count, tensors[i].name);
}

static void compare_bits(verdict *v, const yield *a, const yield *b, const char *what) {
  for (int k = 0; k < KINDS && !v->why[0]; k++)
    if (a->n[k] && memcmp(a->of[k], b->of[k], (size_t)a->n[k] * sizeof(double)) != 0)
      snprintf(v->why, sizeof v->why, "%s: other bits of the %s", what, kind_names[k]);
}

/* The step again, and again with every byte of the arena poisoned: NaN in either precision, then a large number. */
static void check_bits(verdict *v, runner *fast, const yield *first) {
  static const struct {
    int fill;
    const char *what;
  } rows[] = {{-1, "the same step again"}, {0xff, "dead memory full of NaN"}, {0x7e, "dead memory full of 8.4e37"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    yield again = step(fast, rows[i].fill);
    compare_bits(v, first, &again, rows[i].what);
    yield_free(&again);
  }
}

static verdict try_image(runner *wide, runner *plain, runner *fast, uint64_t draw) {
  verdict v = {.chaos = false};
  const graph_list *list = wide->list;
  set_image(wide, draw);
  truth t = {.exact = step(wide, -1)};
  nas_plan_forward(wide->e.plan, 3, list->seed);
  v.jumps = list->mode == NAS_TRAIN && near_a_jump(wide);
  for (uint64_t i = 0; i < SAMPLES; i++) t.disturbed[i] = disturbed_step(wide, draw, i);
  set_image(plain, draw);
  set_image(fast, draw);
  yield p = step(plain, -1), f = step(fast, -1);
  compare(&v, plain, &t, &p, 1);
  v.why[0] = '\0';
  compare(&v, fast, &t, &f, 0);
  if (v.chaos) v.why[0] = '\0';
  check_bits(&v, fast, &f);
  yield_free(&p);
  yield_free(&f);
  yield_free(&t.exact);
  for (int i = 0; i < SAMPLES; i++) yield_free(&t.disturbed[i]);
  return v;
}

/* Plans that run forward steps again to take less memory: the same bits in half of what can be saved and in all of it,
 * with NaN in whatever is dead between the passes. */
static void check_tight(verdict *v, runner *fast) {
  const graph_list *list = fast->list;
  int64_t whole = nas_plan_peak_bytes(fast->e.plan), least;
  nas_plan_options options = fast->e.plan->options;
  options.recompute = true;
  options.memory_limit = 1;
  assert_ok(nas_plan_measure(fast->e.model, &options, &least, nas_test_err()));
  assert_true(least <= whole);
  for (int parts = 1; parts <= 2 && least < whole && !v->why[0]; parts++) {
    int64_t limit = whole - (whole - least) * parts / 2;
    runner tight = runner_new_within(list, NAS_F32, fast->e.plan->options.reference, limit);
    set_image(fast, 0);
    yield wanted = step(fast, 0xff), found = step(&tight, 0xff);
    compare_bits(v, &wanted, &found, "forward steps run again");
    size_t states = (size_t)nas_model_states(fast->e.model) * sizeof(float);
    if (memcmp(nas_model_state_data(fast->e.model), nas_model_state_data(tight.e.model), states) != 0)
      snprintf(v->why, sizeof v->why, "forward steps run again: the running statistics moved twice");
    if (nas_plan_peak_bytes(tight.e.plan) > limit || nas_plan_recomputed(tight.e.plan) <= 0 ||
        nas_plan_recomputed(tight.e.plan) > 1)
      snprintf(v->why, sizeof v->why, "%lld bytes and %g of the work again where %lld bytes were the limit",
               (long long)nas_plan_peak_bytes(tight.e.plan), nas_plan_recomputed(tight.e.plan), (long long)limit);
    v->tight = true;
    yield_free(&wanted);
    yield_free(&found);
    runner_free(&tight);
  }
}

static verdict try_graph(const graph_list *list) {
  verdict v = {.jumps = true};
  runner wide = runner_new(list, NAS_F64, true), plain = runner_new(list, NAS_F32, true),
         fast = runner_new(list, NAS_F32, false);
  for (uint64_t draw = 0; draw < 8 && !v.why[0] && v.jumps; draw++) v = try_image(&wide, &plain, &fast, draw);
  if (list->mode == NAS_TRAIN && !v.why[0]) check_tight(&v, &fast);
  if (list->mode == NAS_TRAIN && !v.why[0] && list->seed % 4 == 0) check_tight(&v, &plain);
  runner_free(&wide);
  runner_free(&plain);
  runner_free(&fast);
  return v;
}

static bool fails(const graph_list *list, void *arg) {
  (void)arg;
  return try_graph(list).why[0] != '\0';
}

static uint64_t from_environment(const char *name, uint64_t otherwise) {
  const char *text = getenv(name);
  char *end;
  errno = 0;
  uint64_t value = text ? strtoull(text, &end, 10) : otherwise;
  if (text && (errno || end == text || *end)) fail_msg("%s=%s is no number", name, text);
  return value;
}

/* Prints every failing seed, and the first one cut down to what matters. */
static void run_seeds(uint64_t first, uint64_t n) {
  static graph_list list;
  static char text[16384];
  uint64_t failed = 0, jumps = 0, chaos = 0, tight = 0;
  double worst[2] = {0, 0};
  for (uint64_t seed = first; seed < first + n; seed++) {
    graph_generate(seed, &list);
    verdict v = try_graph(&list);
    jumps += v.jumps;
    chaos += v.chaos;
    tight += v.tight;
    for (int i = 0; i < 2 && !v.chaos; i++) worst[i] = fmax(worst[i], v.worst[i]);
    if (getenv("NASCENT_GRAPHS_TALK")) print_message("%llu %g %g\n", (unsigned long long)seed, v.worst[0], v.worst[1]);
    if (!v.why[0]) continue;
    print_error("NASCENT_GRAPH=%llu: %s\n", (unsigned long long)seed, v.why);
    if (failed++) continue;
    graph_shrink(&list, fails, NULL);
    graph_print(&list, text, sizeof text);
    print_error("smallest that fails (%s):\n", try_graph(&list).why);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) print_error("%s\n", line); /* cmocka cuts */
  }
  print_message(
      "%llu graphs: %llu failed, %llu compared forward only, %llu chaos, %llu in less memory too; of what is allowed, "
      "the fast plan took at most %.2g, the plain one %.2g\n",
      (unsigned long long)n, (unsigned long long)failed, (unsigned long long)jumps, (unsigned long long)chaos,
      (unsigned long long)tight, worst[0], worst[1]);
  assert_int_equal(failed, 0);
  assert_true(jumps <= 1 + n / 25 && chaos <= 1 + n / 200 && (n < 100 || tight > n / 4));
}

static void plan_equals_the_plain_interpreter(void **state) {
  (void)state;
  uint64_t alone = from_environment("NASCENT_GRAPH", 0);
  if (alone) run_seeds(alone, 1);
  else run_seeds(1, 300);
}

static void plan_equals_the_plain_interpreter_on_thousands(void **state) {
  (void)state;
  run_seeds(from_environment("NASCENT_GRAPHS_FROM", 1000), from_environment("NASCENT_GRAPHS", 4000));
}

NAS_SUITE(Fused, NAS_CASE(plan_equals_the_plain_interpreter))
NAS_SUITE(Fused_long, NAS_CASE(plan_equals_the_plain_interpreter_on_thousands))
