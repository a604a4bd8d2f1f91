/* Reader of split files. Tolerant about what stands around the numbers, strict about the numbers. */
#include <stdlib.h>
#include <string.h>

#include "train/data/parts.h"

typedef struct reader {
  const char *p;
  const char *file;
  int line;
  const char *line_start;
  int64_t limit;
  uint8_t *seen; /* per image: it stands in a list */
  nas_err *err;
} reader;

typedef struct list {
  const char *name;
  uint32_t *values;
  int64_t n, cap;
  bool found;
} list;

static nas_status fail_at(reader *r, const char *at, const char *text) {
  char where[188];
  nas_text_put(where, sizeof where, "%s:%d:%td", r->file, r->line, at - r->line_start + 1);
  return nas_fail(r->err, NAS_E_BAD_INPUT, where, "%s", text);
}

static void skip_blanks(reader *r) {
  for (; *r->p && strchr(" \t\r\n,:", *r->p); r->p++)
    if (*r->p == '\n') r->line++, r->line_start = r->p + 1;
}

/* The inside of "..." on one line. */
static nas_status read_quoted(reader *r, char *out, size_t size) {
  const char *begin = ++r->p;
  size_t length = strcspn(begin, "\"\n");
  if (begin[length] != '"') return fail_at(r, begin - 1, "this quote is not closed on its line");
  if (!nas_text_put(out, size, "%.*s", (int)(length < size ? length : size), begin))
    return fail_at(r, begin, "this text is too long");
  r->p = begin + length + 1;
  return NAS_OK;
}

static nas_status add_number(reader *r, list *l, const char *text, const char *at) {
  int64_t value;
  char message[160];
  if (!nas_text_int(text, &value)) {
    nas_text_put(message, sizeof message, "'%.40s' is not an image number", text);
    return fail_at(r, at, message);
  }
  if (value < 0 || value >= r->limit) {
    nas_text_put(message, sizeof message, "image %lld is outside 0..%lld", (long long)value, (long long)r->limit - 1);
    return fail_at(r, at, message);
  }
  if (r->seen[value]) {
    nas_text_put(message, sizeof message, "image %lld stands in the split twice", (long long)value);
    return fail_at(r, at, message);
  }
  r->seen[value] = 1;
  if (l->n == l->cap) {
    int64_t cap = l->cap ? 2 * l->cap : 1024;
    uint32_t *grown = realloc(l->values, (size_t)cap * sizeof *grown);
    if (!grown) return nas_fail_memory(r->err, "a split file");
    l->values = grown;
    l->cap = cap;
  }
  l->values[l->n++] = (uint32_t)value;
  return NAS_OK;
}

/* A list of numbers; brackets may nest, and a type word such as "int" or "none" may stand first. */
static nas_status read_list(reader *r, list *l) {
  int depth = 0;
  char text[48];
  do {
    skip_blanks(r);
    const char *at = r->p;
    if (*at == '[') depth++, r->p++;
    else if (*at == ']') depth--, r->p++;
    else if (depth == 0) return fail_at(r, at, "a list '[...]' of image numbers is wanted here");
    else if (*at == '"') {
      NAS_TRY(read_quoted(r, text, sizeof text));
      bool is_type_word = depth == 1 && l->n == 0 && strcmp(text, "int") == 0;
      if (!is_type_word) NAS_TRY(add_number(r, l, text, at));
    } else {
      size_t length = strcspn(at, "[]\",: \t\r\n}");
      if (length == 0) return fail_at(r, at, *at ? "unexpected character in a list" : "the file ends inside a list");
      nas_text_put(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1), at);
      NAS_TRY(add_number(r, l, text, at));
      r->p += length;
    }
  } while (depth > 0);
  return NAS_OK;
}

static nas_status read_entry(reader *r, list lists[2]) {
  char key[48], message[160];
  const char *at = r->p;
  NAS_TRY(read_quoted(r, key, sizeof key));
  for (int i = 0; i < 2; i++)
    if (strcmp(lists[i].name, key) == 0) {
      if (lists[i].found) return fail_at(r, at, "this list stands in the file twice");
      lists[i].found = true;
      skip_blanks(r);
      return read_list(r, &lists[i]);
    }
  nas_text_put(message, sizeof message, "'%s' is not a list of a split file: \"train\" and \"valid\" are", key);
  return fail_at(r, at, message);
}

static nas_status read_all(reader *r, list lists[2]) {
  skip_blanks(r);
  if (*r->p != '{') return fail_at(r, r->p, "a split file begins with '{'");
  r->p++;
  for (skip_blanks(r); *r->p != '}'; skip_blanks(r)) {
    if (*r->p != '"') return fail_at(r, r->p, *r->p ? "a quoted name is wanted here" : "the file ends before its '}'");
    NAS_TRY(read_entry(r, lists));
  }
  for (int i = 0; i < 2; i++)
    if (lists[i].n == 0)
      return nas_fail(r->err, NAS_E_BAD_INPUT, r->file, "the split file has no images under \"%s\"", lists[i].name);
  return NAS_OK;
}

nas_status nas_split_file_parse(const char *text, const char *where, int64_t limit, uint32_t **train, int64_t *n_train,
                                uint32_t **valid, int64_t *n_valid, nas_err *err) {
  *train = *valid = NULL;
  *n_train = *n_valid = 0;
  reader r = {.p = text, .file = where, .line = 1, .line_start = text, .limit = limit, .err = err};
  r.seen = calloc((size_t)(limit > 0 ? limit : 1), 1);
  if (!r.seen) return nas_fail_memory(err, "a split file");
  list lists[2] = {{.name = "train"}, {.name = "valid"}};
  nas_status status = read_all(&r, lists);
  free(r.seen);
  if (status != NAS_OK) {
    free(lists[0].values);
    free(lists[1].values);
    return status;
  }
  *train = lists[0].values;
  *n_train = lists[0].n;
  *valid = lists[1].values;
  *n_valid = lists[1].n;
  return NAS_OK;
}
