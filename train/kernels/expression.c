/* Elementwise expressions, sixteen numbers at a time through all nodes, so that no intermediate leaves the first
 * cache; transcendental functions through SLEEF. */
#include "train/expression.h"

#include <math.h>

#include "train/kernels/neurons.h"
#include "train/kernels/sleef_vector.h"
#include "train/kernels/vector_math.h"

DEFINE_EACH(exp)
DEFINE_EACH(expm1)
DEFINE_EACH(log)
DEFINE_EACH(log1p)
DEFINE_EACH(tanh)
DEFINE_EACH(sinh)
DEFINE_EACH(cosh)
DEFINE_EACH(asinh)
DEFINE_EACH(sin)
DEFINE_EACH(cos)
DEFINE_EACH(atan)
DEFINE_EACH(erf)
DEFINE_EACH2(pow)

INLINE v16 where(i16 mask, v16 yes, v16 no) { return (v16)(((i16)yes & mask) | ((i16)no & ~mask)); }
INLINE v16 one_where(i16 mask) { return (v16)((i16)splat(1) & mask); }
INLINE v16 root(v16 x) {
  for (int i = 0; i < 16; i++) x[i] = sqrtf(x[i]);
  return x;
}
INLINE v16 gate(v16 a) { return 1 / (1 + EACH(exp, -a)); }
INLINE v16 sign(v16 a) { return one_where(a > 0) - one_where(a < 0); }

/* Bessel functions, one by one: of functions to fit, not of activations. */
INLINE v16 bessel(v16 a, double (*of)(double)) {
  for (int i = 0; i < 16; i++) a[i] = (float)of((double)a[i]);
  return a;
}

/* a^b; whole exponents that expressions are full of by multiplication. */
INLINE v16 power(const nas_expression_node *b, v16 a, v16 exponent) {
  if (b->kind == NAS_NUMBER && b->number == 2) return a * a;
  if (b->kind == NAS_NUMBER && b->number == 3) return a * a * a;
  if (b->kind == NAS_NUMBER && b->number == 1) return a;
  if (b->kind == NAS_NUMBER && b->number == 0) return splat(1);
  return EACH2(pow, a, exponent);
}

static v16 call(int32_t which, v16 a, v16 b) {
  switch ((nas_expression_call)which) {
    case NAS_CALL_exp: return EACH(exp, a);
    case NAS_CALL_expm1: return EACH(expm1, a);
    case NAS_CALL_log: return EACH(log, a);
    case NAS_CALL_log1p: return EACH(log1p, a);
    case NAS_CALL_sqrt: return root(a);
    case NAS_CALL_abs: return magnitude(a);
    case NAS_CALL_sign: return sign(a);
    case NAS_CALL_step: return one_where(a > 0);
    case NAS_CALL_relu: return select_positive(a, a);
    case NAS_CALL_tanh: return EACH(tanh, a);
    case NAS_CALL_sinh: return EACH(sinh, a);
    case NAS_CALL_cosh: return EACH(cosh, a);
    case NAS_CALL_asinh: return EACH(asinh, a);
    case NAS_CALL_sin: return EACH(sin, a);
    case NAS_CALL_cos: return EACH(cos, a);
    case NAS_CALL_atan: return EACH(atan, a);
    case NAS_CALL_erf: return EACH(erf, a);
    case NAS_CALL_sigmoid: return gate(a);
    case NAS_CALL_softplus: return select_positive(a, a) + EACH(log1p, EACH(exp, -magnitude(a)));
    case NAS_CALL_softsign: return a / (1 + magnitude(a));
    case NAS_CALL_sinc: return where(a == 0, splat(1), EACH(sin, a) / a);
    case NAS_CALL_j0: return bessel(a, j0);
    case NAS_CALL_max: return where(a > b, a, b);
    case NAS_CALL_min: return where(a < b, a, b);
    case NAS_CALLS: break;
  }
  return splat(NAN);
}

/* The derivatives of a function by its arguments; y is its value. */
static void slopes(int32_t which, v16 a, v16 b, v16 y, v16 *by_a, v16 *by_b) {
  switch ((nas_expression_call)which) {
    case NAS_CALL_exp: *by_a = y; break;
    case NAS_CALL_expm1: *by_a = y + 1; break;
    case NAS_CALL_log: *by_a = 1 / a; break;
    case NAS_CALL_log1p: *by_a = 1 / (1 + a); break;
    case NAS_CALL_sqrt: *by_a = where(y > 0, 0.5F / y, splat(0)); break;
    case NAS_CALL_abs: *by_a = sign(a); break;
    case NAS_CALL_sign:
    case NAS_CALL_step: break;
    case NAS_CALL_relu: *by_a = one_where(a > 0); break;
    case NAS_CALL_tanh: *by_a = 1 - y * y; break;
    case NAS_CALL_sinh: *by_a = EACH(cosh, a); break;
    case NAS_CALL_cosh: *by_a = EACH(sinh, a); break;
    case NAS_CALL_asinh: *by_a = 1 / root(1 + a * a); break;
    case NAS_CALL_sin: *by_a = EACH(cos, a); break;
    case NAS_CALL_cos: *by_a = -EACH(sin, a); break;
    case NAS_CALL_atan: *by_a = 1 / (1 + a * a); break;
    case NAS_CALL_erf: *by_a = 1.12837917F * EACH(exp, -a * a); break;
    case NAS_CALL_sigmoid: *by_a = y * (1 - y); break;
    case NAS_CALL_softplus: *by_a = gate(a); break;
    case NAS_CALL_softsign: *by_a = 1 / ((1 + magnitude(a)) * (1 + magnitude(a))); break;
    case NAS_CALL_sinc: *by_a = where(a == 0, splat(0), (EACH(cos, a) - y) / a); break;
    case NAS_CALL_j0: *by_a = -bessel(a, j1); break;
    case NAS_CALL_max:
      *by_a = one_where(a > b);
      *by_b = 1 - *by_a;
      break;
    case NAS_CALL_min:
      *by_a = one_where(a < b);
      *by_b = 1 - *by_a;
      break;
    case NAS_CALLS: break;
  }
}

INLINE void compute(const nas_expression *e, const float *scalars, v16 x, v16 *v) {
  for (int32_t i = 0; i < e->n; i++) {
    const nas_expression_node *n = &e->nodes[i];
    v16 a = i ? v[n->a] : x, b = i ? v[n->b] : x;
    switch (n->kind) {
      case NAS_X: v[i] = x; break;
      case NAS_NUMBER: v[i] = splat((float)n->number); break;
      case NAS_SCALAR: v[i] = splat(scalars[n->which]); break;
      case NAS_ADD: v[i] = a + b; break;
      case NAS_SUBTRACT: v[i] = a - b; break;
      case NAS_MULTIPLY: v[i] = a * b; break;
      case NAS_DIVIDE: v[i] = a / b; break;
      case NAS_POWER: v[i] = power(&e->nodes[n->b], a, b); break;
      case NAS_NEGATE: v[i] = -a; break;
      case NAS_FUNCTION: v[i] = call(n->which, a, b); break;
    }
  }
}

INLINE void differentiate(const nas_expression *e, const nas_expression_node *n, const v16 *v, v16 y, v16 *by_a,
                          v16 *by_b) {
  v16 a = v[n->a], b = v[n->b];
  *by_a = *by_b = splat(0);
  switch (n->kind) {
    case NAS_ADD: *by_a = *by_b = splat(1); break;
    case NAS_SUBTRACT:
      *by_a = splat(1);
      *by_b = splat(-1);
      break;
    case NAS_MULTIPLY:
      *by_a = b;
      *by_b = a;
      break;
    case NAS_DIVIDE:
      *by_a = 1 / b;
      *by_b = -y / b;
      break;
    case NAS_POWER: {
      const nas_expression_node *exponent = &e->nodes[n->b],
                                less = {.kind = exponent->kind, .number = exponent->number - 1};
      *by_a = where(b == 0, splat(0), b * power(&less, a, b - 1));
      if (exponent->kind != NAS_NUMBER) *by_b = where(a > 0, y * EACH(log, a), splat(0));
      break;
    }
    case NAS_NEGATE: *by_a = splat(-1); break;
    case NAS_FUNCTION: slopes(n->which, a, b, y, by_a, by_b); break;
    case NAS_X:
    case NAS_NUMBER:
    case NAS_SCALAR: break;
  }
}

/* g by, and zero where either is, even where the other is infinite. */
INLINE v16 flow(v16 g, v16 by) { return where((g == 0) | (by == 0), splat(0), g * by); }

void NAS_PER_ISA(expression)(const nas_expression *e, const float *scalars, const float *x, float *y, int64_t n) {
  v16 v[NAS_EXPRESSION_NODES_MAX];
  for (int64_t i = 0; i < n; i += 16) {
    compute(e, scalars, load_upto(x + i, n - i), v);
    store_upto(y + i, v[e->n - 1], n - i);
  }
}

void NAS_PER_ISA(expression_gradient)(const nas_expression *e, const float *scalars, const float *x, const float *dy,
                                      const float *plus, float *dx, double *by_scalar, int64_t n) {
  v16 v[NAS_EXPRESSION_NODES_MAX], g[NAS_EXPRESSION_NODES_MAX];
  for (int64_t i = 0; i < n; i += 16) {
    v16 slope = {0}, back = load_upto(dy + i, n - i);
    compute(e, scalars, load_upto(x + i, n - i), v);
    for (int32_t k = 0; k < e->n; k++) g[k] = splat(0);
    g[e->n - 1] = splat(1);
    for (int32_t k = e->n; k-- > 0;) {
      const nas_expression_node *node = &e->nodes[k];
      if (node->kind == NAS_NUMBER) continue;
      if (node->kind == NAS_X) slope += g[k];
      if (node->kind == NAS_SCALAR) by_scalar[node->which] += (double)sum_of(flow(g[k], back));
      if (node->kind == NAS_X || node->kind == NAS_SCALAR) continue;
      v16 by_a, by_b;
      differentiate(e, node, v, v[k], &by_a, &by_b);
      g[node->a] += flow(g[k], by_a);
      g[node->b] += flow(g[k], by_b);
    }
    if (dx) store_upto(dx + i, plus ? load_upto(plus + i, n - i) + back * slope : back * slope, n - i);
  }
}
