/* Export, verify, and the description of the schema. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench-db/query.h"
#include "fixture.h"

static char *export_text(const char *path, nas_db_format format, bool curves) {
  nas_db *db;
  char *text = NULL;
  size_t n;
  FILE *f = open_memstream(&text, &n);
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
  assert_ok(nas_db_export(db, format, curves, f, nas_test_err()));
  nas_db_close(db);
  fclose(f);
  return text;
}

static void json_export_reads_back_to_the_bits(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  fx_table(path, 7);
  char *text = export_text(path, NAS_DB_JSON, true);
  json_error_t fault;
  json_t *root = json_loads(text, 0, &fault);
  if (!root) fail_msg("line %d: %s", fault.line, fault.text);
  assert_int_equal(strncmp(text, "{\"schema\": \"nascent.db-export\"", 29), 0);
  json_t *rows = json_object_get(root, "rows"), *epoch;
  assert_int_equal(json_array_size(rows), 7);
  for (size_t i = 0; i < 7; i++) {
    json_t *row = json_array_get(rows, i);
    nas_result r = fx_result(i, 3);
    assert_string_equal(json_string_value(json_object_get(row, "arch")), fx_ask(1, i).arch);
    assert_string_equal(json_string_value(json_object_get(row, "dataset")), "shapes@1");
    assert_int_equal(json_integer_value(json_object_get(row, "index")), (int)(i % 5));
    assert_int_equal(json_integer_value(json_object_get(row, "peak_bytes")), 123456789);
    size_t k;
    json_array_foreach(json_object_get(row, "epochs"), k, epoch) {
      assert_int_equal(json_integer_value(json_object_get(epoch, "epoch")), k + 1);
      assert_true(json_number_value(json_object_get(epoch, "valid_loss")) == r.epochs[k].valid_loss);
      assert_true(json_number_value(json_object_get(epoch, "train_accuracy")) == r.epochs[k].train_accuracy);
      assert_true(json_is_null(json_object_get(epoch, "test_accuracy")) == (bool)isnan(r.epochs[k].test_accuracy));
    }
    assert_int_equal(k, 3);
    nas_result_free(&r);
  }
  json_decref(root);
  free(text);
}

static void csv_export_is_what_python_reads(void **state) {
  (void)state;
  const char *path = fx_path("t.db"), *csv = fx_path("t.csv");
  int64_t campaign;
  nas_db *db = fx_open(path, &campaign);
  fx_add(db, campaign, 0, 3);
  int64_t trial;
  int32_t attempt;
  bool recorded;
  nas_db_ask ask = fx_ask(campaign, 1);
  nas_result r = {.outcome = NAS_OUTCOME_CRASHED};
  nas_fail(&r.cause, NAS_E_CRASHED, NULL, "signal 11, \"core\"\ndumped");
  assert_ok(nas_db_trial_add(db, &ask, &trial, nas_test_err()));
  assert_ok(nas_db_trial_start(db, trial, 1, &attempt, nas_test_err()));
  assert_ok(nas_db_trial_finish(db, trial, attempt, &r, &recorded, nas_test_err()));
  nas_db_close(db);
  for (int curves = 0; curves < 2; curves++) {
    char *text = export_text(path, NAS_DB_CSV, curves), *out;
    assert_ok(nas_file_write_atomic(csv, text, strlen(text), nas_test_err()));
    free(text);
    nas_run(&out, NULL,
            "python3 -c 'import csv,sys; r=list(csv.DictReader(open(sys.argv[1], newline=\"\")));"
            "print(len(r), r[0][\"arch\"], r[-1][\"outcome\"], repr(r[-1][\"cause\"]), r[-1][\"train_loss\"] == \"\","
            "float(r[-2][\"train_loss\"]).hex(), None in r[0])' '%s'",
            csv);
    char expected[256];
    snprintf(expected, sizeof expected,
             "%d |a~0| crashed 'signal 11, \"core\"\\ndumped' True 0x1.0410410410410p-6 False\n",
             curves ? 4 : 2); /* (1/9)/7 */
    assert_string_equal(out, expected);
    free(out);
  }
}

/* ---- verify ---- */

/* Problems found after a change that the shell makes to a fresh table of six trials. */
static void assert_found(const char *change, const char *check, const char *what) {
  const char *path = fx_path("t.db");
  char sql[1024];
  remove(path);
  fx_table(path, 6);
  snprintf(sql, sizeof sql, "PRAGMA ignore_check_constraints = ON; PRAGMA writable_schema = ON; %s", change);
  const char *talk = fx_shell(path, sql);
  if (*talk) fail_msg("%s: %s", change, talk);
  nas_db *db;
  nas_rows problems = {0};
  int n;
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
  assert_ok(nas_db_verify(db, &problems, &n, nas_test_err()));
  bool found = !*check && problems.n == 0;
  for (size_t i = 0; i < problems.n; i++)
    if (*check && strcmp(nas_rows_at(&problems, i, "check")->text, check) == 0 &&
        strstr(nas_rows_at(&problems, i, "what")->text, what))
      found = true;
  if (!found) {
    for (size_t i = 0; i < problems.n; i++)
      print_error("%s: %s\n", nas_rows_at(&problems, i, "check")->text, nas_rows_at(&problems, i, "what")->text);
    fail_msg("after '%s' there is no problem '%s: ...%s...'", change, check, what);
  }
  nas_rows_free(&problems);
  nas_db_close(db);
}

static void verify_finds_what_is_wrong(void **state) {
  (void)state;
  assert_found("", "", "");
  assert_found("UPDATE trial SET epochs = 2 WHERE id = 3", "curves are whole", "trial 3");
  assert_found("UPDATE trial SET epochs = 4 WHERE id = 3", "curves are whole", "no 4 epochs");
  assert_found("DELETE FROM learning_curve WHERE trial = 3", "curves are whole", "trial 3 has 3 epochs but no curve");
  assert_found("UPDATE learning_curve SET data = x'00' WHERE trial = 2", "curves are whole", "has 1 bytes");
  assert_found("UPDATE learning_curve SET data = (SELECT data FROM learning_curve WHERE trial = 1) WHERE trial = 2",
               "curves end as their trials say", "trial 2");
  assert_found("UPDATE trial SET valid_accuracy = 50 WHERE id = 2", "curves end as their trials say", "trial 2");
  assert_found("UPDATE trial SET valid_accuracy = 100.5 WHERE id = 2; DELETE FROM learning_curve WHERE trial = 2",
               "accuracies are percent", "epoch 3 of trial 2");
  assert_found("UPDATE trial SET params = -5 WHERE id = 4", "costs are not negative", "trial 4");
  assert_found("UPDATE metric SET value = -1 WHERE trial = 4 AND name = 'seconds'", "costs are not negative",
               "seconds");
  assert_found("UPDATE trial SET params = 77 WHERE id = 6", "equal networks cost the same", "|a~0|");
  assert_found("UPDATE metric SET value = 1 WHERE trial = 4 AND name = 'params'", "trained and planned costs agree",
               "trial 4");
  assert_found("UPDATE trial SET outcome = 'splendid' WHERE id = 1", "outcomes are known", "splendid");
  assert_found("UPDATE trial SET number = 9 WHERE id = 6", "asks are contiguous", "campaign 1");
  assert_found("UPDATE tell SET told = 9 WHERE told = 5", "tells are contiguous", "campaign 1");
  assert_found("DELETE FROM tell WHERE told = 5", "finished trials were told, and no others", "trial 6");
  assert_found(
      "UPDATE trial SET outcome = NULL, epochs = NULL WHERE id = 2; DELETE FROM learning_curve WHERE trial = 2",
      "finished trials were told, and no others", "trial 2");
  assert_found("UPDATE trial SET asked_after = 50 WHERE id = 2", "asks follow tells", "trial 2");
  assert_found("UPDATE trial SET worker = NULL WHERE id = 2", "attempts are counted", "trial 2");
  assert_found("UPDATE campaign SET space = 'other@1'", "architectures are of their campaign's space", "other@1");
  assert_found("UPDATE architecture SET \"index\" = 1 WHERE id = 1", "an index names one architecture", "index 1");
  assert_found("UPDATE architecture SET class = 9 WHERE id = 5", "a canonical form has one class", "A");
  assert_found("UPDATE recipe SET options = 'epochs=9'", "digests", "quick@1");
  assert_found("PRAGMA foreign_keys = OFF; DELETE FROM recipe", "foreign keys", "recipe");
  assert_found("DROP VIEW leaderboard", "schema", "leaderboard is missing");
  assert_found("DROP INDEX trial_by_architecture", "schema", "trial_by_architecture");
  assert_found("DROP VIEW curve; CREATE VIEW curve AS SELECT 1", "schema", "curve is not the one");
}

static void verify_finds_damaged_pages(void **state) {
  (void)state;
  const char *path = fx_path("t.db");
  fx_table(path, 60);
  char *root; /* an index that loses its content is the damage that SQL does not notice */
  nas_run(&root, NULL, "sqlite3 '%s' \"SELECT rootpage FROM sqlite_schema WHERE name = 'architecture_by_index'\"",
          path);
  nas_run(NULL, NULL, "printf '\\x0a\\0\\0\\0\\0\\x10\\0\\0' | dd of='%s' bs=1 seek=%d conv=notrunc status=none", path,
          (atoi(root) - 1) * 4096);
  free(root);
  nas_db *db;
  nas_rows problems = {0};
  int n;
  assert_ok(nas_db_open(path, NAS_DB_READ, &db, nas_test_err()));
  assert_ok(nas_db_verify(db, &problems, &n, nas_test_err()));
  assert_true(problems.n > 0);
  assert_string_equal(nas_rows_at(&problems, 0, "check")->text, "integrity");
  assert_int_equal(nas_rows_at(&problems, 0, "damaged")->integer, 1);
  nas_rows_free(&problems);
  nas_db_close(db);
}

/* ---- the description ---- */

/* Every table, view and column has its name in the document's section of that table or view. */
static void the_schema_is_described(void **state) {
  (void)state;
  char path[4096], *doc, *list;
  size_t n;
  const char *db = fx_path("t.db");
  fx_table(db, 1);
  snprintf(path, sizeof path, "%s/docs/schema.md", nas_source_folder());
  assert_ok(nas_file_read(path, 1 << 20, &doc, &n, nas_test_err()));
  nas_run(
      &list, NULL,
      "sqlite3 -separator ' ' '%s' \"SELECT s.type, s.name, i.name FROM sqlite_schema s, pragma_table_info(s.name) i "
      "WHERE s.type IN ('table', 'view')\"",
      db);
  int columns = 0;
  char type[16], table[64], column[64];
  for (const char *p = list; sscanf(p, "%15s %63s %63s", type, table, column) == 3; p = strchr(p, '\n') + 1) {
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\n### %s `%s`\n", type, table);
    const char *section = strstr(doc, wanted);
    if (!section) fail_msg("docs/schema.md has no section '### %s `%s`'", type, table);
    const char *end = strstr(section + 1, "\n### ");
    snprintf(wanted, sizeof wanted, "`%s`", column);
    const char *found = strstr(section + strlen("\n### "), wanted);
    if (strcmp(column, table) == 0 && found) found = strstr(found + 1, wanted); /* the heading does not count */
    if (!found || (end && found > end)) fail_msg("docs/schema.md does not describe %s.%s", table, column);
    columns++;
  }
  assert_true(columns > 100);
  free(list);
  free(doc);
}

/* Each statement that the document shows as SQL runs. */
static void the_documents_examples_run(void **state) {
  (void)state;
  char path[4096], *doc;
  size_t n;
  const char *db_path = fx_path("t.db");
  fx_table(db_path, 12);
  snprintf(path, sizeof path, "%s/docs/schema.md", nas_source_folder());
  assert_ok(nas_file_read(path, 1 << 20, &doc, &n, nas_test_err()));
  nas_db *db;
  assert_ok(nas_db_open(db_path, NAS_DB_READ, &db, nas_test_err()));
  int examples = 0;
  for (char *p = doc; (p = strstr(p, "```sql\n")); examples++) {
    p += strlen("```sql\n");
    char *end = strstr(p, "```");
    assert_non_null(end);
    *end = '\0';
    nas_rows rows = {0};
    assert_ok(nas_db_sql(db, p, nas_rows_sink(&rows), nas_test_err()));
    if (rows.n == 0) fail_msg("no row: %s", p);
    nas_rows_free(&rows);
    p = end + 1;
  }
  assert_true(examples >= 5);
  nas_db_close(db);
  free(doc);
}

NAS_SUITE(DbText, NAS_CASE(json_export_reads_back_to_the_bits), NAS_CASE(csv_export_is_what_python_reads),
          NAS_CASE(verify_finds_what_is_wrong), NAS_CASE(verify_finds_damaged_pages), NAS_CASE(the_schema_is_described),
          NAS_CASE(the_documents_examples_run))
