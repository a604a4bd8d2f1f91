#ifndef NAS_BASE_RNG_H
#define NAS_BASE_RNG_H
/* Counter-based random numbers: Philox4x32-10 of the Random123 library (Salmon et al., "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011). A number is a function of (seed, trial, stream, index) and of
 * nothing else: no state exists, so order of calls, rank count, resume and retries cannot change it. */
#include <stddef.h>
#include <stdint.h>

/* What a stream of numbers is for. Numbers are part of the reproducibility contract: never renumber. */
typedef enum nas_stream {
  NAS_STREAM_INIT = 1,     /* parameter initialisation; index = hash of the parameter's name, element */
  NAS_STREAM_SHUFFLE = 2,  /* order of the training images */
  NAS_STREAM_AUGMENT = 3,  /* crops and flips */
  NAS_STREAM_DROPOUT = 4,  /* dropout masks */
  NAS_STREAM_SPLIT = 5,    /* data-set splits and subsets */
  NAS_STREAM_STRATEGY = 6, /* proposals; trial = ask number */
  NAS_STREAM_SAMPLE = 7,   /* `space sample` and tests */
  NAS_STREAM_SHAPES = 8,   /* the procedural data set */
  NAS_STREAM_NOISE = 9,    /* neuron noise */
  NAS_STREAM_POINTS = 10,  /* points and noise of the data set `function` */
  NAS_STREAM_SPIKES = 11,  /* pixels as random spikes */

  NAS_STREAM_RESAMPLE = 20, /* bootstrap of repeated runs */
} nas_stream;

typedef struct nas_rng {
  uint32_t key[2];
  uint32_t trial, stream;
} nas_rng;

nas_rng nas_rng_make(uint64_t seed, uint32_t trial, uint32_t stream);

/* Four independent words at a 64-bit block index; the scalar calls below use one block per index. */
void nas_rng_block(nas_rng r, uint64_t block, uint32_t out[4]);
uint32_t nas_rng_u32(nas_rng r, uint64_t index);
/* Uniform in [0, 1) with 53 bits. */
double nas_rng_unit(nas_rng r, uint64_t index);
/* Uniform in 0..n-1; n >= 1; the bias is below n / 2^64. */
uint64_t nas_rng_below(nas_rng r, uint64_t index, uint64_t n);
/* Standard normal (Box-Muller). */
double nas_rng_normal(nas_rng r, uint64_t index);

/* Fills out[0..n-1] with uniforms in [lo, hi), or normals of the given deviation; element i depends on
 * (r, first + i) only. */
void nas_rng_fill_uniform(nas_rng r, uint64_t first, float *out, size_t n, float lo, float hi);
void nas_rng_fill_normal(nas_rng r, uint64_t first, float *out, size_t n, float deviation);

/* Fisher-Yates shuffle in place. Uses indices first..first+n-1. */
void nas_rng_shuffle(nas_rng r, uint64_t first, uint32_t *values, size_t n);
#endif
