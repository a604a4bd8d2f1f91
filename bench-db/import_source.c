/* The file of an import: CSV (RFC 4180) or JSON, plain or gzip. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bench-db/internal/import.h"

enum { COLUMNS_MAX = 4096 };

static nas_status read_all(const char *path, char **out, size_t *n, nas_err *err) {
  gzFile file = gzopen(path, "rb");
  if (!file) return nas_fail_errno(err, errno, path, "cannot open the file");
  size_t cap = 1 << 20;
  char *bytes = malloc(cap + 1);
  *n = 0;
  for (int got = 1; bytes && got > 0;) {
    if (*n == cap) {
      char *grown = realloc(bytes, 2 * cap + 1);
      if (!grown) break;
      bytes = grown;
      cap *= 2;
    }
    size_t want = cap - *n < (1u << 30) ? cap - *n : 1u << 30;
    got = gzread(file, bytes + *n, (unsigned)want);
    if (got > 0) *n += (size_t)got;
  }
  int code;
  const char *why = gzerror(file, &code);
  nas_status status = NAS_OK;
  if (!bytes) status = nas_fail_memory(err, "a file to import");
  else if (code != Z_OK && code != Z_STREAM_END)
    status = nas_fail(err, NAS_E_BAD_INPUT, path, "cannot unpack: %s", why);
  else if (!gzeof(file)) status = nas_fail_memory(err, "a file to import");
  else if (memchr(bytes, 0, *n))
    status = nas_fail(err, NAS_E_BAD_INPUT, path, "this is neither CSV nor JSON: it has NUL bytes");
  gzclose(file);
  if (status != NAS_OK) {
    free(bytes);
    return status;
  }
  bytes[*n] = '\0';
  *out = bytes;
  return NAS_OK;
}

/* Takes one field and unquotes it in place; *end is what stood behind it. */
static char *take_field(char **at, char delimiter, char *end, bool *broken) {
  const char stops[] = {delimiter, '\r', '\n', '\0'};
  char *from = *at, *to = from, *p = from;
  if (*p != '"') {
    p += strcspn(p, stops);
    to = p;
  } else {
    for (p++; *p && !(*p == '"' && p[1] != '"'); p++) {
      if (*p == '"') p++;
      *to++ = *p;
    }
    if (*p == '"') p++;
    else *broken = true;
    if (*p && !strchr(stops, *p)) *broken = true;
  }
  *end = *p;
  if (*p == '\r' && p[1] == '\n') *end = *++p;
  *at = *p ? p + 1 : p;
  *to = '\0';
  return from;
}

static nas_status take_row(nas_import_source *s, const char *path, char **cells, int most, int *n, nas_err *err) {
  char end = s->delimiter, where[188];
  bool broken = false;
  s->line++;
  nas_text_put(where, sizeof where, "%.150s:%lld", path, (long long)s->line);
  for (*n = 0; end == s->delimiter;) {
    if (*n == most) return nas_fail(err, NAS_E_BAD_INPUT, where, "the row has more than %d fields", most);
    cells[(*n)++] = take_field(&s->at, s->delimiter, &end, &broken);
  }
  if (broken) return nas_fail(err, NAS_E_BAD_INPUT, where, "a quoted field has no end, or goes on behind its quotes");
  return NAS_OK;
}

/* Comma, semicolon or tab: the one that the header has most of. */
static char guess_delimiter(const char *header) {
  size_t n = strcspn(header, "\r\n"), most = 0;
  char best = ',';
  for (const char *c = ",;\t"; *c; c++) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += header[i] == *c;
    if (count > most) most = count, best = *c;
  }
  return best;
}

static nas_status csv_begin(nas_import_source *s, const char *path, nas_err *err) {
  s->names = calloc(COLUMNS_MAX, sizeof *s->names);
  s->cells = calloc(COLUMNS_MAX, sizeof *s->cells);
  if (!s->names || !s->cells) return nas_fail_memory(err, "the columns of a file");
  if (strncmp(s->at, "\xef\xbb\xbf", 3) == 0) s->at += 3;
  if (!*s->at) return nas_fail(err, NAS_E_BAD_INPUT, path, "the file is empty; a CSV file begins with column names");
  s->delimiter = guess_delimiter(s->at);
  return take_row(s, path, s->names, COLUMNS_MAX, &s->n_columns, err);
}

nas_status nas_import_csv_row(nas_import_source *s, const char *path, bool *more, nas_err *err) {
  int n = 0;
  while (*s->at == '\n' || *s->at == '\r') s->at++;
  *more = *s->at != '\0';
  if (!*more) return NAS_OK;
  NAS_TRY(take_row(s, path, s->cells, COLUMNS_MAX, &n, err));
  if (n == s->n_columns) return NAS_OK;
  char where[188];
  nas_text_put(where, sizeof where, "%.150s:%lld", path, (long long)s->line);
  return nas_fail(err, NAS_E_BAD_INPUT, where, "the row has %d fields and the header %d", n, s->n_columns);
}

/* Python writes NaN and Infinity, which are no JSON: they become texts. NULL when memory ran out. */
static char *quote_numbers(char *bytes, size_t *n) {
  static const char *const words[] = {"NaN", "Infinity"};
  if (!strstr(bytes, words[0]) && !strstr(bytes, words[1])) return bytes;
  nas_str out = {0};
  bool quoted = false;
  for (const char *p = bytes; *p;) {
    size_t length = 1;
    if (*p == '"') quoted = !quoted;
    if (quoted && *p == '\\' && p[1]) length = 2;
    const char *word = p + (*p == '-');
    bool bare = false;
    for (int i = 0; !quoted && i < 2; i++)
      if (strncmp(word, words[i], strlen(words[i])) == 0) {
        length = (size_t)(word - p) + strlen(words[i]);
        bare = true;
      }
    if (bare) nas_str_add(&out, "\"");
    nas_str_add_n(&out, p, length);
    if (bare) nas_str_add(&out, "\"");
    p += length;
  }
  free(bytes);
  if (out.failed) nas_str_free(&out);
  *n = out.len;
  return out.s;
}

/* One value, or several one after the other (JSON lines), which become a list. */
static nas_status load_json(const char *path, const char *bytes, size_t n, json_t **out, nas_err *err) {
  json_t *first = NULL;
  for (size_t at = 0; at < n;) {
    json_error_t fault;
    json_t *value = json_loadb(bytes + at, n - at, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &fault);
    if (!value) {
      int line = fault.line;
      for (size_t i = 0; i < at; i++) line += bytes[i] == '\n';
      char where[188];
      nas_text_put(where, sizeof where, "%.140s:%d:%d", path, line, fault.column);
      json_decref(first);
      json_decref(*out);
      *out = NULL;
      return nas_fail(err, NAS_E_BAD_INPUT, where, "not valid JSON: %s", fault.text);
    }
    at += (size_t)fault.position;
    at += strspn(bytes + at, " \t\r\n");
    if (!first && at < n) first = json_incref(value), *out = json_array();
    if (*out) json_array_append_new(*out, value);
    else *out = value;
  }
  json_decref(first);
  return NAS_OK;
}

nas_status nas_import_source_take(const char *path, char *bytes, size_t n, nas_import_source *out, nas_err *err) {
  *out = (nas_import_source){.bytes = bytes, .at = bytes};
  const char *first = bytes + strspn(bytes, " \t\r\n");
  nas_status status = NAS_OK;
  if (*first == '{' || *first == '[') {
    out->bytes = quote_numbers(bytes, &n);
    status = out->bytes ? load_json(path, out->bytes, n, &out->json, err) : nas_fail_memory(err, "a file to import");
    free(out->bytes);
    out->bytes = NULL;
  } else {
    status = csv_begin(out, path, err);
  }
  if (status != NAS_OK) nas_import_source_close(out);
  return status;
}

nas_status nas_import_source_open(const char *path, nas_import_source *out, nas_err *err) {
  size_t n = 0;
  char *bytes = NULL;
  *out = (nas_import_source){0};
  NAS_TRY(read_all(path, &bytes, &n, err));
  return nas_import_source_take(path, bytes, n, out, err);
}

void nas_import_source_close(nas_import_source *s) {
  json_decref(s->json);
  free(s->bytes);
  free(s->names);
  free(s->cells);
  *s = (nas_import_source){0};
}
