/* The campaign's row in the table: added when new; otherwise checked against the file and replayed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "jobs/coordinator.h"
#include "jobs/machine.h"
#include "jobs/transcript.h"

/* ---- a new campaign ---- */

/* The texts that the row borrows. */
typedef struct texts {
  nas_str config, space_options, evaluator_options, strategy_options, dataset_options, recipe_options, machine;
  char space[80], evaluator[80], strategy[80], dataset[80], recipe[80], recipe_digest[NAS_DIGEST_SIZE];
} texts;

static void free_texts(texts *t) {
  nas_str *const all[] = {&t->config,           &t->space_options,   &t->evaluator_options,
                          &t->strategy_options, &t->dataset_options, &t->recipe_options,
                          &t->machine};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) nas_str_free(all[i]);
}

static void versioned(char out[80], const char *name, int version) { nas_text_put(out, 80, "%s@%d", name, version); }

static int recipe_version(const char *name) {
  for (const nas_recipe_type *const *t = nas_recipe_types(); *t; t++)
    if (strcmp((*t)->name, name) == 0) return (*t)->version;
  return 0;
}

static nas_status fill_texts(const nas_coordinator *c, texts *t, nas_err *err) {
  const nas_campaign *campaign = c->campaign;
  NAS_TRY(nas_campaign_record(campaign, &t->config, err));
  NAS_TRY(nas_campaign_section_record(campaign, "space", &t->space_options, err));
  NAS_TRY(nas_campaign_section_record(campaign, "evaluator", &t->evaluator_options, err));
  NAS_TRY(nas_campaign_section_record(campaign, "strategy", &t->strategy_options, err));
  NAS_TRY(nas_campaign_section_record(campaign, "dataset", &t->dataset_options, err));
  NAS_TRY(nas_recipe_record(&c->setup.recipe, &t->recipe_options, t->recipe_digest, err));
  nas_machine_describe(&t->machine);
  NAS_TRY(nas_str_check(&t->machine, err));
  versioned(t->space, campaign->space, nas_space_type_of(c->setup.space)->version);
  versioned(t->evaluator, campaign->evaluator, c->setup.evaluator->version);
  versioned(t->strategy, campaign->strategy, nas_strategy_type_of(c->strategy)->version);
  versioned(t->dataset, campaign->dataset, c->setup.data->type->version);
  versioned(t->recipe, campaign->recipe, recipe_version(campaign->recipe));
  return NAS_OK;
}

static nas_db_campaign row_of(const nas_coordinator *c, const texts *t) {
  const nas_dataset *d = c->setup.data;
  return (nas_db_campaign){.name = c->campaign->name,
                           .config = nas_str_text(&t->config),
                           .space = t->space,
                           .space_options = nas_str_text(&t->space_options),
                           .evaluator = t->evaluator,
                           .evaluator_options = nas_str_text(&t->evaluator_options),
                           .strategy = t->strategy,
                           .strategy_options = nas_str_text(&t->strategy_options),
                           .seed = (uint64_t)c->campaign->seed,
                           .program = NAS_VERSION_FULL,
                           .machine = nas_str_text(&t->machine),
                           .dataset = {t->dataset,
                                       nas_str_text(&t->dataset_options),
                                       d->digest,
                                       d->split,
                                       d->n_train,
                                       d->n_valid,
                                       d->n_test,
                                       d->task.input.c,
                                       d->task.input.h,
                                       d->task.input.w,
                                       d->task.classes,
                                       {NULL, NULL, NULL}},
                           .recipe = {t->recipe, nas_str_text(&t->recipe_options), t->recipe_digest}};
}

/* ---- does the file agree with the row? ---- */

/* Neither may it matter how the strategy reaches what it consults. */
static void drop_tunable(const nas_strategy_type *type, nas_settings *config) {
  size_t kept = 0;
  for (size_t i = 0; i < config->n; i++) {
    bool tunable = false;
    for (const char *const *name = type->tunable; name && *name; name++)
      tunable =
          tunable || (strncmp(config->rows[i].key, "strategy.", 9) == 0 && strcmp(config->rows[i].key + 9, *name) == 0);
    if (!tunable) config->rows[kept++] = config->rows[i];
  }
  config->n = kept;
}

static nas_status compare_configs(const nas_strategy_type *type, const char *recorded, const char *given,
                                  nas_err *err) {
  nas_settings old = {0}, fresh = {0};
  nas_status status = nas_settings_parse(&old, recorded, "the table", err);
  if (status == NAS_OK) status = nas_settings_parse(&fresh, given, "the campaign file", err);
  drop_tunable(type, &old);
  drop_tunable(type, &fresh);
  for (size_t i = 0; i < old.n && status == NAS_OK; i++) {
    const char *value = nas_settings_get(&fresh, old.rows[i].key);
    if (nas_campaign_key_may_differ(old.rows[i].key) || (value && strcmp(value, old.rows[i].value) == 0)) continue;
    status = nas_fail(err, NAS_E_MISMATCH, NULL,
                      "cannot go on with another configuration: the table has %s=%s, the file says %s (use another "
                      "--db for a new campaign)",
                      old.rows[i].key, old.rows[i].value, value ? value : "nothing");
  }
  for (size_t i = 0; i < fresh.n && status == NAS_OK; i++)
    if (!nas_campaign_key_may_differ(fresh.rows[i].key) && !nas_settings_get(&old, fresh.rows[i].key))
      status = nas_fail(err, NAS_E_MISMATCH, NULL,
                        "cannot go on with another configuration: the file says %s=%s, the table has nothing",
                        fresh.rows[i].key, fresh.rows[i].value);
  nas_settings_free(&old);
  nas_settings_free(&fresh);
  return status;
}

static nas_status compare(const nas_coordinator *c, const nas_db_campaign *old, const nas_db_campaign *fresh,
                          nas_err *err) {
  const struct {
    const char *what, *was, *is;
  } pairs[] = {{"program version", old->program, fresh->program},
               {"space", old->space, fresh->space},
               {"evaluator", old->evaluator, fresh->evaluator},
               {"strategy", old->strategy, fresh->strategy},
               {"recipe", old->recipe.digest, fresh->recipe.digest},
               {"data digest", old->dataset.digest, fresh->dataset.digest},
               {"data split", old->dataset.split, fresh->dataset.split}};
  NAS_TRY(compare_configs(nas_strategy_type_of(c->strategy), old->config, fresh->config, err));
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if (strcmp(pairs[i].was, pairs[i].is) != 0)
      return nas_fail(err, NAS_E_MISMATCH, NULL, "cannot go on: the campaign was begun with %s %.80s, this is %.80s",
                      pairs[i].what, pairs[i].was, pairs[i].is);
  return NAS_OK;
}

/* ---- replay ---- */

static nas_open_trial open_from(const nas_db_trial *row) {
  return (nas_open_trial){.id = row->id,
                          .number = row->number,
                          .seed = row->seed,
                          .params = row->params < 0 ? NAN : (double)row->params,
                          .macs = row->macs < 0 ? NAN : (double)row->macs,
                          .attempt = row->attempt,
                          .worker = -1};
}

typedef struct replay {
  nas_coordinator *c;
  const nas_db_trial *rows;
  size_t n;
  const nas_db_trial **by_tell; /* finished rows in the order of their tells */
  size_t n_told;
  nas_notes notes; /* of the strategy */
} replay;

static nas_status order_tells(replay *r, nas_err *err) {
  r->by_tell = calloc(r->n + 1, sizeof(*r->by_tell));
  if (!r->by_tell) return nas_fail_memory(err, "the recorded trials");
  for (size_t i = 0; i < r->n; i++) {
    if (!r->rows[i].finished) continue;
    int64_t at = r->rows[i].told;
    if (at < 0 || (size_t)at >= r->n || r->by_tell[at])
      return nas_fail(err, NAS_E_DB_UNREADABLE, NULL, "trial %lld has the impossible tell number %lld",
                      (long long)r->rows[i].id, (long long)at);
    r->by_tell[at] = &r->rows[i];
    r->n_told++;
  }
  for (size_t i = 0; i < r->n_told; i++)
    if (!r->by_tell[i]) return nas_fail(err, NAS_E_DB_UNREADABLE, NULL, "tell %zu is missing from the table", i);
  return NAS_OK;
}

static nas_status tell_until(replay *r, uint64_t count, nas_err *err) {
  while (r->c->told < count) {
    if (r->c->told >= r->n_told)
      return nas_fail(err, NAS_E_DB_UNREADABLE, NULL, "a trial was asked after %llu tells, the table has %zu",
                      (unsigned long long)count, r->n_told);
    const nas_db_trial *row = r->by_tell[r->c->told];
    nas_open_trial t = open_from(row);
    NAS_TRY(nas_space_parse(r->c->setup.space, row->arch, &t.arch, err));
    NAS_TRY(nas_coordinator_tell(r->c, &t, &row->result, err));
  }
  return NAS_OK;
}

static nas_status ask_again(replay *r, const nas_db_trial *row, nas_err *err) {
  nas_coordinator *c = r->c;
  nas_open_trial t = open_from(row);
  nas_open_trial asked = {0};
  if (row->number != c->asked)
    return nas_fail(err, NAS_E_DB_UNREADABLE, NULL, "ask %llu is missing from the table", (unsigned long long)c->asked);
  NAS_TRY(nas_space_parse(c->setup.space, row->arch, &t.arch, err));
  nas_recorded_ask recorded = {.arch = &t.arch};
  nas_transcript_of(&r->notes, row->number, &recorded.notes, &recorded.n_notes);
  NAS_TRY(nas_coordinator_propose(c, &recorded, &asked, err));
  t.epochs = asked.epochs;
  if (!nas_arch_same(&asked.arch, &t.arch) || row->seed != asked.seed) {
    char text[NAS_ARCH_TEXT_MAX];
    NAS_TRY(nas_space_format(c->setup.space, &asked.arch, text, err));
    return nas_fail(err, NAS_E_MISMATCH, NULL,
                    "trial %lld: the table has %s with seed %llu, the strategy asks for %s with seed %llu",
                    (long long)row->id, row->arch, (unsigned long long)row->seed, text, (unsigned long long)asked.seed);
  }
  c->asked++;
  if (row->finished) return NAS_OK;
  nas_open_trial *added;
  int64_t deaths, losses;
  NAS_TRY(nas_db_event_count(c->db, c->id, "died", row->id, &deaths, err));
  NAS_TRY(nas_db_event_count(c->db, c->id, "lost", row->id, &losses, err));
  t.deaths = (int)deaths;
  t.losses = (int)losses;
  return nas_coordinator_add_open(c, &t, &added, err);
}

static nas_status run_replay(replay *r, nas_err *err) {
  NAS_TRY(order_tells(r, err));
  for (size_t i = 0; i < r->n; i++) {
    NAS_TRY(tell_until(r, r->rows[i].asked_after, err));
    NAS_TRY(ask_again(r, &r->rows[i], err));
  }
  NAS_TRY(tell_until(r, r->n_told, err));
  /* An ask that was cut off has notes, and what it cost counts. */
  const nas_note *notes;
  size_t n_notes;
  nas_proposal none;
  nas_transcript_of(&r->notes, r->c->asked, &notes, &n_notes);
  if (n_notes) NAS_TRY(nas_strategy_recall(r->c->strategy, r->c->asked, NULL, notes, n_notes, &none, err));
  r->c->summary->told_before = (int64_t)r->c->told;
  return NAS_OK;
}

/* ---- new or old? ---- */

/* Its trials are not all finished, or the budget it was given last has room. */
static bool is_unfinished(const nas_db_campaign *old, const nas_db_trial *rows, size_t n) {
  nas_settings config = {0};
  int64_t trials = 0;
  bool open = false;
  for (size_t i = 0; i < n; i++) open = open || !rows[i].finished;
  if (nas_settings_parse(&config, old->config, NULL, NULL) == NAS_OK) {
    const char *text = nas_settings_get(&config, "budget.trials");
    if (text && !nas_text_int(text, &trials)) trials = 0;
  }
  nas_settings_free(&config);
  return open || (n > 0 && (uint64_t)n < (uint64_t)trials);
}

static nas_status decide(nas_coordinator *c, const nas_campaign_run_options *options, const nas_db_campaign *fresh,
                         const nas_db_campaign *old, nas_err *err) {
  replay r = {.c = c};
  nas_db_trial *rows = NULL;
  nas_status status = old ? nas_db_trials(c->db, old->id, &rows, &r.n, err) : NAS_OK;
  r.rows = rows;
  if (status == NAS_OK && old && options->resume) {
    c->id = old->id;
    status = compare(c, old, fresh, err);
    if (status == NAS_OK) status = nas_db_notes(c->db, old->id, &r.notes, err);
    if (status == NAS_OK) status = run_replay(&r, err);
  } else if (status == NAS_OK && old && is_unfinished(old, rows, r.n)) {
    status = nas_fail(err, NAS_E_USAGE, options->db,
                      "holds the unfinished campaign '%s' (%zu trials); go on with --resume, or name another --db",
                      old->name, r.n);
  } else if (status == NAS_OK) status = nas_db_campaign_add(c->db, fresh, &c->id, err);
  if (status == NAS_OK)
    status = nas_coordinator_note(c, old && options->resume ? "resumed" : "begun", NULL, -1, err,
                                  "%lld of %llu trials finished", (long long)c->told, (unsigned long long)c->asked);
  free(r.by_tell);
  nas_notes_free(&r.notes);
  if (rows) nas_db_trials_free(rows, r.n);
  return status;
}

nas_status nas_coordinator_resume(nas_coordinator *c, const nas_campaign_run_options *options, nas_err *err) {
  texts t = {0};
  nas_db_campaign *old = NULL;
  nas_err none = {0};
  nas_status status = fill_texts(c, &t, err);
  if (status == NAS_OK) {
    status = nas_db_campaign_load(c->db, 0, &old, &none);
    if (status == NAS_E_NOT_FOUND) status = NAS_OK;
    else if (status != NAS_OK && err) *err = none;
  }
  if (status == NAS_OK) {
    nas_db_campaign fresh = row_of(c, &t);
    status = decide(c, options, &fresh, old, err);
  }
  c->summary->campaign = c->id;
  if (old) nas_db_campaign_free(old);
  free_texts(&t);
  return status;
}
