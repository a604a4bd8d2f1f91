#ifndef NAS_SEARCH_LLM_CHAT_H
#define NAS_SEARCH_LLM_CHAT_H
/* A chat/completions endpoint: sends one request at a time, waits without blocking, tries again what may pass (429,
 * 5xx, no connection, time-outs, truncated bodies) after Retry-After or a growing pause, and keeps the key to itself.
 */
#include "base/http.h"
#include "search/llm_answer.h"

/* Options of the endpoint; the strategy's table fills them. */
typedef struct nas_llm_endpoint {
  char url[384], key_variable[64], auth[16]; /* auth: bearer or api-key */
  int64_t attempts;                          /* of one request */
  double backoff, max_wait;                  /* seconds: first pause, longest pause */
  double timeout, connect;                   /* seconds: whole request, connection */
} nas_llm_endpoint;

typedef enum nas_llm_event {
  NAS_LLM_WAITING,  /* nothing has happened */
  NAS_LLM_ANSWERED, /* `answer` is there */
  NAS_LLM_TROUBLE,  /* a request failed for the reason in `trouble`; it will be sent again after a pause */
  NAS_LLM_GAVE_UP,  /* likewise, and it was the last attempt */
} nas_llm_event;

typedef struct nas_llm_chat {
  const nas_llm_endpoint *endpoint; /* borrowed */
  nas_http_client *http;
  char *key;    /* NULL: none is sent */
  nas_str body; /* of the request */
  enum { NAS_LLM_IDLE, NAS_LLM_TALKING, NAS_LLM_PAUSING } phase;
  int64_t attempt;       /* of this request, from 1 */
  double until;          /* end of the pause */
  nas_llm_answer answer; /* of the last request that was answered */
  nas_str trouble;       /* in words, without the key */
  int64_t tokens;        /* that the last request cost; an estimate where the endpoint does not say; 0: none */
  double seconds;        /* that it took */
} nas_llm_chat;

/* Checks the address and takes the key out of the environment. Start from {0}; close in any case. `offline`: neither is
 * needed. Errors: BAD_INPUT, NOT_FOUND (no key); they show neither key nor address. */
nas_status nas_llm_chat_open(nas_llm_chat *c, const nas_llm_endpoint *endpoint, bool offline, nas_err *err);
void nas_llm_chat_close(nas_llm_chat *c);

/* Begins a request with this body, which is taken over; an earlier one is given up. */
nas_status nas_llm_chat_send(nas_llm_chat *c, nas_str *body, nas_err *err);
/* What has happened since. Errors are final: a key, address or request that the endpoint refuses, or a certificate that
 * is not accepted. */
nas_status nas_llm_chat_poll(nas_llm_chat *c, nas_llm_event *event, nas_err *err);
/* Gives up what is under way. */
void nas_llm_chat_stop(nas_llm_chat *c);

/* Replaces the key in a text (or NULL) that came from outside. */
void nas_llm_chat_hide_key(const nas_llm_chat *c, char *text);
#endif
