/* Trainings that are stopped, gone on with, or end otherwise than ok. */
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "train/checkpoint.h"
#include "training.h"

/* ---- interruption ---- */

static volatile sig_atomic_t stop_now;
static int calls_left, epochs_seen;

static void stop_after_calls(void *arg, int32_t epoch, double share) {
  (void)arg;
  assert_true(epoch >= 1 && share > 0 && share <= 1);
  if (--calls_left == 0) stop_now = 1;
}
static void count_epoch(void *arg, const nas_epoch *epoch) {
  (void)arg;
  epochs_seen++;
  assert_int_equal(epoch->epoch, epochs_seen);
}

/* Parameters, running statistics and optimiser state out of a checkpoint. */
static float *final_numbers(const nas_train_job *job, const char *path, int states, size_t *bytes) {
  nas_graph *graph;
  nas_model *model;
  nas_result curve = {0};
  assert_ok(nas_graph_from_net(job->net, &graph, nas_test_err()));
  assert_ok(nas_model_new(graph, NAS_F32, &model, nas_test_err()));
  int64_t p = nas_model_params(model), s = nas_model_states(model);
  float *all = calloc((size_t)(p + s + states * p), sizeof *all);
  assert_non_null(all);
  nas_checkpoint c = {.curve = &curve, .arrays = {{all, p}, {all + p, s}, {all + p + s, states * p}}, .n_arrays = 3};
  c.identity.seed = job->seed;
  memcpy(c.identity.data, job->data->digest, NAS_DIGEST_SIZE);
  memcpy(c.identity.split, job->data->split, NAS_DIGEST_SIZE);
  assert_ok(nas_recipe_record(job->recipe, NULL, c.identity.recipe, nas_test_err()));
  assert_ok(nas_checkpoint_net_digest(job->net, c.identity.net, nas_test_err()));
  assert_ok(nas_checkpoint_load(path, &c, nas_test_err()));
  *bytes = (size_t)(p + s + states * p) * sizeof *all;
  nas_result_free(&curve);
  nas_model_free(model);
  nas_graph_free(graph);
  return all;
}

/* Stops after every step of the training in turn (five a epoch, the fifth meaning: before evaluation), goes on, and
 * compares the curve and all numbers kept; then a training that is stopped after each of its steps. */
static void stopped_anywhere_it_ends_with_the_same_bits(void **state) {
  (void)state;
  static const struct {
    const char *recipe, *lines;
    int states;
  } rows[] = {{"nas-bench-201", "epochs=3\nbatch=16\nlr=0.05\n", 1}, {"quick", "epochs=3\nbatch=16\nflip=true\n", 2}};
  enum { STEPS = 15 };
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  for (size_t k = 0; k < 2; k++) {
    char whole[512], cut[512];
    size_t bytes, bytes_cut;
    nas_recipe recipe = recipe_of(rows[k].recipe, rows[k].lines);
    nas_text_put(whole, sizeof whole, "%s/whole%zu.ckpt", nas_test_folder(), k);
    nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3, .checkpoint = whole};
    nas_result expected = train_ok(&job);
    float *want = final_numbers(&job, whole, rows[k].states, &bytes);
    job.stop = &stop_now;
    job.on_step = stop_after_calls;
    for (int at = 1; at <= STEPS + 1; at++) {
      bool chain = at == STEPS + 1;
      nas_text_put(cut, sizeof cut, "%s/cut%zu-%d.ckpt", nas_test_folder(), k, at);
      job.checkpoint = cut;
      nas_result result = {0};
      int stops = 0;
      do {
        nas_result_free(&result);
        stop_now = 0;
        calls_left = chain ? 1 : stops ? -1 : at;
        assert_ok(nas_train(&job, &result, nas_test_err()));
        stops += result.outcome == NAS_OUTCOME_PREEMPTED;
      } while (result.outcome == NAS_OUTCOME_PREEMPTED && stops <= STEPS);
      assert_int_equal(result.outcome, NAS_OUTCOME_OK);
      assert_int_equal(stops, chain ? STEPS : 1);
      assert_same_curve(&expected, &result);
      assert_true(nas_result_metric(&result, "train_images") == 3 * TRAIN);
      float *got = final_numbers(&job, cut, rows[k].states, &bytes_cut);
      assert_true(bytes == bytes_cut);
      assert_memory_equal(want, got, bytes);
      free(got);
      nas_result_free(&result);
    }
    free(want);
    nas_result_free(&expected);
  }
  nas_net_free(net);
  nas_dataset_close(data);
}

static void finished_checkpoint_gives_the_curve_at_once(void **state) {
  (void)state;
  char path[512];
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=2\nbatch=16\n");
  nas_text_put(path, sizeof path, "%s/a.ckpt", nas_test_folder());
  nas_train_job job = {
      .net = net, .data = data, .recipe = &recipe, .seed = 3, .checkpoint = path, .on_epoch = count_epoch};
  epochs_seen = 0;
  nas_result a = train_ok(&job);
  assert_int_equal(epochs_seen, 2);
  epochs_seen = 0;
  calls_left = -1;
  job.on_step = stop_after_calls;
  nas_result b = train_ok(&job);
  assert_int_equal(epochs_seen, 2);
  assert_int_equal(calls_left, -1); /* no step was taken */
  assert_same_curve(&a, &b);
  nas_result_free(&a);
  nas_result_free(&b);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void foreign_and_damaged_checkpoints_are_errors(void **state) {
  (void)state;
  char path[512];
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=1\nbatch=16\n");
  nas_text_put(path, sizeof path, "%s/a.ckpt", nas_test_folder());
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3, .checkpoint = path};
  nas_result result = train_ok(&job);
  nas_result_free(&result);
  job.seed = 4;
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_MISMATCH, "seed 3, not 4");
  nas_result_free(&result);
  job.seed = 3;
  nas_recipe other = recipe_of("nas-bench-201", "epochs=2\nbatch=16\n");
  job.recipe = &other;
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_MISMATCH, "another recipe");
  nas_result_free(&result);
  job.recipe = &recipe;
  assert_ok(nas_file_write_atomic(path, "NASCKPT\n and nothing more", 25, nas_test_err()));
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_BAD_INPUT, "a.ckpt");
  nas_result_free(&result);
  job.checkpoint = "/nonexistent/folder/a.ckpt";
  assert_fails(nas_train(&job, &result, nas_test_err()), NAS_E_NOT_FOUND, "/nonexistent/folder/a.ckpt");
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

/* ---- outcomes other than ok ---- */

static void overflow_ends_as_diverged(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = linear_net();
  /* Decay alone multiplies the weights by -10^4 at each step. */
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=5\nbatch=25\nlr=1000\nweight-decay=10\nmomentum=0.5\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3};
  nas_result result;
  assert_ok(nas_train(&job, &result, nas_test_err()));
  assert_int_equal(result.outcome, NAS_OUTCOME_DIVERGED);
  assert_int_equal(result.cause.code, NAS_E_DIVERGED);
  assert_non_null(strstr(result.cause.msg, "epoch"));
  assert_in_range(result.n_epochs, 1, 4);
  for (size_t i = 0; i < result.n_epochs; i++) assert_true(isfinite(result.epochs[i].train_loss));
  assert_true(nas_result_metric(&result, "epochs") == (double)result.n_epochs);
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void memory_limit_is_exact(void **state) {
  (void)state;
  char number[32];
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=1\nbatch=16\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3};
  nas_result result = train_ok(&job);
  double peak = nas_result_metric(&result, "peak_bytes");
  int64_t params = net->params;
  nas_result_free(&result);
  assert_true(peak > 12.0 * (double)params); /* parameters, gradients, momentum at the least */
  job.memory_limit = (int64_t)peak;
  result = train_ok(&job);
  nas_result_free(&result);
  job.memory_limit--;
  assert_ok(nas_train(&job, &result, nas_test_err()));
  assert_int_equal(result.outcome, NAS_OUTCOME_REJECTED);
  assert_int_equal(result.cause.code, NAS_E_NO_MEMORY);
  nas_text_put(number, sizeof number, "%.0f", peak);
  assert_non_null(strstr(result.cause.msg, number));
  nas_text_put(number, sizeof number, "%.0f", peak - 1);
  assert_non_null(strstr(result.cause.msg, number));
  assert_true(nas_result_metric(&result, "peak_bytes") == peak);
  assert_int_equal(result.n_epochs, 0);
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void recomputation_trains_to_the_same_curve(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = deep_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=2\nbatch=16\neval-batch=8\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3, .recompute = true};
  nas_result whole = train_ok(&job), tight;
  double peak = nas_result_metric(&whole, "peak_bytes"), least;
  assert_true(isnan(nas_result_metric(&whole, "recomputed")));
  job.memory_limit = 1;
  assert_ok(nas_train(&job, &tight, nas_test_err()));
  assert_int_equal(tight.outcome, NAS_OUTCOME_REJECTED);
  assert_non_null(strstr(tight.cause.msg, "even with recomputation"));
  least = nas_result_metric(&tight, "peak_bytes");
  nas_result_free(&tight);
  assert_true(least < peak);
  job.memory_limit = (int64_t)least;
  tight = train_ok(&job);
  assert_true(nas_result_metric(&tight, "peak_bytes") <= least);
  assert_true(nas_result_metric(&tight, "recomputed") > 0);
  assert_same_curve(&whole, &tight);
  nas_result_free(&tight);
  job.recompute = false;
  assert_ok(nas_train(&job, &tight, nas_test_err()));
  assert_int_equal(tight.outcome, NAS_OUTCOME_REJECTED);
  assert_true(nas_result_metric(&tight, "peak_bytes") == peak);
  nas_result_free(&tight);
  nas_result_free(&whole);
  nas_net_free(net);
  nas_dataset_close(data);
}

static void time_limit_ends_as_timeout(void **state) {
  (void)state;
  nas_dataset *data = open_shapes();
  nas_net *net = conv_net();
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=100000\nbatch=16\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3, .seconds_limit = 0.2};
  nas_result result;
  double began = nas_clock();
  assert_ok(nas_train(&job, &result, nas_test_err()));
  assert_int_equal(result.outcome, NAS_OUTCOME_TIMEOUT);
  assert_int_equal(result.cause.code, NAS_E_TIMEOUT);
  assert_true(nas_clock() - began < 20);
  assert_true(nas_result_metric(&result, "seconds") >= 0.2);
  nas_result_free(&result);
  nas_net_free(net);
  nas_dataset_close(data);
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static void refused_allocation_ends_as_out_of_memory(void **state) {
  (void)state;
#ifdef SANITIZED
  nas_skip("the sanitizer's allocator does not return NULL");
#else
  nas_dataset *data = open_shapes();
  nas_net *net = new_net();
  int32_t v;
  /* Wide enough that the parameters alone need 12 MB of fresh memory. */
  assert_ok(nas_net_linear(net, NAS_NET_INPUT, 20000, "hidden", &v, nas_test_err()));
  assert_ok(nas_net_linear(net, v, CLASSES, "head", &v, nas_test_err()));
  assert_ok(nas_net_set_output(net, v, nas_test_err()));
  nas_recipe recipe = recipe_of("nas-bench-201", "epochs=1\nbatch=16\n");
  nas_train_job job = {.net = net, .data = data, .recipe = &recipe, .seed = 3};
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    nas_result result;
    nas_err err;
    setrlimit(RLIMIT_DATA, &(struct rlimit){4096, 4096}); /* what is mapped stays; nothing large can be added */
    nas_status status = nas_train(&job, &result, &err);
    _exit(status == NAS_OK ? (int)result.outcome : 100);
  }
  int how;
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_true(WIFEXITED(how));
  assert_int_equal(WEXITSTATUS(how), NAS_OUTCOME_OUT_OF_MEMORY);
  nas_net_free(net);
  nas_dataset_close(data);
#endif
}

NAS_SUITE(TrainerEnds, NAS_CASE(stopped_anywhere_it_ends_with_the_same_bits),
          NAS_CASE(finished_checkpoint_gives_the_curve_at_once), NAS_CASE(foreign_and_damaged_checkpoints_are_errors),
          NAS_CASE(overflow_ends_as_diverged), NAS_CASE(memory_limit_is_exact),
          NAS_CASE(recomputation_trains_to_the_same_curve), NAS_CASE(time_limit_ends_as_timeout),
          NAS_CASE(refused_allocation_ends_as_out_of_memory))
