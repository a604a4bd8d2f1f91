/* The space neuron-mlp: counts against the formula, texts and indices that read back, networks, and what it refuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "space/space.h"
#include "train/neuron.h"

static nas_space *open_with(const char *lines) {
  nas_settings s = {0};
  nas_space *space;
  nas_neurons_introduce();
  assert_ok(nas_settings_parse(&s, lines, "test", nas_test_err()));
  assert_ok(nas_space_open("neuron-mlp", &s, &space, nas_test_err()));
  nas_settings_free(&s);
  return space;
}

/* 3 types, 2 widths, 2 norms, 2 activations: 24 layers, so 24 + 24^2. */
static const char small[] =
    "neurons=linear,pade,kan-rbf\nwidths=4,8\nnorms=none,batch\nactivations=none,tanh\nmax-layers=2\n";

static void indices_texts_and_genes_read_back(void **state) {
  (void)state;
  nas_space *space = open_with(small);
  uint64_t n = nas_space_size(space), back;
  assert_int_equal(n, 24 + 576);
  assert_int_equal(nas_space_classes(space), n);
  assert_int_equal(nas_space_genes(space), 9);
  static char seen[600][NAS_ARCH_TEXT_MAX];
  for (uint64_t i = 0; i < n; i++) {
    nas_arch arch, again;
    assert_ok(nas_space_at(space, i, &arch, nas_test_err()));
    assert_true(nas_space_index(space, &arch, &back) && back == i);
    assert_ok(nas_space_format(space, &arch, seen[i], nas_test_err()));
    assert_ok(nas_space_parse(space, seen[i], &again, nas_test_err()));
    assert_true(nas_arch_same(&arch, &again));
    for (uint64_t k = 0; k < i; k++) assert_string_not_equal(seen[i], seen[k]);
  }
  assert_string_equal(seen[0], "linear:4:none:none");
  assert_string_equal(seen[599], "kan-rbf:8:batch:tanh|kan-rbf:8:batch:tanh");
  nas_space_close(space);
}

/* Genes of layers that are not there change nothing. */
static void genes_beyond_the_depth_have_no_effect(void **state) {
  (void)state;
  nas_space *space = open_with(small);
  nas_arch arch;
  char text[NAS_ARCH_TEXT_MAX], other[NAS_ARCH_TEXT_MAX];
  uint64_t a, b;
  assert_ok(nas_space_parse(space, "pade:8", &arch, nas_test_err()));
  assert_ok(nas_space_canonical(space, &arch, text, nas_test_err()));
  assert_true(nas_space_index(space, &arch, &a));
  arch.gene[5] = 2;
  assert_ok(nas_space_canonical(space, &arch, other, nas_test_err()));
  assert_true(nas_space_index(space, &arch, &b) && a == b);
  assert_string_equal(text, other);
  nas_space_close(space);
}

static void networks_are_as_written(void **state) {
  (void)state;
  nas_space *space = open_with("neurons=aptx\nwidths=32,64,128\n");
  nas_arch arch;
  nas_net *net;
  assert_ok(nas_space_parse(space, "aptx:128|aptx:64|aptx:32", &arch, nas_test_err()));
  assert_ok(nas_space_net(space, &arch, (nas_task){{1, 28, 28}, 10}, &net, nas_test_err()));
  assert_int_equal(net->params, 332330); /* the network of arXiv:2507.14270 */
  nas_net_free(net);
  nas_space_close(space);
  space = open_with("neurons=kan-bspline\nhead=kan-bspline\nwidths=64\n");
  assert_ok(nas_space_parse(space, "kan-bspline:64:batch:tanh|kan-bspline:64:layer", &arch, nas_test_err()));
  assert_ok(nas_space_net(space, &arch, (nas_task){{1, 4, 4}, 10}, &net, nas_test_err()));
  assert_int_equal(net->params, (16 * 64 + 64 * 64 + 64 * 10) * 10 + 2 * 64 + 2 * 64);
  nas_net_free(net);
  nas_space_close(space);
}

static void refused(const char *arguments, const char *part) {
  char *out, *err;
  int code = nas_run(&out, &err, "%s %s", nas_program(), arguments);
  assert_int_equal(code, 2);
  if (!strstr(err, part)) fail_msg("%s: '%s' does not say '%s'", arguments, err, part);
  free(out);
  free(err);
}

static void says_what_is_wrong(void **state) {
  (void)state;
  refused("space info neuron-mlp -o neurons=lienar", "did you mean 'linear'");
  refused("space info neuron-mlp -o widths=16,-3", "width");
  refused("space info neuron-mlp -o norms=bach", "did you mean 'batch'");
  refused("space info neuron-mlp -o activations=rleu", "did you mean");
  refused("space info neuron-mlp -o min-layers=3 -o max-layers=2", "max-layers");
  refused("space info neuron-mlp -o neurons=linear,linear", "twice");
  refused("space show neuron-mlp 'linear:17'", "arch:8");
  refused("space show neuron-mlp 'linear:-3'", "arch:8");
  refused("train --space neuron-mlp --arch linear:16 --dataset shapes -o widths=-3", "'-3' is no width");
  refused("train --space neuron-cell --arch 0 --dataset shapes -o space.width=-3", "width of space neuron-cell is -3");
  refused("space show neuron-mlp 'linear'", "arch:7");
  refused("space show neuron-mlp 'linear:16|'", "arch:11");
  refused("space show neuron-mlp 'linear:16|linear:16|linear:16|linear:16|linear:16'", "more than 4");
}

static void trains_on_images_and_functions(void **state) {
  (void)state;
  static const char *const lines[] = {
      "--dataset shapes --arch 'kan-rbf:16:layer:tanh|pade:16:batch' -o recipe.epochs=1 -o train-images=200",
      "--dataset 'function:exp(sin(pi*x)+y^2)' --arch 'linear:16:none:tanh|rbf:16' -o recipe.epochs=2"};
  for (size_t i = 0; i < 2; i++) {
    char *out, *err;
    int code = nas_run(&out, &err, "%s train --space neuron-mlp --recipe quick %s", nas_program(), lines[i]);
    if (code) fail_msg("exit %d, %s", code, err);
    if (i) assert_non_null(strstr(err, "root mean squared error"));
    free(out);
    free(err);
  }
}

/* A new activation on the command line and in a campaign file; what is wrong with one shows its column. */
static void activations_may_be_expressions(void **state) {
  (void)state;
#define TINY " -o dataset.train-images=64 -o recipe.epochs=1 --quiet"
  static const char *const spaces[] = {"neuron-mlp --arch linear:16",
                                       "neuron-cell --arch '|linear~0|+|none~0|none~1|+|none~0|none~1|none~2|'"};
  char arguments[400];
  for (int i = 0; i < 2; i++) {
    long long params[2];
    for (int k = 0; k < 2; k++) { /* three trained scalars more than tanh has */
      char *out, *err;
      int code =
          nas_run(&out, &err, "%s train --space %s --dataset shapes --recipe quick --json -o activation='%s'" TINY,
                  nas_program(), spaces[i], k ? "(a+tanh(b*x))*c*x" : "tanh");
      if (code) fail_msg("%s: exit %d, %s", spaces[i], code, err);
      assert_non_null(strstr(out, "\"params\": "));
      params[k] = strtoll(strstr(out, "\"params\": ") + strlen("\"params\": "), NULL, 10);
      free(out);
      free(err);
    }
    assert_int_equal(params[1] - params[0], 3);
    snprintf(arguments, sizeof arguments, "train --space %s --dataset shapes -o activation='x*tahn(x)'", spaces[i]);
    refused(arguments, "activation:3: no function 'tahn', did you mean 'tanh'");
    snprintf(arguments, sizeof arguments, "train --space %s --dataset shapes -o activation='x*(1+x'", spaces[i]);
    refused(arguments, "activation:3: this '(' is never closed");
  }
  static const char *const campaigns[][2] = {{"x*foo", "activation:3: unknown name 'foo'"},
                                             {"x*tanh(log(1+exp(x)))", NULL}};
  for (int i = 0; i < 2; i++) {
    char *err;
    int code =
        nas_run(NULL, &err,
                "cd %s && rm -f new.db && printf 'space: {name: neuron-mlp, activation: \"%%s\"}\\n"
                "dataset: {name: shapes}\\nrecipe: {name: quick}\\nstrategy: {name: random}\\nbudget: {trials: 1}\\n' "
                "'%s' >new.yaml && %s search new.yaml --db new.db" TINY,
                nas_test_folder(), campaigns[i][0], nas_program());
    assert_int_equal(code, campaigns[i][1] ? 2 : 0);
    if (campaigns[i][1] && !strstr(err, campaigns[i][1])) fail_msg("'%s' does not say '%s'", err, campaigns[i][1]);
    free(err);
  }
}

NAS_SUITE(NeuronMlp, NAS_CASE(activations_may_be_expressions), NAS_CASE(indices_texts_and_genes_read_back),
          NAS_CASE(genes_beyond_the_depth_have_no_effect), NAS_CASE(networks_are_as_written),
          NAS_CASE(says_what_is_wrong), NAS_CASE(trains_on_images_and_functions))
