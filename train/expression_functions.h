#ifndef NAS_TRAIN_EXPRESSION_FUNCTIONS_H
#define NAS_TRAIN_EXPRESSION_FUNCTIONS_H
/* The functions of expressions with their derivatives; finite wherever the mathematics is. Included by expression.c. */
#include <math.h>

#include "train/expression.h"

#define ONE(name, value_, slope_)                                                       \
  static double name##_value(double a, double b) {                                      \
    (void)b;                                                                            \
    return value_;                                                                      \
  }                                                                                     \
  static void name##_slopes(double a, double b, double y, double *by_a, double *by_b) { \
    (void)a, (void)b, (void)y, (void)by_b;                                              \
    *by_a = slope_;                                                                     \
  }

static double logistic(double a) { return 1 / (1 + exp(-a)); }

ONE(exp, exp(a), y)
ONE(expm1, expm1(a), y + 1)
ONE(log, log(a), 1 / a)
ONE(log1p, log1p(a), 1 / (1 + a))
ONE(sqrt, sqrt(a), y > 0 ? 0.5 / y : 0)
ONE(abs, fabs(a), (double)(a > 0) - (double)(a < 0))
ONE(sign, (double)(a > 0) - (double)(a < 0), 0)
ONE(step, (double)(a > 0), 0)
ONE(relu, a > 0 ? a : 0, (double)(a > 0))
ONE(tanh, tanh(a), 1 - y * y)
ONE(sinh, sinh(a), cosh(a))
ONE(cosh, cosh(a), sinh(a))
ONE(asinh, asinh(a), 1 / sqrt(1 + a * a))
ONE(sin, sin(a), cos(a))
ONE(cos, cos(a), -sin(a))
ONE(atan, atan(a), 1 / (1 + a * a))
ONE(j0, j0(a), -j1(a))
ONE(erf, erf(a), 1.1283791670955126 * exp(-a * a))
ONE(sigmoid, logistic(a), y *(1 - y))
ONE(softplus, fmax(a, 0) + log1p(exp(-fabs(a))), logistic(a))
ONE(softsign, a / (1 + fabs(a)), 1 / ((1 + fabs(a)) * (1 + fabs(a))))
ONE(sinc, a == 0 ? 1 : sin(a) / a, a == 0 ? 0 : (cos(a) - y) / a)

static double max_value(double a, double b) { return a > b ? a : b; }
static void max_slopes(double a, double b, double y, double *by_a, double *by_b) {
  (void)y;
  *by_a = a > b ? 1 : 0;
  *by_b = a > b ? 0 : 1;
}

static double min_value(double a, double b) { return a < b ? a : b; }
static void min_slopes(double a, double b, double y, double *by_a, double *by_b) {
  (void)y;
  *by_a = a < b ? 1 : 0;
  *by_b = a < b ? 0 : 1;
}

#define ROW(name, arguments) {#name, arguments, name##_value, name##_slopes},
static const nas_expression_function functions[] = {NAS_EXPRESSION_CALLS(ROW){NULL, 0, NULL, NULL}};
#undef ONE
#undef ROW
#endif
