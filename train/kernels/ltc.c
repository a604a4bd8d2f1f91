/* Synapses of liquid time-constant cells: sixteen cells and one source at a time, over all rows, so that the synapses'
 * numbers are read once. */
#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

enum { ROWS = NAS_LTC_ROWS };

/* Sixteen synapses of one source. */
typedef struct synapse {
  v16 weight, sigma, mu, reversal;
} synapse;

INLINE synapse synapse_of(const nas_synapses *s, int64_t at, int64_t n) {
  return (synapse){load_upto(s->weight + at, n), load_upto(s->sigma + at, n), load_upto(s->mu + at, n),
                   load_upto(s->reversal + at, n)};
}

INLINE void add_upto(float *to, v16 v, int64_t n) { store_upto(to, load_upto(to, n) + v, n); }

void NAS_PER_ISA(synapses)(const nas_synapses *s) {
  for (int64_t u = 0; u < s->units; u += 16) {
    int64_t left = s->units - u;
    v16 above[ROWS] = {{0}}, below[ROWS] = {{0}};
    for (int64_t p = 0; p < s->sources; p++) {
      synapse y = synapse_of(s, p * s->units + u, left);
      for (int64_t r = 0; r < s->rows; r++) {
        v16 act = y.weight * logistic_of(y.sigma * (s->x[r * s->sources + p] - y.mu));
        above[r] += act * y.reversal;
        below[r] += act;
      }
    }
    for (int64_t r = 0; r < s->rows; r++) {
      add_upto(s->above + r * s->units + u, above[r], left);
      add_upto(s->below + r * s->units + u, below[r], left);
    }
  }
}

void NAS_PER_ISA(synapses_gradient)(const nas_synapses *s) {
  for (int64_t u = 0; u < s->units; u += 16) {
    int64_t left = s->units - u;
    v16 above[ROWS], below[ROWS];
    for (int64_t r = 0; r < s->rows; r++) {
      above[r] = load_upto(s->by_above + r * s->units + u, left);
      below[r] = load_upto(s->by_below + r * s->units + u, left);
    }
    for (int64_t p = 0; p < s->sources; p++) {
      int64_t at = p * s->units + u;
      synapse y = synapse_of(s, at, left);
      v16 weight = {0}, slopes = {0}, moved = {0}, reversal = {0};
      for (int64_t r = 0; r < s->rows; r++) {
        float x = s->x[r * s->sources + p];
        v16 away = x - y.mu, gate = logistic_of(y.sigma * away), g = above[r] * y.reversal + below[r];
        v16 slope = g * y.weight * gate * (1 - gate);
        weight += g * gate;
        reversal += above[r] * gate;
        slopes += slope;
        moved += slope * away;
        if (s->dx) s->dx[r * s->sources + p] += sum_of(slope * y.sigma);
      }
      add_upto(s->dweight + at, weight, left);
      add_upto(s->dsigma + at, moved, left);
      add_upto(s->dmu + at, -slopes * y.sigma, left);
      add_upto(s->dreversal + at, reversal * y.weight, left);
    }
  }
}

void NAS_PER_ISA(ltc_step)(const nas_ltc *l, const float *v, const float *above, float *below, float *next) {
  for (int64_t u = 0; u < l->units; u += 16) {
    int64_t left = l->units - u;
    v16 capacity = load_upto(l->capacity + u, left) * l->unfolds, leak = load_upto(l->leak + u, left);
    v16 rest = leak * load_upto(l->rest + u, left);
    for (int64_t at = u; at < l->rows * l->units; at += l->units) {
      v16 total = capacity + leak + load_upto(below + at, left) + 1e-8F;
      store_upto(below + at, total, left);
      store_upto(next + at, (capacity * load_upto(v + at, left) + rest + load_upto(above + at, left)) / total, left);
    }
  }
}

void NAS_PER_ISA(ltc_step_gradient)(const nas_ltc *l, const float *v, const float *below, const float *next, float *g,
                                    float *by_above, float *by_below) {
  for (int64_t u = 0; u < l->units; u += 16) {
    int64_t left = l->units - u;
    v16 capacity = load_upto(l->capacity + u, left) * l->unfolds, leak = load_upto(l->leak + u, left);
    v16 rest = load_upto(l->rest + u, left), by_capacity = {0}, by_leak = {0}, by_rest = {0};
    for (int64_t at = u; at < l->rows * l->units; at += l->units) {
      v16 total = load_upto(below + at, left);
      v16 up = load_upto(g + at, left) / total, down = -up * load_upto(next + at, left);
      by_capacity += up * load_upto(v + at, left) + down;
      by_leak += up * rest + down;
      by_rest += up;
      store_upto(g + at, up * capacity, left);
      store_upto(by_above + at, up, left);
      store_upto(by_below + at, down, left);
    }
    add_upto(l->dcapacity + u, by_capacity * l->unfolds, left);
    add_upto(l->dleak + u, by_leak, left);
    add_upto(l->drest + u, by_rest * leak, left);
  }
}
