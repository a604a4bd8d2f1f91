#ifndef NAS_TESTS_SEARCH_LLM_TALK_H
#define NAS_TESTS_SEARCH_LLM_TALK_H
/* Strategy llm with an endpoint of its own (llm_run.h), and every note that it made. */
#include <math.h>

#include "base/note.h"
#include "llm_run.h"
#include "search/strategy.h"

#define LLM_KEY "sk-Very/Secret+123"

/* A strategy with its server, and every note it made. */
typedef struct llm_talk {
  llm_server server;
  nas_space *space;
  nas_settings settings;
  nas_strategy *strategy;
  nas_notes notes;
  uint64_t asked;
} llm_talk;

static inline nas_status llm_keep(void *arg, const nas_note *note, nas_err *err) {
  return nas_notes_add(arg, note, err);
}

static inline void llm_set(llm_talk *t, const char *key, const char *value) {
  assert_ok(nas_settings_put(&t->settings, key, value, "test", nas_test_err()));
}

static inline nas_status llm_open(llm_talk *t, nas_err *err) {
  const nas_strategy_setup setup = {
      .space = t->space, .seed = 7, .task = "images of shapes", .note = llm_keep, .note_arg = &t->notes};
  return nas_strategy_open_with("llm", &t->settings, &setup, &t->strategy, err);
}

/* Short pauses, and options "key=value ..." after them. */
static inline void llm_begin(llm_talk *t, const char *script, const char *space, const char *more) {
  *t = (llm_talk){0};
  char url[128], list[512], *rest = list, *word;
  setenv("NASCENT_LLM_KEY", LLM_KEY, 1);
  t->server = llm_server_start(script, space, false);
  assert_ok(nas_space_open(space ? space : "nas-bench-201", NULL, &t->space, nas_test_err()));
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/chat/completions", t->server.port);
  llm_set(t, "url", url);
  llm_set(t, "model", "test-model");
  llm_set(t, "backoff", "0.01");
  llm_set(t, "max-wait", "0.05");
  llm_set(t, "attempts", "3");
  snprintf(list, sizeof list, "%s", more);
  while ((word = strsep(&rest, " "))) {
    char *value = strchr(word, '=');
    if (!value) continue;
    *value = '\0';
    llm_set(t, word, value + 1);
  }
  assert_ok(llm_open(t, nas_test_err()));
}

static inline void llm_end(llm_talk *t) {
  nas_strategy_close(t->strategy);
  nas_space_close(t->space);
  nas_settings_free(&t->settings);
  nas_notes_free(&t->notes);
  llm_server_stop(&t->server);
  unsetenv("NASCENT_LLM_KEY");
}

static inline nas_status llm_ask(llm_talk *t, nas_arch *out, nas_err *err) {
  nas_status status = nas_strategy_ask(t->strategy, t->asked, out, err);
  t->asked += status == NAS_OK;
  return status;
}

static inline void llm_tell(llm_talk *t, uint64_t number, const nas_arch *arch, double accuracy) {
  const nas_tell told = {.number = number,
                         .arch = *arch,
                         .outcome = isnan(accuracy) ? NAS_OUTCOME_OUT_OF_MEMORY : NAS_OUTCOME_OK,
                         .valid_accuracy = accuracy,
                         .valid_loss = NAN,
                         .params = 1234,
                         .macs = 99};
  assert_ok(nas_strategy_tell(t->strategy, &told, nas_test_err()));
}

/* "prompt answer ..." of one ask. */
static inline const char *llm_kinds(const llm_talk *t, uint64_t number) {
  static char text[512];
  text[0] = '\0';
  for (size_t i = 0; i < t->notes.n; i++)
    if (t->notes.rows[i].number == number && strcmp(t->notes.rows[i].kind, "template") != 0)
      snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? " " : "", t->notes.rows[i].kind);
  return text;
}

static inline bool llm_noted(const llm_talk *t, const char *kind, const char *part) {
  for (size_t i = 0; i < t->notes.n; i++)
    if (strcmp(t->notes.rows[i].kind, kind) == 0 && strstr(t->notes.rows[i].text, part)) return true;
  return false;
}

static inline void llm_assert_noted(const llm_talk *t, const char *kind, const char *part) {
  if (llm_noted(t, kind, part)) return;
  for (size_t i = 0; i < t->notes.n; i++)
    if (strcmp(t->notes.rows[i].kind, "template") != 0)
      print_error("%llu %s: %.300s\n", (unsigned long long)t->notes.rows[i].number, t->notes.rows[i].kind,
                  t->notes.rows[i].text);
  fail_msg("no note %s with '%s'", kind, part);
}

static inline int llm_requests(const llm_talk *t) {
  char *log = llm_server_log(&t->server);
  int n = 0;
  for (const char *p = log; (p = strchr(p, '\n')); p++) n++;
  free(log);
  return n;
}

static inline void llm_assert_asked(const llm_talk *t, const char *part) {
  char *log = llm_server_log(&t->server);
  bool found = strstr(log, part) != NULL;
  if (!found) print_error("%s\n", log);
  free(log);
  if (!found) fail_msg("no request with '%s'", part);
}
#endif
