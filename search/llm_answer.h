#ifndef NAS_SEARCH_LLM_ANSWER_H
#define NAS_SEARCH_LLM_ANSWER_H
/* What a language model's endpoint says, read with suspicion: any bytes are answered with a result or an error. */
#include "base/str.h"
#include "space/space.h"

/* The body of a chat completion. */
typedef struct nas_llm_answer {
  nas_str text;    /* what the model said; "" when it said nothing */
  nas_str refusal; /* why it does not answer; "" when it does */
  bool cut;        /* it was stopped at its limit of tokens */
  int64_t tokens;  /* of prompt and answer together, as the endpoint counts them; -1: it does not say */
} nas_llm_answer;

/* BAD_INPUT: no JSON, such as a part of one, or JSON without an answer in it. Free with nas_llm_answer_free either way;
 * *out is overwritten. */
nas_status nas_llm_answer_read(const char *bytes, size_t n, nas_llm_answer *out, nas_err *err);
void nas_llm_answer_free(nas_llm_answer *a);

/* Adds what the body of an error says, in one line of at most 200 characters; nothing when it says nothing. */
void nas_llm_complaint(const char *bytes, size_t n, nas_str *out);

/* The architecture in a model's text: the last JSON object with a valid text "arch", else the last line that is one.
 * BAD_INPUT with the validator's words about the last candidate, or that there is none. */
nas_status nas_llm_find_arch(const nas_space *space, const char *text, nas_arch *out, nas_err *err);
#endif
