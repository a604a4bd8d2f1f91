/* A table as a benchmark: opening, and its cells. */
#include <stdlib.h>
#include <string.h>

#include "bench-db/internal/bench.h"

/* ---- which space ---- */

/* Takes the name and options of the space that the campaigns share. */
static nas_status choose_space(nas_bench *b, int64_t campaign, nas_err *err) {
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_db_prepare(b->db,
                         "SELECT DISTINCT space, space_options FROM campaign WHERE ?1 = 0 AND id IN (SELECT campaign "
                         "FROM trial) OR id = ?1",
                         &s, err));
  sqlite3_bind_int64(s, 1, campaign);
  NAS_TRY(nas_db_step_row(b->db, s, &row, "read the table", err));
  if (!row && campaign)
    return nas_fail(err, NAS_E_NOT_FOUND, b->db->path, "the table holds no campaign %lld", (long long)campaign);
  if (!row) return nas_fail(err, NAS_E_NOT_FOUND, b->db->path, "the table holds no trial yet");
  b->space_name = nas_db_column_text(s, 0);
  b->space_options = nas_db_column_text(s, 1);
  if (!b->space_name || !b->space_options) return nas_fail_memory(err, "a benchmark table");
  NAS_TRY(nas_db_step_row(b->db, s, &row, "read the table", err));
  if (!row) return NAS_OK;
  char other[96];
  nas_text_put(other, sizeof other, "%s", (const char *)sqlite3_column_text(s, 0));
  sqlite3_reset(s);
  return nas_fail(err, NAS_E_MISMATCH, b->db->path,
                  "the table holds several spaces (%s, %s) or several options of one; name a campaign of the one "
                  "wanted (`nascent db info` lists them)",
                  b->space_name, other);
}

/* Opens the space when this program has it in the same version. */
static nas_status open_space(nas_bench *b, nas_err *err) {
  char name[96];
  nas_text_put(name, sizeof name, "%s", b->space_name);
  char *at = strchr(name, '@');
  int64_t version = 1;
  if (at) {
    *at = '\0';
    if (!nas_text_int(at + 1, &version)) return NAS_OK;
  }
  const nas_space_type *type;
  if (nas_space_find(name, &type, NULL) != NAS_OK || type->version != version) return NAS_OK;
  nas_settings settings = {0};
  nas_status status = nas_settings_parse(&settings, b->space_options, "the table", err);
  if (status == NAS_OK) status = nas_space_open(name, &settings, &b->space, err);
  nas_settings_free(&settings);
  return status;
}

/* ---- cells ---- */

static nas_status keep_cell(nas_bench *b, sqlite3_stmt *s, nas_err *err) {
  if (b->n == b->cap) {
    size_t cap = b->cap ? 2 * b->cap : 1024;
    nas_bench_cell *grown = realloc(b->cells, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "the cells of a table");
    b->cells = grown;
    b->cap = cap;
  }
  nas_bench_cell *c = &b->cells[b->n++];
  *c = (nas_bench_cell){.arch = nas_db_column_text(s, 1),
                        .index = nas_db_column_count(s, 2),
                        .canonical = nas_db_column_text(s, 3),
                        .class_id = nas_db_column_count(s, 4)};
  if (!c->arch || !c->canonical) return nas_fail_memory(err, "the cells of a table");
  size_t id = (size_t)sqlite3_column_int64(s, 0);
  if (id >= b->ids || b->n > UINT32_MAX - 1)
    return nas_fail(err, NAS_E_DB_UNREADABLE, b->db->path, "architecture %zu is beyond the last", id);
  b->cell_of_id[id] = (uint32_t)b->n;
  if (!b->space) return NAS_OK;
  nas_status status = nas_space_parse(b->space, c->arch, &c->genes, err);
  if (status == NAS_OK) return NAS_OK;
  return nas_fail(err, NAS_E_DB_UNREADABLE, b->db->path, "the table holds '%s', which is no architecture of %s",
                  c->arch, b->space_name);
}

static nas_status count_ids(nas_bench *b, nas_err *err) {
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_db_prepare(b->db,
                         "SELECT (SELECT max(id) FROM architecture), (SELECT count(*) FROM architecture), (SELECT "
                         "max(\"index\") FROM architecture)",
                         &s, err));
  NAS_TRY(nas_db_step_row(b->db, s, &row, "read the table", err));
  int64_t last = sqlite3_column_int64(s, 0), count = sqlite3_column_int64(s, 1);
  int64_t last_index = sqlite3_column_int64(s, 2);
  sqlite3_reset(s);
  if (last < 0 || last > 64 * count + 1024)
    return nas_fail(err, NAS_E_DB_UNREADABLE, b->db->path, "the numbers of architectures are out of all order");
  b->ids = (size_t)last + 1;
  b->cell_of_id = calloc(b->ids, sizeof *b->cell_of_id);
  /* A sparse numbering goes without the array: its cells are found by their texts. */
  b->indices = last_index <= 64 * count + 1024 ? (size_t)last_index + 1 : 0;
  b->cell_of_index = calloc(b->indices + 1, sizeof *b->cell_of_index);
  return b->cell_of_id && b->cell_of_index ? NAS_OK : nas_fail_memory(err, "the cells of a table");
}

static nas_status load_cells(nas_bench *b, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(count_ids(b, err));
  NAS_TRY(nas_db_prepare(b->db,
                         "SELECT id, arch, \"index\", canonical, class FROM architecture WHERE space = ? ORDER BY "
                         "\"index\" IS NULL, \"index\", id",
                         &s, err));
  nas_db_bind_text(s, 1, b->space_name);
  for (;;) {
    bool row;
    NAS_TRY(nas_db_step_row(b->db, s, &row, "read the table", err));
    if (!row) return nas_bench_tables_make(b, err);
    nas_status status = keep_cell(b, s, err);
    if (status != NAS_OK) {
      sqlite3_reset(s);
      return status;
    }
  }
}

nas_status nas_bench_open(const char *path, int64_t campaign, nas_bench **out, nas_err *err) {
  *out = NULL;
  nas_bench *b = calloc(1, sizeof *b);
  if (!b) return nas_fail_memory(err, "a benchmark table");
  nas_status status = nas_db_open(path, NAS_DB_READ, &b->db, err);
  if (status == NAS_OK) status = choose_space(b, campaign, err);
  if (status == NAS_OK) status = open_space(b, err);
  if (status == NAS_OK) status = load_cells(b, err);
  if (status != NAS_OK) nas_bench_close(b);
  else *out = b;
  return status;
}

void nas_bench_close(nas_bench *b) {
  if (!b) return;
  nas_bench_columns_free(b);
  nas_bench_tables_free(b);
  for (size_t i = 0; i < b->n; i++) {
    free((void *)(uintptr_t)b->cells[i].arch);
    free((void *)(uintptr_t)b->cells[i].canonical);
  }
  free(b->cells);
  free(b->cell_of_id);
  free(b->cell_of_index);
  free(b->space_name);
  free(b->space_options);
  nas_space_close(b->space);
  nas_db_close(b->db);
  free(b);
}

size_t nas_bench_cells(const nas_bench *b) { return b->n; }
const nas_bench_cell *nas_bench_cell_at(const nas_bench *b, size_t cell) { return &b->cells[cell]; }
const char *nas_bench_space_name(const nas_bench *b) { return b->space_name; }
const char *nas_bench_space_options(const nas_bench *b) { return b->space_options; }
nas_space *nas_bench_space(const nas_bench *b) { return b->space; }
