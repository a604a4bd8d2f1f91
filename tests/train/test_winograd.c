/* Winograd's filtering (train/winograd.h) against sums in double precision, with whatever instruction set NASCENT_CPU
 * allows: its convolutions and its gradient by the weights. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "harness.h"
#include "train/winograd.h"

/* Largest difference, relative to the largest number: some 9 channels products of f32 and three transforms. */
static const double BOUND = 3e-6;
enum { BATCH = 3, SOURCES = 3, VECTORS = NAS_WINOGRAD_VECTORS };

typedef struct problem {
  int64_t ins, outs, height, width, pad;
  nas_winograd_grid grid;
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
  float *plain = numbers(BATCH * p->height * p->width * channels, trial);
  float *to = calloc((size_t)(BATCH * g->image * channels), sizeof *to);
  assert_non_null(to);
  for (int64_t i = 0; i < BATCH; i++)
    for (int64_t r = 0; r < p->height; r++)
      memcpy(to + (i * g->image + (r + p->pad) * g->row + p->pad) * channels,
             plain + (i * p->height + r) * p->width * channels, (size_t)(p->width * channels) * sizeof *to);
  free(plain);
  return to;
}

static problem problem_new(int64_t side, int64_t ins, int64_t outs, int64_t height, int64_t width, int64_t pad) {
  problem p = {.ins = ins, .outs = outs, .height = height, .width = width, .pad = pad};
  int64_t row = width + 2 * pad + (side - width % side) % side;
  int64_t image = (height + 2 * pad + (side - height % side) % side) * row;
  p.grid = (nas_winograd_grid){side, BATCH, height, width, row, image, (pad - 1) * (row + 1)};
  for (uint32_t i = 0; i < SOURCES; i++) {
    p.x[i] = bordered(&p, ins, 10 + i);
    p.w[i] = numbers(outs * ins * 9, 20 + i);
  }
  p.y = numbers(BATCH * height * width * outs, 1);
  p.plus = numbers(BATCH * height * width * outs, 2);
  p.mask = numbers(BATCH * height * width * outs, 3);
  return p;
}

static void problem_free(problem *p) {
  for (int i = 0; i < SOURCES; i++) free(p->x[i]), free(p->w[i]);
  free(p->y);
  free(p->plus);
  free(p->mask);
}

static double input_at(const problem *p, const float *x, int64_t channels, int64_t image, int64_t row, int64_t column,
                       int64_t channel) {
  int64_t pixel = image * p->grid.image + (row + p->pad) * p->grid.row + column + p->pad;
  return (double)x[pixel * channels + channel];
}

/* Output (image, row, column, o) of the sum of the convolutions, or of those turned round. */
static double convolution_at(const problem *p, int64_t sources, bool turned, int64_t image, int64_t row, int64_t column,
                             int64_t o) {
  double sum = 0;
  for (int64_t s = 0; s < sources; s++)
    for (int64_t i = 0; i < p->ins; i++)
      for (int64_t tap = 0; tap < 9; tap++) {
        double w = (double)(turned ? p->w[s][(i * p->outs + o) * 9 + 8 - tap] : p->w[s][(o * p->ins + i) * 9 + tap]);
        sum += w * input_at(p, p->x[s], p->ins, image, row + tap / 3 - 1, column + tap % 3 - 1, i);
      }
  return sum;
}

static void run(const problem *p, int64_t sources, bool turned, bool adds) {
  int64_t channels = sources * p->ins, count = nas_direct_count(p->outs), n = 0;
  float *taps = malloc((size_t)(9 * channels * VECTORS * 16) * sizeof *taps);
  float *u = malloc((size_t)nas_winograd_weight_numbers(p->grid.side, channels, p->outs, count) * sizeof *u), *at = u;
  float *scratch = malloc((size_t)nas_winograd_convolve_scratch(p->grid.side, channels, p->outs) * sizeof *scratch);
  nas_winograd_group groups[4] = {{0}};
  assert_true(taps && u && scratch && count <= 8);
  for (int64_t v = 0; v < count; v += VECTORS) {
    int64_t vectors = count - v < VECTORS ? count - v : VECTORS;
    groups[n] = (nas_winograd_group){.u = at, .vectors = (int32_t)vectors};
    for (int64_t k = 0; k < vectors; k++) {
      for (int64_t s = 0; s < sources; s++)
        nas_winograd_pack(taps, p->w[s], &(nas_direct_shape){p->outs, p->ins, 3, turned}, s * p->ins, channels, v + k,
                          k, vectors);
      groups[n].y[k] = p->y + 16 * (v + k);
      groups[n].plus[k] = adds ? p->plus + 16 * (v + k) : NULL;
      groups[n].mask[k] = adds ? p->mask + 16 * (v + k) : NULL;
    }
    nas_winograd_transforms_of(p->grid.side)->weights(at, taps, channels * vectors * 16, nas_winograd_pairs(p->outs));
    at += nas_winograd_weight_numbers(p->grid.side, channels, p->outs, vectors);
    n++;
  }
  nas_winograd_convolution c = {
      .grid = &p->grid, .sources = sources, .ins = p->ins, .outs = p->outs, .groups = groups, .n_groups = n};
  for (int64_t s = 0; s < SOURCES && s < sources; s++) c.x[s] = p->x[s];
  nas_winograd_convolve(&c, scratch);
  free(taps);
  free(u);
  free(scratch);
}

static void check_convolution(int64_t side, int64_t ins, int64_t outs, int64_t height, int64_t width, int64_t pad,
                              int64_t sources) {
  bool turned = sources > 1, adds = sources > 1; /* as the gradient by x takes them */
  problem p = problem_new(side, ins, outs, height, width, pad);
  double worst = 0, largest = 0;
  int64_t at = 0;
  run(&p, sources, turned, adds);
  for (int64_t image = 0; image < BATCH; image++)
    for (int64_t row = 0; row < height; row++)
      for (int64_t column = 0; column < width; column++)
        for (int64_t o = 0; o < outs; o++, at++) {
          double y = convolution_at(&p, sources, turned, image, row, column, o);
          largest = fmax(largest, fabs(y));
          if (adds) y = (double)p.plus[at] + (p.mask[at] > 0 ? y : 0);
          worst = fmax(worst, fabs(y - (double)p.y[at]));
        }
  if (worst > BOUND * largest)
    fail_msg("%lld to %lld channels, %lldx%lld, %lld sources: %g of %g", (long long)ins, (long long)outs,
             (long long)height, (long long)width, (long long)sources, worst, largest);
  problem_free(&p);
}

static const int64_t channels[][2] = {{8, 8}, {16, 16}, {32, 48}, {48, 16}};
enum { CHANNELS = sizeof channels / sizeof *channels };

static void convolutions_equal_their_sums(void **state) {
  (void)state;
  for (int64_t side = 2; side <= 4; side += 2)
    for (size_t i = 0; i < CHANNELS; i++)
      for (int64_t sources = 1; sources <= SOURCES; sources++) {
        int64_t ins = channels[i][0], outs = channels[i][1];
        for (int64_t size = 1; size <= 9; size++)
          check_convolution(side, ins, outs, size, 1 + size * 5 % 9, 1 + size % 3, sources);
        check_convolution(side, ins, outs, 2, 17 * side + 1, 1, sources); /* more patches a row than a block has */
      }
}

/* Sum over pixels of dz of channel o times x of channel i moved by the tap. */
static double gradient_at(const problem *p, const float *dz, int64_t o, int64_t i, int64_t tap) {
  double sum = 0;
  for (int64_t image = 0; image < BATCH; image++)
    for (int64_t row = 0; row < p->height; row++)
      for (int64_t column = 0; column < p->width; column++)
        sum += input_at(p, dz, p->outs, image, row, column, o) *
               input_at(p, p->x[0], p->ins, image, row + tap / 3 - 1, column + tap % 3 - 1, i);
  return sum;
}

static void check_gradient(int64_t side, int64_t ins, int64_t outs, int64_t height, int64_t width) {
  problem p = problem_new(side, ins, outs, height, width, 1);
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
          .grid = &p.grid, .x = p.x[0], .ins = ins, .outs = outs, .n_groups = groups, .groups = all},
      scratch);
  for (int64_t g = 0; g < groups; g++) {
    nas_winograd_transforms_of(side)->taps(taps, all[g].du, ins * all[g].vectors * 16, nas_winograd_pairs(outs));
    for (int64_t k = 0; k < all[g].vectors; k++)
      nas_winograd_unpack(p.w[0], taps, &(nas_direct_shape){outs, ins, 3, false}, g * VECTORS + k, k, all[g].vectors);
  }
  double worst = 0, largest = 0;
  for (int64_t o = 0; o < outs; o++)
    for (int64_t i = 0; i < ins; i++)
      for (int64_t tap = 0; tap < 9; tap++) {
        double dw = gradient_at(&p, dz, o, i, tap);
        largest = fmax(largest, fabs(dw));
        worst = fmax(worst, fabs(dw - (double)p.w[0][(o * ins + i) * 9 + tap]));
      }
  if (worst > BOUND * largest)
    fail_msg("%lld to %lld channels, %lldx%lld: %g of %g", (long long)ins, (long long)outs, (long long)height,
             (long long)width, worst, largest);
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
      for (int64_t size = 1; size <= 9; size++) check_gradient(side, ins, outs, size, 1 + size * 5 % 9);
      check_gradient(side, ins, outs, 2, 17 * side + 1);
    }
}

/* Where it is chosen: fewer multiplications than the taps inside the image, and channels that vectors hold. */
static void patches_where_they_save(void **state) {
  (void)state;
  assert_int_equal(nas_winograd_side(8, 8, 28, 28), 4);
  assert_int_equal(nas_winograd_side(16, 32, 7, 7), 4);
  assert_int_equal(nas_winograd_side(16, 16, 14, 14), 4);
  assert_int_equal(nas_winograd_side(64, 64, 4, 4), 4);
  assert_int_equal(nas_winograd_side(16, 16, 6, 6), 2);
  assert_int_equal(nas_winograd_side(16, 16, 2, 2), 0);
  assert_int_equal(nas_winograd_side(16, 16, 1, 1), 0);
  assert_int_equal(nas_winograd_side(16, 16, 32, 1), 0);
  assert_int_equal(nas_winograd_side(8, 16, 8, 8), 0);
  assert_int_equal(nas_winograd_side(24, 24, 8, 8), 0);
}

NAS_SUITE(Winograd, NAS_CASE(convolutions_equal_their_sums), NAS_CASE(gradients_by_weights_equal_their_sums),
          NAS_CASE(patches_where_they_save))
