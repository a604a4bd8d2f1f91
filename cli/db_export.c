/* nascent db export: all trials as text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/db.h"

/* Writes beside the file and renames, so that nobody sees half an export. */
static nas_status export_to(nas_db *db, nas_db_format format, bool curves, const char *path, nas_err *err) {
  char temporary[4096];
  if (!nas_text_put(temporary, sizeof temporary, "%s.XXXXXX", path))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path is too long");
  int fd = mkstemp(temporary);
  if (fd < 0) return nas_fail_errno(err, errno, path, "cannot create a file in this folder");
  FILE *file = fdopen(fd, "w");
  if (!file) {
    close(fd);
    unlink(temporary);
    return nas_fail_memory(err, "an open file");
  }
  nas_status status = nas_db_export(db, format, curves, file, err);
  if (status == NAS_OK && (fchmod(fd, 0644) != 0 || fsync(fd) != 0))
    status = nas_fail_errno(err, errno, path, "cannot write the file");
  if (fclose(file) != 0 && status == NAS_OK) status = nas_fail_errno(err, errno, path, "cannot write the file");
  if (status == NAS_OK && rename(temporary, path) != 0)
    status = nas_fail_errno(err, errno, path, "cannot replace the file");
  if (status != NAS_OK) unlink(temporary);
  return status;
}

static nas_status find_format(const nas_cli *cli, const char *name, nas_db_format *out, nas_err *err) {
  if (!name) name = cli->json ? "json" : "csv";
  *out = strcmp(name, "json") == 0 ? NAS_DB_JSON : NAS_DB_CSV;
  if (strcmp(name, "json") == 0 || strcmp(name, "csv") == 0) return NAS_OK;
  return nas_fail(err, NAS_E_USAGE, "--format", "'%s' is no format; csv or json", name);
}

nas_status nas_db_export_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *name = NULL, *output = NULL;
  bool curves = false, done;
  const nas_flag flags[] = {{"format", 'f', NAS_FLAG_TEXT, &name, "FORMAT", "csv (default) or json"},
                            {"output", 0, NAS_FLAG_TEXT, &output, "FILE", "write to a file instead of stdout"},
                            {"curves", 0, NAS_FLAG_SWITCH, &curves, NULL, "with every epoch"},
                            {0}};
  const nas_usage usage = {
      "FILE", 1, 1, flags,
      "One row per trial; with --curves CSV has one row per epoch and JSON has a list \"epochs\" in\n"
      "each row. Numbers are written so that they read back to the same bits."};
  nas_db *db;
  nas_db_format format = NAS_DB_CSV;
  NAS_TRY(nas_db_verb_open(cli, argc, argv, &usage, &db, &done, err));
  if (done) return NAS_OK;
  nas_status status = find_format(cli, name, &format, err);
  if (status == NAS_OK)
    status = output ? export_to(db, format, curves, output, err) : nas_db_export(db, format, curves, stdout, err);
  nas_db_close(db);
  return status;
}
