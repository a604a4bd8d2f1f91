/* B-spline layers: only order + 1 of all splines differ from zero at any point, so a row costs that many multiply-adds
 * for each edge, whatever the grid. Inputs are taken one by one; the weights of one input, scaled, are a tile [spline]
 * [neuron] that stays in the first cache while a chunk of rows goes by. The tile has `order` rows of zeros before and
 * after it for cells at the ends, and then the row of the SiLU. */
#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

enum { CHUNK = NAS_SPLINE_CHUNK, ORDER_MAX = NAS_SPLINE_ORDER_MAX };

/* Scratch, cut up. Widths of neurons are rounded up to vectors. */
typedef struct room {
  int64_t width, tile_rows;
  float *x, *dx;            /* [16 inputs][row] */
  float *silu, *silu_slope; /* [row] */
  float *value, *slope;     /* [order + 1][row] */
  int32_t *cell, *order;    /* [row]; the first tile row of each; rows by cell */
  float *tile, *sums;       /* [tile row][neuron]; weights, and sums of gradients */
  float *rows;              /* [row][neuron]: y or dy */
} room;

static room room_of(const nas_spline *s) {
  room m = {.width = nas_spline_width(s->out), .tile_rows = nas_spline_tile_rows(s->grid, s->order)};
  m.x = s->scratch;
  m.dx = m.x + 16 * CHUNK;
  m.silu = m.dx + 16 * CHUNK;
  m.silu_slope = m.silu + CHUNK;
  m.value = m.silu_slope + CHUNK;
  m.slope = m.value + (ORDER_MAX + 1) * CHUNK;
  m.cell = (int32_t *)(m.slope + (ORDER_MAX + 1) * CHUNK);
  m.order = m.cell + CHUNK;
  m.tile = (float *)(m.order + CHUNK);
  m.sums = m.tile + m.tile_rows * m.width;
  m.rows = m.sums + m.tile_rows * m.width;
  return m;
}

/* Inputs i.. of n rows from `row` on, turned; zeros where there is none. */
static void turn(const nas_spline *s, const room *m, int64_t row, int64_t n, int64_t i) {
  int64_t inputs = s->in - i < 16 ? s->in - i : 16;
  for (int64_t r = 0; r < (n + 15) / 16 * 16; r++)
    for (int64_t k = 0; k < 16; k++) m->x[k * CHUNK + r] = r < n && k < inputs ? s->x[(row + r) * s->in + i + k] : 0;
}

/* Splines and SiLU of sixteen rows, with slopes. De Boor's recursion on uniform knots; cells are half open. */
INLINE void evaluate(const nas_spline *s, const room *m, const float *x, int64_t r, int64_t order) {
  v16 at = load(x + r), place = (at - s->low) * s->per_unit + (float)order, n[ORDER_MAX + 1], lower[ORDER_MAX + 1];
  v16 gate = logistic_of(at);
  store(m->silu + r, at * gate);
  store(m->silu_slope + r, gate * (1 + at * (1 - gate)));
  i16 inside = (place >= 0) & (place < (float)(s->grid + 2 * order));
  i16 cell = __builtin_convertvector((v16)((i16)place & inside), i16);
  v16 u = (v16)((i16)(place - __builtin_convertvector(cell, v16)) & inside);
  n[0] = (v16)((i16)splat(1) & inside);
  for (int64_t j = 1; j <= order; j++) {
    v16 saved = {0};
    if (j == order)
      for (int64_t k = 0; k < j; k++) lower[k] = n[k];
    for (int64_t k = 0; k < j; k++) {
      v16 share = n[k] * (1 / (float)j);
      n[k] = saved + ((float)(k + 1) - u) * share;
      saved = (u + (float)(j - k - 1)) * share;
    }
    n[j] = saved;
  }
  memcpy(m->cell + r, &cell, sizeof cell);
  for (int64_t k = 0; k <= order; k++) {
    store(m->value + k * CHUNK + r, n[k]);
    v16 left = k > 0 ? lower[k - 1] : (v16){0}, right = k < order ? lower[k] : (v16){0};
    store(m->slope + k * CHUNK + r, (left - right) * s->per_unit);
  }
}

static void evaluate_rows(const nas_spline *s, const room *m, int64_t n, int64_t k) {
  for (int64_t r = 0; r < n; r += 16)
    if (s->order == 3) evaluate(s, m, m->x + k * CHUNK, r, 3);
    else evaluate(s, m, m->x + k * CHUNK, r, s->order);
}

/* The tile of input i. */
static void weigh(const nas_spline *s, const room *m, int64_t i) {
  int64_t terms = s->grid + s->order;
  for (int64_t o = 0; o < m->width; o += 16) {
    int64_t left = s->out - o;
    v16 scale = load_upto(s->scale + i * s->out + o, left);
    for (int64_t k = 0; k < terms; k++)
      store(m->tile + (s->order + k) * m->width + o, scale * load_upto(s->weight + (k * s->in + i) * s->out + o, left));
    store(m->tile + (m->tile_rows - 1) * m->width + o, load_upto(s->base + i * s->out + o, left));
  }
}

static void clear(float *p, int64_t n) { memset(p, 0, (size_t)n * sizeof *p); }

INLINE void add_input(const room *m, int64_t n, int64_t order) {
  const float *base = m->tile + (m->tile_rows - 1) * m->width;
  for (int64_t r = 0; r < n; r++) {
    const float *tile = m->tile + m->cell[r] * m->width;
    float *y = m->rows + r * m->width;
    v16 silu = splat(m->silu[r]), value[ORDER_MAX + 1];
    for (int64_t k = 0; k <= order; k++) value[k] = splat(m->value[k * CHUNK + r]);
    for (int64_t o = 0; o < m->width; o += 16) {
      v16 sum = load(y + o) + silu * load(base + o);
      for (int64_t k = 0; k <= order; k++) sum += value[k] * load(tile + k * m->width + o);
      store(y + o, sum);
    }
  }
}

void NAS_PER_ISA(spline_forward)(const nas_spline *s) {
  room m = room_of(s);
  clear(m.tile, m.tile_rows * m.width);
  for (int64_t row = 0; row < s->rows; row += CHUNK) {
    int64_t n = s->rows - row < CHUNK ? s->rows - row : CHUNK;
    clear(m.rows, n * m.width);
    for (int64_t i = 0; i < s->in; i++) {
      if (i % 16 == 0) turn(s, &m, row, n, i);
      evaluate_rows(s, &m, n, i % 16);
      weigh(s, &m, i);
      if (s->order == 3) add_input(&m, n, 3);
      else add_input(&m, n, s->order);
    }
    for (int64_t r = 0; r < n; r++)
      memcpy(s->y + (row + r) * s->out, m.rows + r * m.width, (size_t)s->out * sizeof(float));
  }
}

/* Rows of equal cells side by side (counting sort), so that the sums of a cell stay in registers. */
static void sort_rows(const room *m, int64_t n) {
  int32_t first[NAS_SPLINE_TILE_MAX + 1] = {0};
  for (int64_t r = 0; r < n; r++) first[m->cell[r] + 1]++;
  for (int64_t k = 0; k < m->tile_rows; k++) first[k + 1] += first[k];
  for (int64_t r = 0; r < n; r++) m->order[first[m->cell[r]]++] = (int32_t)r;
}

/* Sums over the rows of dy times each spline and the SiLU, for 16 `vectors` neurons from o on. */
INLINE void sum_input(const room *m, int64_t n, int64_t order, int64_t o, int vectors) {
  v16 base[4] = {{0}};
  for (int64_t at = 0; at < n;) {
    int32_t cell = m->cell[m->order[at]];
    v16 sum[(ORDER_MAX + 1) * 4];
    for (int64_t k = 0; k < (order + 1) * vectors; k++) sum[k] = (v16){0};
    for (; at < n && m->cell[m->order[at]] == cell; at++) {
      int32_t r = m->order[at];
      v16 dy[4], silu = splat(m->silu[r]);
      for (int v = 0; v < vectors; v++) {
        dy[v] = load(m->rows + r * m->width + o + 16 * v);
        base[v] += silu * dy[v];
      }
      for (int64_t k = 0; k <= order; k++) {
        v16 value = splat(m->value[k * CHUNK + r]);
        for (int v = 0; v < vectors; v++) sum[k * vectors + v] += value * dy[v];
      }
    }
    for (int64_t k = 0; k <= order; k++)
      for (int v = 0; v < vectors; v++) {
        float *to = m->sums + (cell + k) * m->width + o + 16 * v;
        store(to, load(to) + sum[k * vectors + v]);
      }
  }
  for (int v = 0; v < vectors; v++) store(m->sums + (m->tile_rows - 1) * m->width + o + 16 * v, base[v]);
}

static void sum_all(const nas_spline *s, const room *m, int64_t n) {
  int64_t o = 0;
  sort_rows(m, n);
  clear(m->sums, m->tile_rows * m->width);
  for (; s->order == 3 && o + 64 <= m->width; o += 64) sum_input(m, n, 3, o, 4);
  for (; s->order == 3 && o < m->width; o += 16) sum_input(m, n, 3, o, 1);
  for (; o < m->width; o += 16) sum_input(m, n, s->order, o, 1);
}

INLINE void put(float *to, v16 v, bool first, int64_t n) { store_upto(to, first ? v : load_upto(to, n) + v, n); }

/* From the sums of input i to the gradients of its weights. */
static void finish_weights(const nas_spline *s, const room *m, int64_t i, bool first) {
  int64_t terms = s->grid + s->order;
  for (int64_t o = 0; o < m->width; o += 16) {
    int64_t left = s->out - o, at = i * s->out + o;
    v16 scale = load_upto(s->scale + at, left), by_scale = {0};
    for (int64_t k = 0; k < terms; k++) {
      v16 g = load(m->sums + (s->order + k) * m->width + o);
      by_scale += g * load_upto(s->weight + k * s->in * s->out + at, left);
      put(s->dweight + k * s->in * s->out + at, g * scale, first, left);
    }
    put(s->dscale + at, by_scale, first, left);
    put(s->dbase + at, load(m->sums + (m->tile_rows - 1) * m->width + o), first, left);
  }
}

INLINE void send_back(const room *m, int64_t n, int64_t order, float *dx) {
  const float *base = m->tile + (m->tile_rows - 1) * m->width;
  for (int64_t r = 0; r < n; r++) {
    const float *tile = m->tile + m->cell[r] * m->width, *dy = m->rows + r * m->width;
    v16 silu = splat(m->silu_slope[r]), slope[ORDER_MAX + 1], sum = {0};
    for (int64_t k = 0; k <= order; k++) slope[k] = splat(m->slope[k * CHUNK + r]);
    for (int64_t o = 0; o < m->width; o += 16) {
      v16 rise = silu * load(base + o);
      for (int64_t k = 0; k <= order; k++) rise += slope[k] * load(tile + k * m->width + o);
      sum += rise * load(dy + o);
    }
    dx[r] = sum_of(sum);
  }
}

static void finish_dx(const nas_spline *s, const room *m, int64_t row, int64_t n, int64_t i) {
  int64_t inputs = s->in - i < 16 ? s->in - i : 16;
  for (int64_t r = 0; r < n; r++)
    for (int64_t k = 0; k < inputs; k++) {
      int64_t at = (row + r) * s->in + i + k;
      s->dx[at] = m->dx[k * CHUNK + r] + (s->dplus ? s->dplus[at] : 0);
    }
}

static void backward_input(const nas_spline *s, const room *m, int64_t row, int64_t n, int64_t i) {
  if (i % 16 == 0) turn(s, m, row, n, i);
  evaluate_rows(s, m, n, i % 16);
  sum_all(s, m, n);
  finish_weights(s, m, i, row == 0);
  if (!s->dx) return;
  weigh(s, m, i);
  if (s->order == 3) send_back(m, n, 3, m->dx + i % 16 * CHUNK);
  else send_back(m, n, s->order, m->dx + i % 16 * CHUNK);
  if (i % 16 == 15 || i + 1 == s->in) finish_dx(s, m, row, n, i - i % 16);
}

void NAS_PER_ISA(spline_backward)(const nas_spline *s) {
  room m = room_of(s);
  clear(m.tile, m.tile_rows * m.width);
  for (int64_t row = 0; row < s->rows; row += CHUNK) {
    int64_t n = s->rows - row < CHUNK ? s->rows - row : CHUNK;
    clear(m.rows, n * m.width);
    for (int64_t r = 0; r < n; r++)
      memcpy(m.rows + r * m.width, s->dy + (row + r) * s->out, (size_t)s->out * sizeof(float));
    for (int64_t i = 0; i < s->in; i++) backward_input(s, &m, row, n, i);
  }
}
