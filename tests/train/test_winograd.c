/* Winograd's filtering (train/winograd.h) against sums in double precision, with whatever instruction set NASCENT_CPU
 * allows: its convolutions and its gradient by the weights, in f32 and in bf16. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "harness.h"
#include "train/winograd.h"

/* Largest difference, relative to the largest number: some 9 channels products of f32 and three transforms. */
static const double BOUND = 3e-6;
/* In bf16: the same, and the root of the mean square of the differences to that of the numbers. Values and weights are
 * off by 2^-9 of themselves at most, which the transforms make some fifteen times that of the outputs. */
static const double BF16_BOUND = 3e-2, BF16_MEAN = 2e-2;
enum { IMAGES = 3, SOURCES = 3, VECTORS = NAS_WINOGRAD_VECTORS };

typedef struct problem {
  int64_t ins, outs, images, height, width, pad;
  nas_winograd_grid grid;
  const nas_winograd_bf16 *bf16;
  bool half_y;                                      /* y is left in bf16 */
  float *x[SOURCES], *w[SOURCES], *y, *plus, *mask; /* x: bordered; w: [outs][ins][3][3] */
} problem;

static float *numbers(int64_t n, uint32_t trial) {
  float *to = malloc((size_t)n * sizeof *to);
  assert_non_null(to);
  nas_rng_fill_normal(nas_rng_make(5, trial, NAS_STREAM_SAMPLE), 0, to, (size_t)n, 1);
  return to;
}

static float *bordered(const problem *p, int64_t channels, uint32_t trial) {
  const nas_winograd_grid *g = &p->grid;
  float *plain = numbers(p->images * p->height * p->width * channels, trial);
  float *to = calloc((size_t)(p->images * g->image * channels), sizeof *to);
  assert_non_null(to);
  for (int64_t i = 0; i < p->images; i++)
    for (int64_t r = 0; r < p->height; r++)
      memcpy(to + (i * g->image + (r + p->pad) * g->row + p->pad) * channels,
             plain + (i * p->height + r) * p->width * channels, (size_t)(p->width * channels) * sizeof *to);
  free(plain);
  return to;
}

static problem problem_new(const nas_winograd_bf16 *bf16, int64_t side, int64_t ins, int64_t outs, int64_t images,
                           int64_t height, int64_t width, int64_t pad) {
  problem p = {.ins = ins, .outs = outs, .images = images, .height = height, .width = width, .pad = pad, .bf16 = bf16};
  p.grid = (nas_winograd_grid){.side = side,
                               .narrow = !bf16 && nas_winograd_narrow(side, outs),
                               .images = images,
                               .height = height,
                               .width = width};
  p.grid.row = width + 2 * pad + nas_winograd_more(&p.grid, width);
  p.grid.image = (height + 2 * pad + nas_winograd_more(&p.grid, height)) * p.grid.row;
  p.grid.corner = (pad - 1) * (p.grid.row + 1);
  for (uint32_t i = 0; i < SOURCES; i++) {
    p.x[i] = bordered(&p, ins, 10 + i);
    p.w[i] = numbers(outs * ins * 9, 20 + i);
  }
  p.y = numbers(images * height * width * outs, 1);
  p.plus = numbers(images * height * width * outs, 2);
  p.mask = numbers(images * height * width * outs, 3);
  return p;
}

static void problem_free(problem *p) {
  for (int i = 0; i < SOURCES; i++) free(p->x[i]), free(p->w[i]);
  free(p->y);
  free(p->plus);
  free(p->mask);
}

static const float *pixel_of(const problem *p, const float *x, int64_t channels, int64_t image, int64_t row,
                             int64_t column) {
  return x + (image * p->grid.image + (row + p->pad) * p->grid.row + column + p->pad) * channels;
}

/* Output o of one pixel: the sum of the convolutions whose weights are w[source][tap][in]. */
static double convolution_at(const problem *p, int64_t sources, const double *w, int64_t image, int64_t row,
                             int64_t column) {
  double sum = 0;
  for (int64_t s = 0; s < sources; s++)
    for (int64_t tap = 0; tap < 9; tap++) {
      const float *x = pixel_of(p, p->x[s], p->ins, image, row + tap / 3 - 1, column + tap % 3 - 1);
      for (int64_t i = 0; i < p->ins; i++) sum += *w++ * (double)x[i];
    }
  return sum;
}

/* The weights of output o in that order; `turned`: those of the convolution that leads back. */
static void weights_of(const problem *p, int64_t sources, bool turned, int64_t o, double *w) {
  for (int64_t s = 0; s < sources; s++)
    for (int64_t tap = 0; tap < 9; tap++)
      for (int64_t i = 0; i < p->ins; i++)
        *w++ = (double)(turned ? p->w[s][(i * p->outs + o) * 9 + 8 - tap] : p->w[s][(o * p->ins + i) * 9 + tap]);
}

static void run(const problem *p, int64_t sources, bool turned, bool adds, bool masks) {
  int64_t channels = sources * p->ins, count = nas_direct_count(p->outs), n = 0;
  float *u = malloc((size_t)nas_winograd_weight_numbers(p->grid.side, channels, p->outs, count) * sizeof *u), *at = u;
  float *scratch = malloc((size_t)nas_winograd_convolve_scratch(p->grid.side, channels, p->outs) * sizeof *scratch);
  nas_winograd_group groups[4] = {{0}};
  assert_true(u && scratch && count <= 8);
  for (int64_t v = 0; v < count; v += VECTORS) {
    int64_t vectors = count - v < VECTORS ? count - v : VECTORS;
    groups[n] = (nas_winograd_group){.u = at, .vectors = (int32_t)vectors};
    for (int64_t k = 0; k < vectors; k++) {
      for (int64_t s = 0; s < sources; s++)
        nas_winograd_pack(p->bf16, p->grid.side, at, p->w[s], &(nas_direct_shape){p->outs, p->ins, 3, turned},
                          s * p->ins, channels, v + k, k, vectors);
      groups[n].y[k] = (char *)p->y + 16 * (v + k) * (p->half_y ? 2 : 4);
      groups[n].plus[k] = adds ? p->plus + 16 * (v + k) : NULL;
      groups[n].mask[k] = masks ? p->mask + 16 * (v + k) : NULL;
    }
    at += nas_winograd_weight_numbers(p->grid.side, channels, p->outs, vectors);
    n++;
  }
  nas_winograd_convolution c = {.grid = &p->grid,
                                .sources = sources,
                                .ins = p->ins,
                                .outs = p->outs,
                                .groups = groups,
                                .n_groups = n,
                                .bf16 = p->bf16,
                                .half_y = p->half_y};
  for (int64_t s = 0; s < SOURCES && s < sources; s++) c.x[s] = p->x[s];
  nas_winograd_convolve(&c, scratch);
  free(u);
  free(scratch);
}

/* What came out so far, against what it should be. */
typedef struct difference {
  double worst, largest, apart, square; /* the two greatest, and sums of squares */
} difference;

static void see(difference *d, double wanted, double got) {
  double apart = fabs(wanted - got);
  d->worst = fmax(d->worst, isfinite(got) ? apart : INFINITY);
  d->largest = fmax(d->largest, fabs(wanted));
  d->apart += apart * apart;
  d->square += wanted * wanted;
}

static void check(const problem *p, const char *what, int64_t sources, const difference *d) {
  bool near = p->bf16 ? d->worst <= BF16_BOUND * d->largest && d->apart <= BF16_MEAN * BF16_MEAN * d->square
                      : d->worst <= BOUND * d->largest;
  if (near) return;
  fail_msg("F(%lldx%lld)%s, %lld to %lld channels, %lldx%lld, %lld sources, %s: %g of %g, mean %g",
           (long long)p->grid.side, (long long)p->grid.side, p->bf16 ? " in bf16" : "", (long long)p->ins,
           (long long)p->outs, (long long)p->height, (long long)p->width, (long long)sources, what, d->worst,
           d->largest, sqrt(d->apart / d->square));
}

/* Number i of y. */
static double y_at(const problem *p, int64_t i) {
  float y;
  nas_kernels()->to_f32(&y, nas_numbers_from((nas_numbers){p->y, p->half_y}, i), 1);
  return (double)y;
}

/* Forward from one source, or back from several: onto what else flows there, and where a mask is positive. */
static void check_convolution(const problem *p, int64_t sources, bool turned, bool adds, bool masks) {
  difference all = {0};
  double *w = malloc((size_t)(sources * p->ins * 9) * sizeof *w);
  assert_non_null(w);
  run(p, sources, turned, adds, masks);
  for (int64_t o = 0; o < p->outs; o++) {
    weights_of(p, sources, turned, o, w);
    for (int64_t k = 0; k < p->images * p->height * p->width; k++) {
      int64_t at = k * p->outs + o, row = k / p->width % p->height, image = k / p->width / p->height;
      double y = convolution_at(p, sources, w, image, row, k % p->width);
      double other = adds ? (double)p->plus[at] : 0;
      if (masks && !(p->mask[at] > 0)) see(&all, 0, y_at(p, at) - other);
      else see(&all, y, y_at(p, at) - other);
    }
  }
  check(p, turned ? "back" : "forward", sources, &all);
  free(w);
}

static const int64_t channels[][2] = {{8, 8}, {16, 16}, {32, 48}, {48, 16}};
enum { CHANNELS = sizeof channels / sizeof *channels };

/* All 3x3 convolutions of NAS-Bench-201 networks on 28x28 images from C = 8 on and on 32x32 images from C = 16 on, and
 * 64 channels at other sizes: channels, size, images. Patches are of the side that is chosen for them. */
static const int64_t networks[][3] = {{8, 28, 2}, {16, 14, 2}, {32, 7, 2},  {16, 32, 1}, {32, 16, 2},
                                      {64, 8, 2}, {64, 14, 1}, {64, 28, 1}, {64, 6, 2},  {64, 4, 3}};
enum { NETWORKS = sizeof networks / sizeof *networks };

static void convolutions_equal_their_sums(void **state) {
  (void)state;
  for (int64_t side = 2; side <= 4; side += 2)
    for (size_t i = 0; i < CHANNELS; i++)
      for (int64_t size = 1; size <= 10; size++) {
        bool wide = size == 10; /* more patches a row than a block has */
        int64_t height = wide ? 2 : size, width = wide ? 17 * side + 1 : 1 + size * 5 % 9;
        problem p = problem_new(NULL, side, channels[i][0], channels[i][1], IMAGES, height, width, 1 + size % 3);
        check_convolution(&p, 1, false, false, false);
        for (int64_t sources = 1; sources <= SOURCES; sources++)
          check_convolution(&p, sources, true, (sources + size) % 4 != 0, (sources + size) % 3 != 0);
        problem_free(&p);
      }
}

static void convolutions_of_networks_equal_their_sums(void **state) {
  (void)state;
  for (size_t i = 0; i < NETWORKS; i++) {
    int64_t c = networks[i][0], size = networks[i][1];
    problem p = problem_new(NULL, nas_winograd_side(c, c, size, size), c, c, networks[i][2], size, size, 1);
    check_convolution(&p, 1, false, false, false);
    for (int64_t branches = 1; branches <= (size == 28 && c == 64 ? 1 : SOURCES); branches++)
      check_convolution(&p, branches, true, true, true);
    check_convolution(&p, 1, true, false, true);
    check_convolution(&p, 1, true, true, false);
    problem_free(&p);
  }
}

/* Sum over pixels of dz of channel o times x of channel i moved by the tap. */
static double gradient_at(const problem *p, const float *dz, int64_t o, int64_t i, int64_t tap) {
  double sum = 0;
  for (int64_t image = 0; image < p->images; image++)
    for (int64_t row = 0; row < p->height; row++) {
      const float *from = pixel_of(p, p->x[0], p->ins, image, row + tap / 3 - 1, tap % 3 - 1) + i;
      const float *d = pixel_of(p, dz, p->outs, image, row, 0) + o;
      for (int64_t k = 0; k < p->width; k++) sum += (double)d[k * p->outs] * (double)from[k * p->ins];
    }
  return sum;
}

static void check_gradient(const nas_winograd_bf16 *bf16, int64_t side, int64_t ins, int64_t outs, int64_t images,
                           int64_t height, int64_t width) {
  problem p = problem_new(bf16, side, ins, outs, images, height, width, 1);
  int64_t count = nas_direct_count(outs), groups = 0, size = nas_winograd_weight_numbers(side, ins, outs, VECTORS);
  float *dz = bordered(&p, outs, 30), *du = calloc((size_t)(count * size), sizeof *du);
  float *taps = malloc((size_t)(9 * ins * VECTORS * 16) * sizeof *taps);
  float *scratch = malloc((size_t)nas_winograd_weights_scratch(side, ins, outs) * sizeof *scratch);
  struct nas_winograd_weights_group all[8] = {{0}};
  assert_true(dz && du && taps && scratch && count <= 8);
  for (int64_t v = 0; v < count; v += VECTORS, groups++) {
    all[groups] = (struct nas_winograd_weights_group){.du = du + groups * size};
    for (int64_t k = v; k < count && k < v + VECTORS; k++) all[groups].dz[all[groups].vectors++] = dz + 16 * k;
  }
  nas_winograd_weight_gradient(
      &(nas_winograd_weights){
          .grid = &p.grid, .x = p.x[0], .ins = ins, .outs = outs, .n_groups = groups, .groups = all, .bf16 = bf16},
      scratch);
  for (int64_t g = 0; g < groups; g++) {
    nas_winograd_transforms_of(side)->taps(taps, all[g].du, ins * all[g].vectors * 16, nas_winograd_pairs(outs));
    for (int64_t k = 0; k < all[g].vectors; k++)
      nas_winograd_unpack(p.w[0], taps, &(nas_direct_shape){outs, ins, 3, false}, g * VECTORS + k, k, all[g].vectors);
  }
  difference of = {0};
  for (int64_t o = 0; o < outs; o++)
    for (int64_t i = 0; i < ins; i++)
      for (int64_t tap = 0; tap < 9; tap++)
        see(&of, gradient_at(&p, dz, o, i, tap), (double)p.w[0][(o * ins + i) * 9 + tap]);
  check(&p, "gradient by the weights", 1, &of);
  free(dz);
  free(du);
  free(taps);
  free(scratch);
  problem_free(&p);
}

static void gradients_by_weights_equal_their_sums(void **state) {
  (void)state;
  for (int64_t side = 2; side <= 4; side += 2)
    for (size_t i = 0; i < CHANNELS; i++) {
      int64_t ins = channels[i][0], outs = channels[i][1];
      for (int64_t size = 1; size <= 9; size++) check_gradient(NULL, side, ins, outs, IMAGES, size, 1 + size * 5 % 9);
      check_gradient(NULL, side, ins, outs, IMAGES, 2, 17 * side + 1);
    }
  for (size_t i = 0; i < NETWORKS; i++) {
    int64_t c = networks[i][0], size = networks[i][1];
    check_gradient(NULL, nas_winograd_side(c, c, size, size), c, c, networks[i][2], size, size);
  }
}

/* Sixteen channels and more, odd numbers of patches, and more than the blocks of a gradient hold. */
static void bf16_is_near_its_sums(void **state) {
  (void)state;
  const nas_winograd_bf16 *bf16 = nas_bf16_kernels();
  if (!bf16) nas_skip("this CPU does not multiply bf16 numbers");
  static const int64_t shapes[][6] = {{16, 16, 1, 4, 4, 1},   {16, 16, 3, 4, 3, 2},   {16, 32, 1, 9, 7, 1},
                                      {48, 16, 3, 8, 13, 1},  {32, 48, 2, 1, 69, 3},  {16, 16, 2, 32, 32, 1},
                                      {64, 64, 2, 14, 14, 1}, {32, 32, 5, 12, 12, 1}, {16, 16, 7, 7, 7, 1}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const int64_t *s = shapes[i];
    problem p = problem_new(bf16, 4, s[0], s[1], s[2], s[3], s[4], s[5]);
    for (int64_t sources = 1; sources <= SOURCES; sources++) check_convolution(&p, sources, true, true, sources > 1);
    check_convolution(&p, 1, false, false, false);
    p.half_y = true;
    check_convolution(&p, 1, false, false, false);
    problem_free(&p);
    check_gradient(bf16, 4, s[0], s[1], s[2], s[3], s[4]);
  }
}

/* Where it is chosen: fewer multiplications than the taps inside the image, and channels that vectors hold. */
static void patches_where_they_save(void **state) {
  (void)state;
  for (size_t i = 0; i < NETWORKS; i++) {
    int64_t c = networks[i][0], size = networks[i][1];
    assert_int_equal(nas_winograd_side(c, c, size, size), 4);
  }
  assert_int_equal(nas_winograd_side(16, 32, 7, 7), 4);
  assert_int_equal(nas_winograd_side(64, 64, 4, 4), 4);
  assert_int_equal(nas_winograd_side(16, 16, 6, 6), 4);
  assert_int_equal(nas_winograd_side(16, 16, 2, 2), 0);
  assert_int_equal(nas_winograd_side(16, 16, 1, 1), 0);
  assert_int_equal(nas_winograd_side(16, 16, 32, 1), 0);
  assert_int_equal(nas_winograd_side(8, 16, 8, 8), 0);
  assert_int_equal(nas_winograd_side(24, 24, 8, 8), 0);
}

NAS_SUITE(Winograd, NAS_CASE(convolutions_equal_their_sums), NAS_CASE(convolutions_of_networks_equal_their_sums),
          NAS_CASE(gradients_by_weights_equal_their_sums), NAS_CASE(bf16_is_near_its_sums),
          NAS_CASE(patches_where_they_save))
