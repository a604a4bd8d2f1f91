/* nascent db export: all trials as text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "bench-db/publish.h"
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

static nas_status find_format(const nas_cli *cli, const char *name, nas_db_format *out, bool *slim, nas_err *err) {
  static const char *const names[] = {"csv", "json", "json-lines", "slim", NULL};
  if (!name) name = cli->json_lines ? "json-lines" : cli->json ? "json" : "csv";
  if (strcmp(name, "jsonl") == 0) name = "json-lines";
  nas_guess guess = nas_guess_for(name);
  for (int i = 0; names[i]; i++) {
    nas_guess_add(&guess, names[i]);
    if (strcmp(names[i], name) != 0) continue;
    *slim = i == 3;
    *out = *slim ? NAS_DB_CSV : (nas_db_format)i;
    return NAS_OK;
  }
  return nas_fail(err, NAS_E_USAGE, "--format", "'%s' is no format%s; csv or json, json-lines, slim", name,
                  nas_guess_text(&guess));
}

static nas_status publish(const nas_cli *cli, nas_db *db, const char *path, const char *card_path,
                          const nas_db_publication *how, nas_err *err) {
  char beside[4200];
  nas_str card = {0};
  if (!path) return nas_fail(err, NAS_E_USAGE, "--output", "a slim table is a file: name it");
  if (!card_path) {
    nas_text_put(beside, sizeof beside, "%s.md", path);
    card_path = beside;
  }
  nas_status status = nas_db_publish(db, path, how, &card, err);
  if (status == NAS_OK) status = nas_file_write_atomic(card_path, nas_str_text(&card), card.len, err);
  nas_str_free(&card);
  if (status == NAS_OK && !cli->quiet) fprintf(stderr, "%s, and its data card %s\n", path, card_path);
  return status;
}

nas_status nas_db_export_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *name = NULL, *output = NULL, *card = NULL;
  nas_db_publication how = {0};
  bool curves = false, done, slim = false;
  const nas_flag flags[] = {
      {"format", 'f', NAS_FLAG_TEXT, &name, "FORMAT", "csv (default), json, json-lines, or slim: a table without logs"},
      {"output", 'o', NAS_FLAG_TEXT, &output, "FILE", "write to a file instead of stdout"},
      {"curves", 0, NAS_FLAG_SWITCH, &curves, NULL, "with every epoch"},
      {"card", 0, NAS_FLAG_TEXT, &card, "FILE", "slim: where the data card goes (default FILE.md)"},
      {"title", 0, NAS_FLAG_TEXT, &how.title, "TEXT", "slim: title of the data card"},
      {"license", 0, NAS_FLAG_TEXT, &how.license, "TEXT", "slim: license of the data, such as CC-BY-4.0"},
      {0}};
  const nas_usage usage = {
      "FILE", 1, 1, flags,
      "One row per trial; with --curves CSV has one row per epoch and JSON has a list \"epochs\" in\n"
      "each row. Numbers are written so that they read back to the same bits. A slim table is a table\n"
      "to publish: packed, read-only, without events, messages and unfinished trials, beside a data\n"
      "card in Markdown that says what is in it, how it was made, and the SHA-256 of the file."};
  nas_db *db;
  nas_db_format format = NAS_DB_CSV;
  NAS_TRY(nas_db_verb_open(cli, argc, argv, &usage, &db, &done, err));
  if (done) return NAS_OK;
  nas_status status = find_format(cli, name, &format, &slim, err);
  if (status == NAS_OK && slim) status = publish(cli, db, output, card, &how, err);
  else if (status == NAS_OK)
    status = output ? export_to(db, format, curves, output, err) : nas_db_export(db, format, curves, stdout, err);
  nas_db_close(db);
  return status;
}
