/* The parts that models are made of, against results worked out by hand. */
#include <math.h>
#include <stdlib.h>

#include "drive.h"
#include "harness.h"
#include "search/gaussian.h"
#include "search/objectives.h"
#include "search/paths.h"

/* Two points of correlation r with noise s, values y, -y: the posterior in closed form. */
static void a_process_of_two_points(void **state) {
  (void)state;
  const double r = 0.4, s = 0.1, y[2] = {1.5, -1.5}, k[2] = {0.7, 0.2};
  nas_gaussian g;
  double first[1] = {0}, second[1] = {r}, v[2] = {k[0], k[1]}, mean, variance;
  assert_ok(nas_gaussian_open(&g, 2, nas_test_err()));
  nas_gaussian_add(&g, first, s);
  nas_gaussian_add(&g, second, s);
  nas_gaussian_values(&g, y);
  nas_gaussian_predict(&g, v, 1, &mean, &variance);
  double a = 1 + s, det = a * a - r * r;
  double scale2 = (2 * a * y[0] * y[0] + 2 * r * y[0] * y[0]) / det / 2;
  assert_close(g.scale2, scale2, 1e-12);
  assert_close(mean, ((k[0] * a - k[1] * r) * y[0] + (k[1] * a - k[0] * r) * y[1]) / det, 1e-12);
  double explained = (k[0] * k[0] * a - 2 * k[0] * k[1] * r + k[1] * k[1] * a) / det;
  assert_close(variance, scale2 * (1 - explained), 1e-12);
  assert_close(nas_gaussian_likelihood(&g), -log(scale2) - 0.5 * log(det), 1e-12);
  nas_gaussian_free(&g);
}

/* Six points in two objectives: fronts {0,1,2}, {3,4}, {5}; crowding by the published formula. */
static void pareto_fronts_and_crowding(void **state) {
  (void)state;
  const double points[12] = {1, 5, 2, 3, 5, 1, 2, 6, 5, 3, 6, 6};
  uint32_t rank[6];
  const uint32_t fronts[6] = {0, 0, 0, 1, 1, 2};
  double crowding[6];
  assert_ok(nas_pareto_rank(points, 6, 2, rank, crowding, nas_test_err()));
  for (int i = 0; i < 6; i++) assert_int_equal(rank[i], fronts[i]);
  assert_true(isinf(crowding[0]) && isinf(crowding[2]));
  assert_close(crowding[1], (5 - 1) / 4.0 + (5 - 1) / 4.0, 1e-12);
}

static void objectives_are_checked_before_the_first_trial(void **state) {
  (void)state;
  static const char *const metrics[] = {"latency", NULL};
  const nas_strategy_setup setup = {.metrics = metrics};
  nas_objectives o;
  assert_ok(nas_objectives_parse("valid_accuracy,latency", &setup, "x", &o, nas_test_err()));
  assert_int_equal(o.n, 2);
  assert_fails(nas_objectives_parse("parms", &setup, "x", &o, nas_test_err()), NAS_E_UNKNOWN_NAME, "'params'");
  assert_fails(nas_objectives_parse("test_accuracy", &setup, "x", &o, nas_test_err()), NAS_E_UNKNOWN_NAME,
               "no objective");
  assert_fails(nas_objectives_parse("params,params", &setup, "x", &o, nas_test_err()), NAS_E_BAD_INPUT, "twice");
  assert_fails(nas_objectives_parse("params,", &setup, "x", &o, nas_test_err()), NAS_E_BAD_INPUT, "joined by");
}

/* 5 + 25 + 125 sequences; a cell of skips has the paths of one, two and three skips; one of `none` has no path. */
static void paths_of_a_cell(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_paths p;
  nas_features f;
  nas_arch arch = {.n = 6};
  nas_paths_of(space, true, &p);
  assert_int_equal(p.width, 155);
  nas_paths_features(&p, &arch, &f);
  assert_int_equal(f.n, 0); /* choice 0 is none */
  for (int i = 0; i < 6; i++) arch.gene[i] = 1;
  nas_paths_features(&p, &arch, &f);
  assert_int_equal(f.n, 3);
  int found = 0;
  for (int i = 0; i < 3; i++) found += f.one[i] == 1 || f.one[i] == 5 + 6 || f.one[i] == 30 + 31;
  assert_int_equal(found, 3);
  nas_space_close(space);
}

NAS_SUITE(SearchModels, NAS_CASE(a_process_of_two_points), NAS_CASE(pareto_fronts_and_crowding),
          NAS_CASE(objectives_are_checked_before_the_first_trial), NAS_CASE(paths_of_a_cell))
