#include "train/conv_fan.h"

#include <stdlib.h>
#include <string.h>

#include "train/dnnl_conv.h"
#include "train/kernels/kernels.h"
#include "train/scratch.h"
#include "train/weighted_sum.h"

/* Bytes of one intermediate tensor of a tile: some seven of them share the L2 cache in the backward pass. And how many
 * output channels are worth joining: beyond, the weights take the cache that the images need. */
enum { TILE_BYTES = 64 * 1024, JOIN_CHANNELS = 96 };

/* Branches first .. first + count - 1 as one convolution of `channels` output channels. */
typedef struct group {
  nas_conv *conv;
  nas_conv_sizes sizes;
  int32_t first, count;
  int64_t channels, rows; /* rows: output pixels of a tile */
  int64_t weights;        /* numbers of the packed gradient */
} group;

typedef struct fan {
  int32_t images, tiles, n_groups;
  int64_t in, out, weights, channels; /* numbers: a tile's input, its largest output, the largest weights */
  int64_t scratch, forward, data, gradient;
  group groups[NAS_LAYER_INPUTS_MAX];
} fan;

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static bool joins(const nas_branch *a, const nas_branch *b) {
  const nas_attrs *x = &a->site.attrs, *y = &b->site.attrs;
  return x->kernel_h == y->kernel_h && x->kernel_w == y->kernel_w && x->stride == y->stride && x->pad == y->pad &&
         x->groups <= 1 && y->groups <= 1 && !x->bias && !y->bias;
}

static void find_groups(const nas_call *c, fan *f) {
  for (int32_t i = 0; i < c->n_branches; i++) {
    const nas_branch *b = c->branch[i];
    group *g = f->n_groups ? &f->groups[f->n_groups - 1] : NULL;
    if (g && joins(c->branch[g->first], b) && g->channels + b->site.out.c <= JOIN_CHANNELS) {
      g->count++;
      g->channels += b->site.out.c;
    } else {
      f->groups[f->n_groups++] = (group){.first = i, .count = 1, .channels = b->site.out.c};
    }
  }
}

/* The largest divisor of the batch whose tensors fit a tile (at least one image). */
static int32_t tile_images(const nas_call *c) {
  int64_t most = nas_shape_size(c->site.in[0]);
  int32_t images = 1, batch = c->site.batch;
  for (int32_t i = 0; i < c->n_branches; i++) most = larger(most, nas_shape_size(c->branch[i]->site.out));
  for (int32_t d = 2; d <= batch && d * most * 4 <= TILE_BYTES; d++)
    if (batch % d == 0) images = d;
  return images;
}

static nas_status prepare_group(const nas_call *c, fan *f, group *g, nas_err *err) {
  nas_site site = c->branch[g->first]->site;
  site.out.c = site.attrs.out = (int32_t)g->channels;
  NAS_TRY(nas_conv_new(&site, &(nas_conv_options){f->images, true, c->wants_dx[0], c->bf16}, &g->conv, err));
  g->sizes = nas_conv_size(g->conv);
  g->rows = f->images * nas_shape_pixels(site.out);
  g->weights = g->sizes.gradient / 4;
  int64_t taps = (int64_t)site.attrs.kernel_h * site.attrs.kernel_w;
  f->out = larger(f->out, g->rows * g->channels);
  f->weights = larger(f->weights, g->channels * site.in[0].c * taps);
  f->channels += g->channels;
  f->scratch = larger(f->scratch, g->sizes.scratch);
  f->forward += nas_align64(g->sizes.forward);
  f->data += nas_align64(g->sizes.data);
  f->gradient += nas_align64(g->sizes.gradient);
  return NAS_OK;
}

static nas_status prepare(nas_call *c, nas_err *err) {
  fan *f = calloc(1, sizeof *f);
  if (!f) return nas_fail_memory(err, "a convolution");
  c->prepared = f;
  find_groups(c, f);
  f->images = tile_images(c);
  f->tiles = c->site.batch / f->images;
  f->in = f->images * nas_shape_size(c->site.in[0]);
  int64_t part = 0;
  for (int32_t i = 0; i < f->n_groups; i++) {
    NAS_TRY(prepare_group(c, f, &f->groups[i], err));
    part = larger(part, f->groups[i].sizes.gradient);
  }
  int64_t common =
      nas_align64(f->scratch) + nas_align64(4 * f->weights) + nas_align64(4 * f->in) + nas_align64(4 * f->out);
  c->forward_scratch =
      common + f->forward + 2 * nas_align64(4 * f->channels) + nas_align64(f->channels * (int64_t)sizeof(nas_moments));
  c->backward_scratch = common + f->data + f->gradient + nas_align64(part) + 3 * nas_align64(4 * f->in);
  return NAS_OK;
}

static void release(nas_call *c) {
  fan *f = c->prepared;
  for (int32_t i = 0; f && i < f->n_groups; i++) nas_conv_free(f->groups[i].conv);
  free(f);
  c->prepared = NULL;
}

nas_norm nas_branch_norm(const nas_branch *b) {
  return (nas_norm){b->site.out.c,          b->param[NAS_EDGE_GAMMA], b->param[NAS_EDGE_BETA], b->param[NAS_EDGE_MEAN],
                    b->param[NAS_EDGE_VAR], b->grad[NAS_EDGE_GAMMA],  b->grad[NAS_EDGE_BETA],  b->factor};
}

static int64_t weights_of(const nas_branch *b) {
  const nas_attrs *a = &b->site.attrs;
  int32_t groups = a->groups > 1 ? a->groups : 1;
  return (int64_t)b->site.out.c * (b->site.in[0].c / groups) * a->kernel_h * a->kernel_w;
}

/* The weights of a group, one convolution's after the other, in `room` if they are several. */
static const float *joined_weights(const nas_call *c, const group *g, float *room) {
  if (g->count == 1) return c->branch[g->first]->param[NAS_EDGE_WEIGHT];
  float *to = room;
  for (int32_t i = g->first; i < g->first + g->count; i++) {
    int64_t n = weights_of(c->branch[i]);
    memcpy(to, c->branch[i]->param[NAS_EDGE_WEIGHT], (size_t)n * sizeof *to);
    to += n;
  }
  return room;
}

/* x of a tile in the backward pass, made again in `made` where it was not kept. */
static const float *x_tile(const nas_call *c, const fan *f, int32_t tile, float *made) {
  if (!c->source) return (const float *)c->x[0] + tile * f->in;
  nas_weighted_sum_part(c->source, tile * f->in, f->in, made);
  return made;
}

/* What the convolutions read of a tile: x or its positive part, in f32 or bf16. */
static const void *relu_tile(const nas_call *c, const fan *f, const float *x, void *room) {
  if (c->bf16) nas_kernels()->to_bf16(room, x, c->relu_in, f->in);
  if (c->bf16) return room;
  if (!c->relu_in) return x;
  nas_kernels()->relu(room, x, f->in);
  return room;
}

/* One tile of one group: z of each branch, and its moments joined to those of the tiles before. */
static void forward_tile(const nas_call *c, const group *g, int32_t tile, const void *x, void *packed, float *joined,
                         void *pad, float *sum, float *square, nas_moments *all) {
  const nas_branch *only = c->branch[g->first];
  int64_t at = tile * g->rows;
  float *to = g->count == 1 ? (float *)only->z + at * only->site.out.c : joined;
  nas_conv_forward(g->conv, x, packed, only->site.attrs.bias ? only->param[NAS_EDGE_BIAS] : NULL, to, pad);
  for (int32_t i = g->first; i < g->first + g->count; i++) {
    const nas_branch *b = c->branch[i];
    int64_t channels = b->site.out.c;
    float *z = (float *)b->z + at * channels;
    if (g->count == 1) nas_kernels()->moments(nas_f32(z), z, g->rows, channels, sum, square);
    else nas_kernels()->split_moments(z, to, g->channels, g->rows, channels, sum, square);
    nas_norm_merge(all, (double)at, z, sum, square, (double)g->rows, channels);
    to += channels;
    all += channels;
  }
}

static void forward(const nas_call *c) {
  const fan *f = c->prepared;
  char *scratch = c->scratch;
  void *pad = nas_take(&scratch, f->scratch, 1), *packed[NAS_LAYER_INPUTS_MAX] = {NULL};
  float *weights = nas_take(&scratch, f->weights, 4), *room = nas_take(&scratch, f->in, 4);
  float *joined = nas_take(&scratch, f->out, 4);
  float *sum = nas_take(&scratch, f->channels, 4), *square = nas_take(&scratch, f->channels, 4);
  nas_moments *all = nas_take(&scratch, f->channels, sizeof *all), *at;
  for (int32_t i = 0; i < f->n_groups; i++) {
    packed[i] = nas_take(&scratch, f->groups[i].sizes.forward, 1);
    nas_conv_pack_forward(f->groups[i].conv, joined_weights(c, &f->groups[i], weights), packed[i]);
  }
  memset(all, 0, (size_t)f->channels * sizeof *all);
  for (int32_t tile = 0; tile < f->tiles; tile++) {
    const void *x = relu_tile(c, f, (const float *)c->x[0] + tile * f->in, room);
    at = all;
    for (int32_t i = 0; i < f->n_groups; at += f->groups[i++].channels)
      forward_tile(c, &f->groups[i], tile, x, packed[i], joined, pad, sum, square, at);
  }
  at = all;
  for (int32_t i = 0; i < c->n_branches; at += c->branch[i++]->site.out.c) {
    const nas_branch *b = c->branch[i];
    nas_norm norm = nas_branch_norm(b);
    double rows = (double)b->site.batch * (double)nas_shape_pixels(b->site.out);
    nas_norm_close(&norm, at, rows, b->stats, nas_branch_stats(b, NAS_STATS_SCALE),
                   nas_branch_stats(b, NAS_STATS_SHIFT));
  }
}

/* dz of a tile, the branches of a group side by side, in f32 or bf16. */
static void form_dz(const nas_call *c, const group *g, int32_t tile, void *room) {
  float *dz = room;
  uint16_t *half = room;
  for (int32_t i = g->first; i < g->first + g->count; i++) {
    const nas_branch *b = c->branch[i];
    int64_t channels = b->site.out.c, at = tile * g->rows * channels;
    const float *mean = b->stats, *factor = nas_branch_stats(b, NAS_STATS_A), *z = (const float *)b->z + at,
                *dy = b->dy + at;
    if (c->bf16)
      nas_kernels()->norm_gradient_bf16(half, g->channels, dy, z, mean, factor, factor + channels,
                                        factor + 2 * channels, g->rows, channels);
    else if (g->count == 1)
      nas_kernels()->norm_gradient(dz, NULL, dy, z, mean, factor, factor + channels, factor + 2 * channels, g->rows,
                                   channels);
    else
      nas_kernels()->join_norm_gradient(dz, g->channels, dy, z, mean, factor, factor + channels, factor + 2 * channels,
                                        g->rows, channels);
    dz += channels;
    half += channels;
  }
}

static void unpack_gradients(const nas_call *c, const group *g, void *total, float *room) {
  float *from = g->count == 1 ? c->branch[g->first]->grad[NAS_EDGE_WEIGHT] : room;
  nas_conv_unpack_gradient(g->conv, total, from);
  for (int32_t i = g->first; i < g->first + g->count; i++) {
    const nas_branch *b = c->branch[i];
    int64_t n = weights_of(b);
    if (g->count > 1) memcpy(b->grad[NAS_EDGE_WEIGHT], from, (size_t)n * sizeof *from);
    from += n;
    /* The norm takes its mean, and a bias with it, away again. */
    if (b->grad[NAS_EDGE_BIAS]) memset(b->grad[NAS_EDGE_BIAS], 0, (size_t)b->site.out.c * sizeof(float));
  }
}

/* dx = dplus + what came back, where the ReLU let x through. */
static void store_dx(const nas_call *c, const fan *f, int32_t tile, const float *x, const float *back) {
  const float *dplus = c->dplus[0];
  float *dx = (float *)c->dx[0] + tile * f->in;
  if (dplus) dplus += tile * f->in;
  if (c->relu_in) nas_kernels()->relu_gradient(dx, dplus, x, back, f->in);
  else nas_kernels()->weighted_sum(dx, dplus, (const float *const[]){back}, (const float[]){1}, 1, f->in);
}

static void backward(const nas_call *c) {
  const fan *f = c->prepared;
  const nas_kernel_set *k = nas_kernels();
  char *scratch = c->scratch;
  void *packed[NAS_LAYER_INPUTS_MAX] = {NULL}, *total[NAS_LAYER_INPUTS_MAX] = {NULL};
  void *pad = nas_take(&scratch, f->scratch, 1);
  float *weights = nas_take(&scratch, f->weights, 4), *room = nas_take(&scratch, f->in, 4);
  float *dz = nas_take(&scratch, f->out, 4), *back = nas_take(&scratch, f->in, 4);
  float *more = nas_take(&scratch, f->in, 4), *made = nas_take(&scratch, f->in, 4);
  int64_t largest = 0;
  for (int32_t i = 0; i < f->n_groups; i++) {
    const group *g = &f->groups[i];
    packed[i] = nas_take(&scratch, g->sizes.data, 1);
    total[i] = nas_take(&scratch, g->sizes.gradient, 1);
    largest = larger(largest, g->sizes.gradient);
    if (c->dx[0]) nas_conv_pack_data(g->conv, joined_weights(c, g, weights), packed[i]);
  }
  float *part = nas_take(&scratch, largest, 1);
  for (int32_t tile = 0; tile < f->tiles; tile++) {
    const float *x = x_tile(c, f, tile, made);
    const void *read = relu_tile(c, f, x, room);
    for (int32_t i = 0; i < f->n_groups; i++) {
      const group *g = &f->groups[i];
      form_dz(c, g, tile, dz);
      nas_conv_backward_weights(g->conv, read, dz, tile ? part : total[i], pad);
      if (tile) k->weighted_sum(total[i], total[i], (const float *const[]){part}, (const float[]){1}, 1, g->weights);
      if (!c->dx[0]) continue;
      nas_conv_backward_data(g->conv, dz, packed[i], i ? more : back, pad);
      if (i) k->weighted_sum(back, back, (const float *const[]){more}, (const float[]){1}, 1, f->in);
    }
    if (c->dx[0]) store_dx(c, f, tile, x, back);
  }
  for (int32_t i = 0; i < f->n_groups; i++) unpack_gradients(c, &f->groups[i], total[i], weights);
}

const nas_kernel nas_conv_fan = {
    .prepare = prepare, .release = release, .forward = forward, .backward = backward, .reads = NAS_READS_X};
