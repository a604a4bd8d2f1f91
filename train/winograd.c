#include "train/winograd.h"

#include <string.h>

/* Blocks whose weight gradients are summed before they are added to those of the tile, in f32 and in
 * bf16. */
enum { BLOCK = NAS_WINOGRAD_BLOCK, BLOCKS = 2, BLOCKS_MAX = NAS_WINOGRAD_HALF_BLOCKS };

static int64_t slabs_of(int64_t channels) { return nas_winograd_pairs(channels) ? 1 : channels / 16; }

/* Patches of `side` that cover n pixels. */
static int64_t covering(int64_t n, int64_t side) { return (n + side - 1) / side; }

/* How many of those patches have three outputs. */
static int64_t threes_of(const nas_winograd_grid *g, int64_t n) {
  int64_t patches = covering(n, g->side), over = g->side * patches - n;
  return g->narrow && over <= patches ? over : 0;
}

int64_t nas_winograd_more(const nas_winograd_grid *g, int64_t n) {
  return g->side * covering(n, g->side) - threes_of(g, n) - n;
}

bool nas_winograd_narrow(int64_t side, int64_t outs) { return side == 4 && !nas_winograd_pairs(outs); }

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Points along n pixels. */
static int64_t points_along(const nas_winograd_grid *g, int64_t n) {
  return (g->side + 2) * covering(n, g->side) - threes_of(g, n);
}

static int64_t multiplications(int64_t side, int64_t outs, int64_t height, int64_t width) {
  nas_winograd_grid g = {.side = side, .narrow = nas_winograd_narrow(side, outs)};
  return points_along(&g, height) * points_along(&g, width);
}

int64_t nas_winograd_side(int64_t ins, int64_t outs, int64_t height, int64_t width) {
  if (!(ins == 8 && outs == 8) && !(ins % 16 == 0 && outs % 16 == 0)) return 0;
  if (ins > NAS_WINOGRAD_CHANNELS || outs > NAS_WINOGRAD_CHANNELS) return 0;
  int64_t two = multiplications(2, outs, height, width), four = multiplications(4, outs, height, width);
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

/* Patches of one size: so many down and across in each image, from output pixel (top, left) on. */
typedef struct part {
  int64_t top, left, down, across, tall, wide;
} part;

/* The parts of a grid: patches of its side, and where some have three outputs, those at the right, at the bottom and in
 * the corner. */
static int find_parts(const nas_winograd_grid *g, part parts[4]) {
  int64_t low = threes_of(g, g->height), narrow = threes_of(g, g->width);
  int64_t high = covering(g->height, g->side) - low, broad = covering(g->width, g->side) - narrow;
  const part all[4] = {{0, 0, high, broad, g->side, g->side},
                       {0, g->side * broad, high, narrow, g->side, 3},
                       {g->side * high, 0, low, broad, 3, g->side},
                       {g->side * high, g->side * broad, low, narrow, 3, 3}};
  int n = 0;
  for (int i = 0; i < 4; i++)
    if (all[i].down * all[i].across > 0) parts[n++] = all[i];
  return n;
}

int64_t nas_winograd_fewest(const nas_winograd_grid *g) {
  part parts[4];
  int n = find_parts(g, parts);
  int64_t fewest = INT64_MAX;
  for (int i = 0; i < n; i++) fewest = smaller(fewest, parts[i].down * parts[i].across);
  return fewest;
}

/* The runs of patches first .. first + n - 1 of a part. */
static int64_t find_runs(const nas_winograd_grid *g, const part *p, int64_t first, int64_t n, run runs[BLOCK]) {
  int64_t column = first % p->across, row = first / p->across % p->down, image = first / p->across / p->down, count = 0;
  for (int64_t slot = 0; slot < n;) {
    int64_t patches = smaller(p->across - column, n - slot);
    int64_t top = p->top + p->tall * row, left = p->left + p->wide * column;
    runs[count++] = (run){.in = image * g->image + top * g->row + left + g->corner,
                          .out = (image * g->height + top) * g->width + left,
                          .slot = slot,
                          .patches = patches,
                          .rows = smaller(g->height - top, p->tall),
                          .columns = g->width - left};
    slot += patches;
    column = 0;
    if (++row == p->down) row = 0, image++;
  }
  return count;
}

/* Number `at` of values in f32 or bf16. */
static void *number_at(const nas_winograd_bf16 *bf16, void *values, int64_t at) {
  return bf16 ? (void *)((uint16_t *)values + at) : (void *)((float *)values + at);
}

/* Into v, or, with bf16, into the 16-bit numbers there. */
static void transform(const nas_winograd_grid *g, const part *of, const run *runs, int64_t n, const float *x,
                      int64_t channels, void *v, int64_t apart, const nas_winograd_bf16 *bf16) {
  for (int64_t i = 0; i < n; i++) {
    nas_winograd_run r = {.x = x + runs[i].in * channels,
                          .x_row = g->row * channels,
                          .pitch = channels,
                          .channels = channels,
                          .patches = runs[i].patches,
                          .tall = of->tall,
                          .wide = of->wide,
                          .v = number_at(bf16, v, 16 * runs[i].slot),
                          .apart = apart,
                          .pairs = nas_winograd_pairs(channels)};
    (bf16 ? bf16->input : nas_winograd_transforms_of(g->side)->input)(&r);
  }
}

static void store_group(const nas_winograd_convolution *c, const nas_winograd_group *g, const part *of, const run *runs,
                        int64_t n, const float *m, int64_t apart) {
  for (int64_t i = 0; i < n; i++) {
    const run *r = &runs[i];
    int64_t at = r->out * c->outs;
    nas_winograd_store s = {.m = m + 16 * r->slot,
                            .apart = apart,
                            .patches = r->patches,
                            .vectors = g->vectors,
                            .pitch = c->outs,
                            .y_row = c->grid->width * c->outs,
                            .tall = of->tall,
                            .wide = of->wide,
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

static void convolve_part(const nas_winograd_convolution *c, const part *of, nas_winograd_product *p, float *scratch) {
  int64_t slabs = slabs_of(c->ins), all = c->grid->images * of->down * of->across;
  p->tall = of->tall;
  p->wide = of->wide;
  for (int64_t at = 0; at < all; at += BLOCK) {
    run runs[BLOCK];
    p->patches = smaller(all - at, BLOCK);
    int64_t n = find_runs(c->grid, of, at, p->patches, runs);
    for (int64_t i = 0; i < c->sources; i++)
      transform(c->grid, of, runs, n, c->x[i], c->ins, number_at(c->bf16, scratch, i * slabs * BLOCK * 16), p->v_apart,
                c->bf16);
    for (int64_t i = 0; i < c->n_groups; i++) {
      p->u = c->groups[i].u;
      p->vectors = c->groups[i].vectors;
      (c->bf16 ? c->bf16->product : nas_kernels()->winograd_product)(p);
      store_group(c, &c->groups[i], of, runs, n, p->m, p->m_apart);
    }
  }
}

void nas_winograd_convolve(const nas_winograd_convolution *c, float *scratch) {
  bool pairs = nas_winograd_pairs(c->outs);
  int64_t side = c->grid->side, slabs = c->sources * slabs_of(c->ins);
  nas_winograd_product p = {.v = scratch,
                            .m = scratch + values(side, slabs, pairs),
                            .v_apart = apart_of(c->bf16, slabs),
                            .m_apart = nas_winograd_apart(NAS_WINOGRAD_VECTORS),
                            .points = nas_winograd_points(side, pairs),
                            .channels = c->sources * c->ins,
                            .pairs = pairs};
  part parts[4];
  int n = find_parts(c->grid, parts);
  for (int i = 0; i < n; i++) convolve_part(c, &parts[i], &p, scratch);
}

/* A dz A' of one vector. */
static void spread(const nas_winograd_weights *w, const part *of, const run *runs, int64_t n, const float *dz, void *d,
                   int64_t apart) {
  for (int64_t i = 0; i < n; i++) {
    nas_winograd_run r = {.x = dz + (runs[i].in + w->grid->row + 1) * w->outs,
                          .x_row = w->grid->row * w->outs,
                          .pitch = w->outs,
                          .channels = 16,
                          .patches = runs[i].patches,
                          .tall = of->tall,
                          .wide = of->wide,
                          .v = number_at(w->bf16, d, 16 * runs[i].slot),
                          .apart = apart,
                          .pairs = nas_winograd_pairs(w->outs)};
    (w->bf16 ? w->bf16->spread : nas_winograd_transforms_of(w->grid->side)->spread)(&r);
  }
}

static void gradient_of_part(const nas_winograd_weights *w, const part *of, nas_winograd_gradient *g, float *v,
                             void *d) {
  int64_t all = w->grid->images * of->down * of->across, blocks = w->bf16 ? BLOCKS_MAX : BLOCKS;
  g->tall = of->tall;
  g->wide = of->wide;
  for (int64_t at = 0; at < all; at += blocks * BLOCK) {
    run runs[BLOCKS_MAX][BLOCK];
    int64_t n[BLOCKS_MAX] = {0};
    g->patches = smaller(all - at, blocks * BLOCK);
    for (int64_t b = 0; b * BLOCK < g->patches; b++) {
      n[b] = find_runs(w->grid, of, at + b * BLOCK, smaller(g->patches - b * BLOCK, BLOCK), runs[b]);
      transform(w->grid, of, runs[b], n[b], w->x, w->ins, number_at(w->bf16, v, b * g->v_block), g->v_apart, w->bf16);
    }
    for (int64_t i = 0; i < w->n_groups; i++) {
      g->du = w->groups[i].du;
      g->vectors = w->groups[i].vectors;
      for (int64_t b = 0; b * BLOCK < g->patches; b++)
        for (int32_t k = 0; k < g->vectors; k++)
          spread(w, of, runs[b], n[b], w->groups[i].dz[k], number_at(w->bf16, d, b * g->d_block + k * BLOCK * 16),
                 g->d_apart);
      (w->bf16 ? w->bf16->gradient : nas_kernels()->winograd_gradient)(g);
    }
  }
}

void nas_winograd_weight_gradient(const nas_winograd_weights *w, float *scratch) {
  bool pairs = nas_winograd_pairs(w->outs);
  int64_t slabs = slabs_of(w->ins), blocks = w->bf16 ? BLOCKS_MAX : BLOCKS;
  nas_winograd_gradient g = {.v = scratch,
                             .v_apart = apart_of(w->bf16, slabs),
                             .d_apart = apart_of(w->bf16, NAS_WINOGRAD_VECTORS),
                             .points = nas_winograd_points(w->grid->side, pairs),
                             .channels = w->ins,
                             .pairs = pairs};
  g.v_block = g.points * g.v_apart;
  g.d_block = g.points * g.d_apart;
  void *d = number_at(w->bf16, scratch, blocks * g.v_block);
  g.d = d;
  part parts[4];
  int n = find_parts(w->grid, parts);
  for (int i = 0; i < n; i++) gradient_of_part(w, &parts[i], &g, scratch, d);
}
