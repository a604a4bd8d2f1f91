/* Trials that go on from where an earlier one ended. */
#include "evaluators/checkpoints.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "harness.h"

typedef struct world {
  nas_space *space;
  nas_dataset *data;
  nas_recipe recipe;
  const nas_evaluator_type *train;
  void *options;
  char folder[512];
} world;

static nas_settings settings_of(const char *lines) {
  nas_settings s = {0};
  assert_ok(nas_settings_parse(&s, lines, "test", nas_test_err()));
  return s;
}

static void open_world(world *w) {
  nas_settings space = settings_of("channels=4\ncells=1\n");
  nas_settings data = settings_of("size=8\nimages=150\ntrain-images=70\nvalid-images=30\ntest-images=25\n");
  nas_settings recipe = settings_of("epochs=4\nbatch=16\n");
  *w = (world){0};
  assert_ok(nas_space_open("nas-bench-201", &space, &w->space, nas_test_err()));
  assert_ok(nas_dataset_open("shapes", &data, NULL, &w->data, nas_test_err()));
  assert_ok(nas_recipe_open("nas-bench-201", &recipe, &w->recipe, nas_test_err()));
  assert_ok(nas_evaluator_find("train", &w->train, nas_test_err()));
  w->options = calloc(1, w->train->options_size + 1);
  assert_non_null(w->options);
  nas_options_defaults(w->train->options, w->options);
  nas_text_put(w->folder, sizeof w->folder, "%s/a/checkpoints", nas_test_folder());
  nas_settings_free(&space);
  nas_settings_free(&data);
  nas_settings_free(&recipe);
}

static void close_world(world *w) {
  nas_space_close(w->space);
  nas_dataset_close(w->data);
  free(w->options);
}

static nas_eval_request request_of(const world *w, int32_t epochs) {
  nas_eval_request r = {.space = w->space, .data = w->data, .recipe = &w->recipe, .seed = 5, .epochs = epochs};
  assert_ok(nas_space_at(w->space, 11000, &r.arch, nas_test_err()));
  return r;
}

static const char *path_of(const world *w, const nas_eval_request *r) {
  static char path[1024];
  nas_str text = {0};
  assert_ok(nas_checkpoints_path(w->folder, w->train, w->options, r, &text, nas_test_err()));
  nas_text_put(path, sizeof path, "%s", text.s);
  nas_str_free(&text);
  return path;
}

static bool kept(const world *w, const nas_eval_request *r) { return nas_file_exists(path_of(w, r)); }

static nas_result run(const world *w, const char *folder, const nas_eval_request *r) {
  nas_result result;
  const nas_checkpoints kept = {folder, 0};
  assert_ok(nas_evaluate_from_checkpoint(&kept, w->train, w->options, r, &result, nas_test_err()));
  return result;
}

/* The first epochs of an uninterrupted training, bit for bit; `resumed`: epochs that came from a checkpoint. */
static void assert_is_start_of(nas_result *part, const nas_result *whole, size_t epochs, double resumed) {
  assert_int_equal(part->outcome, NAS_OUTCOME_OK);
  assert_int_equal(part->n_epochs, epochs);
  for (size_t i = 0; i < epochs; i++) assert_true(nas_epoch_same(&part->epochs[i], &whole->epochs[i]));
  double found = nas_result_metric(part, "resumed_epochs");
  assert_true(resumed > 0 ? found == resumed : isnan(found));
  nas_result_free(part);
}

static void rungs_give_the_bits_of_one_training(void **state) {
  (void)state;
  world w;
  open_world(&w);
  nas_eval_request r = request_of(&w, 0);
  nas_result whole = run(&w, NULL, &r), part;
  assert_int_equal(whole.n_epochs, 4);
  for (int32_t epochs = 1, before = 0; epochs <= 4; before = epochs, epochs *= 2) {
    r.epochs = epochs;
    part = run(&w, w.folder, &r);
    assert_is_start_of(&part, &whole, (size_t)epochs, before);
    assert_true(kept(&w, &r) == (epochs < 4)); /* nothing can follow the end of the recipe */
  }
  nas_result_free(&whole);
  close_world(&w);
}

static void useless_checkpoints_give_way_to_a_training_from_the_start(void **state) {
  (void)state;
  world w;
  open_world(&w);
  nas_eval_request shorter = request_of(&w, 1), longer = request_of(&w, 3);
  nas_result whole = run(&w, NULL, &longer), part = run(&w, w.folder, &longer);
  assert_is_start_of(&part, &whole, 3, 0);
  part = run(&w, w.folder, &shorter); /* the file is two epochs ahead */
  assert_is_start_of(&part, &whole, 1, 0);
  assert_true(kept(&w, &shorter));
  assert_int_equal(truncate(path_of(&w, &shorter), 200), 0);
  part = run(&w, w.folder, &longer);
  assert_is_start_of(&part, &whole, 3, 0);
  assert_ok(nas_file_write_atomic(path_of(&w, &longer), "", 0, nas_test_err()));
  part = run(&w, w.folder, &longer);
  assert_is_start_of(&part, &whole, 3, 0);
  part = run(&w, w.folder, &longer); /* a sound one again: nothing is left to do */
  assert_is_start_of(&part, &whole, 3, 3);
  nas_result_free(&whole);
  close_world(&w);
}

static volatile sig_atomic_t stop;
static int steps_left;

static void stop_later(void *arg, int32_t epoch, double share) {
  (void)arg, (void)epoch, (void)share;
  stop = steps_left-- <= 0;
}

static void a_preempted_trial_goes_on_and_a_failed_one_leaves_nothing(void **state) {
  (void)state;
  world w;
  open_world(&w);
  nas_eval_request r = request_of(&w, 0);
  nas_result whole = run(&w, NULL, &r), part;
  r.stop = &stop;
  r.on_step = stop_later;
  stop = 0;
  steps_left = 12; /* 5 steps an epoch */
  part = run(&w, w.folder, &r);
  assert_int_equal(part.outcome, NAS_OUTCOME_PREEMPTED);
  nas_result_free(&part);
  assert_true(kept(&w, &r));
  nas_eval_request hasty = r;
  hasty.seconds_limit = 1e-9;
  stop = 0;
  steps_left = 100;
  part = run(&w, w.folder, &hasty);
  assert_int_equal(part.outcome, NAS_OUTCOME_TIMEOUT);
  nas_result_free(&part);
  assert_false(kept(&w, &r));
  stop = 0;
  steps_left = 12;
  part = run(&w, w.folder, &r);
  nas_result_free(&part);
  stop = 0;
  steps_left = 100;
  part = run(&w, w.folder, &r);
  assert_is_start_of(&part, &whole, 4, 2);
  assert_false(kept(&w, &r));
  nas_result_free(&whole);
  close_world(&w);
}

static void names_tell_trainings_apart(void **state) {
  (void)state;
  world w;
  char first[1024];
  open_world(&w);
  nas_eval_request r = request_of(&w, 1), other = request_of(&w, 2);
  nas_text_put(first, sizeof first, "%s", path_of(&w, &r));
  assert_string_equal(first, path_of(&w, &other)); /* of the same training */
  other.seed = 6;
  assert_string_not_equal(first, path_of(&w, &other));
  other = r;
  assert_ok(nas_space_at(w.space, 11001, &other.arch, nas_test_err()));
  assert_string_not_equal(first, path_of(&w, &other));
  nas_recipe recipe = w.recipe;
  recipe.lr = 0.05;
  other = r;
  other.recipe = &recipe;
  assert_string_not_equal(first, path_of(&w, &other));
  close_world(&w);
}

static void a_folder_that_cannot_be_made_costs_no_trial(void **state) {
  (void)state;
  world w;
  char folder[600];
  open_world(&w);
  nas_eval_request r = request_of(&w, 2);
  nas_result whole = run(&w, NULL, &r);
  nas_text_put(folder, sizeof folder, "%s/file", nas_test_folder());
  assert_ok(nas_file_write_atomic(folder, "x", 1, nas_test_err()));
  nas_text_put(folder, sizeof folder, "%s/file/checkpoints", nas_test_folder());
  nas_result part = run(&w, folder, &r);
  assert_is_start_of(&part, &whole, 2, 0);
  nas_result_free(&whole);
  close_world(&w);
}

static void clearing_takes_checkpoints_and_nothing_else(void **state) {
  (void)state;
  world w;
  char path[1024];
  open_world(&w);
  nas_eval_request r = request_of(&w, 1);
  nas_result part = run(&w, w.folder, &r);
  nas_result_free(&part);
  nas_text_put(path, sizeof path, "%s.a1B2c3", path_of(&w, &r)); /* of a writer that was killed */
  assert_ok(nas_file_write_atomic(path, "x", 1, nas_test_err()));
  nas_checkpoints_clear(w.folder);
  assert_false(nas_file_exists(w.folder));
  part = run(&w, w.folder, &r);
  nas_result_free(&part);
  nas_text_put(path, sizeof path, "%s/mine.checkpoint", w.folder);
  assert_ok(nas_file_write_atomic(path, "x", 1, nas_test_err()));
  nas_checkpoints_clear(w.folder);
  assert_false(kept(&w, &r));
  assert_true(nas_file_exists(path));
  nas_checkpoints_clear("/nonexistent/folder");
  close_world(&w);
}

static int64_t size_of(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* Room for two: the third drives out the first, whoever the file belongs to; what is no checkpoint stays. */
static void the_oldest_go_when_the_folder_is_full(void **state) {
  (void)state;
  world w;
  char mine[1024];
  open_world(&w);
  nas_eval_request r[3];
  for (int i = 0; i < 3; i++) {
    r[i] = request_of(&w, 1);
    r[i].seed = (uint64_t)i;
  }
  nas_result part = run(&w, w.folder, &r[0]);
  nas_result_free(&part);
  int64_t one = size_of(path_of(&w, &r[0]));
  assert_true(one > 0);
  nas_text_put(mine, sizeof mine, "%s/mine.checkpoint", w.folder);
  assert_ok(nas_file_write_atomic(mine, "x", 1, nas_test_err()));
  const nas_checkpoints room = {w.folder, 2 * one + one / 2}, none = {w.folder, 1};
  for (int i = 1; i < 3; i++) {
    const struct timespec past[2] = {{.tv_sec = i}, {.tv_sec = i}};
    assert_int_equal(utimensat(AT_FDCWD, path_of(&w, &r[i - 1]), past, 0), 0);
    assert_ok(nas_evaluate_from_checkpoint(&room, w.train, w.options, &r[i], &part, nas_test_err()));
    nas_result_free(&part);
  }
  assert_false(kept(&w, &r[0]));
  assert_true(kept(&w, &r[1]) && kept(&w, &r[2]));
  /* Less than one file: nothing is kept, and what goes on trains from the start, to the same bits. */
  assert_ok(nas_evaluate_from_checkpoint(&none, w.train, w.options, &r[0], &part, nas_test_err()));
  nas_result_free(&part);
  for (int i = 0; i < 3; i++) assert_false(kept(&w, &r[i]));
  assert_true(nas_file_exists(mine));
  r[0].epochs = 2;
  nas_result whole = run(&w, NULL, &r[0]);
  assert_ok(nas_evaluate_from_checkpoint(&none, w.train, w.options, &r[0], &part, nas_test_err()));
  assert_is_start_of(&part, &whole, 2, 0);
  nas_result_free(&whole);
  close_world(&w);
}

NAS_SUITE(Checkpoints, NAS_CASE(rungs_give_the_bits_of_one_training),
          NAS_CASE(useless_checkpoints_give_way_to_a_training_from_the_start),
          NAS_CASE(a_preempted_trial_goes_on_and_a_failed_one_leaves_nothing), NAS_CASE(names_tell_trainings_apart),
          NAS_CASE(a_folder_that_cannot_be_made_costs_no_trial), NAS_CASE(clearing_takes_checkpoints_and_nothing_else),
          NAS_CASE(the_oldest_go_when_the_folder_is_full))
