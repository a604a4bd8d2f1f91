/* nascent dataset: list, describe, fetch and verify data sets. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "cli/commands.h"
#include "train/data/dataset.h"

/* ---- list ---- */

static nas_status list_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const char *const columns[] = {"dataset", "version", "input",  "classes",
                                        "train",   "valid",   "folder", "summary"};
  const nas_usage usage = {"", 0, 0, NULL, "The folder is where the files were found; empty: fetch them first."};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  nas_table *t = nas_table_new("nascent.dataset-list", columns, "lrlrrrll", 8);
  for (const nas_dataset_type *const *p = nas_dataset_types(); *p; p++) {
    const nas_dataset_type *type = *p;
    nas_str folder = {0};
    bool here = nas_dataset_locate(type, cli->data_dir, &folder, NULL) == NAS_OK;
    nas_table_cell(t, "%s", type->name);
    nas_table_cell(t, "%d", type->version);
    nas_table_cell(t, "%dx%dx%d", type->task.input.c, type->task.input.h, type->task.input.w);
    nas_table_cell(t, "%d", type->task.classes);
    nas_table_cell(t, "%lld", (long long)type->default_train);
    nas_table_cell(t, "%lld", (long long)type->default_valid);
    nas_table_cell(t, "%s", !here ? "-" : type->files ? nas_str_text(&folder) : "(generated)");
    nas_table_cell(t, "%s", type->summary);
    nas_str_free(&folder);
  }
  return nas_table_print(t, cli, err);
}

/* ---- info ---- */

/* What is known of one data set; `data` is NULL where it could not be opened, and `why` then says why. */
typedef struct facts {
  const nas_dataset_type *type;
  nas_str folder;
  nas_dataset *data;
  nas_err why;
} facts;

static void add_json_field(nas_str *out, const char *name, const char *text) {
  nas_str_fmt(out, ", \"%s\": ", name);
  nas_str_json(out, text);
}

static void files_json(const nas_data_file *f, nas_str *out) {
  nas_str_add(out, "[");
  for (bool first = true; f && f->name; f++, first = false) {
    nas_str_add(out, first ? "{\"file\": " : ", {\"file\": ");
    nas_str_json(out, f->name);
    add_json_field(out, "url", f->url);
    add_json_field(out, "sha256", *f->sha256 ? f->sha256 : NULL);
    add_json_field(out, "content_sha256", *f->content ? f->content : NULL);
    nas_str_add(out, "}");
  }
  nas_str_add(out, "]");
}

static void numbers_json(nas_str *out, const char *name, const double *values, int n) {
  nas_str_fmt(out, ", \"%s\": [", name);
  for (int i = 0; i < n; i++) {
    nas_str_add(out, i ? ", " : "");
    nas_str_json_number(out, values[i]);
  }
  nas_str_add(out, "]");
}

static void data_json(const nas_dataset *d, nas_str *out) {
  nas_shape s = d->task.input;
  nas_str_fmt(out, ", \"images\": %lld, \"train\": %lld, \"valid\": %lld, \"test\": %lld", (long long)d->n,
              (long long)d->n_train, (long long)d->n_valid, (long long)d->n_test);
  nas_str_fmt(out, ", \"input\": [%d, %d, %d], \"classes\": %d", s.c, s.h, s.w, d->task.classes);
  numbers_json(out, "mean", d->mean, s.c);
  numbers_json(out, "std", d->std, s.c);
  add_json_field(out, "digest", d->digest);
  add_json_field(out, "split", d->split);
  nas_str_add(out, ", \"settings\": ");
  nas_options_json(d->type->options, &d->options, out);
}

static void info_json(const facts *f, nas_str *out) {
  const nas_dataset_type *type = f->type;
  nas_str_add(out, "{\"schema\": \"nascent.dataset-info\"");
  add_json_field(out, "dataset", type->name);
  nas_str_fmt(out, ", \"version\": %d", type->version);
  add_json_field(out, "summary", type->summary);
  add_json_field(out, "citation", type->citation);
  add_json_field(out, "license", type->license);
  add_json_field(out, "package", type->package);
  add_json_field(out, "folder", f->data && type->files ? nas_str_text(&f->folder) : NULL);
  add_json_field(out, "missing", f->data ? NULL : f->why.msg);
  if (f->data) data_json(f->data, out);
  nas_str_add(out, ", \"files\": ");
  files_json(type->files, out);
  nas_str_add(out, ", \"archive\": ");
  if (type->archive) files_json((const nas_data_file[]){*type->archive, {0}}, out);
  else nas_str_add(out, "null");
  nas_str_add(out, ", \"options\": ");
  nas_options_help_json(type->options, out);
  nas_str_add(out, "}\n");
}

static void data_text(const facts *f, nas_str *out) {
  const nas_dataset *d = f->data;
  nas_shape s = d->task.input;
  if (f->type->files) nas_str_fmt(out, "folder   %s\n", nas_str_text(&f->folder));
  nas_str_fmt(out, "images   %lld: train %lld, valid %lld, test %lld\n", (long long)d->n, (long long)d->n_train,
              (long long)d->n_valid, (long long)d->n_test);
  nas_str_fmt(out, "input    %dx%dx%d, %d classes\nmean    ", s.c, s.h, s.w, d->task.classes);
  for (int c = 0; c < s.c; c++) nas_str_fmt(out, " %.6f", d->mean[c]);
  nas_str_add(out, "\nstd     ");
  for (int c = 0; c < s.c; c++) nas_str_fmt(out, " %.6f", d->std[c]);
  nas_str_fmt(out, "\ndigest   %s\nsplit    %s\n", d->digest, d->split);
}

static void info_text(const facts *f, nas_str *out) {
  const nas_dataset_type *type = f->type;
  nas_str_fmt(out, "%s (version %d): %s\n", type->name, type->version, type->summary);
  if (*type->citation) nas_str_fmt(out, "%s\n", type->citation);
  nas_str_fmt(out, "\nlicense  %s\n", type->license);
  if (type->package) nas_str_fmt(out, "package  %s\n", type->package);
  const nas_data_file *files = type->archive ? type->archive : type->files;
  for (const nas_data_file *file = files; file && file->name; file = type->archive ? NULL : file + 1)
    nas_str_fmt(out, "file     %s\n", file->url);
  if (f->data) data_text(f, out);
  else nas_str_fmt(out, "\n%s\n", f->why.msg);
  nas_str_add(out, "\nOptions (name, default, range, meaning):\n");
  nas_options_help(type->options, out);
}

/* A missing data set is described too; a bad option or a damaged file is an error. */
static nas_status gather(facts *f, nas_cli *cli, nas_err *err) {
  NAS_TRY(nas_dataset_find(cli->args[0], &f->type, err));
  nas_settings settings = {0};
  nas_status status = nas_cli_section(cli, "dataset", f->type->options, &settings, err);
  if (status == NAS_OK) status = nas_cli_unused_override(cli, err);
  if (status == NAS_OK && nas_dataset_locate(f->type, cli->data_dir, &f->folder, &f->why) == NAS_OK)
    status = nas_dataset_open(cli->args[0], &settings, cli->data_dir, &f->data, err);
  nas_settings_free(&settings);
  return status;
}

static nas_status info_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"DATASET", 1, 1, NULL, "Takes the data set's options by -o, such as -o train-images=5000."};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  facts f = {0};
  nas_str out = {0};
  nas_status status = gather(&f, cli, err);
  if (status == NAS_OK) {
    (cli->json ? info_json : info_text)(&f, &out);
    status = nas_str_check(&out, err);
  }
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  nas_str_free(&f.folder);
  nas_dataset_close(f.data);
  return status;
}

/* ---- fetch ---- */

typedef struct fetching {
  nas_progress line;
  char file[64];
} fetching;

static void on_fetch(void *arg, const char *file, int64_t done, int64_t total) {
  fetching *f = arg;
  char now[24], all[24];
  if (strcmp(f->file, file) != 0) {
    nas_text_put(f->file, sizeof f->file, "%s", file);
    nas_progress_start(&f->line, STDERR_FILENO, f->line.quiet, "MB", done >> 20, 0);
  }
  f->line.done = done >> 20;
  f->line.total = total >> 20;
  nas_text_size(now, done);
  nas_text_size(all, total);
  nas_text_put(f->line.note, sizeof f->line.note, "%s: %s%s%s", file, now, total ? " of " : "", total ? all : "");
  nas_progress_draw(&f->line, false);
}

static nas_status fetch_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const char *base = NULL;
  const nas_flag flags[] = {
      {"url", 0, NAS_FLAG_TEXT, &base, "BASE", "fetch from BASE/FILE (http, https or file) instead of the publisher"},
      {0}};
  const nas_usage usage = {"DATASET", 1, 1, flags,
                           "Downloads what is missing to the cache folder (NASCENT_CACHE, else ~/.cache/nascent),\n"
                           "goes on where an earlier try stopped, and checks the SHA-256 of each file."};
  const nas_dataset_type *type;
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  NAS_TRY(nas_dataset_find(cli->args[0], &type, err));
  fetching f = {.line = {.quiet = cli->quiet}};
  nas_str folder = {0}, out = {0};
  nas_status status = nas_dataset_fetch(type, base, on_fetch, &f, &folder, err);
  if (f.file[0]) nas_progress_clear(&f.line);
  if (status == NAS_OK && cli->json) {
    nas_str_add(&out, "{\"schema\": \"nascent.dataset-fetch\"");
    add_json_field(&out, "dataset", type->name);
    add_json_field(&out, "folder", nas_str_text(&folder));
    nas_str_add(&out, "}\n");
  } else if (status == NAS_OK) {
    nas_str_fmt(&out, "%s\n", nas_str_text(&folder));
  }
  if (status == NAS_OK) status = nas_str_check(&out, err);
  if (status == NAS_OK) status = nas_cli_print(nas_str_text(&out), err);
  nas_str_free(&out);
  nas_str_free(&folder);
  return status;
}

/* ---- verify ---- */

typedef struct verdict {
  nas_table *table;
  int missing, different;
} verdict;

static nas_status verify_file(verdict *v, const nas_data_file *file, const char *folder, nas_err *err) {
  static const char *const states[] = {
      [NAS_FILE_PUBLISHED] = "published",
      [NAS_FILE_CONTENT] = "same content",
      [NAS_FILE_UNKNOWN] = "no digest known",
      [NAS_FILE_DIFFERENT] = "different",
  };
  char path[4096], hex[NAS_DIGEST_SIZE] = "";
  nas_file_state state;
  struct stat st = {0};
  bool here = nas_data_file_find(folder, file->name, path, sizeof path) && stat(path, &st) == 0;
  if (here) NAS_TRY(nas_data_file_check(file, path, &state, hex, err));
  v->missing += !here;
  v->different += here && state == NAS_FILE_DIFFERENT;
  nas_table_cell(v->table, "%s", file->name);
  nas_table_cell(v->table, "%s", here ? states[state] : "missing");
  if (here) nas_table_cell(v->table, "%lld", (long long)st.st_size);
  else nas_table_cell(v->table, "-");
  nas_table_cell(v->table, "%s", hex);
  return NAS_OK;
}

static nas_status verify_files(const nas_cli *cli, const nas_dataset_type *type, const char *folder, nas_err *err) {
  static const char *const columns[] = {"file", "state", "bytes", "sha256"};
  verdict v = {.table = nas_table_new("nascent.dataset-verify", columns, "llrl", 4)};
  for (const nas_data_file *f = type->files; f && f->name; f++) {
    nas_status status = verify_file(&v, f, folder, err);
    if (status == NAS_OK) continue;
    nas_table_free(v.table);
    return status;
  }
  NAS_TRY(nas_table_print(v.table, cli, err));
  if (v.different || v.missing)
    return nas_fail(err, NAS_E_MISMATCH, folder,
                    "of the files of data set %s %d differ from the published ones and %d are missing; "
                    "remove them and run `nascent dataset fetch %s`",
                    type->name, v.different, v.missing, type->name);
  return NAS_OK;
}

static nas_status verify_verb(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  const nas_usage usage = {"DATASET", 1, 1, NULL,
                           "Reads every file, which checks its form, and compares it with the published SHA-256\n"
                           "where that is known."};
  const nas_dataset_type *type;
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  NAS_TRY(nas_cli_unused_override(cli, err));
  NAS_TRY(nas_dataset_find(cli->args[0], &type, err));
  nas_str folder = {0};
  nas_dataset *data = NULL;
  nas_status status = nas_dataset_locate(type, cli->data_dir, &folder, err);
  if (status == NAS_OK) status = verify_files(cli, type, nas_str_text(&folder), err);
  if (status == NAS_OK) status = nas_dataset_open(type->name, NULL, cli->data_dir, &data, err);
  nas_dataset_close(data);
  nas_str_free(&folder);
  return status;
}

nas_status nas_cmd_dataset(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  static const nas_command verbs[] = {{"list", "list the data sets and where they lie", list_verb},
                                      {"info", "describe a data set, its digest and its options", info_verb},
                                      {"fetch", "download a data set to the cache folder", fetch_verb},
                                      {"verify", "check the files of a data set", verify_verb},
                                      {0}};
  return nas_cli_dispatch(cli, "dataset", verbs, argc, argv, err);
}
