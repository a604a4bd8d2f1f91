/* Every operation of the registry: gradients against finite differences, fast kernels against the reference. */
#include <stdio.h>

#include "base/file.h"
#include "engine_check.h"
#include "train/op.h"

typedef struct trial {
  nas_shape in;
  nas_attrs attrs;
  int32_t batch;
} trial;

/* A graph of one operation over as many different inputs as it takes, all made from the image. `met`: its output meets
 * the image again, in a sum where both have one shape and else in the logits, so that fast kernels store on top of
 * other numbers, forward where they can and backward in any case. NULL where it refuses the shape. */
static nas_graph *around(const nas_op *op, const trial *t, int32_t n_in, bool met, nas_value *out) {
  static const char *const makers[] = {NULL, "square", "sigmoid", "tanh"};
  nas_graph *g;
  nas_value in[4], v;
  assert_ok(nas_graph_new(t->in, &g, nas_test_err()));
  in[0] = nas_graph_input(g);
  for (int32_t i = 1; i < n_in; i++) in[i] = engine_op1(g, makers[i], in[0], (nas_attrs){0}, "");
  if (nas_graph_op(g, op->name, in, n_in, &t->attrs, "op", &v, nas_test_err()) != NAS_OK) {
    nas_graph_free(g);
    return NULL;
  }
  nas_shape made = nas_graph_shape(g, v);
  bool equal = made.c == t->in.c && made.h == t->in.h && made.w == t->in.w;
  if (met && equal) v = engine_op(g, "add", (nas_value[]){v, in[0]}, 2, (nas_attrs){0}, "");
  *out = engine_close(g, v, 3);
  if (!met || equal) return g;
  nas_value head = engine_op1(g, "linear", in[0], (nas_attrs){.out = 3}, "other");
  *out = engine_op(g, "add", (nas_value[]){*out, head}, 2, (nas_attrs){0}, "");
  assert_ok(nas_graph_set_output(g, *out, nas_test_err()));
  return g;
}

static const trial trials[] = {
    {{4, 5, 5},
     {.out = 4, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1, .groups = 1, .bias = true, .rate = 0.3},
     2},
    {{2, 3, 4},
     {.out = 6, .kernel_h = 1, .kernel_w = 1, .stride = 1, .pad = 0, .groups = 2, .bias = false, .rate = 0},
     3},
    {{4, 5, 4},
     {.out = 2, .kernel_h = 3, .kernel_w = 2, .stride = 2, .pad = 1, .groups = 2, .bias = true, .rate = 0.5},
     2},
    {{1, 7, 6},
     {.out = 3, .kernel_h = 2, .kernel_w = 3, .stride = 3, .pad = 0, .groups = 1, .bias = true, .rate = 0.9},
     2},
    {{3, 1, 1},
     {.out = 5, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1, .groups = 1, .bias = true, .rate = 0.1},
     4},
    {{8, 1, 2},
     {.out = 6, .kernel_h = 1, .kernel_w = 1, .stride = 1, .pad = 0, .groups = 2, .bias = true, .rate = 0.2},
     2},
};

static const char *const no_samples[] = {"", NULL};

/* False where the operation refuses the trial's shape. */
static bool check_trial(const nas_op *op, const trial *t, int32_t n, const char *what) {
  nas_value out;
  nas_graph *g = around(op, t, n, false, &out);
  if (!g) return false;
  engine e = engine_new(g, out, NAS_F64, (nas_plan_options){.batch = t->batch, .mode = NAS_TRAIN});
  engine_check_gradients(&e, what);
  engine_free(&e);
  nas_graph_free(g);
  return true;
}

static void have_the_gradients_of_finite_differences(void **state) {
  (void)state;
  for (const nas_op *const *op = nas_ops(); *op; op++)
    for (const char *const *sample = (*op)->samples ? (*op)->samples : no_samples; *sample; sample++) {
      int checked = 0;
      int32_t most = (*op)->max_inputs < 4 ? (*op)->max_inputs : 4;
      for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
        for (int32_t n = (*op)->min_inputs; n <= most; n++) {
          trial t = trials[i];
          char what[160];
          snprintf(t.attrs.options, sizeof t.attrs.options, "%s", *sample);
          snprintf(what, sizeof what, "%s, trial %zu, %d inputs, options %s", (*op)->name, i, n, *sample);
          checked += check_trial(*op, &t, n, what);
        }
      if (checked < 2)
        fail_msg("%s with options '%s': only %d trials have a shape that it takes", (*op)->name, *sample, checked);
    }
}

/* How far a fast kernel may be from the plain f32 one, relative to the largest number of each kind (logits, running
 * statistics, gradients of parameters and image), over all the shapes below. Operations without a fast kernel run the
 * plain one in both plans and need no line. `patches` only copies, but the linear layer after it sums up to nine times
 * as many numbers, in whatever order the processor's product takes. Quotients (pade) and oscillators that a step leaves
 * almost no length (kuramoto) make rounding errors larger. */
static const struct {
  const char *op;
  double bound;
} bounds[] = {
    {"conv2d", 5e-6},     {"batch_norm", 5e-6},  {"linear", 4e-6},     {"relu", 2e-6},          {"avg_pool", 2e-6},
    {"max_pool", 2e-6},   {"global_pool", 2e-6}, {"add", 2e-6},        {"identity", 2e-6},      {"zero", 2e-6},
    {"dropout", 2e-6},    {"mul", 2e-6},         {"square", 2e-6},     {"tanh", 2e-6},          {"sigmoid", 2e-6},
    {"aptx", 5e-6},       {"kan_bspline", 5e-6}, {"kan_rbf", 5e-6},    {"kan_chebyshev", 5e-6}, {"patches", 5e-6},
    {"spike_sums", 5e-6}, {"lif", 2e-6},         {"expression", 5e-6}, {"kuramoto", 1e-4},      {"pade", 1e-4},
    {"layer_norm", 5e-6}, {"group_norm", 5e-6},  {"rbf", 1e-5},        {"power_mean", 1e-5},    {"smartmixed", 5e-6},
    {"ltc", 5e-6},
};

static double bound_of(const nas_op *op) {
  for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
    if (!strcmp(bounds[i].op, op->name)) return bounds[i].bound;
  if (!op->fast) return 4e-6; /* the linear layer after it */
  fail_msg("%s has no error bound: add it to the table", op->name);
  return 0;
}

/* The row of docs/performance.md, `| relu, add, ... | 2e-6 |`, that names the operation among the first column's. */
static double documented_bound(const char *page, const char *op) {
  size_t n = strlen(op);
  for (const char *line = strstr(page, "## Error bounds"); (line = strchr(line, '\n'));) {
    if (*++line == '#') break;
    size_t length = strcspn(line, "\n");
    const char *column = memchr(line, '|', length) == line ? memchr(line + 1, '|', length - 1) : NULL;
    for (const char *at = line; column && at + n <= column; at++)
      if (!memcmp(at, op, n) && at[-1] == ' ' && strchr(" ,", at[n])) return strtod(column + 1, NULL);
  }
  fail_msg("docs/performance.md states no error bound of %s", op);
  return 0;
}

static void bounds_are_those_of_the_docs(void **state) {
  (void)state;
  char path[512], *bytes, *page;
  size_t n;
  snprintf(path, sizeof path, "%s/docs/performance.md", nas_source_folder());
  assert_ok(nas_file_read(path, 1 << 20, &bytes, &n, nas_test_err()));
  assert_non_null(page = strndup(bytes, n));
  for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
    double said = documented_bound(page, bounds[i].op);
    if (said != bounds[i].bound) fail_msg("docs/performance.md says %g of %s", said, bounds[i].op);
  }
  free(page);
  free(bytes);
}

/* One fast against one reference engine. */
static void compare_with(const nas_op *op, const trial *t, int32_t n_in, bool met, nas_mode mode) {
  nas_value out;
  nas_graph *g = around(op, t, n_in, met, &out);
  if (!g) return; /* not every window fits every size */
  char what[240];
  snprintf(what, sizeof what,
           "%s %dx%dx%d to %d, batch %d, kernel %dx%d stride %d pad %d groups %d, %d inputs%s, %s, %s", op->name,
           t->in.c, t->in.h, t->in.w, t->attrs.out, t->batch, t->attrs.kernel_h, t->attrs.kernel_w, t->attrs.stride,
           t->attrs.pad, t->attrs.groups, n_in, met ? " met again" : "", mode == NAS_TRAIN ? "train" : "eval",
           t->attrs.options);
  engine fast = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = t->batch, .mode = mode});
  engine plain = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = t->batch, .mode = mode, .reference = true});
  /* Where it meets the image again, a second linear layer sums all of that. */
  engine_check_same(&fast, &plain, bound_of(op) + (met ? bound_of(nas_op_find("linear")) : 0), what);
  engine_free(&fast);
  engine_free(&plain);
  nas_graph_free(g);
}

/* With every sample of options, and with one and two inputs where it takes them; with the first sample also in a sum.
 */
static void compare(const nas_op *op, const trial *t, nas_mode mode) {
  for (const char *const *sample = op->samples ? op->samples : no_samples; *sample; sample++) {
    trial own = *t;
    snprintf(own.attrs.options, sizeof own.attrs.options, "%s", *sample);
    compare_with(op, &own, op->min_inputs, false, mode);
    if (op->samples && op->fast && op->max_inputs > op->min_inputs)
      compare_with(op, &own, op->min_inputs + 1, false, mode);
    bool adds = op->fast && (mode == NAS_TRAIN || op->fast->sinks);
    if (adds && (!op->samples || sample == op->samples)) compare_with(op, &own, op->min_inputs, true, mode);
  }
}

static void fast_and_reference_agree_on_odd_channels(void **state) {
  (void)state;
  /* 1..17, 31, 33, and two that are wider than a period of the kernels and no multiple of a vector */
  for (int32_t c = 1; c <= 72; c = c == 17 ? 31 : c == 31 ? 33 : c == 33 ? 65 : c == 65 ? 72 : c + 1)
    for (const nas_op *const *op = nas_ops(); *op; op++) {
      if (NAS_TEST_SANITIZED && (c == 31 || c == 65)) break;     /* next to 33 and 72, which take long enough there */
      if (!strcmp((*op)->name, "layer_norm") && c < 3) continue; /* two numbers have no variance to speak of */
      trial t = {{c, 4, 5},
                 {.out = c % 5 + c, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1, .bias = c % 2, .rate = 0.4},
                 3};
      compare(*op, &t, NAS_TRAIN);
      compare(*op, &t, NAS_EVAL);
      t.attrs.out = c;
      t.attrs.groups = c; /* depthwise */
      if ((*op)->traits & NAS_OP_CONV) compare(*op, &t, NAS_TRAIN);
      if (strcmp((*op)->name, "avg_pool") != 0) continue;
      for (int32_t size = 2; size <= 3; size++) { /* windows that neither overlap nor leave the image */
        trial tiles = {{c, 2 * size, 3 * size}, {.kernel_h = size, .kernel_w = size, .stride = size}, 3};
        compare(*op, &tiles, NAS_TRAIN);
      }
    }
}

static void fast_and_reference_agree_on_odd_sizes(void **state) {
  (void)state;
  static const int32_t kernels[][2] = {{1, 1}, {3, 3}, {2, 2}, {3, 1}, {5, 5}};
  for (int32_t size = 1; size <= 9; size++)
    for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++)
      for (int32_t stride = 1; stride <= 3; stride++)
        for (int32_t pad = 0; pad <= kernels[k][0] / 2; pad++)
          for (const nas_op *const *op = nas_ops(); *op; op++) {
            bool windowed = strstr((*op)->attributes, "kernel_h") != NULL;
            if (!windowed && (k || pad || stride > 1)) continue;
            if (!strcmp((*op)->name, "batch_norm") && size < 2) continue; /* two numbers have no variance to speak of */
            trial t = {{6, size, size > 4 ? size - 2 : size},
                       {.out = 4,
                        .kernel_h = kernels[k][0],
                        .kernel_w = kernels[k][1],
                        .stride = stride,
                        .pad = pad,
                        .groups = 2},
                       size % 3 + 1};
            compare(*op, &t, NAS_TRAIN);
          }
}

/* Average pools of channels that fill vectors: all sorts of edges, and windows that neither overlap nor leave the
 * image.
 */
static void pools_of_whole_vectors_agree_with_the_reference(void **state) {
  (void)state;
  static const int32_t channels[] = {8, 16, 24, 40}, widths[] = {1, 2, 3, 4, 5, 6, 9, 13};
  const nas_op *pool = nas_op_find("avg_pool");
  for (size_t c = 0; c < sizeof channels / sizeof *channels; c++)
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
      for (int32_t height = 1; height <= 4; height++) {
        nas_attrs around = {.kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = 1};
        trial t = {{channels[c], height, widths[w]}, around, height % 3 + 1};
        compare(pool, &t, NAS_TRAIN);
        trial tiles = {{channels[c], 2 * height, 2 * widths[w]}, {.kernel_h = 2, .kernel_w = 2, .stride = 2}, 2};
        compare(pool, &tiles, NAS_TRAIN);
      }
}

/* More rows, inputs and neurons than the fast kernels of neurons look at together. */
static void fast_and_reference_agree_on_many_rows(void **state) {
  (void)state;
  static const trial large[] = {{{100, 1, 1}, {.out = 72, .groups = 4}, 150},
                                {{36, 9, 8}, {.out = 20, .groups = 3}, 4},
                                {{260, 1, 1}, {.out = 10, .groups = 4}, 140}};
  for (const nas_op *const *op = nas_ops(); *op; op++)
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
      if (!(*op)->fast || strstr((*op)->attributes, "kernel_h")) continue;
      compare(*op, &large[i], NAS_TRAIN);
      if (i == 0 && !NAS_TEST_SANITIZED) compare(*op, &large[i], NAS_EVAL);
    }
}

/* [ReLU] -> convolution -> [norm], one or two of the same source and their sum: what runs as one kernel. */
static nas_graph *around_edges(const trial *t, int parts, int n, nas_value *out) {
  nas_graph *g;
  nas_value ends[2], source;
  char label[16];
  assert_ok(nas_graph_new(t->in, &g, nas_test_err()));
  source = parts & 1 ? engine_op1(g, "relu", 0, (nas_attrs){0}, "") : 0;
  for (int i = 0; i < n; i++) {
    snprintf(label, sizeof label, "conv%d", i);
    ends[i] = engine_op1(g, "conv2d", source, t->attrs, label);
    snprintf(label, sizeof label, "norm%d", i);
    if (parts & 2) ends[i] = engine_op1(g, "batch_norm", ends[i], (nas_attrs){0}, label);
  }
  *out = engine_close(g, n == 1 ? ends[0] : engine_op(g, "add", ends, n, (nas_attrs){0}, ""), 3);
  return g;
}

static void fused_edges_and_reference_agree_on_odd_shapes(void **state) {
  (void)state;
  const double bound = 2e-5; /* two operations in a row, and the norm divides by a deviation of a few numbers */
  for (int32_t c = 1; c <= 33; c = c == 17 ? 31 : c == 31 ? 33 : c + 1)
    for (int32_t size = 1; size <= 9; size++)
      for (int parts = 0; parts < 8; parts++) {
        int32_t k = (c + size) % 2 ? 3 : 1, batch = size < 3 ? 4 : 1 + c % 2;
        trial t = {{c, size, size > 4 ? size - 1 : size},
                   {.out = (c * 7 + size) % 33 + 1, .kernel_h = k, .kernel_w = k, .stride = 1 + size % 2, .pad = k / 2},
                   batch};
        nas_value out;
        nas_graph *g = around_edges(&t, parts, 1 + (parts & 4) / 4, &out);
        char what[80];
        snprintf(what, sizeof what, "edge of %d to %d channels, size %d, kernel %d, parts %d", c, t.attrs.out, size, k,
                 parts);
        for (int mode = NAS_TRAIN; mode <= NAS_EVAL; mode++) {
          nas_plan_options fused = {.batch = batch, .mode = (nas_mode)mode}, plain = fused;
          plain.reference = true;
          engine a = engine_new(g, out, NAS_F32, fused), b = engine_new(g, out, NAS_F32, plain);
          engine_check_same(&a, &b, bound, what);
          engine_free(&a);
          engine_free(&b);
        }
        nas_graph_free(g);
      }
}

static void refuse_shapes_that_do_not_fit(void **state) {
  (void)state;
  nas_graph *g;
  nas_value v, two[2];
  assert_fails(nas_graph_new((nas_shape){0, 1, 1}, &g, nas_test_err()), NAS_E_BAD_INPUT, "at least 1");
  assert_null(g);
  assert_ok(nas_graph_new((nas_shape){4, 5, 5}, &g, nas_test_err()));
  nas_value x = nas_graph_input(g);
  static const struct {
    const char *op;
    nas_attrs attrs;
    nas_status code;
    const char *part;
  } rows[] = {
      {"conv2d", {.out = 4, .kernel_h = 7, .kernel_w = 7, .stride = 1}, NAS_E_BAD_INPUT, "does not fit"},
      {"conv2d", {.out = 4, .kernel_h = 3, .kernel_w = 3, .stride = 0}, NAS_E_BAD_INPUT, "stride"},
      {"conv2d", {.out = 4, .kernel_h = 0, .kernel_w = 3, .stride = 1}, NAS_E_BAD_INPUT, "kernel"},
      {"conv2d", {.out = 4, .kernel_h = 3, .kernel_w = 3, .stride = 1, .pad = -1}, NAS_E_BAD_INPUT, "padding"},
      {"conv2d", {.out = 0, .kernel_h = 3, .kernel_w = 3, .stride = 1}, NAS_E_BAD_INPUT, "0 out"},
      {"conv2d", {.out = 4, .kernel_h = 3, .kernel_w = 3, .stride = 1, .groups = 3}, NAS_E_BAD_INPUT, "groups"},
      {"avg_pool", {.kernel_h = 2, .kernel_w = 2, .stride = 1, .pad = 2}, NAS_E_BAD_INPUT, "more than half"},
      {"max_pool", {.kernel_h = 9, .kernel_w = 2, .stride = 1}, NAS_E_BAD_INPUT, "does not fit"},
      {"linear", {.out = 0}, NAS_E_BAD_INPUT, "at least 1"},
      {"dropout", {.rate = 1}, NAS_E_OUT_OF_RANGE, "below 1"},
      {"dropout", {.rate = -0.1}, NAS_E_OUT_OF_RANGE, "at least 0"},
      {"dropout", {.rate = NAN}, NAS_E_OUT_OF_RANGE, "rate"},
      {"conv3d", {0}, NAS_E_UNKNOWN_NAME, "did you mean 'conv2d'"},
      {"mul", {0}, NAS_E_BAD_INPUT, "2 to 2 inputs, not 1"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_fails(nas_graph_op(g, rows[i].op, &x, 1, &rows[i].attrs, "here", &v, nas_test_err()), rows[i].code,
                 rows[i].part);
    assert_int_equal(v, NAS_NO_VALUE);
  }
  two[0] = x;
  two[1] = engine_op1(g, "global_pool", x, (nas_attrs){0}, "");
  assert_fails(nas_graph_op(g, "add", two, 2, NULL, "sum", &v, nas_test_err()), NAS_E_BAD_INPUT, "4x1x1");
  two[1] = 99;
  assert_fails(nas_graph_op(g, "add", two, 2, NULL, "sum", &v, nas_test_err()), NAS_E_BAD_INPUT, "no value");
  assert_fails(nas_graph_set_output(g, x, nas_test_err()), NAS_E_BAD_INPUT, "output");
  nas_value relu = engine_op1(g, "relu", x, (nas_attrs){0}, "");
  assert_fails(nas_graph_set_output(g, relu, nas_test_err()), NAS_E_BAD_INPUT, "not Cx1x1");
  nas_model *m;
  assert_fails(nas_model_new(g, NAS_F32, &m, nas_test_err()), NAS_E_BAD_INPUT, "no output");
  engine_op1(g, "linear", x, (nas_attrs){.out = 2}, "twice");
  assert_fails(nas_graph_op(g, "linear", &x, 1, &(nas_attrs){.out = 3}, "twice", &v, nas_test_err()), NAS_E_BAD_INPUT,
               "rename");
  nas_graph_free(g);
}

/* Share of zeros near the rate, the others scaled, the mask another one for another step or label. */
static void dropout_drops_the_share_it_says(void **state) {
  (void)state;
  nas_graph *g;
  enum { N = 4000 };
  static float kept[2][N];
  assert_ok(nas_graph_new((nas_shape){N, 1, 1}, &g, nas_test_err()));
  nas_value v = engine_op1(g, "dropout", 0, (nas_attrs){.rate = 0.3}, "a");
  nas_value w = engine_op1(g, "dropout", 0, (nas_attrs){.rate = 0.3}, "b");
  assert_int_not_equal(v, w);
  nas_value both[] = {v, w};
  engine_close(g, engine_op(g, "mul", both, 2, (nas_attrs){0}, ""), 2);
  nas_model *m;
  nas_plan *p;
  assert_ok(nas_model_new(g, NAS_F32, &m, nas_test_err()));
  assert_ok(
      nas_plan_new(m, &(nas_plan_options){.batch = 1, .mode = NAS_TRAIN, .input_gradient = true}, &p, nas_test_err()));
  for (int i = 0; i < N; i++) ((float *)nas_plan_input(p))[i] = 1;
  for (uint64_t step = 0; step < 2; step++) {
    nas_plan_forward(p, 1, step);
    assert_ok(nas_plan_read(p, v, kept[step], nas_test_err()));
  }
  int zeros = 0, same = 0;
  for (int i = 0; i < N; i++) {
    zeros += kept[0][i] == 0;
    same += kept[0][i] == kept[1][i];
    if (kept[0][i] != 0) assert_close(kept[0][i], 1 / 0.7, 1e-6);
  }
  assert_close(zeros / (double)N, 0.3, 0.03);
  assert_close(same / (double)N, 0.58, 0.04);
  nas_plan_free(p);
  nas_model_free(m);
  nas_graph_free(g);
}

/* The mask of a fast plan is that of the scalar definition, bit for bit, wherever the last vector ends. */
static void dropout_has_the_mask_of_its_definition(void **state) {
  (void)state;
  static const double rates[] = {0, 0.1, 0.5, 0.999};
  for (int32_t n = 1; n < 200; n += n < 70 ? 1 : 41)
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
      nas_graph *g;
      assert_ok(nas_graph_new((nas_shape){n, 1, 1}, &g, nas_test_err()));
      nas_value v = engine_op1(g, "dropout", 0, (nas_attrs){.rate = rates[r]}, "a"), out = engine_close(g, v, 2);
      engine e[2];
      float y[2][3 * 200];
      for (int plain = 0; plain < 2; plain++) {
        e[plain] =
            engine_new(g, out, NAS_F32, (nas_plan_options){.batch = 3, .mode = NAS_TRAIN, .reference = plain == 1});
        float *x = nas_plan_input(e[plain].plan);
        for (int32_t i = 0; i < 3 * n; i++) x[i] = (float)(i + 1);
        nas_plan_forward(e[plain].plan, 0x123456789abcdefU, 77);
        if (rates[r] > 0) assert_ok(nas_plan_read(e[plain].plan, v, y[plain], nas_test_err()));
        engine_backward(&e[plain]);
      }
      if (rates[r] > 0) assert_memory_equal(y[0], y[1], (size_t)(3 * n) * sizeof(float));
      const float *a = nas_plan_input_gradient(e[0].plan), *b = nas_plan_input_gradient(e[1].plan);
      for (int32_t i = 0; i < 3 * n; i++) assert_true((a[i] == 0) == (b[i] == 0));
      for (int plain = 0; plain < 2; plain++) engine_free(&e[plain]);
      nas_graph_free(g);
    }
}

/* A mean a million deviations from zero: E[x^2] - mean^2 in single precision has no digit left. */
static void batch_norm_keeps_its_variance_far_from_zero(void **state) {
  (void)state;
  nas_graph *g;
  assert_ok(nas_graph_new((nas_shape){2, 8, 8}, &g, nas_test_err()));
  nas_value v = engine_op1(g, "batch_norm", 0, (nas_attrs){0}, "bn");
  nas_value out = engine_close(g, v, 2);
  engine e = engine_new(g, out, NAS_F32, (nas_plan_options){.batch = 4, .mode = NAS_TRAIN});
  float *x = nas_plan_input(e.plan), *states = nas_model_state_data(e.model);
  for (int64_t i = 0; i < engine_inputs(&e); i++) x[i] = 65536 + (float)(i / 2 % 2 ? 0.5 : -0.5);
  nas_plan_forward(e.plan, 1, 1);
  /* 256 values of variance 1/4, unbiased 64/255; running = 0.9 * 1 + 0.1 of it */
  assert_close(states[2], 0.9 + 0.1 * 64 / 255, 1e-6);
  assert_close(states[3], 0.9 + 0.1 * 64 / 255, 1e-6);
  assert_close(states[0], 6553.6, 1e-6);
  engine_free(&e);
  nas_graph_free(g);
}

NAS_SUITE(Ops, NAS_CASE(have_the_gradients_of_finite_differences), NAS_CASE(fast_and_reference_agree_on_odd_channels),
          NAS_CASE(fast_and_reference_agree_on_odd_sizes), NAS_CASE(fast_and_reference_agree_on_many_rows),
          NAS_CASE(pools_of_whole_vectors_agree_with_the_reference),
          NAS_CASE(fused_edges_and_reference_agree_on_odd_shapes), NAS_CASE(bounds_are_those_of_the_docs),
          NAS_CASE(refuse_shapes_that_do_not_fit), NAS_CASE(dropout_drops_the_share_it_says),
          NAS_CASE(dropout_has_the_mask_of_its_definition), NAS_CASE(batch_norm_keeps_its_variance_far_from_zero))
