/* The verbs that look over a whole table: best --pareto, curve, compare, stats, correlate, and query by other texts. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "fixture.h"

static char *out, *talk;

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

/* Two positions with two operations each; two seeds; figures that can be worked out by hand. */
static void make(const char *name) {
  const char *csv =
      "net,s,v,t,p,lat\n\"a,a\",1,10,20,100,5\n\"a,a\",2,20,30,100,5\n\"a,b\",1,30,41,200,4\n"
      "\"b,a\",1,50,40,400,6\n\"b,b\",1,40,60,300,7\n";
  const char *map =
      "space: {declared: toy, ops: [a, b], edges: [0-1, 1-2]}\narch: net\nrows:\n  - {dataset: d, epochs: "
      "3, seed: {column: s}, valid_accuracy: v, test_accuracy: t, params: p, train_seconds: p, metrics: "
      "{latency_ms: lat}}\n";
  assert_ok(nas_file_write_atomic(fx_path("a.csv"), csv, strlen(csv), nas_test_err()));
  assert_ok(nas_file_write_atomic(fx_path("m.yaml"), map, strlen(map), nas_test_err()));
  char args[200];
  snprintf(args, sizeof args, "import a.csv --map m.yaml --db \"%s\"", name);
  if (run_db(args) != 0) fail_msg("%s", talk);
}

static void fronts_hold_what_nothing_beats(void **state) {
  (void)state;
  make("t.db");
  assert_int_equal(run_db("best t.db --pareto valid_accuracy,params --csv"), 0);
  /* 50 at 400, 40 at 300, 30 at 200, 20 at 100; 10 at 100 is beaten. */
  const char *rows[] = {"\n1,4,\"b,a\"", "\n2,5,\"b,b\"", "\n3,3,\"a,b\"", "\n4,2,\"a,a\""};
  for (int i = 0; i < 4; i++) assert_says(out, rows[i]);
  assert_null(strstr(out, "\n5,"));
  assert_int_equal(run_db("best t.db --pareto test_accuracy,latency_ms --where 'params < 250' --json --svg f.svg"), 0);
  json_t *root = json_loads(out, 0, NULL), *front = json_object_get(root, "rows");
  assert_int_equal(json_array_size(front), 1); /* 41 at 4 ms */
  assert_close(json_number_value(json_object_get(json_array_get(front, 0), "latency_ms")), 4, 0);
  json_decref(root);
  assert_int_equal(nas_run(NULL, NULL, "grep -q '<circle' '%s/f.svg'", nas_test_folder()), 0);
  assert_int_equal(run_db("best t.db --pareto valid_accuracy"), 2);
  assert_says(talk, "two figures or more");
  assert_int_equal(run_db("best t.db --pareto valid_accuracy,latency_s"), 2);
  assert_says(talk, "did you mean 'latency_ms'");
  assert_int_equal(run_db("best t.db --svg f.svg"), 2);
}

static void cells_are_found_in_other_dress(void **state) {
  (void)state;
  make("it's a table.db");
  assert_int_equal(run_db("query \"it's a table.db\" --arch '[b, a]' --json"), 0);
  assert_says(out, "\"arch\": \"b,a\"");
  assert_int_equal(run_db("query \"it's a table.db\" --arch '(0, 0)'"), 0);
  assert_says(out, "15.00"); /* the mean of 10 and 20 */
  assert_int_equal(run_db("query \"it's a table.db\" --arch 'b,c'"), 2);
  assert_says(talk, "no architecture 'b,c'");
}

static void two_cells_and_two_tables_are_compared(void **state) {
  (void)state;
  make("t.db");
  make("u.db");
  assert_int_equal(run_db("compare t.db a,a '[b, a]' --csv"), 0);
  assert_says(out, "d@1,imported@1,3,valid_accuracy,valid,15,7.071067812,50,,-35");
  assert_says(talk, "edge 0-1: a, b");
  assert_int_equal(
      nas_run(NULL, NULL, "sqlite3 '%s' \"UPDATE trial SET test_accuracy = test_accuracy + 4 WHERE id = 3\"",
              fx_path("u.db")),
      0);
  assert_int_equal(run_db("compare t.db u.db --csv"), 0);
  assert_says(out, "d@1,imported@1,3,test_accuracy,test,4,-1,4,1.000000,1.000000");
  assert_says(out, "d@1,imported@1,3,valid_accuracy,valid,4,0,0,1.000000,1.000000");
  assert_int_equal(run_db("compare t.db a,a c,c"), 2);
}

static void operations_and_edges_have_effects(void **state) {
  (void)state;
  make("t.db");
  assert_int_equal(run_db("stats t.db --by edge --csv"), 0);
  assert_says(out, "0-1,a,2,22.5000,10.6066,15.0000,30.0000,-22.5000\n");
  assert_says(out, "1-2,b,2,35.0000,7.0711,30.0000,40.0000,2.5000\n");
  assert_int_equal(run_db("stats t.db --metric latency_ms --json"), 0);
  assert_says(out, "{\"edge\": \"\", \"operation\": \"a\", \"cells\": 3, \"mean\": 5.0000, \"std\": 1.0000");
  assert_int_equal(run_db("stats t.db --by colour"), 2);
}

static void figures_are_correlated(void **state) {
  (void)state;
  make("t.db");
  assert_int_equal(run_db("correlate t.db valid_accuracy params --csv"), 0);
  assert_says(out, "kendall,1.000000");
  assert_int_equal(run_db("correlate t.db valid_accuracy,seed=1 test_accuracy,epochs=3 --json --resamples 0"), 0);
  assert_says(out, "{\"correlation\": \"kendall\", \"value\": 0.333333, \"low\": null"); /* 10 30 50 40; 20 41 40 60 */
  assert_int_equal(run_db("correlate t.db valid_accuracy test_accuracy,epocs=3"), 2);
  assert_says(talk, "did you mean 'epochs'");
  assert_int_equal(run_db("correlate t.db valid_accuracy test_accuracy,epochs=4"), 2);
  assert_says(talk, "epochs 3");
}

static void curves_are_drawn(void **state) {
  (void)state;
  fx_table(fx_path("t.db"), 6);
  assert_int_equal(run_db("curve t.db 1 2 --svg c.svg --metric train_loss --csv"), 0);
  assert_int_equal(nas_run(NULL, NULL, "test $(grep -c '<polyline' '%s/c.svg') = 2", nas_test_folder()), 0);
  assert_int_equal(run_db("curve t.db --index 1 --json"), 0);
  assert_says(out, "\"epoch\": 3");
  assert_int_equal(run_db("curve t.db 1 --svg c.svg --metric train_los"), 2);
  assert_says(talk, "did you mean 'train_loss'");
  assert_int_equal(run_db("curve t.db"), 2);
}

NAS_SUITE(DbSurvey, NAS_CASE(fronts_hold_what_nothing_beats), NAS_CASE(cells_are_found_in_other_dress),
          NAS_CASE(two_cells_and_two_tables_are_compared), NAS_CASE(operations_and_edges_have_effects),
          NAS_CASE(figures_are_correlated), NAS_CASE(curves_are_drawn))
