/* Dropout masks from the words of a random stream. */
#include "train/kernels/dropout.h"

#include "train/kernels/philox.h"

void NAS_PER_ISA(dropout)(const nas_dropout *d, float *to, const float *plus, const float *from, int64_t n) {
  uint64_t block = d->block;
  u32x16 words[2];
  int64_t i = 0;
  for (; i + PHILOX_WORDS <= n; i += PHILOX_WORDS, block += PHILOX_BLOCKS) {
    philox(&d->random, block, words);
    for (int k = 0; k < 2; k++) {
      v16 v = (v16)((u32x16)(d->scale * load(from + i + 16 * k)) & (u32x16)(words[k] >= d->limit));
      store(to + i + 16 * k, plus ? load(plus + i + 16 * k) + v : v);
    }
  }
  if (i == n) return;
  philox(&d->random, block, words);
  for (int64_t k = 0; i + k < n; k++) {
    float v = words[k / 16][k % 16] >= d->limit ? d->scale * from[i + k] : 0;
    to[i + k] = plus ? plus[i + k] + v : v;
  }
}
