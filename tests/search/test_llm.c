/* Strategy llm against an endpoint that misbehaves on command. */
#include <math.h>

#include "base/note.h"
#include "llm_run.h"
#include "search/conformance.h"
#include "search/strategy.h"
#include "train/neuron.h"

#define KEY "sk-Very/Secret+123"

/* A strategy with its server, and every note it made. */
typedef struct talk {
  llm_server server;
  nas_space *space;
  nas_settings settings;
  nas_strategy *strategy;
  nas_notes notes;
  uint64_t asked;
} talk;

static nas_status keep(void *arg, const nas_note *note, nas_err *err) { return nas_notes_add(arg, note, err); }

static void set(talk *t, const char *key, const char *value) {
  assert_ok(nas_settings_put(&t->settings, key, value, "test", nas_test_err()));
}

static nas_status open_talk(talk *t, nas_err *err) {
  const nas_strategy_setup setup = {
      .space = t->space, .seed = 7, .task = "images of shapes", .note = keep, .note_arg = &t->notes};
  return nas_strategy_open_with("llm", &t->settings, &setup, &t->strategy, err);
}

/* Short pauses, and options "key=value ..." after them. */
static void begin(talk *t, const char *script, const char *space, const char *more) {
  *t = (talk){0};
  char url[128], list[512], *rest = list, *word;
  setenv("NASCENT_LLM_KEY", KEY, 1);
  t->server = llm_server_start(script, space, false);
  assert_ok(nas_space_open(space ? space : "nas-bench-201", NULL, &t->space, nas_test_err()));
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1/chat/completions", t->server.port);
  set(t, "url", url);
  set(t, "model", "test-model");
  set(t, "backoff", "0.01");
  set(t, "max-wait", "0.05");
  set(t, "attempts", "3");
  snprintf(list, sizeof list, "%s", more);
  while ((word = strsep(&rest, " "))) {
    char *value = strchr(word, '=');
    if (!value) continue;
    *value = '\0';
    set(t, word, value + 1);
  }
  assert_ok(open_talk(t, nas_test_err()));
}

static void end(talk *t) {
  nas_strategy_close(t->strategy);
  nas_space_close(t->space);
  nas_settings_free(&t->settings);
  nas_notes_free(&t->notes);
  llm_server_stop(&t->server);
  unsetenv("NASCENT_LLM_KEY");
}

static nas_status ask(talk *t, nas_arch *out, nas_err *err) {
  nas_status status = nas_strategy_ask(t->strategy, t->asked, out, err);
  t->asked += status == NAS_OK;
  return status;
}

static void tell(talk *t, uint64_t number, const nas_arch *arch, double accuracy) {
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
static const char *kinds(const talk *t, uint64_t number) {
  static char text[512];
  text[0] = '\0';
  for (size_t i = 0; i < t->notes.n; i++)
    if (t->notes.rows[i].number == number && strcmp(t->notes.rows[i].kind, "template") != 0)
      snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? " " : "", t->notes.rows[i].kind);
  return text;
}

static bool noted(const talk *t, const char *kind, const char *part) {
  for (size_t i = 0; i < t->notes.n; i++)
    if (strcmp(t->notes.rows[i].kind, kind) == 0 && strstr(t->notes.rows[i].text, part)) return true;
  return false;
}

static void assert_noted(const talk *t, const char *kind, const char *part) {
  if (noted(t, kind, part)) return;
  for (size_t i = 0; i < t->notes.n; i++)
    if (strcmp(t->notes.rows[i].kind, "template") != 0)
      print_error("%llu %s: %.300s\n", (unsigned long long)t->notes.rows[i].number, t->notes.rows[i].kind,
                  t->notes.rows[i].text);
  fail_msg("no note %s with '%s'", kind, part);
}

static int requests(const talk *t) {
  char *log = llm_server_log(&t->server);
  int n = 0;
  for (const char *p = log; (p = strchr(p, '\n')); p++) n++;
  free(log);
  return n;
}

static void assert_asked(const talk *t, const char *part) {
  char *log = llm_server_log(&t->server);
  bool found = strstr(log, part) != NULL;
  if (!found) print_error("%s\n", log);
  free(log);
  if (!found) fail_msg("no request with '%s'", part);
}

/* ---- what is sent ---- */

static void sends_what_the_protocol_wants(void **state) {
  (void)state;
  talk t;
  begin(&t, "ok", NULL, "temperature=0.5 max-tokens=77");
  nas_arch arch;
  assert_ok(ask(&t, &arch, nas_test_err()));
  assert_string_equal(kinds(&t, 0), "prompt answer");
  assert_asked(&t, "/v1/chat/completions\tBearer " KEY "\t{");
  assert_asked(&t, "\"model\":\"test-model\"");
  assert_asked(&t, "\"temperature\":0.5");
  assert_asked(&t, "\"max_tokens\":77");
  assert_asked(&t, "\"seed\":");
  assert_asked(&t, "\"role\":\"system\"");
  end(&t);
  begin(&t, "ok", NULL, "auth=api-key limit-field=max_completion_tokens send-seed=false");
  unlink(t.server.log);
  assert_ok(ask(&t, &arch, nas_test_err()));
  assert_asked(&t, "\t" KEY "\t{");
  assert_asked(&t, "\"max_completion_tokens\":1024");
  char *log = llm_server_log(&t.server);
  assert_null(strstr(log, "\"seed\""));
  assert_null(strstr(log, "Bearer"));
  free(log);
  end(&t);
}

/* The prompt shows the space out of the registries, results, failures and what runs; never more than a tell has. */
static void the_prompt_holds_space_results_and_running_trials(void **state) {
  (void)state;
  talk t;
  begin(&t, "ok", NULL, "");
  nas_arch arch[4];
  char text[4][NAS_ARCH_TEXT_MAX];
  nas_str prompt = {0};
  for (int i = 0; i < 4; i++) {
    assert_ok(ask(&t, &arch[i], nas_test_err()));
    assert_ok(nas_space_format(t.space, &arch[i], text[i], nas_test_err()));
    assert_int_equal(nas_arch_same(&arch[i], &arch[0]), i == 0);
  }
  tell(&t, 2, &arch[2], NAN);
  tell(&t, 0, &arch[0], 71.25);
  tell(&t, 3, &arch[3], 80.5);
  assert_ok(nas_strategy_preview(t.strategy, &prompt, nas_test_err()));
  char wanted[4 * NAS_ARCH_TEXT_MAX];
  snprintf(
      wanted, sizeof wanted,
      "percent):\n71.25  %s  1234 parameters\nfailed (out-of-memory)  %s\n80.50  %s  1234 parameters\n\nBest so far: "
      "80.50  %s  1234 parameters\n\nBeing trained now:\n%s\n\n",
      text[0], text[2], text[3], text[3], text[1]);
  if (!strstr(prompt.s, wanted)) fail_msg("%s\nis not in\n%s", wanted, prompt.s);
  assert_non_null(strstr(prompt.s, "What is trained: images of shapes\n"));
  assert_non_null(strstr(prompt.s, "  nor_conv_3x3: ReLU, 3x3 convolution, batch norm\n"));
  assert_non_null(strstr(prompt.s, "15625 networks"));
  assert_non_null(strstr(prompt.s, "edge 0->1"));
  assert_null(strstr(prompt.s, "{space}"));
  assert_non_null(strstr(prompt.s, "{\"arch\": \"...\"}"));
  nas_str_free(&prompt);
  end(&t);
}

static void neurons_are_described(void **state) {
  (void)state;
  talk t;
  nas_neurons_introduce();
  begin(&t, "ok", "neuron-cell", "");
  nas_arch arch;
  assert_ok(ask(&t, &arch, nas_test_err()));
  assert_noted(&t, "prompt", "  kuramoto: ");
  assert_noted(&t, "prompt", "  pade: ");
  assert_noted(&t, "prompt", "  skip_connect: passes its input on unchanged\n");
  assert_noted(&t, "prompt", "width=16\n");
  assert_string_equal(kinds(&t, 0), "prompt answer");
  end(&t);
}

/* Half of the listed results are the best, half the latest. */
static void a_long_history_is_cut(void **state) {
  (void)state;
  talk t;
  begin(&t, "ok", NULL, "history=4");
  nas_arch arch[9];
  nas_str prompt = {0};
  for (int i = 0; i < 9; i++) {
    assert_ok(ask(&t, &arch[i], nas_test_err()));
    tell(&t, (uint64_t)i, &arch[i], 50 + (i * 4) % 9); /* 50 54 58 53 57 52 56 51 55: the best are 2 and 4 */
  }
  assert_ok(nas_strategy_preview(t.strategy, &prompt, nas_test_err()));
  const int listed[] = {58, 57, 51, 55};
  char wanted[16];
  for (int accuracy = 50; accuracy < 59; accuracy++) {
    bool in = false;
    for (int k = 0; k < 4; k++) in = in || listed[k] == accuracy;
    snprintf(wanted, sizeof wanted, "\n%d.00  |", accuracy);
    assert_int_equal(strstr(prompt.s, wanted) != NULL, in);
  }
  assert_non_null(strstr(prompt.s, "(5 others"));
  nas_str_free(&prompt);
  end(&t);
}

/* ---- what comes back ---- */

typedef struct episode {
  const char *script, *kinds, *kind, *part; /* of the first ask: its notes, and a part of one of them */
  int requests;
} episode;

static const episode episodes[] = {
    {"ok", "prompt answer", "answer", "{\"arch\": \"|", 1},
    {"prose", "prompt answer", "answer", "```", 1},
    {"parts", "prompt answer", "answer", "{\"arch\": \"|", 1},
    {"nousage", "prompt answer", "answer", "", 1},
    {"slow", "prompt answer", "answer", "", 1},
    {"429:1 ok", "prompt failure answer", "failure", "status 429: no luck with that; attempt 1 of 3, again in 0.05 s",
     2},
    {"429 ok", "prompt failure answer", "failure", "again in 0.01 s", 2},
    {"503 500 ok", "prompt failure failure answer", "failure",
     "status 500: no luck with that; attempt 2 of 3, again in 0.02", 3},
    {"truncate ok", "prompt failure answer", "failure", "no complete JSON", 2},
    {"garbage ok", "prompt failure answer", "failure", "no complete JSON", 2},
    {"cut ok", "prompt failure answer", "failure", "attempt 1 of 3", 2},
    {"close ok", "prompt failure answer", "failure", "attempt 1 of 3", 2},
    {"hang ok", "prompt failure answer", "failure", "imed out", 2},
    {"503*", "prompt failure failure failure outage", "outage", "at random: |", 3},
    {"refuse ok", "prompt answer failure fallback", "failure", "I cannot help", 1},
    {"filter ok", "prompt answer failure fallback", "failure", "content filter", 1},
    {"invalid ok", "prompt answer failure prompt answer", "prompt", "nor_conv_9x9", 2},
    {"invalid invalid ok", "prompt answer failure prompt answer failure fallback", "fallback", "at random: |", 2},
    {"index ok", "prompt answer failure prompt answer", "failure", "'42' is not the text", 2},
    {"empty empty", "prompt answer failure prompt answer failure fallback", "failure", "no JSON object", 2},
    {"length ok", "prompt answer failure prompt answer", "failure", "cut off at its limit", 2},
    {"invalid 503 ok", "prompt answer failure prompt failure answer", "failure", "status 503", 3},
    {"echo echo", "prompt answer failure prompt answer failure fallback", "answer", "Bearer ****", 2},
};

static void each_misbehaviour_is_handled_and_noted(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof episodes / sizeof *episodes; i++) {
    const episode *e = &episodes[i];
    talk t;
    begin(&t, e->script, NULL, strstr(e->script, "hang") ? "timeout=0.3" : "");
    nas_arch arch;
    char text[NAS_ARCH_TEXT_MAX];
    nas_status status = ask(&t, &arch, nas_test_err());
    if (status != NAS_OK) fail_msg("%s: %s", e->script, nas_test_err()->msg);
    assert_ok(nas_space_format(t.space, &arch, text, nas_test_err()));
    if (strcmp(kinds(&t, 0), e->kinds) != 0) fail_msg("%s: %s", e->script, kinds(&t, 0));
    assert_noted(&t, e->kind, e->part);
    assert_int_equal(requests(&t), e->requests);
    for (size_t k = 0; k < t.notes.n; k++) assert_null(strstr(t.notes.rows[k].text, KEY));
    unlink(t.server.log);
    end(&t);
  }
}

/* The repair round repeats the conversation and quotes the validator. */
static void the_repair_quotes_the_validator(void **state) {
  (void)state;
  talk t;
  begin(&t, "invalid ok", NULL, "");
  nas_arch arch;
  nas_err why = {0};
  assert_ok(ask(&t, &arch, nas_test_err()));
  assert_true(nas_space_parse(t.space, "|nor_conv_9x9~0|+|none~0|none~1|", &arch, &why) != NAS_OK);
  assert_noted(&t, "prompt", why.msg);
  assert_asked(&t, "\"role\":\"assistant\",\"content\":\"{\\\"arch\\\": \\\"|nor_conv_9x9~0|+|none~0|none~1|\\\"}\"");
  end(&t);
}

static void a_duplicate_is_sent_back(void **state) {
  (void)state;
  talk t;
  begin(&t, "ok duplicate ok", NULL, "");
  nas_arch a, b;
  assert_ok(ask(&t, &a, nas_test_err()));
  assert_ok(ask(&t, &b, nas_test_err()));
  assert_false(nas_arch_same(&a, &b));
  assert_string_equal(kinds(&t, 1), "prompt answer failure prompt answer");
  assert_noted(&t, "failure", "proposed before");
  end(&t);
  begin(&t, "ok duplicate ok", NULL, "duplicates=allow");
  assert_ok(ask(&t, &a, nas_test_err()));
  assert_ok(ask(&t, &b, nas_test_err()));
  assert_true(nas_arch_same(&a, &b));
  end(&t);
}

/* Retry-After is waited for, as long as max-wait allows. */
static void retry_after_is_honoured_up_to_the_limit(void **state) {
  (void)state;
  nas_arch arch;
  talk t;
  begin(&t, "429:1 ok", NULL, "max-wait=30");
  double start = nas_clock();
  assert_ok(ask(&t, &arch, nas_test_err()));
  assert_true(nas_clock() - start >= 1);
  assert_noted(&t, "failure", "again in 1 s");
  end(&t);
  begin(&t, "503:86400 ok", NULL, "max-wait=0.2");
  assert_ok(ask(&t, &arch, nas_test_err()));
  assert_noted(&t, "failure", "again in 0.2 s");
  end(&t);
}

/* An ask does not block: it is pending, and the same number may be asked again. */
static void an_ask_does_not_block(void **state) {
  (void)state;
  talk t;
  begin(&t, "slow", NULL, "");
  nas_proposal p;
  int pending = 0;
  nas_status status;
  while ((status = nas_strategy_propose(t.strategy, 0, &p, nas_test_err())) == NAS_E_PENDING) pending++;
  assert_int_equal(status, NAS_OK);
  assert_true(pending > 10);
  assert_int_equal(requests(&t), 1);
  end(&t);
}

/* ---- what ends it ---- */

static void what_the_endpoint_refuses_is_final(void **state) {
  (void)state;
  static const struct {
    const char *script, *part;
  } cases[] = {{"401", "status 401: it does not accept the key in NASCENT_LLM_KEY"},
               {"403", "status 403"},
               {"400", "status 400: no luck with Bearer ****"},
               {"404", "status 404: no luck with that"},
               {"307", "status 307"},
               {"huge", "longer than"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    talk t;
    begin(&t, cases[i].script, NULL, "");
    nas_arch arch;
    nas_err err = {0};
    nas_status status = ask(&t, &arch, &err);
    assert_true(status != NAS_OK);
    if (!strstr(err.msg, cases[i].part)) fail_msg("%s: %s", cases[i].script, err.msg);
    assert_null(strstr(err.msg, "Secret"));
    assert_null(strstr(err.where, "Secret"));
    assert_int_equal(requests(&t), 1);
    assert_string_equal(kinds(&t, 0), "prompt failure");
    for (size_t k = 0; k < t.notes.n; k++) assert_null(strstr(t.notes.rows[k].text, "Secret"));
    unlink(t.server.log);
    end(&t);
  }
}

static void a_long_outage_ends_the_run(void **state) {
  (void)state;
  talk t;
  begin(&t, "503 503 503 503 ok 503*", NULL, "attempts=2 outages=2");
  nas_arch arch;
  for (int i = 0; i < 2; i++) assert_ok(ask(&t, &arch, nas_test_err())); /* two are bridged */
  assert_ok(ask(&t, &arch, nas_test_err()));                             /* an answer: counted anew */
  for (int i = 0; i < 2; i++) assert_ok(ask(&t, &arch, nas_test_err()));
  assert_string_equal(kinds(&t, 4), "prompt failure failure outage");
  assert_fails(ask(&t, &arch, nas_test_err()), NAS_E_NETWORK, "status 503");
  end(&t);
}

static void budgets_are_kept(void **state) {
  (void)state;
  nas_arch arch;
  talk t;
  begin(&t, "ok invalid ok", NULL, "requests=2");
  assert_ok(ask(&t, &arch, nas_test_err()));
  assert_ok(ask(&t, &arch, nas_test_err())); /* no request is left for the repair */
  assert_string_equal(kinds(&t, 1), "prompt answer failure fallback");
  assert_fails(ask(&t, &arch, nas_test_err()), NAS_E_EXHAUSTED, "budget of requests");
  assert_fails(ask(&t, &arch, nas_test_err()), NAS_E_EXHAUSTED, "budget of requests");
  assert_string_equal(kinds(&t, 2), "budget");
  assert_int_equal(requests(&t), 2);
  end(&t);
  begin(&t, "ok", NULL, "tokens=1 exhausted=random");
  unlink(t.server.log);
  for (int i = 0; i < 3; i++) assert_ok(ask(&t, &arch, nas_test_err()));
  assert_int_equal(requests(&t), 1);
  assert_string_equal(kinds(&t, 2), "budget");
  assert_noted(&t, "budget", "budget of tokens is used up; at random: |");
  end(&t);
  begin(&t, "503*", NULL, "requests=2 attempts=9");
  unlink(t.server.log);
  assert_ok(ask(&t, &arch, nas_test_err()));
  assert_string_equal(kinds(&t, 0), "prompt failure failure fallback");
  end(&t);
}

/* 27 architectures, each proposed once. */
static void an_exhausted_space_ends_cleanly(void **state) {
  (void)state;
  talk t;
  begin(&t, "ok", "declared", "");
  nas_arch arch;
  uint64_t size = nas_space_size(t.space);
  assert_int_equal(size, 27);
  for (uint64_t i = 0; i < size; i++) assert_ok(ask(&t, &arch, nas_test_err()));
  int before = requests(&t);
  assert_fails(ask(&t, &arch, nas_test_err()), NAS_E_EXHAUSTED, "every architecture");
  assert_int_equal(requests(&t), before);
  end(&t);
}

/* ---- before the first request ---- */

static void refuse_open(const char *key, const char *value, nas_status code, const char *part) {
  talk t = {0};
  nas_err err = {0};
  assert_ok(nas_space_open("nas-bench-201", NULL, &t.space, nas_test_err()));
  set(&t, "url", "https://127.0.0.1:1/v1/chat/completions");
  set(&t, "model", "m");
  if (key) set(&t, key, value);
  nas_status status = open_talk(&t, &err);
  if (status != code || !strstr(err.msg, part)) fail_msg("%s=%s: %s", key ? key : "", value, err.msg);
  assert_null(t.strategy);
  assert_null(strstr(err.msg, "Secret"));
  assert_null(strstr(err.where, "Secret"));
  nas_space_close(t.space);
  nas_settings_free(&t.settings);
}

static void bad_options_are_refused_without_showing_the_key(void **state) {
  (void)state;
  unsetenv("NASCENT_LLM_KEY");
  refuse_open(NULL, "", NAS_E_NOT_FOUND, "environment variable NASCENT_LLM_KEY");
  setenv("NASCENT_LLM_KEY", "", 1);
  refuse_open(NULL, "", NAS_E_NOT_FOUND, "environment variable NASCENT_LLM_KEY");
  setenv("NASCENT_LLM_KEY", "two Secret words", 1);
  refuse_open(NULL, "", NAS_E_BAD_INPUT, "blanks, line breaks");
  setenv("NASCENT_LLM_KEY", "Secret\r\nX-Injected: 1", 1);
  refuse_open(NULL, "", NAS_E_BAD_INPUT, "blanks, line breaks");
  setenv("NASCENT_LLM_KEY", KEY, 1);
  refuse_open("key-variable", "sk-Secret", NAS_E_BAD_INPUT, "no name of an environment variable");
  refuse_open("key-variable", "NO_SUCH_VARIABLE", NAS_E_NOT_FOUND, "NO_SUCH_VARIABLE");
  refuse_open("url", "", NAS_E_BAD_INPUT, "needs the address");
  refuse_open("url", "ftp://127.0.0.1/", NAS_E_BAD_INPUT, "no address of the form");
  refuse_open("url", "api.example.com/v1", NAS_E_BAD_INPUT, "no address of the form");
  refuse_open("url", "https://me:Secret@127.0.0.1/v1", NAS_E_BAD_INPUT, "holds a password or a key");
  refuse_open("url", "https://127.0.0.1/v1?api-key=Secret", NAS_E_BAD_INPUT, "holds a password or a key");
  refuse_open("url", "http://192.0.2.1/v1", NAS_E_BAD_INPUT, "clear text");
  refuse_open("model", "", NAS_E_BAD_INPUT, "name of a model");
  refuse_open("temperature", "3", NAS_E_OUT_OF_RANGE, "0");
  refuse_open("template", "/no/such/template", NAS_E_NOT_FOUND, "");
  unsetenv("NASCENT_LLM_KEY");
}

static void templates_are_checked(void **state) {
  (void)state;
  static const struct {
    const char *text, *part;
    nas_status code;
  } cases[] = {{"{space}\n{histroy}", "did you mean 'history'", NAS_E_UNKNOWN_NAME},
               {"a { b", "no placeholder", NAS_E_UNKNOWN_NAME},
               {"a } b", "stands alone", NAS_E_BAD_INPUT},
               {"system\n---\n \n", "no message", NAS_E_BAD_INPUT},
               {"caf\xe9", "UTF-8", NAS_E_BAD_INPUT}};
  char path[512];
  snprintf(path, sizeof path, "%s/template", nas_test_folder());
  setenv("NASCENT_LLM_KEY", KEY, 1);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_ok(nas_file_write_atomic(path, cases[i].text, strlen(cases[i].text), nas_test_err()));
    refuse_open("template", path, cases[i].code, cases[i].part);
  }
  static const char good[] = "Be brief.\n---\nJSON {{\"arch\"}}: {best}!";
  char more[600];
  assert_ok(nas_file_write_atomic(path, good, sizeof good - 1, nas_test_err()));
  snprintf(more, sizeof more, "template=%s", path);
  talk t;
  begin(&t, "ok", NULL, more);
  nas_arch arch;
  assert_ok(ask(&t, &arch, nas_test_err()));
  assert_noted(&t, "template", good);
  assert_asked(&t, "{\"role\":\"system\",\"content\":\"Be brief.\"}");
  assert_asked(&t, "\"content\":\"JSON {\\\"arch\\\"}: none yet!\"");
  end(&t);
}

/* An endpoint whose certificate nobody vouches for hears nothing of the key. */
static void a_self_signed_certificate_is_refused(void **state) {
  (void)state;
  talk t;
  begin(&t, "ok", NULL, "");
  char url[128];
  nas_arch arch;
  nas_strategy_close(t.strategy);
  llm_server_stop(&t.server);
  unlink(t.server.log);
  t.server = llm_server_start("ok", NULL, true);
  snprintf(url, sizeof url, "https://127.0.0.1:%d/v1", t.server.port);
  set(&t, "url", url);
  assert_ok(open_talk(&t, nas_test_err()));
  assert_fails(ask(&t, &arch, nas_test_err()), NAS_E_MISMATCH, "certificate");
  assert_int_equal(requests(&t), 0);
  /* The server is sound: whoever does not look at the certificate is answered. */
  if (nas_run(NULL, NULL, "command -v curl") == 0)
    assert_int_equal(nas_run(NULL, NULL, "curl -skf -d '{}' '%s'", url), 0);
  end(&t);
}

/* ---- the record ---- */

/* Half a run is taken over from its notes and tells, without any endpoint; what comes next is as if never stopped. */
static void a_recorded_run_is_recalled(void **state) {
  (void)state;
  static const char script[] = "ok 429 ok invalid ok invalid invalid refuse 503 503 503 ok";
  enum { ASKS = 8 };
  talk t, again = {0};
  begin(&t, script, NULL, "requests=14");
  nas_arch arch[ASKS], next;
  nas_str before = {0}, after = {0};
  for (int i = 0; i < ASKS; i++) {
    assert_ok(ask(&t, &arch[i], nas_test_err()));
    if (i % 3 != 2) tell(&t, (uint64_t)i, &arch[i], 60 + i);
  }
  int spent = requests(&t);
  assert_in_range(spent, 9, 13);
  again.space = t.space;
  set(&again, "url", "http://127.0.0.1:1/");
  set(&again, "model", "test-model");
  set(&again, "requests", "14");
  assert_ok(open_talk(&again, nas_test_err()));
  nas_notes own = again.notes;
  assert_int_equal(own.n, 0);
  for (int i = 0; i < ASKS; i++) {
    size_t first = 0, n = 0;
    while (first < t.notes.n && t.notes.rows[first].number < (uint64_t)i) first++;
    while (first + n < t.notes.n && t.notes.rows[first + n].number == (uint64_t)i) n++;
    nas_proposal p;
    assert_ok(nas_strategy_recall(again.strategy, (uint64_t)i, &arch[i], t.notes.rows + first, n, &p, nas_test_err()));
    assert_true(nas_arch_same(&p.arch, &arch[i]));
    if (i % 3 != 2) tell(&again, (uint64_t)i, &arch[i], 60 + i);
  }
  assert_int_equal(again.notes.n, 0); /* what is recorded is not recorded again */
  assert_ok(nas_strategy_preview(t.strategy, &before, nas_test_err()));
  assert_ok(nas_strategy_preview(again.strategy, &after, nas_test_err()));
  assert_string_equal(before.s, after.s);
  /* What was spent is spent: of 14 requests, 14 less those are left. An ask that was cut off counts too. */
  nas_proposal p;
  const nas_note cut = {ASKS, "failure", "status 503", 0, 0.5};
  for (int i = spent; i < 14; i++)
    assert_ok(nas_strategy_recall(again.strategy, ASKS, NULL, &cut, 1, &p, nas_test_err()));
  assert_fails(nas_strategy_ask(again.strategy, ASKS, &next, nas_test_err()), NAS_E_EXHAUSTED, "budget of requests");
  const nas_note other = {0, "template", "another template", -1, NAN};
  assert_fails(nas_strategy_recall(again.strategy, ASKS, NULL, &other, 1, &p, nas_test_err()), NAS_E_MISMATCH,
               "template");
  nas_strategy_close(again.strategy);
  nas_settings_free(&again.settings);
  nas_notes_free(&again.notes);
  nas_str_free(&before);
  nas_str_free(&after);
  end(&t);
}

/* The checks of every strategy, with an endpoint that answers the same to the same; and no way around them but that. */
static void passes_the_conformance_checks_of_all_strategies(void **state) {
  (void)state;
  talk t;
  begin(&t, "ok", NULL, "requests=0 tokens=0 history=10");
  nas_conformance checks[NAS_CONFORMANCE_CHECKS];
  const nas_strategy_type *type = nas_strategy_type_of(t.strategy);
  assert_ok(nas_conformance_check(type, &t.settings, t.space, checks, nas_test_err()));
  for (int i = 0; i < NAS_CONFORMANCE_CHECKS; i++) {
    bool own = strcmp(checks[i].name, "an exhausted space ends cleanly") == 0; /* see the case of that name here */
    if (*checks[i].fault || (checks[i].excuse != NULL) != own) fail_msg("%s: %s", checks[i].name, checks[i].fault);
  }
  assert_ok(nas_conformance_check(type, NULL, t.space, checks, nas_test_err()));
  for (int i = 0; i < NAS_CONFORMANCE_CHECKS; i++) assert_non_null(checks[i].excuse);
  end(&t);
}

NAS_SUITE(Llm, NAS_CASE(sends_what_the_protocol_wants), NAS_CASE(the_prompt_holds_space_results_and_running_trials),
          NAS_CASE(neurons_are_described), NAS_CASE(a_long_history_is_cut),
          NAS_CASE(each_misbehaviour_is_handled_and_noted), NAS_CASE(the_repair_quotes_the_validator),
          NAS_CASE(a_duplicate_is_sent_back), NAS_CASE(retry_after_is_honoured_up_to_the_limit),
          NAS_CASE(an_ask_does_not_block), NAS_CASE(what_the_endpoint_refuses_is_final),
          NAS_CASE(a_long_outage_ends_the_run), NAS_CASE(budgets_are_kept), NAS_CASE(an_exhausted_space_ends_cleanly),
          NAS_CASE(bad_options_are_refused_without_showing_the_key), NAS_CASE(templates_are_checked),
          NAS_CASE(a_self_signed_certificate_is_refused), NAS_CASE(a_recorded_run_is_recalled),
          NAS_CASE(passes_the_conformance_checks_of_all_strategies))
