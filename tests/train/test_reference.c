/* The engine against PyTorch: one step of a small network whose numbers reference/engine.py made. */
#include "engine_check.h"
#include "reference/engine.inc"
#include "train/loss.h"

enum { BATCH = 4, CHANNELS = 3, HEIGHT = 7, WIDTH = 6 };

static double number(int64_t i, int64_t salt) { return (double)((i * 37 + salt * 101 + i * i % 23) % 83 - 41) / 64; }

static nas_graph *network(nas_value *out) {
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){CHANNELS, HEIGHT, WIDTH}, &g, nas_test_err()));
  nas_attrs conv = {.out = 4, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1, .bias = true};
  nas_value v = engine_op1(g, "conv2d", 0, conv, "conv1");
  v = engine_op1(g, "batch_norm", v, (nas_attrs){0}, "bn1");
  v = engine_op1(g, "relu", v, (nas_attrs){0}, "");
  conv = (nas_attrs){.out = 6, .kernel_h = 3, .kernel_w = 3, .stride = 2, .pad = 1, .groups = 2};
  v = engine_op1(g, "conv2d", v, conv, "conv2");
  v = engine_op1(g, "batch_norm", v, (nas_attrs){0}, "bn2");
  v = engine_op1(g, "relu", v, (nas_attrs){0}, "");
  v = engine_op1(g, "max_pool", v, (nas_attrs){.kernel_h = 2, .kernel_w = 2, .stride = 1}, "");
  v = engine_op1(g, "avg_pool", v, (nas_attrs){.kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1}, "");
  v = engine_op1(g, "global_pool", v, (nas_attrs){0}, "");
  *out = engine_close(g, v, 5);
  return g;
}

static void fill(engine *e) {
  static const int32_t labels[BATCH] = {1, 4, 0, 3};
  size_t n;
  const nas_tensor_info *tensors = nas_model_tensors(e->model, &n);
  int64_t salt = 1;
  for (size_t t = 0; t < n; t++) {
    if (tensors[t].running) continue;
    for (int64_t i = 0; i < tensors[t].count; i++)
      engine_set(e, nas_model_param_data(e->model), tensors[t].offset + i, number(i, salt));
    salt++;
  }
  for (int64_t i = 0; i < BATCH * CHANNELS * HEIGHT * WIDTH; i++) {
    int64_t w = i % WIDTH, h = i / WIDTH % HEIGHT, c = i / (WIDTH * HEIGHT) % CHANNELS,
            image = i / (WIDTH * HEIGHT * CHANNELS);
    engine_set(e, nas_plan_input(e->plan), ((image * HEIGHT + h) * WIDTH + w) * CHANNELS + c, number(i, 50));
  }
  memcpy(nas_plan_labels(e->plan), labels, sizeof labels);
}

static void compare(const engine *e, const void *found, const double *wanted, size_t n, double tolerance) {
  double most = 0;
  for (size_t i = 0; i < n; i++) most = fmax(most, fabs(wanted[i]));
  for (size_t i = 0; i < n; i++) assert_true(fabs(engine_get(e, found, (int64_t)i) - wanted[i]) <= tolerance * most);
}

#define COUNT(table) (sizeof(table) / sizeof *(table))

static void check(nas_dtype dtype, bool reference, double tolerance) {
  nas_value out;
  nas_graph *g = network(&out);
  engine e = engine_new(g, out, dtype, (nas_plan_options){.batch = BATCH, .mode = NAS_TRAIN, .reference = reference});
  fill(&e);
  assert_int_equal(nas_model_params(e.model), COUNT(reference_gradient));
  assert_int_equal(nas_model_states(e.model), COUNT(reference_states));
  nas_loss loss = nas_plan_forward(e.plan, 0, 0);
  assert_close(loss.loss, reference_losses[0], tolerance);
  compare(&e, nas_plan_logits(e.plan), reference_logits, COUNT(reference_logits), tolerance);
  compare(&e, nas_model_state_data(e.model), reference_states, COUNT(reference_states), tolerance);
  nas_plan_backward(e.plan);
  compare(&e, nas_model_grad_data(e.model), reference_gradient, COUNT(reference_gradient), tolerance);
  double gradient[COUNT(reference_input_gradient)];
  for (size_t i = 0; i < COUNT(gradient); i++) {
    size_t w = i % WIDTH, h = i / WIDTH % HEIGHT, c = i / (WIDTH * HEIGHT) % CHANNELS,
           image = i / (WIDTH * HEIGHT * CHANNELS);
    gradient[i] =
        engine_get(&e, nas_plan_input_gradient(e.plan), (int64_t)(((image * HEIGHT + h) * WIDTH + w) * CHANNELS + c));
  }
  compare(&(engine){.dtype = NAS_F64}, gradient, reference_input_gradient, COUNT(gradient), tolerance);
  nas_plan *eval;
  assert_ok(nas_plan_new(
      e.model, &(nas_plan_options){.batch = BATCH, .mode = NAS_EVAL, .reference = reference, .label_smoothing = 0.1},
      &eval, nas_test_err()));
  size_t bytes = (size_t)engine_inputs(&e) * (dtype == NAS_F64 ? 8 : 4);
  memcpy(nas_plan_input(eval), nas_plan_input(e.plan), bytes);
  nas_plan_forward(eval, 0, 0);
  compare(&e, nas_plan_logits(eval), reference_evaluation, COUNT(reference_evaluation), tolerance);
  nas_plan_free(eval);
  engine_free(&e);
  nas_graph_free(g);
}

static void double_agrees_to_rounding(void **state) {
  (void)state;
  check(NAS_F64, true, 1e-11);
}

static void plain_single_agrees(void **state) {
  (void)state;
  check(NAS_F32, true, 2e-5);
}

static void fast_single_agrees(void **state) {
  (void)state;
  check(NAS_F32, false, 2e-5);
}

static void cross_entropy_smooths_counts_and_survives_large_logits(void **state) {
  (void)state;
  static const int32_t labels[] = {1, 4, 0, 3};
  double gradient[20];
  nas_loss loss = nas_softmax_cross_entropy(NAS_F64, reference_logits, labels, 4, 5, 0, gradient);
  assert_close(loss.loss, reference_losses[0], 1e-13);
  for (int i = 0; i < 4; i++) {
    double sum = 0;
    for (int k = 0; k < 5; k++) sum += gradient[5 * i + k];
    assert_close(sum, 0, 1e-15);
  }
  loss = nas_softmax_cross_entropy(NAS_F64, reference_logits, labels, 4, 5, 0.1, NULL);
  assert_close(loss.loss, reference_losses[1], 1e-13);
  static const float large[] = {3000, -3000, 0, -1e30f, 1e30f, 0};
  static const int32_t right[] = {0, 1};
  loss = nas_softmax_cross_entropy(NAS_F32, large, right, 2, 3, 0, NULL);
  assert_true(loss.loss == 0 && loss.correct == 2);
  static const float even[] = {1, 1, 1, 1};
  static const int32_t second[] = {1};
  loss = nas_softmax_cross_entropy(NAS_F32, even, second, 1, 4, 0, NULL);
  assert_close(loss.loss, log(4.0), 1e-15);
  assert_int_equal(loss.correct, 0); /* ties go to the first */
  static const float broken[] = {NAN, 1};
  assert_true(isnan(nas_softmax_cross_entropy(NAS_F32, broken, second, 1, 2, 0, NULL).loss));
}

/* In single precision: sums are double there too, so the loss is that of the same logits in double, and the gradient
 * but for its own rounding. */
static void single_precision_loss_is_that_of_double(void **state) {
  (void)state;
  enum { CLASSES = 33, BATCH = 5, N = CLASSES * BATCH };
  for (int32_t classes = 1; classes <= CLASSES; classes = classes == 17 ? 31 : classes == 31 ? 33 : classes + 1)
    for (int32_t batch = 1; batch <= BATCH; batch += 2)
      for (int smooth = 0; smooth < 2; smooth++) {
        float single[N], by_single[N];
        double wide[N], by_wide[N];
        int32_t labels[BATCH];
        for (int32_t i = 0; i < batch * classes; i++) wide[i] = single[i] = (float)(3 * engine_number(9, i));
        for (int32_t i = 0; i < batch; i++) labels[i] = i * 5 % classes;
        nas_loss a = nas_softmax_cross_entropy(NAS_F32, single, labels, batch, classes, 0.1 * smooth, by_single);
        nas_loss b = nas_softmax_cross_entropy(NAS_F64, wide, labels, batch, classes, 0.1 * smooth, by_wide);
        assert_close(a.loss, b.loss, 1e-14);
        assert_int_equal(a.correct, b.correct);
        double largest = 1e-300;
        for (int32_t i = 0; i < batch * classes; i++) largest = fmax(largest, fabs(by_wide[i]));
        for (int32_t i = 0; i < batch * classes; i++)
          if (!(fabs((double)by_single[i] - by_wide[i]) <= 2e-7 * largest))
            fail_msg("%d classes, batch %d: gradient %g, in double %g", classes, batch, (double)by_single[i],
                     by_wide[i]);
      }
}

NAS_SUITE(Reference, NAS_CASE(double_agrees_to_rounding), NAS_CASE(plain_single_agrees), NAS_CASE(fast_single_agrees),
          NAS_CASE(cross_entropy_smooths_counts_and_survives_large_logits),
          NAS_CASE(single_precision_loss_is_that_of_double))
