/* Networks trained on images: through nas_train, as `nascent train` does it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "results.h"
#include "space/space.h"
#include "train/neuron.h"

/* ---- networks that no space has ---- */

/* One layer of LIF neurons reads the image as random spikes. */
nas_status lif_net(nas_net *net, nas_err *err) {
  int32_t x;
  NAS_TRY(nas_net_neuron(net, NAS_NET_INPUT, "lif", net->task.classes, 0, "steps=100\ntau=2\ninput=poisson\n", "lif",
                         &x, err));
  return nas_net_set_output(net, x, err);
}

/* Two convolutions of 5 channels over 3x3 patches without padding, each with a max pool, and a dense layer, all of
 * splines with 10 cells, those of the last on [0, 1]: 22,800 parameters ("KKAN (Small), gs = 10" of arXiv:2406.13155).
 * There each pair of channels has a layer over the 9 numbers of a window, and starts as such.
 */
nas_status convkan_net(nas_net *net, nas_err *err) {
  static const char grid[] = "grid=10\nfan=9\n";
  int32_t x;
  NAS_TRY(nas_net_neuron_padded(net, NAS_NET_INPUT, "kan-bspline", 5, 3, 0, grid, "conv1", &x, err));
  NAS_TRY(nas_net_pool(net, "max_pool", x, 2, 2, 0, "pool1", &x, err));
  NAS_TRY(nas_net_neuron_padded(net, x, "kan-bspline", 5, 3, 0, grid, "conv2", &x, err));
  NAS_TRY(nas_net_pool(net, "max_pool", x, 2, 2, 0, "pool2", &x, err));
  NAS_TRY(nas_net_neuron(net, x, "kan-bspline", net->task.classes, 0, "grid=10\nlow=0\nhigh=1\n", "head", &x, err));
  return nas_net_set_output(net, x, err);
}

static nas_status add_head(nas_net *net, int32_t x, nas_err *err) {
  NAS_TRY(nas_net_global_pool(net, x, "head.pool", &x, err));
  NAS_TRY(nas_net_linear(net, x, net->task.classes, "head", &x, err));
  return nas_net_set_output(net, x, err);
}

/* Images at half size, two layers of oscillators with a pool between them: 2,594 parameters. */
nas_status kuramoto_net(nas_net *net, nas_err *err) {
  int32_t x;
  NAS_TRY(nas_net_pool(net, "avg_pool", NAS_NET_INPUT, 2, 2, 0, "half", &x, err));
  NAS_TRY(nas_net_neuron(net, x, "kuramoto", 8, 3, "", "layer1", &x, err));
  NAS_TRY(nas_net_batch_norm(net, x, "norm1", &x, err));
  NAS_TRY(nas_net_pool(net, "avg_pool", x, 2, 2, 0, "pool1", &x, err));
  NAS_TRY(nas_net_neuron(net, x, "kuramoto", 16, 3, "", "layer2", &x, err));
  NAS_TRY(nas_net_batch_norm(net, x, "norm2", &x, err));
  return add_head(net, x, err);
}

/* The same with convolutions and ReLU, wide enough for as many parameters: 2,542. */
nas_status relu_net(nas_net *net, nas_err *err) {
  static const int32_t width[2] = {12, 20};
  int32_t x;
  NAS_TRY(nas_net_pool(net, "avg_pool", NAS_NET_INPUT, 2, 2, 0, "half", &x, err));
  for (int i = 0; i < 2; i++) {
    char label[16];
    nas_text_put(label, sizeof label, "layer%d", i + 1);
    NAS_TRY(nas_net_conv2d(net, x, width[i], 3, 1, 1, 1, false, label, &x, err));
    nas_text_put(label, sizeof label, "norm%d", i + 1);
    NAS_TRY(nas_net_batch_norm(net, x, label, &x, err));
    nas_text_put(label, sizeof label, "relu%d", i + 1);
    NAS_TRY(nas_net_relu(net, x, label, &x, err));
    if (i == 0) NAS_TRY(nas_net_pool(net, "avg_pool", x, 2, 2, 0, "pool1", &x, err));
  }
  return add_head(net, x, err);
}

/* ---- training ---- */

static nas_status net_of_space(const experiment *e, nas_task task, nas_net **out, nas_err *err) {
  nas_settings settings = {0};
  nas_space *space = NULL;
  nas_arch arch;
  nas_status status = nas_settings_parse(&settings, e->space_options, e->name, err);
  if (status == NAS_OK) status = nas_space_open(e->space, &settings, &space, err);
  if (status == NAS_OK) status = nas_space_parse(space, e->arch, &arch, err);
  if (status == NAS_OK) status = nas_space_net(space, &arch, task, out, err);
  nas_settings_free(&settings);
  nas_space_close(space);
  return status;
}

nas_status experiment_net(const experiment *e, nas_task task, nas_net **out, nas_err *err) {
  if (e->space) return net_of_space(e, task, out, err);
  *out = nas_net_new(task, err);
  if (!*out) return (nas_status)err->code;
  nas_status status = e->net(*out, err);
  if (status != NAS_OK) {
    nas_net_free(*out);
    *out = NULL;
  }
  return status;
}

training_options trainings;

/* What the trained network is asked for besides its accuracy. */
typedef struct inspection {
  const experiment *e;
  uint64_t seed;
  const nas_dataset *data;
  double *figures;
  bool noise;
} inspection;

/* Deviations of the noise, of pixels in [0, 1]. */
static const double noises[] = {0.1, 0.2, 0.3};
enum { NOISES = sizeof noises / sizeof *noises, BATCH = 500 };

/* The share of test images that are recognised under noise, which depends on the image alone. */
static nas_status accuracy_under(const inspection *s, nas_plan *plan, double deviation, double *out, nas_err *err) {
  int64_t n, right = 0, image = (int64_t)s->data->task.input.c * s->data->task.input.h * s->data->task.input.w;
  const uint32_t *test = nas_dataset_split(s->data, NAS_SPLIT_TEST, &n);
  float *noise = malloc((size_t)image * sizeof *noise), *x = nas_plan_input(plan);
  if (!noise) return nas_fail_memory(err, "noise");
  n -= n % BATCH;
  for (int64_t from = 0; from < n; from += BATCH) {
    nas_dataset_batch(s->data, test + from, BATCH, NULL, 0, 0, x, nas_plan_labels(plan));
    for (int64_t i = 0; i < BATCH; i++) {
      nas_rng r = nas_rng_make(0, test[from + i], NAS_STREAM_NOISE);
      nas_rng_fill_normal(r, 0, noise, (size_t)image, (float)(deviation / s->data->std[0]));
      for (int64_t k = 0; k < image; k++) x[i * image + k] += noise[k];
    }
    right += nas_plan_forward(plan, 0, 0).correct;
  }
  free(noise);
  *out = 100.0 * (double)right / (double)n;
  return NAS_OK;
}

static nas_status inspect(void *arg, nas_model *model, nas_err *err) {
  const inspection *s = arg;
  nas_plan *plan;
  if (!s->noise) return NAS_OK;
  NAS_TRY(nas_plan_new(model, &(nas_plan_options){.batch = BATCH, .mode = NAS_EVAL}, &plan, err));
  nas_status status = NAS_OK;
  for (int i = 0; i < NOISES && status == NAS_OK; i++)
    status = accuracy_under(s, plan, noises[i], &s->figures[1 + i], err);
  nas_plan_free(plan);
  return status;
}

static void print_epoch(void *arg, const nas_epoch *epoch) {
  const inspection *s = arg;
  if (trainings.curves)
    fprintf(stderr, "%s seed %llu epoch %d: train loss %.5f, valid %.2f, test %.2f\n", s->e->name,
            (unsigned long long)s->seed, epoch->epoch, epoch->train_loss, epoch->valid_accuracy, epoch->test_accuracy);
}

/* The accuracy of the last epoch, and that of another one where an experiment asks for it. */
static void read_accuracies(const experiment *e, const nas_result *r, double out[FIGURES_MAX]) {
  const char *second = e->figures[1].name;
  const nas_epoch *epochs = r->epochs, *best = epochs;
  for (size_t i = 0; i < r->n_epochs; i++)
    if (epochs[i].test_accuracy > best->test_accuracy) best = &epochs[i];
  out[0] = epochs[r->n_epochs - 1].test_accuracy;
  if (second && strcmp(second, BEST_EPOCH) == 0) out[1] = best->test_accuracy;
}

static nas_status train(const experiment *e, const nas_dataset *d, uint64_t seed, bool noise, double out[FIGURES_MAX],
                        nas_err *err) {
  nas_settings settings = {0};
  nas_recipe recipe;
  nas_net *net = NULL;
  nas_result result = {0};
  inspection s = {e, seed, d, out, noise};
  char epochs[16];
  nas_text_put(epochs, sizeof epochs, "%d", trainings.epochs);
  nas_status status = nas_settings_parse(&settings, e->recipe, e->name, err);
  if (status == NAS_OK && trainings.epochs) status = nas_settings_put(&settings, "epochs", epochs, "--epochs", err);
  if (status == NAS_OK) status = nas_recipe_open("quick", &settings, &recipe, err);
  if (status == NAS_OK) status = experiment_net(e, d->task, &net, err);
  if (status == NAS_OK)
    status = nas_train(&(nas_train_job){.net = net,
                                        .data = d,
                                        .recipe = &recipe,
                                        .seed = seed,
                                        .on_epoch = print_epoch,
                                        .on_model = inspect,
                                        .arg = &s},
                       &result, err);
  if (status == NAS_OK && result.outcome != NAS_OUTCOME_OK)
    status = nas_fail(err, result.cause.code, e->name, "%s", result.cause.msg);
  if (status == NAS_OK) read_accuracies(e, &result, out);
  nas_result_free(&result);
  nas_net_free(net);
  nas_settings_free(&settings);
  return status;
}

nas_status run_training(const experiment *e, const nas_dataset *d, uint64_t seed, double out[FIGURES_MAX],
                        nas_err *err) {
  return train(e, d, seed, false, out, err);
}

nas_status run_robustness(const experiment *e, const nas_dataset *d, uint64_t seed, double out[FIGURES_MAX],
                          nas_err *err) {
  return train(e, d, seed, true, out, err);
}
