#include "jobs/yaml.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

typedef struct reader {
  yaml_parser_t parser;
  const char *name;
  nas_settings *out;
} reader;

/* Line and column of a place, and as much of the file's name as fits before them. */
static void place(const reader *r, yaml_mark_t mark, char where[188]) {
  size_t length = strlen(r->name);
  const char *name = length > 150 ? r->name + length - 150 : r->name;
  nas_text_put(where, 188, "%s%s:%zu:%zu", name == r->name ? "" : "...", name, mark.line + 1, mark.column + 1);
}

static nas_status fail_at(const reader *r, yaml_mark_t mark, const char *why, nas_err *err) {
  char where[188];
  place(r, mark, where);
  return nas_fail(err, NAS_E_BAD_INPUT, where, "%s", why);
}

static nas_status next(reader *r, yaml_event_t *event, nas_err *err) {
  if (yaml_parser_parse(&r->parser, event)) return NAS_OK;
  const yaml_parser_t *p = &r->parser;
  if (p->error == YAML_MEMORY_ERROR) return nas_fail_memory(err, "the YAML reader");
  char why[200];
  nas_text_put(why, sizeof why, "not valid YAML: %s", p->problem ? p->problem : "unknown error");
  yaml_mark_t mark = p->problem_mark;
  if (p->error == YAML_READER_ERROR) mark = p->mark;
  return fail_at(r, mark, why, err);
}

/* Refuses what no campaign file needs. */
static nas_status check_event(const reader *r, const yaml_event_t *e, nas_err *err) {
  const yaml_char_t *anchor = NULL, *tag = NULL;
  switch (e->type) {
    case YAML_ALIAS_EVENT: return fail_at(r, e->start_mark, "aliases (*name) are not allowed; write the value", err);
    case YAML_SCALAR_EVENT: anchor = e->data.scalar.anchor, tag = e->data.scalar.tag; break;
    case YAML_MAPPING_START_EVENT: anchor = e->data.mapping_start.anchor, tag = e->data.mapping_start.tag; break;
    case YAML_SEQUENCE_START_EVENT:
      return fail_at(r, e->start_mark, "lists are not used here; write `key: value` pairs", err);
    default: break;
  }
  if (anchor) return fail_at(r, e->start_mark, "anchors (&name) are not allowed", err);
  if (tag) return fail_at(r, e->start_mark, "tags (!name) are not allowed", err);
  return NAS_OK;
}

static nas_status scalar_text(const reader *r, const yaml_event_t *e, const char *what, size_t most, nas_err *err) {
  const char *text = (const char *)e->data.scalar.value;
  char why[120];
  if (strlen(text) != e->data.scalar.length || strpbrk(text, "\n\r"))
    nas_text_put(why, sizeof why, "a %s must be one line of text", what);
  else if (e->data.scalar.length == 0) nas_text_put(why, sizeof why, "an empty %s", what);
  else if (e->data.scalar.length > most) nas_text_put(why, sizeof why, "a %s of more than %zu bytes", what, most);
  else return NAS_OK;
  return fail_at(r, e->start_mark, why, err);
}

/* As a plain value, or as a section. */
static bool is_given(const nas_settings *all, const char *path) {
  size_t n = strlen(path);
  for (size_t i = 0; i < all->n; i++) {
    const char *key = all->rows[i].key;
    if (strncmp(key, path, n) == 0 && (key[n] == '\0' || key[n] == '.')) return true;
  }
  return false;
}

/* Takes a key and where it stands; *end at the end of the mapping. */
static nas_status read_key(reader *r, char name[64], char where[188], bool *end, nas_err *err) {
  yaml_event_t key;
  NAS_TRY(next(r, &key, err));
  *end = key.type == YAML_MAPPING_END_EVENT;
  nas_status status = check_event(r, &key, err);
  if (status == NAS_OK && !*end && key.type != YAML_SCALAR_EVENT)
    status = fail_at(r, key.start_mark, "a key must be a plain word", err);
  if (status == NAS_OK && !*end) status = scalar_text(r, &key, "key", 63, err);
  if (status == NAS_OK && !*end) {
    place(r, key.start_mark, where);
    nas_text_put(name, 64, "%s", (const char *)key.data.scalar.value);
    if (strchr(name, '.')) status = nas_fail(err, NAS_E_BAD_INPUT, where, "'%s': write sections as mappings", name);
  }
  yaml_event_delete(&key);
  return status;
}

static nas_status read_mapping(reader *r, const char *section, nas_err *err);

static nas_status read_value(reader *r, const char *section, const char *name, const char *where, nas_err *err) {
  yaml_event_t value;
  char path[64];
  if (!nas_text_put(path, sizeof path, "%s%s%s", section, *section ? "." : "", name))
    return nas_fail(err, NAS_E_BAD_INPUT, where, "the key '%.40s...' is too long", name);
  if (is_given(r->out, path)) return nas_fail(err, NAS_E_BAD_INPUT, where, "'%s' is given twice", path);
  NAS_TRY(next(r, &value, err));
  bool plain = value.type == YAML_SCALAR_EVENT;
  nas_status status = check_event(r, &value, err);
  if (status == NAS_OK && plain) status = scalar_text(r, &value, "value", 447, err);
  if (status == NAS_OK && plain)
    status = nas_settings_put(r->out, path, (const char *)value.data.scalar.value, where, err);
  else if (status == NAS_OK && *section)
    status = nas_fail(err, NAS_E_BAD_INPUT, where, "'%s' of %s must be a plain value", name, section);
  yaml_event_delete(&value);
  return status == NAS_OK && !plain ? read_mapping(r, name, err) : status;
}

/* After a MAPPING-START: the pairs up to its end. Only the document's own mapping holds further ones. */
static nas_status read_mapping(reader *r, const char *section, nas_err *err) {
  for (;;) {
    char name[64], where[188];
    bool end;
    NAS_TRY(read_key(r, name, where, &end, err));
    if (end) return NAS_OK;
    NAS_TRY(read_value(r, section, name, where, err));
  }
}

static nas_status expect(reader *r, yaml_event_type_t type, const char *why, nas_err *err) {
  yaml_event_t event;
  NAS_TRY(next(r, &event, err));
  nas_status status = check_event(r, &event, err);
  if (status == NAS_OK && event.type != type) status = fail_at(r, event.start_mark, why, err);
  yaml_event_delete(&event);
  return status;
}

static nas_status read_stream(reader *r, nas_err *err) {
  static const char wanted[] = "a campaign file must be a mapping of sections (space, dataset, recipe, strategy, ...)";
  NAS_TRY(expect(r, YAML_STREAM_START_EVENT, wanted, err));
  NAS_TRY(expect(r, YAML_DOCUMENT_START_EVENT, wanted, err));
  NAS_TRY(expect(r, YAML_MAPPING_START_EVENT, wanted, err));
  NAS_TRY(read_mapping(r, "", err));
  NAS_TRY(expect(r, YAML_DOCUMENT_END_EVENT, wanted, err));
  return expect(r, YAML_STREAM_END_EVENT, "only one document per file", err);
}

nas_status nas_yaml_read(const char *name, const char *bytes, size_t n, nas_settings *out, nas_err *err) {
  reader r = {.name = name, .out = out};
  if (!yaml_parser_initialize(&r.parser)) return nas_fail_memory(err, "the YAML reader");
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, n);
  nas_status status = read_stream(&r, err);
  yaml_parser_delete(&r.parser);
  return status;
}
