#ifndef NAS_BASE_STR_H
#define NAS_BASE_STR_H
/* A growing text buffer and small text helpers. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Start from `{0}`; free with nas_str_free. `s` is NUL-terminated once anything was added, NULL before.
 * An allocation that fails sets `failed` and drops this and all later additions: check once at the end with
 * nas_str_check. */
typedef struct nas_str {
  char *s;
  size_t len, cap;
  bool failed;
} nas_str;

void nas_str_free(nas_str *b);
void nas_str_clear(nas_str *b);
void nas_str_add(nas_str *b, const char *text);
void nas_str_add_n(nas_str *b, const char *bytes, size_t n);
void nas_str_fmt(nas_str *b, const char *fmt, ...) NAS_PRINTF(2, 3);
/* The text, never NULL. */
const char *nas_str_text(const nas_str *b);
nas_status nas_str_check(const nas_str *b, nas_err *err);

/* Adds `text` as a JSON string with its quotes, or `null` for NULL. */
void nas_str_json(nas_str *b, const char *text);
/* Adds a double as the shortest text that reads back to the same bits; NaN and infinities as `null`. */
void nas_str_json_number(nas_str *b, double value);

/* The number of edits (insert, delete, replace, swap of neighbours) between two short texts. */
int nas_edit_distance(const char *a, const char *b);

/* Collects candidates and keeps the nearest to `wanted` when it is close enough to be a typing error.
 *   nas_guess g = nas_guess_for("randm"); nas_guess_add(&g, "random"); ... nas_guess_text(&g)
 * gives ", did you mean 'random'?" or "" (a text inside g, valid as long as g). */
typedef struct nas_guess {
  const char *wanted;
  int distance;
  char text[96];
} nas_guess;
nas_guess nas_guess_for(const char *wanted);
void nas_guess_add(nas_guess *g, const char *candidate);
const char *nas_guess_text(const nas_guess *g);

/* Strict conversions of a whole text (no trailing characters, no leading blanks); false when malformed or
 * out of range. */
bool nas_text_int(const char *text, int64_t *out);
bool nas_text_real(const char *text, double *out);
/* "1024", "512KiB", "2GiB", "1.5MB" -> bytes. */
bool nas_text_bytes(const char *text, int64_t *out);
/* "90", "1.5", "10m", "2h", "1d" -> seconds. */
bool nas_text_seconds(const char *text, double *out);

/* Writes "1.2 GiB" style text for people into out. */
const char *nas_text_size(char out[24], int64_t bytes);

/* Writes a double as the shortest text that reads back to the same bits ("0.1", "1e-05", "nan"). */
const char *nas_text_double(char out[32], double value);

/* snprintf into a fixed array that says whether all of it fitted. */
bool nas_text_put(char *out, size_t size, const char *fmt, ...) NAS_PRINTF(3, 4);
#endif
