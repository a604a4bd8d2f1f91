/* Strategies held to published behaviour on the shared NAS-Bench-201 table: cifar10-valid, 20,000 simulated seconds. */
#include <math.h>
#include <stdlib.h>

#include "drive.h"
#include "harness.h"
#include "table.h"

enum { RUNS = 500 };
static const double budget = 20000;

/* Figures computed independently of this program: mean test accuracy and regret of 500 runs. */
static void matches(const char *name, const char *settings, double test, double test_std, double regret) {
  nas_nb201_table *table = nas_table_load();
  nas_space *space = nas_drive_space();
  nas_simulation *r = malloc(sizeof *r);
  assert_non_null(r);
  nas_simulate(table, space, name, settings, RUNS, budget, r);
  print_message("%s: %.1f evaluations, regret %.3f, test %.2f +- %.2f\n", name, r->evaluations, r->regret, r->test,
                r->test_std);
  if (!isnan(test)) assert_true(fabs(r->test - test) < 0.06);
  if (!isnan(test_std)) assert_true(fabs(r->test_std - test_std) < 0.06);
  if (!isnan(regret)) assert_true(fabs(r->regret - regret) < 0.06);
  free(r);
  free(table);
  nas_space_close(space);
}

static void random_search(void **state) {
  (void)state;
  matches("random", "unique=false\nrepeats=true\n", 90.79, 0.29, 0.918);
}

static void regularized_evolution(void **state) {
  (void)state;
  matches("regularized-evolution", NULL, 91.06, 0.29, 0.412);
}

static void reinforce(void **state) {
  (void)state;
  matches("reinforce", NULL, 90.86, 0.31, NAN);
}

static void local_search(void **state) {
  (void)state;
  matches("local-search", "duplicates=exact\n", NAN, NAN, 0.127);
}

/* Published order: model-based search beats evolution. Paired by seed, 100 runs: the mean difference of regrets lies
 * more than three standard errors below zero (p < 0.0014, one-sided; below 0.01 after Holm for five). */
static void beats_evolution(const char *name, const char *settings, double regret_at_most) {
  enum { PAIRS = 100 };
  nas_nb201_table *table = nas_table_load();
  nas_space *space = nas_drive_space();
  nas_simulation *r = malloc(2 * sizeof *r);
  assert_non_null(r);
  nas_simulate(table, space, name, settings, PAIRS, budget, &r[0]);
  nas_simulate(table, space, "regularized-evolution", NULL, PAIRS, budget, &r[1]);
  double mean = 0, square = 0;
  for (int i = 0; i < PAIRS; i++) mean += (r[0].regrets[i] - r[1].regrets[i]) / PAIRS;
  for (int i = 0; i < PAIRS; i++) square += pow(r[0].regrets[i] - r[1].regrets[i] - mean, 2);
  double error = sqrt(square / (PAIRS - 1) / PAIRS);
  print_message("%s: regret %.3f, evolution %.3f, difference %.3f +- %.3f\n", name, r[0].regret, r[1].regret, mean,
                error);
  assert_true(mean < -3 * error);
  assert_true(r[0].regret <= regret_at_most);
  free(r);
  free(table);
  nas_space_close(space);
}

static void local_search_beats_evolution(void **state) {
  (void)state;
  beats_evolution("local-search", NULL, 0.2);
}

static void tpe_beats_evolution(void **state) {
  (void)state;
  beats_evolution("tpe", NULL, 0.2);
}

static void gp_beats_evolution(void **state) {
  (void)state;
  beats_evolution("gp", NULL, 0.08);
}

static void bananas_beats_evolution(void **state) {
  (void)state;
  beats_evolution("bananas", NULL, 0.3);
}

NAS_SUITE(PublishedSearch_long, NAS_CASE(random_search), NAS_CASE(regularized_evolution), NAS_CASE(reinforce),
          NAS_CASE(local_search), NAS_CASE(local_search_beats_evolution), NAS_CASE(tpe_beats_evolution),
          NAS_CASE(gp_beats_evolution), NAS_CASE(bananas_beats_evolution))
