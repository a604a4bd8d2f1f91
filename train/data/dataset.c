#include "train/data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/data/parts.h"

nas_status nas_dataset_allocate(nas_dataset *self, int64_t n, nas_err *err) {
  nas_shape s = self->task.input;
  self->n = n;
  self->pixels = malloc((size_t)n * (size_t)s.c * (size_t)s.h * (size_t)s.w);
  self->labels = malloc((size_t)n);
  return self->pixels && self->labels ? NAS_OK : nas_fail_memory(err, "the images of a data set");
}

void nas_dataset_close(nas_dataset *d) {
  if (!d) return;
  free(d->pixels);
  free(d->labels);
  free(d->values);
  free(d->targets);
  free(d->train);
  free(d->valid);
  free(d->test);
  free(d);
}

/* Sums of the values and of their squares of n pixels of C channels. Rows are short enough for 32 bits. */
static inline void sum_row(const uint8_t *p, int n, int channels, uint32_t *sums, uint32_t *squares) {
  for (int i = 0; i < n; i++)
    for (int c = 0; c < channels; c++) {
      uint32_t value = p[i * channels + c];
      sums[c] += value;
      squares[c] += value * value;
    }
}

static void sum_image(const uint8_t *p, nas_shape s, uint64_t sums[4], uint64_t squares[4]) {
  for (int y = 0; y < s.h; y++, p += s.w * s.c) {
    uint32_t a[4] = {0}, b[4] = {0};
    if (s.c == 1) sum_row(p, s.w, 1, a, b); /* constants let the compiler unroll and vectorise */
    else if (s.c == 3) sum_row(p, s.w, 3, a, b);
    else sum_row(p, s.w, s.c, a, b);
    for (int c = 0; c < s.c; c++) sums[c] += a[c], squares[c] += b[c];
  }
}

/* Points are taken as they are. */
static void measure_points(nas_dataset *d) {
  for (int c = 0; c < d->task.input.c; c++) d->mean[c] = 0, d->std[c] = 1;
}

void nas_dataset_measure(nas_dataset *d) {
  nas_shape s = d->task.input;
  if (d->values) {
    measure_points(d);
    return;
  }
  size_t image = (size_t)s.c * (size_t)s.h * (size_t)s.w;
  uint64_t sums[4] = {0}, squares[4] = {0};
  for (int64_t i = 0; i < d->n_train; i++) sum_image(d->pixels + d->train[i] * image, s, sums, squares);
  double count = (double)d->n_train * s.h * s.w;
  for (int c = 0; c < s.c; c++) {
    double mean = (double)sums[c] / count, variance = (double)squares[c] / count - mean * mean;
    d->mean[c] = mean / d->pixel_max;
    /* A channel without any variation is only centred. */
    d->std[c] = variance > 0 ? sqrt(variance) / d->pixel_max : 1;
    if (d->options.normalise[0] == 'h') d->mean[c] = d->std[c] = 0.5;
    if (d->options.normalise[0] == 'n') d->mean[c] = 0, d->std[c] = 1;
    for (int value = 0; value < 256; value++)
      d->normalised[c][value] = (float)((value / d->pixel_max - d->mean[c]) / d->std[c]);
  }
}

static void add_number(nas_sha256 *h, uint64_t value) {
  uint8_t bytes[8];
  for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> 8 * i);
  nas_sha256_add(h, bytes, sizeof bytes);
}

static void add_real(nas_sha256 *h, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  add_number(h, bits);
}

static nas_status digest_images(nas_dataset *d, nas_err *err) {
  nas_sha256 *h;
  NAS_TRY(nas_sha256_begin(&h, err));
  nas_shape s = d->task.input;
  const uint64_t head[] = {(uint64_t)d->n, (uint64_t)s.c, (uint64_t)s.h, (uint64_t)s.w, (uint64_t)d->pixel_max};
  for (size_t i = 0; i < sizeof head / sizeof *head; i++) add_number(h, head[i]);
  if (d->values) {
    for (int64_t i = 0; i < d->n * s.c; i++) add_real(h, d->values[i]);
    for (int64_t i = 0; i < d->n; i++) add_real(h, d->targets[i]);
  } else {
    nas_sha256_add(h, d->pixels, (size_t)d->n * (size_t)s.c * (size_t)s.h * (size_t)s.w);
    nas_sha256_add(h, d->labels, (size_t)d->n);
  }
  nas_sha256_end(h, d->digest);
  return NAS_OK;
}

/* What follows the colon of "function:EXPRESSION" is an option too. */
static nas_status read_suffix(nas_dataset *d, const char *name, const nas_settings *settings, nas_err *err) {
  const char *colon = strchr(name, ':'), *given = settings ? nas_settings_get(settings, "expression") : NULL;
  if (!colon) return NAS_OK;
  if (given && strcmp(given, colon + 1) != 0)
    return nas_fail(err, NAS_E_BAD_INPUT, name, "the name says one expression, the option `expression` another: %s",
                    given);
  return nas_options_set(d->type->options, &d->options, name, "expression", colon + 1, name, err);
}

static nas_status fill(nas_dataset *d, const char *name, const nas_settings *settings, const char *data_dirs,
                       nas_err *err) {
  char owner[64];
  nas_str folder = {0};
  nas_text_put(owner, sizeof owner, "data set %s", d->type->name);
  NAS_TRY(nas_options_fill(d->type->options, &d->options, owner, settings, err));
  NAS_TRY(read_suffix(d, name, settings, err));
  nas_status status = nas_dataset_locate(d->type, data_dirs, &folder, err);
  if (status == NAS_OK) status = d->type->load(d, d->type->files ? nas_str_text(&folder) : NULL, err);
  nas_str_free(&folder);
  NAS_TRY(status);
  NAS_TRY(nas_dataset_make_split(d, err));
  nas_dataset_measure(d);
  return digest_images(d, err);
}

nas_status nas_dataset_open(const char *name, const nas_settings *settings, const char *data_dirs, nas_dataset **out,
                            nas_err *err) {
  *out = NULL;
  const nas_dataset_type *type;
  NAS_TRY(nas_dataset_find(name, &type, err));
  nas_dataset *d = calloc(1, sizeof *d);
  if (!d) return nas_fail_memory(err, "a data set");
  d->type = type;
  d->task = type->task;
  d->pixel_max = 255;
  nas_status status = fill(d, name, settings, data_dirs, err);
  if (status == NAS_OK) *out = d;
  else nas_dataset_close(d);
  return status;
}

const uint32_t *nas_dataset_split(const nas_dataset *d, nas_split split, int64_t *n) {
  const uint32_t *const lists[] = {d->train, d->valid, d->test};
  const int64_t sizes[] = {d->n_train, d->n_valid, d->n_test};
  *n = sizes[split];
  return lists[split];
}
