/* nascent db sql: one statement of the user's. */
#include "cli/db.h"

static nas_status run(const nas_cli *cli, nas_db *db, const char *sql, nas_err *err) {
  if (cli->json || cli->csv) {
    nas_db_stream stream = {.cli = cli, .schema = "nascent.db-sql"};
    return nas_db_stream_end(&stream, nas_db_sql(db, sql, nas_db_stream_sink(&stream), err), err);
  }
  nas_rows rows = {0};
  nas_status status = nas_db_sql(db, sql, nas_rows_sink(&rows), err);
  if (status == NAS_OK) status = nas_db_print_people(cli, &rows, NULL, err);
  nas_rows_free(&rows);
  return status;
}

nas_status nas_db_sql_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"FILE STATEMENT", 2, 2, NULL,
                           "Runs one SELECT. Statements that would write, attach files, load code or change settings\n"
                           "are refused. docs/schema.md describes the tables and views."};
  bool done;
  nas_db *db;
  NAS_TRY(nas_db_verb_open(cli, argc, argv, &usage, &db, &done, err));
  if (done) return NAS_OK;
  nas_status status = run(cli, db, cli->args[1], err);
  nas_db_close(db);
  return status;
}
