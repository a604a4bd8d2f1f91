/* What a language model's endpoint says: any bytes either give an answer, or an error with text; and any text either
 * gives an architecture of the space, which reads back, or an error with text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "search/llm_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const nas_space *space, const char *text) {
  nas_arch arch, back;
  nas_err err = {0};
  char written[NAS_ARCH_TEXT_MAX];
  if (nas_llm_find_arch(space, text, &arch, &err) != NAS_OK) {
    if (!err.msg[0]) abort();
    return;
  }
  if (nas_space_format(space, &arch, written, &err) != NAS_OK ||
      nas_space_parse(space, written, &back, &err) != NAS_OK || !nas_arch_same(&arch, &back))
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static nas_space *space;
  nas_err err = {0};
  if (!space && nas_space_open("nas-bench-201", NULL, &space, &err) != NAS_OK) abort();
  nas_llm_answer answer;
  if (nas_llm_answer_read((const char *)data, size, &answer, &err) == NAS_OK)
    check_text(space, nas_str_text(&answer.text));
  else if (!err.msg[0]) abort();
  if (answer.tokens < -1) abort();
  nas_llm_answer_free(&answer);
  nas_str complaint = {0};
  nas_llm_complaint((const char *)data, size, &complaint);
  if (complaint.len > 200) abort();
  nas_str_free(&complaint);
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = '\0';
  check_text(space, text);
  free(text);
  return 0;
}
