/* Expressions: values and derivatives against finite differences, safe forms, errors with their column. */
#include "train/expression.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

static double at(const char *text, double x, double *slope) {
  nas_expression e;
  assert_ok(nas_expression_parse(text, &e, nas_test_err()));
  return nas_expression_at(&e, x, e.first, slope, NULL);
}

static void compute_what_is_written(void **state) {
  (void)state;
  double slope;
  assert_close(at("1 + 2*x^2 - x/4", 3, &slope), 18.25, 1e-15);
  assert_close(slope, 11.75, 1e-15);
  assert_close(at("-x^2", 3, &slope), -9, 1e-15);
}

static void derivatives_are_those_of_differences(void **state) {
  (void)state;
  int n = 0;
  for (const nas_activation *a = nas_activations(); a->name; a++, n++) {
    nas_expression e;
    assert_ok(nas_expression_parse(a->expression, &e, nas_test_err()));
    for (double x = -3.137; x < 4; x += 0.511) {
      double slope, ignored, by[NAS_EXPRESSION_SCALARS_MAX], h = 1e-6;
      nas_expression_at(&e, x, e.first, &slope, by);
      double up = nas_expression_at(&e, x + h, e.first, &ignored, NULL);
      double down = nas_expression_at(&e, x - h, e.first, &ignored, NULL);
      if (!(fabs((up - down) / (2 * h) - slope) <= 1e-6 * fmax(1, fabs(slope))))
        fail_msg("%s at %g: slope %g, differences %g", a->name, x, slope, (up - down) / (2 * h));
      for (int32_t k = 0; k < e.n_scalars; k++) {
        double moved[NAS_EXPRESSION_SCALARS_MAX];
        memcpy(moved, e.first, sizeof moved);
        moved[k] += h;
        up = nas_expression_at(&e, x, moved, &ignored, NULL);
        moved[k] -= 2 * h;
        down = nas_expression_at(&e, x, moved, &ignored, NULL);
        if (!(fabs((up - down) / (2 * h) - by[k]) <= 1e-6 * fmax(1, fabs(by[k]))))
          fail_msg("%s at %g: slope by %s %g, differences %g", a->name, x, e.scalars[k], by[k], (up - down) / (2 * h));
      }
    }
  }
  assert_true(n >= 40);
}

/* Far out nothing is NaN, and what is written unsafely is computed safely. */
static void are_safe_far_out(void **state) {
  (void)state;
  double slope;
  for (const nas_activation *a = nas_activations(); a->name; a++)
    for (double x = -1e4; x <= 1e4; x += 2500) {
      double y = at(a->expression, x, &slope);
      if (!isfinite(y) || !isfinite(slope)) fail_msg("%s at %g: value %g, slope %g", a->name, x, y, slope);
    }
  assert_close(at("log(1+exp(x))", 1000, &slope), 1000, 1e-15);
  assert_close(at("log(exp(x)+1)", -50, &slope), exp(-50), 1e-15);
  assert_close(at("exp(x)-1", 1e-12, &slope), 1e-12 + 5e-25, 1e-15);
  assert_close(at("log(1+x)", 1e-14, &slope), 1e-14, 1e-13);
  assert_close(at("1/(1+exp(-x))", -1000, &slope), 0, 1e-15);
}

static void refused(const char *text, nas_status code, int column, const char *part) {
  nas_expression e;
  char where[32];
  snprintf(where, sizeof where, "activation:%d", column);
  assert_fails(nas_expression_parse(text, &e, nas_test_err()), code, part);
  if (strcmp(nas_test_err()->where, where) != 0)
    fail_msg("'%s': reported at %s, not %s", text, nas_test_err()->where, where);
}

static void errors_show_the_column(void **state) {
  (void)state;
  refused("x*tahn(x)", NAS_E_UNKNOWN_NAME, 3, "did you mean 'tanh'");
  refused("x*(1+x", NAS_E_BAD_INPUT, 3, "never closed");
  refused("x+1)", NAS_E_BAD_INPUT, 4, "never opened");
  refused("x*foo", NAS_E_UNKNOWN_NAME, 3, "unknown name 'foo'");
  refused("x + ", NAS_E_BAD_INPUT, 5, "too soon");
  refused("", NAS_E_BAD_INPUT, 1, "too soon");
  refused("a*b", NAS_E_BAD_INPUT, 1, "does not contain x");
  refused("x x", NAS_E_BAD_INPUT, 3, "operator");
  refused("max(x)", NAS_E_BAD_INPUT, 6, "comma");
  refused("x; a=", NAS_E_BAD_INPUT, 6, "not a number");
  refused("x; a", NAS_E_BAD_INPUT, 5, "'='");
  refused("2^x", NAS_E_BAD_INPUT, 2, "exponent");
  char deep[400] = "";
  memset(deep, '(', 300);
  refused(deep, NAS_E_BAD_INPUT, 41, "too deep");
  const char *text;
  assert_fails(nas_activation_expression("mich", &text, nas_test_err()), NAS_E_UNKNOWN_NAME, "did you mean 'mish'");
}

NAS_SUITE(Expression, NAS_CASE(compute_what_is_written), NAS_CASE(derivatives_are_those_of_differences),
          NAS_CASE(are_safe_far_out), NAS_CASE(errors_show_the_column))
