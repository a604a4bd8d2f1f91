/* Strategy llm restored from its record, and the checks of every strategy. */
#include "llm_talk.h"
#include "search/conformance.h"

/* Half a run is taken over from its notes and tells, without any endpoint; what comes next is as if never stopped. */
static void a_recorded_run_is_recalled(void **state) {
  (void)state;
  static const char script[] = "ok 429 ok invalid ok invalid invalid refuse 503 503 503 ok";
  enum { ASKS = 8 };
  llm_talk t, again = {0};
  llm_begin(&t, script, NULL, "requests=14");
  nas_arch arch[ASKS], next;
  nas_str before = {0}, after = {0};
  for (int i = 0; i < ASKS; i++) {
    assert_ok(llm_ask(&t, &arch[i], nas_test_err()));
    if (i % 3 != 2) llm_tell(&t, (uint64_t)i, &arch[i], 60 + i);
  }
  int spent = llm_requests(&t);
  assert_in_range(spent, 9, 13);
  again.space = t.space;
  llm_set(&again, "url", "http://127.0.0.1:1/");
  llm_set(&again, "model", "test-model");
  llm_set(&again, "requests", "14");
  assert_ok(llm_open(&again, nas_test_err()));
  nas_notes own = again.notes;
  assert_int_equal(own.n, 0);
  for (int i = 0; i < ASKS; i++) {
    size_t first = 0, n = 0;
    while (first < t.notes.n && t.notes.rows[first].number < (uint64_t)i) first++;
    while (first + n < t.notes.n && t.notes.rows[first + n].number == (uint64_t)i) n++;
    nas_proposal p;
    assert_ok(nas_strategy_recall(again.strategy, (uint64_t)i, &arch[i], t.notes.rows + first, n, &p, nas_test_err()));
    assert_true(nas_arch_same(&p.arch, &arch[i]));
    if (i % 3 != 2) llm_tell(&again, (uint64_t)i, &arch[i], 60 + i);
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
  llm_end(&t);
}

/* The checks of every strategy, with an endpoint that answers the same to the same; and no way around them but that. */
static void passes_the_conformance_checks_of_all_strategies(void **state) {
  (void)state;
  llm_talk t;
  llm_begin(&t, "ok", NULL, "requests=0 tokens=0 history=10");
  nas_conformance checks[NAS_CONFORMANCE_CHECKS];
  const nas_strategy_type *type = nas_strategy_type_of(t.strategy);
  assert_ok(nas_conformance_check(type, &t.settings, t.space, NAS_CONFORMANCE_BRIEF, checks, nas_test_err()));
  for (int i = 0; i < NAS_CONFORMANCE_CHECKS; i++) {
    bool own = strcmp(checks[i].name, "an exhausted space ends cleanly") == 0; /* see the case of that name here */
    if (*checks[i].fault || (checks[i].excuse != NULL) != own) fail_msg("%s: %s", checks[i].name, checks[i].fault);
  }
  assert_ok(nas_conformance_check(type, NULL, t.space, NAS_CONFORMANCE_BRIEF, checks, nas_test_err()));
  for (int i = 0; i < NAS_CONFORMANCE_CHECKS; i++) assert_non_null(checks[i].excuse);
  llm_end(&t);
}

NAS_SUITE(LlmRecord, NAS_CASE(a_recorded_run_is_recalled), NAS_CASE(passes_the_conformance_checks_of_all_strategies))
