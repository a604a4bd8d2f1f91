/* Rows out of statements, and the guard for statements of the user's. */
#include <stdlib.h>
#include <string.h>

#include "bench-db/internal/select.h"

/* ---- rows ---- */

#define COLUMNS_MAX 256

static nas_status read_value(sqlite3_stmt *s, int i, nas_value *v, nas_str *blob, nas_err *err) {
  *v = (nas_value){0};
  switch (sqlite3_column_type(s, i)) {
    case SQLITE_NULL: return NAS_OK;
    case SQLITE_INTEGER:
      v->kind = NAS_VALUE_INTEGER;
      v->integer = sqlite3_column_int64(s, i);
      v->real = (double)v->integer;
      return NAS_OK;
    case SQLITE_FLOAT:
      v->kind = NAS_VALUE_REAL;
      v->real = sqlite3_column_double(s, i);
      return NAS_OK;
    case SQLITE_BLOB: {
      const unsigned char *bytes = sqlite3_column_blob(s, i);
      int n = sqlite3_column_bytes(s, i);
      nas_str_clear(blob);
      nas_str_add(blob, "x'");
      for (int k = 0; k < n; k++) nas_str_fmt(blob, "%02x", bytes[k]);
      nas_str_add(blob, "'");
      v->text = nas_str_text(blob);
      v->kind = NAS_VALUE_TEXT;
      return nas_str_check(blob, err);
    }
    default:
      v->kind = NAS_VALUE_TEXT;
      v->text = (const char *)sqlite3_column_text(s, i);
      return v->text ? NAS_OK : nas_fail_memory(err, "a text of the table");
  }
}

static nas_status send_rows(nas_db *db, sqlite3_stmt *s, nas_row_sink sink, nas_str *blobs, nas_err *err) {
  const char *names[COLUMNS_MAX];
  nas_value values[COLUMNS_MAX];
  int n = sqlite3_column_count(s);
  if (n > COLUMNS_MAX) return nas_fail(err, NAS_E_UNSUPPORTED, db->path, "more than %d columns", COLUMNS_MAX);
  for (int i = 0; i < n; i++)
    if (!(names[i] = sqlite3_column_name(s, i))) return nas_fail_memory(err, "the names of columns");
  NAS_TRY(sink.names(sink.arg, n, names, err));
  for (;;) {
    bool row;
    NAS_TRY(nas_db_step_row(db, s, &row, "read the table", err));
    if (!row) return NAS_OK;
    for (int i = 0; i < n; i++) NAS_TRY(read_value(s, i, &values[i], &blobs[i], err));
    NAS_TRY(sink.row(sink.arg, n, values, err));
  }
}

nas_status nas_db_send(nas_db *db, sqlite3_stmt *stmt, nas_row_sink sink, nas_err *err) {
  nas_str blobs[COLUMNS_MAX] = {0}; /* one per column: several values of a row live at once */
  nas_status status = send_rows(db, stmt, sink, blobs, err);
  for (int i = 0; i < COLUMNS_MAX; i++) nas_str_free(&blobs[i]);
  sqlite3_reset(stmt);
  return status;
}

/* ---- the guard ---- */

typedef struct guard {
  char refused[160]; /* what the statement wanted to do; "" while nothing was refused */
} guard;

static bool harmless_pragma(const char *name, const char *argument) {
  static const char *const about_tables[] = {"table_info", "table_xinfo", "table_list",
                                             "index_list", "index_info",  "foreign_key_list"};
  static const char *const plain[] = {"application_id", "user_version", "page_size",
                                      "page_count",     "encoding",     "compile_options"};
  for (size_t i = 0; i < sizeof about_tables / sizeof *about_tables; i++)
    if (sqlite3_stricmp(name, about_tables[i]) == 0) return true;
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (!argument && sqlite3_stricmp(name, plain[i]) == 0) return true;
  return false;
}

static int authorize(void *arg, int action, const char *a, const char *b, const char *schema, const char *trigger) {
  (void)schema, (void)trigger;
  guard *g = arg;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_FUNCTION:
      if (b && sqlite3_stricmp(b, "load_extension") != 0 && sqlite3_stricmp(b, "fts3_tokenizer") != 0) return SQLITE_OK;
      nas_text_put(g->refused, sizeof g->refused, "calls %s()", b ? b : "a function");
      return SQLITE_DENY;
    case SQLITE_PRAGMA:
      if (a && harmless_pragma(a, b)) return SQLITE_OK;
      nas_text_put(g->refused, sizeof g->refused, "uses PRAGMA %s", a ? a : "");
      return SQLITE_DENY;
    case SQLITE_ATTACH:
    case SQLITE_DETACH: nas_text_put(g->refused, sizeof g->refused, "attaches or detaches a file"); return SQLITE_DENY;
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
      nas_text_put(g->refused, sizeof g->refused, "begins or ends a transaction");
      return SQLITE_DENY;
    default:
      if (!g->refused[0]) nas_text_put(g->refused, sizeof g->refused, "changes the database");
      return SQLITE_DENY;
  }
}

static nas_status refuse(const char *owner, const char *why, nas_err *err) {
  return nas_fail(err, NAS_E_BAD_INPUT, NULL, "%s %s; only reading is allowed here", owner, why);
}

static nas_status prepare_one(nas_db *db, const char *sql, const char *owner, const guard *g, sqlite3_stmt **out,
                              nas_err *err) {
  const char *tail = NULL;
  if (sqlite3_prepare_v2(db->sqlite, sql, -1, out, &tail) != SQLITE_OK) {
    if (g->refused[0]) return refuse(owner, g->refused, err);
    if (sqlite3_errcode(db->sqlite) != SQLITE_ERROR) return nas_db_fail(db, err, "read the table");
    int at = sqlite3_error_offset(db->sqlite);
    char where[32] = "";
    if (at >= 0) nas_text_put(where, sizeof where, "column %d", at + 1);
    return nas_fail(err, NAS_E_BAD_INPUT, where, "%s is no SQL that this table understands: %s", owner,
                    sqlite3_errmsg(db->sqlite));
  }
  if (!*out) return nas_fail(err, NAS_E_BAD_INPUT, NULL, "%s is empty", owner);
  if (!sqlite3_stmt_readonly(*out)) return refuse(owner, "writes", err);
  sqlite3_stmt *second = NULL;
  bool more = sqlite3_prepare_v2(db->sqlite, tail, -1, &second, NULL) != SQLITE_OK || second;
  sqlite3_finalize(second);
  if (more) return nas_fail(err, NAS_E_BAD_INPUT, NULL, "%s is followed by another; one at a time", owner);
  return NAS_OK;
}

/* SQLite declares its built-in table functions at their first use, which looks to the guard like making a table; so
 * the harmless ones are used once before. One that this SQLite was built without stays unknown. */
static void declare_functions(nas_db *db) {
  static const char *const names[] = {"pragma_table_info", "pragma_table_xinfo", "pragma_table_list",
                                      "pragma_index_list", "pragma_index_info",  "pragma_foreign_key_list",
                                      "json_each",         "json_tree"};
  char sql[64];
  for (size_t i = 0; !db->functions_declared && i < sizeof names / sizeof *names; i++) {
    sqlite3_stmt *stmt = NULL;
    nas_text_put(sql, sizeof sql, "SELECT 1 FROM %s", names[i]);
    sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);
    sqlite3_finalize(stmt);
  }
  db->functions_declared = true;
}

nas_status nas_db_prepare_guarded(nas_db *db, const char *sql, const char *owner, sqlite3_stmt **out, nas_err *err) {
  *out = NULL;
  declare_functions(db);
  guard g = {""};
  sqlite3_set_authorizer(db->sqlite, authorize, &g);
  nas_status status = prepare_one(db, sql, owner, &g, out, err);
  sqlite3_set_authorizer(db->sqlite, NULL, NULL);
  if (status == NAS_OK) return NAS_OK;
  sqlite3_finalize(*out);
  *out = NULL;
  return status;
}

nas_status nas_db_sql(nas_db *db, const char *sql, nas_row_sink sink, nas_err *err) {
  sqlite3_stmt *stmt;
  NAS_TRY(nas_db_prepare_guarded(db, sql, "the statement", &stmt, err));
  nas_status status = nas_db_send(db, stmt, sink, err);
  /* Faults that show only while it runs, such as json('{'), are the statement's own. */
  if (status == NAS_E_INTERNAL && sqlite3_errcode(db->sqlite) == SQLITE_ERROR)
    status = nas_fail(err, NAS_E_BAD_INPUT, NULL, "the statement failed: %s", sqlite3_errmsg(db->sqlite));
  sqlite3_finalize(stmt);
  return status;
}
