#ifndef NAS_BENCH_MEDIAN_H
#define NAS_BENCH_MEDIAN_H
#include <stdlib.h>

static inline int bench_ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Sorts the values; 0 where there are none. */
static inline double median(double *values, int n) {
  if (n == 0) return 0;
  qsort(values, (size_t)n, sizeof *values, bench_ascending);
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
#endif
