#ifndef NAS_BENCH_RESULTS_H
#define NAS_BENCH_RESULTS_H
/* Published results, trained anew: each experiment has a name, and figures that are the mean over seeds. */
#include "train/data/dataset.h"
#include "train/trainer.h"

enum { FIGURES_MAX = 8, STAGES_MAX = 4 };

/* Name of the second figure of a training, where the published one is the test accuracy of the best of all epochs. */
#define BEST_EPOCH "of the best epoch"

/* One figure of an experiment and what was published for it. */
typedef struct figure {
  const char *name, *published;
} figure;

/* What the command line asks of trainings: other epochs than the experiment's (0: its own), and each epoch's accuracy
 * on stderr. */
typedef struct training_options {
  int epochs, curves;
} training_options;
extern training_options trainings;

typedef struct experiment experiment;
struct experiment {
  const char *name, *what;
  const char *dataset, *dataset_options;         /* "key=value\n" lines */
  const char *space, *space_options, *arch;      /* the network, where a space has it */
  nas_status (*net)(nas_net *net, nas_err *err); /* or this makes it */
  const char *recipe;                            /* overrides of the recipe `quick`, "key=value\n" lines */
  figure figures[FIGURES_MAX];
  /* Trains with one seed and fills the figures in their order; the first is what people compare. */
  nas_status (*run)(const experiment *e, const nas_dataset *d, uint64_t seed, double out[FIGURES_MAX], nas_err *err);
  /* Of a fit: at first the base weights of a node of n inputs are uniform in (mean +- spread) / sqrt(n), and the
   * coefficients of the splines in +- noise / 2 cells. Cells of the grid, stage by stage. In each stage the inner grid
   * follows its input for some rounds of a burst of L-BFGS evaluations each, then it stays for more evaluations. */
  double base_mean, base_spread, noise;
  int grid[STAGES_MAX], stages, rounds, burst, evaluations;
};

extern const experiment experiments[]; /* ends with a NULL name */

/* The networks of images.c and how they are trained. */
nas_status lif_net(nas_net *net, nas_err *err);
nas_status convkan_net(nas_net *net, nas_err *err);
nas_status kuramoto_net(nas_net *net, nas_err *err);
nas_status relu_net(nas_net *net, nas_err *err);
nas_status run_training(const experiment *e, const nas_dataset *d, uint64_t seed, double out[FIGURES_MAX],
                        nas_err *err);
/* The same, and the accuracy on test images with normal noise. */
nas_status run_robustness(const experiment *e, const nas_dataset *d, uint64_t seed, double out[FIGURES_MAX],
                          nas_err *err);
/* The network of an experiment; free with nas_net_free. */
nas_status experiment_net(const experiment *e, nas_task task, nas_net **out, nas_err *err);

/* A Kolmogorov-Arnold network of one hidden node fitted in double precision; a figure per stage. */
nas_status run_kan_fit(const experiment *e, const nas_dataset *d, uint64_t seed, double out[FIGURES_MAX], nas_err *err);
#endif
