#include "train/expression.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "train/expression_functions.h"

/* ---- reading ---- */

typedef struct reader {
  const char *text, *at;
  nas_expression *e;
  nas_err *err;
  int depth;
} reader;

enum { DEPTH_MAX = 80 }; /* two for each parenthesis */

static nas_status fail(const reader *r, const char *at, nas_status code, const char *what, const char *guess) {
  char where[32];
  nas_text_put(where, sizeof where, "activation:%d", (int)(at - r->text) + 1);
  return nas_fail(r->err, code, where, "%s%s", what, guess);
}

static void skip(reader *r) { r->at += strspn(r->at, " \t"); }

static bool take(reader *r, char c) {
  skip(r);
  if (*r->at != c) return false;
  r->at++;
  return true;
}

/* Adds a node unless the same one is there. */
static nas_status put(reader *r, nas_expression_node node, int32_t *out) {
  nas_expression *e = r->e;
  for (*out = 0; *out < e->n; (*out)++) {
    const nas_expression_node *o = &e->nodes[*out];
    if (o->kind == node.kind && o->a == node.a && o->b == node.b && o->which == node.which &&
        !memcmp(&o->number, &node.number, sizeof node.number))
      return NAS_OK;
  }
  if (e->n == NAS_EXPRESSION_NODES_MAX)
    return fail(r, r->at, NAS_E_BAD_INPUT, "the expression is too long from here on", "");
  e->nodes[e->n++] = node;
  return NAS_OK;
}

static bool is_number(const reader *r, int32_t v, double number) {
  return r->e->nodes[v].kind == NAS_NUMBER && r->e->nodes[v].number == number;
}

static bool calls(const reader *r, int32_t v, const char *function, int32_t *argument) {
  const nas_expression_node *n = &r->e->nodes[v];
  if (n->kind != NAS_FUNCTION || strcmp(functions[n->which].name, function) != 0) return false;
  *argument = n->a;
  return true;
}

/* 1 + u in either order: gives u. */
static bool one_plus(const reader *r, int32_t v, int32_t *u) {
  const nas_expression_node *n = &r->e->nodes[v];
  if (n->kind != NAS_ADD) return false;
  *u = is_number(r, n->a, 1) ? n->b : n->a;
  return is_number(r, n->a, 1) || is_number(r, n->b, 1);
}

static nas_status put_call(reader *r, const char *name, int32_t a, int32_t b, int32_t *out) {
  int32_t which = 0, u, inner;
  while (strcmp(functions[which].name, name) != 0) which++;
  if (!strcmp(name, "log") && one_plus(r, a, &u)) {
    if (calls(r, u, "exp", &inner)) return put_call(r, "softplus", inner, 0, out);
    return put_call(r, "log1p", u, 0, out);
  }
  if (!strcmp(name, "log1p") && calls(r, a, "exp", &inner)) return put_call(r, "softplus", inner, 0, out);
  return put(r, (nas_expression_node){.kind = NAS_FUNCTION, .a = a, .b = b, .which = which}, out);
}

static nas_status put_operation(reader *r, nas_expression_kind kind, int32_t a, int32_t b, int32_t *out) {
  int32_t u, inner;
  if (kind == NAS_SUBTRACT && is_number(r, b, 1) && calls(r, a, "exp", &inner))
    return put_call(r, "expm1", inner, 0, out);
  if (kind == NAS_DIVIDE && is_number(r, a, 1) && one_plus(r, b, &u) && calls(r, u, "exp", &inner) &&
      r->e->nodes[inner].kind == NAS_NEGATE)
    return put_call(r, "sigmoid", r->e->nodes[inner].a, 0, out);
  return put(r, (nas_expression_node){.kind = kind, .a = a, .b = b}, out);
}

static nas_status read_sum(reader *r, int32_t *out);

static size_t name_length(const char *at) {
  size_t n = 0;
  while (isalnum((unsigned char)at[n]) || at[n] == '_') n++;
  return n;
}

static nas_status read_call(reader *r, const char *begin, const char *name, int32_t *out) {
  int32_t which = 0, arguments[2] = {0, 0};
  while (functions[which].name && strcmp(functions[which].name, name) != 0) which++;
  if (!functions[which].name) {
    nas_guess guess = nas_guess_for(name);
    for (int32_t f = 0; functions[f].name; f++) nas_guess_add(&guess, functions[f].name);
    char what[64];
    nas_text_put(what, sizeof what, "no function '%s'", name);
    return fail(r, begin, NAS_E_UNKNOWN_NAME, what, nas_guess_text(&guess));
  }
  for (int i = 0; i < functions[which].arguments; i++) {
    if (i && !take(r, ',')) return fail(r, r->at, NAS_E_BAD_INPUT, "a comma and a second argument are missing", "");
    NAS_TRY(read_sum(r, &arguments[i]));
  }
  if (!take(r, ')')) return fail(r, r->at, NAS_E_BAD_INPUT, "a ')' is missing", "");
  return put_call(r, name, arguments[0], arguments[1], out);
}

static const char *const greek[] = {"alpha", "beta",  "gamma",   "delta", "epsilon", "zeta", "eta",     "theta",
                                    "iota",  "kappa", "lambda",  "mu",    "nu",      "xi",   "omicron", "rho",
                                    "sigma", "tau",   "upsilon", "phi",   "chi",     "psi",  "omega",   NULL};

static nas_status read_scalar(reader *r, const char *begin, const char *name, int32_t *out) {
  nas_expression *e = r->e;
  int32_t k = 0;
  bool known = name[1] == 0;
  while (k < e->n_scalars && strcmp(e->scalars[k], name) != 0) k++;
  for (int i = 0; greek[i]; i++) known |= !strcmp(greek[i], name);
  if (k == e->n_scalars) {
    nas_guess guess = nas_guess_for(name);
    for (int32_t f = 0; functions[f].name; f++) nas_guess_add(&guess, functions[f].name);
    for (int i = 0; greek[i]; i++) nas_guess_add(&guess, greek[i]);
    char what[120];
    nas_text_put(what, sizeof what, "unknown name '%s'%s; x is the input; give a scalar a value: \"...; %s=1\"", name,
                 nas_guess_text(&guess), name);
    if (!known) return fail(r, begin, NAS_E_UNKNOWN_NAME, what, "");
    if (k == NAS_EXPRESSION_SCALARS_MAX) return fail(r, begin, NAS_E_BAD_INPUT, "more than 8 scalars", "");
    memcpy(e->scalars[k], name, strlen(name) + 1);
    e->first[k] = 1;
    e->n_scalars++;
  }
  return put(r, (nas_expression_node){.kind = NAS_SCALAR, .which = k}, out);
}

static nas_status read_name(reader *r, int32_t *out) {
  const char *begin = r->at;
  size_t n = name_length(begin);
  char name[16];
  if (n >= sizeof name) return fail(r, begin, NAS_E_UNKNOWN_NAME, "a name longer than 15 characters", "");
  memcpy(name, begin, n);
  name[n] = 0;
  r->at += n;
  if (take(r, '(')) return read_call(r, begin, name, out);
  if (!strcmp(name, "x")) return put(r, (nas_expression_node){.kind = NAS_X}, out);
  if (!strcmp(name, "pi")) return put(r, (nas_expression_node){.kind = NAS_NUMBER, .number = 3.141592653589793}, out);
  if (!strcmp(name, "e")) return put(r, (nas_expression_node){.kind = NAS_NUMBER, .number = 2.718281828459045}, out);
  return read_scalar(r, begin, name, out);
}

static nas_status read_primary(reader *r, int32_t *out) {
  skip(r);
  if (isdigit((unsigned char)*r->at) || *r->at == '.') {
    char *end;
    double number = strtod(r->at, &end);
    if (end == r->at || !isfinite(number)) return fail(r, r->at, NAS_E_BAD_INPUT, "not a number", "");
    r->at = end;
    return put(r, (nas_expression_node){.kind = NAS_NUMBER, .number = number}, out);
  }
  if (isalpha((unsigned char)*r->at)) return read_name(r, out);
  if (!take(r, '('))
    return fail(r, r->at, NAS_E_BAD_INPUT, *r->at ? "expected a number, a name or '('" : "the expression ends too soon",
                "");
  const char *opened = r->at - 1;
  NAS_TRY(read_sum(r, out));
  return take(r, ')') ? NAS_OK : fail(r, opened, NAS_E_BAD_INPUT, "this '(' is never closed", "");
}

static bool contains_x(const nas_expression *e, int32_t v) {
  const nas_expression_node *n = &e->nodes[v];
  if (n->kind == NAS_X) return true;
  if (n->kind == NAS_NUMBER || n->kind == NAS_SCALAR) return false;
  bool two = n->kind != NAS_NEGATE && (n->kind != NAS_FUNCTION || functions[n->which].arguments == 2);
  return contains_x(e, n->a) || (two && contains_x(e, n->b));
}

static nas_status read_signed(reader *r, int32_t *out) {
  if (++r->depth > DEPTH_MAX) return fail(r, r->at, NAS_E_BAD_INPUT, "too deep", "");
  nas_status status;
  if (take(r, '-')) {
    status = read_signed(r, out);
    if (status == NAS_OK && r->e->nodes[*out].kind == NAS_NUMBER)
      status = put(r, (nas_expression_node){.kind = NAS_NUMBER, .number = -r->e->nodes[*out].number}, out);
    else if (status == NAS_OK) status = put(r, (nas_expression_node){.kind = NAS_NEGATE, .a = *out}, out);
  } else if (take(r, '+')) {
    status = read_signed(r, out);
  } else {
    status = read_primary(r, out);
    skip(r);
    const char *at = r->at;
    if (status == NAS_OK && take(r, '^')) {
      int32_t exponent;
      status = read_signed(r, &exponent);
      if (status == NAS_OK && contains_x(r->e, exponent))
        status = fail(r, at, NAS_E_BAD_INPUT, "an exponent that depends on x; write exp(... * log(...))", "");
      if (status == NAS_OK) status = put_operation(r, NAS_POWER, *out, exponent, out);
    }
  }
  r->depth--;
  return status;
}

static nas_status read_product(reader *r, int32_t *out) {
  NAS_TRY(read_signed(r, out));
  for (;;) {
    int32_t right;
    bool times = take(r, '*');
    if (!times && !take(r, '/')) return NAS_OK;
    NAS_TRY(read_signed(r, &right));
    NAS_TRY(put_operation(r, times ? NAS_MULTIPLY : NAS_DIVIDE, *out, right, out));
  }
}

static nas_status read_sum(reader *r, int32_t *out) {
  if (++r->depth > DEPTH_MAX) return fail(r, r->at, NAS_E_BAD_INPUT, "too deep", "");
  NAS_TRY(read_product(r, out));
  for (;;) {
    int32_t right;
    bool plus = take(r, '+');
    if (!plus && !take(r, '-')) break;
    NAS_TRY(read_product(r, &right));
    NAS_TRY(put_operation(r, plus ? NAS_ADD : NAS_SUBTRACT, *out, right, out));
  }
  r->depth--;
  return NAS_OK;
}

/* "; a=1, b=0.5" */
static nas_status read_values(reader *r, const char *at) {
  nas_expression *e = r->e;
  r->at = at;
  do {
    skip(r);
    const char *begin = r->at;
    size_t n = name_length(begin);
    if (!n || n >= sizeof e->scalars[0] || e->n_scalars == NAS_EXPRESSION_SCALARS_MAX)
      return fail(r, begin, NAS_E_BAD_INPUT, "expected the name of one of at most 8 scalars", "");
    memcpy(e->scalars[e->n_scalars], begin, n);
    e->scalars[e->n_scalars][n] = 0;
    r->at += n;
    if (!take(r, '=')) return fail(r, r->at, NAS_E_BAD_INPUT, "expected '=' and a number", "");
    skip(r);
    char *end;
    e->first[e->n_scalars] = strtod(r->at, &end);
    if (end == r->at || !isfinite(e->first[e->n_scalars])) return fail(r, r->at, NAS_E_BAD_INPUT, "not a number", "");
    r->at = end;
    e->n_scalars++;
  } while (take(r, ','));
  skip(r);
  return *r->at ? fail(r, r->at, NAS_E_BAD_INPUT, "expected a comma or the end", "") : NAS_OK;
}

nas_status nas_expression_parse(const char *text, nas_expression *out, nas_err *err) {
  memset(out, 0, sizeof *out);
  reader r = {text, text, out, err, 0};
  const char *values = strchr(text, ';');
  int32_t result;
  if (values) NAS_TRY(read_values(&r, values + 1));
  r.at = text;
  NAS_TRY(read_sum(&r, &result));
  skip(&r);
  if (*r.at == ')') return fail(&r, r.at, NAS_E_BAD_INPUT, "this ')' was never opened", "");
  if (*r.at && r.at != values) return fail(&r, r.at, NAS_E_BAD_INPUT, "expected an operator", "");
  if (!contains_x(out, result)) return fail(&r, text, NAS_E_BAD_INPUT, "the expression does not contain x", "");
  /* The result may be an earlier node that something shares, or leave nodes that a safer form made useless. */
  out->n = result + 1;
  return NAS_OK;
}

/* ---- computing ---- */

static double compute(const nas_expression_node *n, const double *v, double x, const double *scalars) {
  double a = v[n->a], b = v[n->b];
  switch (n->kind) {
    case NAS_X: return x;
    case NAS_NUMBER: return n->number;
    case NAS_SCALAR: return scalars[n->which];
    case NAS_ADD: return a + b;
    case NAS_SUBTRACT: return a - b;
    case NAS_MULTIPLY: return a * b;
    case NAS_DIVIDE: return a / b;
    case NAS_POWER: return pow(a, b);
    case NAS_NEGATE: return -a;
    case NAS_FUNCTION: return functions[n->which].value(a, b);
  }
  return NAN;
}

/* Derivatives of one node by its two operands. */
static void differentiate(const nas_expression_node *n, const double *v, double y, double *by_a, double *by_b) {
  double a = v[n->a], b = v[n->b];
  *by_a = *by_b = 0;
  switch (n->kind) {
    case NAS_ADD: *by_a = *by_b = 1; break;
    case NAS_SUBTRACT:
      *by_a = 1;
      *by_b = -1;
      break;
    case NAS_MULTIPLY:
      *by_a = b;
      *by_b = a;
      break;
    case NAS_DIVIDE:
      *by_a = 1 / b;
      *by_b = -y / b;
      break;
    case NAS_POWER:
      *by_a = b == 0 ? 0 : b * pow(a, b - 1);
      *by_b = a > 0 ? y * log(a) : 0;
      break;
    case NAS_NEGATE: *by_a = -1; break;
    case NAS_FUNCTION: functions[n->which].slopes(a, b, y, by_a, by_b); break;
    case NAS_X:
    case NAS_NUMBER:
    case NAS_SCALAR: break;
  }
}

double nas_expression_at(const nas_expression *e, double x, const double *scalars, double *slope, double *by_scalar) {
  double v[NAS_EXPRESSION_NODES_MAX], g[NAS_EXPRESSION_NODES_MAX] = {0};
  v[0] = 0;
  for (int32_t i = 0; i < e->n; i++) v[i] = compute(&e->nodes[i], v, x, scalars);
  *slope = 0;
  for (int32_t k = 0; by_scalar && k < e->n_scalars; k++) by_scalar[k] = 0;
  g[e->n - 1] = 1;
  for (int32_t i = e->n; i-- > 0;) {
    const nas_expression_node *n = &e->nodes[i];
    double by_a, by_b;
    if (g[i] == 0) continue; /* nothing flows here, even where the slope is infinite */
    if (n->kind == NAS_X) *slope += g[i];
    if (n->kind == NAS_SCALAR && by_scalar) by_scalar[n->which] += g[i];
    differentiate(n, v, v[i], &by_a, &by_b);
    if (by_a != 0) g[n->a] += g[i] * by_a;
    if (by_b != 0) g[n->b] += g[i] * by_b;
  }
  return v[e->n - 1];
}

const nas_expression_function *nas_expression_functions(void) { return functions; }

/* ---- published activations ---- */

static const nas_activation activations[] = {
#define NAS_ACTIVATION(name, expression, citation) {name, expression, citation},
#include "train/activations.def"
#undef NAS_ACTIVATION
    {NULL, NULL, NULL}};

const nas_activation *nas_activations(void) { return activations; }

nas_status nas_activation_expression(const char *text, const char **out, nas_err *err) {
  nas_guess guess = nas_guess_for(text);
  *out = NULL;
  for (const nas_activation *a = activations; a->name; a++) {
    if (!strcmp(a->name, text)) *out = a->expression;
    nas_guess_add(&guess, a->name);
  }
  if (*out) return NAS_OK;
  if (text[0] && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_")] && strcmp(text, "x") != 0)
    return nas_fail(err, NAS_E_UNKNOWN_NAME, "activation",
                    "no activation '%s'%s; an expression contains x, as in x*sigmoid(x)", text, nas_guess_text(&guess));
  nas_expression e;
  NAS_TRY(nas_expression_parse(text, &e, err));
  *out = text;
  return NAS_OK;
}
