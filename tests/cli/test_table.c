/* One table, four forms. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "harness.h"

/* Prints the table with these flags into a file in place of stdout and returns the text. */
static char *printed(const nas_cli *cli) {
  static const char *const columns[] = {"name", "value"};
  nas_table *t = nas_table_new("nascent.test", columns, "lr", 2);
  nas_table_cell(t, "a \"b\", c");
  nas_table_cell(t, "%d", 12);
  nas_table_cell(t, "d");
  nas_table_cell(t, "nan");
  char path[256];
  snprintf(path, sizeof path, "%s/out", nas_test_folder());
  fflush(stdout);
  int held = dup(STDOUT_FILENO);
  assert_non_null(freopen(path, "w", stdout));
  nas_status status = nas_table_print(t, cli, nas_test_err());
  fflush(stdout);
  dup2(held, STDOUT_FILENO);
  close(held);
  assert_int_equal(status, NAS_OK);
  char *text;
  nas_run(&text, NULL, "cat '%s'", path);
  return text;
}

static void expect_form(nas_cli cli, const char *expected) {
  char *text = printed(&cli);
  assert_string_equal(text, expected);
  free(text);
}

static void aligns_columns(void **state) {
  (void)state;
  expect_form((nas_cli){0}, "name      value\na \"b\", c     12\nd             -\n");
}

static void quotes_csv(void **state) {
  (void)state;
  expect_form((nas_cli){.csv = true}, "name,value\n\"a \"\"b\"\", c\",12\nd,\n");
}

static void prints_json_with_null_for_nan(void **state) {
  (void)state;
  expect_form((nas_cli){.json = true},
              "{\"schema\": \"nascent.test\", \"rows\": [\n  {\"name\": \"a \\\"b\\\", c\", \"value\": 12},\n"
              "  {\"name\": \"d\", \"value\": null}\n]}\n");
}

static void streams_json_lines(void **state) {
  (void)state;
  expect_form((nas_cli){.json = true, .json_lines = true},
              "{\"name\": \"a \\\"b\\\", c\", \"value\": 12}\n{\"name\": \"d\", \"value\": null}\n");
}

NAS_SUITE(Table, NAS_CASE(aligns_columns), NAS_CASE(quotes_csv), NAS_CASE(prints_json_with_null_for_nan),
          NAS_CASE(streams_json_lines))
