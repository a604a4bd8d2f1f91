#ifndef NAS_BENCH_DB_INTERNAL_IMPORT_H
#define NAS_BENCH_DB_INTERNAL_IMPORT_H
/* What the parts of an import share: import_yaml.c and import_map.c (the map), import_source.c (CSV and JSON),
 * import_value.c (one value of a row), import_arch.c (its architecture), import_trial.c (its runs), import.c. */
#include <jansson.h>

#include "bench-db/import.h"
#include "space/space.h"

/* The figures that a map can name. The first eight are those of nas_epoch. */
enum {
  NAS_IMPORT_PER_EPOCH = 6, /* train_seconds_per_epoch */
  NAS_IMPORT_VALID_SECONDS,
  NAS_IMPORT_PARAMS,
  NAS_IMPORT_MACS,
  NAS_IMPORT_SECONDS, /* train_seconds: all epochs together */
  NAS_IMPORT_FIGURES
};
extern const char *const nas_import_figures[NAS_IMPORT_FIGURES];

/* ---- the map ---- */

/* YAML as JSON values (all plain values are texts); anchors, tags and nesting beyond 16 are refused. */
nas_status nas_import_yaml(const char *name, const char *bytes, size_t n, json_t **out, nas_err *err);

/* Where a value stands, and what becomes of it: times * x + plus. */
typedef struct nas_import_field {
  const char *path; /* column or JSON path; NULL: not given. Belongs to the map */
  double times, plus;
  bool optional; /* may be missing */
  char of;       /* 'a' mean, 'l' last, 'i' min or 'x' max of a list; 0: the value itself */
  int column;    /* of a CSV file; -1: it has none of that name */
} nas_import_field;

typedef struct nas_import_metric {
  const char *name;
  nas_import_field field;
} nas_import_metric;

/* Only rows whose value is one of these. */
typedef struct nas_import_filter {
  nas_import_field field;
  json_t *is; /* a text or a list of texts */
} nas_import_filter;

/* One run: what each row of the file says about it. */
typedef struct nas_import_run {
  size_t place;                                          /* in the map, from 1 */
  char dataset[64];                                      /* name@version; "" where the row names it */
  int64_t epochs, seed;                                  /* epochs 0: the row says; seed -1: mean */
  nas_import_field dataset_from, epochs_from, seed_from; /* where the row says them */
  const char *at;                                        /* JSON path of the record, or NULL */
  const char *splits[2];
  nas_import_field fields[NAS_IMPORT_FIGURES];
  nas_import_metric *metrics;
  nas_import_filter *filters;
  size_t n_metrics, n_filters;
  bool lost; /* the file lacks a column of it */
} nas_import_run;

typedef struct nas_import_map {
  json_t *root;
  nas_space *space;
  char space_name[96];
  nas_str space_options;
  const char *arch, *root_path; /* arch NULL: the key of the dictionary, or columns */
  json_t *columns;              /* one column for each gene, or NULL */
  json_t *digits;               /* what numbers stand for: `true`, a list, a dictionary, or a list for each gene */
  json_t *names;                /* other spellings of operations, or NULL */
  bool numbered;                /* `digits: true`: numbers are choices */
  int arch_column, gene_columns[NAS_GENES_MAX];
  nas_import_run *runs;
  size_t n_runs;
} nas_import_map;
nas_status nas_import_map_read(const char *path, nas_import_map *out, nas_str *text, nas_err *err);
/* The same of bytes; `path` is what messages call them. */
nas_status nas_import_map_parse(const char *path, const char *bytes, size_t n, nas_import_map *out, nas_err *err);
void nas_import_map_free(nas_import_map *map);
/* UNKNOWN_NAME for a key that is in neither list (each ends with NULL). */
nas_status nas_import_check_keys(const char *path, json_t *object, const char *const *known, const char *const *more,
                                 const char *owner, nas_err *err);
/* Opens the space that the map names or declares. */
nas_status nas_import_space(const char *path, nas_import_map *map, nas_err *err);

/* ---- the file ---- */

/* A file read whole: CSV cells or a JSON value. */
typedef struct nas_import_source {
  char *bytes;
  json_t *json;
  char **names, **cells; /* CSV: header, then one row at a time */
  int n_columns;
  char *at, delimiter;
  int64_t line;
} nas_import_source;
nas_status nas_import_source_open(const char *path, nas_import_source *out, nas_err *err);
/* The same of n bytes (malloc, with a NUL behind them), which are taken. */
nas_status nas_import_source_take(const char *path, char *bytes, size_t n, nas_import_source *out, nas_err *err);
void nas_import_source_close(nas_import_source *s);
/* The next CSV row into cells; *more false at the end. */
nas_status nas_import_csv_row(nas_import_source *s, const char *path, bool *more, nas_err *err);

/* ---- an import under way ---- */

typedef struct nas_importer {
  nas_db *db;
  const nas_import *job;
  nas_import_map map;
  nas_import_source source;
  nas_import_counts *counts;
  const nas_str *map_text;
  int64_t campaign, number; /* campaign 0: not made yet */
  /* the row at hand */
  json_t *record;
  const char *key;
  char place[120]; /* "FILE:ROW" */
  nas_epoch *epochs;
  size_t epochs_cap;
} nas_importer;

/* A fault of the data: the error when strict, else reported and counted. `column` may be NULL. */
nas_status nas_import_fault(nas_importer *im, nas_import_reason reason, const char *column, const char *what,
                            nas_err *err);

/* What {seed}, {epoch} and {dataset} stand for in a path. */
typedef struct nas_import_marks {
  int64_t seed, epoch; /* -1: none */
  const char *dataset; /* or NULL */
} nas_import_marks;

/* Follows "a.b.c"; NULL where it leads nowhere. A key may have dots of its own. */
json_t *nas_import_follow(json_t *from, const char *path, const nas_import_marks *marks);
/* A JSON scalar as text; NULL when it is none. */
const char *nas_import_scalar(const json_t *value, char scratch[40]);
/* The text of a field in the row at hand; NULL when the row has none. */
const char *nas_import_text(const nas_importer *im, json_t *record, const nas_import_field *field, char scratch[40]);

typedef struct nas_import_value {
  double x;          /* NaN: not measured */
  bool curve;        /* one of a list of numbers, one for each epoch */
  const char *fault; /* why it cannot be had, or NULL */
  nas_import_reason reason;
} nas_import_value;
/* The figure at an epoch (marks->epoch, from 0) of a run of so many. */
nas_import_value nas_import_number(const nas_importer *im, json_t *record, const nas_import_field *field,
                                   const nas_import_marks *marks, int64_t epochs);

/* The architecture of the row at hand. *good false: it was a fault. */
nas_status nas_import_arch(nas_importer *im, nas_arch *arch, bool *good, nas_err *err);
/* Its row in the table. */
nas_status nas_import_arch_id(nas_importer *im, const nas_arch *arch, int64_t *id, nas_err *err);
/* One run of the row at hand. */
nas_status nas_import_run_row(nas_importer *im, int64_t arch, const nas_import_run *run, nas_err *err);
#endif
