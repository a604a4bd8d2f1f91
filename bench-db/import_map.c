/* The map of an import: YAML into runs and fields. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "bench-db/internal/import.h"

const char *const nas_import_figures[NAS_IMPORT_FIGURES] = {
    "train_loss",    "train_accuracy",          "valid_loss",    "valid_accuracy", "test_loss",
    "test_accuracy", "train_seconds_per_epoch", "valid_seconds", "params",         "macs"};

/* ---- YAML ---- */

typedef struct reader {
  yaml_parser_t parser;
  const char *name;
} reader;

static nas_status fail_at(const reader *r, yaml_mark_t mark, const char *why, nas_err *err) {
  char where[188];
  nas_text_put(where, sizeof where, "%.150s:%zu:%zu", r->name, mark.line + 1, mark.column + 1);
  return nas_fail(err, NAS_E_BAD_INPUT, where, "%s", why);
}

static nas_status next(reader *r, yaml_event_t *e, nas_err *err) {
  if (!yaml_parser_parse(&r->parser, e)) {
    char why[200];
    nas_text_put(why, sizeof why, "not valid YAML: %s", r->parser.problem ? r->parser.problem : "unknown error");
    return fail_at(r, r->parser.problem_mark, why, err);
  }
  const char *why = NULL;
  if (e->type == YAML_ALIAS_EVENT) why = "aliases (*name) are not allowed; write the value";
  if (e->type == YAML_SCALAR_EVENT && (e->data.scalar.anchor || e->data.scalar.tag))
    why = "anchors and tags are not allowed";
  if (e->type == YAML_SCALAR_EVENT && strlen((const char *)e->data.scalar.value) != e->data.scalar.length)
    why = "a NUL character is no text";
  if (!why) return NAS_OK;
  nas_status status = fail_at(r, e->start_mark, why, err);
  yaml_event_delete(e);
  return status;
}

static nas_status build(reader *r, yaml_event_t *e, int depth, json_t **out, nas_err *err) {
  nas_status status = NAS_OK;
  if (depth > 16) return fail_at(r, e->start_mark, "nested too deeply", err);
  if (e->type == YAML_SCALAR_EVENT) {
    *out = json_string((const char *)e->data.scalar.value);
    return *out ? NAS_OK : fail_at(r, e->start_mark, "this text is not UTF-8", err);
  }
  bool map = e->type == YAML_MAPPING_START_EVENT;
  if (!map && e->type != YAML_SEQUENCE_START_EVENT) return fail_at(r, e->start_mark, "a value is missing here", err);
  *out = map ? json_object() : json_array();
  while (status == NAS_OK) {
    yaml_event_t item;
    json_t *value = NULL;
    char *key = NULL;
    NAS_TRY(next(r, &item, err));
    bool end = item.type == YAML_MAPPING_END_EVENT || item.type == YAML_SEQUENCE_END_EVENT;
    if (!end && map) {
      if (item.type != YAML_SCALAR_EVENT) status = fail_at(r, item.start_mark, "a key must be a plain word", err);
      else if (json_object_get(*out, (const char *)item.data.scalar.value))
        status = fail_at(r, item.start_mark, "the key is given twice", err);
      else key = strdup((const char *)item.data.scalar.value);
      yaml_event_delete(&item);
      if (status == NAS_OK) status = next(r, &item, err);
      if (status != NAS_OK) {
        free(key);
        return status;
      }
    }
    if (!end) status = build(r, &item, depth + 1, &value, err);
    yaml_event_delete(&item);
    if (end) return NAS_OK;
    int code = status != NAS_OK ? (json_decref(value), 0)
               : map            ? json_object_set_new(*out, key ? key : "", value)
                                : json_array_append_new(*out, value);
    free(key);
    if (code != 0) status = nas_fail(err, NAS_E_BAD_INPUT, r->name, "a key is not UTF-8");
  }
  return status;
}

nas_status nas_import_yaml(const char *name, const char *bytes, size_t n, json_t **out, nas_err *err) {
  reader r = {.name = name};
  *out = NULL;
  if (!yaml_parser_initialize(&r.parser)) return nas_fail_memory(err, "the YAML reader");
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, n);
  yaml_event_t e;
  nas_status status = NAS_OK;
  for (int i = 0; status == NAS_OK && i < 2; i++) { /* begin of stream and document */
    status = next(&r, &e, err);
    if (status == NAS_OK) yaml_event_delete(&e);
  }
  if (status == NAS_OK) status = next(&r, &e, err);
  if (status == NAS_OK) {
    status = build(&r, &e, 0, out, err);
    yaml_event_delete(&e);
  }
  yaml_parser_delete(&r.parser);
  if (status == NAS_OK) return NAS_OK;
  json_decref(*out);
  *out = NULL;
  return status;
}

/* ---- keys ---- */

static nas_status check_keys(const char *path, json_t *object, const char *const *known, const char *const *more,
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

static nas_status read_field(const char *path, const char *name, json_t *value, nas_import_field *f, nas_err *err) {
  static const char *const keys[] = {"column", "path", "times", NULL};
  static const char *const none[] = {NULL};
  *f = (nas_import_field){.times = 1, .column = -1};
  if (!value) return NAS_OK;
  f->path = json_string_value(value);
  if (f->path) return NAS_OK;
  NAS_TRY(check_keys(path, value, keys, none, name, err));
  f->path = text_at(value, "column") ? text_at(value, "column") : text_at(value, "path");
  const char *times = text_at(value, "times");
  if (!f->path) return nas_fail(err, NAS_E_BAD_INPUT, path, "%s names no column", name);
  if (times && !nas_text_real(times, &f->times))
    return nas_fail(err, NAS_E_BAD_INPUT, path, "%s: times '%s' is no number", name, times);
  return NAS_OK;
}

static nas_status add_run(const char *path, nas_import_map *m, json_t *row, const char *seed, nas_err *err) {
  nas_import_run *grown = realloc(m->runs, (m->n_runs + 1) * sizeof *grown);
  if (!grown) return nas_fail_memory(err, "the runs of a map");
  m->runs = grown;
  nas_import_run *r = &m->runs[m->n_runs++];
  *r = (nas_import_run){.at = text_at(row, "at"), .seed = -1};
  const char *dataset = text_at(row, "dataset"), *epochs = text_at(row, "epochs");
  if (!dataset || !nas_text_put(r->dataset, sizeof r->dataset, "%s%s", dataset, strchr(dataset, '@') ? "" : "@1"))
    return nas_fail(err, NAS_E_BAD_INPUT, path, "row %zu of the map: `dataset` must be a short name", m->n_runs);
  if (!epochs || !nas_text_int(epochs, &r->epochs) || r->epochs < 1 || r->epochs > 1000000)
    return nas_fail(err, NAS_E_BAD_INPUT, path, "row %zu of the map: `epochs` must be a whole number from 1 on",
                    m->n_runs);
  if (!seed || (strcmp(seed, "mean") != 0 && (!nas_text_int(seed, &r->seed) || r->seed < 0)))
    return nas_fail(err, NAS_E_BAD_INPUT, path,
                    "row %zu of the map: `seed` must be `mean` or a whole number, or a list", m->n_runs);
  r->splits[0] = text_at(row, "valid_split");
  r->splits[1] = text_at(row, "test_split");
  bool any = false;
  for (int k = 0; k < NAS_IMPORT_FIGURES; k++) {
    NAS_TRY(read_field(path, nas_import_figures[k], json_object_get(row, nas_import_figures[k]), &r->fields[k], err));
    any = any || r->fields[k].path;
  }
  return any ? NAS_OK : nas_fail(err, NAS_E_BAD_INPUT, path, "row %zu of the map names no figure", m->n_runs);
}

static nas_status read_runs(const char *path, nas_import_map *m, nas_err *err) {
  static const char *const keys[] = {"dataset", "epochs", "seed", "at", "valid_split", "test_split", NULL};
  const char *figures[NAS_IMPORT_FIGURES + 1] = {0};
  memcpy(figures, nas_import_figures, sizeof nas_import_figures);
  json_t *rows = json_object_get(m->root, "rows"), *row, *seed;
  size_t i, k;
  if (json_array_size(rows) == 0) return nas_fail(err, NAS_E_BAD_INPUT, path, "the map has no list `rows`");
  json_array_foreach(rows, i, row) {
    NAS_TRY(check_keys(path, row, keys, figures, "a row of the map", err));
    json_t *seeds = json_object_get(row, "seed");
    if (!json_is_array(seeds)) NAS_TRY(add_run(path, m, row, json_string_value(seeds), err));
    else json_array_foreach(seeds, k, seed) NAS_TRY(add_run(path, m, row, json_string_value(seed), err));
  }
  return NAS_OK;
}

static nas_status open_space(const char *path, nas_import_map *m, nas_err *err) {
  json_t *space = json_object_get(m->root, "space"), *value;
  const char *name = json_string_value(space), *key;
  nas_settings settings = {0};
  nas_status status = NAS_OK;
  if (!name) name = text_at(space, "name");
  if (!name) return nas_fail(err, NAS_E_BAD_INPUT, path, "the map names no `space`");
  if (json_is_object(space)) json_object_foreach(space, key, value) {
      if (strcmp(key, "name") == 0 || status != NAS_OK) continue;
      const char *text = json_string_value(value);
      status = text ? nas_settings_put(&settings, key, text, path, err)
                    : nas_fail(err, NAS_E_BAD_INPUT, path, "the option %s of the space must be a plain value", key);
    }
  if (status == NAS_OK) status = nas_space_open(name, &settings, &m->space, err);
  nas_settings_free(&settings);
  if (status == NAS_OK)
    nas_text_put(m->space_name, sizeof m->space_name, "%s@%d", nas_space_type_of(m->space)->name,
                 nas_space_type_of(m->space)->version);
  return status;
}

static nas_status interpret(const char *path, nas_import_map *m, nas_err *err) {
  static const char *const keys[] = {"space", "arch", "root", "rows", NULL};
  static const char *const arch_keys[] = {"key", "column", "path", "digits", NULL};
  static const char *const none[] = {NULL};
  NAS_TRY(check_keys(path, m->root, keys, none, "the map", err));
  NAS_TRY(open_space(path, m, err));
  json_t *arch = json_object_get(m->root, "arch");
  m->arch = json_string_value(arch);
  m->root_path = text_at(m->root, "root");
  if (!arch) return nas_fail(err, NAS_E_BAD_INPUT, path, "the map does not say where `arch` stands");
  if (!m->arch) {
    NAS_TRY(check_keys(path, arch, arch_keys, none, "`arch`", err));
    m->arch = text_at(arch, "column") ? text_at(arch, "column") : text_at(arch, "path");
    m->digits = json_object_get(arch, "digits");
    if (!m->arch && !text_at(arch, "key"))
      return nas_fail(err, NAS_E_BAD_INPUT, path, "`arch` needs a column, a path, or `key: true`");
  }
  return read_runs(path, m, err);
}

nas_status nas_import_map_read(const char *path, nas_import_map *out, nas_str *text, nas_err *err) {
  char *bytes;
  size_t n;
  *out = (nas_import_map){.arch_column = -1};
  NAS_TRY(nas_file_read(path, 1 << 20, &bytes, &n, err));
  nas_str_add_n(text, bytes, n);
  nas_status status = nas_import_yaml(path, bytes, n, &out->root, err);
  free(bytes);
  if (status == NAS_OK) status = interpret(path, out, err);
  if (status != NAS_OK) nas_import_map_free(out);
  return status;
}

void nas_import_map_free(nas_import_map *map) {
  json_decref(map->root);
  nas_space_close(map->space);
  free(map->runs);
  *map = (nas_import_map){0};
}
