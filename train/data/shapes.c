/* A procedural data set: one figure on a noisy ground, at a random place, size, angle and contrast. It needs no file,
 * and is the same on every machine: only integer arithmetic and the correctly rounded operations + - * / sqrt. */
#include <math.h>

#include "train/data/parts.h"

typedef struct figure {
  double x, y, radius;  /* centre and size in pixels */
  double cosine, sine;  /* of its rotation */
  double ground, paint; /* grey levels */
} figure;

/* Each says whether (u, v), in units of the figure's radius, lies inside. */
static bool in_disk(double u, double v) { return u * u + v * v < 0.8; }
static bool in_square(double u, double v) { return fabs(u) < 0.75 && fabs(v) < 0.75; }
static bool in_triangle(double u, double v) { return v > -0.55 && v + 1.75 * fabs(u) < 1; }
static bool in_cross(double u, double v) {
  return (fabs(u) < 0.28 && fabs(v) < 0.95) || (fabs(v) < 0.28 && fabs(u) < 0.95);
}
static bool in_ring(double u, double v) { return u * u + v * v < 0.9 && u * u + v * v > 0.32; }
static bool in_frame(double u, double v) { return in_square(u, v) && !(fabs(u) < 0.42 && fabs(v) < 0.42); }
static bool in_bar(double u, double v) { return fabs(u) < 1 && fabs(v) < 0.33; }
static bool in_crescent(double u, double v) { return u * u + v * v < 0.9 && (u - 0.45) * (u - 0.45) + v * v > 0.5; }

static bool (*const insides[])(double u, double v) = {in_disk, in_square, in_triangle, in_cross,
                                                      in_ring, in_frame,  in_bar,      in_crescent};

static double between(nas_rng r, uint64_t index, double lo, double hi) {
  return lo + (hi - lo) * nas_rng_unit(r, index);
}

/* Uses the block indices 0..7 of the image; the noise of pixel i uses 8 + i. */
static figure draw_figure(nas_rng r, double size) {
  figure f = {.radius = between(r, 0, 0.28, 0.44) * size};
  f.x = between(r, 1, f.radius, size - f.radius);
  f.y = between(r, 2, f.radius, size - f.radius);
  double t = between(r, 3, -1, 1); /* the tangent of half the angle */
  double sign = nas_rng_unit(r, 4) < 0.5 ? -1 : 1;
  f.cosine = sign * (1 - t * t) / (1 + t * t);
  f.sine = sign * 2 * t / (1 + t * t);
  f.ground = between(r, 5, 50, 205);
  double contrast = between(r, 6, 60, 130);
  /* Lighter or darker than the ground, whichever has room. */
  bool lighter = f.ground < 128 ? f.ground + contrast < 255 : f.ground - contrast < 0;
  f.paint = f.ground + (lighter ? contrast : -contrast);
  return f;
}

/* The share of the pixel's 3x3 sample points inside the figure. */
static double coverage(const figure *f, bool (*inside)(double, double), int x, int y) {
  int hits = 0;
  for (int i = 0; i < 9; i++) {
    int row = i / 3, column = i % 3;
    double dx = x + (2 * column + 1) / 6.0 - f->x, dy = y + (2 * row + 1) / 6.0 - f->y;
    hits += inside((dx * f->cosine + dy * f->sine) / f->radius, (dy * f->cosine - dx * f->sine) / f->radius);
  }
  return hits / 9.0;
}

/* Nearly normal noise of deviation 14 in integers: the sum of sixteen random bytes. */
static int noise(nas_rng r, uint64_t index) {
  uint32_t words[4];
  nas_rng_block(r, index, words);
  int sum = 0;
  for (int i = 0; i < 16; i++) sum += (int)(words[i / 4] >> 8 * (i % 4) & 255);
  return (sum - 2040) * 14 / 296;
}

static void draw_image(nas_rng r, int size, bool (*inside)(double, double), uint8_t *out) {
  figure f = draw_figure(r, size);
  for (int y = 0; y < size; y++)
    for (int x = 0; x < size; x++) {
      double level = f.ground + (f.paint - f.ground) * coverage(&f, inside, x, y);
      int value = (int)(level + 0.5) + noise(r, 8 + (uint64_t)(y * size + x));
      *out++ = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

static nas_status load(nas_dataset *self, const char *folder, nas_err *err) {
  (void)folder;
  const nas_dataset_options *o = &self->options;
  int size = (int)o->size;
  self->task = (nas_task){{1, size, size}, (int32_t)o->classes};
  NAS_TRY(nas_dataset_allocate(self, o->images, err));
  self->first_test = self->n - self->n / 6;
  for (int64_t i = 0; i < self->n; i++) {
    self->labels[i] = (uint8_t)(i % o->classes);
    nas_rng r = nas_rng_make((uint64_t)o->generator_seed, (uint32_t)i, NAS_STREAM_SHAPES);
    draw_image(r, size, insides[self->labels[i]], self->pixels + i * size * size);
  }
  return NAS_OK;
}

static const nas_option options[] = {
    NAS_DATASET_OPTIONS,
    NAS_OPT_INT(nas_dataset_options, classes, "classes", "8", 2, 8,
                "kinds of figures: disk, square, triangle, cross, ring, frame, bar, crescent"),
    NAS_OPT_INT(nas_dataset_options, size, "size", "16", 8, 64, "height and width of an image"),
    NAS_OPT_INT(nas_dataset_options, images, "images", "6000", 12, 1e6,
                "images in all; a sixth of them is the test set"),
    NAS_OPT_INT(nas_dataset_options, generator_seed, "generator-seed", "0", 0, 0x1p53, "seed of the images"),
    NAS_OPT_END};

extern const nas_dataset_type nas_dataset_shapes;
const nas_dataset_type nas_dataset_shapes = {
    .name = "shapes",
    .version = 1,
    .summary = "generated figures on a noisy ground, grey, 2..8 classes; needs no file",
    .citation = "",
    .license = "Apache-2.0",
    .options = options,
    .folder = "shapes",
    .task = {{1, 16, 16}, 8},
    .load = load,
    .default_train = 4000,
    .default_valid = 1000,
};
