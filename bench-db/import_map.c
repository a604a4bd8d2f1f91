/* The map of an import: what its keys say about runs and fields. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench-db/internal/import.h"

const char *const nas_import_figures[NAS_IMPORT_FIGURES] = {
    "train_loss",    "train_accuracy",          "valid_loss",    "valid_accuracy", "test_loss",
    "test_accuracy", "train_seconds_per_epoch", "valid_seconds", "params",         "macs",
    "train_seconds"};

static const char *const none[] = {NULL};

nas_status nas_import_check_keys(const char *path, json_t *object, const char *const *known, const char *const *more,
                                 const char *owner, nas_err *err) {
  const char *key;
  json_t *value;
  if (!json_is_object(object)) return nas_fail(err, NAS_E_BAD_INPUT, path, "%s must be a mapping of keys", owner);
  json_object_foreach(object, key, value) {
    bool found = false;
    nas_guess guess = nas_guess_for(key);
    for (const char *const *const *list = (const char *const *const[]){known, more, NULL}; *list; list++)
      for (const char *const *k = *list; *k; k++) {
        found = found || strcmp(*k, key) == 0;
        nas_guess_add(&guess, *k);
      }
    if (!found)
      return nas_fail(err, NAS_E_UNKNOWN_NAME, path, "%s has the unknown key '%s'%s", owner, key,
                      nas_guess_text(&guess));
  }
  return NAS_OK;
}

static const char *text_at(json_t *object, const char *key) { return json_string_value(json_object_get(object, key)); }

static bool is_true(json_t *object, const char *key) {
  const char *text = text_at(object, key);
  return text && (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "1") == 0);
}

/* ---- fields ---- */

static nas_status read_factor(const char *path, const char *name, json_t *value, const char *key, double *out,
                              nas_err *err) {
  const char *text = text_at(value, key);
  if (!text || nas_text_real(text, out)) return NAS_OK;
  return nas_fail(err, NAS_E_BAD_INPUT, path, "%s: %s '%s' is no number", name, key, text);
}

static nas_status read_field(const char *path, const char *name, json_t *value, nas_import_field *f, nas_err *err) {
  static const char *const keys[] = {"column", "path", "times", "plus", "optional", "of", NULL};
  static const char *const ways[] = {"mean", "last", "min", "max"};
  *f = (nas_import_field){.times = 1, .column = -1};
  if (!value) return NAS_OK;
  f->path = json_string_value(value);
  if (f->path && *f->path) return NAS_OK;
  NAS_TRY(nas_import_check_keys(path, value, keys, none, name, err));
  f->path = text_at(value, "column") ? text_at(value, "column") : text_at(value, "path");
  if (!f->path || !*f->path) return nas_fail(err, NAS_E_BAD_INPUT, path, "%s names no column", name);
  f->optional = is_true(value, "optional");
  NAS_TRY(read_factor(path, name, value, "times", &f->times, err));
  NAS_TRY(read_factor(path, name, value, "plus", &f->plus, err));
  const char *of = text_at(value, "of");
  for (size_t i = 0; of && i < sizeof ways / sizeof *ways; i++)
    if (strcmp(of, ways[i]) == 0) f->of = "alix"[i];
  if (of && !f->of)
    return nas_fail(err, NAS_E_BAD_INPUT, path, "%s: `of` is mean, last, min or max of a list, not '%s'", name, of);
  return NAS_OK;
}

/* ---- runs ---- */

static nas_status bad_run(const char *path, const nas_import_run *r, const char *what, nas_err *err) {
  return nas_fail(err, NAS_E_BAD_INPUT, path, "row %zu of the map: %s", r->place, what);
}

static nas_status read_which(const char *path, nas_import_run *r, json_t *row, json_t *seed, nas_err *err) {
  json_t *dataset = json_object_get(row, "dataset"), *epochs = json_object_get(row, "epochs");
  const char *name = json_string_value(dataset), *length = json_string_value(epochs), *number = json_string_value(seed);
  if (json_is_object(dataset)) NAS_TRY(read_field(path, "dataset", dataset, &r->dataset_from, err));
  else if (!name || !*name || !nas_text_put(r->dataset, sizeof r->dataset, "%s%s", name, strchr(name, '@') ? "" : "@1"))
    return bad_run(path, r, "`dataset` must be a short name, or {column: ...}", err);
  if (json_is_object(epochs)) NAS_TRY(read_field(path, "epochs", epochs, &r->epochs_from, err));
  else if (!length || !nas_text_int(length, &r->epochs) || r->epochs < 1 || r->epochs > 1000000)
    return bad_run(path, r, "`epochs` must be a whole number from 1 on, or {column: ...}", err);
  if (json_is_object(seed)) return read_field(path, "seed", seed, &r->seed_from, err);
  if (!number || (strcmp(number, "mean") != 0 && (!nas_text_int(number, &r->seed) || r->seed < 0)))
    return bad_run(path, r, "`seed` must be `mean` or a whole number, a list of them, or {column: ...}", err);
  return NAS_OK;
}

static nas_status read_metrics(const char *path, nas_import_run *r, json_t *metrics, nas_err *err) {
  const char *name;
  json_t *value;
  if (!metrics) return NAS_OK;
  if (!json_is_object(metrics)) return bad_run(path, r, "`metrics` is a mapping of names to columns", err);
  r->metrics = calloc(json_object_size(metrics) + 1, sizeof *r->metrics);
  if (!r->metrics) return nas_fail_memory(err, "the metrics of a map");
  json_object_foreach(metrics, name, value) {
    r->metrics[r->n_metrics].name = name;
    NAS_TRY(read_field(path, name, value, &r->metrics[r->n_metrics++].field, err));
  }
  return NAS_OK;
}

static nas_status read_filters(const char *path, nas_import_run *r, json_t *filters, nas_err *err) {
  const char *column;
  json_t *value;
  if (!filters) return NAS_OK;
  if (!json_is_object(filters)) return bad_run(path, r, "`only` is a mapping of columns to values", err);
  nas_import_filter *grown = realloc(r->filters, (r->n_filters + json_object_size(filters) + 1) * sizeof *grown);
  if (!grown) return nas_fail_memory(err, "the filters of a map");
  r->filters = grown;
  json_object_foreach(filters, column, value) {
    size_t i;
    json_t *one;
    bool texts = json_is_string(value) || json_is_array(value);
    json_array_foreach(value, i, one) texts = texts && json_is_string(one);
    if (!texts) return bad_run(path, r, "`only` gives each column a value or a list of values", err);
    r->filters[r->n_filters++] = (nas_import_filter){{.path = column, .times = 1, .column = -1}, value};
  }
  return NAS_OK;
}

static nas_status add_run(const char *path, nas_import_map *m, size_t place, json_t *row, json_t *seed, nas_err *err) {
  nas_import_run *grown = realloc(m->runs, (m->n_runs + 1) * sizeof *grown);
  if (!grown) return nas_fail_memory(err, "the runs of a map");
  m->runs = grown;
  nas_import_run *r = &m->runs[m->n_runs++];
  *r = (nas_import_run){.place = place, .at = text_at(row, "at"), .seed = -1};
  NAS_TRY(read_which(path, r, row, seed, err));
  r->splits[0] = text_at(row, "valid_split");
  r->splits[1] = text_at(row, "test_split");
  NAS_TRY(read_metrics(path, r, json_object_get(row, "metrics"), err));
  NAS_TRY(read_filters(path, r, json_object_get(m->root, "only"), err));
  NAS_TRY(read_filters(path, r, json_object_get(row, "only"), err));
  bool any = r->n_metrics > 0;
  for (int k = 0; k < NAS_IMPORT_FIGURES; k++) {
    NAS_TRY(read_field(path, nas_import_figures[k], json_object_get(row, nas_import_figures[k]), &r->fields[k], err));
    any = any || r->fields[k].path;
  }
  if (r->fields[NAS_IMPORT_PER_EPOCH].path && r->fields[NAS_IMPORT_SECONDS].path)
    return bad_run(path, r, "give train_seconds or train_seconds_per_epoch, not both", err);
  return any ? NAS_OK : bad_run(path, r, "it names no figure", err);
}

static nas_status read_runs(const char *path, nas_import_map *m, nas_err *err) {
  static const char *const keys[] = {"dataset",    "epochs", "seed",    "at", "valid_split",
                                     "test_split", "only",   "metrics", NULL};
  const char *figures[NAS_IMPORT_FIGURES + 1] = {0};
  memcpy(figures, nas_import_figures, sizeof nas_import_figures);
  json_t *rows = json_object_get(m->root, "rows"), *row, *seed;
  size_t i, k;
  if (json_array_size(rows) == 0) return nas_fail(err, NAS_E_BAD_INPUT, path, "the map has no list `rows`");
  json_array_foreach(rows, i, row) {
    NAS_TRY(nas_import_check_keys(path, row, keys, figures, "a row of the map", err));
    json_t *seeds = json_object_get(row, "seed");
    if (!json_is_array(seeds)) NAS_TRY(add_run(path, m, i + 1, row, seeds, err));
    else json_array_foreach(seeds, k, seed) NAS_TRY(add_run(path, m, i + 1, row, seed, err));
  }
  return m->n_runs ? NAS_OK : nas_fail(err, NAS_E_BAD_INPUT, path, "the rows of the map have empty lists of seeds");
}

/* ---- the architecture ---- */

static nas_status read_arch(const char *path, nas_import_map *m, nas_err *err) {
  static const char *const keys[] = {"key", "column", "path", "columns", "digits", "names", NULL};
  json_t *arch = json_object_get(m->root, "arch");
  m->arch = json_string_value(arch);
  if (!arch) return nas_fail(err, NAS_E_BAD_INPUT, path, "the map does not say where `arch` stands");
  if (m->arch) return NAS_OK;
  NAS_TRY(nas_import_check_keys(path, arch, keys, none, "`arch`", err));
  m->arch = text_at(arch, "column") ? text_at(arch, "column") : text_at(arch, "path");
  m->columns = json_object_get(arch, "columns");
  m->digits = json_object_get(arch, "digits");
  m->names = json_object_get(arch, "names");
  if (!m->arch && !m->columns && !is_true(arch, "key"))
    return nas_fail(err, NAS_E_BAD_INPUT, path, "`arch` needs a column, a path, `columns` or `key: true`");
  if (json_is_string(m->digits) && !is_true(arch, "digits"))
    return nas_fail(err, NAS_E_BAD_INPUT, path, "`digits` is a list of operations, or true for numbers of choices");
  m->numbered = json_is_string(m->digits);
  if (m->names && !json_is_object(m->names))
    return nas_fail(err, NAS_E_BAD_INPUT, path, "`names` is a mapping of the file's names to the space's");
  if (m->columns && json_array_size(m->columns) != nas_space_genes(m->space))
    return nas_fail(err, NAS_E_BAD_INPUT, path, "`columns` names %zu columns, the space has %d positions",
                    json_array_size(m->columns), nas_space_genes(m->space));
  size_t i;
  json_t *column;
  json_array_foreach(m->columns, i, column) if (!json_is_string(column)) return nas_fail(
      err, NAS_E_BAD_INPUT, path, "`columns` is a list of columns, one for each position");
  return NAS_OK;
}

/* ---- the whole ---- */

static nas_status interpret(const char *path, nas_import_map *m, nas_err *err) {
  static const char *const keys[] = {"space", "arch", "root", "rows", "only", NULL};
  NAS_TRY(nas_import_check_keys(path, m->root, keys, none, "the map", err));
  NAS_TRY(nas_import_space(path, m, err));
  NAS_TRY(read_arch(path, m, err));
  m->root_path = text_at(m->root, "root");
  return read_runs(path, m, err);
}

nas_status nas_import_map_parse(const char *path, const char *bytes, size_t n, nas_import_map *out, nas_err *err) {
  *out = (nas_import_map){.arch_column = -1};
  nas_status status = nas_import_yaml(path, bytes, n, &out->root, err);
  if (status == NAS_OK) status = interpret(path, out, err);
  if (status != NAS_OK) nas_import_map_free(out);
  return status;
}

nas_status nas_import_map_read(const char *path, nas_import_map *out, nas_str *text, nas_err *err) {
  char *bytes;
  size_t n;
  *out = (nas_import_map){.arch_column = -1};
  NAS_TRY(nas_file_read(path, 1 << 20, &bytes, &n, err));
  nas_str_add_n(text, bytes, n);
  nas_status status = nas_import_map_parse(path, bytes, n, out, err);
  free(bytes);
  return status;
}

void nas_import_map_free(nas_import_map *map) {
  for (size_t i = 0; i < map->n_runs; i++) {
    free(map->runs[i].metrics);
    free(map->runs[i].filters);
  }
  free(map->runs);
  json_decref(map->root);
  nas_space_close(map->space);
  nas_str_free(&map->space_options);
  *map = (nas_import_map){0};
}
