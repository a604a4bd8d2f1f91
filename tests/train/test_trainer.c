#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "training.h"

/* ---- softmax regression by hand, in double precision ---- */

enum { PARAMS = CLASSES * PIXELS + CLASSES };

typedef struct regression {
  const nas_dataset *data;
  const nas_recipe *recipe;
  double params[PARAMS], velocity[PARAMS], grads[PARAMS]; /* weights [class][pixel], then biases */
} regression;

/* Adds loss, right guesses and gradient of one image. */
static void see_image(regression *r, const float *x, int label, double smoothing, double *loss, int *correct) {
  double logits[CLASSES], sum = 0, largest = -INFINITY;
  int guess = 0;
  for (int k = 0; k < CLASSES; k++) {
    logits[k] = r->params[CLASSES * PIXELS + k];
    for (int i = 0; i < PIXELS; i++) logits[k] += r->params[k * PIXELS + i] * (double)x[i];
    if (logits[k] > largest) {
      largest = logits[k];
      guess = k;
    }
  }
  for (int k = 0; k < CLASSES; k++) sum += exp(logits[k] - largest);
  for (int k = 0; k < CLASSES; k++) {
    double target = (k == label ? 1 - smoothing : 0) + smoothing / CLASSES;
    double log_share = logits[k] - largest - log(sum), slope = exp(log_share) - target;
    *loss -= target * log_share;
    for (int i = 0; i < PIXELS; i++) r->grads[k * PIXELS + i] += slope * (double)x[i];
    r->grads[CLASSES * PIXELS + k] += slope;
  }
  *correct += guess == label;
}

/* Nesterov's step with the mean gradient of n images. */
static void descend(regression *r, int n, double lr) {
  double square = 0, scale = 1;
  for (int i = 0; i < PARAMS; i++) {
    r->grads[i] /= n;
    square += r->grads[i] * r->grads[i];
  }
  if (r->recipe->clip > 0 && sqrt(square) > r->recipe->clip) scale = r->recipe->clip / (sqrt(square) + 1e-6);
  for (int i = 0; i < PARAMS; i++) {
    double g = r->grads[i] * scale + r->recipe->weight_decay * r->params[i];
    r->velocity[i] = r->recipe->momentum * r->velocity[i] + g;
    r->params[i] -= lr * (g + r->recipe->momentum * r->velocity[i]);
  }
}

static void figure_split(regression *r, nas_split split, double *loss, double *accuracy) {
  float x[PIXELS];
  int32_t label;
  int64_t n;
  int correct = 0;
  const uint32_t *indices = nas_dataset_split(r->data, split, &n);
  *loss = 0;
  for (int64_t i = 0; i < n; i++) {
    nas_dataset_batch(r->data, &indices[i], 1, NULL, 0, 0, x, &label);
    see_image(r, x, label, 0, loss, &correct);
  }
  *loss /= (double)n;
  *accuracy = 100.0 * correct / (double)n;
}

static nas_epoch regress_epoch(regression *r, uint64_t seed, int epoch) {
  float x[PIXELS];
  uint32_t order[TRAIN];
  int32_t label;
  int correct = 0;
  nas_epoch e = {.epoch = epoch + 1};
  const nas_augment augment = {r->recipe->flip, (int32_t)r->recipe->crop};
  double lr = r->recipe->lr * 0.5 * (1 + cos(3.14159265358979323846 * epoch / (double)r->recipe->epochs));
  memcpy(order, r->data->train, sizeof order);
  nas_rng_shuffle(nas_rng_make(seed, (uint32_t)epoch, NAS_STREAM_SHUFFLE), 0, order, TRAIN);
  for (int from = 0; from < TRAIN; from += (int)r->recipe->batch) {
    int n = TRAIN - from < r->recipe->batch ? TRAIN - from : (int)r->recipe->batch;
    memset(r->grads, 0, sizeof r->grads);
    for (int i = 0; i < n; i++) {
      nas_dataset_batch(r->data, &order[from + i], 1, &augment, seed, epoch, x, &label);
      see_image(r, x, label, r->recipe->label_smoothing, &e.train_loss, &correct);
    }
    descend(r, n, lr);
  }
  e.train_loss /= TRAIN;
  e.train_accuracy = 100.0 * correct / TRAIN;
  figure_split(r, NAS_SPLIT_VALID, &e.valid_loss, &e.valid_accuracy);
  figure_split(r, NAS_SPLIT_TEST, &e.test_loss, &e.test_accuracy);
  return e;
}

/* Starts from the numbers that the engine draws. */
static void init_regression(regression *r, const nas_net *net, uint64_t seed) {
  nas_graph *graph;
  nas_model *model;
  size_t n;
  assert_ok(nas_graph_from_net(net, &graph, nas_test_err()));
  assert_ok(nas_model_new(graph, NAS_F32, &model, nas_test_err()));
  assert_ok(nas_model_init(model, seed, nas_test_err()));
  assert_int_equal(nas_model_params(model), PARAMS);
  const nas_tensor_info *tensors = nas_model_tensors(model, &n);
  const float *data = nas_model_param_data(model);
  for (size_t t = 0; t < n; t++) {
    int64_t to = strcmp(tensors[t].name, "head.weight") == 0 ? 0 : CLASSES * PIXELS;
    for (int64_t i = 0; i < tensors[t].count; i++) r->params[to + i] = (double)data[tensors[t].offset + i];
  }
  nas_model_free(model);
  nas_graph_free(graph);
}

/* Batches of 32, 32 and 11: order, augmentation, schedule, means over the epoch and evaluation must all agree. */
static void equals_softmax_regression_by_hand(void **state) {
  (void)state;
  static const char *const lines[] = {
      "epochs=3\nbatch=32\nlr=0.02\ncrop=2\neval-batch=16\n",
      "epochs=3\nbatch=32\nlr=0.02\ncrop=0\nflip=false\nlabel-smoothing=0.2\nclip=0.5\nweight-decay=0.01\n"};
  nas_dataset *data = open_shapes();
  nas_net *net = linear_net();
  for (size_t k = 0; k < 2; k++) {
    nas_recipe recipe = recipe_of("nas-bench-201", lines[k]);
    static regression r;
    memset(&r, 0, sizeof r);
    r.data = data;
    r.recipe = &recipe;
    init_regression(&r, net, 11);
    nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 11};
    nas_result result = train_ok(&job);
    assert_int_equal(result.n_epochs, 3);
    for (int e = 0; e < 3; e++) {
      nas_epoch want = regress_epoch(&r, 11, e);
      const nas_epoch *got = &result.epochs[e];
      assert_int_equal(got->epoch, want.epoch);
      assert_close(got->train_loss, want.train_loss, 1e-5);
      assert_close(got->valid_loss, want.valid_loss, 1e-5);
      assert_close(got->test_loss, want.test_loss, 1e-5);
      assert_close(got->train_accuracy, want.train_accuracy, 1e-12);
      assert_close(got->valid_accuracy, want.valid_accuracy, 1e-12);
      assert_close(got->test_accuracy, want.test_accuracy, 1e-12);
    }
    nas_result_free(&result);
  }
  nas_net_free(net);
  nas_dataset_close(data);
}

/* Real images: two strided convolutions on 2,000 garments must be far from chance (10 %) after three short epochs. */
static void learns_real_images(void **state) {
  (void)state;
  nas_settings s = parsed("train-images=2000\nvalid-images=500\ntest-images=500\n");
  nas_dataset *data;
  nas_status status = nas_dataset_open("fashion-mnist", &s, NULL, &data, nas_test_err());
  nas_settings_free(&s);
  if (status == NAS_E_NOT_FOUND) nas_skip("no Fashion-MNIST: install dataset-fashion-mnist");
  assert_ok(status);
  nas_net *net = nas_net_new(data->task, nas_test_err());
  int32_t v = NAS_NET_INPUT;
  assert_non_null(net);
  for (int i = 0; i < 2; i++) {
    char label[3][16];
    nas_text_put(label[0], 16, "conv%d", i);
    nas_text_put(label[1], 16, "norm%d", i);
    nas_text_put(label[2], 16, "relu%d", i);
    assert_ok(nas_net_conv2d(net, v, 16 << i, 3, 2, 1, 1, false, label[0], &v, nas_test_err()));
    assert_ok(nas_net_batch_norm(net, v, label[1], &v, nas_test_err()));
    assert_ok(nas_net_relu(net, v, label[2], &v, nas_test_err()));
  }
  assert_ok(nas_net_linear(net, v, data->task.classes, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  nas_recipe recipe = recipe_of("quick", "");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 1};
  nas_result result = train_ok(&job);
  const nas_epoch *last = &result.epochs[result.n_epochs - 1];
  assert_true(last->train_loss < 0.7 * result.epochs[0].train_loss);
  assert_true(last->test_accuracy > 75);
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void seed_decides_every_bit(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=2\nbatch=16\nlr=0.05\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 7};
  nas_result a = train_ok(&job), b = train_ok(&job);
  job.seed = 8;
  nas_result c = train_ok(&job);
  assert_same_curve(&a, &b);
  assert_false(nas_epoch_same(&a.epochs[0], &c.epochs[0]));
  nas_result_free(&a);
  nas_result_free(&b);
  nas_result_free(&c);
  nas_net_free(net);
  nas_dataset_close(data);
}

/* A last batch of one image, and channels of one number each: variance 0, no NaN. */
static void batch_of_one_number_is_defined(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = new_net();
  int32_t v;
  assert_ok(nas_net_global_pool(net, NAS_NET_INPUT, "pool", &v, nas_test_err()));
  assert_ok(nas_net_linear(net, v, 5, "hidden", &v, nas_test_err()));
  assert_ok(nas_net_batch_norm(net, v, "norm", &v, nas_test_err()));
  assert_ok(nas_net_linear(net, v, CLASSES, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=3\nbatch=37\nlr=0.05\n"); /* 37 + 37 + 1 */
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 7};
  nas_result result = train_ok(&job);
  for (size_t i = 0; i < 3; i++) assert_true(isfinite(result.epochs[i].train_loss + result.epochs[i].test_loss));
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

/* What a step of Nesterov's momentum makes of a model of its own; every number moves once. */
static nas_status compare_with_step(void *arg, nas_model *trained, nas_err *err) {
  const nas_train_job *job = arg;
  nas_graph *g;
  nas_model *m;
  nas_plan *p;
  uint32_t order[75];
  nas_plan_options options = {.batch = 75, .mode = NAS_TRAIN};
  NAS_TRY(nas_graph_from_net(job->net, &g, err));
  NAS_TRY(nas_model_new(g, NAS_F32, &m, err));
  NAS_TRY(nas_model_init(m, job->seed, err));
  NAS_TRY(nas_plan_new(m, &options, &p, err));
  memcpy(order, job->data->train, sizeof order);
  nas_rng_shuffle(nas_rng_make(job->seed, 0, NAS_STREAM_SHUFFLE), 0, order, 75);
  nas_dataset_batch(job->data, order, 75, NULL, job->seed, 0, nas_plan_input(p), nas_plan_labels(p));
  nas_plan_forward(p, job->seed, 0);
  nas_plan_backward(p);
  const float *before = nas_model_param_data(m), *grad = nas_model_grad_data(m), *after = nas_model_param_data(trained);
  for (int64_t i = 0; i < nas_model_params(m); i++) {
    double slope = (double)grad[i] + job->recipe->weight_decay * (double)before[i];
    double wanted = (double)before[i] - job->recipe->lr * (1 + job->recipe->momentum) * slope;
    if (!(fabs((double)after[i] - wanted) <= 1e-6))
      fail_msg("number %d is %g, not %g", (int)i, (double)after[i], wanted);
  }
  nas_plan_free(p);
  nas_model_free(m);
  nas_graph_free(g);
  return NAS_OK;
}

static void one_step_moves_every_number_once(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=1\nbatch=75\nflip=false\ncrop=0\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3, .on_model = compare_with_step};
  nas_result result;
  job.arg = &job;
  assert_ok(nas_train(&job, &result, nas_test_err()));
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void mismatched_parts_are_errors(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = nas_net_new((nas_task){{1, SIZE, SIZE + 1}, CLASSES}, nas_test_err()), *fitting = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=1\ncrop=12\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3};
  nas_result result;
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_BAD_INPUT, "1x12x13");
  nas_result_free(&result);
  job.net = fitting;
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_OUT_OF_RANGE, "crop is 12");
  nas_result_free(&result);
  nas_net_free(net);
  nas_net_free(fitting);
  nas_dataset_close(data);
}

NAS_SUITE(Trainer, NAS_CASE(equals_softmax_regression_by_hand), NAS_CASE(learns_real_images),
          NAS_CASE(seed_decides_every_bit), NAS_CASE(batch_of_one_number_is_defined),
          NAS_CASE(one_step_moves_every_number_once), NAS_CASE(mismatched_parts_are_errors))
