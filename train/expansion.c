#ifdef REAL
static const REAL *FN(slot)(const nas_call *c, int slot) { return slot < 0 ? NULL : c->param[slot]; }

void FN(nas_expansion_forward)(const nas_call *c) {
  const nas_expansion *e = c->prepared;
  const nas_expansion_kind *kind = e->kind;
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c;
  const REAL *u = c->x[0], *x = c->x[c->site.n_in - 1], *w = FN(slot)(c, kind->weight),
             *scale = FN(slot)(c, kind->scale);
  const REAL *base = FN(slot)(c, kind->base), *offset = FN(slot)(c, kind->offset);
  REAL *y = c->y;
  double *sums = c->scratch, phi[NAS_EXPANSION_TERMS_MAX], slope[NAS_EXPANSION_TERMS_MAX];
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t o = 0; o < out; o++) sums[o] = offset ? (double)offset[o] : 0;
    for (int64_t i = 0; i < in; i++) {
      double bent = base ? silu((double)x[r * in + i]) : 0;
      kind->basis(e->options, (double)u[r * in + i], phi, slope);
      for (int64_t o = 0; o < out; o++) {
        double inner = 0;
        for (int64_t k = 0; k < e->terms; k++) inner += (double)w[k * e->by_term + i * out + o] * phi[k];
        sums[o] += scale ? inner * (double)scale[i * out + o] : inner;
        if (base) sums[o] += bent * (double)base[i * out + o];
      }
    }
    for (int64_t o = 0; o < out; o++) y[r * out + o] = (REAL)sums[o];
  }
}

/* Everything that input i has to do with; gradients of its weights are summed over the rows in double. */
static void FN(one_input)(const nas_call *c, const nas_expansion *e, int64_t i) {
  const nas_expansion_kind *kind = e->kind;
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c, terms = e->terms;
  const REAL *u = c->x[0], *x = c->x[c->site.n_in - 1], *w = FN(slot)(c, kind->weight);
  const REAL *scale = FN(slot)(c, kind->scale);
  const REAL *base = FN(slot)(c, kind->base), *dy = c->dy, *dplus = c->dplus[0];
  REAL *du = c->dx[0], *dw = c->grad[kind->weight];
  double *sum_w = c->scratch, *sum_scale = sum_w + out * terms, *sum_base = sum_scale + out;
  double phi[NAS_EXPANSION_TERMS_MAX], slope[NAS_EXPANSION_TERMS_MAX];
  memset(sum_w, 0, (size_t)(out * (terms + 2)) * sizeof *sum_w);
  for (int64_t r = 0; r < rows; r++) {
    double at = (double)x[r * in + i], d = 0, dbase = 0, bent = silu(at);
    kind->basis(e->options, (double)u[r * in + i], phi, slope);
    for (int64_t o = 0; o < out; o++) {
      double g = (double)dy[r * out + o], inner = 0, rise = 0, s = scale ? (double)scale[i * out + o] : 1;
      for (int64_t k = 0; k < terms; k++) {
        double weight = (double)w[k * e->by_term + i * out + o];
        inner += weight * phi[k];
        rise += weight * slope[k];
        sum_w[o * terms + k] += g * s * phi[k];
      }
      sum_scale[o] += g * inner;
      sum_base[o] += g * bent;
      d += g * s * rise;
      if (base) dbase += g * (double)base[i * out + o];
    }
    if (c->site.n_in == 1) d += dbase * silu_slope(at);
    if (du) du[r * in + i] = dplus ? dplus[r * in + i] + (REAL)d : (REAL)d;
  }
  for (int64_t o = 0; o < out; o++) {
    for (int64_t k = 0; k < terms; k++) dw[k * e->by_term + i * out + o] = (REAL)sum_w[o * terms + k];
    if (kind->scale >= 0) ((REAL *)c->grad[kind->scale])[i * out + o] = (REAL)sum_scale[o];
    if (kind->base >= 0) ((REAL *)c->grad[kind->base])[i * out + o] = (REAL)sum_base[o];
  }
}

/* The silu branch of an input of its own. */
static void FN(second_input)(const nas_call *c, const nas_expansion *e) {
  int64_t rows = nas_site_rows(&c->site, 0), in = c->site.in[0].c, out = c->site.out.c;
  const REAL *x = c->x[1], *base = FN(slot)(c, e->kind->base), *dy = c->dy, *dplus = c->dplus[1];
  REAL *dx = c->dx[1];
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < in; i++) {
      double d = 0;
      for (int64_t o = 0; base && o < out; o++) d += (double)dy[r * out + o] * (double)base[i * out + o];
      d *= silu_slope((double)x[r * in + i]);
      dx[r * in + i] = dplus ? dplus[r * in + i] + (REAL)d : (REAL)d;
    }
}

void FN(nas_expansion_backward)(const nas_call *c) {
  const nas_expansion *e = c->prepared;
  int64_t rows = nas_site_rows(&c->site, 0), out = c->site.out.c;
  for (int64_t i = 0; i < c->site.in[0].c; i++) FN(one_input)(c, e, i);
  for (int64_t o = 0; e->kind->offset >= 0 && o < out; o++) {
    double sum = 0;
    for (int64_t r = 0; r < rows; r++) sum += (double)((const REAL *)c->dy)[r * out + o];
    ((REAL *)c->grad[e->kind->offset])[o] = (REAL)sum;
  }
  if (c->site.n_in == 2 && c->dx[1]) FN(second_input)(c, e);
}

int64_t FN(nas_expansion_probe)(const nas_call *c, const char *name, double *out) {
  const nas_expansion *e = c->prepared;
  int64_t n = nas_site_in(&c->site, 0);
  double phi[NAS_EXPANSION_TERMS_MAX], slope[NAS_EXPANSION_TERMS_MAX];
  if (strcmp(name, "basis") != 0) return -1;
  for (int64_t i = 0; out && i < n; i++) {
    e->kind->basis(e->options, (double)((const REAL *)c->x[0])[i], phi, slope);
    memcpy(out + i * e->terms, phi, (size_t)e->terms * sizeof *phi);
  }
  return n * e->terms;
}
#else
#include "train/expansion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double silu(double x) { return x / (1 + exp(-x)); }

static double silu_slope(double x) {
  double s = 1 / (1 + exp(-x));
  return s * (1 + x * (1 - s));
}

#define NAS_TEMPLATE "train/expansion.c"
#include "train/op_template.h"

nas_status nas_expansion_keep(nas_call *c, const nas_expansion_kind *kind, nas_err *err) {
  nas_expansion *e = c->prepared = calloc(1, sizeof *e);
  if (!e) return nas_fail_memory(err, "an operation's options");
  NAS_TRY(nas_op_options(&c->site, kind->options, e->options, "the operation", NULL, err));
  e->kind = kind;
  e->terms = kind->terms(e->options);
  e->by_term = (int64_t)c->site.in[0].c * c->site.out.c;
  return NAS_OK;
}

nas_status nas_expansion_prepare(nas_call *c, const nas_expansion_kind *kind, nas_err *err) {
  int64_t out = c->site.out.c;
  NAS_TRY(nas_expansion_keep(c, kind, err));
  c->forward_scratch = out * (int64_t)sizeof(double);
  c->backward_scratch = out * (((nas_expansion *)c->prepared)->terms + 2) * (int64_t)sizeof(double);
  return NAS_OK;
}
#endif
