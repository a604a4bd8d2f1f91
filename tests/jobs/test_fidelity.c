/* Strategies that train to several fidelities, live. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "harness.h"
#include "runs.h"

enum { EPOCHS = 4 };

static void write_rungs(const char *name, const char *strategy, const char *more) {
  char text[1024];
  snprintf(text, sizeof text,
           "space: {name: nas-bench-201, channels: 2, cells: 1}\n"
           "dataset: {name: shapes, size: 8, images: 400, train-images: 128, valid-images: 64, test-images: 64}\n"
           "recipe: {name: nas-bench-201, epochs: %d, batch: 32}\n"
           "strategy: {name: %s, eta: 2}\n"
           "seed: 5\n%s",
           EPOCHS, strategy, more);
  nas_runs_write(name, text);
}

/* The trial that trial i goes on with: the one before it of the same architecture and seed. */
static const nas_db_trial *before(const nas_db_trial *t, size_t i) {
  for (size_t k = i; k-- > 0;)
    if (strcmp(t[k].arch, t[i].arch) == 0 && t[k].seed == t[i].seed) return &t[k];
  return NULL;
}

/* Trials end at 1, 2 or 4 epochs; one that goes on has the seed and the curve of the one before, has taken its epochs
 * from there, and is what a training from the start gives. */
static void a_promotion_goes_on_with(const char *strategy, int ranks) {
  size_t n, longer = 0;
  char name[64];
  snprintf(name, sizeof name, "%s%d", strategy, ranks);
  write_rungs(name, strategy, "budget: {trials: 20}\n");
  assert_int_equal(nas_runs_search(ranks, "", name, name, "", NULL) & ~3, 0);
  nas_db_trial *t = nas_runs_trials(name, &n);
  assert_int_equal(n, 20);
  for (size_t i = 0; i < n; i++) {
    size_t epochs = t[i].result.n_epochs;
    const nas_db_trial *first = before(t, i);
    double resumed = nas_result_metric(&t[i].result, "resumed_epochs");
    assert_true(epochs == 1 || epochs == 2 || epochs == 4);
    if (!first) {
      assert_true(isnan(resumed));
      continue;
    }
    assert_true(epochs == 2 * first->result.n_epochs && resumed == (double)first->result.n_epochs);
    for (size_t e = 0; e < first->result.n_epochs; e++)
      assert_true(nas_epoch_same(&first->result.epochs[e], &t[i].result.epochs[e]));
    if (longer++ < 3)
      assert_int_equal(
          nas_run(NULL, NULL, "'%s' reproduce '%s.db' %lld -q", nas_program(), nas_runs_path(name), (long long)t[i].id),
          0);
  }
  assert_true(longer >= 3);
  snprintf(name, sizeof name, "%s%d.db.checkpoints", strategy, ranks);
  assert_false(nas_file_exists(nas_runs_path(name))); /* nothing is left when the campaign is over */
  nas_db_trials_free(t, n);
}

static void asha_goes_on_from_checkpoints(void **state) {
  (void)state;
  a_promotion_goes_on_with("asha", 0);
}

static void brackets_go_on_from_checkpoints(void **state) {
  (void)state;
  a_promotion_goes_on_with("successive-halving", 0);
  a_promotion_goes_on_with("hyperband", 0);
  a_promotion_goes_on_with("bohb", 0);
}

static void another_rank_finds_the_checkpoint(void **state) {
  (void)state;
  nas_runs_mpi_or_skip();
  a_promotion_goes_on_with("asha", 3);
}

/* The budget counts what is trained, not again what a checkpoint brings. */
static void epochs_of_the_budget_are_counted_once(void **state) {
  (void)state;
  size_t n, trained = 0;
  write_rungs("budget", "successive-halving", "budget: {epochs: 32}\n");
  assert_int_equal(nas_runs_search(0, "", "budget", "budget", "", NULL) & ~3, 0);
  nas_db_trial *t = nas_runs_trials("budget", &n);
  for (size_t i = 0; i < n; i++) {
    const nas_db_trial *first = before(t, i);
    trained += t[i].result.n_epochs - (first ? first->result.n_epochs : 0);
  }
  print_message("%zu trials, %zu epochs\n", n, trained);
  assert_true(trained >= 32 && trained < 32 + EPOCHS);
  nas_db_trials_free(t, n);
}

NAS_SUITE(Fidelity, NAS_CASE(asha_goes_on_from_checkpoints), NAS_CASE(brackets_go_on_from_checkpoints),
          NAS_CASE(another_rank_finds_the_checkpoint), NAS_CASE(epochs_of_the_budget_are_counted_once))
