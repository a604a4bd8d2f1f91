#include "train/recipe.h"

#include <math.h>
#include <string.h>

#include "harness.h"

/* Opens a recipe with "key=value" lines as settings. */
static nas_status open_with(const char *name, const char *lines, nas_recipe *out) {
  nas_settings settings = {0};
  nas_err *err = nas_test_err();
  nas_status status = nas_settings_parse(&settings, lines, "-o", err);
  if (status == NAS_OK) status = nas_recipe_open(name, &settings, out, err);
  nas_settings_free(&settings);
  return status;
}

static void nas_bench_201_is_the_published_one(void **state) {
  (void)state;
  nas_recipe r;
  assert_ok(nas_recipe_open("nas-bench-201", NULL, &r, nas_test_err()));
  assert_string_equal(r.name, "nas-bench-201");
  assert_string_equal(r.optimiser, "sgd");
  assert_string_equal(r.schedule, "cosine");
  assert_true(r.epochs == 12 && r.batch == 256 && r.crop == 4 && r.flip && r.nesterov);
  assert_true(r.lr == 0.1 && r.momentum == 0.9 && r.weight_decay == 5e-4 && r.warmup_epochs == 0 && r.clip == 0);
}

/* lr (1 + cos(pi e / E)) / 2, the same in all steps of an epoch. */
static void cosine_falls_by_epoch(void **state) {
  (void)state;
  nas_recipe r;
  assert_ok(open_with("nas-bench-201", "epochs=4\n", &r));
  const double expected[4] = {0.1, 0.085355339059327376, 0.05, 0.014644660940672624};
  for (int e = 0; e < 4; e++)
    for (int s = 0; s < 3; s++) assert_close(nas_recipe_lr(&r, e, s, 3) * 10, expected[e] * 10, 1e-14);
  assert_ok(open_with("nas-bench-201", "epochs=2\nlr-min=0.02\n", &r));
  assert_close(nas_recipe_lr(&r, 1, 0, 1), 0.06, 1e-15);
}

static void warm_up_rises_by_step(void **state) {
  (void)state;
  nas_recipe r;
  assert_ok(open_with("nas-bench-201", "epochs=5\nwarmup-epochs=1.5\nlr=0.3\nschedule=constant\n", &r));
  assert_close(nas_recipe_lr(&r, 0, 0, 4), 0.05, 1e-15); /* a quarter epoch of one and a half */
  assert_close(nas_recipe_lr(&r, 0, 3, 4), 0.2, 1e-15);
  assert_close(nas_recipe_lr(&r, 1, 0, 4), 0.25, 1e-15);
  assert_close(nas_recipe_lr(&r, 1, 1, 4), 0.3, 1e-15);
  assert_close(nas_recipe_lr(&r, 4, 0, 4), 0.3, 1e-15);
  /* The cosine spans what is left: epoch 1 is its start, epoch 3 its middle. */
  assert_ok(open_with("nas-bench-201", "epochs=5\nwarmup-epochs=1\nlr=0.3\n", &r));
  assert_close(nas_recipe_lr(&r, 1, 0, 4), 0.3, 1e-15);
  assert_close(nas_recipe_lr(&r, 3, 0, 4), 0.15, 1e-15);
}

static void steps_fall_by_factor(void **state) {
  (void)state;
  nas_recipe r;
  assert_ok(open_with("quick", "epochs=9\nlr=1\nschedule=step\nstep-epochs=3\nstep-factor=0.5\n", &r));
  const double expected[9] = {1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25};
  for (int e = 0; e < 9; e++) assert_close(nas_recipe_lr(&r, e, 0, 7), expected[e], 1e-15);
}

static void record_reads_back(void **state) {
  (void)state;
  const char *const lines[] = {"", "optimiser=adamw\nbeta2=0.95\nlr=0.001\n", "schedule=step\nclip=1.5\n"};
  for (const nas_recipe_type *const *t = nas_recipe_types(); *t; t++)
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
      nas_recipe r, again;
      char digest[NAS_DIGEST_SIZE], digest_again[NAS_DIGEST_SIZE];
      nas_str text = {0}, text_again = {0};
      if (strstr(lines[i], "adamw") && strcmp((*t)->name, "quick") == 0) continue;
      assert_ok(open_with((*t)->name, lines[i], &r));
      assert_ok(nas_recipe_record(&r, &text, digest, nas_test_err()));
      assert_ok(open_with((*t)->name, nas_str_text(&text), &again));
      assert_ok(nas_recipe_record(&again, &text_again, digest_again, nas_test_err()));
      assert_string_equal(nas_str_text(&text), nas_str_text(&text_again));
      assert_string_equal(digest, digest_again);
      assert_null(strstr(nas_str_text(&text), r.name));
      nas_str_free(&text);
      nas_str_free(&text_again);
    }
}

static void digest_follows_what_matters(void **state) {
  (void)state;
  char base[NAS_DIGEST_SIZE], other[NAS_DIGEST_SIZE], quick[NAS_DIGEST_SIZE], copy[NAS_DIGEST_SIZE];
  nas_recipe r;
  assert_ok(nas_recipe_open("nas-bench-201", NULL, &r, nas_test_err()));
  assert_ok(nas_recipe_record(&r, NULL, base, nas_test_err()));
  r.beta1 = 0.5; /* without effect under sgd */
  assert_ok(nas_recipe_record(&r, NULL, other, nas_test_err()));
  assert_string_equal(base, other);
  r.momentum = 0.8;
  assert_ok(nas_recipe_record(&r, NULL, other, nas_test_err()));
  assert_string_not_equal(base, other);
  /* The name does not enter: one recipe dressed up as another is the other. */
  assert_ok(nas_recipe_open("quick", NULL, &r, nas_test_err()));
  assert_ok(nas_recipe_record(&r, NULL, quick, nas_test_err()));
  nas_str text = {0};
  assert_ok(nas_recipe_record(&r, &text, NULL, nas_test_err()));
  assert_ok(open_with("nas-bench-201", nas_str_text(&text), &r));
  nas_str_free(&text);
  assert_ok(nas_recipe_record(&r, NULL, copy, nas_test_err()));
  assert_string_equal(quick, copy);
}

static void refuses_bad_input(void **state) {
  (void)state;
  static const struct {
    const char *recipe, *lines;
    nas_status code;
    const char *part;
  } rows[] = {
      {"nas-bench-20", "", NAS_E_UNKNOWN_NAME, "did you mean 'nas-bench-201'"},
      {"quick", "epoch=3\n", NAS_E_UNKNOWN_NAME, "did you mean 'epochs'"},
      {"quick", "epochs=0\n", NAS_E_OUT_OF_RANGE, "1..100000"},
      {"quick", "epochs=two\n", NAS_E_BAD_INPUT, "a whole number"},
      {"quick", "lr=nan\n", NAS_E_BAD_INPUT, "a number"},
      {"quick", "lr=-1\n", NAS_E_OUT_OF_RANGE, "lr"},
      {"quick", "batch=0\n", NAS_E_OUT_OF_RANGE, "batch"},
      {"quick", "schedule=cosin\n", NAS_E_BAD_INPUT, "constant|cosine|step"},
      {"quick", "optimiser=sdg\n", NAS_E_UNKNOWN_NAME, "did you mean 'sgd'"},
      {"quick", "optimiser=sdg\n", NAS_E_UNKNOWN_NAME, "-o"},
      {"quick", "epochs=2\nwarmup-epochs=2\n", NAS_E_OUT_OF_RANGE, "warmup-epochs"},
      {"quick", "lr=0.1\nlr-min=0.2\n", NAS_E_OUT_OF_RANGE, "lr-min"},
      {"quick", "momentum=0.5\n", NAS_E_BAD_INPUT, "no effect with optimiser adamw"},
      {"nas-bench-201", "beta1=0.5\n", NAS_E_BAD_INPUT, "no effect with optimiser sgd"},
      {"nas-bench-201", "step-epochs=5\n", NAS_E_BAD_INPUT, "no effect with schedule cosine"},
      {"nas-bench-201", "schedule=constant\nlr-min=0.01\n", NAS_E_BAD_INPUT, "no effect with schedule constant"},
      {"nas-bench-201", "momentum=0\n", NAS_E_BAD_INPUT, "nesterov=false"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    nas_recipe r;
    assert_fails(open_with(rows[i].recipe, rows[i].lines, &r), rows[i].code, rows[i].part);
  }
}

NAS_SUITE(Recipe, NAS_CASE(nas_bench_201_is_the_published_one), NAS_CASE(cosine_falls_by_epoch),
          NAS_CASE(warm_up_rises_by_step), NAS_CASE(steps_fall_by_factor), NAS_CASE(record_reads_back),
          NAS_CASE(digest_follows_what_matters), NAS_CASE(refuses_bad_input))
