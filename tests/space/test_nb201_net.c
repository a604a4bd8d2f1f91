/* The network around a nas-bench-201 cell. */
#include <string.h>

#include "harness.h"
#include "space/space.h"

static nas_space *open_space(const char *channels, const char *cells) {
  nas_space *space;
  nas_settings settings = {0};
  assert_ok(nas_settings_put(&settings, "channels", channels, "test", nas_test_err()));
  assert_ok(nas_settings_put(&settings, "cells", cells, "test", nas_test_err()));
  assert_ok(nas_space_open("nas-bench-201", &settings, &space, nas_test_err()));
  nas_settings_free(&settings);
  return space;
}

static nas_net *make_net(const nas_space *space, const char *text, nas_task task) {
  nas_arch arch;
  nas_net *net;
  assert_ok(nas_space_parse(space, text, &arch, nas_test_err()));
  assert_ok(nas_space_net(space, &arch, task, &net, nas_test_err()));
  return net;
}

static int32_t find(const nas_net *net, const char *label) {
  for (int32_t i = 0; i < net->n; i++)
    if (strcmp(net->layers[i].label, label) == 0) return i;
  return -1;
}

static void assert_input(const nas_net *net, const char *layer, int32_t k, const char *source) {
  int32_t i = find(net, layer);
  if (i < 0 || find(net, source) < 0) fail_msg("no layer %s or %s", layer, source);
  assert_true(k < net->layers[i].n_inputs);
  assert_int_equal(net->layers[i].inputs[k], find(net, source));
}

#define FULL "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"

static void is_wired_as_published(void **state) {
  (void)state;
  nas_space *space = open_space("8", "2");
  nas_net *net = make_net(space, FULL, (nas_task){{1, 28, 28}, 10});
  assert_input(net, "stage0.cell0.edge0-1.relu", 0, "stem.bn");
  assert_input(net, "stage0.cell0.node2.add", 0, "stage0.cell0.edge0-2.pool");
  assert_input(net, "stage0.cell0.node2.add", 1, "stage0.cell0.edge1-2.bn");
  assert_input(net, "stage0.cell0.edge1-2.relu", 0, "stage0.cell0.edge0-1.bn");
  assert_input(net, "stage0.cell0.node3.add", 0, "stem.bn");
  assert_input(net, "stage0.cell0.node3.add", 1, "stage0.cell0.edge2-3.bn");
  assert_int_equal(net->layers[find(net, "stage0.cell0.node3.add")].n_inputs, 2);
  assert_input(net, "stage0.cell1.edge0-1.relu", 0, "stage0.cell0.node3.add");
  assert_input(net, "reduction1.a.relu", 0, "stage0.cell1.node3.add");
  assert_input(net, "reduction1.down.pool", 0, "stage0.cell1.node3.add");
  assert_input(net, "reduction1.add", 0, "reduction1.down.conv");
  assert_input(net, "reduction1.add", 1, "reduction1.b.bn");
  assert_input(net, "reduction1.b.relu", 0, "reduction1.a.bn");
  assert_input(net, "stage1.cell0.edge0-2.pool", 0, "reduction1.add");
  assert_input(net, "head.bn", 0, "stage2.cell1.node3.add");
  assert_input(net, "head.classifier", 0, "head.pool");
  assert_int_equal(net->output, find(net, "head.classifier"));
  nas_shape s = net->layers[find(net, "stage2.cell1.edge0-1.conv")].shape;
  assert_int_equal(s.c, 32);
  assert_int_equal(s.h, 7);
  assert_int_equal(s.w, 7);
  const nas_attrs *down = &net->layers[find(net, "reduction2.a.conv")].attrs;
  assert_int_equal(down->stride, 2);
  assert_int_equal(down->pad, 1);
  assert_false(down->bias);
  nas_net_free(net);
  nas_space_close(space);
}

/* Labels name parameters and seed them: equal ones would train as one. */
static void labels_are_unique(void **state) {
  (void)state;
  nas_space *space = open_space("4", "3");
  nas_net *net = make_net(space, FULL, (nas_task){{3, 32, 32}, 10});
  for (int32_t i = 0; i < net->n; i++)
    for (int32_t j = 0; j < i; j++) assert_string_not_equal(net->layers[i].label, net->layers[j].label);
  nas_net_free(net);
  nas_space_close(space);
}

/* Parameters and MACs of the same networks as PyTorch 1.13 modules (the published skeleton; hooks on Conv2d and
 * Linear; the bias of the classifier counted as in the published MACs). */
static void other_sizes_agree_with_pytorch(void **state) {
  (void)state;
  static const struct {
    const char *channels, *cells, *arch;
    nas_task task;
    int64_t params, macs;
  } rows[] = {{"8",
               "1",
               "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
               {{1, 28, 28}, 10},
               44466,
               4321738},
              {"8",
               "2",
               "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
               {{1, 8, 8}, 10},
               140674,
               1225546},
              {"5",
               "3",
               "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|",
               {{3, 32, 32}, 100},
               25575,
               3161140},
              {"16",
               "5",
               "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
               {{3, 16, 24}, 120},
               1295656,
               69281400}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_space *space = open_space(rows[i].channels, rows[i].cells);
    nas_net *net = make_net(space, rows[i].arch, rows[i].task);
    assert_int_equal(net->params, rows[i].params);
    assert_int_equal(net->macs, rows[i].macs);
    nas_net_free(net);
    nas_space_close(space);
  }
}

/* Edges out of a zero node keep their layers, but nothing reads them. */
static void zeros_end_at_their_node(void **state) {
  (void)state;
  nas_space *space = open_space("4", "1");
  nas_net *net = make_net(space, "|none~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|",
                          (nas_task){{3, 8, 8}, 10});
  assert_int_equal(find(net, "stage0.cell0.edge0-1.conv"), -1);
  assert_string_equal(net->layers[find(net, "stage0.cell0.node1.zero")].op, "zero");
  assert_string_equal(net->layers[find(net, "stage0.cell0.node2.zero")].op, "zero");
  int32_t dead = find(net, "stage0.cell0.edge1-2.bn");
  assert_true(dead >= 0 && find(net, "stage0.cell0.edge1-3.bn") >= 0);
  for (int32_t i = 0; i < net->n; i++)
    for (int32_t k = 0; k < net->layers[i].n_inputs; k++) assert_true(net->layers[i].inputs[k] != dead);
  /* What is left of the cell is its skip connection: the reduction reads the stem. */
  assert_input(net, "reduction1.a.relu", 0, "stem.bn");
  nas_net_free(net);
  net = make_net(space, "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|", (nas_task){{3, 8, 8}, 10});
  assert_input(net, "reduction1.a.relu", 0, "stage0.cell0.node3.zero");
  nas_net_free(net);
  nas_space_close(space);
}

/* Two cells that differ in edges out of a zero node only. */
static void dead_edges_do_not_change_the_class(void **state) {
  (void)state;
  nas_space *space = open_space("4", "1");
  nas_arch a, b;
  uint64_t class_a = 0, class_b = 1;
  assert_ok(
      nas_space_parse(space, "|none~0|+|skip_connect~0|none~1|+|none~0|none~1|nor_conv_3x3~2|", &a, nas_test_err()));
  assert_ok(nas_space_parse(space, "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|",
                            &b, nas_test_err()));
  assert_true(nas_space_class(space, &a, &class_a) && nas_space_class(space, &b, &class_b));
  assert_int_equal(class_a, class_b);
  nas_space_close(space);
}

static void refuses_sizes_that_cannot_be_halved_twice(void **state) {
  (void)state;
  nas_space *space = open_space("4", "1");
  nas_arch arch;
  nas_net *net;
  nas_err *e = nas_test_err();
  assert_ok(nas_space_parse(space, "0", &arch, e));
  assert_fails(nas_space_net(space, &arch, (nas_task){{3, 30, 32}, 10}, &net, e), NAS_E_BAD_INPUT, "15 x 16");
  assert_null(net);
  assert_fails(nas_space_net(space, &arch, (nas_task){{3, 32, 27}, 10}, &net, e), NAS_E_BAD_INPUT, "32 x 27");
  assert_fails(nas_space_net(space, &arch, (nas_task){{3, 2, 2}, 10}, &net, e), NAS_E_BAD_INPUT, "1 x 1");
  assert_fails(nas_space_net(space, &arch, (nas_task){{0, 32, 32}, 10}, &net, e), NAS_E_BAD_INPUT, "0 x 32 x 32");
  assert_int_equal(nas_space_net(space, &arch, (nas_task){{3, 32, 32}, 0}, &net, NULL), NAS_E_BAD_INPUT);
  nas_space_close(space);
}

NAS_SUITE(NasBench201Net, NAS_CASE(is_wired_as_published), NAS_CASE(labels_are_unique),
          NAS_CASE(other_sizes_agree_with_pytorch), NAS_CASE(zeros_end_at_their_node),
          NAS_CASE(dead_edges_do_not_change_the_class), NAS_CASE(refuses_sizes_that_cannot_be_halved_twice))
