#ifndef NAS_BENCH_DB_QUERY_H
#define NAS_BENCH_DB_QUERY_H
/* Questions to a table. Answers are rows of named values; the names are those of docs/schema.md. No answer picks a
 * seed at random, and none leaves out which split a figure is from. */
#include <stdio.h>

#include "bench-db/bench-db.h"

/* ---- rows ---- */
typedef enum nas_value_kind { NAS_VALUE_NULL, NAS_VALUE_INTEGER, NAS_VALUE_REAL, NAS_VALUE_TEXT } nas_value_kind;

typedef struct nas_value {
  nas_value_kind kind;
  int64_t integer;
  double real;
  const char *text; /* blobs come as x'0a0b' */
} nas_value;

/* Takes rows as they come: the names first (also when no row follows), then each row. Values live for the call. */
typedef struct nas_row_sink {
  nas_status (*names)(void *arg, int n, const char *const *names, nas_err *err);
  nas_status (*row)(void *arg, int n, const nas_value *values, nas_err *err);
  void *arg;
} nas_row_sink;

/* Rows kept in memory; start from {0}. */
typedef struct nas_rows {
  int n_columns;
  char **names;
  size_t n, cap;
  nas_value *values; /* row-major; texts are owned */
} nas_rows;
void nas_rows_free(nas_rows *rows);
nas_row_sink nas_rows_sink(nas_rows *rows);
/* NULL when the column is absent. */
const nas_value *nas_rows_at(const nas_rows *rows, size_t row, const char *column);

/* A value as text (the shortest that reads back to the same bits; "" for NULL), as JSON, or as a CSV field. */
void nas_value_text(const nas_value *value, nas_str *out);
void nas_value_json(const nas_value *value, nas_str *out);
void nas_value_csv(const nas_value *value, nas_str *out);
/* {"name": value, ...} without the closing brace when `open`, so that more keys can follow. */
void nas_values_json(int n, const char *const *names, const nas_value *values, bool open, nas_str *out);

/* ---- one statement of the user's ---- */
/* Runs a statement that only reads; anything that would write, attach, load code, or change a setting is refused with
 * BAD_INPUT, as is a second statement. Faults of the SQL are BAD_INPUT with SQLite's words. */
nas_status nas_db_sql(nas_db *db, const char *sql, nas_row_sink sink, nas_err *err);

/* ---- the usual questions ---- */
typedef struct nas_db_best_query {
  const char *metric;  /* a column of the view `result` or a name in `metric`; NULL: valid_accuracy */
  const char *where;   /* an SQL expression over the columns of `result`, or NULL */
  const char *dataset; /* with or without its version, or NULL */
  int64_t campaign;    /* 0: all */
  int64_t top;         /* at most so many rows; 0: all */
} nas_db_best_query;

/* At most so many figures in a front. */
enum { NAS_DB_FRONT_MAX = 6 };

/* The trials of which no other is at least as good in every named figure and better in one: the Pareto front, in the
 * order of the first. `metrics`: 2 to NAS_DB_FRONT_MAX names separated by commas; the query's metric and top are not
 * looked at. Errors: as nas_db_best. */
nas_status nas_db_front(nas_db *db, const char *metrics, const nas_db_best_query *query, nas_rows *out, nas_err *err);

/* True when more of the metric is better (accuracies); figures of cost and loss are better when small. */
bool nas_db_more_is_better(const char *metric);
/* The best trials with outcome ok. Errors: UNKNOWN_NAME for the metric, BAD_INPUT for the expression. */
nas_status nas_db_best(nas_db *db, const nas_db_best_query *query, nas_rows *out, nas_err *err);

/* Which architecture: exactly one of arch, index and hash. */
typedef struct nas_db_arch_query {
  const char *arch;    /* its text, or one that its space reads as the same */
  int64_t index;       /* its published index; -1: not asked by */
  const char *hash;    /* its canonical form */
  const char *dataset; /* or NULL */
  bool by_seed;
  uint64_t seed;      /* when by_seed */
  bool epochs;        /* curves too */
  int64_t run_epochs; /* only runs of so many epochs; 0: all */
  bool mean;          /* only published means, as trials; the means over seeds come in any case */
} nas_db_arch_query;

/* Everything known. */
typedef struct nas_db_arch_report {
  nas_rows architectures; /* space, arch, index, canonical, class, and `asked`: 1, or 0 for an equal network */
  nas_rows trials;        /* rows of `result`, finished or not, in the order of their numbers */
  nas_rows means;         /* rows of `per_architecture`; empty when asked by seed */
  nas_rows epochs;        /* rows of `curve` of those trials, without the architecture */
} nas_db_arch_report;

/* NOT_FOUND when the table has no such architecture. Free with nas_db_arch_report_free, also after an error. */
nas_status nas_db_arch(nas_db *db, const nas_db_arch_query *query, nas_db_arch_report *out, nas_err *err);
void nas_db_arch_report_free(nas_db_arch_report *report);

/* The epochs of one trial: rows of `curve`. NOT_FOUND for a trial that is not there. */
nas_status nas_db_curve(nas_db *db, int64_t trial, nas_rows *out, nas_err *err);

/* Rows of `progress`: one per campaign. */
nas_status nas_db_progress(nas_db *db, nas_rows *out, nas_err *err);

/* What the file is. */
typedef struct nas_db_facts {
  int schema, sqlite_version;
  int64_t bytes, architectures, campaigns, trials, epochs;
} nas_db_facts;
nas_status nas_db_facts_read(nas_db *db, nas_db_facts *out, nas_err *err);

/* ---- the whole table as text ---- */
typedef enum nas_db_format { NAS_DB_CSV, NAS_DB_JSON, NAS_DB_JSON_LINES } nas_db_format;
/* Every trial as a row of `result`. With curves, CSV has one row per epoch (the trial's columns, then the epoch's with
 * the names of `curve`; a trial without epochs has one row without them) and JSON has "epochs" in each row. JSON lines
 * are those rows, one a line. */
nas_status nas_db_export(nas_db *db, nas_db_format format, bool curves, FILE *out, nas_err *err);

/* ---- is it sound ---- */
/* One row per problem: `check`, `what`, and `damaged` (1: the file is damaged, 0: its content disagrees). Checks the
 * file, foreign keys, the schema, and what the schema cannot say: curves without gaps, contiguous ask and tell
 * numbers, known outcomes, accuracies of 0 to 100, costs that agree, digests. *n_checks: how many were made. */
nas_status nas_db_verify(nas_db *db, nas_rows *problems, int *n_checks, nas_err *err);
#endif
