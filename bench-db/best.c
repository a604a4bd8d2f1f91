/* The best trials by one metric. */
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

/* OK when some trial has the metric; otherwise the nearest name that there is. */
static nas_status check_metric(nas_db *db, const char *metric, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, "SELECT DISTINCT name FROM metric", &s, err));
  nas_guess guess = nas_guess_for(metric);
  for (const char *const *c = numeric_columns; *c; c++) nas_guess_add(&guess, *c);
  for (;;) {
    bool row;
    NAS_TRY(nas_db_step_row(db, s, &row, "read the metrics", err));
    if (!row) break;
    const char *name = (const char *)sqlite3_column_text(s, 0);
    if (name && strcmp(name, metric) == 0) {
      sqlite3_reset(s);
      return NAS_OK;
    }
    if (name) nas_guess_add(&guess, name);
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, metric, "no trial of this table has the metric '%s'%s", metric,
                  nas_guess_text(&guess));
}

/* The metric may be named by its column; anything else is a parameter, so that no text of the user's but the filter
 * becomes SQL. */
static nas_status compose(const nas_db_best_query *q, const char *metric, nas_str *sql, nas_err *err) {
  bool column = is_column(metric);
  nas_str_add(sql, "SELECT row_number() OVER () AS place, * FROM (SELECT trial, arch, \"index\", class, ");
  if (!column)
    nas_str_add(sql, "(SELECT m.value FROM metric m WHERE m.trial = result.trial AND m.name = ?1) AS metric, ");
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

nas_status nas_db_best(nas_db *db, const nas_db_best_query *query, nas_rows *out, nas_err *err) {
  const char *metric = query->metric ? query->metric : "valid_accuracy";
  if (query->top < 0) return nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "a negative number of rows was asked for");
  if (!is_column(metric)) NAS_TRY(check_metric(db, metric, err));
  if (query->where) NAS_TRY(check_filter(db, query->where, err));
  nas_str sql = {0};
  sqlite3_stmt *stmt = NULL;
  nas_status status = compose(query, metric, &sql, err);
  if (status == NAS_OK) status = nas_db_prepare_guarded(db, sql.s, "the filter", &stmt, err);
  if (status == NAS_OK) {
    sqlite3_bind_text(stmt, 1, metric, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, query->dataset, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, query->campaign);
    status = nas_db_send(db, stmt, nas_rows_sink(out), err);
  }
  sqlite3_finalize(stmt);
  nas_str_free(&sql);
  if (status != NAS_OK) nas_rows_free(out);
  return status;
}
