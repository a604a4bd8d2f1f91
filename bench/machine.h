#ifndef NAS_BENCH_MACHINE_H
#define NAS_BENCH_MACHINE_H
/* What one core of this machine can do at most, measured: the yardstick for "percent of peak". */

/* Fused multiply-adds in f32 vectors, all in registers: 10^9 floating-point operations a second (2 per multiply-add).
 */
double machine_peak_gflops(void);
/* a[i] = b[i] + s c[i] over arrays that no cache holds: 10^9 bytes a second, three streams counted. */
double machine_triad_gbytes(void);
#endif
