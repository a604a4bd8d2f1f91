#include "train/recipe.h"

#include <math.h>
#include <string.h>

#include "train/dnnl_conv.h"
#include "train/optimisers/optimiser.h"

static const nas_option options[] = {
    NAS_OPT_INT(nas_recipe, epochs, "epochs", "12", 1, 100000, "passes over the training images"),
    NAS_OPT_INT(nas_recipe, batch, "batch", "256", 1, 65536, "training images per step; the last may be smaller"),
    NAS_OPT_INT(nas_recipe, eval_batch, "eval-batch", "1000", 1, 65536, "images per evaluation pass"),
    NAS_OPT_TEXT(nas_recipe, optimiser, "optimiser", "sgd",
                 "sgd, adam (weight decay in the gradient) or adamw (decoupled)"),
    NAS_OPT_REAL(nas_recipe, lr, "lr", "0.1", 0, 1000, "learning rate at the start"),
    NAS_OPT_REAL(nas_recipe, momentum, "momentum", "0.9", 0, 0.9999, "sgd: share of the last step kept"),
    NAS_OPT_FLAG(nas_recipe, nesterov, "nesterov", "true", "sgd: Nesterov's form of momentum"),
    NAS_OPT_REAL(nas_recipe, beta1, "beta1", "0.9", 0, 0.999999, "adam, adamw: decay of the mean gradient"),
    NAS_OPT_REAL(nas_recipe, beta2, "beta2", "0.999", 0, 0.999999, "adam, adamw: decay of the mean squared gradient"),
    NAS_OPT_REAL(nas_recipe, epsilon, "epsilon", "1e-08", 1e-30, 1,
                 "adam, adamw: added to the root of the mean square"),
    NAS_OPT_REAL(nas_recipe, weight_decay, "weight-decay", "0.0005", 0, 10, "weight decay of the optimiser"),
    NAS_OPT_CHOICE(nas_recipe, schedule, "schedule", "cosine", "constant|cosine|step",
                   "how the learning rate falls, epoch by epoch"),
    NAS_OPT_REAL(nas_recipe, warmup_epochs, "warmup-epochs", "0", 0, 100000, "linear rise of the rate, step by step"),
    NAS_OPT_REAL(nas_recipe, lr_min, "lr-min", "0", 0, 1000, "cosine: the rate that the schedule falls to"),
    NAS_OPT_INT(nas_recipe, step_epochs, "step-epochs", "30", 1, 100000, "step: epochs between two falls"),
    NAS_OPT_REAL(nas_recipe, step_factor, "step-factor", "0.1", 0, 1, "step: what the rate is multiplied by"),
    NAS_OPT_FLAG(nas_recipe, flip, "flip", "true", "mirror training images left-right at random"),
    NAS_OPT_INT(nas_recipe, crop, "crop", "4", 0, 64, "pixels of padding before a random crop; 0 = none"),
    NAS_OPT_REAL(nas_recipe, label_smoothing, "label-smoothing", "0", 0, 0.99,
                 "share of the target spread evenly over all classes"),
    NAS_OPT_CHOICE(nas_recipe, precision, "precision", "f32", "f32|bf16",
                   "what convolutions multiply in training; bf16 needs a CPU that does"),
    NAS_OPT_REAL(nas_recipe, clip, "clip", "0", 0, 1e9, "largest norm of the gradient; 0 = unlimited"),
    NAS_OPT_CHOICE(nas_recipe, loss, "loss", "auto", "auto|cross-entropy|squared",
                   "auto: cross-entropy for classes, squared error for real targets"),
    NAS_OPT_END};

const nas_option *nas_recipe_options(void) { return options; }

#define NAS_RECIPE(id, name, version, summary, citation, settings) \
  static const nas_recipe_type type_##id = {name, version, summary, citation, settings};
#include "train/recipes.def"
#undef NAS_RECIPE

static const nas_recipe_type *const types[] = {
#define NAS_RECIPE(id, name, version, summary, citation, settings) &type_##id,
#include "train/recipes.def"
#undef NAS_RECIPE
    NULL};

const nas_recipe_type *const *nas_recipe_types(void) { return types; }

nas_status nas_recipe_find(const char *name, const nas_recipe_type **out, nas_err *err) {
  nas_guess guess = nas_guess_for(name);
  for (const nas_recipe_type *const *t = types; *t; t++) {
    if (strcmp((*t)->name, name) == 0) {
      *out = *t;
      return NAS_OK;
    }
    nas_guess_add(&guess, (*t)->name);
  }
  nas_str known = {0};
  for (const nas_recipe_type *const *t = types; *t; t++)
    nas_str_fmt(&known, "%s%s", t == types ? "" : ", ", (*t)->name);
  nas_status status = nas_fail(err, NAS_E_UNKNOWN_NAME, "recipe", "no recipe is called '%s'%s (known: %s)", name,
                               nas_guess_text(&guess), nas_str_text(&known));
  nas_str_free(&known);
  return status;
}

/* ---- schedules ---- */

/* A schedule gives the learning rate of an epoch counted from the end of the warm-up, and reads some options that no
 * other schedule does. */
typedef struct schedule {
  const char *name;
  const char *const *uses;
  double (*rate)(const nas_recipe *r, double epoch);
} schedule;

static double constant_rate(const nas_recipe *r, double epoch) {
  (void)epoch;
  return r->lr;
}

static double cosine_rate(const nas_recipe *r, double epoch) {
  double span = (double)r->epochs - r->warmup_epochs;
  return r->lr_min + (r->lr - r->lr_min) * 0.5 * (1 + cos(3.14159265358979323846 * epoch / span));
}

static double step_rate(const nas_recipe *r, double epoch) {
  return r->lr * pow(r->step_factor, floor(epoch / (double)r->step_epochs));
}

static const char *const no_options[] = {NULL};
static const char *const cosine_options[] = {"lr-min", NULL};
static const char *const step_options[] = {"step-epochs", "step-factor", NULL};
static const schedule schedules[] = {{"constant", no_options, constant_rate},
                                     {"cosine", cosine_options, cosine_rate},
                                     {"step", step_options, step_rate}};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

static const schedule *schedule_of(const nas_recipe *r) {
  for (int i = 0; i < SCHEDULES; i++)
    if (strcmp(schedules[i].name, r->schedule) == 0) return &schedules[i];
  return &schedules[0];
}

double nas_recipe_lr(const nas_recipe *r, int64_t epoch, int64_t step, int64_t steps) {
  double now = (double)epoch + (double)(step + 1) / (double)steps;
  if (now < r->warmup_epochs) return r->lr * now / r->warmup_epochs;
  return schedule_of(r)->rate(r, fmax((double)epoch - r->warmup_epochs, 0));
}

/* ---- which options have an effect ---- */

static bool is_in(const char *const *names, const char *name) {
  for (; *names; names++)
    if (strcmp(*names, name) == 0) return true;
  return false;
}

/* True when the option acts in this recipe; else *with and *chosen say which choice leaves it without effect. */
static bool has_effect(const nas_recipe *r, const char *option, const char **with, const char **chosen) {
  bool of_optimiser = false, used = false;
  for (const nas_optimiser_type *const *t = nas_optimiser_types(); *t; t++)
    if (is_in((*t)->uses, option)) {
      of_optimiser = true;
      used = used || strcmp((*t)->name, r->optimiser) == 0;
    }
  if (of_optimiser && !used) {
    *with = "optimiser";
    *chosen = r->optimiser;
    return false;
  }
  for (int i = 0; i < SCHEDULES; i++)
    if (is_in(schedules[i].uses, option) && &schedules[i] != schedule_of(r)) {
      *with = "schedule";
      *chosen = r->schedule;
      return false;
    }
  return true;
}

static nas_status check_effects(const nas_recipe *r, const nas_settings *settings, nas_err *err) {
  for (size_t i = 0; settings && i < settings->n; i++) {
    const char *with = NULL, *chosen = NULL;
    if (!has_effect(r, settings->rows[i].key, &with, &chosen))
      return nas_fail(err, NAS_E_BAD_INPUT, settings->rows[i].where,
                      "%s has no effect with %s %s; leave it out or choose another %s", settings->rows[i].key, with,
                      chosen, with);
  }
  return NAS_OK;
}

static nas_status check_together(const nas_recipe *r, nas_err *err) {
  if (r->warmup_epochs >= (double)r->epochs)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "recipe", "warmup-epochs is %g; it must be below epochs, which is %lld",
                    r->warmup_epochs, (long long)r->epochs);
  if (strcmp(r->schedule, "cosine") == 0 && r->lr_min > r->lr)
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "recipe", "lr-min is %g; it must not be above lr, which is %g", r->lr_min,
                    r->lr);
  if (strcmp(r->optimiser, "sgd") == 0 && r->nesterov && r->momentum == 0)
    return nas_fail(err, NAS_E_BAD_INPUT, "recipe", "nesterov needs a momentum above 0; set nesterov=false");
  if (strcmp(r->loss, "squared") == 0 && r->label_smoothing > 0)
    return nas_fail(err, NAS_E_BAD_INPUT, "recipe", "label-smoothing has no effect with loss squared; leave it out");
  if (strcmp(r->precision, "bf16") == 0 && !nas_conv_has_bf16())
    return nas_fail(err, NAS_E_UNSUPPORTED, "recipe",
                    "precision is bf16, which this CPU does not multiply itself; set precision=f32");
  return NAS_OK;
}

/* The error points at the place where the name was written. */
static nas_status find_optimiser(const nas_recipe *r, const nas_settings *settings, nas_err *err) {
  const nas_optimiser_type *type;
  nas_err own;
  nas_status status = nas_optimiser_find(r->optimiser, &type, &own);
  const char *where = own.where;
  if (status == NAS_OK) return NAS_OK;
  for (size_t i = 0; settings && i < settings->n; i++)
    if (strcmp(settings->rows[i].key, "optimiser") == 0) where = settings->rows[i].where;
  return nas_fail(err, status, where, "%s", own.msg);
}

nas_status nas_recipe_open(const char *name, const nas_settings *settings, nas_recipe *out, nas_err *err) {
  const nas_recipe_type *type;
  nas_settings base = {0};
  char owner[48];
  *out = (nas_recipe){0};
  NAS_TRY(nas_recipe_find(name, &type, err));
  nas_text_put(out->name, sizeof out->name, "%s", type->name);
  nas_text_put(owner, sizeof owner, "recipe %s", type->name);
  nas_status status = nas_settings_parse(&base, type->settings, owner, err);
  if (status == NAS_OK) status = nas_options_fill(options, out, owner, &base, err);
  nas_settings_free(&base);
  for (size_t i = 0; settings && i < settings->n && status == NAS_OK; i++) {
    const nas_setting *s = &settings->rows[i];
    status = nas_options_set(options, out, owner, s->key, s->value, s->where, err);
  }
  if (status == NAS_OK) status = find_optimiser(out, settings, err);
  if (status == NAS_OK) status = check_effects(out, settings, err);
  if (status == NAS_OK) status = check_together(out, err);
  return status;
}

nas_status nas_recipe_record(const nas_recipe *r, nas_str *out, char digest[NAS_DIGEST_SIZE], nas_err *err) {
  nas_str text = {0};
  for (const nas_option *o = options; o->name; o++) {
    const char *with, *chosen;
    if (!has_effect(r, o->name, &with, &chosen)) continue;
    if (o->offset == offsetof(nas_recipe, loss) && strcmp(r->loss, "auto") == 0) continue; /* says nothing */
    nas_str_fmt(&text, "%s=", o->name);
    nas_option_format(o, r, &text);
    nas_str_add(&text, "\n");
  }
  nas_status status = nas_str_check(&text, err);
  if (status == NAS_OK) {
    if (out) nas_str_add(out, nas_str_text(&text));
    if (digest) nas_digest(text.s, text.len, digest);
    if (out) status = nas_str_check(out, err);
  }
  nas_str_free(&text);
  return status;
}
