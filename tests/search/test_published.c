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

NAS_SUITE(PublishedSearch, NAS_CASE(random_search), NAS_CASE(regularized_evolution), NAS_CASE(reinforce),
          NAS_CASE(local_search))
