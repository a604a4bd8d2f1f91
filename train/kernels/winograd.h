#ifndef NAS_TRAIN_KERNELS_WINOGRAD_H
#define NAS_TRAIN_KERNELS_WINOGRAD_H
/* Winograd's minimal filtering F(m x m, 3x3) for m = 2 and 4 (Lavin and Gray, Fast Algorithms for Convolutional Neural
 * Networks, 2016, equations 8 and 9), channels-last: a patch of 2x2 outputs takes 16 multiplications for each pair of
 * channels instead of 36, one of 4x4 takes 36 instead of 144. y = A'[(G g G') . (B' x B)]A; the matrices stand in
 * winograd_2.c and winograd_4.c.
 * The (m + 2)^2 points of the transformed patch are independent products of matrices over the channels; the gradient by
 * g is G'[(A dy A') . (B' x B)]G, and the gradient by x a convolution of dy with the weights turned round.
 *
 * Some patches, at most NAS_WINOGRAD_BLOCK, make a block. With channels in multiples of 16, transformed values are
 * [point][slab of 16 channels][patch][16] and weights [point][channel][vector][16]. `pairs` are for 8 channels: a
 * vector holds two points of a row in turn (lanes 2k and 2k + 1 are channel k): the first and the last, then the others
 * in order; values are [point pair][slab of 8 channels][patch][8][2] and weights [point pair][channel][vector][8][2].
 */
#include <stdbool.h>
#include <stdint.h>

enum { NAS_WINOGRAD_BLOCK = 16, NAS_WINOGRAD_VECTORS = 2, NAS_WINOGRAD_HALF_BLOCKS = 4 };

/* Numbers from one point's values to the next one's: a line more than they take, because powers of two would share a
 * few lines of the first-level cache. */
static inline int64_t nas_winograd_apart(int64_t slabs) { return (slabs * NAS_WINOGRAD_BLOCK + 1) * 16; }
/* Vectors that hold the points of a patch of side x side outputs. */
static inline int64_t nas_winograd_points(int64_t side, bool pairs) {
  return (side + 2) * (side + 2) / (pairs ? 2 : 1);
}

/* `patches` neighbouring patches of an image row into patches 0, 1, ... of v. */
typedef struct nas_winograd_run {
  const float *x;       /* the first patch's top left pixel, of inputs or of gradients; */
  int64_t x_row, pitch; /* numbers from one pixel row and from one pixel to the next */
  int64_t channels, patches;
  int64_t tall, wide; /* outputs of a patch, down and across: as the transforms', or, without pairs, 3 of F(4x4) */
  void *v;            /* of the first slab: f32, or bf16 for nas_winograd_bf16, as all that is untyped below */
  int64_t apart;
  bool pairs;
} nas_winograd_run;

/* Patches 0 .. patches - 1 of m = [point][vector][patch][16] into pixels: y = plus + (mask > 0 ? value : 0). */
typedef struct nas_winograd_store {
  const float *m;
  int64_t apart, patches, vectors;
  void *y[NAS_WINOGRAD_VECTORS]; /* of each vector, the first patch's top left pixel */
  const float *plus[NAS_WINOGRAD_VECTORS], *mask[NAS_WINOGRAD_VECTORS]; /* may be NULL; not looked at with y in bf16 */
  int64_t pitch, y_row;  /* numbers from pixel to pixel and from row to row */
  int64_t tall, wide;    /* outputs of a patch, as above; */
  int64_t rows, columns; /* pixels that there are: rows of the patches, and columns of the whole run */
  bool pairs;
} nas_winograd_store;

/* m = v u: `patches` patches, all points (or pairs of them); channels counts those of v, all slabs. */
typedef struct nas_winograd_product {
  const void *v, *u;
  float *m;
  int64_t v_apart, m_apart, points, patches, channels;
  int64_t tall, wide; /* of 36 points those of patches of 3 outputs are not all looked at */
  int32_t vectors;
  bool pairs;
} nas_winograd_product;

/* du += v' d over blocks of patches that lie v_block and d_block numbers apart; du as the weights. */
typedef struct nas_winograd_gradient {
  const void *v, *d; /* d: [point][vector][patch][16] */
  float *du;
  int64_t v_apart, d_apart, v_block, d_block, points, patches, channels; /* patches: of all blocks */
  int64_t tall, wide;
  int32_t vectors;
  bool pairs;
} nas_winograd_gradient;

/* Whether patches of this size do without point i: of three outputs down or across, F(4x4) without its first points. */
static inline bool nas_winograd_left_out(int64_t i, int64_t tall, int64_t wide) {
  return (tall == 3 && i < 6) || (wide == 3 && i % 6 == 0);
}

/* Where the 3x3 taps of an output vector stand: tap k of its output o and input channel i at w[o out + i in + k], the
 * last one first where `turned`. */
typedef struct nas_winograd_taps {
  const float *w;
  int64_t out, in, ins;
  bool turned;
} nas_winograd_taps;

/* The transforms for patches of one size: B' x B, A dy A', and A' m A; weights u = G g G' of one of `vectors` output
 * vectors, of each input channel and at points that lie `apart`; and taps [3][3][n], n = channels x vectors x 16,
 * g = G' du G, where the two lanes of a pair are still to be added. */
typedef struct nas_winograd_transforms {
  void (*input)(const nas_winograd_run *r);
  void (*spread)(const nas_winograd_run *r);
  void (*store)(const nas_winograd_store *s);
  void (*weights)(float *u, int64_t apart, const nas_winograd_taps *t, int64_t vectors, bool pairs);
  void (*taps)(float *taps, const float *du, int64_t n, bool pairs);
} nas_winograd_transforms;

/* F(4x4, 3x3) with values and weights in bf16, channels in multiples of 16, without `pairs`. Values lie as in f32 but
 * for nas_winograd_half_apart; weights are [point][channel / 2][vector][16][2]. */
typedef struct nas_winograd_bf16 {
  void (*input)(const nas_winograd_run *r);
  void (*spread)(const nas_winograd_run *r);  /* of one slab */
  void (*store)(const nas_winograd_store *s); /* into 16-bit pixels */
  void (*weights)(uint16_t *u, int64_t apart, const nas_winograd_taps *t, int64_t vectors);
  void (*product)(const nas_winograd_product *p);
  void (*gradient)(const nas_winograd_gradient *g);
} nas_winograd_bf16;
static inline int64_t nas_winograd_half_apart(int64_t slabs) { return (slabs * NAS_WINOGRAD_BLOCK + 2) * 16; }

#ifdef NAS_ISA
#include "train/kernels/half.h"
#include "train/kernels/turn.h"
extern const nas_winograd_transforms NAS_PER_ISA(winograd_2), NAS_PER_ISA(winograd_4);
void NAS_PER_ISA(winograd_product)(const nas_winograd_product *p);
void NAS_PER_ISA(winograd_gradient)(const nas_winograd_gradient *g);

/* ---- what the transforms share ---- */
enum { NAS_WINOGRAD_LINE = 16 * NAS_WINOGRAD_BLOCK }; /* numbers of a slab */
#define WINOGRAD_UNROLL _Pragma("GCC unroll 16")

/* Where one vector's pixels go. Functions that get it with a NULL written out are compiled without what it would do. */
typedef struct winograd_target {
  float *y;
  const float *plus, *mask;
  uint16_t *half; /* in place of y; without the others */
} winograd_target;
#define WINOGRAD_TARGETS(call, s, k)                                                                  \
  if (!(s)->mask[k] && !(s)->plus[k]) call((s), ((winograd_target){(s)->y[k], NULL, NULL, NULL}), k); \
  else if (!(s)->plus[k]) call((s), ((winograd_target){(s)->y[k], NULL, (s)->mask[k], NULL}), k);     \
  else call((s), ((winograd_target){(s)->y[k], (s)->plus[k], (s)->mask[k], NULL}), k)

/* A vector's numbers at y[at]. */
INLINE void winograd_put(winograd_target to, int64_t at, v16 value) {
  if (to.half) {
    store_half(to.half + at, value);
    return;
  }
  if (to.mask) value = select_positive(load(to.mask + at), value);
  store(to.y + at, to.plus ? load(to.plus + at) + value : value);
}
/* The first half of them. */
INLINE void winograd_put_half(winograd_target to, int64_t at, v16 value) {
  for (int64_t l = 0; l < 8; l++) {
    float one = to.mask && !(to.mask[at + l] > 0) ? 0 : value[l];
    to.y[at + l] = to.plus ? to.plus[at + l] + one : one;
  }
}

/* Two pixels of eight channels are the halves of a vector; the two points of a pair take turns. Between the two, and
 * one half or every second lane twice. */
#define WINOGRAD_SHUFFLE(a, ...) __builtin_shufflevector(a, a, __VA_ARGS__)
INLINE v16 in_turn(v16 x) { return WINOGRAD_SHUFFLE(x, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15); }
INLINE v16 in_halves(v16 x) { return WINOGRAD_SHUFFLE(x, 0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15); }
INLINE v16 low_twice(v16 x) { return WINOGRAD_SHUFFLE(x, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7); }
INLINE v16 high_twice(v16 x) { return WINOGRAD_SHUFFLE(x, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15); }
INLINE v16 take_turns(float even, float odd) {
  return (v16){even, odd, even, odd, even, odd, even, odd, even, odd, even, odd, even, odd, even, odd};
}

/* The nine taps of one input channel, a vector of outputs each, with `pairs` every output twice. */
INLINE void winograd_taps(v16 taps[9], const nas_winograd_taps *t, int64_t in, bool pairs) {
  const int outs = pairs ? 8 : 16;
  const float *w = t->w + in * t->in;
  v16 v[16] = {{0}};
  for (int o = 0; o < outs - 1; o++) v[o] = load(w + o * t->out);
  /* Behind the last output's nine there may be nothing more to read. */
  v[outs - 1] = in + 1 < t->ins ? load(w + (outs - 1) * t->out) : load_part(w + (outs - 1) * t->out, 9);
  turn_square(v);
  for (int k = 0; k < 9; k++) {
    v16 tap = t->turned ? v[8 - k] : v[k];
    taps[k] = pairs ? low_twice(tap) : tap;
  }
}
#endif

#endif
