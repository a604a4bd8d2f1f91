/* Strategy llm: what it sends to an endpoint, and what it makes of answers and misbehaviour. */
#include "llm_talk.h"
#include "train/neuron.h"

/* ---- what is sent ---- */

static void sends_what_the_protocol_wants(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "ok", NULL, "temperature=0.5 max-tokens=77");
  nas_arch arch;
  assert_ok(llm_ask(&t, &arch, nas_test_err()));
  assert_string_equal(llm_kinds(&t, 0), "prompt answer");
  llm_assert_asked(&t, "/v1/chat/completions\tBearer " LLM_KEY "\t{");
  llm_assert_asked(&t, "\"model\":\"test-model\"");
  llm_assert_asked(&t, "\"temperature\":0.5");
  llm_assert_asked(&t, "\"max_tokens\":77");
  llm_assert_asked(&t, "\"seed\":");
  llm_assert_asked(&t, "\"role\":\"system\"");
  llm_end(&t);
  llm_begin(&t, "ok", NULL, "auth=api-key limit-field=max_completion_tokens send-seed=false");
  unlink(t.server.log);
  assert_ok(llm_ask(&t, &arch, nas_test_err()));
  llm_assert_asked(&t, "\t" LLM_KEY "\t{");
  llm_assert_asked(&t, "\"max_completion_tokens\":1024");
  char *log = llm_server_log(&t.server);
  assert_null(strstr(log, "\"seed\""));
  assert_null(strstr(log, "Bearer"));
  free(log);
  llm_end(&t);
}

/* The prompt shows the space out of the registries, results, failures and what runs; never more than a tell has. */
static void the_prompt_holds_space_results_and_running_trials(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "ok", NULL, "");
  nas_arch arch[4];
  char text[4][NAS_ARCH_TEXT_MAX];
  nas_str prompt = {0};
  for (int i = 0; i < 4; i++) {
    assert_ok(llm_ask(&t, &arch[i], nas_test_err()));
    assert_ok(nas_space_format(t.space, &arch[i], text[i], nas_test_err()));
    assert_int_equal(nas_arch_same(&arch[i], &arch[0]), i == 0);
  }
  llm_tell(&t, 2, &arch[2], NAN);
  llm_tell(&t, 0, &arch[0], 71.25);
  llm_tell(&t, 3, &arch[3], 80.5);
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
  llm_end(&t);
}

static void neurons_are_described(void **state) {
  (void)state;
  llm_talk t;
  nas_neurons_introduce();
  llm_begin(&t, "ok", "neuron-cell", "");
  nas_arch arch;
  assert_ok(llm_ask(&t, &arch, nas_test_err()));
  llm_assert_noted(&t, "prompt", "  kuramoto: ");
  llm_assert_noted(&t, "prompt", "  pade: ");
  llm_assert_noted(&t, "prompt", "  skip_connect: passes its input on unchanged\n");
  llm_assert_noted(&t, "prompt", "width=16\n");
  assert_string_equal(llm_kinds(&t, 0), "prompt answer");
  llm_end(&t);
}

/* Half of the listed results are the best, half the latest. */
static void a_long_history_is_cut(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "ok", NULL, "history=4");
  nas_arch arch[9];
  nas_str prompt = {0};
  for (int i = 0; i < 9; i++) {
    assert_ok(llm_ask(&t, &arch[i], nas_test_err()));
    llm_tell(&t, (uint64_t)i, &arch[i], 50 + (i * 4) % 9); /* 50 54 58 53 57 52 56 51 55: the best are 2 and 4 */
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
  llm_end(&t);
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
    llm_talk t;
    llm_begin(&t, e->script, NULL, strstr(e->script, "hang") ? "timeout=0.3" : "");
    nas_arch arch;
    char text[NAS_ARCH_TEXT_MAX];
    nas_status status = llm_ask(&t, &arch, nas_test_err());
    if (status != NAS_OK) fail_msg("%s: %s", e->script, nas_test_err()->msg);
    assert_ok(nas_space_format(t.space, &arch, text, nas_test_err()));
    if (strcmp(llm_kinds(&t, 0), e->kinds) != 0) fail_msg("%s: %s", e->script, llm_kinds(&t, 0));
    llm_assert_noted(&t, e->kind, e->part);
    assert_int_equal(llm_requests(&t), e->requests);
    for (size_t k = 0; k < t.notes.n; k++) assert_null(strstr(t.notes.rows[k].text, LLM_KEY));
    unlink(t.server.log);
    llm_end(&t);
  }
}

/* The repair round repeats the conversation and quotes the validator. */
static void the_repair_quotes_the_validator(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "invalid ok", NULL, "");
  nas_arch arch;
  nas_err why = {0};
  assert_ok(llm_ask(&t, &arch, nas_test_err()));
  assert_true(nas_space_parse(t.space, "|nor_conv_9x9~0|+|none~0|none~1|", &arch, &why) != NAS_OK);
  llm_assert_noted(&t, "prompt", why.msg);
  llm_assert_asked(&t,
                   "\"role\":\"assistant\",\"content\":\"{\\\"arch\\\": \\\"|nor_conv_9x9~0|+|none~0|none~1|\\\"}\"");
  llm_end(&t);
}

static void a_duplicate_is_sent_back(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "ok duplicate ok", NULL, "");
  nas_arch a, b;
  assert_ok(llm_ask(&t, &a, nas_test_err()));
  assert_ok(llm_ask(&t, &b, nas_test_err()));
  assert_false(nas_arch_same(&a, &b));
  assert_string_equal(llm_kinds(&t, 1), "prompt answer failure prompt answer");
  llm_assert_noted(&t, "failure", "proposed before");
  llm_end(&t);
  llm_begin(&t, "ok duplicate ok", NULL, "duplicates=allow");
  assert_ok(llm_ask(&t, &a, nas_test_err()));
  assert_ok(llm_ask(&t, &b, nas_test_err()));
  assert_true(nas_arch_same(&a, &b));
  llm_end(&t);
}

/* Retry-After is waited for, as long as max-wait allows. */
static void retry_after_is_honoured_up_to_the_limit(void **state) {
  (void)state;
  nas_arch arch;
  llm_talk t;
  llm_begin(&t, "429:1 ok", NULL, "max-wait=30");
  double start = nas_clock();
  assert_ok(llm_ask(&t, &arch, nas_test_err()));
  assert_true(nas_clock() - start >= 1);
  llm_assert_noted(&t, "failure", "again in 1 s");
  llm_end(&t);
  llm_begin(&t, "503:86400 ok", NULL, "max-wait=0.2");
  assert_ok(llm_ask(&t, &arch, nas_test_err()));
  llm_assert_noted(&t, "failure", "again in 0.2 s");
  llm_end(&t);
}

/* An ask does not block: it is pending, and the same number may be asked again. */
static void an_ask_does_not_block(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "slow", NULL, "");
  nas_proposal p;
  int pending = 0;
  nas_status status;
  while ((status = nas_strategy_propose(t.strategy, 0, &p, nas_test_err())) == NAS_E_PENDING) pending++;
  assert_int_equal(status, NAS_OK);
  assert_true(pending > 10);
  assert_int_equal(llm_requests(&t), 1);
  llm_end(&t);
}

NAS_SUITE(Llm, NAS_CASE(sends_what_the_protocol_wants), NAS_CASE(the_prompt_holds_space_results_and_running_trials),
          NAS_CASE(neurons_are_described), NAS_CASE(a_long_history_is_cut),
          NAS_CASE(each_misbehaviour_is_handled_and_noted), NAS_CASE(the_repair_quotes_the_validator),
          NAS_CASE(a_duplicate_is_sent_back), NAS_CASE(retry_after_is_honoured_up_to_the_limit),
          NAS_CASE(an_ask_does_not_block))
