#include "jobs/campaign.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/version.h"
#include "evaluators/evaluator.h"
#include "jobs/yaml.h"
#include "search/strategy.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static const nas_option top_options[] = {
    NAS_OPT_TEXT(nas_campaign, name, "name", "", "what the campaign and its table are called"),
    NAS_OPT_INT(nas_campaign, seed, "seed", "0", 0, 9e15, "first seed of all random numbers"),
    NAS_OPT_TEXT(nas_campaign, data_dir, "data-dir", "", "folders that hold the data sets, colon-separated"),
    NAS_OPT_END};

static const nas_option budget_options[] = {
    NAS_OPT_INT(nas_budget, trials, "trials", "0", 0, 1e12, "trials to ask for; 0 = no limit of this kind"),
    NAS_OPT_SECONDS(nas_budget, seconds, "seconds", "0", 0, 1e10,
                    "wall clock of one run, after which no trial begins; 0 = no limit of this kind"),
    NAS_OPT_INT(nas_budget, epochs, "epochs", "0", 0, 1e15, "epochs over all trials; 0 = no limit of this kind"),
    NAS_OPT_END};

static const nas_option trial_options[] = {
    NAS_OPT_SECONDS(nas_trial_limits, seconds, "seconds", "0", 0, 1e9, "wall clock of one trial; 0 = no limit"),
    NAS_OPT_BYTES(nas_trial_limits, memory, "memory", "0", 0, 1e15,
                  "memory that a trial may take beyond the data; 0 = no limit"),
    NAS_OPT_INT(nas_trial_limits, reuse, "reuse", "1000", 1, 1e9, "trials that one process serves"),
    NAS_OPT_INT_OR(
        nas_trial_limits, ahead, "ahead", "auto", "auto", 0, 4096,
        "further trials that a worker holds while one runs; the strategy is asked for them before it knows "
        "the results of these. auto: what takes a quarter of a second, and 0 where proposals depend on results"),
    NAS_OPT_INT(nas_trial_limits, threads, "threads", "1", 1, 4096,
                "cores set aside for a trial process with run.bind (a training uses one)"),
    NAS_OPT_END};

static const nas_option run_options[] = {
    NAS_OPT_SECONDS(nas_run_settings, lease, "lease", "60", 0.1, 1e6,
                    "silence after which a worker is taken for lost and its trials are given to others"),
    NAS_OPT_SECONDS(nas_run_settings, patience, "patience", "10m", 0, 1e9,
                    "how long a table that cannot be written (full disk, locked) is tried again before the run ends"),
    NAS_OPT_SECONDS(nas_run_settings, grace, "grace", "60", 0, 1e6,
                    "time that running trials get for their checkpoints when the run is asked to stop"),
    NAS_OPT_BYTES(nas_run_settings, checkpoints, "checkpoints", "10GiB", 0, 1e18,
                  "size that checkpoints may take together, about; the oldest go first; 0 = no limit"),
    NAS_OPT_BYTES(nas_run_settings, memory, "memory", "0", 0, 1e16,
                  "memory that the trials of one node may take together; 0 = no limit"),
    NAS_OPT_FLAG(nas_run_settings, bind, "bind", "false", "give each trial process trial.threads cores of its own"),
    NAS_OPT_TEXT(nas_run_settings, folder, "folder", "",
                 "where results lie until they are recorded, and the heartbeat; default: the table's name with .work"),
    NAS_OPT_SECONDS(nas_run_settings, snapshot, "snapshot", "60", 0, 1e9,
                    "time between copies of the table as TABLE.snapshot, for readers while it is written; 0 = none"),
    NAS_OPT_TEXT(nas_run_settings, log, "log", "",
                 "folder for a log of each rank, a JSON object per line; default: no logs"),
    NAS_OPT_BYTES(nas_run_settings, log_size, "log-size", "16MiB", 4096, 1e12,
                  "size at which a log becomes NAME.1, that one NAME.2, and so on to NAME.3"),
    NAS_OPT_TEXT(nas_run_settings, on_improve, "on-improve", "",
                 "shell command to run when a trial is better than all before it (see docs/campaigns.md)"),
    NAS_OPT_TEXT(nas_run_settings, on_finish, "on-finish", "", "shell command to run when the campaign is over"),
    NAS_OPT_END};

const nas_option *nas_campaign_options(void) { return top_options; }
const nas_option *nas_campaign_budget_options(void) { return budget_options; }
const nas_option *nas_campaign_trial_options(void) { return trial_options; }
const nas_option *nas_campaign_run_section_options(void) { return run_options; }

/* ---- the sections that name a registry entry ---- */

static nas_status space_table(const char *name, const nas_option **table, size_t *size, nas_err *err) {
  const nas_space_type *type;
  NAS_TRY(nas_space_find(name, &type, err));
  *table = type->options, *size = type->options_size;
  return NAS_OK;
}

static nas_status dataset_table(const char *name, const nas_option **table, size_t *size, nas_err *err) {
  const nas_dataset_type *type;
  NAS_TRY(nas_dataset_find(name, &type, err));
  *table = type->options, *size = sizeof(nas_dataset_options);
  return NAS_OK;
}

static nas_status evaluator_table(const char *name, const nas_option **table, size_t *size, nas_err *err) {
  const nas_evaluator_type *type;
  NAS_TRY(nas_evaluator_find(name, &type, err));
  *table = type->options, *size = type->options_size;
  return NAS_OK;
}

static nas_status strategy_table(const char *name, const nas_option **table, size_t *size, nas_err *err) {
  const nas_strategy_type *type;
  NAS_TRY(nas_strategy_find(name, &type, err));
  *table = type->options, *size = type->options_size;
  return NAS_OK;
}

/* Recipes share one table with other defaults each: nas_recipe_open checks them. */
static nas_status recipe_table(const char *name, const nas_option **table, size_t *size, nas_err *err) {
  nas_recipe defaults;
  NAS_TRY(nas_recipe_open(name, NULL, &defaults, err));
  *table = NULL, *size = 0;
  return NAS_OK;
}

typedef struct section {
  const char *name, *example; /* example NULL: may be left out */
  size_t at_name, at_settings;
  nas_status (*table)(const char *name, const nas_option **table, size_t *size, nas_err *err);
} section;

#define SECTION(field, example) \
  { #field, example, offsetof(nas_campaign, field), offsetof(nas_campaign, field##_settings), field##_table }
static const section sections[] = {SECTION(space, "nas-bench-201"), SECTION(dataset, "fashion-mnist"),
                                   SECTION(recipe, "quick"), SECTION(evaluator, NULL),
                                   SECTION(strategy, "regularized-evolution")};
enum { SECTIONS = sizeof sections / sizeof *sections, NAME_SIZE = 64 };

static char *name_of(const nas_campaign *c, const section *s) { return (char *)(uintptr_t)c + s->at_name; }
static nas_settings *settings_of(const nas_campaign *c, const section *s) {
  return (nas_settings *)(void *)((char *)(uintptr_t)c + s->at_settings);
}

static const section *find_section(const char *name, size_t n) {
  for (int i = 0; i < SECTIONS; i++)
    if (strlen(sections[i].name) == n && strncmp(sections[i].name, name, n) == 0) return &sections[i];
  return NULL;
}

/* ---- from flat settings to a campaign ---- */

static bool is_word(const char *text, size_t n, const char *word) {
  return strlen(word) == n && strncmp(text, word, n) == 0;
}

static nas_status unknown_key(const nas_setting *s, size_t n, nas_err *err) {
  char word[64];
  nas_text_put(word, sizeof word, "%.*s", (int)n, s->key);
  nas_guess guess = nas_guess_for(word);
  for (int i = 0; i < SECTIONS; i++) nas_guess_add(&guess, sections[i].name);
  for (const nas_option *o = top_options; o->name; o++) nas_guess_add(&guess, o->name);
  nas_guess_add(&guess, "budget");
  nas_guess_add(&guess, "trial");
  nas_guess_add(&guess, "run");
  return nas_fail(err, NAS_E_UNKNOWN_NAME, s->where,
                  "a campaign has no section '%s'%s (it has name, seed, data-dir, space, dataset, recipe, evaluator, "
                  "strategy, budget, trial, run)",
                  word, nas_guess_text(&guess));
}

static nas_status apply(nas_campaign *c, const nas_setting *s, nas_err *err) {
  size_t n = strcspn(s->key, ".");
  const char *key = s->key[n] ? s->key + n + 1 : NULL;
  const section *named = find_section(s->key, n);
  if (named && (!key || strcmp(key, "name") == 0)) {
    if (nas_text_put(name_of(c, named), NAME_SIZE, "%s", s->value)) return NAS_OK;
    return nas_fail(err, NAS_E_BAD_INPUT, s->where, "the name '%.40s...' is too long", s->value);
  }
  if (named) return nas_settings_put(settings_of(c, named), key, s->value, s->where, err);
  const struct {
    const char *name, *example;
    const nas_option *table;
    void *values;
  } plain[] = {{"budget", "{trials: 100}", budget_options, &c->budget},
               {"trial", "{seconds: 600, memory: 2GiB}", trial_options, &c->trial},
               {"run", "{lease: 60, grace: 60}", run_options, &c->run}};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
    if (!is_word(s->key, n, plain[i].name)) continue;
    if (!key)
      return nas_fail(err, NAS_E_BAD_INPUT, s->where, "%s must be a mapping, such as %s", plain[i].name,
                      plain[i].example);
    return nas_options_set(plain[i].table, plain[i].values, plain[i].name, key, s->value, s->where, err);
  }
  if (key || !nas_options_find(top_options, s->key)) {
    char word[64];
    nas_text_put(word, sizeof word, "%.*s", (int)n, s->key);
    if (key && nas_options_find(top_options, word))
      return nas_fail(err, NAS_E_BAD_INPUT, s->where, "%s is a plain value, not a mapping", word);
    return unknown_key(s, n, err);
  }
  return nas_options_set(top_options, c, "a campaign", s->key, s->value, s->where, err);
}

static void drop_section(nas_settings *all, const char *name) {
  size_t n = strlen(name), kept = 0;
  for (size_t i = 0; i < all->n; i++) {
    const char *key = all->rows[i].key;
    if (strncmp(key, name, n) != 0 || (key[n] && key[n] != '.')) all->rows[kept++] = all->rows[i];
  }
  all->n = kept;
}

/* "section.key=value" sets one key; "section=name" replaces the whole section, as in the file. */
static nas_status override(nas_settings *all, const char *text, nas_err *err) {
  char where[188], key[64];
  nas_text_put(where, sizeof where, "-o %s", text);
  const char *equals = strchr(text, '=');
  if (!equals || equals == text || !equals[1])
    return nas_fail(err, NAS_E_USAGE, where, "an override has the form section.key=value");
  if (!nas_text_put(key, sizeof key, "%.*s", (int)(equals - text), text))
    return nas_fail(err, NAS_E_BAD_INPUT, where, "the key is too long");
  if (strpbrk(equals, "\n\r")) return nas_fail(err, NAS_E_BAD_INPUT, where, "a value must be one line of text");
  const section *named = find_section(key, strlen(key));
  if (named) drop_section(all, named->name);
  else if (strchr(key, '.') && strcmp(strchr(key, '.'), ".name") == 0) {
    char bare[64]; /* the file may have named it in the bare form */
    nas_text_put(bare, sizeof bare, "%.*s", (int)strcspn(key, "."), key);
    for (size_t i = 0; i < all->n; i++)
      if (strcmp(all->rows[i].key, bare) == 0) nas_text_put(all->rows[i].key, sizeof all->rows[i].key, "%s", key);
  }
  return nas_settings_put(all, key, equals + 1, where, err);
}

/* ---- checks ---- */

static nas_status check_section(const nas_campaign *c, const section *s, const nas_settings *all, nas_err *err) {
  const nas_option *table;
  size_t size;
  char key[80], owner[96];
  const char *name = name_of(c, s), *where = NULL;
  nas_text_put(key, sizeof key, "%s.name", s->name);
  for (size_t i = 0; i < all->n; i++)
    if (strcmp(all->rows[i].key, key) == 0 || strcmp(all->rows[i].key, s->name) == 0) where = all->rows[i].where;
  nas_status status = s->table(name, &table, &size, err);
  if (status != NAS_OK) {
    if (err && where) nas_text_put(err->where, sizeof err->where, "%s", where);
    return status;
  }
  if (!table) {
    nas_recipe recipe;
    return nas_recipe_open(name, settings_of(c, s), &recipe, err);
  }
  void *values = calloc(1, size + 1);
  if (!values) return nas_fail_memory(err, "options");
  nas_text_put(owner, sizeof owner, "%s %s", s->name, name);
  status = nas_options_fill(table, values, owner, settings_of(c, s), err);
  free(values);
  return status;
}

static nas_status check(nas_campaign *c, const char *path, const nas_settings *all, nas_err *err) {
  for (int i = 0; i < SECTIONS; i++) {
    const section *s = &sections[i];
    if (name_of(c, s)[0]) NAS_TRY(check_section(c, s, all, err));
    else if (settings_of(c, s)->n)
      return nas_fail(err, NAS_E_BAD_INPUT, settings_of(c, s)->rows[0].where,
                      "section %s has no name; add `name: %s`, for instance", s->name, s->example);
    else
      return nas_fail(err, NAS_E_BAD_INPUT, path, "no section '%s'; add `%s: %s`, for instance", s->name, s->name,
                      s->example);
  }
  if (c->budget.trials == 0 && !(c->budget.seconds > 0) && c->budget.epochs == 0)
    return nas_fail(err, NAS_E_BAD_INPUT, path,
                    "the budget is empty: give at least one of budget.trials, budget.seconds and budget.epochs");
  if (strspn(c->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != strlen(c->name) ||
      c->name[0] == '.' || c->name[0] == '-')
    return nas_fail(err, NAS_E_BAD_INPUT, path,
                    "the name '%s' may hold letters, digits, '.', '_' and '-' only and begin with none of '.', '-'",
                    c->name);
  return NAS_OK;
}

/* The file's name without folder and ending; characters that a name may not have become '-'. */
static void default_name(const char *path, char *out, size_t size) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  const char *dot = strrchr(base, '.');
  size_t n = dot && dot != base ? (size_t)(dot - base) : strlen(base), k = 0;
  for (size_t i = 0; i < n && k + 1 < size; i++) {
    char b = base[i];
    bool good = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '_' ||
                (k > 0 && (b == '.' || b == '-'));
    if (good) out[k++] = b;
    else if (k > 0) out[k++] = '-';
  }
  out[k] = '\0';
  if (k == 0) nas_text_put(out, size, "campaign");
}

nas_status nas_campaign_parse(const char *path, const char *bytes, size_t n, const char *const *overrides,
                              size_t n_overrides, nas_campaign *out, nas_err *err) {
  nas_settings all = {0};
  *out = (nas_campaign){.evaluator = "train"};
  nas_options_defaults(top_options, out);
  nas_options_defaults(budget_options, &out->budget);
  nas_options_defaults(trial_options, &out->trial);
  nas_options_defaults(run_options, &out->run);
  nas_status status = nas_yaml_read(path, bytes, n, &all, err);
  for (size_t i = 0; i < n_overrides && status == NAS_OK; i++) status = override(&all, overrides[i], err);
  for (size_t i = 0; i < all.n && status == NAS_OK; i++) status = apply(out, &all.rows[i], err);
  if (status == NAS_OK && !out->name[0]) default_name(path, out->name, sizeof out->name);
  if (status == NAS_OK) status = check(out, path, &all, err);
  nas_settings_free(&all);
  if (status != NAS_OK) nas_campaign_free(out);
  return status;
}

nas_status nas_campaign_load(const char *path, const char *const *overrides, size_t n_overrides, nas_campaign *out,
                             nas_err *err) {
  char *bytes;
  size_t n;
  *out = (nas_campaign){0};
  NAS_TRY(nas_file_read(path, FILE_BYTES_MAX, &bytes, &n, err));
  nas_status status = nas_campaign_parse(path, bytes, n, overrides, n_overrides, out, err);
  free(bytes);
  return status;
}

void nas_campaign_free(nas_campaign *c) {
  for (int i = 0; i < SECTIONS; i++) nas_settings_free(settings_of(c, &sections[i]));
  *c = (nas_campaign){0};
}

/* ---- the record ---- */

nas_status nas_campaign_section_record(const nas_campaign *c, const char *name, nas_str *out, nas_err *err) {
  const section *s = find_section(name, strlen(name));
  if (!s) return nas_fail(err, NAS_E_INTERNAL, name, "no such section");
  const nas_option *table;
  size_t size;
  NAS_TRY(s->table(name_of(c, s), &table, &size, err));
  if (!table) {
    nas_recipe recipe;
    char digest[NAS_DIGEST_SIZE];
    NAS_TRY(nas_recipe_open(name_of(c, s), settings_of(c, s), &recipe, err));
    return nas_recipe_record(&recipe, out, digest, err);
  }
  void *values = calloc(1, size + 1);
  if (!values) return nas_fail_memory(err, "options");
  nas_status status = nas_options_fill(table, values, s->name, settings_of(c, s), err);
  if (status == NAS_OK) nas_options_format(table, values, out);
  free(values);
  return status == NAS_OK ? nas_str_check(out, err) : status;
}

static void add_prefixed(nas_str *out, const char *prefix, const char *lines) {
  while (*lines) {
    size_t n = strcspn(lines, "\n");
    nas_str_fmt(out, "%s.%.*s\n", prefix, (int)n, lines);
    lines += n + (lines[n] == '\n');
  }
}

/* Data folders and the section `run` are left out: they change no number. */
nas_status nas_campaign_record(const nas_campaign *c, nas_str *out, nas_err *err) {
  nas_str lines = {0};
  nas_status status = NAS_OK;
  nas_str_fmt(out, "name=%s\nseed=%lld\n", c->name, (long long)c->seed);
  for (int i = 0; i < SECTIONS && status == NAS_OK; i++) {
    nas_str_clear(&lines);
    nas_str_fmt(out, "%s.name=%s\n", sections[i].name, name_of(c, &sections[i]));
    status = nas_campaign_section_record(c, sections[i].name, &lines, err);
    add_prefixed(out, sections[i].name, nas_str_text(&lines));
  }
  nas_str_clear(&lines);
  nas_options_format(budget_options, &c->budget, &lines);
  add_prefixed(out, "budget", nas_str_text(&lines));
  nas_str_clear(&lines);
  nas_options_format(trial_options, &c->trial, &lines);
  add_prefixed(out, "trial", nas_str_text(&lines));
  if (status == NAS_OK) status = nas_str_check(&lines, err);
  nas_str_free(&lines);
  return status == NAS_OK ? nas_str_check(out, err) : status;
}

bool nas_campaign_key_may_differ(const char *key) {
  /* Tables of older programs have no trial.ahead and trial.threads. */
  static const char *const free_keys[] = {"trial.reuse", "trial.ahead", "trial.threads"};
  for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++)
    if (strcmp(key, free_keys[i]) == 0) return true;
  return strncmp(key, "budget.", 7) == 0;
}

nas_status nas_campaign_identity(const nas_campaign *c, const char *data_digest, const char *split,
                                 char out[NAS_DIGEST_SIZE], nas_err *err) {
  nas_str record = {0}, kept = {0};
  nas_settings all = {0};
  nas_status status = nas_campaign_record(c, &record, err);
  if (status == NAS_OK) status = nas_settings_parse(&all, nas_str_text(&record), "the campaign", err);
  for (size_t i = 0; i < all.n && status == NAS_OK; i++)
    if (!nas_campaign_key_may_differ(all.rows[i].key))
      nas_str_fmt(&kept, "%s=%s\n", all.rows[i].key, all.rows[i].value);
  nas_str_fmt(&kept, "%s\n%s\n%s\n", NAS_VERSION_FULL, data_digest, split);
  if (status == NAS_OK) status = nas_str_check(&kept, err);
  if (status == NAS_OK) nas_digest(kept.s, kept.len, out);
  nas_settings_free(&all);
  nas_str_free(&record);
  nas_str_free(&kept);
  return status;
}
