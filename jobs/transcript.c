/* Notes of the strategy, on their way to the table. */
#include "jobs/transcript.h"

nas_status nas_transcript_take(void *coordinator, const nas_note *note, nas_err *err) {
  nas_coordinator *c = coordinator;
  return nas_notes_add(&c->notes, note, err);
}

void nas_transcript_rescue(nas_coordinator *c) {
  nas_ledger only_notes = {0};
  const nas_ledger_place place = {c->db, c->id, c->setup.space, &c->notes};
  nas_err ignored;
  nas_ledger_write(&only_notes, &place, &ignored);
  nas_notes_clear(&c->notes);
}

void nas_transcript_of(const nas_notes *all, uint64_t number, const nas_note **first, size_t *n) {
  size_t low = 0, high = all->n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (all->rows[middle].number < number) low = middle + 1;
    else high = middle;
  }
  *first = all->rows ? all->rows + low : NULL;
  for (*n = 0; low + *n < all->n && all->rows[low + *n].number == number;) ++*n;
}
