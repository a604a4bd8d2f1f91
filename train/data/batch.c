/* Batches: bytes through a table to normalised floats, row by row, cropped and mirrored on the way. */
#include <string.h>

#include "train/data/dataset.h"

typedef struct placement {
  int32_t dy, dx; /* the output's (0, 0) is the source's (dy, dx) */
  bool flip;
} placement;

static placement place(const nas_augment *a, nas_rng rng, uint32_t image) {
  uint32_t words[4];
  nas_rng_block(rng, image, words);
  uint64_t choices = 2 * (uint64_t)a->crop + 1;
  return (placement){.dy = (int32_t)(words[1] * choices >> 32) - a->crop,
                     .dx = (int32_t)(words[2] * choices >> 32) - a->crop,
                     .flip = a->flip && words[0] >> 31};
}

/* n pixels from `in`, in order or backwards; `channels` is a constant at each call. */
static inline void convert(const float table[4][256], const uint8_t *in, int n, int channels, bool flip, float *out) {
  if (!flip) {
    for (int i = 0; i < n; i++)
      for (int c = 0; c < channels; c++) out[i * channels + c] = table[c][in[i * channels + c]];
    return;
  }
  for (int i = 0; i < n; i++)
    for (int c = 0; c < channels; c++) out[i * channels + c] = table[c][in[(n - 1 - i) * channels + c]];
}

static void convert_row(const nas_dataset *d, const uint8_t *in, int n, bool flip, float *out) {
  if (d->task.input.c == 1) convert(d->normalised, in, n, 1, flip, out);
  else if (d->task.input.c == 3) convert(d->normalised, in, n, 3, flip, out);
  else convert(d->normalised, in, n, d->task.input.c, flip, out);
}

static void clear(float *out, int n, int channels) {
  if (n > 0) memset(out, 0, (size_t)n * (size_t)channels * sizeof *out);
}

static void write_placed(const nas_dataset *d, const uint8_t *image, placement p, float *out) {
  nas_shape s = d->task.input;
  /* Columns lo..hi-1 of the crop lie inside the image; the padding around is normalised zero. */
  int lo = p.dx < 0 ? -p.dx : 0, hi = p.dx > 0 ? s.w - p.dx : s.w;
  if (hi < lo) hi = lo = 0;
  int left = p.flip ? s.w - hi : lo, inside = hi - lo;
  for (int y = 0; y < s.h; y++, out += s.w * s.c) {
    int from = y + p.dy;
    if (from < 0 || from >= s.h || inside == 0) {
      clear(out, s.w, s.c);
      continue;
    }
    clear(out, left, s.c);
    convert_row(d, image + (from * s.w + lo + p.dx) * s.c, inside, p.flip, out + left * s.c);
    clear(out + (left + inside) * s.c, s.w - left - inside, s.c);
  }
}

/* After a step neither images nor the batch are in any cache near: they come while the image before is made. */
static void fetch(const uint8_t *pixels, const float *x, size_t image) {
  for (size_t at = 0; at < image; at += 64) __builtin_prefetch(pixels + at, 0);
  for (size_t at = 0; at < image; at += 16) __builtin_prefetch(x + at, 1);
}

void nas_dataset_batch(const nas_dataset *d, const uint32_t *indices, int64_t n, const nas_augment *augment,
                       uint64_t seed, int32_t epoch, float *x, int32_t *y) {
  nas_shape s = d->task.input;
  size_t image = (size_t)s.c * (size_t)s.h * (size_t)s.w;
  if (d->values) {
    for (int64_t i = 0; i < n; i++, x += image) {
      for (size_t k = 0; k < image; k++) x[k] = (float)d->values[indices[i] * image + k];
      y[i] = 0;
    }
    return;
  }
  bool vary = augment && (augment->flip || augment->crop > 0);
  nas_rng rng = nas_rng_make(seed, (uint32_t)epoch, NAS_STREAM_AUGMENT);
  for (int64_t i = 0; i < n; i++, x += image) {
    const uint8_t *pixels = d->pixels + indices[i] * image;
    if (i + 1 < n) fetch(d->pixels + indices[i + 1] * image, x + image, image);
    if (vary) write_placed(d, pixels, place(augment, rng, indices[i]), x);
    else convert_row(d, pixels, s.h * s.w, false, x);
    y[i] = d->labels[indices[i]];
  }
}

void nas_dataset_targets(const nas_dataset *d, const uint32_t *indices, int64_t n, float *out) {
  for (int64_t i = 0; i < n; i++) out[i] = (float)d->targets[indices[i]];
}
