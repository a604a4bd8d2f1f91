/* The whole table as CSV or JSON, row by row, so that its size does not matter. */
#include <errno.h>
#include <string.h>

#include "bench-db/internal/select.h"

typedef struct export {
  nas_db *db;
  nas_db_format format;
  bool curves;
  FILE *out;
  const char *const *names;
  nas_str line;
  size_t n;
}
export;

static nas_status put(export *x, nas_err *err) {
  NAS_TRY(nas_str_check(&x->line, err));
  if (x->line.len && fwrite(x->line.s, 1, x->line.len, x->out) != x->line.len)
    return nas_fail_errno(err, errno, NULL, "cannot write the export");
  nas_str_clear(&x->line);
  return NAS_OK;
}

/* ---- CSV ---- */

static nas_status csv_names(void *arg, int n, const char *const *names, nas_err *err) {
  export *x = arg;
  for (int i = 0; i < n; i++) nas_str_fmt(&x->line, "%s%s", i ? "," : "", names[i]);
  nas_str_add(&x->line, "\n");
  return put(x, err);
}

static nas_status csv_row(void *arg, int n, const nas_value *values, nas_err *err) {
  export *x = arg;
  for (int i = 0; i < n; i++) {
    if (i) nas_str_add(&x->line, ",");
    nas_value_csv(&values[i], &x->line);
  }
  nas_str_add(&x->line, "\n");
  return put(x, err);
}

/* ---- JSON ---- */

static const char sql_epochs[] =
    "SELECT epoch, train_loss, train_accuracy, valid_loss, valid_accuracy, test_loss, test_accuracy, seconds, "
    "valid_seconds FROM " NAS_DB_EPOCHS " WHERE trial = ? ORDER BY epoch";

static nas_status epoch_names(void *arg, int n, const char *const *names, nas_err *err) {
  (void)n, (void)err;
  export *x = arg;
  x->names = names;
  x->n = 0;
  return NAS_OK;
}

static nas_status epoch_row(void *arg, int n, const nas_value *values, nas_err *err) {
  export *x = arg;
  const char *next = x->format == NAS_DB_JSON_LINES ? " " : "\n      ";
  nas_str_fmt(&x->line, "%s%s", x->n++ ? "," : "", next);
  nas_values_json(n, x->names, values, false, &x->line);
  return nas_str_check(&x->line, err);
}

static nas_status add_curve(export *x, int64_t trial, nas_err *err) {
  sqlite3_stmt *s;
  export inner = *x;
  NAS_TRY(nas_db_prepare(x->db, sql_epochs, &s, err));
  sqlite3_bind_int64(s, 1, trial);
  nas_str_add(&inner.line, ", \"epochs\": [");
  nas_status status = nas_db_send(x->db, s, (nas_row_sink){epoch_names, epoch_row, &inner}, err);
  nas_str_add(&inner.line, "]");
  x->line = inner.line;
  return status;
}

static nas_status json_names(void *arg, int n, const char *const *names, nas_err *err) {
  (void)n;
  export *x = arg;
  x->names = names;
  if (x->format == NAS_DB_JSON_LINES) return NAS_OK;
  nas_str_add(&x->line, "{\"schema\": \"nascent.db-export\", \"rows\": [");
  return put(x, err);
}

static nas_status json_row(void *arg, int n, const nas_value *values, nas_err *err) {
  export *x = arg;
  bool lines = x->format == NAS_DB_JSON_LINES;
  if (!lines) nas_str_add(&x->line, x->n++ ? ",\n  " : "\n  ");
  nas_values_json(n, x->names, values, true, &x->line);
  if (x->curves) NAS_TRY(add_curve(x, values[0].integer, err));
  nas_str_add(&x->line, lines ? "}\n" : "}");
  return put(x, err);
}

/* ---- what is exported ---- */

static const char sql_trials[] = "SELECT * FROM result ORDER BY trial";
/* JSON calls the curve itself "epochs". */
static const char sql_trials_for_curves[] =
    "SELECT trial, campaign, number, told, space, arch, \"index\", canonical, class, space_options, dataset, recipe, "
    "seed, train_loss, train_accuracy, valid_loss, valid_accuracy, test_loss, test_accuracy, seconds, params, macs, "
    "peak_bytes, attempt, worker, outcome, cause FROM result ORDER BY trial";
static const char sql_long[] =
    "SELECT x.trial, x.campaign, x.number, x.told, x.space, x.arch, x.\"index\", x.canonical, x.class, "
    "x.space_options, x.dataset, x.recipe, x.seed, x.params, x.macs, x.outcome, x.cause, e.epoch, e.train_loss, "
    "e.train_accuracy, e.valid_loss, e.valid_accuracy, e.test_loss, e.test_accuracy, e.seconds, e.valid_seconds "
    "FROM result x LEFT JOIN " NAS_DB_EPOCHS " e ON e.trial = x.trial ORDER BY x.trial, e.epoch";

static nas_status export_all(export *x, nas_err *err) {
  sqlite3_stmt *s;
  bool json = x->format != NAS_DB_CSV;
  NAS_TRY(nas_db_prepare(x->db, !x->curves ? sql_trials : json ? sql_trials_for_curves : sql_long, &s, err));
  if (!json) return nas_db_send(x->db, s, (nas_row_sink){csv_names, csv_row, x}, err);
  NAS_TRY(nas_db_send(x->db, s, (nas_row_sink){json_names, json_row, x}, err));
  if (x->format == NAS_DB_JSON) nas_str_add(&x->line, "\n]}\n");
  return put(x, err);
}

nas_status nas_db_export(nas_db *db, nas_db_format format, bool curves, FILE *out, nas_err *err) {
  export x = {.db = db, .format = format, .curves = curves, .out = out};
  bool own;
  NAS_TRY(nas_db_read_begin(db, &own, err));
  nas_status status = export_all(&x, err);
  nas_db_read_end(db, own);
  nas_str_free(&x.line);
  if (status == NAS_OK && fflush(out) != 0) status = nas_fail_errno(err, errno, NULL, "cannot write the export");
  return status;
}
