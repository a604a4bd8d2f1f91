#include "search/strategy.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAS_STRATEGY(symbol) extern const nas_strategy_type nas_strategy_##symbol;
#include "search/strategies.def"
#undef NAS_STRATEGY

/* clang-format off */
enum { BUILTIN = 0
#define NAS_STRATEGY(symbol) + 1
#include "search/strategies.def"
#undef NAS_STRATEGY
};
/* clang-format on */

enum { PLUGGED_MAX = 64 };

/* NULL-terminated; the places after the built-in ones are for plugins. */
static const nas_strategy_type *types[] = {
#define NAS_STRATEGY(symbol) &nas_strategy_##symbol,
#include "search/strategies.def"
#undef NAS_STRATEGY
    [BUILTIN + PLUGGED_MAX] = NULL};

struct nas_strategy {
  const nas_strategy_type *type;
  nas_strategy_setup setup;
  uint64_t asked;
  void *options, *state;
  uint8_t *told; /* one bit per ask: a second tell of the same ask would be counted twice by any strategy */
  size_t told_bytes;
  bool opened;
};

const nas_strategy_type *const *nas_strategy_types(void) { return types; }

nas_status nas_strategy_register(const nas_strategy_type *type, nas_err *err) {
  size_t n = 0;
  for (; types[n]; n++) {
    if (types[n] == type) return NAS_OK;
    if (strcmp(types[n]->name, type->name) == 0)
      return nas_fail(err, NAS_E_BAD_INPUT, type->name, "there is a strategy '%s' already", type->name);
  }
  if (n + 1 == sizeof types / sizeof *types)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, type->name, "no room for more than %d plugged-in strategies", PLUGGED_MAX);
  types[n] = type;
  return NAS_OK;
}

nas_status nas_strategy_find(const char *name, const nas_strategy_type **out, nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  for (const nas_strategy_type *const *t = types; *t; t++) {
    if (strcmp((*t)->name, name) == 0) {
      *out = *t;
      return NAS_OK;
    }
    nas_guess_add(&guess, (*t)->name);
  }
  return nas_fail(err, NAS_E_UNKNOWN_NAME, NULL, "no strategy '%s'%s (`nascent strategy list` shows all)", name,
                  nas_guess_text(&guess));
}

nas_status nas_strategy_open(const char *name, const nas_settings *settings, const nas_space *space, uint64_t seed,
                             nas_strategy **out, nas_err *err) {
  const nas_strategy_setup setup = {.space = space, .seed = seed};
  return nas_strategy_open_with(name, settings, &setup, out, err);
}

nas_status nas_strategy_open_with(const char *name, const nas_settings *settings, const nas_strategy_setup *setup,
                                  nas_strategy **out, nas_err *err) {
  const nas_strategy_type *type;
  *out = NULL;
  NAS_TRY(nas_strategy_find(name, &type, err));
  nas_strategy *s = calloc(1, sizeof *s);
  if (!s) return nas_fail_memory(err, "a strategy");
  *s = (nas_strategy){.type = type, .setup = *setup};
  s->options = calloc(1, type->options_size + 1);
  s->state = calloc(1, type->state_size + 1);
  nas_status status = s->options && s->state ? NAS_OK : nas_fail_memory(err, "a strategy");
  char owner[80];
  nas_text_put(owner, sizeof owner, "strategy %s", name);
  if (status == NAS_OK) status = nas_options_fill(type->options, s->options, owner, settings, err);
  if (status == NAS_OK && type->open) status = type->open(s, err);
  s->opened = status == NAS_OK;
  if (status == NAS_OK) *out = s;
  else nas_strategy_close(s);
  return status;
}

void nas_strategy_close(nas_strategy *s) {
  if (!s) return;
  if (s->opened && s->type->close) s->type->close(s);
  free(s->options);
  free(s->state);
  free(s->told);
  free(s);
}

static nas_status make_room(nas_strategy *s, uint64_t number, nas_err *err) {
  if (number / 8 < s->told_bytes) return NAS_OK;
  size_t bytes = s->told_bytes ? 2 * s->told_bytes : 64;
  uint8_t *grown = realloc(s->told, bytes);
  if (!grown) return nas_fail_memory(err, "the list of tells");
  memset(grown + s->told_bytes, 0, bytes - s->told_bytes);
  s->told = grown;
  s->told_bytes = bytes;
  return NAS_OK;
}

static nas_status begin_ask(nas_strategy *s, uint64_t number, nas_proposal *out, nas_err *err) {
  *out = (nas_proposal){0};
  if (number != s->asked)
    return nas_fail(err, NAS_E_INTERNAL, s->type->name, "asks must be numbered in turn: got %llu, expected %llu",
                    (unsigned long long)number, (unsigned long long)s->asked);
  return make_room(s, number, err);
}

nas_status nas_strategy_propose(nas_strategy *s, uint64_t number, nas_proposal *out, nas_err *err) {
  NAS_TRY(begin_ask(s, number, out, err));
  if (s->type->propose) NAS_TRY(s->type->propose(s, number, out, err));
  else NAS_TRY(s->type->ask(s, number, &out->arch, err));
  s->asked++;
  return NAS_OK;
}

nas_status nas_strategy_recall(nas_strategy *s, uint64_t number, const nas_arch *arch, const nas_note *notes,
                               size_t n_notes, nas_proposal *out, nas_err *err) {
  if (!s->type->recall) return arch ? nas_strategy_propose(s, number, out, err) : NAS_OK;
  NAS_TRY(begin_ask(s, number, out, err));
  NAS_TRY(s->type->recall(s, number, arch, notes, n_notes, err));
  if (!arch) return NAS_OK;
  out->arch = *arch;
  s->asked++;
  return NAS_OK;
}

nas_status nas_strategy_preview(nas_strategy *s, nas_str *out, nas_err *err) {
  if (!s->type->preview)
    return nas_fail(err, NAS_E_UNSUPPORTED, s->type->name, "the strategy sends nothing out of the program");
  NAS_TRY(s->type->preview(s, out, err));
  return nas_str_check(out, err);
}

nas_status nas_strategy_note(const nas_strategy *s, const nas_note *note, nas_err *err) {
  return s->setup.note ? s->setup.note(s->setup.note_arg, note, err) : NAS_OK;
}

nas_status nas_strategy_ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  nas_proposal proposal;
  if (s->type->propose)
    return nas_fail(err, NAS_E_UNSUPPORTED, s->type->name,
                    "the strategy trains to several fidelities; here every architecture is trained in full");
  nas_status status;
  while ((status = nas_strategy_propose(s, number, &proposal, err)) == NAS_E_PENDING)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  if (status != NAS_OK) return status;
  *out = proposal.arch;
  return NAS_OK;
}

nas_status nas_strategy_tell(nas_strategy *s, const nas_tell *tell, nas_err *err) {
  if (tell->number >= s->asked)
    return nas_fail(err, NAS_E_INTERNAL, s->type->name, "told of ask %llu, but only %llu were made",
                    (unsigned long long)tell->number, (unsigned long long)s->asked);
  uint8_t bit = (uint8_t)(1u << tell->number % 8);
  if (s->told[tell->number / 8] & bit)
    return nas_fail(err, NAS_E_INTERNAL, s->type->name, "told of ask %llu twice", (unsigned long long)tell->number);
  NAS_TRY(s->type->tell(s, tell, err));
  s->told[tell->number / 8] |= bit;
  return NAS_OK;
}

void nas_strategy_secret(const char *name, const nas_settings *settings, char out[64]) {
  const nas_strategy_type *type;
  out[0] = '\0';
  if (nas_strategy_find(name, &type, NULL) != NAS_OK || !type->secret) return;
  const nas_option *option = nas_options_find(type->options, type->secret);
  const char *variable = option ? option->fallback : "";
  for (size_t i = 0; settings && i < settings->n; i++)
    if (strcmp(settings->rows[i].key, type->secret) == 0) variable = settings->rows[i].value;
  nas_text_put(out, 64, "%s", variable);
}

const nas_strategy_type *nas_strategy_type_of(const nas_strategy *s) { return s->type; }
const nas_space *nas_strategy_space(const nas_strategy *s) { return s->setup.space; }
const nas_strategy_setup *nas_strategy_setup_of(const nas_strategy *s) { return &s->setup; }
const void *nas_strategy_options(const nas_strategy *s) { return s->options; }
void *nas_strategy_state(nas_strategy *s) { return s->state; }
nas_rng nas_strategy_rng(const nas_strategy *s, uint64_t ask_number) {
  /* The stream's trial is 32 bits wide; what is above it goes into the key. */
  return nas_rng_make(s->setup.seed ^ (ask_number >> 32) << 32, (uint32_t)ask_number, NAS_STREAM_STRATEGY);
}
