#ifndef NAS_BASE_NOTE_H
#define NAS_BASE_NOTE_H
/* Notes: what a strategy sends to and hears from something outside the program, such as a language model. search/
 * makes them, jobs/ passes them on and bench-db/ keeps them. */
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct nas_note {
  uint64_t number;  /* of the ask that it belongs to */
  const char *kind; /* prompt, answer, failure, ...: a word of the strategy's */
  const char *text;
  int64_t tokens; /* that it cost; -1: none, or not known */
  double seconds; /* that it took; NaN: no time, or not known */
} nas_note;

/* A growing list that owns its texts. Start from {0}; free with nas_notes_free. */
typedef struct nas_notes {
  nas_note *rows;
  size_t n, cap;
} nas_notes;

/* Adds a copy. */
nas_status nas_notes_add(nas_notes *list, const nas_note *note, nas_err *err);
/* Drops all rows and keeps the list. */
void nas_notes_clear(nas_notes *list);
void nas_notes_free(nas_notes *list);
#endif
