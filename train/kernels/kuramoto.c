/* One step of oscillators and its way back. States lie [channel][row], so that sixteen rows are neighbours and what
 * goes on inside an oscillator needs no sums across a vector. */
#include <math.h>

#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

enum { SPHERE_MAX = 64 };
static const float SHORTEST = 1e-12F;

INLINE v16 root_of(v16 x) {
#if defined(__AVX512F__)
  return (v16)_mm512_sqrt_ps((__m512)x);
#else
  for (int i = 0; i < 16; i++) x[i] = sqrtf(x[i]);
  return x;
#endif
}

/* Sixteen rows of one oscillator: z = x + gamma velocity, and the velocity d, from x and y. */
INLINE void move(const nas_kuramoto *k, int64_t first, int64_t n, const v16 *x, const v16 *y, v16 *along, v16 *d,
                 v16 *z) {
  *along = (v16){0};
  for (int64_t i = 0; i < n; i++) *along += y[i] * x[i];
  for (int64_t i = 0; i < n; i += 2) {
    float w = k->speed[k->global ? 0 : (first + i) / 2];
    d[i] = w * x[i + 1] + y[i] - *along * x[i];
    d[i + 1] = -w * x[i] + y[i + 1] - *along * x[i + 1];
  }
  for (int64_t i = 0; i < n; i++) z[i] = x[i] + k->gamma * d[i];
}

INLINE v16 length_of(const v16 *z, int64_t n) {
  v16 sum = {0};
  for (int64_t i = 0; i < n; i++) sum += z[i] * z[i];
  return root_of(sum);
}

INLINE void step_by(const nas_kuramoto *k, const float *x, float *y, float *next, int64_t n) {
  for (int64_t first = 0; first < k->channels; first += n)
    for (int64_t r = 0; r < k->rows; r += 16) {
      v16 at[SPHERE_MAX], drive[SPHERE_MAX], d[SPHERE_MAX], z[SPHERE_MAX], along;
      for (int64_t i = 0; i < n; i++) {
        int64_t place = (first + i) * k->rows + r;
        at[i] = load(x + place);
        drive[i] = load(y + place) + load(k->stimulus + place) + k->bias[first + i];
        store(y + place, drive[i]);
      }
      move(k, first, n, at, drive, &along, d, z);
      v16 share = 1 / at_least(splat(SHORTEST), length_of(z, n));
      for (int64_t i = 0; i < n; i++) store(next + (first + i) * k->rows + r, z[i] * share);
    }
}

void NAS_PER_ISA(kuramoto_step)(const nas_kuramoto *k, const float *x, float *y, float *next) {
  if (k->n == 2) step_by(k, x, y, next, 2);
  else if (k->n == 4) step_by(k, x, y, next, 4);
  else step_by(k, x, y, next, k->n);
}

INLINE void reverse_by(const nas_kuramoto *k, const float *x, const float *y, float *g, float *by_y, float *turns,
                       double *by_gamma, int64_t n) {
  for (int64_t first = 0; first < k->channels; first += n) {
    v16 turn[SPHERE_MAX / 2] = {{0}}, biases[SPHERE_MAX] = {{0}}, gammas = {0};
    for (int64_t r = 0; r < k->rows; r += 16) {
      v16 at[SPHERE_MAX], drive[SPHERE_MAX], d[SPHERE_MAX], z[SPHERE_MAX], back[SPHERE_MAX], along, dot = {0};
      for (int64_t i = 0; i < n; i++) {
        int64_t place = (first + i) * k->rows + r;
        at[i] = load(x + place);
        drive[i] = load(y + place);
        back[i] = load(g + place);
      }
      move(k, first, n, at, drive, &along, d, z);
      v16 size = length_of(z, n), share = 1 / at_least(splat(SHORTEST), size), sum = {0};
      for (int64_t i = 0; i < n; i++) dot += back[i] * z[i];
      i16 longer = size > SHORTEST;
      dot = (v16)((i16)(dot * share * share) & longer);
      for (int64_t i = 0; i < n; i++) {
        z[i] = (back[i] - dot * z[i]) * share; /* the gradient by z from here on */
        gammas += z[i] * d[i];
        back[i] = k->gamma * z[i]; /* and by d */
        sum += back[i] * at[i];
      }
      for (int64_t i = 0; i < n; i++) {
        int64_t place = (first + i) * k->rows + r;
        float w = k->speed[k->global ? 0 : (first + i) / 2];
        v16 turned = i % 2 ? w * back[i - 1] : -w * back[i + 1];
        v16 own = back[i] - sum * at[i];
        store(by_y + place, own);
        biases[i] += own;
        store(k->by_stimulus + place, load(k->by_stimulus + place) + own);
        store(g + place, z[i] - sum * drive[i] - along * back[i] + turned);
      }
      for (int64_t i = 0; i < n; i += 2) turn[i / 2] += back[i] * at[i + 1] - back[i + 1] * at[i];
    }
    for (int64_t i = 0; i < n / 2; i++) turns[first / 2 + i] = sum_of(turn[i]);
    for (int64_t i = 0; i < n; i++) k->by_bias[first + i] += sum_of(biases[i]);
    *by_gamma += (double)sum_of(gammas);
  }
}

void NAS_PER_ISA(kuramoto_reverse)(const nas_kuramoto *k, const float *x, const float *y, float *g, float *by_y,
                                   float *turns, double *by_gamma) {
  if (k->n == 2) reverse_by(k, x, y, g, by_y, turns, by_gamma, 2);
  else if (k->n == 4) reverse_by(k, x, y, g, by_y, turns, by_gamma, 4);
  else reverse_by(k, x, y, g, by_y, turns, by_gamma, k->n);
}

/* Each oscillator of x on its sphere; with g, the gradient of that instead, from the x that was not yet on it. */
void NAS_PER_ISA(to_sphere)(const nas_kuramoto *k, float *x, const float *g) {
  for (int64_t first = 0; first < k->channels; first += k->n)
    for (int64_t r = 0; r < k->rows; r += 16) {
      v16 z[SPHERE_MAX], dot = {0};
      for (int64_t i = 0; i < k->n; i++) z[i] = load(x + (first + i) * k->rows + r);
      v16 size = length_of(z, k->n), share = 1 / at_least(splat(SHORTEST), size);
      for (int64_t i = 0; g && i < k->n; i++) dot += load(g + (first + i) * k->rows + r) * z[i];
      i16 longer = size > SHORTEST;
      dot = (v16)((i16)(dot * share * share) & longer);
      for (int64_t i = 0; i < k->n; i++) {
        int64_t place = (first + i) * k->rows + r;
        store(x + place, g ? (load(g + place) - dot * z[i]) * share : z[i] * share);
      }
    }
}
