#ifndef NAS_BENCH_DB_INTERNAL_SELECT_H
#define NAS_BENCH_DB_INTERNAL_SELECT_H
/* Reading rows for the questions of query.h. */
#include "bench-db/internal/db.h"
#include "bench-db/query.h"

/* Sends every row of a prepared and bound statement to the sink. */
nas_status nas_db_send(nas_db *db, sqlite3_stmt *stmt, nas_row_sink sink, nas_err *err);

/* Prepares text that a user had a part in under the read-only guard. `owner` is what messages call it ("the
 * statement"). Finalize the result. */
nas_status nas_db_prepare_guarded(nas_db *db, const char *sql, const char *owner, sqlite3_stmt **out, nas_err *err);

/* SQL that is true where column `dataset` has this name, with or without a version; it uses parameter ?N. */
#define NAS_DB_IS_DATASET(N) "(dataset = ?" #N " OR substr(dataset, 1, length(?" #N ") + 1) = ?" #N " || '@')"
#endif
