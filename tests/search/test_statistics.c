/* Against published tables and against figures computed elsewhere: scipy 1.10.1 (scipy.stats.wilcoxon) and numpy 1.24.2
 * (quantile, std). */
#include "search/statistics.h"

#include <math.h>
#include <string.h>

#include "harness.h"

static nas_wilcoxon wilcoxon(const double *d, size_t n) {
  nas_wilcoxon w;
  assert_ok(nas_wilcoxon_test(d, n, &w, nas_test_err()));
  return w;
}

static void moments_and_quantiles_are_numpys(void **state) {
  (void)state;
  double x[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
  const size_t n = sizeof x / sizeof *x;
  assert_close(nas_mean(x, n), 4, 1e-15);
  assert_close(nas_deviation(x, n), 2.3664319132398464, 1e-15);
  nas_sort(x, n);
  assert_close(nas_quantile(x, n, 0.25), 2.5, 1e-15);
  assert_close(nas_quantile(x, n, 0.333), 3.0, 1e-15);
  assert_close(nas_quantile(x, n, 0.75), 5, 1e-15);
  assert_close(nas_quantile(x, n, 0), 1, 0);
  assert_close(nas_quantile(x, n, 1), 9, 0);
  assert_true(isnan(nas_mean(x, 0)) && isnan(nas_deviation(x, 1)) && isnan(nas_quantile(x, 0, 0.5)));
}

static void quantiles_know_infinity(void **state) {
  (void)state;
  double x[] = {INFINITY, 1, INFINITY, 2};
  nas_sort(x, 4);
  assert_close(nas_quantile(x, 4, 0), 1, 0);
  assert_close(nas_quantile(x, 4, 1.0 / 3), 2, 0);
  assert_true(isinf(nas_quantile(x, 4, 0.5)));
  assert_true(isinf(nas_quantile(x, 4, 1)));
}

/* Darwin's cross- and self-fertilised maize, the example of scipy's own manual: statistic 24, p 0.041259765625. */
static void wilcoxon_of_darwins_maize(void **state) {
  (void)state;
  const double d[] = {6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75};
  nas_wilcoxon w = wilcoxon(d, 15);
  assert_close(w.w, 24, 0);
  assert_close(w.p, 0.041259765625, 1e-15);
  assert_int_equal(w.n, 15);
}

/* M. Hollander, D. Wolfe, Nonparametric Statistical Methods, 1973, p. 29 (depression scores; also the example of R's
 * wilcox.test, V = 40 of 45): one-sided p 0.01953. */
static void wilcoxon_of_depression_scores(void **state) {
  (void)state;
  const double d[] = {1.83 - 0.878, 0.50 - 0.647, 1.62 - 0.598, 2.48 - 2.05, 1.68 - 1.06,
                      1.88 - 1.29,  1.55 - 1.06,  3.06 - 3.14,  1.30 - 1.29};
  nas_wilcoxon w = wilcoxon(d, 9);
  assert_close(w.w, 5, 0);
  assert_close(w.p, 0.0390625, 1e-15);
}

/* Differences 1..n with the negative ones chosen so that their ranks sum to `sum`. */
static double p_of_rank_sum(int n, int sum) {
  double d[NAS_WILCOXON_EXACT];
  for (int i = n; i >= 1; i--) {
    bool negative = i <= sum;
    if (negative) sum -= i;
    d[i - 1] = negative ? -i : i;
  }
  assert_int_equal(sum, 0);
  return wilcoxon(d, (size_t)n).p;
}

/* Critical values of the published tables: the largest rank sum that is significant at the two-sided level. */
static void wilcoxon_has_the_tabulated_critical_values(void **state) {
  (void)state;
  static const struct {
    int n, at_5_percent, at_1_percent;
  } table[] = {{8, 3, 0},    {9, 5, 1},    {10, 8, 3},   {11, 10, 5},  {12, 13, 7},
               {13, 17, 9},  {14, 21, 12}, {15, 25, 15}, {16, 29, 19}, {17, 34, 23},
               {18, 40, 27}, {19, 46, 32}, {20, 52, 37}, {25, 89, 68}, {30, 137, 109}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    int n = table[i].n;
    assert_true(p_of_rank_sum(n, table[i].at_5_percent) <= 0.05);
    assert_true(p_of_rank_sum(n, table[i].at_5_percent + 1) > 0.05);
    assert_true(p_of_rank_sum(n, table[i].at_1_percent) <= 0.01);
    assert_true(p_of_rank_sum(n, table[i].at_1_percent + 1) > 0.01);
  }
  assert_close(p_of_rank_sum(5, 0), 0.0625, 1e-15); /* five differences can never reach 5 % */
}

static void wilcoxon_is_exact_up_to_fifty(void **state) {
  (void)state;
  double d[50];
  for (int i = 0; i < 40; i++) d[i] = (i % 3 ? 1 : -1) * (i + 1);
  assert_close(wilcoxon(d, 40).w, 287, 0);
  assert_close(wilcoxon(d, 40).p, 0.1000314528009767, 1e-14);
  for (int i = 0; i < 50; i++) d[i] = (i % 5 ? 1 : -1) * (i + 1);
  assert_close(wilcoxon(d, 50).w, 235, 0);
  assert_close(wilcoxon(d, 50).p / 5.121092026350027e-05, 1, 1e-12);
}

/* Enumerated over all choices of signs. */
static void wilcoxon_with_ties_is_exact_too(void **state) {
  (void)state;
  const double a[] = {1, 1, -2, 2, 3, -3, 4, 5, 5, 6}, b[] = {2, 2, 2, -2, 2, 2, 1}, c[] = {1, -1};
  assert_close(wilcoxon(a, 10).w, 9, 0);
  assert_close(wilcoxon(a, 10).p, 0.0625, 1e-15);
  assert_close(wilcoxon(b, 7).w, 4.5, 0);
  assert_close(wilcoxon(b, 7).p, 0.125, 1e-15);
  assert_close(wilcoxon(c, 2).p, 1, 1e-15);
}

/* Normal approximation, with ties and two zeros, and without. */
static void wilcoxon_of_many_is_scipys(void **state) {
  (void)state;
  double d[500];
  for (int i = 0; i < 80; i++) d[i] = ((i * 37) % 41 - 18) / 4.0;
  nas_wilcoxon w = wilcoxon(d, 80);
  assert_int_equal(w.n, 78);
  assert_close(w.w, 1197, 0);
  assert_close(w.p, 0.08701746609905235, 1e-13);
  for (int i = 0; i < 101; i++) d[i] = ((i * 13) % 101 - 20) / 8.0;
  w = wilcoxon(d, 101);
  assert_int_equal(w.n, 100);
  assert_close(w.w, 410, 0);
  assert_close(w.p / 3.5377237881803344e-13, 1, 1e-9);
  for (int i = 0; i < 500; i++) d[i] = i + 1;
  assert_close(wilcoxon(d, 500).p / 1.2647189486921487e-83, 1, 1e-9);
}

static void wilcoxon_of_nothing_is_no_evidence(void **state) {
  (void)state;
  const double zeros[3] = {0, 0, 0};
  assert_close(wilcoxon(zeros, 3).p, 1, 0);
  assert_close(wilcoxon(zeros, 0).p, 1, 0);
  assert_int_equal(wilcoxon(zeros, 3).n, 0);
}

/* The mean of n numbers varies by deviation / sqrt(n); the interval is 1.96 of that to each side. */
static void bootstrap_agrees_with_the_normal_theory(void **state) {
  (void)state;
  enum { N = 400, RESAMPLES = 20000 };
  double d[N];
  nas_rng rng = nas_rng_make(3, 0, NAS_STREAM_SAMPLE);
  for (int i = 0; i < N; i++) d[i] = 0.1 + nas_rng_normal(rng, (uint64_t)i);
  nas_bootstrap b;
  assert_ok(nas_bootstrap_test(d, N, RESAMPLES, nas_rng_make(1, 2, NAS_STREAM_RESAMPLE), &b, nas_test_err()));
  double mean = nas_mean(d, N), error = sqrt((N - 1.0) / N) * nas_deviation(d, N) / sqrt(N);
  assert_close(b.mean, mean, 1e-15);
  assert_close(b.low, mean - 1.96 * error, 0.005);
  assert_close(b.high, mean + 1.96 * error, 0.005);
  assert_close(b.p, erfc(fabs(mean) / error / sqrt(2)), 0.02);
}

static void bootstrap_has_its_extremes(void **state) {
  (void)state;
  nas_bootstrap b;
  const double zeros[4] = {0}, same[5] = {0.1, 0.1, 0.1, 0.1, 0.1};
  assert_ok(nas_bootstrap_test(zeros, 4, 99, nas_rng_make(1, 0, NAS_STREAM_RESAMPLE), &b, nas_test_err()));
  assert_close(b.p, 1, 0);
  assert_ok(nas_bootstrap_test(same, 5, 99, nas_rng_make(1, 0, NAS_STREAM_RESAMPLE), &b, nas_test_err()));
  assert_close(b.p, 0.01, 1e-15);
  assert_close(b.low, 0.1, 1e-15);
}

static void bootstrap_is_a_function_of_its_stream(void **state) {
  (void)state;
  double d[30];
  for (int i = 0; i < 30; i++) d[i] = (i * 7) % 11 - 4;
  nas_bootstrap a, b, c;
  assert_ok(nas_bootstrap_test(d, 30, 500, nas_rng_make(1, 0, NAS_STREAM_RESAMPLE), &a, nas_test_err()));
  assert_ok(nas_bootstrap_test(d, 30, 500, nas_rng_make(1, 0, NAS_STREAM_RESAMPLE), &b, nas_test_err()));
  assert_ok(nas_bootstrap_test(d, 30, 500, nas_rng_make(2, 0, NAS_STREAM_RESAMPLE), &c, nas_test_err()));
  assert_memory_equal(&a, &b, sizeof a);
  assert_true(a.low != c.low || a.high != c.high || a.p != c.p);
}

/* By hand: 0.005 x 4; 0.01 x 3; 0.03 x 2; 0.04 x 1, not below the one before. */
static void holm_adjusts_stepwise(void **state) {
  (void)state;
  double p[] = {0.01, 0.04, NAN, 0.03, 0.005}, large[] = {0.6, 0.9};
  assert_ok(nas_holm(p, 5, nas_test_err()));
  assert_close(p[4], 0.02, 1e-15);
  assert_close(p[0], 0.03, 1e-15);
  assert_close(p[3], 0.06, 1e-15);
  assert_close(p[1], 0.06, 1e-15);
  assert_true(isnan(p[2]));
  assert_ok(nas_holm(large, 2, nas_test_err()));
  assert_close(large[0], 1, 0);
  assert_close(large[1], 1, 0);
}

NAS_SUITE(Statistics, NAS_CASE(moments_and_quantiles_are_numpys), NAS_CASE(quantiles_know_infinity),
          NAS_CASE(wilcoxon_of_darwins_maize), NAS_CASE(wilcoxon_of_depression_scores),
          NAS_CASE(wilcoxon_has_the_tabulated_critical_values), NAS_CASE(wilcoxon_is_exact_up_to_fifty),
          NAS_CASE(wilcoxon_with_ties_is_exact_too), NAS_CASE(wilcoxon_of_many_is_scipys),
          NAS_CASE(wilcoxon_of_nothing_is_no_evidence), NAS_CASE(bootstrap_agrees_with_the_normal_theory),
          NAS_CASE(bootstrap_has_its_extremes), NAS_CASE(bootstrap_is_a_function_of_its_stream),
          NAS_CASE(holm_adjusts_stepwise))
