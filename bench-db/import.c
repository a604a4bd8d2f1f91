/* Rows of a foreign table into ours. */
#include "bench-db/import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/version.h"
#include "bench-db/internal/curve.h"
#include "bench-db/internal/db.h"
#include "bench-db/internal/import.h"

enum { EPOCHS_MAX = 1000000 };

typedef struct importer {
  nas_db *db;
  const nas_import *job;
  nas_import_map map;
  nas_import_source source;
  nas_import_counts *counts;
  int64_t campaign, number;
  /* the row at hand */
  json_t *record;
  const char *key;
  char place[120]; /* "FILE:ROW" */
  nas_epoch *epochs;
  size_t epochs_cap;
} importer;

/* A fault of the data: the error when strict, else reported and counted. */
static nas_status fault(importer *im, const char *column, const char *what, nas_err *err) {
  char where[188];
  nas_text_put(where, sizeof where, "%s%s%.50s", im->place, column ? ":" : "", column ? column : "");
  if (im->job->strict) return nas_fail(err, NAS_E_BAD_INPUT, where, "%s", what);
  im->counts->faults++;
  if (im->job->fault) im->job->fault(im->job->arg, where, what);
  return NAS_OK;
}

/* ---- finding a figure ---- */

/* Follows "a.b.c" with {seed} filled in; NULL where it leads nowhere. */
static json_t *follow(json_t *from, const char *path, int64_t seed) {
  char step[256];
  while (from && *path) {
    size_t n = 0;
    while (*path && *path != '.' && n + 24 < sizeof step) {
      if (strncmp(path, "{seed}", 6) == 0) {
        nas_text_put(step + n, sizeof step - n, "%lld", (long long)seed);
        n += strlen(step + n);
        path += 6;
      } else step[n++] = *path++;
    }
    step[n] = '\0';
    if (*path == '.') path++;
    else if (*path) return NULL;
    int64_t i;
    if (json_is_array(from)) from = nas_text_int(step, &i) && i >= 0 ? json_array_get(from, (size_t)i) : NULL;
    else from = json_object_get(from, step);
  }
  return from;
}

/* A number, a text of one, or null (NaN). */
static bool number_of(const json_t *value, double *out) {
  *out = (double)NAN;
  if (json_is_null(value)) return true;
  if (json_is_string(value)) return nas_text_real(json_string_value(value), out);
  *out = json_number_value(value);
  return json_is_number(value);
}

/* "eval_acc1es.x-valid@{epoch}" is a figure for each epoch from 0; so is a path that leads to a list, or to a
 * dictionary with the keys "0", "1", ... */
static json_t *figure_at(json_t *record, const nas_import_run *run, const char *path, int64_t epoch, bool *curve) {
  const char *mark = strstr(path, "{epoch}");
  char full[256], number[24];
  nas_text_put(number, sizeof number, "%lld", (long long)epoch);
  if (mark) {
    *curve = true;
    nas_text_put(full, sizeof full, "%.*s%s%s", (int)(mark - path), path, number, mark + 7);
    return follow(record, full, run->seed);
  }
  json_t *value = follow(record, path, run->seed);
  *curve = json_is_array(value) || json_is_object(value);
  if (json_is_array(value)) return json_array_get(value, (size_t)epoch);
  return *curve ? json_object_get(value, number) : value;
}

/* One figure of the end of a run. *why is set when it cannot be had. */
static double figure(importer *im, json_t *record, const nas_import_run *run, int k, int64_t epoch, bool *curve,
                     const char **why) {
  const nas_import_field *f = &run->fields[k];
  double x = (double)NAN;
  *curve = false;
  *why = NULL;
  if (im->source.json) {
    json_t *value = figure_at(record, run, f->path, epoch, curve);
    if (!value && *curve && epoch + 1 < run->epochs) return x; /* a gap in a curve: not measured */
    if (!value) *why = "the figure is missing";
    else if (!number_of(value, &x)) *why = "this is not a number";
  } else if (!*im->source.cells[f->column]) *why = "the field is empty";
  else if (!nas_text_real(im->source.cells[f->column], &x)) *why = "this is not a number";
  if (*why) return x;
  x *= f->times;
  if (!isfinite(x) && !(k % 2 == 0 && k < 6 && isinf(x))) {
    if (!*curve || epoch + 1 == run->epochs) *why = "this is no finite number";
    return (double)NAN;
  }
  if ((k == 1 || k == 3 || k == 5) && (x < 0 || x > 100)) *why = "an accuracy outside 0 to 100 percent";
  else if (k >= NAS_IMPORT_PER_EPOCH && x < 0) *why = "a negative cost";
  return x;
}

/* ---- one run of one architecture ---- */

typedef struct trial {
  double last[8], params, macs;
  bool curve;
} trial;

static nas_status read_trial(importer *im, const nas_import_run *run, trial *t, bool *good, nas_err *err) {
  json_t *record = run->at && im->source.json ? follow(im->record, run->at, run->seed) : im->record;
  *good = false;
  if (im->source.json && !record) {
    im->counts->absent++;
    return NAS_OK;
  }
  *t = (trial){.params = -1, .macs = -1};
  for (int k = 0; k < 8; k++) t->last[k] = (double)NAN;
  bool curves[8] = {false};
  for (int k = 0; k < NAS_IMPORT_FIGURES; k++) {
    const char *why;
    bool curve;
    if (!run->fields[k].path) continue;
    double x = figure(im, record, run, k, run->epochs - 1, &curve, &why);
    if (why) return fault(im, run->fields[k].path, why, err);
    if (k < 8) t->last[k] = x, curves[k] = curve;
    if (k < 6) t->curve = t->curve || curve;
    if (k == NAS_IMPORT_PARAMS) t->params = nearbyint(x);
    if (k == NAS_IMPORT_MACS) t->macs = nearbyint(x);
  }
  *good = true;
  if (!t->curve) {
    t->last[6] *= (double)run->epochs;
    return NAS_OK;
  }
  if (im->epochs_cap < (size_t)run->epochs) {
    nas_epoch *grown = realloc(im->epochs, (size_t)run->epochs * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "a learning curve");
    im->epochs = grown;
    im->epochs_cap = (size_t)run->epochs;
  }
  for (int64_t e = 0; e < run->epochs; e++) {
    im->epochs[e] = (nas_epoch){.epoch = (int32_t)e + 1};
    for (int k = 0; k < 8; k++) {
      const char *why = NULL;
      bool curve, every = curves[k] || k >= 6 || e + 1 == run->epochs;
      double x = !run->fields[k].path || !every ? (double)NAN : figure(im, record, run, k, e, &curve, &why);
      if (why) {
        *good = false;
        return fault(im, run->fields[k].path, why, err);
      }
      *nas_epoch_figure(&im->epochs[e], k) = x;
    }
  }
  return NAS_OK;
}

static bool same_figure(sqlite3_stmt *s, int column, double x) {
  double have = nas_db_column_real(s, column);
  return (isnan(have) && isnan(x)) || have == x;
}

/* *known: the table has this run of this architecture; *same: with the same figures. */
static nas_status find_trial(importer *im, int64_t arch, const nas_import_run *run, const trial *t, bool *known,
                             bool *same, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(im->db,
                         "SELECT t.train_loss, t.train_accuracy, t.valid_loss, t.valid_accuracy, t.test_loss, "
                         "t.test_accuracy, t.train_seconds, t.valid_seconds FROM trial t JOIN campaign c ON c.id = "
                         "t.campaign WHERE t.architecture = ? AND t.dataset = ? AND t.recipe = ? AND t.seed IS ? AND "
                         "c.space_options = (SELECT space_options FROM campaign WHERE id = ?)",
                         &s, err));
  sqlite3_bind_int64(s, 1, arch);
  sqlite3_bind_int64(s, 2, run->dataset_id);
  sqlite3_bind_int64(s, 3, run->recipe_id);
  if (run->seed >= 0) sqlite3_bind_int64(s, 4, run->seed);
  sqlite3_bind_int64(s, 5, im->campaign);
  NAS_TRY(nas_db_step_row(im->db, s, known, "read the table", err));
  *same = *known;
  for (int k = 0; *same && k < 8; k++)
    if (k != 6) *same = same_figure(s, k, t->last[k]);
  sqlite3_reset(s);
  return NAS_OK;
}

static nas_status write_trial(importer *im, int64_t arch, const nas_import_run *run, const trial *t, nas_err *err) {
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
  sqlite3_bind_int64(s, 4, run->dataset_id);
  sqlite3_bind_int64(s, 5, run->recipe_id);
  nas_db_bind_count(s, 6, run->seed);
  nas_db_bind_count(s, 7, (int64_t)t->params);
  nas_db_bind_count(s, 8, (int64_t)t->macs);
  sqlite3_bind_int64(s, 9, run->epochs);
  if (t->curve) nas_db_bind_last(s, 10, im->epochs, (size_t)run->epochs);
  else
    for (int k = 0; k < 8; k++) sqlite3_bind_double(s, 10 + k, t->last[k]);
  NAS_TRY(nas_db_step_done(im->db, s, "record the trial", err));
  im->counts->trials++;
  if (!t->curve) return NAS_OK;
  return nas_db_add_curve(im->db, sqlite3_last_insert_rowid(im->db->sqlite), im->epochs, (size_t)run->epochs, err);
}

/* ---- one row: its architecture, then its runs ---- */

/* "403143", "(4, 0, 3, 1, 4, 3)", "64-41414-1_02_333": the last numbers are the genes, by the map's list of names. */
static bool from_digits(const importer *im, const char *text, nas_arch *out) {
  uint8_t n = nas_space_genes(im->map.space);
  int64_t numbers[256];
  size_t count = 0;
  bool separated = strpbrk(text, ", ") != NULL;
  for (const char *p = text; *p && count < 256;) {
    if (*p < '0' || *p > '9') p++;
    else if (separated) numbers[count++] = strtoll(p, (char **)(uintptr_t)&p, 10);
    else numbers[count++] = *p++ - '0';
  }
  if (count < n || (separated && count != n)) return false;
  out->n = n;
  for (uint8_t g = 0; g < n; g++) {
    const char *name = json_string_value(json_array_get(im->map.digits, (size_t)numbers[count - n + g]));
    uint8_t c = 0;
    while (name && c < nas_space_choices(im->map.space, g) &&
           strcmp(nas_space_choice_name(im->map.space, g, c), name) != 0)
      c++;
    if (!name || c == nas_space_choices(im->map.space, g)) return false;
    out->gene[g] = c;
  }
  return true;
}

static nas_status architecture_id(importer *im, const nas_arch *arch, int64_t *id, nas_err *err) {
  char text[NAS_ARCH_TEXT_MAX], canonical[NAS_ARCH_TEXT_MAX];
  uint64_t index, class_id;
  sqlite3_stmt *s;
  bool row;
  NAS_TRY(nas_space_format(im->map.space, arch, text, err));
  NAS_TRY(nas_db_prepare(im->db, "SELECT id FROM architecture WHERE arch = ? AND space = ?", &s, err));
  nas_db_bind_text(s, 1, text);
  nas_db_bind_text(s, 2, im->map.space_name);
  NAS_TRY(nas_db_step_row(im->db, s, &row, "read the table", err));
  *id = row ? sqlite3_column_int64(s, 0) : 0;
  sqlite3_reset(s);
  if (row) return NAS_OK;
  NAS_TRY(nas_space_canonical(im->map.space, arch, canonical, err));
  NAS_TRY(nas_db_prepare(
      im->db, "INSERT INTO architecture (space, arch, \"index\", canonical, class) VALUES (?, ?, ?, ?, ?)", &s, err));
  nas_db_bind_text(s, 1, im->map.space_name);
  nas_db_bind_text(s, 2, text);
  nas_db_bind_count(s, 3, nas_space_index(im->map.space, arch, &index) ? (int64_t)index : -1);
  nas_db_bind_text(s, 4, canonical);
  nas_db_bind_count(s, 5, nas_space_class(im->map.space, arch, &class_id) ? (int64_t)class_id : -1);
  NAS_TRY(nas_db_step_done(im->db, s, "record the architecture", err));
  *id = sqlite3_last_insert_rowid(im->db->sqlite);
  return NAS_OK;
}

static nas_status import_row(importer *im, nas_err *err) {
  const char *text = !im->map.arch     ? im->key
                     : im->source.json ? json_string_value(follow(im->record, im->map.arch, -1))
                                       : im->source.cells[im->map.arch_column];
  char number[24];
  json_t *value = im->source.json && im->map.arch ? follow(im->record, im->map.arch, -1) : NULL;
  if (json_is_integer(value)) {
    nas_text_put(number, sizeof number, "%lld", (long long)json_integer_value(value));
    text = number;
  }
  nas_arch arch = {0};
  nas_err why = {0};
  int64_t id;
  im->counts->rows++;
  if (!text) return fault(im, im->map.arch, "the architecture is missing", err);
  if (im->map.digits && !from_digits(im, text, &arch))
    return fault(im, im->map.arch, "these digits are no architecture of the space", err);
  if (!im->map.digits && nas_space_parse(im->map.space, text, &arch, &why) != NAS_OK)
    return fault(im, im->map.arch, why.msg, err);
  NAS_TRY(architecture_id(im, &arch, &id, err));
  im->counts->architectures++;
  for (size_t i = 0; i < im->map.n_runs; i++) {
    const nas_import_run *run = &im->map.runs[i];
    trial t;
    bool good, known, same;
    NAS_TRY(read_trial(im, run, &t, &good, err));
    if (!good) continue;
    NAS_TRY(find_trial(im, id, run, &t, &known, &same, err));
    char what[160];
    nas_text_put(what, sizeof what, "the table has other figures for this architecture on %s after %lld epochs",
                 run->dataset, (long long)run->epochs);
    if (known && same) im->counts->same++;
    else if (known) NAS_TRY(fault(im, NULL, what, err));
    else NAS_TRY(write_trial(im, id, run, &t, err));
  }
  return NAS_OK;
}

/* ---- the whole file ---- */

static nas_status find_column(const importer *im, const char *name, int *out, nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  for (*out = 0; *out < im->source.n_columns; ++*out) {
    if (strcmp(im->source.names[*out], name) == 0) return NAS_OK;
    nas_guess_add(&guess, im->source.names[*out]);
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, im->job->file, "the file has no column '%s'%s", name,
                  nas_guess_text(&guess));
}

static nas_status bind_columns(importer *im, nas_err *err) {
  if (im->source.json) return NAS_OK;
  if (!im->map.arch || im->map.root_path)
    return nas_fail(err, NAS_E_BAD_INPUT, im->job->map, "`key` and `root` are for JSON, and the file is CSV");
  NAS_TRY(find_column(im, im->map.arch, &im->map.arch_column, err));
  for (size_t i = 0; i < im->map.n_runs; i++)
    for (int k = 0; k < NAS_IMPORT_FIGURES; k++) {
      nas_import_field *f = &im->map.runs[i].fields[k];
      if (f->path) NAS_TRY(find_column(im, f->path, &f->column, err));
    }
  return NAS_OK;
}

/* Data sets, recipes and the campaign that stands for the import. */
static nas_status add_campaign(importer *im, const nas_str *map_text, nas_err *err) {
  char digest[NAS_DIGEST_SIZE], file_digest[NAS_DIGEST_SIZE], options[32], options_digest[NAS_DIGEST_SIZE];
  nas_digest(map_text->s, map_text->len, digest);
  NAS_TRY(nas_digest_file(im->job->file, file_digest, err));
  const char *base = strrchr(im->job->file, '/');
  nas_str config = {0}, space_options = {0};
  nas_str_fmt(&config, "import.file=%s\nimport.digest=%s\n", base ? base + 1 : im->job->file, file_digest);
  nas_str_fmt(&config, "import.map-digest=%s\n", digest);
  nas_options_format(nas_space_type_of(im->map.space)->options, nas_space_options(im->map.space), &space_options);
  nas_db_dataset d = {.options = "", .digest = "", .split = ""};
  nas_db_recipe r = {.name = "imported@1", .options = options, .digest = options_digest};
  nas_status status = nas_str_check(&config, err);
  for (size_t i = im->map.n_runs; status == NAS_OK && i-- > 0;) {
    nas_import_run *run = &im->map.runs[i];
    char splits[160];
    nas_text_put(splits, sizeof splits, "valid=%.60s\ntest=%.60s\n", run->splits[0] ? run->splits[0] : "valid",
                 run->splits[1] ? run->splits[1] : "test");
    nas_text_put(options, sizeof options, "epochs=%lld\n", (long long)run->epochs);
    nas_digest(options, strlen(options), options_digest);
    d.name = run->dataset;
    d.split = splits; /* the names of the splits are all that is known of them */
    d.splits[1] = run->splits[0];
    d.splits[2] = run->splits[1];
    status = nas_db_dataset_id(im->db, &d, &run->dataset_id, err);
    if (status == NAS_OK) status = nas_db_recipe_id(im->db, &r, &run->recipe_id, err);
    const nas_db_campaign c = {.name = base ? base + 1 : im->job->file,
                               .config = config.s,
                               .space = im->map.space_name,
                               .space_options = nas_str_text(&space_options),
                               .evaluator = "import@1",
                               .evaluator_options = "",
                               .strategy = "import@1",
                               .strategy_options = "",
                               .program = NAS_VERSION_FULL,
                               .machine = "",
                               .dataset = d,
                               .recipe = r};
    if (status == NAS_OK && i == 0) status = nas_db_campaign_add(im->db, &c, &im->campaign, err);
  }
  nas_str_free(&config);
  nas_str_free(&space_options);
  return status;
}

static nas_status import_csv(importer *im, nas_err *err) {
  for (;;) {
    bool more;
    nas_err own = {0};
    nas_status status = nas_import_csv_row(&im->source, im->job->file, &more, &own);
    nas_text_put(im->place, sizeof im->place, "%.90s:%lld", im->job->file, (long long)im->source.line);
    if (status == NAS_OK && !more) return NAS_OK;
    if (status == NAS_OK) NAS_TRY(import_row(im, err));
    else NAS_TRY(fault(im, NULL, own.msg, err));
  }
}

static nas_status import_json(importer *im, nas_err *err) {
  json_t *rows = im->map.root_path ? follow(im->source.json, im->map.root_path, -1) : im->source.json, *row;
  const char *key;
  size_t i;
  if (!json_is_object(rows) && !json_is_array(rows))
    return nas_fail(err, NAS_E_BAD_INPUT, im->job->file, "`root` leads to no list or dictionary of architectures");
  if (json_is_object(rows)) json_object_foreach(rows, key, row) {
      im->record = row;
      im->key = key;
      nas_text_put(im->place, sizeof im->place, "%.60s:%.50s", im->job->file, key);
      NAS_TRY(import_row(im, err));
    }
  else json_array_foreach(rows, i, row) {
      im->record = row;
      nas_text_put(im->place, sizeof im->place, "%.90s:%zu", im->job->file, i + 1);
      NAS_TRY(import_row(im, err));
    }
  return NAS_OK;
}

static nas_status run_import(importer *im, const nas_str *map_text, nas_err *err) {
  NAS_TRY(bind_columns(im, err));
  NAS_TRY(nas_db_begin(im->db, err));
  nas_status status = add_campaign(im, map_text, err);
  if (status == NAS_OK) status = im->source.json ? import_json(im, err) : import_csv(im, err);
  /* A file that brought nothing new leaves no trace. */
  if (status == NAS_OK && im->counts->trials > 0) return nas_db_commit(im->db, err);
  nas_db_rollback(im->db);
  return status;
}

nas_status nas_db_import(nas_db *db, const nas_import *import, nas_import_counts *counts, nas_err *err) {
  importer im = {.db = db, .job = import, .counts = counts};
  nas_str text = {0};
  *counts = (nas_import_counts){0};
  nas_status status = nas_import_map_read(import->map, &im.map, &text, err);
  if (status == NAS_OK) status = nas_import_source_open(import->file, &im.source, err);
  if (status == NAS_OK) status = run_import(&im, &text, err);
  nas_import_source_close(&im.source);
  nas_import_map_free(&im.map);
  nas_str_free(&text);
  free(im.epochs);
  return status;
}
