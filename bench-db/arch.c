/* Everything that a table knows about one architecture, one trial's curve, and the campaigns. */
#include <string.h>

#include "bench-db/internal/select.h"
#include "space/space.h"

/* Parameters of every statement here: 1 arch, 2 index, 3 hash, 4 data set or NULL, 5 seed or NULL, 6 epochs of the
 * run or NULL, 7 not NULL for published means only. */
#define ASKED      "(arch = ?1 OR \"index\" = ?2 OR canonical = ?3)"
#define ON_DATASET "(?4 IS NULL OR " NAS_DB_IS_DATASET(4) ")"
#define WITH_SEED  "(?5 IS NULL OR seed = ?5)"
#define TRIALS                                                                                                 \
  "(SELECT t.id FROM architecture a JOIN trial t ON t.architecture = a.id JOIN dataset d ON d.id = t.dataset " \
  "WHERE " ASKED                                                                                               \
  " AND (?4 IS NULL OR d.name = ?4 OR substr(d.name, 1, length(?4) + 1) = ?4 || '@') AND "                     \
  "(?5 IS NULL OR t.seed = ?5) AND (?6 IS NULL OR t.epochs = ?6) AND (?7 IS NULL OR t.seed IS NULL))"

#define FIGURES                                                                                               \
  "e.train_loss, e.train_accuracy, e.valid_loss, e.valid_accuracy, e.test_loss, e.test_accuracy, e.seconds, " \
  "e.valid_seconds"

static const char sql_architectures[] =
    "SELECT space, arch, \"index\", canonical, class, " ASKED
    " IS TRUE AS asked FROM architecture WHERE (space, canonical) IN (SELECT space, canonical FROM architecture "
    "WHERE " ASKED ") ORDER BY asked DESC, space, \"index\", arch";
static const char sql_trials[] = "SELECT * FROM result WHERE trial IN " TRIALS " ORDER BY campaign, number";
static const char sql_epochs[] =
    "SELECT e.trial, t.campaign, d.name AS dataset, r.name AS recipe, t.seed, e.epoch, " FIGURES " FROM " NAS_DB_EPOCHS
    " e JOIN trial t ON t.id = e.trial JOIN dataset d ON d.id = t.dataset JOIN recipe r ON r.id = t.recipe WHERE "
    "e.trial IN " TRIALS " ORDER BY e.trial, e.epoch";
/* One architecture at a time: SQLite looks it up in the view only by constants. */
static const char sql_means[] =
    "SELECT * FROM per_architecture WHERE space = ?1 AND arch = ?2 AND (?6 IS NULL OR epochs = ?6) AND " ON_DATASET
    " ORDER BY dataset, recipe, space_options";

static nas_status ask(nas_db *db, const char *sql, const nas_db_arch_query *q, nas_rows *out, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, sql, &s, err));
  sqlite3_bind_text(s, 1, q->arch, -1, SQLITE_STATIC);
  nas_db_bind_count(s, 2, q->index);
  sqlite3_bind_text(s, 3, q->hash, -1, SQLITE_STATIC);
  sqlite3_bind_text(s, 4, q->dataset, -1, SQLITE_STATIC);
  if (q->by_seed) sqlite3_bind_int64(s, 5, (int64_t)q->seed);
  if (q->run_epochs) sqlite3_bind_int64(s, 6, q->run_epochs);
  if (q->mean) sqlite3_bind_int(s, 7, 1);
  return nas_db_send(db, s, nas_rows_sink(out), err);
}

/* Several answers, one list. */
static nas_status first_names(void *arg, int n, const char *const *names, nas_err *err) {
  nas_rows *rows = arg;
  return rows->names ? NAS_OK : nas_rows_sink(rows).names(rows, n, names, err);
}

static nas_status ask_means(nas_db *db, const nas_db_arch_query *q, nas_db_arch_report *out, nas_err *err) {
  sqlite3_stmt *s;
  for (size_t i = 0; i < out->architectures.n; i++) {
    if (nas_rows_at(&out->architectures, i, "asked")->integer != 1) continue;
    NAS_TRY(nas_db_prepare(db, sql_means, &s, err));
    sqlite3_bind_text(s, 1, nas_rows_at(&out->architectures, i, "space")->text, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, nas_rows_at(&out->architectures, i, "arch")->text, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, q->dataset, -1, SQLITE_STATIC);
    if (q->run_epochs) sqlite3_bind_int64(s, 6, q->run_epochs);
    nas_row_sink sink = {first_names, nas_rows_sink(&out->means).row, &out->means};
    NAS_TRY(nas_db_send(db, s, sink, err));
  }
  return NAS_OK;
}

static nas_status report(nas_db *db, const nas_db_arch_query *q, nas_db_arch_report *out, nas_err *err) {
  NAS_TRY(ask(db, sql_architectures, q, &out->architectures, err));
  if (out->architectures.n == 0) {
    nas_str name = {0};
    if (q->arch) nas_str_add(&name, q->arch);
    else if (q->hash) nas_str_add(&name, q->hash);
    else nas_str_fmt(&name, "index %lld", (long long)q->index);
    nas_fail(err, NAS_E_NOT_FOUND, db->path, "the table holds no architecture '%s'", nas_str_text(&name));
    nas_str_free(&name);
    return NAS_E_NOT_FOUND;
  }
  NAS_TRY(ask(db, sql_trials, q, &out->trials, err));
  if (!q->by_seed) NAS_TRY(ask_means(db, q, out, err));
  return q->epochs ? ask(db, sql_epochs, q, &out->epochs, err) : NAS_OK;
}

/* A text that the table does not have as it stands may be another dress of one that it has, such as digits, numbers or
 * an index: each space of the table reads it. Leaves `out` empty when none can. */
static nas_status other_dress(nas_db *db, const char *text, nas_str *out, nas_err *err) {
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_db_prepare(db, "SELECT EXISTS (SELECT 1 FROM architecture WHERE arch = ?)", &s, err));
  nas_db_bind_text(s, 1, text);
  NAS_TRY(nas_db_step_row(db, s, &row, "read the table", err));
  bool known = sqlite3_column_int(s, 0);
  sqlite3_reset(s);
  if (known) return NAS_OK;
  NAS_TRY(nas_db_prepare(db, "SELECT DISTINCT space, space_options FROM campaign", &s, err));
  for (;;) {
    NAS_TRY(nas_db_step_row(db, s, &row, "read the table", err));
    if (!row) return NAS_OK;
    char name[96], formatted[NAS_ARCH_TEXT_MAX];
    const char *full = (const char *)sqlite3_column_text(s, 0);
    nas_settings settings = {0};
    nas_space *space = NULL;
    nas_arch arch;
    nas_text_put(name, sizeof name, "%.*s", (int)strcspn(full, "@"), full);
    bool read = nas_settings_parse(&settings, (const char *)sqlite3_column_text(s, 1), "the table", NULL) == NAS_OK &&
                nas_space_open(name, &settings, &space, NULL) == NAS_OK &&
                nas_space_parse(space, text, &arch, NULL) == NAS_OK &&
                nas_space_format(space, &arch, formatted, NULL) == NAS_OK;
    nas_space_close(space);
    nas_settings_free(&settings);
    if (!read) continue;
    nas_str_add(out, formatted);
    sqlite3_reset(s);
    return nas_str_check(out, err);
  }
}

nas_status nas_db_arch(nas_db *db, const nas_db_arch_query *query, nas_db_arch_report *out, nas_err *err) {
  *out = (nas_db_arch_report){0};
  int asked = (query->arch != NULL) + (query->hash != NULL) + (query->index >= 0);
  if (asked != 1)
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "name one architecture: by its text, its index or its canonical form");
  bool own;
  NAS_TRY(nas_db_read_begin(db, &own, err));
  nas_db_arch_query q = *query;
  nas_str dress = {0};
  nas_status status = q.arch ? other_dress(db, q.arch, &dress, err) : NAS_OK;
  if (dress.len) q.arch = dress.s;
  if (status == NAS_OK) status = report(db, &q, out, err);
  nas_str_free(&dress);
  nas_db_read_end(db, own);
  return status;
}

void nas_db_arch_report_free(nas_db_arch_report *report) {
  nas_rows_free(&report->architectures);
  nas_rows_free(&report->trials);
  nas_rows_free(&report->means);
  nas_rows_free(&report->epochs);
}

nas_status nas_db_curve(nas_db *db, int64_t trial, nas_rows *out, nas_err *err) {
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_db_prepare(db, "SELECT 1 FROM trial WHERE id = ?", &s, err));
  sqlite3_bind_int64(s, 1, trial);
  NAS_TRY(nas_db_step_row(db, s, &row, "read the table", err));
  sqlite3_reset(s);
  if (!row) return nas_fail(err, NAS_E_NOT_FOUND, db->path, "the table holds no trial %lld", (long long)trial);
  NAS_TRY(
      nas_db_prepare(db,
                     "SELECT e.trial, t.campaign, a.space, a.arch, a.\"index\", d.name AS dataset, r.name AS recipe, "
                     "t.seed, e.epoch, " FIGURES " FROM " NAS_DB_EPOCHS
                     " e JOIN trial t ON t.id = e.trial JOIN architecture a ON a.id = t.architecture JOIN dataset d "
                     "ON d.id = t.dataset JOIN recipe r ON r.id = t.recipe WHERE e.trial = ? ORDER BY e.epoch",
                     &s, err));
  sqlite3_bind_int64(s, 1, trial);
  return nas_db_send(db, s, nas_rows_sink(out), err);
}

nas_status nas_db_progress(nas_db *db, nas_rows *out, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, "SELECT * FROM progress ORDER BY campaign", &s, err));
  return nas_db_send(db, s, nas_rows_sink(out), err);
}

nas_status nas_db_facts_read(nas_db *db, nas_db_facts *out, nas_err *err) {
  *out = (nas_db_facts){0};
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_db_prepare(db,
                         "SELECT (SELECT user_version FROM pragma_user_version), (SELECT page_count FROM "
                         "pragma_page_count) * (SELECT page_size FROM pragma_page_size), (SELECT count(*) FROM "
                         "architecture), (SELECT count(*) FROM campaign), (SELECT count(*) FROM trial), (SELECT "
                         "coalesce(sum(epochs), 0) FROM trial)",
                         &s, err));
  NAS_TRY(nas_db_step_row(db, s, &row, "read the table", err));
  out->sqlite_version = sqlite3_libversion_number();
  out->schema = sqlite3_column_int(s, 0);
  int64_t *numbers[] = {&out->bytes, &out->architectures, &out->campaigns, &out->trials, &out->epochs};
  for (int i = 0; i < 5; i++) *numbers[i] = sqlite3_column_int64(s, 1 + i);
  sqlite3_reset(s);
  return NAS_OK;
}
