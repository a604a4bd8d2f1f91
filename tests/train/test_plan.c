/* What the planner makes of whole graphs: the fast plan computes what the plain one does, in the memory it announced.
 */
#include <stdio.h>

#include "engine_check.h"
#include "train/dnnl_conv.h"
#include "train/graph_internal.h"
#include "train/op.h"
#include "train/plan_internal.h"

enum { CONV3, CONV1, POOL, SKIP, NONE };

static nas_value relu_conv_bn(nas_graph *g, nas_value in, int32_t out, int32_t k, int32_t stride, const char *label) {
  char name[60];
  nas_value v = engine_op1(g, "relu", in, (nas_attrs){0}, "");
  snprintf(name, sizeof name, "%s.conv", label);
  v = engine_op1(g, "conv2d", v, (nas_attrs){.out = out, .kernel_h = k, .kernel_w = k, .stride = stride, .pad = k / 2},
                 name);
  snprintf(name, sizeof name, "%s.bn", label);
  return engine_op1(g, "batch_norm", v, (nas_attrs){0}, name);
}

static nas_value one_edge(nas_graph *g, nas_value in, int op, const char *label) {
  int32_t c = nas_graph_shape(g, in).c;
  switch (op) {
    case CONV3: return relu_conv_bn(g, in, c, 3, 1, label);
    case CONV1: return relu_conv_bn(g, in, c, 1, 1, label);
    case POOL:
      return engine_op1(g, "avg_pool", in, (nas_attrs){.kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1}, "");
    case SKIP: return engine_op1(g, "identity", in, (nas_attrs){0}, "");
    default: return engine_op1(g, "zero", in, (nas_attrs){0}, "");
  }
}

/* A cell of six edges (ops in NAS-Bench-201's order). */
static nas_value cell(nas_graph *g, nas_value in, const int ops[6], int number) {
  nas_value node[4] = {in};
  int at = 0;
  for (int to = 1; to < 4; to++) {
    nas_value terms[3];
    for (int from = 0; from < to; from++) {
      char label[32];
      snprintf(label, sizeof label, "cell%d.edge%d-%d", number, from, to);
      terms[from] = one_edge(g, node[from], ops[at++], label);
    }
    node[to] = engine_op(g, "add", terms, to, (nas_attrs){0}, "");
  }
  return node[3];
}

static nas_graph *network(const int ops[6], int32_t channels, int32_t size, nas_value *out) {
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){3, size, size}, &g, nas_test_err()));
  nas_value v = engine_op1(
      g, "conv2d", 0, (nas_attrs){.out = channels, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1}, "stem.conv");
  v = engine_op1(g, "batch_norm", v, (nas_attrs){0}, "stem.bn");
  v = cell(g, v, ops, 0);
  nas_value down = engine_op1(g, "avg_pool", v, (nas_attrs){.kernel_h = 2, .kernel_w = 2, .stride = 2}, "");
  nas_value terms[2];
  terms[0] = engine_op1(g, "conv2d", down, (nas_attrs){.out = 2 * channels, .kernel_h = 1, .kernel_w = 1, .stride = 1},
                        "down");
  v = relu_conv_bn(g, v, 2 * channels, 3, 2, "reduce.a");
  terms[1] = relu_conv_bn(g, v, 2 * channels, 3, 1, "reduce.b");
  v = engine_op(g, "add", terms, 2, (nas_attrs){0}, "");
  v = cell(g, v, ops, 1);
  v = engine_op1(g, "batch_norm", v, (nas_attrs){0}, "last.bn");
  v = engine_op1(g, "relu", v, (nas_attrs){0}, "");
  v = engine_op1(g, "global_pool", v, (nas_attrs){0}, "");
  *out = engine_close(g, v, 10);
  return g;
}

static const int cells[][6] = {
    {CONV3, CONV3, CONV3, CONV3, CONV3, CONV3}, {CONV1, CONV1, CONV1, CONV1, CONV1, CONV1},
    {POOL, POOL, POOL, POOL, POOL, POOL},       {SKIP, SKIP, SKIP, SKIP, SKIP, SKIP},
    {CONV3, CONV1, POOL, SKIP, CONV3, CONV1},   {SKIP, CONV3, SKIP, CONV1, SKIP, POOL},
    {NONE, CONV3, CONV3, SKIP, POOL, CONV1},    {CONV3, NONE, CONV1, NONE, NONE, SKIP},
    {NONE, NONE, SKIP, CONV3, CONV1, NONE},     {NONE, NONE, NONE, NONE, NONE, NONE},
};
enum { N_CELLS = sizeof cells / sizeof *cells };

static void fast_plan_equals_the_plain_one_in_double(void **state) {
  (void)state;
  for (int i = 0; i < N_CELLS; i++)
    for (int mode = NAS_TRAIN; mode <= NAS_EVAL; mode++) {
      nas_value out;
      nas_graph *g = network(cells[i], 8, 8, &out);
      char what[40];
      snprintf(what, sizeof what, "cell %d, mode %d", i, mode);
      nas_plan_options options = {.batch = 6, .mode = (nas_mode)mode};
      engine fast = engine_new(g, out, NAS_F32, options), plain = engine_new(g, out, NAS_F64, options);
      engine_check_same(&fast, &plain, 1e-3, what);
      engine_free(&fast);
      engine_free(&plain);
      nas_graph_free(g);
    }
}

/* A stem, `n` cells one after another, and a classifier. */
static nas_graph *tower(const int ops[6], int n, nas_value *out) {
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){3, 6, 6}, &g, nas_test_err()));
  nas_attrs stem = {.out = 8, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1};
  nas_value v = engine_op1(g, "conv2d", 0, stem, "stem.conv");
  v = engine_op1(g, "batch_norm", v, (nas_attrs){0}, "stem.bn");
  for (int i = 0; i < n; i++) v = cell(g, v, ops, i);
  v = engine_op1(g, "relu", v, (nas_attrs){0}, "");
  *out = engine_close(g, engine_op1(g, "global_pool", v, (nas_attrs){0}, ""), 10);
  return g;
}

/* What only a sum uses is never made, however often the sum takes it: cells of skip connections are one factor of what
 * the stem's norm adds, and a node of an edge and of skips of one value is one sum. */
static void sums_of_sums_are_one(void **state) {
  (void)state;
  static const int skips[6] = {SKIP, SKIP, SKIP, SKIP, SKIP, SKIP}, edges[6] = {CONV3, NONE, SKIP, SKIP, SKIP, SKIP};
  int32_t steps[4];
  for (int i = 0; i < 4; i++)
    for (int mode = NAS_TRAIN; mode <= NAS_EVAL; mode++) {
      nas_value out;
      nas_graph *g = i == 3 ? tower(edges, 2, &out) : tower(skips, 1 + i, &out);
      char what[40];
      snprintf(what, sizeof what, "tower %d, mode %d", i, mode);
      nas_plan_options options = {.batch = 5, .mode = (nas_mode)mode};
      engine fast = engine_new(g, out, NAS_F32, options), plain = engine_new(g, out, NAS_F64, options);
      if (mode == NAS_TRAIN) steps[i] = fast.plan->n_steps;
      engine_check_same(&fast, &plain, 2e-5, what);
      engine_free(&fast);
      engine_free(&plain);
      nas_graph_free(g);
    }
  assert_int_equal(steps[1], steps[0]);
  assert_int_equal(steps[2], steps[0]);
}

/* Two ReLU-convolution-norm edges out of one value into a sum, and a third of another geometry. */
static nas_graph *fan(int32_t channels, int32_t size, nas_value *out) {
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){channels, size, size}, &g, nas_test_err()));
  nas_value terms[3];
  terms[0] = relu_conv_bn(g, 0, channels, 3, 1, "a");
  terms[1] = relu_conv_bn(g, 0, channels, 3, 1, "b");
  terms[2] = relu_conv_bn(g, 0, channels, 1, 1, "c");
  nas_value sum = engine_op(g, "add", terms, 3, (nas_attrs){0}, "");
  *out = engine_close(g, engine_op1(g, "global_pool", sum, (nas_attrs){0}, ""), 10);
  return g;
}

/* bf16 keeps 8 bits: a product is off by at most 2^-8 of itself, and errors of a sum partly cancel. */
static void bf16_is_near_double(void **state) {
  (void)state;
  if (!nas_conv_has_bf16()) nas_skip("this CPU does not multiply bf16 numbers");
  static const int32_t channels[] = {1, 3, 8, 16, 17, 32, 48};
  for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
    nas_value out;
    nas_graph *g = fan(channels[i], 7, &out);
    char what[40];
    snprintf(what, sizeof what, "bf16, %d channels", channels[i]);
    engine half = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = 8, .mode = NAS_TRAIN, .bf16 = true});
    engine plain = engine_new(g, out, NAS_F64, (nas_plan_options){.batch = 8, .mode = NAS_TRAIN});
    engine_check_same(&half, &plain, 2e-2, what);
    engine single = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = 8, .mode = NAS_TRAIN});
    assert_true(engine_loss(&half) != engine_loss(&single)); /* it is not f32 under another name */
    engine_free(&half);
    engine_free(&plain);
    engine_free(&single);
    nas_graph_free(g);
  }
}

static void gradients_of_whole_networks_are_right(void **state) {
  (void)state;
  for (int i = 4; i < 9; i++) {
    nas_value out;
    nas_graph *g = network(cells[i], 3, 6, &out);
    engine e = engine_new(g, out, NAS_F64, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
    engine_check_gradients(&e, "network");
    engine_free(&e);
    nas_graph_free(g);
  }
}

/* A random graph of about `n` operations over the first values, joined to logits. */
static nas_graph *random_graph(uint64_t seed, nas_value *out) {
  nas_rng r = nas_rng_make(seed, 0, NAS_STREAM_SAMPLE);
  uint64_t at = 0;
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){(int32_t)nas_rng_below(r, at++, 5) + 1, 5, 4}, &g, nas_test_err()));
  nas_value values[40] = {0};
  int n = 1, ops = 3 + (int)nas_rng_below(r, at++, 14);
  static const char *const names[] = {"conv2d",   "conv2d", "relu",   "batch_norm", "avg_pool",
                                      "max_pool", "add",    "add",    "identity",   "zero",
                                      "dropout",  "mul",    "square", "tanh",       "sigmoid"};
  for (int i = 0; i < ops; i++) {
    const char *name = names[nas_rng_below(r, at++, sizeof names / sizeof *names)];
    nas_value in[3];
    for (int k = 0; k < 3; k++) {
      uint64_t back = nas_rng_below(r, at++, 4); /* mostly recent values, so that depth grows */
      in[k] = values[(int)back < n ? n - 1 - (int)back : 0];
    }
    int32_t n_in = !strcmp(name, "add") ? (int32_t)nas_rng_below(r, at++, 3) + 1 : !strcmp(name, "mul") ? 2 : 1;
    int32_t k = 1 + (int32_t)nas_rng_below(r, at++, 3);
    nas_attrs attrs = {.out = nas_graph_shape(g, 0).c,
                       .kernel_h = k,
                       .kernel_w = k,
                       .stride = 1,
                       .pad = k / 2,
                       .bias = nas_rng_below(r, at++, 2),
                       .rate = 0.2};
    bool pool = strstr(name, "pool") || !strcmp(name, "conv2d");
    if (pool && k == 2) attrs.kernel_h = attrs.kernel_w = 3; /* keeps the size */
    if (pool) attrs.pad = attrs.kernel_h / 2;
    char label[16];
    snprintf(label, sizeof label, "op%d", i);
    values[n++] = engine_op(g, name, in, n_in, attrs, label);
  }
  nas_value ends[2] = {values[n - 1], values[n / 2]};
  *out = engine_close(g, engine_op(g, "add", ends, 2, (nas_attrs){0}, ""), 3);
  return g;
}

static void fast_plan_equals_the_plain_one_on_random_graphs(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 400; seed++) {
    nas_value out;
    nas_graph *g = random_graph(seed, &out);
    char what[40];
    snprintf(what, sizeof what, "random graph %llu", (unsigned long long)seed);
    nas_plan_options options = {.batch = 1 + (int32_t)(seed % 4), .mode = seed % 5 ? NAS_TRAIN : NAS_EVAL};
    engine fast = engine_new(g, out, NAS_F32, options), plain = engine_new(g, out, NAS_F64, options);
    engine_check_same(&fast, &plain, 2e-3, what);
    engine_free(&fast);
    engine_free(&plain);
    nas_graph_free(g);
  }
}

static void two_runs_give_the_same_bits(void **state) {
  (void)state;
  float *kept = NULL;
  for (int run = 0; run < 2; run++) {
    nas_value out;
    nas_graph *g = network(cells[4], 16, 8, &out);
    engine e = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = 8, .mode = NAS_TRAIN});
    size_t n = (size_t)nas_model_params(e.model);
    float *params = nas_model_param_data(e.model), *grads = nas_model_grad_data(e.model);
    for (uint64_t step = 0; step < 3; step++) {
      nas_plan_forward(e.plan, 1, step);
      nas_plan_backward(e.plan);
      for (size_t i = 0; i < n; i++) params[i] -= 0.1f * grads[i];
    }
    if (kept) assert_memory_equal(kept, params, n * sizeof *kept);
    else kept = memcpy(malloc(n * sizeof *kept), params, n * sizeof *kept);
    engine_free(&e);
    nas_graph_free(g);
  }
  free(kept);
}

static void initial_weights_follow_names_and_seed(void **state) {
  (void)state;
  nas_value out;
  nas_graph *g = network(cells[0], 4, 8, &out), *h = network(cells[5], 4, 8, &out);
  nas_model *a, *b;
  size_t na, nb, met = 0;
  assert_ok(nas_model_new(g, NAS_F32, &a, nas_test_err()));
  assert_ok(nas_model_new(h, NAS_F32, &b, nas_test_err()));
  assert_ok(nas_model_init(a, 7, nas_test_err()));
  assert_ok(nas_model_init(b, 7, nas_test_err()));
  const nas_tensor_info *ta = nas_model_tensors(a, &na), *tb = nas_model_tensors(b, &nb);
  const float *pa = nas_model_param_data(a), *pb = nas_model_param_data(b);
  for (size_t i = 0; i < na; i++)
    for (size_t k = 0; k < nb; k++)
      if (!ta[i].running && !strcmp(ta[i].name, tb[k].name) && ta[i].count == tb[k].count) {
        met++;
        assert_memory_equal(pa + ta[i].offset, pb + tb[k].offset, (size_t)ta[i].count * sizeof *pa);
      }
  assert_true(met > 8);
  for (size_t i = 0; i < na; i++) { /* uniform within 1/sqrt(fan in): stem has 27 inputs */
    if (strcmp(ta[i].name, "stem.conv.weight") != 0) continue;
    double most = 0, mean = 0, bound = 1 / sqrt(27.0);
    for (int64_t k = 0; k < ta[i].count; k++) {
      most = fmax(most, fabs((double)pa[ta[i].offset + k]));
      mean += (double)pa[ta[i].offset + k] / (double)ta[i].count;
    }
    assert_true(most <= bound && most > 0.9 * bound && fabs(mean) < 0.2 * bound);
  }
  float held = pa[0];
  assert_ok(nas_model_init(a, 8, nas_test_err()));
  assert_true(pa[0] != held);
  nas_model_free(a);
  nas_model_free(b);
  nas_graph_free(g);
  nas_graph_free(h);
}

static void dead_edges_cost_nothing(void **state) {
  (void)state;
  static const int lone[6] = {NONE, NONE, CONV1, CONV3, CONV3, POOL}, kept[6] = {NONE, NONE, NONE, CONV3, NONE, NONE};
  nas_value out;
  nas_graph *g = network(lone, 8, 8, &out), *h = network(kept, 8, 8, &out);
  nas_model *a, *b;
  nas_plan *p;
  nas_plan_options options = {.batch = 4, .mode = NAS_TRAIN};
  int64_t bytes[2];
  assert_ok(nas_model_new(g, NAS_F32, &a, nas_test_err()));
  assert_ok(nas_model_new(h, NAS_F32, &b, nas_test_err()));
  assert_int_equal(nas_model_params(a), nas_model_params(b));
  assert_ok(nas_plan_measure(a, &options, &bytes[0], nas_test_err()));
  assert_ok(nas_plan_measure(b, &options, &bytes[1], nas_test_err()));
  assert_int_equal(bytes[0], bytes[1]);
  assert_ok(nas_plan_new(b, &options, &p, nas_test_err()));
  /* fans and sums of the stem, of a convolution per cell and of the reduction; its pool and last convolution; norm, ...
   */
  assert_int_equal(nas_plan_operations(p), 16);
  nas_plan_free(p);
  nas_model_free(a);
  nas_model_free(b);
  nas_graph_free(g);
  nas_graph_free(h);
}

static void network_of_zeros_still_learns_its_bias(void **state) {
  (void)state;
  nas_value out;
  nas_graph *g = network(cells[9], 8, 8, &out);
  engine e = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = 4, .mode = NAS_TRAIN});
  assert_int_equal(nas_model_params(e.model), 16 * 10 + 10);
  const float *bias = (float *)nas_model_param_data(e.model) + 160;
  float *grads = nas_model_grad_data(e.model);
  nas_plan_forward(e.plan, 1, 1);
  nas_plan_backward(e.plan);
  const float *logits = nas_plan_logits(e.plan);
  double moved = 0;
  for (int i = 0; i < 40; i++) assert_true(logits[i] == bias[i % 10]);
  for (int i = 0; i < 160; i++) assert_true(grads[i] == 0);
  for (int i = 160; i < 170; i++) moved += fabs((double)grads[i]);
  assert_true(moved > 0.1);
  engine_free(&e);
  nas_graph_free(g);
}

static void peak_is_what_was_measured_and_limits_hold(void **state) {
  (void)state;
  nas_value out;
  nas_graph *g = network(cells[4], 8, 8, &out);
  nas_model *m;
  nas_plan *p, *q;
  nas_plan_options options = {.batch = 4, .mode = NAS_TRAIN};
  int64_t bytes, eval;
  assert_ok(nas_model_new(g, NAS_F32, &m, nas_test_err()));
  assert_ok(nas_plan_measure(m, &options, &bytes, nas_test_err()));
  assert_ok(nas_plan_new(m, &options, &p, nas_test_err()));
  assert_int_equal(nas_plan_peak_bytes(p), bytes);
  options.memory_limit = bytes - 1;
  char number[32];
  snprintf(number, sizeof number, "%lld bytes", (long long)bytes);
  assert_fails(nas_plan_new(m, &options, &q, nas_test_err()), NAS_E_NO_MEMORY, number);
  snprintf(number, sizeof number, "%lld bytes", (long long)bytes - 1);
  assert_non_null(strstr(nas_test_err()->msg, number));
  assert_null(q);
  options.memory_limit = bytes;
  assert_ok(nas_plan_new(m, &options, &q, nas_test_err()));
  nas_plan_free(q);
  assert_ok(nas_plan_measure(m, &(nas_plan_options){.batch = 4, .mode = NAS_EVAL}, &eval, nas_test_err()));
  assert_true(eval < bytes);
  assert_fails(nas_plan_new(m, &(nas_plan_options){.batch = 0}, &q, nas_test_err()), NAS_E_OUT_OF_RANGE, "at least 1");
  assert_fails(nas_plan_new(m, &(nas_plan_options){.batch = 1, .label_smoothing = 1}, &q, nas_test_err()),
               NAS_E_OUT_OF_RANGE, "smoothing");
  nas_plan_free(p);
  nas_model_free(m);
  nas_graph_free(g);
}

/* Three cells of six convolutions, and dropout, so that there is something to keep and something to draw again. */
static nas_graph *deep(nas_value *out) {
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){3, 8, 8}, &g, nas_test_err()));
  nas_value v = relu_conv_bn(g, 0, 8, 3, 1, "stem");
  for (int i = 0; i < 4; i++) v = cell(g, v, cells[i % 2 ? 4 : 0], i);
  v = engine_op1(g, "dropout", v, (nas_attrs){.rate = 0.3}, "drop");
  v = cell(g, v, cells[5], 4);
  *out = engine_close(g, engine_op1(g, "global_pool", v, (nas_attrs){0}, ""), 10);
  return g;
}

static void expect_equal_engines(engine *a, engine *b) {
  float *pa = nas_model_param_data(a->model), *pb = nas_model_param_data(b->model);
  const float *ga = nas_model_grad_data(a->model);
  int64_t n = nas_model_params(a->model);
  for (uint64_t step = 0; step < 3; step++) {
    double loss = nas_plan_forward(a->plan, 1, step).loss;
    assert_true(loss == nas_plan_forward(b->plan, 1, step).loss);
    nas_plan_backward(a->plan);
    nas_plan_backward(b->plan);
    assert_memory_equal(ga, nas_model_grad_data(b->model), (size_t)n * sizeof(float));
    assert_memory_equal(nas_model_state_data(a->model), nas_model_state_data(b->model),
                        (size_t)nas_model_states(a->model) * sizeof(float));
    assert_memory_equal(nas_plan_input_gradient(a->plan), nas_plan_input_gradient(b->plan),
                        (size_t)engine_inputs(a) * sizeof(float));
    for (int64_t i = 0; i < n; i++) pa[i] -= 0.1f * ga[i], pb[i] = pa[i];
  }
}

static void recomputation_keeps_limits_and_bits(void **state) {
  (void)state;
  for (int variant = 0; variant < 3; variant++) { /* fast, bf16, plain */
    nas_value out;
    if (variant == 1 && !nas_conv_has_bf16()) continue;
    nas_graph *g = deep(&out);
    nas_plan_options options = {.batch = 6, .mode = NAS_TRAIN, .bf16 = variant == 1, .reference = variant == 2};
    engine whole = engine_new(g, out, NAS_F32, options);
    int64_t bytes = nas_plan_peak_bytes(whole.plan), least, share;
    assert_true(nas_plan_recomputed(whole.plan) == 0);
    options.recompute = true;
    options.memory_limit = 1;
    options.input_gradient = true;
    assert_ok(nas_plan_measure(whole.model, &options, &least, nas_test_err()));
    assert_true(10 * least < 8 * bytes);
    double last = 0;
    for (int part = 1; part <= 3; part++) { /* the less memory, the more work */
      options.memory_limit = bytes - (bytes - least) * part / 3;
      engine tight = engine_new(g, out, NAS_F32, options);
      share = nas_plan_peak_bytes(tight.plan);
      assert_true(share <= options.memory_limit && share >= least);
      assert_true(nas_plan_recomputed(tight.plan) > 0 && nas_plan_recomputed(tight.plan) < 1);
      assert_true(nas_plan_recomputed(tight.plan) >= last);
      last = nas_plan_recomputed(tight.plan);
      expect_equal_engines(&whole, &tight);
      engine_free(&tight);
      engine_free(&whole);
      whole = engine_new(
          g, out, NAS_F32,
          (nas_plan_options){.batch = 6, .mode = NAS_TRAIN, .bf16 = variant == 1, .reference = variant == 2});
    }
    nas_plan *p;
    char number[48];
    options.memory_limit = least - 1;
    snprintf(number, sizeof number, "at least %lld bytes", (long long)least);
    assert_fails(nas_plan_new(whole.model, &options, &p, nas_test_err()), NAS_E_NO_MEMORY, number);
    options.recompute = false;
    options.memory_limit = bytes - 1;
    assert_fails(nas_plan_new(whole.model, &options, &p, nas_test_err()), NAS_E_NO_MEMORY, "needs");
    engine_free(&whole);
    nas_graph_free(g);
  }
}

/* Without a limit: a plan of hundreds of MiB comes down by a third or to the target, a small one stays as it is. */
static void large_plans_come_down(void **state) {
  (void)state;
  nas_graph *g;
  nas_model *m;
  int64_t small[2], large[2];
  assert_ok(nas_graph_new((nas_shape){3, 8, 8}, &g, nas_test_err()));
  nas_value v = relu_conv_bn(g, 0, 8, 3, 1, "stem");
  for (int i = 0; i < 9; i++) v = cell(g, v, cells[0], i);
  engine_close(g, engine_op1(g, "global_pool", v, (nas_attrs){0}, ""), 10);
  assert_ok(nas_model_new(g, NAS_F32, &m, nas_test_err()));
  for (int again = 0; again < 2; again++) {
    nas_plan_options options = {.batch = 64, .mode = NAS_TRAIN, .recompute = again == 1};
    assert_ok(nas_plan_measure(m, &options, &small[again], nas_test_err()));
    options.batch = 4096;
    assert_ok(nas_plan_measure(m, &options, &large[again], nas_test_err()));
  }
  assert_true(small[0] == small[1] && small[0] < NAS_PLAN_TARGET);
  assert_true(large[0] > NAS_PLAN_TARGET && large[1] < large[0]);
  assert_true(large[1] <= NAS_PLAN_TARGET || 10 * large[1] <= 8 * large[0]);
  nas_model_free(m);
  nas_graph_free(g);
}

/* A larger plan moves the arena under a smaller one, which must go on as if nothing had happened. */
static void plans_share_one_arena(void **state) {
  (void)state;
  nas_value out;
  nas_graph *g = network(cells[4], 8, 8, &out);
  engine e = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = 2, .mode = NAS_TRAIN});
  double before = nas_plan_forward(e.plan, 1, 1).loss;
  nas_plan *large;
  assert_ok(nas_plan_new(e.model, &(nas_plan_options){.batch = 32, .mode = NAS_EVAL}, &large, nas_test_err()));
  nas_plan_forward(large, 1, 1);
  double after = nas_plan_forward(e.plan, 1, 1).loss;
  assert_true(before == after);
  nas_plan_free(large);
  engine_free(&e);
  nas_graph_free(g);
}

/* The next model of the same shape gets the arena of the last one, whatever is left in it; a small one does not. */
static void arenas_are_used_again(void **state) {
  (void)state;
  nas_value out;
  nas_graph *g = network(cells[4], 8, 8, &out);
  const nas_plan_options options = {.batch = 8, .mode = NAS_TRAIN}, few = {.batch = 1, .mode = NAS_TRAIN};
  engine e = engine_new(g, out, NAS_F32, options);
  double loss = nas_plan_forward(e.plan, 1, 1).loss;
  const void *arena = e.model->arena;
  int64_t bytes = e.model->arena_bytes;
  memset(e.model->arena, 0x7e, (size_t)bytes);
  engine_free(&e);
  e = engine_new(g, out, NAS_F32, options);
  assert_ptr_equal(e.model->arena, arena);
  assert_true(loss == nas_plan_forward(e.plan, 1, 1).loss);
  engine_free(&e);
  e = engine_new(g, out, NAS_F32, few);
  assert_true(e.model->arena_bytes < bytes);
  engine_free(&e);
  nas_graph_free(g);
}

static void evaluation_uses_running_statistics(void **state) {
  (void)state;
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){1, 2, 2}, &g, nas_test_err()));
  nas_value bn = engine_op1(g, "batch_norm", 0, (nas_attrs){0}, "bn");
  nas_value pool = engine_op1(g, "global_pool", bn, (nas_attrs){0}, "");
  assert_ok(nas_graph_set_output(g, pool, nas_test_err()));
  nas_model *m;
  nas_plan *p;
  assert_ok(nas_model_new(g, NAS_F32, &m, nas_test_err()));
  assert_ok(nas_plan_new(m, &(nas_plan_options){.batch = 1, .mode = NAS_EVAL}, &p, nas_test_err()));
  float *states = nas_model_state_data(m), *params = nas_model_param_data(m), *x = nas_plan_input(p);
  states[0] = 3, states[1] = 4, params[0] = 5, params[1] = 7;
  for (int i = 0; i < 4; i++) x[i] = (float)(10 + i);
  nas_plan_forward(p, 1, 1);
  /* (11.5 - 3) / sqrt(4 + 1e-5) * 5 + 7 */
  assert_close(*(const float *)nas_plan_logits(p), 8.5 / sqrt(4.00001) * 5 + 7, 1e-6);
  assert_true(states[0] == 3 && states[1] == 4);
  nas_plan_free(p);
  nas_model_free(m);
  nas_graph_free(g);
}

NAS_SUITE(Plan, NAS_CASE(fast_plan_equals_the_plain_one_in_double), NAS_CASE(sums_of_sums_are_one),
          NAS_CASE(bf16_is_near_double), NAS_CASE(gradients_of_whole_networks_are_right),
          NAS_CASE(fast_plan_equals_the_plain_one_on_random_graphs), NAS_CASE(two_runs_give_the_same_bits),
          NAS_CASE(initial_weights_follow_names_and_seed), NAS_CASE(dead_edges_cost_nothing),
          NAS_CASE(network_of_zeros_still_learns_its_bias), NAS_CASE(peak_is_what_was_measured_and_limits_hold),
          NAS_CASE(recomputation_keeps_limits_and_bits), NAS_CASE(large_plans_come_down),
          NAS_CASE(plans_share_one_arena), NAS_CASE(arenas_are_used_again),
          NAS_CASE(evaluation_uses_running_statistics))
