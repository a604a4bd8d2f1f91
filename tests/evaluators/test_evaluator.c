#include "evaluators/evaluator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* A small space, data set and recipe that every evaluator can be asked about in a moment. */
static struct {
  nas_space *space;
  nas_dataset *data;
  nas_recipe recipe;
} world;

static void put(nas_settings *s, const char *key, const char *value) {
  assert_ok(nas_settings_put(s, key, value, "test", nas_test_err()));
}

static void open_world(void) {
  nas_settings space = {0}, data = {0}, recipe = {0};
  put(&space, "channels", "4");
  put(&space, "cells", "1");
  put(&data, "size", "12");
  put(&data, "images", "200");
  put(&data, "train-images", "60");
  put(&data, "valid-images", "30");
  put(&data, "test-images", "25");
  put(&recipe, "epochs", "2");
  put(&recipe, "batch", "16");
  assert_ok(nas_space_open("nas-bench-201", &space, &world.space, nas_test_err()));
  assert_ok(nas_dataset_open("shapes", &data, NULL, &world.data, nas_test_err()));
  assert_ok(nas_recipe_open("quick", &recipe, &world.recipe, nas_test_err()));
  nas_settings_free(&space);
  nas_settings_free(&data);
  nas_settings_free(&recipe);
}

static void close_world(void) {
  nas_space_close(world.space);
  nas_dataset_close(world.data);
}

static nas_eval_request request_for(uint64_t index, uint64_t seed) {
  nas_eval_request r = {.space = world.space, .data = world.data, .recipe = &world.recipe, .seed = seed};
  assert_ok(nas_space_at(world.space, index, &r.arch, nas_test_err()));
  return r;
}

/* Evaluates with default options. */
static void evaluate(const nas_evaluator_type *type, const nas_eval_request *r, nas_result *result) {
  void *options = calloc(1, type->options_size + 1);
  assert_non_null(options);
  nas_options_defaults(type->options, options);
  assert_ok(type->evaluate(options, r, result, nas_test_err()));
  free(options);
}

static void unknown_name_gets_a_guess(void **state) {
  (void)state;
  const nas_evaluator_type *type;
  assert_fails(nas_evaluator_find("trian", &type, nas_test_err()), NAS_E_UNKNOWN_NAME, "did you mean 'train'");
  assert_ok(nas_evaluator_find("noop", &type, nas_test_err()));
  assert_string_equal(type->name, "noop");
}

static void every_entry_is_complete(void **state) {
  (void)state;
  for (const nas_evaluator_type *const *t = nas_evaluator_types(); *t; t++) {
    assert_true((*t)->version > 0 && (*t)->summary && (*t)->citation && (*t)->evaluate && (*t)->options);
    for (const nas_option *o = (*t)->options; o->name; o++) {
      assert_true(o->help && o->help[0]);
      assert_true(o->offset + o->size <= (*t)->options_size);
    }
  }
}

static void every_entry_repeats_itself(void **state) {
  (void)state;
  open_world();
  for (const nas_evaluator_type *const *t = nas_evaluator_types(); *t; t++) {
    nas_result first, again, other;
    nas_eval_request r = request_for(11000, 3);
    evaluate(*t, &r, &first);
    evaluate(*t, &r, &again);
    r.seed = 4;
    evaluate(*t, &r, &other);
    assert_int_equal(first.outcome, NAS_OUTCOME_OK);
    assert_true(first.n_epochs > 0 && first.n_epochs == again.n_epochs);
    for (size_t i = 0; i < first.n_epochs; i++) assert_true(nas_epoch_same(&first.epochs[i], &again.epochs[i]));
    assert_false(nas_epoch_same(&first.epochs[0], &other.epochs[0]));
    nas_result_free(&first);
    nas_result_free(&again);
    nas_result_free(&other);
  }
  close_world();
}

static void train_reports_what_it_cost(void **state) {
  (void)state;
  open_world();
  const nas_evaluator_type *type;
  nas_result result;
  nas_eval_request r = request_for(11000, 1);
  assert_ok(nas_evaluator_find("train", &type, nas_test_err()));
  evaluate(type, &r, &result);
  assert_int_equal(result.n_epochs, 2);
  nas_net *net;
  assert_ok(nas_space_net(world.space, &r.arch, world.data->task, &net, nas_test_err()));
  assert_true(nas_result_metric(&result, "params") == (double)net->params);
  assert_true(nas_result_metric(&result, "macs") == (double)net->macs);
  assert_true(nas_result_metric(&result, "train_images") == 120);
  assert_true(nas_result_metric(&result, "seconds") > 0);
  nas_net_free(net);
  nas_result_free(&result);
  close_world();
}

NAS_SUITE(Evaluator, NAS_CASE(unknown_name_gets_a_guess), NAS_CASE(every_entry_is_complete),
          NAS_CASE(every_entry_repeats_itself), NAS_CASE(train_reports_what_it_cost))
