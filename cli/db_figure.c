#include "cli/db_figure.h"

#include <string.h>

static nas_status read_seed(const char *text, int64_t *out, nas_err *err) {
  *out = NAS_BENCH_MEAN;
  if (strcmp(text, "mean") == 0) return NAS_OK;
  if (strcmp(text, "std") == 0) *out = NAS_BENCH_STD;
  else if (!nas_text_int(text, out) || *out < 0)
    return nas_fail(err, NAS_E_USAGE, "seed", "'%s' is no seed: a whole number, mean or std", text);
  return NAS_OK;
}

static nas_status read_part(char *part, nas_figure *out, nas_err *err) {
  static const char *const keys[] = {"dataset", "recipe", "epochs", "epoch", "seed", NULL};
  char *equals = strchr(part, '=');
  int64_t *number = NULL;
  if (equals) {
    *equals = '\0';
    const char *value = equals + 1;
    nas_guess guess = nas_guess_for(part);
    for (const char *const *k = keys; *k; k++) nas_guess_add(&guess, *k);
    if (strcmp(part, "dataset") == 0) out->where.dataset = value;
    else if (strcmp(part, "recipe") == 0) out->where.recipe = value;
    else if (strcmp(part, "seed") == 0) return read_seed(value, &out->where.seed, err);
    else if (strcmp(part, "epochs") == 0) number = &out->where.epochs;
    else if (strcmp(part, "epoch") == 0) number = &out->where.epoch;
    else return nas_fail(err, NAS_E_USAGE, out->text, "a figure has no '%s'%s", part, nas_guess_text(&guess));
    if (number && (!nas_text_int(value, number) || *number < 1))
      return nas_fail(err, NAS_E_USAGE, out->text, "%s=%s is no whole number from 1 on", part, value);
    return NAS_OK;
  }
  return nas_fail(err, NAS_E_USAGE, out->text, "'%s' is not of the form key=value; write METRIC,epochs=12,...", part);
}

nas_status nas_figure_read(const char *text, const nas_figure_defaults *d, nas_figure *out, nas_err *err) {
  *out = (nas_figure){
      .where = {
          .dataset = d->dataset, .recipe = d->recipe, .epochs = d->epochs, .epoch = d->epoch, .seed = NAS_BENCH_MEAN}};
  if (!nas_text_put(out->text, sizeof out->text, "%s", text))
    return nas_fail(err, NAS_E_USAGE, NULL, "the figure '%.40s...' is too long", text);
  memcpy(out->words, out->text, sizeof out->words);
  if (d->seed) NAS_TRY(read_seed(d->seed, &out->where.seed, err));
  char *rest = NULL;
  out->metric = strtok_r(out->words, ",", &rest);
  if (!out->metric) return nas_fail(err, NAS_E_USAGE, NULL, "name a figure, such as valid_accuracy");
  for (char *part; (part = strtok_r(NULL, ",", &rest));) NAS_TRY(read_part(part, out, err));
  return NAS_OK;
}

nas_status nas_figure_column(nas_bench *b, const nas_figure *f, const double **values, nas_err *err) {
  return nas_bench_column(b, f->metric, &f->where, values, err);
}
