/* The space neuron-cell through the program: counts, grammar, classes, training, and what it refuses. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static json_t *run_json(const char *arguments) {
  char *out, *err;
  int code = nas_run(&out, &err, "%s %s --json", nas_program(), arguments);
  if (code) fail_msg("%s: exit %d, %s", arguments, code, err);
  json_error_t error;
  json_t *root = json_loads(out, 0, &error);
  if (!root) fail_msg("%s: %s", arguments, error.text);
  free(out);
  free(err);
  return root;
}

static void has_the_right_number_of_cells_and_classes(void **state) {
  (void)state;
  json_t *info = run_json("space info neuron-cell");
  assert_int_equal(json_integer_value(json_object_get(info, "architectures")), 262144); /* 8^6 */
  assert_int_equal(json_integer_value(json_object_get(info, "classes")), 138498);
  json_decref(info);
  /* Both numbers of classes were counted by a program of their own, which compares sums as sorted lists of terms. */
  info = run_json("space info neuron-cell -o form=conv -o operations=none,skip_connect,linear,rbf,avg_pool_3x3");
  assert_int_equal(json_integer_value(json_object_get(info, "architectures")), 15625);
  assert_int_equal(json_integer_value(json_object_get(info, "classes")), 4930);
  json_decref(info);
}

static void equal_cells_share_a_canonical_form(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      /* a sum does not care for the order of its terms, nor for what leads nowhere */
      {"|pade~0|+|linear~0|none~1|+|none~0|skip_connect~1|skip_connect~2|",
       "|linear~0|+|pade~0|none~1|+|none~0|skip_connect~1|skip_connect~2|"},
      {"|rbf~0|+|none~0|none~1|+|linear~0|none~1|kuramoto~2|", "|none~0|+|pade~0|none~1|+|linear~0|none~1|none~2|"}};
  for (size_t i = 0; i < 2; i++) {
    json_t *a, *b;
    char text[400];
    snprintf(text, sizeof text, "space show neuron-cell '%s'", pairs[i][0]);
    a = run_json(text);
    snprintf(text, sizeof text, "space show neuron-cell '%s'", pairs[i][1]);
    b = run_json(text);
    assert_string_equal(json_string_value(json_object_get(a, "canonical")),
                        json_string_value(json_object_get(b, "canonical")));
    json_decref(a);
    json_decref(b);
  }
}

static void cells_train(void **state) {
  (void)state;
  const char *conv = "-o space.form=conv -o space.width=4";
  for (int i = 0; i < 2; i++) {
    char *out, *err;
    int code =
        nas_run(&out, &err,
                "%s train --space neuron-cell --arch '|pade~0|+|aptx~0|rbf~1|+|kan-rbf~0|kuramoto~1|skip_connect~2|' "
                "--dataset shapes -o recipe.epochs=1 %s --seed 3 --quiet",
                nas_program(), i ? conv : "");
    if (code) fail_msg("exit %d, %s", code, err);
    free(out);
    free(err);
  }
}

/* An expression in parentheses may hold the characters that the grammar itself uses. */
static void edges_carry_expressions(void **state) {
  (void)state;
  json_t *shown = run_json(
      "space show neuron-cell "
      "'|activation(activation=(a+tanh(b*x))*c*x)~0|+|none~0|linear~1|+|none~0|none~1|linear~2|' "
      "-o 'operations=none,linear,activation(activation=(a+tanh(b*x))*c*x)' -o width=4 --input 1x4x4");
  /* stem, expression and its scalars, two linear edges, head; batch norms of stem, edges and head */
  assert_int_equal(json_integer_value(json_object_get(shown, "params")),
                   (16 * 4 + 4) + (20 + 3) + 2 * 20 + (4 * 10 + 10) + 5 * 8);
  assert_string_equal(json_string_value(json_object_get(shown, "arch")),
                      "|activation(activation=(a+tanh(b*x))*c*x)~0|+|none~0|linear~1|+|none~0|none~1|linear~2|");
  json_decref(shown);
}

/* Every layer of a matched cell costs what the linear layer costs, within what whole numbers allow. */
static void matched_edges_cost_what_linear_ones_do(void **state) {
  (void)state;
  static const char *const spaces[] = {"-o match=params -o width=32", "-o match=macs -o width=32",
                                       "-o match=params -o form=conv -o width=16",
                                       "-o match=macs -o form=conv -o width=16"};
  for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
    char text[400];
    snprintf(text, sizeof text,
             "space show neuron-cell '|pade~0|+|aptx~0|kan-rbf~1|+|rbf~0|kuramoto~1|linear~2|' --input 1x28x28 %s",
             spaces[i]);
    json_t *shown = run_json(text), *match;
    size_t k;
    double cost = 0, budget = 0;
    assert_int_equal(json_array_size(json_object_get(shown, "matches")), 6);
    json_array_foreach(json_object_get(shown, "matches"), k, match) {
      double c = json_number_value(json_object_get(match, "cost")),
             b = json_number_value(json_object_get(match, "budget"));
      /* 32 (32 + 1) or 32 32; 16 (9 16 + 1) or 16 16 9, for 28 x 28 pixels */
      assert_true(b == 1056 || b == 1024 || b == 2320 || b == 2304 * 784.0);
      assert_close(c / b, 1, 0.02);
      cost += c;
      budget += b;
    }
    assert_close(json_number_value(json_object_get(shown, "match_ratio")), cost / budget, 1e-12);
    json_decref(shown);
  }
}

/* The ratio is recorded with the trial, and what was counted is what is trained: a layer's parameters are those of the
 * six linear edges, stem, head and batch norms around them. */
static void the_ratio_is_recorded(void **state) {
  (void)state;
  json_t *trained = run_json(
      "train --space neuron-cell --arch '|linear~0|+|linear~0|linear~1|+|linear~0|linear~1|linear~2|' --dataset shapes "
      "-o recipe.epochs=1 -o train-images=64 -o space.match=params -o space.width=10 --quiet");
  assert_close(json_number_value(json_object_get(trained, "match_ratio")), 1, 0);
  assert_int_equal(json_integer_value(json_object_get(trained, "params")),
                   (256 + 1) * 10 + 20 + 6 * (110 + 20) + 20 + 8 * 11);
  json_decref(trained);
}

#define SMALL                                                                                            \
  "-o space.width=8 -o dataset.train-images=64 -o dataset.valid-images=32 -o dataset.test-images=32 -o " \
  "recipe.epochs=1"

/* The energy of oscillators is a metric of a trial, the same number from `train` and in the table of a campaign; cells
 * without oscillators have none. */
static void the_energy_of_oscillators_is_recorded(void **state) {
  (void)state;
  char *out, *err, arch[200], text[600];
  int seed, used;
  double value;
  int code =
      nas_run(&out, &err,
              "cd %s && echo 'seed: 3' >energy.yaml && %s search energy.yaml --db energy.db -o space=neuron-cell "
              "-o space.operations=kuramoto,skip_connect -o dataset=shapes -o recipe=quick -o strategy=random -o "
              "budget.trials=1 " SMALL
              " --quiet >/dev/null && %s db sql energy.db --csv \"select seed, value, arch from trial "
              "t join architecture a on a.id = t.architecture join metric m on m.trial = t.id where m.name = "
              "'energy'\"",
              nas_test_folder(), nas_program(), nas_program());
  if (code) fail_msg("exit %d, %s", code, err);
  if (sscanf(out, "seed,value,arch %d,%lf,%199s%n", &seed, &value, arch, &used) != 3) fail_msg("%s", out);
  free(out);
  free(err);
  snprintf(text, sizeof text,
           "train --space neuron-cell -o space.operations=kuramoto,skip_connect --dataset shapes --recipe quick --arch "
           "'%s' --seed %d " SMALL " --quiet",
           arch, seed);
  json_t *trained = run_json(text);
  assert_close(json_number_value(json_object_get(trained, "energy")), value, 0);
  assert_true(json_is_number(json_object_get(trained, "energy_first")));
  json_decref(trained);
  trained = run_json(
      "train --space neuron-cell --arch '|linear~0|+|none~0|none~1|+|none~0|none~1|none~2|' --dataset "
      "shapes --quiet " SMALL);
  assert_null(json_object_get(trained, "energy"));
  json_decref(trained);
}

/* A neuron keeps its patches where an operation has its name: 3x3 patches of 4 channels make 36 inputs. */
static void convolutional_edges_see_patches(void **state) {
  (void)state;
  json_t *shown = run_json(
      "space show neuron-cell '|none~0|+|none~0|none~1|+|pade~0|none~1|none~2|' --input 1x8x8 -o form=conv -o width=4");
  assert_int_equal(json_integer_value(json_object_get(shown, "params")), 9 * 4 + 8 + 4 * (1 + 36 * 4) + 8 + 8 + 10 * 5);
  json_decref(shown);
}

static void operations_may_have_options(void **state) {
  (void)state;
  json_t *shown = run_json(
      "space show neuron-cell '|none~0|+|none~0|none~1|+|selfonn(order=5)~0|none~1|none~2|' --input 1x8x8 "
      "-o width=4 -o 'operations=none,selfonn,selfonn(order=5)' -o 'stem=kan-bspline(grid=3)'");
  assert_string_equal(json_string_value(json_object_get(shown, "arch")),
                      "|none~0|+|none~0|none~1|+|selfonn(order=5)~0|none~1|none~2|");
  assert_int_equal(json_integer_value(json_object_get(shown, "params")),
                   64 * 4 * 8 + 8 + 4 * (5 * 4 + 1) + 8 + 8 + 10 * 5);
  json_decref(shown);
}

static void refused(const char *arguments, const char *part) {
  char *out, *err;
  int code = nas_run(&out, &err, "%s %s", nas_program(), arguments);
  assert_int_equal(code, 2);
  if (!strstr(err, part)) fail_msg("%s: '%s' does not say '%s'", arguments, err, part);
  free(out);
  free(err);
}

static void say_what_is_wrong(void **state) {
  (void)state;
  refused("space info neuron-cell -o operations=none,kan-rfb", "did you mean 'kan-rbf'");
  refused("space info neuron-cell -o operations=none,avg_pool_3x3", "form: conv");
  refused("space info neuron-cell -o operations=none", "at least 2");
  refused("space info neuron-cell -o operations=none,linear,none", "twice");
  refused("space info neuron-cell -o 'operations=none,pade(kind=q)'", "kind");
  refused("space info neuron-cell -o 'operations=none,pade(m=3'", "')' is missing");
  refused("space info neuron-cell -o 'operations=none,activation(activation=x)+1'", "the grammar needs them");
  refused("space info neuron-cell -o 'operations=none,kan-bspline(low=1;high=-1)'", "low must be below high");
  refused("space info neuron-cell -o 'operations=none,kan-bspline(order=99)'", "order of kan-bspline is 99");
  refused("space info neuron-cell -o 'operations=none,kan-bspline(grid=0)'", "grid of kan-bspline is 0");
  refused("space info neuron-cell -o 'operations=none,kuramoto(n=3)'", "n must be even");
  refused("space info neuron-cell -o 'operations=none,kuramoto(n=4;channels=6)'", "n must divide the channels");
  refused("space show neuron-cell '|pade~0|+|none~0|'", "expected an operation");
  refused("space show neuron-cell '|pade(~0|+|none~0|none~1|+|none~0|none~1|none~2|'", "no operation 'pade(~0|");
  refused("space show neuron-cell 4 -o operations=none,kan-rbf -o width=1", "layer norm of 1 number");
  refused("space show neuron-cell 4 -o operations=none,sk", "no dense form");
  refused("space info neuron-cell -o match=flops", "match");
  refused("space info neuron-cell -o stem=lienar", "did you mean 'linear'");
  refused("space info neuron-cell -o width=-3", "width");
  refused("space info neuron-cell -o form=conv -o kernel=4", "odd");
  refused("space show neuron-cell '|pade~0|+|skip_connect~0|kan-rbf~0|+|none~0|none~1|none~2|'", "~1|");
  refused("space show neuron-cell '|paed~0|+|none~0|none~1|+|none~0|none~1|none~2|'", "did you mean 'pade'");
}

NAS_SUITE(NeuronCell, NAS_CASE(has_the_right_number_of_cells_and_classes), NAS_CASE(equal_cells_share_a_canonical_form),
          NAS_CASE(cells_train), NAS_CASE(edges_carry_expressions), NAS_CASE(matched_edges_cost_what_linear_ones_do),
          NAS_CASE(the_ratio_is_recorded), NAS_CASE(the_energy_of_oscillators_is_recorded),
          NAS_CASE(convolutional_edges_see_patches), NAS_CASE(operations_may_have_options), NAS_CASE(say_what_is_wrong))
