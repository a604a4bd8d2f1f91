/* One run of one architecture: its figures read and checked, compared with what the table has, and written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/version.h"
#include "bench-db/internal/curve.h"
#include "bench-db/internal/db.h"
#include "bench-db/internal/import.h"

typedef struct trial {
  char dataset[64]; /* name@version */
  int64_t epochs, seed, dataset_id, recipe_id;
  double last[8], params, macs, seconds; /* params, macs: -1 when not given; seconds: of all epochs, or NaN */
  bool curve;
} trial;

static bool is_accuracy(int k) { return k == 1 || k == 3 || k == 5; }

/* What a figure must be besides a number; `end`: of the last epoch, or no curve. */
static void check_figure(nas_import_value *v, int k, bool end) {
  if (v->fault) return;
  bool loss = k == 0 || k == 2 || k == 4;
  if (isinf(v->x) && !loss && end) {
    v->fault = "this is not finite";
    v->reason = NAS_IMPORT_NO_NUMBER;
  } else if (is_accuracy(k) && (v->x < 0 || v->x > 100)) {
    v->fault = "an accuracy outside 0 to 100 percent";
    v->reason = NAS_IMPORT_OUT_OF_RANGE;
  } else if (k >= NAS_IMPORT_PER_EPOCH && v->x < 0) {
    v->fault = "a negative cost";
    v->reason = NAS_IMPORT_OUT_OF_RANGE;
  }
}

static nas_import_value figure(nas_importer *im, json_t *record, const nas_import_run *run, const trial *t, int k,
                               int64_t epoch) {
  const nas_import_marks marks = {t->seed, epoch, t->dataset};
  nas_import_value v = nas_import_number(im, record, &run->fields[k], &marks, t->epochs);
  check_figure(&v, k, !v.curve || epoch + 1 == t->epochs);
  return v;
}

static nas_status figure_fault(nas_importer *im, const nas_import_run *run, const trial *t, const char *path,
                               const nas_import_value *v, int64_t epoch, nas_err *err) {
  char what[200];
  bool several = run->seed_from.path == NULL && im->source.json;
  nas_text_put(what, sizeof what, "%s (%.40s, %lld epochs", v->fault, t->dataset, (long long)t->epochs);
  size_t n = strlen(what);
  if (several && t->seed >= 0) nas_text_put(what + n, sizeof what - n, ", seed %lld", (long long)t->seed);
  n = strlen(what);
  if (v->curve) nas_text_put(what + n, sizeof what - n, ", at epoch %lld", (long long)epoch + 1);
  n = strlen(what);
  nas_text_put(what + n, sizeof what - n, ")");
  return nas_import_fault(im, v->reason, path, what, err);
}

/* ---- which run ---- */

/* A whole number as people write them: "200", "200.0". */
static bool whole(const char *text, int64_t *out) {
  double x;
  if (!text) return false;
  if (nas_text_int(text, out)) return true;
  if (!nas_text_real(text, &x) || x != nearbyint(x) || fabs(x) > 1e15) return false;
  *out = (int64_t)x;
  return true;
}

static nas_status read_which(nas_importer *im, json_t *record, const nas_import_run *run, trial *t, bool *good,
                             nas_err *err) {
  char scratch[40];
  const char *text;
  *good = false;
  t->epochs = run->epochs;
  t->seed = run->seed;
  nas_text_put(t->dataset, sizeof t->dataset, "%s", run->dataset);
  if (run->dataset_from.path) {
    text = nas_import_text(im, record, &run->dataset_from, scratch);
    if (!text || !*text || !nas_text_put(t->dataset, sizeof t->dataset, "%s%s", text, strchr(text, '@') ? "" : "@1"))
      return nas_import_fault(im, NAS_IMPORT_MISSING, run->dataset_from.path, "this is no name of a data set", err);
  }
  if (run->epochs_from.path) {
    text = nas_import_text(im, record, &run->epochs_from, scratch);
    if (!whole(text, &t->epochs) || t->epochs < 1 || t->epochs > 1000000)
      return nas_import_fault(im, NAS_IMPORT_NO_NUMBER, run->epochs_from.path, "this is no number of epochs", err);
  }
  if (run->seed_from.path) {
    text = nas_import_text(im, record, &run->seed_from, scratch);
    bool mean = text && strcmp(text, "mean") == 0;
    if (mean) t->seed = -1;
    else if (!whole(text, &t->seed) || t->seed < 0)
      return nas_import_fault(im, NAS_IMPORT_NO_NUMBER, run->seed_from.path, "this is no seed", err);
  }
  *good = true;
  return NAS_OK;
}

static bool passes(const nas_importer *im, json_t *record, const nas_import_run *run) {
  char scratch[40];
  for (size_t i = 0; i < run->n_filters; i++) {
    const nas_import_filter *f = &run->filters[i];
    const char *have = nas_import_text(im, record, &f->field, scratch);
    bool found = have && json_is_string(f->is) && strcmp(have, json_string_value(f->is)) == 0;
    for (size_t k = 0; have && k < json_array_size(f->is); k++)
      found = found || strcmp(have, json_string_value(json_array_get(f->is, k))) == 0;
    if (!found) return false;
  }
  return true;
}

/* ---- its figures ---- */

static nas_status read_curve(nas_importer *im, json_t *record, const nas_import_run *run, trial *t,
                             const bool curves[8], bool *good, nas_err *err) {
  if (im->epochs_cap < (size_t)t->epochs) {
    nas_epoch *grown = realloc(im->epochs, (size_t)t->epochs * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "a learning curve");
    im->epochs = grown;
    im->epochs_cap = (size_t)t->epochs;
  }
  for (int64_t e = 0; e < t->epochs; e++) {
    im->epochs[e] = (nas_epoch){.epoch = (int32_t)e + 1};
    for (int k = 0; k < 8; k++) {
      bool every = curves[k] || k >= 6 || e + 1 == t->epochs;
      nas_import_value v = {.x = (double)NAN};
      if (run->fields[k].path && every) v = figure(im, record, run, t, k, e);
      if (v.fault) {
        *good = false;
        return figure_fault(im, run, t, run->fields[k].path, &v, e, err);
      }
      *nas_epoch_figure(&im->epochs[e], k) = v.x;
    }
  }
  return NAS_OK;
}

static nas_status read_figures(nas_importer *im, json_t *record, const nas_import_run *run, trial *t, bool *good,
                               nas_err *err) {
  bool curves[8] = {false};
  for (int k = 0; k < 8; k++) t->last[k] = (double)NAN;
  t->params = t->macs = -1;
  t->seconds = (double)NAN;
  *good = false;
  for (int k = 0; k < NAS_IMPORT_FIGURES; k++) {
    if (!run->fields[k].path) continue;
    nas_import_value v = figure(im, record, run, t, k, t->epochs - 1);
    if (v.fault) return figure_fault(im, run, t, run->fields[k].path, &v, t->epochs - 1, err);
    if (k < 8) t->last[k] = v.x, curves[k] = v.curve;
    if (k < 6) t->curve = t->curve || v.curve;
    if (k == NAS_IMPORT_PARAMS && !isnan(v.x)) t->params = nearbyint(v.x);
    if (k == NAS_IMPORT_MACS && !isnan(v.x)) t->macs = nearbyint(v.x);
    if (k == NAS_IMPORT_SECONDS) t->seconds = v.x;
  }
  *good = true;
  if (t->curve) return read_curve(im, record, run, t, curves, good, err);
  if (isnan(t->seconds)) t->seconds = t->last[6] * (double)t->epochs;
  return NAS_OK;
}

/* ---- what the table has of it ---- */

static nas_status campaign_of(nas_importer *im, const nas_db_dataset *d, const nas_db_recipe *r, nas_err *err) {
  char digest[NAS_DIGEST_SIZE], file_digest[NAS_DIGEST_SIZE];
  if (im->campaign) return NAS_OK;
  nas_digest(im->map_text->s, im->map_text->len, digest);
  NAS_TRY(nas_digest_file(im->job->file, file_digest, err));
  const char *base = strrchr(im->job->file, '/');
  base = base ? base + 1 : im->job->file;
  nas_str config = {0};
  nas_str_fmt(&config, "import.file=%s\nimport.digest=%s\nimport.map-digest=%s\n", base, file_digest, digest);
  nas_status status = nas_str_check(&config, err);
  const nas_db_campaign c = {.name = base,
                             .config = config.s,
                             .space = im->map.space_name,
                             .space_options = nas_str_text(&im->map.space_options),
                             .evaluator = "import@1",
                             .evaluator_options = "",
                             .strategy = "import@1",
                             .strategy_options = "",
                             .program = NAS_VERSION_FULL,
                             .machine = "",
                             .dataset = *d,
                             .recipe = *r};
  if (status == NAS_OK) status = nas_db_campaign_add(im->db, &c, &im->campaign, err);
  nas_str_free(&config);
  return status;
}

/* Data set, recipe and, at the first of them, the campaign that stands for the import. */
static nas_status find_ids(nas_importer *im, const nas_import_run *run, trial *t, nas_err *err) {
  char splits[160], options[32], digest[NAS_DIGEST_SIZE];
  nas_text_put(splits, sizeof splits, "valid=%.60s\ntest=%.60s\n", run->splits[0] ? run->splits[0] : "valid",
               run->splits[1] ? run->splits[1] : "test");
  nas_text_put(options, sizeof options, "epochs=%lld\n", (long long)t->epochs);
  nas_digest(options, strlen(options), digest);
  /* The names of the splits are all that is known of them. */
  const nas_db_dataset d = {.name = t->dataset,
                            .options = "",
                            .digest = "",
                            .split = splits,
                            .splits = {NULL, run->splits[0], run->splits[1]}};
  const nas_db_recipe r = {.name = "imported@1", .options = options, .digest = digest};
  NAS_TRY(nas_db_dataset_id(im->db, &d, &t->dataset_id, err));
  NAS_TRY(nas_db_recipe_id(im->db, &r, &t->recipe_id, err));
  return campaign_of(im, &d, &r, err);
}

static bool same_figure(sqlite3_stmt *s, int column, double x) {
  double have = nas_db_column_real(s, column);
  return (isnan(have) && isnan(x)) || have == x;
}

/* The first figure that the table has another number of; NULL: none. */
static const char *difference(const nas_importer *im, sqlite3_stmt *s, const nas_import_run *run, const trial *t) {
  for (int k = 0; k < 8; k++)
    if (k != 6 && !same_figure(s, k, t->last[k])) return run->fields[k].path ? run->fields[k].path : "";
  if (t->params >= 0 && !same_figure(s, 8, t->params)) return run->fields[NAS_IMPORT_PARAMS].path;
  if (t->macs >= 0 && !same_figure(s, 9, t->macs)) return run->fields[NAS_IMPORT_MACS].path;
  if (!t->curve) return sqlite3_column_type(s, 10) == SQLITE_NULL ? NULL : "";
  nas_str data = {0};
  nas_curve_pack(im->epochs, (size_t)t->epochs, &data);
  bool same = !data.failed && (size_t)sqlite3_column_bytes(s, 10) == data.len &&
              memcmp(sqlite3_column_blob(s, 10), data.s, data.len) == 0;
  nas_str_free(&data);
  return same ? NULL : "";
}

/* *known: the table has this run; *column: where it differs, or NULL. */
static nas_status find_trial(nas_importer *im, int64_t arch, const nas_import_run *run, const trial *t, bool *known,
                             const char **column, nas_err *err) {
  sqlite3_stmt *s;
  *column = NULL;
  NAS_TRY(nas_db_prepare(im->db,
                         "SELECT t.train_loss, t.train_accuracy, t.valid_loss, t.valid_accuracy, t.test_loss, "
                         "t.test_accuracy, t.train_seconds, t.valid_seconds, t.params, t.macs, (SELECT data FROM "
                         "learning_curve WHERE trial = t.id) FROM trial t JOIN campaign c ON c.id = "
                         "t.campaign WHERE t.architecture = ? AND t.dataset = ? AND t.recipe = ? AND t.seed IS ? AND "
                         "c.space_options = ?",
                         &s, err));
  sqlite3_bind_int64(s, 1, arch);
  sqlite3_bind_int64(s, 2, t->dataset_id);
  sqlite3_bind_int64(s, 3, t->recipe_id);
  if (t->seed >= 0) sqlite3_bind_int64(s, 4, t->seed);
  sqlite3_bind_text(s, 5, nas_str_text(&im->map.space_options), -1, SQLITE_STATIC);
  NAS_TRY(nas_db_step_row(im->db, s, known, "read the table", err));
  if (*known) *column = difference(im, s, run, t);
  sqlite3_reset(s);
  return NAS_OK;
}

/* ---- into the table ---- */

static nas_status write_metrics(nas_importer *im, json_t *record, const nas_import_run *run, const trial *t, int64_t id,
                                nas_err *err) {
  sqlite3_stmt *s;
  for (size_t i = 0; i < run->n_metrics; i++) {
    const nas_import_marks marks = {t->seed, t->epochs - 1, t->dataset};
    nas_import_value v = nas_import_number(im, record, &run->metrics[i].field, &marks, t->epochs);
    if (v.fault) {
      NAS_TRY(figure_fault(im, run, t, run->metrics[i].field.path, &v, t->epochs - 1, err));
      continue;
    }
    if (isnan(v.x)) continue;
    NAS_TRY(nas_db_prepare(im->db, "INSERT INTO metric (trial, name, value) VALUES (?, ?, ?)", &s, err));
    sqlite3_bind_int64(s, 1, id);
    nas_db_bind_text(s, 2, run->metrics[i].name);
    sqlite3_bind_double(s, 3, v.x);
    NAS_TRY(nas_db_step_done(im->db, s, "record the metrics", err));
  }
  return NAS_OK;
}

static nas_status write_trial(nas_importer *im, json_t *record, int64_t arch, const nas_import_run *run, const trial *t,
                              nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(im->db,
                         "INSERT INTO trial (campaign, number, asked_after, architecture, dataset, recipe, seed, "
                         "params, macs, outcome, epochs, train_loss, train_accuracy, valid_loss, valid_accuracy, "
                         "test_loss, test_accuracy, train_seconds, valid_seconds) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, "
                         "?7, ?8, 'ok', ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
                         &s, err));
  sqlite3_bind_int64(s, 1, im->campaign);
  sqlite3_bind_int64(s, 2, im->number++);
  sqlite3_bind_int64(s, 3, arch);
  sqlite3_bind_int64(s, 4, t->dataset_id);
  sqlite3_bind_int64(s, 5, t->recipe_id);
  nas_db_bind_count(s, 6, t->seed);
  nas_db_bind_count(s, 7, (int64_t)t->params);
  nas_db_bind_count(s, 8, (int64_t)t->macs);
  sqlite3_bind_int64(s, 9, t->epochs);
  if (t->curve) nas_db_bind_last(s, 10, im->epochs, (size_t)t->epochs);
  else
    for (int k = 0; k < 8; k++) sqlite3_bind_double(s, 10 + k, t->last[k]);
  if (!isnan(t->seconds)) sqlite3_bind_double(s, 16, t->seconds);
  NAS_TRY(nas_db_step_done(im->db, s, "record the trial", err));
  im->counts->trials++;
  int64_t id = sqlite3_last_insert_rowid(im->db->sqlite);
  NAS_TRY(write_metrics(im, record, run, t, id, err));
  return t->curve ? nas_db_add_curve(im->db, id, im->epochs, (size_t)t->epochs, err) : NAS_OK;
}

nas_status nas_import_run_row(nas_importer *im, int64_t arch, const nas_import_run *run, nas_err *err) {
  const nas_import_marks marks = {run->seed, -1, *run->dataset ? run->dataset : NULL};
  json_t *record = run->at && im->source.json ? nas_import_follow(im->record, run->at, &marks) : im->record;
  trial t = {0};
  bool good, known;
  const char *column;
  if (im->source.json && !record) {
    im->counts->absent++;
    return NAS_OK;
  }
  if (!passes(im, record, run)) return NAS_OK;
  NAS_TRY(read_which(im, record, run, &t, &good, err));
  if (good) NAS_TRY(read_figures(im, record, run, &t, &good, err));
  if (!good) return NAS_OK;
  NAS_TRY(find_ids(im, run, &t, err));
  NAS_TRY(find_trial(im, arch, run, &t, &known, &column, err));
  if (!known) return write_trial(im, record, arch, run, &t, err);
  if (!column) {
    im->counts->same++;
    return NAS_OK;
  }
  char what[160];
  nas_text_put(what, sizeof what, "the table has other figures for this architecture on %.40s after %lld epochs",
               t.dataset, (long long)t.epochs);
  return nas_import_fault(im, NAS_IMPORT_CONFLICT, *column ? column : NULL, what, err);
}
