#include "train/direct_pack.h"

#include <string.h>

bool nas_direct_channels(int64_t channels) {
  return channels > 0 && (channels % 16 == 0 || channels == 8 || channels == 4);
}

/* Lane l of a vector is output channel `out` of pixel `pixel` of its group. */
typedef struct lane {
  int64_t out, pixel;
} lane;

static lane lane_of(const nas_direct_shape *s, int64_t vector, int64_t l) {
  if (s->outs >= 16) return (lane){16 * vector + l, 0};
  return (lane){l % s->outs, l / s->outs};
}

void nas_direct_pack(float *to, const float *plain, const nas_direct_shape *s, int64_t vector, int64_t slot,
                     int64_t vectors, const float *scale) {
  int64_t k = s->kernel, taps = k * k, length = nas_direct_length(s), across = 16 * vectors;
  int64_t next = s->turned ? taps : s->ins * taps, in_step = s->turned ? s->outs * taps : taps;
  lane lanes[16];
  for (int64_t l = 0; l < 16; l++) lanes[l] = lane_of(s, vector, l);
  if (lanes[15].pixel)
    for (int64_t i = 0; i < k * length; i++) memset(to + i * across + 16 * slot, 0, 16 * sizeof *to);
  for (int64_t in = 0; in < s->ins; in++)
    for (int64_t row = 0; row < k; row++)
      for (int64_t column = 0; column < k; column++) {
        int64_t tap = s->turned ? taps - 1 - (row * k + column) : row * k + column;
        const float *from = plain + in * in_step + tap;
        float *at = to + (row * length + column * s->ins + in) * across + 16 * slot;
        for (int64_t l = 0; l < 16; l++) {
          float factor = scale ? scale[s->turned ? in : lanes[l].out] : 1;
          at[lanes[l].pixel * s->ins * across + l] = factor * from[lanes[l].out * next];
        }
      }
}

void nas_direct_unpack(float *plain, const float *from, const nas_direct_shape *s, int64_t vector, int64_t slot,
                       int64_t vectors) {
  int64_t k = s->kernel, taps = k * k, length = nas_direct_length(s), across = 16 * vectors;
  for (int64_t l = 0; l < 16; l++) {
    lane a = lane_of(s, vector, l);
    float *to = plain + a.out * s->ins * taps;
    for (int64_t in = 0; in < s->ins; in++)
      for (int64_t row = 0; row < k; row++)
        for (int64_t column = 0; column < k; column++) {
          float sum = from[(row * length + (column + a.pixel) * s->ins + in) * across + 16 * slot + l];
          float *at = to + in * taps + row * k + column;
          *at = a.pixel ? *at + sum : sum;
        }
  }
}

void nas_direct_pack_all(float *to, const float *plain, const nas_direct_shape *s, const float *scale) {
  int64_t side = nas_direct_side(s->outs), numbers = nas_direct_packed(s);
  for (int64_t v = 0; v < nas_direct_count(s->outs); v++)
    nas_direct_pack(to + v / side * side * numbers, plain, s, v, v % side, side, scale);
}

void nas_direct_unpack_all(float *plain, const float *from, const nas_direct_shape *s) {
  int64_t side = nas_direct_side(s->outs), numbers = nas_direct_packed(s);
  for (int64_t v = 0; v < nas_direct_count(s->outs); v++)
    nas_direct_unpack(plain, from + v / side * side * numbers, s, v, v % side, side);
}

void nas_direct_products(float *total, const float *x, const float *y, int64_t pixels, const nas_direct_shape *s,
                         const float *ahead, const float *more) {
  int64_t across = nas_direct_pixels(s->outs), side = nas_direct_side(s->outs), length = nas_direct_length(s);
  nas_direct_gradient g = {.x = x,
                           .images = 1,
                           .rows = 1,
                           .width = pixels / across,
                           .step = length,
                           .length = length,
                           .dz_pitch = across * s->outs,
                           .vectors = (int32_t)side,
                           .dw = total};
  for (int64_t v = 0; v < nas_direct_count(s->outs); v += side, g.dw += length * 16 * side) {
    g.ahead[0] = v == 0 ? ahead : NULL;
    g.ahead[1] = more ? more : ahead;
    g.ahead_n = pixels * s->outs;
    for (int64_t k = 0; k < side; k++) g.dz[k] = y + 16 * (v + k);
    nas_kernels()->direct_gradient(&g);
  }
}
