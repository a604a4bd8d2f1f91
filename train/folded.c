#include "train/folded.h"

#include <string.h>

#include "train/direct_pack.h"
#include "train/scratch.h"

static nas_direct_shape shape_of(int64_t channels) { return (nas_direct_shape){channels, channels, 1, false}; }

/* Packed numbers of a square matrix. */
static int64_t packed_of(int64_t channels) {
  nas_direct_shape s = shape_of(channels);
  return nas_direct_count(channels) * nas_direct_packed(&s);
}

bool nas_folds(const nas_branch *b) {
  const nas_attrs *a = &b->site.attrs;
  nas_shape in = b->site.in[0];
  return a->kernel_h == 1 && a->kernel_w == 1 && a->stride == 1 && a->pad == 0 && a->groups <= 1 && !a->bias &&
         in.c == b->site.out.c && nas_direct_channels(in.c) &&
         nas_site_rows(&b->site, 0) % nas_direct_pixels(in.c) == 0;
}

/* ---- the fan ---- */

int64_t nas_gram_scratch(int64_t channels, int64_t rows) {
  return 3 * nas_align64(4 * channels) + nas_align64(4 * rows * channels) + nas_align64(4 * packed_of(channels)) +
         nas_align64(8 * channels);
}

void nas_gram_begin(nas_gram *g, int64_t channels, bool relu, int64_t rows, void *scratch) {
  char *at = scratch;
  *g = (nas_gram){.channels = channels, .relu = relu};
  g->shift = nas_take(&at, channels, 4);
  g->sum = nas_take(&at, channels, 4);
  g->square = nas_take(&at, channels, 4);
  g->centred = nas_take(&at, rows * channels, 4);
  g->products = nas_take(&at, packed_of(channels), 4);
  g->total = nas_take(&at, channels, 8);
  memset(g->shift, 0, (size_t)channels * sizeof *g->shift);
  memset(g->products, 0, (size_t)packed_of(channels) * sizeof *g->products);
  memset(g->total, 0, (size_t)channels * sizeof *g->total);
}

void nas_gram_add(nas_gram *g, const float *x, int64_t rows, const float *next) {
  const nas_kernel_set *k = nas_kernels();
  int64_t channels = g->channels;
  nas_direct_shape s = shape_of(channels);
  if (g->seen == 0) {
    k->center(g->centred, x, g->relu, g->shift, rows, channels);
    memset(g->square, 0, (size_t)channels * sizeof *g->square);
    k->moments(nas_f32(g->centred), g->square, rows, channels, g->sum, g->shift);
    for (int64_t i = 0; i < channels; i++) g->shift[i] = g->sum[i] / (float)rows;
  }
  k->center(g->centred, x, g->relu, g->shift, rows, channels);
  nas_direct_products(g->products, g->centred, g->centred, rows, &s, next, NULL);
  memset(g->square, 0, (size_t)channels * sizeof *g->square);
  k->column_sums(g->sum, g->centred, rows, channels);
  for (int64_t i = 0; i < channels; i++) g->total[i] += (double)g->sum[i];
  g->seen += rows;
}

void nas_gram_close(nas_gram *g, float *gram) {
  int64_t channels = g->channels;
  float *p = gram + channels;
  double rows = (double)g->seen;
  nas_direct_shape s = shape_of(channels);
  nas_direct_unpack_all(p, g->products, &s);
  for (int64_t i = 0; i < channels; i++) {
    gram[i] = (float)((double)g->shift[i] + g->total[i] / rows);
    for (int64_t j = 0; j < channels; j++)
      p[i * channels + j] = (float)((double)p[i * channels + j] - g->total[i] * g->total[j] / rows);
  }
}

void nas_folded_statistics(const nas_branch *b, double rows, float *room) {
  int64_t channels = b->site.out.c;
  const float *w = b->param[NAS_EDGE_WEIGHT], *m = b->gram;
  nas_moments *all = (nas_moments *)(void *)(room + channels * channels);
  nas_kernels()->matrix_product(room, w, m + channels, channels, channels, channels);
  for (int64_t o = 0; o < channels; o++) {
    double mean = 0, square = 0;
    for (int64_t i = 0; i < channels; i++) {
      mean += (double)w[o * channels + i] * (double)m[i];
      square += (double)w[o * channels + i] * (double)room[o * channels + i];
    }
    all[o] = (nas_moments){mean, square < 0 ? 0 : square};
  }
  nas_norm norm = nas_branch_norm(b);
  nas_norm_close(&norm, all, rows, b->stats, nas_branch_stats(b, NAS_STATS_SCALE),
                 nas_branch_stats(b, NAS_STATS_SHIFT));
}

void nas_folded_return(const nas_branch *b, float *square, float *shift, float *room) {
  int64_t channels = b->site.out.c;
  const float *w = b->param[NAS_EDGE_WEIGHT], *fb = nas_branch_stats(b, NAS_STATS_B),
              *fc = nas_branch_stats(b, NAS_STATS_C);
  float *turned = room, *product = room + channels * channels;
  for (int64_t o = 0; o < channels; o++)
    for (int64_t i = 0; i < channels; i++) turned[i * channels + o] = w[o * channels + i] * fb[o];
  nas_kernels()->matrix_product(product, turned, w, channels, channels, channels);
  for (int64_t i = 0; i < channels * channels; i++) square[i] += product[i];
  for (int64_t o = 0; o < channels; o++)
    for (int64_t i = 0; i < channels; i++) shift[i] += w[o * channels + i] * fc[o];
}

/* ---- the sum ---- */

static int64_t channels_of(const nas_call *c) { return c->branch[0]->site.out.c; }

static int64_t count_folded(const nas_call *c) {
  int64_t n = 0;
  for (int32_t i = 0; i < c->n_branches; i++) n += c->branch[i]->folded;
  return n;
}

int64_t nas_folded_forward_scratch(const nas_call *c, int64_t block) {
  int64_t n = count_folded(c), channels = channels_of(c);
  if (!n) return 0;
  return n * (nas_align64(4 * packed_of(channels)) + nas_align64(4 * block)) + nas_align64(4 * (channels + 16));
}

void nas_folded_begin(const nas_call *c, void *scratch) {
  char *at = scratch;
  int64_t channels = channels_of(c);
  float *shift = nas_take(&at, channels + 16, 4);
  nas_direct_shape s = shape_of(channels);
  memset(shift, 0, (size_t)(channels + 16) * sizeof *shift);
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    if (!b->folded) continue;
    float *packed = nas_take(&at, packed_of(channels), 4);
    nas_direct_pack_all(packed, b->param[NAS_EDGE_WEIGHT], &s, nas_branch_stats(b, NAS_STATS_SCALE));
    for (int64_t k = 0; k < channels; k++) shift[k] += ((const float *)b->param[NAS_EDGE_BETA])[k];
  }
  for (int64_t k = channels; k < 16; k++) shift[k] = shift[k - channels];
}

void nas_folded_add(const nas_call *c, int64_t first, int64_t n, float *to, const float *plus, int64_t block,
                    void *scratch) {
  char *at = scratch;
  int64_t channels = channels_of(c), side = nas_direct_side(channels), wide = nas_direct_pixels(channels) * channels;
  float *shift = nas_take(&at, channels + 16, 4), *packed = (float *)(void *)at;
  int64_t each = nas_align64(4 * packed_of(channels)) / 4;
  at += count_folded(c) * 4 * each;
  nas_direct_window windows[NAS_LAYER_INPUTS_MAX];
  nas_direct_row r = {.windows = windows, .width = n / wide, .step = wide, .images = 1, .vectors = (int32_t)side};
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    if (!b->folded) continue;
    /* Centred, so that a constant channel is zero and not a rounding error of W x. */
    float *x = nas_take(&at, block, 4);
    nas_kernels()->center(x, b->x + first, b->relu, b->gram, n / channels, channels);
    if (first + 2 * n <= c->elements) r.ahead[r.n_ahead++] = (nas_direct_ahead){b->x + first + n, wide};
    windows[r.n_windows] = (nas_direct_window){.x = x, .w = packed + r.n_windows * each, .length = wide};
    r.n_windows++;
  }
  if (first + 2 * n <= c->elements) r.ahead[r.n_ahead++] = (nas_direct_ahead){to + n, wide};
  for (int64_t v = 0; v < nas_direct_count(channels); v += side) {
    for (int64_t k = 0; k < side; k++) {
      r.y[k] = to + 16 * (v + k);
      r.plus[k] = plus ? plus + 16 * (v + k) : NULL;
      r.shift[k] = shift + 16 * (v + k);
      r.pitch[k] = wide;
    }
    nas_kernels()->direct_row(&r);
    for (int64_t i = 0; i < r.n_windows; i++) windows[i].w += side * 16 * wide;
    for (int64_t i = 0; i < r.n_ahead; i++) r.ahead[i].x += 16 * side;
  }
}

int64_t nas_folded_backward_scratch(const nas_call *c, int64_t block) {
  int64_t n = count_folded(c), channels = channels_of(c);
  if (!n) return 0;
  return n * nas_align64(4 * packed_of(channels)) + nas_align64(4 * block) + nas_align64(4 * channels) +
         nas_align64(channels * (int64_t)sizeof(nas_moments)) + nas_align64(4 * channels * channels);
}

/* From D to the gradients of the weights and of the norm. `all` holds the sums of dy in its means. */
static void finish_branch(const nas_branch *b, const float *products, nas_moments *all, double rows, float *room) {
  int64_t channels = b->site.out.c;
  const float *w = b->param[NAS_EDGE_WEIGHT];
  float *d = b->grad[NAS_EDGE_WEIGHT];
  nas_direct_shape s = shape_of(channels);
  nas_direct_unpack_all(d, products, &s);
  for (int64_t o = 0; o < channels; o++) {
    all[o].square = 0;
    for (int64_t i = 0; i < channels; i++) all[o].square += (double)w[o * channels + i] * (double)d[o * channels + i];
  }
  nas_norm norm = nas_branch_norm(b);
  float *fa = nas_branch_stats(b, NAS_STATS_A), *fb = nas_branch_stats(b, NAS_STATS_B);
  nas_norm_factors(&norm, all, rows, b->stats, fa, fb, nas_branch_stats(b, NAS_STATS_C));
  nas_kernels()->matrix_product(room, w, b->gram + channels, channels, channels, channels);
  for (int64_t o = 0; o < channels; o++)
    for (int64_t i = 0; i < channels; i++)
      d[o * channels + i] = fa[o] * d[o * channels + i] + fb[o] * room[o * channels + i];
}

/* The first folded branch from number i on, or NULL. */
static const nas_branch *next_folded(const nas_call *c, int32_t i) {
  while (i < c->n_branches && !c->branch[i]->folded) i++;
  return i < c->n_branches ? c->branch[i] : NULL;
}

void nas_folded_backward(const nas_call *c, int64_t block, void *scratch) {
  const nas_kernel_set *k = nas_kernels();
  char *at = scratch;
  int64_t channels = channels_of(c), rows = c->elements / channels, step = block / channels;
  float *centred = nas_take(&at, block, 4), *sum = nas_take(&at, channels, 4);
  float *room = nas_take(&at, channels * channels, 4);
  nas_moments *all = nas_take(&at, channels, sizeof *all);
  float *products = (float *)(void *)at;
  int64_t each = nas_align64(4 * packed_of(channels)) / 4;
  nas_direct_shape s = shape_of(channels);
  memset(all, 0, (size_t)channels * sizeof *all);
  memset(products, 0, (size_t)(count_folded(c) * each) * sizeof *products);
  for (int64_t r = 0; r < rows; r += step) {
    int64_t n = rows - r < step ? rows - r : step, branch = 0;
    const float *dy = (const float *)c->dy + r * channels;
    for (int32_t i = 0; i < c->n_branches; i++) {
      const nas_branch *b = c->branch[i];
      if (!b->folded) continue;
      k->center(centred, b->x + r * channels, b->relu, b->gram, n, channels);
      const nas_branch *next = next_folded(c, i + 1);
      bool more = r + 2 * step <= rows; /* a whole block follows */
      const float *ahead = next ? next->x + r * channels : more ? next_folded(c, 0)->x + (r + step) * channels : NULL;
      nas_direct_products(products + branch++ * each, centred, dy, n, &s, ahead,
                          !next && more ? dy + step * channels : NULL);
    }
    k->column_sums(sum, dy, n, channels);
    for (int64_t o = 0; o < channels; o++) all[o].mean += (double)sum[o];
  }
  for (int32_t i = 0; i < c->n_branches; i++) {
    if (!c->branch[i]->folded) continue;
    finish_branch(c->branch[i], products, all, (double)rows, room);
    products += each;
  }
}
