/* Strategies of several fidelities on the curves that examples/curves.yaml recorded: at equal simulated time they beat
 * random search, as published. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench-db/bench-db.h"
#include "harness.h"
#include "search/replay_load.h"
#include "search/replay_report.h"

enum { EPOCHS = 27, RUNS = NAS_TEST_SANITIZED ? 40 : 200 };

/* A copy, in the schema of this program. */
static const char *curves(void) {
  static char path[512];
  char *bytes, from[512];
  size_t n;
  int schema;
  snprintf(from, sizeof from, "%s/examples/curves.db", nas_source_folder());
  snprintf(path, sizeof path, "%s/curves.db", nas_test_folder());
  assert_ok(nas_file_read(from, 1 << 20, &bytes, &n, nas_test_err()));
  assert_ok(nas_file_write_atomic(path, bytes, n, nas_test_err()));
  free(bytes);
  assert_ok(nas_db_migrate(path, &schema, nas_test_err()));
  return path;
}

static nas_replay_run *run_all(const nas_replay_table *t, const char *strategy, const char *options, double seconds) {
  nas_settings settings = {0};
  nas_replay_run *runs = calloc(RUNS, sizeof *runs);
  assert_non_null(runs);
  assert_ok(nas_settings_parse(&settings, options, "the test", nas_test_err()));
  const nas_replay_plan plan = {.table = t,
                                .strategy = strategy,
                                .settings = &settings,
                                .limits = {.seconds = seconds, .evaluations = UINT64_MAX, .workers = 1},
                                .seed = 11,
                                .runs = RUNS,
                                .jobs = 1};
  assert_ok(nas_replay_all(&plan, runs, nas_test_err()));
  nas_settings_free(&settings);
  return runs;
}

static void rungs_beat_random_search_at_equal_time(void **state) {
  (void)state;
  enum { N = 4 };
  static const struct {
    const char *name, *options;
  } who[N] = {{"random", "unique=false\n"}, {"asha", ""}, {"hyperband", ""}, {"bohb", ""}};
  const double seconds = 2;
  nas_replay_recorded r;
  const nas_replay_source source = {.path = curves(), .search_epochs = EPOCHS, .report_epochs = EPOCHS};
  assert_ok(nas_replay_load(&source, &r, nas_test_err()));
  assert_ok(nas_replay_load_curves(&r, &source, nas_test_err()));
  assert_int_equal(r.table->n, 400);
  nas_replay_entry entries[N];
  nas_replay_difference differences[N * (N - 1)];
  for (int i = 0; i < N; i++)
    entries[i] = (nas_replay_entry){who[i].name, run_all(r.table, who[i].name, who[i].options, seconds)};
  assert_ok(nas_replay_compare(r.table, entries, N, RUNS, NAS_REPLAY_WILCOXON, 100, 1, differences, nas_test_err()));
  for (int i = 0; i < N * (N - 1); i++) {
    const nas_replay_difference *d = &differences[i];
    if (d->of_test || d->a != 0) continue;
    print_message("%s less random: %.2f, p = %.2g\n", who[d->b].name, -d->mean, d->p_holm);
    assert_true(d->mean < 0 && (NAS_TEST_SANITIZED || d->p_holm < 0.01)); /* few runs there */
  }
  for (int i = 0; i < N; i++) {
    nas_replay_run *runs = (nas_replay_run *)(uintptr_t)entries[i].runs;
    for (int k = 0; k < RUNS; k++) nas_replay_run_clear(&runs[k]);
    free(runs);
  }
  nas_replay_recorded_close(&r);
}

NAS_SUITE(ReplayCurves, NAS_CASE(rungs_beat_random_search_at_equal_time))
