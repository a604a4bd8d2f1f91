/* Rows of a foreign table into ours, in one transaction. */
#include "bench-db/import.h"

#include <stdlib.h>
#include <string.h>

#include "bench-db/internal/db.h"
#include "bench-db/internal/import.h"

const char *nas_import_reason_text(nas_import_reason reason) {
  static const char *const texts[] = {
#define NAS_IMPORT_REASON(name, text) text,
#include "bench-db/import.def"
#undef NAS_IMPORT_REASON
  };
  return (unsigned)reason < NAS_IMPORT_REASONS ? texts[reason] : "?";
}

nas_status nas_import_fault(nas_importer *im, nas_import_reason reason, const char *column, const char *what,
                            nas_err *err) {
  char where[188];
  nas_text_put(where, sizeof where, "%s%s%.50s", im->place, column ? ":" : "", column ? column : "");
  if (im->job->strict) return nas_fail(err, NAS_E_BAD_INPUT, where, "%s", what);
  im->counts->faults++;
  im->counts->reasons[reason]++;
  if (im->job->fault) im->job->fault(im->job->arg, where, what);
  return NAS_OK;
}

/* ---- columns ---- */

static bool find_column(const nas_importer *im, const char *name, int *out, nas_guess *guess) {
  *guess = nas_guess_for(name);
  for (*out = 0; *out < im->source.n_columns; ++*out) {
    if (strcmp(im->source.names[*out], name) == 0) return true;
    nas_guess_add(guess, im->source.names[*out]);
  }
  *out = -1;
  return false;
}

static nas_status need_column(const nas_importer *im, const char *name, int *out, nas_err *err) {
  nas_guess guess;
  if (find_column(im, name, out, &guess)) return NAS_OK;
  return nas_fail(err, NAS_E_UNKNOWN_NAME, im->job->file, "the file has no column '%s'%s", name,
                  nas_guess_text(&guess));
}

/* A run without one of its columns is left out; *first is the error of the first such column. */
static nas_status bind_field(nas_importer *im, nas_import_run *run, nas_import_field *f, nas_err *first, nas_err *err) {
  nas_guess guess;
  if (!f->path || find_column(im, f->path, &f->column, &guess) || f->optional) return NAS_OK;
  run->lost = true;
  char what[220];
  nas_text_put(what, sizeof what, "the file has no column '%.60s'%s (row %zu of the map)", f->path,
               nas_guess_text(&guess), run->place);
  if (!first->code)
    nas_fail(first, NAS_E_UNKNOWN_NAME, im->job->file, "the file has no column '%s'%s", f->path,
             nas_guess_text(&guess));
  return nas_import_fault(im, NAS_IMPORT_NO_COLUMN, f->path, what, err);
}

static nas_status bind_run(nas_importer *im, nas_import_run *run, nas_err *first, nas_err *err) {
  nas_import_field *which[] = {&run->dataset_from, &run->epochs_from, &run->seed_from};
  for (size_t i = 0; i < 3; i++) NAS_TRY(bind_field(im, run, which[i], first, err));
  for (int k = 0; k < NAS_IMPORT_FIGURES; k++) NAS_TRY(bind_field(im, run, &run->fields[k], first, err));
  for (size_t i = 0; i < run->n_metrics; i++) NAS_TRY(bind_field(im, run, &run->metrics[i].field, first, err));
  for (size_t i = 0; i < run->n_filters; i++) NAS_TRY(bind_field(im, run, &run->filters[i].field, first, err));
  return NAS_OK;
}

static nas_status bind_columns(nas_importer *im, nas_err *err) {
  if (im->source.json) return NAS_OK;
  if ((!im->map.arch && !im->map.columns) || im->map.root_path)
    return nas_fail(err, NAS_E_BAD_INPUT, im->job->map, "`key` and `root` are for JSON, and the file is CSV");
  if (im->map.arch) NAS_TRY(need_column(im, im->map.arch, &im->map.arch_column, err));
  for (size_t i = 0; i < json_array_size(im->map.columns); i++)
    NAS_TRY(need_column(im, json_string_value(json_array_get(im->map.columns, i)), &im->map.gene_columns[i], err));
  nas_err first = {0};
  size_t whole = 0;
  nas_text_put(im->place, sizeof im->place, "%.90s:1", im->job->file);
  for (size_t i = 0; i < im->map.n_runs; i++) {
    NAS_TRY(bind_run(im, &im->map.runs[i], &first, err));
    whole += !im->map.runs[i].lost;
  }
  if (whole) return NAS_OK;
  if (err) *err = first;
  return (nas_status)first.code;
}

/* ---- rows ---- */

static nas_status import_row(nas_importer *im, nas_err *err) {
  nas_arch arch;
  bool good;
  int64_t id;
  im->counts->rows++;
  NAS_TRY(nas_import_arch(im, &arch, &good, err));
  if (!good) return NAS_OK;
  NAS_TRY(nas_import_arch_id(im, &arch, &id, err));
  for (size_t i = 0; i < im->map.n_runs; i++)
    if (!im->map.runs[i].lost) NAS_TRY(nas_import_run_row(im, id, &im->map.runs[i], err));
  return NAS_OK;
}

static nas_status import_csv(nas_importer *im, nas_err *err) {
  for (;;) {
    bool more;
    nas_err own = {0};
    nas_status status = nas_import_csv_row(&im->source, im->job->file, &more, &own);
    nas_text_put(im->place, sizeof im->place, "%.90s:%lld", im->job->file, (long long)im->source.line);
    if (status == NAS_OK && !more) return NAS_OK;
    if (status == NAS_OK) NAS_TRY(import_row(im, err));
    else NAS_TRY(nas_import_fault(im, NAS_IMPORT_BAD_ROW, NULL, own.msg, err));
  }
}

static nas_status import_json(nas_importer *im, nas_err *err) {
  json_t *rows = im->map.root_path ? nas_import_follow(im->source.json, im->map.root_path, NULL) : im->source.json,
         *row;
  const char *key;
  size_t i;
  if (!json_is_object(rows) && !json_is_array(rows))
    return nas_fail(err, NAS_E_BAD_INPUT, im->job->file, "`root` leads to no list or dictionary of architectures");
  if (json_is_array(rows) && !im->map.arch && !im->map.columns)
    return nas_fail(err, NAS_E_BAD_INPUT, im->job->file,
                    "the architectures stand in a list, which has no keys; say where `arch` stands in each record");
  if (json_is_object(rows)) json_object_foreach(rows, key, row) {
      im->record = row;
      im->key = key;
      nas_text_put(im->place, sizeof im->place, "%.60s:%.50s", im->job->file, key);
      NAS_TRY(import_row(im, err));
    }
  else json_array_foreach(rows, i, row) {
      im->record = row;
      nas_text_put(im->place, sizeof im->place, "%.90s:%zu", im->job->file, i + 1);
      NAS_TRY(import_row(im, err));
    }
  return NAS_OK;
}

/* ---- the whole file ---- */

/* A declared space of the same name must be the same space. */
static nas_status check_space(nas_importer *im, nas_err *err) {
  sqlite3_stmt *s;
  bool other;
  if (strncmp(im->map.space_name, "declared", 8) != 0) return NAS_OK;
  NAS_TRY(nas_db_prepare(im->db, "SELECT 1 FROM campaign WHERE space = ? AND space_options <> ?", &s, err));
  nas_db_bind_text(s, 1, im->map.space_name);
  nas_db_bind_text(s, 2, nas_str_text(&im->map.space_options));
  NAS_TRY(nas_db_step_row(im->db, s, &other, "read the table", err));
  sqlite3_reset(s);
  if (!other) return NAS_OK;
  return nas_fail(err, NAS_E_MISMATCH, im->job->map,
                  "the table has a space %s with another declaration; give this one another name", im->map.space_name);
}

static nas_status ask_number(nas_db *db, const char *sql, int64_t parameter, int64_t *out, nas_err *err) {
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_db_prepare(db, sql, &s, err));
  sqlite3_bind_int64(s, 1, parameter);
  NAS_TRY(nas_db_step_row(db, s, &row, "read the table", err));
  *out = sqlite3_column_int64(s, 0);
  sqlite3_reset(s);
  return NAS_OK;
}

static nas_status import_rows(nas_importer *im, nas_err *err) {
  int64_t last;
  NAS_TRY(ask_number(im->db, "SELECT coalesce(max(id), ?) FROM trial", 0, &last, err));
  NAS_TRY(check_space(im, err));
  NAS_TRY(im->source.json ? import_json(im, err) : import_csv(im, err));
  return ask_number(im->db, "SELECT count(DISTINCT architecture) FROM trial WHERE id > ?", last,
                    &im->counts->architectures, err);
}

static nas_status run_import(nas_importer *im, nas_err *err) {
  NAS_TRY(bind_columns(im, err));
  NAS_TRY(nas_db_begin(im->db, err));
  nas_status status = import_rows(im, err);
  /* A file that brought nothing new leaves no trace. */
  if (status == NAS_OK && im->counts->trials > 0) return nas_db_commit(im->db, err);
  nas_db_rollback(im->db);
  return status;
}

nas_status nas_db_import(nas_db *db, const nas_import *import, nas_import_counts *counts, nas_err *err) {
  nas_str text = {0};
  nas_importer im = {.db = db, .job = import, .counts = counts, .map_text = &text};
  *counts = (nas_import_counts){0};
  nas_status status = nas_import_map_read(import->map, &im.map, &text, err);
  if (status == NAS_OK) status = nas_import_source_open(import->file, &im.source, err);
  if (status == NAS_OK) status = run_import(&im, err);
  nas_import_source_close(&im.source);
  nas_import_map_free(&im.map);
  nas_str_free(&text);
  free(im.epochs);
  return status;
}
