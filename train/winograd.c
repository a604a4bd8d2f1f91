#include "train/winograd.h"

#include <string.h>

/* Blocks whose weight gradients are summed before they are added to those of the tile, in f32 and in
 * bf16. */
enum { BLOCK = NAS_WINOGRAD_BLOCK, BLOCKS = 2, BLOCKS_MAX = NAS_WINOGRAD_HALF_BLOCKS };

static int64_t slabs_of(int64_t channels) { return nas_winograd_pairs(channels) ? 1 : channels / 16; }

/* Patches of `side` that cover n pixels. */
static int64_t covering(int64_t n, int64_t side) { return (n + side - 1) / side; }

static int64_t multiplications(int64_t side, int64_t height, int64_t width) {
  return nas_winograd_points(side, false) * covering(height, side) * covering(width, side);
}

int64_t nas_winograd_side(int64_t ins, int64_t outs, int64_t height, int64_t width) {
  if (!(ins == 8 && outs == 8) && !(ins % 16 == 0 && outs % 16 == 0)) return 0;
  if (ins > NAS_WINOGRAD_CHANNELS || outs > NAS_WINOGRAD_CHANNELS) return 0;
  int64_t two = multiplications(2, height, width), four = multiplications(4, height, width);
  int64_t taps = (3 * height - 2) * (3 * width - 2), side = four < two ? 4 : 2;
  return 5 * (side == 4 ? four : two) < 4 * taps ? side : 0; /* the transforms cost something too */
}

const nas_winograd_transforms *nas_winograd_transforms_of(int64_t side) {
  return side == 4 ? nas_kernels()->winograd_4 : nas_kernels()->winograd_2;
}

int64_t nas_winograd_weight_numbers(int64_t side, int64_t ins, int64_t outs, int64_t vectors) {
  return nas_winograd_points(side, nas_winograd_pairs(outs)) * ins * vectors * 16;
}

/* Numbers of a block's values of so many slabs. */
static int64_t values(int64_t side, int64_t slabs, bool pairs) {
  return nas_winograd_points(side, pairs) * nas_winograd_apart(slabs);
}

void nas_winograd_pack(const nas_winograd_bf16 *bf16, int64_t side, float *u, const float *plain,
                       const nas_direct_shape *s, int64_t first, int64_t of, int64_t vector, int64_t slot,
                       int64_t vectors) {
  int64_t apart = of * vectors * 16, at = (first * vectors + slot) * 16;
  nas_winograd_taps t = {.w = plain + 16 * vector * (s->turned ? 9 : s->ins * 9),
                         .out = s->turned ? 9 : s->ins * 9,
                         .in = s->turned ? s->outs * 9 : 9,
                         .ins = s->ins,
                         .turned = s->turned};
  if (bf16) bf16->weights((uint16_t *)(void *)u + at + 16 * slot, apart, &t, vectors);
  else nas_winograd_transforms_of(side)->weights(u + at, apart, &t, vectors, nas_winograd_pairs(s->outs));
}

void nas_winograd_unpack(float *plain, const float *taps, const nas_direct_shape *s, int64_t vector, int64_t slot,
                         int64_t vectors) {
  bool pairs = nas_winograd_pairs(s->outs);
  for (int64_t l = 0; l < (pairs ? 8 : 16); l++)
    for (int64_t in = 0; in < s->ins; in++)
      for (int64_t tap = 0; tap < 9; tap++) {
        const float *from = taps + ((tap * s->ins + in) * vectors + slot) * 16;
        plain[((16 * vector + l) * s->ins + in) * 9 + tap] = pairs ? from[2 * l] + from[2 * l + 1] : from[l];
      }
}

int64_t nas_winograd_convolve_scratch(int64_t side, int64_t ins, int64_t outs) {
  bool pairs = nas_winograd_pairs(outs);
  return values(side, pairs ? ins / 8 : ins / 16, pairs) + values(side, NAS_WINOGRAD_VECTORS, pairs);
}

int64_t nas_winograd_weights_scratch(int64_t side, int64_t ins, int64_t outs) {
  bool pairs = nas_winograd_pairs(outs);
  int64_t slabs = slabs_of(ins), points = nas_winograd_points(side, pairs);
  int64_t single = BLOCKS * points * (nas_winograd_apart(slabs) + nas_winograd_apart(NAS_WINOGRAD_VECTORS));
  int64_t half = BLOCKS_MAX * points * (nas_winograd_half_apart(slabs) + nas_winograd_half_apart(NAS_WINOGRAD_VECTORS));
  return single > half / 2 ? single : half / 2;
}

/* Neighbouring patches of one row. */
typedef struct run {
  int64_t in, out;       /* their first pixel: of the bordered input from the corner on, and of the output */
  int64_t slot, patches; /* of the block */
  int64_t rows, columns; /* output pixels that there are */
} run;

static int64_t across(const nas_winograd_grid *g) { return covering(g->width, g->side); }
static int64_t down(const nas_winograd_grid *g) { return covering(g->height, g->side); }
static int64_t patches_of(const nas_winograd_grid *g) { return g->images * down(g) * across(g); }

/* The runs of patches first .. first + n - 1. */
static int64_t find_runs(const nas_winograd_grid *g, int64_t first, int64_t n, run runs[BLOCK]) {
  int64_t side = g->side, wide = across(g), high = down(g), count = 0;
  int64_t column = first % wide, row = first / wide % high, image = first / wide / high;
  for (int64_t slot = 0; slot < n;) {
    int64_t patches = wide - column < n - slot ? wide - column : n - slot;
    runs[count++] = (run){.in = image * g->image + side * (row * g->row + column) + g->corner,
                          .out = (image * g->height + side * row) * g->width + side * column,
                          .slot = slot,
                          .patches = patches,
                          .rows = g->height - side * row < side ? g->height - side * row : side,
                          .columns = g->width - side * column};
    slot += patches;
    column = 0;
    if (++row == high) row = 0, image++;
  }
  return count;
}

/* Number `at` of values in f32 or bf16. */
static void *number_at(const nas_winograd_bf16 *bf16, void *values, int64_t at) {
  return bf16 ? (void *)((uint16_t *)values + at) : (void *)((float *)values + at);
}

/* Into v, or, with bf16, into the 16-bit numbers there. */
static void transform(const nas_winograd_grid *g, const run *runs, int64_t n, const float *x, int64_t channels, void *v,
                      int64_t apart, const nas_winograd_bf16 *bf16) {
  for (int64_t i = 0; i < n; i++) {
    nas_winograd_run r = {.x = x + runs[i].in * channels,
                          .x_row = g->row * channels,
                          .pitch = channels,
                          .channels = channels,
                          .patches = runs[i].patches,
                          .v = number_at(bf16, v, 16 * runs[i].slot),
                          .apart = apart,
                          .pairs = nas_winograd_pairs(channels)};
    (bf16 ? bf16->input : nas_winograd_transforms_of(g->side)->input)(&r);
  }
}

static void store_group(const nas_winograd_convolution *c, const nas_winograd_group *g, const run *runs, int64_t n,
                        const float *m, int64_t apart) {
  for (int64_t i = 0; i < n; i++) {
    const run *r = &runs[i];
    int64_t at = r->out * c->outs;
    nas_winograd_store s = {.m = m + 16 * r->slot,
                            .apart = apart,
                            .patches = r->patches,
                            .vectors = g->vectors,
                            .pitch = c->outs,
                            .y_row = c->grid->width * c->outs,
                            .rows = r->rows,
                            .columns = r->columns,
                            .pairs = nas_winograd_pairs(c->outs)};
    for (int32_t k = 0; k < g->vectors; k++) {
      s.y[k] = number_at(c->half_y ? c->bf16 : NULL, g->y[k], at);
      s.plus[k] = g->plus[k] ? g->plus[k] + at : NULL;
      s.mask[k] = g->mask[k] ? g->mask[k] + at : NULL;
    }
    (c->half_y ? c->bf16->store : nas_winograd_transforms_of(c->grid->side)->store)(&s);
  }
}

static int64_t apart_of(const nas_winograd_bf16 *bf16, int64_t slabs) {
  return bf16 ? nas_winograd_half_apart(slabs) : nas_winograd_apart(slabs);
}

void nas_winograd_convolve(const nas_winograd_convolution *c, float *scratch) {
  bool pairs = nas_winograd_pairs(c->outs);
  int64_t side = c->grid->side, slabs = slabs_of(c->ins), all = patches_of(c->grid);
  nas_winograd_product p = {.v = scratch,
                            .v_apart = apart_of(c->bf16, c->sources * slabs),
                            .m_apart = nas_winograd_apart(NAS_WINOGRAD_VECTORS),
                            .points = nas_winograd_points(side, pairs),
                            .channels = c->sources * c->ins,
                            .pairs = pairs};
  float *m = p.m = scratch + values(side, c->sources * slabs, pairs);
  for (int64_t at = 0; at < all; at += BLOCK) {
    run runs[BLOCK];
    p.patches = all - at < BLOCK ? all - at : BLOCK;
    int64_t n = find_runs(c->grid, at, p.patches, runs);
    for (int64_t i = 0; i < c->sources; i++)
      transform(c->grid, runs, n, c->x[i], c->ins, number_at(c->bf16, scratch, i * slabs * BLOCK * 16), p.v_apart,
                c->bf16);
    for (int64_t i = 0; i < c->n_groups; i++) {
      p.u = c->groups[i].u;
      p.vectors = c->groups[i].vectors;
      (c->bf16 ? c->bf16->product : nas_kernels()->winograd_product)(&p);
      store_group(c, &c->groups[i], runs, n, m, p.m_apart);
    }
  }
}

/* A dz A' of one vector. */
static void spread(const nas_winograd_weights *w, const run *runs, int64_t n, const float *dz, void *d, int64_t apart) {
  for (int64_t i = 0; i < n; i++) {
    nas_winograd_run r = {.x = dz + (runs[i].in + w->grid->row + 1) * w->outs,
                          .x_row = w->grid->row * w->outs,
                          .pitch = w->outs,
                          .channels = 16,
                          .patches = runs[i].patches,
                          .v = number_at(w->bf16, d, 16 * runs[i].slot),
                          .apart = apart,
                          .pairs = nas_winograd_pairs(w->outs)};
    (w->bf16 ? w->bf16->spread : nas_winograd_transforms_of(w->grid->side)->spread)(&r);
  }
}

void nas_winograd_weight_gradient(const nas_winograd_weights *w, float *scratch) {
  bool pairs = nas_winograd_pairs(w->outs);
  int64_t side = w->grid->side, slabs = slabs_of(w->ins), all = patches_of(w->grid);
  int64_t blocks = w->bf16 ? BLOCKS_MAX : BLOCKS;
  nas_winograd_gradient g = {.v = scratch,
                             .v_apart = apart_of(w->bf16, slabs),
                             .d_apart = apart_of(w->bf16, NAS_WINOGRAD_VECTORS),
                             .points = nas_winograd_points(side, pairs),
                             .channels = w->ins,
                             .pairs = pairs};
  g.v_block = g.points * g.v_apart;
  g.d_block = g.points * g.d_apart;
  void *d = number_at(w->bf16, scratch, blocks * g.v_block);
  g.d = d;
  for (int64_t at = 0; at < all; at += blocks * BLOCK) {
    run runs[BLOCKS_MAX][BLOCK];
    int64_t n[BLOCKS_MAX] = {0};
    g.patches = all - at < blocks * BLOCK ? all - at : blocks * BLOCK;
    for (int64_t b = 0; b * BLOCK < g.patches; b++) {
      int64_t left = g.patches - b * BLOCK;
      n[b] = find_runs(w->grid, at + b * BLOCK, left < BLOCK ? left : BLOCK, runs[b]);
      transform(w->grid, runs[b], n[b], w->x, w->ins, number_at(w->bf16, scratch, b * g.v_block), g.v_apart, w->bf16);
    }
    for (int64_t i = 0; i < w->n_groups; i++) {
      g.du = w->groups[i].du;
      g.vectors = w->groups[i].vectors;
      for (int64_t b = 0; b * BLOCK < g.patches; b++)
        for (int32_t k = 0; k < g.vectors; k++)
          spread(w, runs[b], n[b], w->groups[i].dz[k], number_at(w->bf16, d, b * g.d_block + k * BLOCK * 16),
                 g.d_apart);
      (w->bf16 ? w->bf16->gradient : nas_kernels()->winograd_gradient)(&g);
    }
  }
}
