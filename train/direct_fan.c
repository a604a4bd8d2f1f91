#include "train/direct_fan.h"

#include <stdlib.h>
#include <string.h>

#include "train/direct_pack.h"
#include "train/filtered_fan.h"
#include "train/folded.h"
#include "train/weighted_sum.h"

/* Bytes of one intermediate tensor of a tile: some seven of them share the L2 cache in the backward pass. */
enum { TILE_BYTES = 64 * 1024, KERNEL_MAX = 7 };

/* Output vectors that are computed side by side, of branches of one kernel size. */
typedef struct chunk {
  int64_t kernel, vectors, at; /* at: of its packed weights */
  int32_t branch[NAS_DIRECT_VECTORS];
  int64_t vector[NAS_DIRECT_VECTORS];
} chunk;

typedef struct fan {
  int64_t images, tiles, height, width, ins, outs;
  int64_t pad, row, image;       /* of a tile with its border: pixels on each side, pixels of a row and of an image */
  int64_t weights, data;         /* packed numbers of all chunks, and of the gradient by x */
  int64_t together, together_dx; /* images whose rows are walked at once */
  int64_t side;                  /* vectors of x side by side in the gradient by x */
  chunk *chunks;
  int32_t n_chunks;
  bool convolves, folds; /* whether there are branches with a z, and without */
  nas_filtered filtered;
} fan;

static int64_t align64(int64_t bytes) { return (bytes + 63) / 64 * 64; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Hands out aligned parts of the scratch. */
static void *take(char **scratch, int64_t numbers, int64_t size) {
  void *part = *scratch;
  *scratch += align64(numbers * size);
  return part;
}

static nas_direct_shape shape_of(const nas_branch *b, bool turned) {
  int64_t in = b->site.in[0].c, out = b->site.out.c;
  return (nas_direct_shape){turned ? in : out, turned ? out : in, b->site.attrs.kernel_h, turned};
}

static bool branch_fits(const nas_branch *b, int64_t outs, bool wants_dx) {
  const nas_attrs *a = &b->site.attrs;
  nas_shape in = b->site.in[0], out = b->site.out;
  return a->kernel_h == a->kernel_w && a->kernel_h % 2 == 1 && a->kernel_h <= KERNEL_MAX && a->pad == a->kernel_h / 2 &&
         a->stride == 1 && a->groups <= 1 && !a->bias && out.c == outs && nas_direct_channels(outs) &&
         out.w % nas_direct_pixels(outs) == 0 &&
         (!wants_dx || (nas_direct_channels(in.c) && in.w % nas_direct_pixels(in.c) == 0));
}

bool nas_direct_fan_fits(const nas_call *c) {
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    if (!branch_fits(b, c->branch[0]->site.out.c, c->wants_dx[0])) return false;
    /* oneDNN's convolutions in bf16 are faster than windows in f32, but not than filtering, nor than 1x1 folded. */
    if (c->bf16 && b->site.attrs.kernel_h > 1 && !nas_filtered_branch(b)) return false;
  }
  return c->n_branches > 0;
}

/* How many of n vectors run side by side. */
static int64_t side_of(int64_t n, int64_t most) { return n % most == 0 ? most : n % 2 == 0 && most > 1 ? 2 : 1; }

/* Vectors of branches of one kernel size, as many side by side as the kernels take. */
static nas_status find_chunks(const nas_call *c, fan *f, nas_err *err) {
  int64_t each = nas_direct_count(f->outs), most = nas_kernels()->direct_vectors();
  f->chunks = calloc((size_t)(c->n_branches * each), sizeof *f->chunks);
  if (!f->chunks) return nas_fail_memory(err, "a convolution");
  for (int32_t i = 0; i < c->n_branches;) {
    int64_t kernel = c->branch[i]->site.attrs.kernel_h, n = 0;
    int32_t first = i;
    for (; i < c->n_branches && c->branch[i]->site.attrs.kernel_h == kernel; i++) n += c->branch[i]->folded ? 0 : each;
    if (n == 0 || nas_filtered_branch(c->branch[first])) continue; /* branches of one size fold all or none */
    int64_t size = n % most == 0 || n < most ? most : n % 2 == 0 && most > 2 ? 2 : most;
    nas_direct_shape s = shape_of(c->branch[first], false);
    for (int64_t v = 0; v < n; v++) {
      if (v % size == 0) f->chunks[f->n_chunks++] = (chunk){.kernel = kernel, .at = f->weights};
      chunk *k = &f->chunks[f->n_chunks - 1];
      k->branch[k->vectors] = first + (int32_t)(v / each);
      k->vector[k->vectors++] = v % each;
      f->weights += nas_direct_packed(&s);
    }
  }
  return NAS_OK;
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
  return f->width / nas_direct_pixels(channels) < NAS_DIRECT_SHORT && f->images % most == 0 ? most : 1;
}

static nas_status prepare(nas_call *c, nas_err *err) {
  fan *f = calloc(1, sizeof *f);
  if (!f) return nas_fail_memory(err, "a convolution");
  c->prepared = f;
  nas_shape in = c->site.in[0];
  f->ins = in.c;
  f->outs = c->branch[0]->site.out.c;
  f->filtered = nas_filtered_of(c);
  f->images = tile_images(c, &f->filtered);
  f->tiles = c->site.batch / f->images;
  f->height = in.h;
  f->width = in.w;
  for (int32_t i = 0; i < c->n_branches; i++) *(c->branch[i]->folded ? &f->folds : &f->convolves) = true;
  f->together = images_together(f, f->outs);
  f->together_dx = images_together(f, f->ins);
  for (int32_t i = 0; i < c->n_branches; i++) f->pad = larger(f->pad, c->branch[i]->site.attrs.pad);
  f->row = in.w + 2 * f->pad + nas_filtered_more(&f->filtered, in.w);
  f->image = (in.h + 2 * f->pad + nas_filtered_more(&f->filtered, in.h)) * f->row;
  nas_filtered_tile(&f->filtered, f->images, f->pad, f->row, f->image);
  NAS_TRY(find_chunks(c, f, err));
  int64_t vectors = nas_direct_count(f->ins);
  f->side = side_of(vectors, nas_kernels()->direct_vectors());
  for (int32_t i = 0; i < c->n_branches; i++) {
    nas_direct_shape s = shape_of(c->branch[i], true);
    if (c->wants_dx[0] && !nas_filtered_branch(c->branch[i])) f->data += vectors * nas_direct_packed(&s);
  }
  nas_direct_shape square = {f->ins, f->ins, 1, true};
  if (f->folds && c->wants_dx[0]) f->data += vectors * nas_direct_packed(&square);
  int64_t x = align64(4 * f->images * f->image * f->ins), dz = align64(4 * f->images * f->image * f->outs);
  int64_t tile = align64(4 * f->images * in.h * in.w * f->ins);
  int64_t filter = align64(4 * f->filtered.weights) + align64(4 * f->filtered.taps) + align64(4 * f->filtered.scratch);
  c->forward_scratch = filter + x + align64(4 * f->weights) + 3 * align64(4 * f->outs) +
                       align64(c->n_branches * f->outs * (int64_t)sizeof(nas_moments));
  c->backward_scratch = filter + x + align64(4 * f->weights) + align64(4 * f->data) + align64(4 * f->filtered.data) +
                        c->n_branches * dz + tile;
  if (!f->folds) return NAS_OK;
  int64_t squares = align64(4 * f->ins * f->ins);
  c->forward_scratch += nas_gram_scratch(f->ins, f->images * in.h * in.w) + 2 * squares + align64(16 * f->ins);
  c->backward_scratch += tile + 3 * squares + align64(4 * (f->ins + 16));
  return NAS_OK;
}

static void release(nas_call *c) {
  fan *f = c->prepared;
  if (f) free(f->chunks);
  free(f);
  c->prepared = NULL;
}

/* Numbers from the start of a bordered image of `channels` to its pixel (row, column); the border counts below zero. */
static int64_t pixel_at(const fan *f, int64_t row, int64_t column, int64_t channels) {
  return ((row + f->pad) * f->row + column + f->pad) * channels;
}

/* The windows of a kernel onto one row of an image, whose weights lie `next` numbers apart. */
static int64_t find_windows(const fan *f, const float *image, int64_t row, int64_t channels, int64_t kernel,
                            int64_t pixels, const float *w, int64_t next, nas_direct_window *out) {
  int64_t pad = kernel / 2, n = 0, length = (kernel - 1 + pixels) * channels, border = pad == 1 ? channels : 0;
  for (int64_t k = 0; k < kernel; k++) {
    int64_t from = row + k - pad;
    if (from < 0 || from >= f->height) continue;
    out[n++] = (nas_direct_window){
        image + pixel_at(f, from, -pad, channels), w + k * next, length, f->image * channels, border, border};
  }
  return n;
}

static void pack_chunks(const nas_call *c, const fan *f, float *packed) {
  for (int32_t i = 0; i < f->n_chunks; i++) {
    const chunk *k = &f->chunks[i];
    for (int64_t v = 0; v < k->vectors; v++) {
      const nas_branch *b = c->branch[k->branch[v]];
      nas_direct_shape s = shape_of(b, false);
      nas_direct_pack(packed + k->at, b->param[NAS_EDGE_WEIGHT], &s, k->vector[v], v, k->vectors, NULL);
    }
  }
}

/* The tile of x with its border, the ReLU taken. */
static void fill_tile(const nas_call *c, const fan *f, const float *x, float *bordered) {
  int64_t n = f->width * f->ins;
  for (int64_t i = 0; i < f->images; i++, x += f->height * n, bordered += f->image * f->ins)
    nas_kernels()->copy_rows(bordered + pixel_at(f, 0, 0, f->ins), f->row * f->ins, x, c->relu_in, f->height, n);
}

/* All rows of a kernel at once, in all rows of the tile. */
static void forward_stacked(const nas_call *c, const fan *f, const chunk *k, int64_t tile, const float *x,
                            const float *packed) {
  int64_t pixels = nas_direct_pixels(f->outs), numbers = f->images * f->height * f->width * f->outs;
  nas_direct_stack s = {.x = x + pixel_at(f, -1, -1, f->ins),
                        .w = packed + k->at,
                        .images = f->images,
                        .rows = f->height,
                        .width = f->width / pixels,
                        .step = pixels * f->ins,
                        .length = (2 + pixels) * f->ins,
                        .x_image = f->image * f->ins,
                        .x_row = f->row * f->ins,
                        .y = (float *)c->branch[k->branch[0]]->z + tile * numbers,
                        .ahead = tile + 1 < f->tiles ? numbers : 0};
  nas_kernels()->direct_stacked(&s);
}

static bool stacks(const fan *f, const chunk *k) {
  int64_t pixels = nas_direct_pixels(f->outs);
  return k->kernel == 3 && f->outs <= 16 && nas_direct_stacks((2 + pixels) * f->ins, pixels * f->ins, k->vectors);
}

static void forward_chunk(const nas_call *c, const fan *f, const chunk *k, int64_t tile, const float *x,
                          const float *packed) {
  int64_t pixels = nas_direct_pixels(f->outs), length = (k->kernel - 1 + pixels) * f->ins, rows = f->width * f->outs;
  const nas_kernel_set *kernels = nas_kernels();
  if (stacks(f, k)) {
    forward_stacked(c, f, k, tile, x, packed);
    return;
  }
  nas_direct_window windows[KERNEL_MAX];
  nas_direct_row r = {.windows = windows,
                      .width = f->width / pixels,
                      .step = pixels * f->ins,
                      .images = f->together,
                      .y_next = f->height * rows,
                      .vectors = (int32_t)k->vectors};
  for (int64_t v = 0; v < k->vectors; v++) {
    r.pitch[v] = pixels * f->outs;
    r.y[v] = (float *)c->branch[k->branch[v]]->z + tile * f->images * f->height * rows + 16 * k->vector[v];
  }
  bool fetch = tile + 1 < f->tiles && f->together == 1;
  for (int64_t image = 0; image < f->images; image += f->together) {
    for (int64_t row = 0; row < f->height; row++) {
      r.n_windows = find_windows(f, x + image * f->image * f->ins, row, f->ins, k->kernel, pixels, packed + k->at,
                                 length * 16 * k->vectors, windows);
      r.n_ahead = 0;
      if (fetch) r.ahead[r.n_ahead++] = (nas_direct_ahead){r.y[0] + f->images * f->height * rows, r.pitch[0]};
      kernels->direct_row(&r);
      for (int64_t v = 0; v < k->vectors; v++) r.y[v] += rows;
    }
    for (int64_t v = 0; v < k->vectors; v++) r.y[v] += (f->together - 1) * f->height * rows;
  }
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
  int64_t numbers = f->images * f->image * f->ins, rows = f->images * f->height * f->width;
  float *x = take(&scratch, numbers, 4), *packed = take(&scratch, f->weights, 4);
  float *sum = take(&scratch, f->outs, 4), *square = take(&scratch, f->outs, 4), *shift = take(&scratch, f->outs, 4);
  nas_moments *all = take(&scratch, c->n_branches * f->outs, sizeof *all);
  memset(x, 0, (size_t)numbers * sizeof *x);
  memset(all, 0, (size_t)(c->n_branches * f->outs) * sizeof *all);
  float *weights = take(&scratch, f->filtered.weights, 4);
  float *room = take(&scratch, f->filtered.scratch, 4);
  pack_chunks(c, f, packed);
  if (f->filtered.branches) nas_filtered_pack(&f->filtered, c, weights);
  nas_gram gram;
  if (f->folds) nas_gram_begin(&gram, f->ins, c->relu_in, rows, scratch);
  for (int64_t tile = 0; tile < f->tiles; tile++) {
    const float *from = (const float *)c->x[0] + tile * rows * f->ins;
    if (f->folds) nas_gram_add(&gram, from, rows, tile + 1 < f->tiles ? from + rows * f->ins : NULL);
    if (f->convolves) fill_tile(c, f, from, x);
    if (f->filtered.branches) nas_filtered_forward(&f->filtered, c, tile, x, weights, room);
    for (int32_t i = 0; i < f->n_chunks; i++) forward_chunk(c, f, &f->chunks[i], tile, x, packed);
    for (int32_t i = 0; i < c->n_branches; i++) {
      if (c->branch[i]->folded) continue;
      nas_numbers z = nas_branch_z(c->branch[i], tile * rows * f->outs);
      nas_kernels()->to_f32(shift, z, f->outs);
      nas_kernels()->moments(z, shift, rows, f->outs, sum, square);
      nas_norm_merge(all + i * f->outs, (double)(tile * rows), shift, sum, square, (double)rows, f->outs);
    }
  }
  if (f->folds) close_gram(c, &gram, (char *)scratch + nas_gram_scratch(f->ins, rows));
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    if (b->folded) continue;
    nas_norm norm = nas_branch_norm(b);
    nas_norm_close(&norm, all + i * f->outs, (double)(f->tiles * rows), b->stats, nas_branch_stats(b, NAS_STATS_SCALE),
                   nas_branch_stats(b, NAS_STATS_SHIFT));
  }
}

/* dz of a tile of one branch, with a border. */
static void form_dz(const fan *f, const nas_branch *b, int64_t tile, float *dz) {
  int64_t n = f->width * f->outs, at = tile * f->images * f->height * n;
  const float *factor = nas_branch_stats(b, NAS_STATS_A);
  nas_kernels()->norm_gradient_rows(dz + pixel_at(f, 0, 0, f->outs), f->image * f->outs, f->row * f->outs, b->dy + at,
                                    nas_branch_z(b, at), b->stats, factor, factor + f->outs, factor + 2 * f->outs,
                                    f->images, f->height, n, f->outs);
}

static void weight_gradient(const fan *f, const chunk *k, const float *x, float *const *dz, float *total) {
  int64_t pixels = nas_direct_pixels(f->outs), pad = k->kernel / 2, border = pad == 1 ? f->ins : 0;
  nas_direct_gradient g = {.images = f->images,
                           .width = f->width / pixels,
                           .step = pixels * f->ins,
                           .length = (k->kernel - 1 + pixels) * f->ins,
                           .left = border,
                           .right = border,
                           .x_image = f->image * f->ins,
                           .x_row = f->row * f->ins,
                           .dz_image = f->image * f->outs,
                           .dz_row = f->row * f->outs,
                           .dz_pitch = pixels * f->outs,
                           .vectors = (int32_t)k->vectors};
  if (pad == 1 && nas_direct_stacks_gradient(g.length, k->vectors)) {
    g.rows = f->height;
    g.x = x + pixel_at(f, -1, -1, f->ins);
    g.dw = total + k->at;
    g.dz[0] = dz[k->branch[0]] + pixel_at(f, 0, 0, f->outs) + 16 * k->vector[0];
    nas_kernels()->direct_gradient_stacked(&g);
    return;
  }
  for (int64_t row = 0; row < k->kernel; row++) {
    int64_t first = larger(0, pad - row), last = f->height - larger(0, row - pad);
    if (first >= last) continue;
    g.rows = last - first;
    g.x = x + pixel_at(f, first + row - pad, -pad, f->ins);
    g.dw = total + k->at + row * g.length * 16 * k->vectors;
    for (int64_t v = 0; v < k->vectors; v++)
      g.dz[v] = dz[k->branch[v]] + pixel_at(f, first, 0, f->outs) + 16 * k->vector[v];
    nas_kernels()->direct_gradient(&g);
  }
}

static void unpack_gradients(const nas_call *c, const fan *f, const float *total) {
  for (int32_t i = 0; i < f->n_chunks; i++) {
    const chunk *k = &f->chunks[i];
    for (int64_t v = 0; v < k->vectors; v++) {
      const nas_branch *b = c->branch[k->branch[v]];
      nas_direct_shape s = shape_of(b, false);
      nas_direct_unpack(b->grad[NAS_EDGE_WEIGHT], total + k->at, &s, k->vector[v], v, k->vectors);
    }
  }
}

static void pack_side(const fan *f, float **packed, const float *plain, const nas_direct_shape *s, int64_t v,
                      const float *scale) {
  for (int64_t slot = 0; slot < f->side; slot++) nas_direct_pack(*packed, plain, s, v + slot, slot, f->side, scale);
  *packed += f->side * nas_direct_packed(s);
}

/* Weights for the gradient by x: for each `side` vectors of x, those of all branches that are not filtered, and the
 * square of the folded ones. */
static void pack_data(const nas_call *c, const fan *f, float *packed, const float *square) {
  const nas_direct_shape own = {f->ins, f->ins, 1, true};
  for (int64_t v = 0; v < nas_direct_count(f->ins); v += f->side) {
    for (int32_t i = 0; i < c->n_branches; i++) {
      const nas_branch *b = c->branch[i];
      if (nas_filtered_branch(b)) continue;
      nas_direct_shape s = shape_of(b, true);
      pack_side(f, &packed, b->param[NAS_EDGE_WEIGHT], &s, v, b->folded ? nas_branch_stats(b, NAS_STATS_A) : NULL);
    }
    if (f->folds) pack_side(f, &packed, square, &own, v, NULL);
  }
}

/* What the norms of the folded branches return: a square matrix by which x - mean is multiplied, and a constant. */
static void find_square(const nas_call *c, const fan *f, float *square, float *shift, float *room) {
  memset(square, 0, (size_t)(f->ins * f->ins) * sizeof *square);
  memset(shift, 0, (size_t)(f->ins + 16) * sizeof *shift);
  for (int32_t i = 0; i < c->n_branches; i++)
    if (c->branch[i]->folded) nas_folded_return(c->branch[i], square, shift, room);
  for (int64_t k = f->ins; k < 16; k++) shift[k] = shift[k - f->ins];
}

/* One row of numbers that have no border, of this image and the next ones. */
static nas_direct_window flat_window(const fan *f, const float *tile, int64_t image, int64_t row, int64_t channels,
                                     int64_t pixels, const float *w) {
  int64_t n = f->width * channels;
  return (nas_direct_window){
      .x = tile + (image * f->height + row) * n, .w = w, .length = pixels * channels, .next = f->height * n};
}

/* What the backward pass reads and writes of a tile, as far as that has the shape of x. */
static int64_t find_next(const nas_call *c, const fan *f, int64_t tile, const float **out) {
  int64_t at = tile * f->images * f->height * f->width * f->ins, n = 0;
  if (!c->source) out[n++] = (const float *)c->x[0] + at;
  out[n++] = (const float *)c->dx[0] + at;
  if (c->dplus[0] && c->dplus[0] != c->dx[0]) out[n++] = (const float *)c->dplus[0] + at;
  for (int32_t i = 0; i < c->n_branches && f->ins == f->outs && n + 2 <= NAS_DIRECT_AHEAD; i++) {
    out[n++] = c->branch[i]->dy + at;
    if (!c->branch[i]->folded) out[n++] = (const float *)c->branch[i]->z + at;
  }
  return n;
}

/* A tile as one image of one row, which is all the same to convolutions of one pixel. */
static fan flat_fan(const fan *f) {
  fan flat = *f;
  flat.images = flat.height = flat.together_dx = 1;
  flat.width = f->images * f->height * f->width;
  return flat;
}

/* dx = dplus + what came back from the other branches, where the ReLU let x through. */
static void data_gradient(const nas_call *c, const fan *f, int64_t tile, const float *x, float *const *dz,
                          const float *centred, const float *shift, const float *packed) {
  int64_t pixels = nas_direct_pixels(f->ins), rows = f->width * f->ins, at = tile * f->images * f->height * rows;
  const float *dplus = f->filtered.branches ? c->dx[0] : c->dplus[0];
  const nas_kernel_set *kernels = nas_kernels();
  int64_t own = f->side * 16 * pixels * f->ins, outs = tile * f->images * f->height * f->width * f->outs;
  nas_direct_window windows[NAS_LAYER_INPUTS_MAX * KERNEL_MAX + 1];
  nas_direct_row r = {.windows = windows,
                      .width = f->width / pixels,
                      .step = pixels * f->outs,
                      .images = f->together_dx,
                      .y_next = f->height * rows,
                      .vectors = (int32_t)f->side};
  const float *next[NAS_DIRECT_AHEAD];
  int64_t n_next =
      tile + 1 < f->tiles && f->together_dx == 1 && !f->filtered.branches ? find_next(c, f, tile + 1, next) : 0;
  for (int64_t v = 0; v < nas_direct_count(f->ins); v += f->side) {
    const float *weights = packed;
    for (int64_t image = 0; image < f->images; image += f->together_dx)
      for (int64_t row = 0; row < f->height; row++) {
        packed = weights;
        r.n_windows = 0;
        for (int32_t i = 0; i < c->n_branches; i++) {
          nas_direct_shape s = shape_of(c->branch[i], true);
          if (nas_filtered_branch(c->branch[i])) continue;
          if (c->branch[i]->folded)
            windows[r.n_windows++] = flat_window(f, c->branch[i]->dy + outs, image, row, f->outs, pixels, packed);
          else
            r.n_windows += find_windows(f, dz[i] + image * f->image * f->outs, row, f->outs, s.kernel, pixels, packed,
                                        nas_direct_length(&s) * 16 * f->side, windows + r.n_windows);
          packed += f->side * nas_direct_packed(&s);
        }
        if (f->folds)
          windows[r.n_windows++] = flat_window(f, centred, image, row, f->ins, pixels, packed), packed += own;
        int64_t from = (image * f->height + row) * rows + 16 * v;
        for (int64_t k = 0; k < f->side; k++) {
          r.pitch[k] = pixels * f->ins;
          r.y[k] = (float *)c->dx[0] + at + from + 16 * k;
          r.plus[k] = dplus ? dplus + at + from + 16 * k : NULL;
          r.mask[k] = c->relu_in ? x + from + 16 * k : NULL;
          r.shift[k] = f->folds ? shift + 16 * (v + k) : NULL;
        }
        r.n_ahead = n_next;
        for (int64_t i = 0; i < n_next; i++) r.ahead[i] = (nas_direct_ahead){next[i] + from, pixels * f->ins};
        kernels->direct_row(&r);
      }
  }
}

static void backward(const nas_call *c) {
  const fan *f = c->prepared;
  char *scratch = c->scratch;
  int64_t numbers = f->images * f->image, rows = f->images * f->height * f->width;
  float *bordered = take(&scratch, numbers * f->ins, 4), *total = take(&scratch, f->weights, 4);
  float *packed = take(&scratch, f->data, 4), *dz[NAS_LAYER_INPUTS_MAX] = {NULL};
  float *made = take(&scratch, rows * f->ins, 4), *centred = NULL, *square = NULL, *shift = NULL;
  const float *mean = NULL;
  int64_t folded = 0;
  for (int32_t i = 0; i < c->n_branches; i++) {
    if (c->branch[i]->folded) mean = c->branch[i]->gram, folded++;
    if (c->branch[i]->folded) continue;
    dz[i] = take(&scratch, numbers * f->outs, 4);
    memset(dz[i], 0, (size_t)(numbers * f->outs) * sizeof(float));
  }
  if (f->folds && c->dx[0]) {
    centred = take(&scratch, rows * f->ins, 4);
    square = take(&scratch, f->ins * f->ins, 4);
    shift = take(&scratch, f->ins + 16, 4);
    find_square(c, f, square, shift, (float *)(void *)scratch);
  }
  const nas_filtered *filtered = &f->filtered;
  int64_t others = c->n_branches - filtered->branches;
  bool only_folded = folded == others;
  const fan flat = flat_fan(f);
  float *by_weights = take(&scratch, filtered->weights, 4), *data = take(&scratch, filtered->data, 4);
  float *taps = take(&scratch, filtered->taps, 4), *room = take(&scratch, filtered->scratch, 4);
  memset(bordered, 0, (size_t)(numbers * f->ins) * sizeof *bordered);
  memset(total, 0, (size_t)f->weights * sizeof *total);
  memset(by_weights, 0, (size_t)filtered->weights * sizeof *by_weights);
  if (c->dx[0]) pack_data(c, f, packed, square);
  if (c->dx[0] && filtered->branches) nas_filtered_pack_data(filtered, c, data);
  for (int64_t tile = 0; tile < f->tiles; tile++) {
    const float *x = (const float *)c->x[0] + tile * rows * f->ins;
    if (c->source) nas_weighted_sum_part(c->source, tile * rows * f->ins, rows * f->ins, made), x = made;
    if (f->convolves) fill_tile(c, f, x, bordered);
    for (int32_t i = 0; i < c->n_branches; i++)
      if (!c->branch[i]->folded) form_dz(f, c->branch[i], tile, dz[i]);
    if (filtered->branches) nas_filtered_gradient(filtered, bordered, dz, by_weights, room);
    for (int32_t i = 0; i < f->n_chunks; i++) weight_gradient(f, &f->chunks[i], bordered, dz, total);
    if (centred) nas_kernels()->center(centred, x, c->relu_in, mean, rows, f->ins);
    if (!c->dx[0]) continue;
    if (filtered->branches) nas_filtered_data(filtered, c, tile, x, dz, data, room);
    if (others) data_gradient(c, only_folded ? &flat : f, tile, x, dz, centred, shift, packed);
  }
  unpack_gradients(c, f, total);
  if (filtered->branches) nas_filtered_unpack(filtered, c, by_weights, taps);
}

const nas_kernel nas_direct_fan = {
    .prepare = prepare, .release = release, .forward = forward, .backward = backward, .reads = NAS_READS_X};
