#include "machine.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "peak.h"
#include "train/kernels/kernels.h"

/* The same choice as the kernels'. */
static double (*peak_loop(void))(int64_t) {
  const char *isa = nas_kernels()->isa;
#ifdef NAS_KERNELS_X86
  if (strcmp(isa, "x86_v4") == 0) return bench_peak_x86_v4;
  if (strcmp(isa, "x86_v3") == 0) return bench_peak_x86_v3;
#endif
  (void)isa;
  return bench_peak_baseline;
}

double machine_peak_gflops(void) {
  double best = 0;
  for (int i = 0; i < 5; i++) {
    double start = nas_clock(), operations = peak_loop()(4000000), rate = 1e-9 * operations / (nas_clock() - start);
    if (rate > best) best = rate;
  }
  return best;
}

double machine_triad_gbytes(void) {
  int64_t n = 16 << 20;
  float *a = malloc((size_t)n * sizeof *a), *b = calloc((size_t)n, sizeof *b), *c = calloc((size_t)n, sizeof *c);
  double best = 0;
  for (int i = 0; a && b && c && i < 4; i++) { /* the first pass also makes the pages */
    for (int64_t k = 0; i == 0 && k < n; k++) a[k] = b[k] = c[k] = (float)k;
    double start = nas_clock();
    nas_kernels()->weighted_sum(a, b, (const float *const[]){c}, (const float[]){3}, 1, n);
    double rate = 1e-9 * 3 * 4 * (double)n / (nas_clock() - start);
    if (rate > best) best = rate;
  }
  free(a);
  free(b);
  free(c);
  return best;
}
