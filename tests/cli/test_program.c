/* The program as a person meets it: help, errors, exit statuses, JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "harness.h"

static void expect(int status, const char *out_part, const char *err_part, const char *arguments) {
  char *out, *err;
  int got = nas_run(&out, &err, "'%s' %s", nas_program(), arguments);
  if (got != status || (out_part && !strstr(out, out_part)) || (err_part && !strstr(err, err_part)))
    fail_msg("nascent %s: exit %d (expected %d)\nstdout: %.400s\nstderr: %.400s", arguments, got, status, out, err);
  free(out);
  free(err);
}

static void says_its_version(void **state) {
  (void)state;
  expect(0, "nascent " NAS_VERSION, NULL, "--version");
}

static void helps(void **state) {
  (void)state;
  expect(0, "usage: nascent COMMAND", NULL, "--help");
  expect(0, "usage: nascent COMMAND", NULL, "help");
  expect(0, "--resume", NULL, "help search");
  expect(0, "--resume", NULL, "search --help");
  expect(0, "sample", NULL, "help space");
  expect(0, "--unique", NULL, "help space sample");
  expect(0, "PREEMPTED", NULL, "help exit-codes");
}

static void suggests_the_nearest_name(void **state) {
  (void)state;
  expect(2, NULL, "did you mean 'search'?", "serach x.yaml");
  expect(2, NULL, "did you mean 'sample'?", "space smaple nas-bench-201");
  expect(2, NULL, "did you mean '--resume'?", "search x.yaml --resum");
  expect(2, NULL, "did you mean 'nas-bench-201'?", "space info nas-bench-210");
  expect(2, NULL, "did you mean 'regularized-evolution'?", "strategy info regularised-evolution");
  expect(2, NULL, "did you mean 'fashion-mnist'?", "dataset info fashion-mnits");
  expect(2, NULL, "did you mean 'train'?", "help trian");
  expect(2, NULL, "did you mean 'epochs'?", "train --space nas-bench-201 --arch 0 --dataset shapes -o recipe.epoch=2");
  expect(2, NULL, "did you mean 'epochs'?", "train --space nas-bench-201 --arch 0 --dataset shapes -o epoch=2");
}

static void refuses_bad_usage(void **state) {
  (void)state;
  expect(2, NULL, "no command", "");
  expect(2, NULL, "needs a verb", "space");
  expect(2, NULL, "too few arguments", "search");
  expect(2, NULL, "unexpected argument", "doctor now");
  expect(2, NULL, "key=value", "space info nas-bench-201 -o channels");
  expect(2, NULL, "whole number", "space sample nas-bench-201 -n many");
}

static void reports_where_and_what_of_bad_input(void **state) {
  (void)state;
  expect(2, NULL, "did you mean 'nor_conv_3x3'?",
         "space show nas-bench-201 '|nor_conv_33~0|+|none~0|none~1|+|none~0|none~1|none~2|'");
  expect(2, NULL, "missing.yaml", "search missing.yaml");
  expect(2, NULL, "missing.db", "db best missing.db");
}

static void tells_a_foreign_file_from_a_table(void **state) {
  (void)state;
  char *err;
  int status =
      nas_run(NULL, &err,
              "cd '%s' && echo 'this is no database, it is a line of text' > 'a table.db' && '%s' db best 'a table.db'",
              nas_test_folder(), nas_program());
  assert_int_equal(status, 4);
  assert_non_null(strstr(err, "a table.db"));
  free(err);
}

static void reports_a_full_disk(void **state) {
  (void)state;
  char *err;
  int status = nas_run(NULL, &err, "'%s' space list > /dev/full", nas_program());
  assert_int_equal(status, 1);
  assert_non_null(strstr(err, "cannot write"));
  free(err);
}

/* Every list is an object whose first key is "schema", with rows; python's parser is the judge of the form. */
static void prints_well_formed_json(void **state) {
  (void)state;
  static const char *const lines[] = {
      "space list",
      "space info nas-bench-201",
      "space sample nas-bench-201 -n 3",
      "space show nas-bench-201 9930",
      "strategy list",
      "strategy info random",
      "evaluator list",
      "dataset list",
      "dataset info shapes",
      "neuron list",
      "neuron info linear",
      "help exit-codes",
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    char *out;
    int status = nas_run(&out, NULL, "'%s' %s --json", nas_program(), lines[i]);
    if (status != 0 || strncmp(out, "{\"schema\": \"nascent.", 20) != 0)
      fail_msg("nascent %s --json: exit %d: %.200s", lines[i], status, out);
    free(out);
    if (nas_run(NULL, NULL, "command -v python3") != 0) continue;
    status = nas_run(NULL, NULL, "'%s' %s --json | python3 -m json.tool", nas_program(), lines[i]);
    if (status != 0) fail_msg("nascent %s --json is not JSON", lines[i]);
  }
}

static void completes_words(void **state) {
  (void)state;
  expect(0, "search\n", NULL, "__complete");
  expect(0, "sample\n", NULL, "__complete space");
  expect(0, "--resume\n", NULL, "__complete search");
  expect(0, "--unique\n", NULL, "__complete space sample");
  expect(0, "complete -o default -F _nascent nascent", NULL, "help --completion");
}

static void writes_a_man_page(void **state) {
  (void)state;
  expect(0, ".SH COMMANDS", NULL, "help --man");
  expect(0, ".SS nascent db", NULL, "help --man");
}

NAS_SUITE(Program, NAS_CASE(says_its_version), NAS_CASE(helps), NAS_CASE(suggests_the_nearest_name),
          NAS_CASE(refuses_bad_usage), NAS_CASE(reports_where_and_what_of_bad_input),
          NAS_CASE(tells_a_foreign_file_from_a_table), NAS_CASE(reports_a_full_disk), NAS_CASE(prints_well_formed_json),
          NAS_CASE(completes_words), NAS_CASE(writes_a_man_page))
