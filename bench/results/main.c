/* Published results of neurons, trained anew: bench-results [--seeds N] [--epochs N] [--data-dir DIRS] NAME... (or
 * --list). */
#include <math.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "results.h"
#include "train/neuron.h"

static double wall_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Mean, deviation of the sample, and median. */
static void summarise(double *x, int n, double *mean, double *deviation, double *median) {
  *mean = *deviation = 0;
  for (int i = 0; i < n; i++) *mean += x[i] / n;
  for (int i = 0; i < n; i++) *deviation += (x[i] - *mean) * (x[i] - *mean);
  *deviation = n > 1 ? sqrt(*deviation / (n - 1)) : (double)NAN;
  qsort(x, (size_t)n, sizeof *x, by_value);
  *median = n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

static void print_figures(const experiment *e, double (*values)[FIGURES_MAX], int seeds) {
  printf("%-18s %-26s %-14s %12s %10s %12s\n", "experiment", "figure", "published", "mean", "std", "median");
  for (int f = 0; f < FIGURES_MAX && e->figures[f].name; f++) {
    double x[64], mean, deviation, median;
    for (int s = 0; s < seeds; s++) x[s] = values[s][f];
    summarise(x, seeds, &mean, &deviation, &median);
    printf("%-18s %-26s %-14s %12.5g %10.2g %12.5g\n", e->name, e->figures[f].name, e->figures[f].published, mean,
           deviation, median);
  }
}

static nas_status print_size(const experiment *e, nas_task task, nas_err *err) {
  nas_net *net;
  NAS_TRY(experiment_net(e, task, &net, err));
  printf("%lld params, %lld MACs\n", (long long)net->params, (long long)net->macs);
  nas_net_free(net);
  return NAS_OK;
}

static nas_status run(const experiment *e, const char *data_dirs, int first, int seeds, nas_err *err) {
  double values[64][FIGURES_MAX];
  nas_settings settings = {0};
  nas_dataset *data = NULL;
  nas_status status = nas_settings_parse(&settings, e->dataset_options, e->name, err);
  if (status == NAS_OK) status = nas_dataset_open(e->dataset, &settings, data_dirs, &data, err);
  nas_settings_free(&settings);
  if (status != NAS_OK) return status;
  printf("%s: %s\n", e->name, e->what);
  if (e->run != run_kan_fit) status = print_size(e, data->task, err);
  double begin = wall_clock();
  for (int s = 0; s < seeds && status == NAS_OK; s++) {
    status = e->run(e, data, (uint64_t)first + (uint64_t)s, values[s], err);
    if (status != NAS_OK) break;
    printf("seed %d:", first + s);
    for (int f = 0; f < FIGURES_MAX && e->figures[f].name; f++) printf(" %.5g", values[s][f]);
    printf("  (%.0f s)\n", wall_clock() - begin);
    fflush(stdout);
  }
  if (status == NAS_OK) print_figures(e, values, seeds);
  nas_dataset_close(data);
  return status;
}

static const experiment *find(const char *name) {
  for (const experiment *e = experiments; e->name; e++)
    if (strcmp(e->name, name) == 0) return e;
  return NULL;
}

static void list(void) {
  for (const experiment *e = experiments; e->name; e++) {
    printf("%-18s %s\n", e->name, e->what);
    for (int f = 0; f < FIGURES_MAX && e->figures[f].name; f++)
      printf("%-18s   %s: published %s\n", "", e->figures[f].name, e->figures[f].published);
  }
}

/* Data that is not here is no failure: the word says so, and the other experiments go on. */
static int run_named(const char *name, const char *data_dirs, int first, int seeds) {
  nas_err err = {0};
  const experiment *e = find(name);
  if (!e) {
    nas_guess guess = nas_guess_for(name);
    for (const experiment *k = experiments; k->name; k++) nas_guess_add(&guess, k->name);
    fprintf(stderr, "bench-results: no experiment '%s'%s; --list shows all\n", name, nas_guess_text(&guess));
    return 2;
  }
  nas_status status = run(e, data_dirs, first, seeds, &err);
  if (status == NAS_OK) return 0;
  if (status == NAS_E_NOT_FOUND) {
    printf("%s: skipped: %s\n", name, err.msg);
    return 0;
  }
  fprintf(stderr, "bench-results: %s: %s: %s\n", name, err.where, err.msg);
  return 1;
}

int main(int argc, const char **argv) {
  int seeds = 3, first = 0, listed = 0, worst = 0;
  char *data_dirs = NULL;
  const struct poptOption options[] = {
      {"seeds", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &seeds, 0, "trainings of each experiment, 1..64", "N"},
      {"first-seed", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &first, 0, "the first seed", "N"},
      {"epochs", 0, POPT_ARG_INT, &trainings.epochs, 0, "epochs of trainings, where not the experiment's own", "N"},
      {"curves", 0, POPT_ARG_NONE, &trainings.curves, 0, "the accuracy of every epoch, on stderr", NULL},
      {"data-dir", 0, POPT_ARG_STRING, &data_dirs, 0, "folders with data, separated by ':'", "DIRS"},
      {"list", 0, POPT_ARG_NONE, &listed, 0, "list the experiments", NULL},
      POPT_AUTOHELP POPT_TABLEEND};
  poptContext context = poptGetContext(NULL, argc, argv, options, 0);
  poptSetOtherOptionHelp(context, "[OPTION...] NAME...   (all: every experiment)");
  int code = poptGetNextOpt(context);
  if (code < -1 || seeds < 1 || seeds > 64 || trainings.epochs < 0 || (!listed && !poptPeekArg(context))) {
    if (code < -1) fprintf(stderr, "%s: %s\n", poptBadOption(context, 0), poptStrerror(code));
    poptPrintUsage(context, stderr, 0);
    return 2;
  }
  nas_neurons_introduce();
  if (listed) list();
  for (const char *name; (name = poptGetArg(context));) {
    bool all = strcmp(name, "all") == 0;
    for (const experiment *e = experiments; all && e->name; e++) {
      int one = run_named(e->name, data_dirs, first, seeds);
      if (one > worst) worst = one;
    }
    int one = all ? 0 : run_named(name, data_dirs, first, seeds);
    if (one > worst) worst = one;
  }
  poptFreeContext(context);
  free(data_dirs);
  return worst;
}
