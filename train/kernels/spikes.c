/* Weighted sums of random spikes: an input that spikes at a step adds its weights to the sums of that step, so that
 * the work is that of the spikes that there are. */
#include "train/kernels/philox.h"

#include "train/kernels/neurons.h"

/* Which of 32 words are below the limit, as bits. */
INLINE uint32_t below(const u32x16 words[2], uint32_t limit) {
#if defined(__AVX512F__)
  __m512i bound = _mm512_set1_epi32((int32_t)limit);
  uint32_t low = _mm512_cmplt_epu32_mask((__m512i)words[0], bound);
  return low | (uint32_t)_mm512_cmplt_epu32_mask((__m512i)words[1], bound) << 16;
#else
  uint32_t bits = 0;
  for (int k = 0; k < PHILOX_WORDS; k++) bits |= (uint32_t)(words[k / 16][k % 16] < limit) << k;
  return bits;
#endif
}

/* The steps at which a number spikes, as bits. */
INLINE void draw(const nas_spikes *s, int64_t number, float x, uint32_t *train) {
  int64_t groups = (s->steps + PHILOX_WORDS - 1) / PHILOX_WORDS;
  if (!(x > 0)) {
    memset(train, 0, (size_t)groups * sizeof *train);
    return;
  }
  uint32_t limit = x < 1 ? (uint32_t)((double)x * 4294967296.0) : 0;
  uint64_t block = s->block + (uint64_t)number * (uint64_t)((s->steps + 3) / 4);
  for (int64_t g = 0; g < groups; g++, block += PHILOX_BLOCKS) {
    train[g] = UINT32_MAX;
    if (x < 1) {
      u32x16 words[2];
      philox(&s->random, block, words);
      train[g] = below(words, limit);
    }
  }
  if (s->steps % PHILOX_WORDS) train[groups - 1] &= UINT32_MAX >> (PHILOX_WORDS - s->steps % PHILOX_WORDS);
}

/* One number's spikes and one pixel's sums: added to sums, or to the weights in the other direction. */
INLINE void meet(const nas_spikes *s, const uint32_t *train, float *sums, float *weights, bool gradient) {
  for (int64_t o = 0; o < s->width; o += 16) {
    v16 w = load(weights + o);
    for (int64_t first = 0; first < s->steps; first += 32)
      for (uint32_t bits = train[first / 32]; bits; bits &= bits - 1) {
        float *at = sums + (first + __builtin_ctz(bits)) * s->width + o;
        if (gradient) w += load(at);
        else store(at, load(at) + w);
      }
    if (gradient) store(weights + o, w);
  }
}

/* The output coordinate whose window has input coordinate `in` at tap `tap`; -1 for none. */
INLINE int32_t seen_from(const nas_spikes *s, int32_t in, int32_t tap, int32_t out_size) {
  int32_t first = in + s->pad - tap;
  return first >= 0 && first % s->stride == 0 && first / s->stride < out_size ? first / s->stride : -1;
}

INLINE void walk(const nas_spikes *s, bool gradient) {
  int64_t pixel_sums = s->steps * s->width;
  for (int32_t row = 0; row < s->in_h; row++)
    for (int32_t column = 0; column < s->in_w; column++)
      for (int64_t c = 0; c < s->channels; c++) {
        int64_t number = ((int64_t)row * s->in_w + column) * s->channels + c;
        uint32_t *train = s->train + number * ((s->steps + 31) / 32);
        if (!gradient) draw(s, number, s->x[number], train);
        for (int32_t ky = 0; ky < s->kernel_h; ky++)
          for (int32_t kx = 0; kx < s->kernel_w; kx++) {
            int32_t y = seen_from(s, row, ky, s->out_h), x = seen_from(s, column, kx, s->out_w);
            if (y < 0 || x < 0) continue;
            float *weights = s->weights + (((int64_t)ky * s->kernel_w + kx) * s->channels + c) * s->width;
            meet(s, train, s->sums + ((int64_t)y * s->out_w + x) * pixel_sums, weights, gradient);
          }
      }
}

void NAS_PER_ISA(spike_sums)(const nas_spikes *s) { walk(s, false); }

void NAS_PER_ISA(spike_sums_gradient)(const nas_spikes *s) { walk(s, true); }
