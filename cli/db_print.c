/* Rows of a table on standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/db.h"

enum { PEOPLE_COLUMNS_MAX = 32 };

void nas_db_json_rows(const nas_rows *rows, nas_str *out) {
  nas_str_add(out, "[");
  for (size_t r = 0; r < rows->n; r++) {
    nas_str_add(out, r ? ",\n  " : "\n  ");
    nas_values_json(rows->n_columns, (const char *const *)rows->names, rows->values + r * (size_t)rows->n_columns,
                    false, out);
  }
  nas_str_add(out, rows->n ? "\n]" : "]");
}

/* ---- for people ---- */

static bool has(const char *text, const char *part) { return strstr(text, part) != NULL; }

/* Figures are rounded to what they are good for. */
static void add_cell(nas_table *t, const char *column, const nas_value *v) {
  if (v->kind == NAS_VALUE_REAL && has(column, "accuracy")) nas_table_cell(t, "%.2f", v->real);
  else if (v->kind == NAS_VALUE_REAL && has(column, "loss")) nas_table_cell(t, "%.4f", v->real);
  else if (v->kind == NAS_VALUE_REAL && has(column, "seconds")) nas_table_cell(t, "%.2f", v->real);
  else if (v->kind == NAS_VALUE_INTEGER) nas_table_cell(t, "%lld", (long long)v->integer);
  else if (v->kind == NAS_VALUE_REAL) nas_table_cell(t, "%.10g", v->real);
  else nas_table_cell(t, "%s", v->kind == NAS_VALUE_TEXT ? v->text : "-");
}

static char alignment(const nas_rows *rows, const char *column) {
  for (size_t r = 0; r < rows->n; r++)
    if (nas_rows_at(rows, r, column)->kind == NAS_VALUE_TEXT) return 'l';
  return 'r';
}

static const nas_value *at(const nas_rows *rows, size_t r, int c) {
  return &rows->values[r * (size_t)rows->n_columns + (size_t)c];
}

static int column_number(const nas_rows *rows, const char *name) {
  for (int c = 0; c < rows->n_columns; c++)
    if (strcmp(rows->names[c], name) == 0) return c;
  return -1;
}

nas_status nas_db_print_people(const nas_cli *cli, const nas_rows *rows, const char *const *people, nas_err *err) {
  const char *names[PEOPLE_COLUMNS_MAX];
  int from[PEOPLE_COLUMNS_MAX], n = 0;
  char format[PEOPLE_COLUMNS_MAX + 1] = "";
  for (int i = 0; people ? people[i] != NULL : i < rows->n_columns; i++) {
    int c = people ? column_number(rows, people[i]) : i;
    if (c < 0) continue;
    if (n == PEOPLE_COLUMNS_MAX)
      return nas_fail(err, NAS_E_UNSUPPORTED, NULL,
                      "more than %d columns do not fit a line; name fewer, or use --csv or --json", PEOPLE_COLUMNS_MAX);
    names[n] = rows->names[c];
    format[n] = alignment(rows, names[n]);
    from[n++] = c;
  }
  nas_table *t = nas_table_new("", names, format, n);
  if (!t) return nas_fail_memory(err, "a table");
  for (size_t r = 0; r < rows->n; r++)
    for (int c = 0; c < n; c++) add_cell(t, names[c], at(rows, r, from[c]));
  nas_cli plain = *cli;
  plain.json = plain.csv = false;
  return nas_table_print(t, &plain, err);
}

/* ---- for programs ---- */

static nas_status flush(nas_str *out, nas_err *err) {
  nas_status status = nas_str_check(out, err);
  if (status == NAS_OK && fputs(nas_str_text(out), stdout) < 0) status = nas_cli_print("", err);
  nas_str_free(out);
  return status;
}

static nas_status stream_names(void *arg, int n, const char *const *names, nas_err *err) {
  nas_db_stream *s = arg;
  nas_str out = {0};
  s->names = calloc((size_t)n + 1, sizeof *s->names);
  if (!s->names) return nas_fail_memory(err, "the names of columns");
  for (s->n_names = 0; s->n_names < n; s->n_names++)
    if (!(s->names[s->n_names] = strdup(names[s->n_names]))) return nas_fail_memory(err, "the names of columns");
  if (s->cli->json && !s->cli->json_lines) {
    nas_str_add(&out, "{\"schema\": ");
    nas_str_json(&out, s->schema);
    nas_str_add(&out, ", \"rows\": [");
  } else if (!s->cli->json) {
    for (int i = 0; i < n; i++) {
      nas_value name = {.kind = NAS_VALUE_TEXT, .text = names[i]};
      nas_value_csv(&name, &out);
      nas_str_add(&out, i + 1 < n ? "," : "\n");
    }
  }
  return flush(&out, err);
}

static nas_status stream_row(void *arg, int n, const nas_value *values, nas_err *err) {
  nas_db_stream *s = arg;
  nas_str out = {0};
  if (s->cli->json) {
    if (!s->cli->json_lines) nas_str_add(&out, s->n ? ",\n  " : "\n  ");
    nas_values_json(n, (const char *const *)s->names, values, false, &out);
    if (s->cli->json_lines) nas_str_add(&out, "\n");
  } else {
    for (int i = 0; i < n; i++) {
      nas_value_csv(&values[i], &out);
      nas_str_add(&out, i + 1 < n ? "," : "\n");
    }
  }
  s->n++;
  return flush(&out, err);
}

nas_row_sink nas_db_stream_sink(nas_db_stream *stream) { return (nas_row_sink){stream_names, stream_row, stream}; }

nas_status nas_db_stream_end(nas_db_stream *s, nas_status status, nas_err *err) {
  bool open = s->names && s->cli->json && !s->cli->json_lines;
  for (int i = 0; s->names && i < s->n_names; i++) free(s->names[i]);
  free(s->names);
  if (status != NAS_OK) return status;
  return nas_cli_print(!open ? "" : s->n ? "\n]}\n" : "]}\n", err);
}

nas_status nas_db_print(const nas_cli *cli, const char *schema, const nas_rows *rows, const char *const *people,
                        nas_err *err) {
  if (!cli->json && !cli->csv) return nas_db_print_people(cli, rows, people, err);
  nas_db_stream stream = {.cli = cli, .schema = schema};
  nas_row_sink sink = nas_db_stream_sink(&stream);
  nas_status status = sink.names(sink.arg, rows->n_columns, (const char *const *)rows->names, err);
  for (size_t r = 0; status == NAS_OK && r < rows->n; r++)
    status = sink.row(sink.arg, rows->n_columns, at(rows, r, 0), err);
  return nas_db_stream_end(&stream, status, err);
}
