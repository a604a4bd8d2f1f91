/* Every registered neuron type: gradients, counts, bits, serialised names; golden vectors are in test_golden.c. */
#include "train/neuron.h"

#include <stdio.h>

#include "engine_check.h"
#include "train/graph_internal.h"

static nas_graph *neuron_alone(const char *name, int32_t in, int32_t out, nas_value *value) {
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){in, 1, 1}, &g, nas_test_err()));
  const nas_neuron_type *type = nas_neuron_find(name);
  nas_attrs attrs = {.out = out};
  if (type->sample) snprintf(attrs.options, sizeof attrs.options, "%s", type->sample);
  assert_ok(nas_neuron_build(type, g, 0, &attrs, "n", value, nas_test_err()));
  assert_ok(nas_graph_set_output(g, *value, nas_test_err()));
  return g;
}

/* The convolutional form with a small head, over 3 channels of 5 x 4 pixels. */
static nas_graph *neuron_conv(const nas_neuron_type *type, nas_value *value) {
  nas_graph *g;
  nas_attrs attrs = {.out = 4, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1};
  if (type->sample) snprintf(attrs.options, sizeof attrs.options, "%s", type->sample);
  assert_ok(nas_graph_new((nas_shape){3, 5, 4}, &g, nas_test_err()));
  assert_ok(nas_neuron_build(type, g, 0, &attrs, "n", value, nas_test_err()));
  nas_shape shape = nas_graph_shape(g, *value);
  assert_true(shape.c == 4 && shape.h == 5 && shape.w == 4);
  *value = engine_close(g, *value, 3);
  return g;
}

static bool has_form(const nas_neuron_type *type, unsigned form) { return !type->forms || type->forms & form; }

static void have_the_gradients_of_finite_differences(void **state) {
  (void)state;
  for (const nas_neuron_type *const *type = nas_neurons(); *type; type++) {
    if (!has_form(*type, NAS_NEURON_DENSE)) continue;
    nas_value value;
    nas_graph *g = neuron_alone((*type)->name, 7, 5, &value);
    engine e = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
    engine_check_gradients(&e, (*type)->name);
    engine_free(&e);
    nas_graph_free(g);
  }
}

/* Gradients, counts and kernels of the convolutional form. */
static void have_a_convolutional_form(void **state) {
  (void)state;
  for (const nas_neuron_type *const *type = nas_neurons(); *type; type++) {
    if (!has_form(*type, NAS_NEURON_CONV)) continue;
    nas_value value;
    int64_t params, macs;
    nas_graph *g = neuron_conv(*type, &value);
    engine wide = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = 2, .mode = NAS_TRAIN});
    engine fast = engine_new(g, value, NAS_F32, (nas_plan_options){.batch = 2, .mode = NAS_TRAIN});
    assert_ok(
        nas_neuron_count(*type, (*type)->sample ? (*type)->sample : "", 27, 9, 4, 20, &params, &macs, nas_test_err()));
    if (nas_model_params(wide.model) - 3 * (80 + 1) != params)
      fail_msg("%s has %lld parameters but says %lld", (*type)->name,
               (long long)nas_model_params(wide.model) - 3 * (80 + 1), (long long)params);
    engine_check_same(&fast, &wide, 1e-3, (*type)->name);
    engine_check_gradients(&wide, (*type)->name);
    engine_free(&wide);
    engine_free(&fast);
    nas_graph_free(g);
  }
}

static void have_the_parameters_and_bits_they_say(void **state) {
  (void)state;
  for (const nas_neuron_type *const *type = nas_neurons(); *type; type++) {
    if (!has_form(*type, NAS_NEURON_DENSE)) continue;
    nas_value value;
    int64_t params, macs;
    nas_graph *g = neuron_alone((*type)->name, 33, 9, &value);
    assert_ok(
        nas_neuron_count(*type, (*type)->sample ? (*type)->sample : "", 33, 1, 9, 1, &params, &macs, nas_test_err()));
    engine fast = engine_new(g, value, NAS_F32, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
    engine again = engine_new(g, value, NAS_F32, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
    engine plain = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN});
    if (nas_model_params(fast.model) != params)
      fail_msg("%s has %lld parameters but says %lld", (*type)->name, (long long)nas_model_params(fast.model),
               (long long)params);
    assert_true(macs > 0 && (*type)->formula[0] && (*type)->summary[0] && (*type)->citation[0] && (*type)->count[0] &&
                (*type)->work[0] && (*type)->start[0] && (*type)->limits[0] && (*type)->stability[0]);
    engine_check_same(&fast, &plain, 1e-4, (*type)->name);
    engine_check_same(&fast, &again, 0, (*type)->name);
    engine_free(&fast);
    engine_free(&again);
    engine_free(&plain);
    nas_graph_free(g);
  }
}

/* Multiplications that the operations of a graph count; what runs once an image in a layer of pixels is left out. */
static int64_t counted_work(const nas_graph *g, int64_t pixels) {
  int64_t sum = 0;
  for (nas_value v = 1; v < g->n; v++) {
    nas_site site = nas_node_site(g, v, 1, NAS_TRAIN);
    bool once = nas_shape_pixels(g->nodes[v].shape) == 1 && pixels > 1;
    if (g->nodes[v].live && !once && g->nodes[v].op->macs) sum += g->nodes[v].op->macs(&site);
  }
  return sum;
}

/* A layer of 9 neurons over 33 numbers, or over 3x3 patches of 3 channels of 5x4 pixels. */
static void check_counts(const nas_neuron_type *type, const char *options, bool conv) {
  nas_attrs attrs = {.out = 9};
  if (conv) attrs = (nas_attrs){.out = 9, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1};
  int64_t params, macs, pixels = conv ? 20 : 1, head = conv ? 3 * (9 * 20 + 1) : 0;
  nas_graph *g;
  nas_value value;
  nas_model *m;
  snprintf(attrs.options, sizeof attrs.options, "%s", options);
  assert_ok(nas_graph_new(conv ? (nas_shape){3, 5, 4} : (nas_shape){33, 1, 1}, &g, nas_test_err()));
  assert_ok(nas_neuron_build(type, g, 0, &attrs, "n", &value, nas_test_err()));
  if (conv) engine_close(g, value, 3);
  else assert_ok(nas_graph_set_output(g, value, nas_test_err()));
  assert_ok(nas_neuron_count(type, options, conv ? 27 : 33, conv ? 9 : 1, 9, pixels, &params, &macs, nas_test_err()));
  if (counted_work(g, pixels) != macs)
    fail_msg("%s with options '%s' says %lld MACs but its operations count %lld", type->name, options, (long long)macs,
             (long long)counted_work(g, pixels));
  assert_ok(nas_model_new(g, NAS_F32, &m, nas_test_err()));
  if (nas_model_params(m) - head != params)
    fail_msg("%s with options '%s' says %lld parameters but has %lld", type->name, options, (long long)params,
             (long long)(nas_model_params(m) - head));
  nas_model_free(m);
  nas_graph_free(g);
}

/* What a type says it multiplies, and has, is what its operations do, under its defaults and other options. */
static void have_the_work_they_say(void **state) {
  (void)state;
  static const struct {
    const char *neuron, *options;
  } more[] = {{"pade", "kind=a\nm=3\nn=1\n"},
              {"kan-bspline", "grid=9\norder=2\n"},
              {"kan-rbf", "grids=5\nlayer-norm=no\n"},
              {"kan-chebyshev", "degree=7\n"},
              {"kuramoto", "n=2\nsteps=5\nreadout=3\nnorm=no\n"},
              {"rbf", "scaling=diagonal\n"},
              {"rbf", "scaling=full\n"},
              {"lehmer", "k=1\n"},
              {"gini", "k=9\n"},
              {"quadratic", "form=quadralib\n"},
              {"selfonn", "order=6\n"},
              {"selfonn", "super=yes\n"},
              {"selfonn", "order=2\nsuper=yes\nshift-groups=3\n"},
              {"selfonn", "super=yes\nshift-groups=0\n"},
              {"sk", "groups=3\nnorm=no\n"},
              {"s-kan", "grid=3\ngrids=4\ndegree=2\n"},
              {"ltc", "unfolds=2\n"},
              {"lif", "input=poisson\nsteps=5\n"},
              {"aptx", "alpha=one\n"}};
  size_t n_more = sizeof more / sizeof *more, types = 0;
  while (nas_neurons()[types]) types++;
  for (size_t i = 0; i < types + n_more; i++) {
    const nas_neuron_type *type = i < types ? nas_neurons()[i] : nas_neuron_find(more[i - types].neuron);
    const char *options = i >= types ? more[i - types].options : type->sample ? type->sample : "";
    if (has_form(type, NAS_NEURON_DENSE) && !strstr(options, "super")) check_counts(type, options, false);
    if (has_form(type, NAS_NEURON_CONV)) check_counts(type, options, true);
  }
}

/* Exponents where the formulas have a pole: p = 1 is the arithmetic mean, p = q the limit of a Gini mean. */
static void have_no_poles_in_their_exponents(void **state) {
  (void)state;
  static const char *const neurons[] = {"lehmer", "gini"};
  for (int i = 0; i < 2; i++)
    for (int wide = 0; wide < 2; wide++) {
      nas_graph *g;
      nas_value value;
      nas_attrs attrs = {.out = 1, .options = "k=1\ninputs=positive\n"};
      assert_ok(nas_graph_new((nas_shape){3, 1, 1}, &g, nas_test_err()));
      assert_ok(nas_neuron_build(nas_neuron_find(neurons[i]), g, 0, &attrs, "n", &value, nas_test_err()));
      assert_ok(nas_graph_set_output(g, value, nas_test_err()));
      engine e = engine_new(g, value, wide ? NAS_F64 : NAS_F32, (nas_plan_options){.batch = 1, .mode = NAS_TRAIN});
      const double w[] = {1, 2, 5}, x[] = {3, 1, 2};
      double sum = 0, dot = 0, entropy = 0;
      for (int k = 0; k < 3; k++) {
        engine_set(&e, nas_model_param_data(e.model), k, w[k]);
        engine_set(&e, nas_plan_input(e.plan), k, x[k]);
        sum += w[k];
        dot += w[k] * x[k];
        entropy += w[k] * x[k] * log(x[k]);
      }
      engine_set(&e, nas_model_param_data(e.model), 3, 1);
      if (i) engine_set(&e, nas_model_param_data(e.model), 4, 1);
      engine_loss(&e);
      engine_backward(&e);
      assert_close(engine_get(&e, nas_plan_logits(e.plan), 0), i ? exp(entropy / dot) : dot / sum, wide ? 1e-12 : 1e-5);
      for (int64_t k = 0; k < nas_model_params(e.model); k++)
        assert_true(isfinite(engine_get(&e, nas_model_grad_data(e.model), k)));
      engine_free(&e);
      nas_graph_free(g);
    }
}

/* Super neurons: the same network without shifts, with one for each channel and one for each connection, and the
 * shifts' gradients. */
static void move_their_inputs(void **state) {
  (void)state;
  nas_graph *g;
  nas_value value;
  int64_t pixels[3];
  static const char *const options[] = {"", "super=yes\n", "super=yes\nshift-groups=0\n"};
  for (int i = 0; i < 3; i++) {
    nas_attrs attrs = {.out = 2, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1};
    snprintf(attrs.options, sizeof attrs.options, "%s", options[i]);
    assert_ok(nas_graph_new((nas_shape){3, 5, 4}, &g, nas_test_err()));
    assert_ok(nas_neuron_build(nas_neuron_find("selfonn"), g, 0, &attrs, "n", &value, nas_test_err()));
    value = engine_close(g, value, 2);
    engine e = engine_new(g, value, NAS_F64, (nas_plan_options){.batch = 2, .mode = NAS_TRAIN});
    pixels[i] = nas_model_params(e.model);
    engine_check_gradients(&e, "selfonn, super");
    engine_free(&e);
    nas_graph_free(g);
  }
  assert_int_equal(pixels[1] - pixels[0], 6);
  assert_int_equal(pixels[2] - pixels[0], 12);
}

/* Parameters a hundred times as large as they begin give numbers, forwards and backwards, under these options. */
static void check_far_from_initialisation(const nas_neuron_type *type, const char *options, bool may_refuse) {
  for (int wide = 0; wide < 2; wide++) {
    bool dense = has_form(type, NAS_NEURON_DENSE) && !strstr(options, "super=true");
    nas_graph *g;
    nas_value value;
    nas_attrs attrs = {.out = 6, .stride = 1, .kernel_h = dense ? 0 : 3, .kernel_w = dense ? 0 : 3, .pad = !dense};
    snprintf(attrs.options, sizeof attrs.options, "%s", options);
    assert_ok(nas_graph_new(dense ? (nas_shape){12, 1, 1} : (nas_shape){3, 5, 4}, &g, nas_test_err()));
    nas_status status = nas_neuron_build(type, g, 0, &attrs, "n", &value, nas_test_err());
    if (status != NAS_OK && may_refuse) {
      nas_graph_free(g);
      return;
    }
    assert_ok(status);
    if (dense) assert_ok(nas_graph_set_output(g, value, nas_test_err()));
    else value = engine_close(g, value, 3);
    engine e = engine_new(g, value, wide ? NAS_F64 : NAS_F32, (nas_plan_options){.batch = 4, .mode = NAS_TRAIN});
    void *params = nas_model_param_data(e.model);
    for (int64_t i = 0; i < nas_model_params(e.model); i++) engine_set(&e, params, i, 100 * engine_get(&e, params, i));
    nas_model_constrain(e.model);
    double loss = engine_loss(&e);
    engine_backward(&e);
    if (!isfinite(loss)) fail_msg("%s with options '%s' gives %g", type->name, options, loss);
    for (int64_t i = 0; i < nas_model_params(e.model); i++)
      if (!isfinite(engine_get(&e, nas_model_grad_data(e.model), i)))
        fail_msg("%s with options '%s': gradient %lld is not finite", type->name, options, (long long)i);
    engine_free(&e);
    nas_graph_free(g);
  }
}

/* A type under each choice of one option, and a number at its least and at twice its default; the others at defaults.
 */
static void check_options_far_from_initialisation(const nas_neuron_type *type, const nas_option *option) {
  char text[96], choices[64];
  switch (option->type) {
    case NAS_OPTION_CHOICE:
      snprintf(choices, sizeof choices, "%s", option->choices);
      for (char *rest = choices, *word; (word = strtok_r(rest, "|", &rest));) {
        snprintf(text, sizeof text, "%s=%s\n", option->name, word);
        check_far_from_initialisation(type, text, false);
      }
      break;
    case NAS_OPTION_FLAG:
      for (int on = 0; on < 2; on++) {
        snprintf(text, sizeof text, "%s=%s\n", option->name, on ? "true" : "false");
        check_far_from_initialisation(type, text, false);
      }
      break;
    case NAS_OPTION_INT:
    case NAS_OPTION_REAL:
      for (int twice = 0; twice < 2; twice++) {
        double value = twice ? 2 * atof(option->fallback) : option->min > -1e5 ? option->min : 2 * option->min;
        if (value > option->max || value < option->min) continue;
        snprintf(text, sizeof text, "%s=%.17g\n", option->name, value);
        check_far_from_initialisation(type, text, true); /* such as a window of even side */
      }
      break;
    default: break; /* texts have tests of their own */
  }
}

static void stay_finite_far_from_initialisation(void **state) {
  (void)state;
  for (const nas_neuron_type *const *type = nas_neurons(); *type; type++) {
    check_far_from_initialisation(*type, (*type)->sample ? (*type)->sample : "", false);
    for (const nas_option *option = (*type)->options; option && option->name; option++)
      check_options_far_from_initialisation(*type, option);
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
  static const struct {
    const char *neuron, *options, *part;
  } rows[] = {{"kan-bspline", "grid=0\n", "grid"},
              {"kan-bspline", "order=99\n", "order"},
              {"kan-bspline", "low=2\nhigh=-2\n", "low must be below high"},
              {"kuramoto", "n=4\nchannels=6\n", "divide the channels"},
              {"kuramoto", "n=3\n", "even"},
              {"pade", "kind=z\n", "kind"},
              {"selfonn", "super=yes\n", "dense form"},
              {"selfonn", "order=17\n", "order"},
              {"smartmixed", "fix-after=-1\n", "fix-after"},
              {"s-kan", "pruned-after=-1\n", "pruned-after"},
              {"kan-rbf", "grids=1\n", "grids"},
              {"kan-rbf", "low=1\nhigh=1\n", "low must be below high"},
              {"kan-chebyshev", "degree=0\n", "degree"},
              {"rbf", "scaling=round\n", "scaling"},
              {"lif", "tau=0.5\n", "tau"},
              {"lif", "input=gauss\n", "input"},
              {"lehmer", "k=0\n", "k"},
              {"ltc", "unfolds=0\n", "unfolds"},
              {"s-kan", "stage=some\n", "stage"},
              {"smartmixed", "tau=0\n", "tau"},
              {"aptx", "alpha=two\n", "alpha"},
              {"activation", "activation=x*(1+x\n", "never closed"},
              {"activation", "activation=x*foo\n", "foo"},
              {"sk", "", "no dense form"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_attrs attrs = {.out = 4};
    char label[16];
    snprintf(label, sizeof label, "n%zu", i);
    snprintf(attrs.options, sizeof attrs.options, "%s", rows[i].options);
    assert_int_not_equal(nas_neuron_build(nas_neuron_find(rows[i].neuron), g, 0, &attrs, label, &value, nas_test_err()),
                         NAS_OK);
    if (!strstr(nas_test_err()->msg, rows[i].part))
      fail_msg("%s: '%s' does not say '%s'", rows[i].neuron, nas_test_err()->msg, rows[i].part);
  }
  nas_graph_free(g);
  assert_ok(nas_graph_new((nas_shape){1, 1, 1}, &g, nas_test_err()));
  assert_fails(nas_neuron_build(nas_neuron_find("kan-rbf"), g, 0, &(nas_attrs){.out = 2}, "n", &value, nas_test_err()),
               NAS_E_BAD_INPUT, "layer norm of 1 number");
  nas_graph_free(g);
}

/* A network description may name a neuron where it names an operation. */
static void stand_in_network_descriptions(void **state) {
  (void)state;
  nas_layer layers[] = {{.op = "quadratic",
                         .neuron = true,
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
  layers[0].neuron = false;
  net.task.classes = 4;
  assert_fails(nas_graph_from_net(&net, &g, nas_test_err()), NAS_E_BAD_INPUT, "4 classes");
  net.output = 7;
  assert_fails(nas_graph_from_net(&net, &g, nas_test_err()), NAS_E_BAD_INPUT, "no output");
}

NAS_SUITE(Neuron, NAS_CASE(have_the_gradients_of_finite_differences), NAS_CASE(have_a_convolutional_form),
          NAS_CASE(have_the_parameters_and_bits_they_say), NAS_CASE(have_the_work_they_say),
          NAS_CASE(have_no_poles_in_their_exponents), NAS_CASE(move_their_inputs),
          NAS_CASE(stay_finite_far_from_initialisation), NAS_CASE(refuse_what_they_cannot_be),
          NAS_CASE(stand_in_network_descriptions))
