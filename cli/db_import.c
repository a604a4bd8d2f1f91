/* nascent db import: foreign tables into ours. */
#include "bench-db/import.h"

#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/db.h"

enum { FAULTS_SHOWN = 20 };

typedef struct talk {
  bool quiet;
  int64_t faults;
} talk;

static void show_fault(void *arg, const char *where, const char *what) {
  talk *t = arg;
  if (t->faults++ < FAULTS_SHOWN && !t->quiet) fprintf(stderr, "left out: %s: %s\n", where, what);
}

static nas_status print_counts(const nas_cli *cli, const char *path, const nas_import_counts *c, nas_err *err) {
  nas_str out = {0};
  if (cli->json) {
    nas_str_add(&out, "{\"schema\": \"nascent.db-import\", \"path\": ");
    nas_str_json(&out, path);
    nas_str_fmt(&out,
                ", \"rows_read\": %lld, \"architectures\": %lld, \"trials\": %lld, \"same\": %lld, \"absent\": %lld, "
                "\"left_out\": %lld, \"reasons\": {",
                (long long)c->rows, (long long)c->architectures, (long long)c->trials, (long long)c->same,
                (long long)c->absent, (long long)c->faults);
    const char *comma = "";
    for (int r = 0; r < NAS_IMPORT_REASONS; r++) {
      if (!c->reasons[r]) continue;
      nas_str_fmt(&out, "%s\"%s\": %lld", comma, nas_import_reason_text((nas_import_reason)r),
                  (long long)c->reasons[r]);
      comma = ", ";
    }
    nas_str_add(&out, "}}\n");
  } else if (!cli->quiet) {
    if (c->faults > FAULTS_SHOWN) fprintf(stderr, "left out: %lld more\n", (long long)c->faults - FAULTS_SHOWN);
    for (int r = 0; r < NAS_IMPORT_REASONS; r++)
      if (c->reasons[r])
        fprintf(stderr, "left out for this reason: %6lld  %s\n", (long long)c->reasons[r],
                nas_import_reason_text((nas_import_reason)r));
    fprintf(
        stderr,
        "%s: %lld trials of %lld architectures added; %lld were there already, %lld left out, %lld not in the file\n",
        path, (long long)c->trials, (long long)c->architectures, (long long)c->same, (long long)c->faults,
        (long long)c->absent);
  }
  nas_status status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  return status;
}

nas_status nas_db_import_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *path = "nascent.db";
  talk t = {0};
  nas_import job = {.fault = show_fault, .arg = &t};
  const nas_flag flags[] = {{"map", 'm', NAS_FLAG_TEXT, &job.map, "MAP.yaml", "where each figure stands"},
                            {"db", 0, NAS_FLAG_TEXT, &path, "DB", "the table to import into (default nascent.db)"},
                            {"strict", 0, NAS_FLAG_SWITCH, &job.strict, NULL, "refuse the file at its first fault"},
                            {0}};
  const nas_usage usage = {"FILE", 1, 1, flags,
                           "Imports a CSV or JSON file, plain or gzip, in one transaction. Rows with faults are left\n"
                           "out and reported. docs/tables.md describes maps; examples/import has some."};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  if (!job.map) return nas_fail(err, NAS_E_USAGE, "--map", "name the map of the file; examples/import has some");
  job.file = cli->args[0];
  t.quiet = cli->quiet;
  bool fresh = !nas_file_exists(path);
  nas_db *db;
  nas_import_counts counts;
  NAS_TRY(nas_db_open(path, NAS_DB_CREATE, &db, err));
  nas_status status = nas_db_import(db, &job, &counts, err);
  nas_db_close(db);
  if (status == NAS_OK) status = print_counts(cli, path, &counts, err);
  else if (fresh) unlink(path); /* as it was */
  return status;
}
