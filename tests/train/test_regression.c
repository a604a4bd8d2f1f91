/* Data sets of real targets: points and values, what is refused, and training by squared error. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "train/loss.h"
#include "train/trainer.h"

static nas_status open_with(const char *name, const char *lines, nas_dataset **out) {
  nas_settings s = {0};
  assert_ok(nas_settings_parse(&s, lines, "test", nas_test_err()));
  nas_status status = nas_dataset_open(name, &s, NULL, out, nas_test_err());
  nas_settings_free(&s);
  return status;
}

static void targets_are_the_expression_at_the_points(void **state) {
  (void)state;
  nas_dataset *d;
  assert_ok(open_with("function:exp(j0(20*x)+y^2)*a; a=2", "ranges=-1..1, y=0..3\nsamples=600\n", &d));
  assert_int_equal(d->task.input.c, 2);
  assert_int_equal(d->task.classes, 1);
  assert_true(d->n == 600 && d->n_train == 200 && d->n_valid == 200 && d->n_test == 200);
  double low[2] = {9, 9}, high[2] = {-9, -9};
  for (int64_t i = 0; i < d->n; i++) {
    const double *p = d->values + 2 * i;
    assert_close(d->targets[i], 2 * exp(j0(20 * p[0]) + p[1] * p[1]), 1e-12 * d->targets[i]);
    for (int k = 0; k < 2; k++) low[k] = fmin(low[k], p[k]), high[k] = fmax(high[k], p[k]);
  }
  assert_true(low[0] >= -1 && low[0] < -0.95 && high[0] <= 1 && high[0] > 0.95);
  assert_true(low[1] >= 0 && low[1] < 0.1 && high[1] <= 3 && high[1] > 2.9);
  float x[4], y[2];
  int32_t labels[2];
  nas_dataset_batch(d, d->test, 2, NULL, 0, 0, x, labels);
  nas_dataset_targets(d, d->test, 2, y);
  assert_close(x[3], (float)d->values[2 * d->test[1] + 1], 0);
  assert_close(y[1], (float)d->targets[d->test[1]], 0);
  nas_dataset_close(d);
}

/* The same seed gives the same data; another seed, range or noise another digest. */
static void digests_tell_data_apart(void **state) {
  (void)state;
  static const char *const lines[] = {"", "generator-seed=1\n", "ranges=-1..2\n", "noise=0.1\n"};
  char digest[4][NAS_DIGEST_SIZE];
  for (int i = 0; i < 4; i++) {
    nas_dataset *d;
    assert_ok(open_with("function:sin(x)", lines[i], &d));
    memcpy(digest[i], d->digest, NAS_DIGEST_SIZE);
    nas_dataset_close(d);
    assert_ok(open_with("function", "expression=sin(x)\n", &d));
    if (i == 0) assert_string_equal(d->digest, digest[0]);
    else assert_string_not_equal(digest[i], digest[0]);
    nas_dataset_close(d);
  }
}

static void bad_expressions_and_ranges_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name, *lines, *where, *word;
  } cases[] = {{"function:sinh(", "", "expression:6", "ends"},
               {"function:sun(x)", "", "expression:1", "sin"},
               {"function:x+y", "ranges=1..1\n", "ranges", "low first"},
               {"function:x+y", "ranges=z=0..1\n", "ranges", "no variable"},
               {"function:log(x)", "", "expression", "ranges"},
               {"function:x", "expression=x+1\n", "", "another"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    nas_dataset *d;
    assert_int_not_equal(open_with(cases[i].name, cases[i].lines, &d), NAS_OK);
    if (strncmp(nas_test_err()->where, cases[i].where, strlen(cases[i].where)) != 0 ||
        !strstr(nas_test_err()->msg, cases[i].word))
      fail_msg("%s: %s: %s", cases[i].name, nas_test_err()->where, nas_test_err()->msg);
  }
}

static void squared_error_and_its_gradient(void **state) {
  (void)state;
  const float y[4] = {1, 2, -1, 0.5F}, t[4] = {0, 2, 1, 1};
  float g[4];
  assert_close(nas_squared_error(y, t, 4, g), (1 + 0 + 4 + 0.25) / 4, 1e-15);
  const double expected[4] = {0.5, 0, -1, -0.25};
  for (int i = 0; i < 4; i++) assert_close(g[i], expected[i], 1e-7);
}

static void train(const char *dataset, const char *data_lines, const char *lines, nas_result *result) {
  nas_dataset *d;
  nas_recipe r;
  nas_settings s = {0};
  int32_t v;
  assert_ok(open_with(dataset, data_lines, &d));
  assert_ok(nas_settings_parse(&s, lines, "test", nas_test_err()));
  assert_ok(nas_recipe_open("quick", &s, &r, nas_test_err()));
  nas_settings_free(&s);
  nas_net *net = nas_net_new(d->task, nas_test_err());
  assert_ok(nas_net_linear(net, NAS_NET_INPUT, d->task.classes, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  assert_ok(nas_train(&(nas_train_job){.net = net, .data = d, .recipe = &r}, result, nas_test_err()));
  assert_int_equal(result->outcome, NAS_OUTCOME_OK);
  nas_net_free(net);
  nas_dataset_close(d);
}

/* A linear layer finds a linear function; of one with noise the noise is left, and R^2 says what share of the variance
 * that is: 1 - 0.5^2 / ((2^2 + 1) / 3 + 0.5^2). */
static void a_linear_function_is_found(void **state) {
  (void)state;
  nas_result result;
  train("function:2*x-y+0.5", "", "epochs=40\nbatch=50\nlr=0.05\nweight-decay=0\n", &result);
  const nas_epoch *last = &result.epochs[result.n_epochs - 1];
  assert_close(last->test_loss, 0, 1e-8);
  assert_close(last->test_accuracy, 100, 1e-5);
  assert_close(nas_result_metric(&result, "valid_rmse"), sqrt(last->valid_loss), 1e-15);
  nas_result_free(&result);
  train("function:2*x-y+0.5", "noise=0.5\nsamples=9000\n", "epochs=20\nbatch=50\nlr=0.02\nweight-decay=0\n", &result);
  last = &result.epochs[result.n_epochs - 1];
  assert_close(sqrt(last->test_loss), 0.5, 0.02);
  assert_close(last->test_accuracy, 100 * (1 - 0.25 / (5.0 / 3 + 0.25)), 1.5);
  nas_result_free(&result);
}

/* Squared error against one-hot targets: always saying one half would leave a loss of 0.25. */
static void classes_can_be_trained_by_squared_error(void **state) {
  (void)state;
  nas_result result;
  train("shapes", "classes=2\nsize=8\nimages=600\n", "epochs=30\nlr=0.01\nloss=squared\n", &result);
  const nas_epoch *last = &result.epochs[result.n_epochs - 1];
  assert_true(last->train_loss < result.epochs[0].train_loss && last->train_loss < 0.25);
  assert_true(last->train_accuracy > 55);
  nas_result_free(&result);
}

static void losses_that_do_not_fit_are_refused(void **state) {
  (void)state;
  nas_dataset *d;
  nas_recipe r;
  nas_result result;
  nas_settings s = {0};
  int32_t v;
  assert_ok(open_with("function:x", "", &d));
  assert_ok(nas_settings_parse(&s, "loss=cross-entropy\n", "test", nas_test_err()));
  assert_ok(nas_recipe_open("quick", &s, &r, nas_test_err()));
  nas_net *net = nas_net_new(d->task, nas_test_err());
  assert_ok(nas_net_linear(net, NAS_NET_INPUT, 1, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  assert_int_equal(nas_train(&(nas_train_job){.net = net, .data = d, .recipe = &r}, &result, nas_test_err()),
                   NAS_E_BAD_INPUT);
  nas_result_free(&result);
  assert_ok(nas_settings_parse(&s, "loss=squared\nlabel-smoothing=0.1\n", "test", nas_test_err()));
  assert_int_equal(nas_recipe_open("quick", &s, &r, nas_test_err()), NAS_E_BAD_INPUT);
  nas_settings_free(&s);
  nas_net_free(net);
  nas_dataset_close(d);
}

static void pixels_can_be_normalised_otherwise(void **state) {
  (void)state;
  static const char *const names[] = {"normalise=half\n", "normalise=none\n"};
  for (int i = 0; i < 2; i++) {
    nas_dataset *d;
    assert_ok(open_with("shapes", names[i], &d));
    assert_close(d->normalised[0][0], i == 0 ? -1 : 0, 1e-7);
    assert_close(d->normalised[0][255], 1, 1e-7);
    nas_dataset_close(d);
  }
}

NAS_SUITE(Regression, NAS_CASE(targets_are_the_expression_at_the_points), NAS_CASE(digests_tell_data_apart),
          NAS_CASE(bad_expressions_and_ranges_are_refused), NAS_CASE(squared_error_and_its_gradient),
          NAS_CASE(a_linear_function_is_found), NAS_CASE(classes_can_be_trained_by_squared_error),
          NAS_CASE(losses_that_do_not_fit_are_refused), NAS_CASE(pixels_can_be_normalised_otherwise))
