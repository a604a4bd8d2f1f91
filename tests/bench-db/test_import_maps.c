/* What maps can say: declared spaces, other spellings, long tables, scaled and reduced figures, and what goes wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench-db/bench.h"
#include "bench-db/import.h"
#include "bench-db/query.h"
#include "fixture.h"

static char last_fault[600];

static void keep_fault(void *arg, const char *where, const char *what) {
  (void)arg;
  snprintf(last_fault, sizeof last_fault, "%s: %s", where, what);
}

static nas_import_counts counts;

/* Imports the text by the map into t.db. */
static nas_status import_text(const char *file, const char *text, const char *map, bool strict) {
  nas_db *db;
  char path[512], map_path[512];
  snprintf(path, sizeof path, "%s", fx_path(file));
  snprintf(map_path, sizeof map_path, "%s", fx_path("m.yaml"));
  assert_ok(nas_file_write_atomic(path, text, strlen(text), nas_test_err()));
  assert_ok(nas_file_write_atomic(map_path, map, strlen(map), nas_test_err()));
  const nas_import job = {.file = path, .map = map_path, .strict = strict, .fault = keep_fault};
  *last_fault = '\0';
  assert_ok(nas_db_open(fx_path("t.db"), NAS_DB_CREATE, &db, nas_test_err()));
  nas_status status = nas_db_import(db, &job, &counts, nas_test_err());
  nas_db_close(db);
  return status;
}

static void fresh(void) { remove(fx_path("t.db")); }
static const char *shell(const char *sql) { return fx_shell(fx_path("t.db"), sql); }

#define MACRO "space: {declared: macro, ops: [id, ir3, ir6], positions: 8, form: digits}\n"

/* The form of NAS-Bench-Macro: a dictionary keyed by digits, a list of accuracies for each. */
static void declared_spaces_of_digits(void **state) {
  (void)state;
  const char *map = MACRO
      "arch: {key: true}\nrows:\n  - {dataset: cifar10, epochs: 50, seed: mean, valid_accuracy: {path: accs, of: "
      "mean}, "
      "macs: {path: flops, times: 1e6}, test_accuracy: test}\n";
  assert_ok(
      import_text("a.json",
                  "{\"00000000\": {\"accs\": [90, 91], \"flops\": 1.5, \"test\": 80}, \"01220121\": {\"accs\": "
                  "[92, 94], \"flops\": 2, \"test\": 81}, \"0122012\": {\"accs\": [9, 9], \"flops\": 2, \"test\": "
                  "81}}",
                  map, false));
  assert_int_equal(counts.trials, 2);
  assert_int_equal(counts.reasons[NAS_IMPORT_BAD_ARCH], 1);
  assert_string_equal(shell("SELECT space, arch, \"index\", valid_accuracy, macs FROM result ORDER BY \"index\""),
                      "declared:macro@1|00000000|0|90.5|1500000\ndeclared:macro@1|01220121|1393|93.0|2000000");
  nas_bench *b;
  size_t cell;
  assert_ok(nas_bench_open(fx_path("t.db"), 0, &b, nas_test_err()));
  assert_non_null(nas_bench_space(b));
  assert_ok(nas_bench_find(b, "01220121", &cell, nas_test_err()));
  assert_int_equal(nas_bench_cell_at(b, cell)->genes.gene[3], 2);
  nas_bench_close(b);
  assert_fails(import_text("a.json", "{\"01\": {\"accs\": 9, \"flops\": 9, \"test\": 9}}",
                           "space: {declared: macro, ops: [id, ir3], positions: 2, form: digits}\narch: {key: true}\n"
                           "rows:\n  - {dataset: cifar10, epochs: 50, seed: mean, valid_accuracy: accs}\n",
                           false),
               NAS_E_MISMATCH, "another declaration");
}

static void declared_cells_of_edges(void **state) {
  (void)state;
  assert_ok(
      import_text("a.csv", "cell;acc\n|conv~0|+|none~0|conv~1|;0.9\n|none~0|+|none~0|none~1|;0.1\n",
                  "space: {name: declared, ops: [none, conv], edges: [[0, 1], [0, 2], [1, 2]], form: cell}\narch: "
                  "cell\nrows:\n  - {dataset: d, epochs: 1, seed: 0, valid_accuracy: {column: acc, times: 100}}\n",
                  true));
  assert_string_equal(shell("SELECT arch, valid_accuracy FROM result ORDER BY 2 DESC LIMIT 1"),
                      "|conv~0|+|none~0|conv~1||90.0");
  assert_string_equal(shell("SELECT space LIKE 'declared:________@1' FROM campaign"), "1");
}

#define CELL0 "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"

static void other_spellings(void **state) {
  (void)state;
  const char *rows = "rows:\n  - {dataset: d, epochs: 1, seed: 0, test_accuracy: t}\n";
  char map[600];
  snprintf(
      map, sizeof map,
      "space: nas-bench-201\narch: {column: a, names: {pool: avg_pool_3x3, c1: nor_conv_1x1, id: skip_connect}}\n%s",
      rows);
  assert_ok(import_text("a.csv", "a,t\n|pool~0|+|c1~0|id~1|+|c1~0|id~1|id~2|,5\n", map, true));
  assert_string_equal(shell("SELECT arch FROM result"), CELL0);
  /* The same as numbers in columns of their own, as a JSON list, and as one number that lost its first zero. */
  snprintf(map, sizeof map,
           "space: nas-bench-201\narch: {columns: [e0, e1, e2, e3, e4, e5], digits: [avg_pool_3x3, nor_conv_1x1, "
           "skip_connect]}\n%s",
           rows);
  assert_ok(import_text("b.csv", "t\te0\te1\te2\te3\te4\te5\n5\t0\t1\t2\t1\t2\t2\n", map, true));
  assert_int_equal(counts.same, 1);
  snprintf(map, sizeof map,
           "space: nas-bench-201\narch: {path: x.a, digits: {\"0\": avg_pool_3x3, \"1\": nor_conv_1x1, \"2\": "
           "skip_connect}}\n%s",
           rows);
  assert_ok(import_text("c.json", "[{\"x\": {\"a\": [0, 1, 2, 1, 2, 2]}, \"t\": 5}, {\"x\": {\"a\": 12122}, \"t\": 5}]",
                        map, true));
  assert_int_equal(counts.same, 2);
}

/* One row for each run: data set, epochs and seed are columns. */
static void long_tables(void **state) {
  (void)state;
  const char *map =
      "space: {name: declared, ops: [a, b], positions: 2}\narch: net\nonly: {split: [x, y]}\nrows:\n  - "
      "{dataset: {column: set}, epochs: {column: ep}, seed: {column: s}, valid_accuracy: {column: err, "
      "times: -100, plus: 100}, train_seconds: {column: sec, optional: true}, metrics: {latency_ms: ms}}\n";
  assert_ok(
      import_text("a.csv",
                  "net,set,ep,s,err,sec,split,ms\n\"a,b\",c10,12,777,0.25,60,x,1.5\n\"a,b\",c10,200.0,888,0.125,,y,"
                  "2\n\"a,b\",c100,12,mean,0.5,7,x,2\n\"b,b\",c10,12,1,0.5,7,z,2\n",
                  map, true));
  assert_int_equal(counts.trials, 3);
  assert_string_equal(shell("SELECT dataset, epochs, seed, valid_accuracy, seconds, (SELECT value FROM metric m WHERE "
                            "m.trial = r.trial) FROM result r ORDER BY trial"),
                      "c10@1|12|777|75.0|60.0|1.5\nc10@1|200|888|87.5||2.0\nc100@1|12||50.0|7.0|2.0");
  assert_ok(import_text("b.csv",
                        "net,set,ep,s,err,sec,split,ms\n\"a,b\",c10,0,1,0.25,60,x,1\n\"a,b\",,1,1,0.25,60,x,1\n"
                        "\"a,b\",c,1,x,0.25,60,x,1\n",
                        map, false));
  assert_int_equal(counts.faults, 3);
}

static void check_fault(const char *file, const char *text, const char *map, nas_import_reason reason,
                        const char *part) {
  fresh();
  assert_ok(import_text(file, text, map, false));
  if (!strstr(last_fault, part)) fail_msg("no '%s' in: %s", part, last_fault);
  assert_int_equal(counts.faults, 1);
  assert_int_equal(counts.reasons[reason], 1);
  assert_int_equal(counts.trials, 1);
  fresh();
  nas_status status = import_text(file, text, map, true);
  if (status != NAS_E_BAD_INPUT) fail_msg("strict gave %d for %s", status, part);
  assert_string_equal(shell("SELECT count(*) FROM trial"), "0");
}

static void faults_name_row_and_column(void **state) {
  (void)state;
  const char *csv =
      "space: {name: declared, ops: [a, b], positions: 2}\narch: net\nrows:\n  - {dataset: d, epochs: 1, "
      "seed: 0, valid_accuracy: v}\n";
  const char *json =
      "space: {name: declared, ops: [a, b], positions: 2}\narch: {key: true}\nroot: archs\nrows:\n  - "
      "{dataset: d, epochs: 3, seed: 0, valid_accuracy: v.list}\n";
#define GOOD "\"a,a\": {\"v\": {\"list\": [1, 2, 3]}}"
  check_fault("f.csv", "net,v\nb b,1\nb a,NaN\n", csv, NAS_IMPORT_IS_NAN, "f.csv:3:v: this is NaN");
  check_fault("f.csv", "net,v\nb b,1\nb a,-0.5\n", csv, NAS_IMPORT_OUT_OF_RANGE, "f.csv:3:v: an accuracy outside");
  check_fault("f.csv", "net,v\nb b,1\nb b,2\n", csv, NAS_IMPORT_CONFLICT, "f.csv:3:v: the table has other figures");
  check_fault("f.csv", "net,v\nb b,1\nb c,2\n", csv, NAS_IMPORT_BAD_ARCH,
              "f.csv:3:net: position 1 has no operation 'c'");
  check_fault("f.csv", "net,v\nb b,1\n,2\n", csv, NAS_IMPORT_BAD_ARCH, "f.csv:3:net: the architecture is missing");
  check_fault("f.csv", "net,v\nb b,1\nb a,inf\n", csv, NAS_IMPORT_NO_NUMBER, "f.csv:3:v: this is not finite");
  check_fault("f.csv", "net,v\nb b,1\nb a\n", csv, NAS_IMPORT_BAD_ROW, "f.csv:3: the row has 1 fields");
  check_fault("f.json", "{\"archs\": {" GOOD ", \"b,a\": {\"v\": {\"list\": [1, NaN, 3]}}}}", json, NAS_IMPORT_IS_NAN,
              "f.json:b,a:v.list: this is NaN (d@1, 3 epochs, seed 0, at epoch 2)");
  check_fault("f.json", "{\"archs\": {" GOOD ", \"b,a\": {\"v\": {\"list\": [1, 2]}}}}", json, NAS_IMPORT_MISSING,
              "one number for each epoch");
  check_fault("f.json", "{\"archs\": {" GOOD ", \"b,a\": {\"w\": {}}}}", json, NAS_IMPORT_MISSING, "f.json:b,a:v.list");
  check_fault("f.json", "{\"archs\": {" GOOD ", \"b,a\": {\"v\": {\"list\": [1, 2, \"x\"]}}}}", json,
              NAS_IMPORT_NO_NUMBER, "this is not a number");
  check_fault(
      "f.csv", "net,v\nb b,1\n",
      "space: {name: declared, ops: [a, b], positions: 2}\narch: net\nrows:\n  - {dataset: d, epochs: 1, seed: 0, "
      "valid_accuracy: v}\n  - {dataset: d, epochs: 2, seed: 0, valid_accuracy: vv}\n",
      NAS_IMPORT_NO_COLUMN, "f.csv:1:vv: the file has no column 'vv'");
}

static void lines_and_odd_keys(void **state) {
  (void)state;
  const char *map =
      "space: {name: declared, ops: [a, b], positions: 2}\narch: net\nrows:\n  - {dataset: d, epochs: 1, "
      "seed: [1, 2], at: \"runs.v1.0.{seed}\", valid_accuracy: \"x.y-{dataset}\"}\n";
  assert_ok(import_text("a.jsonl",
                        "{\"net\": \"a,b\", \"runs\": {\"v1.0\": {\"1\": {\"x.y-d\": 5}, \"2\": {\"x.y-d\": 6}}}}\n"
                        "{\"net\": \"b,b\", \"runs\": {\"v1.0\": {\"1\": {\"x.y-d\": 7}}}}\n",
                        map, true));
  assert_int_equal(counts.trials, 3);
  assert_int_equal(counts.absent, 1);
  assert_fails(import_text("a.jsonl", "{\"net\": 1}\n{\"net\": }\n", map, true), NAS_E_BAD_INPUT, "not valid JSON");
  assert_non_null(strstr(nas_test_err()->where, "a.jsonl:2:"));
}

static void maps_are_checked(void **state) {
  (void)state;
#define HEAD "space: {name: declared, ops: [a, b], positions: 2}\n"
#define ROWS "rows:\n  - {dataset: d, epochs: 1, seed: 0, valid_accuracy: v}\n"
  static const char *const maps[][2] = {
      {HEAD "arch: {digits: [a, b]}\n" ROWS, "key: true"},
      {HEAD "arch: {columns: [x]}\n" ROWS, "names 1 columns"},
      {HEAD "arch: {column: a, digits: 7}\n" ROWS, "list of operations"},
      {HEAD "arch: a\nrows:\n  - {dataset: d, epochs: 1, seed: 0, valid_accuracy: {column: v, tims: 2}}\n", "'times'"},
      {HEAD "arch: a\nrows:\n  - {dataset: d, epochs: 1, seed: 0, valid_accuracy: {column: v, times: x}}\n",
       "no number"},
      {HEAD "arch: a\nrows:\n  - {dataset: d, epochs: 1, seed: 0, valid_accuracy: {column: v, of: median}}\n",
       "mean, last"},
      {HEAD "arch: a\nrows:\n  - {dataset: d, epochs: 1, seed: []}\n", "empty lists"},
      {HEAD "arch: a\nrows:\n  - {dataset: d, epochs: 1, seed: 0, train_seconds: a, train_seconds_per_epoch: b}\n",
       "not both"},
      {HEAD "arch: a\nonly: {x: {y: z}}\n" ROWS, "a value or a list"},
      {"space: {name: declared, ops: [a, b], positions: 2, edges: [0-1]}\narch: a\n" ROWS, "do not agree"},
      {"space: {declared: \"x y\", ops: [a, b]}\narch: a\n" ROWS, "letters, digits"},
      {"space: {name: declared, ops: {a: b}}\narch: a\n" ROWS, "plain value or a list"},
  };
  for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
    nas_status status = import_text("a.csv", "a,v\na b,1\n", maps[i][0], false);
    if (status == NAS_OK || !strstr(nas_test_err()->msg, maps[i][1]))
      fail_msg("map %zu: no '%s' in: %s", i, maps[i][1], nas_test_err()->msg);
  }
}

NAS_SUITE(DbImportMaps, NAS_CASE(declared_spaces_of_digits), NAS_CASE(declared_cells_of_edges),
          NAS_CASE(other_spellings), NAS_CASE(long_tables), NAS_CASE(faults_name_row_and_column),
          NAS_CASE(lines_and_odd_keys), NAS_CASE(maps_are_checked))
