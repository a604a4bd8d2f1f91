/* Our side of bench/parity_torch.py: trains a NAS-Bench-201 network on Fashion-MNIST step by step through the same
 * calls as the trainer's and writes to standard output all that another program needs to take the same steps: names and
 * starting numbers of all tensors, every batch as the network sees it, learning rates, losses, and the numbers of all
 * tensors again after chosen steps. At the end nas_train does the same training, which must end at the same bits.
 *
 * Numbers are raw, little-endian: text line "tensor NAME COUNT RUNNING" for each, "numbers", their doubles; then for
 * each step the text line "step NUMBER IMAGES RATE LOSS", IMAGES * H * W floats and IMAGES int32 labels; after chosen
 * ones "numbers" and the doubles; "end". */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/str.h"
#include "space/space.h"
#include "train/graph_internal.h"
#include "train/optimisers/optimiser.h"
#include "train/trainer.h"

enum { MARKS_MAX = 16 };

typedef struct settings {
  char *arch, *channels, *images, *marks, *lr;
  int batch, seed, wide, plain, augment;
  int64_t mark[MARKS_MAX];
  int n_marks;
} settings;

typedef struct run {
  nas_space *space;
  nas_net *net;
  nas_dataset *data;
  nas_recipe recipe;
  nas_graph *graph;
  nas_model *model;
  nas_plan *full, *last;
  const nas_optimiser_type *sgd;
  uint32_t *order;
  float *velocity;
  double *wide_velocity, *numbers;
  bool same;
} run;

static void run_free(run *r) {
  nas_plan_free(r->full);
  nas_plan_free(r->last);
  nas_model_free(r->model);
  nas_graph_free(r->graph);
  nas_net_free(r->net);
  nas_space_close(r->space);
  nas_dataset_close(r->data);
  free(r->order);
  free(r->velocity);
  free(r->wide_velocity);
  free(r->numbers);
}

static nas_status put(nas_settings *s, const char *key, const char *value, nas_err *err) {
  return nas_settings_put(s, key, value, "the command line", err);
}

static nas_status open_parts(const settings *s, run *r, nas_err *err) {
  nas_settings space = {0}, data = {0}, recipe = {0};
  char batch[16];
  nas_arch arch;
  nas_text_put(batch, sizeof batch, "%d", s->batch);
  nas_status status = put(&space, "channels", s->channels, err);
  if (status == NAS_OK) status = put(&space, "cells", "1", err);
  if (status == NAS_OK) status = put(&data, "train-images", s->images, err);
  if (status == NAS_OK) status = put(&data, "valid-images", "1000", err);
  if (status == NAS_OK) status = put(&data, "test-images", "1000", err);
  if (status == NAS_OK) status = put(&recipe, "batch", batch, err);
  if (status == NAS_OK) status = put(&recipe, "lr", s->lr, err);
  if (status == NAS_OK && !s->augment) status = put(&recipe, "flip", "false", err);
  if (status == NAS_OK && !s->augment) status = put(&recipe, "crop", "0", err);
  if (status == NAS_OK) status = nas_space_open("nas-bench-201", &space, &r->space, err);
  if (status == NAS_OK) status = nas_dataset_open("fashion-mnist", &data, NULL, &r->data, err);
  if (status == NAS_OK) status = nas_recipe_open("nas-bench-201", &recipe, &r->recipe, err);
  nas_settings_free(&space);
  nas_settings_free(&data);
  nas_settings_free(&recipe);
  if (status == NAS_OK) status = nas_space_parse(r->space, s->arch, &arch, err);
  return status == NAS_OK ? nas_space_net(r->space, &arch, r->data->task, &r->net, err) : status;
}

static nas_status plan(const settings *s, run *r, int64_t batch, nas_plan **out, nas_err *err) {
  const nas_plan_options o = {.batch = (int32_t)batch, .mode = NAS_TRAIN, .reference = s->plain != 0};
  return nas_plan_new(r->model, &o, out, err);
}

static nas_status open_run(const settings *s, run *r, nas_err *err) {
  NAS_TRY(open_parts(s, r, err));
  NAS_TRY(nas_graph_from_net(r->net, &r->graph, err));
  NAS_TRY(nas_model_new(r->graph, s->wide ? NAS_F64 : NAS_F32, &r->model, err));
  NAS_TRY(nas_model_init(r->model, (uint64_t)s->seed, err));
  NAS_TRY(nas_optimiser_find("sgd", &r->sgd, err));
  int64_t n = r->data->n_train, params = nas_model_params(r->model), all = params + nas_model_states(r->model);
  NAS_TRY(plan(s, r, r->recipe.batch < n ? r->recipe.batch : n, &r->full, err));
  if (n % r->recipe.batch) NAS_TRY(plan(s, r, n % r->recipe.batch, &r->last, err));
  r->order = calloc((size_t)n, sizeof *r->order);
  r->velocity = nas_aligned_new(params * (int64_t)sizeof *r->velocity);
  r->wide_velocity = calloc((size_t)params, sizeof *r->wide_velocity);
  r->numbers = calloc((size_t)all, sizeof *r->numbers);
  return r->order && r->velocity && r->wide_velocity && r->numbers ? NAS_OK : nas_fail_memory(err, "the training");
}

static double number(const run *r, const void *array, int64_t i) {
  return r->model->dtype == NAS_F64 ? ((const double *)array)[i] : (double)((const float *)array)[i];
}

static void write_numbers(const run *r) {
  size_t n, at = 0;
  const nas_tensor_info *t = nas_model_tensors(r->model, &n);
  for (size_t i = 0; i < n; i++)
    for (int64_t k = 0; k < t[i].count; k++)
      r->numbers[at++] =
          number(r, t[i].running ? nas_model_state_data(r->model) : nas_model_param_data(r->model), t[i].offset + k);
  printf("numbers\n");
  fwrite(r->numbers, sizeof *r->numbers, at, stdout);
}

static void write_tensors(const run *r) {
  size_t n;
  const nas_tensor_info *t = nas_model_tensors(r->model, &n);
  for (size_t i = 0; i < n; i++) printf("tensor %s %lld %d\n", t[i].name, (long long)t[i].count, t[i].running);
  write_numbers(r);
}

/* Our optimisers are single precision; this is the same rule for the double-precision check. */
static void wide_step(run *r, double lr) {
  double *p = nas_model_param_data(r->model);
  const double *g = nas_model_grad_data(r->model);
  for (int64_t i = 0; i < nas_model_params(r->model); i++) {
    double d = g[i] + r->recipe.weight_decay * p[i];
    r->wide_velocity[i] = r->recipe.momentum * r->wide_velocity[i] + d;
    p[i] -= lr * (d + r->recipe.momentum * r->wide_velocity[i]);
  }
}

static void update(run *r, double lr) {
  int64_t params = nas_model_params(r->model);
  if (r->model->dtype == NAS_F64) {
    wide_step(r, lr);
    return;
  }
  const nas_optimiser_args args = {
      .lr = lr, .momentum = r->recipe.momentum, .weight_decay = r->recipe.weight_decay, .nesterov = true, .scale = 1};
  const nas_optimiser_run whole = {0, params, true};
  nas_optimiser_step(r->sgd, &args, &whole, 1, nas_model_param_data(r->model), nas_model_grad_data(r->model),
                     r->velocity, params);
}

static nas_status one_step(const settings *s, run *r, int64_t epoch, int64_t step, int64_t steps, nas_err *err) {
  int64_t from = step * r->recipe.batch, left = r->data->n_train - from,
          n = left < r->recipe.batch ? left : r->recipe.batch;
  nas_plan *p = n < r->recipe.batch && r->last ? r->last : r->full;
  int64_t numbers = n * nas_shape_size(r->data->task.input);
  const nas_augment augment = {r->recipe.flip, (int32_t)r->recipe.crop};
  float *x = malloc((size_t)numbers * sizeof *x);
  if (!x) return nas_fail_memory(err, "a batch");
  nas_dataset_batch(r->data, r->order + from, n, &augment, (uint64_t)s->seed, (int32_t)epoch, x, nas_plan_labels(p));
  if (r->model->dtype == NAS_F64)
    for (int64_t i = 0; i < numbers; i++) ((double *)nas_plan_input(p))[i] = (double)x[i];
  else memcpy(nas_plan_input(p), x, (size_t)numbers * sizeof *x);
  double lr = nas_recipe_lr(&r->recipe, epoch, step, steps);
  int64_t nth = epoch * steps + step;
  nas_loss loss = nas_plan_forward(p, (uint64_t)s->seed, (uint64_t)nth);
  nas_plan_backward(p);
  update(r, lr);
  printf("step %lld %lld %.17g %.17g\n", (long long)nth + 1, (long long)n, lr, loss.loss);
  fwrite(x, sizeof *x, (size_t)numbers, stdout);
  fwrite(nas_plan_labels(p), sizeof(int32_t), (size_t)n, stdout);
  free(x);
  return NAS_OK;
}

static nas_status compare(void *arg, nas_model *trained, nas_err *err) {
  run *r = arg;
  (void)err;
  r->same = memcmp(nas_model_param_data(trained), nas_model_param_data(r->model),
                   (size_t)nas_model_params(trained) * sizeof(float)) == 0 &&
            memcmp(nas_model_state_data(trained), nas_model_state_data(r->model),
                   (size_t)nas_model_states(trained) * sizeof(float)) == 0;
  return NAS_OK;
}

/* Whether the trainer arrives at the same bits. */
static nas_status check_trainer(const settings *s, run *r, int64_t epochs, nas_err *err) {
  nas_result result;
  const nas_train_job job = {.net = r->net,
                             .data = r->data,
                             .recipe = &r->recipe,
                             .seed = (uint64_t)s->seed,
                             .epochs = (int32_t)epochs,
                             .on_model = compare,
                             .arg = r};
  NAS_TRY(nas_train(&job, &result, err));
  nas_result_free(&result);
  if (r->same) return NAS_OK;
  return nas_fail(err, NAS_E_MISMATCH, "nas_train", "it does not end at the numbers of these steps");
}

static nas_status train(const settings *s, run *r, nas_err *err) {
  int64_t n = r->data->n_train, steps = (n + r->recipe.batch - 1) / r->recipe.batch, last = s->mark[s->n_marks - 1];
  int64_t done = 0;
  for (int64_t epoch = 0; done < last; epoch++) {
    if (epoch == r->recipe.epochs)
      return nas_fail(err, NAS_E_OUT_OF_RANGE, "--marks", "the whole training has %lld steps only", (long long)done);
    memcpy(r->order, r->data->train, (size_t)n * sizeof *r->order);
    nas_rng_shuffle(nas_rng_make((uint64_t)s->seed, (uint32_t)epoch, NAS_STREAM_SHUFFLE), 0, r->order, (size_t)n);
    for (int64_t step = 0; step < steps && done < last; step++) {
      NAS_TRY(one_step(s, r, epoch, step, steps, err));
      done++;
      for (int i = 0; i < s->n_marks; i++)
        if (s->mark[i] == done) write_numbers(r);
    }
  }
  bool comparable = !s->wide && !s->plain && last % steps == 0;
  if (comparable) NAS_TRY(check_trainer(s, r, last / steps, err));
  printf("%s\n", comparable ? "end: nas_train made the same bits" : "end");
  return NAS_OK;
}

static bool read_marks(settings *s) {
  char *at = s->marks;
  while (*at && s->n_marks < MARKS_MAX) {
    int64_t mark = strtoll(at, &at, 10), before = s->n_marks ? s->mark[s->n_marks - 1] : 0;
    if (mark <= before) return false;
    s->mark[s->n_marks++] = mark;
    if (*at == ',') at++;
    else break;
  }
  return *at == 0 && s->n_marks > 0;
}

int main(int argc, const char **argv) {
  settings s = {
      .arch = "|nor_conv_1x1~0|+|avg_pool_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|",
      .channels = "8",
      .images = "3170",
      .marks = "1,10,100,500",
      .lr = "0.1",
      .batch = 64,
      .seed = 1};
  struct poptOption options[] = {
      {"arch", 'a', POPT_ARG_STRING | POPT_ARGFLAG_SHOW_DEFAULT, &s.arch, 0, "the cell", "ARCH"},
      {"channels", 'c', POPT_ARG_STRING | POPT_ARGFLAG_SHOW_DEFAULT, &s.channels, 0, "of the first stage", "N"},
      {"train-images", 0, POPT_ARG_STRING | POPT_ARGFLAG_SHOW_DEFAULT, &s.images, 0, "training images", "N"},
      {"marks", 0, POPT_ARG_STRING | POPT_ARGFLAG_SHOW_DEFAULT, &s.marks, 0,
       "steps after which all numbers are written, rising; the last is the end", "LIST"},
      {"batch", 'b', POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.batch, 0, "images per step", "N"},
      {"seed", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.seed, 0, "seed", "N"},
      {"lr", 0, POPT_ARG_STRING | POPT_ARGFLAG_SHOW_DEFAULT, &s.lr, 0, "learning rate at the start", "RATE"},
      {"augment", 0, POPT_ARG_NONE, &s.augment, 0, "mirrored and cropped images", NULL},
      {"double", 0, POPT_ARG_NONE, &s.wide, 0, "the plain kernels in double precision", NULL},
      {"plain", 0, POPT_ARG_NONE, &s.plain, 0, "the plain kernels", NULL},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext context = poptGetContext(NULL, argc, argv, options, 0);
  int rest = poptGetNextOpt(context);
  if (rest < -1 || !read_marks(&s)) {
    fprintf(stderr, "bench-parity: %s; see --help\n", rest < -1 ? poptStrerror(rest) : "--marks must be rising steps");
    return 2;
  }
  run r = {0};
  nas_err err = {0};
  nas_status status = open_run(&s, &r, &err);
  if (status == NAS_OK) write_tensors(&r);
  if (status == NAS_OK) status = train(&s, &r, &err);
  if (status != NAS_OK) fprintf(stderr, "bench-parity: %s%s%s\n", err.where, *err.where ? ": " : "", err.msg);
  run_free(&r);
  poptFreeContext(context);
  return nas_status_exit(status);
}
