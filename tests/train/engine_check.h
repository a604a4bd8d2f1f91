#ifndef NAS_TESTS_ENGINE_CHECK_H
#define NAS_TESTS_ENGINE_CHECK_H
/* A graph with a model and a plan, filled with known numbers, and comparisons of two of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "harness.h"
#include "train/graph.h"

typedef struct engine {
  nas_model *model;
  nas_plan *plan;
  nas_dtype dtype;
  int32_t batch;
  nas_shape in;
  int32_t classes;
  bool trains;
} engine;

static inline double engine_get(const engine *e, const void *array, int64_t i) {
  return e->dtype == NAS_F64 ? ((const double *)array)[i] : (double)((const float *)array)[i];
}

static inline void engine_set(const engine *e, void *array, int64_t i, double value) {
  if (e->dtype == NAS_F64) ((double *)array)[i] = value;
  else ((float *)array)[i] = (float)value;
}

/* Numbers that a float holds exactly, so that f32 and f64 engines start from the same ones. The first of the streams
 * that every engine takes are kept: making them was a third of the time of many tests. */
static inline double engine_number(uint64_t stream, int64_t i) {
  enum { STREAMS = 4, KEPT = 1 << 16 };
  static float kept[STREAMS][KEPT];
  static int64_t n[STREAMS];
  if (stream >= STREAMS || i >= KEPT)
    return (double)(float)nas_rng_normal(nas_rng_make(stream, 0, NAS_STREAM_SAMPLE), (uint64_t)i);
  for (; n[stream] <= i; n[stream]++)
    kept[stream][n[stream]] = (float)nas_rng_normal(nas_rng_make(stream, 0, NAS_STREAM_SAMPLE), (uint64_t)n[stream]);
  return (double)kept[stream][i];
}

/* With the options as they are. Parameters: as initialised, plus a little noise so that no batch norm is the identity.
 */
static inline engine engine_as(const nas_graph *g, nas_value out, nas_dtype dtype, nas_plan_options options) {
  engine e = {.dtype = dtype,
              .batch = options.batch,
              .in = nas_graph_shape(g, 0),
              .classes = nas_graph_shape(g, out).c,
              .trains = options.mode == NAS_TRAIN};
  assert_ok(nas_model_new(g, dtype, &e.model, nas_test_err()));
  assert_ok(nas_model_init(e.model, 5, nas_test_err()));
  for (int64_t i = 0; i < nas_model_params(e.model); i++) {
    double value = engine_get(&e, nas_model_param_data(e.model), i);
    engine_set(&e, nas_model_param_data(e.model), i, (double)(float)(value + 0.2 * engine_number(1, i)));
  }
  assert_ok(nas_plan_new(e.model, &options, &e.plan, nas_test_err()));
  int64_t n = (int64_t)e.batch * e.in.c * e.in.h * e.in.w;
  for (int64_t i = 0; i < n; i++) engine_set(&e, nas_plan_input(e.plan), i, engine_number(2, i));
  for (int32_t i = 0; i < e.batch; i++) nas_plan_labels(e.plan)[i] = (i * 7 + 1) % e.classes;
  return e;
}

/* The same; in training with the gradient of the image. */
static inline engine engine_new(const nas_graph *g, nas_value out, nas_dtype dtype, nas_plan_options options) {
  options.input_gradient = options.mode == NAS_TRAIN;
  return engine_as(g, out, dtype, options);
}

static inline void engine_free(engine *e) {
  nas_plan_free(e->plan);
  nas_model_free(e->model);
}

static inline int64_t engine_inputs(const engine *e) { return (int64_t)e->batch * e->in.c * e->in.h * e->in.w; }

/* Sum of the logits times fixed weights: a loss whose gradient by the logits is those weights. */
static inline double engine_loss(engine *e) {
  nas_plan_forward(e->plan, 3, 4);
  double sum = 0;
  for (int64_t i = 0; i < (int64_t)e->batch * e->classes; i++)
    sum += engine_number(3, i) * engine_get(e, nas_plan_logits(e->plan), i);
  return sum;
}

static inline void engine_backward(engine *e) {
  uint32_t n = (uint32_t)e->batch * (uint32_t)e->classes;
  void *weights = calloc(n, sizeof(double));
  assert_non_null(weights);
  for (uint32_t i = 0; i < n; i++) engine_set(e, weights, i, engine_number(3, i));
  nas_plan_backward_from(e->plan, weights);
  free(weights);
}

/* The largest magnitude of n numbers, at least `least`. (GCC 12 for arm64 cannot compile a loop of fmax here.) */
static inline double engine_scale(const engine *e, const void *array, int64_t n, double least) {
  double scale = least;
  for (int64_t i = 0; i < n; i++) {
    double size = fabs(engine_get(e, array, i));
    if (size > scale) scale = size;
  }
  return scale;
}

/* Central differences of engine_loss by each of n numbers (at most `most` of them, evenly spread) against `gradient`.
 */
static inline void engine_check_gradient(engine *e, void *numbers, const void *gradient, int64_t n, int64_t most,
                                         const char *what) {
  const double h = 1e-5;
  double scale = engine_scale(e, gradient, n, 1e-3);
  for (int64_t i = 0; i<n; i += n> most ? n / most : 1) {
    double held = engine_get(e, numbers, i), wanted = engine_get(e, gradient, i);
    engine_set(e, numbers, i, held + h);
    double up = engine_loss(e);
    engine_set(e, numbers, i, held - h);
    double down = engine_loss(e);
    engine_set(e, numbers, i, held);
    double found = (up - down) / (2 * h);
    if (!(fabs(found - wanted) <= 1e-6 * scale))
      fail_msg("%s: element %lld has gradient %.10g but differences give %.10g (largest %.3g)", what, (long long)i,
               wanted, found, scale);
  }
}

/* Every gradient of a f64 engine against central differences, to 1e-6 of the largest of its kind. */
static inline void engine_check_gradients(engine *e, const char *what) {
  int64_t n_params = nas_model_params(e->model), n_inputs = engine_inputs(e);
  engine_loss(e);
  engine_backward(e);
  double *params = calloc((size_t)n_params + 1, sizeof *params), *inputs = calloc((size_t)n_inputs, sizeof *inputs);
  assert_non_null(params);
  assert_non_null(inputs);
  memcpy(params, nas_model_grad_data(e->model), (size_t)n_params * sizeof *params);
  memcpy(inputs, nas_plan_input_gradient(e->plan), (size_t)n_inputs * sizeof *inputs);
  engine_check_gradient(e, nas_model_param_data(e->model), params, n_params, 60, what);
  engine_check_gradient(e, nas_plan_input(e->plan), inputs, n_inputs, 60, what);
  free(params);
  free(inputs);
}

/* |a - b| <= tolerance * (largest |b|, at least `least`) for all n numbers. */
static inline void engine_compare(const engine *ea, const void *a, const engine *eb, const void *b, int64_t n,
                                  double tolerance, double least, const char *what) {
  double scale = engine_scale(eb, b, n, least);
  for (int64_t i = 0; i < n; i++) {
    double x = engine_get(ea, a, i), y = engine_get(eb, b, i);
    if (!(fabs(x - y) <= tolerance * scale))
      fail_msg("%s: element %lld of %lld is %.9g, the reference has %.9g (largest %.3g)", what, (long long)i,
               (long long)n, x, y, scale);
  }
}

/* Logits, gradients and running statistics of one step of both. */
static inline void engine_check_same(engine *a, engine *b, double tolerance, const char *what) {
  char text[200];
  engine_loss(a);
  engine_loss(b);
  snprintf(text, sizeof text, "%s: logits", what);
  engine_compare(a, nas_plan_logits(a->plan), b, nas_plan_logits(b->plan), (int64_t)a->batch * a->classes, tolerance, 1,
                 text);
  snprintf(text, sizeof text, "%s: running statistics", what);
  engine_compare(a, nas_model_state_data(a->model), b, nas_model_state_data(b->model), nas_model_states(a->model),
                 tolerance, 1, text);
  if (!b->trains) return;
  engine_backward(a);
  engine_backward(b);
  snprintf(text, sizeof text, "%s: gradient of the parameters", what);
  engine_compare(a, nas_model_grad_data(a->model), b, nas_model_grad_data(b->model), nas_model_params(a->model),
                 tolerance, 1, text);
  if (!nas_plan_input_gradient(b->plan)) return;
  snprintf(text, sizeof text, "%s: gradient of the input", what);
  engine_compare(a, nas_plan_input_gradient(a->plan), b, nas_plan_input_gradient(b->plan), engine_inputs(a), tolerance,
                 1, text);
}

/* Builds an operation and stops the test when that fails. */
static inline nas_value engine_op(nas_graph *g, const char *op, const nas_value *in, int32_t n, nas_attrs attrs,
                                  const char *label) {
  nas_value v;
  assert_ok(nas_graph_op(g, op, in, n, &attrs, label, &v, nas_test_err()));
  return v;
}

static inline nas_value engine_op1(nas_graph *g, const char *op, nas_value in, nas_attrs attrs, const char *label) {
  return engine_op(g, op, &in, 1, attrs, label);
}

/* A linear layer from everything in v to the logits, declared the output. */
static inline nas_value engine_close(nas_graph *g, nas_value v, int32_t classes) {
  nas_value out = engine_op1(g, "linear", v, (nas_attrs){.out = classes, .bias = true}, "head");
  assert_ok(nas_graph_set_output(g, out, nas_test_err()));
  return out;
}
#endif
