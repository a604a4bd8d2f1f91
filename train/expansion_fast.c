/* Layers of functions that are all different from zero, by matrix products, a block of rows and inputs at a time.
 * Within a block everything is turned, [input][row]: so no product has to turn the weights. Where the inputs are few,
 * one product takes several functions. */
#include <string.h>

#include "train/expansion.h"
#include "train/gemm.h"
#include "train/kernels/kernels.h"

/* Rows of a block at most, and numbers: a function's values, what is sent back to it, and the weights are to stay in
 * the second cache. */
enum { ROWS = 256, NUMBERS = 32768 };

static int64_t parts(int64_t n, int64_t most) { return (n + most - 1) / most; }
/* n in even parts of at most `most`. */
static int64_t even(int64_t n, int64_t most) { return parts(n, parts(n, most)); }

static int64_t block_rows(const nas_call *c) { return even(nas_site_rows(&c->site, 0), ROWS); }

static int64_t block_inputs(const nas_call *c) {
  int64_t in = c->site.in[0].c, most = NUMBERS / block_rows(c), inputs = even(in, most > 64 ? most : 64);
  return inputs < in ? (inputs + 15) / 16 * 16 : in;
}

/* Functions of one product: weights of several lie together only where a block has all inputs. */
static int64_t group_of(const nas_call *c) {
  const nas_expansion *e = c->prepared;
  int64_t most = NUMBERS / (block_rows(c) * block_inputs(c));
  if (block_inputs(c) < c->site.in[0].c || most < 1) return 1;
  return even(e->terms, most);
}

nas_status nas_expansion_prepare_fast(nas_call *c, const nas_expansion_kind *kind, nas_err *err) {
  NAS_TRY(nas_expansion_keep(c, kind, err));
  int64_t n = block_rows(c) * block_inputs(c) * (int64_t)sizeof(float), group = group_of(c);
  c->forward_scratch = (1 + kind->works + group) * n;
  c->backward_scratch = (2 + kind->works + 2 * group) * n + block_rows(c) * c->site.out.c * (int64_t)sizeof(float);
  return NAS_OK;
}

/* What the two passes walk over: some inputs of some rows. */
typedef struct block {
  int64_t row, rows, first, inputs, in, out, n, group; /* n = rows inputs */
  float *u, *work, *phi;                               /* [input][row], [work][input][row], [term][input][row] */
  float *du, *back, *dy;                               /* [input][row], [term][input][row], [neuron][row] */
} block;

static block block_at(const nas_call *c, int64_t row, int64_t first) {
  const nas_expansion *e = c->prepared;
  int64_t all = nas_site_rows(&c->site, 0), rows = block_rows(c), in = c->site.in[0].c, inputs = block_inputs(c);
  block b = {.row = row, .first = first, .in = in, .out = c->site.out.c, .group = group_of(c)};
  b.rows = all - row < rows ? all - row : rows;
  b.inputs = in - first < inputs ? in - first : inputs;
  b.n = b.rows * b.inputs;
  b.u = c->scratch;
  b.work = b.u + rows * inputs;
  b.phi = b.work + e->kind->works * rows * inputs;
  b.du = b.phi + b.group * rows * inputs; /* the rest in the backward pass only */
  b.back = b.du + rows * inputs;
  b.dy = b.back + b.group * rows * inputs;
  return b;
}

static bool next_block(const nas_call *c, block *b) {
  int64_t row = b->row, first = b->first + b->inputs;
  if (first == b->in) {
    first = 0;
    row += b->rows;
  }
  if (row == nas_site_rows(&c->site, 0)) return false;
  *b = block_at(c, row, first);
  return true;
}

static int64_t terms_from(const nas_expansion *e, const block *b, int64_t term) {
  return e->terms - term < b->group ? e->terms - term : b->group;
}

static void turn_inputs(const nas_call *c, const block *b, int i, float *to) {
  nas_kernels()->turn(to, b->rows, NULL, (const float *)c->x[i] + b->row * b->in + b->first, b->in, b->rows, b->inputs);
}

/* The part of a tensor of weights that the block's inputs have. */
static float *weights(const block *b, void *tensor) { return (float *)tensor + b->first * b->out; }

static void add_values(const block *b, int64_t terms, const float *w, float *y, bool add) {
  nas_gemm(true, false, b->rows, b->out, terms * b->inputs, b->phi, w, add, y);
}

void nas_expansion_forward_fast(const nas_call *c) {
  const nas_expansion *e = c->prepared;
  const nas_expansion_kind *kind = e->kind;
  block b = block_at(c, 0, 0);
  do {
    float *y = (float *)c->y + b.row * b.out;
    bool add = b.first > 0 || kind->offset >= 0;
    for (int64_t r = 0; b.first == 0 && add && r < b.rows; r++)
      memcpy(y + r * b.out, c->param[kind->offset], (size_t)b.out * sizeof *y);
    if (kind->base >= 0) {
      turn_inputs(c, &b, c->site.n_in - 1, b.u);
      nas_kernels()->silu(b.phi, b.u, b.n);
      add_values(&b, 1, weights(&b, c->param[kind->base]), y, add);
      add = true;
    }
    if (kind->base < 0 || c->site.n_in == 2) turn_inputs(c, &b, 0, b.u);
    for (int64_t t = 0, terms; t < e->terms; t += terms, add = true) {
      terms = terms_from(e, &b, t);
      kind->values(e->options, t, terms, b.u, b.phi, b.work, b.n);
      add_values(&b, terms, weights(&b, c->param[kind->weight]) + t * e->by_term, y, add);
    }
  } while (next_block(c, &b));
}

/* The gradient of weights of functions that have the values phi. */
static void add_weights(const nas_call *c, const block *b, int64_t terms, float *dw) {
  nas_gemm(false, false, terms * b->inputs, b->out, b->rows, b->phi, (const float *)c->dy + b->row * b->out, b->row > 0,
           dw);
}

/* What weights w send back to their functions. */
static void send_back(const block *b, int64_t terms, const float *w) {
  nas_gemm(false, false, terms * b->inputs, b->rows, b->out, w, b->dy, false, b->back);
}

static void finish_dx(const nas_call *c, const block *b, int i) {
  int64_t at = b->row * b->in + b->first;
  nas_kernels()->turn((float *)c->dx[i] + at, b->in, c->dplus[i] ? (const float *)c->dplus[i] + at : NULL, b->du,
                      b->rows, b->inputs, b->rows);
}

/* The SiLU branch; its x is in b->u. */
static void base_backward(const nas_call *c, const nas_expansion_kind *kind, const block *b, bool wants_weights,
                          bool wants_dx) {
  if (wants_weights) {
    nas_kernels()->silu(b->phi, b->u, b->n);
    add_weights(c, b, 1, weights(b, c->grad[kind->base]));
  }
  if (!wants_dx) return;
  send_back(b, 1, weights(b, c->param[kind->base]));
  nas_kernels()->silu_gradient(b->du, NULL, b->u, b->back, b->n);
}

static void block_backward(const nas_call *c, const block *b) {
  const nas_expansion *e = c->prepared;
  const nas_expansion_kind *kind = e->kind;
  bool own_silu = c->site.n_in == 2, dx = c->dx[0];
  if (b->first == 0 && (dx || c->dx[1]))
    nas_kernels()->turn(b->dy, b->rows, NULL, (const float *)c->dy + b->row * b->out, b->out, b->rows, b->out);
  if (kind->base >= 0) {
    turn_inputs(c, b, c->site.n_in - 1, b->u);
    base_backward(c, kind, b, true, dx && !own_silu);
  }
  if (kind->base < 0 || own_silu) turn_inputs(c, b, 0, b->u);
  if (dx && (kind->base < 0 || own_silu)) memset(b->du, 0, (size_t)b->n * sizeof *b->du);
  for (int64_t t = 0, terms; t < e->terms; t += terms) {
    terms = terms_from(e, b, t);
    kind->values(e->options, t, terms, b->u, b->phi, b->work, b->n);
    add_weights(c, b, terms, weights(b, c->grad[kind->weight]) + t * e->by_term);
    if (!dx) continue;
    send_back(b, terms, weights(b, c->param[kind->weight]) + t * e->by_term);
    kind->slopes(e->options, t, terms, b->u, b->phi, b->back, b->du, b->work, b->n);
  }
  if (dx) finish_dx(c, b, 0);
}

void nas_expansion_backward_fast(const nas_call *c) {
  const nas_expansion_kind *kind = ((const nas_expansion *)c->prepared)->kind;
  block b = block_at(c, 0, 0);
  do block_backward(c, &b);
  while (next_block(c, &b));
  if (kind->offset >= 0)
    nas_kernels()->column_sums(c->grad[kind->offset], c->dy, nas_site_rows(&c->site, 0), c->site.out.c);
  if (c->site.n_in < 2 || !c->dx[1]) return;
  b = block_at(c, 0, 0);
  do {
    if (b.first == 0)
      nas_kernels()->turn(b.dy, b.rows, NULL, (const float *)c->dy + b.row * b.out, b.out, b.rows, b.out);
    turn_inputs(c, &b, 1, b.u);
    if (kind->base >= 0) base_backward(c, kind, &b, false, true);
    else memset(b.du, 0, (size_t)b.n * sizeof *b.du);
    finish_dx(c, &b, 1);
  } while (next_block(c, &b));
}
