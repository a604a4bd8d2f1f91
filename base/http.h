#ifndef NAS_BASE_HTTP_H
#define NAS_BASE_HTTP_H
/* Downloads through libcurl: http, https (certificates are checked) and file. */
#include <stdint.h>

#include "base/status.h"

typedef struct nas_download {
  const char *url;
  const char *path;       /* the finished file */
  int attempts;           /* tries while the network fails; each goes on where the last one stopped; 0 = 1 */
  double connect_seconds; /* limit for the connection; 0 = 30 */
  double stall_seconds;   /* give up when nothing arrives for so long; 0 = 60 */
  /* Judges the complete file before it gets its name; a failure removes it. May be NULL. */
  nas_status (*check)(void *arg, const char *part, nas_err *err);
  /* Bytes so far, and in all (0: unknown). May be NULL. */
  void (*progress)(void *arg, int64_t done, int64_t total);
  void *arg;
} nas_download;

/* Fetches url to path. Bytes go to PATH.part, and what the server calls that version to PATH.part.tag, so that a later
 * call goes on there when the server still has the same version, and starts anew when it has not or cannot say. The
 * file appears under its name complete, checked and synced, or not at all.
 * Errors: NETWORK (with the HTTP status where there is one), IO, NO_SPACE, and what `check` returns. */
nas_status nas_http_download(const nas_download *d, nas_err *err);
#endif
