/* The architecture of a row: a text of the space's grammar, in other spellings, as numbers, or column by column. */
#include <stdlib.h>
#include <string.h>

#include "bench-db/internal/db.h"
#include "bench-db/internal/import.h"

/* ---- the text ---- */

/* "a, b, c" of a list or of one column for each gene. */
static bool join(const nas_importer *im, json_t *list, nas_str *out) {
  char scratch[40];
  size_t n = list ? json_array_size(list) : json_array_size(im->map.columns);
  for (size_t i = 0; i < n; i++) {
    const char *text;
    if (list) text = nas_import_scalar(json_array_get(list, i), scratch);
    else if (im->source.json)
      text = nas_import_scalar(
          nas_import_follow(im->record, json_string_value(json_array_get(im->map.columns, i)), NULL), scratch);
    else text = im->source.cells[im->map.gene_columns[i]];
    if (!text || !*text) return false;
    nas_str_fmt(out, "%s%s", i ? ", " : "", text);
  }
  return n > 0;
}

/* False when the row has none. */
static bool find_text(const nas_importer *im, nas_str *out) {
  char scratch[40];
  if (im->map.columns) return join(im, NULL, out);
  if (!im->map.arch) {
    nas_str_add(out, im->key ? im->key : "");
    return im->key != NULL;
  }
  if (!im->source.json) {
    nas_str_add(out, im->source.cells[im->map.arch_column]);
    return *im->source.cells[im->map.arch_column] != '\0';
  }
  json_t *value = nas_import_follow(im->record, im->map.arch, NULL);
  if (json_is_array(value)) return join(im, value, out);
  const char *text = nas_import_scalar(value, scratch);
  /* A number has lost the zeros that digits began with. */
  for (size_t n = text ? strlen(text) : 0; json_is_integer(value) && n < nas_space_genes(im->map.space); n++)
    if (im->map.digits || nas_space_type_of(im->map.space)->numeral) nas_str_add(out, "0");
  if (text) nas_str_add(out, text);
  return text != NULL;
}

/* ---- other spellings ---- */

static bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("_.-", c);
}

/* Replaces whole words by those that the map gives for them. */
static void rename_words(json_t *names, const char *text, nas_str *out) {
  while (*text) {
    size_t n = 0;
    while (text[n] && is_word(text[n])) n++;
    const char *other = n ? json_string_value(json_object_getn(names, text, n)) : NULL;
    if (other) nas_str_add(out, other);
    else nas_str_add_n(out, text, n ? n : 1);
    text += n ? n : 1;
  }
}

/* What number `k` at gene `g` stands for; NULL: nothing. */
static const char *name_of(const nas_import_map *m, uint8_t g, int64_t k) {
  json_t *list = m->digits;
  if (m->numbered)
    return k >= 0 && k < nas_space_choices(m->space, g) ? nas_space_choice_name(m->space, g, (uint8_t)k) : NULL;
  char key[24];
  nas_text_put(key, sizeof key, "%lld", (long long)k);
  if (json_is_array(json_array_get(list, 0))) list = json_array_get(list, g);
  return json_string_value(json_is_object(list) ? json_object_get(list, key)
                                                : json_array_get(list, k < 0 ? SIZE_MAX : (size_t)k));
}

/* "403143", "(4, 0, 3, 1, 4, 3)", "64-41414-1_02_333": the last numbers are the genes. */
static bool from_digits(const nas_import_map *m, const char *text, nas_arch *out) {
  uint8_t n = nas_space_genes(m->space);
  int64_t numbers[256];
  size_t count = 0;
  bool separated = strpbrk(text, ", ") != NULL;
  for (const char *p = text; *p && count < 256;) {
    if (*p < '0' || *p > '9') p++;
    else if (separated) numbers[count++] = strtoll(p, (char **)(uintptr_t)&p, 10);
    else numbers[count++] = *p++ - '0';
  }
  if (count < n || (count != n && (separated || strspn(text, "0123456789") == strlen(text)))) return false;
  out->n = n;
  for (uint8_t g = 0; g < n; g++) {
    const char *name = name_of(m, g, numbers[count - n + g]);
    uint8_t c = 0;
    while (name && c < nas_space_choices(m->space, g) && strcmp(nas_space_choice_name(m->space, g, c), name) != 0) c++;
    if (!name || c == nas_space_choices(m->space, g)) return false;
    out->gene[g] = c;
  }
  return true;
}

/* Digits with one missing would otherwise be taken for an index. */
static bool is_short_of_digits(const nas_space *space, const char *text) {
  const nas_space_type *type = nas_space_type_of(space);
  return type->numeral && *text && text[strspn(text, "0123456789")] == '\0' && !type->numeral(space, text) &&
         strlen(text) != nas_space_genes(space);
}

/* False with the reason in `why`. */
static bool understand(const nas_import_map *m, const char *text, nas_arch *arch, nas_err *why) {
  if (m->digits) {
    if (from_digits(m, text, arch)) return true;
    nas_fail(why, NAS_E_BAD_INPUT, NULL,
             "'%.60s' is no architecture: %d digits or numbers of the map's list are wanted", text,
             nas_space_genes(m->space));
    return false;
  }
  if (is_short_of_digits(m->space, text)) {
    nas_fail(why, NAS_E_BAD_INPUT, NULL, "'%.60s' has %zu digits, the space has %d positions", text, strlen(text),
             nas_space_genes(m->space));
    return false;
  }
  return nas_space_parse(m->space, text, arch, why) == NAS_OK;
}

nas_status nas_import_arch(nas_importer *im, nas_arch *arch, bool *good, nas_err *err) {
  const char *column = im->map.arch ? im->map.arch : im->map.columns ? NULL : "key";
  nas_str text = {0}, renamed = {0};
  nas_err why = {0};
  nas_status status = NAS_OK;
  *good = false;
  *arch = (nas_arch){0};
  if (!find_text(im, &text)) {
    status = nas_import_fault(im, NAS_IMPORT_BAD_ARCH, column, "the architecture is missing", err);
  } else {
    if (im->map.names) rename_words(im->map.names, nas_str_text(&text), &renamed);
    *good = understand(&im->map, nas_str_text(im->map.names ? &renamed : &text), arch, &why);
    if (!*good) status = nas_import_fault(im, NAS_IMPORT_BAD_ARCH, column, why.msg, err);
  }
  if (status == NAS_OK) status = nas_str_check(&text, err);
  if (status == NAS_OK) status = nas_str_check(&renamed, err);
  nas_str_free(&text);
  nas_str_free(&renamed);
  return status;
}

nas_status nas_import_arch_id(nas_importer *im, const nas_arch *arch, int64_t *id, nas_err *err) {
  char text[NAS_ARCH_TEXT_MAX], canonical[NAS_ARCH_TEXT_MAX];
  uint64_t index, class_id;
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_space_format(im->map.space, arch, text, err));
  NAS_TRY(nas_db_prepare(im->db, "SELECT id FROM architecture WHERE arch = ? AND space = ?", &s, err));
  nas_db_bind_text(s, 1, text);
  nas_db_bind_text(s, 2, im->map.space_name);
  NAS_TRY(nas_db_step_row(im->db, s, &row, "read the table", err));
  *id = row ? sqlite3_column_int64(s, 0) : 0;
  sqlite3_reset(s);
  if (row) return NAS_OK;
  NAS_TRY(nas_space_canonical(im->map.space, arch, canonical, err));
  NAS_TRY(nas_db_prepare(
      im->db, "INSERT INTO architecture (space, arch, \"index\", canonical, class) VALUES (?, ?, ?, ?, ?)", &s, err));
  nas_db_bind_text(s, 1, im->map.space_name);
  nas_db_bind_text(s, 2, text);
  nas_db_bind_count(s, 3, nas_space_index(im->map.space, arch, &index) ? (int64_t)index : -1);
  nas_db_bind_text(s, 4, canonical);
  nas_db_bind_count(s, 5, nas_space_class(im->map.space, arch, &class_id) ? (int64_t)class_id : -1);
  NAS_TRY(nas_db_step_done(im->db, s, "record the architecture", err));
  *id = sqlite3_last_insert_rowid(im->db->sqlite);
  return NAS_OK;
}
