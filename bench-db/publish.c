/* Slim tables and their data cards. */
#include "bench-db/publish.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "bench-db/internal/db.h"
#include "bench-db/query.h"

/* ---- the card ---- */

/* Text in a cell of a Markdown table. */
static void add_cell(nas_str *out, const nas_value *v) {
  nas_str text = {0};
  if (v->kind == NAS_VALUE_REAL) nas_str_fmt(&text, "%.2f", v->real);
  else nas_value_text(v, &text);
  for (const char *p = nas_str_text(&text); *p; p++) {
    if (*p == '|') nas_str_add(out, "\\|");
    else if (*p == '\n') nas_str_add(out, p[1] ? ", " : "");
    else nas_str_add_n(out, p, 1);
  }
  nas_str_free(&text);
}

static nas_status add_table(nas_db *db, const char *heading, const char *sql, nas_str *out, nas_err *err) {
  nas_rows rows = {0};
  nas_status status = nas_db_sql(db, sql, nas_rows_sink(&rows), err);
  if (status == NAS_OK && rows.n) {
    nas_str_fmt(out, "\n## %s\n\n|", heading);
    for (int c = 0; c < rows.n_columns; c++) nas_str_fmt(out, " %s |", rows.names[c]);
    nas_str_add(out, "\n|");
    for (int c = 0; c < rows.n_columns; c++) nas_str_add(out, "---|");
    nas_str_add(out, "\n");
    for (size_t r = 0; r < rows.n; r++) {
      nas_str_add(out, "|");
      for (int c = 0; c < rows.n_columns; c++) {
        nas_str_add(out, " ");
        add_cell(out, &rows.values[r * (size_t)rows.n_columns + (size_t)c]);
        nas_str_add(out, " |");
      }
      nas_str_add(out, "\n");
    }
  }
  nas_rows_free(&rows);
  return status;
}

static const struct {
  const char *heading, *sql;
} parts[] = {
    {"What is in it",
     "SELECT a.space, count(DISTINCT a.id) AS architectures, count(DISTINCT a.canonical) AS networks, count(t.id) AS "
     "trials, sum(t.outcome = 'ok') AS ok FROM architecture a JOIN trial t ON t.architecture = a.id GROUP BY a.space"},
    {"Runs",
     "SELECT d.name AS dataset, d.train_split, d.valid_split, d.test_split, r.name AS recipe, t.epochs, count(DISTINCT "
     "t.seed) AS seeds, count(*) AS trials, count(l.trial) AS curves, max(t.valid_accuracy) AS best_valid, "
     "round(sum(t.train_seconds) / 3600, 1) AS training_hours FROM trial t JOIN dataset d ON d.id = t.dataset JOIN "
     "recipe r ON r.id = t.recipe LEFT JOIN learning_curve l ON l.trial = t.id WHERE t.outcome = 'ok' GROUP BY "
     "t.dataset, t.recipe, t.epochs ORDER BY 1, 6"},
    {"Outcomes other than ok",
     "SELECT outcome, count(*) AS trials FROM trial WHERE outcome <> 'ok' GROUP BY outcome ORDER BY 2 DESC"},
    {"Data sets",
     "SELECT name, n_train, n_valid, n_test, channels, height, width, classes, options, digest FROM dataset ORDER BY "
     "name"},
    {"Recipes", "SELECT name, options, digest FROM recipe ORDER BY name, options"},
    {"Campaigns",
     "SELECT c.id, c.name, c.space_options, c.evaluator, c.strategy, c.seed, c.program, c.machine, "
     "date(c.created, 'unixepoch') AS made FROM campaign c ORDER BY c.id"},
    {"Reproducibility conflicts",
     "SELECT count(*) AS \"trials that contradict an earlier one (view conflict)\" FROM conflict HAVING count(*) > 0"},
};

static nas_status write_card(nas_db *db, const char *path, const nas_db_publication *how, nas_str *out, nas_err *err) {
  char digest[NAS_DIGEST_SIZE], size[24];
  struct stat st;
  const char *base = strrchr(path, '/');
  base = base ? base + 1 : path;
  NAS_TRY(nas_digest_file(path, digest, err));
  if (stat(path, &st) != 0) return nas_fail_errno(err, errno, path, "cannot read the new table");
  nas_str_fmt(out, "# %s\n\n| | |\n|---|---|\n| file | %s |\n| size | %s (%lld bytes) |\n| SHA-256 | `%s` |\n",
              how->title ? how->title : base, base, nas_text_size(size, st.st_size), (long long)st.st_size, digest);
  nas_str_fmt(out, "| format | SQLite 3, schema version %d |\n| license | %s |\n", NAS_DB_SCHEMA_VERSION,
              how->license ? how->license : "not stated by whoever published it");
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    NAS_TRY(add_table(db, parts[i].heading, parts[i].sql, out, err));
  nas_str_fmt(
      out,
      "\n## Reading it\n\n```sh\nsqlite3 %s 'SELECT arch, valid_accuracy, test_accuracy FROM leaderboard LIMIT "
      "5'\nnascent db verify %s\n```\n\nAccuracies are percent, losses are nats, times are seconds. Choose by "
      "validation figures; test figures are for reporting. A seed is never picked at random: `per_architecture` "
      "has means and standard deviations over seeds.\n",
      base, base);
  return nas_str_check(out, err);
}

/* ---- the copy ---- */

static const char sql_strip[] =
    "DELETE FROM message;"
    "DELETE FROM event;"
    "DELETE FROM metric WHERE trial IN (SELECT id FROM trial WHERE outcome IS NULL);"
    "DELETE FROM trial WHERE outcome IS NULL AND id IN (SELECT id FROM trial t WHERE number > (SELECT "
    "coalesce(max(number), -1) FROM trial o WHERE o.campaign = t.campaign AND o.outcome IS NOT NULL));";

/* Through a full copy that is stripped, since the table itself is only read. */
static nas_status write_slim(nas_db *db, const char *whole, const char *path, nas_err *err) {
  nas_db *copy = NULL;
  NAS_TRY(nas_db_snapshot(db, whole, err));
  nas_status status = nas_db_open(whole, NAS_DB_WRITE, &copy, err);
  if (status == NAS_OK) status = nas_db_begin(copy, err);
  if (status == NAS_OK) {
    status = nas_db_exec(copy, sql_strip, "strip the copy", err);
    if (status == NAS_OK) status = nas_db_commit(copy, err);
    else nas_db_rollback(copy);
  }
  nas_db_close(copy);
  if (status == NAS_OK) status = nas_db_open(whole, NAS_DB_READ, &copy, err);
  if (status != NAS_OK) return status;
  status = nas_db_snapshot(copy, path, err);
  nas_db_close(copy);
  return status;
}

nas_status nas_db_publish(nas_db *db, const char *path, const nas_db_publication *how, nas_str *card, nas_err *err) {
  char whole[4200];
  nas_db *slim = NULL;
  if (nas_file_exists(path))
    return nas_fail(err, NAS_E_BAD_INPUT, path, "there is a file of that name already; publish to a new one");
  if (!nas_text_put(whole, sizeof whole, "%s.whole-%ld", path, (long)getpid()))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path of the table is too long");
  nas_status status = write_slim(db, whole, path, err);
  unlink(whole);
  if (status == NAS_OK) status = nas_db_open(path, NAS_DB_READ, &slim, err);
  if (status == NAS_OK) status = write_card(slim, path, how, card, err);
  nas_db_close(slim);
  if (status == NAS_OK && chmod(path, 0444) != 0)
    status = nas_fail_errno(err, errno, path, "cannot make the file read-only");
  if (status != NAS_OK) unlink(path);
  return status;
}
