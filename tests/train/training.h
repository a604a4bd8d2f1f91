#ifndef NAS_TESTS_TRAIN_TRAINING_H
#define NAS_TESTS_TRAIN_TRAINING_H
/* Small trainings for the tests of the trainer. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "train/graph.h"
#include "train/trainer.h"

/* What the cases train on: drawn shapes of four classes, and nets of three sizes. */
enum { SIZE = 12, CLASSES = 4, TRAIN = 75, EVAL = 40, PIXELS = SIZE * SIZE };

static inline nas_settings parsed(const char *lines) {
  nas_settings s = {0};
  assert_ok(nas_settings_parse(&s, lines, "test", nas_test_err()));
  return s;
}

static inline nas_dataset *open_shapes(void) {
  nas_settings s =
      parsed("size=12\nclasses=4\nimages=400\ntrain-images=75\nvalid-images=40\ntest-images=40\ngenerator-seed=5\n");
  nas_dataset *data;
  assert_ok(nas_dataset_open("shapes", &s, NULL, &data, nas_test_err()));
  nas_settings_free(&s);
  return data;
}

static inline nas_recipe recipe_of(const char *name, const char *lines) {
  nas_settings s = parsed(lines);
  nas_recipe r;
  assert_ok(nas_recipe_open(name, &s, &r, nas_test_err()));
  nas_settings_free(&s);
  return r;
}

static inline nas_net *new_net(void) {
  nas_net *net = nas_net_new((nas_task){{1, SIZE, SIZE}, CLASSES}, nas_test_err());
  assert_non_null(net);
  return net;
}

static inline nas_net *linear_net(void) {
  nas_net *net = new_net();
  int32_t v;
  assert_ok(nas_net_linear(net, NAS_NET_INPUT, CLASSES, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  return net;
}

/* Convolution, batch norm, dropout: everything that keeps state or draws numbers. */
static inline nas_net *conv_net(void) {
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
static inline nas_net *deep_net(void) {
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

static inline nas_result train_ok(const nas_train_job *job) {
  nas_result result;
  assert_ok(nas_train(job, &result, nas_test_err()));
  if (result.outcome != NAS_OUTCOME_OK) fail_msg("%s", result.cause.msg);
  return result;
}

static inline void assert_same_curve(const nas_result *a, const nas_result *b) {
  assert_int_equal(a->n_epochs, b->n_epochs);
  for (size_t i = 0; i < a->n_epochs; i++) assert_true(nas_epoch_same(&a->epochs[i], &b->epochs[i]));
}
#endif
