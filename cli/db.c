/* nascent db: make, describe and ask tables. */
#include "cli/db.h"

#include <stdio.h>

#include "base/file.h"
#include "cli/commands.h"

nas_status nas_db_verb_open(nas_cli *cli, int argc, const char **argv, const nas_usage *usage, nas_db **db, bool *done,
                            nas_err *err) {
  *db = NULL;
  NAS_TRY(nas_cli_parse(cli, argc, argv, usage, done, err));
  if (*done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  return nas_db_open(cli->args[0], NAS_DB_READ, db, err);
}

static nas_status init_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"FILE", 1, 1, NULL, "Makes an empty table. A table that is there already is left as it is."};
  bool done;
  nas_db *db;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  bool there = nas_file_exists(cli->args[0]);
  NAS_TRY(nas_db_open(cli->args[0], NAS_DB_CREATE, &db, err));
  nas_db_close(db);
  nas_str out = {0};
  if (cli->json) {
    nas_str_add(&out, "{\"schema\": \"nascent.db-init\", \"path\": ");
    nas_str_json(&out, cli->args[0]);
    nas_str_fmt(&out, ", \"made\": %s}\n", there ? "false" : "true");
  } else if (!cli->quiet) {
    fprintf(stderr, there ? "%s is a table already\n" : "made %s\n", cli->args[0]);
  }
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

static nas_status print_facts(const nas_cli *cli, const nas_db_facts *f, const nas_rows *campaigns, nas_err *err) {
  static const char *const people[] = {"campaign", "name",   "space", "dataset",  "recipe", "strategy",
                                       "seed",     "trials", "ok",    "finished", "failed", "valid_accuracy_best",
                                       NULL};
  nas_str out = {0};
  char size[24];
  if (cli->json) {
    nas_str_add(&out, "{\"schema\": \"nascent.db-info\", \"path\": ");
    nas_str_json(&out, cli->args[0]);
    nas_str_fmt(&out,
                ", \"schema_version\": %d, \"bytes\": %lld, \"architectures\": %lld, \"trials\": %lld, \"epochs\": "
                "%lld, \"campaigns\": ",
                f->schema, (long long)f->bytes, (long long)f->architectures, (long long)f->trials,
                (long long)f->epochs);
    nas_db_json_rows(campaigns, &out);
    nas_str_add(&out, "}\n");
  } else {
    nas_str_fmt(&out,
                "path           %s\nschema         %d\nsize           %s\narchitectures  %lld\ntrials         "
                "%lld\nepochs         %lld\n%s",
                cli->args[0], f->schema, nas_text_size(size, f->bytes), (long long)f->architectures,
                (long long)f->trials, (long long)f->epochs, campaigns->n ? "\n" : "campaigns      0\n");
  }
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  if (status == NAS_OK && !cli->json && campaigns->n) status = nas_db_print_people(cli, campaigns, people, err);
  return status;
}

static nas_status info_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"FILE", 1, 1, NULL, "With --csv: the campaigns only."};
  bool done;
  nas_db *db;
  NAS_TRY(nas_db_verb_open(cli, argc, argv, &usage, &db, &done, err));
  if (done) return NAS_OK;
  nas_db_facts facts;
  nas_rows campaigns = {0};
  nas_status status = nas_db_facts_read(db, &facts, err);
  if (status == NAS_OK) status = nas_db_progress(db, &campaigns, err);
  if (status == NAS_OK)
    status = cli->csv ? nas_db_print(cli, "nascent.db-info", &campaigns, NULL, err)
                      : print_facts(cli, &facts, &campaigns, err);
  nas_rows_free(&campaigns);
  nas_db_close(db);
  return status;
}

nas_status nas_cmd_db(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const nas_command verbs[] = {{"init", "make an empty table", init_verb},
                                      {"info", "describe a table and its campaigns", info_verb},
                                      {"best", "list the best trials", nas_db_best_verb},
                                      {"query", "show everything known about one architecture", nas_db_query_verb},
                                      {"curve", "show the training curve of one trial", nas_db_curve_verb},
                                      {"compare", "compare two architectures, or two tables", nas_db_compare_verb},
                                      {"stats", "what operations and edges do to a figure", nas_db_stats_verb},
                                      {"correlate", "rank correlation of two figures", nas_db_correlate_verb},
                                      {"import", "import a CSV or JSON table", nas_db_import_verb},
                                      {"merge", "make one table of several", nas_db_merge_verb},
                                      {"export", "write all trials as CSV or JSON", nas_db_export_verb},
                                      {"verify", "check that a table is sound", nas_db_verify_verb},
                                      {"migrate", "bring an older table to this version", nas_db_migrate_verb},
                                      {"sql", "run one SQL statement that only reads", nas_db_sql_verb},
                                      {NULL, NULL, NULL}};
  nas_status status = nas_cli_dispatch(cli, "db", verbs, argc, argv, err);
  /* A table that cannot be reached or written is the same to a script as one that cannot be read: exit 4. */
  bool of_table = status == NAS_E_IO || status == NAS_E_NO_SPACE || status == NAS_E_DB_BUSY;
  return of_table && err && err->where[0] ? NAS_E_DB_UNREADABLE : status;
}
