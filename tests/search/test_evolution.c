#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "drive.h"
#include "harness.h"

static int distance(const nas_arch *a, const nas_arch *b) {
  int d = 0;
  for (int i = 0; i < a->n; i++) d += a->gene[i] != b->gene[i];
  return d;
}

static nas_arch uniform_arch(uint8_t choice) {
  nas_arch a = {.n = 6};
  memset(a.gene, choice, 6);
  return a;
}

static void tell(nas_strategy *s, uint64_t number, nas_arch arch, nas_outcome outcome, double accuracy) {
  nas_tell t = {.number = number, .arch = arch, .outcome = outcome, .valid_accuracy = accuracy};
  assert_ok(nas_strategy_tell(s, &t, nas_test_err()));
}

static void ask_some(nas_strategy *s, uint64_t n) {
  nas_arch ignored;
  for (uint64_t k = 0; k < n; k++) assert_ok(nas_strategy_ask(s, k, &ignored, nas_test_err()));
}

/* Population 2, sample 2. Told A (90), B (80), C (70) in this order, the population is {B, C}: A is the best, but it is
 * the oldest of three. A tournament draws two with replacement, so C wins only when it is drawn twice: one in four. */
static void the_oldest_leaves_even_if_it_is_the_best(void **state) {
  (void)state;
  enum { N = 800 };
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("regularized-evolution", "population=2\nsample=2\n", space, 1);
  nas_arch a = uniform_arch(0), b = uniform_arch(1), c = uniform_arch(2), child;
  ask_some(s, 3);
  tell(s, 0, a, NAS_OUTCOME_OK, 90);
  tell(s, 1, b, NAS_OUTCOME_OK, 80);
  tell(s, 2, c, NAS_OUTCOME_OK, 70);
  int of_b = 0, of_c = 0;
  for (uint64_t k = 3; k < 3 + N; k++) {
    assert_ok(nas_strategy_ask(s, k, &child, nas_test_err()));
    of_b += distance(&child, &b) == 1;
    of_c += distance(&child, &c) == 1;
  }
  assert_int_equal(of_b + of_c, N);
  assert_in_range(of_c, 200 - 61, 200 + 61); /* 5 standard deviations of 12.2 */
  nas_strategy_close(s);
  nas_space_close(space);
}

/* Age is the order of the results, not of the asks: with the tells 2, 0, 1 it is ask 2 that leaves. */
static void age_is_the_order_of_results(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("regularized-evolution", "population=2\nsample=2\n", space, 1);
  nas_arch a = uniform_arch(0), b = uniform_arch(1), c = uniform_arch(2), child;
  ask_some(s, 3);
  tell(s, 2, c, NAS_OUTCOME_OK, 99);
  tell(s, 0, a, NAS_OUTCOME_OK, 90);
  tell(s, 1, b, NAS_OUTCOME_OK, 80);
  for (uint64_t k = 3; k < 100; k++) {
    assert_ok(nas_strategy_ask(s, k, &child, nas_test_err()));
    assert_true(distance(&child, &a) == 1 || distance(&child, &b) == 1);
  }
  nas_strategy_close(s);
  nas_space_close(space);
}

static void failures_never_win_nor_push_anyone_out(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("regularized-evolution", "population=2\nsample=2\n", space, 1);
  nas_arch a = uniform_arch(0), b = uniform_arch(1), child;
  ask_some(s, 6);
  tell(s, 0, a, NAS_OUTCOME_OK, 10);
  tell(s, 1, b, NAS_OUTCOME_CRASHED, 99);
  tell(s, 2, b, NAS_OUTCOME_TIMEOUT, NAN);
  tell(s, 3, b, NAS_OUTCOME_DIVERGED, 99);
  tell(s, 4, b, NAS_OUTCOME_OK, NAN);
  for (uint64_t k = 6; k < 60; k++) {
    assert_ok(nas_strategy_ask(s, k, &child, nas_test_err()));
    assert_int_equal(distance(&child, &a), 1);
  }
  nas_strategy_close(s);
  nas_space_close(space);
}

/* The first `population` asks do not depend on results; the next one does. */
static void begins_with_random_architectures(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *s = nas_drive_open("regularized-evolution", "population=8\nsample=3\n", space, 4);
  nas_strategy *blind = nas_drive_open("regularized-evolution", "population=8\nsample=3\n", space, 4);
  for (uint64_t k = 0; k < 9; k++) {
    nas_arch x, y;
    assert_ok(nas_strategy_ask(s, k, &x, nas_test_err()));
    assert_ok(nas_strategy_ask(blind, k, &y, nas_test_err()));
    if (k < 8) {
      assert_true(nas_arch_same(&x, &y));
      tell(s, k, uniform_arch(1), NAS_OUTCOME_OK, 50);
    } else {
      nas_arch parent = uniform_arch(1);
      assert_int_equal(distance(&x, &parent), 1);
    }
  }
  nas_strategy_close(s);
  nas_strategy_close(blind);
  nas_space_close(space);
}

static void copies_and_mutates_as_often_as_told(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_strategy *copy = nas_drive_open("regularized-evolution", "population=2\nsample=1\nidentity=1\n", space, 1);
  nas_strategy *many = nas_drive_open("regularized-evolution", "population=2\nsample=1\nmutations=3\n", space, 1);
  nas_arch a = uniform_arch(2), child;
  ask_some(copy, 2);
  ask_some(many, 2);
  tell(copy, 0, a, NAS_OUTCOME_OK, 10);
  tell(many, 0, a, NAS_OUTCOME_OK, 10);
  int farthest = 0;
  for (uint64_t k = 2; k < 60; k++) {
    assert_ok(nas_strategy_ask(copy, k, &child, nas_test_err()));
    assert_true(nas_arch_same(&child, &a));
    assert_ok(nas_strategy_ask(many, k, &child, nas_test_err()));
    if (distance(&child, &a) > farthest) farthest = distance(&child, &a);
  }
  assert_int_equal(farthest, 3);
  nas_strategy_close(copy);
  nas_strategy_close(many);
  nas_space_close(space);
}

static void refuses_a_sample_above_the_population(void **state) {
  (void)state;
  nas_space *space = nas_drive_space();
  nas_settings wrong = {0};
  nas_strategy *s;
  assert_ok(nas_settings_parse(&wrong, "population=4\nsample=5\n", "the test", nas_test_err()));
  assert_fails(nas_strategy_open("regularized-evolution", &wrong, space, 0, &s, nas_test_err()), NAS_E_OUT_OF_RANGE,
               "must not exceed population (4)");
  nas_settings_free(&wrong);
  nas_space_close(space);
}

/* ---- on the published table ---- */

static float *valid_accuracies(void) {
  const char *path = nas_shared_file("data/nb201/nb201.csv.gz");
  float *column = calloc(15625, sizeof *column);
  gzFile f = gzopen(path, "rb");
  char line[1024];
  int n = 0;
  assert_non_null(f);
  assert_non_null(gzgets(f, line, sizeof line));
  while (gzgets(f, line, sizeof line)) {
    char *field = line;
    int index = atoi(line);
    for (int i = 0; i < 11; i++) field = strchr(field, ',') + 1; /* c10_valid_acc_12 */
    column[index] = (float)atof(field);
    n++;
  }
  gzclose(f);
  assert_int_equal(n, 15625);
  return column;
}

/* The best and the last 50 of `asks` evaluations, one worker. */
static void search_table(const char *name, const nas_space *space, const float *table, uint64_t seed, int asks,
                         double *best, double *late) {
  nas_strategy *s = nas_drive_open(name, NULL, space, seed);
  *best = *late = 0;
  for (int k = 0; k < asks; k++) {
    nas_arch arch;
    uint64_t index;
    assert_ok(nas_strategy_ask(s, (uint64_t)k, &arch, nas_test_err()));
    assert_true(nas_space_index(space, &arch, &index));
    double accuracy = table[index];
    tell(s, (uint64_t)k, arch, NAS_OUTCOME_OK, accuracy);
    *best = fmax(*best, accuracy);
    if (k >= asks - 50) *late += accuracy / 50;
  }
  nas_strategy_close(s);
}

static void beats_random_search_on_the_published_table(void **state) {
  (void)state;
  enum { RUNS = 40, ASKS = 200 };
  float *table = valid_accuracies();
  nas_space *space = nas_drive_space();
  double best[2] = {0}, late[2] = {0};
  const char *const names[2] = {"regularized-evolution", "random"};
  for (int i = 0; i < 2; i++)
    for (uint64_t seed = 0; seed < RUNS; seed++) {
      double b, l;
      search_table(names[i], space, table, seed, ASKS, &b, &l);
      best[i] += b / RUNS;
      late[i] += l / RUNS;
    }
  print_message("best of %d: evolution %.3f, random %.3f; last 50: %.2f, %.2f\n", ASKS, best[0], best[1], late[0],
                late[1]);
  assert_true(best[0] > best[1] + 0.1);
  assert_true(late[0] > late[1] + 8);
  free(table);
  nas_space_close(space);
}

/* Accuracy rises with every convolution, and a 3x3 one takes three times as long as a 1x1 one for it: what evolves
 * towards the front drops 3x3. The evaluator's own metric counts; trials without it are as good as failed. */
static double wide_share(const char *settings, uint64_t *told) {
  enum { ASKS = 600, LATE = 300, WIDE = 3, NARROW = 2 };
  static const char *const delivered[] = {"peak_bytes", "latency", NULL};
  nas_space *space = nas_drive_space();
  const nas_strategy_setup setup = {.space = space, .seed = 4, .metrics = delivered};
  nas_settings list = {0};
  nas_strategy *s;
  int wide = 0, narrow = 0;
  assert_ok(nas_settings_parse(&list, settings, "the test", nas_test_err()));
  assert_ok(nas_strategy_open_with("nsga2", &list, &setup, &s, nas_test_err()));
  for (uint64_t k = 0; k < ASKS; k++) {
    nas_arch arch;
    assert_ok(nas_strategy_ask(s, k, &arch, nas_test_err()));
    int n_wide = 0, n_narrow = 0;
    for (uint8_t g = 0; g < arch.n; g++) n_wide += arch.gene[g] == WIDE, n_narrow += arch.gene[g] == NARROW;
    if (k >= LATE) wide += n_wide, narrow += n_narrow;
    nas_metric metric = {.name = "latency", .value = 0.001 * (1 + 3 * n_wide + n_narrow)};
    const nas_tell t = {.number = k,
                        .arch = arch,
                        .valid_accuracy = 40 + 5 * (n_wide + n_narrow),
                        .metrics = &metric,
                        .n_metrics = k % 5 != 4};
    assert_ok(nas_strategy_tell(s, &t, nas_test_err()));
    ++*told;
  }
  nas_strategy_close(s);
  nas_settings_free(&list);
  nas_space_close(space);
  return (double)wide / (wide + narrow);
}

static void nsga2_evolves_towards_short_latency(void **state) {
  (void)state;
  uint64_t told = 0;
  double with = wide_share("objectives=valid_accuracy,latency\npopulation=20\nduplicates=allow\n", &told),
         without = wide_share("objectives=valid_accuracy\npopulation=20\nduplicates=allow\n", &told);
  assert_int_equal(told, 1200);
  assert_true(with < 0.15);
  assert_in_range(100 * without, 25, 75); /* they are the same to it */
  nas_space *space = nas_drive_space();
  const nas_strategy_setup setup = {.space = space, .seed = 4};
  nas_settings list = {0};
  nas_strategy *s;
  assert_ok(nas_settings_put(&list, "objectives", "valid_accuracy,latency", "the test", nas_test_err()));
  assert_fails(nas_strategy_open_with("nsga2", &list, &setup, &s, nas_test_err()), NAS_E_UNKNOWN_NAME,
               "delivers no objective 'latency'");
  nas_settings_free(&list);
  nas_space_close(space);
}

NAS_SUITE(RegularizedEvolution, NAS_CASE(the_oldest_leaves_even_if_it_is_the_best),
          NAS_CASE(age_is_the_order_of_results), NAS_CASE(failures_never_win_nor_push_anyone_out),
          NAS_CASE(begins_with_random_architectures), NAS_CASE(copies_and_mutates_as_often_as_told),
          NAS_CASE(refuses_a_sample_above_the_population), NAS_CASE(beats_random_search_on_the_published_table),
          NAS_CASE(nsga2_evolves_towards_short_latency))
