#ifndef NAS_BENCH_DB_RANK_H
#define NAS_BENCH_DB_RANK_H
/* Rank correlation of two figures over the same cells. */
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct nas_rank {
  double value;     /* NaN where one of the figures does not vary */
  double low, high; /* 95 % percentile interval of the bootstrap over cells; NaN without resamples */
} nas_rank;

typedef struct nas_ranks {
  size_t n; /* pairs of which both figures are numbers */
  nas_rank spearman, kendall, pearson;
} nas_ranks;

/* Spearman's rho with mean ranks for ties (C. Spearman, 1904), Kendall's tau-b (M. Kendall, "The treatment of ties in
 * ranking problems", Biometrika 1945; counted in n log n after W. Knight, JASA 1966) and Pearson's r of n pairs; pairs
 * with a NaN are left out, infinities count as ranks (and make r NaN). The intervals are of `resamples` bootstrap
 * samples of the pairs (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3), which depend
 * on the seed only. */
nas_status nas_rank_correlate(const double *x, const double *y, size_t n, size_t resamples, uint64_t seed,
                              nas_ranks *out, nas_err *err);
#endif
