/* The transcript of a strategy that consults something outside the program. */
#include <errno.h>
#include <math.h>
#include <sys/stat.h>

#include "bench-db/internal/db.h"

/* Prompts and answers are their owner's business: nobody else may read a table that holds some. SQLite gives the side
 * files that it makes later the mode of the table. */
static nas_status make_private(nas_db *db, nas_err *err) {
  static const char *const suffixes[] = {"", "-wal", "-journal", "-shm"};
  char path[4200];
  struct stat st;
  if (db->is_private) return NAS_OK;
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    nas_text_put(path, sizeof path, "%s%s", db->path, suffixes[i]);
    if (stat(path, &st) != 0) continue;
    if ((st.st_mode & 077) && chmod(path, st.st_mode & 0700) != 0)
      return nas_fail_errno(err, errno, path, "cannot make the table private, which holds prompts from now on");
  }
  db->is_private = true;
  return NAS_OK;
}

nas_status nas_db_note_add(nas_db *db, int64_t campaign, const nas_note *note, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_check_range(note->number, "trial number", err));
  NAS_TRY(make_private(db, err));
  NAS_TRY(nas_db_prepare(db,
                         "INSERT INTO message (campaign, number, part, kind, text, tokens, seconds) SELECT ?1, ?2, "
                         "coalesce((SELECT max(part) + 1 FROM message WHERE campaign = ?1 AND number = ?2), 0), ?3, "
                         "?4, ?5, ?6",
                         &s, err));
  sqlite3_bind_int64(s, 1, campaign);
  sqlite3_bind_int64(s, 2, (int64_t)note->number);
  nas_db_bind_text(s, 3, note->kind);
  nas_db_bind_text(s, 4, note->text);
  nas_db_bind_count(s, 5, note->tokens);
  sqlite3_bind_double(s, 6, note->seconds); /* NaN becomes NULL */
  bool own;
  NAS_TRY(nas_db_write_begin(db, &own, err));
  return nas_db_write_end(db, own, nas_db_step_done(db, s, "record a message", err), err);
}

nas_status nas_db_notes(nas_db *db, int64_t campaign, nas_notes *out, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(
      db, "SELECT number, kind, text, tokens, seconds FROM message WHERE campaign = ? ORDER BY number, part", &s, err));
  sqlite3_bind_int64(s, 1, campaign);
  for (;;) {
    bool row;
    NAS_TRY(nas_db_step_row(db, s, &row, "read the messages", err));
    if (!row) return NAS_OK;
    const char *kind = (const char *)sqlite3_column_text(s, 1), *text = (const char *)sqlite3_column_text(s, 2);
    const nas_note note = {(uint64_t)sqlite3_column_int64(s, 0), kind, text, nas_db_column_count(s, 3),
                           nas_db_column_real(s, 4)};
    nas_status status = kind && text ? nas_notes_add(out, &note, err) : nas_fail_memory(err, "a message");
    if (status != NAS_OK) {
      sqlite3_reset(s);
      return status;
    }
  }
}
