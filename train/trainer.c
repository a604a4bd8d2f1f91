#include "train/trainer.h"

#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "base/str.h"
#include "train/checkpoint.h"
#include "train/energy.h"
#include "train/graph_internal.h"
#include "train/loss.h"
#include "train/optimisers/optimiser.h"

/* Plans differ by mode and batch: full and last batch of training, and of the two evaluated splits. */
enum { PLANS_MAX = 5 };

typedef struct planned {
  nas_plan *plan;
  nas_plan_options options;
} planned;

typedef struct training {
  const nas_train_job *job;
  nas_result *result;
  nas_graph *graph;
  nas_model *model;
  planned plans[PLANS_MAX];
  int n_plans;
  const nas_optimiser_type *optimiser;
  nas_optimiser_run *runs;
  size_t n_runs;
  float *memory;             /* the optimiser's arrays */
  uint32_t *order;           /* of the epoch's images */
  float *targets, *gradient; /* of a batch's outputs; NULL where the loss is cross-entropy */
  int64_t n, steps;          /* training images, steps per epoch */
  nas_checkpoint checkpoint;
  double started; /* when the training would have begun, had it never been interrupted */
  double last_save;
  nas_checkpoint_position saved; /* what the file holds; epoch 0, step 0: nothing */
  int64_t resumed;               /* whole epochs that the checkpoint brought */
} training;

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Ends the training with an outcome other than ok. */
static void end(training *t, nas_outcome outcome, nas_status code, const char *where, const char *fmt, ...)
    NAS_PRINTF(5, 6);
static void end(training *t, nas_outcome outcome, nas_status code, const char *where, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  t->result->outcome = outcome;
  nas_vfail(&t->result->cause, code, where, fmt, args);
  va_end(args);
}
static bool ended(const training *t) { return t->result->outcome != NAS_OUTCOME_OK; }

/* ---- setting up ---- */

static bool is_squared(const training *t) {
  return t->job->data->targets || strcmp(t->job->recipe->loss, "squared") == 0;
}

static nas_status check_loss(const nas_train_job *job, nas_err *err) {
  if (!job->data->targets) return NAS_OK;
  if (strcmp(job->recipe->loss, "cross-entropy") == 0)
    return nas_fail(err, NAS_E_BAD_INPUT, "loss", "this data set has real targets, no classes; take loss=squared");
  if (job->recipe->label_smoothing > 0)
    return nas_fail(err, NAS_E_BAD_INPUT, "label-smoothing", "this data set has real targets, no labels; leave it out");
  return NAS_OK;
}

static nas_status check_job(const nas_train_job *job, nas_err *err) {
  const nas_task *net = &job->net->task, *data = &job->data->task;
  if (net->input.c != data->input.c || net->input.h != data->input.h || net->input.w != data->input.w ||
      net->classes != data->classes)
    return nas_fail(err, NAS_E_BAD_INPUT, "network",
                    "made for %dx%dx%d images of %d classes; the data set has %dx%dx%d images of %d classes",
                    net->input.c, net->input.h, net->input.w, net->classes, data->input.c, data->input.h, data->input.w,
                    data->classes);
  if (job->data->n_train < 1)
    return nas_fail(err, NAS_E_BAD_INPUT, "data set", "it has no training images; raise train-images");
  NAS_TRY(check_loss(job, err));
  if (job->recipe->crop >= least(data->input.h, data->input.w))
    return nas_fail(err, NAS_E_OUT_OF_RANGE, "recipe", "crop is %lld; images of %dx%d pixels need less",
                    (long long)job->recipe->crop, data->input.h, data->input.w);
  if (job->checkpoint) { /* better to learn now than after the first epoch */
    char folder[4096];
    if (!nas_text_put(folder, sizeof folder, "%s", job->checkpoint))
      return nas_fail(err, NAS_E_BAD_INPUT, "checkpoint", "the path is too long");
    if (access(dirname(folder), W_OK) != 0)
      return nas_fail_errno(err, errno, job->checkpoint, "cannot write a checkpoint into this folder");
  }
  return NAS_OK;
}

static void want_plan(training *t, nas_mode mode, int64_t batch) {
  if (batch == 0) return;
  for (int i = 0; i < t->n_plans; i++)
    if (t->plans[i].options.mode == mode && t->plans[i].options.batch == batch) return;
  bool bf16 = mode == NAS_TRAIN && strcmp(t->job->recipe->precision, "bf16") == 0;
  double smoothing = mode == NAS_TRAIN ? t->job->recipe->label_smoothing : 0;
  t->plans[t->n_plans++].options =
      (nas_plan_options){.batch = (int32_t)batch, .mode = mode, .label_smoothing = smoothing, .bf16 = bf16};
}

static void want_plans(training *t) {
  const nas_dataset *d = t->job->data;
  int64_t batch = least(t->job->recipe->batch, t->n), eval = t->job->recipe->eval_batch;
  const int64_t splits[2] = {d->n_valid, d->n_test};
  want_plan(t, NAS_TRAIN, batch);
  want_plan(t, NAS_TRAIN, t->n % batch);
  for (int i = 0; i < 2; i++) {
    if (splits[i] >= eval) want_plan(t, NAS_EVAL, eval);
    want_plan(t, NAS_EVAL, splits[i] % eval);
  }
}

static nas_plan *plan_of(const training *t, nas_mode mode, int64_t batch) {
  for (int i = 0; i < t->n_plans; i++)
    if (t->plans[i].options.mode == mode && t->plans[i].options.batch == batch) return t->plans[i].plan;
  return NULL;
}

static int64_t batch_bytes(const training *t, int64_t images) {
  nas_shape s = t->job->net->task.input;
  return images * ((int64_t)s.c * s.h * s.w + 1) * (int64_t)sizeof(float);
}

/* What training takes beside its plans' shared part: batches, the optimiser, the order of the images. */
static int64_t fixed_bytes(const training *t) {
  int64_t bytes =
      nas_model_params(t->model) * t->optimiser->states * (int64_t)sizeof(float) + t->n * (int64_t)sizeof *t->order;
  for (int i = 0; i < t->n_plans; i++) bytes += batch_bytes(t, t->plans[i].options.batch);
  return bytes;
}

/* Plans share an arena, but each has a batch of its own. The largest comes first, so that the arena never grows. */
static nas_status measure(training *t, int64_t *bytes, nas_err *err) {
  int64_t shared = 0, fixed = fixed_bytes(t), limit = t->job->memory_limit;
  for (int i = 0; i < t->n_plans; i++) {
    nas_plan_options *o = &t->plans[i].options;
    int64_t peak, batch = batch_bytes(t, o->batch), rest = limit - fixed + batch;
    o->recompute = t->job->recompute && o->mode == NAS_TRAIN;
    if (o->recompute && limit > 0) o->memory_limit = rest > 0 ? rest : 1;
    NAS_TRY(nas_plan_measure(t->model, o, &peak, err));
    if (peak - batch <= shared) continue;
    shared = peak - batch;
    planned first = t->plans[0];
    t->plans[0] = t->plans[i];
    t->plans[i] = first;
  }
  *bytes = fixed + shared;
  return NAS_OK;
}

static nas_status fit_memory(training *t, nas_err *err) {
  int64_t needed, limit = t->job->memory_limit;
  NAS_TRY(measure(t, &needed, err));
  if (limit > 0 && needed > limit) {
    char needs[24], has[24];
    end(t, NAS_OUTCOME_REJECTED, NAS_E_NO_MEMORY, "memory",
        "training needs %s (%lld bytes)%s, the limit is %s (%lld bytes); raise it or take a smaller batch, eval-batch "
        "or network",
        nas_text_size(needs, needed), (long long)needed, t->job->recompute ? " even with recomputation" : "",
        nas_text_size(has, limit), (long long)limit);
  }
  return nas_result_set_metric(t->result, "peak_bytes", (double)needed, err);
}

/* The metric `recomputed` is there where it is not zero. */
static nas_status note_recomputed(training *t, nas_err *err) {
  double most = 0;
  for (int i = 0; i < t->n_plans; i++) most = fmax(most, nas_plan_recomputed(t->plans[i].plan));
  return most > 0 ? nas_result_set_metric(t->result, "recomputed", most, err) : NAS_OK;
}

/* Neighbouring trainable tensors that decay alike are one run. */
static nas_status make_runs(training *t, nas_err *err) {
  size_t n;
  const nas_tensor_info *tensors = nas_model_tensors(t->model, &n);
  t->runs = calloc(n + 1, sizeof *t->runs);
  if (!t->runs) return nas_fail_memory(err, "the list of parameters");
  for (size_t i = 0; i < n; i++) {
    if (tensors[i].running) continue; /* its place is in the other array */
    nas_optimiser_run *last = t->n_runs ? &t->runs[t->n_runs - 1] : NULL;
    if (last && last->decay == tensors[i].decay && last->offset + last->count == tensors[i].offset)
      last->count += tensors[i].count;
    else t->runs[t->n_runs++] = (nas_optimiser_run){tensors[i].offset, tensors[i].count, tensors[i].decay};
  }
  return NAS_OK;
}

static nas_status describe_checkpoint(training *t, nas_err *err) {
  const nas_train_job *job = t->job;
  nas_checkpoint *c = &t->checkpoint;
  int64_t params = nas_model_params(t->model);
  c->curve = t->result;
  c->arrays[0].data = nas_model_param_data(t->model);
  c->arrays[0].n = params;
  c->arrays[1].data = nas_model_state_data(t->model);
  c->arrays[1].n = nas_model_states(t->model);
  c->arrays[2].data = t->memory;
  c->arrays[2].n = params * t->optimiser->states;
  c->n_arrays = 3;
  c->identity.seed = job->seed;
  memcpy(c->identity.data, job->data->digest, NAS_DIGEST_SIZE);
  memcpy(c->identity.split, job->data->split, NAS_DIGEST_SIZE);
  NAS_TRY(nas_recipe_record(job->recipe, NULL, c->identity.recipe, err));
  return nas_checkpoint_net_digest(job->net, c->identity.net, err);
}

/* Epochs that this training is to finish. */
static int64_t last_epoch(const nas_train_job *job) {
  int64_t all = job->recipe->epochs;
  return job->epochs && job->epochs < all ? job->epochs : all;
}

static nas_status resume(training *t, nas_err *err) {
  const nas_train_job *job = t->job;
  if (!job->checkpoint || !nas_file_exists(job->checkpoint)) return NAS_OK;
  NAS_TRY(nas_checkpoint_load(job->checkpoint, &t->checkpoint, err));
  const nas_checkpoint_position *p = &t->checkpoint.position;
  int64_t last = last_epoch(job);
  if (p->epoch > last || p->step > t->steps || (p->epoch == last && p->step > 0))
    return nas_fail(err, NAS_E_BAD_INPUT, job->checkpoint,
                    "the checkpoint stands in epoch %lld, beyond the end of this training (%lld epochs); delete it to "
                    "train from the start",
                    (long long)p->epoch + (p->step > 0), (long long)last);
  t->saved = *p;
  t->resumed = p->epoch;
  t->started -= p->seconds;
  for (size_t i = 0; i < t->result->n_epochs && job->on_epoch; i++) job->on_epoch(job->arg, &t->result->epochs[i]);
  return NAS_OK;
}

/* Room for the targets of the largest batch. */
static nas_status make_targets(training *t, nas_err *err) {
  if (!is_squared(t)) return NAS_OK;
  int64_t batch =
      t->job->recipe->batch > t->job->recipe->eval_batch ? t->job->recipe->batch : t->job->recipe->eval_batch;
  size_t n = (size_t)(batch * t->job->data->task.classes);
  t->targets = calloc(n, sizeof *t->targets);
  t->gradient = calloc(n, sizeof *t->gradient);
  return t->targets && t->gradient ? NAS_OK : nas_fail_memory(err, "the targets of a batch");
}

static nas_status set_up(training *t, nas_err *err) {
  const nas_train_job *job = t->job;
  t->n = job->data->n_train;
  t->steps = (t->n + job->recipe->batch - 1) / job->recipe->batch;
  NAS_TRY(nas_optimiser_find(job->recipe->optimiser, &t->optimiser, err));
  NAS_TRY(nas_graph_from_net(job->net, &t->graph, err));
  NAS_TRY(nas_model_new(t->graph, NAS_F32, &t->model, err));
  want_plans(t);
  NAS_TRY(fit_memory(t, err));
  if (ended(t)) return NAS_OK;
  int64_t params = nas_model_params(t->model);
  t->memory = nas_aligned_new(params * t->optimiser->states * (int64_t)sizeof *t->memory);
  t->order = calloc((size_t)t->n, sizeof *t->order);
  if (!t->memory || !t->order) return nas_fail_memory(err, "the optimiser");
  NAS_TRY(make_targets(t, err));
  NAS_TRY(make_runs(t, err));
  NAS_TRY(nas_model_init(t->model, job->seed, err));
  for (int i = 0; i < t->n_plans; i++) NAS_TRY(nas_plan_new(t->model, &t->plans[i].options, &t->plans[i].plan, err));
  NAS_TRY(note_recomputed(t, err));
  NAS_TRY(describe_checkpoint(t, err));
  return resume(t, err);
}

static void tear_down(training *t) {
  for (int i = 0; i < t->n_plans; i++) nas_plan_free(t->plans[i].plan);
  nas_model_free(t->model);
  nas_graph_free(t->graph);
  free(t->runs);
  free(t->memory);
  free(t->targets);
  free(t->gradient);
  free(t->order);
}

/* ---- stopping and saving ---- */

static nas_status save(training *t, nas_err *err) {
  if (!t->job->checkpoint) return NAS_OK;
  t->checkpoint.position.seconds = nas_clock() - t->started;
  t->last_save = nas_clock();
  t->saved = t->checkpoint.position;
  return nas_checkpoint_save(t->job->checkpoint, &t->checkpoint, err);
}

static nas_status save_when_due(training *t, bool epoch_over, nas_err *err) {
  double every = t->job->checkpoint_every;
  bool due = every > 0 ? nas_clock() - t->last_save >= every : epoch_over;
  return due ? save(t, err) : NAS_OK;
}

/* Looks at the stop flag and the clock. */
static void check_limits(training *t) {
  const nas_train_job *job = t->job;
  double spent = nas_clock() - t->started;
  int epoch = (int)t->checkpoint.position.epoch + 1;
  if (job->stop && *job->stop)
    end(t, NAS_OUTCOME_PREEMPTED, NAS_E_PREEMPTED, "training", "stopped on request in epoch %d%s", epoch,
        job->checkpoint ? "; the checkpoint has all that is needed to go on" : "");
  else if (job->seconds_limit > 0 && spent > job->seconds_limit)
    end(t, NAS_OUTCOME_TIMEOUT, NAS_E_TIMEOUT, "training", "%.1f seconds spent in epoch %d of %lld, the limit is %.1f",
        spent, epoch, (long long)job->recipe->epochs, job->seconds_limit);
}

/* ---- stepping ---- */

static void shuffle(training *t) {
  memcpy(t->order, t->job->data->train, (size_t)t->n * sizeof *t->order);
  nas_rng rng = nas_rng_make(t->job->seed, (uint32_t)t->checkpoint.position.epoch, NAS_STREAM_SHUFFLE);
  nas_rng_shuffle(rng, 0, t->order, (size_t)t->n);
}

static void apply_gradients(training *t) {
  const nas_recipe *r = t->job->recipe;
  const nas_checkpoint_position *p = &t->checkpoint.position;
  int64_t params = nas_model_params(t->model);
  const float *grads = nas_model_grad_data(t->model);
  nas_optimiser_args args = {.lr = nas_recipe_lr(r, p->epoch, p->step, t->steps),
                             .momentum = r->momentum,
                             .weight_decay = r->weight_decay,
                             .beta1 = r->beta1,
                             .beta2 = r->beta2,
                             .epsilon = r->epsilon,
                             .nesterov = r->nesterov,
                             .scale = 1,
                             .step = p->epoch * t->steps + p->step + 1};
  if (r->clip > 0) {
    double norm = nas_optimiser_norm(grads, params);
    if (norm > r->clip) args.scale = r->clip / (norm + 1e-6);
  }
  nas_optimiser_step(t->optimiser, &args, t->runs, t->n_runs, nas_model_param_data(t->model), grads, t->memory, params);
  nas_model_constrain(t->model);
}

static void note_progress(const training *t) {
  const nas_checkpoint_position *p = &t->checkpoint.position;
  if (t->job->on_step) t->job->on_step(t->job->arg, (int32_t)p->epoch + 1, (double)p->step / (double)t->steps);
}

/* The loss of the batch just seen; with squared error also its gradient, into t->gradient. */
static double squared_loss(training *t, nas_plan *plan, const uint32_t *indices, int64_t n) {
  const nas_dataset *d = t->job->data;
  int64_t classes = d->task.classes;
  if (d->targets) {
    nas_dataset_targets(d, indices, n, t->targets);
  } else {
    memset(t->targets, 0, (size_t)(n * classes) * sizeof *t->targets);
    for (int64_t i = 0; i < n; i++) t->targets[i * classes + nas_plan_labels(plan)[i]] = 1;
  }
  return nas_squared_error(nas_plan_logits(plan), t->targets, n * classes, t->gradient);
}

/* Percent of right guesses; of real targets, percent of their variance that the outputs explain (100 R^2). */
static double accuracy_of(const training *t, const uint32_t *indices, int64_t n, double loss, int64_t correct) {
  const nas_dataset *d = t->job->data;
  if (!d->targets) return 100.0 * (double)correct / (double)n;
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < n; i++) mean += d->targets[indices[i]] / (double)n;
  for (int64_t i = 0; i < n; i++)
    variance += (d->targets[indices[i]] - mean) * (d->targets[indices[i]] - mean) / (double)n;
  return variance > 0 ? 100.0 * (1 - loss / variance) : (double)NAN;
}

static void step(training *t) {
  const nas_train_job *job = t->job;
  nas_checkpoint_position *p = &t->checkpoint.position;
  int64_t batch = least(job->recipe->batch, t->n), from = p->step * batch, n = least(batch, t->n - from);
  nas_plan *plan = plan_of(t, NAS_TRAIN, n);
  const nas_augment augment = {job->recipe->flip, (int32_t)job->recipe->crop};
  double begin = nas_clock();
  nas_dataset_batch(job->data, t->order + from, n, &augment, job->seed, (int32_t)p->epoch, nas_plan_input(plan),
                    nas_plan_labels(plan));
  nas_loss loss = nas_plan_forward(plan, job->seed, (uint64_t)(p->epoch * t->steps + p->step));
  if (t->targets) loss.loss = squared_loss(t, plan, t->order + from, n);
  if (!isfinite(loss.loss)) {
    end(t, NAS_OUTCOME_DIVERGED, NAS_E_DIVERGED, "training",
        "the loss became %g in epoch %lld, step %lld of %lld; a lower lr or clip may help", loss.loss,
        (long long)p->epoch + 1, (long long)p->step + 1, (long long)t->steps);
    return;
  }
  if (t->targets) nas_plan_backward_from(plan, t->gradient);
  else nas_plan_backward(plan);
  apply_gradients(t);
  p->loss_sum += loss.loss * (double)n;
  p->correct += loss.correct;
  p->images += n;
  p->step++;
  p->epoch_seconds += nas_clock() - begin;
}

/* Mean loss and percent of right guesses; NaN for an empty split. */
static void evaluate(training *t, nas_split split, const char *what, double *loss, double *accuracy) {
  const nas_dataset *d = t->job->data;
  int64_t n, right = 0;
  const uint32_t *indices = nas_dataset_split(d, split, &n);
  double sum = 0;
  *loss = *accuracy = (double)NAN;
  for (int64_t from = 0; from < n;) {
    int64_t batch = least(t->job->recipe->eval_batch, n - from);
    nas_plan *plan = plan_of(t, NAS_EVAL, batch);
    check_limits(t);
    if (ended(t)) return;
    nas_dataset_batch(d, indices + from, batch, NULL, 0, 0, nas_plan_input(plan), nas_plan_labels(plan));
    nas_loss part = nas_plan_forward(plan, 0, 0);
    if (t->targets) part.loss = squared_loss(t, plan, indices + from, batch);
    sum += part.loss * (double)batch;
    right += part.correct;
    from += batch;
  }
  if (n == 0) return;
  *loss = sum / (double)n;
  *accuracy = accuracy_of(t, indices, n, *loss, right);
  if (!isfinite(*loss))
    end(t, NAS_OUTCOME_DIVERGED, NAS_E_DIVERGED, "training", "the %s loss became %g after epoch %lld", what, *loss,
        (long long)t->checkpoint.position.epoch + 1);
}

/* Evaluates and moves the position to the next epoch. */
static nas_status finish_epoch(training *t, nas_err *err) {
  nas_checkpoint_position *p = &t->checkpoint.position;
  nas_epoch e = {.epoch = (int32_t)p->epoch + 1,
                 .train_loss = p->loss_sum / (double)p->images,
                 .train_accuracy = accuracy_of(t, t->order, p->images, p->loss_sum / (double)p->images, p->correct),
                 .seconds = p->epoch_seconds};
  double begin = nas_clock();
  evaluate(t, NAS_SPLIT_VALID, "validation", &e.valid_loss, &e.valid_accuracy);
  if (!ended(t)) evaluate(t, NAS_SPLIT_TEST, "test", &e.test_loss, &e.test_accuracy);
  if (ended(t)) return NAS_OK;
  e.valid_seconds = nas_clock() - begin;
  NAS_TRY(nas_result_add_epoch(t->result, &e, err));
  *p = (nas_checkpoint_position){.epoch = p->epoch + 1};
  NAS_TRY(save_when_due(t, true, err));
  if (t->job->on_epoch) t->job->on_epoch(t->job->arg, &e);
  return NAS_OK;
}

static nas_status run(training *t, nas_err *err) {
  nas_checkpoint_position *p = &t->checkpoint.position;
  const int64_t last = last_epoch(t->job);
  while (!ended(t) && p->epoch < last) {
    shuffle(t);
    while (!ended(t) && p->step < t->steps) {
      check_limits(t);
      if (ended(t)) break;
      step(t);
      note_progress(t);
      if (!ended(t)) NAS_TRY(save_when_due(t, false, err));
    }
    if (!ended(t)) NAS_TRY(finish_epoch(t, err));
  }
  bool stopped = t->result->outcome == NAS_OUTCOME_PREEMPTED || t->result->outcome == NAS_OUTCOME_TIMEOUT;
  /* A training that ends before the recipe does may be asked for more. */
  bool part = !ended(t) && last < t->job->recipe->epochs;
  return (stopped || part) && (p->epoch != t->saved.epoch || p->step != t->saved.step) ? save(t, err) : NAS_OK;
}

/* Seconds that the evaluation of one image takes, in the fastest epoch. */
static double latency(const training *t) {
  const int64_t images = t->job->data->n_valid + t->job->data->n_test;
  double least_seconds = INFINITY;
  for (size_t i = 0; i < t->result->n_epochs; i++)
    if (t->result->epochs[i].valid_seconds < least_seconds) least_seconds = t->result->epochs[i].valid_seconds;
  return images ? least_seconds / (double)images : INFINITY;
}

/* Of a network that is done with. Its plan is one more than was measured: where that does not fit, there is no figure.
 */
static nas_status note_energy(training *t, nas_err *err) {
  double first, last;
  nas_err own = {0};
  if (ended(t) || !nas_has_oscillators(t->job->net)) return NAS_OK;
  nas_status status = nas_oscillator_energy(t->model, t->job->data, &first, &last, &own);
  if (status == NAS_E_NO_MEMORY) return NAS_OK;
  if (status != NAS_OK) return nas_fail(err, status, own.where, "%s", own.msg);
  NAS_TRY(nas_result_set_metric(t->result, "energy_first", first, err));
  return nas_result_set_metric(t->result, "energy", last, err);
}

static nas_status set_metrics(training *t, nas_err *err) {
  const nas_checkpoint_position *p = &t->checkpoint.position;
  nas_result *r = t->result;
  NAS_TRY(nas_result_set_metric(r, "seconds", nas_clock() - t->started, err));
  NAS_TRY(nas_result_set_metric(r, "epochs", (double)r->n_epochs, err));
  double each = latency(t);
  if (isfinite(each)) NAS_TRY(nas_result_set_metric(r, "latency", each, err));
  if (t->resumed) NAS_TRY(nas_result_set_metric(r, "resumed_epochs", (double)t->resumed, err));
  if (t->job->data->targets && r->n_epochs > 0) {
    const nas_epoch *last = &r->epochs[r->n_epochs - 1];
    NAS_TRY(nas_result_set_metric(r, "train_rmse", sqrt(last->train_loss), err));
    NAS_TRY(nas_result_set_metric(r, "valid_rmse", sqrt(last->valid_loss), err));
  }
  return nas_result_set_metric(r, "train_images", (double)(p->epoch * t->n + p->images), err);
}

nas_status nas_train(const nas_train_job *job, nas_result *result, nas_err *err) {
  *result = (nas_result){0};
  NAS_TRY(check_job(job, err));
  nas_err own = {0};
  training t = {.job = job, .result = result, .started = nas_clock(), .last_save = nas_clock()};
  nas_status status = nas_result_set_metric(result, "params", (double)job->net->params, &own);
  if (status == NAS_OK) status = nas_result_set_metric(result, "macs", (double)job->net->macs, &own);
  if (status == NAS_OK && job->net->n_matches)
    status = nas_result_set_metric(result, "match_ratio", nas_net_match_ratio(job->net), &own);
  if (status == NAS_OK) status = set_up(&t, &own);
  if (status == NAS_OK) status = run(&t, &own);
  if (status == NAS_E_NO_MEMORY) {
    end(&t, NAS_OUTCOME_OUT_OF_MEMORY, NAS_E_NO_MEMORY, own.where, "%s", own.msg);
    status = NAS_OK;
  }
  if (status == NAS_OK && job->on_model && t.model && !ended(&t)) status = job->on_model(job->arg, t.model, &own);
  if (status == NAS_OK) status = set_metrics(&t, &own);
  if (status == NAS_OK) status = note_energy(&t, &own);
  tear_down(&t);
  if (status != NAS_OK && err) *err = own;
  return status;
}
