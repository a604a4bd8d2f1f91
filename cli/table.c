/* Tables: one list of rows, printed aligned, as CSV, as a JSON object, or as JSON lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { COLUMNS_MAX = 32 };

struct nas_table {
  const char *schema;
  const char *const *columns;
  const char *format;
  int n_columns;
  char **cells;
  size_t n, cap;
  bool failed;
  size_t width[COLUMNS_MAX]; /* of what was printed */
  size_t printed;            /* rows that are out already */
  bool begun;                /* so is the heading */
};

nas_table *nas_table_new(const char *schema, const char *const *columns, const char *format, int n_columns) {
  nas_table *t = n_columns <= COLUMNS_MAX ? calloc(1, sizeof *t) : NULL;
  if (t) *t = (nas_table){.schema = schema, .columns = columns, .format = format, .n_columns = n_columns};
  return t;
}

void nas_table_free(nas_table *t) {
  if (!t) return;
  for (size_t i = 0; i < t->n; i++) free(t->cells[i]);
  free(t->cells);
  free(t);
}

void nas_table_cell(nas_table *t, const char *fmt, ...) {
  if (!t || t->failed) return;
  if (t->n == t->cap) {
    size_t cap = t->cap ? 2 * t->cap : 64;
    char **grown = realloc(t->cells, cap * sizeof *grown);
    if (!grown) {
      t->failed = true;
      return;
    }
    t->cells = grown;
    t->cap = cap;
  }
  va_list args;
  va_start(args, fmt);
  if (vasprintf(&t->cells[t->n], fmt, args) < 0) t->failed = true;
  else t->n++;
  va_end(args);
}

static const char *cell(const nas_table *t, size_t row, int column) {
  return t->cells[row * (size_t)t->n_columns + (size_t)column];
}

/* A number that is none: a dash for people, an empty field in CSV, null in JSON. */
static const char *shown(const nas_table *t, const char *text, int c, const char *none) {
  bool number = t->format[c] != 'r' || (strcmp(text, "nan") != 0 && strcmp(text, "-nan") != 0);
  return number ? text : none;
}

static void add_aligned(nas_table *t, size_t rows, nas_str *out) {
  size_t *width = t->width;
  for (int c = 0; c < t->n_columns; c++) {
    if (strlen(t->columns[c]) > width[c]) width[c] = strlen(t->columns[c]);
    for (size_t i = 0; i < rows; i++)
      if (strlen(cell(t, i, c)) > width[c]) width[c] = strlen(cell(t, i, c));
  }
  for (size_t r = t->begun; r <= rows; r++) /* row 0 is the heading */
    for (int c = 0; c < t->n_columns; c++) {
      const char *text = r ? shown(t, cell(t, r - 1, c), c, "-") : t->columns[c];
      bool last = c + 1 == t->n_columns;
      if (t->format[c] == 'r') nas_str_fmt(out, "%*s%s", (int)width[c], text, last ? "\n" : "  ");
      else nas_str_fmt(out, "%-*s%s", last ? 0 : (int)width[c], text, last ? "\n" : "  ");
    }
}

static void add_csv_field(nas_str *out, const char *text) {
  if (!strpbrk(text, ",\"\n\r")) {
    nas_str_add(out, text);
    return;
  }
  nas_str_add(out, "\"");
  for (const char *p = text; *p; p++) nas_str_add(out, *p == '"' ? "\"\"" : (char[]){*p, 0});
  nas_str_add(out, "\"");
}

static void add_csv(const nas_table *t, size_t rows, nas_str *out) {
  for (size_t r = t->begun; r <= rows; r++)
    for (int c = 0; c < t->n_columns; c++) {
      add_csv_field(out, r ? shown(t, cell(t, r - 1, c), c, "") : t->columns[c]);
      nas_str_add(out, c + 1 == t->n_columns ? "\n" : ",");
    }
}

/* Numbers and true/false stand bare; "", "-" and what is no JSON number become null. */
static void add_json_value(nas_str *out, const char *text, char format) {
  double number;
  if (format != 'r') nas_str_json(out, text);
  else if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || nas_text_real(text, &number))
    nas_str_add(out, text);
  else nas_str_add(out, "null");
}

static void add_json_row(const nas_table *t, size_t row, nas_str *out) {
  for (int c = 0; c < t->n_columns; c++) {
    nas_str_add(out, c ? ", " : "{");
    nas_str_json(out, t->columns[c]);
    nas_str_add(out, ": ");
    add_json_value(out, cell(t, row, c), t->format[c]);
  }
  nas_str_add(out, "}");
}

static void add_json(const nas_table *t, size_t rows, bool lines, nas_str *out) {
  if (!lines && !t->begun) nas_str_fmt(out, "{\"schema\": \"%s\", \"rows\": [", t->schema);
  for (size_t r = 0; r < rows; r++) {
    if (!lines) nas_str_add(out, t->printed + r ? ",\n  " : "\n  ");
    add_json_row(t, r, out);
    if (lines) nas_str_add(out, "\n");
  }
}

static nas_status print_rows(nas_table *t, const nas_cli *cli, bool last, nas_err *err) {
  nas_str out = {0};
  size_t rows = t->n / (size_t)t->n_columns;
  if (cli->json) add_json(t, rows, cli->json_lines, &out);
  else if (cli->csv) add_csv(t, rows, &out);
  else add_aligned(t, rows, &out);
  t->printed += rows;
  if (last && cli->json && !cli->json_lines) nas_str_add(&out, t->printed ? "\n]}\n" : "]}\n");
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  t->begun = true;
  for (size_t i = 0; i < t->n; i++) free(t->cells[i]);
  t->n = 0;
  return status;
}

nas_status nas_table_flush(nas_table *t, const nas_cli *cli, nas_err *err) {
  return t->failed ? nas_fail_memory(err, "a table") : print_rows(t, cli, false, err);
}

nas_status nas_table_print(nas_table *t, const nas_cli *cli, nas_err *err) {
  nas_status status = t && !t->failed ? print_rows(t, cli, true, err) : nas_fail_memory(err, "a table");
  nas_table_free(t);
  return status;
}
