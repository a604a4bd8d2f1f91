#include "train/strided_fan.h"

#include <stdlib.h>
#include <string.h>

#include "train/direct_pack.h"
#include "train/kernels/kernels.h"
#include "train/scratch.h"
#include "train/weighted_sum.h"

/* Bytes of one intermediate tensor of a tile: some five of them share the L2 cache in the backward pass. */
enum { TILE_BYTES = 64 * 1024, TAPS = 9 };

typedef struct fan {
  int64_t images, tiles, height, width; /* of the output; the input has twice as many rows and columns */
  int64_t ins, outs;
  int64_t side, side_dx; /* vectors of z and of x side by side */
  int64_t wide;          /* pixels of x that a vector covers */
  int64_t weights, data; /* packed numbers */
} fan;

static nas_direct_shape shape_of(const fan *f) { return (nas_direct_shape){f->outs, f->ins, 3, false}; }
static int64_t in_numbers(const fan *f) { return f->images * 4 * f->height * f->width * f->ins; }
/* A row of x behind a pixel of zeros, and a tile of such rows. */
static int64_t row_numbers(const fan *f) { return (2 * f->width + 1) * f->ins; }
static int64_t bordered_numbers(const fan *f) { return f->images * 2 * f->height * row_numbers(f); }
static int64_t out_numbers(const fan *f) { return f->images * f->height * f->width * f->outs; }

bool nas_strided_fan_fits(const nas_call *c) {
  if (c->bf16 || c->n_branches != 1) return false;
  const nas_site *s = &c->branch[0]->site;
  const nas_attrs *a = &s->attrs;
  bool channels = s->out.c % 16 == 0 && (!c->wants_dx[0] || s->in[0].c % 16 == 0 || s->in[0].c == 8);
  return channels && a->kernel_h == 3 && a->kernel_w == 3 && a->stride == 2 && a->pad == 1 && a->groups <= 1 &&
         !a->bias && s->in[0].h % 2 == 0 && s->in[0].w % 2 == 0;
}

static nas_status prepare(nas_call *c, nas_err *err) {
  fan *f = calloc(1, sizeof *f);
  if (!f) return nas_fail_memory(err, "a convolution");
  c->prepared = f;
  const nas_site *s = &c->branch[0]->site;
  int64_t largest =
      nas_shape_size(s->in[0]) > nas_shape_size(s->out) ? nas_shape_size(s->in[0]) : nas_shape_size(s->out);
  f->images = 1;
  for (int64_t d = 2; d <= s->batch && d * largest * 4 <= TILE_BYTES; d++)
    if (s->batch % d == 0) f->images = d;
  f->tiles = s->batch / f->images;
  f->height = s->out.h;
  f->width = s->out.w;
  f->ins = s->in[0].c;
  f->outs = s->out.c;
  f->side = nas_direct_side(f->outs);
  f->side_dx = nas_direct_side(f->ins);
  f->wide = nas_direct_pixels(f->ins);
  f->weights = TAPS * f->ins * f->outs;
  f->data = (f->wide > 1 ? 6 : TAPS) * 16 * nas_direct_count(f->ins) * f->outs;
  int64_t x = nas_align64(4 * bordered_numbers(f)), z = nas_align64(4 * out_numbers(f));
  c->forward_scratch = x + nas_align64(4 * f->weights) + 2 * nas_align64(4 * f->outs) +
                       nas_align64(f->outs * (int64_t)sizeof(nas_moments));
  c->backward_scratch = x + nas_align64(4 * in_numbers(f)) + z + nas_align64(4 * f->weights) + nas_align64(4 * f->data);
  return NAS_OK;
}

static void release(nas_call *c) {
  free(c->prepared);
  c->prepared = NULL;
}

/* A tile of x, or its positive part, into rows that begin with a pixel of zeros. */
static void fill_tile(const nas_call *c, const fan *f, const float *x, float *bordered) {
  nas_kernels()->copy_rows(bordered + f->ins, row_numbers(f), x, c->relu_in, f->images * 2 * f->height,
                           2 * f->width * f->ins);
}

static void convolve(const fan *f, const float *x, const float *packed, float *z) {
  nas_direct_window windows[3];
  int64_t length = 3 * f->ins, in_row = row_numbers(f);
  nas_direct_row r = {
      .windows = windows, .width = f->width, .step = 2 * f->ins, .images = 1, .vectors = (int32_t)f->side};
  for (int64_t v = 0; v < nas_direct_count(f->outs); v += f->side, packed += 3 * length * f->side * 16)
    for (int64_t row = 0, of_image = 0; row < f->images * f->height; row++) {
      r.n_windows = 0;
      for (int64_t k = of_image ? 0 : 1; k < 3; k++)
        windows[r.n_windows++] = (nas_direct_window){.x = x + (2 * row + k - 1) * in_row,
                                                     .w = packed + k * length * f->side * 16,
                                                     .length = length,
                                                     .left = f->ins};
      for (int64_t k = 0; k < f->side; k++) {
        r.y[k] = z + row * f->width * f->outs + 16 * (v + k);
        r.pitch[k] = f->outs;
      }
      nas_kernels()->direct_row(&r);
      if (++of_image == f->height) of_image = 0;
    }
}

static void forward(const nas_call *c) {
  const fan *f = c->prepared;
  const nas_branch *b = c->branch[0];
  nas_direct_shape s = shape_of(f);
  char *scratch = c->scratch;
  float *x = nas_take(&scratch, bordered_numbers(f), 4), *packed = nas_take(&scratch, f->weights, 4);
  float *sum = nas_take(&scratch, f->outs, 4), *square = nas_take(&scratch, f->outs, 4);
  nas_moments *all = (nas_moments *)(void *)scratch;
  int64_t rows = f->images * f->height * f->width;
  memset(x, 0, (size_t)bordered_numbers(f) * sizeof *x);
  memset(all, 0, (size_t)f->outs * sizeof *all);
  nas_direct_pack_all(packed, b->param[NAS_EDGE_WEIGHT], &s, NULL);
  for (int64_t tile = 0; tile < f->tiles; tile++) {
    float *z = (float *)b->z + tile * out_numbers(f);
    fill_tile(c, f, (const float *)c->x[0] + tile * in_numbers(f), x);
    convolve(f, x, packed, z);
    nas_kernels()->moments(nas_f32(z), z, rows, f->outs, sum, square);
    nas_norm_merge(all, (double)(tile * rows), z, sum, square, (double)rows, f->outs);
  }
  nas_norm norm = nas_branch_norm(b);
  nas_norm_close(&norm, all, (double)(f->tiles * rows), b->stats, nas_branch_stats(b, NAS_STATS_SCALE),
                 nas_branch_stats(b, NAS_STATS_SHIFT));
}

static void weight_gradient(const fan *f, const float *x, const float *dz, float *total) {
  int64_t in_row = row_numbers(f), out_row = f->width * f->outs;
  nas_direct_gradient g = {.images = f->images,
                           .width = f->width,
                           .step = 2 * f->ins,
                           .length = 3 * f->ins,
                           .left = f->ins,
                           .x_image = 2 * f->height * in_row,
                           .x_row = 2 * in_row,
                           .dz_image = f->height * out_row,
                           .dz_row = out_row,
                           .dz_pitch = f->outs,
                           .vectors = (int32_t)f->side};
  for (int64_t v = 0; v < nas_direct_count(f->outs); v += f->side)
    for (int64_t k = 0; k < 3; k++, total += g.length * 16 * f->side) {
      int64_t first = k == 0; /* the first output's first row lies above the image */
      g.rows = f->height - first;
      if (!g.rows) continue;
      g.x = x + (2 * first + k - 1) * in_row;
      g.dw = total;
      for (int64_t i = 0; i < f->side; i++) g.dz[i] = dz + first * out_row + 16 * (v + i);
      nas_kernels()->direct_gradient(&g);
    }
}

/* A pixel of x at an even place looks at the output of its own place with the middle tap, one at an odd place with the
 * last tap and at the next output with the first. */
static int64_t tap_of(int64_t odd, int64_t next) { return odd ? (next ? 0 : 2) : 1; }

/* Weights of the gradient by `side` vectors of x, for pixels of odd or even rows and (one pixel a vector) columns:
 * [outputs of a row][outputs of a column][channel of z][side][16]. */
static float *pack_phase(const fan *f, const float *w, int64_t v, int64_t odd_row, int64_t odd_column, float *to) {
  int64_t columns = f->wide > 1 ? 2 : 1 + odd_column;
  for (int64_t r = 0; r <= odd_row; r++)
    for (int64_t q = 0; q < columns; q++)
      for (int64_t o = 0; o < f->outs; o++, to += 16 * f->side_dx)
        for (int64_t l = 0; l < 16 * f->side_dx; l++) {
          int64_t in = (16 * v + l) % f->ins, odd = f->wide > 1 ? l / f->ins : odd_column;
          bool looks = q <= odd;
          to[l] = looks ? w[(o * f->ins + in) * TAPS + 3 * tap_of(odd_row, r) + tap_of(odd, q)] : 0;
        }
  return to;
}

static void pack_data(const fan *f, const float *w, float *to) {
  for (int64_t v = 0; v < nas_direct_count(f->ins); v += f->side_dx)
    for (int64_t row = 0; row < 2; row++)
      for (int64_t column = 0; column < (f->wide > 1 ? 1 : 2); column++) to = pack_phase(f, w, v, row, column, to);
}

/* One phase of an image: dx = dplus + what came back, where the ReLU let x through, in its even or odd rows and from
 * pixel `column` on. */
static void data_phase(const nas_call *c, const fan *f, int64_t tile, const float *x, const float *dz, int64_t image,
                       int64_t odd, int64_t column, int64_t v, const float *packed) {
  int64_t out_row = f->width * f->outs, in_row = 2 * f->width * f->ins, columns = f->wide > 1 ? 2 : 1 + column;
  int64_t length = columns * f->outs, right = (columns - 1) * f->outs;
  nas_direct_window windows[2];
  nas_direct_row r = {
      .windows = windows, .width = f->width, .step = f->outs, .images = 1, .vectors = (int32_t)f->side_dx};
  int64_t at = image * 2 * f->height * in_row + odd * in_row + column * f->ins + 16 * v;
  const float *dplus = c->dplus[0];
  dz += image * f->height * out_row;
  for (int64_t k = 0; k < f->side_dx; k++) {
    int64_t from = tile * in_numbers(f) + at + 16 * k;
    r.pitch[k] = 2 * f->ins;
    r.y[k] = (float *)c->dx[0] + from;
    r.plus[k] = dplus ? dplus + from : NULL;
    r.mask[k] = c->relu_in ? x + at + 16 * k : NULL;
  }
  for (int64_t row = 0; row < f->height; row++, dz += out_row) {
    r.n_windows = odd && row + 1 < f->height ? 2 : 1; /* what lies below the image is not there */
    for (int64_t k = 0; k < r.n_windows; k++)
      windows[k] = (nas_direct_window){
          .x = dz + k * out_row, .w = packed + k * length * 16 * f->side_dx, .length = length, .right = right};
    nas_kernels()->direct_row(&r);
    for (int64_t k = 0; k < f->side_dx; k++) {
      r.y[k] += 2 * in_row;
      if (r.plus[k]) r.plus[k] += 2 * in_row;
      if (r.mask[k]) r.mask[k] += 2 * in_row;
    }
  }
}

static void data_gradient(const nas_call *c, const fan *f, int64_t tile, const float *x, const float *dz,
                          const float *packed) {
  for (int64_t v = 0; v < nas_direct_count(f->ins); v += f->side_dx)
    for (int64_t odd = 0; odd < 2; odd++)
      for (int64_t column = 0; column < (f->wide > 1 ? 1 : 2); column++) {
        for (int64_t image = 0; image < f->images; image++)
          data_phase(c, f, tile, x, dz, image, odd, column, v, packed);
        packed += (1 + odd) * (f->wide > 1 ? 2 : 1 + column) * f->outs * 16 * f->side_dx;
      }
}

static void backward(const nas_call *c) {
  const fan *f = c->prepared;
  const nas_branch *b = c->branch[0];
  nas_direct_shape s = shape_of(f);
  char *scratch = c->scratch;
  float *bordered = nas_take(&scratch, bordered_numbers(f), 4), *made = nas_take(&scratch, in_numbers(f), 4);
  float *dz = nas_take(&scratch, out_numbers(f), 4), *total = nas_take(&scratch, f->weights, 4);
  float *packed = nas_take(&scratch, f->data, 4);
  const float *factor = nas_branch_stats(b, NAS_STATS_A);
  memset(bordered, 0, (size_t)bordered_numbers(f) * sizeof *bordered);
  memset(total, 0, (size_t)f->weights * sizeof *total);
  if (c->dx[0]) pack_data(f, b->param[NAS_EDGE_WEIGHT], packed);
  for (int64_t tile = 0; tile < f->tiles; tile++) {
    int64_t at = tile * out_numbers(f);
    const float *x = (const float *)c->x[0] + tile * in_numbers(f);
    if (c->source) nas_weighted_sum_part(c->source, tile * in_numbers(f), in_numbers(f), made), x = made;
    nas_kernels()->norm_gradient(dz, NULL, b->dy + at, (const float *)b->z + at, b->stats, factor, factor + f->outs,
                                 factor + 2 * f->outs, f->images * f->height * f->width, f->outs);
    fill_tile(c, f, x, bordered);
    weight_gradient(f, bordered, dz, total);
    if (c->dx[0]) data_gradient(c, f, tile, x, dz, packed);
  }
  nas_direct_unpack_all(b->grad[NAS_EDGE_WEIGHT], total, &s);
}

const nas_kernel nas_strided_fan = {
    .prepare = prepare, .release = release, .forward = forward, .backward = backward, .reads = NAS_READS_X};
