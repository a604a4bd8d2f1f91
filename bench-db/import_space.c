/* The space of an import: one that this program has, or one that the map declares. */
#include <string.h>

#include "base/hash.h"
#include "bench-db/internal/import.h"

/* Lists become the text that the option wants: [a, b] "a,b"; edges [[0, 1], [0, 2]] "0-1,0-2"; lists for each position
 * [[a, b], [c]] "a,b;c". False when it is none of them. */
static bool option_text(const char *key, json_t *value, nas_str *out) {
  size_t i, k;
  json_t *item, *inner;
  bool edges = strcmp(key, "edges") == 0;
  if (json_is_string(value)) nas_str_add(out, json_string_value(value));
  else if (!json_is_array(value)) return false;
  json_array_foreach(value, i, item) {
    if (i) nas_str_add(out, json_is_array(item) && !edges ? ";" : ",");
    if (json_is_string(item)) nas_str_add(out, json_string_value(item));
    else if (!json_is_array(item)) return false;
    json_array_foreach(item, k, inner) {
      if (!json_is_string(inner)) return false;
      nas_str_fmt(out, "%s%s", k == 0 ? "" : edges ? "-" : ",", json_string_value(inner));
    }
  }
  return true;
}

static const char *option_name(const char *key, json_t *value, bool declared) {
  int64_t number;
  const char *text = json_string_value(value);
  if (!declared) return key;
  if (strcmp(key, "declared") == 0) return "label";
  if (strcmp(key, "operations") == 0 || (strcmp(key, "ops") == 0 && json_is_array(json_array_get(value, 0))))
    return json_is_array(json_array_get(value, 0)) ? "choices" : "ops";
  if (strcmp(key, "edges") == 0 && text && nas_text_int(text, &number)) return "positions";
  return key;
}

static nas_status read_options(const char *path, json_t *space, bool declared, nas_settings *out, nas_err *err) {
  const char *key;
  json_t *value;
  json_object_foreach(space, key, value) {
    if (strcmp(key, "name") == 0) continue;
    nas_str text = {0};
    nas_status status = NAS_OK;
    if (!option_text(key, value, &text))
      status = nas_fail(err, NAS_E_BAD_INPUT, path, "the option %s of the space must be a plain value or a list", key);
    if (status == NAS_OK) status = nas_str_check(&text, err);
    if (status == NAS_OK)
      status = nas_settings_put(out, option_name(key, value, declared), nas_str_text(&text), path, err);
    nas_str_free(&text);
    if (status != NAS_OK) return status;
  }
  return NAS_OK;
}

/* Declared spaces are told apart by their labels, or by what they declare. */
static nas_status name_space(const char *path, nas_import_map *m, const char *label, nas_err *err) {
  const nas_space_type *type = nas_space_type_of(m->space);
  char digest[NAS_DIGEST_SIZE];
  nas_options_format(type->options, nas_space_options(m->space), &m->space_options);
  NAS_TRY(nas_str_check(&m->space_options, err));
  if (strcmp(type->name, "declared") != 0) {
    nas_text_put(m->space_name, sizeof m->space_name, "%s@%d", type->name, type->version);
    return NAS_OK;
  }
  if (label && label[strspn(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
    return nas_fail(err, NAS_E_BAD_INPUT, path, "the name '%s' of the declared space: letters, digits, '.', '_', '-'",
                    label);
  nas_digest(m->space_options.s, m->space_options.len, digest);
  nas_text_put(m->space_name, sizeof m->space_name, "declared:%.47s@%d", label && *label ? label : "", type->version);
  if (!label || !*label) nas_text_put(m->space_name, sizeof m->space_name, "declared:%.8s@%d", digest, type->version);
  return NAS_OK;
}

nas_status nas_import_space(const char *path, nas_import_map *m, nas_err *err) {
  json_t *space = json_object_get(m->root, "space");
  const char *name = json_string_value(space);
  nas_settings settings = {0};
  if (!name) name = json_string_value(json_object_get(space, "name"));
  if (!name && json_object_get(space, "declared")) name = "declared";
  if (!name) return nas_fail(err, NAS_E_BAD_INPUT, path, "the map names no `space`");
  bool declared = strncmp(name, "declared", 8) == 0;
  nas_status status = read_options(path, space, declared, &settings, err);
  if (status == NAS_OK) status = nas_space_open(name, &settings, &m->space, err);
  if (status == NAS_OK) status = name_space(path, m, nas_settings_get(&settings, "label"), err);
  nas_settings_free(&settings);
  return status;
}
