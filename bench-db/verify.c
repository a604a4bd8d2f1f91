/* Is the table sound? Each check is one statement whose rows are problems. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "bench-db/internal/verify.h"

typedef struct check {
  const char *name;
  bool damaged;    /* a problem means that the file itself is broken */
  const char *sql; /* each row is one text that says what is wrong and where */
} check;

static const char sql_integrity[] = "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'";

static const check checks[] = {
    {"integrity", true, sql_integrity},
    {"foreign keys", true,
     "SELECT 'row ' || coalesce(rowid, '') || ' of ' || \"table\" || ' refers to a missing row of ' || parent FROM "
     "pragma_foreign_key_check"},
    {"outcomes are known", false,
     "SELECT 'trial ' || id || ' has the unknown outcome ' || outcome FROM trial WHERE outcome IS NOT NULL AND outcome "
     "NOT IN ("
#define NAS_OUTCOME(name, text, summary) "'" text "', "
#include "base/result.def"
#undef NAS_OUTCOME
     "'')"},
    {"curves are whole", false,
     "SELECT 'the curve of trial ' || t.id || ' ' || curve_fault(l.data, coalesce(t.epochs, 0)) FROM learning_curve l "
     "JOIN trial t ON t.id = l.trial WHERE curve_fault(l.data, coalesce(t.epochs, 0)) IS NOT NULL UNION ALL SELECT "
     "'trial ' || t.id || ' has ' || t.epochs || ' epochs but no curve' FROM trial t JOIN campaign c ON c.id = "
     "t.campaign WHERE t.epochs > 0 AND c.evaluator NOT LIKE 'import@%' AND NOT EXISTS (SELECT 1 FROM learning_curve "
     "WHERE trial = t.id)"},
    {"curves end as their trials say", false,
     "SELECT 'trial ' || t.id || ' has other figures than the end of its curve' FROM learning_curve l JOIN trial t ON "
     "t.id = l.trial WHERE t.epochs > 0 AND (t.train_loss IS NOT curve_figure(l.data, t.epochs, 0) OR t.train_accuracy "
     "IS NOT curve_figure(l.data, t.epochs, 1) OR t.valid_loss IS NOT curve_figure(l.data, t.epochs, 2) OR "
     "t.valid_accuracy IS NOT curve_figure(l.data, t.epochs, 3) OR t.test_loss IS NOT curve_figure(l.data, t.epochs, "
     "4) OR t.test_accuracy IS NOT curve_figure(l.data, t.epochs, 5) OR t.valid_seconds IS NOT curve_figure(l.data, "
     "t.epochs, 7))"},
    {"accuracies are percent", false,
     "SELECT 'epoch ' || epoch || ' of trial ' || trial || ' has an accuracy outside 0 to 100' FROM (SELECT trial, "
     "epoch, train_accuracy, valid_accuracy, test_accuracy FROM " NAS_DB_EPOCHS " UNION ALL SELECT id, epochs, "
     "train_accuracy, valid_accuracy, test_accuracy FROM trial WHERE id NOT IN (SELECT trial FROM learning_curve)) "
     "WHERE min(coalesce(train_accuracy, 0), coalesce(valid_accuracy, 0), coalesce(test_accuracy, 0)) < 0 OR "
     "max(coalesce(train_accuracy, 0), coalesce(valid_accuracy, 0), coalesce(test_accuracy, 0)) > 100"},
    {"costs are not negative", false,
     "SELECT 'trial ' || id || ' has negative params or macs' FROM trial WHERE params < 0 OR macs < 0 UNION ALL SELECT "
     "'trial ' || trial || ' has a negative ' || name FROM metric WHERE value < 0 AND name IN ('params', 'macs', "
     "'peak_bytes', 'seconds')"},
    {"equal networks cost the same", false,
     "SELECT a.arch || ' has several values of params or macs with the same options' FROM trial t JOIN architecture a "
     "ON a.id = t.architecture JOIN campaign c ON c.id = t.campaign GROUP BY a.id, c.space_options, t.dataset HAVING "
     "min(t.params) <> max(t.params) OR min(t.macs) <> max(t.macs)"},
    {"trained and planned costs agree", false,
     "SELECT 'trial ' || t.id || ' was asked with ' || m.name || ' ' || iif(m.name = 'params', t.params, t.macs) || "
     "' and trained with ' || m.value FROM trial t JOIN metric m ON m.trial = t.id WHERE m.name = 'params' AND m.value "
     "<> t.params OR m.name = 'macs' AND m.value <> t.macs"},
    {"asks are contiguous", false,
     "SELECT 'campaign ' || campaign || ' has ' || count(*) || ' trials with numbers up to ' || max(number) FROM "
     "(SELECT "
     "campaign, number FROM trial UNION ALL SELECT campaign, number FROM repetition) GROUP BY campaign "
     "HAVING min(number) <> 0 OR max(number) <> count(*) - 1"},
    {"tells are contiguous", false,
     "SELECT 'campaign ' || campaign || ' has ' || count(*) || ' results with places up to ' || max(told) FROM (SELECT "
     "campaign, told FROM tell UNION ALL SELECT campaign, told FROM repetition WHERE told IS NOT NULL) "
     "GROUP BY campaign HAVING min(told) <> 0 OR max(told) <> count(*) - 1"},
    {"finished trials were told, and no others", false,
     "SELECT 'trial ' || t.id || iif(w.trial IS NULL, ' is finished but has no place in the order of results', ' is "
     "not finished, or of another campaign, but has a place in the order of results') FROM trial t LEFT JOIN tell w ON "
     "w.trial = t.id JOIN campaign c ON c.id = t.campaign WHERE c.evaluator NOT LIKE 'import@%' AND (t.outcome IS "
     "NULL) "
     "<> (w.trial IS NULL) OR w.campaign <> t.campaign"},
    {"asks follow tells", false,
     "SELECT 'trial ' || t.id || ' was asked after ' || t.asked_after || ' results of ' || coalesce(w.n, 0) FROM trial "
     "t LEFT JOIN (SELECT campaign, count(*) AS n FROM (SELECT campaign FROM tell UNION ALL SELECT campaign FROM "
     "repetition WHERE told IS NOT NULL) GROUP BY campaign) w ON w.campaign = t.campaign WHERE "
     "t.asked_after > coalesce(w.n, 0)"},
    {"attempts are counted", false,
     "SELECT 'trial ' || id || ' has attempt ' || attempt FROM trial WHERE attempt < 0 OR attempt > 0 AND worker IS "
     "NULL"},
    {"architectures are of their campaign's space", false,
     "SELECT 'trial ' || t.id || ' has an architecture of ' || a.space || ' in a campaign over ' || c.space FROM trial "
     "t JOIN architecture a ON a.id = t.architecture JOIN campaign c ON c.id = t.campaign WHERE a.space <> c.space"},
    {"an index names one architecture", false,
     "SELECT 'index ' || \"index\" || ' of ' || space || ' belongs to ' || count(*) || ' architectures' FROM "
     "architecture WHERE \"index\" IS NOT NULL GROUP BY space, \"index\" HAVING count(*) > 1"},
    {"a canonical form has one class", false,
     "SELECT 'canonical form ' || canonical || ' of ' || space || ' has several classes' FROM architecture GROUP BY "
     "space, canonical HAVING min(class) <> max(class)"},
};

/* ---- collecting problems ---- */

nas_status nas_db_add_problem(nas_rows *problems, const char *name, const char *what, bool damaged, nas_err *err) {
  nas_value row[] = {{.kind = NAS_VALUE_TEXT, .text = name},
                     {.kind = NAS_VALUE_TEXT, .text = what},
                     {.kind = NAS_VALUE_INTEGER, .integer = damaged, .real = damaged}};
  nas_row_sink sink = nas_rows_sink(problems);
  return sink.row(sink.arg, 3, row, err);
}

typedef struct collector {
  const check *check;
  nas_rows *problems;
} collector;

static nas_status any_names(void *arg, int n, const char *const *names, nas_err *err) {
  (void)arg, (void)n, (void)names, (void)err;
  return NAS_OK;
}

static nas_status take_problem(void *arg, int n, const nas_value *values, nas_err *err) {
  (void)n;
  collector *c = arg;
  return nas_db_add_problem(c->problems, c->check->name, values[0].text ? values[0].text : "", c->check->damaged, err);
}

static nas_status run_check(nas_db *db, const check *c, nas_rows *problems, nas_err *err) {
  sqlite3_stmt *s = NULL;
  collector into = {c, problems};
  if (sqlite3_prepare_v2(db->sqlite, c->sql, -1, &s, NULL) != SQLITE_OK) return nas_db_fail(db, err, "check the table");
  nas_status status = nas_db_send(db, s, (nas_row_sink){any_names, take_problem, &into}, err);
  sqlite3_finalize(s);
  return status;
}

/* ---- checks that SQL alone cannot make ---- */

/* The schema must be the one that this program would make, to the letter. */
static nas_status check_schema(nas_db *db, nas_rows *problems, nas_err *err) {
  sqlite3 *fresh = NULL;
  sqlite3_stmt *want = NULL, *have = NULL;
  nas_status status = NAS_OK;
  if (sqlite3_open(":memory:", &fresh) != SQLITE_OK || sqlite3_exec(fresh, nas_db_schema, NULL, NULL, NULL) ||
      sqlite3_prepare_v2(fresh, "SELECT type, name, sql FROM sqlite_schema", -1, &want, NULL))
    status = nas_db_fail_sqlite(fresh, db->path, err, "check the schema");
  if (status == NAS_OK) status = nas_db_prepare(db, "SELECT sql IS ?2 FROM sqlite_schema WHERE name = ?1", &have, err);
  while (status == NAS_OK && sqlite3_step(want) == SQLITE_ROW) {
    bool row;
    sqlite3_bind_text(have, 1, (const char *)sqlite3_column_text(want, 1), -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(have, 2, (const char *)sqlite3_column_text(want, 2), -1, SQLITE_TRANSIENT);
    status = nas_db_step_row(db, have, &row, "check the schema", err);
    bool same = row && sqlite3_column_int(have, 0);
    sqlite3_reset(have);
    char what[160];
    nas_text_put(what, sizeof what, "the %s %s is %s", (const char *)sqlite3_column_text(want, 0),
                 (const char *)sqlite3_column_text(want, 1), row ? "not the one of this schema version" : "missing");
    if (status == NAS_OK && !same) status = nas_db_add_problem(problems, "schema", what, true, err);
  }
  sqlite3_finalize(want);
  sqlite3_close(fresh);
  return status;
}

/* A recipe's digest is that of its options. */
static nas_status check_digests(nas_db *db, nas_rows *problems, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db, "SELECT name, options, digest FROM recipe WHERE digest <> ''", &s, err));
  for (;;) {
    bool row;
    NAS_TRY(nas_db_step_row(db, s, &row, "check the digests", err));
    if (!row) return NAS_OK;
    const char *name = (const char *)sqlite3_column_text(s, 0), *options = (const char *)sqlite3_column_text(s, 1);
    const char *digest = (const char *)sqlite3_column_text(s, 2);
    if (!name || !options || !digest) return nas_fail_memory(err, "a recipe");
    char hex[NAS_DIGEST_SIZE], what[160];
    nas_digest(options, strlen(options), hex);
    nas_text_put(what, sizeof what, "the recipe %s has options of another digest than its own", name);
    nas_status status = strcmp(hex, digest) == 0 ? NAS_OK : nas_db_add_problem(problems, "digests", what, false, err);
    if (status != NAS_OK) return status;
  }
}

nas_status nas_db_verify(nas_db *db, nas_rows *problems, int *n_checks, nas_err *err) {
  static const char *const names[] = {"check", "what", "damaged"};
  *n_checks = 0;
  nas_row_sink sink = nas_rows_sink(problems);
  bool own;
  NAS_TRY(sink.names(sink.arg, 3, names, err));
  NAS_TRY(nas_db_read_begin(db, &own, err));
  nas_status status = check_schema(db, problems, err);
  if (status == NAS_OK) ++*n_checks;
  for (size_t i = 0; status == NAS_OK && i < sizeof checks / sizeof *checks; i++) {
    status = run_check(db, &checks[i], problems, err);
    if (status == NAS_OK) ++*n_checks;
    /* In a damaged file the other answers mean nothing. */
    if (checks[i].sql == sql_integrity && problems->n > 0) break;
  }
  if (status == NAS_OK && problems->n == 0) {
    status = check_digests(db, problems, err);
    if (status == NAS_OK) ++*n_checks;
    if (status == NAS_OK) status = nas_db_verify_costs(db, problems, err);
    if (status == NAS_OK) ++*n_checks;
  }
  nas_db_read_end(db, own);
  return status;
}
