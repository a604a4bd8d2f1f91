/* Gaussians of the distance to centres with one width, or one for each input. */
#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

enum { ROWS = 4 };

INLINE v16 inverse_of(const nas_rbf *f, int64_t o, int64_t i) {
  if (!f->diagonal) return splat(1 / f->width[o]);
  v16 width = load_upto(f->width + o * f->in + i, f->in - i);
  return i + 16 > f->in ? (v16)((i16)(1 / width) & (width != 0)) : 1 / width; /* no infinity after the end */
}

void NAS_PER_ISA(rbf_forward)(const nas_rbf *f) {
  for (int64_t row = 0; row < f->rows; row += ROWS)
    for (int64_t o = 0; o < f->out; o++) {
      int64_t n = f->rows - row < ROWS ? f->rows - row : ROWS;
      v16 sum[ROWS] = {{0}};
      for (int64_t i = 0; i < f->in; i += 16) {
        v16 centre = load_upto(f->centre + o * f->in + i, f->in - i), inverse = inverse_of(f, o, i);
        for (int64_t r = 0; r < ROWS; r++) {
          v16 u = (load_upto(f->x + (r < n ? row + r : row) * f->in + i, f->in - i) - centre) * inverse;
          sum[r] += u * u;
        }
      }
      for (int64_t r = 0; r < n; r++) {
        float half = sum_of(sum[r]) / 2;
        v16 y = half > 87 ? splat(0) : exp_of(splat(-half));
        f->y[(row + r) * f->out + o] = y[0];
      }
    }
}

/* Sums over n rows of g d and g d^2, d = x - centre, for sixteen inputs of one neuron; back gets -g d / width^2. */
INLINE void sums_of(const float *x, const float *g, int64_t n, v16 centre, v16 share, float *back, v16 *plain,
                    v16 *square) {
  *plain = *square = (v16){0};
  for (int64_t r = 0; r < n; r++) {
    v16 d = load(x + 16 * r) - centre, e = splat(g[r]) * d;
    *plain += e;
    *square += e * d;
    if (back) store(back + 16 * r, load(back + 16 * r) - e * share);
  }
}

INLINE void put(float *to, v16 v, bool first, int64_t n) { store_upto(to, first ? v : load_upto(to, n) + v, n); }

static void backward_chunk(const nas_rbf *f, int64_t row, int64_t n) {
  float *x = f->scratch, *back = x + 16 * NAS_RBF_CHUNK, *g = back + 16 * NAS_RBF_CHUNK;
  for (int64_t o = 0; o < f->out; o++)
    for (int64_t r = 0; r < n; r++)
      g[o * NAS_RBF_CHUNK + r] = f->dy[(row + r) * f->out + o] * f->y[(row + r) * f->out + o];
  for (int64_t o = 0; !f->diagonal && row == 0 && o < f->out; o++) f->dwidth[o] = 0;
  for (int64_t i = 0; i < f->in; i += 16) {
    int64_t left = f->in - i;
    for (int64_t r = 0; r < n; r++) store(x + 16 * r, load_upto(f->x + (row + r) * f->in + i, left));
    for (int64_t r = 0; r < n; r++) store(back + 16 * r, (v16){0});
    for (int64_t o = 0; o < f->out; o++) {
      int64_t at = o * f->in + i;
      v16 centre = load_upto(f->centre + at, left), inverse = inverse_of(f, o, i), share = inverse * inverse;
      v16 plain, square;
      sums_of(x, g + o * NAS_RBF_CHUNK, n, centre, share, f->dx ? back : NULL, &plain, &square);
      put(f->dcentre + at, plain * share, row == 0, left);
      v16 by_width = square * share * inverse;
      if (f->diagonal) put(f->dwidth + at, by_width, row == 0, left);
      else f->dwidth[o] += sum_of(by_width);
    }
    for (int64_t r = 0; f->dx && r < n; r++) {
      int64_t at = (row + r) * f->in + i;
      v16 d = load(back + 16 * r);
      store_upto(f->dx + at, f->dplus ? load_upto(f->dplus + at, left) + d : d, left);
    }
  }
}

void NAS_PER_ISA(rbf_backward)(const nas_rbf *f) {
  for (int64_t row = 0; row < f->rows; row += NAS_RBF_CHUNK)
    backward_chunk(f, row, f->rows - row < NAS_RBF_CHUNK ? f->rows - row : NAS_RBF_CHUNK);
}
