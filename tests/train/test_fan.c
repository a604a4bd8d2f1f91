/* Fans of convolutions and the sums that take them, which training runs as a few fused steps (direct_fan.c, folded.c,
 * conv_fan.c, weighted_sum.c): against the plain kernels, over odd shapes. The ReLU stands on the image only, because
 * behind a norm two roundings may disagree on the sign of a number near zero. */
#include "engine_check.h"
#include "train/direct_fan.h"
#include "train/direct_pack.h"
#include "train/plan_internal.h"

/* Relative to the largest number of each kind, after up to three norms on top of each other. */
static const double BOUND = 2e-5;

static nas_value branch(nas_graph *g, nas_value in, bool relu, int32_t kernel, const char *label) {
  nas_attrs attrs = {.out = nas_graph_shape(g, in).c, .kernel_h = kernel, .kernel_w = kernel, .stride = 1};
  attrs.pad = kernel / 2;
  char name[40];
  if (relu) assert_ok(nas_graph_op(g, "relu", &in, 1, NULL, label, &in, nas_test_err()));
  snprintf(name, sizeof name, "%s.conv", label);
  assert_ok(nas_graph_op(g, "conv2d", &in, 1, &attrs, name, &in, nas_test_err()));
  snprintf(name, sizeof name, "%s.bn", label);
  assert_ok(nas_graph_op(g, "batch_norm", &in, 1, NULL, name, &in, nas_test_err()));
  return in;
}

static nas_value sum(nas_graph *g, const nas_value *terms, int32_t n) {
  nas_value out;
  assert_ok(nas_graph_op(g, "add", terms, n, NULL, "sum", &out, nas_test_err()));
  return out;
}

/* A cell with fans of one and of several branches, of equal and of different kernels, and sums with all kinds of
 * terms; `wide` is the kernel of the largest convolution. */
static nas_graph *cell(nas_shape image, int32_t wide, nas_value *out) {
  const nas_attrs pool = {.kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1}, classes = {.out = 3, .bias = true};
  nas_graph *g;
  nas_value x, pooled;
  assert_ok(nas_graph_new(image, &g, nas_test_err()));
  x = nas_graph_input(g);
  nas_value first = sum(g, (nas_value[]){branch(g, x, true, wide, "a"), branch(g, x, true, 1, "b"), x}, 3);
  assert_ok(nas_graph_op(g, "avg_pool", &first, 1, &pool, "pool", &pooled, nas_test_err()));
  nas_value second = sum(g, (nas_value[]){branch(g, first, false, 1, "c"), pooled, branch(g, x, true, wide, "d")}, 3);
  nas_value third = sum(g,
                        (nas_value[]){branch(g, second, false, 1, "e"), branch(g, first, false, 1, "f"),
                                      branch(g, x, true, 1, "g"), branch(g, second, false, wide, "h")},
                        4);
  assert_ok(nas_graph_op(g, "global_pool", &third, 1, NULL, "mean", &third, nas_test_err()));
  assert_ok(nas_graph_op(g, "linear", &third, 1, &classes, "classifier", out, nas_test_err()));
  assert_ok(nas_graph_set_output(g, *out, nas_test_err()));
  return g;
}

/* The fast plan against the plain one; frees the graph. */
static void check_plans(nas_graph *g, nas_value out, nas_plan_options options, double bound, const char *what) {
  engine fast = engine_as(g, out, NAS_F32, options);
  options.reference = true;
  engine plain = engine_as(g, out, NAS_F32, options);
  engine_check_same(&fast, &plain, bound, what);
  engine_free(&fast);
  engine_free(&plain);
  nas_graph_free(g);
}

static void check_and_free(nas_graph *g, nas_value out, int32_t batch, double bound, const char *what) {
  check_plans(g, out, (nas_plan_options){.batch = batch, .input_gradient = true}, bound, what);
}

static void compare_within(nas_shape image, int32_t batch, int32_t wide, double bound) {
  nas_value out;
  nas_graph *g = cell(image, wide, &out);
  char what[120];
  snprintf(what, sizeof what, "cell of %dx%dx%d, batch %d, kernel %d", image.c, image.h, image.w, batch, wide);
  check_and_free(g, out, batch, bound, what);
}

static void compare(nas_shape image, int32_t batch, int32_t wide) { compare_within(image, batch, wide, BOUND); }

static void equals_the_plain_kernels_on_odd_channels(void **state) {
  (void)state;
  for (int32_t c = 1; c <= 64; c = c == 17 ? 31 : c == 33 ? 48 : c == 48 ? 64 : c + 1)
    compare((nas_shape){c, 4, c % 2 ? 6 : 8}, 3, 3);
}

static void equals_the_plain_kernels_on_odd_sizes(void **state) {
  (void)state;
  static const int32_t channels[] = {4, 8, 16, 32};
  for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
    for (int32_t size = 1; size <= 9; size++)
      for (int32_t wide = 3; wide <= 5; wide += 2) {
        int32_t batch = size < 3 ? 8 : size % 2 + 1, other = size > 4 ? size - 3 : size;
        compare((nas_shape){channels[i], size, other}, batch, wide);
        compare((nas_shape){channels[i], other, size}, batch, wide);
      }
  /* A norm of one number enlarges rounding errors by 1/sqrt(epsilon) = 316. */
  compare_within((nas_shape){16, 1, 1}, 1, 3, 10 * BOUND);
  compare((nas_shape){16, 33, 30}, 2, 3);
}

static void rows_of_several_images_are_walked_together(void **state) {
  (void)state;
  for (int32_t width = 1; width <= 8; width++) compare((nas_shape){16, 3, width}, 8, 3);
  for (int32_t width = 2; width <= 16; width += 2) compare((nas_shape){8, 3, width}, 8, 3);
}

/* A convolution that halves the image, in a sum with another one's output. */
static void compare_halving(nas_shape image, int32_t outs, int32_t batch) {
  nas_graph *g;
  const nas_attrs halve = {.out = outs, .kernel_h = 3, .kernel_w = 3, .stride = 2, .pad = 1};
  const nas_attrs classes = {.out = 3, .bias = true};
  assert_ok(nas_graph_new(image, &g, nas_test_err()));
  nas_value x = branch(g, nas_graph_input(g), true, 1, "a"), y, out;
  x = sum(g, (nas_value[]){x, nas_graph_input(g)}, 2);
  assert_ok(nas_graph_op(g, "relu", &x, 1, NULL, "relu", &y, nas_test_err()));
  assert_ok(nas_graph_op(g, "conv2d", &y, 1, &halve, "conv", &y, nas_test_err()));
  assert_ok(nas_graph_op(g, "batch_norm", &y, 1, NULL, "bn", &y, nas_test_err()));
  assert_ok(nas_graph_op(g, "global_pool", &y, 1, NULL, "mean", &out, nas_test_err()));
  assert_ok(nas_graph_op(g, "linear", &out, 1, &classes, "classifier", &out, nas_test_err()));
  assert_ok(nas_graph_set_output(g, out, nas_test_err()));
  char what[120];
  snprintf(what, sizeof what, "halving of %dx%dx%d to %d, batch %d", image.c, image.h, image.w, outs, batch);
  check_and_free(g, out, batch, BOUND, what);
}

static void halving_convolutions_equal_the_plain_kernels(void **state) {
  (void)state;
  static const int32_t channels[][2] = {{8, 16}, {16, 32}, {48, 16}, {8, 8}, {5, 16}, {32, 48}, {17, 31}};
  for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
    for (int32_t size = 2; size <= 9; size++)
      compare_halving((nas_shape){channels[i][0], size, 2 + size * 3 % 8}, channels[i][1], size % 3 + 2);
  compare_halving((nas_shape){16, 34, 30}, 32, 2);
  compare_halving((nas_shape){16, 8, 6}, 32, 1);
}

/* The first convolution of a network: few channels, no ReLU, nobody asks for the gradient by the image. */
static void compare_first(nas_shape image, int32_t outs, int32_t kernel, int32_t batch) {
  nas_graph *g;
  const nas_attrs stem = {.out = outs, .kernel_h = kernel, .kernel_w = kernel, .stride = 1, .pad = kernel / 2};
  const nas_attrs classes = {.out = 3, .bias = true};
  nas_value y, out;
  assert_ok(nas_graph_new(image, &g, nas_test_err()));
  y = nas_graph_input(g);
  assert_ok(nas_graph_op(g, "conv2d", &y, 1, &stem, "conv", &y, nas_test_err()));
  assert_ok(nas_graph_op(g, "batch_norm", &y, 1, NULL, "bn", &y, nas_test_err()));
  y = sum(g, (nas_value[]){y, y}, 2);
  assert_ok(nas_graph_op(g, "global_pool", &y, 1, NULL, "mean", &out, nas_test_err()));
  assert_ok(nas_graph_op(g, "linear", &out, 1, &classes, "classifier", &out, nas_test_err()));
  assert_ok(nas_graph_set_output(g, out, nas_test_err()));
  char what[120];
  snprintf(what, sizeof what, "first convolution of %dx%dx%d to %d, kernel %d, batch %d", image.c, image.h, image.w,
           outs, kernel, batch);
  check_plans(g, out, (nas_plan_options){.batch = batch}, BOUND, what);
}

static void first_convolutions_equal_the_plain_kernels(void **state) {
  (void)state;
  static const int32_t channels[][2] = {{1, 8}, {3, 16}, {1, 16}, {3, 8}, {2, 8}, {4, 16}, {3, 48}, {9, 16}};
  for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
    for (int32_t size = 2; size <= 9; size++)
      for (int32_t kernel = 1; kernel <= 3; kernel += 2)
        compare_first((nas_shape){channels[i][0], size, 2 + size * 3 % 8}, channels[i][1], kernel, size % 3 + 2);
  for (size_t i = 0; i < 4; i++) /* low images and wide ones */
    for (int32_t height = 1; height <= 3; height++)
      for (int32_t width = 17; width <= 18; width++)
        compare_first((nas_shape){channels[i][0], height, width}, channels[i][1], 3, height == 2 ? 3 : 1);
  compare_first((nas_shape){1, 28, 28}, 8, 3, 3);
  compare_first((nas_shape){3, 32, 32}, 16, 3, 3);
}

/* Small whole numbers, whose sums are exact in any order. */
static float whole(int64_t i, int64_t by) { return (float)(i * by % 13 - 6); }

/* One shape of windows whose three rows are taken together, and back: every number, and nothing behind the last. */
static void check_stack(int64_t length, int64_t step, int64_t images, int64_t rows, int64_t width) {
  enum { MOST = 2 * 5 * (19 * 6 + 12), OUTPUTS = 2 * 3 * 19 * 16, WEIGHTS = 3 * 12 * 16, GUARD = 99 };
  static float x[MOST], w[WEIGHTS], y[OUTPUTS + 16], dw[WEIGHTS];
  int64_t x_row = (width - 1) * step + length + 1, x_image = (rows + 2) * x_row, n = images * rows * width * 16;
  for (int64_t i = 0; i < MOST; i++) x[i] = whole(i, 5);
  for (int64_t i = 0; i < WEIGHTS; i++) w[i] = whole(i, 7), dw[i] = whole(i, 3);
  for (int64_t i = 0; i < n + 16; i++) y[i] = GUARD;
  nas_kernels()->direct_stacked(&(nas_direct_stack){x, w, images, rows, width, step, length, x_image, x_row, y, 0});
  for (int64_t i = 0; i < n; i++) {
    int64_t output = i / 16, row = output / width, at = row / rows * x_image + row % rows * x_row;
    float sum = 0;
    for (int64_t r = 0; r < 3; r++)
      for (int64_t t = 0; t < length; t++)
        sum += x[at + r * x_row + output % width * step + t] * w[(r * length + t) * 16 + i % 16];
    if (y[i] != sum) fail_msg("length %d, output %d of %d: %g, not %g", (int)length, (int)i, (int)n, y[i], sum);
  }
  for (int64_t i = n; i < n + 16; i++) assert_float_equal(y[i], GUARD, 0);
  if (!nas_direct_stacks_gradient(length, 1)) return;
  for (int64_t i = 0; i < n; i++) y[i] = whole(i, 11);
  nas_direct_gradient g = {.x = x, .dz = {y}, .images = images, .rows = rows, .width = width, .step = step};
  g.length = length, g.x_image = x_image, g.x_row = x_row, g.vectors = 1, g.dw = dw;
  g.dz_image = rows * width * 16, g.dz_row = width * 16, g.dz_pitch = 16;
  nas_kernels()->direct_gradient_stacked(&g);
  for (int64_t i = 0; i < 3 * length * 16; i++) {
    int64_t tap = i / 16, from = tap / length * x_row + tap % length;
    float sum = whole(i, 3);
    for (int64_t o = 0; o < n / 16; o++) {
      int64_t row = o / width, at = row / rows * x_image + row % rows * x_row + o % width * step;
      sum += x[at + from] * y[o * 16 + i % 16];
    }
    if (dw[i] != sum) fail_msg("length %d, weight %d: %g, not %g", (int)length, (int)i, dw[i], sum);
  }
}

static void stacked_windows_are_sums_of_products(void **state) {
  (void)state;
  static const int64_t lengths[][2] = {{3, 1}, {4, 2}, {9, 3}, {12, 6}};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    assert_true(nas_direct_stacks(lengths[i][0], lengths[i][1], 1));
    for (int64_t images = 1; images <= 2; images++)
      for (int64_t rows = 1; rows <= 3; rows++)
        for (int64_t width = 1; width <= 19; width++) check_stack(lengths[i][0], lengths[i][1], images, rows, width);
  }
}

/* Whether the plan has a fan of so many branches through our own kernels. */
static bool has_direct_fan(const nas_plan *p, int32_t branches) {
  for (int32_t i = 0; i < p->n_steps; i++)
    if (p->steps[i].kernel == &nas_direct_fan && p->steps[i].call.n_branches == branches) return true;
  return false;
}

/* One fan of 3x3 convolutions of the image, whose gradient adds to that of a skip connection; the classifier looks at
 * every pixel, so that no two gradients are alike. */
static void compare_fan(int32_t channels, int32_t size, int32_t batch, int32_t branches, bool relu) {
  nas_graph *g;
  nas_value terms[4], out;
  char what[80], label[8];
  snprintf(what, sizeof what, "fan of %d, %d channels, %dx%d, batch %d", branches, channels, size, size, batch);
  assert_ok(nas_graph_new((nas_shape){channels, size, size}, &g, nas_test_err()));
  terms[0] = nas_graph_input(g);
  for (int32_t i = 1; i <= branches; i++) {
    snprintf(label, sizeof label, "b%d", i);
    terms[i] = branch(g, terms[0], relu, 3, label);
  }
  out = engine_close(g, sum(g, terms, branches + 1), 3);
  engine e = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = batch});
  assert_true(!nas_kernels()->direct || has_direct_fan(e.plan, branches));
  engine_free(&e);
  check_and_free(g, out, batch, BOUND, what);
}

/* The shapes of NAS-Bench-201 networks on 28x28 and on 32x32 images, where Winograd's filtering runs, and 64 channels
 * at other sizes, over one to three branches and more than one tile. */
static void fans_of_networks_equal_the_plain_kernels(void **state) {
  (void)state;
  static const int32_t shapes[][3] = {{8, 28, 4},  {16, 14, 6}, {32, 7, 11}, {16, 32, 2},
                                      {32, 16, 2}, {64, 8, 5},  {64, 14, 2}, {64, 4, 3}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    if (NAS_TEST_SANITIZED && shapes[i][0] * shapes[i][1] > 512) continue; /* the plain kernels take long there */
    for (int32_t branches = NAS_TEST_SANITIZED ? 3 : 1; branches <= 3; branches++)
      compare_fan(shapes[i][0], shapes[i][1], NAS_TEST_SANITIZED ? 2 : shapes[i][2], branches, branches != 2);
  }
  if (!NAS_TEST_SANITIZED) compare_fan(64, 28, 1, 1, true);
}

/* Weights come back from the packed order as they went in. */
static void packing_is_undone_by_unpacking(void **state) {
  (void)state;
  static const int64_t channels[] = {4, 8, 16, 48};
  enum { INS = 5, MOST = 48 * INS * 25 };
  for (size_t i = 0; i < 4; i++)
    for (int64_t kernel = 1; kernel <= 5; kernel += 2) {
      const nas_direct_shape s = {channels[i], INS, kernel, false};
      int64_t n = s.outs * INS * kernel * kernel, count = nas_direct_count(s.outs), pixels = nas_direct_pixels(s.outs);
      float *plain = calloc(MOST, sizeof *plain), *back = calloc(MOST, sizeof *back);
      float *packed = calloc((size_t)(count * nas_direct_packed(&s)), sizeof *packed);
      assert_true(plain && back && packed);
      for (int64_t k = 0; k < n; k++) plain[k] = (float)(k + 1);
      for (int64_t v = 0; v < count; v++) nas_direct_pack(packed, plain, &s, v, v, count, NULL);
      for (int64_t v = 0; v < count; v++) nas_direct_unpack(back, packed, &s, v, v, count);
      /* Each pixel of a vector has a copy of the weights. */
      for (int64_t k = 0; k < n; k++) assert_float_equal(back[k], plain[k] * (float)pixels, 0);
      free(plain);
      free(back);
      free(packed);
    }
}

/* Where the windows' kernels run, one by one convolutions keep no output: less memory. */
static void folded_branches_take_no_memory(void **state) {
  (void)state;
  if (!nas_kernels()->direct) skip();
  nas_value out;
  nas_graph *g = cell((nas_shape){16, 16, 16}, 3, &out);
  engine fast = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = 4});
  int32_t folded = 0;
  for (int32_t i = 0; i < fast.plan->n_branches; i++) {
    const nas_branch *b = &fast.plan->branches[i];
    folded += b->folded;
    const nas_life *z = &fast.plan->buffers[b->z_buffer].life;
    assert_int_equal(b->folded, z->first > z->last);
  }
  assert_int_equal(folded, 5);
  engine_free(&fast);
  nas_graph_free(g);
}

NAS_SUITE(Fan, NAS_CASE(equals_the_plain_kernels_on_odd_channels), NAS_CASE(equals_the_plain_kernels_on_odd_sizes),
          NAS_CASE(rows_of_several_images_are_walked_together), NAS_CASE(halving_convolutions_equal_the_plain_kernels),
          NAS_CASE(first_convolutions_equal_the_plain_kernels), NAS_CASE(stacked_windows_are_sums_of_products),
          NAS_CASE(fans_of_networks_equal_the_plain_kernels), NAS_CASE(packing_is_undone_by_unpacking),
          NAS_CASE(folded_branches_take_no_memory))
