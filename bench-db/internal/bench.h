#ifndef NAS_BENCH_DB_INTERNAL_BENCH_H
#define NAS_BENCH_DB_INTERNAL_BENCH_H
/* What bench.c (cells), bench_find.c (look-up) and bench_column.c (metrics) share. */
#include "bench-db/bench.h"
#include "bench-db/internal/db.h"

/* An open-addressed table of cell numbers: slot = cell + 1, 0 = free. The keys are in the cells. */
typedef struct nas_bench_table {
  uint32_t *slots;
  size_t mask;
} nas_bench_table;

typedef struct nas_bench_column_kept {
  char *key;
  double *values;
  struct nas_bench_column_kept *next;
} nas_bench_column_kept;

struct nas_bench {
  nas_db *db;
  nas_space *space;
  char *space_name, *space_options;
  size_t n, cap;
  nas_bench_cell *cells;
  uint32_t *cell_of_id; /* architecture.id -> cell + 1 */
  size_t ids;
  uint32_t *cell_of_index; /* index -> cell + 1 */
  size_t indices;
  nas_bench_table by_text, by_hash, by_genes;
  nas_bench_column_kept *columns;
  nas_bench_slice *slices;
  size_t n_slices;
  bool sliced;
};

nas_status nas_bench_tables_make(nas_bench *b, nas_err *err);
void nas_bench_tables_free(nas_bench *b);
void nas_bench_columns_free(nas_bench *b);
#endif
