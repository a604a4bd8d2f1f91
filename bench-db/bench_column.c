/* Metrics over all cells as flat arrays. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench-db/internal/bench.h"
#include "bench-db/internal/select.h"

typedef struct metric_name {
  const char *name, *sql;
  int figure; /* of a curve; -1: curves have none */
} metric_name;

static const metric_name metrics[] = {
    {"train_loss", "t.train_loss", 0},
    {"train_accuracy", "t.train_accuracy", 1},
    {"valid_loss", "t.valid_loss", 2},
    {"valid_accuracy", "t.valid_accuracy", 3},
    {"test_loss", "t.test_loss", 4},
    {"test_accuracy", "t.test_accuracy", 5},
    {"seconds", "t.train_seconds", 6},
    {"valid_seconds", "t.valid_seconds", 7},
    {"train_seconds_per_epoch", "t.train_seconds / t.epochs", -1},
    {"params", "coalesce(t.params, (SELECT m.value FROM metric m WHERE m.trial = t.id AND m.name = 'params'))", -1},
    {"macs", "coalesce(t.macs, (SELECT m.value FROM metric m WHERE m.trial = t.id AND m.name = 'macs'))", -1},
};

static const metric_name *find_metric(const char *name) {
  for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
    if (strcmp(metrics[i].name, name) == 0) return &metrics[i];
  return NULL;
}

void nas_bench_columns_free(nas_bench *b) {
  for (nas_bench_column_kept *c = b->columns, *next; c; c = next) {
    next = c->next;
    free(c->key);
    free(c->values);
    free(c);
  }
  for (size_t i = 0; i < b->n_slices; i++) {
    free((void *)(uintptr_t)b->slices[i].dataset);
    free((void *)(uintptr_t)b->slices[i].recipe);
    for (int k = 0; k < 3; k++) free((void *)(uintptr_t)b->slices[i].splits[k]);
  }
  free(b->slices);
}

/* ---- what there is ---- */

/* Campaigns over the opened space. */
#define OF_SPACE "t.campaign IN (SELECT id FROM campaign WHERE space = ?1 AND space_options = ?2) AND t.outcome = 'ok'"

static nas_status keep_slice(nas_bench *b, sqlite3_stmt *s, nas_err *err) {
  nas_bench_slice *grown = realloc(b->slices, (b->n_slices + 1) * sizeof *grown);
  if (!grown) return nas_fail_memory(err, "the slices of a table");
  b->slices = grown;
  nas_bench_slice *l = &b->slices[b->n_slices++];
  *l = (nas_bench_slice){.dataset = nas_db_column_text(s, 0),
                         .recipe = nas_db_column_text(s, 1),
                         .epochs = sqlite3_column_int64(s, 2),
                         .seed = nas_db_column_count(s, 3),
                         .trials = (size_t)sqlite3_column_int64(s, 4)};
  for (int k = 0; k < 3; k++) l->splits[k] = nas_db_column_text(s, 5 + k);
  return l->dataset && l->recipe && l->splits[0] && l->splits[1] && l->splits[2]
             ? NAS_OK
             : nas_fail_memory(err, "the slices of a table");
}

nas_status nas_bench_slices(nas_bench *b, const nas_bench_slice **slices, size_t *n, nas_err *err) {
  sqlite3_stmt *s;
  NAS_TRY(
      nas_db_prepare(b->db,
                     "SELECT d.name, r.name, g.epochs, g.seed, g.n, d.train_split, d.valid_split, d.test_split "
                     "FROM (SELECT t.dataset, t.recipe, t.epochs, t.seed, count(*) AS n FROM trial t WHERE " OF_SPACE
                     " GROUP BY t.dataset, t.recipe, t.epochs, t.seed) g JOIN dataset d ON d.id = g.dataset JOIN "
                     "recipe r ON r.id = g.recipe ORDER BY d.name, g.epochs, g.seed",
                     &s, err));
  nas_db_bind_text(s, 1, b->space_name);
  nas_db_bind_text(s, 2, b->space_options);
  for (bool row = !b->sliced; row;) {
    NAS_TRY(nas_db_step_row(b->db, s, &row, "read the table", err));
    nas_status status = row ? keep_slice(b, s, err) : NAS_OK;
    if (status != NAS_OK) {
      sqlite3_reset(s);
      return status;
    }
  }
  b->sliced = true;
  *slices = b->slices;
  *n = b->n_slices;
  return NAS_OK;
}

static bool is_named(const char *have, const char *wanted) {
  size_t n = strlen(wanted);
  return strncmp(have, wanted, n) == 0 && (have[n] == '\0' || have[n] == '@');
}

/* The slices that a caller means must be of one data set, recipe and length. */
static nas_status resolve(nas_bench *b, const nas_bench_where *w, const nas_bench_slice **out, nas_err *err) {
  const nas_bench_slice *slices, *chosen = NULL;
  size_t n;
  NAS_TRY(nas_bench_slices(b, &slices, &n, err));
  nas_guess guess = nas_guess_for(w->dataset ? w->dataset : "");
  bool known = !w->dataset;
  nas_str have = {0};
  for (size_t i = 0; i < n; i++) {
    const nas_bench_slice *s = &slices[i];
    if (w->dataset) nas_guess_add(&guess, s->dataset);
    if (w->dataset && !is_named(s->dataset, w->dataset)) continue;
    known = true;
    nas_str_fmt(&have, "%s%s epochs %lld seed ", have.len ? "; " : "", s->dataset, (long long)s->epochs);
    nas_str_fmt(&have, s->seed < 0 ? "mean" : "%lld", (long long)s->seed);
    if ((w->epochs && s->epochs != w->epochs) || (w->recipe && !is_named(s->recipe, w->recipe))) continue;
    if (w->seed >= 0 && s->seed != w->seed) continue;
    bool same = !chosen || (strcmp(chosen->dataset, s->dataset) == 0 && strcmp(chosen->recipe, s->recipe) == 0 &&
                            chosen->epochs == s->epochs && chosen->seed != s->seed);
    if (!same) {
      nas_str_free(&have);
      return nas_fail(err, NAS_E_MISMATCH, b->db->path,
                      "several runs fit (%s %s epochs %lld, %s %s epochs %lld): name data set, recipe (where they "
                      "differ in name) and epochs",
                      chosen->dataset, chosen->recipe, (long long)chosen->epochs, s->dataset, s->recipe,
                      (long long)s->epochs);
    }
    chosen = s;
  }
  nas_status status = NAS_OK;
  if (!known)
    status = nas_fail(err, NAS_E_UNKNOWN_NAME, b->db->path, "the table has no data set '%s'%s", w->dataset,
                      nas_guess_text(&guess));
  else if (!chosen)
    status = nas_fail(err, NAS_E_NOT_FOUND, b->db->path, "the table has no such run; it has %s", nas_str_text(&have));
  nas_str_free(&have);
  *out = chosen;
  return status;
}

/* ---- one column ---- */

typedef struct sample {
  uint32_t cell;
  int64_t seed; /* -1: a published mean */
  double value;
  size_t order;
} sample;

typedef struct samples {
  sample *rows;
  size_t n, cap;
} samples;

static int by_cell_seed_order(const void *a, const void *b) {
  const sample *x = a, *y = b;
  if (x->cell != y->cell) return x->cell < y->cell ? -1 : 1;
  if (x->seed != y->seed) return x->seed < y->seed ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static nas_status add_sample(samples *all, uint32_t cell, int64_t seed, double value, nas_err *err) {
  if (all->n == all->cap) {
    size_t cap = all->cap ? 2 * all->cap : 16384;
    sample *grown = realloc(all->rows, cap * sizeof *grown);
    if (!grown) return nas_fail_memory(err, "a column of a table");
    all->rows = grown;
    all->cap = cap;
  }
  all->rows[all->n] = (sample){cell, seed, value, all->n};
  all->n++;
  return NAS_OK;
}

static nas_status read_samples(nas_bench *b, sqlite3_stmt *s, samples *all, nas_err *err) {
  for (;;) {
    bool row;
    NAS_TRY(nas_db_step_row(b->db, s, &row, "read the table", err));
    if (!row) return NAS_OK;
    int64_t id = sqlite3_column_int64(s, 0);
    if (id < 0 || (size_t)id >= b->ids || !b->cell_of_id[id] || sqlite3_column_type(s, 2) == SQLITE_NULL) continue;
    NAS_TRY(add_sample(all, b->cell_of_id[id] - 1, nas_db_column_count(s, 1), sqlite3_column_double(s, 2), err));
  }
}

/* One cell's samples, by seed: a seed that several campaigns ran counts once. */
static double reduce(const sample *rows, size_t n, int64_t seed) {
  double sum = 0, squares = 0, values = 0, mean;
  for (size_t i = 0; i < n; i++) {
    if (i && rows[i].seed == rows[i - 1].seed) continue;
    if (rows[i].seed == seed) return rows[i].value; /* the published mean has "seed" -1 = NAS_BENCH_MEAN */
    if (rows[i].seed < 0) continue;
    sum += rows[i].value;
    values++;
  }
  if (seed >= 0 || values == 0) return (double)NAN;
  mean = sum / values;
  if (seed == NAS_BENCH_MEAN) return mean;
  for (size_t i = 0; i < n; i++)
    if (rows[i].seed >= 0 && !(i && rows[i].seed == rows[i - 1].seed))
      squares += (rows[i].value - mean) * (rows[i].value - mean);
  return values > 1 ? sqrt(squares / (values - 1)) : (double)NAN;
}

static nas_status compose(const char *metric, const nas_bench_where *w, nas_str *sql, nas_err *err) {
  const metric_name *m = find_metric(metric);
  if (w->epoch && (!m || m->figure < 0))
    return nas_fail(err, NAS_E_BAD_INPUT, metric, "learning curves have no '%s'; ask without an epoch", metric);
  nas_str_add(sql, "SELECT t.architecture, t.seed, ");
  if (w->epoch) nas_str_fmt(sql, "curve_figure(l.data, %lld, %d)", (long long)w->epoch, m->figure);
  else if (m) nas_str_add(sql, m->sql);
  else nas_str_add(sql, "(SELECT m.value FROM metric m WHERE m.trial = t.id AND m.name = ?6)");
  nas_str_fmt(sql, " FROM trial t %s WHERE " OF_SPACE,
              w->epoch ? "JOIN learning_curve l ON l.trial = t.id AND t.epochs >= ?7" : "");
  nas_str_add(sql,
              " AND t.epochs = ?3 AND t.dataset IN (SELECT id FROM dataset WHERE name = ?4) AND t.recipe IN "
              "(SELECT id FROM recipe WHERE name = ?5) ORDER BY t.id");
  return nas_str_check(sql, err);
}

static nas_status check_metric(nas_bench *b, const char *metric, nas_err *err) {
  if (find_metric(metric)) return NAS_OK;
  sqlite3_stmt *s;
  bool row;
  nas_guess guess = nas_guess_for(metric);
  for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) nas_guess_add(&guess, metrics[i].name);
  NAS_TRY(nas_db_prepare(b->db, "SELECT DISTINCT name FROM metric", &s, err));
  for (;;) {
    NAS_TRY(nas_db_step_row(b->db, s, &row, "read the table", err));
    if (!row) break;
    const char *name = (const char *)sqlite3_column_text(s, 0);
    bool same = name && strcmp(name, metric) == 0;
    if (name) nas_guess_add(&guess, name);
    if (!same) continue;
    sqlite3_reset(s);
    return NAS_OK;
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, metric, "no trial of this table has the metric '%s'%s", metric,
                  nas_guess_text(&guess));
}

static nas_status load(nas_bench *b, const char *metric, const nas_bench_where *w, const nas_bench_slice *run,
                       double *values, nas_err *err) {
  nas_str sql = {0};
  sqlite3_stmt *s = NULL;
  samples all = {0};
  nas_status status = compose(metric, w, &sql, err);
  if (status == NAS_OK && sqlite3_prepare_v2(b->db->sqlite, sql.s, -1, &s, NULL) != SQLITE_OK)
    status = nas_db_fail(b->db, err, "read the table");
  if (status == NAS_OK) {
    nas_db_bind_text(s, 1, b->space_name);
    nas_db_bind_text(s, 2, b->space_options);
    sqlite3_bind_int64(s, 3, run->epochs);
    nas_db_bind_text(s, 4, run->dataset);
    nas_db_bind_text(s, 5, run->recipe);
    sqlite3_bind_text(s, 6, metric, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 7, w->epoch);
    status = read_samples(b, s, &all, err);
  }
  sqlite3_finalize(s);
  nas_str_free(&sql);
  for (size_t i = 0; i < b->n; i++) values[i] = (double)NAN;
  if (status == NAS_OK && all.n) qsort(all.rows, all.n, sizeof *all.rows, by_cell_seed_order);
  for (size_t i = 0, next; status == NAS_OK && i < all.n; i = next) {
    for (next = i + 1; next < all.n && all.rows[next].cell == all.rows[i].cell;) next++;
    values[all.rows[i].cell] = reduce(all.rows + i, next - i, w->seed);
  }
  free(all.rows);
  return status;
}

static nas_status keep_column(nas_bench *b, const nas_str *key, double *values, nas_err *err) {
  nas_bench_column_kept *c = calloc(1, sizeof *c);
  char *text = c ? strdup(key->s) : NULL;
  if (!text) {
    free(c);
    return nas_fail_memory(err, "a column of a table");
  }
  *c = (nas_bench_column_kept){text, values, b->columns};
  b->columns = c;
  return NAS_OK;
}

nas_status nas_bench_column(nas_bench *b, const char *metric, const nas_bench_where *where, const double **values,
                            nas_err *err) {
  nas_str key = {0};
  nas_str_fmt(&key, "%s\n%s\n%s\n%lld %lld %lld", metric, where->dataset ? where->dataset : "",
              where->recipe ? where->recipe : "", (long long)where->epochs, (long long)where->epoch,
              (long long)where->seed);
  const nas_bench_slice *run = NULL;
  double *made = NULL;
  nas_status status = nas_str_check(&key, err);
  for (nas_bench_column_kept *c = b->columns; status == NAS_OK && c; c = c->next) {
    if (strcmp(c->key, key.s) != 0) continue;
    *values = c->values;
    nas_str_free(&key);
    return NAS_OK;
  }
  if (status == NAS_OK && (where->epoch < 0 || where->seed < NAS_BENCH_STD))
    status = nas_fail(err, NAS_E_OUT_OF_RANGE, NULL, "an epoch or a seed is negative");
  if (status == NAS_OK) status = check_metric(b, metric, err);
  if (status == NAS_OK) status = resolve(b, where, &run, err);
  if (status == NAS_OK && !(made = malloc((b->n + 1) * sizeof *made)))
    status = nas_fail_memory(err, "a column of a table");
  if (status == NAS_OK) status = load(b, metric, where, run, made, err);
  if (status == NAS_OK) status = keep_column(b, &key, made, err);
  nas_str_free(&key);
  if (status != NAS_OK) free(made);
  else *values = made;
  return status;
}

nas_status nas_bench_value(nas_bench *b, size_t cell, const char *metric, const nas_bench_where *where, double *value,
                           nas_err *err) {
  const double *values;
  if (cell >= b->n) return nas_fail(err, NAS_E_OUT_OF_RANGE, b->db->path, "the table has %zu cells", b->n);
  NAS_TRY(nas_bench_column(b, metric, where, &values, err));
  *value = values[cell];
  return NAS_OK;
}
