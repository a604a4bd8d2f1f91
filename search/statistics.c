#include "search/statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

double nas_mean(const double *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i];
  return n ? sum / (double)n : NAN;
}

double nas_deviation(const double *x, size_t n) {
  if (n < 2) return NAN;
  double mean = nas_mean(x, n), squares = 0;
  for (size_t i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
  return sqrt(squares / (double)(n - 1));
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

void nas_sort(double *x, size_t n) {
  if (n > 1) qsort(x, n, sizeof *x, ascending);
}

double nas_quantile(const double *sorted, size_t n, double q) {
  if (!n) return NAN;
  double at = q * (double)(n - 1);
  size_t i = (size_t)at;
  double share = at - (double)i;
  /* Not a weighted sum: infinity times zero would be NaN. */
  if (share == 0 || i + 1 >= n || sorted[i] == sorted[i + 1]) return sorted[i];
  return isfinite(sorted[i + 1]) ? sorted[i] + share * (sorted[i + 1] - sorted[i]) : sorted[i + 1];
}

/* ---- Wilcoxon ---- */

typedef struct ranked {
  double size;
  bool positive;
} ranked;

static int by_size(const void *a, const void *b) {
  double x = ((const ranked *)a)->size, y = ((const ranked *)b)->size;
  return (x > y) - (x < y);
}

/* Ranks are kept doubled, so that the mean rank of a tie is whole. Gives the doubled rank sum of the positive ones and
 * the sum of t^3 - t over ties of t. */
static void rank_all(const ranked *r, size_t n, uint32_t *doubled, double *positive, double *ties) {
  *positive = *ties = 0;
  for (size_t i = 0, end; i < n; i = end) {
    for (end = i + 1; end < n && r[end].size == r[i].size; end++) {
    }
    double t = (double)(end - i);
    *ties += t * t * t - t;
    for (size_t k = i; k < end; k++) {
      doubled[k] = (uint32_t)(i + 1 + end);
      if (r[k].positive) *positive += doubled[k];
    }
  }
}

/* The share of the 2^n choices of signs whose doubled positive rank sum is at most `limit`. Counts stay below 2^50 and
 * are exact in a double. */
static double exact_tail(const uint32_t *doubled, size_t n, double limit) {
  enum { SUMS = NAS_WILCOXON_EXACT * (NAS_WILCOXON_EXACT + 1) + 1 };
  double ways[SUMS] = {1}, tail = 0;
  size_t highest = 0;
  for (size_t i = 0; i < n; i++) {
    for (size_t sum = highest + 1; sum-- > 0;)
      if (ways[sum] > 0) ways[sum + doubled[i]] += ways[sum];
    highest += doubled[i];
  }
  for (size_t sum = 0; sum <= highest && (double)sum <= limit; sum++) tail += ways[sum];
  return ldexp(tail, -(int)n);
}

nas_status nas_wilcoxon_test(const double *differences, size_t n, nas_wilcoxon *out, nas_err *err) {
  ranked *r = malloc((n + 1) * sizeof *r);
  uint32_t *doubled = malloc((n + 1) * sizeof *doubled);
  if (!r || !doubled) {
    free(r);
    free(doubled);
    return nas_fail_memory(err, "the ranks of a test");
  }
  size_t m = 0;
  for (size_t i = 0; i < n; i++)
    if (differences[i] != 0) r[m++] = (ranked){fabs(differences[i]), differences[i] > 0};
  *out = (nas_wilcoxon){.p = 1, .n = m};
  if (m) {
    qsort(r, m, sizeof *r, by_size);
    double positive, ties, count = (double)m, all = count * (count + 1);
    rank_all(r, m, doubled, &positive, &ties);
    double smaller = fmin(positive, all - positive);
    out->w = smaller / 2;
    if (m <= NAS_WILCOXON_EXACT) {
      out->p = fmin(1, 2 * exact_tail(doubled, m, smaller));
    } else {
      double variance = all * (2 * count + 1) / 24 - ties / 48;
      out->p = erfc((all / 4 - out->w) / sqrt(2 * variance));
    }
  }
  free(r);
  free(doubled);
  return NAS_OK;
}

/* ---- bootstrap ---- */

/* One block of the generator gives four places. */
static double resampled_mean(const double *x, size_t n, nas_rng rng, uint64_t first) {
  double sum = 0;
  uint32_t words[4] = {0};
  for (size_t i = 0; i < n; i++) {
    if (i % 4 == 0) nas_rng_block(rng, first + i / 4, words);
    sum += x[(uint64_t)words[i % 4] * n >> 32];
  }
  return sum / (double)n;
}

nas_status nas_bootstrap_test(const double *differences, size_t n, size_t resamples, nas_rng rng, nas_bootstrap *out,
                              nas_err *err) {
  double *means = malloc(resamples * sizeof *means);
  if (!means) return nas_fail_memory(err, "the resamples of a test");
  double mean = nas_mean(differences, n);
  /* Equal differences give resampled means that differ in the last bits only: those are no evidence. */
  double slack = 1e-12 * fabs(mean);
  size_t as_far = 0;
  for (size_t k = 0; k < resamples; k++) {
    means[k] = resampled_mean(differences, n, rng, (uint64_t)k * (n / 4 + 1));
    as_far += fabs(means[k] - mean) >= fabs(mean) - slack;
  }
  nas_sort(means, resamples);
  *out = (nas_bootstrap){.mean = mean,
                         .low = nas_quantile(means, resamples, 0.025),
                         .high = nas_quantile(means, resamples, 0.975),
                         .p = (double)(as_far + 1) / (double)(resamples + 1)};
  free(means);
  return NAS_OK;
}

/* ---- Holm ---- */

typedef struct ordered {
  double p;
  size_t at;
} ordered;

static int by_p(const void *a, const void *b) {
  const ordered *x = a, *y = b;
  if (x->p != y->p) return x->p < y->p ? -1 : 1;
  return (x->at > y->at) - (x->at < y->at);
}

nas_status nas_holm(double *p, size_t n, nas_err *err) {
  ordered *o = malloc((n + 1) * sizeof *o);
  if (!o) return nas_fail_memory(err, "the adjusted p-values");
  size_t m = 0;
  for (size_t i = 0; i < n; i++)
    if (!isnan(p[i])) o[m++] = (ordered){p[i], i};
  if (m) qsort(o, m, sizeof *o, by_p);
  double so_far = 0;
  for (size_t k = 0; k < m; k++) {
    so_far = fmax(so_far, fmin(1, (double)(m - k) * o[k].p));
    p[o[k].at] = so_far;
  }
  free(o);
  return NAS_OK;
}
