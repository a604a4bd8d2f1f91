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

/* The view `epoch` for the statements of this room: the same rows, unpacked by a C function (nas_db_add_functions). */
#define NAS_DB_EPOCHS                                                                                              \
  "(SELECT l.trial, n.epoch, curve_figure(l.data, n.epoch, 0) AS train_loss, curve_figure(l.data, n.epoch, 1) AS " \
  "train_accuracy, curve_figure(l.data, n.epoch, 2) AS valid_loss, curve_figure(l.data, n.epoch, 3) AS "           \
  "valid_accuracy, curve_figure(l.data, n.epoch, 4) AS test_loss, curve_figure(l.data, n.epoch, 5) AS "            \
  "test_accuracy, curve_figure(l.data, n.epoch, 6) AS seconds, curve_figure(l.data, n.epoch, 7) AS valid_seconds " \
  "FROM learning_curve l CROSS JOIN trial y ON y.id = l.trial CROSS JOIN (WITH RECURSIVE k(epoch) AS (SELECT 1 "   \
  "UNION ALL SELECT epoch + 1 FROM k WHERE epoch < (SELECT max(epochs) FROM trial)) SELECT epoch FROM k) n ON "    \
  "n.epoch <= y.epochs)"

/* SQL that is true where column `dataset` has this name, with or without a version; it uses parameter ?N. */
#define NAS_DB_IS_DATASET(N) "(dataset = ?" #N " OR substr(dataset, 1, length(?" #N ") + 1) = ?" #N " || '@')"
#endif
