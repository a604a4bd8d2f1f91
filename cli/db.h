#ifndef NAS_CLI_DB_H
#define NAS_CLI_DB_H
/* What the verbs of `nascent db` share. */
#include "bench-db/query.h"
#include "cli/cli.h"

/* Parses the line and opens the table named first on it for reading. *done: help was printed. */
nas_status nas_db_verb_open(nas_cli *cli, int argc, const char **argv, const nas_usage *usage, nas_db **db, bool *done,
                            nas_err *err);

/* Prints rows as the flags say: JSON object {"schema", "rows"}, JSON lines, CSV, or an aligned table of the columns
 * named in `people` (ends with NULL; NULL: all). */
nas_status nas_db_print(const nas_cli *cli, const char *schema, const nas_rows *rows, const char *const *people,
                        nas_err *err);
/* The aligned table alone. */
nas_status nas_db_print_people(const nas_cli *cli, const nas_rows *rows, const char *const *people, nas_err *err);
/* Adds "[{...}, ...]" of the rows. */
void nas_db_json_rows(const nas_rows *rows, nas_str *out);

/* Prints rows as they come, as JSON, JSON lines or CSV. After the last row, nas_db_stream_end. */
typedef struct nas_db_stream {
  const nas_cli *cli;
  const char *schema;
  char **names;
  int n_names;
  size_t n;
} nas_db_stream;
nas_row_sink nas_db_stream_sink(nas_db_stream *stream);
nas_status nas_db_stream_end(nas_db_stream *stream, nas_status status, nas_err *err);

/* Pictures: a figure over epochs, one line for each trial of rows of `curve`; and the rows of nas_db_front. */
nas_status nas_db_curve_svg(const nas_rows *rows, const char *metric, const char *path, nas_err *err);
nas_status nas_db_front_svg(const char *metrics, const nas_rows *rows, const char *path, nas_err *err);

nas_status nas_db_best_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_query_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_curve_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_export_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_verify_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_migrate_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_compare_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_stats_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_correlate_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_merge_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_import_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
nas_status nas_db_sql_verb(nas_cli *cli, int argc, const char **argv, nas_err *err);
#endif
