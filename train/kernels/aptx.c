/* The sums of APTx edges without a tensor of edges: tanh is made again in the backward pass, which costs less than
 * keeping it. tanh(b x) x = tanh(|b| |x|) |x| with the sign of b, so only positive numbers go into the tanh, and what
 * signs there are go with the weights. */
#include <string.h>

#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

enum { ROWS = 8 };

static int64_t blocks_of(int64_t in) { return (in + 15) / 16; }

/* Rows first.. first + n - 1 of x as [block of 16 inputs][row of `room`][16]; zeros where there is none. */
static void pack(const float *x, int64_t in, int64_t n, int64_t room, float *to) {
  for (int64_t b = 0; b < blocks_of(in); b++)
    for (int64_t r = 0; r < room; r++, to += 16)
      store(to, r < n ? load_upto(x + r * in + 16 * b, in - 16 * b) : (v16){0});
}

/* The parameters of 16 edges: |beta|, gamma with beta's sign, alpha gamma. */
typedef struct edges {
  v16 beta, gamma, alpha;
  i16 sign;
} edges;

INLINE edges edges_at(const nas_aptx *a, int64_t at, int64_t n) {
  edges e = {.beta = load_upto(a->beta + at, n), .gamma = load_upto(a->gamma + at, n)};
  e.alpha = a->alpha ? load_upto(a->alpha + at, n) * e.gamma : e.gamma;
  e.sign = sign_bits(e.beta);
  e.beta = with_sign(e.beta, e.sign);
  e.gamma = with_sign(e.gamma, e.sign);
  return e;
}

void NAS_PER_ISA(aptx_forward)(const nas_aptx *a) {
  for (int64_t first = 0; first < a->rows; first += ROWS) {
    int64_t n = a->rows - first < ROWS ? a->rows - first : ROWS;
    pack(a->x + first * a->in, a->in, n, ROWS, a->scratch);
    for (int64_t o = 0; o < a->out; o++) {
      v16 sum[ROWS] = {{0}};
      const float *x = a->scratch;
      for (int64_t i = 0; i < a->in; i += 16) {
        edges e = edges_at(a, o * a->in + i, a->in - i);
        for (int r = 0; r < ROWS; r++, x += 16) {
          v16 v = load(x), size = magnitude(v);
          sum[r] += e.alpha * v;
          sum[r] += tanh_positive(e.beta * size) * (e.gamma * size);
        }
      }
      for (int r = 0; r < n; r++) a->y[(first + r) * a->out + o] = a->delta[o] + sum_of(sum[r]);
    }
  }
}

/* The gradients of 16 edges over `n` rows, and what these edges send back to their inputs (added to `back`, without
 * the share of alpha; by_alpha gets that). */
INLINE void reverse(const edges *e, const float *x, const float *dy, int64_t n, bool wants_dx, float *back, v16 *plain,
                    v16 *bent, v16 *slope) {
  *plain = *bent = *slope = (v16){0};
  for (int64_t r = 0; r < n; r++) {
    v16 v = load(x + 16 * r), size = magnitude(v), g = splat(dy[r]);
    v16 z = e->beta * size, t = tanh_positive(z), fall = 1 - t * t, d = g * size;
    *plain += g * v;
    *bent += d * t;
    *slope += d * size * fall;
    if (wants_dx) {
      v16 by = e->alpha + e->gamma * with_sign(z * fall + t, sign_bits(v));
      store(back + 16 * r, load(back + 16 * r) + g * by);
    }
  }
}

/* Adds to (or, at first, sets) n numbers. */
INLINE void gather(float *to, v16 v, bool first, int64_t n) {
  if (!to) return;
  store_upto(to, first ? v : load_upto(to, n) + v, n);
}

static void finish_dx(const nas_aptx *a, int64_t row, int64_t rows, int64_t i, const float *back) {
  for (int64_t r = 0; r < rows; r++) {
    int64_t at = (row + r) * a->in + i, n = a->in - i;
    v16 v = load(back + 16 * r);
    store_upto(a->dx + at, a->dplus ? load_upto(a->dplus + at, n) + v : v, n);
  }
}

INLINE void backward_chunk(const nas_aptx *a, int64_t row, int64_t n, bool wants_dx) {
  float *x = a->scratch, *back = x + 16 * NAS_APTX_CHUNK, *dy = back + 16 * NAS_APTX_CHUNK;
  for (int64_t o = 0; o < a->out; o++)
    for (int64_t r = 0; r < n; r++) dy[o * NAS_APTX_CHUNK + r] = a->dy[(row + r) * a->out + o];
  for (int64_t i = 0; i < a->in; i += 16) {
    int64_t left = a->in - i;
    for (int64_t r = 0; r < n; r++) store(x + 16 * r, load_upto(a->x + (row + r) * a->in + i, left));
    if (wants_dx) memset(back, 0, (size_t)(16 * n) * sizeof *back);
    for (int64_t o = 0; o < a->out; o++) {
      int64_t at = o * a->in + i;
      edges e = edges_at(a, at, left);
      v16 plain, bent, slope, gamma = with_sign(e.gamma, e.sign);
      reverse(&e, x, dy + o * NAS_APTX_CHUNK, n, wants_dx, back, &plain, &bent, &slope);
      v16 alpha = a->alpha ? load_upto(a->alpha + at, left) : splat(1);
      gather(a->dalpha ? a->dalpha + at : NULL, gamma * plain, row == 0, left);
      gather(a->dgamma + at, alpha * plain + with_sign(bent, e.sign), row == 0, left);
      gather(a->dbeta + at, gamma * slope, row == 0, left);
    }
    if (wants_dx) finish_dx(a, row, n, i, back);
  }
}

void NAS_PER_ISA(aptx_backward)(const nas_aptx *a) {
  for (int64_t row = 0; row < a->rows; row += NAS_APTX_CHUNK) {
    int64_t n = a->rows - row < NAS_APTX_CHUNK ? a->rows - row : NAS_APTX_CHUNK;
    if (a->dx) backward_chunk(a, row, n, true);
    else backward_chunk(a, row, n, false);
  }
}
