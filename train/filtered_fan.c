#include "train/filtered_fan.h"

enum { SIDE = NAS_WINOGRAD_VECTORS, GROUPS_MAX = NAS_LAYER_INPUTS_MAX * NAS_WINOGRAD_CHANNELS / 16 };

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t side_of(const nas_branch *b) {
  nas_shape out = b->site.out;
  return b->site.attrs.kernel_h == 3 ? nas_winograd_side(b->site.in[0].c, out.c, out.h, out.w) : 0;
}

bool nas_filtered_branch(const nas_branch *b) { return side_of(b) > 0; }

bool nas_filtered_half(const nas_call *c, const nas_branch *b) {
  return c->bf16 && side_of(b) == 4 && b->site.in[0].c % 16 == 0 && nas_bf16_kernels();
}

nas_filtered nas_filtered_of(const nas_call *c) {
  nas_filtered f = {.branches = 0};
  for (int32_t i = 0; i < c->n_branches; i++)
    if (nas_filtered_branch(c->branch[i])) f.of[f.branches++] = i;
  if (f.branches == 0) return f;
  const nas_branch *b = c->branch[f.of[0]];
  nas_shape in = b->site.in[0];
  if (nas_filtered_half(c, b)) f.bf16 = nas_bf16_kernels();
  f.ins = in.c;
  f.outs = b->site.out.c;
  f.grid = (nas_winograd_grid){.side = side_of(b), .height = in.h, .width = in.w};
  f.grid.narrow = !f.bf16 && nas_winograd_narrow(f.grid.side, f.outs);
  f.vectors = f.branches * nas_direct_count(f.outs);
  f.groups = (f.vectors + SIDE - 1) / SIDE;
  int64_t side = f.grid.side, back = f.branches * f.outs, ins = nas_direct_count(f.ins);
  f.data_side = ins % SIDE == 0 ? SIDE : 1;
  f.weights = nas_winograd_weight_numbers(side, f.ins, f.outs, f.vectors);
  f.data = c->wants_dx[0] ? nas_winograd_weight_numbers(side, back, f.ins, ins) : 0;
  f.taps = 9 * f.ins * SIDE * 16;
  f.scratch =
      larger(nas_winograd_convolve_scratch(side, f.ins, f.outs), nas_winograd_convolve_scratch(side, back, f.ins));
  f.scratch = larger(f.scratch, nas_winograd_weights_scratch(side, f.ins, f.outs));
  return f;
}

int64_t nas_filtered_more(const nas_filtered *f, int64_t n) { return f->branches ? nas_winograd_more(&f->grid, n) : 0; }

void nas_filtered_tile(nas_filtered *f, int64_t images, int64_t pad, int64_t row, int64_t image) {
  f->grid.images = images;
  f->grid.row = row;
  f->grid.image = image;
  f->grid.corner = (pad - 1) * (row + 1);
}

static const nas_winograd_transforms *transforms(const nas_filtered *f) {
  return nas_winograd_transforms_of(f->grid.side);
}

/* A group's first output vector, of those of all branches, and how many there are. */
static int64_t group_first(int64_t group) { return group * SIDE; }
static int64_t group_size(const nas_filtered *f, int64_t group) {
  return f->vectors - group * SIDE < SIDE ? f->vectors - group * SIDE : SIDE;
}
/* Where its weights begin. */
static int64_t group_at(const nas_filtered *f, int64_t group) { return f->weights / f->vectors * group_first(group); }

/* Branch and vector of its output of output vector v. */
typedef struct place {
  int32_t branch;
  int64_t vector;
} place;
static place place_of(const nas_filtered *f, int64_t v) {
  int64_t each = nas_direct_count(f->outs);
  return (place){f->of[v / each], v % each};
}

void nas_filtered_pack(const nas_filtered *f, const nas_call *c, float *weights) {
  const nas_direct_shape s = {f->outs, f->ins, 3, false};
  for (int64_t i = 0; i < f->groups; i++) {
    int64_t n = group_size(f, i);
    for (int64_t k = 0; k < n; k++) {
      place p = place_of(f, group_first(i) + k);
      nas_winograd_pack(f->bf16, f->grid.side, weights + group_at(f, i), c->branch[p.branch]->param[NAS_EDGE_WEIGHT],
                        &s, 0, f->ins, p.vector, k, n);
    }
  }
}

void nas_filtered_unpack(const nas_filtered *f, const nas_call *c, const float *total, float *taps) {
  const nas_direct_shape s = {f->outs, f->ins, 3, false};
  for (int64_t i = 0; i < f->groups; i++) {
    int64_t n = group_size(f, i);
    transforms(f)->taps(taps, total + group_at(f, i), f->ins * n * 16, nas_winograd_pairs(f->outs));
    for (int64_t k = 0; k < n; k++) {
      place p = place_of(f, group_first(i) + k);
      nas_winograd_unpack(c->branch[p.branch]->grad[NAS_EDGE_WEIGHT], taps, &s, p.vector, k, n);
    }
  }
}

void nas_filtered_forward(const nas_filtered *f, const nas_call *c, int64_t tile, const float *x, const float *weights,
                          float *scratch) {
  int64_t at = tile * f->grid.images * f->grid.height * f->grid.width * f->outs;
  nas_winograd_group groups[GROUPS_MAX];
  nas_winograd_convolution w = {.grid = &f->grid,
                                .x = {x},
                                .sources = 1,
                                .ins = f->ins,
                                .outs = f->outs,
                                .groups = groups,
                                .n_groups = f->groups,
                                .bf16 = f->bf16,
                                .half_y = f->bf16};
  for (int64_t i = 0; i < f->groups; i++) {
    groups[i] = (nas_winograd_group){.u = weights + group_at(f, i), .vectors = (int32_t)group_size(f, i)};
    for (int64_t k = 0; k < groups[i].vectors; k++) {
      place p = place_of(f, group_first(i) + k);
      const nas_branch *b = c->branch[p.branch];
      groups[i].y[k] = (char *)b->z + (at + 16 * p.vector) * (b->half ? 2 : 4);
    }
  }
  nas_winograd_convolve(&w, scratch);
}

void nas_filtered_gradient(const nas_filtered *f, const float *x, float *const *dz, float *total, float *scratch) {
  struct nas_winograd_weights_group groups[GROUPS_MAX];
  nas_winograd_weights w = {.grid = &f->grid,
                            .x = x,
                            .ins = f->ins,
                            .outs = f->outs,
                            .groups = groups,
                            .n_groups = f->groups,
                            .bf16 = f->bf16};
  for (int64_t i = 0; i < f->groups; i++) {
    groups[i] = (struct nas_winograd_weights_group){.du = total + group_at(f, i), .vectors = (int32_t)group_size(f, i)};
    for (int64_t k = 0; k < groups[i].vectors; k++) {
      place p = place_of(f, group_first(i) + k);
      groups[i].dz[k] = dz[p.branch] + 16 * p.vector;
    }
  }
  nas_winograd_weight_gradient(&w, scratch);
}

/* Numbers of the weights for the gradient by `data_side` vectors of x. */
static int64_t data_numbers(const nas_filtered *f) { return f->data / nas_direct_count(f->ins) * f->data_side; }

void nas_filtered_pack_data(const nas_filtered *f, const nas_call *c, float *data) {
  const nas_direct_shape s = {f->ins, f->outs, 3, true};
  for (int64_t v = 0; v < nas_direct_count(f->ins); v += f->data_side, data += data_numbers(f))
    for (int64_t i = 0; i < f->branches; i++)
      for (int64_t slot = 0; slot < f->data_side; slot++)
        nas_winograd_pack(f->bf16, f->grid.side, data, c->branch[f->of[i]]->param[NAS_EDGE_WEIGHT], &s, i * f->outs,
                          f->branches * f->outs, v + slot, slot, f->data_side);
}

void nas_filtered_data(const nas_filtered *f, const nas_call *c, int64_t tile, const float *x, float *const *dz,
                       const float *data, float *scratch) {
  int64_t at = tile * f->grid.images * f->grid.height * f->grid.width * f->ins;
  nas_winograd_group groups[NAS_WINOGRAD_CHANNELS / 16];
  nas_winograd_convolution w = {
      .grid = &f->grid, .sources = f->branches, .ins = f->outs, .outs = f->ins, .groups = groups, .bf16 = f->bf16};
  for (int64_t i = 0; i < f->branches; i++) w.x[i] = dz[f->of[i]];
  for (int64_t v = 0; v < nas_direct_count(f->ins); v += f->data_side, data += data_numbers(f)) {
    nas_winograd_group *g = &groups[w.n_groups++];
    *g = (nas_winograd_group){.u = data, .vectors = (int32_t)f->data_side};
    for (int64_t k = 0; k < f->data_side; k++) {
      g->y[k] = (float *)c->dx[0] + at + 16 * (v + k);
      g->plus[k] = c->dplus[0] ? (const float *)c->dplus[0] + at + 16 * (v + k) : NULL;
      g->mask[k] = c->relu_in ? x + 16 * (v + k) : NULL;
    }
  }
  nas_winograd_convolve(&w, scratch);
}
