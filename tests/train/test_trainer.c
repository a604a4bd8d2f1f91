#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "harness.h"
#include "train/checkpoint.h"
#include "train/graph.h"

enum { SIZE = 12, CLASSES = 4, TRAIN = 75, EVAL = 40, PIXELS = SIZE * SIZE };

/* ---- what the cases train on ---- */

static nas_settings parsed(const char *lines) {
  nas_settings s = {0};
  assert_ok(nas_settings_parse(&s, lines, "test", nas_test_err()));
  return s;
}

static nas_dataset *open_shapes(void) {
  nas_settings s =
      parsed("size=12\nclasses=4\nimages=400\ntrain-images=75\nvalid-images=40\ntest-images=40\ngenerator-seed=5\n");
  nas_dataset *data;
  assert_ok(nas_dataset_open("shapes", &s, NULL, &data, nas_test_err()));
  nas_settings_free(&s);
  return data;
}

static nas_recipe recipe_of(const char *name, const char *lines) {
  nas_settings s = parsed(lines);
  nas_recipe r;
  assert_ok(nas_recipe_open(name, &s, &r, nas_test_err()));
  nas_settings_free(&s);
  return r;
}

static nas_net *new_net(void) {
  nas_net *net = nas_net_new((nas_task){{1, SIZE, SIZE}, CLASSES}, nas_test_err());
  assert_non_null(net);
  return net;
}

static nas_net *linear_net(void) {
  nas_net *net = new_net();
  int32_t v;
  assert_ok(nas_net_linear(net, NAS_NET_INPUT, CLASSES, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  return net;
}

/* Convolution, batch norm, dropout: everything that keeps state or draws numbers. */
static nas_net *conv_net(void) {
  nas_net *net = new_net();
  int32_t v;
  assert_ok(nas_net_conv2d(net, NAS_NET_INPUT, 6, 3, 2, 1, 1, false, "conv", &v, nas_test_err()));
  assert_ok(nas_net_batch_norm(net, v, "norm", &v, nas_test_err()));
  assert_ok(nas_net_relu(net, v, "relu", &v, nas_test_err()));
  assert_ok(nas_net_dropout(net, v, 0.1, "dropout", &v, nas_test_err()));
  assert_ok(nas_net_linear(net, v, CLASSES, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  return net;
}

/* Deep enough that most of its memory is what the backward pass looks at. */
static nas_net *deep_net(void) {
  nas_net *net = new_net();
  int32_t v = NAS_NET_INPUT;
  char label[24];
  for (int i = 0; i < 12; i++) {
    nas_text_put(label, sizeof label, "conv%d", i);
    assert_ok(nas_net_conv2d(net, v, 6, 3, 1, 1, 1, false, label, &v, nas_test_err()));
    nas_text_put(label, sizeof label, "norm%d", i);
    assert_ok(nas_net_batch_norm(net, v, label, &v, nas_test_err()));
    nas_text_put(label, sizeof label, "relu%d", i);
    assert_ok(nas_net_relu(net, v, label, &v, nas_test_err()));
  }
  assert_ok(nas_net_global_pool(net, v, "pool", &v, nas_test_err()));
  assert_ok(nas_net_dropout(net, v, 0.1, "dropout", &v, nas_test_err()));
  assert_ok(nas_net_linear(net, v, CLASSES, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  return net;
}

static nas_result train_ok(const nas_train_job *job) {
  nas_result result;
  assert_ok(nas_train(job, &result, nas_test_err()));
  if (result.outcome != NAS_OUTCOME_OK) fail_msg("%s", result.cause.msg);
  return result;
}

static void assert_same_curve(const nas_result *a, const nas_result *b) {
  assert_int_equal(a->n_epochs, b->n_epochs);
  for (size_t i = 0; i < a->n_epochs; i++) assert_true(nas_epoch_same(&a->epochs[i], &b->epochs[i]));
}

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

/* ---- interruption ---- */

static volatile sig_atomic_t stop_now;
static int calls_left, epochs_seen;

static void stop_after_calls(void *arg, int32_t epoch, double share) {
  (void)arg;
  assert_true(epoch >= 1 && share > 0 && share <= 1);
  if (--calls_left == 0) stop_now = 1;
}
static void count_epoch(void *arg, const nas_epoch *epoch) {
  (void)arg;
  epochs_seen++;
  assert_int_equal(epoch->epoch, epochs_seen);
}

/* Parameters, running statistics and optimiser state out of a checkpoint. */
static float *final_numbers(const nas_train_job *job, const char *path, int states, size_t *bytes) {
  nas_graph *graph;
  nas_model *model;
  nas_result curve = {0};
  assert_ok(nas_graph_from_net(job->net, &graph, nas_test_err()));
  assert_ok(nas_model_new(graph, NAS_F32, &model, nas_test_err()));
  int64_t p = nas_model_params(model), s = nas_model_states(model);
  float *all = calloc((size_t)(p + s + states * p), sizeof *all);
  assert_non_null(all);
  nas_checkpoint c = {.curve = &curve, .arrays = {{all, p}, {all + p, s}, {all + p + s, states * p}}, .n_arrays = 3};
  c.identity.seed = job->seed;
  memcpy(c.identity.data, job->data->digest, NAS_DIGEST_SIZE);
  memcpy(c.identity.split, job->data->split, NAS_DIGEST_SIZE);
  assert_ok(nas_recipe_record(job->recipe, NULL, c.identity.recipe, nas_test_err()));
  assert_ok(nas_checkpoint_net_digest(job->net, c.identity.net, nas_test_err()));
  assert_ok(nas_checkpoint_load(path, &c, nas_test_err()));
  *bytes = (size_t)(p + s + states * p) * sizeof *all;
  nas_result_free(&curve);
  nas_model_free(model);
  nas_graph_free(graph);
  return all;
}

/* Stops after every step of the training in turn (five a epoch, the fifth meaning: before evaluation), goes on, and
 * compares the curve and all numbers kept; then a training that is stopped after each of its steps. */
static void stopped_anywhere_it_ends_with_the_same_bits(void **state) {
  (void)state;
  static const struct {
    const char *recipe, *lines;
    int states;
  } rows[] = {{"nas-bench-201", "epochs=3\nbatch=16\nlr=0.05\n", 1}, {"quick", "epochs=3\nbatch=16\nflip=true\n", 2}};
  enum { STEPS = 15 };
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  for (size_t k = 0; k < 2; k++) {
    char whole[512], cut[512];
    size_t bytes, bytes_cut;
    nas_recipe recipe = recipe_of(rows[k].recipe, rows[k].lines);
    nas_text_put(whole, sizeof whole, "%s/whole%zu.ckpt", nas_test_folder(), k);
    nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3, .checkpoint = whole};
    nas_result expected = train_ok(&job);
    float *want = final_numbers(&job, whole, rows[k].states, &bytes);
    job.stop = &stop_now;
    job.on_step = stop_after_calls;
    for (int at = 1; at <= STEPS + 1; at++) {
      bool chain = at == STEPS + 1;
      nas_text_put(cut, sizeof cut, "%s/cut%zu-%d.ckpt", nas_test_folder(), k, at);
      job.checkpoint = cut;
      nas_result result = {0};
      int stops = 0;
      do {
        nas_result_free(&result);
        stop_now = 0;
        calls_left = chain ? 1 : stops ? -1 : at;
        assert_ok(nas_train(&job, &result, nas_test_err()));
        stops += result.outcome == NAS_OUTCOME_PREEMPTED;
      } while (result.outcome == NAS_OUTCOME_PREEMPTED && stops <= STEPS);
      assert_int_equal(result.outcome, NAS_OUTCOME_OK);
      assert_int_equal(stops, chain ? STEPS : 1);
      assert_same_curve(&expected, &result);
      assert_true(nas_result_metric(&result, "train_images") == 3 * TRAIN);
      float *got = final_numbers(&job, cut, rows[k].states, &bytes_cut);
      assert_true(bytes == bytes_cut);
      assert_memory_equal(want, got, bytes);
      free(got);
      nas_result_free(&result);
    }
    free(want);
    nas_result_free(&expected);
  }
  nas_net_free(net);
  nas_dataset_close(data);
}

static void finished_checkpoint_gives_the_curve_at_once(void **state) {
  (void)state;
  char path[512];
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=2\nbatch=16\n");
  nas_text_put(path, sizeof path, "%s/a.ckpt", nas_test_folder());
  nas_train_job job = {
      .net = net, .data = data, .recipe = &recipe, .seed = 3, .checkpoint = path, .on_epoch = count_epoch};
  epochs_seen = 0;
  nas_result a = train_ok(&job);
  assert_int_equal(epochs_seen, 2);
  epochs_seen = 0;
  calls_left = -1;
  job.on_step = stop_after_calls;
  nas_result b = train_ok(&job);
  assert_int_equal(epochs_seen, 2);
  assert_int_equal(calls_left, -1); /* no step was taken */
  assert_same_curve(&a, &b);
  nas_result_free(&a);
  nas_result_free(&b);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void foreign_and_damaged_checkpoints_are_errors(void **state) {
  (void)state;
  char path[512];
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=1\nbatch=16\n");
  nas_text_put(path, sizeof path, "%s/a.ckpt", nas_test_folder());
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3, .checkpoint = path};
  nas_result result = train_ok(&job);
  nas_result_free(&result);
  job.seed = 4;
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_MISMATCH, "seed 3, not 4");
  nas_result_free(&result);
  job.seed = 3;
  nas_recipe other = recipe_of("nas-bench-201", "epochs=2\nbatch=16\n");
  job.recipe = &other;
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_MISMATCH, "another recipe");
  nas_result_free(&result);
  job.recipe = &recipe;
  assert_ok(nas_file_write_atomic(path, "NASCKPT\n and nothing more", 25, nas_test_err()));
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_BAD_INPUT, "a.ckpt");
  nas_result_free(&result);
  job.checkpoint = "/nonexistent/folder/a.ckpt";
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_NOT_FOUND, "/nonexistent/folder/a.ckpt");
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

/* ---- outcomes other than ok ---- */

static void overflow_ends_as_diverged(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = linear_net();
  /* Decay alone multiplies the weights by -10^4 at each step. */
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=5\nbatch=25\nlr=1000\nweight-decay=10\nmomentum=0.5\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3};
  nas_result result;
  assert_ok(nas_train(&job, &result, nas_test_err()));
  assert_int_equal(result.outcome, NAS_OUTCOME_DIVERGED);
  assert_int_equal(result.cause.code, NAS_E_DIVERGED);
  assert_non_null(strstr(result.cause.msg, "epoch"));
  assert_in_range(result.n_epochs, 1, 4);
  for (size_t i = 0; i < result.n_epochs; i++) assert_true(isfinite(result.epochs[i].train_loss));
  assert_true(nas_result_metric(&result, "epochs") == (double)result.n_epochs);
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void memory_limit_is_exact(void **state) {
  (void)state;
  char number[32];
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=1\nbatch=16\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3};
  nas_result result = train_ok(&job);
  double peak = nas_result_metric(&result, "peak_bytes");
  int64_t params = net->params;
  nas_result_free(&result);
  assert_true(peak > 12.0 * (double)params); /* parameters, gradients, momentum at the least */
  job.memory_limit = (int64_t)peak;
  result = train_ok(&job);
  nas_result_free(&result);
  job.memory_limit--;
  assert_ok(nas_train(&job, &result, nas_test_err()));
  assert_int_equal(result.outcome, NAS_OUTCOME_REJECTED);
  assert_int_equal(result.cause.code, NAS_E_NO_MEMORY);
  nas_text_put(number, sizeof number, "%.0f", peak);
  assert_non_null(strstr(result.cause.msg, number));
  nas_text_put(number, sizeof number, "%.0f", peak - 1);
  assert_non_null(strstr(result.cause.msg, number));
  assert_true(nas_result_metric(&result, "peak_bytes") == peak);
  assert_int_equal(result.n_epochs, 0);
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void recomputation_trains_to_the_same_curve(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = deep_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=2\nbatch=16\neval-batch=8\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3, .recompute = true};
  nas_result whole = train_ok(&job), tight;
  double peak = nas_result_metric(&whole, "peak_bytes"), least;
  assert_true(isnan(nas_result_metric(&whole, "recomputed")));
  job.memory_limit = 1;
  assert_ok(nas_train(&job, &tight, nas_test_err()));
  assert_int_equal(tight.outcome, NAS_OUTCOME_REJECTED);
  assert_non_null(strstr(tight.cause.msg, "even with recomputation"));
  least = nas_result_metric(&tight, "peak_bytes");
  nas_result_free(&tight);
  assert_true(least < peak);
  job.memory_limit = (int64_t)least;
  tight = train_ok(&job);
  assert_true(nas_result_metric(&tight, "peak_bytes") <= least);
  assert_true(nas_result_metric(&tight, "recomputed") > 0);
  assert_same_curve(&whole, &tight);
  nas_result_free(&tight);
  job.recompute = false;
  assert_ok(nas_train(&job, &tight, nas_test_err()));
  assert_int_equal(tight.outcome, NAS_OUTCOME_REJECTED);
  assert_true(nas_result_metric(&tight, "peak_bytes") == peak);
  nas_result_free(&tight);
  nas_result_free(&whole);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void time_limit_ends_as_timeout(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=100000\nbatch=16\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3, .seconds_limit = 0.2};
  nas_result result;
  double began = nas_clock();
  assert_ok(nas_train(&job, &result, nas_test_err()));
  assert_int_equal(result.outcome, NAS_OUTCOME_TIMEOUT);
  assert_int_equal(result.cause.code, NAS_E_TIMEOUT);
  assert_true(nas_clock() - began < 20);
  assert_true(nas_result_metric(&result, "seconds") >= 0.2);
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

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

static void refused_allocation_ends_as_out_of_memory(void **state) {
  (void)state;
#ifdef SANITIZED
  nas_skip("the sanitizer's allocator does not return NULL");
#else
  nas_dataset *data = open_shapes();
  nas_net *net = new_net();
  int32_t v;
  /* Wide enough that the parameters alone need 12 MB of fresh memory. */
  assert_ok(nas_net_linear(net, NAS_NET_INPUT, 20000, "hidden", &v, nas_test_err()));
  assert_ok(nas_net_linear(net, v, CLASSES, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=1\nbatch=16\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3};
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    nas_result result;
    nas_err err;
    setrlimit(RLIMIT_DATA, &(struct rlimit){4096, 4096}); /* what is mapped stays; nothing large can be added */
    nas_status status = nas_train(&job, &result, &err);
    _exit(status == NAS_OK ? (int)result.outcome : 100);
  }
  int how;
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_true(WIFEXITED(how));
  assert_int_equal(WEXITSTATUS(how), NAS_OUTCOME_OUT_OF_MEMORY);
  nas_net_free(net);
  nas_dataset_close(data);
#endif
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
          NAS_CASE(stopped_anywhere_it_ends_with_the_same_bits), NAS_CASE(finished_checkpoint_gives_the_curve_at_once),
          NAS_CASE(foreign_and_damaged_checkpoints_are_errors), NAS_CASE(overflow_ends_as_diverged),
          NAS_CASE(memory_limit_is_exact), NAS_CASE(recomputation_trains_to_the_same_curve),
          NAS_CASE(time_limit_ends_as_timeout), NAS_CASE(one_step_moves_every_number_once),
          NAS_CASE(refused_allocation_ends_as_out_of_memory), NAS_CASE(mismatched_parts_are_errors))
