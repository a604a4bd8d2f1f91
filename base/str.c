#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void nas_str_free(nas_str *b) {
  free(b->s);
  *b = (nas_str){0};
}

void nas_str_clear(nas_str *b) {
  b->len = 0;
  if (b->s) b->s[0] = '\0';
}

static bool reserve(nas_str *b, size_t more) {
  if (b->failed) return false;
  if (b->cap - b->len > more) return true;
  size_t cap = b->cap ? b->cap : 64;
  while (cap - b->len <= more) cap *= 2;
  char *grown = realloc(b->s, cap);
  if (!grown) {
    b->failed = true;
    return false;
  }
  b->s = grown;
  b->cap = cap;
  return true;
}

void nas_str_add_n(nas_str *b, const char *bytes, size_t n) {
  if (!reserve(b, n)) return;
  if (n) memcpy(b->s + b->len, bytes, n);
  b->len += n;
  b->s[b->len] = '\0';
}

void nas_str_add(nas_str *b, const char *text) { nas_str_add_n(b, text, strlen(text)); }

/* Most texts fit at once; a longer one is formatted again. */
enum { FMT_ROOM = 100 };

void nas_str_fmt(nas_str *b, const char *fmt, ...) {
  va_list args, again;
  va_start(args, fmt);
  va_copy(again, args);
  size_t room = reserve(b, FMT_ROOM) ? b->cap - b->len : 0;
  int n = vsnprintf(room ? b->s + b->len : NULL, room, fmt, args);
  va_end(args);
  if (n >= 0 && (size_t)n >= room && reserve(b, (size_t)n)) vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
  if (n >= 0 && !b->failed) b->len += (size_t)n;
  va_end(again);
}

const char *nas_str_text(const nas_str *b) { return b->s ? b->s : ""; }

nas_status nas_str_check(const nas_str *b, nas_err *err) { return b->failed ? nas_fail_memory(err, "a text") : NAS_OK; }

void nas_str_json(nas_str *b, const char *text) {
  if (!text) {
    nas_str_add(b, "null");
    return;
  }
  nas_str_add(b, "\"");
  for (const char *p = text; *p; p++) {
    unsigned char c = (unsigned char)*p;
    if (c == '"' || c == '\\') nas_str_fmt(b, "\\%c", c);
    else if (c == '\n') nas_str_add(b, "\\n");
    else if (c < 0x20) nas_str_fmt(b, "\\u%04x", c);
    else nas_str_add_n(b, p, 1);
  }
  nas_str_add(b, "\"");
}

const char *nas_text_double(char out[32], double value) {
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(out, 32, "%.*g", digits, value);
    if (strtod(out, NULL) == value) break;
  }
  return out;
}

void nas_str_json_number(nas_str *b, double value) {
  char text[32];
  nas_str_add(b, isfinite(value) ? nas_text_double(text, value) : "null");
}

#define EDIT_MAX 63

int nas_edit_distance(const char *a, const char *b) {
  int rows[3][EDIT_MAX + 1]; /* the optimal-string-alignment distance over three rolling rows */
  int la = (int)strnlen(a, EDIT_MAX), lb = (int)strnlen(b, EDIT_MAX);
  for (int j = 0; j <= lb; j++) rows[0][j] = j;
  for (int i = 1; i <= la; i++) {
    int *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
    now[0] = i;
    for (int j = 1; j <= lb; j++) {
      int best = up[j - 1] + (a[i - 1] != b[j - 1]);
      if (up[j] + 1 < best) best = up[j] + 1;
      if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
        best = up2[j - 2] + 1;
      now[j] = best;
    }
  }
  return rows[la % 3][lb];
}

nas_guess nas_guess_for(const char *wanted) {
  int length = (int)strnlen(wanted, EDIT_MAX);
  /* A third of the letters may be wrong; beyond that the suggestion confuses more than it helps. */
  return (nas_guess){.wanted = wanted, .distance = length / 3 + 2};
}

void nas_guess_add(nas_guess *g, const char *candidate) {
  int distance = nas_edit_distance(g->wanted, candidate);
  if (distance >= g->distance) return;
  g->distance = distance;
  snprintf(g->text, sizeof g->text, ", did you mean '%s'?", candidate);
}

const char *nas_guess_text(const nas_guess *g) { return g->text; }

bool nas_text_int(const char *text, int64_t *out) {
  if (!*text || isspace((unsigned char)*text)) return false;
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (*end || errno) return false;
  *out = value;
  return true;
}

/* A finite number followed by a suffix. */
static bool real_with_suffix(const char *text, double *value, const char **suffix) {
  if (!(isdigit((unsigned char)*text) || *text == '-' || *text == '+' || *text == '.')) return false;
  char *end;
  errno = 0;
  *value = strtod(text, &end);
  *suffix = end;
  return end != text && isfinite(*value) && !(errno == ERANGE && fabs(*value) > 1);
}

bool nas_text_real(const char *text, double *out) {
  const char *suffix;
  double value;
  if (!real_with_suffix(text, &value, &suffix) || *suffix) return false;
  *out = value;
  return true;
}

bool nas_text_bytes(const char *text, int64_t *out) {
  static const struct {
    const char *suffix;
    double scale;
  } units[] = {{"", 1},         {"B", 1},      {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30},
               {"TiB", 0x1p40}, {"kB", 1e3},   {"KB", 1e3},     {"MB", 1e6},     {"GB", 1e9},
               {"K", 0x1p10},   {"M", 0x1p20}, {"G", 0x1p30}};
  const char *suffix;
  double value;
  if (!real_with_suffix(text, &value, &suffix) || value < 0) return false;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (strcmp(suffix, units[i].suffix) == 0) {
      value *= units[i].scale;
      if (value > 0x1p62) return false;
      *out = (int64_t)value;
      return true;
    }
  return false;
}

bool nas_text_seconds(const char *text, double *out) {
  static const struct {
    const char *suffix;
    double scale;
  } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}};
  const char *suffix;
  double value;
  if (!real_with_suffix(text, &value, &suffix) || value < 0) return false;
  for (size_t i = 0; i < sizeof units / sizeof *units; i++)
    if (strcmp(suffix, units[i].suffix) == 0) {
      *out = value * units[i].scale;
      return true;
    }
  return false;
}

const char *nas_text_size(char out[24], int64_t bytes) {
  static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes;
  size_t unit = 0;
  while (fabs(value) >= 1024 && unit + 1 < sizeof names / sizeof *names) value /= 1024, unit++;
  snprintf(out, 24, unit && value < 100 ? "%.1f %s" : "%.0f %s", value, names[unit]);
  return out;
}

bool nas_text_put(char *out, size_t size, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  if (strcmp(fmt, "%s") == 0) { /* a plain copy is what is wanted most often, and in loops */
    const char *text = va_arg(args, const char *);
    size_t length = strnlen(text, size), n = length < size ? length : size - 1;
    va_end(args);
    memcpy(out, text, n);
    out[n] = '\0';
    return length < size;
  }
  int n = vsnprintf(out, size, fmt, args);
  va_end(args);
  return n >= 0 && (size_t)n < size;
}
