#ifndef NAS_JOBS_SPOOL_H
#define NAS_JOBS_SPOOL_H
/* Results on a worker's disk from before they are sent until they are on record. One file per worker, locked while its
 * worker lives; the file of a dead one is taken over by whoever starts next and sees it. A file is a HELLO frame that
 * names campaign and data, then RESULT frames as in wire.h: each has its check sum, and a tail that was torn by a crash
 * is left out and counted. */
#include <stdint.h>
#include <sys/types.h>

#include "jobs/wire.h"

typedef struct nas_spool {
  int fd; /* -1: not open */
  char folder[512], path[640], token[NAS_DIGEST_SIZE];
  off_t head;              /* bytes before the first result */
  uint64_t written, freed; /* sequences of results: the last one in the file; all up to it are on record */
  int64_t torn;            /* tails left out in files that were taken over */
} nas_spool;

/* Makes the folder if need be. `token` names what results must be of to be of use (campaign, program and data). */
nas_status nas_spool_open(nas_spool *s, const char *folder, const char *token, nas_err *err);
/* Removes the file when nothing is left in it. */
void nas_spool_close(nas_spool *s);

/* Gives the message the next sequence and adds its frame to `frames`. */
nas_status nas_spool_number(nas_spool *s, nas_message *result, nas_str *frames, nas_err *err);
/* Writes frames that were numbered, durably; makes folder and file again where they are gone. On an error the file is
 * as before, and the call can be repeated. */
nas_status nas_spool_write(nas_spool *s, const nas_str *frames, nas_err *err);
/* All results up to this sequence are on record. */
void nas_spool_free(nas_spool *s, uint64_t sequence);

/* Takes over what dead workers left: their results are numbered as this one's, written to its file, and added to
 * `frames`; *n: how many. Their files are removed after that. */
nas_status nas_spool_adopt(nas_spool *s, nas_str *frames, int64_t *n, nas_err *err);

/* Reads the results of one file of bytes; gives each to `take`, which owns it. *torn counts what had to be left out.
 * NOT_FOUND when the file is of another campaign. */
typedef nas_status (*nas_spool_take)(void *arg, nas_message *result, nas_err *err);
nas_status nas_spool_read(const char *bytes, size_t n, const char *token, nas_spool_take take, void *arg, int64_t *torn,
                          nas_err *err);
#endif
