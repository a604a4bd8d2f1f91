/* nascent replay: strategies against a recorded table. */
#include "cli/replay.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/progress.h"
#include "cli/commands.h"
#include "search/plugin.h"

/* ---- the line ---- */

static nas_status in_range(const char *flag, int64_t value, int64_t low, int64_t high, nas_err *err) {
  if (value >= low && value <= high) return NAS_OK;
  return nas_fail(err, NAS_E_OUT_OF_RANGE, flag, "%lld lies outside %lld..%lld", (long long)value, (long long)low,
                  (long long)high);
}

static nas_status read_limits(nas_replay_session *s, nas_err *err) {
  s->limits = (nas_replay_limits){.seconds = INFINITY, .evaluations = UINT64_MAX, .workers = (uint32_t)s->workers};
  if (!s->seconds && s->budget < 0)
    return nas_fail(
        err, NAS_E_USAGE, NULL,
        "a budget is missing: --seconds T of simulated time, such as 20000 or 6h, or --budget N evaluations");
  if (s->seconds && (!nas_text_seconds(s->seconds, &s->limits.seconds) || !(s->limits.seconds > 0)))
    return nas_fail(err, NAS_E_USAGE, "--seconds", "'%s' is no time above zero; write for instance 20000 or 6h",
                    s->seconds);
  if (s->budget < 0) return NAS_OK;
  NAS_TRY(in_range("--budget", s->budget, 1, INT32_MAX, err));
  s->limits.evaluations = (uint64_t)s->budget;
  return NAS_OK;
}

/* The place of a word in a list that ends with NULL. */
static nas_status choose(const char *flag, const char *word, const char *const *list, int *out, nas_err *err) {
  nas_guess guess = nas_guess_for(word);
  nas_str all = {0};
  for (*out = 0; list[*out]; ++*out) {
    if (strcmp(list[*out], word) == 0) break;
    nas_guess_add(&guess, list[*out]);
    nas_str_fmt(&all, "%s%s", *out ? ", " : "", list[*out]);
  }
  nas_status status = NAS_OK;
  if (!list[*out])
    status =
        nas_fail(err, NAS_E_USAGE, flag, "there is no '%s'%s (%s)", word, nas_guess_text(&guess), nas_str_text(&all));
  nas_str_free(&all);
  return status;
}

static nas_status check_line(nas_replay_session *s, nas_err *err) {
  static const char *const axes[] = {"seconds", "evaluations", NULL}, *const tests[] = {"wilcoxon", "bootstrap", NULL};
  static const char *const shown[] = {"strategies", "curves", "differences", "runs", NULL};
  int chosen;
  if (!s->strategies)
    return nas_fail(err, NAS_E_USAGE, NULL, "--strategy is missing: names with commas (`nascent strategy list`)");
  NAS_TRY(in_range("--runs", s->runs, 1, 10000000, err));
  NAS_TRY(in_range("--jobs", s->jobs, 1, 4096, err));
  NAS_TRY(in_range("--workers", s->workers, 1, 1000000, err));
  NAS_TRY(in_range("--seed", s->seed, 0, INT64_MAX, err));
  NAS_TRY(in_range("--points", s->points, 2, 100000, err));
  NAS_TRY(in_range("--resamples", s->resamples, 1, 10000000, err));
  NAS_TRY(in_range("--search-epochs", s->source.search_epochs, 0, INT32_MAX, err));
  NAS_TRY(in_range("--report-epochs", s->source.report_epochs, 0, INT32_MAX, err));
  NAS_TRY(choose("--show", s->show, shown, &chosen, err));
  NAS_TRY(choose("--test", s->test, tests, &chosen, err));
  NAS_TRY(read_limits(s, err));
  if (!s->axis) s->axis = axes[s->seconds ? NAS_REPLAY_SECONDS : NAS_REPLAY_EVALUATIONS];
  NAS_TRY(choose("--axis", s->axis, axes, &chosen, err));
  s->curve_axis = (nas_replay_axis)chosen;
  return NAS_OK;
}

/* ---- the runs ---- */

typedef struct watch {
  nas_progress progress;
  int64_t before; /* runs of the strategies before this one */
} watch;

static void on_run(void *arg, size_t done) {
  watch *w = arg;
  w->progress.done = w->before + (int64_t)done;
  nas_progress_draw(&w->progress, false);
}

static nas_status run_one(nas_replay_session *s, nas_contender *c, watch *w, nas_err *err) {
  nas_replay_plan plan = {.table = s->recorded.table,
                          .strategy = c->type->name,
                          .settings = &c->settings,
                          .limits = s->limits,
                          .seed = (uint64_t)s->seed,
                          .runs = (size_t)s->runs,
                          .jobs = (unsigned)s->jobs,
                          .progress = on_run,
                          .arg = w};
  c->runs = calloc(plan.runs, sizeof *c->runs);
  if (!c->runs) return nas_fail_memory(err, "the runs of a replay");
  nas_text_put(w->progress.note, sizeof w->progress.note, "%s", c->name);
  NAS_TRY(nas_replay_all(&plan, c->runs, err));
  w->before += s->runs;
  return nas_replay_summarise(s->recorded.table, c->runs, plan.runs, &c->summary, err);
}

static nas_status run_all(nas_replay_session *s, nas_err *err) {
  watch w = {0};
  nas_progress_start(&w.progress, STDERR_FILENO, s->cli->quiet, "runs", 0, s->runs * (int64_t)s->n_contenders);
  nas_status status = NAS_OK;
  for (size_t i = 0; i < s->n_contenders && status == NAS_OK; i++) status = run_one(s, &s->contenders[i], &w, err);
  nas_progress_clear(&w.progress);
  return status;
}

/* ---- what they say ---- */

static nas_status make_curves(nas_replay_session *s, const nas_replay_entry *entries, nas_err *err) {
  size_t points = (size_t)s->points, runs = (size_t)s->runs;
  s->moments = calloc(points, sizeof *s->moments);
  if (!s->moments) return nas_fail_memory(err, "the curves of a replay");
  NAS_TRY(nas_replay_moments(entries, s->n_contenders, runs, s->curve_axis, s->moments, points, &s->n_moments, err));
  for (size_t i = 0; i < s->n_contenders; i++) {
    nas_contender *c = &s->contenders[i];
    c->curve = calloc(points, sizeof *c->curve);
    if (!c->curve) return nas_fail_memory(err, "the curves of a replay");
    NAS_TRY(nas_replay_curve(s->recorded.table, c->runs, runs, s->curve_axis, s->moments, s->n_moments, c->curve, err));
  }
  return NAS_OK;
}

static nas_status make_differences(nas_replay_session *s, const nas_replay_entry *entries, nas_err *err) {
  nas_replay_test test = strcmp(s->test, "bootstrap") == 0 ? NAS_REPLAY_BOOTSTRAP : NAS_REPLAY_WILCOXON;
  s->n_differences = s->n_contenders * (s->n_contenders - 1);
  s->differences = calloc(s->n_differences + 1, sizeof *s->differences);
  if (!s->differences) return nas_fail_memory(err, "the differences of a replay");
  return nas_replay_compare(s->recorded.table, entries, s->n_contenders, (size_t)s->runs, test, (size_t)s->resamples,
                            (uint64_t)s->seed, s->differences, err);
}

static nas_status conclude(nas_replay_session *s, nas_err *err) {
  nas_replay_entry *entries = calloc(s->n_contenders, sizeof *entries);
  if (!entries) return nas_fail_memory(err, "the entries of a replay");
  for (size_t i = 0; i < s->n_contenders; i++)
    entries[i] = (nas_replay_entry){s->contenders[i].name, s->contenders[i].runs};
  nas_status status = make_curves(s, entries, err);
  if (status == NAS_OK) status = make_differences(s, entries, err);
  free(entries);
  return status;
}

static void talk(const nas_replay_session *s) {
  const nas_replay_recorded *r = &s->recorded;
  if (s->cli->quiet) return;
  fprintf(stderr, "%zu architectures of %s, %s: %lld epochs to search, %lld to report; best %.2f %% valid", r->table->n,
          nas_space_type_of(r->space)->name, r->dataset, (long long)r->search_epochs, (long long)r->report_epochs,
          r->table->best_valid);
  if (isfinite(r->table->best_test)) fprintf(stderr, ", %.2f %% test", r->table->best_test);
  fputs("\n", stderr);
  if (r->left_out) fprintf(stderr, "%zu architectures lack one of the two and are left out\n", r->left_out);
  for (size_t i = 0; i < s->n_contenders; i++) {
    const nas_replay_summary *m = &s->contenders[i].summary;
    const char *name = s->contenders[i].name;
    if (m->without_choice) fprintf(stderr, "%s: %zu runs without any success\n", name, m->without_choice);
    if (m->exhausted)
      fprintf(stderr, "%s: %zu runs ended before the budget: nothing left to propose\n", name, m->exhausted);
    if (m->stalled) fprintf(stderr, "%s: %zu runs ended because the table lacks what it proposes\n", name, m->stalled);
  }
}

/* ---- the command ---- */

static nas_status replay(nas_replay_session *s, nas_err *err) {
  NAS_TRY(check_line(s, err));
  NAS_TRY(nas_replay_load(&s->source, &s->recorded, err));
  if (!s->recorded.timed && (s->seconds || s->curve_axis == NAS_REPLAY_SECONDS))
    return nas_fail(
        err, NAS_E_BAD_INPUT, s->source.path,
        "the table lacks training times, so that seconds mean nothing; use --budget N and --axis evaluations");
  NAS_TRY(nas_contenders_read(s, err));
  NAS_TRY(nas_cli_unused_override(s->cli, err));
  NAS_TRY(run_all(s, err));
  NAS_TRY(conclude(s, err));
  if (s->svg) NAS_TRY(nas_replay_svg(s, s->svg, err));
  NAS_TRY(nas_replay_print(s, err));
  talk(s);
  return NAS_OK;
}

nas_status nas_cmd_replay(nas_cli *cli, int argc, const char **argv, nas_err *err) {
  nas_replay_session s = {.cli = cli,
                          .test = "wilcoxon",
                          .show = "strategies",
                          .budget = -1,
                          .runs = 500,
                          .jobs = 1,
                          .workers = 1,
                          .points = 50,
                          .resamples = 2000};
  const char *plugin = NULL;
  const nas_flag flags[] = {
      {"strategy", 's', NAS_FLAG_TEXT, &s.strategies, "A,B,...",
       "strategies; options may follow: A:KEY=VALUE:KEY=VALUE"},
      {"dataset", 'd', NAS_FLAG_TEXT, &s.source.dataset, "NAME", "data set of the table (default: the only one)"},
      {"recipe", 0, NAS_FLAG_TEXT, &s.source.recipe, "NAME", "recipe of the table's trials (default: the only one)"},
      {"campaign", 0, NAS_FLAG_INT, &s.source.campaign, "N", "only the space of this campaign (default: all)"},
      {"search-epochs", 0, NAS_FLAG_INT, &s.source.search_epochs, "N",
       "fidelity that is searched (default: the lowest)"},
      {"report-epochs", 0, NAS_FLAG_INT, &s.source.report_epochs, "N", "fidelity that counts (default: the highest)"},
      {"seconds", 0, NAS_FLAG_TEXT, &s.seconds, "TIME", "budget of a run in simulated time: 20000, 6h"},
      {"budget", 'b', NAS_FLAG_INT, &s.budget, "N", "budget of a run in evaluations"},
      {"workers", 'w', NAS_FLAG_INT, &s.workers, "W", "simulated workers, asynchronous (default 1)"},
      {"runs", 'n', NAS_FLAG_INT, &s.runs, "N", "runs of each strategy (default 500)"},
      {"jobs", 'j', NAS_FLAG_INT, &s.jobs, "N", "threads; they change no figure (default 1)"},
      {"seed", 0, NAS_FLAG_INT, &s.seed, "N", "seed of all runs (default 0)"},
      {"show", 0, NAS_FLAG_TEXT, &s.show, "WHAT", "strategies (default), curves, differences or runs"},
      {"axis", 0, NAS_FLAG_TEXT, &s.axis, "AXIS", "of the curves: seconds or evaluations (default: as the budget)"},
      {"points", 0, NAS_FLAG_INT, &s.points, "N", "points of each curve (default 50)"},
      {"test", 0, NAS_FLAG_TEXT, &s.test, "TEST", "of differences: wilcoxon (default) or bootstrap"},
      {"resamples", 0, NAS_FLAG_INT, &s.resamples, "N", "of the bootstrap (default 2000)"},
      {"plugin", 0, NAS_FLAG_TEXT, &plugin, "FILE.so", "a shared object with more strategies"},
      {"svg", 0, NAS_FLAG_TEXT, &s.svg, "FILE", "write the anytime regret curves as a picture"},
      {0}};
  const nas_usage usage = {
      "FILE --strategy A,B,... --seconds TIME|--budget N", 1, 1, flags,
      "Simulates strategies against a recorded table. A strategy is told the validation accuracy at\n"
      "the search epochs; a trial costs the recorded time of training so long and of one evaluation.\n"
      "One of several fidelities (asha, hyperband, bohb) is told that after the epochs it asks for, and\n"
      "a trial that goes on costs its further epochs; the table must have curves.\n"
      "An evaluation that begins before the budget ends is finished and counts. The choice of a run\n"
      "is its best validation accuracy at the search epochs; reported is what that architecture has\n"
      "at the report epochs: mean and standard deviation over runs, anytime regret, and pairwise\n"
      "differences over paired runs, adjusted by Holm's method.\n\n"
      "-o NAME.KEY=VALUE sets an option of a strategy. An option `unique` is false here unless set:\n"
      "every architecture of a table has figures of its own, and the published protocols draw over\n"
      "all of them."};
  bool done;
  NAS_TRY(nas_cli_parse(cli, argc, argv, &usage, &done, err));
  if (done) return NAS_OK;
  if (plugin) NAS_TRY(nas_strategy_plugin_load(plugin, err));
  s.source.path = cli->args[0];
  nas_status status = replay(&s, err);
  nas_contenders_free(&s);
  nas_replay_recorded_close(&s.recorded);
  free(s.moments);
  free(s.differences);
  return status;
}
