#include "train/direct_fan.h"

#include <stdlib.h>
#include <string.h>

#include "train/direct_pack.h"
#include "train/filtered_fan.h"
#include "train/folded.h"
#include "train/scratch.h"
#include "train/weighted_sum.h"
#include "train/window_fan.h"

/* Bytes of one intermediate tensor of a tile: some seven of them share the L2 cache in the backward pass. */
enum { TILE_BYTES = 64 * 1024 };

typedef struct fan {
  nas_fan_tile t;
  int64_t data;        /* packed numbers of the gradient by x */
  int64_t together_dx; /* images whose rows are walked at once in it, */
  int64_t side;        /* and vectors of x side by side */
  int64_t folded;      /* branches without a z */
  nas_windowed windowed;
  nas_filtered filtered;
} fan;

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

bool nas_direct_fan_fits(const nas_call *c) {
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    if (!nas_window_fits(b, c->branch[0]->site.out.c, c->wants_dx[0])) return false;
    /* oneDNN's convolutions in bf16 are faster than windows in f32, but not than filtering, nor than 1x1 folded. */
    if (c->bf16 && b->site.attrs.kernel_h > 1 && !nas_filtered_branch(b)) return false;
  }
  return c->n_branches > 0;
}

/* The largest divisor of the batch whose tensors, of at most so many numbers an image, fit `bytes` (at least one
 * image). */
static int64_t images_in(const nas_call *c, int64_t most, int64_t bytes) {
  int64_t images = 1, batch = c->site.batch;
  for (int64_t d = 2; d <= batch && d * most * 4 <= bytes; d++)
    if (batch % d == 0) images = d;
  return images;
}

/* A tile's images; larger tiles are worth it where all is filtered and blocks would be half empty. */
static int64_t tile_images(const nas_call *c, const nas_filtered *f) {
  int64_t in = nas_shape_size(c->site.in[0]), out = nas_shape_size(c->branch[0]->site.out), most = larger(in, out);
  int64_t images = images_in(c, most, TILE_BYTES);
  bool fills = f->branches < c->n_branches || images * nas_winograd_fewest(&f->grid) >= NAS_WINOGRAD_BLOCK;
  return fills ? images : images_in(c, most, 2 * TILE_BYTES);
}

/* How many images' rows are walked at once. */
static int64_t images_together(const fan *f, int64_t channels) {
  int64_t most = nas_kernels()->direct_images();
  return f->t.width / nas_direct_pixels(channels) < NAS_DIRECT_SHORT && f->t.images % most == 0 ? most : 1;
}

static nas_status prepare(nas_call *c, nas_err *err) {
  fan *f = calloc(1, sizeof *f);
  if (!f) return nas_fail_memory(err, "a convolution");
  c->prepared = f;
  nas_shape in = c->site.in[0];
  f->t.ins = in.c;
  f->t.outs = c->branch[0]->site.out.c;
  f->filtered = nas_filtered_of(c);
  f->t.images = tile_images(c, &f->filtered);
  f->t.tiles = c->site.batch / f->t.images;
  f->t.height = in.h;
  f->t.width = in.w;
  for (int32_t i = 0; i < c->n_branches; i++) f->folded += c->branch[i]->folded;
  f->t.together = images_together(f, f->t.outs);
  f->together_dx = images_together(f, f->t.ins);
  for (int32_t i = 0; i < c->n_branches; i++) f->t.pad = larger(f->t.pad, c->branch[i]->site.attrs.pad);
  f->t.row = in.w + 2 * f->t.pad + nas_filtered_more(&f->filtered, in.w);
  f->t.image = (in.h + 2 * f->t.pad + nas_filtered_more(&f->filtered, in.h)) * f->t.row;
  nas_filtered_tile(&f->filtered, f->t.images, f->t.pad, f->t.row, f->t.image);
  NAS_TRY(nas_windowed_new(c, f->t.outs, &f->windowed, err));
  int64_t vectors = nas_direct_count(f->t.ins);
  f->side = nas_direct_side(f->t.ins);
  for (int32_t i = 0; i < c->n_branches; i++) {
    nas_direct_shape s = nas_window_shape(c->branch[i], true);
    if (c->wants_dx[0] && !nas_filtered_branch(c->branch[i])) f->data += vectors * nas_direct_packed(&s);
  }
  nas_direct_shape square = {f->t.ins, f->t.ins, 1, true};
  if (f->folded && c->wants_dx[0]) f->data += vectors * nas_direct_packed(&square);
  int64_t x = nas_align64(4 * f->t.images * f->t.image * f->t.ins);
  int64_t dz = nas_align64(4 * f->t.images * f->t.image * f->t.outs);
  int64_t tile = nas_align64(4 * f->t.images * in.h * in.w * f->t.ins);
  int64_t filter =
      nas_align64(4 * f->filtered.weights) + nas_align64(4 * f->filtered.taps) + nas_align64(4 * f->filtered.scratch);
  c->forward_scratch = filter + x + nas_align64(4 * f->windowed.weights) + 3 * nas_align64(4 * f->t.outs) +
                       nas_align64(c->n_branches * f->t.outs * (int64_t)sizeof(nas_moments));
  c->backward_scratch = filter + x + nas_align64(4 * f->windowed.weights) + nas_align64(4 * f->data) +
                        nas_align64(4 * f->filtered.data) + c->n_branches * dz + tile;
  if (!f->folded) return NAS_OK;
  int64_t squares = nas_align64(4 * f->t.ins * f->t.ins);
  c->forward_scratch +=
      nas_gram_scratch(f->t.ins, f->t.images * in.h * in.w) + 2 * squares + nas_align64(16 * f->t.ins);
  c->backward_scratch += tile + 3 * squares + nas_align64(4 * (f->t.ins + 16));
  return NAS_OK;
}

static void release(nas_call *c) {
  fan *f = c->prepared;
  if (f) nas_windowed_free(&f->windowed);
  free(f);
  c->prepared = NULL;
}

/* The tile of x with its border, the ReLU taken. */
static void fill_tile(const nas_call *c, const fan *f, const float *x, float *bordered) {
  int64_t n = f->t.width * f->t.ins;
  for (int64_t i = 0; i < f->t.images; i++, x += f->t.height * n, bordered += f->t.image * f->t.ins)
    nas_kernels()->copy_rows(bordered + nas_fan_pixel(&f->t, 0, 0, f->t.ins), f->t.row * f->t.ins, x, c->relu_in,
                             f->t.height, n);
}

/* The statistics of the folded branches. */
static void close_gram(const nas_call *c, nas_gram *gram, void *room) {
  bool closed = false;
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    if (!b->folded) continue;
    if (!closed) nas_gram_close(gram, b->gram);
    closed = true;
    nas_folded_statistics(b, (double)gram->seen, room);
  }
}

static void forward(const nas_call *c) {
  const fan *f = c->prepared;
  char *scratch = c->scratch;
  int64_t numbers = f->t.images * f->t.image * f->t.ins, rows = f->t.images * f->t.height * f->t.width;
  float *x = nas_take(&scratch, numbers, 4), *packed = nas_take(&scratch, f->windowed.weights, 4);
  float *sum = nas_take(&scratch, f->t.outs, 4), *square = nas_take(&scratch, f->t.outs, 4);
  float *shift = nas_take(&scratch, f->t.outs, 4);
  nas_moments *all = nas_take(&scratch, c->n_branches * f->t.outs, sizeof *all);
  memset(x, 0, (size_t)numbers * sizeof *x);
  memset(all, 0, (size_t)(c->n_branches * f->t.outs) * sizeof *all);
  float *weights = nas_take(&scratch, f->filtered.weights, 4);
  float *room = nas_take(&scratch, f->filtered.scratch, 4);
  nas_windowed_pack(&f->windowed, c, packed);
  if (f->filtered.branches) nas_filtered_pack(&f->filtered, c, weights);
  nas_gram gram;
  if (f->folded) nas_gram_begin(&gram, f->t.ins, c->relu_in, rows, scratch);
  for (int64_t tile = 0; tile < f->t.tiles; tile++) {
    const float *from = (const float *)c->x[0] + tile * rows * f->t.ins;
    if (f->folded) nas_gram_add(&gram, from, rows, tile + 1 < f->t.tiles ? from + rows * f->t.ins : NULL);
    if (f->folded < c->n_branches) fill_tile(c, f, from, x);
    if (f->filtered.branches) nas_filtered_forward(&f->filtered, c, tile, x, weights, room);
    nas_windowed_forward(&f->windowed, c, &f->t, tile, x, packed);
    for (int32_t i = 0; i < c->n_branches; i++) {
      if (c->branch[i]->folded) continue;
      nas_numbers z = nas_branch_z(c->branch[i], tile * rows * f->t.outs);
      nas_kernels()->to_f32(shift, z, f->t.outs);
      nas_kernels()->moments(z, shift, rows, f->t.outs, sum, square);
      nas_norm_merge(all + i * f->t.outs, (double)(tile * rows), shift, sum, square, (double)rows, f->t.outs);
    }
  }
  if (f->folded) close_gram(c, &gram, (char *)scratch + nas_gram_scratch(f->t.ins, rows));
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    if (b->folded) continue;
    nas_norm norm = nas_branch_norm(b);
    nas_norm_close(&norm, all + i * f->t.outs, (double)(f->t.tiles * rows), b->stats,
                   nas_branch_stats(b, NAS_STATS_SCALE), nas_branch_stats(b, NAS_STATS_SHIFT));
  }
}

/* dz of a tile of one branch, with a border. */
static void form_dz(const fan *f, const nas_branch *b, int64_t tile, float *dz) {
  int64_t n = f->t.width * f->t.outs, at = tile * f->t.images * f->t.height * n;
  const float *factor = nas_branch_stats(b, NAS_STATS_A);
  nas_kernels()->norm_gradient_rows(dz + nas_fan_pixel(&f->t, 0, 0, f->t.outs), f->t.image * f->t.outs,
                                    f->t.row * f->t.outs, b->dy + at, nas_branch_z(b, at), b->stats, factor,
                                    factor + f->t.outs, factor + 2 * f->t.outs, f->t.images, f->t.height, n, f->t.outs);
}

static void pack_side(const fan *f, float **packed, const float *plain, const nas_direct_shape *s, int64_t v,
                      const float *scale) {
  for (int64_t slot = 0; slot < f->side; slot++) nas_direct_pack(*packed, plain, s, v + slot, slot, f->side, scale);
  *packed += f->side * nas_direct_packed(s);
}

/* Weights for the gradient by x: for each `side` vectors of x, those of all branches that are not filtered, and the
 * square of the folded ones. */
static void pack_data(const nas_call *c, const fan *f, float *packed, const float *square) {
  const nas_direct_shape own = {f->t.ins, f->t.ins, 1, true};
  for (int64_t v = 0; v < nas_direct_count(f->t.ins); v += f->side) {
    for (int32_t i = 0; i < c->n_branches; i++) {
      const nas_branch *b = c->branch[i];
      if (nas_filtered_branch(b)) continue;
      nas_direct_shape s = nas_window_shape(b, true);
      pack_side(f, &packed, b->param[NAS_EDGE_WEIGHT], &s, v, b->folded ? nas_branch_stats(b, NAS_STATS_A) : NULL);
    }
    if (f->folded) pack_side(f, &packed, square, &own, v, NULL);
  }
}

/* What the norms of the folded branches return: a square matrix by which x - mean is multiplied, and a constant. */
static void find_square(const nas_call *c, const fan *f, float *square, float *shift, float *room) {
  memset(square, 0, (size_t)(f->t.ins * f->t.ins) * sizeof *square);
  memset(shift, 0, (size_t)(f->t.ins + 16) * sizeof *shift);
  for (int32_t i = 0; i < c->n_branches; i++)
    if (c->branch[i]->folded) nas_folded_return(c->branch[i], square, shift, room);
  for (int64_t k = f->t.ins; k < 16; k++) shift[k] = shift[k - f->t.ins];
}

/* One row of numbers that have no border, of this image and the next ones. */
static nas_direct_window flat_window(const fan *f, const float *tile, int64_t image, int64_t row, int64_t channels,
                                     int64_t pixels, const float *w) {
  int64_t n = f->t.width * channels;
  return (nas_direct_window){
      .x = tile + (image * f->t.height + row) * n, .w = w, .length = pixels * channels, .next = f->t.height * n};
}

/* What the backward pass reads and writes of a tile, as far as that has the shape of x. */
static int64_t find_next(const nas_call *c, const fan *f, int64_t tile, const float **out) {
  int64_t at = tile * f->t.images * f->t.height * f->t.width * f->t.ins, n = 0;
  if (!c->source) out[n++] = (const float *)c->x[0] + at;
  out[n++] = (const float *)c->dx[0] + at;
  if (c->dplus[0] && c->dplus[0] != c->dx[0]) out[n++] = (const float *)c->dplus[0] + at;
  for (int32_t i = 0; i < c->n_branches && f->t.ins == f->t.outs && n + 2 <= NAS_DIRECT_AHEAD; i++) {
    out[n++] = c->branch[i]->dy + at;
    if (!c->branch[i]->folded) out[n++] = (const float *)c->branch[i]->z + at;
  }
  return n;
}

/* A tile as one image of one row, which is all the same to convolutions of one pixel. */
static fan flat_fan(const fan *f) {
  fan flat = *f;
  flat.t.images = flat.t.height = flat.together_dx = 1;
  flat.t.width = f->t.images * f->t.height * f->t.width;
  return flat;
}

/* dx = dplus + what came back from the other branches, where the ReLU let x through. */
static void data_gradient(const nas_call *c, const fan *f, int64_t tile, const float *x, float *const *dz,
                          const float *centred, const float *shift, const float *packed) {
  int64_t pixels = nas_direct_pixels(f->t.ins), rows = f->t.width * f->t.ins,
          at = tile * f->t.images * f->t.height * rows;
  const float *dplus = f->filtered.branches ? c->dx[0] : c->dplus[0];
  const nas_kernel_set *kernels = nas_kernels();
  int64_t own = f->side * 16 * pixels * f->t.ins, outs = tile * f->t.images * f->t.height * f->t.width * f->t.outs;
  nas_direct_window windows[NAS_LAYER_INPUTS_MAX * NAS_WINDOW_KERNEL + 1];
  nas_direct_row r = {.windows = windows,
                      .width = f->t.width / pixels,
                      .step = pixels * f->t.outs,
                      .images = f->together_dx,
                      .y_next = f->t.height * rows,
                      .vectors = (int32_t)f->side};
  const float *next[NAS_DIRECT_AHEAD];
  int64_t n_next =
      tile + 1 < f->t.tiles && f->together_dx == 1 && !f->filtered.branches ? find_next(c, f, tile + 1, next) : 0;
  for (int64_t v = 0; v < nas_direct_count(f->t.ins); v += f->side) {
    const float *weights = packed;
    for (int64_t image = 0; image < f->t.images; image += f->together_dx)
      for (int64_t row = 0; row < f->t.height; row++) {
        packed = weights;
        r.n_windows = 0;
        for (int32_t i = 0; i < c->n_branches; i++) {
          nas_direct_shape s = nas_window_shape(c->branch[i], true);
          if (nas_filtered_branch(c->branch[i])) continue;
          if (c->branch[i]->folded)
            windows[r.n_windows++] = flat_window(f, c->branch[i]->dy + outs, image, row, f->t.outs, pixels, packed);
          else
            r.n_windows += nas_fan_windows(&f->t, dz[i] + image * f->t.image * f->t.outs, row, f->t.outs, s.kernel,
                                           pixels, packed, nas_direct_length(&s) * 16 * f->side, windows + r.n_windows);
          packed += f->side * nas_direct_packed(&s);
        }
        if (f->folded)
          windows[r.n_windows++] = flat_window(f, centred, image, row, f->t.ins, pixels, packed), packed += own;
        int64_t from = (image * f->t.height + row) * rows + 16 * v;
        for (int64_t k = 0; k < f->side; k++) {
          r.pitch[k] = pixels * f->t.ins;
          r.y[k] = (float *)c->dx[0] + at + from + 16 * k;
          r.plus[k] = dplus ? dplus + at + from + 16 * k : NULL;
          r.mask[k] = c->relu_in ? x + from + 16 * k : NULL;
          r.shift[k] = f->folded ? shift + 16 * (v + k) : NULL;
        }
        r.n_ahead = n_next;
        for (int64_t i = 0; i < n_next; i++) r.ahead[i] = (nas_direct_ahead){next[i] + from, pixels * f->t.ins};
        kernels->direct_row(&r);
      }
  }
}

static void backward(const nas_call *c) {
  const fan *f = c->prepared;
  char *scratch = c->scratch;
  int64_t numbers = f->t.images * f->t.image, rows = f->t.images * f->t.height * f->t.width;
  float *bordered = nas_take(&scratch, numbers * f->t.ins, 4), *total = nas_take(&scratch, f->windowed.weights, 4);
  float *packed = nas_take(&scratch, f->data, 4), *dz[NAS_LAYER_INPUTS_MAX] = {NULL};
  float *made = nas_take(&scratch, rows * f->t.ins, 4), *centred = NULL, *square = NULL, *shift = NULL;
  const float *mean = NULL;
  for (int32_t i = 0; i < c->n_branches; i++) {
    if (c->branch[i]->folded) mean = c->branch[i]->gram;
    if (c->branch[i]->folded) continue;
    dz[i] = nas_take(&scratch, numbers * f->t.outs, 4);
    memset(dz[i], 0, (size_t)(numbers * f->t.outs) * sizeof(float));
  }
  if (f->folded && c->dx[0]) {
    centred = nas_take(&scratch, rows * f->t.ins, 4);
    square = nas_take(&scratch, f->t.ins * f->t.ins, 4);
    shift = nas_take(&scratch, f->t.ins + 16, 4);
    find_square(c, f, square, shift, (float *)(void *)scratch);
  }
  const nas_filtered *filtered = &f->filtered;
  int64_t others = c->n_branches - filtered->branches;
  bool only_folded = f->folded == others;
  const fan flat = flat_fan(f);
  float *by_weights = nas_take(&scratch, filtered->weights, 4), *data = nas_take(&scratch, filtered->data, 4);
  float *taps = nas_take(&scratch, filtered->taps, 4), *room = nas_take(&scratch, filtered->scratch, 4);
  memset(bordered, 0, (size_t)(numbers * f->t.ins) * sizeof *bordered);
  memset(total, 0, (size_t)f->windowed.weights * sizeof *total);
  memset(by_weights, 0, (size_t)filtered->weights * sizeof *by_weights);
  if (c->dx[0]) pack_data(c, f, packed, square);
  if (c->dx[0] && filtered->branches) nas_filtered_pack_data(filtered, c, data);
  for (int64_t tile = 0; tile < f->t.tiles; tile++) {
    const float *x = (const float *)c->x[0] + tile * rows * f->t.ins;
    if (c->source) nas_weighted_sum_part(c->source, tile * rows * f->t.ins, rows * f->t.ins, made), x = made;
    if (f->folded < c->n_branches) fill_tile(c, f, x, bordered);
    for (int32_t i = 0; i < c->n_branches; i++)
      if (!c->branch[i]->folded) form_dz(f, c->branch[i], tile, dz[i]);
    if (filtered->branches) nas_filtered_gradient(filtered, bordered, dz, by_weights, room);
    nas_windowed_gradient(&f->windowed, &f->t, bordered, dz, total);
    if (centred) nas_kernels()->center(centred, x, c->relu_in, mean, rows, f->t.ins);
    if (!c->dx[0]) continue;
    if (filtered->branches) nas_filtered_data(filtered, c, tile, x, dz, data, room);
    if (others) data_gradient(c, only_folded ? &flat : f, tile, x, dz, centred, shift, packed);
  }
  nas_windowed_unpack(&f->windowed, c, total);
  if (filtered->branches) nas_filtered_unpack(filtered, c, by_weights, taps);
}

const nas_kernel nas_direct_fan = {
    .prepare = prepare, .release = release, .forward = forward, .backward = backward, .reads = NAS_READS_X};
