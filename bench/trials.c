/* What a trial costs beside its steps: making batches, and whether several networks that train in one process are
 * better off step by step in turn or one after another. */
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "median.h"
#include "train/data/dataset.h"
#include "trainee.h"

enum { MOST = 16, ROUNDS_MAX = 64, STEPS_MAX = 1024, IMAGES = 10000 };

typedef struct settings {
  char *only;
  trainee_shape shape;
  int together, steps, rounds, small, smoke;
} settings;

typedef struct sample {
  double of[STEPS_MAX];
  int n;
} sample;

/* ---- batches ---- */

/* Random pixels in a random order, as a shuffled data set of this size has; only what nas_dataset_batch reads. */
static nas_status pixels_new(const trainee_shape *s, nas_dataset *d, nas_err *err) {
  int64_t each = (int64_t)s->in * s->size * s->size;
  nas_rng rng = nas_rng_make(7, 0, NAS_STREAM_SAMPLE);
  *d = (nas_dataset){.task = {{s->in, s->size, s->size}, 10}, .n = IMAGES};
  d->pixels = malloc((size_t)(IMAGES * each));
  d->labels = calloc(IMAGES, 1);
  d->train = malloc(IMAGES * sizeof *d->train);
  if (!d->pixels || !d->labels || !d->train) return nas_fail_memory(err, "images");
  for (int64_t i = 0; i < IMAGES * each; i++) d->pixels[i] = (uint8_t)(i * 2654435761 >> 16);
  for (uint32_t i = 0; i < IMAGES; i++) d->train[i] = i;
  nas_rng_shuffle(rng, 0, d->train, IMAGES);
  for (int c = 0; c < s->in; c++)
    for (int v = 0; v < 256; v++) d->normalised[c][v] = (float)(v - 128) / 64;
  return NAS_OK;
}

static void pixels_free(nas_dataset *d) {
  free(d->pixels);
  free(d->labels);
  free(d->train);
}

/* Each step with the batch before it, as in training: medians of both, in ms. */
static nas_status measure_batches(const settings *s, const nas_dataset *d, const char *arch, double *batch,
                                  double *step, nas_err *err) {
  const nas_augment augment = {.flip = true, .crop = 4};
  static sample batches, steps;
  trainee t = {0};
  nas_status status = trainee_new(&s->shape, arch, &t, err);
  batches.n = steps.n = 0;
  for (int64_t i = -2, from = 0; status == NAS_OK && i < s->steps; i++, from += s->shape.batch) {
    if (from + s->shape.batch > IMAGES) from = 0;
    double begin = nas_clock();
    nas_dataset_batch(d, d->train + from, s->shape.batch, &augment, 1, (int32_t)i + 2, nas_plan_input(t.plan),
                      nas_plan_labels(t.plan));
    double made = nas_clock();
    trainee_step(&t, i + 2);
    if (i < 0) continue; /* cold */
    batches.of[batches.n++] = 1e3 * (made - begin);
    steps.of[steps.n++] = 1e3 * (nas_clock() - made);
  }
  trainee_free(&t);
  NAS_TRY(status);
  *batch = median(batches.of, batches.n);
  *step = median(steps.of, steps.n);
  return NAS_OK;
}

/* ---- several in one process ---- */

static double seconds_of(trainee *all, int n, int steps, bool in_turn) {
  double begin = nas_clock();
  if (in_turn) {
    for (int k = 0; k < steps; k++)
      for (int i = 0; i < n; i++) trainee_step(&all[i], k);
  } else {
    for (int i = 0; i < n; i++)
      for (int k = 0; k < steps; k++) trainee_step(&all[i], k);
  }
  return nas_clock() - begin;
}

/* Time in turn over time one after another, a ratio a round; which of the two comes first alternates. */
static nas_status measure_together(const settings *s, const char *const *archs, int n, sample *ratios, nas_err *err) {
  trainee all[MOST] = {{0}};
  nas_status status = NAS_OK;
  for (int i = 0; i < n && status == NAS_OK; i++) {
    status = trainee_new(&s->shape, archs[i], &all[i], err);
    if (status == NAS_OK) status = nas_model_init(all[i].model, (uint64_t)i + 1, err);
  }
  ratios->n = 0;
  if (status == NAS_OK) seconds_of(all, n, 1, true);
  for (int r = 0; status == NAS_OK && r < s->rounds; r++) {
    double of[2];
    for (int k = 0; k < 2; k++) of[(k + r) % 2] = seconds_of(all, n, s->steps, (k + r) % 2);
    ratios->of[ratios->n++] = of[1] / of[0];
  }
  for (int i = 0; i < n; i++) trainee_free(&all[i]);
  return status;
}

static nas_status print_together(const settings *s, const char *name, const char *const *archs, int n, nas_err *err) {
  static sample ratios;
  NAS_TRY(measure_together(s, archs, n, &ratios, err));
  double middle = median(ratios.of, ratios.n);
  printf("%-10s %8d %9.2f  (%.2f to %.2f)\n", name, n, middle, ratios.of[0], ratios.of[ratios.n - 1]);
  fflush(stdout);
  return NAS_OK;
}

static nas_status measure_all(const settings *s, nas_err *err) {
  const char *archs[MOST], *different[MOST];
  int kinds = 0;
  nas_dataset d;
  printf("%dx%dx%d, C=%d, N=%d, batch %d\n%-10s %8s %9s %9s\n", s->shape.size, s->shape.size, s->shape.in,
         s->shape.channels, s->shape.cells, s->shape.batch, "network", "batch ms", "step ms", "share %");
  nas_status status = pixels_new(&s->shape, &d, err);
  for (const trainee_network *n = trainee_networks; status == NAS_OK && n->name; n++) {
    double batch, step;
    if (s->only && strcmp(s->only, n->name) != 0) continue;
    status = measure_batches(s, &d, n->arch, &batch, &step, err);
    if (status == NAS_OK) printf("%-10s %8.3f %9.3f %9.2f\n", n->name, batch, step, 100 * batch / step);
    fflush(stdout);
  }
  pixels_free(&d);
  NAS_TRY(status);
  if (s->together < 2) return NAS_OK;
  printf("\n%-10s %8s %9s   (time step by step in turn over time one after another)\n", "seeds of", "networks",
         "in turn");
  for (const trainee_network *n = trainee_networks; n->name; n++) {
    if (s->only && strcmp(s->only, n->name) != 0) continue;
    for (int i = 0; i < s->together; i++) archs[i] = n->arch;
    NAS_TRY(print_together(s, n->name, archs, s->together, err));
    if (kinds < s->together) different[kinds++] = n->arch;
  }
  return kinds > 1 ? print_together(s, "different", different, kinds, err) : NAS_OK;
}

int main(int argc, const char **argv) {
  settings s = {.shape = TRAINEE_SHAPE, .together = 4, .steps = 20, .rounds = 9};
  struct poptOption options[] = {
      {"only", 0, POPT_ARG_STRING, &s.only, 0, "one of these: " TRAINEE_NAMES, "NAME"},
      TRAINEE_OPTIONS(s.shape){"in", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.shape.in, 0,
                               "channels of an image, at most 4", "N"},
      {"small", 0, POPT_ARG_INT, &s.small, 0, "small networks on N x N x 1 images: --channels 8 --cells 1 --in 1", "N"},
      {"together", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.together, 0, "networks in one process; 0: none",
       "N"},
      {"steps", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.steps, 0, "timed steps of each network and round", "N"},
      {"rounds", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &s.rounds, 0, "rounds of several in one process", "N"},
      {"smoke", 0, POPT_ARG_NONE, &s.smoke, 0, "tiny networks, one step: does it run at all", NULL},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext context = poptGetContext(NULL, argc, argv, options, 0);
  int rest = poptGetNextOpt(context);
  if (s.small > 0) s.shape.channels = 8, s.shape.cells = 1, s.shape.in = 1, s.shape.size = s.small;
  if (s.smoke) s.shape = (trainee_shape){2, 4, 1, 8, 3, 0, 0, 0}, s.steps = s.rounds = 1, s.together = 2;
  bool fits = s.steps >= 1 && s.steps <= STEPS_MAX && s.rounds >= 1 && s.rounds <= ROUNDS_MAX && s.together <= MOST &&
              s.shape.batch >= 1 && s.shape.batch <= IMAGES && s.shape.in >= 1 && s.shape.in <= 4 && s.shape.size >= 4;
  if (rest < -1 || !fits) {
    fprintf(stderr, "bench-trials: %s; see --help\n", rest < -1 ? poptStrerror(rest) : "a number is out of range");
    return 2;
  }
  nas_err err = {0};
  nas_status status = measure_all(&s, &err);
  if (status != NAS_OK) fprintf(stderr, "bench-trials: %s%s%s\n", err.where, *err.where ? ": " : "", err.msg);
  poptFreeContext(context);
  return nas_status_exit(status);
}
