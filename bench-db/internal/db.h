#ifndef NAS_BENCH_DB_INTERNAL_DB_H
#define NAS_BENCH_DB_INTERNAL_DB_H
/* What the files of this room share; nobody else includes it. */
#include <sqlite3.h>

#include "bench-db/bench-db.h"

#define NAS_DB_APPLICATION_ID 0x6e617363 /* "nasc" */
#define NAS_DB_SCHEMA_VERSION 5
#define NAS_DB_STATEMENTS_MAX 48

extern const char nas_db_schema[]; /* schema.sql */

struct nas_db {
  sqlite3 *sqlite;
  char path[4096]; /* never ":memory:" or "file:...": see nas_db_safe_path */
  nas_db_mode mode;
  bool in_transaction;     /* between nas_db_begin and nas_db_commit */
  bool spoiled;            /* a write failed in that transaction and rolled it back */
  bool functions_declared; /* see select.c */
  bool is_private;         /* see note.c */
  struct {
    const char *sql; /* a literal: compared by address */
    sqlite3_stmt *stmt;
  } statements[NAS_DB_STATEMENTS_MAX];
  int n_statements;
};

/* The last SQLite error of the connection as a status with a remedy. `doing` reads "cannot DOING". */
nas_status nas_db_fail(nas_db *db, nas_err *err, const char *doing);
nas_status nas_db_fail_sqlite(sqlite3 *sqlite, const char *path, nas_err *err, const char *doing);
nas_status nas_db_fail_busy(const char *path, nas_err *err);

/* A prepared statement of this connection, reset and without bindings. `sql` must be a literal. */
nas_status nas_db_prepare(nas_db *db, const char *sql, sqlite3_stmt **out, nas_err *err);
/* Runs statements without results. */
nas_status nas_db_exec(nas_db *db, const char *sql, const char *doing, nas_err *err);
/* Steps a statement that yields no row, then resets it. */
nas_status nas_db_step_done(nas_db *db, sqlite3_stmt *stmt, const char *doing, nas_err *err);
/* Steps to the next row; *row false at the end, and the statement is reset then. */
nas_status nas_db_step_row(nas_db *db, sqlite3_stmt *stmt, bool *row, const char *doing, nas_err *err);

/* Binding cannot fail but for memory, which the next nas_db_step_... reports; so these return nothing. -1 becomes NULL.
 */
void nas_db_bind_text(sqlite3_stmt *stmt, int i, const char *text);
void nas_db_bind_count(sqlite3_stmt *stmt, int i, int64_t value);
int64_t nas_db_column_count(sqlite3_stmt *stmt, int i);
double nas_db_column_real(sqlite3_stmt *stmt, int i);
/* A copy on the heap; "" for NULL; NULL only when memory ran out. */
char *nas_db_column_text(sqlite3_stmt *stmt, int i);

/* SQLite integers are signed. */
nas_status nas_db_check_range(uint64_t value, const char *what, nas_err *err);

/* A write of several statements: opens a transaction unless one is open. `end` commits or, when status is an error,
 * rolls the whole transaction back, and returns the first error. */
nas_status nas_db_write_begin(nas_db *db, bool *own, nas_err *err);
nas_status nas_db_write_end(nas_db *db, bool own, nas_status status, nas_err *err);

/* Likewise for several reads of one state. */
nas_status nas_db_read_begin(nas_db *db, bool *own, nas_err *err);
void nas_db_read_end(nas_db *db, bool own);

/* Packs and inserts a curve; nothing for n = 0. */
nas_status nas_db_add_curve(nas_db *db, int64_t trial, const nas_epoch *epochs, size_t n, nas_err *err);
/* Binds the eight figures of trial that repeat its curve, train_loss to valid_seconds, from parameter `first` on. */
void nas_db_bind_last(sqlite3_stmt *stmt, int first, const nas_epoch *epochs, size_t n);

/* Declares the SQL functions of this room on a connection: curve_figure(data, epoch, figure), curve_fault(data, epochs)
 * (a text, or NULL when the bytes are a curve of so many epochs). */
nas_status nas_db_add_functions(nas_db *db, nas_err *err);

/* The id of an equal row, which is made when there is none. */
nas_status nas_db_dataset_id(nas_db *db, const nas_db_dataset *d, int64_t *id, nas_err *err);
nas_status nas_db_recipe_id(nas_db *db, const nas_db_recipe *r, int64_t *id, nas_err *err);

/* Adds the epochs of a trial's curve to a result. */
nas_status nas_db_load_epochs(nas_db *db, int64_t trial, nas_result *result, nas_err *err);
/* Fills the owned parts of a trial. */
nas_status nas_db_load_curve(nas_db *db, int64_t trial, nas_result *result, nas_err *err);
#endif
