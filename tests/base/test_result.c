#include "base/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

/* The texts are stored in tables. */
static void outcomes_have_the_documented_texts(void **state) {
  (void)state;
  static const char *const texts[] = {"ok",      "diverged", "rejected", "out-of-memory",
                                      "timeout", "crashed",  "lost",     "preempted"};
  assert_int_equal(NAS_OUTCOME_COUNT, sizeof texts / sizeof *texts);
  for (int i = 0; i < NAS_OUTCOME_COUNT; i++) {
    nas_outcome back;
    assert_string_equal(nas_outcome_text((nas_outcome)i), texts[i]);
    assert_true(nas_outcome_from_text(texts[i], &back));
    assert_int_equal(back, i);
  }
  nas_outcome back;
  assert_false(nas_outcome_from_text("OK", &back));
  assert_false(nas_outcome_from_text("", &back));
  assert_string_equal(nas_outcome_text((nas_outcome)99), "unknown");
}

static void epochs_are_compared_by_their_bits(void **state) {
  (void)state;
  nas_epoch a = {.epoch = 1, .train_loss = 0.5, .train_accuracy = 50, .valid_loss = NAN, .seconds = 3}, b = a;
  b.seconds = 4; /* time is no learning figure */
  b.valid_seconds = 9;
  assert_true(nas_epoch_same(&a, &b));
  double *const figures[] = {&b.train_loss,     &b.train_accuracy, &b.valid_loss,
                             &b.valid_accuracy, &b.test_loss,      &b.test_accuracy};
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
    double held = *figures[i];
    *figures[i] = isnan(held) ? 0 : nextafter(held, 1e9);
    assert_false(nas_epoch_same(&a, &b));
    *figures[i] = held;
  }
  b.test_loss = -0.0;
  assert_false(nas_epoch_same(&a, &b));
  b.test_loss = 0;
  b.epoch = 2;
  assert_false(nas_epoch_same(&a, &b));
}

static void curves_grow(void **state) {
  (void)state;
  nas_result r = {0};
  for (int i = 1; i <= 200; i++) {
    nas_epoch e = {.epoch = i, .train_loss = 1.0 / i};
    assert_ok(nas_result_add_epoch(&r, &e, nas_test_err()));
  }
  assert_int_equal(r.n_epochs, 200);
  for (int i = 0; i < 200; i++) assert_true(r.epochs[i].epoch == i + 1 && r.epochs[i].train_loss == 1.0 / (i + 1));
  nas_result_free(&r);
  assert_null(r.epochs);
  assert_int_equal(r.n_epochs, 0);
}

static void metrics_are_set_and_replaced(void **state) {
  (void)state;
  nas_result r = {0};
  assert_true(isnan(nas_result_metric(&r, "params")));
  assert_ok(nas_result_set_metric(&r, "params", 3, nas_test_err()));
  assert_ok(nas_result_set_metric(&r, "macs", 4, nas_test_err()));
  assert_ok(nas_result_set_metric(&r, "params", 5, nas_test_err()));
  assert_int_equal(r.n_metrics, 2);
  assert_true(nas_result_metric(&r, "params") == 5);
  assert_true(nas_result_metric(&r, "macs") == 4);
}

static void too_many_metrics_are_refused(void **state) {
  (void)state;
  nas_result r = {0};
  char name[40];
  for (int i = 0; i < NAS_METRICS_MAX; i++) {
    snprintf(name, sizeof name, "m%d", i);
    assert_ok(nas_result_set_metric(&r, name, i, nas_test_err()));
  }
  assert_fails(nas_result_set_metric(&r, "more", 1, nas_test_err()), NAS_E_OUT_OF_RANGE, "more than 32");
  assert_ok(nas_result_set_metric(&r, "m31", 7, nas_test_err()));
  r.n_metrics = 0;
  memset(name, 'x', 32);
  name[32] = '\0';
  assert_fails(nas_result_set_metric(&r, name, 1, nas_test_err()), NAS_E_OUT_OF_RANGE, "too long");
  assert_int_equal(r.n_metrics, 0);
}

NAS_SUITE(Result, NAS_CASE(outcomes_have_the_documented_texts), NAS_CASE(epochs_are_compared_by_their_bits),
          NAS_CASE(curves_grow), NAS_CASE(metrics_are_set_and_replaced), NAS_CASE(too_many_metrics_are_refused))
