/* Notes of the strategy, on their way to the table. */
#include "jobs/transcript.h"

nas_status nas_transcript_take(void *coordinator, const nas_note *note, nas_err *err) {
  nas_coordinator *c = coordinator;
  return nas_notes_add(&c->notes, note, err);
}

nas_status nas_transcript_write(nas_coordinator *c, nas_err *err) {
  for (size_t i = 0; i < c->notes.n; i++) NAS_TRY(nas_db_note_add(c->db, c->id, &c->notes.rows[i], err));
  return NAS_OK;
}

void nas_transcript_rescue(nas_coordinator *c) {
  nas_err ignored;
  if (c->notes.n && nas_db_begin(c->db, &ignored) == NAS_OK) {
    if (nas_transcript_write(c, &ignored) != NAS_OK || nas_db_commit(c->db, &ignored) != NAS_OK) nas_db_rollback(c->db);
  }
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
