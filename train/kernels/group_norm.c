/* Group and layer norm of one image after the other: sums per channel over the pixels, folded into those of groups. */
#include <math.h>

#include "train/kernels/neurons.h"
#include "train/kernels/vector_math.h"

/* Sums of `members` neighbouring numbers each, repeated for every member: to[k] = f of the sum of its group. */
static void fold(const nas_group_norm *g, const float *from, float *to, bool inverse) {
  float count = (float)(g->pixels * g->members);
  for (int64_t first = 0; first < g->channels; first += g->members) {
    v16 wide = {0};
    for (int64_t k = 0; k < g->members; k += 16) wide += load_upto(from + first + k, g->members - k);
    float value = sum_of(wide) / count;
    if (inverse) value = 1 / sqrtf(value + 1e-5F);
    for (int64_t k = 0; k < g->members; k++) to[first + k] = value;
  }
}

/* Mean and 1/deviation of each channel's group, from the image x. `room` holds `channels` numbers. */
static void moments_of(const nas_group_norm *g, const float *x, float *mean, float *inverse, float *room) {
  for (int64_t k = 0; k < g->channels; k += 16) {
    v16 sum = {0};
    for (int64_t p = 0; p < g->pixels; p++) sum += load_upto(x + p * g->channels + k, g->channels - k);
    store_upto(room + k, sum, g->channels - k);
  }
  fold(g, room, mean, false);
  for (int64_t k = 0; k < g->channels; k += 16) {
    v16 m = load_upto(mean + k, g->channels - k), sum = {0};
    for (int64_t p = 0; p < g->pixels; p++) {
      v16 d = load_upto(x + p * g->channels + k, g->channels - k) - m;
      sum += d * d;
    }
    store_upto(room + k, sum, g->channels - k);
  }
  fold(g, room, inverse, true);
}

/* ---- layer norm: a row is all there is of a group ---- */

enum { ROWS = 64 }; /* whose sums are of single precision */

typedef struct moments {
  float mean, inverse;
} moments;

INLINE v16 only(v16 v, int64_t n) {
  float part[16] = {0};
  store_part(part, v, n);
  return load(part);
}

static moments moments_of_row(const float *x, int64_t n) {
  v16 sum = {0}, square = {0};
  for (int64_t k = 0; k < n; k += 16) sum += load_upto(x + k, n - k);
  moments m = {.mean = sum_of(sum) / (float)n};
  for (int64_t k = 0; k < n; k += 16) {
    v16 d = load_upto(x + k, n - k) - m.mean;
    if (n - k < 16) d = only(d, n - k);
    square += d * d;
  }
  m.inverse = 1 / sqrtf(sum_of(square) / (float)n + 1e-5F);
  return m;
}

static bool is_layer_norm(const nas_group_norm *g) { return g->pixels == 1 && g->members == g->channels; }

static void layer_norm(const nas_group_norm *g) {
  int64_t c = g->channels;
  for (int64_t r = 0; r < g->images; r++) {
    const float *x = g->x + r * c;
    moments m = moments_of_row(x, c);
    for (int64_t k = 0; k < c; k += 16)
      store_upto(g->y + r * c + k,
                 (load_upto(x + k, c - k) - m.mean) * m.inverse * load_upto(g->scale + k, c - k) +
                     load_upto(g->shift + k, c - k),
                 c - k);
  }
}

static void flush(float *part, double *sum, int64_t n) {
  for (int64_t k = 0; k < n; k++) {
    sum[k] += (double)part[k];
    part[k] = 0;
  }
}

static void layer_norm_gradient(const nas_group_norm *g) {
  int64_t c = g->channels;
  double *sum_shift = (double *)(void *)g->scratch, *sum_scale = sum_shift + c;
  float *shift = (float *)(sum_scale + c), *scale = shift + c;
  for (int64_t k = 0; k < c; k++) sum_shift[k] = sum_scale[k] = 0;
  memset(shift, 0, (size_t)(2 * c) * sizeof *shift);
  for (int64_t r = 0; r < g->images; r++) {
    const float *x = g->x + r * c, *dy = g->dy + r * c;
    moments m = moments_of_row(x, c);
    v16 all = {0}, dot = {0};
    for (int64_t k = 0; k < c; k += 16) {
      int64_t left = c - k;
      v16 d = load_upto(dy + k, left), unit = (load_upto(x + k, left) - m.mean) * m.inverse;
      v16 scaled = d * load_upto(g->scale + k, left);
      store_upto(shift + k, load_upto(shift + k, left) + d, left);
      store_upto(scale + k, load_upto(scale + k, left) + d * unit, left);
      all += scaled;
      dot += scaled * unit;
    }
    if (r % ROWS == ROWS - 1 || r + 1 == g->images) flush(shift, sum_shift, c), flush(scale, sum_scale, c);
    if (!g->dx) continue;
    float flat = sum_of(all) / (float)c, along = sum_of(dot) / (float)c;
    for (int64_t k = 0; k < c; k += 16) {
      int64_t left = c - k, at = r * c + k;
      v16 unit = (load_upto(x + k, left) - m.mean) * m.inverse;
      v16 d = m.inverse * (load_upto(dy + k, left) * load_upto(g->scale + k, left) - flat - unit * along);
      store_upto(g->dx + at, g->dplus ? load_upto(g->dplus + at, left) + d : d, left);
    }
  }
  for (int64_t k = 0; k < c; k++) g->dshift[k] = (float)sum_shift[k], g->dscale[k] = (float)sum_scale[k];
}

/* ---- both ---- */

void NAS_PER_ISA(group_norm)(const nas_group_norm *g) {
  if (is_layer_norm(g)) {
    layer_norm(g);
    return;
  }
  int64_t c = g->channels;
  float *mean = g->scratch, *inverse = mean + c, *room = inverse + c;
  for (int64_t n = 0; n < g->images; n++) {
    const float *x = g->x + n * g->pixels * c;
    float *y = g->y + n * g->pixels * c;
    moments_of(g, x, mean, inverse, room);
    for (int64_t k = 0; k < c; k += 16) {
      v16 m = load_upto(mean + k, c - k), a = load_upto(inverse + k, c - k) * load_upto(g->scale + k, c - k);
      v16 shift = load_upto(g->shift + k, c - k);
      for (int64_t at = k; at < g->pixels * c; at += c)
        store_upto(y + at, (load_upto(x + at, c - k) - m) * a + shift, c - k);
    }
  }
}

/* The gradient of one image; flat and along are the means of g and of g unit in each channel's group. */
static void store_gradient(const nas_group_norm *g, int64_t image, const float *mean, const float *inverse,
                           const float *flat, const float *along) {
  int64_t c = g->channels, first = image * g->pixels * c;
  for (int64_t k = 0; k < c; k += 16) {
    int64_t left = c - k;
    v16 m = load_upto(mean + k, left), a = load_upto(inverse + k, left), scale = load_upto(g->scale + k, left);
    v16 f = load_upto(flat + k, left), l = load_upto(along + k, left);
    for (int64_t at = first + k; at < first + g->pixels * c; at += c) {
      v16 unit = (load_upto(g->x + at, left) - m) * a;
      v16 d = a * (load_upto(g->dy + at, left) * scale - f - unit * l);
      store_upto(g->dx + at, g->dplus ? load_upto(g->dplus + at, left) + d : d, left);
    }
  }
}

void NAS_PER_ISA(group_norm_gradient)(const nas_group_norm *g) {
  if (is_layer_norm(g)) {
    layer_norm_gradient(g);
    return;
  }
  int64_t c = g->channels;
  float *mean = g->scratch, *inverse = mean + c, *room = inverse + c, *flat = room + c, *along = flat + c;
  double *sum_shift = (double *)(void *)(along + c + c % 2), *sum_scale = sum_shift + c;
  for (int64_t k = 0; k < c; k++) sum_shift[k] = sum_scale[k] = 0;
  for (int64_t n = 0; n < g->images; n++) {
    const float *x = g->x + n * g->pixels * c, *dy = g->dy + n * g->pixels * c;
    moments_of(g, x, mean, inverse, room);
    for (int64_t k = 0; k < c; k += 16) {
      int64_t left = c - k;
      v16 m = load_upto(mean + k, left), a = load_upto(inverse + k, left), scale = load_upto(g->scale + k, left);
      v16 sum = {0}, dot = {0};
      for (int64_t at = k; at < g->pixels * c; at += c) {
        v16 d = load_upto(dy + at, left);
        sum += d;
        dot += d * (load_upto(x + at, left) - m) * a;
      }
      float plain[16], bent[16];
      store(plain, sum), store(bent, dot);
      for (int64_t i = 0; i < left && i < 16; i++)
        sum_shift[k + i] += (double)plain[i], sum_scale[k + i] += (double)bent[i];
      store_upto(flat + k, sum * scale, left);
      store_upto(along + k, dot * scale, left);
    }
    if (!g->dx) continue;
    fold(g, flat, flat, false);
    fold(g, along, along, false);
    store_gradient(g, n, mean, inverse, flat, along);
  }
  for (int64_t k = 0; k < c; k++) g->dshift[k] = (float)sum_shift[k], g->dscale[k] = (float)sum_scale[k];
}
