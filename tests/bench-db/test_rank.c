/* Rank correlation against counting every pair, and the verbs that use it. */
#include "bench-db/rank.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "bench-db/query.h"
#include "fixture.h"

static double plain_kendall(const double *x, const double *y, size_t n) {
  double balance = 0, x_pairs = 0, y_pairs = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t k = i + 1; k < n; k++) {
      double a = (x[i] > x[k]) - (x[i] < x[k]), b = (y[i] > y[k]) - (y[i] < y[k]);
      balance += a * b, x_pairs += a != 0, y_pairs += b != 0;
    }
  return balance / sqrt(x_pairs * y_pairs);
}

static double mean_rank(const double *x, size_t n, size_t of) {
  double below = 0, same = 0;
  for (size_t i = 0; i < n; i++) below += x[i] < x[of], same += x[i] == x[of];
  return below + (same + 1) / 2;
}

static double plain_pearson(const double *x, const double *y, size_t n) {
  double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < n; i++) mx += x[i] / (double)n, my += y[i] / (double)n;
  for (size_t i = 0; i < n; i++)
    xx += (x[i] - mx) * (x[i] - mx), yy += (y[i] - my) * (y[i] - my), xy += (x[i] - mx) * (y[i] - my);
  return xy / sqrt(xx * yy);
}

enum { N = 300 };

static void matches_counting_every_pair(void **state) {
  (void)state;
  for (uint32_t levels = 3; levels < 200; levels *= 3) {
    double x[N + 1], y[N + 1], rx[N], ry[N];
    nas_rng rng = nas_rng_make(5, levels, NAS_STREAM_RESAMPLE);
    for (size_t i = 0; i < N; i++) {
      x[i] = (double)nas_rng_below(rng, 2 * i, levels);
      y[i] = x[i] + (double)nas_rng_below(rng, 2 * i + 1, levels);
    }
    x[N] = 5, y[N] = (double)NAN;
    for (size_t i = 0; i < N; i++) rx[i] = mean_rank(x, N, i), ry[i] = mean_rank(y, N, i);
    nas_ranks r;
    assert_ok(nas_rank_correlate(x, y, N + 1, 200, 1, &r, nas_test_err()));
    assert_int_equal(r.n, N);
    assert_close(r.kendall.value, plain_kendall(x, y, N), 1e-12);
    assert_close(r.spearman.value, plain_pearson(rx, ry, N), 1e-12);
    assert_close(r.pearson.value, plain_pearson(x, y, N), 1e-12);
    assert_true(r.kendall.low < r.kendall.value && r.kendall.value < r.kendall.high);
    assert_true(r.spearman.high - r.spearman.low < 0.3 && r.spearman.high > r.spearman.low);
  }
}

static void ends_of_the_scale(void **state) {
  (void)state;
  const double up[] = {1, 2, 3, 4}, down[] = {4, 3, 2, 1}, flat[] = {1, 1, 1, 1}, inf[] = {1, 2, 3, INFINITY};
  nas_ranks r;
  assert_ok(nas_rank_correlate(up, up, 4, 0, 1, &r, nas_test_err()));
  assert_close(r.kendall.value, 1, 1e-15);
  assert_close(r.spearman.value, 1, 1e-15);
  assert_true(isnan(r.kendall.low));
  assert_ok(nas_rank_correlate(up, down, 4, 0, 1, &r, nas_test_err()));
  assert_close(r.kendall.value, -1, 1e-15);
  assert_ok(nas_rank_correlate(up, flat, 4, 50, 1, &r, nas_test_err()));
  assert_true(isnan(r.kendall.value) && isnan(r.spearman.value) && isnan(r.pearson.value) && isnan(r.spearman.low));
  assert_ok(nas_rank_correlate(up, inf, 4, 0, 1, &r, nas_test_err()));
  assert_close(r.spearman.value, 1, 1e-15);
  assert_ok(nas_rank_correlate(up, up, 1, 5, 1, &r, nas_test_err()));
  assert_true(r.n == 1 && isnan(r.kendall.value));
}

NAS_SUITE(DbRank, NAS_CASE(matches_counting_every_pair), NAS_CASE(ends_of_the_scale))
