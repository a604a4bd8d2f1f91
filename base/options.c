#include "base/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nas_settings_free(nas_settings *s) {
  free(s->rows);
  *s = (nas_settings){0};
}

static nas_setting *find_setting(const nas_settings *s, const char *key) {
  for (size_t i = 0; i < s->n; i++)
    if (strcmp(s->rows[i].key, key) == 0) return &s->rows[i];
  return NULL;
}

const char *nas_settings_get(const nas_settings *s, const char *key) {
  const nas_setting *row = find_setting(s, key);
  return row ? row->value : NULL;
}

nas_status nas_settings_put(nas_settings *s, const char *key, const char *value, const char *where, nas_err *err) {
  nas_setting fresh = {0};
  if (!nas_text_put(fresh.key, sizeof fresh.key, "%s", key))
    return nas_fail(err, NAS_E_BAD_INPUT, where, "the key '%.40s...' is longer than %zu characters", key,
                    sizeof fresh.key - 1);
  if (!nas_text_put(fresh.value, sizeof fresh.value, "%s", value))
    return nas_fail(err, NAS_E_BAD_INPUT, where, "the value of '%s' is longer than %zu characters", key,
                    sizeof fresh.value - 1);
  snprintf(fresh.where, sizeof fresh.where, "%s", where ? where : "");
  nas_setting *old = find_setting(s, key);
  if (old) {
    *old = fresh;
    return NAS_OK;
  }
  if (s->n == s->cap) {
    size_t cap = s->cap ? 2 * s->cap : 8;
    nas_setting *grown = realloc(s->rows, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "settings");
    s->rows = grown;
    s->cap = cap;
  }
  s->rows[s->n++] = fresh;
  return NAS_OK;
}

nas_status nas_settings_parse(nas_settings *s, const char *record, const char *where, nas_err *err) {
  while (*record) {
    size_t length = strcspn(record, "\n");
    const char *equals = memchr(record, '=', length);
    if (!equals)
      return nas_fail(err, NAS_E_BAD_INPUT, where, "'%.*s' is not of the form key=value", (int)length, record);
    char key[64], value[448];
    if (!nas_text_put(key, sizeof key, "%.*s", (int)(equals - record), record) ||
        !nas_text_put(value, sizeof value, "%.*s", (int)(record + length - equals - 1), equals + 1))
      return nas_fail(err, NAS_E_BAD_INPUT, where, "'%.40s...' is too long", record);
    NAS_TRY(nas_settings_put(s, key, value, where, err));
    record += length + (record[length] == '\n');
  }
  return NAS_OK;
}

void nas_settings_format(const nas_settings *s, nas_str *out) {
  for (size_t i = 0; i < s->n; i++) nas_str_fmt(out, "%s=%s\n", s->rows[i].key, s->rows[i].value);
}

const nas_option *nas_options_find(const nas_option *table, const char *name) {
  for (; table && table->name; table++)
    if (strcmp(table->name, name) == 0) return table;
  return NULL;
}

static bool is_choice(const char *choices, const char *value) {
  size_t n = strlen(value);
  for (const char *p = choices; *p;) {
    size_t len = strcspn(p, "|");
    if (len == n && memcmp(p, value, n) == 0) return true;
    p += len + (p[len] == '|');
  }
  return false;
}

/* The value that an INT's word stands for. */
static const int64_t word_value = -1;

static bool is_word(const nas_option *o, const char *text) {
  return o->type == NAS_OPTION_INT && o->choices && strcmp(text, o->choices) == 0;
}

static bool has_word(const nas_option *o, const void *member) {
  return o->type == NAS_OPTION_INT && o->choices && *(const int64_t *)member == word_value;
}

static bool parse_flag(const char *text, bool *out) {
  static const char *const yes = "true|yes|on|1", *const no = "false|no|off|0";
  if (!is_choice(yes, text) && !is_choice(no, text)) return false;
  *out = is_choice(yes, text);
  return true;
}

static const char *expected(nas_option_type type) {
  switch (type) {
    case NAS_OPTION_INT: return "a whole number";
    case NAS_OPTION_REAL: return "a number";
    case NAS_OPTION_FLAG: return "true or false";
    case NAS_OPTION_BYTES: return "a size such as 512MiB";
    case NAS_OPTION_SECONDS: return "a time such as 90, 10m or 2h";
    default: return "a text";
  }
}

/* Parses into the struct; *number receives a numeric value for the range check. */
static bool store(const nas_option *o, void *values, const char *text, double *number) {
  char *member = (char *)values + o->offset;
  int64_t whole;
  double real;
  bool flag;
  switch (o->type) {
    case NAS_OPTION_INT:
    case NAS_OPTION_BYTES:
      *number = o->min;
      if (is_word(o, text)) return memcpy(member, &word_value, sizeof word_value), true;
      if (!(o->type == NAS_OPTION_INT ? nas_text_int(text, &whole) : nas_text_bytes(text, &whole))) return false;
      *number = (double)whole;
      if (*number >= o->min && *number <= o->max) memcpy(member, &whole, sizeof whole);
      return true;
    case NAS_OPTION_REAL:
    case NAS_OPTION_SECONDS:
      if (!(o->type == NAS_OPTION_REAL ? nas_text_real(text, &real) : nas_text_seconds(text, &real))) return false;
      *number = real;
      if (real >= o->min && real <= o->max) memcpy(member, &real, sizeof real);
      return true;
    case NAS_OPTION_FLAG:
      if (!parse_flag(text, &flag)) return false;
      memcpy(member, &flag, sizeof flag);
      return true;
    case NAS_OPTION_TEXT:
    case NAS_OPTION_CHOICE: {
      size_t length = strlen(text);
      if (length >= o->size) return false;
      memset(member, 0, o->size);
      memcpy(member, text, length);
      return true;
    }
  }
  return false;
}

void nas_options_defaults(const nas_option *table, void *values) {
  double number;
  for (; table && table->name; table++) store(table, values, table->fallback, &number);
}

nas_status nas_options_set(const nas_option *table, void *values, const char *owner, const char *key, const char *value,
                           const char *where, nas_err *err) {
  const nas_option *o = nas_options_find(table, key);
  if (!o) {
    nas_guess guess = nas_guess_for(key);
    for (const nas_option *c = table; c && c->name; c++) nas_guess_add(&guess, c->name);
    return nas_fail(err, NAS_E_UNKNOWN_NAME, where, "%s has no option '%s'%s", owner, key, nas_guess_text(&guess));
  }
  if (o->type == NAS_OPTION_CHOICE && !is_choice(o->choices, value))
    return nas_fail(err, NAS_E_BAD_INPUT, where, "%s of %s is '%s'; it must be one of %s", key, owner, value,
                    o->choices);
  double number = 0;
  if (!store(o, values, value, &number)) {
    if (o->type == NAS_OPTION_TEXT)
      return nas_fail(err, NAS_E_BAD_INPUT, where, "%s of %s is longer than %zu characters", key, owner, o->size - 1);
    return nas_fail(err, NAS_E_BAD_INPUT, where, "%s of %s is '%s'; it must be %s%s%s", key, owner, value,
                    expected(o->type), o->choices ? " or " : "", o->choices ? o->choices : "");
  }
  bool ranged = o->type != NAS_OPTION_TEXT && o->type != NAS_OPTION_CHOICE && o->type != NAS_OPTION_FLAG;
  if (ranged && !(number >= o->min && number <= o->max))
    return nas_fail(err, NAS_E_OUT_OF_RANGE, where, "%s of %s is %s; it must lie in %g..%g%s%s", key, owner, value,
                    o->min, o->max, o->choices ? " or be " : "", o->choices ? o->choices : "");
  return NAS_OK;
}

nas_status nas_options_fill(const nas_option *table, void *values, const char *owner, const nas_settings *settings,
                            nas_err *err) {
  nas_options_defaults(table, values);
  for (size_t i = 0; settings && i < settings->n; i++) {
    const nas_setting *s = &settings->rows[i];
    NAS_TRY(nas_options_set(table, values, owner, s->key, s->value, s->where, err));
  }
  return NAS_OK;
}

void nas_option_format(const nas_option *o, const void *values, nas_str *out) {
  const char *member = (const char *)values + o->offset;
  char text[32];
  if (has_word(o, member)) {
    nas_str_add(out, o->choices);
    return;
  }
  switch (o->type) {
    case NAS_OPTION_INT:
    case NAS_OPTION_BYTES: nas_str_fmt(out, "%lld", (long long)*(const int64_t *)(const void *)member); break;
    case NAS_OPTION_REAL:
    case NAS_OPTION_SECONDS: nas_str_add(out, nas_text_double(text, *(const double *)(const void *)member)); break;
    case NAS_OPTION_FLAG: nas_str_add(out, *(const bool *)(const void *)member ? "true" : "false"); break;
    default: nas_str_add(out, member);
  }
}

void nas_options_format(const nas_option *table, const void *values, nas_str *out) {
  for (; table && table->name; table++) {
    nas_str_fmt(out, "%s=", table->name);
    nas_option_format(table, values, out);
    nas_str_add(out, "\n");
  }
}

void nas_options_json(const nas_option *table, const void *values, nas_str *out) {
  nas_str_add(out, "{");
  for (const nas_option *o = table; o && o->name; o++) {
    if (o != table) nas_str_add(out, ", ");
    nas_str_json(out, o->name);
    nas_str_add(out, ": ");
    const char *member = (const char *)values + o->offset;
    if (has_word(o, member)) nas_str_json(out, o->choices);
    else if (o->type == NAS_OPTION_TEXT || o->type == NAS_OPTION_CHOICE) nas_str_json(out, member);
    else nas_option_format(o, values, out);
  }
  nas_str_add(out, "}");
}

static void describe_type(const nas_option *o, char out[160]) {
  switch (o->type) {
    case NAS_OPTION_FLAG: snprintf(out, 160, "true|false"); break;
    case NAS_OPTION_TEXT: snprintf(out, 160, "text"); break;
    case NAS_OPTION_CHOICE: snprintf(out, 160, "%s", o->choices); break;
    case NAS_OPTION_BYTES: snprintf(out, 160, "bytes"); break;
    case NAS_OPTION_SECONDS: snprintf(out, 160, "seconds"); break;
    case NAS_OPTION_INT:
    case NAS_OPTION_REAL:
      snprintf(out, 160, "%s%s%g..%g", o->choices ? o->choices : "", o->choices ? "|" : "", o->min, o->max);
      break;
  }
}

void nas_options_help(const nas_option *table, nas_str *out) {
  int name_width = 0, type_width = 0, default_width = 0;
  char type[160];
  for (const nas_option *o = table; o && o->name; o++) {
    describe_type(o, type);
    if ((int)strlen(o->name) > name_width) name_width = (int)strlen(o->name);
    if ((int)strlen(type) > type_width) type_width = (int)strlen(type);
    if ((int)strlen(o->fallback) > default_width) default_width = (int)strlen(o->fallback);
  }
  for (const nas_option *o = table; o && o->name; o++) {
    describe_type(o, type);
    nas_str_fmt(out, "  %-*s  %-*s  %-*s  %s\n", name_width, o->name, default_width, *o->fallback ? o->fallback : "-",
                type_width, type, o->help);
  }
}

void nas_options_help_json(const nas_option *table, nas_str *out) {
  static const char *const types[] = {"int", "real", "flag", "text", "choice", "bytes", "seconds"};
  nas_str_add(out, "[");
  for (const nas_option *o = table; o && o->name; o++) {
    nas_str_fmt(out, "%s{\"name\": \"%s\", \"type\": \"%s\", \"default\": ", o == table ? "" : ", ", o->name,
                types[o->type]);
    nas_str_json(out, o->fallback);
    if (o->choices) {
      nas_str_add(out, ", \"choices\": ");
      nas_str_json(out, o->choices);
    }
    if (o->min < o->max && o->type != NAS_OPTION_FLAG) {
      nas_str_add(out, ", \"min\": ");
      nas_str_json_number(out, o->min);
      nas_str_add(out, ", \"max\": ");
      nas_str_json_number(out, o->max);
    }
    nas_str_add(out, ", \"help\": ");
    nas_str_json(out, o->help);
    nas_str_add(out, "}");
  }
  nas_str_add(out, "]");
}
