/* One value of a row: a cell of CSV, or what a JSON path leads to. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "bench-db/internal/import.h"

/* ---- paths ---- */

static json_t *walk(json_t *from, const char *path) {
  if (!from || !*path) return from;
  if (json_is_array(from)) {
    char step[24];
    int64_t i;
    size_t n = strcspn(path, ".");
    if (!nas_text_put(step, sizeof step, "%.*s", (int)(n < 23 ? n : 23), path) || !nas_text_int(step, &i)) return NULL;
    if (i < 0) i += (int64_t)json_array_size(from);
    return i < 0 ? NULL : walk(json_array_get(from, (size_t)i), path[n] ? path + n + 1 : path + n);
  }
  json_t *whole = json_object_get(from, path);
  if (whole) return whole;
  for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
    json_t *found = walk(json_object_getn(from, path, (size_t)(dot - path)), dot + 1);
    if (found) return found;
  }
  return NULL;
}

/* Fills in "{seed}", "{epoch}" and "{dataset}"; false when it gets too long. */
static bool fill_marks(const char *path, const nas_import_marks *m, char *out, size_t size) {
  size_t n = 0;
  while (*path) {
    char text[72] = "";
    size_t length = 1;
    if (strncmp(path, "{seed}", 6) == 0 && m->seed >= 0) {
      length = 6;
      nas_text_put(text, sizeof text, "%lld", (long long)m->seed);
    } else if (strncmp(path, "{epoch}", 7) == 0 && m->epoch >= 0) {
      length = 7;
      nas_text_put(text, sizeof text, "%lld", (long long)m->epoch);
    } else if (strncmp(path, "{dataset}", 9) == 0 && m->dataset) {
      length = 9;
      nas_text_put(text, sizeof text, "%.*s", (int)strcspn(m->dataset, "@"), m->dataset);
    } else nas_text_put(text, sizeof text, "%c", *path);
    if (n + strlen(text) >= size) return false;
    memcpy(out + n, text, strlen(text));
    n += strlen(text);
    path += length;
  }
  out[n] = '\0';
  return true;
}

json_t *nas_import_follow(json_t *from, const char *path, const nas_import_marks *marks) {
  char full[512];
  if (!marks || !strchr(path, '{')) return walk(from, path);
  return fill_marks(path, marks, full, sizeof full) ? walk(from, full) : NULL;
}

/* ---- texts ---- */

const char *nas_import_scalar(const json_t *value, char scratch[40]) {
  if (json_is_string(value)) return json_string_value(value);
  if (json_is_integer(value)) nas_text_put(scratch, 40, "%lld", (long long)json_integer_value(value));
  else if (json_is_real(value)) nas_text_double(scratch, json_real_value(value));
  else return json_is_boolean(value) ? (json_is_true(value) ? "true" : "false") : NULL;
  return scratch;
}

const char *nas_import_text(const nas_importer *im, json_t *record, const nas_import_field *field, char scratch[40]) {
  if (im->source.json) return nas_import_scalar(nas_import_follow(record, field->path, NULL), scratch);
  return field->column < 0 ? NULL : im->source.cells[field->column];
}

/* ---- numbers ---- */

static nas_import_value refused(nas_import_reason reason, const char *why) {
  return (nas_import_value){.x = (double)NAN, .fault = why, .reason = reason};
}

static nas_import_value number_of_text(const char *text) {
  static const char *const names[] = {"nan", "-nan", "+nan", "na", "n/a", "null", "none"};
  static const char *const infinite[] = {"inf", "+inf", "infinity", "+infinity"};
  nas_import_value v = {.x = (double)NAN};
  while (*text == ' ' || *text == '\t') text++;
  size_t n = strlen(text);
  while (n && (text[n - 1] == ' ' || text[n - 1] == '\t')) n--;
  char bare[48];
  if (n == 0) return refused(NAS_IMPORT_MISSING, "the field is empty");
  if (n >= sizeof bare) return refused(NAS_IMPORT_NO_NUMBER, "this is not a number");
  nas_text_put(bare, sizeof bare, "%.*s", (int)n, text);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcasecmp(bare, names[i]) == 0) return refused(NAS_IMPORT_IS_NAN, "this is NaN");
  for (size_t i = 0; i < sizeof infinite / sizeof *infinite; i++)
    if (strcasecmp(bare, infinite[i]) == 0) v.x = INFINITY;
  if (isinf(v.x) || nas_text_real(bare, &v.x)) return v;
  return refused(NAS_IMPORT_NO_NUMBER, "this is not a number");
}

static nas_import_value number_of_json(const json_t *value) {
  if (json_is_string(value)) return number_of_text(json_string_value(value));
  if (json_is_null(value)) return refused(NAS_IMPORT_IS_NAN, "this is null");
  if (!json_is_number(value)) return refused(NAS_IMPORT_NO_NUMBER, "this is not a number");
  return (nas_import_value){.x = json_number_value(value)};
}

/* The mean, the last, the least or the greatest of a list. */
static nas_import_value reduced(const json_t *list, char of) {
  size_t n = json_array_size(list);
  if (!json_is_array(list)) return number_of_json(list);
  if (n == 0) return refused(NAS_IMPORT_MISSING, "the list is empty");
  nas_import_value v = number_of_json(json_array_get(list, of == 'l' ? n - 1 : 0));
  double sum = v.x;
  for (size_t i = 1; of != 'l' && i < n && !v.fault; i++) {
    nas_import_value next = number_of_json(json_array_get(list, i));
    if (next.fault) return next;
    sum += next.x;
    if (of == 'i') v.x = fmin(v.x, next.x);
    if (of == 'x') v.x = fmax(v.x, next.x);
  }
  if (of == 'a' && !v.fault) v.x = sum / (double)n;
  return v;
}

/* "eval_acc1es.x-valid@{epoch}" is a figure for each epoch from 0; so is a path that leads to a list, or to a
 * dictionary with the keys "0", "1", ... Gaps in the middle are not measured. */
static nas_import_value from_json(json_t *record, const nas_import_field *f, const nas_import_marks *marks,
                                  int64_t epochs) {
  json_t *value = nas_import_follow(record, f->path, marks);
  bool curve = strstr(f->path, "{epoch}") != NULL, middle = marks->epoch + 1 < epochs;
  char number[24];
  if (value && f->of) return reduced(value, f->of);
  if (json_is_array(value)) {
    if ((int64_t)json_array_size(value) != epochs)
      return refused(NAS_IMPORT_MISSING, "the list does not have one number for each epoch");
    value = json_array_get(value, (size_t)marks->epoch);
    curve = true;
  } else if (json_is_object(value)) {
    nas_text_put(number, sizeof number, "%lld", (long long)marks->epoch);
    value = json_object_get(value, number);
    curve = true;
  }
  nas_import_value v = !value ? refused(NAS_IMPORT_MISSING, "the figure is missing") : number_of_json(value);
  if (curve && middle && (!value || json_is_null(value))) v = (nas_import_value){.x = (double)NAN};
  v.curve = curve;
  return v;
}

nas_import_value nas_import_number(const nas_importer *im, json_t *record, const nas_import_field *f,
                                   const nas_import_marks *marks, int64_t epochs) {
  nas_import_value v = im->source.json ? from_json(record, f, marks, epochs)
                       : f->column < 0 ? refused(NAS_IMPORT_MISSING, "the file has no such column")
                                       : number_of_text(im->source.cells[f->column]);
  if (f->optional && v.fault && v.reason != NAS_IMPORT_NO_NUMBER)
    v = (nas_import_value){.x = (double)NAN, .curve = v.curve};
  v.x = v.x * f->times + f->plus;
  return v;
}
