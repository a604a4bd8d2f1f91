#ifndef NAS_BASE_FILE_H
#define NAS_BASE_FILE_H
/* Whole files, folders and the clock. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

/* Reads a whole file (at most `limit` bytes) into *bytes (malloc, one extra NUL byte after the last). */
nas_status nas_file_read(const char *path, size_t limit, char **bytes, size_t *n, nas_err *err);

/* Writes a file so that a reader, or a crash at any instant, sees the old content or the new one, never a part:
 * temporary file beside it, fsync, rename, fsync of the folder. */
nas_status nas_file_write_atomic(const char *path, const void *bytes, size_t n, nas_err *err);
/* The same from several pieces, one after the other: large arrays need no copy. */
typedef struct nas_piece {
  const void *bytes;
  size_t n;
} nas_piece;
nas_status nas_file_write_pieces(const char *path, const nas_piece *pieces, size_t n, nas_err *err);

/* Makes a rename or a new file in the folder of `path` last. */
void nas_file_sync_folder(const char *path);

bool nas_file_exists(const char *path);

/* Like mkdir -p. */
nas_status nas_folder_make(const char *path, nas_err *err);
/* Makes the folder that `path` lies in, one level, where it has been cleared away. Says nothing when it cannot: opening
 * `path` will. */
void nas_folder_make_for(const char *path, unsigned mode);

/* The user's cache folder of this program: $NASCENT_CACHE, else $XDG_CACHE_HOME/nascent, else
 * $HOME/.cache/nascent. The folder may not exist yet. */
nas_status nas_folder_cache(nas_str *out, nas_err *err);

/* Seconds of a clock that never jumps; and the wall clock as seconds since 1970. */
double nas_clock(void);
double nas_clock_wall(void);

/* Highest resident size of this process so far, in bytes; and the present one. */
int64_t nas_memory_peak(void);
int64_t nas_memory_now(void);
#endif
