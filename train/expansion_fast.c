/* Layers of functions that are all different from zero: for each function a tensor of its values, a chunk of rows at a
 * time, and a matrix product with its weights. */
#include <string.h>

#include "train/expansion.h"
#include "train/gemm.h"
#include "train/kernels/kernels.h"

/* As many rows that their values stay in the second cache; the products want no fewer than 64. */
static int64_t chunk_of(const nas_call *c) {
  int64_t rows = nas_site_rows(&c->site, 0), chunk = 65536 / c->site.in[0].c / 16 * 16;
  if (chunk < 64) chunk = 64;
  if (chunk > 512) chunk = 512;
  return chunk < rows ? chunk : rows;
}

static int64_t values_of(const nas_call *c) { return chunk_of(c) * c->site.in[0].c; }

void nas_expansion_reserve_fast(nas_call *c, const nas_expansion *e) {
  int64_t bytes = values_of(c) * (int64_t)sizeof(float);
  c->forward_scratch = (1 + e->works) * bytes;
  c->backward_scratch = (2 + e->works) * bytes;
}

/* What the two passes walk over: one chunk of rows. */
typedef struct chunk {
  int64_t row, rows, in, out, n; /* n = rows in */
  const float *u, *x;
  float *phi, *work, *back;
} chunk;

static chunk chunk_at(const nas_call *c, int64_t row) {
  int64_t all = nas_site_rows(&c->site, 0), most = chunk_of(c);
  chunk k = {.row = row, .rows = all - row < most ? all - row : most, .in = c->site.in[0].c, .out = c->site.out.c};
  k.n = k.rows * k.in;
  k.u = (const float *)c->x[0] + row * k.in;
  k.x = (const float *)c->x[c->site.n_in - 1] + row * k.in;
  k.phi = c->scratch;
  k.back = k.phi + values_of(c);
  k.work = c->site.mode == NAS_TRAIN ? k.back + values_of(c) : k.back;
  return k;
}

static const float *weight_of(const nas_call *c, const nas_expansion *e, int64_t term) {
  return (const float *)c->param[e->weight] + term * e->by_term;
}

void nas_expansion_forward_fast(const nas_call *c, const nas_expansion *e) {
  int64_t rows = nas_site_rows(&c->site, 0);
  for (int64_t row = 0; row < rows;) {
    chunk k = chunk_at(c, row);
    float *y = (float *)c->y + row * k.out;
    k.work = k.back; /* the forward pass sends nothing back */
    for (int64_t r = 0; e->offset >= 0 && r < k.rows; r++)
      memcpy(y + r * k.out, c->param[e->offset], (size_t)k.out * sizeof *y);
    bool add = e->offset >= 0;
    if (e->base >= 0) {
      nas_kernels()->silu(k.phi, k.x, k.n);
      nas_gemm(false, false, k.rows, k.out, k.in, k.phi, c->param[e->base], add, y);
      add = true;
    }
    for (int64_t t = 0; t < e->terms; t++, add = true) {
      const float *phi = e->values(e->options, t, k.u, k.phi, k.work, k.n);
      nas_gemm(false, false, k.rows, k.out, k.in, phi, weight_of(c, e, t), add, y);
    }
    row += k.rows;
  }
}

/* The gradient of a tensor of weights whose functions have the values phi. */
static void add_weights(const chunk *k, const float *phi, const float *dy, float *dw) {
  nas_gemm(true, false, k->in, k->out, k->rows, phi, dy, k->row > 0, dw);
}

/* What weights w send back to the functions. */
static void send_back(const chunk *k, const float *dy, const float *w) {
  nas_gemm(false, true, k->rows, k->in, k->out, dy, w, false, k->back);
}

static void begin_dx(const nas_call *c, const chunk *k, int i) {
  float *dx = (float *)c->dx[i] + k->row * k->in;
  const float *plus = c->dplus[i] ? (const float *)c->dplus[i] + k->row * k->in : NULL;
  if (!plus) memset(dx, 0, (size_t)k->n * sizeof *dx);
  else if (plus != dx) memcpy(dx, plus, (size_t)k->n * sizeof *dx);
}

static void silu_dx(const nas_call *c, const nas_expansion *e, const chunk *k, int i) {
  if (e->base < 0) return;
  float *dx = (float *)c->dx[i] + k->row * k->in;
  send_back(k, (const float *)c->dy + k->row * k->out, c->param[e->base]);
  nas_kernels()->silu_gradient(dx, dx, k->x, k->back, k->n);
}

void nas_expansion_backward_fast(const nas_call *c, const nas_expansion *e) {
  int64_t rows = nas_site_rows(&c->site, 0);
  bool own_silu = c->site.n_in == 2;
  for (int64_t row = 0; row < rows;) {
    chunk k = chunk_at(c, row);
    const float *dy = (const float *)c->dy + row * k.out;
    float *du = c->dx[0] ? (float *)c->dx[0] + row * k.in : NULL;
    if (e->base >= 0) {
      nas_kernels()->silu(k.phi, k.x, k.n);
      add_weights(&k, k.phi, dy, c->grad[e->base]);
    }
    if (du) begin_dx(c, &k, 0);
    if (du && !own_silu) silu_dx(c, e, &k, 0);
    for (int64_t t = 0; t < e->terms; t++) {
      const float *phi = e->values(e->options, t, k.u, k.phi, k.work, k.n);
      add_weights(&k, phi, dy, (float *)c->grad[e->weight] + t * e->by_term);
      if (!du) continue;
      send_back(&k, dy, weight_of(c, e, t));
      e->slopes(e->options, t, k.u, k.back, du, k.work, k.n);
    }
    row += k.rows;
  }
  if (e->offset >= 0) nas_kernels()->column_sums(c->grad[e->offset], c->dy, rows, c->site.out.c);
  for (int64_t row = 0; own_silu && c->dx[1] && row < rows;) {
    chunk k = chunk_at(c, row);
    begin_dx(c, &k, 1);
    silu_dx(c, e, &k, 1);
    row += k.rows;
  }
}
