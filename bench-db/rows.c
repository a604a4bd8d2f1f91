/* Rows of named values: in memory, and as text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench-db/query.h"

void nas_rows_free(nas_rows *rows) {
  for (size_t i = 0; i < rows->n * (size_t)rows->n_columns; i++) free((void *)(uintptr_t)rows->values[i].text);
  for (int i = 0; rows->names && i < rows->n_columns; i++) free(rows->names[i]);
  free(rows->names);
  free(rows->values);
  *rows = (nas_rows){0};
}

static nas_status keep_names(void *arg, int n, const char *const *names, nas_err *err) {
  nas_rows *rows = arg;
  nas_rows_free(rows);
  rows->names = calloc((size_t)n + 1, sizeof *rows->names);
  if (!rows->names) return nas_fail_memory(err, "the rows of an answer");
  rows->n_columns = n;
  for (int i = 0; i < n; i++)
    if (!(rows->names[i] = strdup(names[i]))) return nas_fail_memory(err, "the rows of an answer");
  return NAS_OK;
}

static nas_status keep_row(void *arg, int n, const nas_value *values, nas_err *err) {
  nas_rows *rows = arg;
  if (rows->n == rows->cap) {
    size_t cap = rows->cap ? 2 * rows->cap : 16;
    nas_value *grown = realloc(rows->values, cap * (size_t)n * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "the rows of an answer");
    rows->values = grown;
    rows->cap = cap;
  }
  nas_value *row = rows->values + rows->n * (size_t)n;
  memcpy(row, values, (size_t)n * sizeof *row);
  bool failed = false;
  for (int i = 0; i < n; i++)
    if (row[i].text && !(row[i].text = strdup(row[i].text))) failed = true;
  rows->n++;
  return failed ? nas_fail_memory(err, "the rows of an answer") : NAS_OK;
}

nas_row_sink nas_rows_sink(nas_rows *rows) { return (nas_row_sink){keep_names, keep_row, rows}; }

const nas_value *nas_rows_at(const nas_rows *rows, size_t row, const char *column) {
  for (int i = 0; row < rows->n && i < rows->n_columns; i++)
    if (strcmp(rows->names[i], column) == 0) return &rows->values[row * (size_t)rows->n_columns + (size_t)i];
  return NULL;
}

void nas_value_text(const nas_value *value, nas_str *out) {
  char text[32];
  if (value->kind == NAS_VALUE_INTEGER) nas_str_fmt(out, "%lld", (long long)value->integer);
  else if (value->kind == NAS_VALUE_REAL) nas_str_add(out, nas_text_double(text, value->real));
  else if (value->kind == NAS_VALUE_TEXT) nas_str_add(out, value->text);
}

void nas_value_json(const nas_value *value, nas_str *out) {
  if (value->kind == NAS_VALUE_REAL) nas_str_json_number(out, value->real);
  else if (value->kind == NAS_VALUE_INTEGER) nas_value_text(value, out);
  else nas_str_json(out, value->kind == NAS_VALUE_TEXT ? value->text : NULL);
}

void nas_value_csv(const nas_value *value, nas_str *out) {
  if (value->kind != NAS_VALUE_TEXT || !strpbrk(value->text, ",\"\r\n")) {
    nas_value_text(value, out);
    return;
  }
  nas_str_add(out, "\"");
  for (const char *p = value->text; *p; p++) nas_str_add_n(out, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
  nas_str_add(out, "\"");
}

void nas_values_json(int n, const char *const *names, const nas_value *values, bool open, nas_str *out) {
  nas_str_add(out, "{");
  for (int i = 0; i < n; i++) {
    if (i) nas_str_add(out, ", ");
    nas_str_json(out, names[i]);
    nas_str_add(out, ": ");
    nas_value_json(&values[i], out);
  }
  if (!open) nas_str_add(out, "}");
}
