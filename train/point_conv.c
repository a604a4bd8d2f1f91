#include "train/point_conv.h"

#include <stdlib.h>
#include <string.h>

#include "train/branch.h"
#include "train/direct_pack.h"
#include "train/scratch.h"

/* Bytes of a piece of x and y together, which share the L1 cache with as much of the weights; and pixels of a piece at
 * least, so that fetching the weights and storing their gradient counts for little where there are many channels. A
 * piece is a multiple of that: of the pixels that kernels take at once, up to four a vector. */
enum { PIECE_BYTES = 24 * 1024, PIECE_PIXELS = 128 };

/* More weights than this, and packing them and adding up their gradient piece by piece costs more than oneDNN's blocks
 * (256 to 512 channels at 4x4: 1.1 of the time). */
enum { WEIGHTS_MAX = 64 * 1024 };

typedef struct point {
  int64_t pixels, piece, ins, outs;
  int64_t weights, data; /* packed numbers */
  bool small;            /* for kernels/point.h */
} point;

typedef struct product {
  nas_point of;
  int64_t ins, outs;
  bool small;
} product;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Whether windows onto `pixels` pixels in a row give vectors of so many channels. */
static bool divides(int64_t channels, int64_t pixels) {
  return nas_direct_channels(channels) && pixels % nas_direct_pixels(channels) == 0;
}

bool nas_point_conv_fits(const nas_call *c) {
  const nas_attrs *a = &c->site.attrs;
  int64_t pixels = nas_site_rows(&c->site, 0), ins = c->site.in[0].c;
  return !c->norm_out && a->kernel_h == 1 && a->kernel_w == 1 && a->stride == 1 && a->pad == 0 && a->groups <= 1 &&
         !a->bias && ins * c->site.out.c <= WEIGHTS_MAX && divides(c->site.out.c, pixels) &&
         (!c->wants_dx[0] || divides(ins, pixels));
}

static nas_direct_shape shape_of(const point *p, bool turned) {
  return (nas_direct_shape){turned ? p->ins : p->outs, turned ? p->outs : p->ins, 1, turned};
}

/* Numbers of all packed weights. */
static int64_t packed_numbers(const point *p, bool turned) {
  nas_direct_shape s = shape_of(p, turned);
  return nas_direct_count(s.outs) * nas_direct_packed(&s);
}

static nas_status prepare(nas_call *c, nas_err *err) {
  point *p = calloc(1, sizeof *p);
  if (!p) return nas_fail_memory(err, "a convolution");
  c->prepared = p;
  p->pixels = nas_site_rows(&c->site, 0);
  p->ins = c->site.in[0].c;
  p->outs = c->site.out.c;
  p->piece = PIECE_BYTES / (4 * (p->ins + p->outs)) / PIECE_PIXELS * PIECE_PIXELS;
  if (!p->piece) p->piece = PIECE_PIXELS;
  p->weights = packed_numbers(p, false);
  p->data = c->wants_dx[0] ? packed_numbers(p, true) : 0;
  p->small = p->ins == 8 && p->outs == 16 && p->pixels % 16 == 0;
  int64_t positive = c->relu_in ? nas_align64(4 * p->piece * p->ins) : 0;
  c->forward_scratch = nas_align64(4 * p->weights) + positive;
  if (c->site.mode == NAS_TRAIN) c->backward_scratch = c->forward_scratch + nas_align64(4 * p->data);
  return NAS_OK;
}

static void release(nas_call *c) {
  free(c->prepared);
  c->prepared = NULL;
}

static void pack(const point *p, const float *plain, bool turned, float *packed) {
  nas_direct_shape s = shape_of(p, turned);
  if (p->small && turned) {
    for (int64_t i = 0; i < 16 * 16; i++) packed[i] = plain[i / 16 * 8 + i % 8];
    return;
  }
  nas_direct_pack_all(packed, plain, &s, NULL);
}

static void multiply(const product *m) {
  if (m->small) {
    (m->ins == 8 ? nas_kernels()->point_8_16 : nas_kernels()->point_16_8)(&m->of);
    return;
  }
  int64_t across = nas_direct_pixels(m->outs), length = across * m->ins, side = nas_direct_side(m->outs);
  nas_direct_window window = {.x = m->of.x, .w = m->of.w, .length = length};
  nas_direct_row r = {.windows = &window,
                      .n_windows = 1,
                      .width = m->of.pixels / across,
                      .step = length,
                      .images = 1,
                      .vectors = (int32_t)side};
  for (int64_t v = 0; v < nas_direct_count(m->outs); v += side, window.w += length * 16 * side) {
    for (int64_t k = 0; k < side; k++) {
      int64_t at = 16 * (v + k);
      r.y[k] = m->of.y + at;
      r.plus[k] = m->of.plus ? m->of.plus + at : NULL;
      r.mask[k] = m->of.mask ? m->of.mask + at : NULL;
      r.pitch[k] = across * m->outs;
    }
    nas_kernels()->direct_row(&r);
  }
}

/* What the convolution sees of a piece of x, in `positive` where that is not x itself. */
static const float *seen_piece(const nas_call *c, const point *p, int64_t first, int64_t pixels, float *positive) {
  const float *x = (const float *)c->x[0] + first * p->ins;
  if (!c->relu_in) return x;
  nas_kernels()->relu(positive, x, pixels * p->ins);
  return positive;
}

static void forward(const nas_call *c) {
  const point *p = c->prepared;
  char *scratch = c->scratch;
  float *packed = nas_take(&scratch, p->weights, 4), *positive = (float *)(void *)scratch;
  const float *plus = c->plus;
  pack(p, c->param[NAS_EDGE_WEIGHT], false, packed);
  for (int64_t first = 0; first < p->pixels; first += p->piece) {
    int64_t pixels = least(p->piece, p->pixels - first), at = first * p->outs;
    multiply(&(product){.of = {.pixels = pixels,
                               .x = seen_piece(c, p, first, pixels, positive),
                               .w = packed,
                               .plus = plus ? plus + at : NULL,
                               .y = (float *)c->y + at},
                        .ins = p->ins,
                        .outs = p->outs,
                        .small = p->small});
  }
}

static void backward(const nas_call *c) {
  const point *p = c->prepared;
  nas_direct_shape s = shape_of(p, false);
  char *scratch = c->scratch;
  float *total = nas_take(&scratch, p->weights, 4), *packed = nas_take(&scratch, p->data, 4);
  float *positive = (float *)(void *)scratch;
  float *dx = c->dx[0];
  const float *dplus = c->dplus[0];
  memset(total, 0, (size_t)p->weights * sizeof *total);
  if (dx) pack(p, c->param[NAS_EDGE_WEIGHT], true, packed);
  for (int64_t first = 0; first < p->pixels; first += p->piece) {
    int64_t pixels = least(p->piece, p->pixels - first), at = first * p->ins;
    const float *x = seen_piece(c, p, first, pixels, positive), *dy = (const float *)c->dy + first * p->outs;
    nas_direct_products(total, x, dy, pixels, &s, NULL, NULL);
    if (!dx) continue;
    multiply(&(product){.of = {.pixels = pixels,
                               .x = dy,
                               .w = packed,
                               .plus = dplus ? dplus + at : NULL,
                               .mask = c->relu_in ? x : NULL,
                               .y = dx + at},
                        .ins = p->outs,
                        .outs = p->ins,
                        .small = p->small});
  }
  nas_direct_unpack_all(c->grad[NAS_EDGE_WEIGHT], total, &s);
}

const nas_kernel nas_point_conv = {.prepare = prepare,
                                   .release = release,
                                   .forward = forward,
                                   .backward = backward,
                                   .reads = NAS_READS_X,
                                   .sinks = true};
