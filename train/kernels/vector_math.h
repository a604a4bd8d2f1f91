#ifndef NAS_TRAIN_VECTOR_MATH_H
#define NAS_TRAIN_VECTOR_MATH_H
/* Transcendental functions of sixteen numbers that are inlined into the loops of neurons, where a call would cost more
 * than the function. math.c has the ones for whole arrays. */
#include "train/kernels/vector.h"

#if defined(__AVX512F__) || defined(__AVX__)
#include <immintrin.h>
#endif

/* The smaller or larger of limit and x; NaN where x is. */
INLINE v16 at_most(v16 limit, v16 x) {
#if defined(__AVX512F__)
  return (v16)_mm512_min_ps((__m512)limit, (__m512)x);
#else
  i16 over = x > limit;
  return (v16)(((i16)limit & over) | ((i16)x & ~over));
#endif
}
INLINE v16 at_least(v16 limit, v16 x) {
#if defined(__AVX512F__)
  return (v16)_mm512_max_ps((__m512)limit, (__m512)x);
#else
  i16 under = x < limit;
  return (v16)(((i16)limit & under) | ((i16)x & ~under));
#endif
}
INLINE v16 magnitude(v16 x) { return (v16)((i16)x & 0x7fffffff); }
INLINE i16 sign_bits(v16 x) { return (i16)x & (i16)(-0.0F - (v16){0}); }
INLINE v16 with_sign(v16 x, i16 sign) { return (v16)((i16)x ^ sign); }

/* The sum of all sixteen, in a fixed order. */
INLINE float sum_of(v16 v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)v);
#else
  float f[16];
  memcpy(f, &v, sizeof f);
  for (int step = 8; step; step /= 2)
    for (int i = 0; i < step; i++) f[i] += f[i + step];
  return f[0];
#endif
}

/* e^x to 2 units in the last place; outside of [-87.3, 88] that of the nearer end. 2^n e^r with n the nearest integer
 * of x / log 2, which stands in the low bits of x / log 2 + 1.5 2^23; e^r by its series. */
INLINE v16 exp_of(v16 x) {
  x = at_least(splat(-87.3F), at_most(splat(88), x));
  v16 shifted = x * 1.44269504F + 12582912.0F, n = shifted - 12582912.0F;
  v16 r = x - n * 0.693359375F + n * 2.12194440e-4F;
  v16 p = 1.0F / 720 * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1;
  p = p * r + 1;
  return (v16)((i16)p + ((i16)shifted << 23));
}

INLINE v16 logistic_of(v16 x) { return 1 / (1 + exp_of(-x)); }

/* tanh z of z >= 0 to 5e-7 of itself. */
#if defined(__AVX512F__)
/* One polynomial of degree 4 for each quarter of each octave from 1/32 to 8, the lowest from 0 on, fitted at Chebyshev
 * nodes. The two low bits of the exponent's octave and the two high bits of the mantissa pick it. */
static const float tanh_pieces[5][32] = {
    {0.0356901549F,    0.309106737F,    0.555917978F,
     0.734916091F,     0.885506034F,    0.968462706F,
     0.992186248F,     0.998210013F,    0.0F,
     1.91126936e-08F,  4.39954277e-08F, 8.96779895e-08F,
     2.18899416e-07F,  5.91149899e-07F, 1.34228503e-06F,
     2.69224029e-06F,  6.38380061e-06F, 1.64323264e-05F,
     3.51488598e-05F,  6.5535758e-05F,  0.000135156632F,
     0.000267404335F,  0.000375986914F, 0.000295925856F,
     -0.000792446081F, -0.00612644339F, -0.0187617298F,
     -0.0401603729F,   -0.0835766196F,  -0.140491217F,
     -0.1573634F,      -0.115286879F},
    {1.21488869F,    0.775123179F, 0.44355619F,  0.237424076F, 0.0885575265F, 0.0205445774F, 0.00439024391F,
     0.00088349689F, 1.0F,         0.999997795F, 0.999995649F, 0.999992311F,  0.999984324F,  0.99996537F,
     0.999933422F,   0.999884188F, 0.999769688F, 0.999513626F, 0.999115467F,  0.998560727F,  0.997477174F,
     0.995778978F,   0.994603693F, 0.995306671F, 1.00365305F,  1.03741384F,   1.10450113F,   1.20219493F,
     1.37163198F,    1.55599499F,  1.60311258F,  1.50815213F},
    {-0.603464603F,    -0.337668002F,    -0.170393422F,  -0.0812834576F,  -0.0260084197F,  -0.0050605163F,
     -0.000930457027F, -0.000164245823F, 1.9830286e-06F, 0.000104459723F, 0.000171929918F, 0.000263109483F,
     0.000449784158F,  0.000812192739F,  0.00132162787F, 0.00199557748F,  0.00333032408F,  0.00578135671F,
     0.00896222331F,   0.0127644036F,    0.0190980192F,  0.0272924639F,   0.0320688225F,   0.0297557097F,
     0.00572680775F,   -0.0745591223F,   -0.208323553F,  -0.375755459F,   -0.624110937F,   -0.848507762F,
     -0.897831023F,    -0.817396581F},
    {0.13881059F,     0.0672645047F, 0.0297051985F, 0.0125668328F, 0.00343032484F, 0.000557924795F, 8.80917942e-05F,
     1.36230101e-05F, -0.333587229F, -0.335773259F, -0.336731553F, -0.337841988F,  -0.33977744F,    -0.342864573F,
     -0.346483201F,   -0.350588113F, -0.35751152F,  -0.36796245F,  -0.379272848F,  -0.390866786F,   -0.407347053F,
     -0.424957186F,   -0.433594763F, -0.430214435F, -0.399432123F, -0.314408094F,  -0.195700601F,   -0.0680313483F,
     0.0940212384F,   0.215644613F,  0.238583788F,  0.208277449F},
    {-0.012379122F,    -0.00514260679F,  -0.00197569514F, -0.000738379196F, -0.000171143416F, -2.3206534e-05F,
     -3.14148383e-06F, -4.25168651e-07F, 0.0104056178F,   0.0284961015F,    0.0336072929F,    0.0386839882F,
     0.0462211296F,    0.0561032705F,    0.0657561794F,   0.0751420259F,    0.0886308551F,    0.105376288F,
     0.120479561F,     0.133751109F,     0.149858385F,    0.16407901F,      0.169943437F,     0.168092415F,
     0.153285787F,     0.119452335F,     0.0798911676F,   0.0433463976F,    0.00362841273F,   -0.0211380161F,
     -0.0251373127F,   -0.0208514445F},
};
INLINE v16 tanh_positive(v16 z) {
  z = at_most(splat(7.9999995F), z);
  __m512i piece = _mm512_srli_epi32((__m512i)at_least(splat(0.03125F), z), 21);
  v16 p[5];
  for (int k = 0; k < 5; k++)
    p[k] = (v16)_mm512_permutex2var_ps(_mm512_loadu_ps(tanh_pieces[k]), piece, _mm512_loadu_ps(tanh_pieces[k] + 16));
  return p[0] + z * (p[1] + z * (p[2] + z * (p[3] + z * p[4])));
}
#else
/* The series of tanh up to 5/8, and 1 - 2 / (e^(2z) + 1) above. */
INLINE v16 tanh_positive(v16 z) {
  v16 s = z * z, p = -5.70498872745e-3F * s + 2.06390887954e-2F;
  p = p * s - 5.37397155531e-2F;
  p = p * s + 1.33314422036e-1F;
  p = p * s - 3.33332819422e-1F;
  v16 low = z + z * s * p, high = 1 - 2 / (exp_of(2 * z) + 1);
  i16 above = z > 0.625F;
  return (v16)(((i16)high & above) | ((i16)low & ~above));
}
#endif

INLINE v16 tanh_of_any(v16 x) { return with_sign(tanh_positive(magnitude(x)), sign_bits(x)); }
#endif
