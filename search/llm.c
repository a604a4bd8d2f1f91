/* A language model as strategy: the idea of GENIUS. Each ask is a conversation: a prompt made of the space, the results
 * and what runs; an answer; when that is no new architecture, one more round that quotes what was wrong; then a random
 * architecture in its place. Everything said goes into the transcript, from which a resumed campaign goes on: what a
 * model answers is no function of the tells. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "search/llm_chat.h"
#include "search/llm_prompt.h"
#include "search/seen.h"
#include "search/strategy.h"

typedef struct llm_options {
  nas_llm_endpoint endpoint;
  char model[128], template[256], exhausted[16], duplicates[16], limit_field[32];
  double temperature;
  int64_t max_tokens, requests, tokens, outages, history;
  bool send_seed;
} llm_options;

static const nas_option options[] = {
    NAS_OPT_TEXT(llm_options, endpoint.url, "url", "", "address of an OpenAI-compatible chat/completions endpoint"),
    NAS_OPT_TEXT(llm_options, model, "model", "", "name of the model, as the endpoint knows it"),
    NAS_OPT_TEXT(llm_options, endpoint.key_variable, "key-variable", "NASCENT_LLM_KEY",
                 "environment variable that holds the key; none: the endpoint wants no key"),
    NAS_OPT_CHOICE(llm_options, endpoint.auth, "auth", "bearer", "bearer|api-key",
                   "header of the key: Authorization: Bearer, or api-key"),
    NAS_OPT_REAL(llm_options, temperature, "temperature", "1", 0, 2, "0: the likeliest answer; more: more varied ones"),
    NAS_OPT_TEXT(llm_options, template, "template", "",
                 "file with the prompt's template; empty: the built-in one (search --dry-run shows it filled in)"),
    NAS_OPT_INT(llm_options, history, "history", "40", 0, 10000,
                "results in the prompt: half of them the best, half the latest"),
    NAS_OPT_INT(llm_options, max_tokens, "max-tokens", "1024", 1, 1e6, "limit of one answer"),
    NAS_OPT_CHOICE(llm_options, limit_field, "limit-field", "max_tokens", "max_tokens|max_completion_tokens|none",
                   "what the endpoint calls that limit"),
    NAS_OPT_FLAG(llm_options, send_seed, "send-seed", "true", "send a seed along, for endpoints that take one"),
    NAS_OPT_DUPLICATES(llm_options, "exact"),
    NAS_OPT_INT(llm_options, requests, "requests", "1000", 0, 1e9, "budget of requests; 0: no limit"),
    NAS_OPT_INT(llm_options, tokens, "tokens", "1000000", 0, 1e15,
                "budget of tokens, prompts and answers together; 0: no limit"),
    NAS_OPT_CHOICE(llm_options, exhausted, "exhausted", "end", "end|random",
                   "when a budget is used up: propose nothing more, or at random"),
    NAS_OPT_INT(llm_options, endpoint.attempts, "attempts", "5", 1, 100, "of a request that fails but may pass"),
    NAS_OPT_SECONDS(llm_options, endpoint.backoff, "backoff", "1", 0, 3600, "first pause between attempts; it doubles"),
    NAS_OPT_SECONDS(llm_options, endpoint.max_wait, "max-wait", "60", 0, 86400,
                    "longest pause, whatever the endpoint asks"),
    NAS_OPT_SECONDS(llm_options, endpoint.timeout, "timeout", "120", 0.01, 86400, "of one request"),
    NAS_OPT_SECONDS(llm_options, endpoint.connect, "connect", "10", 0.01, 86400, "of the connection"),
    NAS_OPT_INT(llm_options, outages, "outages", "3", 0, 1e6,
                "asks in a row that may go to random while the endpoint fails; one more ends the run"),
    NAS_OPT_END};

static const char *const tunable[] = {"url",       "key-variable", "auth",    "requests", "tokens",
                                      "exhausted", "attempts",     "backoff", "max-wait", "timeout",
                                      "connect",   "outages",      NULL};

typedef struct llm_state {
  nas_llm_template template;
  nas_str description; /* of the space */
  nas_llm_chat chat;
  nas_seen seen;
  nas_llm_trial *trials; /* by ask number */
  size_t n, cap;
  int64_t requests, tokens; /* spent */
  int64_t outages;          /* asks in a row that the endpoint failed */
  bool told_budget;
  json_t *messages; /* of the conversation under way; NULL: none */
  bool repaired;
} llm_state;

/* ---- the record ---- */

static nas_status note(nas_strategy *s, uint64_t number, const char *kind, char *text, int64_t tokens, double seconds,
                       nas_err *err) {
  llm_state *st = nas_strategy_state(s);
  nas_llm_chat_hide_key(&st->chat, text);
  const nas_note n = {number, kind, text ? text : "", tokens, seconds};
  return nas_strategy_note(s, &n, err);
}

static nas_status note_of(nas_strategy *s, uint64_t number, const char *kind, nas_str *text, nas_err *err) {
  nas_status status = nas_str_check(text, err);
  if (status == NAS_OK) status = note(s, number, kind, text->s, -1, NAN, err);
  nas_str_free(text);
  return status;
}

/* ---- proposals ---- */

static void end_talk(llm_state *st) {
  nas_llm_chat_stop(&st->chat);
  json_decref(st->messages);
  st->messages = NULL;
  st->repaired = false;
}

static nas_status accept(llm_state *st, const nas_arch *arch, nas_err *err) {
  end_talk(st);
  NAS_TRY(nas_grow(&st->trials, &st->cap, st->n + 1, sizeof *st->trials, "the results", err));
  NAS_TRY(nas_seen_add(&st->seen, arch, err));
  st->trials[st->n++] = (nas_llm_trial){.arch = *arch, .valid_accuracy = NAN, .params = NAN, .macs = NAN};
  return NAS_OK;
}

static nas_status go_random(nas_strategy *s, uint64_t number, const char *kind, const char *why, nas_arch *out,
                            nas_err *err) {
  llm_state *st = nas_strategy_state(s);
  char arch[NAS_ARCH_TEXT_MAX];
  nas_str text = {0};
  NAS_TRY(nas_seen_sample(&st->seen, nas_strategy_rng(s, number), 0, out, err));
  NAS_TRY(nas_space_format(nas_strategy_space(s), out, arch, err));
  nas_str_fmt(&text, "%s; at random: %s", why, arch);
  NAS_TRY(note_of(s, number, kind, &text, err));
  return accept(st, out, err);
}

/* The model failed: its place is taken, and counted. */
static nas_status fall_back(nas_strategy *s, uint64_t number, const char *why, nas_arch *out, nas_err *err) {
  ((llm_state *)nas_strategy_state(s))->outages = 0;
  return go_random(s, number, "fallback", why, out, err);
}

/* The endpoint failed: bridged for a while. */
static nas_status bridge_outage(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  llm_state *st = nas_strategy_state(s);
  const llm_options *o = nas_strategy_options(s);
  if (st->outages >= o->outages)
    return nas_fail(err, NAS_E_NETWORK, o->endpoint.url,
                    "%.160s (after %lld attempts, and %lld asks in a row before this one); nothing is lost: go on with "
                    "--resume",
                    nas_str_text(&st->chat.trouble), (long long)o->endpoint.attempts, (long long)st->outages);
  st->outages++;
  return go_random(s, number, "outage", "the endpoint failed", out, err);
}

/* ---- requests ---- */

static const char *used_up(const llm_options *o, const llm_state *st) {
  if (o->requests && st->requests >= o->requests) return "the budget of requests is used up";
  if (o->tokens && st->tokens >= o->tokens) return "the budget of tokens is used up";
  return NULL;
}

static nas_status send(nas_strategy *s, uint64_t number, nas_err *err) {
  const llm_options *o = nas_strategy_options(s);
  llm_state *st = nas_strategy_state(s);
  const uint64_t words[2] = {nas_strategy_setup_of(s)->seed, number};
  json_t *root =
      json_pack("{s:s, s:O, s:f}", "model", o->model, "messages", st->messages, "temperature", o->temperature);
  if (strcmp(o->limit_field, "none") != 0) json_object_set_new(root, o->limit_field, json_integer(o->max_tokens));
  if (o->send_seed)
    json_object_set_new(root, "seed", json_integer((json_int_t)(nas_hash64(words, sizeof words) >> 33)));
  char *text = json_dumps(root, JSON_COMPACT);
  nas_str body = {0};
  if (text) nas_str_add(&body, text);
  else body.failed = true;
  free(text);
  json_decref(root);
  return nas_llm_chat_send(&st->chat, &body, err);
}

static nas_status add_message(llm_state *st, const char *role, const char *text, nas_err *err) {
  if (json_array_append_new(st->messages, json_pack("{s:s, s:s}", "role", role, "content", text)) == 0) return NAS_OK;
  return nas_fail_memory(err, "a prompt");
}

static nas_status fill(nas_strategy *s, nas_str *system, nas_str *user, nas_err *err) {
  const llm_options *o = nas_strategy_options(s);
  const llm_state *st = nas_strategy_state(s);
  const nas_llm_facts facts = {.space = nas_strategy_space(s),
                               .description = nas_str_text(&st->description),
                               .task = nas_strategy_setup_of(s)->task,
                               .trials = st->trials,
                               .n = st->n,
                               .history = (size_t)o->history};
  NAS_TRY(nas_llm_fill(nas_str_text(&st->template.system), &facts, system, err));
  return nas_llm_fill(nas_str_text(&st->template.user), &facts, user, err);
}

static nas_status open_talk(nas_strategy *s, uint64_t number, nas_err *err) {
  llm_state *st = nas_strategy_state(s);
  nas_str system = {0}, user = {0}, both = {0};
  nas_status status = fill(s, &system, &user, err);
  st->messages = json_array();
  if (status == NAS_OK && !st->messages) status = nas_fail_memory(err, "a prompt");
  if (status == NAS_OK && system.len) status = add_message(st, "system", system.s, err);
  if (status == NAS_OK) status = add_message(st, "user", nas_str_text(&user), err);
  if (system.len) nas_str_fmt(&both, "%s\n---\n", system.s);
  nas_str_add(&both, nas_str_text(&user));
  nas_str_free(&system);
  nas_str_free(&user);
  if (status == NAS_OK) status = note_of(s, number, "prompt", &both, err);
  nas_str_free(&both);
  return status == NAS_OK ? send(s, number, err) : status;
}

/* One more round, which quotes what was wrong. */
static nas_status repair(nas_strategy *s, uint64_t number, const char *fault, nas_err *err) {
  llm_state *st = nas_strategy_state(s);
  nas_str text = {0};
  st->repaired = true;
  nas_str_fmt(
      &text,
      "That cannot be used: %s. Answer again with one JSON object, {\"arch\": \"...\"}, whose text is a network "
      "of the search space in the form of the examples and was not proposed before.",
      fault);
  nas_status status = nas_str_check(&text, err);
  if (status == NAS_OK) status = add_message(st, "assistant", nas_str_text(&st->chat.answer.text), err);
  if (status == NAS_OK) status = add_message(st, "user", text.s, err);
  if (status == NAS_OK) status = note_of(s, number, "prompt", &text, err);
  nas_str_free(&text);
  return status == NAS_OK ? send(s, number, err) : status;
}

/* ---- answers ---- */

/* What is wrong with the answer; "" when *out is a new architecture. */
static void judge(nas_strategy *s, nas_arch *out, char fault[640]) {
  const llm_state *st = nas_strategy_state(s);
  nas_err why = {0};
  fault[0] = '\0';
  if (nas_llm_find_arch(nas_strategy_space(s), nas_str_text(&st->chat.answer.text), out, &why) != NAS_OK)
    nas_text_put(fault, 640, "%s%s%s%s", why.where, why.where[0] ? ": " : "", why.msg,
                 st->chat.answer.cut ? " (the answer was cut off at its limit of tokens)" : "");
  else if (nas_seen_has(&st->seen, out)) nas_text_put(fault, 640, "this network was proposed before");
}

static nas_status take_answer(nas_strategy *s, uint64_t number, bool *done, nas_arch *out, nas_err *err) {
  const llm_options *o = nas_strategy_options(s);
  llm_state *st = nas_strategy_state(s);
  char fault[640];
  st->outages = 0;
  NAS_TRY(note(s, number, "answer", st->chat.answer.text.s, st->chat.tokens, st->chat.seconds, err));
  judge(s, out, fault);
  *done = true;
  if (!fault[0]) return accept(st, out, err);
  if (st->chat.answer.refusal.len) {
    NAS_TRY(note(s, number, "failure", st->chat.answer.refusal.s, -1, NAN, err));
    return fall_back(s, number, "the model refuses", out, err);
  }
  NAS_TRY(note(s, number, "failure", fault, -1, NAN, err));
  if (st->repaired) return fall_back(s, number, "no usable answer after one repair", out, err);
  if (used_up(o, st)) return fall_back(s, number, used_up(o, st), out, err);
  *done = false;
  return repair(s, number, fault, err);
}

static nas_status listen(nas_strategy *s, uint64_t number, bool *done, nas_arch *out, nas_err *err) {
  const llm_options *o = nas_strategy_options(s);
  llm_state *st = nas_strategy_state(s);
  nas_llm_event event;
  nas_err why = {0};
  nas_status status = nas_llm_chat_poll(&st->chat, &event, &why);
  if (status != NAS_OK) {
    NAS_TRY(note(s, number, "failure", why.msg, 0, st->chat.seconds, err));
    return nas_fail(err, status, why.where, "%s", why.msg);
  }
  if (event == NAS_LLM_WAITING) return NAS_OK;
  st->requests++;
  st->tokens += st->chat.tokens;
  if (event == NAS_LLM_ANSWERED) return take_answer(s, number, done, out, err);
  NAS_TRY(note(s, number, "failure", st->chat.trouble.s, st->chat.tokens, st->chat.seconds, err));
  *done = true;
  if (used_up(o, st)) return fall_back(s, number, used_up(o, st), out, err);
  if (event == NAS_LLM_GAVE_UP) return bridge_outage(s, number, out, err);
  *done = false;
  return NAS_OK;
}

/* ---- the strategy ---- */

static nas_status nothing_left(const llm_state *st, const nas_space *space, nas_err *err) {
  uint64_t size = st->seen.by_class ? nas_space_classes(space) : nas_space_size(space);
  if (!st->seen.any || !size || st->seen.map.n < size) return NAS_OK;
  return nas_fail(err, NAS_E_EXHAUSTED, "strategy llm", "every architecture of %s has been proposed",
                  nas_space_type_of(space)->name);
}

static nas_status over_budget(nas_strategy *s, uint64_t number, const char *why, nas_arch *out, nas_err *err) {
  const llm_options *o = nas_strategy_options(s);
  llm_state *st = nas_strategy_state(s);
  if (strcmp(o->exhausted, "random") == 0) return go_random(s, number, "budget", why, out, err);
  nas_str text = {0};
  nas_str_add(&text, why);
  if (!st->told_budget) NAS_TRY(note_of(s, number, "budget", &text, err));
  nas_str_free(&text);
  st->told_budget = true;
  return nas_fail(err, NAS_E_EXHAUSTED, "strategy llm", "%s", why);
}

static nas_status go_on(nas_strategy *s, uint64_t number, bool *done, nas_arch *out, nas_err *err) {
  llm_state *st = nas_strategy_state(s);
  if (st->messages) return listen(s, number, done, out, err);
  NAS_TRY(nothing_left(st, nas_strategy_space(s), err));
  const char *over = used_up(nas_strategy_options(s), st);
  *done = over != NULL;
  if (over) return over_budget(s, number, over, out, err);
  if (number == 0) { /* the template is part of how the campaign was run */
    nas_str text = {0};
    nas_llm_template_text(&st->template, &text);
    NAS_TRY(note_of(s, number, "template", &text, err));
  }
  return open_talk(s, number, err);
}

static nas_status ask(nas_strategy *s, uint64_t number, nas_arch *out, nas_err *err) {
  llm_state *st = nas_strategy_state(s);
  bool done = false;
  nas_err why = {0};
  nas_status status = go_on(s, number, &done, out, &why);
  if (status == NAS_OK) return done ? NAS_OK : NAS_E_PENDING;
  end_talk(st);
  nas_llm_chat_hide_key(&st->chat, why.msg);
  return nas_fail(err, status, why.where, "%s", why.msg);
}

static nas_status tell(nas_strategy *s, const nas_tell *t, nas_err *err) {
  (void)err;
  llm_state *st = nas_strategy_state(s);
  nas_llm_trial *trial = &st->trials[t->number];
  trial->told = true;
  trial->outcome = t->outcome;
  trial->valid_accuracy = t->valid_accuracy;
  trial->params = t->params;
  trial->macs = t->macs;
  return NAS_OK;
}

static nas_status check_template(const llm_state *st, const char *recorded, nas_err *err) {
  nas_str now = {0};
  nas_llm_template_text(&st->template, &now);
  nas_status status = nas_str_check(&now, err);
  if (status == NAS_OK && strcmp(now.s, recorded) != 0)
    status = nas_fail(err, NAS_E_MISMATCH, "strategy.template",
                      "the prompt's template is another one than that of the campaign; its text is the message "
                      "'template' in the table");
  nas_str_free(&now);
  return status;
}

/* A note with a time is a request. */
static nas_status recall(nas_strategy *s, uint64_t number, const nas_arch *arch, const nas_note *notes, size_t n,
                         nas_err *err) {
  (void)number;
  llm_state *st = nas_strategy_state(s);
  for (size_t i = 0; i < n; i++) {
    if (strcmp(notes[i].kind, "template") == 0) NAS_TRY(check_template(st, notes[i].text, err));
    st->requests += isfinite(notes[i].seconds);
    st->tokens += notes[i].tokens > 0 ? notes[i].tokens : 0;
    if (strcmp(notes[i].kind, "answer") == 0 || strcmp(notes[i].kind, "fallback") == 0) st->outages = 0;
    st->outages += strcmp(notes[i].kind, "outage") == 0;
  }
  return arch ? accept(st, arch, err) : NAS_OK;
}

static nas_status preview(nas_strategy *s, nas_str *out, nas_err *err) {
  nas_str system = {0}, user = {0};
  nas_status status = fill(s, &system, &user, err);
  if (system.len) nas_str_fmt(out, "%s\n---\n", system.s);
  nas_str_add(out, nas_str_text(&user));
  nas_str_free(&system);
  nas_str_free(&user);
  return status;
}

static void close_llm(nas_strategy *s) {
  llm_state *st = nas_strategy_state(s);
  end_talk(st);
  nas_llm_chat_close(&st->chat);
  nas_llm_template_free(&st->template);
  nas_str_free(&st->description);
  nas_seen_close(&st->seen);
  free(st->trials);
}

static nas_status open_parts(nas_strategy *s, nas_err *err) {
  const llm_options *o = nas_strategy_options(s);
  llm_state *st = nas_strategy_state(s);
  bool offline = nas_strategy_setup_of(s)->preview;
  nas_seen_open(&st->seen, nas_strategy_space(s), o->duplicates);
  NAS_TRY(nas_llm_template_read(o->template, &st->template, err));
  NAS_TRY(nas_llm_describe(nas_strategy_space(s), &st->description, err));
  NAS_TRY(nas_llm_chat_open(&st->chat, &o->endpoint, offline, err));
  if (!*o->model && !offline)
    return nas_fail(err, NAS_E_BAD_INPUT, "strategy.model", "strategy llm needs the name of a model");
  return NAS_OK;
}

static nas_status open_llm(nas_strategy *s, nas_err *err) {
  nas_status status = open_parts(s, err);
  if (status != NAS_OK) close_llm(s);
  return status;
}

const nas_strategy_type nas_strategy_llm;
const nas_strategy_type nas_strategy_llm = {
    .name = "llm",
    .version = 1,
    .summary = "a language model behind a chat/completions endpoint proposes",
    .citation = "M. Zheng et al., Can GPT-4 Perform Neural Architecture Search?, 2023 (GENIUS)",
    .options = options,
    .options_size = sizeof(llm_options),
    .state_size = sizeof(llm_state),
    .open = open_llm,
    .close = close_llm,
    .ask = ask,
    .tell = tell,
    .recall = recall,
    .preview = preview,
    .tunable = tunable,
    .secret = "key-variable",
};
