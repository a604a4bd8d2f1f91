/* The best trials by one metric. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench-db/internal/select.h"

static const char *const numeric_columns[] = {"valid_accuracy", "test_accuracy", "train_accuracy", "valid_loss",
                                              "test_loss",      "train_loss",    "seconds",        "params",
                                              "macs",           "peak_bytes",    "epochs",         NULL};

bool nas_db_more_is_better(const char *metric) {
  static const char *const costs[] = {"loss", "seconds", "params", "macs", "bytes", "latency", "energy", "error"};
  for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
    if (strstr(metric, costs[i])) return false;
  return true;
}

static bool is_column(const char *metric) {
  for (const char *const *c = numeric_columns; *c; c++)
    if (strcmp(*c, metric) == 0) return true;
  return false;
}

static void add_known(const char *name, nas_guess *guess, nas_str *known) {
  nas_guess_add(guess, name);
  nas_str_fmt(known, "%s%s", known->len ? ", " : "", name);
}

/* OK when some trial has the metric; otherwise the nearest name that there is, or where none is near all of them. */
static nas_status check_metric(nas_db *db, const char *metric, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, "SELECT DISTINCT name FROM metric ORDER BY name", &s, err));
  nas_guess guess = nas_guess_for(metric);
  nas_str known = {0};
  nas_status status = NAS_OK;
  bool row = true, found = false;
  for (const char *const *c = numeric_columns; *c; c++) add_known(*c, &guess, &known);
  while (status == NAS_OK && row && !found) {
    status = nas_db_step_row(db, s, &row, "read the metrics", err);
    const char *name = status == NAS_OK && row ? (const char *)sqlite3_column_text(s, 0) : NULL;
    found = name && strcmp(name, metric) == 0;
    if (name) add_known(name, &guess, &known);
  }
  if (found) sqlite3_reset(s);
  const char *near = nas_guess_text(&guess);
  if (status == NAS_OK && !found)
    status = nas_fail(err, NAS_E_UNKNOWN_NAME, metric, "no trial of this table has the metric '%s'%s%s", metric,
                      *near ? near : "; known: ", *near ? "" : nas_str_text(&known));
  nas_str_free(&known);
  return status;
}

/* The metric may be named by its column; anything else is a parameter, so that no text of the user's but the filter
 * becomes SQL. */
static nas_status compose(const nas_db_best_query *q, const char *metric, const char *const *more, nas_str *sql,
                          nas_err *err) {
  bool column = is_column(metric);
  nas_str_add(sql, "SELECT row_number() OVER () AS place, * FROM (SELECT trial, arch, \"index\", class, ");
  if (!column)
    nas_str_add(sql, "(SELECT m.value FROM metric m WHERE m.trial = result.trial AND m.name = ?1) AS metric, ");
  for (int i = 0; more && more[i]; i++) {
    if (is_column(more[i])) continue;
    nas_str_fmt(sql, "(SELECT m.value FROM metric m WHERE m.trial = result.trial AND m.name = ?%d) AS \"", 10 + i);
    for (const char *c = more[i]; *c; c++) nas_str_add_n(sql, *c == '"' ? "\"\"" : c, *c == '"' ? 2 : 1);
    nas_str_add(sql, "\", ");
  }
  nas_str_add(
      sql,
      "valid_accuracy, test_accuracy, train_accuracy, valid_loss, test_loss, train_loss, seconds, params, macs, "
      "peak_bytes, epochs, seed, campaign, space, dataset, recipe FROM result WHERE outcome = 'ok' ");
  if (q->dataset) nas_str_add(sql, "AND " NAS_DB_IS_DATASET(2) " ");
  if (q->campaign) nas_str_add(sql, "AND campaign = ?3 ");
  /* On lines of its own, so that a comment cannot swallow what follows. */
  if (q->where) nas_str_fmt(sql, "AND (\n%s\n) ", q->where);
  nas_str_fmt(sql, "AND %s IS NOT NULL ORDER BY %s %s, trial", column ? metric : "metric", column ? metric : "metric",
              nas_db_more_is_better(metric) ? "DESC" : "ASC");
  if (q->top > 0) nas_str_fmt(sql, " LIMIT %lld", (long long)q->top);
  nas_str_add(sql, ")");
  return nas_str_check(sql, err);
}

/* The filter by itself, so that faults in it are told apart and a stray parenthesis cannot reach beyond it. */
static nas_status check_filter(nas_db *db, const char *where, nas_err *err) {
  nas_str sql = {0};
  nas_str_fmt(&sql, "SELECT 1 FROM result WHERE\n%s", where);
  sqlite3_stmt *stmt = NULL;
  nas_status status = nas_str_check(&sql, err);
  nas_err own = {0};
  if (status == NAS_OK) status = nas_db_prepare_guarded(db, sql.s, "the filter", &stmt, &own);
  sqlite3_finalize(stmt);
  nas_str_free(&sql);
  if (status == NAS_OK || !own.code) return status;
  return nas_fail(err, status, where, "%s (a filter is an SQL expression such as \"params < 5e5\")", own.msg);
}

/* The rows of a query, with columns for the metrics of a front. */
static nas_status find(nas_db *db, const nas_db_best_query *query, const char *const *more, nas_rows *out,
                       nas_err *err) {
  const char *metric = query->metric ? query->metric : "valid_accuracy";
  if (query->top < 0) return nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "a negative number of rows was asked for");
  if (!is_column(metric)) NAS_TRY(check_metric(db, metric, err));
  if (query->where) NAS_TRY(check_filter(db, query->where, err));
  nas_str sql = {0};
  sqlite3_stmt *stmt = NULL;
  nas_status status = compose(query, metric, more, &sql, err);
  if (status == NAS_OK) status = nas_db_prepare_guarded(db, sql.s, "the filter", &stmt, err);
  if (status == NAS_OK) {
    sqlite3_bind_text(stmt, 1, metric, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, query->dataset, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, query->campaign);
    for (int i = 0; more && more[i]; i++) sqlite3_bind_text(stmt, 10 + i, more[i], -1, SQLITE_STATIC);
    status = nas_db_send(db, stmt, nas_rows_sink(out), err);
  }
  sqlite3_finalize(stmt);
  nas_str_free(&sql);
  if (status != NAS_OK) nas_rows_free(out);
  return status;
}

nas_status nas_db_best(nas_db *db, const nas_db_best_query *query, nas_rows *out, nas_err *err) {
  return find(db, query, NULL, out, err);
}

/* ---- fronts ---- */

static double figure_of(const nas_rows *rows, size_t row, const char *metric) {
  const nas_value *v = nas_rows_at(rows, row, metric);
  if (!v || v->kind == NAS_VALUE_NULL) return (double)NAN;
  return nas_db_more_is_better(metric) ? v->real : -v->real;
}

/* Row a is at least as good as b everywhere and better somewhere. */
static bool dominates(const double *a, const double *b, int n) {
  bool better = false;
  for (int k = 0; k < n; k++) {
    if (a[k] < b[k]) return false;
    better = better || a[k] > b[k];
  }
  return better;
}

static void drop_rows(nas_rows *rows, const bool *kept) {
  size_t n = 0, width = (size_t)rows->n_columns;
  for (size_t r = 0; r < rows->n; r++) {
    nas_value *row = rows->values + r * width;
    for (size_t c = 0; c < width && !kept[r]; c++) free((void *)(uintptr_t)row[c].text);
    if (!kept[r]) continue;
    memmove(rows->values + n++ * width, row, width * sizeof *row);
    rows->values[(n - 1) * width] = (nas_value){.kind = NAS_VALUE_INTEGER, .integer = (int64_t)n, .real = (double)n};
  }
  rows->n = n;
}

/* Rows come ordered by the first figure, so that only kept rows, and equals of it further on, can dominate one. */
static nas_status keep_front(nas_rows *rows, const char *const *metrics, int n, nas_err *err) {
  double *figures = calloc(rows->n + 1, (size_t)n * sizeof *figures);
  size_t *front = calloc(rows->n + 1, sizeof *front), n_front = 0;
  bool *kept = calloc(rows->n + 1, sizeof *kept);
  nas_status status = figures && front && kept ? NAS_OK : nas_fail_memory(err, "a front");
  for (size_t r = 0; r < rows->n && status == NAS_OK; r++) {
    double *mine = figures + r * (size_t)n;
    bool whole = true;
    for (int k = 0; k < n; k++) {
      mine[k] = figure_of(rows, r, metrics[k]);
      whole = whole && !isnan(mine[k]);
    }
    for (size_t i = 0; i < n_front && whole; i++) whole = !dominates(figures + front[i] * (size_t)n, mine, n);
    if (!whole) continue;
    size_t m = 0;
    for (size_t i = 0; i < n_front; i++) {
      kept[front[i]] = !dominates(mine, figures + front[i] * (size_t)n, n);
      if (kept[front[i]]) front[m++] = front[i];
    }
    front[m++] = r;
    n_front = m;
    kept[r] = true;
  }
  if (status == NAS_OK) drop_rows(rows, kept);
  free(figures);
  free(front);
  free(kept);
  return status;
}

nas_status nas_db_front(nas_db *db, const char *metrics, const nas_db_best_query *query, nas_rows *out, nas_err *err) {
  const char *names[NAS_DB_FRONT_MAX + 1] = {0};
  char *words = strdup(metrics), *rest = NULL;
  int n = 0;
  nas_status status = words ? NAS_OK : nas_fail_memory(err, "a front");
  for (char *w = words ? strtok_r(words, ", ", &rest) : NULL; w && status == NAS_OK; w = strtok_r(NULL, ", ", &rest)) {
    if (n == NAS_DB_FRONT_MAX)
      status = nas_fail(err, NAS_E_OUT_OF_RANGE, metrics, "a front has at most %d figures", NAS_DB_FRONT_MAX);
    else if (!is_column(w)) status = check_metric(db, w, err);
    if (status == NAS_OK) names[n++] = w;
  }
  if (status == NAS_OK && n < 2)
    status = nas_fail(err, NAS_E_BAD_INPUT, metrics, "a front needs two figures or more, as valid_accuracy,params");
  if (status == NAS_OK) {
    nas_db_best_query q = *query;
    q.metric = names[0];
    q.top = 0;
    status = find(db, &q, names, out, err);
  }
  if (status == NAS_OK) status = keep_front(out, names, n, err);
  free(words);
  return status;
}
