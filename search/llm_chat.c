#include "search/llm_chat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/secret.h"

enum { KEY_MAX = 4096, ANSWER_BYTES_MAX = 4 << 20, BYTES_PER_TOKEN = 4 };

/* ---- opening ---- */

/* The address is an option and stored with the campaign. */
static nas_status check_url(const nas_llm_endpoint *e, nas_http_place *place, nas_err *err) {
  static const char where[] = "strategy.url", *const secrets[] = {"key=", "token=", "secret=", "password=", "sig="};
  if (!*e->url)
    return nas_fail(err, NAS_E_BAD_INPUT, where,
                    "strategy llm needs the address of a chat/completions endpoint, such as "
                    "https://api.example.com/v1/chat/completions");
  nas_err why = {0};
  if (nas_http_place_of(e->url, place, &why) != NAS_OK) return nas_fail(err, NAS_E_BAD_INPUT, where, "%s", why.msg);
  bool secret = place->has_login;
  const char *query = strchr(e->url, '?');
  for (size_t i = 0; query && i < sizeof secrets / sizeof *secrets; i++)
    secret = secret || strcasestr(query, secrets[i]);
  if (secret)
    return nas_fail(err, NAS_E_BAD_INPUT, where,
                    "the address holds a password or a key, which would be stored; put the key into the environment "
                    "variable that key-variable names");
  return NAS_OK;
}

/* Whoever puts the key itself there must not see it in an error. */
static bool is_variable(const char *name) {
  static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  return *name && !strchr("0123456789", *name) && name[strspn(name, allowed)] == '\0';
}

static nas_status take_key(nas_llm_chat *c, const nas_http_place *place, nas_err *err) {
  const char *name = c->endpoint->key_variable, *value;
  if (strcmp(name, "none") == 0) return NAS_OK;
  if (!is_variable(name))
    return nas_fail(err, NAS_E_BAD_INPUT, "strategy.key-variable",
                    "this is no name of an environment variable (capital letters, digits and '_'); the key itself "
                    "belongs into the variable, not here");
  value = getenv(name);
  if (!value || !*value)
    return nas_fail(err, NAS_E_NOT_FOUND, "strategy.key-variable",
                    "strategy llm needs a key: put it into the environment variable %s (key-variable=none for an "
                    "endpoint that wants no key)",
                    name);
  size_t n = strlen(value);
  bool clean = n <= KEY_MAX;
  for (size_t i = 0; i < n; i++) clean = clean && value[i] > 0x20 && value[i] < 0x7f;
  if (!clean)
    return nas_fail(err, NAS_E_BAD_INPUT, "strategy.key-variable",
                    "the key in %s has blanks, line breaks or other characters that no key has", name);
  if (!place->secure && !place->loopback)
    return nas_fail(err, NAS_E_BAD_INPUT, "strategy.url",
                    "the key would travel in clear text; use an https address (or key-variable=none)");
  c->key = strdup(value);
  if (!c->key) return nas_fail_memory(err, "a key");
  nas_secret_no_dumps();
  return NAS_OK;
}

nas_status nas_llm_chat_open(nas_llm_chat *c, const nas_llm_endpoint *endpoint, bool offline, nas_err *err) {
  nas_http_place place;
  c->endpoint = endpoint;
  if (offline) return NAS_OK;
  NAS_TRY(check_url(endpoint, &place, err));
  NAS_TRY(take_key(c, &place, err));
  return nas_http_client_new(&c->http, err);
}

void nas_llm_chat_close(nas_llm_chat *c) {
  nas_http_client_free(c->http);
  if (c->key) explicit_bzero(c->key, strlen(c->key));
  free(c->key);
  nas_str_free(&c->body);
  nas_str_free(&c->trouble);
  nas_llm_answer_free(&c->answer);
  *c = (nas_llm_chat){0};
}

void nas_llm_chat_hide_key(const nas_llm_chat *c, char *text) {
  size_t n = c->key && text ? strlen(c->key) : 0;
  for (char *at = text; n && (at = strstr(at, c->key)); at += n) memset(at, '*', n);
}

/* ---- requests ---- */

static nas_status begin(nas_llm_chat *c, nas_err *err) {
  const nas_llm_endpoint *e = c->endpoint;
  nas_str key = {0};
  if (c->key)
    nas_str_fmt(&key, "%s%s", strcmp(e->auth, "api-key") == 0 ? "api-key: " : "Authorization: Bearer ", c->key);
  const char *const headers[] = {"Content-Type: application/json", "Accept: application/json", key.s, NULL};
  const nas_question q = {.url = e->url,
                          .headers = headers,
                          .body = nas_str_text(&c->body),
                          .n = c->body.len,
                          .connect_seconds = e->connect,
                          .seconds = e->timeout,
                          .limit = ANSWER_BYTES_MAX};
  nas_status status = nas_str_check(&key, err);
  if (status == NAS_OK) status = nas_http_post(c->http, &q, err);
  if (key.s) explicit_bzero(key.s, key.len);
  nas_str_free(&key);
  c->phase = status == NAS_OK ? NAS_LLM_TALKING : NAS_LLM_IDLE;
  c->attempt++;
  return status;
}

nas_status nas_llm_chat_send(nas_llm_chat *c, nas_str *body, nas_err *err) {
  nas_str_free(&c->body);
  c->body = *body;
  *body = (nas_str){0};
  c->attempt = 0;
  NAS_TRY(nas_str_check(&c->body, err));
  return begin(c, err);
}

void nas_llm_chat_stop(nas_llm_chat *c) { c->phase = NAS_LLM_IDLE; /* the next question takes the connection over */ }

/* ---- answers ---- */

/* The pause doubles with each attempt; the server may ask for a longer one. Neither goes beyond max_wait. */
static void pause_or_give_up(nas_llm_chat *c, double retry_after, nas_llm_event *event) {
  const nas_llm_endpoint *e = c->endpoint;
  nas_llm_chat_hide_key(c, c->trouble.s);
  if (c->attempt >= e->attempts) {
    c->phase = NAS_LLM_IDLE;
    *event = NAS_LLM_GAVE_UP;
    return;
  }
  double wait = e->backoff * pow(2, (double)(c->attempt < 30 ? c->attempt - 1 : 29));
  if (isfinite(retry_after) && retry_after > wait) wait = retry_after;
  if (wait > e->max_wait) wait = e->max_wait;
  nas_str_fmt(&c->trouble, "; attempt %lld of %lld, again in %.3g s", (long long)c->attempt, (long long)e->attempts,
              wait);
  c->until = nas_clock() + wait;
  c->phase = NAS_LLM_PAUSING;
  *event = NAS_LLM_TROUBLE;
}

static bool may_pass(long status) { return status == 408 || status == 425 || status == 429 || status >= 500; }

static nas_status refused(nas_llm_chat *c, const nas_http_answer *a, nas_err *err) {
  const nas_llm_endpoint *e = c->endpoint;
  nas_str why = {0};
  c->phase = NAS_LLM_IDLE;
  /* What it says here may quote a part of the key, so it is not repeated. */
  if (a->status == 401 || a->status == 403)
    return nas_fail(err, NAS_E_NETWORK, e->url, "the endpoint answered with status %ld: it %s%s", a->status,
                    c->key ? "does not accept the key in " : "wants a key, and key-variable is ", e->key_variable);
  nas_llm_complaint(a->body, a->n, &why);
  nas_llm_chat_hide_key(c, why.s);
  nas_status status = nas_fail(err, NAS_E_NETWORK, e->url, "the endpoint answered with status %ld%s%s", a->status,
                               why.len ? ": " : "", nas_str_text(&why));
  nas_str_free(&why);
  return status;
}

static nas_status judge(nas_llm_chat *c, const nas_http_answer *a, nas_llm_event *event, nas_err *err) {
  nas_err why = {0};
  if (a->status == 200) {
    nas_llm_answer_free(&c->answer);
    nas_status status = nas_llm_answer_read(a->body, a->n, &c->answer, &why);
    c->tokens = c->answer.tokens >= 0 ? c->answer.tokens : (int64_t)((c->body.len + a->n) / BYTES_PER_TOKEN);
    if (status == NAS_OK) {
      c->phase = NAS_LLM_IDLE;
      *event = NAS_LLM_ANSWERED;
      return NAS_OK;
    }
    if (status != NAS_E_BAD_INPUT) return nas_fail(err, status, why.where, "%s", why.msg);
    nas_str_fmt(&c->trouble, "the answer is unusable: %s", why.msg);
  } else if (!may_pass(a->status)) {
    return refused(c, a, err);
  } else {
    nas_str_fmt(&c->trouble, "the endpoint answered with status %ld", a->status);
    size_t before = c->trouble.len;
    nas_str_add(&c->trouble, ": ");
    nas_llm_complaint(a->body, a->n, &c->trouble);
    if (!c->trouble.failed && c->trouble.len == before + 2) c->trouble.s[c->trouble.len = before] = '\0';
  }
  pause_or_give_up(c, a->retry_after, event);
  return nas_str_check(&c->trouble, err);
}

nas_status nas_llm_chat_poll(nas_llm_chat *c, nas_llm_event *event, nas_err *err) {
  nas_http_answer answer;
  nas_err why = {0};
  bool done;
  *event = NAS_LLM_WAITING;
  if (c->phase == NAS_LLM_PAUSING && nas_clock() >= c->until) NAS_TRY(begin(c, err));
  if (c->phase != NAS_LLM_TALKING) return NAS_OK;
  nas_status status = nas_http_poll(c->http, 0.002, &done, &answer, &why);
  if (status == NAS_OK && !done) return NAS_OK;
  nas_str_clear(&c->trouble);
  c->tokens = 0;
  c->seconds = answer.seconds;
  if (status == NAS_OK) return judge(c, &answer, event, err);
  c->phase = NAS_LLM_IDLE;
  if (status != NAS_E_NETWORK && status != NAS_E_TIMEOUT) return nas_fail(err, status, why.where, "%s", why.msg);
  nas_str_add(&c->trouble, why.msg);
  pause_or_give_up(c, NAN, event);
  return nas_str_check(&c->trouble, err);
}
