/* The commands train and evaluator as a user meets them. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "harness.h"

#define TRAIN                                                                                              \
  "%s train -q -d shapes -a 12382 -o channels=4 -o cells=1 -o size=12 -o dataset.classes=4 -o images=800 " \
  "-o train-images=500 -o valid-images=100 -o test-images=100 "

/* Runs `nascent train` on a small problem with further arguments; the caller frees *out. */
static int train(const char *more, char **out, char **err) {
  return nas_run(out, err, TRAIN "%s", nas_program(), more);
}

/* The call fails with this exit status and says so. */
static void assert_refuses(const char *more, int exit_status, const char *part) {
  char *out, *err;
  int code = train(more, &out, &err);
  if (code != exit_status || !strstr(err, part)) fail_msg("'%s' gave %d: %s", more, code, err);
  free(out);
  free(err);
}

static void json_has_the_documented_fields(void **state) {
  (void)state;
  static const char *const names[] = {"space", "arch",    "index",  "canonical", "class",      "dataset", "recipe",
                                      "seed",  "outcome", "params", "macs",      "peak_bytes", "seconds", "cause"};
  static const char *const figures[] = {"epoch",          "train_loss", "train_accuracy", "valid_loss",
                                        "valid_accuracy", "test_loss",  "test_accuracy",  "seconds"};
  char *out;
  json_error_t e;
  assert_int_equal(train("-o epochs=2 --json", &out, NULL), 0);
  assert_int_equal(strncmp(out, "{\"schema\": \"nascent.train\"", 26), 0);
  json_t *root = json_loads(out, 0, &e), *epochs = json_object_get(root, "epochs");
  assert_non_null(root);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) assert_non_null(json_object_get(root, names[i]));
  assert_string_equal(json_string_value(json_object_get(root, "outcome")), "ok");
  assert_int_equal(json_integer_value(json_object_get(root, "index")), 12382);
  assert_int_equal(json_array_size(epochs), 2);
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
    assert_true(json_is_number(json_object_get(json_array_get(epochs, 1), figures[i])));
  json_decref(root);
  free(out);
}

static void lists_agree_in_every_form(void **state) {
  (void)state;
  char *text, *csv, *lines;
  assert_int_equal(train("-o epochs=2", &text, NULL), 0);
  assert_int_equal(train("-o epochs=2 --csv", &csv, NULL), 0);
  assert_int_equal(train("-o epochs=2 --json-lines", &lines, NULL), 0);
  assert_int_equal(strncmp(text, "epoch  train_loss  train_accuracy", 33), 0);
  assert_int_equal(strncmp(csv, "epoch,train_loss,train_accuracy", 31), 0);
  double loss = 0, same = 0;
  char shown[32];
  assert_int_equal(sscanf(strchr(csv, '\n'), "\n1,%lf", &loss), 1);
  assert_int_equal(sscanf(lines, "{\"epoch\": 1, \"train_loss\": %lf", &same), 1);
  assert_true(loss == same);
  nas_text_put(shown, sizeof shown, "%.4f", loss);
  assert_non_null(strstr(text, shown));
  free(text);
  free(csv);
  free(lines);
}

static void bare_and_named_options_mean_the_same(void **state) {
  (void)state;
  char *bare, *named;
  assert_int_equal(train("-o epochs=1 -o batch=64 --csv | cut -d, -f1-7", &bare, NULL), 0);
  assert_int_equal(train("-o recipe.epochs=1 -o recipe.batch=64 -o space.cells=1 --csv | cut -d, -f1-7", &named, NULL),
                   0);
  assert_string_equal(bare, named);
  free(bare);
  free(named);
}

static void interrupted_it_saves_and_goes_on_to_the_same_bits(void **state) {
  (void)state;
  char more[700], *whole, *rest;
  const char *folder = nas_test_folder();
  assert_int_equal(train("-o epochs=40 -o batch=8 --csv | cut -d, -f1-7", &whole, NULL), 0);
  /* The signal is sent once epochs have been printed; 130 and 75 are the program's own statuses. A machine so fast that
   * it ends before the signal gives 0 and proves nothing, but fails nothing. */
  static const struct {
    const char *signal;
    int exit_status, lines;
  } rows[] = {{"INT", 130, 3}, {"TERM", 75, 12}};
  for (size_t i = 0; i < 2; i++) {
    char *err;
    int code = nas_run(
        NULL, &err,
        "set -m; " TRAIN
        "-o epochs=40 -o batch=8 --checkpoint %s/c > %s/out & p=$!; "
        "while kill -0 $p 2>&- && [ $(wc -l < %s/out) -lt %d ]; do sleep 0.01; done; kill -s %s $p 2>&-; wait $p",
        nas_program(), folder, folder, folder, rows[i].lines, rows[i].signal);
    assert_true(code == rows[i].exit_status || code == 0);
    if (code) assert_non_null(strstr(err, "checkpoint"));
    free(err);
  }
  nas_text_put(more, sizeof more, "-o epochs=40 -o batch=8 --csv --checkpoint %s/c | cut -d, -f1-7", folder);
  assert_int_equal(train(more, &rest, NULL), 0);
  assert_string_equal(whole, rest);
  free(whole);
  free(rest);
}

static void failures_have_their_exit_status(void **state) {
  (void)state;
  char *out;
  assert_refuses("-o epoch=2", 2, "epoch");
  assert_refuses("-o recipe.epoch=2", 2, "did you mean 'epochs'");
  assert_refuses("-o epochs=0", 2, "1..100000");
  assert_refuses("-r quik", 2, "did you mean 'quick'");
  assert_refuses("-o momentum=0.5 -o optimiser=adamw", 2, "no effect");
  assert_refuses("--memory much", 2, "--memory");
  assert_refuses("--seconds 0", 2, "--seconds");
  assert_refuses("--seed -1", 2, "--seed");
  assert_refuses("--memory 100KiB", 1, "102400 bytes");
  assert_refuses("--memory 100KiB", 1, "even with recomputation, the limit");
  assert_refuses("--memory 100KiB --no-recompute", 1, "bytes), the limit");
  assert_refuses("-o epochs=100000 --seconds 0.3", 1, "the limit is 0.3");
  assert_refuses("-o epochs=20 -o batch=16 -o lr=1000 -o weight-decay=10", 1, "loss became");
  assert_refuses("--checkpoint /nonexistent/c", 2, "/nonexistent/c");
  assert_refuses("> /dev/full", 1, "standard output");
  assert_int_equal(nas_run(&out, NULL, "%s train 2>&1", nas_program()), 2);
  assert_non_null(strstr(out, "--arch is missing"));
  free(out);
  assert_int_equal(nas_run(&out, NULL, "NASCENT_CPU=avx3 " TRAIN "2>&1", nas_program()), 2);
  assert_non_null(strstr(out, "NASCENT_CPU: no instruction set 'avx3'"));
  free(out);
  assert_int_equal(nas_run(&out, NULL, "NASCENT_CPU=baseline " TRAIN "-o precision=bf16 2>&1", nas_program()), 2);
  assert_non_null(strstr(out, "precision is bf16, which this CPU does not multiply itself; set precision=f32"));
  free(out);
  /* A training that is refused prints no heading. */
  assert_int_equal(train("--memory 100KiB", &out, NULL), 1);
  assert_string_equal(out, "");
  free(out);
}

static void evaluators_are_listed_and_described(void **state) {
  (void)state;
  char *out;
  assert_int_equal(nas_run(&out, NULL, "%s evaluator list", nas_program()), 0);
  assert_true(strstr(out, "train") && strstr(out, "noop"));
  free(out);
  assert_int_equal(nas_run(&out, NULL, "%s evaluator info noop --json", nas_program()), 0);
  json_error_t e;
  json_t *root = json_loads(out, 0, &e);
  assert_string_equal(json_string_value(json_object_get(root, "evaluator")), "noop");
  assert_true(json_array_size(json_object_get(root, "options")) > 3);
  json_decref(root);
  free(out);
  assert_int_equal(nas_run(&out, NULL, "%s evaluator info trian 2>&1", nas_program()), 2);
  assert_non_null(strstr(out, "did you mean 'train'"));
  free(out);
}

/* The last training loss of some epochs in this precision; -1 where the CPU lacks it. */
static double loss_in(const char *precision) {
  char *out, *err, more[120];
  snprintf(more, sizeof more, "-a 9930 -o epochs=6 -o batch=32 -o lr=0.03 -o precision=%s --json", precision);
  if (train(more, &out, &err) == 2 && strstr(err, "does not multiply")) return free(out), free(err), -1;
  json_error_t e;
  json_t *root = json_loads(out, 0, &e);
  double loss = json_number_value(json_object_get(json_array_get(json_object_get(root, "epochs"), 5), "train_loss"));
  json_decref(root);
  free(out);
  free(err);
  return loss;
}

static void bf16_learns_as_f32_does(void **state) {
  (void)state;
  double half = loss_in("bf16"), single = loss_in("f32");
  if (half < 0) nas_skip("this CPU does not multiply bf16 numbers");
  assert_true(half != single && fabs(half - single) < 0.1 * single && half < log(4));
}

/* A processor that lacks it (oneDNN is told so) refuses before anything is trained. */
static void bf16_is_refused_where_the_cpu_lacks_it(void **state) {
  (void)state;
  char *out, *err;
  int code = nas_run(&out, &err, "ONEDNN_MAX_CPU_ISA=AVX2 " TRAIN "-o epochs=1 -o precision=bf16", nas_program());
  assert_int_equal(code, 2);
  assert_string_equal(out, "");
  assert_non_null(strstr(err, "set precision=f32"));
  free(out);
  free(err);
}

NAS_SUITE(TrainCommand, NAS_CASE(bf16_learns_as_f32_does), NAS_CASE(bf16_is_refused_where_the_cpu_lacks_it),
          NAS_CASE(json_has_the_documented_fields), NAS_CASE(lists_agree_in_every_form),
          NAS_CASE(bare_and_named_options_mean_the_same), NAS_CASE(interrupted_it_saves_and_goes_on_to_the_same_bits),
          NAS_CASE(failures_have_their_exit_status), NAS_CASE(evaluators_are_listed_and_described))
