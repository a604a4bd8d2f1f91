#include "train/conv_edge.h"

#include <stdlib.h>
#include <string.h>

#include "train/dnnl_conv.h"
#include "train/kernels/kernels.h"
#include "train/norm.h"
#include "train/scratch.h"

/* Bytes of one intermediate tensor of a tile: some seven of them share the L2 cache in the backward pass. */
enum { TILE_BYTES = 64 * 1024 };

typedef struct tiling {
  nas_conv *conv;
  nas_conv_sizes sizes;
  int32_t images, tiles;
  int64_t in, out, rows; /* numbers of one tile's input and output, and its output pixels */
} tiling;

/* The largest divisor of the batch whose tensors fit a tile (at least one image). */
static int32_t tile_images(const nas_site *s) {
  int64_t in = nas_shape_size(s->in[0]), out = nas_shape_size(s->out), most = in > out ? in : out;
  int32_t images = 1;
  for (int32_t d = 2; d <= s->batch && d * most * 4 <= TILE_BYTES; d++)
    if (s->batch % d == 0) images = d;
  return images;
}

static int64_t per_channel(const nas_site *s, int count) {
  return nas_align64(count * s->out.c * (int64_t)sizeof(float));
}

static nas_status prepare(nas_call *c, nas_err *err) {
  const nas_site *s = &c->site;
  bool train = s->mode == NAS_TRAIN;
  tiling *t = calloc(1, sizeof *t);
  if (!t) return nas_fail_memory(err, "a convolution");
  c->prepared = t;
  t->images = tile_images(s);
  t->tiles = s->batch / t->images;
  t->in = t->images * nas_shape_size(s->in[0]);
  t->out = t->images * nas_shape_size(s->out);
  t->rows = t->images * nas_shape_pixels(s->out);
  NAS_TRY(nas_conv_new(s, &(nas_conv_options){t->images, train, c->wants_dx[0], false}, &t->conv, err));
  t->sizes = nas_conv_size(t->conv);
  int64_t in = nas_align64(4 * t->in), out = nas_align64(4 * t->out), pad = nas_align64(t->sizes.scratch);
  c->forward_scratch = pad + nas_align64(t->sizes.forward) + in + out + 2 * per_channel(s, 1);
  if (train)
    c->backward_scratch = pad + nas_align64(t->sizes.data) + 2 * nas_align64(t->sizes.gradient) + 2 * in +
                          3 * per_channel(s, 1) + 2 * per_channel(s, 2);
  return NAS_OK;
}

static void release(nas_call *c) {
  tiling *t = c->prepared;
  if (t) nas_conv_free(t->conv);
  free(t);
  c->prepared = NULL;
}

static nas_norm norm_of(const nas_call *c) {
  return (nas_norm){c->site.out.c,          c->param[NAS_EDGE_GAMMA], c->param[NAS_EDGE_BETA], c->param[NAS_EDGE_MEAN],
                    c->param[NAS_EDGE_VAR], c->grad[NAS_EDGE_GAMMA],  c->grad[NAS_EDGE_BETA],  1};
}

static const float *relu_tile(const nas_call *c, const tiling *t, int32_t tile, float *room) {
  const float *x = (const float *)c->x[0] + tile * t->in;
  if (!c->relu_in) return x;
  nas_kernels()->relu(room, x, t->in);
  return room;
}

static void forward(const nas_call *c) {
  const tiling *t = c->prepared;
  const nas_site *s = &c->site;
  char *scratch = c->scratch;
  void *pad = nas_take(&scratch, t->sizes.scratch, 1), *weight = nas_take(&scratch, t->sizes.forward, 1);
  float *room = nas_take(&scratch, t->in, 4), *held = nas_take(&scratch, t->out, 4);
  float *scale = nas_take(&scratch, per_channel(s, 1), 1), *shift = nas_take(&scratch, per_channel(s, 1), 1);
  const float *bias = s->attrs.bias ? c->param[NAS_EDGE_BIAS] : NULL, *plus = c->plus;
  float *y = c->y;
  nas_norm norm = norm_of(c);
  nas_conv_pack_forward(t->conv, c->param[NAS_EDGE_WEIGHT], weight);
  if (c->norm_out) nas_norm_running(&norm, scale, shift);
  for (int64_t n = 0; !c->norm_out && n < s->out.c; n++) scale[n] = 1, shift[n] = 0;
  bool direct = !c->norm_out && !plus;
  for (int32_t i = 0; i < t->tiles; i++) {
    nas_conv_forward(t->conv, relu_tile(c, t, i, room), weight, bias, direct ? y + i * t->out : held, pad);
    if (!direct)
      nas_kernels()->affine_sum(y + i * t->out, plus ? plus + i * t->out : NULL,
                                &(nas_affine){nas_f32(held), scale, shift}, 1, t->rows, s->out.c);
  }
}

static void bias_gradient(const nas_call *c, const tiling *t, const float *zeros, float *sum, float *dot,
                          nas_moments *all) {
  int64_t channels = c->site.out.c;
  float *dbias = c->grad[NAS_EDGE_BIAS];
  memset(all, 0, (size_t)channels * sizeof *all);
  for (int32_t i = 0; i < t->tiles; i++) {
    const float *dz = (const float *)c->dy + i * t->out;
    nas_norm_gather(all, dz, nas_f32(dz), zeros, t->rows, channels, sum, dot);
  }
  for (int64_t k = 0; k < channels; k++) dbias[k] = (float)all[k].mean;
}

static void backward(const nas_call *c) {
  const tiling *t = c->prepared;
  const nas_site *s = &c->site;
  const nas_kernel_set *k = nas_kernels();
  int64_t weights = t->sizes.gradient / 4;
  char *scratch = c->scratch;
  void *pad = nas_take(&scratch, t->sizes.scratch, 1), *weight = nas_take(&scratch, t->sizes.data, 1);
  float *total = nas_take(&scratch, t->sizes.gradient, 1), *part = nas_take(&scratch, t->sizes.gradient, 1);
  float *room = nas_take(&scratch, t->in, 4), *back = nas_take(&scratch, t->in, 4);
  float *zeros = nas_take(&scratch, per_channel(s, 1), 1), *sum = nas_take(&scratch, per_channel(s, 1), 1);
  float *dot = nas_take(&scratch, per_channel(s, 1), 1);
  nas_moments *all = nas_take(&scratch, per_channel(s, 2), 1);
  const float *dy = c->dy, *dplus = c->dplus[0], *x = c->x[0];
  float *dx = c->dx[0];
  memset(zeros, 0, (size_t)s->out.c * sizeof *zeros);
  if (s->attrs.bias) bias_gradient(c, t, zeros, sum, dot, all);
  if (dx) nas_conv_pack_data(t->conv, c->param[NAS_EDGE_WEIGHT], weight);
  for (int32_t i = 0; i < t->tiles; i++) {
    nas_conv_backward_weights(t->conv, relu_tile(c, t, i, room), dy + i * t->out, i ? part : total, pad);
    if (i) k->weighted_sum(total, total, (const float *const[]){part}, (const float[]){1}, 1, weights);
    if (!dx) continue;
    float *to = dx + i * t->in;
    bool direct = !c->relu_in && !dplus;
    nas_conv_backward_data(t->conv, dy + i * t->out, weight, direct ? to : back, pad);
    if (direct) continue;
    const float *add = dplus ? dplus + i * t->in : NULL;
    if (c->relu_in) k->relu_gradient(to, add, x + i * t->in, back, t->in);
    else k->weighted_sum(to, add, (const float *const[]){back}, (const float[]){1}, 1, t->in);
  }
  nas_conv_unpack_gradient(t->conv, total, c->grad[NAS_EDGE_WEIGHT]);
}

const nas_kernel nas_conv_edge = {.prepare = prepare,
                                  .release = release,
                                  .forward = forward,
                                  .backward = backward,
                                  .reads = NAS_READS_X,
                                  .sinks = true};
