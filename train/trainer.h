#ifndef NAS_TRAIN_TRAINER_H
#define NAS_TRAIN_TRAINER_H
/* Trains one network on one data set by one recipe, to the same bits for the same seed.
 *
 * An epoch visits every training image once in an order that depends on (seed, epoch) alone; its last batch may be
 * smaller than the others and counts as a step like them. Batch norm uses the statistics of the batch (over images and
 * positions) while training, whatever its size: a channel with a single number has variance 0 and yields its shift
 * (PyTorch refuses such a batch). Evaluation uses the running statistics. train_loss and train_accuracy are means over
 * the epoch's images, each figured just before the step that its batch caused (with the recipe's label smoothing); the
 * other figures are those of the network after the epoch.
 *
 * Where the data set has real targets (regression), losses are mean squared errors and accuracies are the percentage of
 * the targets' variance that the network explains, 100 R^2: 100 is perfect, 0 as good as the mean, worse is negative.
 */
#include <signal.h>

#include "base/result.h"
#include "space/net.h"
#include "train/data/dataset.h"
#include "train/graph.h"
#include "train/recipe.h"

typedef struct nas_train_job {
  const nas_net *net;
  const nas_dataset *data;
  const nas_recipe *recipe;
  uint64_t seed;
  int32_t epochs;       /* stop after this epoch of the recipe's schedule; 0 = at its end */
  int64_t memory_limit; /* bytes; 0 = none; a training that needs more is `rejected` before anything is allocated */
  bool recompute; /* where it would need more, or much (NAS_PLAN_TARGET): run parts of the forward pass again instead of
                     keeping what they made; same bits, more time; rejected only when that is not enough */
  double seconds_limit;    /* 0 = none; of the whole training, resumed parts included; checked between batches ->
                              `timeout` */
  const char *checkpoint;  /* path to save to and to resume from, or NULL; a finished training leaves it in place, and
                              one that ends at `epochs`, before the recipe does, leaves it there for a longer one */
  double checkpoint_every; /* seconds between saves; 0 = after each epoch */
  volatile sig_atomic_t *stop; /* when it becomes non-zero: save, end as `preempted`; may be NULL */
  /* Called with each epoch in order (those that a checkpoint brings come first), and after each step with the share of
   * the epoch done, so that a slow one has to look at the clock; may be NULL. */
  void (*on_epoch)(void *arg, const nas_epoch *epoch);
  void (*on_step)(void *arg, int32_t epoch, double share);
  /* Called with the trained network before it is freed, unless the training ended otherwise than ok; may be NULL. */
  nas_status (*on_model)(void *arg, nas_model *model, nas_err *err);
  void *arg;
} nas_train_job;

/* Fills `result` (outcome, curve, metrics), which need not be initialised; free it with nas_result_free. Metrics:
 * params and macs of the whole description, match_ratio of matched neurons, peak_bytes (plans, parameters, optimiser),
 * seconds (of parts before an interruption too), epochs (finished), train_images (seen, over all epochs), latency
 * (seconds per image of an evaluation, at eval-batch, in the fastest epoch), recomputed (share of the forward pass that
 * is run again), resumed_epochs where a checkpoint brought whole epochs; energy_first and energy of oscillators
 * (train/energy.h), which the training's memory limit does not count; of a regression also train_rmse and
 * valid_rmse, roots of the last losses (that of test_loss is for people only).
 *
 * A training that diverged, was rejected, stopped, ran out of time or memory is NAS_OK with that outcome, its cause and
 * the epochs it finished. An error status is for what no training can mend: a network that does not fit the data, an
 * unwritable checkpoint, one that is damaged (BAD_INPUT) or another trial's (MISMATCH). */
nas_status nas_train(const nas_train_job *job, nas_result *result, nas_err *err);
#endif
