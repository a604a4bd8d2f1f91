/* Batches against a plain slow pipeline: normalise, pad, crop, mirror, one pixel at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "train/data/dataset.h"

/* A data set of random pixels without files: only what nas_dataset_batch reads. */
static nas_dataset *make(int c, int h, int w, int n) {
  nas_dataset *d = calloc(1, sizeof *d);
  assert_non_null(d);
  d->task = (nas_task){{c, h, w}, 10};
  d->n = n;
  d->pixels = malloc((size_t)n * (size_t)(c * h * w));
  d->labels = malloc((size_t)n);
  assert_true(d->pixels && d->labels);
  nas_rng r = nas_rng_make(5, 0, NAS_STREAM_SAMPLE);
  for (int i = 0; i < n * c * h * w; i++) d->pixels[i] = (uint8_t)nas_rng_u32(r, (uint64_t)i);
  for (int i = 0; i < n; i++) d->labels[i] = (uint8_t)(i % 10);
  for (int k = 0; k < c; k++) {
    d->mean[k] = 0.3 + 0.1 * k;
    d->std[k] = 0.2 + 0.05 * k;
    for (int v = 0; v < 256; v++) d->normalised[k][v] = (float)((v / 255.0 - d->mean[k]) / d->std[k]);
  }
  return d;
}

/* The value at (y, x, channel) of image i cropped at (dy, dx) of the padded image and then mirrored. */
static float slow_value(const nas_dataset *d, uint32_t i, int y, int x, int k, int dy, int dx, int crop, bool flip) {
  nas_shape s = d->task.input;
  int px = (flip ? s.w - 1 - x : x) + dx - crop, py = y + dy - crop;
  if (px < 0 || px >= s.w || py < 0 || py >= s.h) return 0;
  int at = (((int)i * s.h + py) * s.w + px) * s.c + k;
  return (float)((d->pixels[at] / 255.0 - d->mean[k]) / d->std[k]);
}

static bool is_variant(const nas_dataset *d, uint32_t i, const float *out, int dy, int dx, int crop, bool flip) {
  nas_shape s = d->task.input;
  for (int y = 0; y < s.h; y++)
    for (int x = 0; x < s.w; x++)
      for (int k = 0; k < s.c; k++)
        if (out[(y * s.w + x) * s.c + k] != slow_value(d, i, y, x, k, dy, dx, crop, flip)) return false;
  return true;
}

/* The one (dy, dx, flip) that explains the output; false when none does. */
static bool explain(const nas_dataset *d, uint32_t i, const float *out, int crop, int *dy, int *dx, bool *flip) {
  for (*dy = 0; *dy <= 2 * crop; (*dy)++)
    for (*dx = 0; *dx <= 2 * crop; (*dx)++)
      for (int f = 0; f < 2; f++)
        if (is_variant(d, i, out, *dy, *dx, crop, *flip = f == 1)) return true;
  return false;
}

static void plain_batches_are_normalised(void **state) {
  (void)state;
  static const int channels[] = {1, 2, 3, 4};
  for (int t = 0; t < 4; t++) {
    nas_dataset *d = make(channels[t], 7, 9, 12);
    int image = channels[t] * 63;
    const uint32_t indices[] = {11, 0, 5, 5};
    float x[4 * 4 * 63];
    int32_t y[4];
    nas_dataset_batch(d, indices, 4, NULL, 1, 1, x, y);
    for (int i = 0; i < 4; i++) {
      assert_int_equal(y[i], indices[i] % 10);
      assert_true(is_variant(d, indices[i], x + i * image, 0, 0, 0, false));
    }
    const nas_augment none = {false, 0};
    float again[4 * 4 * 63];
    nas_dataset_batch(d, indices, 4, &none, 9, 9, again, y);
    assert_memory_equal(x, again, (size_t)(4 * image) * sizeof *x);
    nas_dataset_close(d);
  }
}

/* Every output is one of the possible variants, all of them occur, and about equally often. */
static void variants_are_correct_and_uniform(void **state) {
  (void)state;
  static const struct {
    int c, h, w, crop;
    bool flip;
  } rows[] = {{1, 8, 8, 2, true}, {3, 6, 10, 1, true}, {2, 5, 5, 3, false}, {1, 4, 4, 0, true}, {4, 3, 7, 2, true}};
  enum { N = 2000 };
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    nas_dataset *d = make(rows[r].c, rows[r].h, rows[r].w, N);
    int image = rows[r].c * rows[r].h * rows[r].w, side = 2 * rows[r].crop + 1, counts[2][7][7] = {0};
    uint32_t *indices = malloc(N * sizeof *indices);
    float *x = malloc((size_t)(N * image) * sizeof *x);
    int32_t *y = malloc(N * sizeof *y);
    assert_true(indices && x && y);
    for (uint32_t i = 0; i < N; i++) indices[i] = N - 1 - i;
    const nas_augment a = {rows[r].flip, rows[r].crop};
    nas_dataset_batch(d, indices, N, &a, 42, 3, x, y);
    for (int i = 0; i < N; i++) {
      int dy = 0, dx = 0;
      bool flip = false;
      assert_true(explain(d, indices[i], x + i * image, rows[r].crop, &dy, &dx, &flip));
      counts[flip][dy][dx]++;
    }
    int variants = side * side * (rows[r].flip ? 2 : 1);
    double expected = (double)N / variants, chi = 0;
    for (int f = 0; f < (rows[r].flip ? 2 : 1); f++)
      for (int dy = 0; dy < side; dy++)
        for (int dx = 0; dx < side; dx++) {
          double off = counts[f][dy][dx] - expected;
          chi += off * off / expected;
        }
    /* chi-square with variants - 1 degrees of freedom: mean + 5 deviations */
    assert_true(chi < variants - 1 + 5 * sqrt(2.0 * variants));
    free(indices);
    free(x);
    free(y);
    nas_dataset_close(d);
  }
}

/* A crop larger than the image may show nothing but padding. */
static void wide_crops_stay_inside(void **state) {
  (void)state;
  nas_dataset *d = make(1, 4, 4, 300);
  const nas_augment a = {true, 9};
  bool empty = false;
  for (uint32_t i = 0; i < 300; i++) {
    float x[16];
    int32_t y;
    int dy = 0, dx = 0;
    bool flip = false;
    nas_dataset_batch(d, &i, 1, &a, 7, 0, x, &y);
    assert_true(explain(d, i, x, 9, &dy, &dx, &flip));
    bool zero = true;
    for (int p = 0; p < 16; p++) zero = zero && x[p] == 0;
    empty = empty || zero;
  }
  assert_true(empty);
  nas_dataset_close(d);
}

/* An image's variant depends on (seed, epoch, image) only: not on its place in the batch, nor on its neighbours. */
static void variants_depend_on_seed_epoch_and_image(void **state) {
  (void)state;
  enum { N = 64, IMAGE = 3 * 64 };
  nas_dataset *d = make(3, 8, 8, N);
  static float x[N * IMAGE], other[N * IMAGE];
  uint32_t indices[N];
  int32_t y[N];
  const nas_augment a = {true, 4};
  for (uint32_t i = 0; i < N; i++) indices[i] = (i * 29 + 3) % N;
  nas_dataset_batch(d, indices, N, &a, 1, 5, x, y);
  for (int i = 0; i < N; i++) {
    float alone[IMAGE];
    nas_dataset_batch(d, &indices[i], 1, &a, 1, 5, alone, y);
    assert_memory_equal(alone, x + i * IMAGE, sizeof alone);
  }
  const struct {
    uint64_t seed;
    int32_t epoch;
  } others[] = {{2, 5}, {1, 6}, {1 + ((uint64_t)1 << 32), 5}};
  for (int k = 0; k < 3; k++) {
    int same = 0;
    nas_dataset_batch(d, indices, N, &a, others[k].seed, others[k].epoch, other, y);
    for (int i = 0; i < N; i++) same += memcmp(x + i * IMAGE, other + i * IMAGE, IMAGE * sizeof *x) == 0;
    assert_true(same < 6); /* 1 of 162 variants by chance */
  }
  nas_dataset_close(d);
}

NAS_SUITE(DataBatch, NAS_CASE(plain_batches_are_normalised), NAS_CASE(variants_are_correct_and_uniform),
          NAS_CASE(wide_crops_stay_inside), NAS_CASE(variants_depend_on_seed_epoch_and_image))
