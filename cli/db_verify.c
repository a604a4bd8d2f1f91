/* nascent db verify: is a table sound? */
#include <stdio.h>

#include "cli/db.h"

static nas_status print_verdict(const nas_cli *cli, const nas_rows *problems, int n_checks, nas_err *err) {
  static const char *const people[] = {"check", "what", NULL};
  if (cli->csv || cli->json_lines) return nas_db_print(cli, "nascent.db-verify", problems, NULL, err);
  nas_str out = {0};
  if (cli->json) {
    nas_str_fmt(&out, "{\"schema\": \"nascent.db-verify\", \"sound\": %s, \"checks\": %d, \"rows\": ",
                problems->n ? "false" : "true", n_checks);
    nas_db_json_rows(problems, &out);
    nas_str_add(&out, "}\n");
  } else if (problems->n == 0) {
    nas_str_fmt(&out, "sound: %d checks found no problem\n", n_checks);
  }
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  if (status == NAS_OK && !cli->json && problems->n) status = nas_db_print_people(cli, problems, people, err);
  return status;
}

nas_status nas_db_verify_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"FILE", 1, 1, NULL,
                           "Checks the file, its references and schema, and what its rows must agree on.\n"
                           "Exit status: 0 sound, 1 rows disagree, 4 damaged."};
  bool done;
  nas_db *db;
  NAS_TRY(nas_db_verb_open(cli, argc, argv, &usage, &db, &done, err));
  if (done) return NAS_OK;
  nas_rows problems = {0};
  int n_checks;
  nas_status status = nas_db_verify(db, &problems, &n_checks, err);
  if (status == NAS_OK) status = print_verdict(cli, &problems, n_checks, err);
  bool damaged = false;
  for (size_t i = 0; i < problems.n; i++) damaged = damaged || nas_rows_at(&problems, i, "damaged")->integer == 1;
  if (status == NAS_OK && problems.n)
    status =
        nas_fail(err, damaged ? NAS_E_DB_UNREADABLE : NAS_E_MISMATCH, cli->args[0], "%zu problem%s found%s", problems.n,
                 problems.n == 1 ? "" : "s", damaged ? "; restore the table from a copy or a snapshot" : "");
  nas_rows_free(&problems);
  nas_db_close(db);
  return status;
}
