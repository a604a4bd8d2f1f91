#include "search/predictor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { B = NAS_PREDICTOR_BATCH, W = NAS_PREDICTOR_WIDTH_MAX };

static const float beta1 = 0.9F, beta2 = 0.999F, epsilon = 1e-8F;

/* One layer's parameters inside a member: `in` rows of `out` weights, then `out` biases. */
typedef struct layer {
  uint32_t in, out;
  size_t first;
} layer;

struct nas_predictor {
  nas_predictor_shape shape;
  layer *layers; /* shape.layers + 1 */
  size_t size;   /* parameters of one member */
  float *weights, *mean, *square, *gradient;
  uint32_t *steps_of; /* steps of Adam of each member */
  float (*values)[W][B], (*slopes)[W][B];
};

static size_t plan(nas_predictor *p) {
  size_t at = 0;
  for (uint32_t l = 0; l <= p->shape.layers; l++) {
    uint32_t in = l == 0 ? p->shape.inputs : p->shape.width, out = l == p->shape.layers ? 1 : p->shape.width;
    p->layers[l] = (layer){in, out, at};
    at += (size_t)in * out + out;
  }
  return at;
}

/* He's initialisation; the input layer as if eight features were one, which is the order of their number. */
static void initialise(nas_predictor *p, nas_rng rng) {
  uint64_t number = 0;
  for (uint32_t m = 0; m < p->shape.members; m++)
    for (uint32_t l = 0; l <= p->shape.layers; l++) {
      const layer *y = &p->layers[l];
      float *w = p->weights + m * p->size + y->first, spread = sqrtf(2.0F / (float)(l ? y->in : 8));
      for (size_t i = 0; i < (size_t)y->in * y->out; i++) w[i] = spread * (float)nas_rng_normal(rng, number++);
    }
}

nas_status nas_predictor_new(const nas_predictor_shape *shape, nas_rng rng, nas_predictor **out, nas_err *err) {
  nas_predictor *p = calloc(1, sizeof *p);
  *out = NULL;
  if (!p) return nas_fail_memory(err, "the predictor");
  p->shape = *shape;
  p->layers = calloc(shape->layers + 1, sizeof *p->layers);
  p->size = p->layers ? plan(p) : 0;
  size_t all = p->size * shape->members;
  p->weights = calloc(3 * all + p->size + 1, sizeof *p->weights);
  p->steps_of = calloc(shape->members, sizeof *p->steps_of);
  p->values = calloc(2 * ((size_t)shape->layers + 1), sizeof *p->values);
  if (!p->layers || !p->weights || !p->steps_of || !p->values) {
    nas_predictor_free(p);
    return nas_fail_memory(err, "the predictor");
  }
  p->mean = p->weights + all;
  p->square = p->mean + all;
  p->gradient = p->square + all;
  p->slopes = p->values + shape->layers + 1;
  initialise(p, rng);
  *out = p;
  return NAS_OK;
}

void nas_predictor_free(nas_predictor *p) {
  if (!p) return;
  free(p->layers);
  free(p->weights);
  free(p->steps_of);
  free(p->values);
  free(p);
}

/* out[v][b] = bias[v] + sum over the features that are one. */
static void first_forward(const layer *y, const float *w, const nas_features *const *x, float out[W][B]) {
  const float *bias = w + (size_t)y->in * y->out;
  for (uint32_t b = 0; b < B; b++) {
    float sum[W];
    memcpy(sum, bias, y->out * sizeof *sum);
    for (uint16_t i = 0; i < x[b]->n; i++) {
      const float *row = w + (size_t)x[b]->one[i] * y->out;
      for (uint32_t v = 0; v < y->out; v++) sum[v] += row[v];
    }
    for (uint32_t v = 0; v < y->out; v++) out[v][b] = sum[v];
  }
}

static void forward(const layer *y, const float *w, float in[W][B], float out[W][B]) {
  const float *bias = w + (size_t)y->in * y->out;
  for (uint32_t v = 0; v < y->out; v++) {
    float sum[B];
    for (uint32_t b = 0; b < B; b++) sum[b] = bias[v];
    for (uint32_t u = 0; u < y->in; u++)
      for (uint32_t b = 0; b < B; b++) sum[b] += w[(size_t)u * y->out + v] * in[u][b];
    for (uint32_t b = 0; b < B; b++) out[v][b] = sum[b];
  }
}

static void relu(uint32_t n, float x[W][B]) {
  for (uint32_t v = 0; v < n; v++)
    for (uint32_t b = 0; b < B; b++) x[v][b] = x[v][b] > 0 ? x[v][b] : 0;
}

/* Fills values[l] for every layer; the last is the output. */
static void run(nas_predictor *p, uint32_t member, const nas_features *const *x) {
  const float *w = p->weights + member * p->size;
  for (uint32_t l = 0; l <= p->shape.layers; l++) {
    const layer *y = &p->layers[l];
    if (l == 0) first_forward(y, w + y->first, x, p->values[l]);
    else forward(y, w + y->first, p->values[l - 1], p->values[l]);
    if (l < p->shape.layers) relu(y->out, p->values[l]);
  }
}

/* Gradients of a hidden or output layer from the slopes of its output, and the slopes of its input. */
static void backward(const layer *y, const float *w, float in[W][B], float out_slope[W][B], float in_slope[W][B],
                     float *gradient) {
  for (uint32_t v = 0; v < y->out; v++) {
    float sum = 0;
    for (uint32_t b = 0; b < B; b++) sum += out_slope[v][b];
    gradient[(size_t)y->in * y->out + v] = sum;
  }
  for (uint32_t u = 0; u < y->in; u++) {
    float slope[B] = {0};
    for (uint32_t v = 0; v < y->out; v++) {
      float lane[4] = {0};
      for (uint32_t b = 0; b < B; b += 4)
        for (uint32_t k = 0; k < 4; k++) lane[k] += in[u][b + k] * out_slope[v][b + k];
      gradient[(size_t)u * y->out + v] = (lane[0] + lane[1]) + (lane[2] + lane[3]);
      for (uint32_t b = 0; b < B; b++) slope[b] += w[(size_t)u * y->out + v] * out_slope[v][b];
    }
    for (uint32_t b = 0; b < B; b++) in_slope[u][b] = in[u][b] > 0 ? slope[b] : 0;
  }
}

static void adam(nas_predictor *p, uint32_t member, size_t first, size_t n, float rate) {
  size_t at = member * p->size + first;
  float *w = p->weights + at, *mean = p->mean + at, *square = p->square + at;
  const float *g = p->gradient + first;
  for (size_t i = 0; i < n; i++) {
    mean[i] = beta1 * mean[i] + (1 - beta1) * g[i];
    square[i] = beta2 * square[i] + (1 - beta2) * g[i] * g[i];
    w[i] -= rate * mean[i] / (sqrtf(square[i]) + epsilon);
  }
}

/* Gradients of the first layer and their step: only the rows of features that are one somewhere in the batch. */
static void step_first(nas_predictor *p, uint32_t member, const nas_features *const *x, float slope[W][B], float rate) {
  const layer *y = &p->layers[0];
  uint64_t touched[(65536 + 63) / 64] = {0};
  for (uint32_t b = 0; b < B; b++)
    for (uint16_t i = 0; i < x[b]->n; i++) {
      uint16_t one = x[b]->one[i];
      float *g = p->gradient + (size_t)one * y->out;
      if (!(touched[one / 64] >> one % 64 & 1)) memset(g, 0, y->out * sizeof *g);
      touched[one / 64] |= UINT64_C(1) << one % 64;
      for (uint32_t v = 0; v < y->out; v++) g[v] += slope[v][b];
    }
  for (uint32_t i = 0; i < (y->in + 63) / 64; i++)
    for (uint32_t k = 0; k < 64 && touched[i]; k++)
      if (touched[i] >> k & 1) adam(p, member, (size_t)(64 * i + k) * y->out, y->out, rate);
  float *bias = p->gradient + (size_t)y->in * y->out;
  for (uint32_t v = 0; v < y->out; v++) {
    bias[v] = 0;
    for (uint32_t b = 0; b < B; b++) bias[v] += slope[v][b];
  }
  adam(p, member, (size_t)y->in * y->out, y->out, rate);
}

static void step(nas_predictor *p, uint32_t member, const nas_features *const *x, const float *target) {
  uint32_t last = p->shape.layers;
  run(p, member, x);
  for (uint32_t b = 0; b < B; b++) {
    float miss = p->values[last][0][b] - target[b];
    p->slopes[last][0][b] = (float)((miss > 0) - (miss < 0)) / B;
  }
  double t = ++p->steps_of[member];
  float rate = (float)(p->shape.rate * sqrt(1 - pow((double)beta2, t)) / (1 - pow((double)beta1, t)));
  for (uint32_t l = last; l > 0; l--) {
    const layer *y = &p->layers[l];
    backward(y, p->weights + member * p->size + y->first, p->values[l - 1], p->slopes[l], p->slopes[l - 1],
             p->gradient + y->first);
  }
  step_first(p, member, x, p->slopes[0], rate);
  adam(p, member, p->layers[1].first, p->size - p->layers[1].first, rate);
}

void nas_predictor_train(nas_predictor *p, const nas_features *x, const float *target, size_t n, uint32_t steps,
                         nas_rng rng, uint64_t first) {
  for (uint32_t m = 0; m < p->shape.members; m++)
    for (uint32_t i = 0; i < steps; i++) {
      const nas_features *batch[B];
      float wanted[B];
      for (uint32_t b = 0; b < B; b++) {
        size_t k = (size_t)nas_rng_below(rng, first++, n);
        batch[b] = &x[k];
        wanted[b] = target[k];
      }
      step(p, m, batch, wanted);
    }
}

void nas_predictor_predict(nas_predictor *p, const nas_features *x, size_t n, float *out) {
  for (size_t i = 0; i < n; i += B) {
    const nas_features *batch[B];
    for (size_t b = 0; b < B; b++) batch[b] = &x[i + b < n ? i + b : i];
    for (uint32_t m = 0; m < p->shape.members; m++) {
      run(p, m, batch);
      for (size_t b = 0; b < B && i + b < n; b++)
        out[(i + b) * p->shape.members + m] = p->values[p->shape.layers][0][b];
    }
  }
}
