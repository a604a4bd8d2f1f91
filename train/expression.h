#ifndef NAS_TRAIN_EXPRESSION_H
#define NAS_TRAIN_EXPRESSION_H
/* Elementwise functions written as a text: "(a + tanh(b*x)) * c * x; a=1, b=1, c=0.5".
 *
 * x is the input; pi and e are numbers; single letters and Greek names (alpha .. omega) are trained scalars, which
 * begin at 1 or at the value that is given after the semicolon; any other name must be given a value there. Operators +
 * - * / ^ (a power's exponent may not contain x), parentheses, and the functions of nas_expression_functions. Where a
 * safer form is known it replaces what is written: log(1 + exp(u)) becomes softplus(u), log(1 + u) log1p(u), exp(u) - 1
 * expm1(u) and 1 / (1 + exp(-u)) sigmoid(u). */
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum { NAS_EXPRESSION_NODES_MAX = 96, NAS_EXPRESSION_SCALARS_MAX = 8 };

/* The functions: F(name, arguments). */
/* clang-format off */
#define NAS_EXPRESSION_CALLS(F)                                                                                 \
  F(exp, 1) F(expm1, 1) F(log, 1) F(log1p, 1) F(sqrt, 1) F(abs, 1) F(sign, 1) F(step, 1) F(relu, 1) F(tanh, 1) \
  F(sinh, 1) F(cosh, 1) F(asinh, 1) F(sin, 1) F(cos, 1) F(atan, 1) F(erf, 1) F(sigmoid, 1) F(softplus, 1)      \
  F(softsign, 1) F(sinc, 1) F(j0, 1) F(max, 2) F(min, 2)
/* clang-format on */
#define NAS_EXPRESSION_CALL(name, arguments) NAS_CALL_##name,
typedef enum nas_expression_call { NAS_EXPRESSION_CALLS(NAS_EXPRESSION_CALL) NAS_CALLS } nas_expression_call;
#undef NAS_EXPRESSION_CALL

typedef enum nas_expression_kind {
  NAS_X,
  NAS_NUMBER,
  NAS_SCALAR,
  NAS_ADD,
  NAS_SUBTRACT,
  NAS_MULTIPLY,
  NAS_DIVIDE,
  NAS_POWER,
  NAS_NEGATE,
  NAS_FUNCTION, /* `which` is a nas_expression_call, its place in nas_expression_functions */
} nas_expression_kind;

/* Values are made from earlier ones only. */
typedef struct nas_expression_node {
  nas_expression_kind kind;
  int32_t a, b, which;
  double number;
} nas_expression_node;

typedef struct nas_expression {
  nas_expression_node nodes[NAS_EXPRESSION_NODES_MAX];
  int32_t n, n_scalars; /* the last node is the result */
  char scalars[NAS_EXPRESSION_SCALARS_MAX][16];
  double first[NAS_EXPRESSION_SCALARS_MAX]; /* where each begins */
} nas_expression;

/* Errors: BAD_INPUT, UNKNOWN_NAME with where = "activation:COLUMN" (from 1). */
nas_status nas_expression_parse(const char *text, nas_expression *out, nas_err *err);

/* The value at x, its derivative, and (unless NULL) those by each scalar. */
double nas_expression_at(const nas_expression *e, double x, const double *scalars, double *slope, double *by_scalar);

/* A function of one or two values. `slopes` gets the derivatives by both. */
typedef struct nas_expression_function {
  const char *name;
  int arguments;
  double (*value)(double a, double b);
  void (*slopes)(double a, double b, double y, double *by_a, double *by_b);
} nas_expression_function;
const nas_expression_function *nas_expression_functions(void); /* ends with a NULL name */

/* ---- published activations (train/activations.def) ---- */
typedef struct nas_activation {
  const char *name, *expression, *citation;
} nas_activation;
const nas_activation *nas_activations(void); /* ends with a NULL name */
/* The expression of that name, or `text` itself where it is an expression. UNKNOWN_NAME for a single word that is
 * neither, with the nearest name. The result is checked to be well formed. */
nas_status nas_activation_expression(const char *text, const char **out, nas_err *err);
#endif
