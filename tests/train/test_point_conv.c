/* Convolutions of 1x1 without a norm (point_conv.c) against the plain kernels: alone and in sums, where they store on
 * top of each other, their gradients too; with and without a ReLU before them and a gradient by the image. */
#include "engine_check.h"
#include "train/kernels/kernels.h"
#include "train/plan_internal.h"
#include "train/point_conv.h"

/* Relative to the largest number of each kind. */
static const double BOUND = 1e-5;

typedef struct sample {
  nas_shape image;
  int32_t outs, batch, convolutions; /* of the image, their sum being the output; every second one has a ReLU first */
  bool skip;                         /* the image is a term of the sum as well; outs must be its channels */
  bool relu;                         /* the first one has it, not the second */
  nas_plan_options options;
} sample;

static nas_graph *graph_of(const sample *s, nas_value *out) {
  nas_graph *g;
  nas_value terms[NAS_LAYER_INPUTS_MAX] = {0};
  int32_t n = 0;
  assert_ok(nas_graph_new(s->image, &g, nas_test_err()));
  for (; n < s->convolutions; n++) {
    char label[20];
    snprintf(label, sizeof label, "conv%d", n);
    nas_value x = nas_graph_input(g);
    if (s->relu == (n % 2 == 0)) x = engine_op1(g, "relu", x, (nas_attrs){0}, "");
    terms[n] =
        engine_op1(g, "conv2d", x, (nas_attrs){.out = s->outs, .kernel_h = 1, .kernel_w = 1, .stride = 1}, label);
  }
  if (s->skip) terms[n++] = nas_graph_input(g);
  *out = engine_close(g, n == 1 ? terms[0] : engine_op(g, "add", terms, n, (nas_attrs){0}, "sum"), 3);
  return g;
}

/* Pixels that share a vector of so many channels; 0 where vectors do not fit. */
static int32_t sharing(int32_t channels) { return channels % 16 == 0 ? 1 : channels == 8 ? 2 : channels == 4 ? 4 : 0; }

static bool fits(int32_t channels, int32_t pixels) { return sharing(channels) && pixels % sharing(channels) == 0; }

static void expect_kernel(const sample *s, const nas_plan *p, const char *what) {
  int32_t pixels = s->batch * s->image.h * s->image.w, found = 0;
  bool taken =
      nas_kernels()->direct && fits(s->outs, pixels) && (!s->options.input_gradient || fits(s->image.c, pixels));
  for (int32_t i = 0; i < p->n_steps; i++) found += p->steps[i].kernel == &nas_point_conv;
  if (found != (taken ? s->convolutions : 0)) fail_msg("%s: %d of the convolutions run as one row", what, found);
}

static void check(sample s) {
  char what[160];
  nas_value out;
  nas_graph *g = graph_of(&s, &out);
  snprintf(what, sizeof what, "%d of %dx%dx%d to %d, batch %d%s%s%s", s.convolutions, s.image.c, s.image.h, s.image.w,
           s.outs, s.batch, s.skip ? ", skip" : "", s.relu ? ", relu" : "", s.options.input_gradient ? ", image" : "");
  s.options.batch = s.batch;
  engine fast = engine_as(g, out, NAS_F32, s.options);
  expect_kernel(&s, fast.plan, what);
  s.options.reference = true;
  engine plain = engine_as(g, out, NAS_F32, s.options);
  engine_check_same(&fast, &plain, BOUND, what);
  engine_free(&fast);
  engine_free(&plain);
  nas_graph_free(g);
}

static void check_modes(nas_shape image, int32_t outs, int32_t batch) {
  for (int32_t n = 1; n <= 3; n++)
    for (int relu = 0; relu < 2; relu++) {
      sample s = {.image = image, .outs = outs, .batch = batch, .convolutions = n, .relu = relu};
      s.skip = n == 3 && image.c == outs;
      s.options.mode = NAS_EVAL;
      check(s);
      s.options.mode = NAS_TRAIN;
      check(s);
      s.options.input_gradient = true;
      check(s);
    }
}

static void equals_the_plain_kernels(void **state) {
  (void)state;
  static const int32_t channels[][2] = {{4, 8},   {8, 4},   {8, 16}, {16, 8}, {16, 32}, {32, 32},
                                        {16, 48}, {48, 16}, {4, 64}, {3, 16}, {5, 8},   {16, 5}};
  static const int32_t sizes[][2] = {{1, 1}, {3, 5}, {7, 7}, {2, 6}};
  for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
      for (int32_t batch = 1; batch <= 4; batch++)
        if (batch != 2) check_modes((nas_shape){channels[i][0], sizes[k][0], sizes[k][1]}, channels[i][1], batch);
}

static void equals_the_plain_kernels_over_several_pieces(void **state) {
  (void)state;
  check_modes((nas_shape){8, 13, 21}, 16, 4);
  check_modes((nas_shape){8, 12, 14}, 16, 4);
  check_modes((nas_shape){16, 15, 11}, 16, 3);
  check_modes((nas_shape){160, 9, 5}, 96, 3);
}

NAS_SUITE(PointConv, NAS_CASE(equals_the_plain_kernels), NAS_CASE(equals_the_plain_kernels_over_several_pieces))
