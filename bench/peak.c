#include "peak.h"

#include "train/kernels/vector.h"

/* As many sums of 16 as the registers hold: enough to hide the latency of a multiply-add. */
#if defined(__AVX512F__)
enum { SUMS = 12 };
#elif defined(__AVX2__) || defined(__aarch64__)
enum { SUMS = 5 };
#else
enum { SUMS = 3 };
#endif

#define BENCH_JOIN_(name, isa) bench_##name##_##isa
#define BENCH_JOIN(name, isa)  BENCH_JOIN_(name, isa)

double BENCH_JOIN(peak, NAS_ISA)(int64_t rounds) {
  v16 sum[SUMS], factor = (v16){0} + 0.999f, more = (v16){0} + 1e-4f;
  for (int i = 0; i < SUMS; i++) sum[i] = (v16){0} + (float)i;
  for (int64_t r = 0; r < rounds; r++)
    for (int i = 0; i < SUMS; i++) sum[i] = sum[i] * factor + more;
  for (int i = 1; i < SUMS; i++) sum[0] += sum[i];
  volatile float used = sum[0][0];
  (void)used;
  return 2.0 * 16 * SUMS * (double)rounds;
}
