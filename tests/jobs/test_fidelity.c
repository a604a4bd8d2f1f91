/* Strategies that train to several fidelities, live. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "runs.h"

static void write_asha(void) {
  nas_runs_write("asha",
                 "space: {name: nas-bench-201, channels: 2, cells: 1}\n"
                 "dataset: {name: shapes}\n"
                 "recipe: {name: nas-bench-201, epochs: 4, batch: 64}\n"
                 "strategy: {name: asha, eta: 2}\n"
                 "budget: {trials: 14}\n"
                 "seed: 5\n");
}

/* Trials end at 1, 2 or 4 epochs; one that goes on has the seed of the one before and begins with the same curve. */
static void a_promotion_is_the_same_training_for_longer(void **state) {
  (void)state;
  size_t n, longer = 0;
  write_asha();
  assert_int_equal(nas_runs_search(0, "", "asha", "asha", "-o dataset.train-images=256", NULL) & ~3, 0);
  nas_db_trial *t = nas_runs_trials("asha", &n);
  assert_int_equal(n, 14);
  for (size_t i = 0; i < n; i++) {
    size_t epochs = t[i].result.n_epochs;
    assert_true(epochs == 1 || epochs == 2 || epochs == 4);
    if (epochs == 1) continue;
    size_t k = 0;
    while (k < i && (strcmp(t[k].arch, t[i].arch) != 0 || 2 * t[k].result.n_epochs != epochs)) k++;
    assert_true(k < i);
    assert_true(t[k].seed == t[i].seed);
    for (size_t e = 0; e < t[k].result.n_epochs; e++)
      assert_true(nas_epoch_same(&t[k].result.epochs[e], &t[i].result.epochs[e]));
    longer++;
  }
  assert_true(longer >= 3);
  nas_db_trials_free(t, n);
}

NAS_SUITE(Fidelity, NAS_CASE(a_promotion_is_the_same_training_for_longer))
