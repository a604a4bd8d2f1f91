/* YAML as JSON values, for maps. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "bench-db/internal/import.h"

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
