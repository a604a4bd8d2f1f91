/* Packing learning curves. A figure's column holds whole numbers of a fixed width, big-endian; number 0 is "not
 * measured". Three kinds, of which the narrowest is taken:
 *   1  the bits of the double, less what all have in common: low zero bits (shift) and the smallest (base)
 *   2  100 * (number - 1) / base: accuracies counted over `base` images, and short decimals
 *   3  all 64 bits as they are, for what spans too far (mixed signs)
 * Kind 0 has no column: nothing was measured. */
#include "bench-db/internal/curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct layout {
  int kind, width, shift;
  size_t start;
  int64_t base;
} layout;

double *nas_epoch_figure(nas_epoch *e, int k) {
  double *const figures[] = {&e->train_loss, &e->train_accuracy, &e->valid_loss, &e->valid_accuracy,
                             &e->test_loss,  &e->test_accuracy,  &e->seconds,    &e->valid_seconds};
  return figures[k];
}

double nas_epoch_figure_of(const nas_epoch *e, int k) {
  const double figures[] = {e->train_loss, e->train_accuracy, e->valid_loss, e->valid_accuracy,
                            e->test_loss,  e->test_accuracy,  e->seconds,    e->valid_seconds};
  return figures[k];
}

static int64_t bits_of(double x) {
  int64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static double from_bits(int64_t bits) {
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static int bytes_for(uint64_t largest) {
  int width = 0;
  while (largest) largest >>= 8, width++;
  return width;
}

/* ---- choosing a layout ---- */

/* Numbers of images and powers of ten that accuracies and decimals are often fractions of. */
static const int64_t denominators[] = {1000,  2000,  2500,   3000,   5000,    6000,     10000,    25000,
                                       50000, 60000, 100000, 151700, 1000000, 10000000, 100000000};

static bool is_fraction(double x, int64_t of, uint64_t *number) {
  double k = nearbyint(x * (double)of / 100);
  if (!(k >= 0 && k < 4e9) || 100.0 * k / (double)of != x || signbit(x)) return false;
  *number = (uint64_t)k + 1;
  return true;
}

static bool fractions(const nas_epoch *e, size_t n, int k, int64_t of, uint64_t *largest) {
  *largest = 0;
  for (size_t i = 0; i < n; i++) {
    double x = nas_epoch_figure_of(&e[i], k);
    uint64_t number;
    if (isnan(x)) continue;
    if (!is_fraction(x, of, &number)) return false;
    if (number > *largest) *largest = number;
  }
  return true;
}

static layout common_bits(const nas_epoch *e, size_t n, int k) {
  int64_t low = INT64_MAX, high = INT64_MIN;
  uint64_t any = 0;
  bool gap = false;
  for (size_t i = 0; i < n; i++) {
    double x = nas_epoch_figure_of(&e[i], k);
    gap = gap || isnan(x);
    if (isnan(x)) continue;
    int64_t bits = bits_of(x);
    any |= (uint64_t)bits;
    if (bits < low) low = bits;
    if (bits > high) high = bits;
  }
  if (low > high) return (layout){0};
  int shift = any ? __builtin_ctzll(any) : 0;
  if (low < 0 && high >= 0) return (layout){.kind = 3, .width = 8};
  low >>= shift;
  high >>= shift;
  uint64_t span = (uint64_t)high - (uint64_t)low;
  /* Width 0 stands for the number 1 throughout. */
  int width = span == 0 && !gap ? 0 : bytes_for(span + 1);
  return (layout){.kind = 1, .width = width, .shift = shift, .base = low};
}

static layout choose(const nas_epoch *e, size_t n, int k) {
  layout best = common_bits(e, n, k);
  if (best.width < 2) return best;
  for (size_t i = 0; i < sizeof denominators / sizeof *denominators; i++) {
    uint64_t largest;
    if (!fractions(e, n, k, denominators[i], &largest)) continue;
    if (bytes_for(largest) < best.width)
      best = (layout){.kind = 2, .width = bytes_for(largest), .base = denominators[i]};
    break;
  }
  return best;
}

/* ---- bytes ---- */

static uint64_t number_of(const layout *l, double x) {
  uint64_t number = 0;
  if (l->kind == 3) return isnan(x) ? 0x7ff8000000000000u : (uint64_t)bits_of(x);
  if (isnan(x)) return 0;
  if (l->kind == 2) is_fraction(x, l->base, &number);
  else number = (uint64_t)(bits_of(x) >> l->shift) - (uint64_t)l->base + 1;
  return number;
}

static double value_of(const layout *l, uint64_t number) {
  if (l->kind == 3) return from_bits((int64_t)number);
  if (l->kind == 0 || number == 0) return (double)NAN;
  if (l->kind == 2) return 100.0 * (double)(number - 1) / (double)l->base;
  return from_bits((int64_t)(((uint64_t)l->base + number - 1) << l->shift));
}

void nas_curve_pack(const nas_epoch *epochs, size_t n, nas_str *out) {
  layout layouts[NAS_CURVE_FIGURES];
  size_t start = NAS_CURVE_HEAD;
  for (int k = 0; k < NAS_CURVE_FIGURES; k++) {
    layout *l = &layouts[k];
    *l = choose(epochs, n, k);
    l->start = start;
    start += n * (size_t)l->width;
    nas_str_fmt(out, "%d%d%02d%08zu%020lld", l->kind, l->width, l->shift, l->start, (long long)l->base);
  }
  for (int k = 0; k < NAS_CURVE_FIGURES; k++)
    for (size_t i = 0; i < n; i++) {
      uint64_t number = number_of(&layouts[k], nas_epoch_figure_of(&epochs[i], k));
      char bytes[8];
      for (int b = layouts[k].width; b-- > 0; number >>= 8) bytes[b] = (char)(number & 255);
      nas_str_add_n(out, bytes, (size_t)layouts[k].width);
    }
}

/* A decimal of fixed width; false for anything else. */
static bool digits(const char *p, int n, int64_t *out) {
  bool negative = *p == '-';
  uint64_t value = 0;
  for (int i = negative; i < n; i++) {
    if (p[i] < '0' || p[i] > '9' || value > (uint64_t)INT64_MAX / 10) return false;
    value = value * 10 + (uint64_t)(p[i] - '0');
  }
  if (value > INT64_MAX) return false;
  *out = negative ? -(int64_t)value : (int64_t)value;
  return true;
}

static bool read_layout(const char *bytes, size_t size, int k, layout *out) {
  if (size < NAS_CURVE_HEAD) return false;
  const char *h = bytes + (size_t)k * NAS_CURVE_HEADER;
  int64_t kind, width, shift, start, base;
  if (!digits(h, 1, &kind) || !digits(h + 1, 1, &width) || !digits(h + 2, 2, &shift) || !digits(h + 4, 8, &start) ||
      !digits(h + 12, 20, &base))
    return false;
  if (kind < 0 || kind > 3 || width < 0 || width > 8 || shift < 0 || shift > 63 || start < 0) return false;
  if ((kind == 3 && width != 8) || (kind == 0 && width != 0) || (kind == 2 && base < 1)) return false;
  *out = (layout){(int)kind, (int)width, (int)shift, (size_t)start, base};
  return true;
}

static uint64_t read_number(const char *bytes, const layout *l, size_t i) {
  if (l->width == 0) return 1;
  const unsigned char *p = (const unsigned char *)bytes + l->start + i * (size_t)l->width;
  uint64_t number = 0;
  for (int b = 0; b < l->width; b++) number = number << 8 | p[b];
  return number;
}

static bool holds(const layout *l, size_t size, size_t n) {
  return l->width == 0 || (l->start <= size && (size - l->start) / (size_t)l->width >= n);
}

bool nas_curve_check(const void *bytes, size_t size, size_t n, size_t *wanted) {
  *wanted = NAS_CURVE_HEAD;
  bool whole = true;
  for (int k = 0; k < NAS_CURVE_FIGURES; k++) {
    layout l;
    if (!read_layout(bytes, size, k, &l)) return false;
    whole = whole && holds(&l, size, n) && (l.width == 0 || l.start == *wanted);
    *wanted += n * (size_t)l.width;
  }
  return whole && *wanted == size;
}

bool nas_curve_figure(const void *bytes, size_t size, size_t epoch, int k, double *out) {
  layout l;
  if (epoch < 1 || !read_layout(bytes, size, k, &l) || !holds(&l, size, epoch)) return false;
  *out = value_of(&l, read_number(bytes, &l, epoch - 1));
  return true;
}

nas_status nas_curve_unpack(const void *bytes, size_t size, size_t n, nas_result *out, nas_err *err) {
  layout layouts[NAS_CURVE_FIGURES];
  for (int k = 0; k < NAS_CURVE_FIGURES; k++)
    if (!read_layout(bytes, size, k, &layouts[k]) || !holds(&layouts[k], size, n)) return NAS_E_BAD_INPUT;
  for (size_t i = 0; i < n; i++) {
    nas_epoch e = {.epoch = (int32_t)i + 1};
    for (int k = 0; k < NAS_CURVE_FIGURES; k++)
      *nas_epoch_figure(&e, k) = value_of(&layouts[k], read_number(bytes, &layouts[k], i));
    NAS_TRY(nas_result_add_epoch(out, &e, err));
  }
  return NAS_OK;
}
