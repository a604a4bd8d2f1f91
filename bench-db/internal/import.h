#ifndef NAS_BENCH_DB_INTERNAL_IMPORT_H
#define NAS_BENCH_DB_INTERNAL_IMPORT_H
/* What import_map.c (the map), import_source.c (CSV and JSON) and import.c (rows into the table) share. */
#include <jansson.h>

#include "bench-db/import.h"
#include "space/space.h"

/* The figures that a map can name. The first eight are those of nas_epoch. */
enum {
  NAS_IMPORT_PER_EPOCH = 6, /* train_seconds_per_epoch */
  NAS_IMPORT_VALID_SECONDS,
  NAS_IMPORT_PARAMS,
  NAS_IMPORT_MACS,
  NAS_IMPORT_FIGURES
};
extern const char *const nas_import_figures[NAS_IMPORT_FIGURES];

/* YAML as JSON values (all plain values are texts); anchors, tags and nesting beyond 16 are refused. */
nas_status nas_import_yaml(const char *name, const char *bytes, size_t n, json_t **out, nas_err *err);

typedef struct nas_import_field {
  const char *path; /* column or JSON path; NULL: not given. Belongs to the map */
  double times;
  int column; /* of a CSV file */
} nas_import_field;

/* One run: what each row of the file says about it. */
typedef struct nas_import_run {
  char dataset[64];
  const char *at; /* JSON path of the record, or NULL */
  int64_t epochs, seed;
  const char *splits[2];
  nas_import_field fields[NAS_IMPORT_FIGURES];
  int64_t dataset_id, recipe_id;
} nas_import_run;

typedef struct nas_import_map {
  json_t *root;
  nas_space *space;
  char space_name[96], dataset_version;
  const char *arch, *root_path; /* arch NULL: the key of the dictionary */
  json_t *digits;               /* names of operations by digit, or NULL */
  int arch_column;
  nas_import_run *runs;
  size_t n_runs;
} nas_import_map;
nas_status nas_import_map_read(const char *path, nas_import_map *out, nas_str *text, nas_err *err);
void nas_import_map_free(nas_import_map *map);

/* A file read whole: CSV cells or a JSON value. */
typedef struct nas_import_source {
  char *bytes;
  json_t *json;
  char **names, **cells; /* CSV: header, then one row at a time */
  int n_columns;
  char *at;
  int64_t line;
} nas_import_source;
nas_status nas_import_source_open(const char *path, nas_import_source *out, nas_err *err);
void nas_import_source_close(nas_import_source *s);
/* The next CSV row into cells; *more false at the end. */
nas_status nas_import_csv_row(nas_import_source *s, const char *path, bool *more, nas_err *err);
/* Splits one line of n bytes (for tests and fuzzing): reads a header and all rows of a text that ends with NUL. */
nas_status nas_import_csv_begin(nas_import_source *s, const char *path, nas_err *err);
#endif
