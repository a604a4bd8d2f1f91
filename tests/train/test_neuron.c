/* Neurons against golden vectors (inputs, parameters, outputs and gradients in double), and every registered type
 * against finite differences. */
#include "train/neuron.h"

#include <jansson.h>
#include <stdio.h>

#include "engine_check.h"

/* Names of a golden file's parameters and of our tensors, in our order. */
typedef struct golden {
  const char *neuron, *pairs[8][2];
} golden;

static const golden goldens[] = {
    {"linear", {{"W", "n.weight"}, {"b", "n.bias"}}},
    {"quadratic",
     {{"wr", "n.r.weight"},
      {"br", "n.r.bias"},
      {"wg", "n.g.weight"},
      {"bg", "n.g.bias"},
      {"wb", "n.b.weight"},
      {"c", "n.b.bias"}}},
};

/* The numbers of nested arrays, in order, to `out`; returns how many. */
static int64_t flatten(const json_t *value, double *out) {
  if (json_is_number(value)) {
    *out = json_number_value(value);
    return 1;
  }
  int64_t n = 0;
  for (size_t i = 0; i < json_array_size(value); i++) n += flatten(json_array_get(value, i), out + n);
  return n;
}

static void equals(const double *found, const json_t *wanted, const char *what) {
  double table[256];
  int64_t n = flatten(wanted, table);
  assert_true(n > 0);
  for (int64_t i = 0; i < n; i++)
    if (!(fabs(found[i] - table[i]) <= 1e-10 * fmax(1, fabs(table[i]))))
      fail_msg("%s: element %lld is %.15g, not %.15g", what, (long long)i, found[i], table[i]);
}

static const nas_tensor_info *tensor(nas_model *m, const char *name) {
  size_t n;
  const nas_tensor_info *all = nas_model_tensors(m, &n);
  for (size_t i = 0; i < n; i++)
    if (!strcmp(all[i].name, name)) return &all[i];
  fail_msg("no tensor %s", name);
  return NULL;
}

static nas_graph *neuron_alone(const char *name, int32_t in, int32_t out, nas_value *value) {
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){in, 1, 1}, &g, nas_test_err()));
  assert_ok(nas_neuron_build(nas_neuron_find(name), g, 0, &(nas_attrs){.out = out}, "n", value, nas_test_err()));
  assert_ok(nas_graph_set_output(g, *value, nas_test_err()));
  return g;
}

static void check_golden(const golden *gold, const json_t *file) {
  const json_t *config = json_object_get(file, "config"), *params = json_object_get(file, "params");
  const json_t *grads = json_object_get(file, "grads");
  int32_t in = (int32_t)json_integer_value(json_object_get(config, "in"));
  int32_t out = (int32_t)json_integer_value(json_object_get(config, "out"));
  int32_t batch = (int32_t)json_integer_value(json_object_get(config, "batch"));
  nas_value value;
  nas_graph *g = neuron_alone(gold->neuron, in, out, &value);
  engine e = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = batch, .mode = NAS_TRAIN});
  double *numbers = nas_model_param_data(e.model), weights[256];
  for (int i = 0; gold->pairs[i][0]; i++)
    assert_int_equal(
        flatten(json_object_get(params, gold->pairs[i][0]), numbers + tensor(e.model, gold->pairs[i][1])->offset),
        tensor(e.model, gold->pairs[i][1])->count);
  assert_int_equal(flatten(json_object_get(json_object_get(file, "inputs"), "x"), nas_plan_input(e.plan)),
                   engine_inputs(&e));
  nas_plan_forward(e.plan, 0, 0);
  equals(nas_plan_logits(e.plan), json_object_get(json_object_get(file, "outputs"), "y"), "y");
  flatten(json_object_get(file, "loss_w"), weights);
  nas_plan_backward_from(e.plan, weights);
  equals(nas_plan_input_gradient(e.plan), json_object_get(grads, "x"), "x");
  for (int i = 0; gold->pairs[i][0]; i++)
    equals((double *)nas_model_grad_data(e.model) + tensor(e.model, gold->pairs[i][1])->offset,
           json_object_get(grads, gold->pairs[i][0]), gold->pairs[i][1]);
  engine_free(&e);
  nas_graph_free(g);
}

static void equal_the_golden_vectors(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
    char name[64];
    snprintf(name, sizeof name, "golden/%s.json", goldens[i].neuron);
    json_error_t error;
    json_t *file = json_load_file(nas_shared_file(name), 0, &error);
    if (!file) fail_msg("%s: %s", name, error.text);
    check_golden(&goldens[i], file);
    json_decref(file);
  }
}

static void have_the_gradients_of_finite_differences(void **state) {
  (void)state;
  for (const nas_neuron_type *const *type = nas_neurons(); *type; type++) {
    nas_value value;
    nas_graph *g = neuron_alone((*type)->name, 7, 5, &value);
    engine e = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
    engine_check_gradients(&e, (*type)->name);
    engine_free(&e);
    nas_graph_free(g);
  }
}

static void have_the_parameters_and_bits_they_say(void **state) {
  (void)state;
  for (const nas_neuron_type *const *type = nas_neurons(); *type; type++) {
    nas_value value;
    nas_graph *g = neuron_alone((*type)->name, 33, 9, &value);
    char *options = calloc(1, (*type)->options_size + 1);
    assert_non_null(options);
    if ((*type)->options) nas_options_defaults((*type)->options, options);
    engine fast = engine_new(g, value, NAS_F32, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
    engine again = engine_new(g, value, NAS_F32, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
    engine plain = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
    assert_int_equal(nas_model_params(fast.model), (*type)->params(33, 9, options));
    assert_true((*type)->macs(33, 9, options) > 0 && (*type)->formula[0] && (*type)->summary[0] &&
                (*type)->citation[0]);
    engine_check_same(&fast, &plain, 1e-4, (*type)->name);
    engine_check_same(&fast, &again, 0, (*type)->name);
    free(options);
    engine_free(&fast);
    engine_free(&again);
    engine_free(&plain);
    nas_graph_free(g);
  }
}

static void refuse_what_they_cannot_be(void **state) {
  (void)state;
  nas_graph *g;
  nas_value value;
  const nas_neuron_type *linear = nas_neuron_find("linear");
  assert_null(nas_neuron_find("no-such-neuron"));
  assert_ok(nas_graph_new((nas_shape){4, 1, 1}, &g, nas_test_err()));
  assert_fails(nas_neuron_build(linear, g, 0, &(nas_attrs){.out = 0}, "n", &value, nas_test_err()), NAS_E_BAD_INPUT,
               "at least 1");
  nas_attrs odd = {.out = 2, .options = "slope=1\n"};
  assert_fails(nas_neuron_build(linear, g, 0, &odd, "n", &value, nas_test_err()), NAS_E_BAD_INPUT, "no options");
  nas_graph_free(g);
}

/* A network description may name a neuron where it names an operation. */
static void stand_in_network_descriptions(void **state) {
  (void)state;
  nas_layer layers[] = {{.op = "quadratic",
                         .attrs = {.out = 6},
                         .inputs = {NAS_NET_INPUT},
                         .n_inputs = 1,
                         .shape = {6, 1, 1},
                         .label = "hidden"},
                        {.op = "linear",
                         .attrs = {.out = 3, .bias = true},
                         .inputs = {0},
                         .n_inputs = 1,
                         .shape = {3, 1, 1},
                         .label = "head"}};
  nas_net net = {.task = {{4, 2, 2}, 3}, .layers = layers, .n = 2, .output = 1};
  nas_graph *g;
  nas_model *m;
  assert_ok(nas_graph_from_net(&net, &g, nas_test_err()));
  assert_ok(nas_model_new(g, NAS_F32, &m, nas_test_err()));
  assert_int_equal(nas_model_params(m), 3 * 6 * 17 + 3 * 7);
  nas_model_free(m);
  nas_graph_free(g);
  layers[0].op = "cubic";
  assert_fails(nas_graph_from_net(&net, &g, nas_test_err()), NAS_E_UNKNOWN_NAME, "cubic");
  layers[0].op = "relu";
  net.task.classes = 4;
  assert_fails(nas_graph_from_net(&net, &g, nas_test_err()), NAS_E_BAD_INPUT, "4 classes");
  net.output = 7;
  assert_fails(nas_graph_from_net(&net, &g, nas_test_err()), NAS_E_BAD_INPUT, "no output");
}

NAS_SUITE(Neuron, NAS_CASE(equal_the_golden_vectors), NAS_CASE(have_the_gradients_of_finite_differences),
          NAS_CASE(have_the_parameters_and_bits_they_say), NAS_CASE(refuse_what_they_cannot_be),
          NAS_CASE(stand_in_network_descriptions))
