/* nascent db migrate: an older table becomes one of this program's version. */
#include <stdio.h>

#include "cli/db.h"

nas_status nas_db_migrate_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"FILE", 1, 1, NULL,
                           "Makes a table of an older schema version one of the present version. The file is replaced\n"
                           "as a whole, so that a crash leaves the old table or the new one."};
  bool done;
  int from;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  NAS_TRY(nas_db_migrate(cli->args[0], &from, err));
  nas_db *db;
  nas_db_facts facts;
  NAS_TRY(nas_db_open(cli->args[0], NAS_DB_READ, &db, err));
  nas_status status = nas_db_facts_read(db, &facts, err);
  nas_db_close(db);
  if (status != NAS_OK) return status;
  if (cli->json) {
    nas_str out = {0};
    nas_str_add(&out, "{\"schema\": \"nascent.db-migrate\", \"path\": ");
    nas_str_json(&out, cli->args[0]);
    nas_str_fmt(&out, ", \"from\": %d, \"schema_version\": %d}\n", from, facts.schema);
    status = nas_str_check(&out, err);
    if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
    nas_str_free(&out);
  } else if (!cli->quiet) {
    fprintf(stderr, from == facts.schema ? "%s has schema version %d already\n" : "%s has schema version %d now\n",
            cli->args[0], facts.schema);
  }
  return status;
}
