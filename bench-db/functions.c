/* SQL functions for the statements of this room. Schemas cannot call them: other programs have none. */
#include <math.h>

#include "bench-db/internal/curve.h"
#include "bench-db/internal/db.h"

static void curve_figure(sqlite3_context *context, int n, sqlite3_value **values) {
  (void)n;
  double figure;
  const void *bytes = sqlite3_value_blob(values[0]);
  int size = sqlite3_value_bytes(values[0]);
  sqlite3_int64 epoch = sqlite3_value_int64(values[1]);
  int k = sqlite3_value_int(values[2]);
  if (bytes && epoch >= 1 && k >= 0 && k < NAS_CURVE_FIGURES &&
      nas_curve_figure(bytes, (size_t)size, (size_t)epoch, k, &figure) && !isnan(figure))
    sqlite3_result_double(context, figure);
}

static void curve_fault(sqlite3_context *context, int n, sqlite3_value **values) {
  (void)n;
  const void *bytes = sqlite3_value_blob(values[0]);
  size_t size = (size_t)sqlite3_value_bytes(values[0]), wanted;
  sqlite3_int64 epochs = sqlite3_value_int64(values[1]);
  if (!bytes) return;
  if (epochs >= 0 && epochs <= INT32_MAX && nas_curve_check(bytes, size, (size_t)epochs, &wanted)) return;
  nas_str why = {0};
  nas_str_fmt(&why, "has %zu bytes that are no %lld epochs", size, (long long)epochs);
  sqlite3_result_text(context, nas_str_text(&why), -1, SQLITE_TRANSIENT);
  nas_str_free(&why);
}

nas_status nas_db_add_functions(nas_db *db, nas_err *err) {
  const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
  if (sqlite3_create_function(db->sqlite, "curve_figure", 3, flags, NULL, curve_figure, NULL, NULL) != SQLITE_OK ||
      sqlite3_create_function(db->sqlite, "curve_fault", 2, flags, NULL, curve_fault, NULL, NULL) != SQLITE_OK)
    return nas_db_fail(db, err, "open the table");
  return NAS_OK;
}
