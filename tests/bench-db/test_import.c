/* Import by maps, and tables as benchmarks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench-db/bench.h"
#include "bench-db/import.h"
#include "bench-db/query.h"
#include "fixture.h"

static const char *write_text(const char *name, const char *text) {
  const char *path = fx_path(name);
  assert_ok(nas_file_write_atomic(path, text, strlen(text), nas_test_err()));
  return path;
}

static nas_status import_into(const char *db_path, const char *file, const char *map, bool strict,
                              nas_import_counts *counts, nas_err *err) {
  nas_db *db;
  const nas_import job = {.file = file, .map = map, .strict = strict};
  assert_ok(nas_db_open(db_path, NAS_DB_CREATE, &db, nas_test_err()));
  nas_status status = nas_db_import(db, &job, counts, err);
  nas_db_close(db);
  return status;
}

#define CELL0 "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
#define CELL1 "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|"

static const char map_text[] =
    "space: nas-bench-201\narch: cell\nrows:\n  - {dataset: d, epochs: 12, seed: 3, valid_accuracy: {column: v, times: "
    "100}, test_accuracy: t, train_seconds_per_epoch: s}\n";

static void figures_arrive(void **state) {
  (void)state;
  nas_import_counts n;
  const char *map = write_text("m.yaml", map_text), *db = fx_path("t.db");
  const char *csv = write_text("a.csv", "s,\"cell\",v,t\r\n2.5," CELL0 ",0.5,40\r\n1.5,\"" CELL1 "\",0.25,30\r\n");
  assert_ok(import_into(db, csv, map, true, &n, nas_test_err()));
  assert_int_equal(n.trials, 2);
  nas_bench *b;
  const double *v;
  size_t cell;
  assert_ok(nas_bench_open(db, 0, &b, nas_test_err()));
  assert_int_equal(nas_bench_cells(b), 2);
  nas_bench_where at = {.dataset = "d", .epochs = 12, .seed = 3};
  assert_ok(nas_bench_find(b, CELL1, &cell, nas_test_err()));
  assert_ok(nas_bench_column(b, "valid_accuracy", &at, &v, nas_test_err()));
  assert_close(v[cell], 25, 0);
  assert_ok(nas_bench_column(b, "seconds", &at, &v, nas_test_err()));
  assert_close(v[cell], 18, 0);
  at.seed = NAS_BENCH_MEAN;
  assert_ok(nas_bench_column(b, "test_accuracy", &at, &v, nas_test_err()));
  assert_close(v[cell], 30, 0);
  at.dataset = "e";
  assert_fails(nas_bench_column(b, "test_accuracy", &at, &v, nas_test_err()), NAS_E_UNKNOWN_NAME, "data set 'e'");
  at.dataset = "d";
  at.epochs = 200;
  assert_fails(nas_bench_column(b, "test_accuracy", &at, &v, nas_test_err()), NAS_E_NOT_FOUND, "epochs 12 seed 3");
  assert_fails(nas_bench_column(b, "test_acuracy", &at, &v, nas_test_err()), NAS_E_UNKNOWN_NAME, "test_accuracy");
  nas_bench_close(b);
  /* The same file again adds nothing. */
  assert_ok(import_into(db, csv, map, true, &n, nas_test_err()));
  assert_int_equal(n.trials, 0);
  assert_int_equal(n.same, 2);
  assert_string_equal(fx_shell(db, "SELECT count(*) FROM campaign"), "1");
}

/* A dictionary keyed by the architecture as digits, curves as lists. */
static void dictionaries_of_digits_arrive(void **state) {
  (void)state;
  nas_import_counts n;
  const char *map = write_text("m.yaml",
                               "space: nas-bench-201\narch: {key: true, digits: [skip_connect, none, nor_conv_3x3, "
                               "nor_conv_1x1, avg_pool_3x3]}\nrows:\n  - {dataset: d, epochs: 2, seed: [1, 2], at: "
                               "\"s{seed}\", valid_accuracy: va, test_accuracy: ta}\n");
  const char *json = write_text("a.json",
                                "{\"(4, 0, 3, 1, 4, 2)\": {\"s1\": {\"va\": [10, 20], \"ta\": 7}, \"s2\": "
                                "{\"va\": {\"0\": 12, \"1\": 40}, \"ta\": 9}}, \"403142\": {\"s1\": {\"va\": "
                                "[10, 20], \"ta\": 7}}, \"000009\": {}}");
  assert_ok(import_into(fx_path("t.db"), json, map, false, &n, nas_test_err()));
  assert_int_equal(n.trials, 2);
  assert_int_equal(n.same, 1);
  assert_int_equal(n.absent, 1);
  assert_int_equal(n.faults, 1);
  assert_string_equal(fx_shell(fx_path("t.db"), "SELECT arch FROM architecture"),
                      "|avg_pool_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|");
  assert_string_equal(fx_shell(fx_path("t.db"),
                               "SELECT seed, epoch, valid_accuracy, test_accuracy FROM curve ORDER BY "
                               "seed, epoch"),
                      "1|1|10.0|\n1|2|20.0|7.0\n2|1|12.0|\n2|2|40.0|9.0");
  nas_bench *b;
  const double *v;
  nas_bench_where at = {.seed = NAS_BENCH_STD};
  assert_ok(nas_bench_open(fx_path("t.db"), 0, &b, nas_test_err()));
  assert_ok(nas_bench_column(b, "valid_accuracy", &at, &v, nas_test_err()));
  assert_close(v[0], sqrt(200), 1e-12);
  at = (nas_bench_where){.seed = NAS_BENCH_MEAN, .epoch = 1};
  assert_ok(nas_bench_column(b, "valid_accuracy", &at, &v, nas_test_err()));
  assert_close(v[0], 11, 1e-12);
  nas_bench_close(b);
}

static void check_fault(const char *rows, const char *part) {
  nas_import_counts n;
  char text[2048];
  snprintf(text, sizeof text, "s,cell,v,t\n1," CELL0 ",0.5,40\n%s\n", rows);
  const char *csv = write_text("f.csv", text), *map = write_text("m.yaml", map_text), *db = fx_path("f.db");
  remove(db);
  assert_fails(import_into(db, csv, map, true, &n, nas_test_err()), NAS_E_BAD_INPUT, part);
  assert_string_equal(fx_shell(db, "SELECT count(*) FROM trial"), "0");
  assert_ok(import_into(db, csv, map, false, &n, nas_test_err()));
  assert_int_equal(n.trials, 1);
  assert_int_equal(n.faults, 1);
}

static void faults_are_left_out_and_named(void **state) {
  (void)state;
  check_fault("1,|nonsense~0|,0.5,40", "f.csv:3:cell");
  check_fault("1," CELL1 ",1.01,40", "f.csv:3:v");
  check_fault("1," CELL1 ",0.5,nan", "f.csv:3:t");
  check_fault("1," CELL1 ",0.5,", "the field is empty");
  check_fault("-1," CELL1 ",0.5,40", "negative cost");
  check_fault("1," CELL1 ",0.5x,40", "not a number");
  check_fault("1," CELL1 ",0.5", "3 fields");
  check_fault("1," CELL0 ",0.6,40", "other figures");
  check_fault("1,\"" CELL1 ",0.5,40", "no end");
}

static void wrong_maps_are_refused(void **state) {
  (void)state;
  nas_import_counts n;
  char csv[512], db[512]; /* fx_path keeps only a few texts */
  snprintf(csv, sizeof csv, "%s", write_text("a.csv", "s,cell,v,t\n1," CELL0 ",0.5,40\n"));
  snprintf(db, sizeof db, "%s", fx_path("t.db"));
#define REFUSED(text, code, part) \
  assert_fails(import_into(db, csv, write_text("w.yaml", text), false, &n, nas_test_err()), code, part)
  REFUSED("space: nas-bench-210\narch: cell\n", NAS_E_UNKNOWN_NAME, "nas-bench-201");
  REFUSED("space: nas-bench-201\nrows: []\n", NAS_E_BAD_INPUT, "arch");
  REFUSED("space: nas-bench-201\narch: cell\nrow: []\n", NAS_E_UNKNOWN_NAME, "'rows'");
  REFUSED("space: nas-bench-201\narch: cell\nrows:\n - {dataset: d, epochs: 0, seed: 1}\n", NAS_E_BAD_INPUT, "epochs");
  REFUSED("space: nas-bench-201\narch: cell\nrows:\n - {dataset: d, epochs: 1, seed: x}\n", NAS_E_BAD_INPUT, "seed");
  REFUSED("space: nas-bench-201\narch: sell\nrows:\n - {dataset: d, epochs: 1, seed: 1, test_accuracy: t}\n",
          NAS_E_UNKNOWN_NAME, "'cell'");
  REFUSED("space: nas-bench-201\narch: cell\nrows:\n - {dataset: d, epochs: 1, seed: 1, test_accuracy: u}\n",
          NAS_E_UNKNOWN_NAME, "no column 'u'");
  REFUSED("a: &x b\n", NAS_E_BAD_INPUT, "anchors");
  REFUSED("a: [b\n", NAS_E_BAD_INPUT, "not valid YAML");
#undef REFUSED
}

static void published_figures_arrive(void **state) {
  (void)state;
  char csv[512], map[4200];
  nas_import_counts n;
  snprintf(csv, sizeof csv, "%s", nas_shared_file("data/nb201/nb201.csv.gz"));
  snprintf(map, sizeof map, "%s/examples/import/nas-bench-201.yaml", nas_source_folder());
  assert_ok(import_into(fx_path("t.db"), csv, map, true, &n, nas_test_err()));
  assert_int_equal(n.trials, 62500);
  nas_bench *b;
  const double *v;
  assert_ok(nas_bench_open(fx_path("t.db"), 0, &b, nas_test_err()));
  assert_int_equal(nas_bench_cells(b), 15625);
  const nas_bench_where at = {.dataset = "cifar10-valid", .epochs = 200, .seed = NAS_BENCH_MEAN};
  assert_ok(nas_bench_column(b, "valid_accuracy", &at, &v, nas_test_err()));
  size_t best = 0, cell;
  for (size_t i = 0; i < 15625; i++) best = v[i] > v[best] ? i : best;
  assert_int_equal(nas_bench_cell_at(b, best)->index, 6111); /* the published optimum, 91.61 % */
  assert_close(v[best], 91.61, 1e-4);
  for (size_t i = 0; i < 15625; i += 97) {
    assert_true(nas_bench_find_arch(b, &nas_bench_cell_at(b, i)->genes, &cell) && cell == i);
    assert_true(nas_bench_find_index(b, (int64_t)i, &cell) && cell == i);
  }
  assert_ok(nas_bench_column(b, "params", &at, &v, nas_test_err()));
  assert_close(v[9930], 1288506, 0);
  nas_bench_close(b);
}

NAS_SUITE(DbImport, NAS_CASE(figures_arrive), NAS_CASE(dictionaries_of_digits_arrive),
          NAS_CASE(faults_are_left_out_and_named), NAS_CASE(wrong_maps_are_refused), NAS_CASE(published_figures_arrive))
