/* What neuron types take from their sources beyond the formula: where parameters begin, shifts of super neurons, and
 * stages of one training. Reference numbers come from PyTorch 1.13 and numpy, in double. */
#include "engine_check.h"
#include "train/neuron.h"

static engine layer(const char *neuron, const char *options, nas_shape in, nas_attrs attrs, nas_plan_options plan,
                    nas_graph **g) {
  nas_value value;
  snprintf(attrs.options, sizeof attrs.options, "%s", options);
  assert_ok(nas_graph_new(in, g, nas_test_err()));
  assert_ok(nas_neuron_build(nas_neuron_find(neuron), *g, 0, &attrs, "n", &value, nas_test_err()));
  if (nas_graph_shape(*g, value).h > 1)
    assert_ok(nas_graph_op(*g, "flatten", &value, 1, NULL, "flat", &value, nas_test_err()));
  assert_ok(nas_graph_set_output(*g, value, nas_test_err()));
  return engine_new(*g, value, NAS_F64, plan);
}

static const double *tensor(const engine *e, const char *name, int64_t *count) {
  size_t n;
  const nas_tensor_info *info = nas_model_tensors(e->model, &n);
  for (size_t t = 0; t < n; t++)
    if (!strcmp(info[t].name, name)) {
      *count = info[t].count;
      return (const double *)(info[t].running ? nas_model_state_data(e->model) : nas_model_param_data(e->model)) +
             info[t].offset;
    }
  fail_msg("no tensor '%s'", name);
  return NULL;
}

/* A tensor of a fresh layer of 4 neurons over 24 numbers. */
static const double *start_of(const char *neuron, const char *options, const char *name, int64_t *count, engine *e,
                              nas_graph **g) {
  *e = layer(neuron, options, (nas_shape){24, 1, 1}, (nas_attrs){.out = 48},
             (nas_plan_options){.batch = 1, .mode = NAS_TRAIN}, g);
  assert_ok(nas_model_init(e->model, 7, nas_test_err()));
  return tensor(e, name, count);
}

static double largest(const double *values, int64_t n) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) most = fmax(most, fabs(values[i]));
  return most;
}

/* xavier_uniform_ of a weight [48, 72] with calculate_gain('tanh'), the bias within 1/sqrt(72). */
static void self_onn_begins_by_the_rule_of_glorot(void **state) {
  (void)state;
  engine e;
  nas_graph *g;
  int64_t n;
  const double *w = start_of("selfonn", "", "n.weight", &n, &e, &g), bound = 0.372677996249965;
  assert_int_equal(n, 48 * 72);
  assert_true(largest(w, n) <= bound && largest(w, n) > 0.99 * bound);
  const double *b = tensor(&e, "n.bias", &n);
  assert_true(largest(b, n) <= 0.117851130197758 && largest(b, n) > 0.1);
  engine_free(&e);
  nas_graph_free(g);
  nas_attrs conv = {.out = 4, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1}; /* weight [4, 9, 3, 3] */
  e = layer("selfonn", "", (nas_shape){3, 4, 4}, conv, (nas_plan_options){.batch = 1, .mode = NAS_TRAIN}, &g);
  assert_ok(nas_model_init(e.model, 7, nas_test_err()));
  w = tensor(&e, "n.weight", &n);
  assert_int_equal(n, 4 * 81);
  assert_true(largest(w, n) <= 0.3774256780481986 && largest(w, n) > 0.97 * 0.3774256780481986);
  engine_free(&e);
  nas_graph_free(g);
}

/* 24 numbers, or the 9 of a window of one channel: 1/sqrt(24) and 1/3. */
static void splines_begin_within_the_fan_they_are_given(void **state) {
  (void)state;
  static const char *const options[] = {"", "fan=9\n"}, *const tensors[] = {"n.base_w", "n.spline_scale"};
  for (int i = 0; i < 2; i++)
    for (int k = 0; k < 2; k++) {
      engine e;
      nas_graph *g;
      int64_t n;
      const double *start = start_of("kan-bspline", options[i], tensors[k], &n, &e, &g);
      double most = largest(start, n);
      double bound = i ? 0.333333333333333 : 0.204124145231932;
      assert_true(n == 24 * 48 && most <= bound + 1e-12 && most > 0.98 * bound);
      engine_free(&e);
      nas_graph_free(g);
    }
}

static void choices_begin_with_one_favourite(void **state) {
  (void)state;
  engine e;
  nas_graph *g;
  int64_t n, count[6] = {0};
  const double *logits = start_of("smartmixed", "", "n.act.logits", &n, &e, &g);
  assert_int_equal(n, 48 * 6);
  for (int64_t k = 0; k < 48; k++) {
    int ones = 0;
    for (int a = 0; a < 6; a++) {
      assert_true(logits[k * 6 + a] == 0 || logits[k * 6 + a] == 0.001);
      ones += logits[k * 6 + a] != 0;
      count[a] += logits[k * 6 + a] != 0;
    }
    assert_int_equal(ones, 1);
  }
  for (int a = 0; a < 6; a++) assert_true(count[a] >= 1 && count[a] <= 20);
  engine_free(&e);
  nas_graph_free(g);
}

static void reversal_potentials_and_speeds_begin_as_published(void **state) {
  (void)state;
  engine e;
  nas_graph *g;
  int64_t n, up = 0;
  const double *erev = start_of("ltc", "", "n.erev", &n, &e, &g);
  for (int64_t i = 0; i < n; i++) {
    assert_true(fabs(erev[i]) == 1);
    up += erev[i] > 0;
  }
  assert_true(n == 48 * 48 && (double)up > 0.62 * (double)n && (double)up < 0.71 * (double)n); /* 2/3 +- 5 deviations */
  engine_free(&e);
  nas_graph_free(g);
  const double *omega = start_of("kuramoto", "", "n.omg", &n, &e, &g);
  for (int64_t i = 0; i < n; i++) assert_close(omega[i], 0.07071067811865475, 1e-15);
  engine_free(&e);
  nas_graph_free(g);
}

/* y = P(z)/Q(z) at -2, -0.5, 0.75 and 2.5 with the start of versions A and B. */
static void pade_units_begin_near_leaky_relu(void **state) {
  (void)state;
  static const double z[] = {-2, -0.5, 0.75, 2.5};
  static const double wanted[2][4] = {
      {-1.783117985940644e-02, 1.762743073386189e-03, 7.528492794784077e-01, 2.501592492123998e+00},
      {-1.884630199982519e-02, -1.664877192673894e-03, 7.561755830790423e-01, 2.504183085198508e+00}};
  for (int b = 0; b < 2; b++) {
    nas_graph *g;
    nas_value value;
    assert_ok(nas_graph_new((nas_shape){4, 1, 1}, &g, nas_test_err()));
    nas_attrs attrs = {0};
    snprintf(attrs.options, sizeof attrs.options, "version=%s\n", b ? "B" : "A");
    value = nas_graph_input(g);
    assert_ok(nas_graph_op(g, "pau", &value, 1, &attrs, "p", &value, nas_test_err()));
    assert_ok(nas_graph_set_output(g, value, nas_test_err()));
    engine e = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = 1, .mode = NAS_TRAIN});
    assert_ok(nas_model_init(e.model, 7, nas_test_err()));
    for (int i = 0; i < 4; i++) engine_set(&e, nas_plan_input(e.plan), i, z[i]);
    nas_plan_forward(e.plan, 0, 0);
    for (int i = 0; i < 4; i++) assert_close(engine_get(&e, nas_plan_logits(e.plan), i), wanted[b][i], 1e-12);
    engine_free(&e);
    nas_graph_free(g);
  }
}

/* Two neurons of order 2 over two channels of 3x3 pixels, whose four connections have shifts of their own: affine_grid
 * and grid_sample (bilinear, zeros, align_corners=False), as FastONN does it, then a convolution each. */
static void super_neurons_move_every_connection(void **state) {
  (void)state;
  static const double x[2][9] = {{.5, -.25, .75, -1, .25, .5, .125, -.5, 1},
                                 {-.75, .5, .25, 1, -.5, .625, .25, .875, -.125}};
  static const double params[] = {.5, -.25, -.75, .125, .25, 1.25, -1.5, .5, /* row, column */
                                  .5, -1,   .25,  .75,  -.5, .375, 1,    -.25, .125, -.375};
  static const double wanted[] = {
      0.205001831054688,  -0.407958984375, -0.012161254882813, -0.366943359375, 0.361862182617187, -0.375,
      0.274032592773437,  -0.459716796875, -0.176593780517578, -0.328125,       0.228252410888672, -0.3525390625,
      -0.183887481689453, -0.296875,       0.133525848388672,  -0.269775390625, 0.032760620117187, -0.304931640625};
  nas_attrs conv = {.out = 2, .kernel_h = 1, .kernel_w = 1, .stride = 1};
  nas_graph *g;
  engine e = layer("selfonn", "order=2\nsuper=yes\nshift-groups=0\n", (nas_shape){2, 3, 3}, conv,
                   (nas_plan_options){.batch = 1, .mode = NAS_TRAIN}, &g);
  assert_int_equal(nas_model_params(e.model), 18);
  for (int i = 0; i < 18; i++) engine_set(&e, nas_model_param_data(e.model), i, params[i]);
  for (int c = 0; c < 2; c++)
    for (int i = 0; i < 9; i++) engine_set(&e, nas_plan_input(e.plan), 2 * i + c, x[c][i]);
  nas_plan_forward(e.plan, 0, 0);
  for (int i = 0; i < 18; i++) assert_close(engine_get(&e, nas_plan_logits(e.plan), i), wanted[i], 1e-12);
  engine_free(&e);
  nas_graph_free(g);
}

/* relu, sigmoid, tanh, leaky relu, elu, selu of x. */
static double activation(int which, double x) {
  const double values[] = {
      fmax(x, 0),           1 / (1 + exp(-x)),    tanh(x),
      x > 0 ? x : 0.01 * x, x > 0 ? x : expm1(x), 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x))};
  return values[which];
}

/* The outputs of one forward pass over 3 numbers are those of these activations; without, whether they are at all. */
static bool chose(engine *e, const double *x, const int *which, uint64_t step) {
  bool same = true;
  nas_plan_forward(e->plan, 11, step);
  for (int i = 0; i < 3; i++)
    same = same && fabs(engine_get(e, nas_plan_logits(e->plan), i) - activation(which[i], x[i])) < 1e-12;
  return same;
}

/* Phase 1 draws a choice at every step; phase 2 has one, whatever becomes of the logits, in training and evaluation. */
static void smartmixed_goes_from_phase_1_to_phase_2(void **state) {
  (void)state;
  static const double x[3] = {-0.7, 0.4, -1.3}, logits[18] = {0, 0, .5, 0,  0, 0, /* tanh */
                                                              0, 0, 0,  0,  0, 1, /* selu */
                                                              0, 2, 0,  .5, 0, 0 /* sigmoid */};
  static const int wanted[3] = {2, 5, 1};
  for (int way = 0; way < 2; way++) {
    nas_graph *g;
    assert_ok(nas_graph_new((nas_shape){3, 1, 1}, &g, nas_test_err()));
    nas_value value = nas_graph_input(g);
    nas_attrs attrs = {0};
    snprintf(attrs.options, sizeof attrs.options, "%s", way ? "phase=hard\nfix-after=20\n" : "phase=fixed\n");
    assert_ok(nas_graph_op(g, "smartmixed", &value, 1, &attrs, "m", &value, nas_test_err()));
    assert_ok(nas_graph_set_output(g, value, nas_test_err()));
    engine e = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = 1, .mode = NAS_TRAIN});
    engine eval = {.model = e.model, .dtype = NAS_F64, .batch = 1, .in = e.in, .classes = 3};
    assert_ok(nas_plan_new(e.model, &(nas_plan_options){.batch = 1, .mode = NAS_EVAL}, &eval.plan, nas_test_err()));
    for (int i = 0; i < 18; i++) engine_set(&e, nas_model_param_data(e.model), i, logits[i]);
    for (int i = 0; i < 3; i++) {
      engine_set(&e, nas_plan_input(e.plan), i, x[i]);
      engine_set(&e, nas_plan_input(eval.plan), i, x[i]);
    }
    int other = 0;
    for (uint64_t s = 0; s < 20; s++) other += !chose(&e, x, wanted, s);
    assert_true(way ? other > 5 : other == 0);
    assert_true(chose(&eval, x, wanted, 0));
    for (uint64_t s = 20; s < 40; s++) assert_true(chose(&e, x, wanted, s));
    engine_backward(&e);
    for (int i = 0; i < 18; i++) assert_true(engine_get(&e, nas_model_grad_data(e.model), i) == 0);
    for (int i = 0; way && i < 18; i++) engine_set(&e, nas_model_param_data(e.model), i, -logits[i]);
    assert_true(chose(&e, x, wanted, 40) && chose(&eval, x, wanted, 0));
    nas_plan_free(eval.plan);
    engine_free(&e);
    nas_graph_free(g);
  }
}

/* Weights of the three spaces x, x^2 and tanh x in the outputs of two neurons. */
static void check_mixture(engine *e, uint64_t step, const double w[2][3]) {
  static const double x[2] = {0.75, -1.5};
  for (int i = 0; i < 2; i++) engine_set(e, nas_plan_input(e->plan), i, x[i]);
  nas_plan_forward(e->plan, 0, step);
  for (int i = 0; i < 2; i++)
    assert_close(engine_get(e, nas_plan_logits(e->plan), i),
                 w[i][0] * x[i] + w[i][1] * x[i] * x[i] + w[i][2] * tanh(x[i]), 1e-8);
}

/* All, then those of at least half of the heaviest weight, then one: softmax of (.2, 1, .7) and (-.5, -.4, 1.5). */
static void s_kan_goes_through_its_three_stages(void **state) {
  (void)state;
  static const double all[2][3] = {{0.20515925, 0.45659032, 0.33825043}, {0.10532716, 0.11640452, 0.77826832}};
  static const double near[2][3] = {{0, 0.57444252, 0.42555748}, {0, 0, 1}}, one[2][3] = {{0, 1, 0}, {0, 0, 1}};
  static const double logits[] = {.2, 1, .7, -.5, -.4, 1.5};
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){2, 1, 1}, &g, nas_test_err()));
  nas_value spaces[3] = {nas_graph_input(g)}, value;
  assert_ok(nas_graph_op(g, "square", spaces, 1, NULL, "s", &spaces[1], nas_test_err()));
  assert_ok(nas_graph_op(g, "tanh", spaces, 1, NULL, "t", &spaces[2], nas_test_err()));
  nas_attrs attrs = {.options = "selective-after=5\npruned-after=9\n"};
  assert_ok(nas_graph_op(g, "choose", spaces, 3, &attrs, "c", &value, nas_test_err()));
  assert_ok(nas_graph_set_output(g, value, nas_test_err()));
  engine e = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = 1, .mode = NAS_TRAIN});
  engine eval = {.model = e.model, .dtype = NAS_F64, .batch = 1, .in = e.in, .classes = 2};
  assert_ok(nas_plan_new(e.model, &(nas_plan_options){.batch = 1, .mode = NAS_EVAL}, &eval.plan, nas_test_err()));
  for (int i = 0; i < 6; i++) engine_set(&e, nas_model_param_data(e.model), i, logits[i]);
  check_mixture(&e, 4, all);
  check_mixture(&eval, 0, all);
  check_mixture(&e, 5, near);
  check_mixture(&eval, 0, near);
  engine_set(&e, nas_model_param_data(e.model), 0, 9); /* what was left out stays out */
  check_mixture(&e, 8, near);
  check_mixture(&e, 9, one);
  engine_set(&e, nas_model_param_data(e.model), 2, 9);
  check_mixture(&e, 10, one);
  check_mixture(&eval, 0, one);
  nas_plan_free(eval.plan);
  engine_free(&e);
  nas_graph_free(g);
}

NAS_SUITE(NeuronSources, NAS_CASE(self_onn_begins_by_the_rule_of_glorot),
          NAS_CASE(splines_begin_within_the_fan_they_are_given), NAS_CASE(choices_begin_with_one_favourite),
          NAS_CASE(reversal_potentials_and_speeds_begin_as_published), NAS_CASE(pade_units_begin_near_leaky_relu),
          NAS_CASE(super_neurons_move_every_connection), NAS_CASE(smartmixed_goes_from_phase_1_to_phase_2),
          NAS_CASE(s_kan_goes_through_its_three_stages))
