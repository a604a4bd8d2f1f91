/* Regression: points drawn evenly from a box, and the value of an expression at each. It needs no file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/data/parts.h"
#include "train/expression.h"

enum { VARIABLES_MAX = NAS_EXPRESSION_SCALARS_MAX + 1 };

/* The names of an expression that were given no value are its variables, in alphabetical order. */
typedef struct variables {
  nas_expression e;
  int n, constants; /* the first scalars are constants */
  const char *name[VARIABLES_MAX];
  int scalar[VARIABLES_MAX]; /* which of the expression's; -1 for x */
  double low[VARIABLES_MAX], high[VARIABLES_MAX];
} variables;

static nas_status find_variables(const char *text, variables *v, nas_err *err) {
  const char *values = strchr(text, ';');
  nas_err own = {0};
  if (nas_expression_parse(text, &v->e, &own) != NAS_OK) { /* columns are those of the expression */
    const char *colon = strrchr(own.where, ':');
    char where[48];
    nas_text_put(where, sizeof where, "expression%s", colon ? colon : "");
    return nas_fail(err, own.code, where, "%s", own.msg);
  }
  for (; values && *values; values++) v->constants += *values == '=';
  v->name[v->n] = "x";
  v->scalar[v->n++] = -1;
  for (int k = v->constants; k < v->e.n_scalars; k++) {
    int at = v->n++;
    for (; at > 0 && strcmp(v->e.scalars[k], v->name[at - 1]) < 0; at--) {
      v->name[at] = v->name[at - 1];
      v->scalar[at] = v->scalar[at - 1];
    }
    v->name[at] = v->e.scalars[k];
    v->scalar[at] = k;
  }
  return NAS_OK;
}

/* "-1..1" for every variable or "y=0..2" for one, separated by spaces or commas; later ones win. */
static nas_status read_range(const char *word, variables *v, nas_err *err) {
  const char *equals = strchr(word, '='), *text = equals ? equals + 1 : word, *dots = strstr(text, "..");
  char first[32]; /* cut at the dots, since "-1." would read as a number */
  double low, high;
  nas_text_put(first, sizeof first, "%.*s", dots ? (int)(dots - text) : 0, text);
  if (!dots || !nas_text_real(first, &low) || !nas_text_real(dots + 2, &high) || !(low < high))
    return nas_fail(err, NAS_E_BAD_INPUT, "ranges", "'%s' is no range; write LOW..HIGH or NAME=LOW..HIGH, low first",
                    word);
  bool any = false;
  for (int i = 0; i < v->n; i++) {
    if (equals &&
        (strlen(v->name[i]) != (size_t)(equals - word) || strncmp(v->name[i], word, (size_t)(equals - word)) != 0))
      continue;
    v->low[i] = low;
    v->high[i] = high;
    any = true;
  }
  return any ? NAS_OK
             : nas_fail(err, NAS_E_UNKNOWN_NAME, "ranges", "'%s': the expression has no variable of that name", word);
}

static nas_status read_ranges(const char *text, variables *v, nas_err *err) {
  char copy[120], *rest = NULL;
  for (int i = 0; i < v->n; i++) v->low[i] = -1, v->high[i] = 1;
  nas_text_put(copy, sizeof copy, "%s", text);
  for (char *word = strtok_r(copy, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest))
    NAS_TRY(read_range(word, v, err));
  return NAS_OK;
}

static nas_status draw_points(nas_dataset *d, const variables *v, nas_err *err) {
  double scalars[NAS_EXPRESSION_SCALARS_MAX], slope;
  memcpy(scalars, v->e.first, sizeof scalars);
  for (int64_t i = 0; i < d->n; i++) {
    nas_rng r = nas_rng_make((uint64_t)d->options.generator_seed, (uint32_t)i, NAS_STREAM_POINTS);
    double *at = d->values + i * v->n, x = 0;
    for (int k = 0; k < v->n; k++) {
      at[k] = v->low[k] + (v->high[k] - v->low[k]) * nas_rng_unit(r, (uint64_t)k);
      if (v->scalar[k] < 0) x = at[k];
      else scalars[v->scalar[k]] = at[k];
    }
    d->targets[i] = nas_expression_at(&v->e, x, scalars, &slope, NULL);
    if (!isfinite(d->targets[i]))
      return nas_fail(err, NAS_E_BAD_INPUT, "expression", "%s is %g at %s = %g; take other ranges",
                      d->options.expression, d->targets[i], v->name[0], at[0]);
    if (d->options.noise > 0) d->targets[i] += d->options.noise * nas_rng_normal(r, VARIABLES_MAX);
  }
  return NAS_OK;
}

static nas_status load(nas_dataset *self, const char *folder, nas_err *err) {
  (void)folder;
  const nas_dataset_options *o = &self->options;
  variables v = {0};
  NAS_TRY(find_variables(o->expression, &v, err));
  NAS_TRY(read_ranges(o->ranges, &v, err));
  self->task = (nas_task){{v.n, 1, 1}, 1};
  self->n = o->samples;
  self->first_test = self->n - self->n / 3;
  self->labels = calloc((size_t)self->n, 1);
  self->values = calloc((size_t)(self->n * v.n), sizeof *self->values);
  self->targets = calloc((size_t)self->n, sizeof *self->targets);
  if (!self->labels || !self->values || !self->targets) return nas_fail_memory(err, "the points of a data set");
  return draw_points(self, &v, err);
}

static const nas_option options[] = {
    NAS_DATASET_OPTIONS,
    NAS_OPT_TEXT(nas_dataset_options, expression, "expression", "exp(sin(pi*x)+y^2)",
                 "of x and other single letters, each a variable unless it is given a value: \"a*x; a=2\""),
    NAS_OPT_TEXT(nas_dataset_options, ranges, "ranges", "-1..1", "of all variables, or of one: \"-1..1, y=0..2\""),
    NAS_OPT_INT(nas_dataset_options, samples, "samples", "3000", 6, 1e8, "points; a third each: train, valid, test"),
    NAS_OPT_REAL(nas_dataset_options, noise, "noise", "0", 0, 1e9, "deviation of normal noise on the targets"),
    NAS_OPT_INT(nas_dataset_options, generator_seed, "generator-seed", "0", 0, 0x1p53, "seed of points and noise"),
    NAS_OPT_END};

extern const nas_dataset_type nas_dataset_function;
const nas_dataset_type nas_dataset_function = {
    .name = "function",
    .version = 1,
    .summary = "regression: values of an expression at random points, `function:EXPRESSION`; needs no file",
    .citation = "",
    .license = "Apache-2.0",
    .options = options,
    .folder = "function",
    .task = {{2, 1, 1}, 1},
    .load = load,
    .default_train = 1000,
    .default_valid = 1000,
};
