#include "base/note.h"

#include <stdlib.h>
#include <string.h>

nas_status nas_notes_add(nas_notes *list, const nas_note *note, nas_err *err) {
  if (list->n == list->cap) {
    size_t cap = list->cap ? 2 * list->cap : 8;
    nas_note *grown = realloc(list->rows, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "notes");
    list->rows = grown;
    list->cap = cap;
  }
  char *kind = strdup(note->kind), *text = strdup(note->text);
  if (!kind || !text) {
    free(kind);
    free(text);
    return nas_fail_memory(err, "notes");
  }
  list->rows[list->n++] = (nas_note){note->number, kind, text, note->tokens, note->seconds};
  return NAS_OK;
}

void nas_notes_clear(nas_notes *list) {
  for (size_t i = 0; i < list->n; i++) {
    free((void *)(uintptr_t)list->rows[i].kind);
    free((void *)(uintptr_t)list->rows[i].text);
  }
  list->n = 0;
}

void nas_notes_free(nas_notes *list) {
  nas_notes_clear(list);
  free(list->rows);
  *list = (nas_notes){0};
}
