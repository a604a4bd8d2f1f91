/* The strategies that a replay compares. */
#include <stdlib.h>
#include <string.h>

#include "cli/replay.h"

void nas_contenders_free(nas_replay_session *s) {
  for (size_t i = 0; i < s->n_contenders; i++) {
    nas_contender *c = &s->contenders[i];
    for (int64_t r = 0; c->runs && r < s->runs; r++) nas_replay_run_clear(&c->runs[r]);
    free(c->runs);
    free(c->curve);
    nas_settings_free(&c->settings);
    nas_str_free(&c->options);
  }
  free(s->contenders);
  s->contenders = NULL;
  s->n_contenders = 0;
}

/* One "key=value" behind the name. */
static nas_status put_inline(nas_contender *c, const char *text, nas_err *err) {
  char key[64], where[224];
  const char *equals = strchr(text, '=');
  nas_text_put(where, sizeof where, "--strategy %s", c->name);
  if (!equals || equals == text || !nas_text_put(key, sizeof key, "%.*s", (int)(equals - text), text))
    return nas_fail(err, NAS_E_USAGE, where, "'%s' is not of the form key=value", text);
  return nas_settings_put(&c->settings, key, equals + 1, where, err);
}

/* Defaults of a replay, then -o, then what stands behind the name. */
static nas_status read_one(nas_replay_session *s, nas_contender *c, char *text, nas_err *err) {
  if (!nas_text_put(c->name, sizeof c->name, "%s", text))
    return nas_fail(err, NAS_E_USAGE, "--strategy", "'%.60s...' is too long", text);
  char *rest = text, *name = strsep(&rest, ":"), *pair;
  if (!*name) return nas_fail(err, NAS_E_USAGE, "--strategy", "a name is missing in '%s'", s->strategies);
  NAS_TRY(nas_strategy_find(name, &c->type, err));
  NAS_TRY(nas_replay_defaults(c->type, &c->settings, err));
  NAS_TRY(nas_cli_section(s->cli, c->type->name, c->type->options, &c->settings, err));
  while ((pair = strsep(&rest, ":"))) NAS_TRY(put_inline(c, pair, err));
  return NAS_OK;
}

/* Opening it checks what the options alone do not say, before any run. */
static nas_status check_one(nas_replay_session *s, nas_contender *c, nas_err *err) {
  nas_strategy *strategy;
  if (c->type->propose && !s->recorded.table->curve) NAS_TRY(nas_replay_load_curves(&s->recorded, &s->source, err));
  const nas_strategy_setup setup = {.space = s->recorded.space, .epochs = (int32_t)s->recorded.search_epochs};
  NAS_TRY(nas_strategy_open_with(c->type->name, &c->settings, &setup, &strategy, err));
  nas_options_json(c->type->options, nas_strategy_options(strategy), &c->options);
  nas_strategy_close(strategy);
  return nas_str_check(&c->options, err);
}

static nas_status add_one(nas_replay_session *s, char *text, nas_err *err) {
  for (size_t i = 0; i < s->n_contenders; i++)
    if (strcmp(s->contenders[i].name, text) == 0)
      return nas_fail(err, NAS_E_USAGE, "--strategy", "'%s' is named twice", text);
  nas_contender *grown = realloc(s->contenders, (s->n_contenders + 1) * sizeof *grown);
  if (!grown) return nas_fail_memory(err, "the strategies");
  s->contenders = grown;
  nas_contender *c = &grown[s->n_contenders++];
  *c = (nas_contender){0};
  NAS_TRY(read_one(s, c, text, err));
  return check_one(s, c, err);
}

nas_status nas_contenders_read(nas_replay_session *s, nas_err *err) {
  char *list = strdup(s->strategies), *rest = list, *one;
  if (!list) return nas_fail_memory(err, "the strategies");
  nas_status status = NAS_OK;
  while (status == NAS_OK && (one = strsep(&rest, ","))) status = add_one(s, one, err);
  free(list);
  return status;
}
