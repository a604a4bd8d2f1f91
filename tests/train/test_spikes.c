/* Random input spikes (ops/spike_sums.c): shares, what a draw depends on, and that certain spikes are no spikes of
 * chance. Gradients and fast kernels are held to the reference with all other operations in test_ops.c. */
#include "engine_check.h"
#include "train/neuron.h"

enum { STEPS = 100 };

/* y_t = spike of x_t, so that the spikes themselves can be read. */
static engine one_to_one(int32_t n, int32_t batch, nas_mode mode, nas_graph **graph, nas_value *spikes) {
  nas_graph *g;
  nas_attrs attrs = {.out = 1, .kernel_h = 1, .kernel_w = 1, .stride = 1};
  snprintf(attrs.options, sizeof attrs.options, "steps=%d\n", STEPS);
  assert_ok(nas_graph_new((nas_shape){1, n, 1}, &g, nas_test_err()));
  *spikes = engine_op1(g, "spike_sums", 0, attrs, "spikes");
  nas_value out = engine_close(g, *spikes, 2);
  engine e = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = batch, .mode = mode});
  *graph = g;
  *(float *)nas_model_param_data(e.model) = 1;
  return e;
}

static void come_at_the_rate_of_their_pixel(void **state) {
  (void)state;
  static const float x[] = {0, 0.1F, 0.5F, 0.9F, 1, -3, 7, NAN};
  static const double rate[] = {0, 0.1, 0.5, 0.9, 1, 0, 1, 0};
  enum { N = 8, BATCH = 40 };
  static float spikes[BATCH * N * STEPS];
  nas_graph *g;
  nas_value v;
  engine e = one_to_one(N, BATCH, NAS_TRAIN, &g, &v);
  for (int i = 0; i < BATCH * N; i++) ((float *)nas_plan_input(e.plan))[i] = x[i % N];
  nas_plan_forward(e.plan, 1, 2);
  assert_ok(nas_plan_read(e.plan, v, spikes, nas_test_err()));
  for (int k = 0; k < N; k++) {
    double sum = 0;
    for (int i = 0; i < BATCH; i++)
      for (int t = 0; t < STEPS; t++) {
        float s = spikes[(i * N + k) * STEPS + t];
        assert_true(s == 0 || s == 1);
        sum += s;
      }
    double spread = 4 * sqrt(rate[k] * (1 - rate[k]) / (BATCH * STEPS));
    assert_close(sum / (BATCH * STEPS), rate[k], spread);
  }
  engine_free(&e);
  nas_graph_free(g);
}

/* Two places of a batch hold the same image; they agree in evaluation, at any place and time, and not in training. */
static void are_those_of_the_image_in_evaluation(void **state) {
  (void)state;
  enum { N = 6, SIZE = N * STEPS };
  for (int train = 0; train < 2; train++) {
    static float few[2 * SIZE], later[2 * SIZE], many[5 * SIZE];
    nas_graph *g;
    nas_value v;
    for (int batch = 2; batch <= 5; batch += 3) {
      engine e = one_to_one(N, batch, train ? NAS_TRAIN : NAS_EVAL, &g, &v);
      float *x = nas_plan_input(e.plan);
      for (int image = 0; image < batch; image++)
        for (int k = 0; k < N; k++) x[image * N + k] = (float)(k + 1) / 8 + 0.01F * (float)image;
      memcpy(x + (batch - 1) * N, x, N * sizeof *x);
      nas_plan_forward(e.plan, 1, 1);
      assert_ok(nas_plan_read(e.plan, v, batch == 2 ? few : many, nas_test_err()));
      nas_plan_forward(e.plan, 1, 2);
      if (batch == 2) assert_ok(nas_plan_read(e.plan, v, later, nas_test_err()));
      nas_plan_forward(e.plan, 1, 1);
      static float again[5 * SIZE];
      assert_ok(nas_plan_read(e.plan, v, again, nas_test_err()));
      assert_memory_equal(again, batch == 2 ? few : many, (size_t)(batch * SIZE) * sizeof *again);
      engine_free(&e);
      nas_graph_free(g);
    }
    assert_int_equal(memcmp(few, few + SIZE, SIZE * sizeof *few) != 0, train);
    assert_int_equal(memcmp(few, later, sizeof few) != 0, train);
    assert_int_equal(memcmp(few, many + 4 * SIZE, SIZE * sizeof *few) != 0, train);
  }
}

/* Pixels of 0 and 1 leave nothing to chance: a layer under spikes is one under a constant current. */
static void of_black_and_white_images_are_a_constant_current(void **state) {
  (void)state;
  for (int conv = 0; conv < 2; conv++)
    for (int wide = 0; wide < 2; wide++) {
      engine e[2];
      nas_graph *graph[2];
      for (int poisson = 0; poisson < 2; poisson++) {
        nas_graph *g;
        nas_value v;
        nas_attrs attrs = {.out = 20, .stride = 1, .pad = conv, .kernel_h = conv ? 3 : 0, .kernel_w = conv ? 3 : 0};
        snprintf(attrs.options, sizeof attrs.options, "steps=37\nreset=soft\ninput=%s\n",
                 poisson ? "poisson" : "constant");
        assert_ok(nas_graph_new((nas_shape){2, 5, 4}, &g, nas_test_err()));
        assert_ok(nas_neuron_build(nas_neuron_find("lif"), g, 0, &attrs, "n", &v, nas_test_err()));
        if (conv) v = engine_close(g, v, 3);
        else assert_ok(nas_graph_set_output(g, v, nas_test_err()));
        e[poisson] = engine_new(g, v, wide ? NAS_F64 : NAS_F32, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
        for (int i = 0; i < 3 * 40; i++) engine_set(&e[poisson], nas_plan_input(e[poisson].plan), i, i * i % 7 < 3);
        graph[poisson] = g;
        engine_loss(&e[poisson]);
        engine_backward(&e[poisson]);
      }
      assert_int_equal(nas_model_params(e[0].model), nas_model_params(e[1].model));
      double bound = wide ? 1e-12 : 2e-5;
      engine_compare(&e[1], nas_plan_logits(e[1].plan), &e[0], nas_plan_logits(e[0].plan), 3 * e[0].classes, bound, 1,
                     "logits");
      engine_compare(&e[1], nas_model_grad_data(e[1].model), &e[0], nas_model_grad_data(e[0].model),
                     nas_model_params(e[0].model), bound, 1e-3, "gradients");
      for (int64_t i = 0; i < engine_inputs(&e[1]); i++)
        assert_close(engine_get(&e[1], nas_plan_input_gradient(e[1].plan), i), 0, 0);
      for (int i = 0; i < 2; i++) {
        engine_free(&e[i]);
        nas_graph_free(graph[i]);
      }
    }
}

NAS_SUITE(Spikes, NAS_CASE(come_at_the_rate_of_their_pixel), NAS_CASE(are_those_of_the_image_in_evaluation),
          NAS_CASE(of_black_and_white_images_are_a_constant_current))
