/* What strategy llm refuses before the first request, and what ends it. */
#include "llm_talk.h"

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
    llm_talk t;
    llm_begin(&t, cases[i].script, NULL, "");
    nas_arch arch;
    nas_err err = {0};
    nas_status status = llm_ask(&t, &arch, &err);
    assert_true(status != NAS_OK);
    if (!strstr(err.msg, cases[i].part)) fail_msg("%s: %s", cases[i].script, err.msg);
    assert_null(strstr(err.msg, "Secret"));
    assert_null(strstr(err.where, "Secret"));
    assert_int_equal(llm_requests(&t), 1);
    assert_string_equal(llm_kinds(&t, 0), "prompt failure");
    for (size_t k = 0; k < t.notes.n; k++) assert_null(strstr(t.notes.rows[k].text, "Secret"));
    unlink(t.server.log);
    llm_end(&t);
  }
}

static void a_long_outage_ends_the_run(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "503 503 503 503 ok 503*", NULL, "attempts=2 outages=2");
  nas_arch arch;
  for (int i = 0; i < 2; i++) assert_ok(llm_ask(&t, &arch, nas_test_err())); /* two are bridged */
  assert_ok(llm_ask(&t, &arch, nas_test_err()));                             /* an answer: counted anew */
  for (int i = 0; i < 2; i++) assert_ok(llm_ask(&t, &arch, nas_test_err()));
  assert_string_equal(llm_kinds(&t, 4), "prompt failure failure outage");
  assert_fails(llm_ask(&t, &arch, nas_test_err()), NAS_E_NETWORK, "status 503");
  llm_end(&t);
}

static void budgets_are_kept(void **state) {
  (void)state;
  nas_arch arch;
  llm_talk t;
  llm_begin(&t, "ok invalid ok", NULL, "requests=2");
  assert_ok(llm_ask(&t, &arch, nas_test_err()));
  assert_ok(llm_ask(&t, &arch, nas_test_err())); /* no request is left for the repair */
  assert_string_equal(llm_kinds(&t, 1), "prompt answer failure fallback");
  assert_fails(llm_ask(&t, &arch, nas_test_err()), NAS_E_EXHAUSTED, "budget of requests");
  assert_fails(llm_ask(&t, &arch, nas_test_err()), NAS_E_EXHAUSTED, "budget of requests");
  assert_string_equal(llm_kinds(&t, 2), "budget");
  assert_int_equal(llm_requests(&t), 2);
  llm_end(&t);
  llm_begin(&t, "ok", NULL, "tokens=1 exhausted=random");
  unlink(t.server.log);
  for (int i = 0; i < 3; i++) assert_ok(llm_ask(&t, &arch, nas_test_err()));
  assert_int_equal(llm_requests(&t), 1);
  assert_string_equal(llm_kinds(&t, 2), "budget");
  llm_assert_noted(&t, "budget", "budget of tokens is used up; at random: |");
  llm_end(&t);
  llm_begin(&t, "503*", NULL, "requests=2 attempts=9");
  unlink(t.server.log);
  assert_ok(llm_ask(&t, &arch, nas_test_err()));
  assert_string_equal(llm_kinds(&t, 0), "prompt failure failure fallback");
  llm_end(&t);
}

/* 27 architectures, each proposed once. */
static void an_exhausted_space_ends_cleanly(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "ok", "declared", "");
  nas_arch arch;
  uint64_t size = nas_space_size(t.space);
  assert_int_equal(size, 27);
  for (uint64_t i = 0; i < size; i++) assert_ok(llm_ask(&t, &arch, nas_test_err()));
  int before = llm_requests(&t);
  assert_fails(llm_ask(&t, &arch, nas_test_err()), NAS_E_EXHAUSTED, "every architecture");
  assert_int_equal(llm_requests(&t), before);
  llm_end(&t);
}

/* ---- before the first request ---- */

static void refuse_open(const char *key, const char *value, nas_status code, const char *part) {
  llm_talk t = {0};
  nas_err err = {0};
  assert_ok(nas_space_open("nas-bench-201", NULL, &t.space, nas_test_err()));
  llm_set(&t, "url", "https://127.0.0.1:1/v1/chat/completions");
  llm_set(&t, "model", "m");
  if (key) llm_set(&t, key, value);
  nas_status status = llm_open(&t, &err);
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
  setenv("NASCENT_LLM_KEY", LLM_KEY, 1);
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
  setenv("NASCENT_LLM_KEY", LLM_KEY, 1);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_ok(nas_file_write_atomic(path, cases[i].text, strlen(cases[i].text), nas_test_err()));
    refuse_open("template", path, cases[i].code, cases[i].part);
  }
  static const char good[] = "Be brief.\n---\nJSON {{\"arch\"}}: {best}!";
  char more[600];
  assert_ok(nas_file_write_atomic(path, good, sizeof good - 1, nas_test_err()));
  snprintf(more, sizeof more, "template=%s", path);
  llm_talk t;
  llm_begin(&t, "ok", NULL, more);
  nas_arch arch;
  assert_ok(llm_ask(&t, &arch, nas_test_err()));
  llm_assert_noted(&t, "template", good);
  llm_assert_asked(&t, "{\"role\":\"system\",\"content\":\"Be brief.\"}");
  llm_assert_asked(&t, "\"content\":\"JSON {\\\"arch\\\"}: none yet!\"");
  llm_end(&t);
}

/* An endpoint whose certificate nobody vouches for hears nothing of the key. */
static void a_self_signed_certificate_is_refused(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "ok", NULL, "");
  char url[128];
  nas_arch arch;
  nas_strategy_close(t.strategy);
  llm_server_stop(&t.server);
  unlink(t.server.log);
  t.server = llm_server_start("ok", NULL, true);
  snprintf(url, sizeof url, "https://127.0.0.1:%d/v1", t.server.port);
  llm_set(&t, "url", url);
  assert_ok(llm_open(&t, nas_test_err()));
  assert_fails(llm_ask(&t, &arch, nas_test_err()), NAS_E_MISMATCH, "certificate");
  assert_int_equal(llm_requests(&t), 0);
  /* The server is sound: whoever does not look at the certificate is answered. */
  if (nas_run(NULL, NULL, "command -v curl") == 0)
    assert_int_equal(nas_run(NULL, NULL, "curl -skf -d '{}' '%s'", url), 0);
  llm_end(&t);
}

NAS_SUITE(LlmLimits, NAS_CASE(what_the_endpoint_refuses_is_final), NAS_CASE(a_long_outage_ends_the_run),
          NAS_CASE(budgets_are_kept), NAS_CASE(an_exhausted_space_ends_cleanly),
          NAS_CASE(bad_options_are_refused_without_showing_the_key), NAS_CASE(templates_are_checked),
          NAS_CASE(a_self_signed_certificate_is_refused))
