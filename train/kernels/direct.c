/* Blocks of outputs whose sums stay in registers while all windows are walked. Steps that occur in networks are known
 * to the compiler, so that every operand is one address and a constant. */
#include "train/kernels/direct.h"

#include <stdbool.h>
#include <stddef.h>

#include "train/kernels/vector.h"

#define UNROLL   _Pragma("GCC unroll 32")
#define FETCH(x) __builtin_prefetch(x, 0, 2)

/* Outputs first .. last - 1 of a block's `outputs` of each of `images` images take numbers 0 .. n - 1 of their windows.
 */
INLINE void walk(v16 *sum, const float *x, int64_t next, const float *w, int64_t n, int first, int last, int outputs,
                 int images, int vectors, int64_t step) {
  const float *x1 = x + next, *x2 = x1 + next, *x3 = x2 + next;
  for (int64_t t = 0; t < n; t++, w += 16 * vectors) {
    v16 factor[NAS_DIRECT_VECTORS];
    UNROLL for (int k = 0; k < vectors; k++) factor[k] = load(w + 16 * k);
    UNROLL for (int i = 0; i < images; i++) {
      const float *from = (i == 0 ? x : i == 1 ? x1 : i == 2 ? x2 : x3) + t;
      UNROLL for (int p = first; p < last; p++) {
        float one = from[p * step];
        UNROLL for (int k = 0; k < vectors; k++) sum[(i * outputs + p) * vectors + k] += one * factor[k];
      }
    }
  }
}

INLINE void finish(const nas_direct_row *r, int64_t at, const v16 *sum, int outputs, int images, int vectors) {
  UNROLL for (int k = 0; k < vectors; k++) {
    int64_t pitch = r->pitch[k];
    v16 shift = r->shift[k] ? load(r->shift[k]) : (v16){0};
    UNROLL for (int i = 0; i < images; i++) {
      int64_t first = i * r->y_next + at * pitch;
      float *y = r->y[k] + first;
      const float *plus = r->plus[k] ? r->plus[k] + first : NULL, *mask = r->mask[k] ? r->mask[k] + first : NULL;
      UNROLL for (int p = 0; p < outputs; p++) {
        v16 v = sum[(i * outputs + p) * vectors + k] + shift;
        if (mask) v = select_positive(load(mask + p * pitch), v);
        store(y + p * pitch, plus ? load(plus + p * pitch) + v : v);
      }
    }
  }
}

/* Outputs at .. at + outputs - 1. */
INLINE void block(const nas_direct_row *r, int64_t at, int outputs, int images, int vectors, int64_t step) {
  v16 sum[16 * NAS_DIRECT_VECTORS];
  UNROLL for (int p = 0; p < images * outputs; p++) UNROLL for (int k = 0; k < vectors; k++) sum[p * vectors + k] =
      (v16){0};
  for (int64_t i = 0; i < r->n_ahead; i++) {
    const float *x = r->ahead[i].x + at * r->ahead[i].pitch;
    UNROLL for (int p = 0; p < outputs; p++) UNROLL for (int k = 0; k < vectors; k++)
        FETCH(x + p * r->ahead[i].pitch + 16 * k);
  }
  for (int64_t i = 0; i < r->n_windows; i++) {
    const nas_direct_window *s = &r->windows[i];
    const float *x = s->x + at * step, *w = s->w;
    int64_t next = images > 1 ? s->next : 0;
    int64_t left = at == 0 ? s->left : 0, right = at + outputs == r->width ? s->right : 0;
    int64_t middle = s->length - left - right;
    if (left) walk(sum, x, next, w, left, 1, outputs, outputs, images, vectors, step);
    walk(sum, x + left, next, w + left * vectors * 16, middle, 0, outputs, outputs, images, vectors, step);
    left += middle;
    if (right)
      walk(sum, x + left, next, w + left * vectors * 16, right, 0, outputs - 1, outputs, images, vectors, step);
  }
  finish(r, at, sum, outputs, images, vectors);
}

typedef void block_function(const nas_direct_row *r, int64_t at);

/* How many outputs a block may have: for one vector, for several, and (the last three) of four images at once. As many
 * as the registers allow. */
#if defined(__AVX512F__)
enum { SIZES = 7, MOST_VECTORS = 3, MOST_IMAGES = NAS_DIRECT_IMAGES };
static const int sizes[SIZES] = {16, 14, 8, 7, 4, 2, 1};
#define FOR_SIZES(f, k, s) f(16, 1, k, s) f(14, 1, k, s) FOR_FEWER(f, k, s)
#define FOR_FEWER(f, k, s) f(8, 1, k, s) f(7, 1, k, s) f(4, 1, k, s) f(2, 1, k, s) f(1, 1, k, s)
#define FOR_FOUR(f, k, s)  f(4, 4, k, s) f(2, 4, k, s) f(1, 4, k, s)
#define FOR_PAIRS(f, k, s) f(2, 4, k, s) f(1, 4, k, s)
enum { FEWER = 2, FOUR = 4, PAIRS = 5 }; /* where those begin among `sizes` */
#else
enum { SIZES = 3, MOST_VECTORS = 1, MOST_IMAGES = 1 };
static const int sizes[SIZES] = {4, 2, 1};
#define FOR_SIZES(f, k, s) f(4, 1, k, s) f(2, 1, k, s) f(1, 1, k, s)
enum { FEWER = 0, FOUR = 0, PAIRS = 0 };
#endif

/* Step 0 stands for any. */
#define DEFINE(p, i, k, s)                                                       \
  static void block_##p##_##i##_##k##_##s(const nas_direct_row *r, int64_t at) { \
    block(r, at, p, i, k, s ? s : r->step);                                      \
  }
#define NAME(p, i, k, s) block_##p##_##i##_##k##_##s,
#if defined(__AVX512F__)
#define DEFINE_ONE(s)   FOR_SIZES(DEFINE, 1, s) FOR_FOUR(DEFINE, 1, s)
#define DEFINE_TWO(s)   FOR_FEWER(DEFINE, 2, s) FOR_PAIRS(DEFINE, 2, s)
#define DEFINE_THREE(s) FOR_FEWER(DEFINE, 3, s) FOR_PAIRS(DEFINE, 3, s)
#define TABLE(s) \
  { {FOR_SIZES(NAME, 1, s)}, {FOR_FEWER(NAME, 2, s)}, {FOR_FEWER(NAME, 3, s)}, }
#define SHORT_TABLE(s) \
  { {FOR_FOUR(NAME, 1, s)}, {FOR_PAIRS(NAME, 2, s)}, {FOR_PAIRS(NAME, 3, s)}, }
#else
#define DEFINE_ONE(s) FOR_SIZES(DEFINE, 1, s)
#define DEFINE_TWO(s)
#define DEFINE_THREE(s)
#define TABLE(s) \
  { {FOR_SIZES(NAME, 1, s)}, }
#define SHORT_TABLE(s) TABLE(s)
#endif
#define DEFINE_STEP(s) DEFINE_ONE(s) DEFINE_TWO(s) DEFINE_THREE(s)
DEFINE_STEP(0)
DEFINE_STEP(16)
DEFINE_STEP(32)
DEFINE_STEP(64)

/* By step (any, 16, 32, 64), vectors and size. */
static block_function *const blocks[4][MOST_VECTORS][SIZES] = {TABLE(0), TABLE(16), TABLE(32), TABLE(64)};
static block_function *const blocks_of_images[4][MOST_VECTORS][3] = {SHORT_TABLE(0), SHORT_TABLE(16), SHORT_TABLE(32),
                                                                     SHORT_TABLE(64)};

/* The first of the sizes from `first` on that divides the row; SIZES where none does. */
static int size_that_divides(int64_t width, int first) {
  UNROLL for (int i = 0; i < SIZES;
              i++) if (i >= first && width % sizes[i] == 0) return i; /* known divisors: no division */
  return SIZES;
}

static int first_size(const nas_direct_row *r) {
  if (r->images > 1) return r->vectors > 1 ? PAIRS : FOUR;
  return r->vectors > 1 ? FEWER : 0;
}

static block_function *block_of(const nas_direct_row *r, int size) {
  int v = r->vectors - 1, at = size - first_size(r);
  int step = r->step == 16 ? 1 : r->step == 32 ? 2 : r->step == 64 ? 3 : 0;
  return r->images > 1 ? blocks_of_images[step][v][at] : blocks[step][v][at];
}

int32_t NAS_PER_ISA(direct_vectors)(void) { return MOST_VECTORS; }
int32_t NAS_PER_ISA(direct_images)(void) { return MOST_IMAGES; }

void NAS_PER_ISA(direct_row)(const nas_direct_row *r) {
  /* Blocks of one size, if one of the larger sizes divides the row. */
  int size = first_size(r), even = size_that_divides(r->width, size);
  if (even < SIZES && 2 * sizes[even] >= sizes[size]) size = even;
  for (int64_t at = 0; at < r->width;) {
    while (sizes[size] > r->width - at) size++;
    block_function *f = block_of(r, size);
    for (; at + sizes[size] <= r->width; at += sizes[size]) f(r, at);
  }
}

/* Outputs side by side: as many as keep the multipliers busy. With few weights these stay in registers from output to
 * output; with many each is loaded once for more of them. */
#if defined(__AVX512F__)
enum { STACK_FEW = 4, STACK_MANY = 8 };
#else
enum { STACK_FEW = 2, STACK_MANY = 2 };
#endif
enum { STACK_HELD = 12, STACK_LENGTH = 12 };

INLINE void stack_block(const nas_direct_stack *s, const v16 *held, const float *x, float *y, int outputs, int length,
                        int step) {
  v16 sum[STACK_MANY];
  UNROLL for (int p = 0; p < outputs; p++) sum[p] = (v16){0};
  UNROLL for (int r = 0; r < 3; r++) UNROLL for (int t = 0; t < length; t++) {
    int i = r * length + t;
    v16 factor = 3 * length <= STACK_HELD ? held[i] : load(s->w + 16 * i);
    UNROLL for (int p = 0; p < outputs; p++) sum[p] += x[r * s->x_row + p * step + t] * factor;
  }
  UNROLL for (int p = 0; p < outputs; p++) {
    store(y + 16 * p, sum[p]);
    FETCH(y + s->ahead + 16 * p);
  }
}

INLINE void stack(const nas_direct_stack *s, int length, int step) {
  v16 held[3 * STACK_LENGTH];
  bool few = 3 * length <= STACK_HELD;
  int outputs = few ? STACK_FEW : STACK_MANY;
  for (int i = 0; few && i < 3 * length; i++) held[i] = load(s->w + 16 * i);
  float *y = s->y;
  for (int64_t image = 0; image < s->images; image++)
    for (int64_t row = 0; row < s->rows; row++) {
      const float *x = s->x + image * s->x_image + row * s->x_row;
      int64_t j = 0;
      for (; j + outputs <= s->width; j += outputs, x += outputs * step, y += 16 * outputs)
        stack_block(s, held, x, y, outputs, length, step);
      for (; j < s->width; j++, x += step, y += 16) stack_block(s, held, x, y, 1, length, step);
    }
}

void NAS_PER_ISA(direct_stacked)(const nas_direct_stack *s) {
  if (s->length == 3) stack(s, 3, 1);
  else if (s->length == 4) stack(s, 4, 2);
  else if (s->length == 9) stack(s, 9, 3);
  else stack(s, 12, 6);
}

/* Numbers t .. t + count - 1 of the window, all images. Those outside the image are left out where the whole stretch
 * is. */
INLINE void gradient_part(const nas_direct_gradient *g, int64_t t, int count, int vectors, int64_t part, bool fetch) {
  v16 sum[24 * NAS_DIRECT_VECTORS];
  UNROLL for (int i = 0; i < count; i++) UNROLL for (int k = 0; k < vectors; k++) sum[i * vectors + k] = (v16){0};
  /* Each part fetches a line of each stretch per output until all are on their way. */
  int64_t begun = part * g->images * g->rows * g->width * 16, line = fetch && begun < g->ahead_n ? 16 : 0;
  const float *a0 = line ? g->ahead[0] + begun : g->x, *a1 = line ? g->ahead[1] + begun : g->x;
  int64_t first = t + count <= g->left, last = g->width - (t >= g->length - g->right);
  for (int64_t image = 0; image < g->images; image++)
    for (int64_t row = 0; row < g->rows; row++) {
      const float *x = g->x + image * g->x_image + row * g->x_row + first * g->step + t;
      int64_t from = image * g->dz_image + row * g->dz_row + first * g->dz_pitch;
      const float *d0 = g->dz[0] + from, *d1 = vectors > 1 ? g->dz[1] + from : NULL;
      const float *d2 = vectors > 2 ? g->dz[2] + from : NULL;
      for (int64_t j = first; j < last; j++, x += g->step, d0 += g->dz_pitch) {
        v16 d[NAS_DIRECT_VECTORS] = {load(d0)};
        if (fetch) {
          FETCH(a0);
          FETCH(a1);
          a0 += line;
          a1 += line;
        }
        if (vectors > 1) d[1] = load(d1), d1 += g->dz_pitch;
        if (vectors > 2) d[2] = load(d2), d2 += g->dz_pitch;
        UNROLL for (int i = 0; i < count; i++) {
          float one = x[i];
          UNROLL for (int k = 0; k < vectors; k++) sum[i * vectors + k] += one * d[k];
        }
      }
    }
  float *to = g->dw + t * 16 * vectors;
  UNROLL for (int i = 0; i < count; i++) UNROLL for (int k = 0; k < vectors; k++) {
    float *at = to + 16 * (i * vectors + k);
    store(at, load(at) + sum[i * vectors + k]);
  }
}

/* Most numbers at once, then fewer. */
INLINE void gradient_by(const nas_direct_gradient *g, int most, int vectors, bool fetch) {
  int64_t t = 0, part = 0;
  for (; most > 16 && t + most <= g->length; t += most) gradient_part(g, t, most, vectors, part++, fetch);
  for (; most >= 16 && t + 16 <= g->length; t += 16) gradient_part(g, t, 16, vectors, part++, fetch);
  for (; most >= 8 && t + 8 <= g->length; t += 8) gradient_part(g, t, 8, vectors, part++, fetch);
  for (; t + 4 <= g->length; t += 4) gradient_part(g, t, 4, vectors, part++, fetch);
  for (; t < g->length; t++) gradient_part(g, t, 1, vectors, part++, fetch);
}

void NAS_PER_ISA(direct_gradient)(const nas_direct_gradient *g) {
#if defined(__AVX512F__)
  if (g->vectors == 3) gradient_by(g, 8, 3, g->ahead[0]);
  else if (g->vectors == 2) gradient_by(g, 8, 2, g->ahead[0]);
  else if (g->ahead[0]) gradient_by(g, 16, 1, true);
  else if (g->length % 24 == 0) gradient_by(g, 24, 1, false);
  else gradient_by(g, 16, 1, false);
#else
  gradient_by(g, 4, 1, g->ahead[0]);
#endif
}

#if defined(__AVX512F__)
INLINE void gradient_stack(const nas_direct_gradient *g, int length) {
  v16 sum[3 * 9];
  UNROLL for (int i = 0; i < 3 * length; i++) sum[i] = (v16){0};
  for (int64_t image = 0; image < g->images; image++)
    for (int64_t row = 0; row < g->rows; row++) {
      const float *x = g->x + image * g->x_image + row * g->x_row;
      const float *dz = g->dz[0] + image * g->dz_image + row * g->dz_row;
      for (int64_t j = 0; j < g->width; j++, x += g->step, dz += g->dz_pitch) {
        v16 d = load(dz);
        UNROLL for (int r = 0; r < 3; r++) UNROLL for (int i = 0; i < length; i++) sum[r * length + i] +=
            x[r * g->x_row + i] * d;
      }
    }
  UNROLL for (int i = 0; i < 3 * length; i++) store(g->dw + 16 * i, load(g->dw + 16 * i) + sum[i]);
}

void NAS_PER_ISA(direct_gradient_stacked)(const nas_direct_gradient *g) {
  if (g->length == 3) gradient_stack(g, 3);
  else if (g->length == 4) gradient_stack(g, 4);
  else gradient_stack(g, 9);
}
#else
void NAS_PER_ISA(direct_gradient_stacked)(const nas_direct_gradient *g) {
  nas_direct_gradient one = *g;
  one.left = one.right = 0;
  for (int r = 0; r < 3; r++, one.x += g->x_row, one.dw += 16 * g->length) gradient_by(&one, 4, 1, false);
}
#endif
