#ifndef NAS_BENCH_DB_PUBLISH_H
#define NAS_BENCH_DB_PUBLISH_H
/* A table to give away. */
#include "bench-db/bench-db.h"

typedef struct nas_db_publication {
  const char *title;   /* of the data card; NULL: the file's name */
  const char *license; /* of the data, in the words of its owner; NULL: the card says that none was stated */
} nas_db_publication;

/* Writes a slim copy of the table to `path`, which must not exist: without events, messages to and from language
 * models, and trials that never ended; packed by VACUUM INTO, in rollback mode, with permission to read only. Adds the
 * data card, Markdown, to `card`: what is in it, how many, splits, recipes, machines, program versions, license, size
 * and SHA-256 of the file. Errors: BAD_INPUT when there is a file of that name; as nas_db_snapshot. */
nas_status nas_db_publish(nas_db *db, const char *path, const nas_db_publication *how, nas_str *card, nas_err *err);
#endif
