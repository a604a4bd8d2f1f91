/* `nascent replay` from the outside: what is printed, what is written, and the exit status. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "llm_run.h"
#include "replay_db.h"

#define BOTH "--strategy random,regularized-evolution "

static char *out, *talk;

/* Runs `nascent replay ARGS` in the case's folder; the texts live until the next run. */
static int replay(const char *args) {
  if (!nas_file_exists(nas_program())) nas_skip("the program is not built: cmake --build ... --target nascent");
  free(out);
  free(talk);
  out = talk = NULL;
  return nas_run(&out, &talk, "cd '%s' && '%s' replay %s", nas_test_folder(), nas_program(), args);
}

static void expect_ok(const char *args) {
  int status = replay(args);
  if (status != 0) fail_msg("nascent replay %s: exit %d: %s", args, status, talk ? talk : "");
}

static void expect_refusal(int status, const char *part, const char *args) {
  int got = replay(args);
  if (got != status || !talk || !strstr(talk, part))
    fail_msg("nascent replay %s: exit %d: %s", args, got, talk ? talk : "");
}

static int lines(const char *text) {
  int n = 0;
  for (const char *p = text; (p = strchr(p, '\n')); p++) n++;
  return n;
}

static json_t *parse(void) {
  json_error_t fault;
  json_t *root = json_loads(out, 0, &fault);
  if (!root) fail_msg("line %d: %s in %s", fault.line, fault.text, out);
  return root;
}

static void prints_one_object_with_everything(void **state) {
  (void)state;
  replay_db_make("t.db", true, true);
  expect_ok("t.db " BOTH "--seconds 300 --runs 20 --json -q");
  assert_int_equal(strncmp(out, "{\"schema\": \"nascent.replay\"", 27), 0);
  json_t *root = parse(), *strategies = json_object_get(root, "strategies");
  assert_int_equal(json_integer_value(json_object_get(root, "architectures")), REPLAY_CELLS);
  assert_int_equal(json_array_size(strategies), 2);
  static const char *const numbers[] = {"evaluations_mean", "valid_mean", "valid_std", "test_mean", "test_std"};
  for (size_t i = 0; i < 2; i++) {
    json_t *one = json_array_get(strategies, i);
    assert_string_equal(json_string_value(json_object_get(one, "name")), i ? "regularized-evolution" : "random");
    for (size_t k = 0; k < 5; k++) assert_true(json_is_number(json_object_get(one, numbers[k])));
    json_t *curve = json_object_get(one, "curve");
    json_t *last = json_array_get(curve, json_array_size(curve) - 1);
    assert_true(json_is_number(json_object_get(last, "seconds")));
    assert_true(json_is_number(json_object_get(json_object_get(last, "test_regret"), "median")));
  }
  assert_false(
      json_boolean_value(json_object_get(json_object_get(json_array_get(strategies, 0), "options"), "unique")));
  assert_int_equal(json_array_size(json_object_get(root, "differences")), 2);
  json_decref(root);
}

static void prints_tables(void **state) {
  (void)state;
  replay_db_make("t.db", true, true);
  expect_ok("t.db " BOTH "--budget 12 --runs 10");
  assert_non_null(strstr(out, "evaluations_mean  valid_mean"));
  assert_non_null(strstr(out, "p_holm"));
  expect_ok("t.db " BOTH "--budget 12 --runs 10 --csv");
  assert_int_equal(lines(out), 3);
  assert_int_equal(strncmp(out, "name,evaluations_mean,valid_mean,valid_std,test_mean,test_std,", 62), 0);
  expect_ok("t.db " BOTH "--budget 12 --runs 10 --csv --show runs");
  assert_int_equal(lines(out), 21);
  expect_ok("t.db " BOTH "--budget 12 --runs 10 --csv --show curves");
  assert_int_equal(lines(out), 1 + 2 * 12); /* whole evaluations */
  assert_int_equal(strncmp(out, "name,evaluations,", 17), 0);
  expect_ok("t.db " BOTH "--budget 12 --runs 10 --json-lines --show differences --test bootstrap");
  assert_int_equal(lines(out), 2);
}

/* With a budget of the whole table each run finds its best: no spread, no regret. */
static void finds_the_best_of_an_exhausted_table(void **state) {
  (void)state;
  replay_db_make("t.db", true, true);
  expect_ok("t.db --strategy random --budget 20000 --runs 3 --json");
  json_t *root = parse(), *one = json_array_get(json_object_get(root, "strategies"), 0);
  nas_epoch best = replay_db_epoch(7, REPLAY_REPORT, REPLAY_REPORT, 0);
  assert_close(json_number_value(json_object_get(one, "valid_mean")), best.valid_accuracy + 0.25, 1e-12);
  assert_close(json_number_value(json_object_get(one, "test_mean")), best.test_accuracy + 0.25, 1e-12);
  assert_close(json_number_value(json_object_get(one, "valid_std")), 0, 1e-12);
  assert_close(json_number_value(json_object_get(one, "evaluations_mean")), REPLAY_CELLS, 0);
  assert_close(json_number_value(json_object_get(one, "missing_mean")), 15625 - REPLAY_CELLS, 0);
  assert_int_equal(json_integer_value(json_object_get(one, "runs_exhausted")), 3);
  json_decref(root);
}

static void jobs_change_no_bit_and_seeds_do(void **state) {
  (void)state;
  replay_db_make("t.db", true, true);
  expect_ok("t.db " BOTH "--seconds 300 --workers 3 --runs 30 --json -q");
  char *first = out;
  out = NULL;
  expect_ok("t.db " BOTH "--seconds 300 --workers 3 --runs 30 --json -q --jobs 4");
  assert_string_equal(out, first);
  expect_ok("t.db " BOTH "--seconds 300 --workers 3 --runs 30 --json -q --seed 1");
  assert_string_not_equal(out, first);
  free(first);
}

static void takes_options_of_each_strategy(void **state) {
  (void)state;
  replay_db_make("t.db", true, true);
  expect_ok(
      "t.db --strategy random,random:unique=true,regularized-evolution:population=4:sample=2 --budget 5 --runs 2 "
      "-o random.repeats=true --json");
  json_t *root = parse(), *strategies = json_object_get(root, "strategies");
  json_t *second = json_object_get(json_array_get(strategies, 1), "options");
  json_t *third = json_object_get(json_array_get(strategies, 2), "options");
  assert_true(json_boolean_value(json_object_get(second, "unique")));
  assert_true(json_boolean_value(json_object_get(second, "repeats")));
  assert_int_equal(json_integer_value(json_object_get(third, "population")), 4);
  json_decref(root);
}

static void draws_a_picture(void **state) {
  (void)state;
  replay_db_make("t.db", true, true);
  expect_ok("t.db " BOTH "--seconds 300 --runs 20 --svg regret.svg");
  char *svg;
  assert_int_equal(nas_run(&svg, NULL, "cat '%s/regret.svg'", nas_test_folder()), 0);
  assert_int_equal(strncmp(svg, "<svg xmlns=", 11), 0);
  assert_non_null(strstr(svg, "regularized-evolution"));
  assert_non_null(strstr(svg, "Test regret"));
  assert_null(strstr(svg, "nan"));
  assert_null(strstr(svg, "inf"));
  free(svg);
  if (nas_run(NULL, NULL, "command -v python3") != 0) return;
  assert_int_equal(
      nas_run(NULL, NULL, "python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' '%s/regret.svg'",
              nas_test_folder()),
      0);
}

/* The shared table, imported by its map: the figures of tests/search/test_replay.c through the whole program. */
static void reaches_the_reference_figures_from_an_import(void **state) {
  (void)state;
  char csv[512];
  snprintf(csv, sizeof csv, "%s", nas_shared_file("data/nb201/nb201.csv.gz"));
  if (!nas_file_exists(nas_program())) nas_skip("the program is not built: cmake --build ... --target nascent");
  assert_int_equal(
      nas_run(NULL, NULL, "cd '%s' && '%s' db import '%s' --map '%s/examples/import/nas-bench-201.yaml' --db t.db",
              nas_test_folder(), nas_program(), csv, nas_source_folder()),
      0);
  expect_ok("t.db " BOTH "--dataset cifar10-valid --search-epochs 12 --report-epochs 200 --seconds 20000 --json -q");
  static const double expected[2][3] = {{91.09, 90.79, 178}, {91.32, 91.06, 165}};
  json_t *root = parse();
  for (size_t i = 0; i < 2; i++) {
    json_t *one = json_array_get(json_object_get(root, "strategies"), i);
    static const char *const names[3] = {"valid_mean", "test_mean", "evaluations_mean"};
    for (size_t k = 0; k < 3; k++)
      assert_true(fabs(json_number_value(json_object_get(one, names[k])) - expected[i][k]) <= (k < 2 ? 0.06 : 2));
  }
  json_decref(root);
}

/* 27 architectures, so that what the endpoint proposes is in the table. */
static void asks_a_language_model(void **state) {
  (void)state;
  char args[512];
  if (!nas_file_exists(nas_program())) nas_skip("the program is not built: cmake --build ... --target nascent");
  assert_int_equal(nas_run(NULL, NULL,
                           "cd '%s' && '%s' search '%s/examples/random.yaml' -o space=declared -o evaluator=noop "
                           "-o strategy=enumerate -o dataset=shapes --db d.db -q",
                           nas_test_folder(), nas_program(), nas_source_folder()),
                   0);
  llm_server server = llm_server_start("ok 429 invalid ok", "declared", false);
  snprintf(args, sizeof args,
           "d.db --strategy llm,random --budget 10 --runs 2 --json -q -o llm.model=m -o llm.backoff=0.01 "
           "-o llm.max-wait=0.05 -o llm.url=http://127.0.0.1:%d/v1",
           server.port);
  unsetenv("NASCENT_LLM_KEY");
  expect_refusal(2, "environment variable NASCENT_LLM_KEY", args);
  char *log = llm_server_log(&server);
  assert_string_equal(log, "");
  free(log);
  setenv("NASCENT_LLM_KEY", "sk-Very/Secret+123", 1);
  expect_ok(args);
  unsetenv("NASCENT_LLM_KEY");
  assert_null(strstr(out, "Secret"));
  json_t *root = parse(), *one = json_array_get(json_object_get(root, "strategies"), 0);
  assert_string_equal(json_string_value(json_object_get(one, "name")), "llm");
  assert_close(json_number_value(json_object_get(one, "evaluations_mean")), 10, 0);
  assert_close(json_number_value(json_object_get(one, "missing_mean")), 0, 0);
  json_decref(root);
  log = llm_server_log(&server);
  assert_in_range(lines(log), 20, 40); /* two runs of ten asks, some of them again */
  free(log);
  llm_server_stop(&server);
}

static void refuses_bad_input(void **state) {
  (void)state;
  replay_db_make("t.db", true, true);
  expect_refusal(2, "--strategy is missing", "t.db --budget 5");
  expect_refusal(2, "a budget is missing", "t.db --strategy random");
  expect_refusal(2, "did you mean 'random'", "t.db --strategy randm --budget 5");
  expect_refusal(2, "a name is missing", "t.db --strategy random,, --budget 5");
  expect_refusal(2, "named twice", "t.db --strategy random,random --budget 5");
  expect_refusal(2, "did you mean 'population'", "t.db --strategy regularized-evolution:populaton=3 --budget 5");
  expect_refusal(2, "key=value", "t.db --strategy regularized-evolution:population --budget 5");
  expect_refusal(2, "must not exceed", "t.db --strategy regularized-evolution:sample=30 --budget 5");
  expect_refusal(2, "lies outside", "t.db --strategy random --budget 0");
  expect_refusal(2, "no time above zero", "t.db --strategy random --seconds -5");
  expect_refusal(2, "no time above zero", "t.db --strategy random --seconds soon");
  expect_refusal(2, "--runs", "t.db --strategy random --budget 5 --runs 0");
  expect_refusal(2, "--workers", "t.db --strategy random --budget 5 --workers 0");
  expect_refusal(2, "did you mean 'wilcoxon'", "t.db --strategy random --budget 5 --test wilcoxn");
  expect_refusal(2, "did you mean 'shapes'", "t.db --strategy random --budget 5 --dataset shaped");
  expect_refusal(2, "there is no option", "t.db --strategy random --budget 5 -o regularized-evolution.sample=2");
  expect_refusal(2, "nowhere.db", "nowhere.db --strategy random --budget 5");
  expect_refusal(2, "none/x.svg", "t.db --strategy random --budget 5 --runs 2 --svg none/x.svg");
  replay_db_make("untimed.db", false, true);
  expect_refusal(2, "lacks training times", "untimed.db --strategy random --seconds 5");
  expect_ok("untimed.db --strategy random --budget 5 --runs 3");
  nas_run(NULL, NULL, "echo 'no table' > '%s/text.db'", nas_test_folder());
  expect_refusal(4, "text.db", "text.db --strategy random --budget 5");
}

NAS_SUITE(ReplayCommand, NAS_CASE(prints_one_object_with_everything), NAS_CASE(prints_tables),
          NAS_CASE(finds_the_best_of_an_exhausted_table), NAS_CASE(jobs_change_no_bit_and_seeds_do),
          NAS_CASE(takes_options_of_each_strategy), NAS_CASE(draws_a_picture),
          NAS_CASE(reaches_the_reference_figures_from_an_import), NAS_CASE(asks_a_language_model),
          NAS_CASE(refuses_bad_input))
