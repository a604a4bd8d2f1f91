#include "space/net.h"

#include <math.h>
#include <string.h>

#include "harness.h"
#include "space/space.h"

static nas_net *net;

static void open_net(int32_t c, int32_t h, int32_t w) {
  net = nas_net_new((nas_task){{c, h, w}, 10}, nas_test_err());
  assert_non_null(net);
}

static void assert_layer(int32_t i, const char *op, int32_t c, int32_t h, int32_t w, int64_t params, int64_t macs) {
  const nas_layer *l = &net->layers[i];
  assert_string_equal(l->op, op);
  assert_int_equal(l->shape.c, c);
  assert_int_equal(l->shape.h, h);
  assert_int_equal(l->shape.w, w);
  assert_int_equal(l->params, params);
  assert_int_equal(l->macs, macs);
}

/* Hand-worked: a small network with every layer kind. */
static void infers_shapes_params_and_macs(void **state) {
  (void)state;
  open_net(3, 9, 8);
  nas_err *e = nas_test_err();
  int32_t x, y, z;
  assert_ok(nas_net_conv2d(net, NAS_NET_INPUT, 8, 3, 2, 1, 1, true, "a", &x, e));
  assert_layer(0, "conv2d", 8, 5, 4, 3 * 9 * 8 + 8, (3 * 9 * 8 + 8) * 20);
  assert_ok(nas_net_conv2d(net, x, 12, 3, 1, 0, 4, false, "b", &y, e));
  assert_layer(1, "conv2d", 12, 3, 2, 2 * 9 * 12, 2 * 9 * 12 * 6);
  assert_ok(nas_net_batch_norm(net, y, "c", &y, e));
  assert_layer(2, "batch_norm", 12, 3, 2, 24, 0);
  assert_ok(nas_net_relu(net, y, "d", &y, e));
  assert_layer(3, "relu", 12, 3, 2, 0, 0);
  assert_ok(nas_net_pool(net, "max_pool", x, 3, 2, 1, "e", &z, e));
  assert_layer(4, "max_pool", 8, 3, 2, 0, 0);
  assert_ok(nas_net_pool(net, "avg_pool", x, 2, 2, 0, "f", &z, e));
  assert_layer(5, "avg_pool", 8, 2, 2, 0, 0);
  assert_ok(nas_net_zero(net, y, "g", &z, e));
  assert_layer(6, "zero", 12, 3, 2, 0, 0);
  assert_ok(nas_net_add(net, (int32_t[]){y, z, y}, 3, "h", &y, e));
  assert_layer(7, "add", 12, 3, 2, 0, 0);
  assert_int_equal(net->layers[7].n_inputs, 3);
  assert_int_equal(net->layers[7].inputs[1], z);
  assert_ok(nas_net_dropout(net, y, 0.25, "i", &y, e));
  assert_layer(8, "dropout", 12, 3, 2, 0, 0);
  assert_close(net->layers[8].attrs.rate, 0.25, 0);
  assert_ok(nas_net_linear(net, y, 7, "j", &z, e));
  assert_layer(9, "linear", 7, 1, 1, 72 * 7 + 7, 72 * 7 + 7);
  assert_ok(nas_net_global_pool(net, y, "k", &y, e));
  assert_layer(10, "global_pool", 12, 1, 1, 0, 0);
  assert_ok(nas_net_linear(net, y, 10, "l", &y, e));
  assert_ok(nas_net_set_output(net, y, e));
  assert_int_equal(net->output, 11);
  assert_int_equal(net->params, 224 + 216 + 24 + 511 + 130);
  assert_int_equal(net->macs, 4480 + 1296 + 511 + 130);
  nas_net_free(net);
}

static void refuses_what_does_not_fit(void **state) {
  (void)state;
  open_net(3, 8, 8);
  nas_err *e = nas_test_err();
  int32_t x, y;
  assert_ok(nas_net_conv2d(net, NAS_NET_INPUT, 4, 3, 1, 1, 1, false, "stem", &x, e));
  assert_ok(nas_net_conv2d(net, NAS_NET_INPUT, 4, 3, 2, 1, 1, false, "half", &y, e));
  int32_t n = net->n, out;
  int64_t params = net->params;
  assert_fails(nas_net_add(net, (int32_t[]){x, y}, 2, "sum", &out, e), NAS_E_BAD_INPUT, "sum");
  assert_fails(nas_net_add(net, (int32_t[]){x, y}, 2, "sum", &out, e), NAS_E_BAD_INPUT, "4 x 8 x 8 and 4 x 4 x 4");
  assert_fails(nas_net_add(net, &x, 1, "sum", &out, e), NAS_E_BAD_INPUT, "a sum of 1 values");
  assert_fails(nas_net_add(net, (int32_t[9]){0}, 9, "sum", &out, e), NAS_E_BAD_INPUT, "a sum of 9 values");
  assert_fails(nas_net_relu(net, 2, "late", &out, e), NAS_E_BAD_INPUT, "late");
  assert_fails(nas_net_relu(net, -2, "late", &out, e), NAS_E_BAD_INPUT, "layer -2");
  assert_fails(nas_net_conv2d(net, x, 6, 3, 1, 1, 4, false, "g", &out, e), NAS_E_BAD_INPUT, "4 groups");
  assert_fails(nas_net_conv2d(net, x, 4, 3, 1, 1, 0, false, "g", &out, e), NAS_E_BAD_INPUT, "0 groups");
  assert_fails(nas_net_conv2d(net, x, 0, 3, 1, 1, 1, false, "c", &out, e), NAS_E_BAD_INPUT, "0 output channels");
  assert_fails(nas_net_conv2d(net, x, 4, 11, 1, 1, 1, false, "k", &out, e), NAS_E_BAD_INPUT, "11 x 11");
  assert_fails(nas_net_conv2d(net, x, 4, 3, 0, 1, 1, false, "s", &out, e), NAS_E_BAD_INPUT, "stride 0");
  assert_fails(nas_net_conv2d(net, x, 4, 3, 1, -1, 1, false, "p", &out, e), NAS_E_BAD_INPUT, "padding -1");
  assert_fails(nas_net_pool(net, "avg_pool", x, 3, 1, 2, "p", &out, e), NAS_E_BAD_INPUT, "at most 1");
  assert_fails(nas_net_pool(net, "mean_pool", x, 3, 1, 1, "p", &out, e), NAS_E_UNKNOWN_NAME, "mean_pool");
  assert_fails(nas_net_dropout(net, x, 1, "d", &out, e), NAS_E_BAD_INPUT, "rate of 1");
  assert_fails(nas_net_dropout(net, x, NAN, "d", &out, e), NAS_E_BAD_INPUT, "nan");
  assert_fails(nas_net_linear(net, x, 0, "l", &out, e), NAS_E_BAD_INPUT, "0 features");
  assert_fails(nas_net_set_output(net, x, e), NAS_E_BAD_INPUT, "10 x 1 x 1");
  assert_fails(nas_net_set_output(net, 17, e), NAS_E_BAD_INPUT, "layer 17");
  assert_fails(nas_net_relu(net, x, "a.label.that.is.longer.than.the.fifty.five.characters.it.has", &out, e),
               NAS_E_BAD_INPUT, "at most 55");
  assert_int_equal(net->n, n); /* a refused layer leaves no trace */
  assert_int_equal(net->params, params);
  nas_net_free(net);
}

static void refuses_sizes_that_cannot_be_counted(void **state) {
  (void)state;
  nas_err *e = nas_test_err();
  assert_null(nas_net_new((nas_task){{0, 8, 8}, 10}, e));
  assert_int_equal(e->code, NAS_E_BAD_INPUT);
  assert_null(nas_net_new((nas_task){{3, -8, 8}, 10}, e));
  assert_null(nas_net_new((nas_task){{1 << 20, 65536, 65536}, 10}, e));
  assert_null(nas_net_new((nas_task){{3, 8, 8}, 0}, e));
  assert_true(strstr(e->msg, "0 classes") != NULL);
  open_net(1 << 14, 256, 256);
  int32_t x;
  assert_fails(nas_net_conv2d(net, NAS_NET_INPUT, 1 << 20, 3, 1, 1, 1, false, "wide", &x, e), NAS_E_BAD_INPUT, "large");
  assert_fails(nas_net_conv2d(net, NAS_NET_INPUT, 1 << 14, 1023, 1, 511, 1, false, "huge", &x, e), NAS_E_OUT_OF_RANGE,
               "huge");
  nas_net_free(net);
}

NAS_SUITE(Net, NAS_CASE(infers_shapes_params_and_macs), NAS_CASE(refuses_what_does_not_fit),
          NAS_CASE(refuses_sizes_that_cannot_be_counted))
