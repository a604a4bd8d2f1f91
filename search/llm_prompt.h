#ifndef NAS_SEARCH_LLM_PROMPT_H
#define NAS_SEARCH_LLM_PROMPT_H
/* The prompt of strategy llm: a template whose placeholders are filled with the space, the results and what runs. */
#include "base/result.h"
#include "base/str.h"
#include "space/space.h"

/* A template: an optional system message, a line "---", then the user's message. Placeholders, where "{{" and "}}"
 * stand for braces: {task} what is trained; {space} the space's description; {history} results; {running} what is being
 * trained; {best} the best result. */
typedef struct nas_llm_template {
  nas_str system, user;
} nas_llm_template;

/* Reads a file, or takes the built-in template when path is "". NOT_FOUND and IO, BAD_INPUT for a text that is not
 * UTF-8 or too long; UNKNOWN_NAME for a placeholder that there is not, with its line. Free with nas_llm_template_free.
 */
nas_status nas_llm_template_read(const char *path, nas_llm_template *out, nas_err *err);
void nas_llm_template_free(nas_llm_template *t);
/* The whole template as one text, as in a file. */
void nas_llm_template_text(const nas_llm_template *t, nas_str *out);

/* One ask and, once it is told, its result. */
typedef struct nas_llm_trial {
  nas_arch arch;
  bool told;
  nas_outcome outcome;
  double valid_accuracy, params, macs; /* NaN: not known */
} nas_llm_trial;

typedef struct nas_llm_facts {
  const nas_space *space;
  const char *description; /* from nas_llm_describe */
  const char *task;        /* NULL: not known */
  const nas_llm_trial *trials;
  size_t n;
  size_t history; /* most results to list: half of them the best, the others the latest */
} nas_llm_facts;

/* Adds the description of a space out of the registries: its choices with what they do, its options, the text form with
 * examples. */
nas_status nas_llm_describe(const nas_space *space, nas_str *out, nas_err *err);
/* Fills a message of a template. */
nas_status nas_llm_fill(const char *message, const nas_llm_facts *facts, nas_str *out, nas_err *err);
#endif
