#ifndef NAS_BENCH_DB_INTERNAL_VERIFY_H
#define NAS_BENCH_DB_INTERNAL_VERIFY_H
/* What verify.c and verify_costs.c share. */
#include "bench-db/internal/select.h"

nas_status nas_db_add_problem(nas_rows *problems, const char *check, const char *what, bool damaged, nas_err *err);
/* Parameters and MACs of every network whose space this program has, counted again. */
nas_status nas_db_verify_costs(nas_db *db, nas_rows *problems, nas_err *err);
#endif
