#include "train/kernels/winograd_4.h"

/* F(4x4, 3x3) in f32; its matrices stand in winograd_4.h. */

/* ---- two pixels of eight channels a vector ---- */

INLINE v16 low_and_high(v16 x, v16 y) {
  return __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31);
}

/* Pixels 0 to 5 of a row into its three pairs of points. */
INLINE void input_row_pairs(float *to, int64_t apart, v16 x01, v16 x23, v16 x45) {
  store(to, in_turn(input_end(x01, x23, x45)));
  v16 even = x45 - 2 * x23, odd = x23 - 2 * x01; /* in its low half, and in its high half */
  store(to + apart, low_twice(even) + high_twice(odd) * take_turns(A, -A));
  even = x45 - 0.5f * x23, odd = x23 - 0.5f * x01;
  store(to + 2 * apart, low_twice(even) + high_twice(odd) * take_turns(B, -B));
}

INLINE void input_rows_pairs(const nas_winograd_run *r, int k) {
  const float *x = r->x;
  float *v = r->v, *to[2] = {v + 3 * (k ? 2 * k - 1 : 0) * r->apart, v + 3 * (k ? 2 * k : 5) * r->apart};
  v16 c[3][2];
  input_column(c[0], x, r->x_row, k, 4);
  for (int64_t t = 0; t < r->patches; t++, x += 32) {
    input_column(c[1], x + 16, r->x_row, k, 4);
    input_column(c[2], x + 32, r->x_row, k, 4);
    UNROLL for (int i = 0; i < 2; i++) {
      input_row_pairs(to[i] + 16 * t, r->apart, c[0][i], c[1][i], c[2][i]);
      c[0][i] = c[2][i];
    }
  }
}

INLINE void spread_row_pairs(float *to, int64_t apart, v16 x01, v16 x23) {
  store(to, in_turn(low_and_high(x01, x23)));
  v16 both = x01 + 0.5f * x23;
  store(to + apart, low_twice(both) + high_twice(both) * take_turns(A, -A));
  both = x01 + 2 * x23;
  store(to + 2 * apart, low_twice(both) + high_twice(both) * take_turns(B, -B));
}

INLINE void spread_pairs(const nas_winograd_run *r) {
  const float *x = r->x;
  float *v = r->v;
  for (int64_t t = 0; t < r->patches; t++, v += 16, x += 32) {
    v16 a[2][2], b[2][2], c[2][4];
    UNROLL for (int i = 0; i < 2; i++) {
      UNROLL for (int j = 0; j < 4; j++) c[i][j] = load(x + 16 * i + j * r->x_row);
      spread_pair(a[i], c[i], 1, 4);
      spread_pair(b[i], c[i], 2, 4);
    }
    UNROLL for (int i = 0; i < 2; i++) {
      spread_row_pairs(v + 15 * i * r->apart, r->apart, c[0][3 * i], c[1][3 * i]);
      spread_row_pairs(v + 3 * (1 + i) * r->apart, r->apart, a[0][i], a[1][i]);
      spread_row_pairs(v + 3 * (3 + i) * r->apart, r->apart, b[0][i], b[1][i]);
    }
  }
}

/* The first `columns` of two pixels. */
INLINE void put_two(winograd_target to, int64_t at, int64_t columns, v16 value) {
  if (columns >= 2) winograd_put(to, at, value);
  else if (columns == 1) winograd_put_half(to, at, value);
}

INLINE void store_patch_pairs(const nas_winograd_store *s, winograd_target to, const float *m, int64_t at, int64_t rows,
                              int64_t columns) {
  v16 c[3][4];
  UNROLL for (int q = 0; q < 3; q++) sum_column(c[q], m + q * s->apart, 3 * s->apart, 4);
  UNROLL for (int r = 0; r < 4; r++) {
    if (r >= rows) break;
    /* sums and differences of the two points of a pair take turns */
    v16 a = WINOGRAD_SHUFFLE(c[1][r], 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    v16 b = WINOGRAD_SHUFFLE(c[2][r], 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    a += c[1][r] * take_turns(1, -1);
    b += c[2][r] * take_turns(1, -1);
    v16 left = c[0][r] * take_turns(1, 0) + a * take_turns(1, A) + b * take_turns(1, B);
    v16 right = c[0][r] * take_turns(0, 1) + a * take_turns(0.5f, 0.5f * A) + b * take_turns(2, 2 * B);
    put_two(to, at, columns, in_halves(left));
    put_two(to, at + 16, columns - 2, in_halves(right));
    at += s->y_row;
  }
}

INLINE void store_pairs(const nas_winograd_store *s, winograd_target to, int64_t k) {
  const float *m = s->m + k * LINE;
  for (int64_t t = 0; t < s->patches; t++, m += 16) {
    int64_t columns = s->columns - 4 * t;
    if (s->rows >= 4 && columns >= 4) store_patch_pairs(s, to, m, 32 * t, 4, 4);
    else store_patch_pairs(s, to, m, 32 * t, s->rows, columns);
  }
}

/* ---- both ---- */

/* Calls for patches of the run's height and width, each compiled for itself. */
#define OF_SIZE(call, r, ...)                                    \
  if ((r)->tall == 4 && (r)->wide == 4) call(__VA_ARGS__, 4, 4); \
  else if ((r)->tall == 4) call(__VA_ARGS__, 4, 3);              \
  else if ((r)->wide == 4) call(__VA_ARGS__, 3, 4);              \
  else call(__VA_ARGS__, 3, 3)

static void input(const nas_winograd_run *r) {
  if (r->pairs) {
    input_rows_pairs(r, 0);
    input_rows_pairs(r, 1);
    input_rows_pairs(r, 2);
  } else {
    OF_SIZE(input_slabs, r, r, r->v, false);
  }
}

INLINE void spread_slabs(const nas_winograd_run *r, int tall, int wide) {
  for (int64_t i = 0; 16 * i < r->channels; i++)
    spread_slab(r, r->x + 16 * i, (float *)r->v + i * LINE, false, tall, wide);
}

static void spread(const nas_winograd_run *r) {
  if (r->pairs) {
    spread_pairs(r);
  } else {
    OF_SIZE(spread_slabs, r, r);
  }
}

INLINE void store_of_size(const nas_winograd_store *s, winograd_target to, int64_t k) {
  OF_SIZE(store_vector, s, s, to, k);
}

static void store_patches(const nas_winograd_store *s) {
  for (int64_t k = 0; k < s->vectors; k++)
    if (s->pairs) {
      WINOGRAD_TARGETS(store_pairs, s, k);
    } else {
      WINOGRAD_TARGETS(store_of_size, s, k);
    }
}

/* G' of six. */
INLINE void narrow(v16 to[3], const v16 d[6]) {
  v16 a = (-1 / 3.0f) * (d[1] + d[2]), b = (1 / 6.0f) * (d[3] + d[4]);
  to[0] = d[0] + 2 * a + b;
  to[1] = (-2 / 3.0f * A) * (d[1] - d[2]) + (1 / 6.0f * B) * (d[3] - d[4]);
  to[2] = a + 2 * b + d[5];
}

static void weights_of(float *u, int64_t apart, const nas_winograd_taps *t, int64_t vectors, bool pairs) {
  const v16 even = take_turns(1, 0), odd = take_turns(0, 1);
  for (int64_t in = 0; in < t->ins; in++, u += 16 * vectors) {
    v16 all[6][6];
    widen_taps(all, t, in, pairs);
    for (int r = 0; r < 6; r++) {
      if (pairs) {
        store(u + 3 * r * apart, all[r][0] * even + all[r][5] * odd);
        store(u + (3 * r + 1) * apart, all[r][1] * even + all[r][2] * odd);
        store(u + (3 * r + 2) * apart, all[r][3] * even + all[r][4] * odd);
      } else
        for (int c = 0; c < 6; c++) store(u + (6 * r + c) * apart, all[r][c]);
    }
  }
}

static void taps_of(float *taps, const float *du, int64_t n, bool pairs) {
  const v16 even = take_turns(1, 0), odd = take_turns(0, 1);
  for (int64_t i = 0; i < n; i += 16) {
    v16 rows[6][3];
    for (int r = 0; r < 6; r++) {
      const float *from = du + (pairs ? 3 : 6) * r * n + i;
      v16 d[6];
      for (int c = 0; c < 6; c++) {
        if (pairs) d[c] = load(from + (c + 1) / 2 % 3 * n) * (c == 0 || c == 1 || c == 3 ? even : odd);
        else d[c] = load(from + c * n);
      }
      narrow(rows[r], d);
    }
    for (int c = 0; c < 3; c++) {
      v16 all[3];
      const v16 column[6] = {rows[0][c], rows[1][c], rows[2][c], rows[3][c], rows[4][c], rows[5][c]};
      narrow(all, column);
      for (int r = 0; r < 3; r++) store(taps + (3 * r + c) * n + i, all[r]);
    }
  }
}

const nas_winograd_transforms NAS_PER_ISA(winograd_4) = {
    .input = input, .spread = spread, .store = store_patches, .weights = weights_of, .taps = taps_of};
