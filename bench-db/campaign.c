/* What a campaign was run with: data set, recipe and campaign rows, each stored once. */
#include <stdlib.h>

#include "base/file.h"
#include "bench-db/internal/db.h"

/* The id that `find` gives; else runs `add` with the same bindings and gives the new id. */
static nas_status find_or_add(nas_db *db, sqlite3_stmt *find, sqlite3_stmt *add, const char *doing, int64_t *id,
                              nas_err *err) {
  bool row;
  NAS_TRY(nas_db_step_row(db, find, &row, doing, err));
  if (row) {
    *id = sqlite3_column_int64(find, 0);
    sqlite3_reset(find);
    return NAS_OK;
  }
  NAS_TRY(nas_db_step_done(db, add, doing, err));
  *id = sqlite3_last_insert_rowid(db->sqlite);
  return NAS_OK;
}

static void bind_dataset(sqlite3_stmt *stmt, const nas_db_dataset *d) {
  nas_db_bind_text(stmt, 1, d->name);
  nas_db_bind_text(stmt, 2, d->options);
  nas_db_bind_text(stmt, 3, d->digest);
  nas_db_bind_text(stmt, 4, d->split);
}

nas_status nas_db_dataset_id(nas_db *db, const nas_db_dataset *d, int64_t *id, nas_err *err) {
  sqlite3_stmt *find, *add;
  NAS_TRY(nas_db_prepare(db, "SELECT id FROM dataset WHERE name = ? AND options = ? AND digest = ? AND split = ?",
                         &find, err));
  NAS_TRY(
      nas_db_prepare(db,
                     "INSERT INTO dataset (name, options, digest, split, n_train, n_valid, n_test, channels, "
                     "height, width, classes, train_split, valid_split, test_split) VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
                     "?, ?, ?, coalesce(?, 'train'), coalesce(?, 'valid'), coalesce(?, 'test'))",
                     &add, err));
  bind_dataset(find, d);
  bind_dataset(add, d);
  const int64_t numbers[] = {d->n_train, d->n_valid, d->n_test, d->channels, d->height, d->width, d->classes};
  for (int i = 0; i < 7; i++) sqlite3_bind_int64(add, 5 + i, numbers[i]);
  for (int i = 0; i < 3; i++) sqlite3_bind_text(add, 12 + i, d->splits[i], -1, SQLITE_STATIC);
  return find_or_add(db, find, add, "record the data set", id, err);
}

static void bind_recipe(sqlite3_stmt *stmt, const nas_db_recipe *r) {
  nas_db_bind_text(stmt, 1, r->name);
  nas_db_bind_text(stmt, 2, r->options);
  nas_db_bind_text(stmt, 3, r->digest);
}

nas_status nas_db_recipe_id(nas_db *db, const nas_db_recipe *r, int64_t *id, nas_err *err) {
  sqlite3_stmt *find, *add;
  NAS_TRY(nas_db_prepare(db, "SELECT id FROM recipe WHERE name = ? AND options = ? AND digest = ?", &find, err));
  NAS_TRY(nas_db_prepare(db, "INSERT INTO recipe (name, options, digest) VALUES (?, ?, ?)", &add, err));
  bind_recipe(find, r);
  bind_recipe(add, r);
  return find_or_add(db, find, add, "record the recipe", id, err);
}

static void bind_campaign(sqlite3_stmt *stmt, const nas_db_campaign *c, int64_t dataset, int64_t recipe) {
  const char *texts[] = {
      c->name,     c->config,           c->space,   c->space_options, c->evaluator, c->evaluator_options,
      c->strategy, c->strategy_options, c->program, c->machine};
  for (int i = 0; i < 10; i++) nas_db_bind_text(stmt, 1 + i, texts[i]);
  sqlite3_bind_int64(stmt, 11, (int64_t)c->seed);
  sqlite3_bind_int64(stmt, 12, dataset);
  sqlite3_bind_int64(stmt, 13, recipe);
}

static nas_status add_campaign(nas_db *db, const nas_db_campaign *c, int64_t *id, nas_err *err) {
  int64_t dataset = 0, recipe = 0;
  NAS_TRY(nas_db_dataset_id(db, &c->dataset, &dataset, err));
  NAS_TRY(nas_db_recipe_id(db, &c->recipe, &recipe, err));
  sqlite3_stmt *find, *add;
  NAS_TRY(
      nas_db_prepare(db,
                     "SELECT id FROM campaign AS c WHERE name = ? AND config = ? AND space = ? AND space_options = ? "
                     "AND evaluator = ? AND evaluator_options = ? AND strategy = ? AND strategy_options = ? AND "
                     "program = ? AND machine = ? AND seed = ? AND dataset = ? AND recipe = ? AND NOT EXISTS "
                     "(SELECT 1 FROM trial WHERE campaign = c.id)",
                     &find, err));
  NAS_TRY(nas_db_prepare(db,
                         "INSERT INTO campaign (name, config, space, space_options, evaluator, evaluator_options, "
                         "strategy, strategy_options, program, machine, seed, dataset, recipe, created) VALUES "
                         "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                         &add, err));
  bind_campaign(find, c, dataset, recipe);
  bind_campaign(add, c, dataset, recipe);
  sqlite3_bind_int64(add, 14, (int64_t)nas_clock_wall());
  return find_or_add(db, find, add, "record the campaign", id, err);
}

nas_status nas_db_campaign_add(nas_db *db, const nas_db_campaign *campaign, int64_t *id, nas_err *err) {
  NAS_TRY(nas_db_check_range(campaign->seed, "seed", err));
  bool own;
  NAS_TRY(nas_db_write_begin(db, &own, err));
  return nas_db_write_end(db, own, add_campaign(db, campaign, id, err), err);
}

/* A column as an owned text; notes the first failed allocation. */
static const char *take_text(sqlite3_stmt *stmt, int i, bool *failed) {
  char *text = nas_db_column_text(stmt, i);
  if (!text) *failed = true;
  return text;
}

static nas_status read_campaign(sqlite3_stmt *s, nas_db_campaign *c, nas_err *err) {
  bool failed = false;
  c->id = sqlite3_column_int64(s, 0);
  c->seed = (uint64_t)sqlite3_column_int64(s, 11);
  const char **texts[] = {
      &c->name,     &c->config,           &c->space,   &c->space_options, &c->evaluator, &c->evaluator_options,
      &c->strategy, &c->strategy_options, &c->program, &c->machine};
  for (int i = 0; i < 10; i++) *texts[i] = take_text(s, 1 + i, &failed);
  nas_db_dataset *d = &c->dataset;
  const char **dataset[] = {&d->name, &d->options, &d->digest, &d->split};
  for (int i = 0; i < 4; i++) *dataset[i] = take_text(s, 12 + i, &failed);
  d->n_train = sqlite3_column_int64(s, 16);
  d->n_valid = sqlite3_column_int64(s, 17);
  d->n_test = sqlite3_column_int64(s, 18);
  d->channels = sqlite3_column_int(s, 19);
  d->height = sqlite3_column_int(s, 20);
  d->width = sqlite3_column_int(s, 21);
  d->classes = sqlite3_column_int(s, 22);
  const char **recipe[] = {&c->recipe.name, &c->recipe.options, &c->recipe.digest};
  for (int i = 0; i < 3; i++) *recipe[i] = take_text(s, 23 + i, &failed);
  for (int i = 0; i < 3; i++) d->splits[i] = take_text(s, 26 + i, &failed);
  return failed ? nas_fail_memory(err, "a campaign") : NAS_OK;
}

nas_status nas_db_campaign_load(nas_db *db, int64_t id, nas_db_campaign **out, nas_err *err) {
  *out = NULL;
  sqlite3_stmt *s;
  NAS_TRY(nas_db_prepare(db,
                         "SELECT c.id, c.name, config, space, space_options, evaluator, evaluator_options, strategy, "
                         "strategy_options, program, machine, seed, d.name, d.options, d.digest, split, n_train, "
                         "n_valid, n_test, channels, height, width, classes, r.name, r.options, r.digest, train_split, "
                         "valid_split, test_split FROM campaign "
                         "c JOIN dataset d ON d.id = c.dataset JOIN recipe r ON r.id = c.recipe WHERE c.id = "
                         "coalesce(?, (SELECT max(id) FROM campaign))",
                         &s, err));
  if (id != 0) sqlite3_bind_int64(s, 1, id);
  bool row;
  NAS_TRY(nas_db_step_row(db, s, &row, "read the campaign", err));
  if (!row && id == 0) return nas_fail(err, NAS_E_NOT_FOUND, db->path, "the table holds no campaign yet");
  if (!row) return nas_fail(err, NAS_E_NOT_FOUND, db->path, "the table holds no campaign %lld", (long long)id);
  nas_db_campaign *c = calloc(1, sizeof *c);
  nas_status status = c ? read_campaign(s, c, err) : nas_fail_memory(err, "a campaign");
  sqlite3_reset(s);
  if (status != NAS_OK) nas_db_campaign_free(c);
  else *out = c;
  return status;
}

void nas_db_campaign_free(nas_db_campaign *c) {
  if (!c) return;
  const char *texts[] = {
      c->name,           c->config,           c->space,       c->space_options,  c->evaluator,    c->evaluator_options,
      c->strategy,       c->strategy_options, c->program,     c->machine,        c->dataset.name, c->dataset.options,
      c->dataset.digest, c->dataset.split,    c->recipe.name, c->recipe.options, c->recipe.digest};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free((void *)(uintptr_t)texts[i]);
  for (int i = 0; i < 3; i++) free((void *)(uintptr_t)c->dataset.splits[i]);
  free(c);
}
