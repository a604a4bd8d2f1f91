#ifndef NAS_BENCH_PEAK_H
#define NAS_BENCH_PEAK_H
/* A loop of independent multiply-adds, compiled once per instruction set; gives the operations it made. */
#include <stdint.h>

double bench_peak_baseline(int64_t rounds);
double bench_peak_x86_v3(int64_t rounds);
double bench_peak_x86_v4(int64_t rounds);
#endif
