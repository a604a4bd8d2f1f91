#ifndef NAS_SEARCH_STATISTICS_H
#define NAS_SEARCH_STATISTICS_H
/* Statistics of repeated runs: moments, quantiles, and tests of paired samples. Plain functions of arrays; random
 * numbers come from a counter-based stream, so that the same data give the same bits. */
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/status.h"

/* NaN for n = 0. */
double nas_mean(const double *x, size_t n);
/* Sample standard deviation (divisor n - 1); NaN for n < 2. */
double nas_deviation(const double *x, size_t n);

/* Sorts ascending; infinities are allowed, NaN is not. */
void nas_sort(double *x, size_t n);
/* Quantile q in 0..1 of sorted values, linear between order statistics (type 7 of Hyndman and Fan, "Sample quantiles in
 * statistical packages", The American Statistician 1996; the default of R and numpy). Between a finite and an infinite
 * value it is infinite. NaN for n = 0. */
double nas_quantile(const double *sorted, size_t n, double q);

/* The largest number of differences whose signed-rank distribution is computed exactly. */
enum { NAS_WILCOXON_EXACT = 50 };

typedef struct nas_wilcoxon {
  double w; /* the smaller of the two rank sums */
  double p; /* two-sided; 1 when no difference is left */
  size_t n; /* differences that are not zero */
} nas_wilcoxon;

/* Wilcoxon's signed-rank test of n paired differences (F. Wilcoxon, "Individual comparisons by ranking methods",
 * Biometrics Bulletin 1945). Zeros are dropped, ties share their mean rank. Up to NAS_WILCOXON_EXACT differences the
 * distribution over all signs is exact, with ties too; beyond, the normal approximation with the variance corrected
 * for ties and without continuity correction. NO_MEMORY is the only error. */
nas_status nas_wilcoxon_test(const double *differences, size_t n, nas_wilcoxon *out, nas_err *err);

typedef struct nas_bootstrap {
  double mean;      /* of the differences */
  double low, high; /* percentile interval of 95 % of that mean */
  double p;         /* two-sided, of the hypothesis that the mean is 0; at least 1 / (resamples + 1) */
} nas_bootstrap;

/* Paired bootstrap of n >= 1 differences: interval from the quantiles of the resampled means, p from the share of
 * resampled means, shifted to mean 0, that lie as far from 0 as the observed one (B. Efron, R. Tibshirani, "An
 * Introduction to the Bootstrap", 1993, sections 13.3 and 16.4). n below 2^32; resamples >= 1. */
nas_status nas_bootstrap_test(const double *differences, size_t n, size_t resamples, nas_rng rng, nas_bootstrap *out,
                              nas_err *err);

/* Replaces n p-values by those adjusted for testing all of them at once (S. Holm, "A simple sequentially rejective
 * multiple test procedure", Scandinavian Journal of Statistics 1979). NaN stays NaN and is not counted. */
nas_status nas_holm(double *p, size_t n, nas_err *err);
#endif
