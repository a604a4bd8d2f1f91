#ifndef NAS_BASE_HTTP_H
#define NAS_BASE_HTTP_H
/* Downloads, and questions with answers, through libcurl: http, https (certificates are checked, always) and file. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Loads libcurl, as everything below does by itself. Error: UNSUPPORTED where it is missing, with what to install. */
nas_status nas_http_load(nas_err *err);

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

/* ---- questions and answers ---- */

/* What an address says about itself. */
typedef struct nas_http_place {
  bool secure;    /* https */
  bool loopback;  /* this machine: localhost, 127.0.0.0/8, ::1 */
  bool has_login; /* "user:password@" */
} nas_http_place;
/* BAD_INPUT for what is no http or https address; the message does not repeat it. */
nas_status nas_http_place_of(const char *url, nas_http_place *out, nas_err *err);

/* One question; borrowed until nas_http_post returns. */
typedef struct nas_question {
  const char *url;
  const char *const *headers; /* "Name: value"; ends with NULL; may be NULL. Never shown in an error, wiped after use */
  const char *body;
  size_t n;
  double connect_seconds; /* limit for the connection; 0 = 30 */
  double seconds;         /* limit for all of it; 0 = 120 */
  size_t limit;           /* most bytes of an answer; 0 = 16 MiB */
} nas_question;

typedef struct nas_http_answer {
  long status;        /* of HTTP: 200, 404, ... */
  double retry_after; /* seconds that the server asks to wait; NaN: it says nothing */
  const char *body;   /* ends with a NUL beyond its n bytes; valid until the next question */
  size_t n;
  double seconds; /* that it took */
} nas_http_answer;

/* Asks one question at a time and keeps the connection in between. */
typedef struct nas_http_client nas_http_client;
nas_status nas_http_client_new(nas_http_client **out, nas_err *err);
/* Gives up what is under way; NULL is fine. */
void nas_http_client_free(nas_http_client *client);

/* Begins to POST a question; what was under way is given up. Redirections are not followed: an answer with status 3xx
 * comes back as it is. Errors: NO_MEMORY, INTERNAL. */
nas_status nas_http_post(nas_http_client *client, const nas_question *question, nas_err *err);
/* Goes on with it for at most `timeout` seconds; *done when the answer is complete, whatever its status.
 * Errors, which end it: TIMEOUT, NETWORK (no connection, or cut off), MISMATCH (a certificate that is not accepted),
 * OUT_OF_RANGE (an answer beyond the limit). */
nas_status nas_http_poll(nas_http_client *client, double timeout, bool *done, nas_http_answer *answer, nas_err *err);
#endif
