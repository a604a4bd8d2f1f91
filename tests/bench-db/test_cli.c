/* `nascent db` from the outside: what is printed, and the exit status. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fixture.h"

static char *out, *talk;

/* Runs `nascent db ARGS` and returns the exit status; the texts live until the next run. */
static int run_db(const char *args) {
  if (!nas_file_exists(nas_program())) nas_skip("the program is not built: cmake --build ... --target nascent");
  free(out);
  free(talk);
  out = talk = NULL;
  return nas_run(&out, &talk, "cd '%s' && '%s' db %s", nas_test_folder(), nas_program(), args);
}

static void assert_says(const char *text, const char *part) {
  if (!text || !strstr(text, part)) fail_msg("no '%s' in: %s", part, text ? text : "");
}

static json_t *parse(void) {
  json_error_t fault;
  json_t *root = json_loads(out, 0, &fault);
  if (!root) fail_msg("line %d: %s in %s", fault.line, fault.text, out);
  return root;
}

static int64_t lines(const char *text) {
  int64_t n = 0;
  for (const char *p = text; (p = strchr(p, '\n')); p++) n++;
  return n;
}

/* Rows of CSV: each begins with a number, and the lines that an option text continues on do not. */
static int64_t records(const char *text) {
  int64_t n = 0;
  for (const char *p = strchr(text, '\n'); p; p = strchr(p + 1, '\n')) n += p[1] >= '0' && p[1] <= '9';
  return n;
}

static void init_and_info(void **state) {
  (void)state;
  assert_int_equal(run_db("init t.db"), 0);
  assert_string_equal(out, "");
  assert_says(talk, "made t.db");
  assert_int_equal(run_db("init t.db"), 0);
  assert_says(talk, "a table already");
  assert_int_equal(run_db("info t.db"), 0);
  assert_says(out, "campaigns      0");
  remove(fx_path("t.db"));
  fx_table(fx_path("t.db"), 6);
  assert_int_equal(run_db("info t.db"), 0);
  assert_says(out, "trials         6");
  assert_says(out, "autumn");
  assert_int_equal(run_db("info t.db --json"), 0);
  assert_int_equal(strncmp(out, "{\"schema\": \"nascent.db-info\"", 28), 0);
  json_t *root = parse();
  assert_int_equal(json_integer_value(json_object_get(root, "trials")), 6);
  assert_int_equal(json_array_size(json_object_get(root, "campaigns")), 1);
  json_decref(root);
}

static void best_names_the_split_of_each_figure(void **state) {
  (void)state;
  fx_table(fx_path("t.db"), 12);
  assert_int_equal(run_db("best t.db --top 3"), 0);
  assert_says(out, "valid_accuracy  test_accuracy");
  assert_int_equal(lines(out), 4);
  assert_int_equal(run_db("best t.db --metric test_accuracy"), 0);
  assert_says(talk, "choose architectures by a validation figure");
  assert_says(out, "valid_accuracy  test_accuracy");
  assert_int_equal(run_db("best t.db --json --top 0 --where 'params > 2000'"), 0);
  json_t *root = parse(), *row, *rows = json_object_get(root, "rows");
  size_t i;
  double last = 100;
  assert_string_equal(json_string_value(json_object_get(root, "schema")), "nascent.db-best");
  assert_int_equal(json_array_size(rows), 6);
  json_array_foreach(rows, i, row) {
    assert_true(json_number_value(json_object_get(row, "valid_accuracy")) <= last);
    last = json_number_value(json_object_get(row, "valid_accuracy"));
    assert_true(json_integer_value(json_object_get(row, "params")) > 2000);
    assert_true(json_is_number(json_object_get(row, "test_accuracy")));
  }
  json_decref(root);
  assert_int_equal(run_db("best t.db --csv --top 2"), 0);
  assert_says(out, "place,trial,arch,index,class,valid_accuracy,test_accuracy");
  assert_int_equal(lines(out), 3);
  assert_int_equal(run_db("best t.db --json-lines --top 2"), 0);
  assert_int_equal(lines(out), 2);
  assert_int_equal(run_db("best t.db --where 'params > 1e9'"), 0);
  assert_says(talk, "no trial with outcome ok matches");
}

static void query_and_curve_show_everything(void **state) {
  (void)state;
  fx_table(fx_path("t.db"), 12);
  assert_int_equal(run_db("query t.db --index 1 --curves"), 0);
  assert_says(out, "|b~0|");
  assert_says(out, "valid_accuracy_mean  valid_accuracy_std");
  assert_says(out, "each epoch");
  assert_int_equal(run_db("query t.db --arch '|b~0|' --json"), 0);
  json_t *root = parse();
  assert_string_equal(json_string_value(json_object_get(root, "schema")), "nascent.db-query");
  assert_int_equal(json_array_size(json_object_get(root, "rows")), 3); /* trials 1, 6 and 11 */
  assert_int_equal(json_array_size(json_object_get(root, "epochs")), 9);
  json_t *mean = json_array_get(json_object_get(root, "means"), 0);
  assert_int_equal(json_integer_value(json_object_get(mean, "seeds")), 3);
  json_decref(root);
  assert_int_equal(run_db("query t.db --hash A --seed 101 --csv"), 0);
  assert_int_equal(records(out), 2); /* |a~0| and |e~0| */
  assert_int_equal(run_db("curve t.db 2"), 0);
  assert_int_equal(lines(out), 4);
  assert_int_equal(run_db("curve t.db 2 --json"), 0);
  root = parse();
  assert_int_equal(json_array_size(json_object_get(root, "rows")), 3);
  json_decref(root);
}

static void export_to_a_file_is_all_or_nothing(void **state) {
  (void)state;
  fx_table(fx_path("t.db"), 5);
  assert_int_equal(run_db("export t.db --format json --curves --output 'all trials.json'"), 0);
  json_error_t fault;
  json_t *root = json_load_file(fx_path("all trials.json"), 0, &fault);
  assert_int_equal(json_array_size(json_object_get(root, "rows")), 5);
  json_decref(root);
  assert_int_equal(run_db("export t.db --curves"), 0);
  assert_int_equal(records(out), 15);
  assert_int_equal(run_db("export t.db --output no/such/folder/x.csv"), 2);
  assert_int_equal(run_db("export t.db --format xml"), 2);
  assert_says(talk, "csv or json");
  assert_int_equal(run_db("export t.db > /dev/full"), 1);
  assert_says(talk, "No space left");
}

static void verify_and_sql_report(void **state) {
  (void)state;
  fx_table(fx_path("t.db"), 5);
  assert_int_equal(run_db("verify t.db"), 0);
  assert_says(out, "sound");
  assert_int_equal(run_db("sql t.db 'SELECT count(*) AS n FROM trial' --csv"), 0);
  assert_string_equal(out, "n\n5\n");
  assert_int_equal(run_db("sql t.db 'SELECT 1 AS a WHERE 0' --json"), 0);
  assert_string_equal(out, "{\"schema\": \"nascent.db-sql\", \"rows\": []}\n");
  assert_int_equal(run_db("sql t.db 'SELECT 1 AS a, NULL AS b, 0.1 AS c, 2e30 AS d'"), 0);
  assert_string_equal(out, "a  b    c      d\n1  -  0.1  2e+30\n");
  assert_int_equal(run_db("sql t.db 'DROP TABLE trial'"), 2);
  assert_says(talk, "only reading is allowed");
  fx_shell(fx_path("t.db"), "DELETE FROM tell WHERE told = 4");
  assert_int_equal(run_db("verify t.db"), 1);
  assert_says(out, "trial 5 is finished");
  fx_shell(fx_path("t.db"), "DROP VIEW leaderboard");
  assert_int_equal(run_db("verify t.db --json"), 4);
  json_t *root = parse();
  assert_true(json_is_false(json_object_get(root, "sound")));
  json_decref(root);
}

static void errors_have_their_exit_status(void **state) {
  (void)state;
  fx_table(fx_path("t.db"), 2);
  static const struct {
    const char *args;
    int status;
    const char *talk;
  } rows[] = {
      {"best none.db", 2, "no table here"},
      {"best .", 4, "a folder"},
      {"best t.db --where 'parms < 3'", 2, "no such column: parms"},
      {"best t.db --metric valid_acuracy", 2, "did you mean 'valid_accuracy'"},
      {"best t.db --metric flops", 2, "known: valid_accuracy, test_accuracy"},
      {"best t.db --top x", 2, "whole number"},
      {"best t.db --top -1", 2, "negative"},
      {"best", 2, "too few arguments"},
      {"bst t.db", 2, "did you mean 'best'"},
      {"query t.db", 2, "name one architecture"},
      {"query t.db --index 77", 2, "index 77"},
      {"curve t.db two", 2, "not a whole number"},
      {"curve t.db 77", 2, "no trial 77"},
      {"sql t.db", 2, "too few arguments"},
      {"sql t.db ''", 2, "empty"},
      {"info t.db -o x=1", 2, "no option 'x'"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int status = run_db(rows[i].args);
    if (status != rows[i].status) fail_msg("db %s gave %d: %s", rows[i].args, status, talk);
    assert_says(talk, rows[i].talk);
    assert_int_equal(lines(talk), 1);
    assert_string_equal(out, "");
  }
  fx_shell(fx_path("t.db"), "PRAGMA user_version = 7");
  assert_int_equal(run_db("info t.db"), 4);
  assert_says(talk, "schema version 7");
}

NAS_SUITE(DbCli, NAS_CASE(init_and_info), NAS_CASE(best_names_the_split_of_each_figure),
          NAS_CASE(query_and_curve_show_everything), NAS_CASE(export_to_a_file_is_all_or_nothing),
          NAS_CASE(verify_and_sql_report), NAS_CASE(errors_have_their_exit_status))
