#include "train/data/csv.h"

#include <ctype.h>
#include <string.h>

#include "base/str.h"

/* The next line with an image at or behind *p, which moves behind it; NULL at the end. *number counts lines from 1. */
static const char *next_line(const char **p, int64_t *number, size_t *length) {
  while (**p) {
    const char *line = *p;
    *length = strcspn(line, "\n");
    *p = line + *length + (line[*length] == '\n');
    (*number)++;
    if (*length && line[*length - 1] == '\r') (*length)--;
    if (*length == 0) continue;
    bool heading = *number == 1 && !isdigit((unsigned char)line[0]) && line[0] != '-' && line[0] != ' ';
    if (!heading) return line;
  }
  return NULL;
}

int64_t nas_csv_count(const char *text) {
  int64_t count = 0, number = 0;
  size_t length;
  while (next_line(&text, &number, &length)) count++;
  return count;
}

typedef struct place {
  const char *file;
  int64_t line;
  const char *start;
} place;

static nas_status fail_at(const place *at, const char *cell, nas_err *err, const char *fmt, ...) NAS_PRINTF(4, 5);
static nas_status fail_at(const place *at, const char *cell, nas_err *err, const char *fmt, ...) {
  char where[188];
  nas_text_put(where, sizeof where, "%s:%lld:%td", at->file, (long long)at->line, cell - at->start + 1);
  va_list args;
  va_start(args, fmt);
  nas_vfail(err, NAS_E_BAD_INPUT, where, fmt, args);
  va_end(args);
  return NAS_E_BAD_INPUT;
}

static nas_status read_line(const place *at, size_t length, const nas_csv_form *form, uint8_t *pixels, uint8_t *label,
                            nas_err *err) {
  const char *cell = at->start, *end = at->start + length;
  for (int i = 0; i <= form->n_pixels; i++) {
    if (cell > end)
      return fail_at(at, end, err, "the line has %d cells; %d pixels and a class are wanted", i, form->n_pixels);
    const char *stop = memchr(cell, ',', (size_t)(end - cell));
    if (!stop) stop = end;
    char text[24];
    int64_t value;
    if (!nas_text_put(text, sizeof text, "%.*s", (int)(stop - cell), cell) || !nas_text_int(text, &value))
      return fail_at(at, cell, err, "'%.*s' is not a whole number", (int)(stop - cell < 40 ? stop - cell : 40), cell);
    int64_t most = i < form->n_pixels ? form->pixel_max : form->classes - 1;
    if (value < 0 || value > most)
      return fail_at(at, cell, err, "%s %lld is outside 0..%lld", i < form->n_pixels ? "pixel" : "label",
                     (long long)value, (long long)most);
    if (i < form->n_pixels) pixels[i] = (uint8_t)value;
    else *label = (uint8_t)value;
    cell = stop + 1;
  }
  if (cell <= end) return fail_at(at, cell, err, "the line goes on after %d pixels and the class", form->n_pixels);
  return NAS_OK;
}

nas_status nas_csv_parse(const char *text, const char *where, const nas_csv_form *form, uint8_t *pixels,
                         uint8_t *labels, nas_err *err) {
  place at = {.file = where};
  size_t length;
  for (int64_t i = 0; (at.start = next_line(&text, &at.line, &length)); i++)
    NAS_TRY(read_line(&at, length, form, pixels + i * form->n_pixels, labels + i, err));
  return NAS_OK;
}
