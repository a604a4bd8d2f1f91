/* Merging tables. The new table is filled under another name, source by source: a source is attached, its ids are
 * mapped to those of the new table in temporary tables, and the rows follow. */
#include "bench-db/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "bench-db/internal/db.h"

/* ---- what runs with ---- */

/* Rows that are equal but for their id become one. Arguments of the joins are IS, since columns may be NULL. */
static const char sql_basics[] =
    "CREATE TEMP TABLE map_dataset (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);"
    "CREATE TEMP TABLE map_recipe (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);"
    "CREATE TEMP TABLE map_architecture (old INTEGER PRIMARY KEY, new INTEGER NOT NULL);"
    "CREATE TEMP TABLE map_campaign (old INTEGER PRIMARY KEY, new INTEGER NOT NULL, known INTEGER NOT NULL);"
    "CREATE TEMP TABLE map_trial (old INTEGER PRIMARY KEY, new INTEGER NOT NULL, added INTEGER NOT NULL);"
    "INSERT INTO main.dataset SELECT NULL, name, options, digest, split, n_train, n_valid, n_test, channels, height, "
    "width, classes, train_split, valid_split, test_split FROM src.dataset WHERE true ON CONFLICT DO NOTHING;"
    "INSERT INTO map_dataset SELECT s.id, m.id FROM src.dataset s JOIN main.dataset m USING (name, options, digest, "
    "split);"
    "INSERT INTO main.recipe SELECT NULL, name, options, digest FROM src.recipe WHERE true ON CONFLICT DO NOTHING;"
    "INSERT INTO map_recipe SELECT s.id, m.id FROM src.recipe s JOIN main.recipe m USING (name, options, digest);"
    "INSERT INTO main.architecture SELECT NULL, space, arch, \"index\", canonical, class FROM src.architecture WHERE "
    "true ON CONFLICT DO NOTHING;"
    "INSERT INTO map_architecture SELECT s.id, m.id FROM src.architecture s JOIN main.architecture m USING (arch, "
    "space);";

static const char sql_other_form[] =
    "SELECT s.arch FROM src.architecture s JOIN main.architecture m USING (arch, space) WHERE m.canonical <> "
    "s.canonical OR m.\"index\" IS NOT s.\"index\" OR m.class IS NOT s.class LIMIT 1";

/* A campaign is known when one with the same row is there and no trial number of both means something else: the same
 * ask, and not two different ends. */
static const char sql_campaigns[] =
    "INSERT INTO map_campaign SELECT s.id, max(m.id), 1 FROM src.campaign s JOIN map_dataset d ON d.old = s.dataset "
    "JOIN "
    "map_recipe r ON r.old = s.recipe JOIN main.campaign m ON (m.name, m.config, m.space, m.space_options, "
    "m.evaluator, "
    "m.evaluator_options, m.strategy, m.strategy_options, m.seed, m.program, m.machine, m.created, m.dataset, "
    "m.recipe) "
    "= (s.name, s.config, s.space, s.space_options, s.evaluator, s.evaluator_options, s.strategy, s.strategy_options, "
    "s.seed, s.program, s.machine, s.created, d.new, r.new) WHERE NOT EXISTS (SELECT 1 FROM src.trial x JOIN "
    "main.trial "
    "y ON y.campaign = m.id AND y.number = x.number JOIN map_architecture a ON a.old = x.architecture WHERE x.campaign "
    "= "
    "s.id AND (y.architecture <> a.new OR y.seed IS NOT x.seed OR x.outcome IS NOT NULL AND y.outcome IS NOT NULL AND "
    "(x.outcome <> y.outcome OR x.epochs <> y.epochs OR x.train_loss IS NOT y.train_loss OR x.train_accuracy IS NOT "
    "y.train_accuracy OR x.valid_loss IS NOT y.valid_loss OR x.valid_accuracy IS NOT y.valid_accuracy OR x.test_loss "
    "IS "
    "NOT y.test_loss OR x.test_accuracy IS NOT y.test_accuracy))) GROUP BY s.id;"
    "INSERT INTO map_campaign SELECT s.id, (SELECT coalesce(max(id), 0) FROM main.campaign) + row_number() OVER (ORDER "
    "BY s.id), 0 FROM src.campaign s WHERE s.id NOT IN (SELECT old FROM map_campaign);"
    "INSERT INTO main.campaign SELECT c.new, name, config, space, space_options, evaluator, evaluator_options, "
    "strategy, "
    "strategy_options, seed, program, machine, d.new, r.new, created FROM src.campaign s JOIN map_campaign c ON c.old "
    "= "
    "s.id JOIN map_dataset d ON d.old = s.dataset JOIN map_recipe r ON r.old = s.recipe WHERE NOT c.known;";

/* ---- trials ---- */

#define CURVE(TABLE, ID)                                                                                      \
  "(SELECT hex(substr(data, 1, 192)) || hex(substr(data, 257, cast(substr(data, 197, 8) AS INTEGER) - 256)) " \
  "FROM " TABLE ".learning_curve WHERE trial = " ID ")"

/* Three ways into the map: the trial is there as this campaign's own; there as another's, with the same figures; new. A
 * trial that was unfinished there and is finished here gives way. */
static const char sql_trials[] =
    "INSERT INTO map_trial SELECT x.id, y.id, 0 FROM src.trial x JOIN map_campaign c ON c.old = x.campaign AND c.known "
    "JOIN main.trial y ON y.campaign = c.new AND y.number = x.number WHERE y.outcome IS NOT NULL OR x.outcome IS NULL;"
    "DELETE FROM main.event WHERE trial IN (SELECT y.id FROM src.trial x JOIN map_campaign c ON c.old = x.campaign AND "
    "c.known JOIN main.trial y ON y.campaign = c.new AND y.number = x.number WHERE y.outcome IS NULL AND x.outcome IS "
    "NOT NULL);"
    "DELETE FROM main.trial WHERE id IN (SELECT y.id FROM src.trial x JOIN map_campaign c ON c.old = x.campaign AND "
    "c.known JOIN main.trial y ON y.campaign = c.new AND y.number = x.number WHERE y.outcome IS NULL AND x.outcome IS "
    "NOT NULL);"
    "INSERT OR IGNORE INTO map_trial SELECT x.id, min(y.id), 2 FROM src.trial x CROSS JOIN map_campaign c ON "
    "c.old = x.campaign CROSS JOIN src.campaign sc ON sc.id = x.campaign CROSS JOIN map_architecture a ON a.old = "
    "x.architecture CROSS JOIN map_dataset d ON d.old = x.dataset CROSS JOIN map_recipe r ON r.old = x.recipe "
    "CROSS JOIN main.trial y ON y.architecture = a.new AND y.dataset = d.new AND y.recipe = r.new AND y.seed IS "
    "x.seed AND y.outcome = 'ok' CROSS JOIN main.campaign mc ON mc.id = y.campaign AND mc.space_options = "
    "sc.space_options AND mc.evaluator = sc.evaluator AND mc.evaluator_options = sc.evaluator_options WHERE "
    "x.outcome = 'ok' AND y.campaign <> c.new AND x.id NOT IN (SELECT old FROM map_trial) AND x.epochs = "
    "+y.epochs AND x.params IS y.params AND x.macs IS y.macs AND x.train_loss IS y.train_loss AND "
    "x.train_accuracy IS y.train_accuracy AND x.valid_loss IS y.valid_loss AND x.valid_accuracy IS "
    "y.valid_accuracy AND x.test_loss IS y.test_loss AND x.test_accuracy IS y.test_accuracy AND " CURVE(
    "src", "x.id") " IS " CURVE("main", "y.id") " GROUP BY x.id;INSERT INTO map_trial SELECT x.id, (SELECT "
    "coalesce(max(id), 0) FROM main.trial) + row_number() OVER (ORDER BY "
    "x.id), 1 FROM src.trial x WHERE x.id NOT IN (SELECT old FROM map_trial);"
    "INSERT INTO main.trial (id, campaign, number, asked_after, architecture, dataset, recipe, seed, params, macs, "
    "attempt, worker, outcome, cause_code, cause_where, cause, epochs, train_loss, train_accuracy, valid_loss, "
    "valid_accuracy, test_loss, test_accuracy, train_seconds, valid_seconds) SELECT t.new, c.new, number, asked_after, "
    "a.new, d.new, r.new, seed, params, macs, attempt, worker, outcome, cause_code, cause_where, cause, epochs, "
    "train_loss, train_accuracy, valid_loss, valid_accuracy, test_loss, test_accuracy, train_seconds, "
    "valid_seconds FROM "
    "src.trial x JOIN map_trial t ON t.old = x.id AND t.added = 1 JOIN map_campaign c ON c.old = x.campaign JOIN "
    "map_architecture a ON a.old = x.architecture JOIN map_dataset d ON d.old = x.dataset JOIN map_recipe r ON r.old = "
    "x.recipe ORDER BY t.new;"
    "INSERT INTO main.learning_curve SELECT t.new, data FROM src.learning_curve l JOIN map_trial t ON t.old = "
    "l.trial AND "
    "t.added = 1 ORDER BY t.new;"
    "INSERT INTO main.metric SELECT t.new, name, value FROM src.metric m JOIN map_trial t ON t.old = m.trial AND "
    "t.added "
    "= 1;";

/* Tells, repetitions, events and messages. A known campaign goes on in the order of the copy that knows more. */
static const char sql_order[] =
    "INSERT INTO main.repetition SELECT c.new, x.number, x.asked_after, w.told, t.new FROM src.trial x JOIN map_trial "
    "t "
    "ON t.old = x.id AND t.added = 2 JOIN map_campaign c ON c.old = x.campaign LEFT JOIN src.tell w ON w.trial = x.id "
    "WHERE true ON CONFLICT DO NOTHING;"
    "INSERT INTO main.repetition SELECT c.new, p.number, p.asked_after, p.told, t.new FROM src.repetition p JOIN "
    "map_campaign c ON c.old = p.campaign JOIN map_trial t ON t.old = p.trial WHERE true ON CONFLICT DO NOTHING;"
    "INSERT OR IGNORE INTO main.tell SELECT c.new, w.told, t.new FROM src.tell w JOIN map_trial t ON t.old = w.trial "
    "AND "
    "t.added < 2 JOIN map_campaign c ON c.old = w.campaign;"
    "INSERT INTO main.event (campaign, time, kind, trial, worker, text) SELECT c.new, e.time, e.kind, t.new, e.worker, "
    "e.text FROM src.event e JOIN map_campaign c ON c.old = e.campaign LEFT JOIN map_trial t ON t.old = e.trial WHERE "
    "NOT c.known OR NOT EXISTS (SELECT 1 FROM main.event m WHERE m.campaign = c.new AND m.time = e.time AND m.kind = "
    "e.kind AND m.text = e.text) ORDER BY e.id;"
    "INSERT OR IGNORE INTO main.message SELECT c.new, number, part, kind, text, tokens, seconds FROM src.message m "
    "JOIN "
    "map_campaign c ON c.old = m.campaign;";

static const char sql_forget[] =
    "DROP TABLE map_dataset; DROP TABLE map_recipe; DROP TABLE map_architecture; DROP TABLE map_campaign; DROP TABLE "
    "map_trial;";

/* ---- one source ---- */

static nas_status check_forms(nas_db *db, const char *path, nas_err *err) {
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v2(db->sqlite, sql_other_form, -1, &s, NULL) != SQLITE_OK)
    return nas_db_fail(db, err, "compare the architectures");
  nas_status status = NAS_OK;
  if (sqlite3_step(s) == SQLITE_ROW)
    status = nas_fail(err, NAS_E_MISMATCH, path,
                      "the architecture '%s' has another canonical form, index or class than in the tables before; "
                      "programs with different versions of the space wrote them",
                      (const char *)sqlite3_column_text(s, 0));
  sqlite3_finalize(s);
  return status;
}

static nas_status count(nas_db *db, const char *sql, int64_t *n, nas_err *err) {
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v2(db->sqlite, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW) {
    nas_status status = nas_db_fail(db, err, "count the trials");
    sqlite3_finalize(s);
    return status;
  }
  *n = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  return NAS_OK;
}

static nas_status add_rows(nas_db *db, const char *path, nas_db_merge_counts *counts, nas_err *err) {
  static const char *const steps[] = {sql_campaigns, sql_trials, sql_order};
  int64_t same = 0;
  NAS_TRY(nas_db_exec(db, sql_basics, "merge the tables", err));
  NAS_TRY(check_forms(db, path, err));
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) NAS_TRY(nas_db_exec(db, steps[i], "merge the tables", err));
  NAS_TRY(count(db, "SELECT count(*) FROM map_trial WHERE added <> 1", &same, err));
  counts->same += same;
  return nas_db_exec(db, sql_forget, "merge the tables", err);
}

static nas_status attach(nas_db *db, const char *path, nas_err *err) {
  sqlite3_stmt *s = NULL;
  if (sqlite3_prepare_v2(db->sqlite, "ATTACH ? AS src", -1, &s, NULL) != SQLITE_OK)
    return nas_db_fail(db, err, "open the table");
  nas_db_bind_text(s, 1, path);
  int code = sqlite3_step(s);
  nas_status status = code == SQLITE_DONE ? NAS_OK : nas_db_fail_sqlite(db->sqlite, path, err, "open the table");
  sqlite3_finalize(s);
  return status;
}

static nas_status merge_one(nas_db *db, const char *path, nas_db_merge_counts *counts, nas_err *err) {
  nas_db *source = NULL;
  char full[4096];
  NAS_TRY(nas_db_open(path, NAS_DB_READ, &source, err)); /* recovers and checks it */
  nas_text_put(full, sizeof full, "%s", source->path);
  nas_db_close(source);
  NAS_TRY(attach(db, full, err));
  nas_status status = nas_db_begin(db, err);
  if (status == NAS_OK) status = add_rows(db, path, counts, err);
  if (status == NAS_OK) status = nas_db_commit(db, err);
  else nas_db_rollback(db);
  sqlite3_exec(db->sqlite, "DETACH src", NULL, NULL, NULL);
  return status;
}

/* ---- the whole ---- */

static nas_status fill(nas_db *db, const char *const *from, size_t n, nas_db_merge_counts *counts, nas_err *err) {
  /* Nobody but this function sees the file before it is complete. */
  NAS_TRY(nas_db_exec(db, "PRAGMA synchronous = OFF", "make the table", err));
  for (size_t i = 0; i < n; i++) NAS_TRY(merge_one(db, from[i], counts, err));
  NAS_TRY(count(db, "SELECT count(*) FROM campaign", &counts->campaigns, err));
  NAS_TRY(count(db, "SELECT count(*) FROM trial", &counts->trials, err));
  return count(db, "SELECT count(*) FROM conflict", &counts->conflicts, err);
}

/* Closing merges the log into the file; where that fails (a full disk) the file is not whole. */
static nas_status close_whole(nas_db *db, nas_err *err) {
  nas_status status = nas_db_exec(db, "PRAGMA journal_mode = DELETE", "write the table", err);
  nas_db_close(db);
  return status;
}

static void remove_all(const char *path) {
  static const char *const ends[] = {"", "-wal", "-journal", "-shm"};
  char side[4300];
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (nas_text_put(side, sizeof side, "%s%s", path, ends[i])) unlink(side);
}

static nas_status publish(const char *made, const char *to, nas_err *err) {
  int fd = open(made, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nas_fail_errno(err, errno, to, "cannot open the new table");
  nas_status status = fsync(fd) == 0 ? NAS_OK : nas_fail_errno(err, errno, to, "cannot write the new table");
  close(fd);
  /* A link, unlike a rename, replaces nothing that appeared meanwhile. */
  if (status == NAS_OK && link(made, to) != 0) status = nas_fail_errno(err, errno, to, "cannot name the new table");
  if (status == NAS_OK) nas_file_sync_folder(to);
  return status;
}

nas_status nas_db_merge(const char *const *from, size_t n, const char *to, nas_db_merge_counts *counts, nas_err *err) {
  char made[4200];
  nas_db *db = NULL;
  *counts = (nas_db_merge_counts){0};
  if (nas_file_exists(to))
    return nas_fail(err, NAS_E_BAD_INPUT, to, "there is a file of that name already; merge into a new one");
  if (!nas_text_put(made, sizeof made, "%s%s.merging-%ld", *to == '/' ? "" : "./", to, (long)getpid()))
    return nas_fail(err, NAS_E_BAD_INPUT, NULL, "the path of the table is too long");
  remove_all(made);
  NAS_TRY(nas_db_open(made, NAS_DB_CREATE, &db, err));
  nas_status status = fill(db, from, n, counts, err);
  if (status == NAS_OK) status = close_whole(db, err);
  else nas_db_close(db);
  if (status == NAS_OK) status = publish(made, to, err);
  remove_all(made);
  return status;
}
